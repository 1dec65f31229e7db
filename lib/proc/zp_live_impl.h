#ifndef ZP_LIVE_IMPL_H
#define ZP_LIVE_IMPL_H

#include <poll.h>
#include <signal.h>

#include "base/zp_io.h"
#include "proc/zp_budget.h"
#include "proc/zp_inbox.h"
#include "proc/zp_live.h"
#include "proc/zp_opt.h"
#include "proc/zp_presence.h"
#include "proc/zp_screen.h"
#include "proc/zp_status.h"
#include "proto/zp_order.h"
#include "proto/zp_outbox.h"
#include "store/zp_outstore.h"
#include "store/zp_path.h"
#include "wire/zp_reader.h"

/*
 * What a running pipe is made of, for the files that make it up.
 *
 *	zp_live		start, the loop, the end
 *	zp_live_in	what comes from relays
 *	zp_live_out	what goes to relays, and when
 *	zp_live_tell	what is said of it, as text and as JSON
 *	zp_live_zp1	struct zp_live_ops for keys of suite zp1
 *	zp_live_mles	the same for suite mles; _heard shows and tells
 */

#define ZP_LIVE_RELAYS ZP_OUTBOX_RELAYS
/* What a relay is given at a time. */
#define ZP_LIVE_BURST 16384
#define ZP_NEVER_MS UINT64_MAX
/* Why lines wait whose way to the relays is full. */
#define ZP_LIVE_SLOW "the relay has not shown yet what was sent before"

struct zp_live;

struct zp_live_link {
	const struct zp_live_relay *r;
	struct zp_reader reader;
	struct zp_status status;
	bool hears, speaks; /* its pipes are open */
	bool up, live, told; /* told: it says #-lines */
	bool mute; /* a record came, and never a #-line */
	bool was_up;
	uint64_t since; /* when it began, came up, or was found to be mute */
	uint64_t heard_at; /* when anything came last */
	uint64_t spoken; /* number of the last hello that it took */
	char down[ZP_SAY_NAME]; /* why, as told last */
	struct zp_budget tell; /* of what it says about itself */
	struct zp_out burst; /* gathered for it */
	size_t at; /* of it, not written yet */
	uint64_t noise;
};

/* What lines become just now. */
enum zp_live_mode { ZP_LIVE_WAIT, ZP_LIVE_NOTE, ZP_LIVE_MESSAGE };

/* Where the end has come to. */
enum zp_live_end {
	ZP_LIVE_RUNNING,
	ZP_LIVE_SENDING, /* standard input ended: what is left goes out */
	ZP_LIVE_SHOWING, /* nothing is read any more: what came is shown */
	ZP_LIVE_LEAVING, /* the last hello goes out */
	ZP_LIVE_OVER,
};

/*
 * All that differs between the suites in a pipe.  The rest knows lines,
 * relays and time, and no more of a suite than this.
 */
struct zp_live_ops {
	/* Opens what is needed, files too; says what is wrong. */
	enum zp_err (*open)(struct zp_live *l);
	void (*close)(struct zp_live *l);
	/* Folders that stay in reach, at most two; one may be written to. */
	void (*dirs)(const struct zp_live *l, char one[static ZP_PATH_MAX],
	    const char *dirs[static 2]);
	/* Confined now: joins, and says what is wrong.  Shows what is held
	   back.  Leaves. */
	enum zp_err (*join)(struct zp_live *l);
	enum zp_err (*last)(struct zp_live *l);
	enum zp_err (*leave)(struct zp_live *l);

	/*
	 * Of each turn: before anything is heard; what time or the relays
	 * have made due; after lines were sent, before anything goes out; once
	 * all output is written; once all up to zp_live_mark() is (NULL: no
	 * mark is set).  And when the next turn is due, in ticks.
	 */
	enum zp_err (*begin)(struct zp_live *l);
	enum zp_err (*work)(struct zp_live *l);
	enum zp_err (*ready)(struct zp_live *l);
	enum zp_err (*shown)(struct zp_live *l);
	void (*taken)(struct zp_live *l);
	uint64_t (*deadline)(const struct zp_live *l);

	/*
	 * A record came.  link->up or link->live may have changed.  It can be
	 * heard since now.  Fills link->burst, which is empty.  Is there
	 * anything yet that belongs into it?
	 */
	enum zp_err (*record)(struct zp_live *l, struct zp_live_link *link,
	    const struct zp_record *rec);
	void (*relay)(struct zp_live *l, struct zp_live_link *link);
	enum zp_err (*live)(struct zp_live *l, struct zp_live_link *link);
	enum zp_err (*fill)(struct zp_live *l, struct zp_live_link *link);
	bool (*unsaid)(
	    const struct zp_live *l, const struct zp_live_link *link);

