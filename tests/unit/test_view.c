/*
 * The choice of a view, against zpinc(7) word for word: members are taken
 * out one by one, and everything is looked up anew each time.
 */
#include "proto/zp_view.h"

#include "proto/zp_bits.h"
#include "tap.h"

#define MOST 600
#define NOW 1000000
#define LATE 45000

static uint64_t state;

static uint64_t
some(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static bool
chance(unsigned percent)
{
	return some() % 100 < percent;
}

/* ---- the rule, as it is written ----------------------------------------- */

struct rule {
	const struct zp_roster *r;
	const uint64_t *conv;
	bool in[MOST];
};

static bool
open_pair(const struct rule *x, size_t a, size_t b)
{
	return a != b && x->in[a] && x->in[b] &&
	    !(zp_bits_has(zp_roster_lists(x->r, a), b) &&
		zp_bits_has(zp_roster_lists(x->r, b), a));
}

static size_t
open_pairs(const struct rule *x, size_t a)
{
	size_t n = 0;

	for (size_t b = 1; b < x->r->cap; b++)
		n += open_pair(x, a, b);
	return n;
}

/* Whether a goes before b, both in open pairs or all pairs closed. */
static bool
goes_before(const struct rule *x, size_t a, size_t b, const size_t *pairs)
{
	bool late_a = NOW - x->r->at[a] > LATE;
	bool late_b = NOW - x->r->at[b] > LATE;
	bool conv_a = zp_bits_has(x->conv, a), conv_b = zp_bits_has(x->conv, b);

	if (pairs != NULL && late_a != late_b)
		return late_a;
	if (pairs != NULL && pairs[a] != pairs[b])
		return pairs[a] > pairs[b];
	if (conv_a != conv_b)
		return conv_b;
	return zp_group_order(&x->r->s[a].m.who, &x->r->s[b].m.who) > 0;
}

/* Returns how many were taken out. */
static size_t
close_pairs(struct rule *x)
{
	size_t pairs[MOST], gone = 0;

	for (;; gone++) {
		size_t out = ZP_ROSTER_NONE;
		for (size_t a = 1; a < x->r->cap; a++)
			pairs[a] = open_pairs(x, a);
		for (size_t a = 1; a < x->r->cap; a++)
			if (pairs[a] > 0 &&
			    (out == ZP_ROSTER_NONE ||
				goes_before(x, a, out, pairs)))
				out = a;
		if (out == ZP_ROSTER_NONE)
			return gone;
		x->in[out] = false;
	}
}

static bool
make_room(struct rule *x, size_t most)
{
	size_t n = 0;

	for (size_t a = 0; a < x->r->cap; a++)
		n += x->in[a];
	for (bool full = false;; n--, full = true) {
		size_t out = ZP_ROSTER_NONE;
		if (n <= most)
			return full;
		for (size_t a = 0; a < x->r->cap; a++)
			if (x->in[a] &&
			    (out == ZP_ROSTER_NONE ||
				goes_before(x, a, out, NULL)))
				out = a;
		x->in[out] = false;
		if (out == ZP_ROSTER_SELF) {
			memset(x->in, 0, sizeof(x->in));
			x->in[out] = true;
			return true;
		}
	}
}

/* ---- states ------------------------------------------------------------- */

/* How a state is made; chances in percent. */
struct kind {
	const char *what;
	size_t n;
	unsigned lists, near, late, conv, wide; /* wide: a set not counted */
	bool parties; /* two that do not hear one another */
};

static struct zp_member
member(size_t i)
{
	struct zp_member m = {0};

	/* The order has nothing to do with places. */
	for (size_t k = 0; k < sizeof(m.who.sid); k++)
		m.who.sid[k] = (uint8_t)some();
	m.who.p[0] = (uint8_t)(i % 7);
	zp_group_mid(&m.who, m.mid);
	return m;
}

static int
by_mid(const void *a, const void *b)
{
	return memcmp(a, b, ZP_HELLO_MID_LEN);
}

static void
say(struct zp_roster *r, const struct kind *k, size_t a)
{
	static uint8_t raw[MOST * ZP_HELLO_ENTRY_LEN];
	struct zp_hello h = {.raw = raw};
	struct zp_hello_entry us;
	bool has_us;

	for (size_t b = 0; b < k->n; b++) {
		bool same = a % 2 == b % 2 || !k->parties;
		/* Some list themselves, which no one of ours does. */
		if (a == b ? !chance(20)
			   : !chance(same ? k->lists : 100 - k->lists))
			continue;
		uint8_t *e = raw + h.count++ * (size_t)ZP_HELLO_ENTRY_LEN;
		memset(e, 0, ZP_HELLO_ENTRY_LEN);
		memcpy(e, r->s[b].m.mid, ZP_HELLO_MID_LEN);
	}
	qsort(raw, h.count, ZP_HELLO_ENTRY_LEN, by_mid);
	uint64_t ago = chance(k->late) ? LATE + 1
	    : chance(20)	       ? LATE
				       : some() % LATE;
	zp_roster_keep(r, a, 1, &h, NOW - ago, &us, &has_us);
}

static void
populate(struct zp_roster *r, const struct kind *k)
{
	struct zp_member self = member(0);
	uint64_t nobody[MOST / 64 + 4] = {0};

	if (zp_roster_init(r, k->n, &self) != ZP_OK)
		abort();
	for (size_t i = 1; i < k->n; i++) {
		struct zp_member m = member(i);
		size_t place;
		if (zp_roster_add(r, &m, nobody, &place) != ZP_OK)
			abort();
	}
	/* Twice, so that pairs open and close again. */
	for (int twice = 0; twice < 2; twice++)
		for (size_t a = 1; a < k->n; a++) {
			say(r, k, a);
			zp_roster_place(
			    r, a, true, chance(k->near), UINT64_MAX);
		}
}

static bool
agrees(const struct kind *k)
{
	struct zp_roster r;
	struct zp_view_rules rules = {
	    .late = LATE, .max_members = 2 + some() % k->n};
	struct rule x = {.r = &r};

	populate(&r, k);
	uint64_t *near = calloc(3 * r.words, sizeof(*near));
	uint64_t *plane = calloc(ZP_VIEW_PLANES * r.words, sizeof(*plane));
	if (near == NULL || plane == NULL)
		abort();
	uint64_t *conv = near + r.words, *v = conv + r.words;
	memcpy(near, r.near, r.words * sizeof(*near));
	for (size_t a = 0; a < k->n; a++) {
		if (chance(k->conv))
			zp_bits_add(conv, a);
		/* Somebody has been replaced. */
		if (chance(k->wide))
			zp_bits_del(near, a);
		x.in[a] = zp_bits_has(near, a);
	}
	x.conv = conv;
	struct zp_view_result result =
	    zp_view_choose(&r, NOW, &rules, near, conv, plane, v);
	bool open = close_pairs(&x) > 0;
	x.in[ZP_ROSTER_SELF] = true;
	bool full = make_room(&x, rules.max_members);
	bool good = result.open == open && result.full == full;
	for (size_t a = 0; a < r.words * 64; a++)
		good = good && zp_bits_has(v, a) == (a < k->n && x.in[a]);
	free(near);
	free(plane);
	zp_roster_free(&r);
	return good;
}

static void
test_kind(const struct kind *k, size_t times)
{
	bool good = true;
	uint64_t seed = 0;
	char name[96];

	for (size_t i = 0; i < times && good; i++) {
		seed = state = 1000 * k->n + i;
		good = agrees(k);
	}
	if (!good)
		printf("# state %llu\n", (unsigned long long)seed);
	snprintf(name, sizeof(name), "V is what the rule says: %s", k->what);
	OK(good, name);
}

int
main(void)
{
	static const struct kind kinds[] = {
	    {"two", 3, 60, 80, 20, 50, 0, false},
	    {"few", 6, 70, 90, 10, 50, 0, false},
	    {"few, some replaced", 6, 70, 90, 10, 50, 20, false},
	    {"some who mostly hear one another", 30, 95, 95, 5, 50, 0, false},
	    {"some who hardly do", 40, 20, 90, 5, 20, 0, false},
	    {"two parties", 64, 97, 100, 3, 50, 0, true},
	    {"many are late", 65, 90, 90, 60, 50, 0, false},
	    {"nobody is late", 70, 90, 90, 0, 50, 5, false},
	    {"nobody lists anybody", 66, 0, 100, 5, 50, 0, false},
	    {"all list all", 200, 100, 100, 30, 50, 0, false},
	};
	static const struct kind large = {
	    "hundreds", 600, 93, 97, 4, 50, 0, false};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(&kinds[i],
		    kinds[i].n < 10	  ? 3000
			: kinds[i].n < 50 ? 60
					  : 10);
	test_kind(&large, 1);
	return tap_done();
}
