#include "crypt/zp_words.h"

#include <stdint.h>

#include "crypt/zp_secret.h"

/*
 * Both tables are powers of two long, so that all words are equally likely,
 * and lie in one cache line each, so that looking them up tells nothing.
 * Left out: c, q, w, x, y (said in several ways) and e (between a and i).
 */
static const char consonants[16] __attribute__((aligned(16))) =
    "bdfghjklmnprstvz";
static const char vowels[4] __attribute__((aligned(4))) = "aiou";

static void
make_word(char to[static 5], uint16_t bits)
{
	to[0] = consonants[bits >> 12];
	to[1] = vowels[bits >> 10 & 3];
	to[2] = consonants[bits >> 6 & 15];
	to[3] = vowels[bits >> 4 & 3];
	to[4] = consonants[bits & 15];
}

enum zp_err
zp_words_make(char *to, size_t n)
{
	uint16_t *bits = zp_secret_new(n * sizeof(*bits));

	if (bits == NULL)
		return ZP_ERR_MEMORY;
	zp_secret_random(bits, n * sizeof(*bits));
	for (size_t i = 0; i < n; i++) {
		make_word(to + 6 * i, bits[i]);
		to[6 * i + 5] = i + 1 < n ? '-' : '\0';
	}
	zp_secret_free(bits);
	return ZP_OK;
}
