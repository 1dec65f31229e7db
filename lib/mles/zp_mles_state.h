#ifndef ZP_MLES_STATE_H
#define ZP_MLES_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_record.h"
#include "mles/zp_mles_run.h"
#include "mles/zp_mles_seen.h"

/*
 * A member of a MlesTalk channel: the handshake of zp_mles_run.h, the
 * sealing and opening under up to four keys, and when to send presence so
 * that a handshake goes on while nobody types.  Frames, times and random
 * bytes come in; frames and reports go out.
 *
 * Two clocks: `now` is ms of a steady clock, for what is due; `time` is ms
 * since 1970, for the header.
 */
struct zp_mles_state; /* holds secrets: opaque */

/*
 * Of what the relay replays from its history only texts count; call
 * zp_mles_state_live() when it is through, or at once if there is none.
 * Frames before that are told to be history.
 */
#define ZP_MLES_STATE_RANDOM 192 /* fresh random bytes of one event */

/* What a text of ours may be sealed with. */
enum zp_mles_policy {
	/* as the prototype: the conversation's key once all acknowledged */
	ZP_MLES_EAGER,
	/* only when every member proved to have it; until then a note */
	ZP_MLES_CAREFUL,
	ZP_MLES_NOTE, /* always the password's key */
};

enum zp_mles_fs {
	ZP_MLES_FS_OFF,
	/* all acknowledged; not all were heard under it, or somebody who was
	   heard lately has no part in it */
	ZP_MLES_FS_BEGUN,
	ZP_MLES_FS_ON, /* whoever was heard was heard under the key */
};

enum zp_mles_event {
	ZP_MLES_EVENT_FS, /* the state of forward secrecy: see fs */
	ZP_MLES_EVENT_JOINED, /* a member was heard for the first time */
	ZP_MLES_EVENT_GONE, /* a silent member is not waited for any more */
	ZP_MLES_EVENT_RESTART, /* the handshake made no progress */
	ZP_MLES_EVENT_RELABELLED, /* a frame under another member's name */
	ZP_MLES_EVENT_REPLAY, /* a frame seen before came again, live */
	ZP_MLES_EVENT_STALE, /* an old frame of a member; maybe a replay */
	ZP_MLES_EVENT_IMPOSTOR, /* somebody else speaks under our name */
	ZP_MLES_EVENT_POINT, /* a share or mix that is none */
	ZP_MLES_EVENT_CROWD, /* too many members */
	ZP_MLES_EVENT_FORGED, /* the key fits, the contents make no sense */
	ZP_MLES_EVENT_LEFT, /* a member said farewell */
};

struct zp_mles_report {
	enum zp_mles_event event;
	enum zp_mles_fs fs; /* as it is since */
	struct zp_mles_name name; /* whose; empty if nobody's */
};

struct zp_mles_got {
	struct zp_mles_opened o;
	enum zp_mles_use use; /* what it was sealed with */
	bool own; /* under our own name */
	bool history;
	enum zp_mles_again again;
	bool relabelled; /* somebody else said this */
};

struct zp_mles_sent {
	const uint8_t *message; /* valid until the next call */
	size_t len;
	enum zp_mles_use use;
};

/*
 * `key` stays the caller's and must outlive the state.  The caller
 * frees *state.  ZP_ERR_MEMORY; ZP_ERR_NAME: see zp_mles_text_blocks().
 */
ZP_CHECKED enum zp_err
zp_mles_state_new(struct zp_mles_state **state, struct zp_mles_key *key,
    const struct zp_mles_name *uid,
    const uint8_t random[static ZP_MLES_STATE_RANDOM]);
void
zp_mles_state_free(struct zp_mles_state *state);

/* The history has been replayed; or, after a reconnect, begins again. */
void
zp_mles_state_live(struct zp_mles_state *state, bool live, int64_t now);

/*
 * Although we are live: are the frames that come next history, of a relay
 * that has just come back?
 */
void
zp_mles_state_past(struct zp_mles_state *state, bool past);

/*
 * A frame from the relay.  *got points into memory of the state, valid until
 * the next call.  ZP_ERR_NOT_OURS (also for frames of a conversation that
 * is not ours), ZP_ERR_FORGED, ZP_ERR_FORMAT, ZP_ERR_CUT, ZP_ERR_TOO_LONG,
 * ZP_ERR_MEMORY: nothing to show.
 */
ZP_CHECKED enum zp_err
zp_mles_state_receive(struct zp_mles_state *state,
    const struct zp_mles_raw *raw, int64_t now, struct zp_mles_got *got);

/*
 * The body of what was received last, to be decoded where it lies.
 */
uint8_t *
zp_mles_state_body(struct zp_mles_state *state, const struct zp_mles_got *got);

/*
 * A frame to send: flags of zp_mles_frame.h but BDONE and BDACK.
 * ZP_ERR_TOO_LONG, ZP_ERR_CLOCK, ZP_ERR_POINT as where they come from.
 */
ZP_CHECKED enum zp_err
zp_mles_state_send(struct zp_mles_state *state, int64_t now, int64_t time,
    uint16_t flags, const void *body, size_t len, enum zp_mles_policy policy,
    const uint8_t random[static ZP_MLES_STATE_RANDOM],
    struct zp_mles_sent *sent);

/* When presence should be sent next (ms as `now`), or INT64_MAX. */
int64_t
zp_mles_state_due(const struct zp_mles_state *state);

/* Announce ourselves soon, although nobody was heard. */
void
zp_mles_state_hello(struct zp_mles_state *state, int64_t now);

/* The empty frame that is due, sealed so that the handshake goes on. */
ZP_CHECKED enum zp_err
zp_mles_state_presence(struct zp_mles_state *state, int64_t now, int64_t time,
    const uint8_t random[static ZP_MLES_STATE_RANDOM],
    struct zp_mles_sent *sent);

/*
 * The last frame of a member that leaves: other members of this library wait
 * for it no longer, and make a new conversation without it.
 */
ZP_CHECKED enum zp_err
zp_mles_state_farewell(struct zp_mles_state *state, int64_t now, int64_t time,
    const uint8_t random[static ZP_MLES_STATE_RANDOM],
    struct zp_mles_sent *sent);

/*
 * Time has passed; call about once a second.  Members that were silent for
 * longer than `silent` ms (0: never) no longer block a handshake.
 */
#define ZP_MLES_SILENT 180000 /* the app's own idea of an old presence */
void
zp_mles_state_tick(struct zp_mles_state *state, int64_t now, int64_t silent);

/* The next report, oldest first; false if there is none. */
bool
zp_mles_state_report(struct zp_mles_state *state, struct zp_mles_report *r);

enum zp_mles_fs
zp_mles_state_fs(const struct zp_mles_state *state);

/* Member i of the run, from 0; false beyond the last.  Not ourselves. */
bool
zp_mles_state_member(const struct zp_mles_state *state, size_t i,
    struct zp_mles_name *name, bool *confirmed);

/*
 * Copies the group secret to secret memory of the caller; false if there is
 * none or not everybody acknowledged it.
 */
bool
zp_mles_state_secret(const struct zp_mles_state *state,
    uint8_t secret[static ZP_MLES_POINT_LEN]);

/* Our box and the channel's, which stand in every record. */
const struct zp_mles_box *
zp_mles_state_p(const struct zp_mles_state *state);
const struct zp_mles_box *
zp_mles_state_rp(const struct zp_mles_state *state);

#endif
