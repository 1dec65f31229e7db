#ifndef ZP_WRITER_ID_H
#define ZP_WRITER_ID_H

#include <stdbool.h>

#include "base/zp_err.h"

/* A writer's random name: lower-case hexadecimal, for any file system. */
#define ZP_WRITER_ID_LEN 16

/* The longest reason, which names a path. */
#define ZP_WRITER_WHY 4200

/*
 * This user's name on this machine, for the files that it writes: kept in
 * $XDG_STATE_HOME/zpinc/writer/HOST (by default ~/.local/state), made there
 * at first.  HOST is part of it because a home may be shared, and no file may
 * have two writers.  Where it cannot be kept (why tells, else it is "") the
 * name is good for this process alone.  ZP_ERR_IO: no randomness.
 */
ZP_CHECKED enum zp_err
zp_writer_id(
    char id[static ZP_WRITER_ID_LEN + 1], char why[static ZP_WRITER_WHY]);

#endif
