#include "base/zp_text.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <stdio.h>
#include <string.h>

/* The lead byte's length and payload bits; 0 if it leads nothing. */
static size_t
lead(uint8_t b, uint32_t *code)
{
	if (b < 0x80) {
		*code = b;
		return 1;
	}
	if (b >= 0xc2 && b <= 0xdf) {
		*code = b & 0x1f;
		return 2;
	}
	if (b >= 0xe0 && b <= 0xef) {
		*code = b & 0x0f;
		return 3;
	}
	if (b >= 0xf0 && b <= 0xf4) {
		*code = b & 0x07;
		return 4;
	}
	return 0;
}

size_t
zp_text_decode(const uint8_t *s, size_t n, uint32_t *code)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = 0;

	if (n == 0)
		return 0;
	size_t len = lead(s[0], &c);
	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return len;
}

bool
zp_text_is_utf8(const void *s, size_t n)
{
	const uint8_t *b = s;
	uint32_t code;

	while (n > 0) {
		size_t len = zp_text_decode(b, n, &code);
		if (len == 0)
			return false;
		b += len;
		n -= len;
	}
	return true;
}

static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/* What reorders or breaks a line on a terminal without being a control. */
static bool
is_treacherous(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/*
 * Blanks, and what leaves no mark at all (Unicode's Default_Ignorable and
 * White_Space, but for U+0020; and what is drawn blank): two names that differ
 * by these look the same.
 */
static bool
is_unseen(uint32_t c)
{
	static const uint32_t range[][2] = {{0xa0, 0xa0}, {0xad, 0xad},
	    {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x1680, 0x1680},
	    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f},
	    {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2800, 0x2800},
	    {0x3000, 0x3000}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},
	    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfff8},
	    {0x13441, 0x13442}, {0x1bca0, 0x1bca3}, {0x1d159, 0x1d159},
	    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

	for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++)
		if (c >= range[i][0] && c <= range[i][1])
			return true;
	return false;
}

/*
 * Commas, colons, semicolons and the bracket that are as wide as two letters:
 * a blank seems to stand beside them.
 */
static bool
is_wide_stop(uint32_t c)
{
	return c == 0x3001 || c == 0xfe10 || c == 0xfe11 || c == 0xfe13 ||
	    c == 0xfe14 || c == 0xfe50 || c == 0xfe51 || c == 0xfe54 ||
	    c == 0xfe55 || c == 0xff0c || c == 0xff1a || c == 0xff1b ||
	    c == 0xff3b;
}

/* Would this character of a name, the at-th of n bytes, not be seen? */
static bool
is_hidden(size_t at, size_t n, uint32_t code)
{
	if (code == ' ')
		return at == 0 || at + 1 == n;
	return code == '\t' || is_unseen(code);
}

/*
 * What lines of our own begin with.  On a terminal they stand among those of
 * members, which would begin the same under such a name.
 */
static bool
is_speaker(const uint8_t *s, size_t n)
{
	if (n == 4)
		return memcmp(s, "hint", 4) == 0;
	return n > 6 && memcmp(s, "zpinc-", 6) == 0 &&
	    memchr(s, '@', n) == NULL;
}

/*
 * Could this one of a user's name end it for a reader, or make two names, a
 * sentence or the word "[note]" of it?
 */
static bool
is_deceptive(const uint8_t *s, size_t at, size_t n, uint32_t code)
{
	switch (code) {
	case ' ':
	case ',':
	case ';':
		return true;
	case ':':
		return at + 1 == n;
	case '[':
		return at == 0;
	case 'h':
	case 'z':
		return at == 0 && is_speaker(s, n);
	default:
		return is_hidden(at, n, code) || is_wide_stop(code);
	}
}

static bool
is_odd(enum zp_text_style style, const uint8_t *s, size_t at, size_t n,
    uint32_t code)
{
	return style == ZP_TEXT_UID ? is_deceptive(s, at, n, code)
				    : is_hidden(at, n, code);
}

bool
zp_text_is_word(const char *s)
{
	while (*s > ' ' && *s < 0x7f)
		s++;
	return *s == '\0';
}

size_t
zp_text_bare(const char *dir)
{
	size_t n = strlen(dir);

	while (n > 0 && dir[n - 1] == '/')
		n--;
	return n;
}

bool
zp_text_is_name(const void *s, size_t n)
{
	const uint8_t *b = s;
	uint32_t code = 0;

	if (n == 0 || n > ZP_NAME_MAX)
		return false;
	while (n > 0) {
		size_t len = zp_text_decode(b, n, &code);
		if (len == 0 || is_control(code))
			return false;
		b += len;
		n -= len;
	}
	return true;
}

