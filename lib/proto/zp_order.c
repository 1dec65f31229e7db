#include "proto/zp_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_secret.h"

#define NEVER UINT64_MAX
#define KEYS 20 /* more than can be alive at a time */
#define BUCKETS 256

struct held {
	struct held *next; /* among those that are ready */
	uint64_t came; /* when */
	struct zp_order_shown s; /* data: bytes, or NULL if shown before */
	uint8_t bytes[];
};

/*
 * Those that wait for their turn, ascending.  An array: a relay that keeps
 * one message back makes all behind it wait, and each finds its place among
 * tens of thousands.
 */
struct queue {
	struct held **at;
	size_t from, n, cap;
};

#define QUEUE_LEAST 16

struct key {
	uint8_t id[ZP_CONV_ID_LEN];
	uint64_t first;
	uint64_t gone; /* when; NEVER: not yet */
};

struct run {
	uint64_t from, to; /* [from, to) came */
};

struct session {
	struct session *chain;
	uint8_t p[ZP_PSEUDONYM_LEN], sid[ZP_SID_LEN];
	struct key keys[KEYS]; /* older ones first */
	size_t n_keys;
	struct run *runs; /* ascending; at most ZP_ORDER_RUNS */
	size_t n_runs, run_cap;
	/* Between these, holes were forgotten: no receipt is for those. */
	uint64_t stop, past;
	bool known; /* next is */
	bool guessed; /* by hellos; a message knows better */
	uint64_t base, base_seq; /* of its last hello before `known` */
	bool has_base;
	uint64_t next; /* to show; all before came or were given up */
	struct queue held; /* all from next on */
	uint64_t announced; /* numbers below are said to have been sent */
	bool has_announced;
	uint64_t marked, seen; /* for receipts: of a mark, released */
	uint64_t since; /* when the gap at next was noticed; NEVER: none */
	bool replaced; /* its user is a member under another session */
	bool over; /* which has spoken */
	bool beside; /* its user was a member twice at a time */
	uint64_t used;
};

struct zp_order {
	void (*gap)(void *arg, struct zp_order_gap *gap);
	void *arg;
	struct session *bucket[BUCKETS];
	size_t n, n_replaced; /* which are not over */
	uint64_t clock;
	size_t bytes;
	struct held *ready, **ready_end, *shown;
};

enum zp_err
zp_order_new(struct zp_order **order,
    void (*gap)(void *arg, struct zp_order_gap *gap), void *arg)
{
	struct zp_order *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return ZP_ERR_MEMORY;
	o->gap = gap;
	o->arg = arg;
	o->ready_end = &o->ready;
	*order = o;
	return ZP_OK;
}

static void
free_held(struct zp_order *o, struct held *h)
{
	if (h == NULL)
		return;
	o->bytes -= sizeof(*h) + h->s.len;
	zp_secret_wipe(h->bytes, h->s.len);
	free(h);
}

static void
free_list(struct zp_order *o, struct held *h)
{
	while (h != NULL) {
		struct held *next = h->next;
		free_held(o, h);
		h = next;
	}
}

/* The one whose number is lowest, or NULL. */
static struct held *
first_held(const struct session *s)
{
	return s->held.n > 0 ? s->held.at[s->held.from] : NULL;
}

static void
set_replaced(struct zp_order *o, struct session *s, bool replaced)
{
	if (s->replaced && !s->over)
		o->n_replaced--;
	s->replaced = replaced;
	s->over = false;
	if (replaced)
		o->n_replaced++;
}

static void
free_session(struct zp_order *o, struct session *s)
{
	set_replaced(o, s, false);
	for (size_t i = 0; i < s->held.n; i++)
		free_held(o, s->held.at[s->held.from + i]);
	free(s->held.at);
	free(s->runs);
	free(s);
}

void
zp_order_free(struct zp_order *o)
{
	if (o == NULL)
		return;
	for (size_t b = 0; b < BUCKETS; b++)
		while (o->bucket[b] != NULL) {
			struct session *s = o->bucket[b];
			o->bucket[b] = s->chain;
			free_session(o, s);
		}
	free_list(o, o->ready);
	free_held(o, o->shown);
	free(o);
}

