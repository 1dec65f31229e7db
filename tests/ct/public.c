#include <sodium.h>
#include <string.h>

#include "base/zp_b64.h"
#include "base/zp_text.h"
#include "public.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/*
 * The places where something that was made of secrets is none any more.  The
 * linker puts these functions (--wrap, in rules.mk) in front of the library's
 * and libsodium's; nothing else is ever declared public, so that all other
 * branches on secrets are reported.
 */

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name

/* ---- results of comparisons --------------------------------------------- */

/*
 * Whether a commitment, a tag or a mac fits is what the one who sent it may
 * learn: it shows in what happens next.  How much of it fits must not show,
 * and the comparison itself is under the check.
 */
int REAL(sodium_memcmp)(const void *a, const void *b, size_t len);
int WRAP(sodium_memcmp)(const void *a, const void *b, size_t len);

int
WRAP(sodium_memcmp)(const void *a, const void *b, size_t len)
{
	int r = REAL(sodium_memcmp)(a, b, len);

	ct_public(&r, sizeof(r));
	return r;
}

int REAL(crypto_verify_32)(const unsigned char *x, const unsigned char *y);
int WRAP(crypto_verify_32)(const unsigned char *x, const unsigned char *y);

int
WRAP(crypto_verify_32)(const unsigned char *x, const unsigned char *y)
{
	int r = REAL(crypto_verify_32)(x, y);

	ct_public(&r, sizeof(r));
	return r;
}

/* Neutral elements end a run, and everybody sees that it ended. */
int REAL(sodium_is_zero)(const unsigned char *n, size_t len);
int WRAP(sodium_is_zero)(const unsigned char *n, size_t len);

int
WRAP(sodium_is_zero)(const unsigned char *n, size_t len)
{
	int r = REAL(sodium_is_zero)(n, len);

	ct_public(&r, sizeof(r));
	return r;
}

/* Whether text is base64 at all. */
int REAL(sodium_base642bin)(unsigned char *bin, size_t cap, const char *text,
    size_t len, const char *ignore, size_t *n, const char **end, int variant);
int WRAP(sodium_base642bin)(unsigned char *bin, size_t cap, const char *text,
    size_t len, const char *ignore, size_t *n, const char **end, int variant);

int
WRAP(sodium_base642bin)(unsigned char *bin, size_t cap, const char *text,
    size_t len, const char *ignore, size_t *n, const char **end, int variant)
{
	int r = REAL(sodium_base642bin)(
	    bin, cap, text, len, ignore, n, end, variant);

	ct_public(&r, sizeof(r));
	ct_public(n, sizeof(*n));
	ct_public(end, sizeof(*end));
	return r;
}

/* ---- points -------------------------------------------------------------- */

/*
 * Whether a product is neutral ends a run, as above.  The point itself is
 * decoded, with a branch on whether that works: it is public or, once in a
 * run, the generator, which was encoded by the same library and decodes.
 * So the point counts as public for the call, and the scalar as secret.
 */
int REAL(crypto_scalarmult_ristretto255)(
    unsigned char *q, const unsigned char *n, const unsigned char *p);
int WRAP(crypto_scalarmult_ristretto255)(
    unsigned char *q, const unsigned char *n, const unsigned char *p);

int
WRAP(crypto_scalarmult_ristretto255)(
    unsigned char *q, const unsigned char *n, const unsigned char *p)
{
	unsigned char copy[crypto_core_ristretto255_BYTES];

	memcpy(copy, p, sizeof(copy));
	ct_public(copy, sizeof(copy));
	int r = REAL(crypto_scalarmult_ristretto255)(q, n, copy);
	ct_public(&r, sizeof(r));
	return r;
}

/* Whether both decode. */
int REAL(crypto_core_ristretto255_add)(
    unsigned char *r, const unsigned char *p, const unsigned char *q);
int WRAP(crypto_core_ristretto255_add)(
    unsigned char *r, const unsigned char *p, const unsigned char *q);

