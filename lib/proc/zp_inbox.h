#ifndef ZP_INBOX_H
#define ZP_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_io.h"
#include "crypt/zp_conv.h"
#include "crypt/zp_open.h"
#include "proto/zp_parts.h"
#include "proto/zp_replay.h"
#include "store/zp_keyfile.h"
#include "store/zp_known.h"
#include "store/zp_readstate.h"

/*
 * From records to what is shown: opens, checks identities, refuses replays,
 * joins parts, shows, remembers, tells of gaps.  Says on stderr what is
 * refused or missing, and keeps the exit status that follows from it.
 */
struct zp_inbox;

enum zp_inbox_style { ZP_INBOX_TEXT, ZP_INBOX_JSON, ZP_INBOX_RAW };

struct zp_inbox_config {
	const char *tool;
	struct zp_out *out;
	enum zp_inbox_style style;
	const char *format; /* of ZP_INBOX_TEXT, checked */
	const char *state_path; /* NULL: nothing is kept */
	const char *trust_path; /* NULL: the default */
	bool trust_new; /* pin identities seen first */
	bool strict, all, verbose;
	uint64_t max_age; /* ms; 0: any */

	/* ---- for zpinc-pipe; NULL elsewhere ---- */

	const char *note_format; /* of notes, if it is another; checked */
	/* Takes whole messages instead of showing them; later, in their turn,
	   zp_inbox_show() does.  And a message that was shown before. */
	enum zp_err (*take)(
	    void *arg, const struct zp_piece *piece, enum zp_trust trust);
	enum zp_err (*again)(void *arg, const struct zp_opened *opened);
	/* A gap was told; before: ms since 1970, or 0. */
	void (*gap)(void *arg, const char *uid, enum zp_kind kind,
	    uint64_t missing, uint64_t before);
	void *arg;
};

/* The caller frees *in.  Says what is wrong. */
ZP_CHECKED enum zp_err
zp_inbox_new(struct zp_inbox **in, const struct zp_inbox_config *config);
void
zp_inbox_free(struct zp_inbox *in);

/* The file of known identities, for who confines this process. */
const char *
zp_inbox_trust_path(const struct zp_inbox *in);

/* Opens records with this key, too; kf is borrowed.  At most 64 keys. */
ZP_CHECKED enum zp_err
zp_inbox_key(struct zp_inbox *in, const struct zp_keyfile *kf);

/*
 * A channel whose records are opened elsewhere; key is borrowed.  Then its
 * records, one after the other: conv is the conversation's id, or NULL with
 * notes.
 */
ZP_CHECKED enum zp_err
zp_inbox_channel(struct zp_inbox *in, const struct zp_key *key);
ZP_CHECKED enum zp_err
zp_inbox_opened(
    struct zp_inbox *in, const struct zp_opened *opened, const uint8_t *conv);

/* The same, but it is not shown: it is our own. */
ZP_CHECKED enum zp_err
zp_inbox_skip(struct zp_inbox *in, const struct zp_opened *opened);

/* Under which conversation that slot's records came last; false: none. */
bool
zp_inbox_conv(const struct zp_inbox *in, unsigned slot,
    uint8_t conv[static ZP_CONV_ID_LEN]);

/* Shows a message that was taken, and remembers it. */
ZP_CHECKED enum zp_err
zp_inbox_show(struct zp_inbox *in, const struct zp_body *body,
    const uint8_t *data, size_t len, enum zp_trust trust, const uint8_t *conv);

/* A session said that it sent so many notes, and `base` at first. */
ZP_CHECKED enum zp_err
zp_inbox_announce(struct zp_inbox *in, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint64_t base, uint64_t notes);

/* The known identities in use; valid as long as the inbox is. */
struct zp_known *
zp_inbox_known(struct zp_inbox *in);

/*
 * exits 1 at the end if nothing from uid is younger than age ms.  Keys come
 * before; uid is borrowed.
 */
ZP_CHECKED enum zp_err
zp_inbox_expect(struct zp_inbox *in, const char *uid, uint64_t age);

/*
 * A batch: begin, all records at hand, end, which flushes the output and
 * then commits what was shown.  wait: nothing more is at hand.  Errors are
 * of the output or of files; said already.
 */
ZP_CHECKED enum zp_err
zp_inbox_begin(struct zp_inbox *in);
ZP_CHECKED enum zp_err
zp_inbox_end(struct zp_inbox *in, bool wait);

/*
 * What records of this batch told of new identities is on disk.  A batch that
 * is not ended soon does it; else its end will.
 */
ZP_CHECKED enum zp_err
zp_inbox_settle(struct zp_inbox *in);

/*
 * One record, the number-th read.  *ours: a key in hand opened it (whatever
 * came of it then); if not, the line may be torn and hold another.
 */
ZP_CHECKED enum zp_err
zp_inbox_record(struct zp_inbox *in, const struct zp_record *rec,
    uint64_t number, bool *ours);

/* Bodies shown so far. */
uint64_t
zp_inbox_shown(const struct zp_inbox *in);

/* The number behind the highest message of a session that was shown; 0. */
uint64_t
zp_inbox_next(const struct zp_inbox *in,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN]);

/* When a batch is to be run again though nothing came: ms from now, -1: not. */
int
zp_inbox_timeout(const struct zp_inbox *in);

/* The end of the input; then the status for what happened. */
ZP_CHECKED enum zp_err
zp_inbox_finish(struct zp_inbox *in);
enum zp_exit
zp_inbox_status(const struct zp_inbox *in);

#endif
