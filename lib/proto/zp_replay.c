#include "proto/zp_replay.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"

#define NAME_LEN (ZP_PSEUDONYM_LEN + ZP_SID_LEN + 1)
#define SLOTS ((size_t)2 * ZP_REPLAY_SESSIONS)
#define LEAST ((size_t)16) /* sessions that there is room for at first */
#define NEVER UINT64_MAX

_Static_assert(ZP_REPLAY_SESSIONS % LEAST == 0 &&
	(ZP_REPLAY_SESSIONS & (ZP_REPLAY_SESSIONS - 1)) == 0,
    "places double up to the most");
_Static_assert(ZP_REPLAY_WINDOW == 64, "a word of bits");

/* When it is a session's turn to be evicted. */
struct rank {
	uint64_t least; /* its latest time is this or later */
	uint16_t at;
};

struct zp_replay {
	struct zp_replay_session *sessions;
	size_t n, cap;
	size_t last; /* found last: most records come from who spoke last */
	size_t looked; /* for gaps, as far as this */
	uint64_t floor, today;
	bool established, kept, dirty;
	bool gaps; /* some session may have one to report */
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	size_t ranked;
	/*
	 * What follows is large, and as long as there are few sessions most of
	 * it is not touched.  The first n_slots, twice cap, are in use: the
	 * index of a session plus one; 0: none.
	 */
	size_t n_slots;
	uint16_t slots[SLOTS];
	/* A heap, lowest first, once all places are taken. */
	struct rank ranks[ZP_REPLAY_SESSIONS];
};

_Static_assert(ZP_REPLAY_SESSIONS < UINT16_MAX, "slots are 16 bits");

enum zp_err
zp_replay_new(struct zp_replay **r)
{
	struct zp_replay *n = malloc(sizeof(*n));

	if (n == NULL)
		return ZP_ERR_MEMORY;
	memset(n, 0, offsetof(struct zp_replay, slots));
	n->n_slots = 2 * LEAST;
	memset(n->slots, 0, n->n_slots * sizeof(*n->slots));
	zp_secret_random(n->hash_key, sizeof(n->hash_key));
	*r = n;
	return ZP_OK;
}

void
zp_replay_free(struct zp_replay *r)
{
	if (r == NULL)
		return;
	free(r->sessions);
	free(r);
}

void
zp_replay_clear(struct zp_replay *r)
{
	r->n = r->last = r->looked = r->ranked = 0;
	r->floor = 0;
	r->established = r->dirty = r->gaps = false;
	memset(r->slots, 0, r->n_slots * sizeof(*r->slots));
}

void
zp_replay_today(struct zp_replay *r, uint64_t ms)
{
	r->today = ms;
}

void
zp_replay_keep(struct zp_replay *r)
{
	r->kept = true;
}

void
zp_replay_established(struct zp_replay *r, bool established)
{
	r->established = established;
}

uint64_t
zp_replay_floor(const struct zp_replay *r)
{
	return r->floor;
}

void
zp_replay_set_floor(struct zp_replay *r, uint64_t floor)
{
	r->floor = floor;
}

size_t
zp_replay_count(const struct zp_replay *r)
{
	return r->n;
}

const struct zp_replay_session *
zp_replay_at(const struct zp_replay *r, size_t i)
{
	return &r->sessions[i];
}

bool
zp_replay_dirty(const struct zp_replay *r)
{
	return r->dirty;
}

void
zp_replay_saved(struct zp_replay *r)
{
	r->dirty = false;
}

/* ---- finding sessions ---- */

/* Keyed, since members choose sids: nobody can make all of them collide. */
static size_t
slot_of(const struct zp_replay *r, const uint8_t *p, const uint8_t *sid,
    uint8_t kind)
{
	uint8_t name[NAME_LEN], hash[crypto_shorthash_BYTES];
	uint64_t v;

	memcpy(name, p, ZP_PSEUDONYM_LEN);
	memcpy(name + ZP_PSEUDONYM_LEN, sid, ZP_SID_LEN);
	name[NAME_LEN - 1] = kind;
	crypto_shorthash(hash, name, sizeof(name), r->hash_key);
	memcpy(&v, hash, sizeof(v));
	return (size_t)(v & (r->n_slots - 1));
}

