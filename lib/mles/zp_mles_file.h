#ifndef ZP_MLES_FILE_H
#define ZP_MLES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_text.h"

/*
 * Files as MlesTalk sends them: a data URL (RFC 2397) in base64, cut into
 * pieces of 1024 characters, each behind 8 hex digits that count up from
 * anywhere.  Frames of pieces are FULL, DATA and MULTIPART; the last one is
 * LAST.
 */

#define ZP_MLES_PIECE_DIGITS 8
#define ZP_MLES_PIECE_LEN 1024
#define ZP_MLES_FILE_MAX (16 * 1024 * 1024) /* bytes of a file */
#define ZP_MLES_FILES_MAX 16 /* on their way at once */
#define ZP_MLES_TYPE_MAX 127 /* characters of a media type, RFC 6838 */

/* Files that arrive; the oldest makes room. */
struct zp_mles_files;

/* A whole file: freed by zp_mles_file_free(). */
struct zp_mles_file {
	char type[ZP_MLES_TYPE_MAX + 1]; /* NUL ended; as claimed, or empty */
	uint8_t *data;
	size_t len;
};

/* NULL without memory. */
struct zp_mles_files *
zp_mles_files_new(void);
void
zp_mles_files_free(struct zp_mles_files *f);

/* Is this frame a piece of a file? */
bool
zp_mles_files_is_piece(const struct zp_mles_frame *frame);

/*
 * Takes a piece.  *done: it was the last one, and *file is the caller's.
 * *cut: an earlier file of this sender will never be whole; this piece
 * begins another.  ZP_ERR_CUT: pieces are missing, or the beginning never
 * came; what was there is dropped.  ZP_ERR_TOO_LONG: over ZP_MLES_FILE_MAX.
 * ZP_ERR_FORMAT: no piece, or no data URL.  ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_files_take(struct zp_mles_files *f, const struct zp_mles_name *from,
    const struct zp_mles_frame *frame, struct zp_mles_file *file, bool *done,
    bool *cut);
void
zp_mles_file_free(struct zp_mles_file *file);

/* Nothing more comes: drops a file that is not whole; false: none is left. */
bool
zp_mles_files_left(struct zp_mles_files *f, struct zp_mles_name *from);

/*
 * A file to send: its data URL, len characters, freed by the caller, who
 * cuts it by zp_mles_file_piece().  ZP_ERR_TOO_LONG, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_file_url(char **url, size_t *len, const char *type, const uint8_t *data,
    size_t data_len);

/* How many pieces that makes. */
size_t
zp_mles_file_pieces(size_t url_len);

/*
 * Piece i: writes its body, at most DIGITS + LEN characters, and the flags;
 * returns the body's length.  `start` is any number, the same for all.
 */
size_t
zp_mles_file_piece(char to[static ZP_MLES_PIECE_DIGITS + ZP_MLES_PIECE_LEN],
    uint16_t *flags, const char *url, size_t url_len, size_t i, uint32_t start);

#endif