	/*
	 * What lines become; why they wait, in words.  May another be sent
	 * now?  n will be, 0: no more.  Sends one, as l->mode says.
	 */
	enum zp_live_mode (*mode)(const struct zp_live *l);
	void (*why)(const struct zp_live *l, char to[static ZP_PRESENCE_TEXT]);
	bool (*room)(const struct zp_live *l);
	void (*expect)(struct zp_live *l, size_t n);
	enum zp_err (*send)(struct zp_live *l, const char *line, size_t len);
	const char *notes; /* what is said when lines become notes */

	/* Adds who converses, and who is here, to a terminal's foot. */
	size_t (*who)(const struct zp_live *l, char *to, size_t len);

	/* Lines on their way.  Gives them up, and says so. */
	size_t (*pending)(const struct zp_live *l);
	void (*give_up)(struct zp_live *l);
	/* The end of all, unless there was an error; the status for it. */
	enum zp_exit (*finish)(struct zp_live *l, bool good);
};

extern const struct zp_live_ops zp_live_zp1;
extern const struct zp_live_ops zp_live_mles;

struct zp_live_member;

struct zp_live {
	const struct zp_live_config *c;
	const struct zp_live_ops *ops;
	struct zp_live_member *mles; /* all there is of suite mles */
	struct zp_presence_now now;
	struct zp_presence *presence;
	struct zp_inbox *inbox;
	struct zp_order *order;
	struct zp_outbox *outbox;
	struct zp_outstore *store; /* NULL without a state */
	struct zp_live_link *link; /* c->n of them */
	uint8_t p[ZP_PSEUDONYM_LEN], sid[ZP_SID_LEN]; /* ourselves */
	char seen_path[ZP_PATH_MAX]; /* of what was shown */
	sigset_t wake;

	/* standard input and output */
	struct zp_in in;
	uint64_t in_at; /* not read before, while we are in the background */
	bool skipping; /* in a line beyond all limits */
	uint64_t lines; /* read so far */
	struct zp_out out; /* gathered; written when it can be taken */
	size_t out_at;
	/* Bytes that have left it, be it for a frame of the screen's; of these,
	   taken by standard output; when so many are, `taken` is due. */
	uint64_t out_left, out_taken, mark;
	bool mark_waits;
	int out_error;
	struct zp_screen *screen; /* if all of it is one terminal */
	char note_format[1024]; /* notes can be told from messages */

	/* hellos */
	char *hello;
	size_t hello_cap, hello_len;
	uint64_t hello_number; /* of what is in hello; 0: nothing */

	/* conversations */
	bool conversed; /* there was one since the start */
	uint64_t current_since; /* 0: there is none */
	struct zp_member *members; /* of the last one, ourselves too */
	size_t n_members;

	/* when lines may be notes */
	uint64_t live_at; /* relays can be heard since; 0: not yet */
	enum zp_live_mode mode;
	bool mode_told;
	uint64_t waiting_since, wait_told; /* 0: not */
	char why[ZP_PRESENCE_TEXT]; /* as told last */

	/* receipts */
	bool unseen; /* a hello of ours is to say what came, and was sent */
	bool came, marked; /* since the mark; until it */
	uint64_t receipt_credit, receipt_at;

	/* the end */
	enum zp_live_end end;
	bool interrupted;
	uint64_t end_at; /* when it is given up */
	uint64_t progress; /* when a line last went out */
	size_t undelivered; /* bodies */
	char nobody[ZP_PRESENCE_TEXT]; /* who did not acknowledge */
	/* Lines in a row that those names lack, not told yet; 0: none. */
	uint64_t lost_from, lost_to;
	char lost_names[ZP_PRESENCE_TEXT];
	enum zp_exit status;
	enum zp_err failed; /* from within a callback */
};

static inline uint64_t
zp_live_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- zp_live ---- */

/* Says what failed, and passes the error on. */
enum zp_err
zp_live_fail(const struct zp_live *l, const char *subject, enum zp_err err);

/* How messages are shown; notes: l->note_format. */
const char *
zp_live_format(const struct zp_live *l);

/* ---- zp_live_in ---- */

/* Says it nothing about itself, as far as is known?  A command need not. */
static inline bool
zp_live_is_mute(const struct zp_live_link *link)
{
	return !link->told && (link->mute || !link->r->tells);
}

/* Its relay is reached; told if it was not before. */
void
zp_live_came_up(struct zp_live *l, struct zp_live_link *link);

/* Reads once from a relay that poll() says can be read. */
ZP_CHECKED enum zp_err
zp_live_hear(struct zp_live *l, struct zp_live_link *link);

/* What comes of a record in suite zp1. */
ZP_CHECKED enum zp_err
zp_live_record(
    struct zp_live *l, struct zp_live_link *link, const struct zp_record *rec);

