#ifndef ZP_CHILD_H
#define ZP_CHILD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/zp_err.h"
#include "proc/zp_confine.h"

/*
 * Child processes: transports, found by the scheme of their URL, and shell
 * commands.  A child gets three descriptors and no other, a session of its
 * own (so no terminal to read from, and no signals typed there), default
 * signals and an environment without our secrets' names.
 */

/* For in, out and err of a plan, instead of a descriptor. */
#define ZP_CHILD_PIPE (-1) /* a new pipe; our end is in struct zp_child */
#define ZP_CHILD_NULL (-2) /* /dev/null */

/* The longest line of a child's stderr that is passed on. */
#define ZP_CHILD_LINE 512

struct zp_child_plan {
	/* One of the two; argv[0] is a path. */
	const char *const *argv; /* NULL behind the last */
	const char *command; /* for /bin/sh -c */

	int in, out, err; /* a descriptor (borrowed), or one of the above */

	/* $ZPINC_URL, $ZPINC_TOPIC, $ZPINC_LIVE; NULL: not set */
	const char *url, *topic, *live;
	bool status; /* $ZPINC_STATUS: we tell what its status lines say */

	const struct zp_confine_paths *paths; /* NULL: not confined */
	const char *tool; /* who warns, as for zp_confine_transport() */
	bool must;
};

struct zp_child {
	pid_t pid; /* 0: none runs */
	int in, out, err; /* our ends of its pipes, or -1; close-on-exec */
	bool group; /* leads a session; else forked by zp_child_fork() */
	bool shell;

	/* zp_child_tell()'s */
	char line[ZP_CHILD_LINE];
	size_t len;
	bool cut; /* in a line that is too long */
	int64_t second;
	unsigned told; /* lines in that second */
};

/* No child; a struct of zeros is not that. */
void
zp_child_init(struct zp_child *c);

/*
 * The program for a scheme: zpinc-SCHEME beside the running program, else on
 * PATH; for https, ntfy, ntfys, mqtts and rediss also the program that speaks
 * them.  argv0: the running program's.  ZP_ERR_NOT_FOUND; ZP_ERR_FORMAT if
 * it is no scheme (RFC 3986, lower case).
 */
ZP_CHECKED enum zp_err
zp_child_find(
    const char *argv0, const char *scheme, char path[static PATH_MAX]);

/*
 * Starts a child.  Returns when its program runs, so a failure to run it is
 * reported here: ZP_ERR_IO with errno, ZP_ERR_CONFINE, ZP_ERR_MEMORY; then
 * nothing is left behind.  On Linux it gets SIGTERM when we die.
 */
ZP_CHECKED enum zp_err
zp_child_start(struct zp_child *c, const struct zp_child_plan *plan);

/*
 * Forks a child that goes on in this program with body(arg), whose result is
 * its exit status.  It keeps descriptors 0 to 2 and the n of `keep` (at most
 * 64), and stays with the terminal.  Flushes stdio before.
 */
ZP_CHECKED enum zp_err
zp_child_fork(struct zp_child *c, const int *keep, size_t n,
    int (*body)(void *arg), void *arg);

/*
 * After poll() says that c->err can be read: passes on whole lines, made
 * safe, each as "tool: line", at most 20 a second.  At the end of file closes
 * it.
 */
void
zp_child_tell(struct zp_child *c, const char *tool);

/*
 * Has it ended?  Then it is reaped, what is left of its group is killed, its
 * wait status is in *status, and its pipes' ends stay open (there may be
 * something to read): zp_child_close().  Never waits.
 */
bool
zp_child_ended(struct zp_child *c, int *status);

/* "exit status 5" or "killed by signal 9 (Killed)". */
#define ZP_CHILD_HOW 80
const char *
zp_child_how(char buf[static ZP_CHILD_HOW], int status);

/* Closes our ends of the pipes. */
void
zp_child_close(struct zp_child *c);

/*
 * Ends n children: SIGTERM to all and to what they started, SIGKILL to those
 * still there after ms milliseconds (usually ZP_CHILD_GRACE), reaps them and
 * closes their pipes.  Those not running are skipped.
 */
#define ZP_CHILD_GRACE 2000
void
zp_child_stop(struct zp_child *const *children, size_t n, unsigned ms);

#endif
