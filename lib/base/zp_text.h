#ifndef ZP_TEXT_H
#define ZP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that others wrote, made safe for a terminal, a log, JSON. */

/* Length limit of a channel's or user's name, in bytes; no NUL counted. */
#define ZP_NAME_MAX 31

/*
 * Decodes one character of UTF-8 (RFC 3629: shortest form, no surrogates,
 * up to U+10FFFF).  Returns its length, 0 if there is none at s.
 */
size_t
zp_text_decode(const uint8_t *s, size_t n, uint32_t *code);

/* Is all of it UTF-8? */
bool
zp_text_is_utf8(const void *s, size_t n);

/* Printable ASCII alone, without blanks: fit for a URL, a header, a line? */
bool
zp_text_is_word(const char *s);

/* The length of a folder's path without slashes at its end; the root's is 0. */
size_t
zp_text_bare(const char *dir);

/* 1 to 31 bytes of UTF-8 without controls (C0, DEL, C1)? */
bool
zp_text_is_name(const void *s, size_t n);

/* The same, with zeros behind it up to ZP_NAME_MAX bytes. */
bool
zp_text_is_padded_name(const uint8_t padded[static ZP_NAME_MAX]);

enum zp_text_style {
	ZP_TEXT_LINE, /* line feeds become \n, nothing leaves the line */
	ZP_TEXT_INDENT, /* line feeds stay, followed by four blanks */
	ZP_TEXT_JSON, /* the inside of a JSON string */
	ZP_TEXT_NAME, /* as ZP_TEXT_LINE, and what cannot be seen is shown */
	ZP_TEXT_UID, /* as ZP_TEXT_NAME, and one word of the line */
};

/*
 * Writes s so that it cannot move a cursor, forge a line or reorder text:
 * C0, C1, DEL, bidirectional controls, U+2028, U+2029, and bytes that are not
 * UTF-8 become \xNN for each byte (tab stays; in JSON they become \uNNNN, and s
 * must be UTF-8).  In ZP_TEXT_LINE and for names a backslash becomes \\, so
 * what is written tells what it was.  In ZP_TEXT_NAME, for a name with nothing
 * behind it, what cannot be seen becomes \xNN, too: characters without a shape,
 * blanks other than U+0020, and that one at either end.  In ZP_TEXT_UID, for a
 * user's name, so do every blank, comma and semicolon, a colon at the end, and
 * a '[' at the beginning: the name is one word, no list or sentence that it
 * stands in can be made of it, and it does not begin with a mark of ours.  As
 * our own lines begin with a tool's name or "hint", the first letter is shown
 * so of "hint" and of what begins with "zpinc-" and has no @.  Stops when `cap`
 * would be exceeded and sets *used to the bytes of s consumed.  Returns the
 * bytes written.
 */
size_t
zp_text_escape(char *to, size_t cap, const void *s, size_t n,
    enum zp_text_style style, size_t *used);

/* Enough room for any escape of n bytes. */
#define ZP_TEXT_ESCAPED(n) ((n)*6)

#endif
