#ifndef ZP_TRANSPORT_RUN_H
#define ZP_TRANSPORT_RUN_H

#include "net/zp_backoff.h"
#include "net/zp_outq.h"
#include "net/zp_queue.h"
#include "net/zp_transport.h"
#include "wire/zp_reader.h"

/* The inside of struct zp_transport: for its loop and its command line. */

/* The longest reason or warning. */
#define ZP_REASON_MAX 600

enum zp_link { ZP_LINK_OFF, ZP_LINK_TRYING, ZP_LINK_UP };
enum zp_shown { ZP_SHOWN_NOTHING, ZP_SHOWN_UP, ZP_SHOWN_DOWN };

struct zp_transport {
	const struct zp_transport_ops *ops;
	void *self;
	struct zp_transport_args args;
	char *query; /* values of options lie here; NULL: none */
	int64_t timeout_ms; /* 0: none */

	int64_t now;
	struct zp_reader in;
	bool reading; /* stdin has not ended */
	bool in_line; /* what was read ends within a line */
	bool in_text; /* a line was read that is no status line, nor empty */
	bool in_waits; /* records are read and the queue is full */
	int64_t in_at; /* not read before: we are in the background */
	struct zp_outq out;
	bool begun; /* something was put to stdout */
	struct zp_queue queue;

	enum zp_link link;
	bool dropping; /* a callback found the link down */
	struct zp_backoff links, stalls;
	int64_t up_since, retry_at, stall_until;
	enum zp_shown shown;
	bool told; /* who reads our status lines tells the user */
	char reason[ZP_REASON_MAX];

	bool live; /* told of this link */
	bool live_seen;
	bool stirred; /* something happened that the loop must look at */
	int64_t cursor_at; /* when the next one is due; INT64_MAX: not */
	int64_t progress_at; /* from here the time-out counts */
	bool stopping;
	int64_t stop_at;
	bool lost; /* something refused or unread */
	enum zp_err error;
	char line[ZP_CURSOR_MAX + 16];
};

/* Runs until the end; ops, self, args and timeout_ms are set. */
enum zp_exit
zp_transport_run(struct zp_transport *t);

#endif
