#include "net/zp_sse.h"

#include "tap.h"

/* What came out, as "type|id|data;" for each event. */
struct got {
	char text[1024];
};

static void
on_event(void *arg, const struct zp_sse_event *e)
{
	struct got *g = arg;
	size_t n = strlen(g->text);

	snprintf(g->text + n, sizeof(g->text) - n, "%s|%s|%.*s;", e->type,
	    e->id, (int)e->len, e->data);
}

/* Feeds the stream in blocks of `block` bytes. */
static bool
gives(const char *stream, size_t len, size_t block, const char *want)
{
	struct zp_sse s;
	struct got g = {""};
	bool good = true;

	zp_sse_init(&s, 100);
	for (size_t at = 0; at < len; at += block) {
		size_t n = len - at < block ? len - at : block;
		/* A copy, so that a read beyond the end is seen. */
		char *copy = malloc(n);
		memcpy(copy, stream + at, n);
		good = good && zp_sse_feed(&s, copy, n, on_event, &g) == ZP_OK;
		free(copy);
	}
	zp_sse_free(&s);
	good = good && strcmp(g.text, want) == 0;
	if (!good)
		printf("# got %s want %s\n", g.text, want);
	return good;
}

static const struct {
	const char *stream, *want, *name;
} cases[] = {
    {"data: a\n\n", "message||a;", "data and an empty line make an event"},
    {"data:a\n\ndata:  b\n\n", "message||a;message|| b;",
	"one blank behind the colon is cut"},
    {"data: a\ndata: b\ndata\n\n", "message||a\nb\n;",
	"several lines of data are joined"},
    {"data: a\r\n\r\ndata: b\r\rdata: c\n\n",
	"message||a;message||b;message||c;", "CRLF, CR and LF end lines"},
    {"id: 7\nevent: open\ndata: a\n\ndata: b\n\n", "open|7|a;message|7|b;",
	"the id stays, the type does not"},
    {"id: 7\n\nid\ndata: b\n\n", "message||b;", "an empty id clears it"},
    {": comment\ndata: a\n: more\n\n", "message||a;", "comments are nothing"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
	"message||a;", "a byte order mark is passed over"},
    {"data: a\n", "", "half an event is none"},
    {"event: x\n\ndata: a\n\n", "message||a;", "no data, no event"},
    {"data\n\n", "message||;", "empty data is data"},
    {"dat: a\nDATA: b\n\n", "", "unknown fields are ignored"},
    {"data: a:b\n\n", "message||a:b;", "only the first colon counts"},
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t block = 1; block < 4; block++)
			OK(gives(cases[i].stream, strlen(cases[i].stream),
			       block == 3 ? 4096 : block, cases[i].want),
			    cases[i].name);

	struct zp_sse s;
	struct got g = {""};
	char much[400];

	memset(much, 'x', sizeof(much));
	zp_sse_init(&s, 100);
	OK(zp_sse_feed(&s, "data: ", 6, on_event, &g) == ZP_OK &&
		zp_sse_feed(&s, much, sizeof(much), on_event, &g) == ZP_OK &&
		zp_sse_feed(&s, "\n\ndata: b\n\n", 11, on_event, &g) == ZP_OK &&
		strcmp(g.text, "message||b;") == 0,
	    "a line that is too long is dropped, the next event is not");
	g.text[0] = '\0';
	OK(zp_sse_feed(&s, ":", 1, on_event, &g) == ZP_OK &&
		zp_sse_feed(&s, much, sizeof(much), on_event, &g) == ZP_OK &&
		zp_sse_feed(&s, "\ndata: c\n\n", 11, on_event, &g) == ZP_OK &&
		strcmp(g.text, "message||c;") == 0,
	    "a comment may be as long as it likes");
	g.text[0] = '\0';
	OK(zp_sse_feed(&s, "id: ", 4, on_event, &g) == ZP_OK &&
		zp_sse_feed(&s, much, sizeof(much), on_event, &g) == ZP_OK &&
		zp_sse_feed(&s, "5\ndata: d\n\n", 12, on_event, &g) == ZP_OK &&
		strcmp(g.text, "message||d;") == 0,
	    "an id that is too long is none, nor are its ends");
	g.text[0] = '\0';
	for (int i = 0; i < 30; i++)
		OK(zp_sse_feed(&s, "data: 12345\n", 12, on_event, &g) == ZP_OK,
		    "lines add up");
	OK(zp_sse_feed(&s, "\ndata: c\n\n", 10, on_event, &g) == ZP_OK &&
		strcmp(g.text, "message||c;") == 0,
	    "an event that is too long is dropped");
	g.text[0] = '\0';
	OK(zp_sse_feed(&s, "id: 1\ndata: a\n\nid: 2\ndata: b\n", 29, on_event,
	       &g) == ZP_OK,
	    "a stream may end anywhere");
	OK(strcmp(s.last_id, "1") == 0,
	    "the id to resume from is that of a whole event");
	zp_sse_restart(&s);
	OK(zp_sse_feed(&s, "data: c\n\n", 9, on_event, &g) == ZP_OK &&
		strcmp(g.text, "message|1|a;message|1|c;") == 0,
	    "a new stream forgets half an event and keeps the id");
	OK(zp_sse_feed(&s, "retry: 1500\nretry: x\n", 21, on_event, &g) ==
		    ZP_OK &&
		s.retry == 1500,
	    "the pause that the server asks for is kept");
	g.text[0] = '\0';
	OK(zp_sse_feed(&s, "id: a\0b\ndata: d\n\n", 17, on_event, &g) ==
		    ZP_OK &&
		strcmp(g.text, "message|1|d;") == 0,
	    "an id with a NUL is ignored");
	zp_sse_free(&s);
	return tap_done();
}
