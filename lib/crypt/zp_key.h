#ifndef ZP_KEY_H
#define ZP_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_text.h"
#include "wire/zp_record.h"

/*
 * A channel key of the zp1 suite and what follows from it, zpinc(7):
 *
 *     salt    = BLAKE2b-256(personal "zpinc1-salt", channel)
 *     key     = scrypt(password, salt, N = 2^work, r = 8, p = 1, 32)
 *     root    = BLAKE2b-256(key, personal "zpinc1-root", channel)
 *     amac, aenc, msgkey = crypto_kdf(root, 1 / 2 / 3, "zpinc1k_")
 *
 * amac and aenc are the two halves of the paper's ckey.
 */

#define ZP_KEY_LEN 32
#define ZP_WORK_LEAST 15
#define ZP_WORK_MAX 22
#define ZP_WORK_DEFAULT 18
#define ZP_WORK_RANDOM 0 /* the key is 32 random bytes, not a password's */
#define ZP_PASSWORD_MAX 1024

struct zp_key; /* holds secrets: opaque, zp_key_free() wipes */

/*
 * From a password of 1 to ZP_PASSWORD_MAX bytes and a channel name (NUL
 * ended).  Takes 2^work * 1 KiB of memory.  ZP_ERR_PASSWORD, ZP_ERR_NAME,
 * ZP_ERR_USAGE (work), ZP_ERR_MEMORY.  The caller frees *key.
 */
ZP_CHECKED enum zp_err
zp_key_derive(struct zp_key **key, const uint8_t *password, size_t len,
    const char *channel, unsigned work);

/* A fresh random key. */
ZP_CHECKED enum zp_err
zp_key_random(struct zp_key **key, const char *channel);

/* From a key that was kept.  work as it was, or ZP_WORK_RANDOM. */
ZP_CHECKED enum zp_err
zp_key_load(struct zp_key **key, const uint8_t raw[static ZP_KEY_LEN],
    const char *channel, unsigned work);
void
zp_key_free(struct zp_key *key);

/* All valid as long as the key is. */
const uint8_t *
zp_key_raw(const struct zp_key *key); /* ZP_KEY_LEN */
const uint8_t *
zp_key_msgkey(const struct zp_key *key); /* ZP_KEY_LEN */
const uint8_t *
zp_key_amac(const struct zp_key *key); /* ZP_KEY_LEN */
const uint8_t *
zp_key_aenc(const struct zp_key *key); /* ZP_KEY_LEN */
const char *
zp_key_channel(const struct zp_key *key); /* NUL ended */
unsigned
zp_key_work(const struct zp_key *key);

/* The two topics, as bytes (ZP_PSEUDONYM_LEN) and text (ZP_TOPIC_LEN + NUL). */
const uint8_t *
zp_key_rp(const struct zp_key *key, bool live);
const char *
zp_key_topic(const struct zp_key *key, bool live);

#endif
