#include "net/zp_mlesframe.h"

#include <cbor.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_b64.h"

/* Maps, arrays and strings within one another, at most. */
#define DEPTH 128

/* ---- base64 ---- */

/* A character of standard base64 in base64url, and back; others stay. */
static char
to_url(char c)
{
	if (c == '+')
		return '-';
	if (c == '/')
		return '_';
	return c;
}

static char
to_standard(char c)
{
	if (c == '-')
		return '+';
	if (c == '_')
		return '/';
	return c;
}

bool
zp_mlesframe_name(
    char to[static ZP_ML_NAME_MAX + 1], const char *name, size_t len)
{
	uint8_t raw[ZP_B64_BYTES(ZP_ML_NAME_MAX)];
	char text[ZP_ML_NAME_MAX];
	size_t n = 0, i = 0;

	/* As atob() reads it: blanks count for nothing, nor does padding. */
	for (; i < len && name[i] != '='; i++) {
		char c = name[i];
		if (memchr(" \t\n\f\r", c, 5) != NULL)
			continue;
		c = to_url(c);
		if (n == sizeof(text) || !zp_b64_is((unsigned char)c))
			return false;
		text[n++] = c;
	}
	for (; i < len; i++)
		if (memchr("= \t\n\f\r", name[i], 6) == NULL)
			return false;
	if (n == 0 || n % 4 == 1)
		return false;
	/* The bits that are left over are nobody's: only whole bytes count. */
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	if (n % 4 != 0) {
		size_t last = (size_t)(strchr(digits, text[n - 1]) - digits);
		text[n - 1] = digits[last & (n % 4 == 2 ? 0x30u : 0x3cu)];
	}
	if (!zp_b64_read(raw, text, n))
		return false;
	memcpy(to, text, n);
	to[n] = '\0';
	return true;
}

/* Standard base64 of a record's field: 4 characters for each 3 bytes. */
static size_t
standard_len(size_t field_len)
{
	return (field_len + 3) / 4 * 4;
}

static void
put_standard(char *to, const char *field, size_t len)
{
	size_t i = 0;

	for (; i < len; i++)
		to[i] = to_standard(field[i]);
	for (; i < standard_len(len); i++)
		to[i] = '=';
}

/* ---- writing ---- */

bool
zp_mlesframe_is_join(const struct zp_record *rec)
{
	return ZP_B64_BYTES(rec->enc_len) <= ZP_MLESFRAME_JOIN_LEN;
}

size_t
zp_mlesframe_room(const struct zp_record *rec)
{
	return 64 + standard_len(rec->p_len) + standard_len(rec->rp_len) +
	    ZP_B64_BYTES(rec->enc_len);
}

/* libcbor is told that there is room, since there is. */
#define HEAD_MAX 9

static size_t
put_text(uint8_t *to, const char *s, size_t len)
{
	size_t n = cbor_encode_string_start(len, to, HEAD_MAX);

	memcpy(to + n, s, len);
	return n + len;
}

static size_t
put_name(uint8_t *to, const char *field, size_t len)
{
	size_t text = standard_len(len);
	size_t n = cbor_encode_string_start(text, to, HEAD_MAX);

	put_standard((char *)to + n, field, len);
	return n + text;
}

size_t
zp_mlesframe_write(uint8_t *to, const struct zp_record *rec)
{
	size_t len = ZP_B64_BYTES(rec->enc_len), n;
	char name[ZP_ML_NAME_MAX + 1];

	if (rec->prefix != ZP_PREFIX_ML1 ||
	    !zp_mlesframe_name(name, rec->p, rec->p_len) ||
	    memcmp(name, rec->p, rec->p_len) != 0 ||
	    !zp_mlesframe_name(name, rec->rp, rec->rp_len) ||
	    memcmp(name, rec->rp, rec->rp_len) != 0)
		return 0;
	n = cbor_encode_map_start(3, to, HEAD_MAX);
	n += put_text(to + n, "uid", 3);
	n += put_name(to + n, rec->p, rec->p_len);
	n += put_text(to + n, "channel", 7);
	n += put_name(to + n, rec->rp, rec->rp_len);
	n += put_text(to + n, "message", 7);
	n += cbor_encode_bytestring_start(len, to + n, HEAD_MAX);
	if (!zp_b64_read(to + n, rec->enc, rec->enc_len))
		return 0;
	return n + len;
}

