#ifndef ZP_MLES_TEXT_H
#define ZP_MLES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * Text as MlesTalk passes it around: UTF-8, then percent-encoded but for
 * A-Z a-z 0-9 - _ . ! ~ * ' ( ), as ECMAScript's encodeURIComponent does.
 * Passwords, names and messages all enter the format like this; names are
 * encrypted, hashed and ordered in that form.
 */

/* Raw bytes of a name, as encrypted: what an ml1 record has room for. */
#define ZP_MLES_NAME_MAX 1024

struct zp_mles_name {
	uint16_t len; /* also 0 */
	uint8_t bytes[ZP_MLES_NAME_MAX];
};

/* Characters that n bytes take once encoded. */
size_t
zp_mles_text_encoded_len(const void *s, size_t n);

/*
 * Writes the zp_mles_text_encoded_len() characters, no NUL.  Bytes that are
 * not UTF-8 are encoded byte by byte; no app could have typed them.
 */
void
zp_mles_text_encode(char *to, const void *s, size_t n);

/*
 * Decodes for display: at most n bytes into `to`, which may be `s`.
 * Returns the length.  A `%` that begins no byte stays as it is, since old
 * clients send text that was never encoded.
 */
size_t
zp_mles_text_decode(uint8_t *to, const void *s, size_t n);

/* A name from what the user typed.  ZP_ERR_NAME if it is too long. */
ZP_CHECKED enum zp_err
zp_mles_text_name(struct zp_mles_name *name, const void *text, size_t n);

/*
 * A name for display, `to` having room for name->len bytes; returns the
 * length.  Decoded only if that is the one way to write it: `%62ob` must
 * not look like bob.
 */
size_t
zp_mles_text_show(uint8_t *to, const struct zp_mles_name *name);

/* The same as a string; false for a name that would hide its end. */
bool
zp_mles_text_uid(
    char to[static ZP_MLES_NAME_MAX + 1], const struct zp_mles_name *name);

/*
 * Is this a name that the prototype's tables cannot hold, such as
 * "__proto__"?  Its bearer would block every conversation of the channel.
 */
bool
zp_mles_text_blocks(const struct zp_mles_name *name);

bool
zp_mles_text_same(const struct zp_mles_name *a, const struct zp_mles_name *b);

/*
 * The order of members in a ring, as the prototype's sort makes it: below
 * 0, 0, above 0.  Names that look like array indices ("0" to "4294967294",
 * no leading zero) come first, as numbers; the others bytewise with a comma
 * behind them, so that "alice!" stands before "alice".
 */
int
zp_mles_text_order(const struct zp_mles_name *a, const struct zp_mles_name *b);

#endif