/* ---- sessions ------------------------------------------------------------ */

static struct session **
bucket_of(struct zp_order *o, const uint8_t *sid)
{
	return &o->bucket[zp_be32(sid) % BUCKETS];
}

static struct session *
find(struct zp_order *o, const uint8_t *p, const uint8_t *sid)
{
	struct session *s = *bucket_of(o, sid);

	while (s != NULL &&
	    (memcmp(s->sid, sid, ZP_SID_LEN) != 0 ||
		memcmp(s->p, p, ZP_PSEUDONYM_LEN) != 0))
		s = s->chain;
	return s;
}

/* The session that was quiet for longest and of which nothing is held. */
static void
evict(struct zp_order *o)
{
	struct session **oldest = NULL;

	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session **at = &o->bucket[b]; *at != NULL;
		     at = &(*at)->chain)
			if ((*at)->held.n == 0 &&
			    (oldest == NULL || (*at)->used < (*oldest)->used))
				oldest = at;
	if (oldest == NULL)
		return;
	struct session *s = *oldest;
	*oldest = s->chain;
	free_session(o, s);
	o->n--;
}

static struct session *
get(struct zp_order *o, const uint8_t *p, const uint8_t *sid)
{
	struct session *s = find(o, p, sid);

	if (s == NULL) {
		if (o->n >= ZP_ORDER_SESSIONS)
			evict(o);
		s = calloc(1, sizeof(*s));
		if (s == NULL)
			return NULL;
		memcpy(s->p, p, sizeof(s->p));
		memcpy(s->sid, sid, sizeof(s->sid));
		s->since = s->stop = NEVER;
		struct session **at = bucket_of(o, sid);
		s->chain = *at;
		*at = s;
		o->n++;
	}
	s->used = ++o->clock;
	return s;
}

/* ---- what came ----------------------------------------------------------- */

static bool
has(const struct session *s, uint64_t seq)
{
	size_t i = s->n_runs;

	/* The newest are asked for most. */
	while (i > 0 && s->runs[i - 1].from > seq)
		i--;
	return i > 0 && seq < s->runs[i - 1].to;
}

/* Two runs that meet become one. */
static void
join(struct session *s, size_t i)
{
	if (i + 1 >= s->n_runs || s->runs[i].to != s->runs[i + 1].from)
		return;
	s->runs[i].to = s->runs[i + 1].to;
	s->n_runs--;
	memmove(&s->runs[i + 1], &s->runs[i + 2],
	    (s->n_runs - i - 1) * sizeof(s->runs[0]));
}

/* Makes room for another run, if there may be one. */
static void
grow_runs(struct session *s)
{
	size_t cap = s->run_cap > 0 ? 2 * s->run_cap : 4;
	struct run *more;

	if (s->n_runs < s->run_cap || cap > ZP_ORDER_RUNS)
		return;
	more = realloc(s->runs, cap * sizeof(*more));
	if (more == NULL)
		return;
	s->runs = more;
	s->run_cap = cap;
}

/* False: there is no room to remember it. */
static bool
mark(struct session *s, uint64_t seq)
{
	size_t i = s->n_runs;

	while (i > 0 && s->runs[i - 1].to >= seq)
		i--;
	if (i < s->n_runs && s->runs[i].to == seq) {
		s->runs[i].to++;
		join(s, i);
		return true;
	}
	if (i < s->n_runs && s->runs[i].from == seq + 1) {
		s->runs[i].from--;
		return true;
	}
	grow_runs(s);
	if (s->n_runs == s->run_cap) {
		/* Holes of long ago: they were told. */
		if (i == 0 || s->n_runs < 2 || s->runs[1].to > s->next)
			return false;
		if (s->runs[0].to < s->stop)
			s->stop = s->runs[0].to;
		if (s->runs[1].from > s->past)
			s->past = s->runs[1].from;
		s->runs[1].from = s->runs[0].from;
		s->n_runs--;
		i--;
		memmove(
		    &s->runs[0], &s->runs[1], s->n_runs * sizeof(s->runs[0]));
	}
	memmove(
	    &s->runs[i + 1], &s->runs[i], (s->n_runs - i) * sizeof(s->runs[0]));
	s->runs[i] = (struct run){seq, seq + 1};
	s->n_runs++;
	return true;
}

