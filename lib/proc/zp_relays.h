#ifndef ZP_RELAYS_H
#define ZP_RELAYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zp_err.h"

/*
 * The process that touches neither keys nor the network: it forks the keyed
 * child, starts a transport (or two shell commands) for each relay with a
 * pair of pipes to the child, and ends them when the child is done.
 */

#define ZP_RELAYS_MAX 16

/* What becomes of a path that is missing when a transport is started. */
enum zp_relays_made {
	ZP_RELAYS_NOTHING,
	ZP_RELAYS_FOLDER,
	ZP_RELAYS_FILE, /* empty, and of its user alone */
};

struct zp_relay {
	/* A URL, of it the scheme, and how messages call it (no password). */
	const char *url, *scheme, *name;
	/*
	 * Where its transport may write, besides what all may: the folder of
	 * a file: URL, the file of an MQTT session, what a URL without a host
	 * names.  NULL: nowhere.
	 */
	const char *path;
	enum zp_relays_made made;
	/* Or two commands for the shell, and url is NULL. */
	const char *sub, *pub;
};

/* What the child has of it. */
struct zp_relays_child {
	int in[ZP_RELAYS_MAX], out[ZP_RELAYS_MAX]; /* records come, go */
	size_t n;
	int control; /* to the parent */
	int gone; /* at its end when no transport runs any more */
};

struct zp_relays_config {
	const char *tool;
	const char *argv0;
	const struct zp_relay *relay; /* n of them, at most ZP_RELAYS_MAX */
	size_t n;
	/* Files and folders that no transport may open, NULL behind. */
	const char *const *hide;
	bool must; /* fail where a transport cannot be confined */
	/* Start what ended again, after a pause, on the same pipes; the child
	   reads `#ended REASON` from its relay meanwhile, and tells the user
	   what its status lines say, so that transports need not. */
	bool restart;
	int keep; /* a descriptor more for the child, if not 0 */
	/* Runs in the keyed child; its exit status. */
	int (*body)(void *arg, struct zp_relays_child *child);
	/* Called here each second, or more often; or NULL. */
	void (*now_and_then)(void *arg);
	void *arg;
};

/*
 * Runs until the keyed child has ended; its status, or 5 after saying why.
 * TERM, INT and HUP are passed on to the child.
 */
int
zp_relays_run(const struct zp_relays_config *config);

/*
 * In the child: which topics the transports are to be started with, each
 * shorter than ZP_SUITE_TOPIC_MAX; live: NULL if there is no such topic.
 */
ZP_CHECKED enum zp_err
zp_relays_begin(
    struct zp_relays_child *child, const char *topic, const char *live);

/*
 * In the child: closes the pipes; returns when every transport has ended
 * (within some three seconds), so that none can read a file made from now on.
 */
void
zp_relays_end(struct zp_relays_child *child);

#endif
