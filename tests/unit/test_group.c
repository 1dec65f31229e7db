#include <stdint.h>

#include <sodium.h>

#include "crypt/zp_group.h"
#include "crypt/zp_secret.h"
#include "tap.h"

/*
 * Whole key exchanges, every member of which is ours.  A member's random
 * bytes are its scalar and zeros, so that the test knows the scalar.
 */

#define LEN ZP_GROUP_ELEMENT_LEN
#define OPS zp_group_ristretto

struct member {
	struct zp_group_run *run;
	uint8_t y[LEN], z[LEN], x[LEN], tag[ZP_GROUP_TAG_LEN];
	struct zp_conv *conv;
};

struct world {
	size_t n;
	uint8_t msgkey[ZP_KEY_LEN];
	struct zp_group_member *list;
	struct zp_group_setup setup;
	struct member *m;
};

static const uint8_t zero[LEN];

/* -1, a field element that encodes no point: RFC 9496, appendix A.3 */
static const uint8_t no_point[LEN] = {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x7f};

/* Encodings with the highest bit set, which libsodium 1.0.18 ignores. */
static const uint8_t high_neutral[LEN] = {[LEN - 1] = 0x80};

static void
high_share(uint8_t e[LEN])
{
	/* The generator of RFC 9496, appendix A.1 */
	uint8_t one[LEN] = {1};

	if (crypto_scalarmult_ristretto255_base(e, one) != 0)
		exit(1);
	e[LEN - 1] |= 0x80;
}

static void
need(bool good)
{
	if (good)
		return;
	printf("Bail out! the test itself is broken\n");
	exit(1);
}

static void
scalar_of(size_t i, uint8_t y[LEN])
{
	uint8_t seed[randombytes_SEEDBYTES] = {
	    'y', (uint8_t)i, (uint8_t)(i >> 8)};
	uint8_t wide[64];

	randombytes_buf_deterministic(wide, sizeof(wide), seed);
	crypto_core_ristretto255_scalar_reduce(y, wide);
}

static void
world_make(struct world *w, size_t n)
{
	memset(w, 0, sizeof(*w));
	w->n = n;
	w->list = calloc(n, sizeof(*w->list));
	w->m = calloc(n, sizeof(*w->m));
	need(w->list != NULL && w->m != NULL);
	memset(w->msgkey, 7, sizeof(w->msgkey));
	memset(w->setup.rp, 9, sizeof(w->setup.rp));
	for (size_t i = 0; i < n; i++) {
		/* Pairs of members are two sessions of one user. */
		w->list[i].p[5] = (uint8_t)(i >> 9);
		w->list[i].p[6] = (uint8_t)(i >> 1);
		w->list[i].sid[3] = (uint8_t)(i & 1);
		w->list[i].idkey[0] = (uint8_t)(i % 3);
		w->list[i].gen = (uint32_t)i % 5;
		scalar_of(i, w->m[i].y);
	}
	w->setup.msgkey = w->msgkey;
	w->setup.m = w->list;
	w->setup.n = n;
	zp_group_view_id(w->setup.rp, w->list, n, w->setup.view);
}

static void
world_free(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		OPS.free(w->m[i].run);
		zp_secret_free(w->m[i].conv);
	}
	free(w->list);
	free(w->m);
}

static enum zp_err
start(struct world *w, size_t i)
{
	uint8_t random[ZP_GROUP_RANDOM_LEN] = {0};
	enum zp_err err;

	memcpy(random, w->m[i].y, LEN);
	w->setup.me = i;
	err = OPS.start(&w->setup, random, &w->m[i].run);
	need(sodium_is_zero(random, sizeof(random)));
	if (err == ZP_OK)
		need(OPS.own_share(w->m[i].run, w->m[i].z));
	return err;
}

static void
start_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		need(start(w, i) == ZP_OK);
}

static enum zp_err
check(struct world *w, size_t i)
{
	for (size_t j = 0; j < w->n; j++)
		if (j != i)
			need(OPS.put_share(w->m[i].run, j, w->m[j].z) == ZP_OK);
	return OPS.check(w->m[i].run);
}

