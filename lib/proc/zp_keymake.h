#ifndef ZP_KEYMAKE_H
#define ZP_KEYMAKE_H

#include "base/zp_err.h"

/*
 * The subcommands of zpinc-key(1) that make something.  argv[0] is the
 * subcommand's name.  All is said on stderr; the exit status comes back.
 */

enum zp_exit
zp_keymake_new(int argc, char **argv);
enum zp_exit
zp_keymake_import(int argc, char **argv);
enum zp_exit
zp_keymake_identity(int argc, char **argv);
enum zp_exit
zp_keymake_passphrase(int argc, char **argv);

#endif
