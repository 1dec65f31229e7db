#ifndef ZP_AUDIENCE_H
#define ZP_AUDIENCE_H

#include "base/zp_err.h"
#include "proto/zp_machine.h"
#include "proto/zp_outbox.h"

/*
 * Whom messages were sealed to: the members of one conversation, ourselves
 * left out, and how far each has us.  Shared by all messages of that
 * conversation; counted.
 */
struct zp_audience {
	struct zp_audience *next; /* the outbox's list */
	unsigned users;
	uint8_t id[ZP_CONV_ID_LEN];
	bool gone; /* nobody opens its records any more */
	size_t n;
	struct zp_outbox_member members[];
};

/* One user: the caller. */
ZP_CHECKED enum zp_err
zp_audience_new(struct zp_audience **a, const struct zp_machine_conv *conv);
void
zp_audience_drop(struct zp_audience *a);

/* Does everybody have seq, or has left?  *any: somebody has it. */
bool
zp_audience_has(const struct zp_audience *a, uint64_t seq, bool *any);

/*
 * Does somebody lack seq who knew, when it spoke last, of more than was sent
 * by `since`, and who is not just catching up, or who lacks all up to there?
 */
bool
zp_audience_deaf(const struct zp_audience *a, uint64_t seq, uint64_t since);

/*
 * Do all who lack seq say so in answer to a hello sent at `since` or later?
 * False if nobody lacks it.
 */
bool
zp_audience_stuck(const struct zp_audience *a, uint64_t seq, uint64_t since);

/* A hello's word.  True if the member has more now; *had: what it had. */
bool
zp_audience_heard(struct zp_audience *a,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen, uint64_t heard,
    uint64_t now, uint64_t *had);
/* Until it has more, it lacks as many as n. */
void
zp_audience_lost(struct zp_audience *a,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t n);
/* False: not a member. */
bool
zp_audience_left(
    struct zp_audience *a, const uint8_t mid[static ZP_GROUP_MID_LEN]);

/* Is there anybody now, as a session, who was not then? */
bool
zp_audience_grew(const struct zp_audience *then, const struct zp_audience *now);

/*
 * Is somebody of `now` new to `then`, and are those who lack seq and are not
 * in `now` all there under a new session, by their identities?
 */
bool
zp_audience_returned(const struct zp_audience *then,
    const struct zp_audience *now, uint64_t seq);

/*
 * Was each member of `now` in `then`: same P and identity key, or same P and
 * session?  Then what was written to `then` may be sealed to `now`.
 */
bool
zp_audience_covers(
    const struct zp_audience *then, const struct zp_audience *now);

#endif