static void
mix_all(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		need(check(w, i) == ZP_OK);
		if (w->n > 2)
			need(OPS.mix(w->m[i].run) == ZP_OK &&
			    OPS.own_mix(w->m[i].run, w->m[i].x));
	}
}

static enum zp_err
key(struct world *w, size_t i)
{
	struct member *m = &w->m[i];
	enum zp_err err;

	for (size_t j = 0; w->n > 2 && j < w->n; j++)
		if (j != i)
			need(OPS.put_mix(m->run, j, w->m[j].x) == ZP_OK);
	err = OPS.key(m->run);
	if (err != ZP_OK)
		return err;
	m->conv = zp_secret_new(sizeof(*m->conv));
	need(m->conv != NULL && OPS.conv(m->run, m->conv) == ZP_OK &&
	    OPS.tag(m->run, m->tag) == ZP_OK);
	return ZP_OK;
}

/* How many of the others' tags i takes. */
static size_t
verify(struct world *w, size_t i)
{
	size_t right = 0;

	for (size_t j = 0; j < w->n; j++)
		if (j != i)
			right +=
			    OPS.verify(w->m[i].run, j, w->m[j].tag) == ZP_OK;
	return right;
}

static bool
same_conv(const struct world *w, size_t i, size_t j)
{
	return memcmp(w->m[i].conv, w->m[j].conv, sizeof(struct zp_conv)) == 0;
}

/* ---- agreement ---------------------------------------------------------- */

static bool
agrees(size_t n)
{
	struct world w;
	bool good = true;

	world_make(&w, n);
	start_all(&w);
	mix_all(&w);
	for (size_t i = 0; i < n; i++)
		good = key(&w, i) == ZP_OK && same_conv(&w, 0, i) && good;
	for (size_t i = 0; i < n; i++)
		good = !OPS.confirmed(w.m[i].run) && verify(&w, i) == n - 1 &&
		    OPS.confirmed(w.m[i].run) && good;
	for (size_t i = 1; i < n; i++)
		good = memcmp(w.m[0].tag, w.m[i].tag, LEN) != 0 && good;
	world_free(&w);
	return good;
}

static void
test_agreement(void)
{
	static const size_t sizes[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	    14, 15, 16, 17, 31, 32, 33, 63, 64};
	bool good = true;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!agrees(sizes[i])) {
			printf("# not with %zu members\n", sizes[i]);
			good = false;
		}
	OK(good, "2 to 64 members agree on one key and take all tags");
}

/* Z and X of all from their scalars: a run for each would take too long. */
static void
elements(struct world *w)
{
	uint8_t inverse[LEN], g[LEN], difference[LEN];
	size_t n = w->n;

	need(start(w, 0) == ZP_OK &&
	    crypto_core_ristretto255_scalar_invert(inverse, w->m[0].y) == 0 &&
	    crypto_scalarmult_ristretto255(g, inverse, w->m[0].z) == 0);
	OPS.free(w->m[0].run);
	w->m[0].run = NULL;
	for (size_t i = 0; i < n; i++)
		need(crypto_scalarmult_ristretto255(w->m[i].z, w->m[i].y, g) ==
		    0);
	for (size_t i = 0; i < n; i++)
		need(crypto_core_ristretto255_sub(difference,
			 w->m[(i + 1) % n].z, w->m[(i + n - 1) % n].z) == 0 &&
		    crypto_scalarmult_ristretto255(
			w->m[i].x, w->m[i].y, difference) == 0);
}

