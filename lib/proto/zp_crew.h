#ifndef ZP_CREW_H
#define ZP_CREW_H

#include "base/zp_err.h"
#include "base/zp_io.h"
#include "proto/zp_session.h"

/*
 * Two threads that seal one large body: the caller's and a helper, which is
 * there for as long as the crew is.
 */
struct zp_crew;

/*
 * helper: a session like the caller's; owned from here on, also on failure.
 * The caller frees *c.  ZP_ERR_MEMORY, also if there is but one processor or
 * no thread to be had: the caller goes on alone.
 */
ZP_CHECKED enum zp_err
zp_crew_new(struct zp_crew **c, struct zp_session *helper);
void
zp_crew_free(struct zp_crew *c);

/*
 * Seals the next n >= 2 parts of own's body, neither the first nor the last
 * among them, each zp_session_room() bytes of data, in this order to out.
 * Errors of zp_session_part() and out.
 */
ZP_CHECKED enum zp_err
zp_crew_seal(struct zp_crew *c, struct zp_session *own, const uint8_t *data,
    size_t n, struct zp_out *out);

#endif
