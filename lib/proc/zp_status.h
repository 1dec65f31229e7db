#ifndef ZP_STATUS_H
#define ZP_STATUS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Status lines among what a transport prints, zpinc-transport(7): lines that
 * begin with `#`.  Bytes are looked at as they come, in pieces of any size.
 * Hostile input: no line is kept beyond ZP_STATUS_MAX, none is believed to
 * be more than text.
 */

#define ZP_STATUS_MAX 512

struct zp_status {
	char line[ZP_STATUS_MAX]; /* NUL ended once whole; without the # */
	size_t len;
	bool inside; /* within a line */
	bool ours; /* which began with # */
};

void
zp_status_init(struct zp_status *s);

/*
 * Reads on from *at, at most to end.  True: a status line is whole, in
 * s->line, cut if it was longer; call again for the next.  False: all read.
 */
bool
zp_status_next(struct zp_status *s, const char **at, const char *end);

/* What follows `word` and a blank, or "" after the word alone; else NULL. */
const char *
zp_status_is(const struct zp_status *s, const char *word);

#endif
