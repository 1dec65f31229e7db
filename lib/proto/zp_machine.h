#ifndef ZP_MACHINE_H
#define ZP_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_conv.h"
#include "crypt/zp_group.h"
#include "proto/zp_member.h"

/*
 * The handshake machine of zpinc(7): who is online, who is in, which key.
 * It sees hellos that were opened already, the time and random bytes, and
 * gives hellos to send, a next deadline, keys and reports.  It does no I/O,
 * reads no clock, draws no randomness and prints nothing, so the same inputs
 * give the same outputs.
 *
 * A driver's loop:
 *
 *	zp_machine_start(m, now, random);
 *	for (;;) {
 *		if (zp_machine_out(m, &out))
 *			seal out as kind 3 with out.sid, out.seq and send it
 *		wait for a record, but not beyond zp_machine_deadline(m)
 *		a hello:  zp_machine_hello(m, now, random, &in)
 *		anything: zp_machine_tick(m, now, random)
 *	}
 *
 * Time is in milliseconds of a clock that never goes back (and goes on while
 * the machine sleeps); a `now` below the last one counts as the last one.
 */
struct zp_machine;

/*
 * Fresh random bytes for one step: a scalar, a session id, jitter.  They are
 * wiped when the step returns.
 */
#define ZP_MACHINE_RANDOM_LEN (ZP_GROUP_RANDOM_LEN + ZP_SID_LEN + 16)

#define ZP_MACHINE_KEYS 16 /* conversations that open records */
#define ZP_MACHINE_MEMBERS 64 /* default of max_members */
#define ZP_MACHINE_MEMBERS_MAX 1024

/* Milliseconds, but for the tokens.  T_BEAT, T_GONE ... of zpinc(7). */
struct zp_machine_timing {
	uint32_t beat; /* a hello at least so often, +-20 % */
	uint32_t alone; /* nobody heard for so long: alone (zpinc-pipe) */
	uint32_t gone; /* a session silent for so long is gone */
	uint32_t stale; /* acknowledging older hellos of ours proves nothing */
	uint32_t settle; /* a view must stand so long; doubled by failures */
	uint32_t settle_max;
	uint32_t open; /* the same while members do not hear one another */
	uint32_t repeat; /* a run's hellos are repeated so often, +-20 % */
	uint32_t run; /* a phase of a run may take so long; doubled likewise */
	uint32_t run_max;
	uint32_t hold; /* who misbehaves is ignored for so long */
	uint32_t rekey; /* a new key so often, times 1 to 1.1; 0: never */
	uint32_t answer_min, answer_max; /* a new session is answered within */
	uint32_t gap; /* between an answer and the hello before it */
	uint32_t flap; /* sessions of one sender in so short a time: flapping */
	uint32_t old_key; /* an old key goes so long after all have the new */
	uint32_t old_key_max; /* or so long after it fell out of use */
	uint32_t fixed_end; /* a fixed conversation ends its handshake after */
	uint32_t token; /* one hello more every */
	uint32_t tokens; /* hellos that may go out at once */
};

extern const struct zp_machine_timing zp_machine_timing_default;

enum zp_machine_phase {
	ZP_PHASE_ALONE,
	ZP_PHASE_SETTLE,
	ZP_PHASE_SHARE,
	ZP_PHASE_MIX,
	ZP_PHASE_CONFIRM,
	ZP_PHASE_DONE,
};

enum zp_machine_event_kind {
	/* Presence.  Online is who answers our hellos, nobody else. */
	ZP_EVENT_ONLINE,
	ZP_EVENT_OFFLINE, /* fell silent, or no longer answers */
	ZP_EVENT_LEFT, /* said so */
	/* Conversations. */
	ZP_EVENT_CONVERSATION, /* conv is the current one from now on */
	ZP_EVENT_CONVERSATION_END, /* alone: there is no current one */
	ZP_EVENT_KEY, /* records under conv may arrive from now on */
	ZP_EVENT_KEY_GONE, /* and from now on will not be opened: conv is
			      wiped when the report returns */
	/* Runs that failed, with err: TIMEOUT, POINT, EQUAL, SUM, NEUTRAL,
	   TAG or EXISTS (two values).  Then one event for each member that
	   can be named. */
	ZP_EVENT_ABANDONED,
	ZP_EVENT_SILENT, /* did not answer in time */
	ZP_EVENT_BAD_POINT, /* sent what is no point, or the neutral one */
	ZP_EVENT_BAD_TAG, /* its tag is wrong (which does not prove that it
			     is who lied) */
	ZP_EVENT_TWO_VALUES, /* showed two shares, mixes or tags in a view */
	/* Hellos that were refused: err is FORMAT, SIGNATURE, CHANGED,
	   UNSIGNED, UNKNOWN or FULL.  member.mid is not set. */
	ZP_EVENT_REFUSED,
	/* Ourselves. */
	ZP_EVENT_IMPOSTOR, /* somebody speaks as our session */
	ZP_EVENT_SESSION, /* we began a new session: see zp_machine_self() */
	/* Fixed conversations. */
	ZP_EVENT_LATE, /* the conversation was made without us */
	ZP_EVENT_SETTLED, /* everybody is done, or waited long enough for:
			     stop now */
};

