#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc/zp_screen.h"
#include "tap.h"

/* What is typed, as it comes from a terminal: a few thousand keys at a time. */

#define BLOCK 4096

static struct zp_screen *s;
static struct zp_in in;
static int said[2];

static void
begin(void)
{
	if (pipe(said) != 0 || fcntl(said[0], F_SETFL, O_NONBLOCK) != 0 ||
	    zp_screen_new(&s, said[0], true) != ZP_OK ||
	    zp_in_init(&in, said[0], BLOCK, SIZE_MAX) != ZP_OK)
		abort();
}

static void
end(void)
{
	zp_screen_free(s);
	zp_in_free(&in);
	close(said[0]);
	close(said[1]);
}

static void
type(const char *keys, size_t len)
{
	if (write(said[1], keys, len) != (ssize_t)len)
		abort();
	const size_t before = zp_in_len(&in);
	if (zp_in_fill(&in) != ZP_OK)
		abort();
	zp_screen_type(s, &in, in.start + before);
}

static bool
holds(const char *text)
{
	return zp_in_len(&in) == strlen(text) &&
	    memcmp(zp_in_at(&in), text, strlen(text)) == 0;
}

static void
keys(void)
{
	begin();
	type("one\rtwo x\b\b\bo", 13);
	OK(holds("one\ntwo"), "keys are what they leave in their line");
	type("\x15\x7f\x17", 3);
	OK(holds("one\n"), "no key takes back what was entered");
	type("three\rfour\x15"
	     "five\r",
	    16);
	OK(holds("one\nthree\nfive\n"), "a line begins behind the one before");
	type("six", 3);
	zp_screen_forget(s, &in);
	OK(holds("one\nthree\nfive\n"), "the line being typed is forgotten");
	type("\x04", 1);
	OK(in.eof, "^D on an empty line is the end");
	end();
}

/* The time that a line of n blocks takes. */
static double
time_of(size_t n)
{
	static char block[BLOCK];

	memset(block, 'x', sizeof(block));
	begin();
	clock_t t = clock();
	for (size_t i = 0; i < n; i++)
		type(block, sizeof(block));
	t = clock() - t;
	end();
	return (double)t;
}

static void
a_long_line(void)
{
	double one = 0, four = 0;

	for (int i = 0; i < 3; i++) {
		double a = time_of(6), b = time_of(24);
		one = i == 0 || a < one ? a : one;
		four = i == 0 || b < four ? b : four;
	}
	/* It was 16 times as long when each key looked for the beginning. */
	OK(four < 8 * one + CLOCKS_PER_SEC / 50,
	    "a line four times as long takes about four times as long");
}

int
main(void)
{
	keys();
	a_long_line();
	return tap_done();
}
