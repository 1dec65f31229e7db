#ifndef ZP_REPLAY_H
#define ZP_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/*
 * What of one channel has been shown: tells replays and finds gaps.  Bounded,
 * no I/O, no clock.  A body is named by (P, sid, kind, seq); its parts are
 * zp_parts.h's business.
 *
 * For every session (P, sid, kind): the next number, which of the 64 before
 * it came, what never came of those further back, the latest time.  At most
 * ZP_REPLAY_SESSIONS; the one whose latest time is lowest is evicted, and
 * raises the floor to that time: of a session not known, and of what is
 * missing in one that is (it may be one that was evicted and is back), what is
 * not younger than the floor is "too old to tell".
 *
 * Times are claims.  So that a few thousand sessions dated far ahead do not
 * push out all others and raise the floor over whatever will be said, those
 * are the first to go, they do not raise it, and once there is a floor no
 * more of them are taken in.  But when their time has come, a replay of them
 * would be above the floor; so where it matters for longer than a run, in a
 * file, notes dated far ahead are never taken in.
 *
 * Check the sender's identity before: what a forger marks, nobody else can
 * say again.
 */

#define ZP_REPLAY_SESSIONS 4096
#define ZP_REPLAY_WINDOW 64 /* bits of seen and told */
#define ZP_REPLAY_HOLES 16 /* behind the window, remembered for a session */
#define ZP_REPLAY_AHEAD_MS 86400000 /* clocks may differ by a day */

struct zp_replay;

struct zp_replay_name {
	uint8_t p[ZP_PSEUDONYM_LEN];
	uint8_t sid[ZP_SID_LEN];
	uint8_t kind;
	uint64_t seq;
	uint64_t time; /* ms since 1970; 0: withheld */
	/* A message's `first`; only if has_first. */
	bool has_first;
	uint64_t first;
};

enum zp_replay_verdict {
	ZP_REPLAY_NEW, /* show it */
	ZP_REPLAY_LATE, /* show it: it had been reported as missing */
	ZP_REPLAY_RESTORED, /* show it and warn: its number was shown before,
			       but it is younger than all of its session: the
			       sender was restored from a backup */
	ZP_REPLAY_AGAIN, /* shown before; or so far behind that it is not known
			    any more, see zp_replay_was_shown() */
	ZP_REPLAY_TOO_OLD, /* not shown, as far as is known, and not above the
			      floor, or there is one and it is dated far ahead
			    */
	ZP_REPLAY_AHEAD, /* a note dated far ahead, to be kept in a file */
};

ZP_CHECKED enum zp_err
zp_replay_new(struct zp_replay **r);
void
zp_replay_free(struct zp_replay *r);

/* What time it is, ms since 1970; 0, as at first: not known. */
void
zp_replay_today(struct zp_replay *r, uint64_t ms);

/* The number behind the highest that was shown of a session; 0: none was. */
uint64_t
zp_replay_next(const struct zp_replay *r,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint8_t kind);

/* What to do with it; changes nothing. */
enum zp_replay_verdict
zp_replay_check(const struct zp_replay *r, const struct zp_replay_name *name);

/* Was it, for certain?  Not only AGAIN for want of memory. */
bool
zp_replay_was_shown(
    const struct zp_replay *r, const struct zp_replay_name *name);

/*
 * It has been shown.  now: any clock in ms that does not go back, for
 * zp_replay_gap().  ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_replay_mark(
    struct zp_replay *r, const struct zp_replay_name *name, uint64_t now);

/*
 * It came in part and was given up, which has been reported: it is not
 * reported again as missing, and is LATE if it comes whole after all.
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_replay_give_up(
    struct zp_replay *r, const struct zp_replay_name *name, uint64_t now);

/*
 * A session itself says that it has sent `count` bodies of a kind (a hello
 * does): those that never come are missing, too.  Of one that we have nothing
 * of, those from `base` on, which is what it said when we first heard of it.
 * ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_replay_announce(struct zp_replay *r,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint8_t kind, uint64_t base,
    uint64_t count, uint64_t now);

/*
 * Records missing, of one session.  A number is missing if a higher one of
 * its session came and it did not.  It counts as a gap when it has been
 * missing for `patience` ms, or has fallen out of the window; each one once.
 * What comes after that, within the window, is shown as LATE.
 */
