#ifndef ZP_OUTBOX_H
#define ZP_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_identity.h"
#include "proto/zp_machine.h"
#include "wire/zp_payload.h"

/*
 * What a member has said and not all have acknowledged, zpinc(7), "Delivery":
 * numbers bodies, seals them, hands their records to relays no faster than
 * these show them, sends the same bytes again where one was lost, seals anew
 * when a key goes, and tells what was delivered and what was not.
 *
 * No I/O and no clock: `now` is ms of a clock that never goes back.
 *
 *	zp_outbox_add(o, now, kind, time, body, len)     while _room() says so
 *	while (relay r takes more && zp_outbox_next(o, now, r, &line, &len))
 *		write it
 *	wait, but not beyond zp_outbox_deadline(o); zp_outbox_tick(o, now)
 *	for every record of our own that comes back: zp_outbox_shown()
 *	for every hello of a member: zp_outbox_heard()
 */
struct zp_outbox;

#define ZP_OUTBOX_RELAYS 16

/* Sealed and plain bytes not acknowledged, before _room() says no. */
#define ZP_OUTBOX_BYTES (16u << 20)
/* And records sealed, but given to no relay: a key should not wait long. */
#define ZP_OUTBOX_AHEAD 64

/*
 * Where these are full, a member that hears us and has not acknowledged what
 * went out so long ago is not waited for: it may be there to hold us up, or
 * its output goes nowhere.
 */
#define ZP_OUTBOX_STUCK_MS 60000

/*
 * Records on their way that no relay has shown yet: a relay that a sender
 * outruns loses some, and tells nobody.  The window grows by what comes back
 * and halves when something did not.  With notes in it, it stays below the
 * readers' window (ZP_REPLAY_WINDOW), so that one sent again is not too far
 * behind for them.
 */
#define ZP_OUTBOX_WINDOW_LEAST 8
#define ZP_OUTBOX_WINDOW_NOTES 48
#define ZP_OUTBOX_WINDOW_MOST 512

/* Nothing came back for so long: the window opens, sending goes on slowly. */
#define ZP_OUTBOX_STALL_MS 2000

/*
 * Sent again after so long, and twice the time in which a relay shows what it
 * is given; then after twice as long, so many times; then with every beat.
 */
#define ZP_OUTBOX_AGAIN_MS 2000
#define ZP_OUTBOX_AGAIN 5
#define ZP_OUTBOX_BEAT_MS 30000
/* What is due, but not known to be missing, is looked at again so soon. */
#define ZP_OUTBOX_LOOK_MS 1000
/* All are gone through no more often than that. */
#define ZP_OUTBOX_SCAN_MS 250

/* After #live, what the history did not show waits so long for its echo. */
#define ZP_OUTBOX_LIVE_MS 1500

enum zp_outbox_kind {
	/* Each member of its conversation has it or has left, and at least
	   one has it; of a note: a relay has shown it. */
	ZP_OUTBOX_DELIVERED,
	/* Some did not acknowledge it, and it will not be sent any more. */
	ZP_OUTBOX_UNDELIVERED,
};

/* A member of the conversation that a message was sealed to. */
struct zp_outbox_member {
	struct zp_member m;
	uint64_t seen; /* all of ours below it are there */
	/* When that hello of ours went out which it had when it spoke last, and
	   when its `seen` last grew; 0: never. */
	uint64_t heard, moved;
	uint64_t lost; /* so many from `seen` on did not come, by all signs */
	bool left;
};

struct zp_outbox_event {
	enum zp_outbox_kind kind;
	enum zp_kind what; /* note or message */
	uint8_t sid[ZP_SID_LEN];
	uint64_t seq, time;
	uint64_t tag; /* the caller's, of zp_outbox_add() */
	/* Of a message: all members but ourselves; who has it: seen > seq. */
	const struct zp_outbox_member *members;
	size_t n;
};

struct zp_outbox_config {
	uint8_t rp[ZP_PSEUDONYM_LEN], p[ZP_PSEUDONYM_LEN];
	const uint8_t *msgkey; /* borrowed */
	const struct zp_identity *id; /* NULL: unsigned; borrowed */
	size_t max_record;
	size_t relays; /* 1 to ZP_OUTBOX_RELAYS */
	/* Called from within any function that takes `now`. */
	void (*event)(void *arg, const struct zp_outbox_event *ev);
	void *arg;
};

/* sid: our session's.  The caller frees *o. */
ZP_CHECKED enum zp_err
zp_outbox_new(struct zp_outbox **o, const struct zp_outbox_config *config,
    const uint8_t sid[static ZP_SID_LEN]);

/* Wipes everything; NULL is fine. */
void
zp_outbox_free(struct zp_outbox *o);

/*
 * We are another session: numbers begin at 0, and since nobody can
 * acknowledge messages of the old one any more, those are undelivered.
 */