static void
note_key(struct session *s, const uint8_t *id, uint64_t first)
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (memcmp(s->keys[i].id, id, ZP_CONV_ID_LEN) == 0)
			return;
	if (s->n_keys == KEYS) {
		s->n_keys--;
		memmove(
		    &s->keys[0], &s->keys[1], s->n_keys * sizeof(s->keys[0]));
	}
	struct key *k = &s->keys[s->n_keys++];
	memcpy(k->id, id, sizeof(k->id));
	k->first = first;
	k->gone = NEVER;
}

/* ---- whose turn it is ---------------------------------------------------- */

static void
make_ready(struct zp_order *o, struct held *h)
{
	if (h->s.data == NULL) {
		free_held(o, h);
		return;
	}
	h->next = NULL;
	*o->ready_end = h;
	o->ready_end = &h->next;
}

/* Moves on over all that is there; a gap's time begins now. */
static void
pump(struct zp_order *o, struct session *s, uint64_t now)
{
	uint64_t was = s->next;
	struct queue *q = &s->held;

	while (q->n > 0 && q->at[q->from]->s.body.seq == s->next) {
		s->next++;
		q->n--;
		make_ready(o, q->at[q->from++]);
	}
	if (q->n == 0 && q->cap > QUEUE_LEAST) {
		free(q->at);
		*q = (struct queue){0};
	}
	bool gap = q->n > 0 || (s->has_announced && s->announced > s->next);
	if (!gap)
		s->since = NEVER;
	else if (s->since == NEVER || s->next != was)
		s->since = now;
}

/* What is missing at the front is not waited for any longer. */
static void
give_up(struct zp_order *o, struct session *s, uint64_t now)
{
	const struct held *first = first_held(s);
	uint64_t to = first != NULL ? first->s.body.seq : s->announced;
	struct zp_order_gap gap = {.from = s->next, .to = to};

	memcpy(gap.p, s->p, sizeof(gap.p));
	memcpy(gap.sid, s->sid, sizeof(gap.sid));
	if (gap.to > gap.from && o->gap != NULL)
		o->gap(o->arg, &gap);
	/* The gap behind that was noticed when what is behind it came. */
	const uint64_t past = s->next = to;
	s->guessed = false;
	pump(o, s, now);
	first = first_held(s);
	if (first != NULL && s->next != past && first->came < s->since)
		s->since = first->came;
}

/* Of one that is over: nobody sends it again. */
static void
hurry(struct zp_order *o, struct session *s, uint64_t now)
{
	while (s->over && s->since != NEVER)
		give_up(o, s, now);
}

/* It has spoken: those that it came in the place of do not any more. */
static void
succeed(struct zp_order *o, const struct session *s, uint64_t now)
{
	if (o->n_replaced == 0 || s->replaced)
		return;
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session *old = o->bucket[b]; old != NULL;
		     old = old->chain) {
			if (!old->replaced || old->over ||
			    memcmp(old->p, s->p, sizeof(s->p)) != 0)
				continue;
			old->over = true;
			o->n_replaced--;
			hurry(o, old, now);
		}
}

static struct session *
longest_gap(struct zp_order *o, bool held)
{
	struct session *found = NULL;

	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session *s = o->bucket[b]; s != NULL; s = s->chain)
			if (s->since != NEVER && (!held || s->held.n > 0) &&
			    (found == NULL || s->since < found->since))
				found = s;
	return found;
}

