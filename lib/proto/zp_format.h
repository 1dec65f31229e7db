#ifndef ZP_FORMAT_H
#define ZP_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_io.h"
#include "wire/zp_payload.h"

/* Showing bodies as text or JSON, safe for terminals and for line readers. */

/* Everything that can be shown of a body. */
struct zp_shown {
	enum zp_kind kind;
	const char *channel, *uid;
	uint64_t time; /* ms since 1970, 0: withheld */
	const uint8_t *sid; /* ZP_SID_LEN */
	uint64_t seq;
	const uint8_t *data;
	size_t len;
	const char *identity; /* known, new, anonymous */
	const uint8_t *idkey; /* ZP_IDKEY_LEN, or NULL */
	const uint8_t *conversation; /* 16 bytes, or NULL */
	const char *warning; /* for JSON; NULL: none */
	const char *type; /* of a file, as claimed; NULL: a text */
	bool partial; /* what somebody has typed so far */
};

/*
 * A format: %m body with further lines indented by four blanks (a line feed
 * at its very end is left out), %M body on one line, %u sender, %t time, %k
 * kind, %s identity, %c conversation, %r channel, %i session, %n number, %%;
 * and \n \t \\.  ZP_ERR_USAGE.
 */
ZP_CHECKED enum zp_err
zp_format_check(const char *format);

/* Writes a body by a checked format, and a newline. */
ZP_CHECKED enum zp_err
zp_format_text(
    struct zp_out *out, const char *format, const struct zp_shown *shown);

/* Writes it as one line of JSON. */
ZP_CHECKED enum zp_err
zp_format_json(struct zp_out *out, const struct zp_shown *shown);

/* Puts s as a JSON string with its quotes; what is not UTF-8 as \ufffd. */
ZP_CHECKED enum zp_err
zp_format_json_string(struct zp_out *out, const char *s);

/* RFC 3339 in UTC, to the second; "-" if ms is 0 or beyond the year 9999. */
#define ZP_FORMAT_TIME 24
const char *
zp_format_time(char to[static ZP_FORMAT_TIME], uint64_t ms);

/* Lower-case hexadecimal and a NUL: 2 n + 1 characters. */
const char *
zp_format_hex(char *to, const uint8_t *from, size_t n);

#endif
