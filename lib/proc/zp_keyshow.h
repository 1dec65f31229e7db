#ifndef ZP_KEYSHOW_H
#define ZP_KEYSHOW_H

#include "base/zp_err.h"

/*
 * The subcommands of zpinc-key(1) that show something.  argv[0] is the
 * subcommand's name.  All is said on stderr; the exit status comes back.
 */

enum zp_exit
zp_keyshow_topic(int argc, char **argv);
enum zp_exit
zp_keyshow_show(int argc, char **argv);
enum zp_exit
zp_keyshow_export(int argc, char **argv);
enum zp_exit
zp_keyshow_public(int argc, char **argv);

#endif
