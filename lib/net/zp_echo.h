#ifndef ZP_ECHO_H
#define ZP_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/zp_record.h"

/*
 * Who publishes where it subscribes sees its own messages come back.  A relay
 * with a short buffer loses messages to subscribers that are behind, and
 * tells nobody; so the sender keeps at most `window` messages that it has not
 * seen yet.  A message is known by its last record.
 */
#define ZP_ECHO_MOST 1024
#define ZP_ECHO_PATIENCE 2000 /* ms without one coming back */

struct zp_echo {
	size_t window; /* 0: no limit */
	size_t n;
	uint64_t marks[ZP_ECHO_MOST]; /* of what is under way, oldest first */
	int64_t moved; /* when one was sent or came back */
	uint64_t missing; /* did not come though a later one did */
	bool deaf; /* this relay gives nothing back */
};

/* window: at most ZP_ECHO_MOST. */
void
zp_echo_init(struct zp_echo *e, size_t window);

/* A new link: nothing is under way. */
void
zp_echo_reset(struct zp_echo *e);

/* May one more be sent? */
bool
zp_echo_room(const struct zp_echo *e);

/* A message goes out; rec is its last record.  now: ms of a steady clock. */
void
zp_echo_sent(struct zp_echo *e, const struct zp_record *rec, int64_t now);

/* The newest one did not go out after all. */
void
zp_echo_unsent(struct zp_echo *e);

/* A record came. */
void
zp_echo_came(struct zp_echo *e, const struct zp_record *rec, int64_t now);

/* When to give up waiting if none comes (ms); INT64_MAX: there is room. */
int64_t
zp_echo_due(const struct zp_echo *e);

/*
 * Too long nothing came back.  listening: we took all that came, so there
 * is nothing to wait for; else it was us, and there is room again.
 */
void
zp_echo_give_up(struct zp_echo *e, bool listening);

#endif
