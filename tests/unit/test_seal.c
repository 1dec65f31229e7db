#include <sodium.h>
#include <time.h>

#include "base/zp_io.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_seal.h"
#include "crypt/zp_secret.h"
#include "proto/zp_parts.h"
#include "proto/zp_session.h"

#include "tap.h"

struct world {
	struct zp_key *key;
	struct zp_identity *id;
	struct zp_opener *opener;
	struct zp_sigctx ctx;
	unsigned slot;
};

static void
setup(struct world *w)
{
	uint8_t raw[ZP_KEY_LEN] = {1, 2, 3};

	memset(w, 0, sizeof(*w));
	if (zp_secret_init() || zp_key_load(&w->key, raw, "ops", 18) ||
	    zp_identity_new(&w->id) ||
	    zp_opener_new(
		&w->opener, zp_key_amac(w->key), zp_key_aenc(w->key), "ops") ||
	    zp_opener_add(
		w->opener, zp_key_msgkey(w->key), NULL, NULL, 0, &w->slot) ||
	    zp_pseudo_make(w->ctx.p, zp_key_amac(w->key), zp_key_aenc(w->key),
		ZP_PSEUDO_USER, "alice"))
		exit(1);
	memcpy(w->ctx.rp, zp_key_rp(w->key, false), ZP_PSEUDONYM_LEN);
}

static void
teardown(struct world *w)
{
	zp_opener_free(w->opener);
	zp_identity_free(w->id);
	zp_key_free(w->key);
}

static struct zp_payload
note(const char *body)
{
	return (struct zp_payload){.kind = ZP_KIND_NOTE,
	    .flags = ZP_FLAG_LAST,
	    .seq = 5,
	    .time = 1700000000000,
	    .body = (const uint8_t *)body,
	    .body_len = strlen(body)};
}

/* Seals one note of alice; returns the line's length. */
static size_t
seal(struct world *w, bool sign, const struct zp_payload *p, char *to)
{
	struct zp_sealer *s;
	size_t n;

	if (zp_sealer_new(
		&s, zp_key_msgkey(w->key), &w->ctx, sign ? w->id : NULL))
		exit(1);
	n = zp_sealer_line_len(s, p->body_len);
	if (zp_sealer_line(s, to, p))
		exit(1);
	zp_sealer_free(s);
	return n;
}

static enum zp_err
open_line(struct world *w, const char *line, size_t n, struct zp_opened *op)
{
	struct zp_record rec;
	size_t from = 0;

	if (!zp_record_find(line, n, &from, false, &rec))
		return ZP_ERR_NOT_FOUND;
	return zp_opener_open(w->opener, &rec, op);
}

static void
test_round(struct world *w)
{
	char line[5000];
	struct zp_opened op;
	struct zp_payload p = note("hello");

	for (int sign = 0; sign < 2; sign++) {
		size_t n = seal(w, sign, &p, line);
		OK(line[n - 1] == '\n', "a record is a line");
		IS(open_line(w, line, n, &op), ZP_OK, "it opens");
		OK(strcmp(op.uid, "alice") == 0 && op.payload.seq == 5 &&
			op.payload.body_len == 5 &&
			memcmp(op.payload.body, "hello", 5) == 0,
		    "with sender, number and body");
		OK((op.payload.idkey != NULL) == sign,
		    "with an identity if it was signed");
	}
	memset(line, 0, sizeof(line));
	size_t a = seal(w, false, &p, line), b = seal(w, false, &p, line + a);
	OK(a == b && memcmp(line, line + a, a) != 0,
	    "the same note never gives the same record");
	p.seq = ZP_SEQ_MAX + 1;
	struct zp_sealer *s;
	if (zp_sealer_new(&s, zp_key_msgkey(w->key), &w->ctx, NULL))
		exit(1);
	IS(zp_sealer_line(s, line, &p), ZP_ERR_ENDED,
	    "a used-up counter ends the session");
	zp_sealer_free(s);
}

