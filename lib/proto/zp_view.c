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
same_p(const struct zp_roster_session *a, const struct zp_roster_session *b)
{
	return memcmp(a->m.who.p, b->m.who.p, sizeof(a->m.who.p)) == 0;
}

static bool
same_idkey(const struct zp_roster_session *a, const struct zp_roster_session *b)
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
		const struct zp_roster_session *newer = &r->s[r->order[i]];
		size_t j = i;
		if (!zp_bits_has(near, r->order[i]))
			continue;
		while (j > 0 && same_p(newer, &r->s[r->order[j - 1]]))
			j--;
		for (; j < r->count && same_p(newer, &r->s[r->order[j]]); j++) {
			const struct zp_roster_session *s = &r->s[r->order[j]];
			if (r->order[j] == ZP_ROSTER_SELF ||
			    !same_idkey(newer, s) ||
			    r->at[r->order[j]] >= newer->first_at)
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
	const struct zp_roster_session *s = &r->s[place];
	const uint64_t at = r->at[place], gone = at + rules->gone;
	uint64_t next = UINT64_MAX;
	bool heard =
	    s->taken && s->said && !s->left && at >= s->mute && now < gone;

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
 * With how many each member of v is in an open pair, as binary numbers that
 * lie across: plane k has bit k of everybody's.  So who has most, and one
 * less for a whole row, are a few operations for each 64 members.
 */
_Static_assert(ZP_ROSTER_MAX <= 1 << ZP_VIEW_PLANES, "a number of pairs fits");

#define WORDS_MAX (ZP_ROSTER_MAX / 64)

/* Loops over words go by so many, which compilers turn into wide ones. */
#define WIDE 4
_Static_assert(ZP_ROSTER_WIDE % WIDE == 0, "sets are whole in wide words");

struct sieve {
	const struct zp_roster *r;
	size_t words; /* in use of each set, whole in WIDE */
	uint64_t *v;
	uint64_t *plane;
	size_t planes; /* in use: what is above is 0 */
	bool has_late;
	uint64_t late[WORDS_MAX];
};

/* The row of those in v who are in an open pair with a. */
static void
open_row(const struct sieve *f, size_t a, uint64_t *row)
{
	const uint64_t *lists = zp_roster_lists(f->r, a);
	const uint64_t *by = zp_roster_listed_by(f->r, a);

	for (size_t w = 0; w < f->words; w += WIDE)
		for (size_t i = w; i < w + WIDE; i++)
			row[i] = f->v[i] & ~(lists[i] & by[i]);
	zp_bits_del(row, a);
}

/*
 * Pairs among v.  The roster's counts are of all who are near by its own
 * look, so they hold if v is that set.
 */
static size_t
pairs_of(const struct sieve *f, size_t a, bool counted)
{
	uint64_t row[WORDS_MAX];

	if (counted)
		return f->r->near_count - 1 - f->r->closed[a];
	open_row(f, a, row);
	return zp_bits_count(row, f->words);
}

static void
add_pairs(struct sieve *f, size_t a, size_t pairs)
{
	size_t k = 0;

	for (; pairs != 0; pairs >>= 1, k++)
		if ((pairs & 1) != 0)
			zp_bits_add(f->plane + k * f->words, a);
	if (f->planes < k)
		f->planes = k;
}

static void
fill(struct sieve *f, uint64_t now, uint64_t late)
{
	const struct zp_roster *r = f->r;
	const bool counted =
	    memcmp(f->v, r->near, r->words * sizeof(*f->v)) == 0;

	if (counted && r->closed_sum == r->near_count * (r->near_count - 1))
		return;
	memset(f->plane, 0, ZP_VIEW_PLANES * f->words * sizeof(*f->plane));
	for (size_t w = 0; w < f->words; w++)
		for (uint64_t x = f->v[w]; x != 0; x &= x - 1) {
			size_t a = w * 64 + (size_t)__builtin_ctzll(x);
			add_pairs(f, a, pairs_of(f, a, counted));
			if (now - r->at[a] <= late)
				continue;
			zp_bits_add(f->late, a);
			f->has_late = true;
		}
}

/* Leaves those of `set` that are in `with`, too, if there are any. */
static bool
narrow(uint64_t *set, const uint64_t *with, size_t words)
{
	uint64_t both[WORDS_MAX], any[WIDE] = {0};

	for (size_t w = 0; w < words; w += WIDE)
		for (size_t i = 0; i < WIDE; i++) {
			both[w + i] = set[w + i] & with[w + i];
			any[i] |= both[w + i];
		}
	if ((any[0] | any[1] | any[2] | any[3]) == 0)
		return false;
	memcpy(set, both, words * sizeof(*set));
	return true;
}

/* Who of `set` are in most open pairs; false if none is in any. */
static bool
most_pairs(const struct sieve *f, uint64_t *set)
{
	bool some = false;

	for (size_t k = f->planes; k-- > 0;)
		some = narrow(set, f->plane + k * f->words, f->words) || some;
	return some;
}

static size_t
highest(const struct sieve *f, const uint64_t *set)
{
	size_t found = ZP_ROSTER_NONE;

	for (size_t w = 0; w < f->words; w++)
		for (uint64_t x = set[w]; x != 0; x &= x - 1) {
			size_t a = w * 64 + (size_t)__builtin_ctzll(x);
			if (found == ZP_ROSTER_NONE ||
			    f->r->rank[a] > f->r->rank[found])
				found = a;
		}
	return found;
}

/* The next to go, or ZP_ROSTER_NONE. */
static size_t
next_out(struct sieve *f, const uint64_t *conv)
{
	uint64_t set[WORDS_MAX], out[WORDS_MAX];

	memcpy(set, f->v, f->words * sizeof(*set));
	/* Who is late and in no open pair stays so. */
	f->has_late =
	    f->has_late && narrow(set, f->late, f->words) && most_pairs(f, set);
	if (!f->has_late) {
		memcpy(set, f->v, f->words * sizeof(*set));
		if (!most_pairs(f, set))
			return ZP_ROSTER_NONE;
	}
	for (size_t w = 0; w < f->words; w++)
		out[w] = ~conv[w];
	narrow(set, out, f->words);
	return highest(f, set);
}

/* One pair less for all who are in an open pair with a. */
static void
take_out(struct sieve *f, size_t a)
{
	uint64_t row[WORDS_MAX], any = 1;

	zp_bits_del(f->v, a);
	open_row(f, a, row);
	for (size_t k = 0; k < f->planes && any != 0; k++) {
		uint64_t *plane = f->plane + k * f->words;
		uint64_t borrow[WIDE] = {0};
		for (size_t w = 0; w < f->words; w += WIDE)
			for (size_t i = 0; i < WIDE; i++) {
				uint64_t is = plane[w + i];
				plane[w + i] = is ^ row[w + i];
				row[w + i] &= ~is;
				borrow[i] |= row[w + i];
			}
		any = borrow[0] | borrow[1] | borrow[2] | borrow[3];
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
    const uint64_t *conv, uint64_t *plane, uint64_t *v)
{
	struct zp_view_result result = {0};
	struct sieve f = {.r = r, .v = v, .plane = plane};
	size_t a;

	memcpy(v, near, r->words * sizeof(*v));
	f.words = zp_roster_words(r->cap);
	fill(&f, now, rules->late);
	result.open = f.planes > 0;
	while (f.planes > 0 && (a = next_out(&f, conv)) != ZP_ROSTER_NONE)
		take_out(&f, a);
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
