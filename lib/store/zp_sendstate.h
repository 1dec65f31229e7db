#ifndef ZP_SENDSTATE_H
#define ZP_SENDSTATE_H

#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_identity.h"
#include "store/zp_file.h"

/*
 * The state of `zpinc-seal --state FILE`: one sid and one sequence of
 * numbers over many runs, so that readers see what a relay dropped between
 * two of them.  Numbers are on disk as used before they are given out; a
 * crash leaves a hole, never a number used twice.  The lock is held for that
 * moment only.
 */
struct zp_sendstate;

/*
 * Opens the file, or makes it with a fresh sid.  It belongs to one channel,
 * sender and key: ctx.  *sid: the session's, for all of this run.  The
 * caller frees *s.  ZP_ERR_USAGE (of another channel, sender or key; what
 * says which), ZP_ERR_CORRUPT, ZP_ERR_VERSION, ZP_ERR_LOCKED and those of
 * zp_file_read(): never a new session instead.
 */
ZP_CHECKED enum zp_err
zp_sendstate_open(struct zp_sendstate **s, const char *path,
    const struct zp_sigctx *ctx, uint8_t sid[static ZP_SID_LEN],
    struct zp_fault *fault);
void
zp_sendstate_free(struct zp_sendstate *s);

/*
 * Takes n numbers, *first to *first + n - 1, n > 0; on disk when it
 * returns.  ZP_ERR_ENDED when they would pass ZP_SEQ_MAX; otherwise as
 * above, ZP_ERR_IO too.  If the file has been deleted meanwhile it is made
 * again and goes on where it was.
 */
ZP_CHECKED enum zp_err
zp_sendstate_reserve(struct zp_sendstate *s, uint64_t n, uint64_t *first,
    struct zp_fault *fault);

#endif
