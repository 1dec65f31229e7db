#include "base/zp_b64.h"

#include "base/zp_b64_x86.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz"
				 "0123456789-_";

/*
 * Each character's value, shifted to its place among four, with VALID set;
 * 0 for all other bytes.
 */
#define VALID 0x80000000U
#define ALL(V)                                                            \
	V('A', 0), V('B', 1), V('C', 2), V('D', 3), V('E', 4), V('F', 5), \
	    V('G', 6), V('H', 7), V('I', 8), V('J', 9), V('K', 10),       \
	    V('L', 11), V('M', 12), V('N', 13), V('O', 14), V('P', 15),   \
	    V('Q', 16), V('R', 17), V('S', 18), V('T', 19), V('U', 20),   \
	    V('V', 21), V('W', 22), V('X', 23), V('Y', 24), V('Z', 25),   \
	    V('a', 26), V('b', 27), V('c', 28), V('d', 29), V('e', 30),   \
	    V('f', 31), V('g', 32), V('h', 33), V('i', 34), V('j', 35),   \
	    V('k', 36), V('l', 37), V('m', 38), V('n', 39), V('o', 40),   \
	    V('p', 41), V('q', 42), V('r', 43), V('s', 44), V('t', 45),   \
	    V('u', 46), V('v', 47), V('w', 48), V('x', 49), V('y', 50),   \
	    V('z', 51), V('0', 52), V('1', 53), V('2', 54), V('3', 55),   \
	    V('4', 56), V('5', 57), V('6', 58), V('7', 59), V('8', 60),   \
	    V('9', 61), V('-', 62), V('_', 63)
#define V0(c, v) [(unsigned char)(c)] = VALID | (uint32_t)(v) << 18
#define V1(c, v) [(unsigned char)(c)] = VALID | (uint32_t)(v) << 12
#define V2(c, v) [(unsigned char)(c)] = VALID | (uint32_t)(v) << 6
#define V3(c, v) [(unsigned char)(c)] = VALID | (uint32_t)(v)
static const uint32_t values[4][256] = {
    {ALL(V0)},
    {ALL(V1)},
    {ALL(V2)},
    {ALL(V3)},
};

bool
zp_b64_is(unsigned char c)
{
	return values[3][c] != 0;
}

#ifdef __SSE2__
/* Bytes of x above lo and below hi, all of them ASCII. */
static inline __m128i
between(__m128i x, char lo, char hi)
{
	return _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8(lo)),
	    _mm_cmplt_epi8(x, _mm_set1_epi8(hi)));
}

/* All ones in each of 16 bytes at s that is one of the 64. */
static inline __m128i
good16(const char *s)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)s);
	/* Bit 5 is all that tells capitals from small letters. */
	__m128i small = _mm_or_si128(x, _mm_set1_epi8(0x20));

	return _mm_or_si128(_mm_or_si128(between(small, 'a' - 1, 'z' + 1),
				between(x, '0' - 1, '9' + 1)),
	    _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('-')),
		_mm_cmpeq_epi8(x, _mm_set1_epi8('_'))));
}
#endif

size_t
zp_b64_run(const char *s, size_t n)
{
	size_t i = 0;
	bool more = true;

	if (n >= 32 && zp_b64_x86_usable())
		i = zp_b64_x86_run(s, n, &more);
	if (!more)
		return i;
#ifdef __SSE2__
	for (; n - i >= 16; i += 16) {
		unsigned good = (unsigned)_mm_movemask_epi8(good16(s + i));
		if (good != 0xffff)
			return i + (unsigned)__builtin_ctz(~good);
	}
#endif
	while (i < n && zp_b64_is((unsigned char)s[i]))
		i++;
	return i;
}

void
zp_b64_write(char *to, const uint8_t *from, size_t n)
{
	if (n >= 32 && zp_b64_x86_usable()) {
		size_t done = zp_b64_x86_write(to, from, n);
		to += done / 3 * 4;
		from += done;
		n -= done;
	}
	for (; n >= 3; n -= 3, from += 3, to += 4) {
		uint32_t v =
		    (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
		to[0] = alphabet[v >> 18];
		to[1] = alphabet[v >> 12 & 63];
		to[2] = alphabet[v >> 6 & 63];
		to[3] = alphabet[v & 63];
	}
	if (n == 0)
		return;
	uint32_t v =
	    (uint32_t)from[0] << 16 | (n == 2 ? (uint32_t)from[1] << 8 : 0);
	to[0] = alphabet[v >> 18];
	to[1] = alphabet[v >> 12 & 63];
	if (n == 2)
		to[2] = alphabet[v >> 6 & 63];
}

bool
zp_b64_read(uint8_t *to, const char *from, size_t n)
{
	const unsigned char *u = (const unsigned char *)from;
	uint32_t all = VALID;

	if (n >= 40 && zp_b64_x86_usable()) {
		bool good;
		size_t done = zp_b64_x86_read(to, from, n, &good);
		if (!good)
			return false;
		to += done / 4 * 3;
		u += done;
		n -= done;
	}
	for (; n >= 4; n -= 4, u += 4, to += 3) {
		uint32_t a = values[0][u[0]], b = values[1][u[1]];
		uint32_t c = values[2][u[2]], d = values[3][u[3]];
		uint32_t v = a | b | c | d;
		all &= a & b & c & d;
		to[0] = (uint8_t)(v >> 16);
		to[1] = (uint8_t)(v >> 8);
		to[2] = (uint8_t)v;
	}
	if (n == 0)
		return (all & VALID) != 0;
	if (n == 1)
		return false;
	uint32_t a = values[0][u[0]], b = values[1][u[1]];
	uint32_t c = n == 3 ? values[2][u[2]] : VALID;
	uint32_t v = a | b | c;
	to[0] = (uint8_t)(v >> 16);
	if (n == 3)
		to[1] = (uint8_t)(v >> 8);
	return (all & a & b & c & VALID) != 0 &&
	    (v & (n == 3 ? 0xffU : 0xffffU)) == 0;
}