/* Every bit flipped, every truncation, another sender: refused. */
static void
test_tampering(struct world *w)
{
	char line[5000], bad[5000];
	struct zp_opened op;
	struct zp_payload p = note("attack at dawn");
	size_t n = seal(w, true, &p, line), opened = 0;

	for (size_t i = 0; i + 1 < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, line, n);
			bad[i] = (char)(bad[i] ^ (1 << bit));
			opened += open_line(w, bad, n, &op) == ZP_OK;
		}
	IS(opened, 0, "no record with a flipped bit opens");
	for (size_t i = 0; i + 1 < n; i++)
		opened += open_line(w, line, i, &op) == ZP_OK;
	IS(opened, 0, "no truncated record opens");

	struct zp_sigctx other = w->ctx;
	if (zp_pseudo_make(other.p, zp_key_amac(w->key), zp_key_aenc(w->key),
		ZP_PSEUDO_USER, "bob"))
		exit(1);
	memcpy(bad, line, n);
	zp_record_topic(bad + 4 + 65, other.p);
	IS(open_line(w, bad, n, &op), ZP_ERR_NOT_OURS,
	    "a record given to another sender opens for nobody");
	memcpy(bad, line, n);
	memcpy(bad + 4, zp_key_topic(w->key, true), ZP_TOPIC_LEN);
	IS(open_line(w, bad, n, &op), ZP_ERR_NOT_OURS,
	    "nor under the channel's other topic");
	memcpy(bad, line, n);
	bad[n - 2] = bad[n - 2] == 'A' ? 'B' : 'A';
	OK(open_line(w, bad, n, &op) != ZP_OK, "nor with another last letter");
}

/* What a member's wrong program could send: the key fits, the rest not. */
static void
test_refused(struct world *w)
{
	char line[5000];
	struct zp_opened op;
	struct zp_payload p = note("x");

	p.kind = ZP_KIND_HELLO;
	size_t n = seal(w, false, &p, line);
	IS(open_line(w, line, n, &op), ZP_ERR_FORMAT,
	    "a hello under the notes' topic is refused");
	p.kind = ZP_KIND_MESSAGE;
	n = seal(w, false, &p, line);
	IS(open_line(w, line, n, &op), ZP_ERR_FORMAT,
	    "a message under the channel key is refused");
	p.kind = 77;
	n = seal(w, false, &p, line);
	IS(open_line(w, line, n, &op), ZP_OK, "an unknown kind is opened");
	IS(op.payload.kind, 77, "for the caller to skip");

	struct zp_sigctx right = w->ctx;
	p = note("x");
	memset(w->ctx.p, 7, sizeof(w->ctx.p));
	n = seal(w, false, &p, line);
	w->ctx = right;
	IS(open_line(w, line, n, &op), ZP_ERR_FORGED,
	    "a sender that is no pseudonym is refused");
	right.keyid[0] = 1;
	struct zp_sigctx save = w->ctx;
	w->ctx = right;
	n = seal(w, true, &p, line);
	w->ctx = save;
	IS(open_line(w, line, n, &op), ZP_ERR_SIGNATURE,
	    "a signature made for a conversation is none for a note");
}

static void
test_conversation(struct world *w)
{
	char line[5000];
	struct zp_opened op;
	struct zp_sealer *s;
	uint8_t k[32] = {9}, id[ZP_KEYID_LEN] = {8}, bob[1][ZP_PSEUDONYM_LEN];
	struct zp_payload p = note("12345678secret");
	unsigned slot, slot2;

	p.kind = ZP_KIND_MESSAGE;
	memcpy(w->ctx.keyid, id, sizeof(id));
	if (zp_sealer_new(&s, k, &w->ctx, w->id) || zp_sealer_line(s, line, &p))
		exit(1);
	size_t n = zp_sealer_line_len(s, p.body_len);
	zp_sealer_free(s);
	memset(w->ctx.keyid, 0, sizeof(w->ctx.keyid));
	IS(open_line(w, line, n, &op), ZP_ERR_NOT_OURS,
	    "a message does not open without its conversation's key");
	memcpy(bob[0], w->ctx.p, sizeof(bob[0]));
	if (zp_opener_add(w->opener, k, id,
		(const uint8_t(*)[ZP_PSEUDONYM_LEN])bob, 1, &slot))
		exit(1);
	IS(open_line(w, line, n, &op), ZP_OK, "with it, it does");
	IS(op.slot, slot, "and the key is named");
	zp_opener_remove(w->opener, slot);
	IS(open_line(w, line, n, &op), ZP_ERR_NOT_OURS,
	    "a key removed opens nothing more");
	bob[0][0] ^= 1;
	if (zp_opener_add(w->opener, k, id,
		(const uint8_t(*)[ZP_PSEUDONYM_LEN])bob, 1, &slot2))
		exit(1);
	IS(open_line(w, line, n, &op), ZP_ERR_FORGED,
	    "who is no member says nothing in a conversation");
	zp_opener_remove(w->opener, slot2);
}

static enum zp_err reported;

static void
on_report(void *arg, const struct zp_body *body, enum zp_err why, bool begun)
{
	(void)arg;
	(void)body;
	(void)begun;
	reported = why;
}