struct zp_replay_gap {
	uint8_t p[ZP_PSEUDONYM_LEN];
	uint8_t sid[ZP_SID_LEN];
	uint8_t kind;
	uint64_t missing; /* how many */
	uint64_t before; /* time that the record after the gap claims, or 0 */
	/* All of them are before the first one of a session that we saw
	 * begin: lost, or older than what the relay keeps. */
	bool start;
};

#define ZP_REPLAY_PATIENCE_MS 10000

/*
 * The next gap to report; false: none.  Live: patience
 * ZP_REPLAY_PATIENCE_MS; at the end of input: 0.  To be asked again until
 * there is none: sessions are gone through once for all gaps.
 */
bool
zp_replay_gap(struct zp_replay *r, uint64_t now, uint64_t patience,
    struct zp_replay_gap *gap);

/* When zp_replay_gap() is to be asked again (by the clock of `now`);
 * UINT64_MAX: not before another record. */
uint64_t
zp_replay_deadline(const struct zp_replay *r, uint64_t patience);

/* ---- for keeping it in a file: zp_readstate.h ---- */

/* It is kept in one. */
void
zp_replay_keep(struct zp_replay *r);

struct zp_replay_hole {
	uint64_t from, to; /* [from, to) never came */
};

struct zp_replay_session {
	uint8_t p[ZP_PSEUDONYM_LEN];
	uint8_t sid[ZP_SID_LEN];
	uint8_t kind;
	uint64_t first; /* numbers below were never expected */
	uint64_t next; /* the highest seen, plus one; `first` if none was */
	uint64_t seen; /* bit i: next - 1 - i came */
	uint64_t told; /* bit i: next - 1 - i was reported as missing */
	uint64_t lost; /* fell out of the window, not reported yet */
	uint64_t announced; /* so many were sent, as a hello or a part says */
	uint64_t told_to; /* announced numbers below were reported already */
	uint64_t latest; /* highest time */
	uint64_t before; /* time of the record that shows a gap */
	/* Behind the window, ascending; those that were below `sure` had to be
	 * forgotten. */
	uint64_t sure;
	size_t n_holes;
	struct zp_replay_hole holes[ZP_REPLAY_HOLES];
	/* Not kept: `now` when the first hole not yet reported appeared, or
	 * UINT64_MAX; all holes are before the first record seen. */
	uint64_t since;
	bool start;
};

/* Forgets everything, so that it can be filled again. */
void
zp_replay_clear(struct zp_replay *r);

/*
 * Set once the channel is known from an earlier run: sessions that appear
 * from then on are expected from number 0, as they must have begun since.
 */
void
zp_replay_established(struct zp_replay *r, bool established);

/* Time up to which unknown sessions are refused; 0: no floor yet. */
uint64_t
zp_replay_floor(const struct zp_replay *r);
void
zp_replay_set_floor(struct zp_replay *r, uint64_t floor);

size_t
zp_replay_count(const struct zp_replay *r);
const struct zp_replay_session *
zp_replay_at(const struct zp_replay *r, size_t i);

/* ZP_ERR_FULL, ZP_ERR_EXISTS, ZP_ERR_FORMAT (numbers that contradict). */
ZP_CHECKED enum zp_err
zp_replay_put(struct zp_replay *r, const struct zp_replay_session *session);

/* Changed since zp_replay_saved()? */
bool
zp_replay_dirty(const struct zp_replay *r);
void
zp_replay_saved(struct zp_replay *r);

#endif
