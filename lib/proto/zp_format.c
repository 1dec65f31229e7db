#include "proto/zp_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/zp_b64.h"
#include "base/zp_text.h"

#define LETTERS "mMutkscrin%"

const char *
zp_format_hex(char *to, const uint8_t *from, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[from[i] >> 4];
		to[2 * i + 1] = digits[from[i] & 15];
	}
	to[2 * n] = '\0';
	return to;
}

const char *
zp_format_time(char to[static ZP_FORMAT_TIME], uint64_t ms)
{
	uint64_t s = ms / 1000;

	memcpy(to, "-", 2);
	if (ms == 0 || s > 253402300799) /* 9999-12-31T23:59:59 */
		return to;
	/* Days to a date in the proleptic Gregorian calendar, counted from
	 * 0000-03-01, so that leap days fall at the end of a year. */
	unsigned days = (unsigned)(s / 86400) + 719468;
	unsigned sec = (unsigned)(s % 86400);
	unsigned era = days / 146097, doe = days % 146097;
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	unsigned day = doy - (153 * mp + 2) / 5 + 1;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = yoe + era * 400 + (month <= 2);
	snprintf(to, ZP_FORMAT_TIME, "%04u-%02u-%02uT%02u:%02u:%02uZ",
	    year % 10000, month % 100, day % 100, sec / 3600, sec / 60 % 60,
	    sec % 60);
	return to;
}

enum zp_err
zp_format_check(const char *f)
{
	for (; *f != '\0'; f++) {
		if (*f == '%' && (f[1] == '\0' || !strchr(LETTERS, f[1])))
			return ZP_ERR_USAGE;
		if (*f == '\\' && (f[1] == '\0' || !strchr("nt\\", f[1])))
			return ZP_ERR_USAGE;
		if (*f == '%' || *f == '\\')
			f++;
	}
	return ZP_OK;
}

/* Puts escaped text, a piece at a time. */
static enum zp_err
put_escaped(
    struct zp_out *out, const void *data, size_t len, enum zp_text_style style)
{
	const uint8_t *at = data;

	while (len > 0) {
		size_t want = len < 1024 ? ZP_TEXT_ESCAPED(len) : 4096, used;
		if (want > out->cap)
			want = out->cap;
		char *to = zp_out_take(out, want);
		if (to == NULL)
			return ZP_ERR_IO;
		size_t n = zp_text_escape(to, want, at, len, style, &used);
		zp_out_untake(out, want - n);
		at += used;
		len -= used;
	}
	return ZP_OK;
}

static enum zp_err
put_string(struct zp_out *out, const char *s)
{
	return zp_out_put(out, s, strlen(s));
}

static const char *
kind_name(enum zp_kind kind)
{
	switch (kind) {
	case ZP_KIND_NOTE:
		return "note";
	case ZP_KIND_MESSAGE:
		return "message";
	case ZP_KIND_HELLO:
		return "hello";
	}
	return "unknown";
}

static enum zp_err
put_letter(struct zp_out *out, char letter, const struct zp_shown *s)
{
	char buf[2 * ZP_IDKEY_LEN + 1];

	switch (letter) {
	case 'm':
		/* A newline at its end is the format's to write. */
		return put_escaped(out, s->data,
		    s->len - (s->len > 0 && s->data[s->len - 1] == '\n'),
		    ZP_TEXT_INDENT);
	case 'M':
		return put_escaped(out, s->data, s->len, ZP_TEXT_LINE);
	case 'u':
		return put_escaped(out, s->uid, strlen(s->uid), ZP_TEXT_UID);
	case 't':
		return put_string(out, zp_format_time(buf, s->time));
	case 'k':
		return put_string(out, kind_name(s->kind));
	case 's':
		return put_string(out, s->identity);
	case 'c':
		if (s->conversation == NULL)
			return put_string(out, "-");
		return put_string(out, zp_format_hex(buf, s->conversation, 16));
	case 'r':
		return put_escaped(
		    out, s->channel, strlen(s->channel), ZP_TEXT_LINE);
	case 'i':
		return put_string(out, zp_format_hex(buf, s->sid, ZP_SID_LEN));
	case 'n':
		snprintf(buf, sizeof(buf), "%" PRIu64, s->seq);
		return put_string(out, buf);
	default:
		return zp_out_put(out, &letter, 1);
	}
}