/* ---- reading ---- */

enum field { UID, CHANNEL, MESSAGE, FIELDS, OTHER = FIELDS };

/* A string of one piece or several, where it was read or gathered. */
struct string {
	bool there; /* and of the right kind */
	const uint8_t *at;
	size_t len;
	uint8_t *own; /* of several pieces */
};

/* What is open around the item that comes next. */
struct level {
	enum { MAP, ARRAY, TEXT, BYTES } kind;
	bool definite;
	uint64_t
	    left; /* items to come, if definite; of maps, keys and values */
	bool value; /* of a map: a value comes next */
};

struct reading {
	struct level level[DEPTH];
	size_t depth;
	bool begun, bad, memory;
	bool tagged; /* a tag was read, and not what it is for */
	enum field field; /* what the next value is */
	struct string got[FIELDS];
	/* an indefinite string at the outermost map */
	uint8_t *piece;
	size_t piece_len, max;
};

static void
drop_piece(struct reading *r)
{
	free(r->piece);
	r->piece = NULL;
	r->piece_len = 0;
}

static enum field
field_of(const void *key, size_t len)
{
	if (len == 3 && memcmp(key, "uid", 3) == 0)
		return UID;
	if (len == 7 && memcmp(key, "channel", 7) == 0)
		return CHANNEL;
	if (len == 7 && memcmp(key, "message", 7) == 0)
		return MESSAGE;
	return OTHER;
}

/* A whole item was read; what it ends, ends. */
static void
item_done(struct reading *r)
{
	while (r->depth > 0) {
		struct level *l = &r->level[r->depth - 1];
		l->value = !l->value;
		if (!l->definite || --l->left > 0)
			return;
		r->depth--;
	}
}

/* Is a key or value of the frame's own map next? */
static bool
at_top(const struct reading *r)
{
	return r->depth == 1;
}

/* An item that is none of ours in that place. */
static void
other_item(struct reading *r)
{
	if (!r->begun) {
		r->bad = true; /* a frame is a map */
	} else if (at_top(r)) {
		if (!r->level[0].value)
			r->field = OTHER;
		else if (r->field < FIELDS)
			r->got[r->field].there = false;
	}
}

/* Are we within a string of unknown length? */
static bool
in_string(const struct reading *r)
{
	return r->depth > 0 && r->level[r->depth - 1].kind >= TEXT;
}

static void
plain_item(struct reading *r)
{
	r->tagged = false;
	if (in_string(r)) {
		r->bad = true;
		return;
	}
	other_item(r);
	item_done(r);
}

/* own: memory that is the string's from here on, or NULL. */
static void
top_string(
    struct reading *r, bool text, const uint8_t *at, size_t len, uint8_t *own)
{
	if (!r->level[0].value) {
		r->field = text ? field_of(at, len) : OTHER;
	} else if (r->field < FIELDS) {
		struct string *s = &r->got[r->field];
		free(s->own);
		*s = (struct string){.there = text == (r->field != MESSAGE),
		    .at = at,
		    .len = len,
		    .own = own};
		return;
	}
	free(own);
}

/* A piece of a string of unknown length. */
static void
add_piece(struct reading *r, bool text, const uint8_t *at, size_t len)
{
	struct level *l = &r->level[r->depth - 1];

	if ((l->kind == TEXT) != text) {
		r->bad = true;
		return;
	}
	if (r->depth != 2 || len == 0)
		return;
	if (r->piece == NULL)
		r->piece = malloc(r->max);
	if (r->piece == NULL) {
		r->bad = r->memory = true;
		return;
	}
	/* All pieces together are no longer than the frame. */
	memcpy(r->piece + r->piece_len, at, len);
	r->piece_len += len;
}

static void
string_item(struct reading *r, bool text, const uint8_t *at, size_t len)
{
	r->tagged = false;
	if (in_string(r)) {
		add_piece(r, text, at, len);
		return;
	}
	if (!r->begun)
		r->bad = true;
	else if (at_top(r))
		top_string(r, text, at, len, NULL);
	item_done(r);
}