static void
test_many(void)
{
	static const size_t who[] = {0, 511, 1023};
	struct world w;
	bool good = true;

	world_make(&w, 1024);
	elements(&w);
	for (size_t k = 0; k < 3; k++) {
		struct member *m = &w.m[who[k]];
		uint8_t z[LEN], x[LEN];

		memcpy(z, m->z, LEN);
		memcpy(x, m->x, LEN);
		need(start(&w, who[k]) == ZP_OK);
		good = check(&w, who[k]) == ZP_OK && OPS.mix(m->run) == ZP_OK &&
		    OPS.own_mix(m->run, m->x) && memcmp(z, m->z, LEN) == 0 &&
		    memcmp(x, m->x, LEN) == 0 && key(&w, who[k]) == ZP_OK &&
		    good;
	}
	for (size_t k = 0; k < 3; k++)
		for (size_t l = 0; l < 3; l++)
			if (k != l)
				good = OPS.verify(w.m[who[k]].run, who[l],
					   w.m[who[l]].tag) == ZP_OK &&
				    same_conv(&w, who[k], who[l]) && good;
	OK(good, "members of 1,024 agree on one key");
	world_free(&w);
}

/* K from the scalars alone: the sum of all y_i y_{i+1}, times G. */
static void
test_meaning(void)
{
	uint8_t sum[LEN] = {0}, product[LEN], g[LEN], inverse[LEN], k[LEN];
	uint8_t mine[LEN];
	struct world w;
	const size_t n = 7;

	world_make(&w, n);
	elements(&w);
	for (size_t i = 0; i < n; i++) {
		crypto_core_ristretto255_scalar_mul(
		    product, w.m[i].y, w.m[(i + 1) % n].y);
		crypto_core_ristretto255_scalar_add(sum, sum, product);
	}
	need(crypto_core_ristretto255_scalar_invert(inverse, w.m[0].y) == 0 &&
	    crypto_scalarmult_ristretto255(g, inverse, w.m[0].z) == 0 &&
	    crypto_scalarmult_ristretto255(k, sum, g) == 0);
	/* Member 2's formula, weights written out. */
	memset(mine, 0, LEN);
	for (size_t j = 0; j + 1 < n; j++)
		for (size_t times = 0; times < n - 1 - j; times++)
			need(crypto_core_ristretto255_add(
				 mine, mine, w.m[(2 + j) % n].x) == 0);
	for (size_t times = 0; times < n; times++)
		need(crypto_scalarmult_ristretto255(
			 product, w.m[2].y, w.m[1].z) == 0 &&
		    crypto_core_ristretto255_add(mine, mine, product) == 0);
	SAME(mine, k, LEN, "the weights give the cyclic sum of the scalars");
	world_free(&w);
}

/* ---- what the key depends on -------------------------------------------- */

/* Member 1 of 3 differs by what `spoil` does before its start. */
static size_t
spoiled_tags(void (*spoil)(struct world *))
{
	struct world w;
	size_t right = 0;
	bool keyed = true;

	world_make(&w, 3);
	need(start(&w, 0) == ZP_OK && start(&w, 2) == ZP_OK);
	spoil(&w);
	need(start(&w, 1) == ZP_OK);
	/* Members under other generators fail the sum check already. */
	mix_all(&w);
	for (size_t i = 0; i < 3; i++)
		keyed = key(&w, i) == ZP_OK && keyed;
	if (keyed)
		right = verify(&w, 0) + verify(&w, 1) + verify(&w, 2);
	world_free(&w);
	return right;
}

static void
spoil_nothing(struct world *w)
{
	(void)w;
}

static void
spoil_msgkey(struct world *w)
{
	w->msgkey[31] ^= 1;
}

static void
spoil_rp(struct world *w)
{
	w->setup.rp[46] ^= 0x80;
}

static void
spoil_view(struct world *w)
{
	w->setup.view[0] ^= 1;
}

static void
spoil_sid(struct world *w)
{
	w->list[2].sid[15] ^= 1;
}

static void
spoil_idkey(struct world *w)
{
	w->list[2].idkey[31] ^= 1;
}

