#ifndef ZP_SEAL_H
#define ZP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_identity.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/*
 * Sealing records of one sender under one key, zpinc-record(5):
 *
 *     ENC = nonce || com || secretbox(ek, nonce, payload)
 */

struct zp_sealer; /* holds secrets: opaque */

/*
 * k: the record key, 32 bytes; ctx: channel, sender and key id; id: signs
 * every record, or NULL, borrowed until free.  The caller frees *s.
 */
ZP_CHECKED enum zp_err
zp_sealer_new(struct zp_sealer **s, const uint8_t k[static 32],
    const struct zp_sigctx *ctx, const struct zp_identity *id);
void
zp_sealer_free(struct zp_sealer *s);

/*
 * How many records are about to be sealed, so that their nonces are drawn
 * in one call.  0 forgets what is left: call it before every read, wait or
 * fork, so that no copy of this process repeats a nonce.
 */
void
zp_sealer_expect(struct zp_sealer *s, size_t records);

/* Does it sign its records? */
bool
zp_sealer_signs(const struct zp_sealer *s);

/* Characters of the record line for a body, newline included. */
size_t
zp_sealer_line_len(const struct zp_sealer *s, size_t body_len);

/*
 * Writes one record and a newline, zp_sealer_line_len() characters.  p's
 * SIGNED flag, idkey and sig are set here.  ZP_ERR_ENDED if seq has come to
 * its end, ZP_ERR_TOO_LONG if the record would pass ZP_RECORD_MAX,
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_sealer_line(struct zp_sealer *s, char *to, const struct zp_payload *p);

#endif
