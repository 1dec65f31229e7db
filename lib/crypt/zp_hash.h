#ifndef ZP_HASH_H
#define ZP_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * BLAKE2b (RFC 7693) with personalization and no salt, in one piece.
 * personal: at most 16 characters, padded with zero bytes.  key may be
 * NULL (len 0), else 1 to 64 bytes; out_len 1 to 64.
 */
void
zp_hash(uint8_t *out, size_t out_len, const uint8_t *key, size_t key_len,
    const char *personal, const void *data, size_t len);

/* The 16 bytes of a personal. */
void
zp_hash_personal(uint8_t to[static 16], const char *personal);

/*
 * A subkey as libsodium's crypto_kdf derives it: BLAKE2b with the key, the
 * number as salt, the 8 characters of context as personal.  len 16 to 64.
 */
void
zp_hash_subkey(uint8_t *out, size_t len, uint64_t number,
    const char context[static 8], const uint8_t key[static 32]);

#endif
