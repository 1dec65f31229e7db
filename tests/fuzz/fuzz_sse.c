#include "fuzz.h"
#include "net/zp_sse.h"

/*
 * Event streams: the same events whether they come at once or in pieces.
 * First byte: the size of the pieces; second: the longest data.
 */

struct seen {
	size_t n, max;
	uint64_t hash;
};

static void
mix(struct seen *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ (uint8_t)data[i]) * 0x100000001b3;
	s->hash = (s->hash ^ 0x100) * 0x100000001b3;
}

static void
on_event(void *arg, const struct zp_sse_event *e)
{
	struct seen *s = arg;

	MUST(e->len <= s->max && e->type[0] != '\0');
	MUST(strlen(e->type) <= ZP_SSE_TYPE_MAX);
	MUST(strlen(e->id) <= ZP_SSE_ID_MAX);
	MUST(strpbrk(e->id, "\r\n") == NULL);
	s->n++;
	mix(s, e->data, e->len);
	mix(s, e->type, strlen(e->type));
	mix(s, e->id, strlen(e->id));
}

static struct seen
feed(const char *text, size_t len, size_t step, size_t max)
{
	struct seen seen = {.max = max};
	struct zp_sse s;

	zp_sse_init(&s, max);
	for (size_t i = 0; i < len; i += step)
		MUST(zp_sse_feed(&s, text + i, len - i < step ? len - i : step,
			 on_event, &seen) == ZP_OK);
	MUST(s.retry >= -1);
	seen.hash ^= (uint64_t)s.retry;
	zp_sse_restart(&s);
	zp_sse_free(&s);
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	size_t step = 1 + data[0], max = 1 + (size_t)data[1] * 8;
	char *text = fuzz_copy(data + 2, len -= 2);
	struct seen whole = feed(text, len, len + 1, max);
	struct seen pieces = feed(text, len, step, max);

	MUST(whole.n == pieces.n && whole.hash == pieces.hash);
	free(text);
	return 0;
}