/* A conversation whose key we hold.  Everything lives until KEY_GONE. */
struct zp_machine_conv {
	uint8_t view[ZP_GROUP_VIEW_LEN];
	const struct zp_conv *keys; /* in secret memory */
	const struct zp_member *members; /* n, in order, with ourselves */
	size_t n;
	size_t me; /* our index */
	uint64_t since; /* when our tag went out */
	uint64_t until; /* when it goes; UINT64_MAX: not known yet */
	bool confirmed; /* every member's tag was right: it was current */
	bool current; /* seal with this one */
};

struct zp_machine_event {
	enum zp_machine_event_kind kind;
	enum zp_err err;
	const struct zp_member *member; /* or NULL */
	const struct zp_machine_conv *conv; /* or NULL */
	/* LEFT: it never was online here, so that this may have been said long
	   ago, and nobody need hear of it. */
	bool unproved;
};

struct zp_machine_config {
	uint8_t rp[ZP_PSEUDONYM_LEN]; /* the channel's, not the live one */
	const uint8_t *msgkey; /* ZP_GROUP_MSGKEY_LEN; outlives the machine */
	struct zp_group_member self; /* p, sid, idkey; gen is not read */
	char uid[ZP_NAME_MAX + 1];
	const struct zp_group_ops *ops; /* NULL: zp_group_ristretto */
	const struct zp_machine_timing *timing; /* NULL: the default; copied */
	size_t max_members; /* 2 to ZP_MACHINE_MEMBERS_MAX; 0: the default */
	/* A fixed conversation (zpinc-handshake): made once, with other
	   machines that make a fixed one, among at least min_members (2), or
	   exactly the allowed users. */
	bool fixed;
	size_t min_members;
	/* Users that may be in, besides ourselves; NULL: all.  Copied. */
	const char *const *allowed;
	size_t allowed_count;
	/* Called from within a step.  It must not call the machine, but for
	   queries; what it points to lives until it returns. */
	void (*report)(void *arg, const struct zp_machine_event *ev);
	void *arg;
};

/*
 * ZP_ERR_MEMORY, or ZP_ERR_USAGE for a configuration without sense.  The
 * machine does nothing before zp_machine_start().
 */
ZP_CHECKED enum zp_err
zp_machine_new(struct zp_machine **m, const struct zp_machine_config *config);

/* Wipes everything; NULL is fine. */
void
zp_machine_free(struct zp_machine *m);

/*
 * Steps.  Each may want a hello sent: at most one, as of the step's end, for
 * zp_machine_out().  ZP_ERR_MEMORY: nothing worse than a lost hello happened;
 * ZP_ERR_ENDED: the machine has stopped.  What is wrong with a hello is no
 * error but a report.
 */

/* Joins. */
ZP_CHECKED enum zp_err
zp_machine_start(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN]);

/* One hello, opened: of this channel, kind 3, one part. */
struct zp_machine_hello {
	struct zp_group_member from; /* p, sid, idkey (0 if unsigned) */
	char uid[ZP_NAME_MAX + 1];
	/* ZP_OK, or why its identity is refused: SIGNATURE, CHANGED,
	   UNSIGNED, UNKNOWN. */
	enum zp_err verdict;
	uint64_t seq;
	const uint8_t *body;
	size_t len;
};

ZP_CHECKED enum zp_err
zp_machine_hello(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN],
    const struct zp_machine_hello *in);

/* Time has passed.  Early is harmless. */
ZP_CHECKED enum zp_err
zp_machine_tick(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN]);

/* A new key, now, if the current conversation is this view's. */
ZP_CHECKED enum zp_err
zp_machine_rekey(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN]);

/*
 * Leaves: a last hello is ready, every run and every key is wiped, without
 * KEY_GONE reports.  Copy a fixed conversation's key before.
 */
void
zp_machine_stop(struct zp_machine *m, uint64_t now);

/* When to step next.  Never 0; UINT64_MAX once stopped. */
uint64_t
zp_machine_deadline(const struct zp_machine *m);