static void
test_dependence(void)
{
	IS(spoiled_tags(spoil_nothing), 6, "three members take six tags");
	IS(spoiled_tags(spoil_msgkey), 0, "another password shares no key");
	IS(spoiled_tags(spoil_rp), 0, "another channel shares no key");
	IS(spoiled_tags(spoil_view), 0, "another view shares no key");
	IS(spoiled_tags(spoil_sid), 0, "another session list shares no key");
	IS(spoiled_tags(spoil_idkey), 5,
	    "another identity of a member spoils its tag alone");
}

static void
test_view_id(void)
{
	struct zp_group_member m[3];
	uint8_t rp[ZP_PSEUDONYM_LEN] = {0}, a[32], b[32];
	bool differ = true;

	memset(m, 0, sizeof(m));
	zp_group_view_id(rp, m, 3, a);
	for (size_t i = 0; i < 3; i++) {
		m[i].gen = UINT32_MAX;
		zp_group_view_id(rp, m, 3, b);
		differ = differ && memcmp(a, b, 32) != 0;
		m[i].gen = 0;
	}
	zp_group_view_id(rp, m, 2, b);
	OK(differ && memcmp(a, b, 32) != 0,
	    "a view id tells generations and counts apart");
	m[1].sid[0] = 1;
	m[2].p[46] = 1;
	m[0].idkey[0] = 0xff;
	m[0].gen = 9;
	OK(zp_group_order(&m[0], &m[1]) < 0 && zp_group_order(&m[1], &m[2]) < 0,
	    "members are in the order of P, then sid, and of nothing else");
}

/* ---- aborts ------------------------------------------------------------- */

static size_t
bad_count(const struct zp_group_run *run, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += OPS.bad(run, i);
	return count;
}

/* Member 1 of 5 gets shares changed by `spoil`; returns what check says. */
static void
spoil_share(size_t who, const uint8_t with[LEN], enum zp_err want,
    size_t blamed, const char *name)
{
	struct world w;
	struct zp_group_run *run;
	uint8_t tag[32];

	world_make(&w, 5);
	start_all(&w);
	memcpy(w.m[who].z, with, LEN);
	run = w.m[1].run;
	OK(check(&w, 1) == want && bad_count(run, 5) == blamed &&
		(blamed == 0 || OPS.bad(run, who)) &&
		OPS.mix(run) == ZP_ERR_USAGE && OPS.key(run) == ZP_ERR_USAGE &&
		OPS.tag(run, tag) == ZP_ERR_USAGE,
	    name);
	world_free(&w);
}

static void
test_bad_shares(void)
{
	struct world w;
	uint8_t noncanonical[LEN], negative[LEN] = {1}, high[LEN];

	high_share(high);
	spoil_share(0, high, ZP_ERR_POINT, 1,
	    "a share with the highest bit set names its sender");
	spoil_share(3, high_neutral, ZP_ERR_POINT, 1,
	    "so does the neutral element in such a guise");
	memset(noncanonical, 0xff, LEN);
	spoil_share(3, no_point, ZP_ERR_POINT, 1,
	    "a share that is no point names its sender");
	spoil_share(0, noncanonical, ZP_ERR_POINT, 1,
	    "a share that is not canonical names its sender");
	spoil_share(
	    2, negative, ZP_ERR_POINT, 1, "a negative share names its sender");
	spoil_share(
	    4, zero, ZP_ERR_POINT, 1, "a neutral share names its sender");

	world_make(&w, 5);
	start_all(&w);
	spoil_share(
	    3, w.m[0].z, ZP_ERR_EQUAL, 0, "a copied share blames nobody");
	spoil_share(3, w.m[1].z, ZP_ERR_EQUAL, 0,
	    "a copy of the own share blames nobody");
	memcpy(w.m[2].z, zero, LEN);
	memcpy(w.m[4].z, no_point, LEN);
	memcpy(w.m[3].z, w.m[0].z, LEN);
	OK(check(&w, 1) == ZP_ERR_POINT && OPS.bad(w.m[1].run, 2) &&
		OPS.bad(w.m[1].run, 4) && bad_count(w.m[1].run, 5) == 2,
	    "of several bad shares all senders are named");
	world_free(&w);

	world_make(&w, 2);
	start_all(&w);
	memcpy(w.m[1].z, zero, LEN);
	OK(check(&w, 0) == ZP_ERR_POINT && OPS.bad(w.m[0].run, 1),
	    "with two members a neutral share names its sender");
	world_free(&w);
	world_make(&w, 2);
	start_all(&w);
	memcpy(w.m[1].z, w.m[0].z, LEN);
	OK(check(&w, 0) == ZP_ERR_EQUAL && !OPS.bad(w.m[0].run, 1),
	    "with two members a reflected share blames nobody");
	world_free(&w);
}