static void
open_level(struct reading *r, struct level level)
{
	r->tagged = false;
	/* In a string there are only pieces of strings. */
	if (r->depth == DEPTH || in_string(r)) {
		r->bad = true;
		return;
	}
	if (!r->begun)
		r->bad = level.kind != MAP;
	else if (level.kind < TEXT)
		other_item(r);
	r->begun = true;
	if (level.definite && level.left == 0) {
		item_done(r);
		return;
	}
	r->level[r->depth++] = level;
}

static void
on_uint8(void *arg, uint8_t v)
{
	(void)v;
	plain_item(arg);
}

static void
on_uint16(void *arg, uint16_t v)
{
	(void)v;
	plain_item(arg);
}

static void
on_uint32(void *arg, uint32_t v)
{
	(void)v;
	plain_item(arg);
}

static void
on_uint64(void *arg, uint64_t v)
{
	(void)v;
	plain_item(arg);
}

static void
on_float(void *arg, float v)
{
	(void)v;
	plain_item(arg);
}

static void
on_double(void *arg, double v)
{
	(void)v;
	plain_item(arg);
}

static void
on_bool(void *arg, bool v)
{
	(void)v;
	plain_item(arg);
}

static void
on_simple(void *arg)
{
	plain_item(arg);
}

static void
on_text(void *arg, cbor_data at, size_t len)
{
	string_item(arg, true, at, len);
}

static void
on_bytes(void *arg, cbor_data at, size_t len)
{
	string_item(arg, false, at, len);
}

static void
on_text_start(void *arg)
{
	open_level(arg, (struct level){.kind = TEXT});
}

static void
on_bytes_start(void *arg)
{
	open_level(arg, (struct level){.kind = BYTES});
}

static void
on_array(void *arg, size_t n)
{
	open_level(
	    arg, (struct level){.kind = ARRAY, .definite = true, .left = n});
}

static void
on_array_start(void *arg)
{
	open_level(arg, (struct level){.kind = ARRAY});
}

static void
on_map(void *arg, size_t n)
{
	struct reading *r = arg;

	if (n > SIZE_MAX / 2)
		r->bad = true;
	else
		open_level(r,
		    (struct level){
			.kind = MAP, .definite = true, .left = 2 * n});
}

static void
on_map_start(void *arg)
{
	open_level(arg, (struct level){.kind = MAP});
}

/* A tag says something about the item behind it, which we need not know. */
static void
on_tag(void *arg, uint64_t v)
{
	struct reading *r = arg;

	(void)v;
	r->bad = r->bad || in_string(r);
	r->tagged = true;
}

static void
on_break(void *arg)
{
	struct reading *r = arg;
	struct level *l = r->depth > 0 ? &r->level[r->depth - 1] : NULL;

	if (l == NULL || l->definite || r->tagged ||
	    (l->kind == MAP && l->value)) {
		r->bad = true;
		return;
	}
	r->depth--;
	if (l->kind >= TEXT && at_top(r)) {
		top_string(
		    r, l->kind == TEXT, r->piece, r->piece_len, r->piece);
		r->piece = NULL;
		drop_piece(r);
	}
	item_done(r);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_uint8,
    .negint16 = on_uint16,
    .negint32 = on_uint32,
    .negint64 = on_uint64,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_start,
    .indef_array_start = on_array_start,
    .array_start = on_array,
    .indef_map_start = on_map_start,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_simple,
    .null = on_simple,
    .boolean = on_bool,
    .indef_break = on_break,
};

/*
 * Bytes of a simple value that RFC 8949 (3.3) leaves to be assigned, which
 * libcbor does not read; 0 if none is there.
 */
static size_t
simple_value(const uint8_t *at, size_t len)
{
	if (at[0] >= 0xe0 && at[0] < 0xf4)
		return 1;
	return at[0] == 0xf8 && len > 1 && at[1] >= 32 ? 2 : 0;
}

/* All of the frame; false if it is no map of the right form. */
static bool
read_map(struct reading *r, const uint8_t *frame, size_t len)
{
	size_t at = 0;

	while (at < len && !r->bad) {
		if (r->begun && r->depth == 0)
			return false; /* something behind it */
		size_t simple = simple_value(frame + at, len - at);
		if (simple > 0) {
			plain_item(r);
			at += simple;
			continue;
		}
		struct cbor_decoder_result got =
		    cbor_stream_decode(frame + at, len - at, &callbacks, r);
		if (got.status != CBOR_DECODER_FINISHED || got.read == 0)
			return false;
		at += got.read;
	}
	return !r->bad && r->begun && r->depth == 0;
}

