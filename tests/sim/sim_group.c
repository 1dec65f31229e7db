#include "sim_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_hash.h"

#define P SIM_GROUP_P
#define HEAD (ZP_PSEUDONYM_LEN + ZP_SID_LEN)

struct value {
	uint8_t e[ZP_GROUP_ELEMENT_LEN];
	bool there;
	bool bad;
};

struct zp_group_run {
	size_t n, me;
	uint8_t view[ZP_GROUP_VIEW_LEN];
	struct zp_group_member *m;
	struct value *z, *x;
	bool *good; /* tags */
	uint64_t y;
	uint64_t error; /* what an insider adds to its mix */
	bool checked, mixed, keyed;
	uint8_t digest[32]; /* of the transcript */
	uint8_t key[ZP_CONV_KEY_LEN + ZP_CONV_SAFETY_LEN + ZP_CONV_ID_LEN];
};

uint64_t
sim_group_mul(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 v = (unsigned __int128)a * b;
	uint64_t r = (uint64_t)(v & P) + (uint64_t)(v >> 61);

	return r >= P ? r - P : r;
}

uint64_t
sim_group_add(uint64_t a, uint64_t b)
{
	uint64_t r = a + b;

	return r >= P ? r - P : r;
}

static uint64_t
sub(uint64_t a, uint64_t b)
{
	return sim_group_add(a, P - b);
}

uint64_t
sim_group_get(const uint8_t e[static ZP_GROUP_ELEMENT_LEN])
{
	return zp_be64(e) % P;
}

void
sim_group_put(uint8_t e[static ZP_GROUP_ELEMENT_LEN], uint64_t v)
{
	memset(e, 0, ZP_GROUP_ELEMENT_LEN);
	zp_be64_put(e, v);
}

static bool
valid(const uint8_t *e)
{
	uint64_t v = zp_be64(e);

	for (size_t i = 8; i < ZP_GROUP_ELEMENT_LEN; i++)
		if (e[i] != 0)
			return false;
	return v > 0 && v < P;
}

static void
run_free(struct zp_group_run *r)
{
	if (r == NULL)
		return;
	free(r->m);
	free(r->z);
	free(r->x);
	free(r->good);
	free(r);
}

static enum zp_err
start(const struct zp_group_setup *setup,
    uint8_t random[static ZP_GROUP_RANDOM_LEN], struct zp_group_run **run)
{
	struct zp_group_run *r = calloc(1, sizeof(*r));

	r->n = setup->n;
	r->me = setup->me;
	memcpy(r->view, setup->view, sizeof(r->view));
	r->m = calloc(r->n, sizeof(*r->m));
	memcpy(r->m, setup->m, r->n * sizeof(*r->m));
	r->z = calloc(r->n, sizeof(*r->z));
	r->x = calloc(r->n, sizeof(*r->x));
	r->good = calloc(r->n, sizeof(*r->good));
	for (size_t i = 1; i < r->n; i++)
		if (zp_group_order(&r->m[i - 1], &r->m[i]) >= 0)
			abort();
	r->y = 1 + zp_be64(random) % (P - 1);
	memset(random, 0, ZP_GROUP_RANDOM_LEN);
	uint64_t g = 1 + zp_be64(r->view) % (P - 1);
	sim_group_put(r->z[r->me].e, sim_group_mul(r->y, g));
	r->z[r->me].there = true;
	*run = r;
	return ZP_OK;
}

static bool
own_share(const struct zp_group_run *r, uint8_t z[static ZP_GROUP_ELEMENT_LEN])
{
	memcpy(z, r->z[r->me].e, ZP_GROUP_ELEMENT_LEN);
	return true;
}

static bool
own_mix(const struct zp_group_run *r, uint8_t x[static ZP_GROUP_ELEMENT_LEN])
{
	if (!r->mixed)
		return false;
	memcpy(x, r->x[r->me].e, ZP_GROUP_ELEMENT_LEN);
	return true;
}