/* Room for one more at the end. */
static enum zp_err
reserve(struct queue *q)
{
	if (q->from + q->n < q->cap)
		return ZP_OK;
	if (q->from > q->cap / 2) {
		memmove(q->at, q->at + q->from, q->n * sizeof(*q->at));
		q->from = 0;
		return ZP_OK;
	}
	size_t cap = q->cap > 0 ? q->cap * 2 : QUEUE_LEAST;
	struct held **more = realloc(q->at, cap * sizeof(*more));
	if (more == NULL)
		return ZP_ERR_MEMORY;
	q->at = more;
	q->cap = cap;
	return ZP_OK;
}

static void
insert(struct queue *q, struct held *h)
{
	size_t low = q->from, high = q->from + q->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (q->at[mid]->s.body.seq < h->s.body.seq)
			low = mid + 1;
		else
			high = mid;
	}
	memmove(q->at + low + 1, q->at + low,
	    (q->from + q->n - low) * sizeof(*q->at));
	q->at[low] = h;
	q->n++;
}

static enum zp_err
take(struct zp_order *o, uint64_t now, const struct zp_order_shown *shown)
{
	const struct zp_body *b = &shown->body;
	struct session *s = get(o, b->p, b->sid);

	if (s == NULL)
		return ZP_ERR_MEMORY;
	if (has(s, b->seq))
		return ZP_ERR_REPLAY;
	struct held *h = malloc(sizeof(*h) + shown->len);
	if (h == NULL)
		return ZP_ERR_MEMORY;
	succeed(o, s, now);
	h->came = now;
	h->s = *shown;
	if (shown->len > 0)
		memcpy(h->bytes, shown->data, shown->len);
	if (shown->data != NULL)
		h->s.data = h->bytes;
	o->bytes += sizeof(*h) + shown->len;
	note_key(s, shown->conv, b->first);
	if (!s->known || s->guessed)
		s->next = b->first;
	s->known = true;
	s->guessed = false;
	while (!mark(s, b->seq) && s->since != NEVER)
		give_up(o, s, now);
	if (b->seq < s->next) {
		make_ready(o, h); /* late, and told as missing */
		return ZP_OK;
	}
	enum zp_err err = reserve(&s->held);
	if (err) {
		free_held(o, h);
		return err;
	}
	insert(&s->held, h);
	pump(o, s, now);
	hurry(o, s, now);
	while (o->bytes > ZP_ORDER_BYTES && (s = longest_gap(o, true)) != NULL)
		give_up(o, s, now);
	return ZP_OK;
}

enum zp_err
zp_order_add(struct zp_order *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN], const struct zp_body *body,
    const uint8_t *data, size_t len, int tag)
{
	static const uint8_t empty[1];
	struct zp_order_shown shown = {.body = *body,
	    .data = len > 0 ? data : empty,
	    .len = len,
	    .tag = tag};

	memcpy(shown.conv, conv, sizeof(shown.conv));
	return take(o, now, &shown);
}

enum zp_err
zp_order_known(struct zp_order *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN], const struct zp_body *body)
{
	struct zp_order_shown shown = {.body = *body};

	memcpy(shown.conv, conv, sizeof(shown.conv));
	return take(o, now, &shown);
}

bool
zp_order_next(struct zp_order *o, struct zp_order_shown *shown)
{
	free_held(o, o->shown);
	o->shown = o->ready;
	if (o->shown == NULL)
		return false;
	o->ready = o->shown->next;
	if (o->ready == NULL)
		o->ready_end = &o->ready;
	*shown = o->shown->s;
	return true;
}

/* ---- hellos, keys, time -------------------------------------------------- */

/* The index of the first member that is not below p; n if there is none. */
static size_t
first_of(const struct zp_member *members, size_t n, const uint8_t *p)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (memcmp(members[mid].who.p, p, ZP_PSEUDONYM_LEN) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

enum zp_err
zp_order_announce(struct zp_order *o, uint64_t now,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], const struct zp_order_hello *h)
{
	struct session *s = get(o, p, sid);

	if (s == NULL)
		return ZP_ERR_MEMORY;
	if (!s->known && !h->done) {
		/* Of one that never spoke to us, what it said before it could
		 * is nobody's loss. */
		s->base = h->messages;
		s->base_seq = h->seq;
		s->has_base = true;
		return ZP_OK;
	}
	if (!s->known) {
		bool lost = s->has_base && h->seq != s->base_seq + 1;
		s->known = s->guessed = true;
		s->next = lost ? s->base : h->messages;
	}
	if (h->messages > s->announced || !s->has_announced)
		s->announced = h->messages;
	s->has_announced = true;
	pump(o, s, now);
	hurry(o, s, now);
	return ZP_OK;
}

