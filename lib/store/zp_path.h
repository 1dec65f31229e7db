#ifndef ZP_PATH_H
#define ZP_PATH_H

#include <stdbool.h>

#include "base/zp_err.h"

/* Where files are found by name. */

#define ZP_PATH_MAX 4096

enum zp_path_kind {
	ZP_PATH_KEY, /* NAME.key */
	ZP_PATH_IDENTITY, /* NAME.id */
};

/*
 * The path for a value of -k or -i: with a `/` it is one; else the first
 * there is of $CREDENTIALS_DIRECTORY/NAME.key and
 * $XDG_CONFIG_HOME/zpinc/NAME.key ($HOME/.config without it); a name that
 * ends in .key already is not given another.  ZP_ERR_NOT_FOUND,
 * ZP_ERR_TOO_LONG; ZP_ERR_IO with errno: a folder may not be looked into, say.
 */
ZP_CHECKED enum zp_err
zp_path_find(
    char to[static ZP_PATH_MAX], enum zp_path_kind kind, const char *value);

/* The folder in which they are looked for; ZP_ERR_NOT_FOUND without $HOME. */
ZP_CHECKED enum zp_err
zp_path_config(char to[static ZP_PATH_MAX]);

/*
 * Where a new one of that name goes: $XDG_CONFIG_HOME/zpinc/NAME.key, folders
 * made with mode 0700, but for $HOME itself.  What cannot stand in a file's
 * name (`/`, a leading dot or dash, blanks and controls) becomes `_`.
 * ZP_ERR_NOT_FOUND without $HOME, ZP_ERR_TOO_LONG, ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_path_make(
    char to[static ZP_PATH_MAX], enum zp_path_kind kind, const char *name);

/*
 * $XDG_STATE_HOME/zpinc/NAME ($HOME/.local/state without it); makes folders
 * if `make`.  Errors of zp_path_make().
 */
ZP_CHECKED enum zp_err
zp_path_state(char to[static ZP_PATH_MAX], const char *name, bool make);

#endif
