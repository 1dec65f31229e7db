#include <sys/stat.h>
#include <unistd.h>

#include "base/zp_be.h"
#include "base/zp_text.h"
#include "fuzz.h"
#include "proc/zp_inbox.h"

/*
 * All of zpinc-open behind its options: bodies that members may send, in
 * several parts, numbers and sessions.  First byte: how they are shown.
 * Then records: 6 bytes head (key and sender; flags; part; number; time;
 * length) and a body.
 */

static void
add_record(struct zp_inbox *in, struct zp_cursor *c, uint64_t number)
{
	const struct fuzz_world *w = fuzz_world();
	uint8_t head = zp_cursor_u8(c), flags = zp_cursor_u8(c);
	uint8_t part = zp_cursor_u8(c), seq = zp_cursor_u8(c);
	uint8_t time = zp_cursor_u8(c), nonce[ZP_NONCE_LEN] = {0};
	size_t n = zp_cursor_u8(c), from = 0;
	bool message = (head & 1) != 0;
	uint8_t body[8 + 255] = {0};

	if (n > c->left)
		n = c->left;
	zp_cursor_copy(c, body + (message ? 8 : 0), n);
	struct zp_payload p = {.kind = message ? ZP_KIND_MESSAGE : ZP_KIND_NOTE,
	    .flags = flags & 1,
	    .part = part,
	    .seq = seq,
	    .time = time == 0 ? 0 : 1700000000000 + (uint64_t)time * 1000,
	    .body = body,
	    .body_len = n + (message && part == 0 ? 8 : 0)};
	if (message && part != 0)
		memmove(body, body + 8, n);
	if ((head & 2) != 0)
		p.kind = flags >> 3;
	p.sid[0] = head >> 5;
	size_t len = zp_payload_len(p.body_len, false);
	uint8_t *payload = malloc(len);
	MUST(payload != NULL);
	zp_payload_write(payload, len, &p);
	char *line =
	    fuzz_seal(w, message, zp_key_rp(w->key, p.kind == ZP_KIND_HELLO),
		w->p[(head >> 3) % 3], nonce, payload, len);
	struct zp_record rec;
	bool ours = false;
	MUST(zp_record_find(line, strlen(line), &from, false, &rec));
	enum zp_err err = zp_inbox_record(in, &rec, number, &ours);
	MUST(err == ZP_OK && ours);
	free(line);
	free(payload);
}

static struct zp_keyfile *
conversation(void)
{
	const struct fuzz_world *w = fuzz_world();
	struct zp_keyfile *kf = calloc(1, sizeof(*kf));

	MUST(kf != NULL);
	kf->kind = ZP_KEYFILE_CONVERSATION;
	kf->conv = zp_convfile_new(2);
	MUST(kf->conv != NULL);
	strcpy(kf->conv->channel, "ops");
	memcpy(kf->conv->amac, zp_key_amac(w->key), ZP_KEY_LEN);
	memcpy(kf->conv->aenc, zp_key_aenc(w->key), ZP_KEY_LEN);
	memcpy(kf->conv->key, w->record_key, ZP_KEY_LEN);
	memcpy(kf->conv->id, w->keyid, ZP_KEYID_LEN);
	for (size_t i = 0; i < 2; i++) {
		memcpy(kf->conv->members[i].p, w->p[i], ZP_PSEUDONYM_LEN);
		strcpy(kf->conv->members[i].uid, i == 0 ? "alice" : "bob");
	}
	return kf;
}

static void
check_shown(enum zp_inbox_style style)
{
	size_t n;
	char *text = fuzz_sunk(&n);

	if (style != ZP_INBOX_RAW) {
		MUST(zp_text_is_utf8(text, n));
		MUST(n == 0 || text[n - 1] == '\n');
		MUST(memchr(text, '\033', n) == NULL);
		MUST(memchr(text, '\0', n) == NULL);
	}
	free(text);
}

static void
run(struct zp_inbox_config *config, struct zp_cursor *c,
    struct zp_keyfile *conv)
{
	const struct fuzz_world *w = fuzz_world();
	struct zp_keyfile channel = {.kind = ZP_KEYFILE_CHANNEL, .key = w->key};
	struct zp_inbox *in;

	MUST(zp_inbox_new(&in, config) == ZP_OK);
	MUST(zp_inbox_key(in, &channel) == ZP_OK);
	MUST(zp_inbox_key(in, conv) == ZP_OK);
	MUST(zp_inbox_expect(in, "alice", 1000) == ZP_OK);
	MUST(zp_inbox_begin(in) == ZP_OK);
	for (uint64_t i = 1; i < 100 && c->left >= 6; i++) {
		if (i % 16 == 0) {
			MUST(zp_inbox_end(in, true) == ZP_OK);
			MUST(zp_inbox_begin(in) == ZP_OK);
		}
		add_record(in, c, i);
	}
	MUST(zp_inbox_end(in, true) == ZP_OK);
	MUST(zp_inbox_finish(in) == ZP_OK);
	MUST(zp_inbox_status(in) <= ZP_EXIT_KEY);
	zp_inbox_free(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_cursor c;
	struct zp_out out;
	char state[128], trust[128];

	zp_cursor_init(&c, data, len);
	uint8_t how = zp_cursor_u8(&c);
	MUST(zp_out_init(&out, fuzz_sink(), 4096) == ZP_OK);
	snprintf(trust, sizeof(trust), "%s", fuzz_file("trust", "", 0));
	snprintf(state, sizeof(state), "%s", fuzz_file("inbox", "", 0));
	unlink(trust);
	unlink(state);
	struct zp_inbox_config config = {.tool = "fuzz",
	    .out = &out,
	    .style = (enum zp_inbox_style)(how % 3),
	    .format = "%t %u %k %s %c: %m",
	    .state_path = (how & 32) != 0 ? state : NULL,
	    .trust_path = trust,
	    .strict = (how & 4) != 0,
	    .all = (how & 8) != 0,
	    .verbose = (how & 16) != 0,
	    .max_age = (how & 64) != 0 ? 1000 : 0};
	struct zp_keyfile *conv = conversation();
	run(&config, &c, conv);
	check_shown(config.style);
	zp_convfile_free(conv->conv);
	free(conv);
	zp_out_free(&out);
	return 0;
}