static enum zp_err
put(struct value *v, const uint8_t *e)
{
	if (v->there)
		return memcmp(v->e, e, sizeof(v->e)) == 0 ? ZP_OK
							  : ZP_ERR_EXISTS;
	memcpy(v->e, e, sizeof(v->e));
	v->there = true;
	return ZP_OK;
}

static enum zp_err
put_share(struct zp_group_run *r, size_t i,
    const uint8_t z[static ZP_GROUP_ELEMENT_LEN])
{
	return i == r->me ? ZP_ERR_USAGE : put(&r->z[i], z);
}

static enum zp_err
put_mix(struct zp_group_run *r, size_t i,
    const uint8_t x[static ZP_GROUP_ELEMENT_LEN])
{
	return i == r->me || !r->mixed ? ZP_ERR_USAGE : put(&r->x[i], x);
}

static enum zp_err
look(struct value *v, size_t n)
{
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < n; i++) {
		if (!v[i].there)
			return ZP_ERR_USAGE;
		v[i].bad = !valid(v[i].e);
		if (v[i].bad)
			err = ZP_ERR_POINT;
	}
	return err;
}

static enum zp_err
check(struct zp_group_run *r)
{
	enum zp_err err = look(r->z, r->n);

	if (err != ZP_OK)
		return err;
	for (size_t i = 0; i < r->n; i++)
		for (size_t j = 0; j < i; j++)
			if (memcmp(r->z[i].e, r->z[j].e, sizeof(r->z[i].e)) ==
			    0)
				return ZP_ERR_EQUAL;
	r->checked = true;
	return ZP_OK;
}

static uint64_t
share(const struct zp_group_run *r, size_t i)
{
	return sim_group_get(r->z[i % r->n].e);
}

static enum zp_err
mix(struct zp_group_run *r)
{
	if (!r->checked || r->n < 3 || r->mixed)
		return ZP_ERR_USAGE;
	r->mixed = true;
	sim_group_put(r->x[r->me].e,
	    sim_group_mul(
		r->y, sub(share(r, r->me + 1), share(r, r->me + r->n - 1))));
	sim_group_put(r->x[r->me].e,
	    sim_group_add(sim_group_get(r->x[r->me].e), r->error));
	r->x[r->me].there = true;
	return ZP_OK;
}

static void
hash_transcript(struct zp_group_run *r)
{
	const size_t each = HEAD + 2 * ZP_GROUP_ELEMENT_LEN;
	uint8_t *all = malloc(r->n * each);

	for (size_t i = 0; i < r->n; i++) {
		uint8_t *at = all + i * each;
		memcpy(at, r->m[i].p, ZP_PSEUDONYM_LEN);
		memcpy(at + ZP_PSEUDONYM_LEN, r->m[i].sid, ZP_SID_LEN);
		memcpy(at + HEAD, r->z[i].e, ZP_GROUP_ELEMENT_LEN);
		memcpy(at + HEAD + ZP_GROUP_ELEMENT_LEN, r->x[i].e,
		    ZP_GROUP_ELEMENT_LEN);
	}
	zp_hash(r->digest, sizeof(r->digest), NULL, 0, "sim transcript", all,
	    r->n * each);
	free(all);
}

static enum zp_err
key(struct zp_group_run *r)
{
	uint64_t k = 0, sum = 0;
	uint8_t in[ZP_GROUP_VIEW_LEN + 8 + 32];

	if (!r->checked || r->keyed || (r->n > 2 && !r->mixed))
		return ZP_ERR_USAGE;
	if (r->n > 2) {
		enum zp_err err = look(r->x, r->n);
		if (err != ZP_OK)
			return err;
		for (size_t j = 0; j < r->n; j++) {
			uint64_t x = sim_group_get(r->x[(r->me + j) % r->n].e);
			sum = sim_group_add(sum, x);
			k = sim_group_add(k, sim_group_mul(r->n - 1 - j, x));
		}
		if (sum != 0)
			return ZP_ERR_SUM;
	}
	k = sim_group_add(k,
	    sim_group_mul(r->n == 2 ? 1 : r->n,
		sim_group_mul(r->y, share(r, r->me + r->n - 1))));
	if (k == 0)
		return ZP_ERR_NEUTRAL;
	hash_transcript(r);
	memcpy(in, r->view, sizeof(r->view));
	zp_be64_put(in + sizeof(r->view), k);
	memcpy(in + sizeof(r->view) + 8, r->digest, sizeof(r->digest));
	zp_hash(r->key, sizeof(r->key), NULL, 0, "sim key", in, sizeof(in));
	r->keyed = true;
	return ZP_OK;
}