static bool
is_it(const struct zp_replay_session *s, const uint8_t *p, const uint8_t *sid,
    uint8_t kind)
{
	return s->kind == kind && memcmp(s->sid, sid, ZP_SID_LEN) == 0 &&
	    memcmp(s->p, p, ZP_PSEUDONYM_LEN) == 0;
}

/* Index, or r->n if it is not known. */
static size_t
find(const struct zp_replay *r, const uint8_t *p, const uint8_t *sid,
    uint8_t kind)
{
	if (r->last < r->n && is_it(&r->sessions[r->last], p, sid, kind))
		return r->last;
	for (size_t i = slot_of(r, p, sid, kind); r->slots[i] != 0;
	     i = (i + 1) % r->n_slots) {
		size_t at = r->slots[i] - 1U;
		if (is_it(&r->sessions[at], p, sid, kind))
			return at;
	}
	return r->n;
}

static size_t
home_of(const struct zp_replay *r, size_t at)
{
	const struct zp_replay_session *s = &r->sessions[at];

	return slot_of(r, s->p, s->sid, s->kind);
}

static void
slot_in(struct zp_replay *r, size_t at)
{
	size_t i = home_of(r, at);

	while (r->slots[i] != 0)
		i = (i + 1) % r->n_slots;
	r->slots[i] = (uint16_t)(at + 1);
}

/* Frees the slot of a session; those behind move up to where they belong. */
static void
slot_out(struct zp_replay *r, size_t at)
{
	size_t hole = home_of(r, at), n = r->n_slots;

	while (r->slots[hole] != at + 1)
		hole = (hole + 1) % n;
	for (size_t i = (hole + 1) % n; r->slots[i] != 0; i = (i + 1) % n) {
		size_t home = home_of(r, r->slots[i] - 1U);
		/* Moves unless its home lies between the hole and itself. */
		if ((i + n - home) % n >= (i + n - hole) % n) {
			r->slots[hole] = r->slots[i];
			hole = i;
		}
	}
	r->slots[hole] = 0;
}

/* Dated so far ahead that it is no clock's fault? */
static bool
is_ahead(const struct zp_replay *r, uint64_t time)
{
	return r->today != 0 && time > r->today &&
	    time - r->today > ZP_REPLAY_AHEAD_MS;
}

static uint64_t
rank_of(const struct zp_replay *r, size_t at)
{
	uint64_t latest = r->sessions[at].latest;

	return is_ahead(r, latest) ? 0 : latest;
}

static void
sift_down(struct zp_replay *r, size_t i)
{
	struct rank moved = r->ranks[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < r->ranked &&
		    r->ranks[child + 1].least < r->ranks[child].least)
			child++;
		if (child >= r->ranked || moved.least <= r->ranks[child].least)
			break;
		r->ranks[i] = r->ranks[child];
		i = child;
	}
	r->ranks[i] = moved;
}

/*
 * The session whose latest time is lowest.  Ranks are only looked after
 * here: times grow, so one that is too low is put right when it comes up.
 */
static size_t
lowest(struct zp_replay *r)
{
	if (r->ranked < r->n) {
		r->ranked = r->n;
		for (size_t i = 0; i < r->n; i++)
			r->ranks[i] = (struct rank){rank_of(r, i), (uint16_t)i};
		for (size_t i = r->n / 2; i-- > 0;)
			sift_down(r, i);
	}
	for (;;) {
		struct rank *first = &r->ranks[0];
		uint64_t rank = rank_of(r, first->at);
		if (rank <= first->least)
			return first->at;
		first->least = rank;
		sift_down(r, 0);
	}
}

/* Makes way for one more, whose place and rank are then free for it. */
static size_t
evict(struct zp_replay *r)
{
	size_t out = lowest(r);
	/* A session without times raises it too: what has no time cannot be
	 * told from a replay of that session any more. */
	uint64_t floor = rank_of(r, out);

	if (floor == 0)
		floor = 1;
	if (floor > r->floor)
		r->floor = floor;
	slot_out(r, out);
	r->ranks[0].least = 0;
	return out;
}

