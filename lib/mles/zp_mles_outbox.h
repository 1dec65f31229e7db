#ifndef ZP_MLES_OUTBOX_H
#define ZP_MLES_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * Frames of ours on their way to relays: each relay is given all of them, in
 * order.  A text is kept until a relay has shown it to us, and given once more
 * to one that was away and came back without it.
 *
 * Nobody acknowledges anything in MlesTalk.  That a relay shows what we said
 * is all that there is to know: the relay has it, whoever may read it.
 */

#define ZP_MLES_OUTBOX_RELAYS 16
/* Texts under way at a time, as the app keeps; and their bytes. */
#define ZP_MLES_OUTBOX_MAX 3000
#define ZP_MLES_OUTBOX_BYTES (16 * 1024 * 1024)
/* When one relay has a text, the others get so long (ms). */
#define ZP_MLES_OUTBOX_OTHERS 10000
/* Presence says how things stand now: older ones are dropped (ms). */
#define ZP_MLES_OUTBOX_FRESH 5000

struct zp_mles_outbox;

/* A frame to send. */
struct zp_mles_outgoing {
	const char *line; /* the record and a newline */
	size_t len;
	uint64_t tag; /* the number of a text, 0 of what is none */
	bool secret; /* only a conversation's members can read it */
	uint64_t time; /* as it tells, ms since 1970 */
	const void *text; /* to be handed out when it is shown, or NULL */
	size_t text_len;
};

/* What became of a text. */
struct zp_mles_settled {
	uint64_t tag;
	bool secret; /* as struct zp_mles_outgoing says */
	bool shown; /* by a relay at least; else: given up */
};

/* relays: 1 to ZP_MLES_OUTBOX_RELAYS.  NULL without memory. */
struct zp_mles_outbox *
zp_mles_outbox_new(size_t relays);
void
zp_mles_outbox_free(struct zp_mles_outbox *o);

/* May a text be added?  Presence always may. */
bool
zp_mles_outbox_room(const struct zp_mles_outbox *o);

/* All of it is copied.  ZP_ERR_MEMORY. */
ZP_CHECKED enum zp_err
zp_mles_outbox_add(
    struct zp_mles_outbox *o, uint64_t now, const struct zp_mles_outgoing *out);

/*
 * Relay i can be given frames, or not; it begins anew when it can be again.
 * What it has in its history is to be told by shown() before.
 */
void
zp_mles_outbox_relay(struct zp_mles_outbox *o, size_t i, bool live);

/* The next line for relay i, valid until the next call; false: none. */
bool
zp_mles_outbox_next(struct zp_mles_outbox *o, uint64_t now, size_t i,
    const char **line, size_t *len);

/* Is there one? */
bool
zp_mles_outbox_unsaid(const struct zp_mles_outbox *o, size_t i);

/*
 * Relay i showed this record (len characters, no newline).  False: it is none
 * of ours, or settled.  *first: no relay had shown it before; *out is valid
 * until the next call.
 */
bool
zp_mles_outbox_shown(struct zp_mles_outbox *o, uint64_t now, size_t i,
    const char *record, size_t len, const struct zp_mles_outgoing **out,
    bool *first);

/* The next text that is settled; false if there is none now. */
bool
zp_mles_outbox_settled(
    struct zp_mles_outbox *o, uint64_t now, struct zp_mles_settled *s);

/* Texts under way. */
size_t
zp_mles_outbox_pending(const struct zp_mles_outbox *o);

/* No more of them: settled() then gives up what no relay has shown. */
void
zp_mles_outbox_end(struct zp_mles_outbox *o);

#endif
