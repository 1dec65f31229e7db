#ifndef ZP_CONFINE_H
#define ZP_CONFINE_H

#include <stdbool.h>

#include "base/zp_err.h"

/*
 * What a process gives up, so that whoever takes it over gains little.  One
 * file per system: zp_confine_linux.c (with zp_seccomp and zp_landlock),
 * zp_confine_openbsd.c (pledge and unveil), zp_confine_other.c.
 *
 * Where the system lacks a mechanism that matters there is one warning on
 * stderr, or, if the user asked for it (`must`, from --confine),
 * ZP_ERR_CONFINE after a line that says what is missing.  (No such line if
 * `tool` is NULL: for who has told it before.)  Builds with
 * sanitizers (ZP_SANITIZED) confine nothing, since the sanitizers need what
 * is forbidden; there only `must` is told.
 */

/* What a keyed process goes on needing besides its open descriptors. */
enum zp_confine_flag {
	ZP_CONFINE_FILES = 1, /* files of its own, below `dirs` */
	ZP_CONFINE_THREADS = 2, /* to make threads */
	ZP_CONFINE_LOCALTIME = 4, /* localtime_r(); files are read now */
};

/*
 * For every tool that holds keys, before it reads the first: no core dumps,
 * no debugger or /proc/PID/mem of the same user's other processes.
 * ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_confine_early(void);

/*
 * After set-up, when keys are read and outputs are open: no network, no
 * other program, no other process, no file by name.  What nobody asks for
 * by accident (sockets, exec, fork, ptrace, signals to others) kills the
 * process with SIGSYS; opening files fails with EACCES, all else with ENOSYS.
 * What stays: reading, writing and polling open descriptors, memory (nothing
 * executable), time, randomness, signals to itself.  Never localtime(), which
 * looks at its file again.
 *
 * flags: of enum zp_confine_flag.  dirs, with ZP_CONFINE_FILES: directories,
 * NULL behind the last, below which files may be read, written, made,
 * renamed and removed; one that is not there yet stays out of reach.  Only
 * threads made afterwards are confined too.
 */
ZP_CHECKED enum zp_err
zp_confine_keyed(
    const char *tool, bool must, unsigned flags, const char *const *dirs);

/*
 * Paths, each list with NULL behind its last; a NULL list is empty, and what
 * does not exist is left out.  A file or directory given as `hide` can no
 * longer be opened, even if it lies below one that is allowed; what is made
 * later in a directory that holds one of them (but in no directory below)
 * cannot be opened either.
 */
struct zp_confine_paths {
	const char *const *read; /* files and trees: read, list, execute */
	const char *const *write; /* the same, and write, make, remove */
	const char *const *hide;
	bool system; /* read what programs and libraries commonly need */
	/* No signals to others nor limits for them, no listening TCP socket,
	   no Unix socket, no other modes or owners for files that cannot be
	   opened. */
	bool apart;
};

/*
 * In a child, before it becomes a program that speaks to the network: that
 * program can open by name only what is listed, and holds for all that it
 * starts.  Descriptors that are open stay usable.
 */
ZP_CHECKED enum zp_err
zp_confine_transport(
    const char *tool, bool must, const struct zp_confine_paths *paths);

/*
 * Of use to tests and to `zpinc-pipe -v`: does this build on this kernel
 * have what the two functions above use?
 */
bool
zp_confine_has_calls(void); /* system calls can be forbidden */
bool
zp_confine_has_paths(void); /* paths can be forbidden */

#endif
