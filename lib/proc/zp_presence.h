#ifndef ZP_PRESENCE_H
#define ZP_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "proto/zp_machine.h"
#include "store/zp_known.h"
#include "wire/zp_record.h"

/*
 * Between records and the handshake machine: opens what comes, checks the
 * identity behind each hello, draws the machine's random bytes, seals its
 * hellos, keeps the opener's conversation keys, and puts what the machine
 * reports into words.  For zpinc-handshake and zpinc-pipe.
 *
 * A driver's loop:
 *
 *	zp_presence_start(p, now)
 *	for (;;) {
 *		if (zp_presence_line(p, &line, &len))
 *			publish it
 *		wait for input, but not beyond zp_presence_deadline(p)
 *		for each record: zp_presence_record(p, now, &rec, &got)
 *		zp_presence_tick(p, now)
 *	}
 *
 * It reads no clock and no descriptor; of files only the known identities',
 * to pin new ones.
 */
struct zp_presence;

/* What every step is given. */
struct zp_presence_now {
	uint64_t ticks; /* zp_load_ticks(): never goes back; timers */
	uint64_t wall; /* zp_load_now(): ms since 1970; for hellos and pins */
};

/* ---- what happens ---- */

enum zp_presence_kind {
	/* Who is here.  member is set. */
	ZP_PRESENCE_ONLINE,
	ZP_PRESENCE_OFFLINE, /* fell silent */
	ZP_PRESENCE_LEFT, /* said so */
	/* conv is set.  CURRENT: seal with it from now on; END: not any more,
	   and there is no other (we are alone). */
	ZP_PRESENCE_CURRENT,
	ZP_PRESENCE_END,
	/* conv and slot are set.  The opener opens conv's records from KEY on;
	   when GONE is told, it does not any more. */
	ZP_PRESENCE_KEY,
	ZP_PRESENCE_KEY_GONE,
	/* BLAMED: a member did not answer (err TIMEOUT), sent an invalid point
	   (POINT) or a wrong tag (TAG), or showed two values (EXISTS).
	   FAILED: a handshake was given up, with err; who is to blame, where
	   that can be told, was told just before. */
	ZP_PRESENCE_FAILED,
	ZP_PRESENCE_BLAMED,
	/* A hello was refused: err CHANGED, UNSIGNED, UNKNOWN, FORMAT, FULL,
	   or why its identity could not be pinned.  member is set but for mid.
	   This, IMPOSTOR and BLAMED with EXISTS are told once in ten minutes
	   for one user and reason, and not without limit for many. */
	ZP_PRESENCE_REFUSED,
	/* A new identity was pinned; member is set but for mid. */
	ZP_PRESENCE_PINNED,
	/* Somebody speaks as our session; err OK: and could make others
	   believe it, so we begin a new one; CHANGED: with another identity,
	   so nobody believes it. */
	ZP_PRESENCE_IMPOSTOR,
	/* We are another session from now on: member, with a fresh sid.  Notes
	   and messages count from 0 under it. */
	ZP_PRESENCE_SESSION,
	/* Fixed conversations: made without us (member: who has it); made. */
	ZP_PRESENCE_LATE,
	ZP_PRESENCE_SETTLED,
};

/* Everything pointed to lives until the callback returns. */
struct zp_presence_event {
	enum zp_presence_kind kind;
	enum zp_err err;
	const struct zp_member *member; /* or NULL */
	const struct zp_machine_conv *conv; /* or NULL */
	unsigned slot; /* of the opener, with KEY and KEY_GONE */
	/* What happened, in words, safe for a terminal; "" with KEY and
	   KEY_GONE, and with LEFT if it never was online here: a relay can
	   show what was said long ago. */
	const char *text;
	/* Something is wrong, so say it unasked. */
	bool trouble;
};

struct zp_presence_config {
	const struct zp_key *key; /* borrowed */
	const char *uid;
	const struct zp_identity *id; /* NULL: unsigned; borrowed */
	struct zp_known *known; /* borrowed; the driver refreshes it */
	bool no_time; /* hellos do not say when */
	/* Opens hellos alone: notes and messages are noise, no conversation
	   key enters the opener (slot is 0). */
	bool hellos_only;
	/* As in struct zp_machine_config. */
	const struct zp_group_ops *ops;
	const struct zp_machine_timing *timing;
	size_t max_members;
	bool fixed;
	size_t min_members;
	const char *const *allowed;
	size_t allowed_count;
	/* Called from within a step.  It must not step, nor free p; queries
	   and setters of the machine are fine. */
	void (*event)(void *arg, const struct zp_presence_event *ev);
	void *arg;
};

