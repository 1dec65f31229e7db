#include "base/zp_b64.h"

#include <stdlib.h>
#include <time.h>

#include "tap.h"

/*
 * The coder goes by tables, 16 and 32 characters at a time, where there is
 * room for it; here is the plain one, bit by bit, to compare with.
 */
static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool
bit_of(const uint8_t *from, size_t bit)
{
	return (from[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static void
plain_write(char *to, const uint8_t *from, size_t n)
{
	size_t chars = ZP_B64_CHARS(n);

	for (size_t i = 0; i < chars; i++) {
		unsigned v = 0;
		for (size_t bit = 6 * i; bit < 6 * i + 6; bit++)
			v = v << 1 | (bit < 8 * n && bit_of(from, bit));
		to[i] = alphabet[v];
	}
}

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Memory of exactly n bytes, so that a sanitizer sees one too many. */
static void *
exactly(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (p == NULL)
		exit(1);
	return p;
}

static void
test_lengths(uint64_t *x)
{
	bool wrote = true, read = true, ran = true;

	for (size_t n = 0; n < 400; n++) {
		size_t chars = ZP_B64_CHARS(n);
		uint8_t *from = exactly(n), *back = exactly(n);
		char *want = exactly(chars), *got = exactly(chars);
		for (size_t i = 0; i < n; i++)
			from[i] = (uint8_t)next_random(x);
		plain_write(want, from, n);
		zp_b64_write(got, from, n);
		wrote = wrote && memcmp(got, want, chars) == 0;
		read = read && zp_b64_read(back, got, chars) &&
		    memcmp(back, from, n) == 0;
		ran = ran && zp_b64_run(got, chars) == chars;
		free(from);
		free(back);
		free(want);
		free(got);
	}
	OK(wrote, "bytes of each length up to 399 are written as they should");
	OK(read, "and read again");
	OK(ran, "and are one run");
}

static bool
is_letter(unsigned c)
{
	return c != 0 && strchr(alphabet, (int)c) != NULL;
}

/* Each byte at each place of a text that is read in every way. */
static void
test_bytes(void)
{
	bool read = true, ran = true;
	enum { N = 140 };
	char *text = exactly(N);
	uint8_t *to = exactly(ZP_B64_BYTES(N)), *want = exactly(N);

	for (size_t at = 0; at < N; at++)
		for (unsigned c = 0; c < 256; c++) {
			memset(text, 'A', N);
			text[at] = (char)c;
			bool good = zp_b64_read(to, text, N);
			read = read && good == is_letter(c);
			size_t run = zp_b64_run(text, N);
			ran = ran && run == (is_letter(c) ? N : at);
			if (!good)
				continue;
			plain_write((char *)want, to, ZP_B64_BYTES(N));
			read = read && memcmp(want, text, N) == 0;
		}
	OK(read, "of all bytes at all places the 64 letters are read");
	OK(ran, "and any other ends a run just there");
	free(text);
	free(to);
	free(want);
}

static void
test_canonical(void)
{
	uint8_t to[100];
	char text[102];
	bool none = true, length = true;

	memset(text, 'A', sizeof(text));
	for (size_t n = 2; n <= 102; n++) {
		if (n % 4 == 1)
			length = length && !zp_b64_read(to, text, n);
		if (n % 4 < 2)
			continue;
		/* Bits that belong to no byte. */
		for (unsigned v = 1; v < (n % 4 == 2 ? 16U : 4U); v++) {
			text[n - 1] = alphabet[v];
			none = none && !zp_b64_read(to, text, n);
		}
		text[n - 1] = 'A';
	}
	OK(none, "unused bits that are set are refused at each length");
	OK(length, "and so is a length that no bytes have");
}

int
main(void)
{
	uint64_t seed = (uint64_t)time(NULL) << 20 | 1, x = seed;

	printf("# seed %llu\n", (unsigned long long)seed);
	test_lengths(&x);
	test_bytes();
	test_canonical();
	return tap_done();
}
