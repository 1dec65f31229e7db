#include "fuzz.h"
#include "proto/zp_parts.h"

/*
 * Parts of several bodies, in any order.  Input: a flag (stream or not), then
 * parts of 6 bytes head and a body.  What is given out is what went in; no
 * body is shown twice or in another order than its parts'.
 */

#define ADDED_MAX 512

struct world {
	size_t bytes_in, bytes_out, bodies, given_up;
	bool inside; /* of a streamed body */
	uint64_t seq;
};

static void
report(void *arg, const struct zp_body *body, enum zp_err why, bool begun)
{
	struct world *w = arg;

	MUST(why == ZP_ERR_CUT || why == ZP_ERR_TOO_LONG ||
	    why == ZP_ERR_FORMAT);
	MUST(!begun || (w->inside && w->seq == body->seq));
	w->given_up++;
	if (begun)
		w->inside = false;
}

static void
take(struct world *w, struct zp_parts *parts)
{
	struct zp_piece piece;

	while (zp_parts_next(parts, &piece)) {
		MUST(piece.begins == !w->inside);
		MUST(w->inside == false || w->seq == piece.body->seq);
		w->seq = piece.body->seq;
		w->inside = !piece.ends;
		w->bytes_out += piece.len;
		w->bodies += piece.ends;
		/* Bytes say which body they belong to. */
		for (size_t i = 0; i < piece.len; i++)
			MUST(piece.data[i] == (uint8_t)piece.body->seq);
	}
}

static void
add(struct world *w, struct zp_parts *parts, struct zp_cursor *c,
    uint8_t *buffer)
{
	static const uint32_t far[] = {
	    0, 0, 1, 4, 8191, 8192, 70000, UINT32_MAX};
	uint8_t head = zp_cursor_u8(c), place = zp_cursor_u8(c);
	size_t n = (size_t)zp_cursor_u8(c) * (1 + (size_t)(head >> 6) * 60);
	struct zp_opened o = {.slot = head & 1};
	struct zp_payload *p = &o.payload;

	p->kind = (head & 2) != 0 ? ZP_KIND_MESSAGE : ZP_KIND_NOTE;
	p->flags = (head & 4) != 0 ? ZP_FLAG_LAST : 0;
	p->seq = (head >> 3) & 3;
	p->part = (place & 15) + far[place >> 5] * (uint32_t)((place >> 4) & 1);
	p->time = (head & 32) != 0 ? 7 : 0;
	o.p[0] = (uint8_t)(n % 2);
	strcpy(o.uid, "alice");
	if (p->kind == ZP_KIND_MESSAGE && p->part == 0) {
		/* `first` stands before the body. */
		memset(buffer, 0, 8);
		memset(buffer + 8, (int)p->seq, n);
		p->body_len = n < 3 ? n : n + 8;
	} else {
		memset(buffer, (int)p->seq, n + 8);
		p->body_len = n;
	}
	p->body = buffer;
	enum zp_err err = zp_parts_add(parts, &o);
	MUST(err == ZP_OK || err == ZP_ERR_FORMAT || err == ZP_ERR_REPLAY);
	if (err == ZP_OK)
		w->bytes_in += p->body_len;
	take(w, parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = {0};
	struct zp_parts *parts;
	struct zp_cursor c;
	uint8_t *buffer = malloc(255 * 181 + 16);

	MUST(buffer != NULL);
	zp_cursor_init(&c, data, len);
	bool stream = (zp_cursor_u8(&c) & 1) != 0;
	MUST(zp_parts_new(&parts, stream, report, &w) == ZP_OK);
	for (int i = 0; i < ADDED_MAX && c.left >= 3; i++)
		add(&w, parts, &c, buffer);
	zp_parts_end(parts);
	take(&w, parts);
	MUST(w.bytes_out <= w.bytes_in);
	MUST(!w.inside);
	zp_parts_free(parts);
	free(buffer);
	return 0;
}
