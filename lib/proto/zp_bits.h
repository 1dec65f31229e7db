#ifndef ZP_BITS_H
#define ZP_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets of sessions, as rows of 64-bit words.  All rows have `words`. */

static inline bool
zp_bits_has(const uint64_t *set, size_t i)
{
	return (set[i / 64] >> (i % 64) & 1) != 0;
}

static inline void
zp_bits_add(uint64_t *set, size_t i)
{
	set[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
zp_bits_del(uint64_t *set, size_t i)
{
	set[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static inline size_t
zp_bits_count(const uint64_t *set, size_t words)
{
	size_t n = 0;

	for (size_t w = 0; w < words; w++)
		n += (size_t)__builtin_popcountll(set[w]);
	return n;
}

/* Everything in a is in b. */
static inline bool
zp_bits_within(const uint64_t *a, const uint64_t *b, size_t words)
{
	for (size_t w = 0; w < words; w++)
		if ((a[w] & ~b[w]) != 0)
			return false;
	return true;
}

#endif
