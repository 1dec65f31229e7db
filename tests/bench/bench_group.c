/*
 * What a member's key computation costs, against the least that libsodium's
 * public functions allow: the sum with centred weights, and the sum check
 * added to it.  Everything in one process, side by side, the least time of
 * several rounds; prints ratios.
 *
 *	bench_group [n...]
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "crypt/zp_group.h"
#include "crypt/zp_secret.h"

#define LEN ZP_GROUP_ELEMENT_LEN
#define ADD crypto_core_ristretto255_add
#define SUB crypto_core_ristretto255_sub

/* A view whose members all are ours, and member 0 as the one measured. */
struct group {
	size_t n;
	struct zp_group_member *m;
	struct zp_group_setup setup;
	uint8_t msgkey[ZP_KEY_LEN];
	uint8_t (*y)[LEN], (*z)[LEN], (*x)[LEN];
};

struct times {
	double start, check, mix, key, tags;
	double centred, checked, halves;
};

static void
need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_group: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
least(double *best, double begin)
{
	double took = now() - begin;

	if (*best == 0 || took < *best)
		*best = took;
}

static void
random_for(size_t i, uint8_t random[ZP_GROUP_RANDOM_LEN])
{
	uint8_t seed[randombytes_SEEDBYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};

	randombytes_buf_deterministic(random, ZP_GROUP_RANDOM_LEN, seed);
}

static struct zp_group_run *
start(const struct group *g)
{
	uint8_t random[ZP_GROUP_RANDOM_LEN];
	struct zp_group_run *run;

	random_for(g->setup.me, random);
	need(zp_group_ristretto.start(&g->setup, random, &run) == ZP_OK,
	    "start");
	return run;
}

static void
group_make(struct group *g, size_t n)
{
	uint8_t wide[ZP_GROUP_RANDOM_LEN], zero[LEN] = {0};
	uint8_t difference[LEN], generator[LEN];

	memset(g, 0, sizeof(*g));
	g->n = n;
	g->m = calloc(n, sizeof(*g->m));
	g->y = calloc(n, LEN);
	g->z = calloc(n, LEN);
	g->x = calloc(n, LEN);
	need(g->m && g->y && g->z && g->x, "memory");
	for (size_t i = 0; i < n; i++) {
		g->m[i].p[0] = (uint8_t)(i >> 8);
		g->m[i].p[1] = (uint8_t)i;
	}
	g->setup.msgkey = g->msgkey;
	g->setup.m = g->m;
	g->setup.n = n;
	zp_group_view_id(g->setup.rp, g->m, n, g->setup.view);

	/* The run's own share tells the generator: G = 1/y Z. */
	struct zp_group_run *run = start(g);
	need(zp_group_ristretto.own_share(run, g->z[0]), "share");
	zp_group_ristretto.free(run);
	for (size_t i = 0; i < n; i++) {
		random_for(i, wide);
		crypto_core_ristretto255_scalar_reduce(g->y[i], wide);
	}
	need(crypto_core_ristretto255_scalar_invert(difference, g->y[0]) == 0 &&
		crypto_scalarmult_ristretto255(
		    generator, difference, g->z[0]) == 0,
	    "generator");
	for (size_t i = 0; i < n; i++)
		need(crypto_scalarmult_ristretto255(
			 g->z[i], g->y[i], generator) == 0,
		    "shares");
	for (size_t i = 0; i < n; i++) {
		SUB(difference, g->z[(i + 1) % n], g->z[(i + n - 1) % n]);
		if (n > 2)
			need(crypto_scalarmult_ristretto255(
				 g->x[i], g->y[i], difference) == 0,
			    "mixes");
	}
	need(memcmp(zero, g->z[0], LEN) != 0, "shares");
}

static void
group_free(struct group *g)
{
	free(g->m);
	free(g->y);
	free(g->z);
	free(g->x);
}

/* ---- the reference ------------------------------------------------------ */

/*
 * Since the mixes sum to neutral, a constant may be taken off all weights: K
 * = n y Z_{i-1} + sum of w X.  Around the mix h in the middle, h + k gets -k
 * and h - k gets k, so each pair D_k = X_{h-k} - X_{h+k} is made once and
 * weighted by running sums from the outermost inwards: one and a half
 * operations a member.  With even n the last mix stands alone, with -n/2.
 */