static bool
bad(const struct zp_group_run *r, size_t i)
{
	return r->z[i].bad || r->x[i].bad;
}

static void
tag_of(const struct zp_group_run *r, size_t i, uint8_t *tag)
{
	uint8_t in[ZP_GROUP_VIEW_LEN + ZP_GROUP_MID_LEN + 32];

	memcpy(in, r->view, sizeof(r->view));
	zp_group_mid(&r->m[i], in + ZP_GROUP_VIEW_LEN);
	memcpy(in + ZP_GROUP_VIEW_LEN + ZP_GROUP_MID_LEN, r->digest,
	    sizeof(r->digest));
	zp_hash(tag, ZP_GROUP_TAG_LEN, r->key, sizeof(r->key), "sim tag", in,
	    sizeof(in));
}

static enum zp_err
tag(const struct zp_group_run *r, uint8_t t[static ZP_GROUP_TAG_LEN])
{
	if (!r->keyed)
		return ZP_ERR_USAGE;
	tag_of(r, r->me, t);
	return ZP_OK;
}

static enum zp_err
verify(
    struct zp_group_run *r, size_t i, const uint8_t t[static ZP_GROUP_TAG_LEN])
{
	uint8_t want[ZP_GROUP_TAG_LEN];

	if (!r->keyed || i == r->me)
		return ZP_ERR_USAGE;
	tag_of(r, i, want);
	r->good[i] = memcmp(t, want, sizeof(want)) == 0;
	return r->good[i] ? ZP_OK : ZP_ERR_TAG;
}

static enum zp_err
conv(const struct zp_group_run *r, struct zp_conv *out)
{
	if (!r->keyed)
		return ZP_ERR_USAGE;
	memcpy(out->key, r->key, sizeof(out->key));
	memcpy(out->safety, r->key + 32, sizeof(out->safety));
	memcpy(out->id, r->key + 48, sizeof(out->id));
	return ZP_OK;
}

static bool
confirmed(const struct zp_group_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (i != r->me && !r->good[i])
			return false;
	return r->keyed;
}

/* One value for a view, so that nothing contradicts it. */
uint64_t
sim_group_error(const uint8_t view[static ZP_GROUP_VIEW_LEN])
{
	return 1 + zp_be64(view) % (P - 1);
}

static enum zp_err
start_plus(const struct zp_group_setup *setup,
    uint8_t random[static ZP_GROUP_RANDOM_LEN], struct zp_group_run **run)
{
	enum zp_err err = start(setup, random, run);

	(*run)->error = sim_group_error(setup->view);
	return err;
}

static enum zp_err
start_minus(const struct zp_group_setup *setup,
    uint8_t random[static ZP_GROUP_RANDOM_LEN], struct zp_group_run **run)
{
	enum zp_err err = start(setup, random, run);

	(*run)->error = P - sim_group_error(setup->view);
	return err;
}

/* clang-format off */
#define OPS(begin) \
	{ \
		.start = begin, \
		.own_share = own_share, \
		.own_mix = own_mix, \
		.put_share = put_share, \
		.put_mix = put_mix, \
		.check = check, \
		.mix = mix, \
		.key = key, \
		.bad = bad, \
		.tag = tag, \
		.verify = verify, \
		.conv = conv, \
		.confirmed = confirmed, \
		.free = run_free \
	}
/* clang-format on */

const struct zp_group_ops sim_group = OPS(start);
const struct zp_group_ops sim_group_plus = OPS(start_plus);
const struct zp_group_ops sim_group_minus = OPS(start_minus);