/* Every member but `who` gets `with` as the mix of `who`. */
static bool
spoil_mix(size_t n, size_t who, const uint8_t with[LEN], enum zp_err want)
{
	struct world w;
	bool good = true;

	world_make(&w, n);
	start_all(&w);
	mix_all(&w);
	memcpy(w.m[who].x, with, LEN);
	for (size_t i = 0; i < n; i++) {
		struct zp_group_run *run = w.m[i].run;
		struct zp_conv conv;

		if (i == who)
			continue;
		good = key(&w, i) == want &&
		    OPS.bad(run, who) == (want == ZP_ERR_POINT) &&
		    bad_count(run, n) == (want == ZP_ERR_POINT) &&
		    OPS.conv(run, &conv) == ZP_ERR_USAGE && good;
	}
	world_free(&w);
	return good;
}

static void
test_bad_mixes(void)
{
	struct world other;
	bool point = true, neutral = true, sum = true, high = true;
	uint8_t element[LEN];

	high_share(element);
	world_make(&other, 4);
	elements(&other);
	for (size_t who = 0; who < 6; who++) {
		point = spoil_mix(6, who, no_point, ZP_ERR_POINT) && point;
		neutral = spoil_mix(6, who, zero, ZP_ERR_POINT) && neutral;
		high = spoil_mix(6, who, high_neutral, ZP_ERR_POINT) &&
		    spoil_mix(6, who, element, ZP_ERR_POINT) && high;
		sum = spoil_mix(6, who, other.m[1].x, ZP_ERR_SUM) && sum;
	}
	OK(point, "a mix that is no point names its sender to everyone");
	OK(neutral, "a neutral mix names its sender to everyone");
	OK(high, "a mix with the highest bit set names its sender");
	OK(sum, "a wrong mix gives no key to anyone");
	OK(spoil_mix(3, 1, no_point, ZP_ERR_POINT) &&
		spoil_mix(3, 1, other.m[1].x, ZP_ERR_SUM),
	    "so it is with three members");
	world_free(&other);
}

static void
test_colluders(void)
{
	struct world w;
	size_t keyed = 0, right;
	bool none = true, arcs;

	world_make(&w, 6);
	start_all(&w);
	mix_all(&w);
	/* Members 1 and 4 add and take the same error. */
	need(crypto_core_ristretto255_add(w.m[1].x, w.m[1].x, w.m[0].z) == 0 &&
	    crypto_core_ristretto255_sub(w.m[4].x, w.m[4].x, w.m[0].z) == 0);
	for (size_t i = 0; i < 6; i++)
		if (i != 1 && i != 4)
			keyed += key(&w, i) == ZP_OK;
	IS(keyed, 4, "errors of two colluders that cancel pass the sum check");
	/* Those between 1 and 4, and those between 4 and 1, share a key. */
	arcs =
	    same_conv(&w, 2, 3) && same_conv(&w, 5, 0) && !same_conv(&w, 0, 2);
	OK(arcs, "but give the members between them other keys");
	for (size_t i = 0; i < 6; i++) {
		if (i == 1 || i == 4)
			continue;
		right = verify(&w, i);
		none = none && right == 1 && !OPS.confirmed(w.m[i].run);
	}
	OK(none, "so that the tags stop everyone");
	world_free(&w);
}

