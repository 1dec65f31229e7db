#include "crypt/zp_pseudo.h"

#include <sodium.h>
#include <string.h>

#include "crypt/zp_hash.h"
#include "crypt/zp_key.h"

#define IV_LEN 16

_Static_assert(IV_LEN + ZP_NAME_MAX == ZP_PSEUDONYM_LEN, "a pseudonym");
_Static_assert(crypto_stream_xsalsa20_KEYBYTES == ZP_KEY_LEN, "aenc");
_Static_assert(crypto_stream_xsalsa20_NONCEBYTES >= IV_LEN, "nonce");

static const char *
personal(enum zp_pseudo_use use)
{
	switch (use) {
	case ZP_PSEUDO_CHAN:
		return "zpinc1-chan";
	case ZP_PSEUDO_LIVE:
		return "zpinc1-live";
	case ZP_PSEUDO_USER:
		return "zpinc1-user";
	}
	return "";
}

/* Encrypts or decrypts the padded name under its iv. */
static void
crypt_name(uint8_t to[static ZP_NAME_MAX], const uint8_t *from,
    const uint8_t iv[static IV_LEN], const uint8_t aenc[static 32])
{
	uint8_t nonce[crypto_stream_xsalsa20_NONCEBYTES] = {0};

	memcpy(nonce, iv, IV_LEN);
	crypto_stream_xsalsa20_xor(to, from, ZP_NAME_MAX, nonce, aenc);
}

enum zp_err
zp_pseudo_make(uint8_t to[static ZP_PSEUDONYM_LEN],
    const uint8_t amac[static 32], const uint8_t aenc[static 32],
    enum zp_pseudo_use use, const char *name)
{
	size_t len = strnlen(name, ZP_NAME_MAX + 1);
	uint8_t padded[ZP_NAME_MAX] = {0};

	if (!zp_text_is_name(name, len))
		return ZP_ERR_NAME;
	memcpy(padded, name, len);
	zp_hash(to, IV_LEN, amac, 32, personal(use), padded, sizeof(padded));
	crypt_name(to + IV_LEN, padded, to, aenc);
	sodium_memzero(padded, sizeof(padded));
	return ZP_OK;
}

enum zp_err
zp_pseudo_open(char name[static ZP_NAME_MAX + 1], const uint8_t amac[static 32],
    const uint8_t aenc[static 32], const uint8_t p[static ZP_PSEUDONYM_LEN])
{
	uint8_t padded[ZP_NAME_MAX + 1], iv[IV_LEN];

	crypt_name(padded, p + IV_LEN, p, aenc);
	padded[ZP_NAME_MAX] = 0;
	zp_hash(iv, IV_LEN, amac, 32, personal(ZP_PSEUDO_USER), padded,
	    ZP_NAME_MAX);
	if (sodium_memcmp(iv, p, IV_LEN) != 0)
		return ZP_ERR_FORGED;
	if (!zp_text_is_padded_name(padded))
		return ZP_ERR_FORGED;
	memcpy(name, padded, sizeof(padded));
	return ZP_OK;
}
