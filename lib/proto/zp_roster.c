#include "proto/zp_roster.h"

#include <stdlib.h>
#include <string.h>

#include "proto/zp_bits.h"

#define FIRST_CAP 8

/* Grows one array; the old one stays good if there is no memory. */
static bool
grow(void *array, size_t n, size_t size)
{
	void **at = array;
	void *p = realloc(*at, n * size);

	if (p == NULL)
		return false;
	*at = p;
	return true;
}

static enum zp_err
reserve(struct zp_roster *r, size_t cap)
{
	if (!grow(&r->s, cap, sizeof(*r->s)) ||
	    !grow(&r->order, cap, sizeof(*r->order)) ||
	    !grow(&r->rank, cap, sizeof(*r->rank)) ||
	    !grow(&r->at, cap, sizeof(*r->at)) ||
	    !grow(&r->by_mid, cap, sizeof(*r->by_mid)) ||
	    !grow(&r->mids, cap, sizeof(*r->mids)) ||
	    !grow(&r->change, cap, sizeof(*r->change)) ||
	    !grow(&r->closed, cap, sizeof(*r->closed)) ||
	    !grow(&r->lists, cap * r->words, sizeof(*r->lists)) ||
	    !grow(&r->listed_by, cap * r->words, sizeof(*r->listed_by)))
		return ZP_ERR_MEMORY;
	size_t more = cap - r->cap;
	memset(r->s + r->cap, 0, more * sizeof(*r->s));
	memset(
	    zp_roster_lists(r, r->cap), 0, more * r->words * sizeof(*r->lists));
	memset(zp_roster_listed_by(r, r->cap), 0,
	    more * r->words * sizeof(*r->listed_by));
	memset(r->closed + r->cap, 0, more * sizeof(*r->closed));
	for (size_t i = r->cap; i < cap; i++)
		r->change[i] = UINT64_MAX;
	r->cap = cap;
	return ZP_OK;
}