static void
test_neutral_key(void)
{
	struct world w;
	uint8_t k[LEN], three[LEN] = {3}, scalar[LEN];

	world_make(&w, 3);
	start_all(&w);
	mix_all(&w);
	/* X_1 = -(3 y_0 Z_2 + 2 X_0), and X_2 makes the sum neutral. */
	crypto_core_ristretto255_scalar_mul(scalar, three, w.m[2].y);
	need(crypto_scalarmult_ristretto255(k, scalar, w.m[0].z) == 0 &&
	    crypto_core_ristretto255_add(k, k, w.m[0].x) == 0 &&
	    crypto_core_ristretto255_add(k, k, w.m[0].x) == 0 &&
	    crypto_core_ristretto255_sub(w.m[1].x, zero, k) == 0 &&
	    crypto_core_ristretto255_sub(w.m[2].x, k, w.m[0].x) == 0);
	IS(key(&w, 0), ZP_ERR_NEUTRAL, "a neutral common secret is refused");
	IS(bad_count(w.m[0].run, 3), 0, "and blames nobody");
	world_free(&w);
}

static void
test_tags(void)
{
	struct world w;
	struct zp_group_run *run;
	uint8_t tag[ZP_GROUP_TAG_LEN];
	bool refused = true;

	world_make(&w, 3);
	start_all(&w);
	mix_all(&w);
	for (size_t i = 0; i < 3; i++)
		need(key(&w, i) == ZP_OK);
	run = w.m[0].run;
	for (size_t bit = 0; bit < 8 * sizeof(tag); bit++) {
		memcpy(tag, w.m[1].tag, sizeof(tag));
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused = OPS.verify(run, 1, tag) == ZP_ERR_TAG && refused;
	}
	OK(refused, "a tag with any bit flipped is refused");
	IS(OPS.verify(run, 1, w.m[2].tag), ZP_ERR_TAG,
	    "another member's tag is refused");
	IS(OPS.verify(run, 1, w.m[0].tag), ZP_ERR_TAG,
	    "the own tag, reflected, is refused");
	IS(OPS.verify(run, 0, w.m[0].tag), ZP_ERR_USAGE,
	    "nobody confirms to itself");
	for (int times = 0; times < 2; times++)
		need(OPS.verify(run, 1, w.m[1].tag) == ZP_OK);
	OK(!OPS.confirmed(run), "one member's tag twice confirms nothing");
	OK(OPS.verify(run, 2, w.m[2].tag) == ZP_OK && OPS.confirmed(run),
	    "the last missing tag does");
	world_free(&w);
}

/* ---- order of steps ----------------------------------------------------- */

static void
test_steps(void)
{
	struct world w;
	struct zp_group_run *run;
	uint8_t out[64];

	world_make(&w, 3);
	start_all(&w);
	run = w.m[0].run;
	OK(OPS.check(run) == ZP_ERR_USAGE && OPS.mix(run) == ZP_ERR_USAGE &&
		OPS.key(run) == ZP_ERR_USAGE && !OPS.own_mix(run, out) &&
		OPS.tag(run, out) == ZP_ERR_USAGE &&
		OPS.verify(run, 1, zero) == ZP_ERR_USAGE,
	    "no step can be taken before the one it needs");
	OK(OPS.put_share(run, 0, w.m[1].z) == ZP_ERR_USAGE &&
		OPS.put_share(run, 3, w.m[1].z) == ZP_ERR_USAGE &&
		OPS.put_mix(run, 0, w.m[1].z) == ZP_ERR_USAGE &&
		OPS.put_mix(run, 3, w.m[1].z) == ZP_ERR_USAGE,
	    "nobody gives us our own share, nor one for nobody");
	need(OPS.put_share(run, 1, w.m[1].z) == ZP_OK);
	OK(OPS.put_share(run, 1, w.m[1].z) == ZP_OK &&
		OPS.put_share(run, 1, w.m[2].z) == ZP_ERR_EXISTS,
	    "a member has one share, however often it says it");
	need(OPS.put_mix(run, 1, w.m[1].z) == ZP_OK);
	OK(OPS.put_mix(run, 1, w.m[2].z) == ZP_ERR_EXISTS,
	    "a member has one mix");
	world_free(&w);

	world_make(&w, 2);
	start_all(&w);
	OK(OPS.put_mix(w.m[0].run, 1, w.m[1].z) == ZP_ERR_USAGE &&
		check(&w, 0) == ZP_OK && OPS.mix(w.m[0].run) == ZP_ERR_USAGE &&
		OPS.key(w.m[0].run) == ZP_OK &&
		OPS.key(w.m[0].run) == ZP_ERR_USAGE,
	    "with two members there are no mixes, and one key");
	world_free(&w);
}

