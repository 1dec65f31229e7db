#include "proto/zp_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_secret.h"

struct zp_session {
	struct zp_sealer *sealer;
	struct zp_payload p; /* the header of the part to come */
	uint64_t first;
	size_t room;
	bool parts_over;
	uint8_t *joined; /* `first` and the start of a message */
};

/* A message's body begins with `first`; a note's with itself. */
static size_t
lead_len(const struct zp_session *s)
{
	return s->p.kind == ZP_KIND_MESSAGE ? 8 : 0;
}

enum zp_err
zp_session_new(struct zp_session **session, struct zp_sealer *sealer,
    const struct zp_session_params *params)
{
	struct zp_session *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		zp_sealer_free(sealer);
		return ZP_ERR_MEMORY;
	}
	s->sealer = sealer;
	s->p.kind = (uint8_t)params->kind;
	memcpy(s->p.sid, params->sid, ZP_SID_LEN);
	s->first = params->first;
	s->room = zp_payload_room(params->max_record, zp_sealer_signs(sealer));
	s->joined = malloc(s->room);
	if (s->joined == NULL) {
		zp_session_free(s);
		return ZP_ERR_MEMORY;
	}
	*session = s;
	return ZP_OK;
}

void
zp_session_free(struct zp_session *s)
{
	if (s == NULL)
		return;
	zp_sealer_free(s->sealer);
	if (s->joined != NULL)
		zp_secret_wipe(s->joined, s->room);
	free(s->joined);
	free(s);
}

size_t
zp_session_room(const struct zp_session *s)
{
	return s->room - (s->p.part == 0 ? lead_len(s) : 0);
}

void
zp_session_expect(struct zp_session *s, size_t bodies)
{
	zp_sealer_expect(s->sealer, bodies);
}

void
zp_session_begin(struct zp_session *s, uint64_t seq, uint64_t time)
{
	struct zp_session_place place = {.seq = seq, .time = time};

	zp_session_at(s, &place);
}

struct zp_session_place
zp_session_place(const struct zp_session *s)
{
	uint64_t over = s->parts_over ? 1 : 0;

	return (struct zp_session_place){
	    .seq = s->p.seq, .time = s->p.time, .part = s->p.part + over};
}

void
zp_session_at(struct zp_session *s, const struct zp_session_place *place)
{
	s->p.seq = place->seq;
	s->p.time = place->time;
	s->p.part = (uint32_t)place->part;
	s->parts_over = place->part > UINT32_MAX;
}

/* One record with this body, straight into the output. */
static enum zp_err
put_record(struct zp_session *s, const uint8_t *data, size_t len, bool last,
    struct zp_out *out)
{
	size_t n = zp_sealer_line_len(s->sealer, len);
	enum zp_err err;

	if (s->parts_over)
		return ZP_ERR_TOO_LONG;
	s->p.flags = last ? ZP_FLAG_LAST : 0;
	s->p.body = data;
	s->p.body_len = len;
	char *to = zp_out_take(out, n);
	if (to != NULL) {
		err = zp_sealer_line(s->sealer, to, &s->p);
		if (err)
			zp_out_untake(out, n);
	} else if (out->error) {
		err = ZP_ERR_IO;
	} else {
		/* A record longer than the output's buffer. */
		char *line = malloc(n);
		if (line == NULL)
			return ZP_ERR_MEMORY;
		err = zp_sealer_line(s->sealer, line, &s->p);
		if (!err)
			err = zp_out_put(out, line, n);
		free(line);
	}
	if (!err && s->p.part == UINT32_MAX)
		s->parts_over = true;
	if (!err)
		s->p.part++;
	return err;
}

enum zp_err
zp_session_part(struct zp_session *s, const void *data, size_t len, bool last,
    struct zp_out *out)
{
	size_t lead = lead_len(s);

	if (lead == 0 || s->p.part > 0)
		return put_record(s, data, len, last, out);
	zp_be64_put(s->joined, s->first);
	if (len > 0)
		memcpy(s->joined + lead, data, len);
	return put_record(s, s->joined, lead + len, last, out);
}

enum zp_err
zp_session_body(struct zp_session *s, uint64_t seq, uint64_t time,
    const void *body, size_t len, struct zp_out *out)
{
	const uint8_t *at = body;
	bool last;

	zp_session_begin(s, seq, time);
	do {
		size_t room = zp_session_room(s);
		size_t n = len < room ? len : room;
		last = n == len;
		enum zp_err err = zp_session_part(s, at, n, last, out);
		if (err)
			return err;
		if (n > 0)
			at += n;
		len -= n;
	} while (!last);
	return ZP_OK;
}