static void
centred(const struct group *g, uint8_t k[LEN], uint8_t pairs[LEN])
{
	size_t n = g->n, h = (n - 1) / 2;
	uint8_t d[LEN], total[LEN];
	uint8_t scalar[LEN] = {(uint8_t)n, (uint8_t)(n >> 8)};
	bool first = true;

	memset(pairs, 0, LEN);
	memset(total, 0, LEN);
	if (n % 2 == 0) { /* weight -n/2, the outermost */
		SUB(pairs, pairs, g->x[n - 1]);
		memcpy(total, pairs, LEN);
		first = false;
	}
	for (size_t i = h; i > 0; i--) {
		SUB(d, g->x[h - i], g->x[h + i]);
		if (first) {
			memcpy(pairs, d, LEN);
			memcpy(total, d, LEN);
			first = false;
			continue;
		}
		ADD(pairs, pairs, d);
		ADD(total, total, pairs);
	}
	crypto_core_ristretto255_scalar_mul(scalar, scalar, g->y[0]);
	need(crypto_scalarmult_ristretto255(k, scalar, g->z[n - 1]) == 0,
	    "reference");
	ADD(k, k, total);
}

/*
 * The cheapest sum check that can be added to it: the sum of all D_k is
 * there, so the sum of the minus side, twice, and the middle make it whole.
 */
static bool
centred_sum(const struct group *g, const uint8_t pairs[LEN])
{
	size_t n = g->n, h = (n - 1) / 2;
	uint8_t minus[LEN], sum[LEN];

	memcpy(minus, g->x[h + 1], LEN);
	for (size_t i = 2; i <= h; i++)
		ADD(minus, minus, g->x[h + i]);
	if (n % 2 == 0 && h >= 1)
		ADD(minus, minus, g->x[n - 1]);
	ADD(sum, minus, minus);
	ADD(sum, sum, pairs);
	ADD(sum, sum, g->x[h]);
	return sodium_is_zero(sum, LEN) == 1;
}

/* ---- two threads, to see what they would gain --------------------------- */

struct half {
	const uint8_t (*x)[LEN];
	size_t n; /* sums of x[0..n): plain, and weighted n, n - 1, ... 1 */
	uint8_t sum[LEN], total[LEN];
};

static void *
half_run(void *arg)
{
	struct half *h = arg;

	memcpy(h->sum, h->x[0], LEN);
	memcpy(h->total, h->x[0], LEN);
	for (size_t i = 1; i < h->n; i++) {
		ADD(h->sum, h->sum, h->x[i]);
		ADD(h->total, h->total, h->sum);
	}
	return NULL;
}

/* As the library does it, with one half of the circle in another thread. */
static void
halves(const struct group *g, uint8_t k[LEN])
{
	size_t n = g->n, cut = n / 2;
	struct half a = {.x = (const uint8_t(*)[LEN])g->x, .n = cut};
	struct half b = {
	    .x = (const uint8_t(*)[LEN])g->x + cut, .n = n - 1 - cut};
	uint8_t scalar[LEN] = {(uint8_t)n, (uint8_t)(n >> 8)};
	uint8_t rest[LEN] = {(uint8_t)b.n, (uint8_t)(b.n >> 8)};
	uint8_t sum[LEN];
	pthread_t t;

	need(pthread_create(&t, NULL, half_run, &b) == 0, "thread");
	half_run(&a);
	need(pthread_join(t, NULL) == 0, "thread");
	ADD(sum, a.sum, b.sum);
	ADD(sum, sum, g->x[n - 1]);
	need(sodium_is_zero(sum, LEN) == 1, "sum of the halves");
	crypto_core_ristretto255_scalar_mul(scalar, scalar, g->y[0]);
	need(crypto_scalarmult_ristretto255(k, scalar, g->z[n - 1]) == 0 &&
		crypto_scalarmult_ristretto255(sum, rest, a.sum) == 0,
	    "halves");
	ADD(k, k, sum);
	ADD(k, k, a.total);
	ADD(k, k, b.total);
}

/* ---- the library -------------------------------------------------------- */

