#ifndef ZP_LOAD_H
#define ZP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_text.h"
#include "crypt/zp_identity.h"
#include "store/zp_file.h"
#include "store/zp_keyfile.h"

/*
 * What every keyed tool does first: sane descriptors, keys, names, the
 * clock.  Each says on stderr what is wrong.
 */

/*
 * Makes sure that 0, 1 and 2 are open, so that no key file lands on one of
 * them, and that a closed pipe or a file size limit is an error to report,
 * not a signal.
 * ZP_ERR_IO if stdin or stdout is closed.
 */
ZP_CHECKED enum zp_err
zp_load_stdio(const char *tool);

/* Says what failed about a file: "tool: path: line 3: what". */
void
zp_load_say(const char *tool, const char *path, enum zp_err err,
    const struct zp_fault *fault);

/* The key for a value of -k; NULL value: none was given. */
ZP_CHECKED enum zp_err
zp_load_key(const char *tool, const char *value, struct zp_keyfile **kf);

/* The same where a conversation's key is of no use: ZP_ERR_KEY, said. */
ZP_CHECKED enum zp_err
zp_load_channel_key(
    const char *tool, const char *value, struct zp_keyfile **kf);

/* The identity for a value of -i; *id stays NULL without a value. */
ZP_CHECKED enum zp_err
zp_load_identity(const char *tool, const char *value, struct zp_identity **id);

/* The uid: the value of -u, $ZPINC_UID, or user@host cut to fit. */
ZP_CHECKED enum zp_err
zp_load_uid(
    const char *tool, const char *value, char uid[static ZP_NAME_MAX + 1]);

/* The same as this key's suite takes it. */
ZP_CHECKED enum zp_err
zp_load_uid_for(const char *tool, const char *value,
    const struct zp_keyfile *kf, char uid[static ZP_SUITE_NAME_MAX + 1]);

/*
 * Gives up all that a keyed filter does not need any more, once its keys are
 * read: see zp_confine_keyed(), whose flags these are.  paths: n state files
 * (NULL entries are passed over) whose folders stay in reach; must: the user
 * asked for it.
 */
#define ZP_LOAD_PATHS 4
ZP_CHECKED enum zp_err
zp_load_confine(const char *tool, bool must, unsigned flags,
    const char *const *paths, size_t n);

/* Milliseconds since 1970; ZP_ERR_CLOCK before that. */
ZP_CHECKED enum zp_err
zp_load_now(uint64_t *ms);

/* Milliseconds of a clock that never goes back, also over a suspend. */
uint64_t
zp_load_ticks(void);

#endif
