#ifndef ZP_ORDER_H
#define ZP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_conv.h"
#include "crypt/zp_group.h"
#include "proto/zp_member.h"
#include "proto/zp_parts.h"

/*
 * The messages of others, each session's in its own order: what came before
 * its turn is held until what is missing has been sent again, or for
 * ZP_ORDER_PATIENCE_MS; then the gap is told.  Also what our receipts say.
 *
 * Bounded; no I/O, no clock.
 */
struct zp_order;

#define ZP_ORDER_SESSIONS 1024
#define ZP_ORDER_BYTES (16u << 20) /* held, of all sessions */
/* Of consecutive numbers, of a session: a burst over a relay that loses every
   third record has hundreds. */
#define ZP_ORDER_RUNS 1024
/*
 * In which a sender under load hears of it and sends it again, twice.  Several
 * gaps are waited for at the same time: each since it was noticed, or since the
 * last one was closed, as then its sender is about to.
 */
#define ZP_ORDER_PATIENCE_MS 25000
/*
 * After a key is gone its messages still count in a receipt for so long:
 * its senders, who may drop it later than we, must not take a receipt for
 * younger messages as one for these.
 */
#define ZP_ORDER_GRACE_MS 60000

/* Messages that did not come. */
struct zp_order_gap {
	uint8_t p[ZP_PSEUDONYM_LEN], sid[ZP_SID_LEN];
	uint64_t from, to; /* the first number; the next that is there */
};

/*
 * gap: called from within _add(), _known(), _announce(), _tick(), _end().  It
 * may raise `from` over what was shown before, by an earlier process.
 */
ZP_CHECKED enum zp_err
zp_order_new(struct zp_order **o,
    void (*gap)(void *arg, struct zp_order_gap *gap), void *arg);
void
zp_order_free(struct zp_order *o);

/*
 * A whole message that was opened under conversation conv; copied.  tag: the
 * caller's, given back with it.  ZP_ERR_REPLAY: it came before.
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_order_add(struct zp_order *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN], const struct zp_body *body,
    const uint8_t *data, size_t len, int tag);

/* The same of one that was shown before (by an earlier process): not again. */
ZP_CHECKED enum zp_err
zp_order_known(struct zp_order *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN], const struct zp_body *body);

/* The next message whose turn it is; valid until the next call. */
struct zp_order_shown {
	struct zp_body body;
	uint8_t conv[ZP_CONV_ID_LEN];
	const uint8_t *data;
	size_t len;
	int tag;
};

bool
zp_order_next(struct zp_order *o, struct zp_order_shown *shown);

/*
 * What a hello says of its session's messages.  Of a session that we have
 * nothing of, those are to us which it sent after it was done with the
 * handshake: the first hello that says so counts what went before, to others.
 * If that one was lost, the one before it counts.
 */
struct zp_order_hello {
	uint64_t seq; /* the hello's own */
	uint64_t messages; /* sent so far */
	bool done; /* it seals to a conversation with us */
};

ZP_CHECKED enum zp_err
zp_order_announce(struct zp_order *o, uint64_t now,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], const struct zp_order_hello *hello);

/*
 * A conversation's key: n members, in order.  Where a user is a member under
 * another session than before, and not under that one any more, nothing more
 * is waited for of the old one once the new one has spoken: nobody sends it
 * again, and what was said first is shown first.  Sessions that were members
 * at a time are two processes of one user, and none replaces the other.
 */
void
zp_order_key(struct zp_order *o, const struct zp_member *members, size_t n);

/* Is something of that session missing that may still come? */
bool
zp_order_waits(struct zp_order *o, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN]);

/* This conversation's records cannot be opened any more. */
void
zp_order_gone(struct zp_order *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN]);

/*
 * A receipt is for what can be read, not for what came: _mark() once all that
 * zp_order_next() gave has been handed on, _release() once that is out.
 */
void
zp_order_mark(struct zp_order *o, uint64_t now);
void
zp_order_release(struct zp_order *o);

/*
 * For a hello: `seen` of that session as it was when it was marked, of the
 * last mark that was released; 0 if none could be opened.
 */
uint64_t
zp_order_seen(struct zp_order *o, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN]);

/* Gives up what has been missing for too long. */
void
zp_order_tick(struct zp_order *o, uint64_t now);
uint64_t
zp_order_deadline(const struct zp_order *o);

/* Nothing more comes: everything held is for zp_order_next(). */
void
zp_order_end(struct zp_order *o, uint64_t now);

#endif
