#ifndef ZP_MLES_GROUP_H
#define ZP_MLES_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_key.h"

/*
 * The arithmetic of the MlesTalk handshake: Burmester and Desmedt over
 * ristretto255 (RFC 9496) from a generator that the password and the sid
 * determine.  Indices go round the ring of members, in zp_mles_text_order().
 *
 *     G   = map(BLAKE2b-512(key = seal, salt = sid, "ZpincBdDomain!v1"))
 *     Z_i = y_i G                                 share
 *     X_i = y_i (Z_{i+1} - Z_{i-1})               mix; neutral with two
 *     K   = n y_i Z_{i-1} + n X_i + (n-1) X_{i+1} + ... + X_{i+n-1}
 *
 * The neutral element is refused wherever an honest member cannot send it.
 */

#define ZP_MLES_SCALAR_LEN 32
#define ZP_MLES_RANDOM_LEN 64 /* reduced to a scalar without bias */
#define ZP_MLES_MEMBERS_MAX 64

/* Holds scalars on their way: secret memory, wiped after each use. */
struct zp_mles_group {
	uint8_t wide[64];
	uint8_t y[ZP_MLES_SCALAR_LEN];
	uint8_t sum[ZP_MLES_POINT_LEN], term[ZP_MLES_POINT_LEN];
	uint8_t secret[ZP_MLES_POINT_LEN]; /* K */
	uint8_t z[ZP_MLES_POINT_LEN]; /* own share */
};

/* All members' points, in order; we are `me`.  2 <= n. */
struct zp_mles_ring {
	size_t n, me;
	uint8_t z[ZP_MLES_MEMBERS_MAX][ZP_MLES_POINT_LEN];
	uint8_t x[ZP_MLES_MEMBERS_MAX][ZP_MLES_POINT_LEN];
};

/*
 * A new y and Z.  ZP_ERR_POINT if y came out as zero, which only broken
 * random bytes do.
 */
ZP_CHECKED enum zp_err
zp_mles_group_begin(struct zp_mles_group *g, const struct zp_mles_layer *pw,
    const uint8_t sid[static ZP_MLES_SID_LEN],
    const uint8_t random[static ZP_MLES_RANDOM_LEN]);

/* A share or, with more than two members, a mix that may be used. */
bool
zp_mles_group_good(const uint8_t point[static ZP_MLES_POINT_LEN]);
bool
zp_mles_group_neutral(const uint8_t point[static ZP_MLES_POINT_LEN]);

/*
 * Own mix, from the shares of the two neighbours, into r->x[r->me]; zeros
 * if it is neutral.  ZP_ERR_POINT: a share is none.
 */
ZP_CHECKED enum zp_err
zp_mles_group_mix(struct zp_mles_group *g, struct zp_mles_ring *r);

/*
 * g->secret, from all shares and mixes.  With two, mixes are not looked at.
 * ZP_ERR_POINT: a share, mix or K is none or neutral; ZP_ERR_SUM: the mixes
 * do not sum to neutral.
 */
ZP_CHECKED enum zp_err
zp_mles_group_secret(struct zp_mles_group *g, const struct zp_mles_ring *r);

#endif