static void
library(const struct group *g, struct times *t)
{
	const struct zp_group_ops *ops = &zp_group_ristretto;
	uint8_t tag[ZP_GROUP_TAG_LEN];
	struct zp_group_run *run;
	double begin = now();
	bool good = true;

	run = start(g);
	least(&t->start, begin);
	for (size_t i = 1; i < g->n; i++)
		good = ops->put_share(run, i, g->z[i]) == ZP_OK && good;
	begin = now();
	need(good && ops->check(run) == ZP_OK, "check");
	least(&t->check, begin);
	begin = now();
	need(ops->mix(run) == ZP_OK, "mix");
	least(&t->mix, begin);
	for (size_t i = 1; i < g->n; i++)
		good = ops->put_mix(run, i, g->x[i]) == ZP_OK && good;
	begin = now();
	need(good && ops->key(run) == ZP_OK, "key");
	least(&t->key, begin);
	begin = now();
	memset(tag, 0, sizeof(tag));
	for (size_t i = 1; i < g->n; i++)
		good = ops->verify(run, i, tag) == ZP_ERR_TAG && good;
	need(good, "tags");
	least(&t->tags, begin);
	ops->free(run);
}

/* The least of each. */
static void
fold(struct times *t, const struct times *one)
{
	static const size_t at[] = {offsetof(struct times, start),
	    offsetof(struct times, check), offsetof(struct times, mix),
	    offsetof(struct times, key), offsetof(struct times, tags),
	    offsetof(struct times, centred), offsetof(struct times, checked),
	    offsetof(struct times, halves)};

	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		double *to = (void *)((char *)t + at[i]), from;
		memcpy(&from, (const char *)one + at[i], sizeof(from));
		if (*to == 0 || from < *to)
			*to = from;
	}
}

static void
round_of(const struct group *g, struct times *t)
{
	uint8_t k[LEN], k2[LEN], pairs[LEN];
	double begin = now();

	centred(g, k, pairs);
	least(&t->centred, begin);
	need(centred_sum(g, pairs), "sum of the reference");
	least(&t->checked, begin);
	begin = now();
	halves(g, k2);
	least(&t->halves, begin);
	need(memcmp(k, k2, LEN) == 0, "reference and halves differ");
	library(g, t);
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A row of the table that the README in this folder describes. */
static void
put_row(size_t n, double *ratio, size_t rounds, double ms)
{
	const char *path = getenv("ZP_BENCH_TSV");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;

	if (f == NULL)
		return;
	qsort(ratio, rounds, sizeof(*ratio), by_value);
	fprintf(f,
	    "key of %zu members\tthe computation of a group's key\t"
	    "libsodium's least and the sum check\t%.4f\t%.4f\t%.4f\t%zu\t"
	    "time\t\t%.6g\tms\t\n",
	    n, ratio[rounds / 2], ratio[rounds / 4], ratio[rounds * 3 / 4],
	    rounds, ms);
	need(fclose(f) == 0, path);
}

static void
measure(size_t n)
{
	size_t rounds = n >= 4000 ? 3 : n >= 400 ? 6 : n >= 50 ? 30 : 200;
	struct times t = {0};
	double ratio[200];
	struct group g;

	group_make(&g, n);
	for (size_t i = 0; i < rounds; i++) {
		struct times one = {0};
		round_of(&g, &one);
		ratio[i] = one.key / one.checked;
		fold(&t, &one);
	}
	put_row(n, ratio, rounds, t.key);
	printf("%6zu %9.3f %9.3f %9.3f %7.2f %7.2f %7.2f"
	       " | %8.3f %8.3f %8.3f %8.3f\n",
	    n, t.centred, t.checked, t.key, t.key / t.checked,
	    t.key / t.centred, t.halves / t.key, t.start, t.check, t.mix,
	    t.tags);
	fflush(stdout);
	group_free(&g);
}

int
main(int argc, char **argv)
{
	static const size_t usual[] = {8, 128, 1000, 10000};

	need(zp_secret_init() == ZP_OK, "libsodium");
	printf("milliseconds; ratios: key to centred and sum check, "
	       "key to centred, two threads to key\n"
	       "%6s %9s %9s %9s %7s %7s %7s | %8s %8s %8s %8s\n",
	    "n", "centred", "+ sum", "key", "/ +sum", "/ cent", "threads",
	    "start", "check", "mix", "tags");
	if (argc < 2)
		for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
			measure(usual[i]);
	for (int i = 1; i < argc; i++) {
		size_t n = strtoul(argv[i], NULL, 10);

		need(n >= 3 && n <= ZP_GROUP_MAX, "n is 3 to 16384");
		measure(n);
	}
	return 0;
}
