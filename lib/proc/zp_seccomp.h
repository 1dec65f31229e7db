#ifndef ZP_SECCOMP_H
#define ZP_SECCOMP_H

#include <stdbool.h>

/*
 * Linux's system call filter, for zp_confine_linux.c.  The rules are a table
 * in zp_seccomp_linux.c; see seccomp(2).
 */

/*
 * From now on only what the table allows under flags (of enum
 * zp_confine_flag).  PR_SET_NO_NEW_PRIVS must be set.  False: this kernel,
 * machine or build has no such filter, and nothing is confined.
 */
bool
zp_seccomp_enter(unsigned flags);

/*
 * For a transport, and all that it starts: whatever a program asks for, but
 * for what Landlock does not forbid.  No Unix sockets, behind which daemons run
 * programs for their user; no other modes or owners for files that cannot be
 * opened; no limits for others, which end them as signals do; no io_uring,
 * which makes sockets by itself.  As above.
 */
bool
zp_seccomp_transport(void);

/* Could it?  (Once it did, no longer.) */
bool
zp_seccomp_has(void);

#endif
