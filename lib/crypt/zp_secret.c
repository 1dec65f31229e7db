#include "crypt/zp_secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum zp_err
zp_secret_init(void)
{
	return sodium_init() < 0 ? ZP_ERR_IO : ZP_OK;
}

/*
 * Small blocks share one of libsodium's, since the eight system calls and
 * the pages that each of those costs are a good part of a short process's
 * life.  The shared block has its guard pages, is locked and kept out of core
 * dumps as any other; between its parts lie random bytes, which must be
 * there still when a part is freed.  Builds for tests give every block guard
 * pages of its own.
 */
#define UNIT 64
#ifdef ZP_SANITIZED
#define PART_MAX 0
#else
#define PART_MAX 8192
#endif
/* With the canary that libsodium puts before it, four pages. */
#define UNITS 255

/* The one state that outlives a call: malloc() has such, too. */
static struct {
	pthread_mutex_t lock;
	uint8_t *block; /* stays, once there is one */
	uint16_t units[UNITS]; /* of the part that begins there, with mark */
	uint8_t mark[UNIT];
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The first of n free units in a row, or UNITS. */
static size_t
find_free(size_t n)
{
	size_t at = 0, i = 0;

	while (i < UNITS) {
		if (shared.units[i] != 0) {
			i += shared.units[i];
			at = i;
		} else if (++i - at == n) {
			return at;
		}
	}
	return UNITS;
}

/* A part of n bytes, a multiple of UNIT, and its mark. */
static void *
take_part(size_t n)
{
	size_t need = n / UNIT + 1;

	if (shared.block == NULL) {
		shared.block = sodium_malloc((size_t)UNITS * UNIT);
		if (shared.block == NULL)
			return NULL;
		randombytes_buf(shared.mark, sizeof(shared.mark));
	}
	size_t at = find_free(need);
	if (at == UNITS)
		return NULL;
	shared.units[at] = (uint16_t)need;
	uint8_t *p = shared.block + at * UNIT;
	memcpy(p + n, shared.mark, UNIT);
	return p;
}

/* Whoever wrote past a secret may have written over another one. */
static void
give_part(uint8_t *p)
{
	size_t at = (size_t)(p - shared.block) / UNIT;
	size_t n = ((size_t)shared.units[at] - 1) * UNIT;

	if (shared.units[at] == 0 || (size_t)(p - shared.block) % UNIT != 0 ||
	    sodium_memcmp(p + n, shared.mark, UNIT) != 0)
		abort();
	sodium_memzero(p, n + UNIT);
	shared.units[at] = 0;
}

void *
zp_secret_new(size_t n)
{
	void *p = NULL;

	/* sodium_malloc() puts the end at the guard page: keep it aligned. */
	if (n > SIZE_MAX - (UNIT - 1))
		return NULL;
	n = (n + UNIT - 1) & ~(size_t)(UNIT - 1);
	if (n <= PART_MAX) {
		pthread_mutex_lock(&shared.lock);
		p = take_part(n);
		pthread_mutex_unlock(&shared.lock);
	}
	if (p == NULL)
		p = sodium_malloc(n);
	if (p != NULL)
		memset(p, 0, n);
	return p;
}

void
zp_secret_free(void *p)
{
	uintptr_t at = (uintptr_t)p;

	pthread_mutex_lock(&shared.lock);
	uintptr_t start = (uintptr_t)shared.block;
	bool part =
	    start != 0 && at >= start && at < start + (uintptr_t)UNITS * UNIT;
	if (part)
		give_part(p);
	pthread_mutex_unlock(&shared.lock);
	if (!part)
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
