#ifndef ZP_TAP_H
#define ZP_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Test Anything Protocol in a page.  A test's name is a sentence about
 * behaviour.  A program ends with `return tap_done();`.
 */

static int tap_count, tap_failed;

static inline bool
tap_ok(bool good, const char *file, int line, const char *name)
{
	tap_count++;
	printf("%sok %d - %s\n", good ? "" : "not ", tap_count, name);
	if (!good) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

static inline void
tap_hex(const char *what, const void *data, size_t len)
{
	const unsigned char *b = data;

	printf("# %s ", what);
	for (size_t i = 0; i < len && i < 256; i++)
		printf("%02x", b[i]);
	printf("\n");
}

static inline bool
tap_mem(const void *got, const void *want, size_t len, const char *file,
    int line, const char *name)
{
	bool good = memcmp(got, want, len) == 0;

	tap_ok(good, file, line, name);
	if (!good) {
		tap_hex("got ", got, len);
		tap_hex("want", want, len);
	}
	return good;
}

static inline bool
tap_num(
    long long got, long long want, const char *file, int line, const char *name)
{
	bool good = got == want;

	tap_ok(good, file, line, name);
	if (!good)
		printf("# got %lld, want %lld\n", got, want);
	return good;
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A test that this machine cannot run, and why. */
static inline void
tap_skip(const char *name, const char *why)
{
	tap_count++;
	printf("ok %d - %s # SKIP %s\n", tap_count, name, why);
	fflush(stdout);
}

#define OK(good, name) tap_ok((good), __FILE__, __LINE__, (name))
#define SAME(got, want, len, name) \
	tap_mem((got), (want), (len), __FILE__, __LINE__, (name))
#define IS(got, want, name) \
	tap_num((long long)(got), (long long)(want), __FILE__, __LINE__, (name))

#endif
