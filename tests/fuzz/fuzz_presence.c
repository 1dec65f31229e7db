#include <unistd.h>

#include "base/zp_text.h"
#include "fuzz.h"
#include "proc/zp_presence.h"
#include "wire/zp_payload.h"

/*
 * Two members who are honest, behind a relay that is not, and a third who
 * has the key and sends what it likes.  Two bytes are a step: what, and how
 * much; then, for some, bytes.  First byte: who has an identity, and whether
 * the conversation is fixed.  Hellos are bounded, what is told is fit for a
 * terminal, and two who have a conversation of one id have the same key.
 *
 * Sessions draw random bytes, so inputs do not play twice alike.
 */

#define MEMBERS 2
#define LINE_MAX_LEN 4096
#define STEPS 300

struct member {
	struct zp_presence *p;
	struct zp_known *known;
	size_t lines;
	char line[LINE_MAX_LEN]; /* the last one that it sent */
	size_t len;
};

struct run {
	struct zp_presence_now now;
	uint64_t began;
	struct member who[MEMBERS];
};

static void
told(void *arg, const struct zp_presence_event *ev)
{
	size_t n = strlen(ev->text);

	(void)arg;
	MUST(zp_text_is_utf8(ev->text, n));
	for (size_t i = 0; i < n; i++)
		MUST((unsigned char)ev->text[i] >= ' ' && ev->text[i] != 0x7f);
}

static void
join(struct run *run, unsigned i, uint8_t how)
{
	static const char *const names[] = {"alice", "bob"};
	const struct fuzz_world *w = fuzz_world();
	struct zp_fault fault;
	char path[256];

	snprintf(path, sizeof(path), "%s", fuzz_file(names[i], "", 0));
	unlink(path);
	MUST(zp_known_open(&run->who[i].known, path, true, &fault) == ZP_OK);
	struct zp_presence_config c = {.key = w->key,
	    .uid = names[i],
	    .id = (how & (1u << i)) != 0 ? w->id : NULL,
	    .known = run->who[i].known,
	    .fixed = (how & 4) != 0,
	    .hellos_only = (how & 8) != 0,
	    .event = told};
	MUST(zp_presence_new(&run->who[i].p, &c) == ZP_OK);
	MUST(zp_presence_start(run->who[i].p, &run->now) == ZP_OK);
}

static void
hear(struct run *run, struct member *m, const char *line, size_t len)
{
	struct zp_presence_got got;
	struct zp_record rec;
	size_t from = 0;

	if (!zp_record_find(line, len, &from, false, &rec))
		return;
	MUST(zp_presence_record(m->p, &run->now, &rec, &got) == ZP_OK);
}

/* What they have to say; the relay lets it through if it likes. */
static void
relay(struct run *run, uint8_t drop)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct member *m = &run->who[i];
		const char *line;
		size_t len;
		if (!zp_presence_line(m->p, &line, &len))
			continue;
		MUST(len <= LINE_MAX_LEN && line[len - 1] == '\n');
		memcpy(m->line, line, len);
		m->len = len;
		m->lines++;
		MUST(m->lines <= 21 + (run->now.ticks - run->began) / 3000);
		for (unsigned j = 0; j < MEMBERS; j++)
			if ((drop & (1u << (i * MEMBERS + j))) == 0)
				hear(run, &run->who[j], m->line, m->len);
	}
}

static void
wait_for(struct run *run, uint64_t ms)
{
	uint64_t end = run->now.ticks + ms;

	for (;;) {
		uint64_t next = end;
		for (unsigned i = 0; i < MEMBERS; i++) {
			uint64_t at = zp_presence_deadline(run->who[i].p);
			next = at < next ? at : next;
		}
		if (next > run->now.ticks) {
			run->now.wall += next - run->now.ticks;
			run->now.ticks = next;
		}
		for (unsigned i = 0; i < MEMBERS; i++)
			MUST(zp_presence_tick(run->who[i].p, &run->now) ==
			    ZP_OK);
		if (run->now.ticks >= end)
			return;
		relay(run, 0);
	}
}

