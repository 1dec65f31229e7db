#ifndef ZP_GROUP_H
#define ZP_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_conv.h"
#include "crypt/zp_key.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

#define ZP_GROUP_MID_LEN 16
#define ZP_GROUP_VIEW_LEN 32
#define ZP_GROUP_ELEMENT_LEN 32 /* a share Z or a mix X */
#define ZP_GROUP_TAG_LEN 32
#define ZP_GROUP_RANDOM_LEN 64 /* reduced to a scalar without bias */
#define ZP_GROUP_MAX 16384 /* members of a view */

/* One member: a session (P, sid) with an identity and a generation. */
struct zp_group_member {
	uint8_t p[ZP_PSEUDONYM_LEN];
	uint8_t sid[ZP_SID_LEN];
	uint8_t idkey[ZP_IDKEY_LEN];
	uint32_t gen;
};

/*
 * Below 0, 0 or above 0 as a comes before, is or comes after b: bytewise by
 * P || sid.  Identity and generation do not count.
 */
int
zp_group_order(
    const struct zp_group_member *a, const struct zp_group_member *b);

/* BLAKE2b-128(personal "zpinc1-member", P || sid || idkey) */
void
zp_group_mid(
    const struct zp_group_member *m, uint8_t mid[static ZP_GROUP_MID_LEN]);

/*
 * The name of a run: BLAKE2b-256(personal "zpinc1-view", RP || u16 n ||
 * (P || sid || idkey || u32 gen) of all members in order).  RP is the
 * channel's (not the live one).  `m` is in order, 1 <= n <= ZP_GROUP_MAX.
 */
void
zp_group_view_id(const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const struct zp_group_member *m, size_t n,
    uint8_t view[static ZP_GROUP_VIEW_LEN]);

/*
 * What a run is about.  Read during start() only; the run keeps its copies.
 * `m`: n members in ascending order, no two with equal P || sid,
 * 2 <= n <= ZP_GROUP_MAX; `me` is our index; `view` the view id of exactly
 * these members.
 */
struct zp_group_setup {
	uint8_t rp[ZP_PSEUDONYM_LEN];
	uint8_t view[ZP_GROUP_VIEW_LEN];
	const uint8_t *msgkey; /* ZP_KEY_LEN, the draft's PRS */
	const struct zp_group_member *m;
	size_t n, me;
};

/*
 * One run of the group key exchange, as one member computes it: CPace
 * (draft-irtf-cfrg-cpace) with two, its extension to groups by Burmester and
 * Desmedt with more.  A table of functions, so that a simulator can put in a
 * group that costs nothing.
 *
 *	start	generator, own scalar y, own share Z
 *	put_share for every other member
 *	check	all shares are there and good
 *	mix	own X; with more than two members only
 *	put_mix	for every other member; with more than two members only
 *	key	checks all X; K, ISK, the conversation's keys
 *	tag	own confirmation tag
 *	verify	for every other member
 *	conv	the conversation
 *
 * i counts members in the setup's order.  A step that is taken too early,
 * or twice where that makes no sense, returns ZP_ERR_USAGE and changes
 * nothing.  After any other failure the run is dead: what secrets it had are
 * wiped, and only bad() and free() are of use.
 *
 * Of the secrets the generator lasts until the end of start(), y until key(),
 * K, ISK and prk within key(), the confirm key and the run's copy of the
 * conversation until free().
 */
struct zp_group_run; /* each table has its own */

struct zp_group_ops {
	/*
	 * `random` is ZP_GROUP_RANDOM_LEN fresh random bytes, used for this
	 * run alone and wiped here, whatever the result.  The same bytes and
	 * setup give the same run.  ZP_ERR_MEMORY; ZP_ERR_USAGE if the setup
	 * is out of order or size; ZP_ERR_NEUTRAL if the bytes are no
	 * scalar (all zero, for instance).  On success *run is the caller's
	 * until free().
	 */
	ZP_CHECKED enum zp_err (*start)(const struct zp_group_setup *setup,
	    uint8_t random[static ZP_GROUP_RANDOM_LEN],
	    struct zp_group_run **run);

	/* Own share, own mix: copied out; false if there is none yet. */
	bool (*own_share)(const struct zp_group_run *run,
	    uint8_t z[static ZP_GROUP_ELEMENT_LEN]);
	bool (*own_mix)(const struct zp_group_run *run,
	    uint8_t x[static ZP_GROUP_ELEMENT_LEN]);

	/*
	 * Stores another member's share or mix, unchecked; i must not be
	 * ourselves.  The same value again is ZP_OK, another one for the same
	 * member ZP_ERR_EXISTS: the first stays, the run goes on.
	 */
	ZP_CHECKED enum zp_err (*put_share)(struct zp_group_run *run, size_t i,
	    const uint8_t z[static ZP_GROUP_ELEMENT_LEN]);
	ZP_CHECKED enum zp_err (*put_mix)(struct zp_group_run *run, size_t i,
	    const uint8_t x[static ZP_GROUP_ELEMENT_LEN]);

	/*
	 * ZP_ERR_POINT: a share does not decode or is neutral; bad() says
	 * whose.  ZP_ERR_EQUAL: two shares are equal, nobody can be blamed.
	 */
	ZP_CHECKED enum zp_err (*check)(struct zp_group_run *run);

	/* Makes own X, for own_mix(). */
	ZP_CHECKED enum zp_err (*mix)(struct zp_group_run *run);

	/*
	 * ZP_ERR_POINT: a mix does not decode or is neutral; bad() says
	 * whose.  ZP_ERR_SUM: the mixes do not sum to neutral.
	 * ZP_ERR_NEUTRAL: K is.  For the last two nobody can be blamed.
	 */
	ZP_CHECKED enum zp_err (*key)(struct zp_group_run *run);

	/*
	 * After ZP_ERR_POINT: whether member i sent what is no point.  It may
	 * hold for several members.
	 */
	bool (*bad)(const struct zp_group_run *run, size_t i);

	/* Own confirmation tag, after key(). */
	ZP_CHECKED enum zp_err (*tag)(const struct zp_group_run *run,
	    uint8_t tag[static ZP_GROUP_TAG_LEN]);

	/*
	 * ZP_ERR_TAG: member i's tag is wrong; who lied cannot be told.  The
	 * run lives, so that others' tags can still be looked at.
	 */
	ZP_CHECKED enum zp_err (*verify)(struct zp_group_run *run, size_t i,
	    const uint8_t tag[static ZP_GROUP_TAG_LEN]);

	/*
	 * The conversation, written to `out`, which lies in secret memory.
	 * Available from key() on, since a record may arrive sealed by who
	 * has our tag before we have theirs; until verify() held for every
	 * other member it must not be used for sealing.
	 */
	ZP_CHECKED enum zp_err (*conv)(
	    const struct zp_group_run *run, struct zp_conv *out);

	/* Every other member's tag was verified. */
	bool (*confirmed)(const struct zp_group_run *run);

	/* Wipes and frees; NULL is fine. */
	void (*free)(struct zp_group_run *run);
};

/* ristretto255 and SHA-512 by libsodium. */
extern const struct zp_group_ops zp_group_ristretto;

#endif