/* Room for a session; its index in *at. */
static enum zp_err
make_room(struct zp_replay *r, size_t *at)
{
	if (r->n == ZP_REPLAY_SESSIONS) {
		*at = evict(r);
		return ZP_OK;
	}
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : LEAST;
		struct zp_replay_session *more =
		    realloc(r->sessions, cap * sizeof(*more));
		if (more == NULL)
			return ZP_ERR_MEMORY;
		r->sessions = more;
		r->cap = cap;
		r->n_slots = 2 * cap;
		memset(r->slots, 0, r->n_slots * sizeof(*r->slots));
		for (size_t i = 0; i < r->n; i++)
			slot_in(r, i);
	}
	*at = r->n++;
	return ZP_OK;
}

/* ---- what came and what did not ---- */

static unsigned
ones(uint64_t v)
{
	return (unsigned)__builtin_popcountll(v);
}

/* The n lowest bits. */
static uint64_t
low(uint64_t n)
{
	return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Bits of the window for numbers that were expected. */
static uint64_t
expected(const struct zp_replay_session *s)
{
	return low(s->next - s->first);
}

/* Bits of the window that are missing and were not reported. */
static uint64_t
holes(const struct zp_replay_session *s)
{
	return expected(s) & ~s->seen & ~s->told;
}

/* Announced numbers above all that came, not reported. */
static uint64_t
tail(const struct zp_replay_session *s)
{
	uint64_t from = s->next > s->told_to ? s->next : s->told_to;

	return s->announced > from ? s->announced - from : 0;
}

static void
lose(struct zp_replay_session *s, uint64_t n)
{
	s->lost = n > UINT64_MAX - s->lost ? UINT64_MAX : s->lost + n;
}

/* ---- behind the window ---- */

static void
forget_hole(struct zp_replay_session *s, size_t i)
{
	s->n_holes--;
	memmove(&s->holes[i], &s->holes[i + 1],
	    (s->n_holes - i) * sizeof(s->holes[0]));
}

/* One more, at place i; the first one has to be forgotten if there are too
   many. */
static void
put_hole(struct zp_replay_session *s, size_t i, uint64_t from, uint64_t to)
{
	if (s->n_holes == ZP_REPLAY_HOLES) {
		uint64_t end = i == 0 ? to : s->holes[0].to;
		if (s->sure < end)
			s->sure = end;
		if (i == 0)
			return;
		forget_hole(s, 0);
		i--;
	}
	memmove(&s->holes[i + 1], &s->holes[i],
	    (s->n_holes - i) * sizeof(s->holes[0]));
	s->holes[i] = (struct zp_replay_hole){from, to};
	s->n_holes++;
}

/* These never came, and are the highest ones behind the window. */
static void
add_hole(struct zp_replay_session *s, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	if (s->n_holes > 0 && s->holes[s->n_holes - 1].to == from)
		s->holes[s->n_holes - 1].to = to;
	else
		put_hole(s, s->n_holes, from, to);
}

/* Its place, or n_holes. */
static size_t
hole_of(const struct zp_replay_session *s, uint64_t seq)
{
	size_t i = 0;

	while (i < s->n_holes && s->holes[i].to <= seq)
		i++;
	return i < s->n_holes && seq >= s->holes[i].from ? i : s->n_holes;
}

/* It came after all. */
static void
fill_hole(struct zp_replay_session *s, uint64_t seq)
{
	size_t i = hole_of(s, seq);

	if (i == s->n_holes)
		return;
	struct zp_replay_hole *h = &s->holes[i];
	const uint64_t to = h->to;
	if (seq == h->from) {
		if (++h->from == h->to)
			forget_hole(s, i);
		return;
	}
	h->to = seq;
	if (seq + 1 < to)
		put_hole(s, i + 1, seq + 1, to);
}

/* What the window shows as missing, of its bits, goes behind it. */
static void
leave_holes(struct zp_replay_session *s, uint64_t bits)
{
	while (bits != 0) {
		unsigned i = 63 - (unsigned)__builtin_clzll(bits);
		add_hole(s, s->next - 1 - i, s->next - i);
		bits &= ~(UINT64_C(1) << i);
	}
}

/*
 * Moves the window up to `next`; nothing of the new numbers came.  What
 * leaves it unseen is lost, unless it was reported.
 */
static void
advance(struct zp_replay_session *s, uint64_t next)
{
	uint64_t shift = next - s->next, old = s->next;
	uint64_t leaving = shift >= 64 ? UINT64_MAX : ~low(64 - shift);
	uint64_t gone = holes(s) & leaving;

	if (gone != 0)
		lose(s, ones(gone));
	leave_holes(s, expected(s) & ~s->seen & leaving);
	if (next > 64)
		add_hole(s, old, next - 64);
	s->seen = shift >= 64 ? 0 : s->seen << shift;
	s->told = shift >= 64 ? 0 : s->told << shift;
	s->next = next;
	/* New numbers that pass right through. */
	uint64_t from = old > s->told_to ? old : s->told_to;
	if (next > 64 && next - 64 > from)
		lose(s, next - 64 - from);
	/* New numbers that were reported when they were only announced. */
	if (s->told_to > old) {
		uint64_t to = s->told_to < next ? s->told_to : next;
		s->told |= low(next - old) & ~low(next - to);
	}
}

/* Keeps `since` and r->gaps true to what is missing now. */
static void
note_holes(struct zp_replay *r, struct zp_replay_session *s, uint64_t now)
{
	if (holes(s) == 0 && tail(s) == 0 && s->lost == 0) {
		s->since = NEVER;
		return;
	}
	if (s->since == NEVER)
		s->since = now;
	r->gaps = true;
}

/* Of a number below `next`: did it never come, as far as is known? */
static bool
is_missing(const struct zp_replay_session *s, uint64_t seq)
{
	uint64_t back = s->next - 1 - seq;

	if (back < 64)
		return (s->seen >> back & 1) == 0;
	return seq >= s->sure &&
	    (seq < s->first || hole_of(s, seq) < s->n_holes);
}

enum zp_replay_verdict
zp_replay_check(const struct zp_replay *r, const struct zp_replay_name *name)
{
	size_t at = find(r, name->p, name->sid, name->kind);
	const bool ahead = is_ahead(r, name->time);

	if (ahead && r->kept && name->kind == ZP_KIND_NOTE)
		return ZP_REPLAY_AHEAD;
	if (at == r->n)
		return r->floor > 0 && (name->time <= r->floor || ahead)
		    ? ZP_REPLAY_TOO_OLD
		    : ZP_REPLAY_NEW;
	const struct zp_replay_session *s = &r->sessions[at];
	if (name->seq >= s->next)
		return name->seq < s->told_to ? ZP_REPLAY_LATE : ZP_REPLAY_NEW;
	if (!is_missing(s, name->seq))
		return name->time > s->latest ? ZP_REPLAY_RESTORED
					      : ZP_REPLAY_AGAIN;
	if (r->floor > 0 && name->time <= r->floor)
		return ZP_REPLAY_TOO_OLD;
	uint64_t back = s->next - 1 - name->seq;
	return back < 64 && (s->told >> back & 1) == 0 ? ZP_REPLAY_NEW
						       : ZP_REPLAY_LATE;
}

bool
zp_replay_was_shown(
    const struct zp_replay *r, const struct zp_replay_name *name)
{
	size_t at = find(r, name->p, name->sid, name->kind);

	return at < r->n && name->seq < r->sessions[at].next &&
	    name->seq >= r->sessions[at].sure &&
	    !is_missing(&r->sessions[at], name->seq);
}

/* From which number on a session seen for the first time is expected. */
static uint64_t
first_of(const struct zp_replay *r, const struct zp_replay_name *name)
{
	uint64_t first = r->established ? 0 : name->seq;

	if (name->has_first)
		first = name->first;
	return first < name->seq ? first : name->seq;
}

static enum zp_err
begin_session(
    struct zp_replay *r, const struct zp_replay_name *name, size_t *at)
{
	enum zp_err err = make_room(r, at);

	if (err)
		return err;
	struct zp_replay_session *s = &r->sessions[*at];
	uint64_t first = first_of(r, name);
	*s = (struct zp_replay_session){.kind = name->kind,
	    .first = first,
	    .next = first,
	    .since = NEVER,
	    .start = true};
	memcpy(s->p, name->p, sizeof(s->p));
	memcpy(s->sid, name->sid, sizeof(s->sid));
	slot_in(r, *at);
	return ZP_OK;
}

/* The session, made if it is not known. */
static enum zp_err
find_or_begin(
    struct zp_replay *r, const struct zp_replay_name *name, size_t *at)
{
	if (name->seq > ZP_SEQ_MAX)
		return ZP_ERR_ENDED;
	*at = find(r, name->p, name->sid, name->kind);
	return *at == r->n ? begin_session(r, name, at) : ZP_OK;
}

uint64_t
zp_replay_next(const struct zp_replay *r,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint8_t kind)
{
	size_t at = find(r, p, sid, kind);

	return at < r->n && r->sessions[at].seen != 0 ? r->sessions[at].next
						      : 0;
}

/* A session begins with this number, and what is between did not come yet. */
static void
begin_earlier(struct zp_replay_session *s, uint64_t seq)
{
	uint64_t to = s->next > 64 ? s->next - 64 : 0;

	if (to > s->first)
		to = s->first;
	s->first = seq;
	if (seq + 1 >= to)
		return;
	if (s->n_holes > 0 && s->holes[0].from == to)
		s->holes[0].from = seq + 1;
	else
		put_hole(s, 0, seq + 1, to);
}

/*
 * Nothing of it came yet, only that much was sent; and now one below where it
 * was to begin.  What is between is not missed, as it was not before.
 */
static void
begin_below(struct zp_replay_session *s, uint64_t seq)
{
	if (s->told_to < s->next)
		s->told_to = s->next;
	s->first = s->next = seq;
}

enum zp_err
zp_replay_mark(
    struct zp_replay *r, const struct zp_replay_name *name, uint64_t now)
{
	size_t at;
	enum zp_err err = find_or_begin(r, name, &at);

	if (err)
		return err;
	struct zp_replay_session *s = &r->sessions[at];
	bool fresh = s->seen == 0;
	if (fresh && name->seq < s->next)
		begin_below(s, name->seq);
	if (name->seq >= s->next) {
		if (name->seq > s->next) {
			s->before = name->time;
			s->start = fresh;
		}
		advance(s, name->seq + 1);
	}
	uint64_t back = s->next - 1 - name->seq;
	if (back < 64) {
		s->seen |= UINT64_C(1) << back;
		s->told &= ~(UINT64_C(1) << back);
	} else {
		fill_hole(s, name->seq);
	}
	/* Came before where we thought it began: what is between counts. */
	if (name->seq < s->first) {
		begin_earlier(s, name->seq);
		s->before = s->latest;
	}
	if (name->time > s->latest)
		s->latest = name->time;
	note_holes(r, s, now);
	r->last = at;
	r->dirty = true;
	return ZP_OK;
}

enum zp_err
zp_replay_give_up(
    struct zp_replay *r, const struct zp_replay_name *name, uint64_t now)
{
	size_t at;
	enum zp_err err = find_or_begin(r, name, &at);

	if (err)
		return err;
	struct zp_replay_session *s = &r->sessions[at];
	if (name->seq < s->next) {
		uint64_t back = s->next - 1 - name->seq;
		if (back < 64 && (s->seen >> back & 1) == 0)
			s->told |= UINT64_C(1) << back;
	} else {
		/* It was sent, and so were those before it. */
		uint64_t from = s->next > s->told_to ? s->next : s->told_to;
		if (name->seq > from) {
			lose(s, name->seq - from);
			s->before = name->time;
			s->start = s->seen == 0;
		}
		if (name->seq >= from)
			s->told_to = name->seq + 1;
		if (s->announced < s->told_to)
			s->announced = s->told_to;
	}
	if (name->time > s->latest)
		s->latest = name->time;
	note_holes(r, s, now);
	r->last = at;
	r->dirty = true;
	return ZP_OK;
}

enum zp_err
zp_replay_announce(struct zp_replay *r,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint8_t kind, uint64_t base,
    uint64_t count, uint64_t now)
{
	struct zp_replay_name name = {.kind = kind, .seq = base};
	size_t at = find(r, p, sid, kind);

	if (at == r->n) {
		const uint64_t first = first_of(r, &name);
		/* A file remembers also whose were all sent before we came:
		 * they are not missed when we are back either. */
		if (count < first || base > ZP_SEQ_MAX ||
		    (count == first && (count == 0 || !r->kept)))
			return ZP_OK;
		memcpy(name.p, p, sizeof(name.p));
		memcpy(name.sid, sid, sizeof(name.sid));
		enum zp_err err = begin_session(r, &name, &at);
		if (err)
			return err;
	}
	if (count <= r->sessions[at].announced)
		return ZP_OK;
	r->sessions[at].announced = count;
	note_holes(r, &r->sessions[at], now);
	r->dirty = true;
	return ZP_OK;
}

/* Makes one session's gap a report, if it is time. */
static bool
report(struct zp_replay_session *s, uint64_t now, uint64_t patience,
    struct zp_replay_gap *gap)
{
	bool waited = s->since != NEVER &&
	    (now >= s->since ? now - s->since : 0) >= patience;

	if (s->lost == 0 && !waited)
		return false;
	uint64_t missing = s->lost, open = holes(s), above = tail(s);
	s->lost = 0;
	if (waited) {
		lose(s, missing); /* an addition that cannot overflow */
		lose(s, ones(open));
		lose(s, above);
		missing = s->lost;
		s->lost = 0;
		s->told |= open;
		if (above > 0)
			s->told_to = s->announced;
	}
	if (missing == 0)
		return false;
	*gap = (struct zp_replay_gap){.kind = s->kind,
	    .missing = missing,
	    .before = above > 0 && waited ? 0 : s->before,
	    .start = s->start && above == 0};
	memcpy(gap->p, s->p, sizeof(gap->p));
	memcpy(gap->sid, s->sid, sizeof(gap->sid));
	return true;
}

bool
zp_replay_gap(struct zp_replay *r, uint64_t now, uint64_t patience,
    struct zp_replay_gap *gap)
{
	if (!r->gaps)
		return false;
	/* Asked again until there is none, so those before had their turn. */
	for (; r->looked < r->n; r->looked++) {
		struct zp_replay_session *s = &r->sessions[r->looked];
		if (s->since == NEVER)
			continue;
		bool found = report(s, now, patience, gap);
		if (holes(s) == 0 && tail(s) == 0 && s->lost == 0) {
			s->since = NEVER;
			s->start = false;
		}
		if (found) {
			r->dirty = true;
			return true;
		}
	}
	r->looked = 0;
	r->gaps = zp_replay_deadline(r, patience) != NEVER;
	return false;
}

uint64_t
zp_replay_deadline(const struct zp_replay *r, uint64_t patience)
{
	uint64_t soonest = NEVER;

	if (!r->gaps)
		return NEVER;
	for (size_t i = 0; i < r->n; i++) {
		const struct zp_replay_session *s = &r->sessions[i];
		if (s->since == NEVER)
			continue;
		uint64_t due = s->lost > 0	  ? 0
		    : s->since < NEVER - patience ? s->since + patience
						  : NEVER - 1;
		if (due < soonest)
			soonest = due;
	}
	return soonest;
}

/* Are they ascending, apart, and behind the window? */
static bool
are_holes(const struct zp_replay_session *s)
{
	const uint64_t end = s->next > 64 ? s->next - 64 : 0;
	uint64_t from = s->first;

	if (s->n_holes > ZP_REPLAY_HOLES || s->sure > end)
		return false;
	for (size_t i = 0; i < s->n_holes; i++) {
		const struct zp_replay_hole *h = &s->holes[i];
		if (h->from < from || h->to <= h->from || h->to > end)
			return false;
		from = h->to + 1;
	}
	return true;
}

/* Do the numbers of a session fit one another? */
static bool
makes_sense(const struct zp_replay_session *s)
{
	if (s->told_to > s->announced || (s->seen & s->told) != 0 ||
	    s->next > ZP_SEQ_MAX + 1 || !are_holes(s))
		return false;
	/* Nothing was seen yet, only given up or announced. */
	if (s->seen == 0)
		return s->first == s->next && s->announced >= s->next &&
		    s->announced > 0;
	return s->first < s->next && (s->seen & 1) != 0;
}

enum zp_err
zp_replay_put(struct zp_replay *r, const struct zp_replay_session *session)
{
	struct zp_replay_session s = *session;
	size_t at;

	if (!makes_sense(&s))
		return ZP_ERR_FORMAT;
	if (find(r, s.p, s.sid, s.kind) != r->n)
		return ZP_ERR_EXISTS;
	if (r->n == ZP_REPLAY_SESSIONS)
		return ZP_ERR_FULL;
	enum zp_err err = make_room(r, &at);
	if (err)
		return err;
	s.start = false;
	s.since = NEVER;
	r->sessions[at] = s;
	slot_in(r, at);
	/* Whoever wrote it down waited long enough. */
	note_holes(r, &r->sessions[at], 0);
	return ZP_OK;
}