enum zp_err
zp_format_text(struct zp_out *out, const char *f, const struct zp_shown *s)
{
	enum zp_err err = ZP_OK;

	for (; *f != '\0' && !err; f++) {
		if (*f == '%' && f[1] != '\0') {
			err = put_letter(out, *++f, s);
		} else if (*f == '\\' && f[1] != '\0') {
			f++;
			char c = *f;
			if (c == 'n' || c == 't')
				c = c == 'n' ? '\n' : '\t';
			err = zp_out_put(out, &c, 1);
		} else {
			err = zp_out_put(out, f, 1);
		}
	}
	return err ? err : zp_out_put(out, "\n", 1);
}

/* Standard base64 with padding (RFC 4648, section 4), as jq reads it. */
static enum zp_err
put_base64(struct zp_out *out, const uint8_t *data, size_t len)
{
	while (len > 0) {
		char buf[1024];
		size_t n = len < 765 ? len : 765, chars = ZP_B64_CHARS(n);
		zp_b64_write(buf, data, n);
		for (size_t i = 0; i < chars; i++)
			if (buf[i] == '-' || buf[i] == '_')
				buf[i] = buf[i] == '-' ? '+' : '/';
		while (chars % 4 != 0)
			buf[chars++] = '=';
		enum zp_err err = zp_out_put(out, buf, chars);
		if (err)
			return err;
		data += n;
		len -= n;
	}
	return ZP_OK;
}

enum zp_err
zp_format_json_string(struct zp_out *out, const char *s)
{
	size_t len = strlen(s);
	enum zp_err err = put_string(out, "\"");

	while (!err && len > 0) {
		uint32_t code;
		size_t n = zp_text_decode((const uint8_t *)s, len, &code);
		if (n == 0)
			err = put_string(out, "\\ufffd");
		else
			err = put_escaped(out, s, n, ZP_TEXT_JSON);
		s += n ? n : 1;
		len -= n ? n : 1;
	}
	return err ? err : put_string(out, "\"");
}

static enum zp_err
json_field(struct zp_out *out, const char *name, const char *value)
{
	enum zp_err err = put_string(out, ",\"");

	if (!err)
		err = put_string(out, name);
	if (!err)
		err = put_string(out, "\":");
	return err ? err : zp_format_json_string(out, value);
}

static enum zp_err
json_body(struct zp_out *out, const struct zp_shown *s)
{
	bool text = zp_text_is_utf8(s->data, s->len);
	enum zp_err err =
	    put_string(out, text ? ",\"body\":\"" : ",\"body64\":\"");

	if (!err)
		err = text ? put_escaped(out, s->data, s->len, ZP_TEXT_JSON)
			   : put_base64(out, s->data, s->len);
	return err ? err : put_string(out, "\"}\n");
}

enum zp_err
zp_format_json(struct zp_out *out, const struct zp_shown *s)
{
	char hex[2 * ZP_IDKEY_LEN + 1], time[ZP_FORMAT_TIME], head[96];
	enum zp_err err;

	snprintf(head, sizeof(head), "{\"kind\":\"%s\"", kind_name(s->kind));
	err = put_string(out, head);
	if (!err)
		err = json_field(out, "channel", s->channel);
	if (!err)
		err = json_field(out, "uid", s->uid);
	if (!err && s->time != 0)
		err = json_field(out, "time", zp_format_time(time, s->time));
	snprintf(head, sizeof(head), ",\"ms\":%" PRIu64 ",\"seq\":%" PRIu64,
	    s->time, s->seq);
	if (!err)
		err = put_string(out, head);
	if (!err)
		err = json_field(
		    out, "sid", zp_format_hex(hex, s->sid, ZP_SID_LEN));
	if (!err)
		err = json_field(out, "identity", s->identity);
	if (!err && s->idkey != NULL)
		err = json_field(
		    out, "idkey", zp_format_hex(hex, s->idkey, ZP_IDKEY_LEN));
	if (!err && s->conversation != NULL)
		err = json_field(out, "conversation",
		    zp_format_hex(hex, s->conversation, 16));
	if (!err && s->warning != NULL)
		err = json_field(out, "warning", s->warning);
	if (!err && s->type != NULL)
		err = json_field(out, "type", s->type);
	if (!err && s->partial)
		err = put_string(out, ",\"partial\":true");
	return err ? err : json_body(out, s);
}
