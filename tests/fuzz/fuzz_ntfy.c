#include "fuzz.h"
#include "net/zp_json.h"
#include "net/zp_ntfy.h"

/*
 * What ntfy sends, as events and as lines of JSON: the same messages whether
 * it comes at once or in pieces, and nothing outside of the text.  First
 * byte: the size of the pieces, and by its highest bit events or lines.
 */

struct messages {
	struct zp_ntfy_seen seen;
	size_t n, fresh;
	uint64_t hash;
};

static void
mix(struct messages *m, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		m->hash = (m->hash ^ (uint8_t)data[i]) * 0x100000001b3;
	m->hash = (m->hash ^ 0x100) * 0x100000001b3;
}

/* Its members are found within it, and nowhere else. */
static void
look(const char *json, size_t len)
{
	static const char *const names[] = {"id", "event", "message", ""};
	char text[8];
	const char *v;
	size_t n;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		bool has = zp_json_member(json, len, names[i], &v, &n);
		bool is =
		    zp_json_string(json, len, names[i], text, sizeof(text));
		MUST(!is || has);
		if (!has)
			continue;
		MUST(v > json && n <= len - (size_t)(v - json));
		MUST(!is || (v[0] == '"' && n == strlen(text) + 2));
	}
}

static void
on_event(void *arg, const struct zp_sse_event *e)
{
	struct messages *m = arg;
	char id[ZP_SSE_ID_MAX + 1];
	char *json = fuzz_copy(e->data, e->len);

	look(json, e->len);
	if (zp_ntfy_message(json, e->len, id)) {
		for (const char *s = id; *s != '\0'; s++)
			MUST(*s > ' ' && *s < 0x7f && *s != '"' && *s != '\\');
		m->n++;
		m->fresh += zp_ntfy_note(&m->seen, id);
		MUST(!zp_ntfy_note(&m->seen, id));
		mix(m, id, strlen(id));
	}
	free(json);
}

static void
feed(struct messages *m, const char *text, size_t len, size_t step, bool lines)
{
	struct zp_sse s;

	*m = (struct messages){0};
	zp_sse_init(&s, 2048);
	s.lines = lines;
	for (size_t i = 0; i < len; i += step)
		MUST(zp_sse_feed(&s, text + i, len - i < step ? len - i : step,
			 on_event, m) == ZP_OK);
	zp_sse_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct messages whole, pieces;

	if (len < 1)
		return 0;
	size_t step = 1 + (data[0] & 0x7f);
	bool lines = (data[0] & 0x80) != 0;
	char *text = fuzz_copy(data + 1, --len);
	feed(&whole, text, len, len + 1, lines);
	feed(&pieces, text, len, step, lines);

	MUST(whole.n == pieces.n && whole.hash == pieces.hash &&
	    whole.fresh == pieces.fresh);
	look(text, len);
	free(text);
	return 0;
}
