#ifndef ZP_LIVE_MLES_H
#define ZP_LIVE_MLES_H

#include "mles/zp_mles_file.h"
#include "mles/zp_mles_outbox.h"
#include "mles/zp_mles_state.h"
#include "proc/zp_live_impl.h"

/*
 * A pipe on a key of suite mles, for the two files that make it up:
 *
 *	zp_live_mles		the table of zp_live_impl.h: what goes, and when
 *	zp_live_mles_heard	what comes, and what is told of it
 */

/* Tellings of what looks like an attack: so many, then one in so long (ms). */
#define ZP_LIVE_ALARMS 8
#define ZP_LIVE_ALARM_EVERY 30000

/*
 * So long do lines wait for forward secrecy that was lost (ms): what members
 * of this library need for a handshake.
 */
#define ZP_LIVE_LOST 3000

struct zp_live_member {
	struct zp_mles_state *state;
	struct zp_mles_outbox *outbox;
	struct zp_mles_files *files; /* that come in pieces */
	struct zp_mles_raw raw; /* the record at hand */
	struct zp_mles_name uid;
	/* "ml1.RP.P." of ours, and the record that tells who joins */
	char *head;
	size_t head_len;
	bool greeted[ZP_LIVE_RELAYS]; /* by that record, since it came up */
	bool live; /* relays can be heard; the state knows */
	bool said; /* anything at all */
	uint64_t ticked;
	enum zp_mles_fs fs; /* as told last */
	uint64_t lost_at; /* forward secrecy; 0: it is on, or never was */
	enum zp_exit status;
	/* alarms: a bucket of tokens */
	unsigned alarms;
	uint64_t alarm_at, unsaid;
};

/* A record that came, decoded in m->raw, and not our own coming back. */
ZP_CHECKED enum zp_err
zp_live_mles_hear(
    struct zp_live *l, struct zp_live_link *link, const struct zp_record *rec);

/* Shows what we said ourselves, for --echo. */
void
zp_live_mles_echo(struct zp_live *l, const struct zp_mles_outgoing *out);

/* What the state reports.  Returns whether a frame was older than it should. */
bool
zp_live_mles_reports(struct zp_live *l);

/* What became of our lines. */
void
zp_live_mles_settle(struct zp_live *l);

/* Adds who converses, or is here, to a terminal's foot. */
size_t
zp_live_mles_who(const struct zp_live *l, char *to, size_t len);

/* Was anybody else heard? */
bool
zp_live_mles_company(const struct zp_live *l);

/* Files that never came whole. */
void
zp_live_mles_left(struct zp_live *l);

#endif
