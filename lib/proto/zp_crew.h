#ifndef ZP_CREW_H
#define ZP_CREW_H

#include <stdbool.h>

#include "base/zp_err.h"
#include "base/zp_io.h"
#include "proto/zp_session.h"

/*
 * Two threads that seal one large body, each of them a piece at a time: while
 * one reads or writes, the other one seals.
 */

/*
 * Seals what `in` brings until its end as parts of own's body, neither the
 * first nor the last among them, and writes them to out in their order; what
 * is left in `in` is the last part.  in's block is longer than a part.
 *
 * batch: bytes sealed at a time if so many are at hand, at least one part's.
 * Nothing that is sealed waits for more input.  helper: a session like own,
 * for the second thread, or NULL; if there is but one processor or no thread
 * to be had, the caller's does it alone.
 *
 * Errors of zp_in_fill() (*reading is set then), zp_session_part() and out,
 * with errno.
 */
ZP_CHECKED enum zp_err
zp_crew_stream(struct zp_session *own, struct zp_session *helper,
    struct zp_in *in, struct zp_out *out, size_t batch, bool *reading);

#endif
