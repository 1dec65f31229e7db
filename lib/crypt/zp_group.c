#include "crypt/zp_group.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_cpace.h"
#include "crypt/zp_hash.h"
#include "crypt/zp_secret.h"

_Static_assert(ZP_GROUP_ELEMENT_LEN == ZP_CPACE_ELEMENT_LEN, "elements");
_Static_assert(
    ZP_GROUP_RANDOM_LEN == crypto_core_ristretto255_NONREDUCEDSCALARBYTES,
    "wide enough for a scalar without bias");
_Static_assert(ZP_CONV_ISK_LEN == ZP_CPACE_HASH_LEN, "the ISK is a hash");
_Static_assert(ZP_CONV_VIEW_LEN == ZP_GROUP_VIEW_LEN, "view ids");
_Static_assert(ZP_GROUP_MAX <= UINT16_MAX, "n travels as u16");

/* The ISK's domain with more than two members; with two it is the draft's. */
#define DSI_GROUP "ZpincBDRistretto255"

/* What libsodium may leave on the stack below us, generously. */
#define STACK_LEN 8192

enum phase { STARTED, CHECKED, MIXED, KEYED, DEAD };

struct slot {
	uint8_t p[ZP_PSEUDONYM_LEN], sid[ZP_SID_LEN];
	uint8_t mid[ZP_GROUP_MID_LEN];
	uint8_t z[ZP_GROUP_ELEMENT_LEN], x[ZP_GROUP_ELEMENT_LEN];
	bool has_z, has_x, bad, verified;
};

/* Everything that must not survive, in one piece of secret memory. */
struct secrets {
	crypto_hash_sha512_state hash;
	uint8_t y[ZP_CPACE_SCALAR_LEN], ny[ZP_CPACE_SCALAR_LEN];
	uint8_t g[ZP_GROUP_ELEMENT_LEN];
	uint8_t k[ZP_GROUP_ELEMENT_LEN];
	uint8_t wide[ZP_CPACE_HASH_LEN]; /* the generator's hash, then ISK */
	uint8_t confirm[ZP_CONV_KEY_LEN];
	uint8_t tag[ZP_GROUP_TAG_LEN];
	struct zp_conv conv;
};

struct zp_group_run {
	struct secrets *s;
	enum phase phase;
	size_t n, me, verified;
	uint8_t view[ZP_GROUP_VIEW_LEN];
	uint8_t transcript[ZP_CPACE_HASH_LEN]; /* its hash, after key() */
	const uint8_t **order; /* room to sort the shares in */
	struct slot slot[];
};

int
zp_group_order(const struct zp_group_member *a, const struct zp_group_member *b)
{
	int order = memcmp(a->p, b->p, sizeof(a->p));

	return order != 0 ? order : memcmp(a->sid, b->sid, sizeof(a->sid));
}

void
zp_group_mid(
    const struct zp_group_member *m, uint8_t mid[static ZP_GROUP_MID_LEN])
{
	uint8_t in[ZP_PSEUDONYM_LEN + ZP_SID_LEN + ZP_IDKEY_LEN], *at = in;

	memcpy(at, m->p, ZP_PSEUDONYM_LEN);
	memcpy(at += ZP_PSEUDONYM_LEN, m->sid, ZP_SID_LEN);
	memcpy(at + ZP_SID_LEN, m->idkey, ZP_IDKEY_LEN);
	zp_hash(
	    mid, ZP_GROUP_MID_LEN, NULL, 0, "zpinc1-member", in, sizeof(in));
}

void
zp_group_view_id(const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const struct zp_group_member *m, size_t n,
    uint8_t view[static ZP_GROUP_VIEW_LEN])
{
	crypto_generichash_blake2b_state h;
	uint8_t personal[16], number[4];

	zp_hash_personal(personal, "zpinc1-view");
	crypto_generichash_blake2b_init_salt_personal(
	    &h, NULL, 0, ZP_GROUP_VIEW_LEN, NULL, personal);
	crypto_generichash_blake2b_update(&h, rp, ZP_PSEUDONYM_LEN);
	zp_be16_put(number, (uint16_t)n);
	crypto_generichash_blake2b_update(&h, number, 2);
	for (size_t i = 0; i < n; i++) {
		crypto_generichash_blake2b_update(&h, m[i].p, sizeof(m[i].p));
		crypto_generichash_blake2b_update(
		    &h, m[i].sid, sizeof(m[i].sid));
		crypto_generichash_blake2b_update(
		    &h, m[i].idkey, sizeof(m[i].idkey));
		zp_be32_put(number, m[i].gen);
		crypto_generichash_blake2b_update(&h, number, 4);
	}
	crypto_generichash_blake2b_final(&h, view, ZP_GROUP_VIEW_LEN);
}

