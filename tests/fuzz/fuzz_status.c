#include "fuzz.h"
#include "proc/zp_status.h"

/*
 * What a transport prints: status lines are found alike whether it comes at
 * once or in pieces, of the size that the first byte says.
 */

struct seen {
	size_t n, hash;
};

static void
feed(struct zp_status *s, const char *at, size_t len, struct seen *seen)
{
	const char *end = at + len;

	while (zp_status_next(s, &at, end)) {
		size_t n = strlen(s->line);
		MUST(n < ZP_STATUS_MAX && memchr(s->line, '\n', n) == NULL);
		const char *rest = zp_status_is(s, "down");
		MUST(rest == NULL || strncmp(s->line, "down", 4) == 0);
		seen->n++;
		for (size_t i = 0; i < n; i++)
			seen->hash = seen->hash * 31 + (uint8_t)s->line[i];
		seen->hash = seen->hash * 31 + (rest != NULL);
	}
	MUST(at == end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_status s;
	struct seen whole = {0}, pieces = {0};

	if (len == 0)
		return 0;
	size_t step = 1 + data[0];
	char *text = fuzz_copy(data + 1, --len);
	zp_status_init(&s);
	feed(&s, text, len, &whole);
	zp_status_init(&s);
	for (size_t i = 0; i < len; i += step)
		feed(&s, text + i, len - i < step ? len - i : step, &pieces);
	MUST(whole.n == pieces.n && whole.hash == pieces.hash);
	free(text);
	return 0;
}