bool
zp_text_is_padded_name(const uint8_t padded[static ZP_NAME_MAX])
{
	size_t len = 0;

	while (len < ZP_NAME_MAX && padded[len] != 0)
		len++;
	for (size_t i = len; i < ZP_NAME_MAX; i++)
		if (padded[i] != 0)
			return false;
	return zp_text_is_name(padded, len);
}

/* \xNN for each byte of an unsafe character, at most 4 bytes: 16 chars. */
static size_t
hex_escape(char out[static 16], const uint8_t *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		memcpy(out + 4 * i, "\\x", 2);
		out[4 * i + 2] = hex[s[i] >> 4];
		out[4 * i + 3] = hex[s[i] & 15];
	}
	return 4 * len;
}

static size_t
json_escape(char out[static 16], uint32_t code)
{
	switch (code) {
	case '"':
	case '\\':
		out[0] = '\\';
		out[1] = (char)code;
		return 2;
	case '\n':
		memcpy(out, "\\n", 2);
		return 2;
	case '\t':
		memcpy(out, "\\t", 2);
		return 2;
	case '\r':
		memcpy(out, "\\r", 2);
		return 2;
	default: {
		char u[8];
		/* All that needs escaping lies in the basic plane. */
		snprintf(u, sizeof(u), "\\u%04x", (unsigned)(code & 0xffff));
		memcpy(out, u, 6);
		return 6;
	}
	}
}

static bool
keeps_line(enum zp_text_style style)
{
	return style != ZP_TEXT_INDENT && style != ZP_TEXT_JSON;
}

/* One character of s to out; returns the characters written. */
static size_t
escape_one(char out[static 16], const uint8_t *s, size_t len, uint32_t code,
    enum zp_text_style style)
{
	bool unsafe = len == 0 || is_control(code) || is_treacherous(code);

	if (style == ZP_TEXT_JSON && len > 0 &&
	    (unsafe || code == '"' || code == '\\'))
		return json_escape(out, code);
	if (style == ZP_TEXT_INDENT && code == '\n' && len == 1) {
		memcpy(out, "\n    ", 5);
		return 5;
	}
	if (keeps_line(style) && len == 1 && (code == '\n' || code == '\\')) {
		out[0] = '\\';
		out[1] = code == '\n' ? 'n' : '\\';
		return 2;
	}
	if (!unsafe || (len == 1 && code == '\t')) {
		memcpy(out, s, len);
		return len;
	}
	return hex_escape(out, s, len ? len : 1);
}

/* Plain ASCII in every style but of names. */
static inline bool
is_plain(uint8_t b)
{
	return b >= 0x20 && b < 0x7f && b != '\\' && b != '"';
}

#ifdef __SSE2__
/* Are 16 bytes all plain? */
static inline bool
plain16(const uint8_t *s)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)s);
	/* Signed: bytes from 0x80 on are below 0x20, too. */
	__m128i good = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8(0x1f)),
	    _mm_cmplt_epi8(x, _mm_set1_epi8(0x7f)));
	__m128i bad = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\\')),
	    _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));

	return _mm_movemask_epi8(_mm_andnot_si128(bad, good)) == 0xffff;
}
#endif

/* How many bytes at the start are plain. */
static size_t
plain_run(const uint8_t *s, size_t n)
{
	size_t i = 0;

#ifdef __SSE2__
	while (n - i >= 16 && plain16(s + i))
		i += 16;
	/* The end, with some bytes looked at twice. */
	if (i > 0 && n - i < 16 && plain16(s + n - 16))
		return n;
#endif
	while (i < n && is_plain(s[i]))
		i++;
	return i;
}

size_t
zp_text_escape(char *to, size_t cap, const void *s, size_t n,
    enum zp_text_style style, size_t *used)
{
	const bool name = style == ZP_TEXT_NAME || style == ZP_TEXT_UID;
	const uint8_t *b = s;
	size_t in = 0, out = 0;

	while (in < n) {
		uint32_t code = 0;
		char one[16];

		/* Plain ASCII, most of what there is, goes straight over. */
		size_t room = cap - out < n - in ? cap - out : n - in;
		size_t run = name ? 0 : plain_run(b + in, room);
		if (run > 0) {
			memcpy(to + out, b + in, run);
			out += run;
			in += run;
			continue;
		}
		size_t len = zp_text_decode(b + in, n - in, &code);
		size_t w = name && len > 0 && is_odd(style, b, in, n, code)
		    ? hex_escape(one, b + in, len)
		    : escape_one(one, b + in, len, code, style);
		if (w > cap - out)
			break;
		memcpy(to + out, one, w);
		out += w;
		in += len ? len : 1;
	}
	*used = in;
	return out;
}