void
zp_order_key(struct zp_order *o, const struct zp_member *members, size_t n)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session *s = o->bucket[b]; s != NULL;
		     s = s->chain) {
			bool session = false;
			size_t sessions = 0;
			for (size_t i = first_of(members, n, s->p); i < n &&
			     memcmp(members[i].who.p, s->p, sizeof(s->p)) == 0;
			     i++) {
				sessions++;
				session = session ||
				    memcmp(members[i].who.sid, s->sid,
					sizeof(s->sid)) == 0;
			}
			if (sessions == 0)
				continue;
			s->beside = s->beside || (session && sessions > 1);
			bool replaced = !session && !s->beside;
			if (replaced != s->replaced)
				set_replaced(o, s, replaced);
		}
}

bool
zp_order_waits(struct zp_order *o, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN])
{
	const struct session *s = find(o, p, sid);

	return s != NULL && s->since != NEVER;
}

void
zp_order_gone(
    struct zp_order *o, uint64_t now, const uint8_t conv[static ZP_CONV_ID_LEN])
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session *s = o->bucket[b]; s != NULL; s = s->chain)
			for (size_t i = 0; i < s->n_keys; i++)
				if (memcmp(s->keys[i].id, conv,
					ZP_CONV_ID_LEN) == 0)
					s->keys[i].gone = now;
}

/*
 * All from the first number of the oldest key on that came without a hole, and
 * is not held: that key's own may be complete behind a gap of earlier ones.
 */
static uint64_t
count(struct session *s, uint64_t now)
{
	if (s->n_keys == 0)
		return 0;
	while (s->n_keys > 1 && s->keys[0].gone != NEVER &&
	    now - s->keys[0].gone >= ZP_ORDER_GRACE_MS) {
		s->n_keys--;
		memmove(
		    &s->keys[0], &s->keys[1], s->n_keys * sizeof(s->keys[0]));
	}
	uint64_t first = s->keys[0].first;
	for (size_t i = 0; i < s->n_runs; i++) {
		const struct run *r = &s->runs[i];
		if (first < r->from || first >= r->to)
			continue;
		uint64_t to = r->to < s->next ? r->to : s->next;
		if (first < s->past && r->to >= s->past && to > s->stop)
			to = s->stop;
		return to > first ? to : first;
	}
	return first;
}

void
zp_order_mark(struct zp_order *o, uint64_t now)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session *s = o->bucket[b]; s != NULL; s = s->chain)
			s->marked = count(s, now);
}

void
zp_order_release(struct zp_order *o)
{
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct session *s = o->bucket[b]; s != NULL; s = s->chain)
			s->seen = s->marked;
}

uint64_t
zp_order_seen(struct zp_order *o, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN])
{
	const struct session *s = find(o, p, sid);

	return s != NULL ? s->seen : 0;
}

void
zp_order_tick(struct zp_order *o, uint64_t now)
{
	struct session *s;

	while ((s = longest_gap(o, false)) != NULL &&
	    now - s->since >= ZP_ORDER_PATIENCE_MS)
		give_up(o, s, now);
}

uint64_t
zp_order_deadline(const struct zp_order *o)
{
	uint64_t least = NEVER;

	for (size_t b = 0; b < BUCKETS; b++)
		for (const struct session *s = o->bucket[b]; s != NULL;
		     s = s->chain)
			if (s->since < least)
				least = s->since;
	return least == NEVER ? NEVER : least + ZP_ORDER_PATIENCE_MS;
}

void
zp_order_end(struct zp_order *o, uint64_t now)
{
	struct session *s;

	while ((s = longest_gap(o, false)) != NULL)
		give_up(o, s, now);
}
