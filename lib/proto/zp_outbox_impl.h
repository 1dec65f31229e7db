#ifndef ZP_OUTBOX_IMPL_H
#define ZP_OUTBOX_IMPL_H

#include "base/zp_io.h"
#include "proto/zp_audience.h"
#include "proto/zp_outbox.h"
#include "proto/zp_session.h"

/*
 * What an outbox is made of, for the files that make it up.
 *
 *	zp_outbox	bodies, numbers, seals, conversations, what is settled
 *	zp_outbox_flow	their records: to relays and back, the window, time
 */

#define ZP_OUTBOX_BUCKETS 4096

struct zp_outline {
	uint32_t at, len;
	uint16_t want; /* relays it is to be handed to */
	uint16_t had; /* relays it was handed to */
	uint16_t shown; /* relays that showed it */
	bool flying; /* counts in the window */
	bool again; /* was sent again at once */
	uint64_t order; /* when it was handed out first: a count */
};

/* A body. */
struct zp_outitem {
	struct zp_outitem *next, *prev, *chain;
	enum zp_kind kind;
	bool done; /* kept because a message before it is not */
	bool told;
	uint8_t sid[ZP_SID_LEN];
	uint64_t seq, time, tag;
	uint8_t *body; /* of messages, to seal it anew; wiped */
	size_t body_len;
	struct zp_audience *to; /* of messages */
	uint64_t sent; /* when a record of it went out last; 0: none did */
	uint64_t began; /* and first, since somebody of `to` came back */
	unsigned anew; /* how often that began again */
	uint64_t due; /* when to look whether it must go again */
	unsigned tries;
	char *text; /* all its record lines */
	size_t text_len;
	size_t n;
	struct zp_outline *line;
};

struct zp_outbox {
	struct zp_outbox_config c;
	uint8_t sid[ZP_SID_LEN];
	uint64_t next[2]; /* numbers of notes, of messages */
	struct zp_session *notes, *messages;
	struct zp_out sealed; /* where a body's records are made */

	struct zp_outitem *head, *tail;
	struct zp_outitem
	    *hint[ZP_OUTBOX_RELAYS]; /* nothing to hand out before */
	struct zp_outitem *bucket[ZP_OUTBOX_BUCKETS];
	struct zp_audience *audiences, *current;
	uint64_t first; /* number that messages to `current` begin with */
	size_t pending[2], bytes;
	size_t fresh; /* records that no relay was given yet */

	uint16_t up, live; /* relays */
	size_t window, easy, credit; /* grows fast up to easy */
	size_t flying;
	struct zp_outitem *flight; /* nothing is flying before */
	bool flying_notes;
	uint64_t order, shown_order;
	uint64_t moved; /* when something was handed out or shown */
	uint64_t calm; /* no halving before */
	uint64_t due; /* the first item's, or earlier */
	/* Messages sent again because somebody lacked them, one behind the
	   other; and how many more are to go at once. */
	uint64_t again_from, again_to;
	size_t burst;
	uint64_t echo; /* ms in which relays show what they are given */
	uint64_t ask_due; /* UINT64_MAX: nothing is waited for */
	unsigned asks; /* in a row, without any answer */
};

static inline uint64_t
zp_outbox_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The body of that name, or NULL. */
struct zp_outitem *
zp_outbox_find(
    struct zp_outbox *o, const uint8_t *sid, enum zp_kind kind, uint64_t seq);
void
zp_outbox_remove(struct zp_outbox *o, struct zp_outitem *it);

/* The record no longer counts in the window. */
void
zp_outbox_land(struct zp_outbox *o, struct zp_outline *l);

/*
 * A member has all below `seen` now, which is more than before: if that is just
 * what was sent again, those behind were lost with it.
 */
void
zp_outbox_lost(struct zp_outbox *o, uint64_t now,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen);

/* Gives up what stands in the way of more, if its time has come. */
void
zp_outbox_make_room(struct zp_outbox *o, uint64_t now);

/* Settles what is: all, or one note (true then). */
void
zp_outbox_judge(struct zp_outbox *o);
bool
zp_outbox_judge_note(struct zp_outbox *o, struct zp_outitem *it);

#endif
