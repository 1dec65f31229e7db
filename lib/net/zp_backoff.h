#ifndef ZP_BACKOFF_H
#define ZP_BACKOFF_H

#include <stdint.h>

/*
 * Pauses between attempts: exponential, with jitter, so that the clients of
 * a server that comes back do not all arrive at once.
 */
#define ZP_BACKOFF_FIRST 200 /* ms */
#define ZP_BACKOFF_MOST 30000 /* ms */

/* A link that stood for so long (ms) was good: the next pause is short. */
#define ZP_BACKOFF_GOOD 5000

struct zp_backoff {
	unsigned fails; /* in a row */
	unsigned first, most; /* ms */
};

void
zp_backoff_init(struct zp_backoff *b, unsigned first, unsigned most);
void
zp_backoff_reset(struct zp_backoff *b);

/*
 * The next pause in ms: between half of and all of first * 2^fails, or of
 * `most`.  `random`: any 32 random bits.
 */
unsigned
zp_backoff_next(struct zp_backoff *b, uint32_t random);

#endif
