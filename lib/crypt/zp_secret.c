#include "crypt/zp_secret.h"

#include <sodium.h>
#include <string.h>

enum zp_err
zp_secret_init(void)
{
	return sodium_init() < 0 ? ZP_ERR_IO : ZP_OK;
}

void *
zp_secret_new(size_t n)
{
	void *p;

	/* sodium_malloc() puts the end at the guard page: keep it aligned. */
	if (n > SIZE_MAX - 63)
		return NULL;
	n = (n + 63) & ~(size_t)63;
	p = sodium_malloc(n);
	if (p != NULL)
		memset(p, 0, n);
	return p;
}

void
zp_secret_free(void *p)
{
	sodium_free(p);
}

void
zp_secret_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

void
zp_secret_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}

bool
zp_secret_read_b64(
    uint8_t *to, size_t cap, const char *from, size_t len, size_t *n)
{
	const char *end = NULL;
	unsigned char high = 0;

	/* libsodium takes some bytes above 127 for letters. */
	for (size_t i = 0; i < len; i++)
		high |= (unsigned char)from[i] & 0x80;
	return sodium_is_zero(&high, 1) &&
	    sodium_base642bin(to, cap, from, len, NULL, n, &end,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	    end == from + len;
}
