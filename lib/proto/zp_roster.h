#ifndef ZP_ROSTER_H
#define ZP_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "proto/zp_member.h"
#include "wire/zp_hello.h"

/*
 * Every session that was heard, ourselves at place 0, and what each said
 * last.  A bounded table: a new session evicts the one heard longest ago.
 * Places do not move; the array does when it grows.
 */

#define ZP_ROSTER_NONE SIZE_MAX
#define ZP_ROSTER_SELF 0
#define ZP_ROSTER_MAX 2048 /* places at most */
#define ZP_ROSTER_WIDE 4

struct zp_roster_session {
	struct zp_member m; /* who.gen: its generation */
	bool taken;
	bool said; /* a hello was kept */
	bool left; /* the last one said LEAVE */
	bool proved; /* that it lived: it acked a recent hello of ours */
	uint8_t flags; /* of the last hello */
	uint8_t strikes; /* runs that it let time out, in a row */
	uint64_t seq; /* of the last hello */
	uint64_t first_at; /* when its first one came */
	uint64_t hold; /* ignored until */
	uint64_t mute; /* hellos that came before count for nothing */
	uint64_t near_until; /* its last hello proves life until */
	uint64_t acks_sent_at; /* when the hello of ours went that it acks */
	uint64_t notes, messages;
	uint64_t notes_at_first; /* in its first hello */
	uint64_t seen_ours; /* what it has seen of our messages */
	uint64_t seen_most; /* what others have seen of its messages */
	size_t seen_most_by; /* place */
	uint64_t seen; /* what we have */
	uint64_t told, told_seq; /* of that, and in which hello first */
	uint64_t ack; /* the hello of ours that it had last */
	/* Whom it lists that we have not heard, by member id, ascending. */
	uint8_t (*strange)[ZP_GROUP_MID_LEN];
	size_t strangers;
	uint64_t listed; /* number of our last hello that listed it */
	uint8_t view[ZP_HELLO_VALUE_LEN];
	uint8_t z[ZP_HELLO_VALUE_LEN];
	uint8_t x[ZP_HELLO_VALUE_LEN];
	uint8_t tag[ZP_HELLO_VALUE_LEN];
};

/* When a sender last began a session, and how many in quick succession. */
struct zp_flap {
	uint8_t p[ZP_PSEUDONYM_LEN];
	uint8_t k;
	uint64_t at;
};

struct zp_roster {
	struct zp_roster_session *s;
	size_t cap; /* places that there is memory for */
	size_t limit; /* places at most */
	size_t count; /* places taken, our own included */
	size_t *order; /* places by P || sid, ascending */
	uint16_t *rank; /* of a place in it */
	uint64_t *at; /* of a place: when its last hello came */
	size_t *by_mid; /* places by member id, ascending */
	uint8_t (*mids)[ZP_GROUP_MID_LEN]; /* the same ids, side by side */
	bool twins; /* two sessions have the same P */
	uint64_t gens; /* grows when a generation does */
	size_t words; /* of every set of places, whole in ZP_ROSTER_WIDE */
	uint64_t *lists; /* row a: whom a's last hello lists */
	uint64_t *listed_by; /* row b: whose last hellos list b */
	uint64_t *row; /* scratch: a row */
	/*
	 * Counted along, so that a hello costs no look at everybody: who was
	 * heard and near at the last look, for each place when to look again
	 * (0: now), with how many of those near it is in a closed pair, and
	 * the sum of this over those near.
	 */
	uint64_t *heard, *near;
	uint64_t *change;
	uint32_t *closed;
	size_t near_count;
	size_t closed_sum;
	struct zp_flap *flap;
	size_t flaps;
	size_t flap_cap;
};

/* Words of a set of so many places. */
static inline size_t
zp_roster_words(size_t places)
{
	const size_t each = 64 * (size_t)ZP_ROSTER_WIDE;

	return (places + each - 1) / each * ZP_ROSTER_WIDE;
}

/* At most `limit` sessions, ours included.  ZP_ERR_MEMORY. */
ZP_CHECKED enum zp_err
zp_roster_init(struct zp_roster *r, size_t limit, const struct zp_member *self);

void
zp_roster_free(struct zp_roster *r);

/* The place of (P, sid), whatever its identity, or ZP_ROSTER_NONE. */
size_t
zp_roster_find(const struct zp_roster *r, const struct zp_group_member *who);

/* The place of a member id, or ZP_ROSTER_NONE. */
size_t
zp_roster_find_mid(
    const struct zp_roster *r, const uint8_t mid[static ZP_GROUP_MID_LEN]);

/* The place that a new session would take from another, if any. */
size_t
zp_roster_victim(const struct zp_roster *r, const uint64_t *keep);

/*
 * A new session.  If the table is full it takes the place of that heard
 * longest ago which is not in `keep`.  ZP_ERR_FULL: there is none;
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_roster_add(struct zp_roster *r, const struct zp_member *m,
    const uint64_t *keep, size_t *place);

/* We are another session from now on; nobody lists or acks that one. */
void
zp_roster_rename(struct zp_roster *r, const struct zp_member *self);

/* Keeps what a session says.  Its entry on us, if any, is copied to `us`. */
void
zp_roster_keep(struct zp_roster *r, size_t place, uint64_t seq,
    const struct zp_hello *h, uint64_t now, struct zp_hello_entry *us,
    bool *has_us);

/* What decides whether it is heard or near has changed. */
static inline void
zp_roster_touch(struct zp_roster *r, size_t place)
{
	r->change[place] = 0;
}

/* Whether it is heard and near, and when that may change by time. */
void
zp_roster_place(
    struct zp_roster *r, size_t place, bool heard, bool near, uint64_t change);

/*
 * Counts a new session of a sender that lives.  Returns for how long to
 * ignore it: 2^k s for the k-th in a row less than `window` after the one
 * before, at most `most`, nothing for the first.
 */
uint64_t
zp_roster_flap(struct zp_roster *r, const uint8_t p[static ZP_PSEUDONYM_LEN],
    uint64_t now, uint64_t window, uint64_t most);

static inline uint64_t *
zp_roster_lists(const struct zp_roster *r, size_t place)
{
	return r->lists + place * r->words;
}

static inline uint64_t *
zp_roster_listed_by(const struct zp_roster *r, size_t place)
{
	return r->listed_by + place * r->words;
}

#endif
