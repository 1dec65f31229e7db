#ifndef ZP_IDENTITY_H
#define ZP_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/*
 * A user's identity: an Ed25519 key (RFC 8032).  It signs every record:
 *
 *     sig = Ed25519(idkey, "zpinc1 signature" || RP || P || keyid || idkey
 *                          || header as sent || body)
 *
 * so that a signed body cannot be moved to another channel, sender,
 * conversation, place or length.
 */

#define ZP_SEED_LEN 32
#define ZP_KEYID_LEN 16

struct zp_identity; /* holds a secret key: opaque */

ZP_CHECKED enum zp_err
zp_identity_new(struct zp_identity **id);
ZP_CHECKED enum zp_err
zp_identity_load(
    struct zp_identity **id, const uint8_t seed[static ZP_SEED_LEN]);
void
zp_identity_free(struct zp_identity *id);

/* Valid as long as the identity is. */
const uint8_t *
zp_identity_seed(const struct zp_identity *id);
const uint8_t *
zp_identity_public(const struct zp_identity *id);

/* What a signature is bound to beside the payload. */
struct zp_sigctx {
	uint8_t rp[ZP_PSEUDONYM_LEN], p[ZP_PSEUDONYM_LEN];
	uint8_t keyid[ZP_KEYID_LEN]; /* zero under msgkey */
};

/* Bytes that are signed for a body of this length. */
#define ZP_SIGNED_LEN(body_len)                                    \
	(16 + 2 * ZP_PSEUDONYM_LEN + ZP_KEYID_LEN + ZP_IDKEY_LEN + \
	    ZP_HEADER_LEN + (body_len))

/*
 * Signs or verifies payload p (header fields and body; for verifying its
 * idkey and sig too).  scratch: ZP_SIGNED_LEN(p->body_len) bytes of the
 * caller's.  Verifying: ZP_ERR_SIGNATURE.
 */
void
zp_identity_sign(const struct zp_identity *id, uint8_t sig[static ZP_SIG_LEN],
    const struct zp_sigctx *ctx, const struct zp_payload *p, uint8_t *scratch);
ZP_CHECKED enum zp_err
zp_identity_verify(
    const struct zp_sigctx *ctx, const struct zp_payload *p, uint8_t *scratch);

#endif