/* The hello that is to be sent; body lives until the next step. */
struct zp_machine_out {
	uint8_t sid[ZP_SID_LEN];
	uint64_t seq;
	const uint8_t *body;
	size_t len;
};

/*
 * True once for each hello to send.  One that was not fetched is replaced by
 * the next, which says all that it said.
 */
bool
zp_machine_out(struct zp_machine *m, struct zp_machine_out *out);

/*
 * What hellos carry for the layer of conversations.  The first that says DONE
 * counts the messages that were sent when the report of the conversation
 * returned, so that the others see which are to them.  None sends by itself;
 * zp_machine_announce() asks for a hello as if a new session were to be
 * answered, for receipts that others wait for.
 */
void
zp_machine_set_notes(struct zp_machine *m, uint64_t notes);
void
zp_machine_set_messages(struct zp_machine *m, uint64_t messages);
void
zp_machine_set_seen(struct zp_machine *m,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen);
ZP_CHECKED enum zp_err
zp_machine_announce(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN]);

/* Queries. */

const struct zp_member *
zp_machine_self(const struct zp_machine *m);
enum zp_machine_phase
zp_machine_phase(const struct zp_machine *m);

/* When somebody else's hello last came; 0: never. */
uint64_t
zp_machine_last_heard(const struct zp_machine *m);

/* What is known of another session. */
struct zp_machine_peer {
	const struct zp_member *member;
	bool heard; /* says hello */
	bool near; /* and answers ours: online */
	bool left; /* said LEAVE */
	bool in_view; /* of the next conversation, as things stand */
	bool in_conv; /* of the current one */
	bool done; /* seals to a conversation whose key we hold, it says */
	uint64_t held_until; /* ignored until then; 0: not */
	uint64_t seq; /* of its latest hello */
	uint64_t at; /* when that came */
	uint64_t acks_sent_at; /* when we sent the hello that it acks; 0 */
	uint64_t notes, messages; /* that it says it has sent */
	uint64_t notes_at_first; /* in the first hello that we had of it */
	uint64_t seen_ours; /* its `seen` of our messages */
	/* When we first told it what we have of its messages, if it has not
	   acknowledged that; 0. */
	uint64_t told_at;
	/* The highest `seen` that anybody else has of its messages, and who:
	   NULL if nobody. */
	uint64_t seen_most;
	const struct zp_member *seen_most_by;
};

/*
 * Sessions by place, 0 to zp_machine_places() - 1, not all taken: false.
 * Members lie where they are until the next step.
 */
size_t
zp_machine_places(const struct zp_machine *m);
bool
zp_machine_peer(
    const struct zp_machine *m, size_t place, struct zp_machine_peer *peer);

/* The same by member id; false if unknown. */
bool
zp_machine_find(const struct zp_machine *m,
    const uint8_t mid[static ZP_GROUP_MID_LEN], struct zp_machine_peer *peer);

/* Members of the view in hand, ourselves included. */
size_t
zp_machine_view_size(const struct zp_machine *m);
/* Its id. */
void
zp_machine_view_id(
    const struct zp_machine *m, uint8_t view[static ZP_GROUP_VIEW_LEN]);

/* Why there is no newer conversation yet. */
enum zp_machine_reason_kind {
	ZP_REASON_NOBODY, /* nobody is heard */
	ZP_REASON_NO_ANSWER, /* a is heard but does not hear us */
	ZP_REASON_DEAF, /* a does not hear b */
	ZP_REASON_HELD, /* a is ignored for a while */
	ZP_REASON_SETTLING, /* the view is new */
	ZP_REASON_FEW, /* fixed: fewer members than asked for */
	ZP_REASON_MISSING, /* fixed: uid is not here */
	ZP_REASON_FULL, /* the view has as many members as it may */
	ZP_REASON_NO_SHARE, /* the run waits for a */
	ZP_REASON_NO_MIX,
	ZP_REASON_NO_TAG,
};

struct zp_machine_reason {
	enum zp_machine_reason_kind kind;
	const struct zp_member *a, *b;
	const char *uid;
};

/* Fills at most cap reasons; returns how many there are to tell. */
size_t
zp_machine_reasons(
    const struct zp_machine *m, struct zp_machine_reason *reason, size_t cap);

/* Keys: i below zp_machine_keys(), newest first. */
size_t
zp_machine_keys(const struct zp_machine *m);
const struct zp_machine_conv *
zp_machine_key(const struct zp_machine *m, size_t i);

/* The current conversation, or NULL. */
const struct zp_machine_conv *
zp_machine_current(const struct zp_machine *m);

/* Bytes of memory in use, for tests and figures. */
size_t
zp_machine_memory(const struct zp_machine *m);

#endif
