#include "base/zp_text.h"
#include "fuzz.h"
#include "proto/zp_format.h"

/*
 * Formats of -F, and bodies shown by them and as JSON.  Input: the length of
 * the format, it, and a body.
 */

/* One line that begins and ends as an object, without bare controls. */
static void
check_json(const char *s, size_t n)
{
	bool quoted = false;

	MUST(n >= 3 && s[0] == '{' && s[n - 2] == '}' && s[n - 1] == '\n');
	MUST(zp_text_is_utf8(s, n));
	for (size_t i = 0; i < n - 1; i++) {
		MUST((unsigned char)s[i] >= ' ');
		if (quoted && s[i] == '\\') {
			MUST(strchr("\"\\/bfnrtu", s[++i]) != NULL);
			if (s[i] != 'u')
				continue;
			for (int k = 0; k < 4; k++)
				MUST(strchr("0123456789abcdefABCDEF", s[++i]) !=
				    NULL);
		} else if (s[i] == '"') {
			quoted = !quoted;
		}
	}
	MUST(!quoted);
}

/* No line that an indented body could not have made. */
static void
check_text(const char *s, size_t n)
{
	MUST(n > 0 && s[n - 1] == '\n');
	MUST(zp_text_is_utf8(s, n));
	MUST(memchr(s, '\033', n) == NULL && memchr(s, '\r', n) == NULL);
	MUST(memchr(s, '\0', n) == NULL);
}

static void
show(const char *format, const struct zp_shown *shown)
{
	struct zp_out out;
	size_t n;
	char *text;

	MUST(zp_out_init(&out, fuzz_sink(), 4096) == ZP_OK);
	if (format != NULL)
		MUST(zp_format_text(&out, format, shown) == ZP_OK);
	else
		MUST(zp_format_json(&out, shown) == ZP_OK);
	MUST(zp_out_flush(&out) == ZP_OK);
	zp_out_free(&out);
	text = fuzz_sunk(&n);
	if (format == NULL)
		check_json(text, n);
	else
		check_text(text, n);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t sid[ZP_SID_LEN] = {1}, conv[16] = {2};
	char format[256] = "", time[ZP_FORMAT_TIME];
	struct zp_cursor c;

	zp_cursor_init(&c, data, len);
	size_t n = zp_cursor_u8(&c);
	uint64_t when = zp_cursor_u64(&c);
	if (n > c.left)
		n = c.left;
	zp_cursor_copy(&c, format, n);
	if (c.bad)
		return 0;
	char *body = fuzz_copy(c.at, c.left);
	struct zp_shown shown = {.kind = 1 + n % 2,
	    .channel = "ops",
	    .uid = "al \"ice",
	    .time = when,
	    .sid = sid,
	    .seq = when,
	    .data = (uint8_t *)body,
	    .len = c.left,
	    .identity = "new",
	    .conversation = n % 2 ? conv : NULL};
	MUST(strlen(zp_format_time(time, when)) < ZP_FORMAT_TIME);
	show(NULL, &shown);
	/* Escapes in what the user asks for himself are his own affair. */
	if (zp_format_check(format) == ZP_OK &&
	    zp_text_is_name(format, strnlen(format, 31)) &&
	    zp_text_is_utf8(format, strlen(format)) &&
	    strpbrk(format, "\033\r") == NULL)
		show(format, &shown);
	free(body);
	return 0;
}
