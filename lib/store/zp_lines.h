#ifndef ZP_LINES_H
#define ZP_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_cursor.h"
#include "base/zp_err.h"
#include "base/zp_text.h"
#include "store/zp_file.h"
#include "wire/zp_record.h"

/*
 * The form that all our files have, zpinc-key(5): lines of a word and what
 * belongs to it, `#` comments, blank lines.  Secrets are read and written
 * where they lie; nothing is copied elsewhere.
 */
struct zp_lines {
	const char *at;
	size_t left;
	unsigned number; /* of the line found last */
	const char *bad; /* why it ended early, or NULL */
};

/* One line, what of it has not been taken yet. */
struct zp_line {
	const char *at;
	size_t left;
};

void
zp_lines_init(struct zp_lines *l, const char *text, size_t len);

/*
 * The next line that is no comment, without its end (LF or CR LF).  False at
 * the end, or with `bad` set for NUL bytes and what is not UTF-8.
 */
bool
zp_lines_next(struct zp_lines *l, struct zp_line *line);

/*
 * Reads the first line, `NAME 1`.  ZP_ERR_VERSION for a higher number,
 * ZP_ERR_FORMAT for anything else.
 */
ZP_CHECKED enum zp_err
zp_lines_magic(struct zp_lines *l, const char *name, struct zp_fault *fault);

/*
 * The next line, which has to begin with this word (taken).  ZP_ERR_FORMAT
 * with `what`, or that the file ends too early.
 */
ZP_CHECKED enum zp_err
zp_lines_want(struct zp_lines *l, struct zp_line *line, const char *word,
    const char *what, struct zp_fault *fault);

/* Nothing but comments may be left: ZP_ERR_FORMAT. */
ZP_CHECKED enum zp_err
zp_lines_finish(struct zp_lines *l, struct zp_fault *fault);

/* ---- what a line is made of; all false if it is not there ---- */

/* Takes this word. */
bool
zp_line_is(struct zp_line *line, const char *word);

/* Takes base64url of exactly n bytes, in a time that tells nothing. */
bool
zp_line_bytes(struct zp_line *line, uint8_t *to, size_t n);

/* Takes a pseudonym as a record has it. */
bool
zp_line_topic(struct zp_line *line, uint8_t to[static ZP_PSEUDONYM_LEN]);

/* Takes a decimal number without sign or leading zeros. */
bool
zp_line_number(struct zp_line *line, uint64_t *to);

/* Takes the rest, a name as zp_lines_put_name() writes it. */
bool
zp_line_name(struct zp_line *line, char to[static ZP_NAME_MAX + 1]);

/*
 * The same for any bytes but NUL, at most cap - 1; what may be in the name is
 * the caller's to see.  The NUL behind is not counted in *len.
 */
bool
zp_line_text(struct zp_line *line, char *to, size_t cap, size_t *len);

/* Is nothing left? */
bool
zp_line_end(const struct zp_line *line);

/* ---- writing; a full writer goes bad, as ever ---- */

void
zp_lines_put(struct zp_writer *w, const char *text);
void
zp_lines_put_bytes(struct zp_writer *w, const uint8_t *from, size_t n);
void
zp_lines_put_topic(
    struct zp_writer *w, const uint8_t from[static ZP_PSEUDONYM_LEN]);
void
zp_lines_put_number(struct zp_writer *w, uint64_t n);

/*
 * A name as it is, but what could fool a reader (and a backslash, and a
 * blank at either end) as \xNN or \\.
 */
void
zp_lines_put_name(struct zp_writer *w, const char *name);

/* Characters that a name may take. */
#define ZP_LINES_NAME_MAX (4 * ZP_NAME_MAX)

/* ---- a seal over a state file against damage ---- */

/* The last line, `check ` and BLAKE2b-128 of all before it. */
#define ZP_LINES_CHECK_LEN 29
void
zp_lines_put_check(struct zp_writer *w);

/* Cuts the check from *len; false if it is not there or does not fit. */
bool
zp_lines_checked(const char *text, size_t *len);

#endif
