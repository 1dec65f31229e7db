#ifndef ZP_MLES_NOTES_H
#define ZP_MLES_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_key.h"

/*
 * The notes of one sender who takes no part in handshakes: texts and files
 * as record lines, under the password's key and ZP_MLES_SID_NONE.
 */
struct zp_mles_notes; /* holds the sender's box; the key is borrowed */

/*
 * The caller frees *n.  ZP_ERR_NAME: a name that would block every
 * conversation of the channel (zp_mles_text_blocks()); ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_notes_new(struct zp_mles_notes **n, struct zp_mles_key *key,
    const struct zp_mles_name *uid);
void
zp_mles_notes_free(struct zp_mles_notes *n);

/*
 * A text as the user typed it; time in ms since 1970.  Two equal texts of one
 * second are one text to MlesTalk, so the second one's time is moved, by at
 * most a minute.  *line: the record and a newline, valid until the next
 * call.  ZP_ERR_TOO_LONG: over ZP_MLES_BODY_MAX once encoded;
 * ZP_ERR_FORMAT: not UTF-8, which no app could show; ZP_ERR_CLOCK.
 */
ZP_CHECKED enum zp_err
zp_mles_notes_text(struct zp_mles_notes *n, int64_t time, const void *text,
    size_t len, const char **line, size_t *line_len);

/* A frame of any kind with its body as on the wire. */
ZP_CHECKED enum zp_err
zp_mles_notes_frame(struct zp_mles_notes *n, int64_t time, uint16_t flags,
    const void *body, size_t len, const char **line, size_t *line_len);

/* Any number for the pieces of a file to count from. */
uint32_t
zp_mles_notes_start(void);

#endif
