#include "crypt/zp_hash.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(crypto_generichash_blake2b_PERSONALBYTES == 16, "personal");
_Static_assert(crypto_kdf_CONTEXTBYTES == 8, "context");
_Static_assert(crypto_kdf_KEYBYTES == 32, "kdf key");

void
zp_hash_personal(uint8_t to[static 16], const char *personal)
{
	memset(to, 0, 16);
	memcpy(to, personal, strnlen(personal, 16));
}

void
zp_hash(uint8_t *out, size_t out_len, const uint8_t *key, size_t key_len,
    const char *personal, const void *data, size_t len)
{
	uint8_t pers[16];

	zp_hash_personal(pers, personal);
	/* It fails only for lengths that no caller has: a broken build. */
	if (crypto_generichash_blake2b_salt_personal(
		out, out_len, data, len, key, key_len, NULL, pers) != 0)
		abort();
}

void
zp_hash_subkey(uint8_t *out, size_t len, uint64_t number,
    const char context[static 8], const uint8_t key[static 32])
{
	if (crypto_kdf_derive_from_key(out, len, number, context, key) != 0)
		abort();
}