/* A record by anybody, also under their names, with any payload. */
static void
forge(struct run *run, struct zp_cursor *c, uint8_t how, size_t n)
{
	static uint8_t count;
	const struct fuzz_world *w = fuzz_world();
	uint8_t nonce[ZP_NONCE_LEN] = {++count};
	struct zp_payload p = {.kind = ZP_KIND_HELLO, .flags = ZP_FLAG_LAST};
	bool raw = (how & 32) != 0;

	n = n < c->left ? n : c->left;
	p.body = zp_cursor_take(c, n);
	p.body_len = n;
	p.seq = how;
	p.time = run->now.wall;
	p.sid[0] = how >> 6;
	size_t len = raw ? n : zp_payload_len(n, false);
	uint8_t *payload = malloc(len + 1);
	MUST(payload != NULL);
	if (raw && n > 0)
		memcpy(payload, p.body, n);
	else if (!raw)
		zp_payload_write(payload, len, &p);
	char *line = fuzz_seal(w, false, zp_key_rp(w->key, true),
	    w->p[(how >> 3) % 3], nonce, payload, len);
	for (unsigned i = 0; i < MEMBERS; i++)
		hear(run, &run->who[i], line, strlen(line));
	free(line);
	free(payload);
}

static void
step(struct run *run, struct zp_cursor *c)
{
	uint8_t what = zp_cursor_u8(c), much = zp_cursor_u8(c);
	struct member *m = &run->who[(what >> 3) % MEMBERS];
	char line[LINE_MAX_LEN];

	switch (what & 7) {
	case 0:
		wait_for(run, (uint64_t)much * much);
		break;
	case 1:
		relay(run, much);
		break;
	case 2:
	case 3:
		forge(run, c, what, much);
		break;
	case 4: /* an old line, perhaps with a bit turned */
		memcpy(line, m->line, m->len);
		if (m->len > 0 && (what & 32) != 0) {
			char *at = &line[(much * 16u) % m->len];
			*at = (char)((unsigned char)*at ^ (1u << (what >> 6)));
		}
		hear(run, &run->who[(what >> 4) % MEMBERS], line, m->len);
		break;
	case 5:
		MUST(zp_presence_rekey(m->p, &run->now) == ZP_OK);
		break;
	case 6:
		MUST(zp_presence_announce(m->p, &run->now) == ZP_OK);
		break;
	default:
		wait_for(run, (uint64_t)much * 1000);
		break;
	}
}

static void
agree(struct run *run)
{
	const struct zp_machine_conv *conv[MEMBERS];
	char why[ZP_PRESENCE_TEXT];

	for (unsigned i = 0; i < MEMBERS; i++) {
		const struct zp_presence *p = run->who[i].p;
		MUST(strlen(zp_presence_why(why, p)) < sizeof(why));
		conv[i] =
		    zp_machine_current(zp_presence_machine(run->who[i].p));
	}
	if (conv[0] == NULL || conv[1] == NULL)
		return;
	bool one =
	    memcmp(conv[0]->keys->id, conv[1]->keys->id, ZP_CONV_ID_LEN) == 0;
	bool same =
	    memcmp(conv[0]->keys->key, conv[1]->keys->key, ZP_KEY_LEN) == 0;
	MUST(one == same);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct run run;
	struct zp_cursor c;

	run = (struct run){
	    .now = {.ticks = 1000000, .wall = 1767225600000}, .began = 1000000};
	zp_cursor_init(&c, data, len);
	uint8_t how = zp_cursor_u8(&c);
	for (unsigned i = 0; i < MEMBERS; i++)
		join(&run, i, how);
	for (int i = 0; i < STEPS && c.left >= 2; i++)
		step(&run, &c);
	agree(&run);
	for (unsigned i = 0; i < MEMBERS; i++) {
		MUST(zp_presence_stop(run.who[i].p, &run.now) == ZP_OK);
		zp_presence_free(run.who[i].p);
		zp_known_free(run.who[i].known);
	}
	return 0;
}