/*
 * Shows the messages whose turn it is: writes as much as standard output
 * takes.  Those that it took, a receipt may speak of.
 */
ZP_CHECKED enum zp_err
zp_live_show(struct zp_live *l);
void
zp_live_taken(struct zp_live *l);

/* Tells the machine how far we have everybody; others soon, too. */
void
zp_live_set_receipts(struct zp_live *l);
ZP_CHECKED enum zp_err
zp_live_receipts(struct zp_live *l);

/* When a receipt that waits may go; ZP_NEVER_MS. */
uint64_t
zp_live_receipts_due(const struct zp_live *l);

/* Callbacks of the inbox and the order. */
enum zp_err
zp_live_take(void *arg, const struct zp_piece *piece, enum zp_trust trust);
enum zp_err
zp_live_again(void *arg, const struct zp_opened *opened);
void
zp_live_gap(void *arg, struct zp_order_gap *gap);
void
zp_live_note_gap(void *arg, const char *uid, enum zp_kind kind,
    uint64_t missing, uint64_t before);

/* ---- zp_live_out ---- */

/* Which lines of standard input may go, and as what. */
ZP_CHECKED enum zp_err
zp_live_send(struct zp_live *l);

/* Reads standard input once. */
ZP_CHECKED enum zp_err
zp_live_read(struct zp_live *l);

/* Is more to be read from it? */
bool
zp_live_wants_input(const struct zp_live *l);

/* Whatever there is for a relay, as much as it takes. */
ZP_CHECKED enum zp_err
zp_live_speak(struct zp_live *l, struct zp_live_link *link);

/* Hellos, messages and notes of suite zp1, and when they may go. */
ZP_CHECKED enum zp_err
zp_live_fetch_hello(struct zp_live *l);
ZP_CHECKED enum zp_err
zp_live_fill(struct zp_live *l, struct zp_live_link *link);
enum zp_live_mode
zp_live_mode_of(const struct zp_live *l);
void
zp_live_why(const struct zp_live *l, char to[static ZP_PRESENCE_TEXT]);
ZP_CHECKED enum zp_err
zp_live_send_line(struct zp_live *l, const char *line, size_t len);
bool
zp_live_any_up(const struct zp_live *l);

/* Is anything still on its way to a relay that can be reached? */
bool
zp_live_unsent(const struct zp_live *l);

/* When the mode may change by time alone. */
uint64_t
zp_live_mode_due(const struct zp_live *l);

/* Of the outbox. */
void
zp_live_settled(void *arg, const struct zp_outbox_event *ev);

/* Standard output: what it takes without waiting. */
void
zp_live_flush(struct zp_live *l);
/* Once it took all that there is now, l->ops->taken() is called. */
void
zp_live_mark(struct zp_live *l);
/* Was all of it taken? */
bool
zp_live_flushed(const struct zp_live *l);

/* ---- zp_live_tell ---- */

/* Adds to a status of len characters; as much as fits.  Its length then. */
size_t
zp_live_status_add(char *to, size_t len, const char *text);

/* Adds who converses, and who else is here, in suite zp1. */
size_t
zp_live_who(const struct zp_live *l, char *to, size_t len);

/* How things are, for a terminal's foot. */
void
zp_live_tell_status(const struct zp_live *l, char to[static ZP_SCREEN_STATUS]);

/*
 * An event as an object: false unless --json; then its fields, and its end.
 */
bool
zp_live_json(struct zp_live *l, const char *event);
void
zp_live_json_text(struct zp_live *l, const char *name, const char *value);
void
zp_live_json_number(struct zp_live *l, const char *name, uint64_t value);
void
zp_live_json_flag(struct zp_live *l, const char *name, bool value);
void
zp_live_json_end(struct zp_live *l);

/* What the presence reports. */
void
zp_live_event(void *arg, const struct zp_presence_event *ev);

/* A relay went up, or down with its reason. */
void
zp_live_tell_relay(
    struct zp_live *l, struct zp_live_link *link, const char *reason);

/* Lines wait, and why; lines become notes, or messages. */
void
zp_live_tell_wait(struct zp_live *l, const char *why);
void
zp_live_tell_mode(struct zp_live *l, enum zp_live_mode mode);

void
zp_live_tell_settled(struct zp_live *l, const struct zp_outbox_event *ev);
/* Which lines were not delivered, as far as it was not said at once. */
void
zp_live_tell_lost(struct zp_live *l);

/* Messages or notes of uid that are missing; holder: who has them, or "". */
void
zp_live_tell_gap(struct zp_live *l, const char *uid, enum zp_kind kind,
    uint64_t missing, const char *holder);

#endif