/* ---- a run's memory ----------------------------------------------------- */

static void
group_free(struct zp_group_run *run)
{
	if (run == NULL)
		return;
	zp_secret_free(run->s);
	sodium_stackzero(STACK_LEN);
	free(run->order);
	free(run);
}

static enum zp_err
dead(struct zp_group_run *run, enum zp_err err)
{
	zp_secret_wipe(run->s, sizeof(*run->s));
	run->phase = DEAD;
	return err;
}

static bool
setup_good(const struct zp_group_setup *setup)
{
	if (setup->n < 2 || setup->n > ZP_GROUP_MAX || setup->me >= setup->n)
		return false;
	for (size_t i = 1; i < setup->n; i++)
		if (zp_group_order(&setup->m[i - 1], &setup->m[i]) >= 0)
			return false;
	return true;
}

static struct zp_group_run *
run_new(const struct zp_group_setup *setup)
{
	size_t n = setup->n;
	struct zp_group_run *run =
	    calloc(1, sizeof(*run) + n * sizeof(run->slot[0]));

	if (run == NULL)
		return NULL;
	run->s = zp_secret_new(sizeof(*run->s));
	run->order = calloc(n, sizeof(*run->order));
	if (run->s == NULL || run->order == NULL) {
		group_free(run);
		return NULL;
	}
	run->n = n;
	run->me = setup->me;
	memcpy(run->view, setup->view, sizeof(run->view));
	for (size_t i = 0; i < n; i++) {
		memcpy(run->slot[i].p, setup->m[i].p, ZP_PSEUDONYM_LEN);
		memcpy(run->slot[i].sid, setup->m[i].sid, ZP_SID_LEN);
		zp_group_mid(&setup->m[i], run->slot[i].mid);
	}
	return run;
}

/* ---- shares ------------------------------------------------------------- */

/* CI = lv_cat(RP, P_0, sid_0, ...), sid = view id */
static void
generator(struct zp_group_run *run, const struct zp_group_setup *setup)
{
	struct secrets *s = run->s;
	size_t each =
	    zp_cpace_lv_size(ZP_PSEUDONYM_LEN) + zp_cpace_lv_size(ZP_SID_LEN);

	zp_cpace_generator_begin(&s->hash, setup->msgkey, ZP_KEY_LEN,
	    zp_cpace_lv_size(ZP_PSEUDONYM_LEN) + run->n * each);
	zp_cpace_lv(&s->hash, setup->rp, ZP_PSEUDONYM_LEN);
	for (size_t i = 0; i < run->n; i++) {
		zp_cpace_lv(&s->hash, run->slot[i].p, ZP_PSEUDONYM_LEN);
		zp_cpace_lv(&s->hash, run->slot[i].sid, ZP_SID_LEN);
	}
	zp_cpace_generator_end(
	    &s->hash, run->view, sizeof(run->view), s->wide, s->g);
}

static enum zp_err
group_start(const struct zp_group_setup *setup,
    uint8_t random[static ZP_GROUP_RANDOM_LEN], struct zp_group_run **out)
{
	enum zp_err err = ZP_ERR_USAGE;
	struct zp_group_run *run = NULL;
	struct slot *own;

	if (!setup_good(setup))
		goto out;
	err = ZP_ERR_MEMORY;
	run = run_new(setup);
	if (run == NULL)
		goto out;
	generator(run, setup);
	crypto_core_ristretto255_scalar_reduce(run->s->y, random);
	own = &run->slot[run->me];
	/* Fails for y = 0, that is for no random bytes at all. */
	err = ZP_ERR_NEUTRAL;
	if (zp_cpace_mult(own->z, run->s->y, run->s->g) != ZP_OK)
		goto out;
	err = ZP_OK;
	own->has_z = true;
	zp_secret_wipe(run->s->g, sizeof(run->s->g));
	zp_secret_wipe(run->s->wide, sizeof(run->s->wide));
	*out = run;
	run = NULL;
out:
	group_free(run);
	zp_secret_wipe(random, ZP_GROUP_RANDOM_LEN);
	sodium_stackzero(STACK_LEN);
	return err;
}