ZP_CHECKED enum zp_err
zp_outbox_session(
    struct zp_outbox *o, uint64_t now, const uint8_t sid[static ZP_SID_LEN]);

/*
 * Messages are sealed to this conversation from now on; NULL: there is none.
 * So are, under their old names, those that members lack who are in it under
 * a new session, if each of its members was to get them.  Everything is
 * copied.
 */
ZP_CHECKED enum zp_err
zp_outbox_current(
    struct zp_outbox *o, uint64_t now, const struct zp_machine_conv *conv);

/*
 * Nobody opens this conversation's records any more.  What of it is not
 * acknowledged is sealed to the current one, under its old name, if each
 * member of that was in this one; without a current one it waits for the
 * next; else it is undelivered.
 */
ZP_CHECKED enum zp_err
zp_outbox_gone(struct zp_outbox *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN]);

/*
 * A member said in a hello how far it has us, having had the hello that we
 * sent at `heard` (0: none); it left.
 */
void
zp_outbox_heard(struct zp_outbox *o, uint64_t now,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen, uint64_t heard);
void
zp_outbox_left(struct zp_outbox *o, uint64_t now,
    const uint8_t mid[static ZP_GROUP_MID_LEN]);

/* A relay's state.  Live: its history has come; what we sent is to be seen. */
void
zp_outbox_relay(
    struct zp_outbox *o, uint64_t now, size_t relay, bool up, bool live);

/*
 * May another body be added?  If not: the member of whom there is a message
 * that it has not acknowledged, the oldest one; NULL: the relays have not
 * taken or shown what they were given.
 */
bool
zp_outbox_room(const struct zp_outbox *o);
const struct zp_member *
zp_outbox_blocker(const struct zp_outbox *o);

/*
 * Adds a body; kind: note, or message (if there is a current conversation).
 * How many are at hand: zp_outbox_expect(), 0 before any wait.  time: ms
 * since 1970, or 0.  tag: given back with its events.  *seq: its number.
 * ZP_ERR_USAGE, ZP_ERR_TOO_LONG, ZP_ERR_ENDED, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_outbox_add(struct zp_outbox *o, uint64_t now, enum zp_kind kind,
    uint64_t time, uint64_t tag, const void *body, size_t len, uint64_t *seq);
void
zp_outbox_expect(struct zp_outbox *o, size_t bodies);

/*
 * Of a note just added, or of any: its record lines, for keeping it; false
 * if it is not there.  And one that was kept: n lines, each with its newline,
 * parts in order; sent as new.
 */
bool
zp_outbox_note(const struct zp_outbox *o, const uint8_t sid[static ZP_SID_LEN],
    uint64_t seq, const char **lines, size_t *len);
ZP_CHECKED enum zp_err
zp_outbox_restore(struct zp_outbox *o, uint64_t now,
    const uint8_t sid[static ZP_SID_LEN], uint64_t seq, uint64_t time,
    const char *lines, size_t len);

/*
 * The next record for a relay, in order; a line with its newline, valid until
 * the next call of any function.  False: nothing for now.
 */
bool
zp_outbox_next(struct zp_outbox *o, uint64_t now, size_t relay,
    const char **line, size_t *len);

/*
 * A relay showed a record that opens under our P, and says that it is this
 * one: len bytes of text, from its prefix on.  False: it is none of those
 * that we hold.  It may be of another session, settled, or sealed anew since;
 * and whoever has the password can make one under any name, so that only the
 * same bytes are ours.
 */
struct zp_outbox_echo {
	const uint8_t *sid; /* ZP_SID_LEN bytes */
	enum zp_kind kind;
	uint64_t seq;
	uint32_t part;
	const char *text;
	size_t len;
};

bool
zp_outbox_shown(struct zp_outbox *o, uint64_t now, size_t relay,
    const struct zp_outbox_echo *echo);

/* Time has passed. */
void
zp_outbox_tick(struct zp_outbox *o, uint64_t now);
uint64_t
zp_outbox_deadline(const struct zp_outbox *o);

/* For hellos: how many bodies of a kind this session has sent. */
uint64_t
zp_outbox_count(const struct zp_outbox *o, enum zp_kind kind);

/*
 * When to ask the members what they have, by a hello that says how much was
 * sent: not before something that went out was unacknowledged for
 * ZP_OUTBOX_ASK_MS, and ever more rarely; UINT64_MAX.  And that was done.
 */
#define ZP_OUTBOX_ASK_MS 1500
uint64_t
zp_outbox_ask_due(const struct zp_outbox *o);
void
zp_outbox_asked(struct zp_outbox *o, uint64_t now);

/* Bodies that are not settled: neither delivered nor given up. */
size_t
zp_outbox_pending(const struct zp_outbox *o, enum zp_kind kind);

/* Gives up all that is pending: each is told as undelivered. */
void
zp_outbox_end(struct zp_outbox *o, uint64_t now);

/* The window as it stands, for figures. */
size_t
zp_outbox_window(const struct zp_outbox *o);

#endif
