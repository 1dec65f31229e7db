#ifndef ZP_LANDLOCK_H
#define ZP_LANDLOCK_H

#include <stdbool.h>

#include "base/zp_err.h"
#include "proc/zp_confine.h"

/*
 * Linux's access rules for paths, for zp_confine_linux.c; see landlock(7).
 * PR_SET_NO_NEW_PRIVS must be set.
 */

/* What zp_confine_transport() says; *entered: is there Landlock at all? */
ZP_CHECKED enum zp_err
zp_landlock_transport(const struct zp_confine_paths *paths, bool *entered);

/*
 * Files below dirs only (NULL behind the last; NULL: none), and no TCP.
 * False: this kernel or build has no Landlock, and nothing is confined.
 */
bool
zp_landlock_keyed(const char *const *dirs);

/* Is there Landlock? */
bool
zp_landlock_has(void);

#endif