static bool
group_own_share(
    const struct zp_group_run *run, uint8_t z[static ZP_GROUP_ELEMENT_LEN])
{
	memcpy(z, run->slot[run->me].z, ZP_GROUP_ELEMENT_LEN);
	return true;
}

static bool
group_own_mix(
    const struct zp_group_run *run, uint8_t x[static ZP_GROUP_ELEMENT_LEN])
{
	const struct slot *own = &run->slot[run->me];

	if (own->has_x)
		memcpy(x, own->x, ZP_GROUP_ELEMENT_LEN);
	return own->has_x;
}

static enum zp_err
put(uint8_t to[static ZP_GROUP_ELEMENT_LEN], bool *has,
    const uint8_t from[static ZP_GROUP_ELEMENT_LEN])
{
	if (*has)
		return memcmp(to, from, ZP_GROUP_ELEMENT_LEN) == 0
		    ? ZP_OK
		    : ZP_ERR_EXISTS;
	memcpy(to, from, ZP_GROUP_ELEMENT_LEN);
	*has = true;
	return ZP_OK;
}

static enum zp_err
group_put_share(struct zp_group_run *run, size_t i,
    const uint8_t z[static ZP_GROUP_ELEMENT_LEN])
{
	if (run->phase != STARTED || i >= run->n || i == run->me)
		return ZP_ERR_USAGE;
	return put(run->slot[i].z, &run->slot[i].has_z, z);
}

static enum zp_err
group_put_mix(struct zp_group_run *run, size_t i,
    const uint8_t x[static ZP_GROUP_ELEMENT_LEN])
{
	if (run->phase >= KEYED || run->n == 2 || i >= run->n || i == run->me)
		return ZP_ERR_USAGE;
	return put(run->slot[i].x, &run->slot[i].has_x, x);
}

static int
share_order(const void *a, const void *b)
{
	return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b,
	    ZP_GROUP_ELEMENT_LEN);
}

static enum zp_err
group_check(struct zp_group_run *run)
{
	bool good = true;

	if (run->phase != STARTED)
		return ZP_ERR_USAGE;
	for (size_t i = 0; i < run->n; i++)
		if (!run->slot[i].has_z)
			return ZP_ERR_USAGE;
	for (size_t i = 0; i < run->n; i++) {
		run->slot[i].bad = !zp_cpace_valid(run->slot[i].z);
		good = good && !run->slot[i].bad;
		run->order[i] = run->slot[i].z;
	}
	if (!good)
		return dead(run, ZP_ERR_POINT);
	qsort(run->order, run->n, sizeof(*run->order), share_order);
	for (size_t i = 1; i < run->n; i++)
		if (share_order(&run->order[i - 1], &run->order[i]) == 0)
			return dead(run, ZP_ERR_EQUAL);
	run->phase = CHECKED;
	return ZP_OK;
}

/* ---- mixes and the key -------------------------------------------------- */

/* The member k places after us, 0 <= k <= n. */
static struct slot *
after(struct zp_group_run *run, size_t k)
{
	return &run->slot[(run->me + k) % run->n];
}

/* X_i = y_i (Z_{i+1} - Z_{i-1}) */
static enum zp_err
group_mix(struct zp_group_run *run)
{
	struct slot *own = &run->slot[run->me];
	uint8_t *difference = run->s->k;

	if (run->phase != CHECKED || run->n == 2)
		return ZP_ERR_USAGE;
	if (crypto_core_ristretto255_sub(
		difference, after(run, 1)->z, after(run, run->n - 1)->z) != 0 ||
	    zp_cpace_mult(own->x, run->s->y, difference) != ZP_OK)
		return dead(run, ZP_ERR_NEUTRAL);
	own->has_x = true;
	run->phase = MIXED;
	sodium_stackzero(STACK_LEN);
	return ZP_OK;
}

