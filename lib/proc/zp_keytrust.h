#ifndef ZP_KEYTRUST_H
#define ZP_KEYTRUST_H

#include "base/zp_err.h"

/* `zpinc-key trust list|pin|forget`; argv[0] is "trust". */
enum zp_exit
zp_keytrust(int argc, char **argv);

#endif
