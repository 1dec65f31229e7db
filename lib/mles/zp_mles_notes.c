#include "mles/zp_mles_notes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_text.h"
#include "crypt/zp_secret.h"
#include "mles/zp_mles_record.h"
#include "mles/zp_mles_seen.h"

/* How far a time may be ahead of the clock. */
#define AHEAD_MS 60000

/* Padding adds at most an eighth (zp_mles_frame_len()). */
#define MESSAGE_MAX \
	((ZP_MLES_HEADER_LEN + ZP_MLES_BODY_MAX) / 8 * 9 + ZP_MLES_OVERHEAD)
#define LINE_MAX_LEN                                         \
	(ZP_PREFIX_LEN + 2 * ((ZP_MLES_BOX_MAX)*4 / 3 + 2) + \
	    (MESSAGE_MAX)*4 / 3 + 4)

struct zp_mles_notes {
	struct zp_mles_key *key;
	struct zp_mles_name uid;
	struct zp_mles_box p;
	struct zp_mles_seen *said;
	int64_t last; /* the latest time that was claimed */
	char text[ZP_MLES_BODY_MAX];
	uint8_t message[MESSAGE_MAX];
	char line[LINE_MAX_LEN];
};

enum zp_err
zp_mles_notes_new(struct zp_mles_notes **to, struct zp_mles_key *key,
    const struct zp_mles_name *uid)
{
	if (zp_mles_text_blocks(uid))
		return ZP_ERR_NAME;
	struct zp_mles_notes *n = zp_secret_new(sizeof(*n));
	if (n == NULL)
		return ZP_ERR_MEMORY;
	n->said = zp_mles_seen_random();
	if (n->said == NULL) {
		zp_secret_free(n);
		return ZP_ERR_MEMORY;
	}
	n->key = key;
	n->uid = *uid;
	zp_mles_key_box(key, &n->p, uid);
	*to = n;
	return ZP_OK;
}

void
zp_mles_notes_free(struct zp_mles_notes *n)
{
	if (n != NULL)
		zp_mles_seen_free(n->said);
	zp_secret_free(n);
}

/*
 * A text stamped before another makes the app wait, and equal ones of a
 * second are one: so times are moved, but not far.
 */
static void
stamp(struct zp_mles_notes *n, struct zp_mles_frame *f)
{
	int64_t end = f->time + AHEAD_MS;

	if (n->last > f->time && n->last <= end)
		f->time = n->last;
	while (f->time + 1000 <= end && zp_mles_seen_text(n->said, &n->uid, f))
		f->time += 1000;
}

enum zp_err
zp_mles_notes_frame(struct zp_mles_notes *n, int64_t time, uint16_t flags,
    const void *body, size_t len, const char **line, size_t *line_len)
{
	struct zp_mles_frame f = {
	    .flags = flags, .time = time, .body = body, .body_len = len};
	uint8_t random[ZP_MLES_NONCE_LEN + 32];

	if (len > ZP_MLES_BODY_MAX)
		return ZP_ERR_TOO_LONG;
	memcpy(f.sid, ZP_MLES_SID_NONE, sizeof(f.sid));
	stamp(n, &f);
	randombytes_buf(random, sizeof(random));
	enum zp_err err = zp_mles_frame_seal(n->message,
	    zp_mles_key_layer(n->key), &f, random, random + ZP_MLES_NONCE_LEN);
	if (err)
		return err;
	n->last = f.time;
	zp_mles_seen_own(n->said, &n->uid, n->message, &f);
	const struct zp_mles_box *rp = zp_mles_key_rp(n->key);
	size_t message = zp_mles_frame_message_len(len, 0);
	size_t chars = zp_mles_record_len(rp->len, n->p.len, message);
	zp_mles_record_write(n->line, rp, &n->p, n->message, message);
	n->line[chars] = '\n';
	*line = n->line;
	*line_len = chars + 1;
	return ZP_OK;
}

enum zp_err
zp_mles_notes_text(struct zp_mles_notes *n, int64_t time, const void *text,
    size_t len, const char **line, size_t *line_len)
{
	if (len > ZP_MLES_BODY_MAX)
		return ZP_ERR_TOO_LONG;
	if (!zp_text_is_utf8(text, len))
		return ZP_ERR_FORMAT;
	size_t encoded = zp_mles_text_encoded_len(text, len);
	if (encoded > ZP_MLES_BODY_MAX)
		return ZP_ERR_TOO_LONG;
	zp_mles_text_encode(n->text, text, len);
	return zp_mles_notes_frame(
	    n, time, ZP_MLES_FULL, n->text, encoded, line, line_len);
}

uint32_t
zp_mles_notes_start(void)
{
	/* Far from where 32 bits end. */
	return randombytes_random() >> 1;
}
