#include "mles/zp_mles_group.h"

#include <sodium.h>
#include <string.h>

_Static_assert(crypto_core_ristretto255_BYTES == ZP_MLES_POINT_LEN, "points");
_Static_assert(
    crypto_core_ristretto255_SCALARBYTES == ZP_MLES_SCALAR_LEN, "scalars");
_Static_assert(
    crypto_core_ristretto255_NONREDUCEDSCALARBYTES == ZP_MLES_RANDOM_LEN,
    "random bytes");
_Static_assert(crypto_core_ristretto255_HASHBYTES == 64, "the map");

enum zp_err
zp_mles_group_begin(struct zp_mles_group *g, const struct zp_mles_layer *pw,
    const uint8_t sid[static ZP_MLES_SID_LEN],
    const uint8_t random[static ZP_MLES_RANDOM_LEN])
{
	uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};

	memcpy(salt, sid, ZP_MLES_SID_LEN);
	crypto_core_ristretto255_scalar_reduce(g->y, random);
	if (crypto_generichash_blake2b_salt_personal(g->wide, sizeof(g->wide),
		NULL, 0, pw->seal, sizeof(pw->seal), salt,
		(const uint8_t *)"ZpincBdDomain!v1") != 0 ||
	    crypto_core_ristretto255_from_hash(g->term, g->wide) != 0 ||
	    crypto_scalarmult_ristretto255(g->z, g->y, g->term) != 0)
		return ZP_ERR_POINT;
	sodium_memzero(g->secret, sizeof(g->secret));
	return ZP_OK;
}

bool
zp_mles_group_neutral(const uint8_t point[static ZP_MLES_POINT_LEN])
{
	return sodium_is_zero(point, ZP_MLES_POINT_LEN) == 1;
}

bool
zp_mles_group_good(const uint8_t point[static ZP_MLES_POINT_LEN])
{
	return crypto_core_ristretto255_is_valid_point(point) == 1 &&
	    !zp_mles_group_neutral(point);
}

enum zp_err
zp_mles_group_mix(struct zp_mles_group *g, struct zp_mles_ring *r)
{
	const uint8_t *next = r->z[(r->me + 1) % r->n];
	const uint8_t *prev = r->z[(r->me + r->n - 1) % r->n];
	uint8_t *x = r->x[r->me];

	if (crypto_core_ristretto255_sub(g->term, next, prev) != 0)
		return ZP_ERR_POINT;
	/* libsodium fails on a neutral result, which is honest with two. */
	if (crypto_scalarmult_ristretto255(x, g->y, g->term) != 0)
		memset(x, 0, ZP_MLES_POINT_LEN);
	sodium_memzero(g->term, sizeof(g->term));
	return ZP_OK;
}

static enum zp_err
check(const struct zp_mles_ring *r)
{
	uint8_t sum[ZP_MLES_POINT_LEN] = {0};

	for (size_t i = 0; i < r->n; i++)
		if (!zp_mles_group_good(r->z[i]) ||
		    (r->n > 2 && !zp_mles_group_good(r->x[i])))
			return ZP_ERR_POINT;
	for (size_t i = 0; i < r->n && r->n > 2; i++)
		if (crypto_core_ristretto255_add(sum, sum, r->x[i]) != 0)
			return ZP_ERR_POINT;
	return zp_mles_group_neutral(sum) ? ZP_OK : ZP_ERR_SUM;
}

/*
 * With P = y Z_{i-1}, K is the sum over j < n of P + X_i + ... + X_{i+j}, so
 * running sums need no multiplication by the coefficients.
 */
static enum zp_err
running_sums(struct zp_mles_group *g, const struct zp_mles_ring *r)
{
	const uint8_t *prev = r->z[(r->me + r->n - 1) % r->n];

	if (crypto_scalarmult_ristretto255(g->term, g->y, prev) != 0)
		return ZP_ERR_POINT;
	memset(g->sum, 0, sizeof(g->sum));
	for (size_t j = 0; j < r->n; j++) {
		if (r->n > 2 &&
		    crypto_core_ristretto255_add(
			g->term, g->term, r->x[(r->me + j) % r->n]) != 0)
			return ZP_ERR_POINT;
		if (crypto_core_ristretto255_add(g->sum, g->sum, g->term) != 0)
			return ZP_ERR_POINT;
	}
	return zp_mles_group_neutral(g->sum) ? ZP_ERR_POINT : ZP_OK;
}

enum zp_err
zp_mles_group_secret(struct zp_mles_group *g, const struct zp_mles_ring *r)
{
	enum zp_err err = check(r);

	if (!err)
		err = running_sums(g, r);
	if (!err)
		memcpy(g->secret, g->sum, sizeof(g->secret));
	sodium_memzero(g->sum, sizeof(g->sum));
	sodium_memzero(g->term, sizeof(g->term));
	return err;
}
