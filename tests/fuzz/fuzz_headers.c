#include "fuzz.h"
#include "net/zp_headers.h"

/*
 * A file with headers.  Whatever stands there, a line handed over is one
 * header: nothing in it ends it early and begins another.
 */

struct seen {
	size_t n, stop_at;
};

static enum zp_err
add(void *arg, const char *header)
{
	struct seen *seen = arg;
	const char *colon = strchr(header, ':');

	MUST(colon != NULL && colon > header);
	for (const char *s = header; *s != '\0'; s++) {
		MUST(*s != '\r' && *s != '\n' && *s != 0x7f);
		MUST((unsigned char)*s >= ' ' || *s == '\t');
		MUST(s > colon || (*s != ' ' && *s != '\t'));
	}
	return ++seen->n == seen->stop_at ? ZP_ERR_MEMORY : ZP_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = fuzz_file("headers", data, len);
	struct seen all = {.n = 0}, some = {.stop_at = 1};
	size_t line = 0;
	enum zp_err err = zp_headers_read(path, &line, add, &all);

	MUST(err == ZP_OK || err == ZP_ERR_FORMAT || err == ZP_ERR_TOO_LONG);
	if (err == ZP_ERR_FORMAT)
		MUST(line > all.n && line <= len + 1);
	/* Who takes no more is asked no more. */
	err = zp_headers_read(path, &line, add, &some);
	MUST(some.n <= 1 && (all.n == 0) == (some.n == 0));
	MUST(all.n == 0 || err == ZP_ERR_MEMORY);
	return 0;
}
