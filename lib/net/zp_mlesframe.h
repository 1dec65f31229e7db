#ifndef ZP_MLESFRAME_H
#define ZP_MLESFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "wire/zp_record.h"

/*
 * Records of suite mles and what stands for them on the Mles wire,
 * zpinc-mles(7), without any key.  A frame is a CBOR map (RFC 8949):
 *
 *     {"uid": text, "channel": text, "message": bytes}
 *
 * uid and channel are standard base64 with padding; a record has all three in
 * base64url.  The first frame of a connection is text, a JSON object of uid
 * and channel.
 */

/* A message so short is none: such a record only tells who joins. */
#define ZP_MLESFRAME_JOIN_LEN 32

/* What a frame of the longest record takes, and of a join. */
#define ZP_MLESFRAME_MAX (ZP_RECORD_MAX + 8192)
#define ZP_MLESFRAME_JOIN_MAX (3 * ZP_ML_NAME_MAX)

/* Does this record tell who joins, and nothing else? */
bool
zp_mlesframe_is_join(const struct zp_record *rec);

/* Bytes of the frame that zp_mlesframe_write() makes of a record, at most. */
size_t
zp_mlesframe_room(const struct zp_record *rec);

/*
 * Writes the frame, in the one form that MlesTalk's clients write.  Returns
 * its length; 0 if the record is not of suite mles, or not canonical.
 */
size_t
zp_mlesframe_write(uint8_t *to, const struct zp_record *rec);

/*
 * Reads a frame in any form that RFC 8949 allows: lengths definite or not,
 * of any width, keys in any order, unknown ones passed over, of equal ones
 * the last counts.  Sets *line to a record without newline in fresh memory,
 * which the caller frees.  ZP_ERR_FORMAT, ZP_ERR_TOO_LONG (for a record),
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mlesframe_read(
    char **line, size_t *line_len, const uint8_t *frame, size_t len);

/*
 * Writes the first frame of a connection, NUL ended, from names as records
 * have them.  Returns its length, 0 if they are none.
 */
size_t
zp_mlesframe_join(char to[static ZP_MLESFRAME_JOIN_MAX], const char *p,
    size_t p_len, const char *rp, size_t rp_len);

/*
 * Reads such a frame of somebody else's: sets p to the uid as records have
 * it, NUL ended.  False if it is none.
 */
bool
zp_mlesframe_read_join(
    char p[static ZP_ML_NAME_MAX + 1], const char *text, size_t len);

/*
 * A name in base64 of either form, padded or not, to the form that records
 * have, NUL ended.  False if it is none, empty, or too long.
 */
bool
zp_mlesframe_name(
    char to[static ZP_ML_NAME_MAX + 1], const char *name, size_t len);

#endif
