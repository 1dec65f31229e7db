#ifndef ZP_READSTATE_H
#define ZP_READSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "proto/zp_replay.h"
#include "store/zp_file.h"

/*
 * The state of `zpinc-open --state FILE`: what has been shown, so that a job
 * which reads a relay's history again shows each body once, and hears of
 * gaps.  One file, several channels; pseudonyms and numbers, no bodies.
 *
 * Batches: begin, check and show what is at hand, flush the output, end.
 * The file is locked from begin to end, so of two processes each body is
 * shown by one; it is written at the end, so after a crash a batch's bodies
 * are shown once more, and none is lost.
 *
 *	for (;;) {
 *		zp_readstate_begin(s)
 *		for each record that was read: check, show, mark
 *		flush stdout
 *		zp_readstate_end(s)          (zp_readstate_due() says when)
 *		read on
 *	}
 */
struct zp_readstate;

#define ZP_READSTATE_CHANNELS 64
/* A busy reader's batches may be as long as this. */
#define ZP_READSTATE_BATCH_MS 1000

/*
 * Opens the file; none is an empty one.  The caller frees *s.
 * ZP_ERR_CORRUPT with fault->line, ZP_ERR_VERSION, and those of
 * zp_file_read().
 */
ZP_CHECKED enum zp_err
zp_readstate_open(
    struct zp_readstate **s, const char *path, struct zp_fault *fault);
void
zp_readstate_free(struct zp_readstate *s);

/*
 * The part of a channel; belongs to s, valid as long as s is, to be used
 * between begin and end only, but for zp_replay_deadline().  ZP_ERR_FULL,
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_readstate_channel(struct zp_readstate *s,
    const uint8_t rp[static ZP_PSEUDONYM_LEN], struct zp_replay **r);

/*
 * Locks and reads what another process may have changed.  now: any clock in
 * ms that does not go back.  Errors as above, ZP_ERR_LOCKED.
 */
ZP_CHECKED enum zp_err
zp_readstate_begin(
    struct zp_readstate *s, uint64_t now, struct zp_fault *fault);

/* Is a batch open? */
bool
zp_readstate_begun(const struct zp_readstate *s);

/*
 * Should the batch end?  Yes if the caller is about to wait, or if it has
 * been open for ZP_READSTATE_BATCH_MS.
 */
bool
zp_readstate_due(
    const struct zp_readstate *s, bool about_to_wait, uint64_t now);

/*
 * Writes it, if anything changed, and unlocks (also on failure).
 * ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_readstate_end(struct zp_readstate *s, struct zp_fault *fault);

#endif