static enum zp_err
bad_mixes(struct zp_group_run *run)
{
	for (size_t i = 0; i < run->n; i++)
		run->slot[i].bad = !zp_cpace_valid(run->slot[i].x);
	return dead(run, ZP_ERR_POINT);
}

/*
 * (n-1) X_i + (n-2) X_{i+1} + ... + X_{i+n-2} as the sum of the running sums
 * of X_i, X_{i+1}, ...: two additions a member, and the last running sum
 * lacks X_{i-1} alone, which makes the sum check one more.  Both together
 * cannot be had for fewer: the pairs (1, weight) of all members differ, so
 * that each takes an addition for either result.  Nor is a mix decoded for
 * its own sake, since adding it does so.
 */
static enum zp_err
sum_mixes(struct zp_group_run *run, uint8_t total[static ZP_GROUP_ELEMENT_LEN])
{
	uint8_t sum[ZP_GROUP_ELEMENT_LEN];
	size_t n = run->n;

	memcpy(sum, after(run, 0)->x, sizeof(sum));
	memcpy(total, sum, sizeof(sum));
	for (size_t k = 1; k < n; k++) {
		const uint8_t *x = after(run, k)->x;

		if (!zp_cpace_plausible(x) ||
		    crypto_core_ristretto255_add(sum, sum, x) != 0)
			return bad_mixes(run);
		if (k < n - 1 &&
		    crypto_core_ristretto255_add(total, total, sum) != 0)
			return bad_mixes(run);
	}
	if (!sodium_is_zero(sum, sizeof(sum)))
		return dead(run, ZP_ERR_SUM);
	return ZP_OK;
}

/* K = n y_i Z_{i-1} + what the mixes give */
static enum zp_err
group_secret(struct zp_group_run *run)
{
	struct secrets *s = run->s;
	uint8_t total[ZP_GROUP_ELEMENT_LEN], n[ZP_CPACE_SCALAR_LEN] = {0};
	enum zp_err err = sum_mixes(run, total);

	if (err != ZP_OK)
		return err;
	n[0] = (uint8_t)run->n;
	n[1] = (uint8_t)(run->n >> 8);
	crypto_core_ristretto255_scalar_mul(s->ny, s->y, n);
	if (zp_cpace_mult(s->k, s->ny, after(run, run->n - 1)->z) != ZP_OK ||
	    crypto_core_ristretto255_add(s->k, s->k, total) != 0 ||
	    sodium_is_zero(s->k, sizeof(s->k)))
		return dead(run, ZP_ERR_NEUTRAL);
	return ZP_OK;
}

static void
transcript(const struct zp_group_run *run, crypto_hash_sha512_state *h)
{
	const struct slot *a = &run->slot[0], *b = &run->slot[1];

	if (run->n == 2) {
		uint8_t ad[2][ZP_PSEUDONYM_LEN + ZP_SID_LEN];

		memcpy(ad[0], a->p, ZP_PSEUDONYM_LEN);
		memcpy(ad[0] + ZP_PSEUDONYM_LEN, a->sid, ZP_SID_LEN);
		memcpy(ad[1], b->p, ZP_PSEUDONYM_LEN);
		memcpy(ad[1] + ZP_PSEUDONYM_LEN, b->sid, ZP_SID_LEN);
		zp_cpace_transcript_oc(
		    h, a->z, ad[0], sizeof(ad[0]), b->z, ad[1], sizeof(ad[1]));
		return;
	}
	for (; a < run->slot + run->n; a++) {
		zp_cpace_lv(h, a->p, ZP_PSEUDONYM_LEN);
		zp_cpace_lv(h, a->sid, ZP_SID_LEN);
		zp_cpace_lv(h, a->z, ZP_GROUP_ELEMENT_LEN);
		zp_cpace_lv(h, a->x, ZP_GROUP_ELEMENT_LEN);
	}
}