int
WRAP(crypto_core_ristretto255_add)(
    unsigned char *r, const unsigned char *p, const unsigned char *q)
{
	int result = REAL(crypto_core_ristretto255_add)(r, p, q);

	ct_public(&result, sizeof(result));
	return result;
}

/* ---- what goes to the relay --------------------------------------------- */

/* Pseudonyms are ciphertext and stand in every record. */
void REAL(zp_record_topic)(char to[static ZP_TOPIC_LEN],
    const uint8_t pseudonym[static ZP_PSEUDONYM_LEN]);
void WRAP(zp_record_topic)(char to[static ZP_TOPIC_LEN],
    const uint8_t pseudonym[static ZP_PSEUDONYM_LEN]);

void
WRAP(zp_record_topic)(char to[static ZP_TOPIC_LEN],
    const uint8_t pseudonym[static ZP_PSEUDONYM_LEN])
{
	ct_public(pseudonym, ZP_PSEUDONYM_LEN);
	REAL(zp_record_topic)(to, pseudonym);
}

/*
 * ENC is ciphertext, longer than any key: a key that came here by mistake
 * would stay secret, and its table look-ups be reported.
 */
void REAL(zp_b64_write)(char *to, const uint8_t *from, size_t n);
void WRAP(zp_b64_write)(char *to, const uint8_t *from, size_t n);

void
WRAP(zp_b64_write)(char *to, const uint8_t *from, size_t n)
{
	if (n >= ZP_ENC_LEAST)
		ct_public(from, n);
	REAL(zp_b64_write)(to, from, n);
}

/* ---- what was opened ----------------------------------------------------- */

/*
 * Whether a box opens; and plaintext that has been authenticated: it is
 * parsed, and shown to the user, in a time that depends on it.  It says what
 * was said, and nothing of keys.
 */
int REAL(crypto_secretbox_open_detached)(unsigned char *m,
    const unsigned char *c, const unsigned char *mac, unsigned long long len,
    const unsigned char *n, const unsigned char *k);
int WRAP(crypto_secretbox_open_detached)(unsigned char *m,
    const unsigned char *c, const unsigned char *mac, unsigned long long len,
    const unsigned char *n, const unsigned char *k);

int
WRAP(crypto_secretbox_open_detached)(unsigned char *m, const unsigned char *c,
    const unsigned char *mac, unsigned long long len, const unsigned char *n,
    const unsigned char *k)
{
	int r = REAL(crypto_secretbox_open_detached)(m, c, mac, len, n, k);

	ct_public(&r, sizeof(r));
	if (r == 0)
		ct_public(m, len);
	return r;
}

int REAL(crypto_secretbox_open_easy)(unsigned char *m, const unsigned char *c,
    unsigned long long len, const unsigned char *n, const unsigned char *k);
int WRAP(crypto_secretbox_open_easy)(unsigned char *m, const unsigned char *c,
    unsigned long long len, const unsigned char *n, const unsigned char *k);

int
WRAP(crypto_secretbox_open_easy)(unsigned char *m, const unsigned char *c,
    unsigned long long len, const unsigned char *n, const unsigned char *k)
{
	int r = REAL(crypto_secretbox_open_easy)(m, c, len, n, k);

	ct_public(&r, sizeof(r));
	if (r == 0)
		ct_public(m, len - crypto_secretbox_MACBYTES);
	return r;
}

/* The sender's name, when its iv has shown that a member made it. */
bool REAL(zp_text_is_padded_name)(const uint8_t padded[static ZP_NAME_MAX]);
bool WRAP(zp_text_is_padded_name)(const uint8_t padded[static ZP_NAME_MAX]);

bool
WRAP(zp_text_is_padded_name)(const uint8_t padded[static ZP_NAME_MAX])
{
	ct_public(padded, ZP_NAME_MAX);
	return REAL(zp_text_is_padded_name)(padded);
}
