#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/zp_resp.h"

/*
 * What a Redis server may send: the same strings and replies whether they
 * come at once or in pieces, and nothing deeper than there is room for.
 * First byte: the size of the pieces.
 */

struct seen {
	size_t strings, replies;
	uint64_t hash;
	bool failed;
};

static void
mix(struct seen *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ p[i]) * 0x100000001b3;
	s->hash = (s->hash ^ 0x100) * 0x100000001b3;
}

static void
on_string(void *arg, const struct zp_resp_at *at, const char *text, size_t len)
{
	struct seen *s = arg;

	MUST(at->depth < ZP_RESP_DEPTH);
	for (unsigned d = 1; d <= at->depth; d++)
		MUST(at->index[d] < at->of[d]);
	s->strings++;
	mix(s, at->index + 1, sizeof(at->index[0]) * at->depth);
	mix(s, text, len);
}

static void
on_reply(void *arg, const struct zp_resp_reply *reply)
{
	struct seen *s = arg;

	MUST(memchr(reply->text, '\0', sizeof(reply->text)) != NULL);
	MUST(!reply->nested || reply->error);
	s->replies++;
	mix(s, reply->text, strlen(reply->text));
	mix(s, &reply->elements, sizeof(reply->elements));
}

/* The link's other end is ours. */
static void
feed(struct seen *s, const char *text, size_t len, size_t step)
{
	struct zp_resp r = {
	    .on_string = on_string, .on_reply = on_reply, .arg = s};
	int pair[2];

	*s = (struct seen){0};
	zp_resp_init(&r);
	zp_resp_open(&r, "127.0.0.1", 1, NULL, 0);
	zp_stream_close(&r.stream);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		 pair) == 0);
	r.stream.fd = pair[0];
	r.stream.state = ZP_STREAM_OPEN;
	for (size_t i = 0; i < len && !s->failed; i += step) {
		size_t n = len - i < step ? len - i : step;
		MUST(send(pair[1], text + i, n, 0) == (ssize_t)n);
		ssize_t got;
		while ((got = zp_resp_read(&r)) > 0)
			;
		s->failed = got < 0;
	}
	zp_resp_close(&r);
	close(pair[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen whole, pieces;

	if (len < 2)
		return 0;
	size_t step = 1 + (size_t)data[0] % 64;
	char *text = fuzz_copy(data + 1, --len);

	feed(&whole, text, len, len);
	feed(&pieces, text, len, step);
	MUST(whole.failed == pieces.failed);
	MUST(whole.strings == pieces.strings &&
	    whole.replies == pieces.replies && whole.hash == pieces.hash);
	free(text);
	return 0;
}
