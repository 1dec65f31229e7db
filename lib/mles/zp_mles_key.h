#ifndef ZP_MLES_KEY_H
#define ZP_MLES_KEY_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_text.h"

/*
 * A channel key of the MlesTalk suite, zpinc-mles(7).  With
 * B(n, key, data) for BLAKE2b of n bytes, salt "ZpincSaltDomain1", personal
 * "ZpincAppDomainv1":
 *
 *     salt = B(32, first 32 bytes of the password, password || channel)
 *     raw  = scrypt(password, salt, N = 2^15, r = 8, p = 1, 32)
 *     KDF(k, info): B(32, k, "") keys a plain BLAKE2b-256 of info || 1
 *     mac  = KDF(B(32, none, raw), "Zpinc-WebWorkerChannelDom!v1")
 *     seal = KDF(raw, "Zpinc-WebWorkerEncryptDom!v1")
 *
 * Names are boxed under keys and nonces made from mac alone, so all uids of
 * a channel share one keystream: a weakness of the format.
 */

#define ZP_MLES_KEY_LEN 32
#define ZP_MLES_WORK 15 /* log2 N of the scrypt: no choice in this format */
#define ZP_MLES_BOX_MAX (ZP_MLES_NAME_MAX + 16)
#define ZP_MLES_PASSWORD_MAX 4096 /* bytes as hashed, so encoded */

/*
 * What one layer's frames are authenticated and sealed with.  There are up
 * to three: the password's, the conversation's, the previous
 * conversation's.  Lies in secret memory only.
 */
struct zp_mles_layer {
	uint8_t mac[ZP_MLES_KEY_LEN]; /* the prototype's channel key */
	uint8_t seal[ZP_MLES_KEY_LEN]; /* its message key */
	crypto_generichash_blake2b_state hash; /* scratch of whoever uses it */
};

/* An encrypted name as it stands on the wire, before base64. */
struct zp_mles_box {
	uint16_t len;
	uint8_t bytes[ZP_MLES_BOX_MAX];
};

struct zp_mles_key; /* holds secrets: opaque, zp_mles_key_free() wipes */

/*
 * From password and channel as bytes that enter the hashes.  32 MiB, about
 * 0.1 s.  ZP_ERR_PASSWORD (longer than ZP_MLES_PASSWORD_MAX; empty is the
 * caller's question, the format allows it), ZP_ERR_NAME, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_key_derive_raw(struct zp_mles_key **key, const uint8_t *password,
    size_t len, const uint8_t *channel, size_t channel_len);

/* The same from what the user typed, encoded as the app encodes it. */
ZP_CHECKED enum zp_err
zp_mles_key_derive(struct zp_mles_key **key, const uint8_t *password,
    size_t len, const char *channel);

/* From a raw key that was kept, and the channel as typed. */
ZP_CHECKED enum zp_err
zp_mles_key_load(struct zp_mles_key **key,
    const uint8_t raw[static ZP_MLES_KEY_LEN], const char *channel);
void
zp_mles_key_free(struct zp_mles_key *key);

/* All valid as long as the key is. */
const uint8_t *
zp_mles_key_raw(const struct zp_mles_key *key); /* ZP_MLES_KEY_LEN */
struct zp_mles_layer *
zp_mles_key_layer(struct zp_mles_key *key);
const struct zp_mles_box *
zp_mles_key_rp(const struct zp_mles_key *key); /* the channel's box */

/* A uid as it stands on the wire; the same in every session. */
void
zp_mles_key_box(const struct zp_mles_key *key, struct zp_mles_box *box,
    const struct zp_mles_name *name);

/* ZP_ERR_FORGED if it was not made with this key; ZP_ERR_TOO_LONG. */
ZP_CHECKED enum zp_err
zp_mles_key_unbox(const struct zp_mles_key *key, struct zp_mles_name *name,
    const uint8_t *box, size_t len);

/* The layer that a group secret yields under the password's. */
void
zp_mles_key_conversation(struct zp_mles_layer *conv,
    const struct zp_mles_layer *password,
    const uint8_t secret[static ZP_MLES_KEY_LEN]);

#endif