static void
refuse(struct world *w, enum zp_err want, const char *name)
{
	struct zp_group_run *run = NULL;
	uint8_t random[ZP_GROUP_RANDOM_LEN];

	memset(random, 1, sizeof(random));
	OK(OPS.start(&w->setup, random, &run) == want && run == NULL &&
		sodium_is_zero(random, sizeof(random)),
	    name);
}

static void
test_setup(void)
{
	struct world w;
	struct zp_group_run *run = NULL;
	uint8_t random[ZP_GROUP_RANDOM_LEN] = {0};

	world_make(&w, 4);
	w.setup.me = 4;
	refuse(&w, ZP_ERR_USAGE, "who is no member has no run");
	w.setup.me = 0;
	w.setup.n = 1;
	refuse(&w, ZP_ERR_USAGE, "nobody runs alone");
	w.setup.n = ZP_GROUP_MAX + 1;
	refuse(&w, ZP_ERR_USAGE, "a run has at most so many members");
	w.setup.n = 4;
	IS(OPS.start(&w.setup, random, &run), ZP_ERR_NEUTRAL,
	    "zeros in place of random bytes make no scalar");
	w.list[2].sid[3] = 1;
	w.list[2].p[6] = 0;
	refuse(&w, ZP_ERR_USAGE, "members out of order have no run");
	memcpy(&w.list[2], &w.list[1], sizeof(w.list[1]));
	w.list[2].gen++;
	refuse(&w, ZP_ERR_USAGE, "nobody is a member twice");
	world_free(&w);
	OPS.free(NULL);
}

static void
test_safety(void)
{
	uint8_t safety[ZP_CONV_SAFETY_LEN] = {0};
	char text[ZP_CONV_SAFETY_TEXT_LEN + 1];
	/* 10^30 - 1 */
	static const uint8_t nines[ZP_CONV_SAFETY_LEN] = {0, 0, 0, 0x0c, 0x9f,
	    0x2c, 0x9c, 0xd0, 0x46, 0x74, 0xed, 0xea, 0x3f, 0xff, 0xff, 0xff};

	zp_conv_safety_text(safety, text);
	OK(strcmp(text, "00000 00000 00000 00000 00000 00000") == 0,
	    "a safety number keeps its zeros");
	memset(safety, 0xff, sizeof(safety));
	zp_conv_safety_text(safety, text);
	OK(strcmp(text, "92093 84634 63374 60743 17682 11455") == 0,
	    "2^128 - 1 ends in these thirty digits");
	zp_conv_safety_text(nines, text);
	OK(strcmp(text, "99999 99999 99999 99999 99999 99999") == 0,
	    "the largest safety number is all nines");
	memcpy(safety, nines, sizeof(safety));
	memset(safety + 13, 0, 3);
	safety[12]++;
	zp_conv_safety_text(safety, text);
	OK(strcmp(text, "00000 00000 00000 00000 00000 00000") == 0,
	    "10^30 is as good as 0");
}

int
main(void)
{
	need(zp_secret_init() == ZP_OK);
	test_agreement();
	test_many();
	test_meaning();
	test_dependence();
	test_view_id();
	test_bad_shares();
	test_bad_mixes();
	test_colluders();
	test_neutral_key();
	test_tags();
	test_steps();
	test_setup();
	test_safety();
	return tap_done();
}