/*
 * Draws our sid.  The caller frees *p.  ZP_ERR_CHANGED, ZP_ERR_UNSIGNED:
 * our own uid is pinned, but to another identity, so that whoever knows it
 * would refuse us.  ZP_ERR_NAME, ZP_ERR_USAGE, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_presence_new(
    struct zp_presence **p, const struct zp_presence_config *config);

/* Wipes everything; NULL is fine. */
void
zp_presence_free(struct zp_presence *p);

/* ---- steps ----
 *
 * ZP_ERR_MEMORY: a hello was lost at worst, but see that it is told;
 * ZP_ERR_ENDED: after zp_presence_stop().
 */

/*
 * Joins.  Pins our own identity, if we have one, so that nobody else's can be
 * pinned under our name here: errors of zp_known_pin().
 */
ZP_CHECKED enum zp_err
zp_presence_start(struct zp_presence *p, const struct zp_presence_now *now);

enum zp_presence_what {
	ZP_PRESENCE_NOISE, /* no key in hand opens it */
	ZP_PRESENCE_BAD, /* authentic, but refused: err says why */
	ZP_PRESENCE_HELLO, /* the machine has it */
	ZP_PRESENCE_BODY, /* a note or message: opened is set */
	ZP_PRESENCE_OTHER, /* of a kind not known here */
};

struct zp_presence_got {
	enum zp_presence_what what;
	enum zp_err err;
	/* With BODY: valid until the next step.  Its identity is not checked
	   here (zp_known_meet), nor its number. */
	struct zp_opened opened;
	/* With a message: its conversation, and the sender's member in it (the
	   first with its pseudonym); else NULL.  Until the next step: of a
	   conversation keep the id. */
	const struct zp_machine_conv *conv;
	const struct zp_member *sender;
};

/* One record that came, from whatever relay, in whatever order. */
ZP_CHECKED enum zp_err
zp_presence_record(struct zp_presence *p, const struct zp_presence_now *now,
    const struct zp_record *rec, struct zp_presence_got *got);

/* Time has passed.  Early is harmless. */
ZP_CHECKED enum zp_err
zp_presence_tick(struct zp_presence *p, const struct zp_presence_now *now);

/* zp_machine_rekey() and zp_machine_announce(). */
ZP_CHECKED enum zp_err
zp_presence_rekey(struct zp_presence *p, const struct zp_presence_now *now);
ZP_CHECKED enum zp_err
zp_presence_announce(struct zp_presence *p, const struct zp_presence_now *now);

/*
 * Leaves: zp_presence_line() has the last hello; every conversation key is
 * wiped (also the opener's), without KEY_GONE.
 */
ZP_CHECKED enum zp_err
zp_presence_stop(struct zp_presence *p, const struct zp_presence_now *now);

/* In ticks; UINT64_MAX once stopped. */
uint64_t
zp_presence_deadline(const struct zp_presence *p);

/*
 * The hello to publish, if the last steps made one: a record line with its
 * newline, at most 4,096 bytes unless max_members says otherwise.  True once
 * for each; valid until the next step.  Of two that were not fetched the
 * later one is left, as it says everything again.
 */
bool
zp_presence_line(struct zp_presence *p, const char **line, size_t *len);

/* ---- what is behind ---- */

/* For queries, and zp_machine_set_*(); never for steps. */
struct zp_machine *
zp_presence_machine(struct zp_presence *p);

/* ---- words ---- */

#define ZP_PRESENCE_TEXT 512

/*
 * The most telling reasons there are now, joined by "; ", or "" if there is
 * none.
 */
const char *
zp_presence_why(char to[static ZP_PRESENCE_TEXT], const struct zp_presence *p);

/* "alice, bob and carol"; of many: "..., and 12 more".  Uids escaped. */
const char *
zp_presence_names(char to[static ZP_PRESENCE_TEXT],
    const struct zp_member *members, size_t n);

#endif
