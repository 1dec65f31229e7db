#ifndef ZP_COMMIT_H
#define ZP_COMMIT_H

#include <sodium.h>
#include <stdint.h>

#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/*
 * The committing PRF of a record: the UtC transform (Bellare and Hoang,
 * 2022) over everything that must not be swapped,
 *
 *     ek(32) || com(32) = BLAKE2b-512(K, personal "zpinc1-record",
 *                                     RP || P || nonce)
 *
 * The state after K, RP and P is kept, so that a record costs one
 * compression.  States, and what comes of them, are secrets: they live in
 * zp_secret_new() memory only.
 */
struct zp_commit {
	crypto_generichash_blake2b_state work;
	uint8_t out[64]; /* ek, com */
};

/* The state after K (32 bytes), RP and P. */
void
zp_commit_base(crypto_generichash_blake2b_state *base,
    const uint8_t k[static 32], const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const uint8_t p[static ZP_PSEUDONYM_LEN]);

/* ek and com of one nonce, in c->out. */
void
zp_commit_nonce(struct zp_commit *c,
    const crypto_generichash_blake2b_state *base,
    const uint8_t nonce[static ZP_NONCE_LEN]);

#endif