/* ml1.RP.P.ENC of the three fields. */
static enum zp_err
make_line(char **line, size_t *line_len, const struct reading *r)
{
	char p[ZP_ML_NAME_MAX + 1], rp[ZP_ML_NAME_MAX + 1];
	const struct string *uid = &r->got[UID], *chan = &r->got[CHANNEL];
	const struct string *message = &r->got[MESSAGE];

	if (!uid->there || !chan->there || !message->there ||
	    message->len == 0 ||
	    !zp_mlesframe_name(p, (const char *)uid->at, uid->len) ||
	    !zp_mlesframe_name(rp, (const char *)chan->at, chan->len))
		return ZP_ERR_FORMAT;
	size_t p_len = strlen(p), rp_len = strlen(rp);
	size_t head = ZP_PREFIX_LEN + rp_len + 1 + p_len + 1;
	if (message->len > ZP_RECORD_MAX ||
	    head + ZP_B64_CHARS(message->len) > ZP_RECORD_MAX)
		return ZP_ERR_TOO_LONG;
	char *to = malloc(head + ZP_B64_CHARS(message->len) + 1);
	if (to == NULL)
		return ZP_ERR_MEMORY;
	memcpy(to, "ml1.", ZP_PREFIX_LEN);
	memcpy(to + ZP_PREFIX_LEN, rp, rp_len);
	to[ZP_PREFIX_LEN + rp_len] = '.';
	memcpy(to + ZP_PREFIX_LEN + rp_len + 1, p, p_len);
	to[head - 1] = '.';
	zp_b64_write(to + head, message->at, message->len);
	*line = to;
	*line_len = head + ZP_B64_CHARS(message->len);
	to[*line_len] = '\0';
	return ZP_OK;
}

enum zp_err
zp_mlesframe_read(
    char **line, size_t *line_len, const uint8_t *frame, size_t len)
{
	struct reading r = {.max = len, .field = OTHER};
	enum zp_err err = ZP_ERR_FORMAT;

	if (read_map(&r, frame, len))
		err = make_line(line, line_len, &r);
	else if (r.memory)
		err = ZP_ERR_MEMORY;
	for (size_t i = 0; i < FIELDS; i++)
		free(r.got[i].own);
	drop_piece(&r);
	return err;
}

/* ---- the first frame ---- */

size_t
zp_mlesframe_join(char to[static ZP_MLESFRAME_JOIN_MAX], const char *p,
    size_t p_len, const char *rp, size_t rp_len)
{
	char uid[ZP_ML_NAME_MAX + 4] = "", channel[ZP_ML_NAME_MAX + 4] = "";
	size_t len = 0;

	if (p_len == 0 || rp_len == 0 || p_len > ZP_ML_NAME_MAX ||
	    rp_len > ZP_ML_NAME_MAX)
		return 0;
	put_standard(uid, p, p_len);
	put_standard(channel, rp, rp_len);
	cJSON *join = cJSON_CreateObject();
	if (cJSON_AddStringToObject(join, "uid", uid) != NULL &&
	    cJSON_AddStringToObject(join, "channel", channel) != NULL &&
	    cJSON_PrintPreallocated(join, to, ZP_MLESFRAME_JOIN_MAX, 0))
		len = strlen(to);
	cJSON_Delete(join);
	return len;
}

static bool
has_nul(const char *text, size_t len)
{
	static const char nul[] = "\\u0000";

	for (size_t i = 0; i + sizeof(nul) - 1 <= len; i++)
		if (memcmp(text + i, nul, sizeof(nul) - 1) == 0)
			return true;
	return memchr(text, '\0', len) != NULL;
}

bool
zp_mlesframe_read_join(
    char p[static ZP_ML_NAME_MAX + 1], const char *text, size_t len)
{
	/* What cJSON gives ends at the first NUL, which a name has not. */
	if (len > ZP_MLESFRAME_JOIN_MAX || has_nul(text, len))
		return false;
	cJSON *join = cJSON_ParseWithLength(text, len);
	const char *uid =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(join, "uid"));
	bool good = uid != NULL && zp_mlesframe_name(p, uid, strlen(uid));
	cJSON_Delete(join);
	return good;
}