/* From K to the conversation; wipes everything before it. */
static void
derive(struct zp_group_run *run)
{
	struct secrets *s = run->s;

	zp_secret_wipe(s->y, sizeof(s->y));
	zp_secret_wipe(s->ny, sizeof(s->ny));
	zp_cpace_isk_begin(&s->hash, run->n == 2 ? ZP_CPACE_DSI : DSI_GROUP,
	    run->view, sizeof(run->view), s->k);
	zp_secret_wipe(s->k, sizeof(s->k));
	transcript(run, &s->hash);
	crypto_hash_sha512_final(&s->hash, s->wide);

	crypto_hash_sha512_init(&s->hash);
	transcript(run, &s->hash);
	crypto_hash_sha512_final(&s->hash, run->transcript);

	zp_conv_derive(s->wide, run->view, &s->conv, s->confirm);
	zp_secret_wipe(&s->hash, sizeof(s->hash));
}

static enum zp_err
group_key(struct zp_group_run *run)
{
	enum zp_err err;

	if (run->phase != (run->n == 2 ? CHECKED : MIXED))
		return ZP_ERR_USAGE;
	for (size_t i = 0; run->n > 2 && i < run->n; i++)
		if (!run->slot[i].has_x)
			return ZP_ERR_USAGE;
	if (run->n > 2)
		err = group_secret(run);
	else if (zp_cpace_mult(run->s->k, run->s->y, after(run, 1)->z) == ZP_OK)
		err = ZP_OK;
	else
		err = dead(run, ZP_ERR_NEUTRAL);
	if (err == ZP_OK) {
		derive(run);
		run->phase = KEYED;
	}
	sodium_stackzero(STACK_LEN);
	return err;
}

static bool
group_bad(const struct zp_group_run *run, size_t i)
{
	return i < run->n && run->slot[i].bad;
}

/* ---- confirmation ------------------------------------------------------- */

/* BLAKE2b-256(confirm key, view id || mid_i || SHA-512(transcript)) */
static void
make_tag(const struct zp_group_run *run, size_t i,
    uint8_t tag[static ZP_GROUP_TAG_LEN])
{
	uint8_t in[ZP_GROUP_VIEW_LEN + ZP_GROUP_MID_LEN + ZP_CPACE_HASH_LEN];
	uint8_t *at = in;

	memcpy(at, run->view, ZP_GROUP_VIEW_LEN);
	memcpy(at += ZP_GROUP_VIEW_LEN, run->slot[i].mid, ZP_GROUP_MID_LEN);
	memcpy(at + ZP_GROUP_MID_LEN, run->transcript, ZP_CPACE_HASH_LEN);
	zp_hash(tag, ZP_GROUP_TAG_LEN, run->s->confirm, sizeof(run->s->confirm),
	    "zpinc1-confirm", in, sizeof(in));
}

static enum zp_err
group_tag(const struct zp_group_run *run, uint8_t tag[static ZP_GROUP_TAG_LEN])
{
	if (run->phase != KEYED)
		return ZP_ERR_USAGE;
	make_tag(run, run->me, tag);
	return ZP_OK;
}

static enum zp_err
group_verify(struct zp_group_run *run, size_t i,
    const uint8_t tag[static ZP_GROUP_TAG_LEN])
{
	struct secrets *s = run->s;

	if (run->phase != KEYED || i >= run->n || i == run->me)
		return ZP_ERR_USAGE;
	make_tag(run, i, s->tag);
	if (sodium_memcmp(s->tag, tag, ZP_GROUP_TAG_LEN) != 0) {
		/* What it should have been stays here. */
		zp_secret_wipe(s->tag, sizeof(s->tag));
		return ZP_ERR_TAG;
	}
	if (!run->slot[i].verified)
		run->verified++;
	run->slot[i].verified = true;
	return ZP_OK;
}

static enum zp_err
group_conv(const struct zp_group_run *run, struct zp_conv *out)
{
	if (run->phase != KEYED)
		return ZP_ERR_USAGE;
	*out = run->s->conv;
	return ZP_OK;
}

static bool
group_confirmed(const struct zp_group_run *run)
{
	return run->verified == run->n - 1;
}

const struct zp_group_ops zp_group_ristretto = {
    .start = group_start,
    .own_share = group_own_share,
    .own_mix = group_own_mix,
    .put_share = group_put_share,
    .put_mix = group_put_mix,
    .check = group_check,
    .mix = group_mix,
    .key = group_key,
    .bad = group_bad,
    .tag = group_tag,
    .verify = group_verify,
    .conv = group_conv,
    .confirmed = group_confirmed,
    .free = group_free,
};
