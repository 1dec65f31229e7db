#include "base/zp_text.h"
#include "fuzz.h"

/*
 * Text of others made safe: nothing in what comes out moves a cursor, forges
 * a line or reorders text, and it is the same in small pieces.  A user's name
 * is one word that tells what the name is.  First byte: the style and the room
 * for a piece.
 */

static bool
is_bidi(uint32_t c)
{
	return c == 0x61c || c == 0x200e || c == 0x200f ||
	    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x2028 || c == 0x2029;
}

static void
check_safe(const char *s, size_t n, enum zp_text_style style)
{
	const uint8_t *at = (const uint8_t *)s;
	size_t left = n;

	while (left > 0) {
		uint32_t c = 0;
		size_t k = zp_text_decode(at, left, &c);
		MUST(k > 0 && !is_bidi(c));
		if (style == ZP_TEXT_INDENT && c == '\n')
			MUST(left >= 5 && memcmp(at, "\n    ", 5) == 0);
		else
			MUST(c == '\t' || c >= ' ');
		MUST(c != 0x7f && (c < 0x80 || c >= 0xa0));
		if (style == ZP_TEXT_JSON && c == '"')
			MUST(at > (const uint8_t *)s && at[-1] == '\\');
		at += k;
		left -= k;
	}
}

static size_t
in_pieces(
    char *to, size_t room, const char *s, size_t n, enum zp_text_style style)
{
	size_t len = 0, used;
	char *piece = malloc(room);

	MUST(piece != NULL);
	while (n > 0) {
		size_t got = zp_text_escape(piece, room, s, n, style, &used);
		MUST(got <= room && used > 0 && used <= n);
		memcpy(to + len, piece, got);
		len += got;
		s += used;
		n -= used;
	}
	free(piece);
	return len;
}

static uint8_t
nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* What was written as a name, back to the name; returns its length. */
static size_t
unescape(char *s, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != '\\') {
			s[len++] = s[i];
			continue;
		}
		MUST(i + 1 < n);
		i++;
		if (s[i] == 'x') {
			MUST(i + 2 < n);
			s[len++] =
			    (char)(nibble(s[i + 1]) << 4 | nibble(s[i + 2]));
			i += 2;
		} else {
			MUST(s[i] == 'n' || s[i] == '\\');
			s[len++] = s[i] == 'n' ? '\n' : '\\';
		}
	}
	return len;
}

static void
check_uid(const char *from, size_t len)
{
	char *to = malloc(ZP_TEXT_ESCAPED(len) + 1);
	size_t used;

	MUST(to != NULL);
	size_t n = zp_text_escape(
	    to, ZP_TEXT_ESCAPED(len), from, len, ZP_TEXT_UID, &used);
	MUST(used == len);
	check_safe(to, n, ZP_TEXT_UID);
	for (size_t i = 0; i < n; i++)
		MUST(strchr(" \t,;", to[i]) == NULL);
	MUST(n == 0 || (to[0] != '[' && to[n - 1] != ':'));
	MUST(unescape(to, n) == len && memcmp(to, from, len) == 0);
	free(to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	enum zp_text_style style = data[0] % 3;
	size_t room = 24 + data[0] / 3, used;
	char *from = fuzz_copy(data + 1, --len);

	MUST(!zp_text_is_name(from, len) || zp_text_is_utf8(from, len));
	check_uid(from, len);
	if (style == ZP_TEXT_JSON && !zp_text_is_utf8(from, len)) {
		free(from);
		return 0;
	}
	char *whole = malloc(ZP_TEXT_ESCAPED(len) + 1);
	char *pieces = malloc(ZP_TEXT_ESCAPED(len) + 1);
	MUST(whole != NULL && pieces != NULL);
	size_t n = zp_text_escape(
	    whole, ZP_TEXT_ESCAPED(len), from, len, style, &used);
	MUST(used == len);
	check_safe(whole, n, style);
	MUST(in_pieces(pieces, room, from, len, style) == n);
	MUST(memcmp(whole, pieces, n) == 0);
	free(pieces);
	free(whole);
	free(from);
	return 0;
}
