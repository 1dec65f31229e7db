#include "proto/zp_view.h"

#include <string.h>

#include "proto/zp_bits.h"

static void
sooner(uint64_t *next, uint64_t when, uint64_t now)
{
	if (when > now && when < *next)
		*next = when;
}

static bool
same_p(const struct zp_session *a, const struct zp_session *b)
{
	return memcmp(a->m.who.p, b->m.who.p, sizeof(a->m.who.p)) == 0;
}

static bool
same_idkey(const struct zp_session *a, const struct zp_session *b)
{
	return memcmp(a->m.who.idkey, b->m.who.idkey, sizeof(a->m.who.idkey)) ==
	    0;
}

/* A user's sessions lie among those of one P, side by side in the order. */
static void
drop_replaced(const struct zp_roster *r, uint64_t now,
    const struct zp_view_rules *rules, uint64_t *heard, uint64_t *near,
    uint64_t *next)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct zp_session *newer = &r->s[r->order[i]];
		size_t j = i;
		if (!zp_bits_has(near, r->order[i]))
			continue;
		while (j > 0 && same_p(newer, &r->s[r->order[j - 1]]))
			j--;
		for (; j < r->count && same_p(newer, &r->s[r->order[j]]); j++) {
			const struct zp_session *s = &r->s[r->order[j]];
			if (r->order[j] == ZP_ROSTER_SELF ||
			    !same_idkey(newer, s) || s->at >= newer->first_at)
				continue;
			if (now < newer->first_at + rules->replaced) {
				sooner(next, newer->first_at + rules->replaced,
				    now);
				continue;
			}
			zp_bits_del(heard, r->order[j]);
			zp_bits_del(near, r->order[j]);
		}
	}
}

/* Looks at one session again. */
static void
look(struct zp_roster *r, uint64_t now, const struct zp_view_rules *rules,
    size_t place)
{
	const struct zp_session *s = &r->s[place];
	const uint64_t gone = s->at + rules->gone;
	uint64_t next = UINT64_MAX;
	bool heard =
	    s->taken && s->said && !s->left && s->at >= s->mute && now < gone;

	if (heard) {
		sooner(&next, gone, now);
		sooner(&next, s->hold, now);
		sooner(&next, s->near_until, now);
	}
	heard = heard && now >= s->hold;
	zp_roster_place(r, place, heard, heard && now < s->near_until, next);
}

uint64_t
zp_view_near(struct zp_roster *r, uint64_t now,
    const struct zp_view_rules *rules, uint64_t *heard, uint64_t *near)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 1; i < r->cap; i++) {
		if (r->change[i] <= now)
			look(r, now, rules, i);
		if (r->change[i] < next)
			next = r->change[i];
	}
	memcpy(heard, r->heard, r->words * sizeof(*heard));
	memcpy(near, r->near, r->words * sizeof(*near));
	if (r->twins)
		drop_replaced(r, now, rules, heard, near, &next);
	return next;
}

/* ---- taking out --------------------------------------------------------- */

/*
 * A member's key has late, pairs, not in `conv` and its place in the order,
 * the weightier the higher, so that the greatest key is the next to go; 0
 * for who is not in.  Pairs have an offset common to all, so that one may
 * leave by a look at its closed pairs or at its open ones, whichever are
 * fewer.
 */
#define RANK_BITS 12
#define KEY_OUTSIDE (UINT32_C(1) << RANK_BITS)
#define KEY_PAIR (UINT32_C(1) << (RANK_BITS + 1))
#define KEY_LATE (UINT32_C(1) << (2 * RANK_BITS + 1))
_Static_assert(
    2 * ZP_ROSTER_MAX <= KEY_LATE / KEY_PAIR && ZP_ROSTER_MAX <= KEY_OUTSIDE,
    "pairs, their offset and a place in the order fit into a key");

/* Word w of the row of those in v who are in an open pair with a. */
static uint64_t
open_word(const struct zp_roster *r, const uint64_t *v, size_t a, size_t w)
{
	uint64_t closed =
	    zp_roster_lists(r, a)[w] & zp_roster_listed_by(r, a)[w];
	uint64_t row = v[w] & ~closed;

	if (a / 64 == w)
		row &= ~(UINT64_C(1) << (a % 64));
	return row;
}

/*
 * Pairs among v.  The roster's counts are of all who are near by its own
 * look, so they hold if v is that set.
 */
static uint32_t
pairs_of(const struct zp_roster *r, const uint64_t *v, size_t a, bool counted)
{
	size_t n = 0;

	if (counted)
		return (uint32_t)(r->near_count - 1) - r->closed[a];
	for (size_t w = 0; w < r->words; w++)
		n += (size_t)__builtin_popcountll(open_word(r, v, a, w));
	return (uint32_t)n;
}