/* Where in `order` (P, sid) is or belongs. */
static size_t
order_at(const struct zp_roster *r, const struct zp_group_member *who)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (zp_group_order(&r->s[r->order[mid]].m.who, who) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t
mid_at(const struct zp_roster *r, const uint8_t *mid)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (memcmp(r->mids[at], mid, ZP_GROUP_MID_LEN) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

static void
put_at(size_t *array, size_t n, size_t at, size_t place)
{
	memmove(array + at + 1, array + at, (n - at) * sizeof(*array));
	array[at] = place;
}

/* Returns where it was. */
static size_t
take_from(size_t *array, size_t n, size_t place)
{
	size_t at = 0;

	while (array[at] != place)
		at++;
	memmove(array + at, array + at + 1, (n - at - 1) * sizeof(*array));
	return at;
}

static void
rank_from(struct zp_roster *r, size_t at)
{
	for (; at < r->count; at++)
		r->rank[r->order[at]] = (uint16_t)at;
}

/* ---- pairs, counted along ----------------------------------------------- */

/* Word w of the row of those with whom `a` is in a closed pair. */
static uint64_t
closed_word(const struct zp_roster *r, size_t a, size_t w)
{
	return zp_roster_lists(r, a)[w] & zp_roster_listed_by(r, a)[w];
}

static void
set_near(struct zp_roster *r, size_t a, bool near)
{
	if (zp_bits_has(r->near, a) == near)
		return;
	if (near) {
		zp_bits_add(r->near, a);
		r->near_count++;
		r->closed_sum += 2 * (size_t)r->closed[a];
	} else {
		zp_bits_del(r->near, a);
		r->near_count--;
		r->closed_sum -= 2 * (size_t)r->closed[a];
	}
	for (size_t w = 0; w < r->words; w++)
		for (uint64_t row = closed_word(r, a, w); row != 0;
		     row &= row - 1) {
			size_t b = w * 64 + (size_t)__builtin_ctzll(row);
			if (near)
				r->closed[b]++;
			else
				r->closed[b]--;
		}
}

/* a lists b, or does so no more. */
static void
set_lists(struct zp_roster *r, size_t a, size_t b, bool lists)
{
	const bool near_a = zp_bits_has(r->near, a);
	const bool near_b = zp_bits_has(r->near, b);

	if (lists) {
		zp_bits_add(zp_roster_lists(r, a), b);
		zp_bits_add(zp_roster_listed_by(r, b), a);
	} else {
		zp_bits_del(zp_roster_lists(r, a), b);
		zp_bits_del(zp_roster_listed_by(r, b), a);
	}
	/* The pair is as open as before. */
	if (!zp_bits_has(zp_roster_lists(r, b), a))
		return;
	if (lists) {
		r->closed[a] += near_b;
		r->closed[b] += near_a;
		r->closed_sum += near_a && near_b ? 2 : 0;
	} else {
		r->closed[a] -= near_b;
		r->closed[b] -= near_a;
		r->closed_sum -= near_a && near_b ? 2 : 0;
	}
}

void
zp_roster_place(
    struct zp_roster *r, size_t place, bool heard, bool near, uint64_t change)
{
	if (heard)
		zp_bits_add(r->heard, place);
	else
		zp_bits_del(r->heard, place);
	set_near(r, place, near);
	r->change[place] = change;
}

/* ---- seats -------------------------------------------------------------- */

static int
compare_mids(const void *a, const void *b)
{
	return memcmp(a, b, ZP_GROUP_MID_LEN);
}

/* Who listed it before we heard it? */
static void
recognize(struct zp_roster *r, size_t place)
{
	for (size_t a = 0; a < r->cap; a++) {
		const struct zp_roster_session *s = &r->s[a];
		if (!s->taken || s->strangers == 0 ||
		    bsearch(r->s[place].m.mid, s->strange, s->strangers,
			sizeof(*s->strange), compare_mids) == NULL)
			continue;
		zp_bits_add(zp_roster_lists(r, a), place);
		zp_bits_add(zp_roster_listed_by(r, place), a);
	}
}

/* Whether the sessions at i and i + 1 of the order have one P. */
static bool
twins_at(const struct zp_roster *r, size_t i)
{
	return i + 1 < r->count &&
	    memcmp(r->s[r->order[i]].m.who.p, r->s[r->order[i + 1]].m.who.p,
		ZP_PSEUDONYM_LEN) == 0;
}

static void
seat(struct zp_roster *r, size_t place, const struct zp_member *m)
{
	size_t at = order_at(r, &m->who), mid = mid_at(r, m->mid);

	memset(&r->s[place], 0, sizeof(r->s[place]));
	r->s[place].m = *m;
	r->at[place] = 0;
	r->s[place].taken = true;
	r->s[place].seen_most_by = ZP_ROSTER_NONE;
	put_at(r->order, r->count, at, place);
	put_at(r->by_mid, r->count, mid, place);
	memmove(r->mids + mid + 1, r->mids + mid,
	    (r->count - mid) * sizeof(*r->mids));
	memcpy(r->mids[mid], m->mid, sizeof(*r->mids));
	r->count++;
	rank_from(r, at);
	r->twins =
	    r->twins || twins_at(r, at) || (at > 0 && twins_at(r, at - 1));
	zp_roster_touch(r, place);
	recognize(r, place);
}

static void
forget_strangers(struct zp_roster_session *s)
{
	free(s->strange);
	s->strange = NULL;
	s->strangers = 0;
}

static void
unseat(struct zp_roster *r, size_t place)
{
	zp_roster_place(r, place, false, false, UINT64_MAX);
	size_t at = take_from(r->order, r->count, place);
	size_t mid = take_from(r->by_mid, r->count, place);
	memmove(r->mids + mid, r->mids + mid + 1,
	    (r->count - mid - 1) * sizeof(*r->mids));
	r->count--;
	rank_from(r, at);
	if (r->twins) {
		r->twins = false;
		for (size_t i = 0; i < r->count && !r->twins; i++)
			r->twins = twins_at(r, i);
	}
	r->s[place].taken = false;
	forget_strangers(&r->s[place]);
	r->closed[place] = 0;
	memset(zp_roster_lists(r, place), 0, r->words * sizeof(*r->lists));
	memset(
	    zp_roster_listed_by(r, place), 0, r->words * sizeof(*r->listed_by));
	for (size_t i = 0; i < r->cap; i++) {
		zp_bits_del(zp_roster_lists(r, i), place);
		zp_bits_del(zp_roster_listed_by(r, i), place);
		if (r->s[i].seen_most_by == place) {
			r->s[i].seen_most = 0;
			r->s[i].seen_most_by = ZP_ROSTER_NONE;
		}
	}
}

enum zp_err
zp_roster_init(struct zp_roster *r, size_t limit, const struct zp_member *self)
{
	memset(r, 0, sizeof(*r));
	r->limit = limit < ZP_ROSTER_MAX ? limit : ZP_ROSTER_MAX;
	limit = r->limit;
	r->words = zp_roster_words(limit);
	r->row = calloc(3 * r->words, sizeof(*r->row));
	if (r->row == NULL)
		return ZP_ERR_MEMORY;
	r->heard = r->row + r->words;
	r->near = r->heard + r->words;
	enum zp_err err = reserve(r, limit < FIRST_CAP ? limit : FIRST_CAP);
	if (err != ZP_OK) {
		zp_roster_free(r);
		return err;
	}
	seat(r, ZP_ROSTER_SELF, self);
	return ZP_OK;
}

void
zp_roster_free(struct zp_roster *r)
{
	for (size_t i = 0; i < r->cap; i++)
		forget_strangers(&r->s[i]);
	free(r->s);
	free(r->order);
	free(r->rank);
	free(r->at);
	free(r->by_mid);
	free(r->mids);
	free(r->change);
	free(r->closed);
	free(r->row);
	free(r->lists);
	free(r->listed_by);
	free(r->flap);
	memset(r, 0, sizeof(*r));
}

size_t
zp_roster_find(const struct zp_roster *r, const struct zp_group_member *who)
{
	size_t at = order_at(r, who);

	if (at < r->count &&
	    zp_group_order(&r->s[r->order[at]].m.who, who) == 0)
		return r->order[at];
	return ZP_ROSTER_NONE;
}

size_t
zp_roster_find_mid(
    const struct zp_roster *r, const uint8_t mid[static ZP_GROUP_MID_LEN])
{
	size_t at = mid_at(r, mid);

	if (at < r->count && memcmp(r->mids[at], mid, ZP_GROUP_MID_LEN) == 0)
		return r->by_mid[at];
	return ZP_ROSTER_NONE;
}

size_t
zp_roster_victim(const struct zp_roster *r, const uint64_t *keep)
{
	size_t found = ZP_ROSTER_NONE;

	if (r->count < r->limit)
		return found;
	for (size_t i = 1; i < r->cap; i++)
		if (!zp_bits_has(keep, i) &&
		    (found == ZP_ROSTER_NONE || r->at[i] < r->at[found]))
			found = i;
	return found;
}

enum zp_err
zp_roster_add(struct zp_roster *r, const struct zp_member *m,
    const uint64_t *keep, size_t *place)
{
	size_t at = 1;

	if (r->count == r->cap && r->cap < r->limit) {
		size_t cap = r->cap * 2 < r->limit ? r->cap * 2 : r->limit;
		enum zp_err err = reserve(r, cap);
		if (err != ZP_OK)
			return err;
	}
	if (r->count < r->cap) {
		while (r->s[at].taken)
			at++;
	} else {
		at = zp_roster_victim(r, keep);
		if (at == ZP_ROSTER_NONE)
			return ZP_ERR_FULL;
		unseat(r, at);
	}
	seat(r, at, m);
	*place = at;
	return ZP_OK;
}

void
zp_roster_rename(struct zp_roster *r, const struct zp_member *self)
{
	unseat(r, ZP_ROSTER_SELF);
	seat(r, ZP_ROSTER_SELF, self);
	for (size_t i = 0; i < r->cap; i++) {
		if (r->s[i].taken)
			zp_roster_touch(r, i);
		r->s[i].near_until = 0;
		r->s[i].acks_sent_at = 0;
		r->s[i].seen_ours = 0;
	}
}

/* Without memory it is not noted; the next hello lists it again. */
static void
note_stranger(struct zp_roster_session *s, const uint8_t *mid, size_t most)
{
	if (s->strange == NULL)
		s->strange = calloc(most, sizeof(*s->strange));
	if (s->strange != NULL)
		memcpy(s->strange[s->strangers++], mid, ZP_GROUP_MID_LEN);
}

/* The new row in place of the old one, bit by bit where they differ. */
static void
keep_row(struct zp_roster *r, size_t place)
{
	for (size_t w = 0; w < r->words; w++) {
		uint64_t is = r->row[w];
		for (uint64_t x = is ^ zp_roster_lists(r, place)[w]; x != 0;
		     x &= x - 1) {
			size_t b = (size_t)__builtin_ctzll(x);
			set_lists(r, place, w * 64 + b, (is >> b & 1) != 0);
		}
	}
}

static void
note_seen(struct zp_roster *r, size_t place, size_t b, uint64_t seen)
{
	if (seen > r->s[b].seen_most) {
		r->s[b].seen_most = seen;
		r->s[b].seen_most_by = place;
	}
}

static void
trim_strangers(struct zp_roster_session *s)
{
	void *less;

	if (s->strange == NULL)
		return;
	less = realloc(s->strange, s->strangers * sizeof(*s->strange));
	if (less != NULL)
		s->strange = less;
}

/* Entries and member ids both ascend, so one walk over both is enough. */
static void
keep_lists(struct zp_roster *r, size_t place, const struct zp_hello *h,
    struct zp_hello_entry *us, bool *has_us)
{
	size_t at = 0;

	memset(r->row, 0, r->words * sizeof(*r->row));
	forget_strangers(&r->s[place]);
	for (uint16_t i = 0; i < h->count; i++) {
		struct zp_hello_entry e;
		int order = 1;
		zp_hello_entry(h, i, &e);
		while (at < r->count &&
		    (order = zp_hello_mid_order(r->mids[at], e.mid)) < 0)
			at++;
		if (at == r->count || order != 0) {
			note_stranger(
			    &r->s[place], e.mid, (size_t)(h->count - i));
			continue;
		}
		size_t b = r->by_mid[at];
		/* Who lists itself is in no pair with itself. */
		if (b == place)
			continue;
		zp_bits_add(r->row, b);
		if (b == ZP_ROSTER_SELF) {
			*us = e;
			*has_us = true;
		} else if (e.seen > 0) {
			note_seen(r, place, b, e.seen);
		}
	}
	trim_strangers(&r->s[place]);
	keep_row(r, place);
}

void
zp_roster_keep(struct zp_roster *r, size_t place, uint64_t seq,
    const struct zp_hello *h, uint64_t now, struct zp_hello_entry *us,
    bool *has_us)
{
	struct zp_roster_session *s = &r->s[place];

	if (!s->said) {
		s->first_at = now;
		s->notes_at_first = h->notes;
	}
	s->said = true;
	s->seq = seq;
	r->at[place] = now;
	s->flags = h->flags;
	s->left = (h->flags & ZP_HELLO_LEAVE) != 0;
	if (s->m.who.gen != h->gen)
		r->gens++;
	s->m.who.gen = h->gen;
	s->notes = h->notes;
	s->messages = h->messages;
	memcpy(s->view, h->view, sizeof(s->view));
	memcpy(s->z, h->z, sizeof(s->z));
	memcpy(s->x, h->x, sizeof(s->x));
	memcpy(s->tag, h->tag, sizeof(s->tag));
	*has_us = false;
	keep_lists(r, place, h, us, has_us);
}

static struct zp_flap *
flap_of(struct zp_roster *r, const uint8_t *p)
{
	struct zp_flap *old = r->flap;

	for (size_t i = 0; i < r->flaps; i++) {
		if (memcmp(r->flap[i].p, p, sizeof(r->flap[i].p)) == 0)
			return &r->flap[i];
		if (r->flap[i].at < old->at)
			old = &r->flap[i];
	}
	if (r->flaps == r->flap_cap && r->flap_cap < r->limit) {
		size_t cap = r->flap_cap == 0 ? FIRST_CAP : r->flap_cap * 2;
		if (grow(&r->flap, cap, sizeof(*r->flap)))
			r->flap_cap = cap;
	}
	if (r->flaps < r->flap_cap)
		old = &r->flap[r->flaps++];
	if (old != NULL) {
		memset(old, 0, sizeof(*old));
		memcpy(old->p, p, sizeof(old->p));
	}
	return old;
}

uint64_t
zp_roster_flap(struct zp_roster *r, const uint8_t p[static ZP_PSEUDONYM_LEN],
    uint64_t now, uint64_t window, uint64_t most)
{
	size_t before = r->flaps;
	struct zp_flap *f = flap_of(r, p);

	if (f == NULL)
		return 0;
	bool fresh = f->at == 0 || r->flaps > before;
	if (fresh || now - f->at >= window)
		f->k = 0;
	else if (f->k < 16)
		f->k++;
	f->at = now;
	uint64_t hold = f->k == 0 ? 0 : UINT64_C(1000) << f->k;
	return hold < most ? hold : most;
}
