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
same_user(const struct zp_session *a, const struct zp_session *b)
{
	return memcmp(a->m.who.p, b->m.who.p, sizeof(a->m.who.p)) == 0 &&
	    memcmp(a->m.who.idkey, b->m.who.idkey, sizeof(a->m.who.idkey)) == 0;
}

/* Sessions of one user lie side by side in the order. */
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
		while (j > 0 && same_user(newer, &r->s[r->order[j - 1]]))
			j--;
		for (; j < r->count && same_user(newer, &r->s[r->order[j]]);
		     j++) {
			const struct zp_session *s = &r->s[r->order[j]];
			if (r->order[j] == ZP_ROSTER_SELF ||
			    s->at >= newer->first_at)
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

uint64_t
zp_view_near(const struct zp_roster *r, uint64_t now,
    const struct zp_view_rules *rules, uint64_t *heard, uint64_t *near)
{
	uint64_t next = UINT64_MAX;

	memset(heard, 0, r->words * sizeof(*heard));
	memset(near, 0, r->words * sizeof(*near));
	for (size_t i = 1; i < r->cap; i++) {
		const struct zp_session *s = &r->s[i];
		if (!s->taken || !s->said || s->left || s->at < s->mute ||
		    now >= s->at + rules->gone)
			continue;
		sooner(&next, s->at + rules->gone, now);
		if (now < s->hold) {
			sooner(&next, s->hold, now);
			sooner(&next, s->near_until, now);
			continue;
		}
		zp_bits_add(heard, i);
		if (now < s->near_until) {
			zp_bits_add(near, i);
			sooner(&next, s->near_until, now);
		}
	}
	drop_replaced(r, now, rules, heard, near, &next);
	return next;
}

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

static size_t
count_pairs(const struct zp_roster *r, const uint64_t *v, size_t *pairs)
{
	size_t all = 0;

	for (size_t a = 1; a < r->cap; a++) {
		pairs[a] = 0;
		if (!zp_bits_has(v, a))
			continue;
		for (size_t w = 0; w < r->words; w++)
			pairs[a] +=
			    (size_t)__builtin_popcountll(open_word(r, v, a, w));
		all += pairs[a];
	}
	return all;
}

/* The next to go, by the order of zp_view.h; places come in P || sid. */
static size_t
worst(const struct zp_roster *r, uint64_t now, uint64_t late,
    const uint64_t *conv, const size_t *pairs)
{
	size_t found = ZP_ROSTER_NONE;
	bool found_late = false, found_in = false;

	for (size_t i = 0; i < r->count; i++) {
		size_t a = r->order[i];
		if (a == ZP_ROSTER_SELF || pairs[a] == 0)
			continue;
		bool is_late = now - r->s[a].at > late;
		bool in = zp_bits_has(conv, a);
		if (found != ZP_ROSTER_NONE) {
			if (is_late != found_late) {
				if (!is_late)
					continue;
			} else if (pairs[a] != pairs[found]) {
				if (pairs[a] < pairs[found])
					continue;
			} else if (in && !found_in) {
				continue;
			}
		}
		found = a;
		found_late = is_late;
		found_in = in;
	}
	return found;
}

static void
take_out(const struct zp_roster *r, uint64_t *v, size_t *pairs, size_t a)
{
	for (size_t w = 0; w < r->words; w++) {
		uint64_t row = open_word(r, v, a, w);
		while (row != 0) {
			size_t b = w * 64 + (size_t)__builtin_ctzll(row);
			row &= row - 1;
			pairs[b]--;
		}
	}
	pairs[a] = 0;
	zp_bits_del(v, a);
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
    const uint64_t *conv, size_t *pairs, uint64_t *v)
{
	struct zp_view_result result = {0};
	size_t a;

	memcpy(v, near, r->words * sizeof(*v));
	result.open = count_pairs(r, v, pairs) > 0;
	while (result.open &&
	    (a = worst(r, now, rules->late, conv, pairs)) != ZP_ROSTER_NONE)
		take_out(r, v, pairs, a);
	zp_bits_add(v, ZP_ROSTER_SELF);
	size_t n = zp_bits_count(v, r->words);
	for (; n > rules->max_members; n--) {
		a = last_in_order(r, v, conv);
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