/* Fills key; false if no pair is open. */
static bool
make_keys(const struct zp_roster *r, uint64_t now, uint64_t late,
    const uint64_t *conv, const uint64_t *v, uint32_t *key)
{
	const bool counted = memcmp(v, r->near, r->words * sizeof(*v)) == 0;
	bool open = false;

	if (counted && r->closed_sum == r->near_count * (r->near_count - 1))
		return false;
	memset(key, 0, 64 * r->words * sizeof(*key));
	for (size_t i = 0; i < r->count; i++) {
		size_t a = r->order[i];
		if (!zp_bits_has(v, a))
			continue;
		uint32_t pairs = pairs_of(r, v, a, counted);
		open = open || pairs > 0;
		key[a] = (uint32_t)i + pairs * KEY_PAIR;
		if (!zp_bits_has(conv, a))
			key[a] += KEY_OUTSIDE;
		if (now - r->s[a].at > late)
			key[a] += KEY_LATE;
	}
	return open;
}

/* Eight at a time, which compilers turn into wide instructions. */
static uint32_t
greatest(const uint32_t *key, size_t n)
{
	int32_t most[8] = {0};

	for (size_t i = 0; i < n; i += 8)
		for (size_t j = 0; j < 8; j++) {
			int32_t k = (int32_t)key[i + j];
			most[j] = k > most[j] ? k : most[j];
		}
	for (size_t j = 1; j < 8; j++)
		most[0] = most[j] > most[0] ? most[j] : most[0];
	return (uint32_t)most[0];
}

/* Adds to the keys of those in row w. */
static void
add_to_row(uint32_t *key, size_t w, uint64_t row, uint32_t what)
{
	for (; row != 0; row &= row - 1)
		key[w * 64 + (size_t)__builtin_ctzll(row)] += what;
}

static void
take_out(const struct zp_roster *r, uint64_t *v, uint32_t *key, size_t a,
    uint32_t *n)
{
	const uint32_t pairs = key[a] % KEY_LATE / KEY_PAIR - n[1];

	zp_bits_del(v, a);
	key[a] = 0;
	n[0]--;
	if (2 * pairs > n[0]) {
		/* One pair less for all, but for those who had none with it. */
		n[1]++;
		for (size_t w = 0; w < r->words; w++)
			add_to_row(
			    key, w, v[w] & ~open_word(r, v, a, w), KEY_PAIR);
		return;
	}
	for (size_t w = 0; w < r->words; w++)
		add_to_row(key, w, open_word(r, v, a, w), 0 - KEY_PAIR);
}

/* Until no pair is open.  n: members of v, and the offset of pairs. */
static void
take_out_all(const struct zp_roster *r, uint64_t *v, uint32_t *key)
{
	uint32_t n[2] = {(uint32_t)zp_bits_count(v, r->words), 0};

	for (;;) {
		uint32_t k = greatest(key, r->cap);
		size_t a = r->order[k % KEY_OUTSIDE];
		if (k == 0)
			return;
		if (k % KEY_LATE / KEY_PAIR > n[1])
			take_out(r, v, key, a, n);
		else if (k >= KEY_LATE)
			key[a] -= KEY_LATE;
		else
			return;
	}
}

static size_t
last_in_order(
    const struct zp_roster *r, const uint64_t *v, const uint64_t *conv)
{
	size_t found = ZP_ROSTER_NONE;

	for (size_t i = r->count; i-- > 0;) {
		size_t a = r->order[i];
		if (!zp_bits_has(v, a))
			continue;
		if (!zp_bits_has(conv, a))
			return a;
		if (found == ZP_ROSTER_NONE)
			found = a;
	}
	return found;
}

struct zp_view_result
zp_view_choose(const struct zp_roster *r, uint64_t now,
    const struct zp_view_rules *rules, const uint64_t *near,
    const uint64_t *conv, uint32_t *key, uint64_t *v)
{
	struct zp_view_result result = {0};
	memcpy(v, near, r->words * sizeof(*v));
	result.open = make_keys(r, now, rules->late, conv, v, key);
	if (result.open)
		take_out_all(r, v, key);
	zp_bits_add(v, ZP_ROSTER_SELF);
	size_t n = zp_bits_count(v, r->words);
	for (; n > rules->max_members; n--) {
		size_t a = last_in_order(r, v, conv);
		result.full = true;
		if (a == ZP_ROSTER_SELF) {
			memset(v, 0, r->words * sizeof(*v));
			zp_bits_add(v, ZP_ROSTER_SELF);
			break;
		}
		zp_bits_del(v, a);
	}
	return result;
}
