#ifndef ZP_NCHAN_H
#define ZP_NCHAN_H

#include <stdbool.h>
#include <stddef.h>

#include "net/zp_sse.h"

/*
 * What Nchan (a module of nginx) tells about a channel to who asks by GET on
 * its URL for publishing, with `Accept: text/json`, and what follows of it.
 * Its ids of messages are SECOND:NUMBER, counted from 0 in every second.
 */
struct zp_nchan {
	bool known; /* it told what it retains */
	bool empty; /* that is nothing; or it answered as if it were */
	char newest[ZP_SSE_ID_MAX + 1]; /* id of the newest message, or "" */
};

/* Reads the answer; anything may stand there. */
void
zp_nchan_read(struct zp_nchan *n, long status, const char *body, size_t len);

/* Is message a older than b?  False, too, where that cannot be told. */
bool
zp_nchan_before(const char *a, const char *b);

/*
 * The Last-Event-ID to subscribe with, "" for everything retained, behind
 * `last`, the id of the last event that came ("" none).  again: the link was
 * lost; then Nchan may have been restarted, which empties its buffer and
 * makes it count anew, and what it now has is new to us.
 */
void
zp_nchan_resume(char to[static ZP_SSE_ID_MAX + 1], const struct zp_nchan *n,
    const char *last, bool again);

#endif
