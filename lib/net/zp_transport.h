#ifndef ZP_TRANSPORT_H
#define ZP_TRANSPORT_H

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "proc/zp_url.h"
#include "proc/zp_opt.h"
#include "wire/zp_record.h"

/*
 * What the transports share: the line protocol of zpinc-transport(7), seen
 * from the program that speaks it.  A transport is one file in cmd/ with its
 * state, the functions of struct zp_transport_ops over it, and
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		return zp_transport_main(argc, argv, &ops);
 *	}
 *
 * Here are the command line, URL and environment, stdin (records in, never
 * more than the queue holds), stdout (never blocking the loop, bounded),
 * status lines, the queue of what is not acknowledged, back-off, time-outs,
 * signals and exit status.  One thread, one poll().
 */
struct zp_transport;

/* The longest cursor, so that it fits into an argument. */
#define ZP_CURSOR_MAX 65536

/* A record to publish.  It stays where it is until acked or refused. */
struct zp_item {
	struct zp_record rec; /* rec.line[rec.len] is a newline */
	bool live; /* its RP is LIVE: the server need not keep it */
	uint64_t number; /* 1 for the first record of stdin */
	uint64_t tag; /* the transport's: a message id, say */
	/* the queue's */
	struct zp_item *prev, *next;
	bool sent;
};

/* What the command line and the environment said. */
struct zp_transport_args {
	const struct zp_url *url;
	const char *topic; /* NULL: publish only */
	const char *live; /* NULL: none */
	const char *cursor; /* where to resume, or NULL */
	bool once; /* the history only; nothing is published */
	unsigned keepalive; /* seconds of silence before the link is dead */
};

/*
 * The protocol's side.  `self` is its state: `size` bytes, all zero at first.
 * No function blocks, but for name look-ups of libraries that know no better.
 * Unless marked "optional", all must be there.
 */
struct zp_transport_ops {
	const char *name; /* "zpinc-redis" */
	const char *schemes; /* "redis rediss", separated by blanks */
	const struct zp_opt *options; /* the transport's own; optional */
	size_t n_options;
	bool keepalive; /* has -k, --keepalive */
	bool query; /* its options may be in the URL's query: ?cafile=FILE */
	size_t size; /* of the state */

	/* Optional: what of the state is not zero before options are read. */
	void (*init)(void *self);

	/*
	 * Optional, with `options`.  False: arg makes no sense, said already
	 * (exit 2).  arg lives as long as the program.
	 */
	bool (*option)(void *self, int id, const char *arg);

	/*
	 * Once, before anything is connected: keep t, look at the URL.  A
	 * failure ends the program; zp_transport_warn() has said why.
	 */
	enum zp_err (*start)(void *self, struct zp_transport *t);

	/*
	 * Begins to connect: publish-only if there is no topic; else TOPIC
	 * with its history (from the cursor: args.cursor at first, later the
	 * transport's own), and LIVE without.  The outcome is told by
	 * zp_transport_up() or zp_transport_down(), now or later.
	 */
	void (*connect)(void *self);

	/*
	 * Drops the connection, in whatever state it is (none included), and
	 * forgets all items: they come again, in order, when it is up again.
	 */
	void (*disconnect)(void *self);

	/*
	 * Takes an item while the link is up; in order.  False: not now (and
	 * it must not have been acked or refused); it is offered again after
	 * the next round of the loop.  Taking several and sending them
	 * together in poll() is fine, acknowledging at once too.
	 */
	bool (*publish)(void *self, struct zp_item *item);

	/*
	 * Called before each wait: fills fds (at most cap) and lowers
	 * *wait_ms if it must be called again before.  Leave out POLLIN while
	 * zp_transport_room() is false.  Returns how many.
	 */
	size_t (*poll)(
	    void *self, struct pollfd *fds, size_t cap, int *wait_ms);

	/* After each wait, with what poll() filled in, revents set. */
	void (*service)(void *self, const struct pollfd *fds, size_t n);

	/*
	 * Optional: writes where to resume after everything received so far:
	 * at most cap (ZP_CURSOR_MAX) printable characters of ASCII without
	 * blanks.  Returns how many, 0 for none.
	 */
	size_t (*cursor)(void *self, char *to, size_t cap);

	/* At the end, even if start() failed: free what it made. */
	void (*stop)(void *self);
};

/*
 * The whole program.  Returns its exit status: 0, or 2 usage, 5 when
 * something was not delivered or stdout failed.
 */
int
zp_transport_main(int argc, char **argv, const struct zp_transport_ops *ops);

/* ---- for the functions of zp_transport_ops ---- */

const struct zp_transport_args *
zp_transport_args(const struct zp_transport *t);

/* Milliseconds of a clock that only goes forward, as the loop last saw it. */
int64_t
zp_transport_now(const struct zp_transport *t);

/* The same clock, looked at. */
int64_t
zp_transport_clock(void);

/* The link stands: `#up`; items are offered from now on. */
void
zp_transport_up(struct zp_transport *t);

/*
 * A status line of the transport's own, `#` and the text, one line made safe;
 * nothing in publish-only use.
 */
void
zp_transport_status(struct zp_transport *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The retained history has been received: `#live`. */
void
zp_transport_live(struct zp_transport *t);

/*
 * The link failed or could not be made: `#down REASON`.  When the callback
 * returns, disconnect() is called and, after a pause, connect().
 */
void
zp_transport_down(struct zp_transport *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Receiving goes on, but publishing does not work just now: `#down REASON`.
 * Everything in flight counts as not sent (the transport must have forgotten
 * it) and is offered again after a pause.
 */
void
zp_transport_stall(struct zp_transport *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Nothing will mend this: tell it, `#down REASON` too, and end. */
void
zp_transport_fail(struct zp_transport *t, enum zp_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One line on stderr: "zpinc-redis: redis://host: ..."; made safe. */
void
zp_transport_warn(struct zp_transport *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The server has it. */
void
zp_transport_acked(struct zp_transport *t, struct zp_item *item);

/* The server will never take it; told, and the exit status becomes 5. */
void
zp_transport_refused(struct zp_transport *t, struct zp_item *item,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * The first record that has not been taken, or NULL: for who must know it
 * before there can be a link.
 */
const struct zp_item *
zp_transport_next(const struct zp_transport *t);

/* Has stdin ended? */
bool
zp_transport_in_ended(const struct zp_transport *t);

/* Is a second left to get the rest acknowledged, for a signal came? */
bool
zp_transport_stopping(const struct zp_transport *t);

/*
 * Has everything been offered that will ever be?  For who batches: then
 * there is nothing to wait for.
 */
bool
zp_transport_ending(const struct zp_transport *t);

/*
 * Bytes that came from the server: every record in them goes to stdout, one
 * a line; all else is dropped, so that nobody can forge a status line.
 * `data` must hold whole messages of the server's.  Never blocks.
 */
void
zp_transport_receive(struct zp_transport *t, const char *data, size_t len);

/* The same for a record that has been found already. */
void
zp_transport_receive_record(
    struct zp_transport *t, const struct zp_record *rec);

/* May more be received, or is stdout behind? */
bool
zp_transport_room(const struct zp_transport *t);

/* Lowers *wait_ms to what is left at `now` until `at`; INT64_MAX: never. */
void
zp_transport_sooner(int *wait_ms, int64_t at, int64_t now);

/* Has everything received been written to stdout? */
bool
zp_transport_written(const struct zp_transport *t);

#endif