/* A body of several parts, given in this order (bytes of order, '0' on). */
static size_t
through(struct world *w, bool stream, const char *order, char *text, size_t cap)
{
	struct zp_sealer *s;
	struct zp_session *ses;
	struct zp_session_params params = {
	    .kind = ZP_KIND_NOTE, .max_record = ZP_RECORD_LEAST};
	struct zp_out out;
	struct zp_parts *parts;
	struct zp_piece piece;
	struct zp_opened op;
	static char body[2000];
	size_t got = 0;
	char *line[16];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 7);
	if (zp_sealer_new(&s, zp_key_msgkey(w->key), &w->ctx, w->id) ||
	    zp_session_new(&ses, s, &params) || zp_out_init(&out, -1, 65536) ||
	    zp_session_body(ses, 3, 0, body, sizeof(body), &out) ||
	    zp_parts_new(&parts, stream, on_report, NULL))
		exit(1);
	size_t lines = 0;
	for (char *at = out.data; at < out.data + out.len && lines < 16;
	     at = strchr(at, '\n') + 1)
		line[lines++] = at;
	reported = ZP_OK;
	for (; *order != '\0'; order++) {
		char *at = line[*order - '0'];
		if (open_line(w, at, (size_t)(strchr(at, '\n') - at), &op))
			exit(1);
		if (zp_parts_add(parts, &op) && *order != '0')
			exit(1);
		while (zp_parts_next(parts, &piece) && got + piece.len <= cap) {
			memcpy(text + got, piece.data, piece.len);
			got += piece.len;
		}
	}
	zp_parts_end(parts);
	while (zp_parts_next(parts, &piece))
		got = 0;
	bool same = memcmp(text, body, got) == 0;
	zp_parts_free(parts);
	zp_session_free(ses);
	zp_out_free(&out);
	return same ? got : SIZE_MAX;
}

static void
test_parts(struct world *w)
{
	char text[4000];

	/* 1,024 characters hold 439 signed bytes: 2,000 make five parts. */
	IS(through(w, false, "01234", text, sizeof(text)), 2000,
	    "parts in order make the body");
	IS(through(w, false, "43210", text, sizeof(text)), 2000,
	    "parts in any order make the body");
	IS(through(w, true, "01234", text, sizeof(text)), 2000,
	    "streaming gives it part by part");
	IS(through(w, true, "21043", text, sizeof(text)), 2000,
	    "in order, however they come");
	IS(through(w, false, "0124", text, sizeof(text)), 0,
	    "a body without a part is never shown");
	IS(reported, ZP_ERR_CUT, "but reported as cut");
	IS(through(w, false, "0123", text, sizeof(text)), 0,
	    "also if it is the last part");
	IS(reported, ZP_ERR_CUT, "that is missing");
	IS(through(w, true, "01", text, sizeof(text)), 878,
	    "streaming gives what there is");
	IS(reported, ZP_ERR_CUT, "and reports the cut");
}

/* So long take 8,000 parts of one body in steps of so many. */
static double
time_of(uint32_t step)
{
	struct zp_opened op = {.payload = {.kind = ZP_KIND_NOTE,
				   .body = (const uint8_t *)"x",
				   .body_len = 1}};
	struct zp_piece piece = {0};
	struct zp_parts *parts;
	size_t whole = 0;

	if (zp_parts_new(&parts, false, on_report, NULL))
		exit(1);
	clock_t t = clock();
	for (uint32_t i = 0; i < 8000; i++) {
		op.payload.part = i * step % 8000;
		op.payload.flags = op.payload.part == 7999 ? ZP_FLAG_LAST : 0;
		if (zp_parts_add(parts, &op))
			exit(1);
		while (zp_parts_next(parts, &piece))
			whole += piece.len;
	}
	t = clock() - t;
	IS(whole, 8000, "8,000 parts make a body");
	zp_parts_free(parts);
	return (double)t;
}

/* The least of a few: other processes take time, too. */
static double
least_time_of(uint32_t step)
{
	double least = time_of(step);

	for (int i = 0; i < 4; i++) {
		double t = time_of(step);
		least = t < least ? t : least;
	}
	return least;
}

static void
test_order(void)
{
	double good = least_time_of(1), odd = least_time_of(3),
	       wild = least_time_of(3037);

	OK(odd < 10 * good + CLOCKS_PER_SEC / 50 &&
		wild < 10 * good + CLOCKS_PER_SEC / 50,
	    "in whatever order they come it takes about as long");
}

int
main(void)
{
	struct world w;

	setup(&w);
	test_round(&w);
	test_tampering(&w);
	test_refused(&w);
	test_conversation(&w);
	test_parts(&w);
	test_order();
	teardown(&w);
	return tap_done();
}
