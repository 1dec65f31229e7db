#include "base/zp_b64_x86.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#if defined(__GLIBC__) && defined(__has_include)
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#ifdef CPU_FEATURE_ACTIVE
#define HAS_FEATURES
#endif
#endif
#endif

#define AVX2 __attribute__((target("avx2")))

/*
 * The C library asked the processor when the program was loaded.  To ask
 * again, as the compiler's built-in does before main(), costs 30 instructions
 * that a virtual machine has to leave its guest for: 0.06 ms at each start.
 */
bool
zp_b64_x86_usable(void)
{
#ifdef HAS_FEATURES
	return CPU_FEATURE_ACTIVE(AVX2);
#else
	return __builtin_cpu_supports("avx2") != 0;
#endif
}

AVX2 static inline __m256i
load(const void *from)
{
	return _mm256_loadu_si256(from);
}

/* The same 16 bytes in both halves. */
AVX2 static inline __m256i
both(__m128i half)
{
	return _mm256_broadcastsi128_si256(half);
}

/*
 * Zero in each byte of x that is one of the 64.  The high four bits put a
 * byte into a class; the low four say in which classes it is bad:
 *
 *	01  2x: only `-'            08  5x: not 5b to 5e
 *	02  3x: not above `9'       10  7x: not above `z'
 *	04  4x and 6x: not 40, 60   20  all others
 */
AVX2 static inline __m256i
bad(__m256i x)
{
	const __m256i low = both(_mm_setr_epi8(0x25, 0x21, 0x21, 0x21, 0x21,
	    0x21, 0x21, 0x21, 0x21, 0x21, 0x23, 0x3b, 0x3b, 0x3a, 0x3b, 0x33));
	const __m256i high = both(_mm_setr_epi8(0x20, 0x20, 0x01, 0x02, 0x04,
	    0x08, 0x04, 0x10, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20));
	const __m256i four = _mm256_set1_epi8(0x0f);
	__m256i h = _mm256_and_si256(_mm256_srli_epi16(x, 4), four);

	return _mm256_and_si256(
	    _mm256_shuffle_epi8(low, _mm256_and_si256(x, four)),
	    _mm256_shuffle_epi8(high, h));
}

AVX2 size_t
zp_b64_x86_run(const char *s, size_t n, bool *more)
{
	size_t i = 0;

	for (; n - i >= 64; i += 64) {
		__m256i two =
		    _mm256_or_si256(bad(load(s + i)), bad(load(s + i + 32)));
		if (!_mm256_testz_si256(two, two))
			break;
	}
	for (; n - i >= 32; i += 32) {
		__m256i good =
		    _mm256_cmpeq_epi8(bad(load(s + i)), _mm256_setzero_si256());
		unsigned bits = (unsigned)_mm256_movemask_epi8(good);
		if (bits != 0xffffffff) {
			*more = false;
			return i + (unsigned)__builtin_ctz(~bits);
		}
	}
	*more = true;
	return i;
}

/* 24 bytes, 12 at the start of each half, to 32 values of 6 bits. */
AVX2 static inline __m256i
spread(__m256i x)
{
	const __m256i order = both(
	    _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
	__m256i in = _mm256_shuffle_epi8(x, order);
	__m256i ac = _mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00));
	__m256i bd = _mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0));

	/* Shifts, each by its own number of bits, are multiplications. */
	return _mm256_or_si256(
	    _mm256_mulhi_epu16(ac, _mm256_set1_epi32(0x04000040)),
	    _mm256_mullo_epi16(bd, _mm256_set1_epi32(0x01000010)));
}

/* Values to characters: what is added depends on the range. */
AVX2 static inline __m256i
letters(__m256i v)
{
	const __m256i shift = both(_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
	    '0' - 52, '0' - 52, '-' - 62, '_' - 63, 'A', 0, 0));
	/* 0: a to z, 1 to 12: from 52 on, 13: A to Z */
	__m256i range = _mm256_subs_epu8(v, _mm256_set1_epi8(51));
	__m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), v);

	range = _mm256_or_si256(
	    range, _mm256_and_si256(capital, _mm256_set1_epi8(13)));
	return _mm256_add_epi8(v, _mm256_shuffle_epi8(shift, range));
}

AVX2 size_t
zp_b64_x86_write(char *to, const uint8_t *from, size_t n)
{
	size_t i = 0;

	/* Four bytes more than are used are loaded. */
	for (; n - i >= 28; i += 24, to += 32) {
		const void *a = from + i, *b = from + i + 12;
		__m256i x = _mm256_inserti128_si256(
		    _mm256_castsi128_si256(_mm_loadu_si128(a)),
		    _mm_loadu_si128(b), 1);
		_mm256_storeu_si256((void *)to, letters(spread(x)));
	}
	return i;
}

/* Characters, if they are of the 64, to values. */
AVX2 static inline __m256i
values(__m256i x)
{
	const __m256i shift = both(_mm_setr_epi8(0, 0, 62 - '-', 52 - '0', -'A',
	    -'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0));
	__m256i h =
	    _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(0x0f));
	__m256i line = _mm256_cmpeq_epi8(x, _mm256_set1_epi8('_'));
	__m256i v = _mm256_add_epi8(x, _mm256_shuffle_epi8(shift, h));

	return _mm256_add_epi8(
	    v, _mm256_and_si256(line, _mm256_set1_epi8(63 - ('_' - 'A'))));
}

/* 32 values to 24 bytes, 12 at the start of each half. */
AVX2 static inline __m256i
gather(__m256i v)
{
	const __m256i order = both(_mm_setr_epi8(
	    2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
	/* Two of 6 bits make 12, two of these make 24. */
	__m256i twelve = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140));
	__m256i full = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));

	return _mm256_shuffle_epi8(full, order);
}

AVX2 size_t
zp_b64_x86_read(uint8_t *to, const char *from, size_t n, bool *good)
{
	__m256i all = _mm256_setzero_si256();
	size_t i = 0;

	/* Six more characters take in the four bytes too many. */
	for (; n - i >= 38; i += 32, to += 24) {
		__m256i x = load(from + i);
		all = _mm256_or_si256(all, bad(x));
		__m256i bytes = gather(values(x));
		_mm_storeu_si128((void *)to, _mm256_castsi256_si128(bytes));
		_mm_storeu_si128(
		    (void *)(to + 12), _mm256_extracti128_si256(bytes, 1));
	}
	*good = _mm256_testz_si256(all, all) != 0;
	return i;
}

#else

bool
zp_b64_x86_usable(void)
{
	return false;
}

size_t
zp_b64_x86_run(const char *s, size_t n, bool *more)
{
	(void)s;
	(void)n;
	*more = true;
	return 0;
}

size_t
zp_b64_x86_write(char *to, const uint8_t *from, size_t n)
{
	(void)to;
	(void)from;
	(void)n;
	return 0;
}

size_t
zp_b64_x86_read(uint8_t *to, const char *from, size_t n, bool *good)
{
	(void)to;
	(void)from;
	(void)n;
	*good = true;
	return 0;
}

#endif
