#ifndef ZP_SUITE_ZP1_H
#define ZP_SUITE_ZP1_H

#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "proto/zp_parts.h"
#include "proto/zp_replay.h"
#include "store/zp_suite.h"

/*
 * What keys of suite zp1, a channel's or a conversation's, are for: also the
 * library's (zpinc.h), which has no speakers and listeners.
 */

/*
 * Who speaks to whom under which 32-byte key, which is kf's.  uid: of a
 * channel's key; a conversation's knows its own.  ZP_ERR_NAME.
 */
ZP_CHECKED enum zp_err
zp_suite_zp1_context(const struct zp_keyfile *kf, const char *uid,
    struct zp_sigctx *ctx, const uint8_t **key);

/* Opens what was sealed with the key; the caller frees it.  ZP_ERR_MEMORY. */
ZP_CHECKED enum zp_err
zp_suite_zp1_opener(const struct zp_keyfile *kf, struct zp_opener **opener);

/* What names a body that is whole or given up, and the body of a record. */
struct zp_replay_name
zp_suite_zp1_body_name(const struct zp_body *body);
struct zp_replay_name
zp_suite_zp1_record_name(const struct zp_opened *opened);

/*
 * What of a listener of suite zp1 is not every suite's: for zpinc-pipe, whose
 * records are opened elsewhere (zp_presence.h), under many keys.
 */

/* A listener that opens nothing itself; how->kf is NULL, key is borrowed. */
ZP_CHECKED enum zp_err
zp_suite_zp1_listener(struct zp_listener **l, const struct zp_key *key,
    const struct zp_listening *how);

/* In place of open(). */
void
zp_suite_zp1_hear(struct zp_listener *l, const struct zp_opened *opened,
    struct zp_heard *heard);

/* It counts as shown, if it is new.  ZP_ERR_MEMORY. */
ZP_CHECKED enum zp_err
zp_suite_zp1_skip(
    struct zp_listener *l, const struct zp_opened *opened, uint64_t now);

/* What was opened last, and the piece that next() gave last. */
const struct zp_opened *
zp_suite_zp1_opened(const struct zp_listener *l);
const struct zp_piece *
zp_suite_zp1_piece(const struct zp_listener *l);

/* A body that was kept back: as if next() had given it now. */
void
zp_suite_zp1_say(struct zp_listener *l, const struct zp_body *body,
    const uint8_t *data, size_t len, struct zp_piece_shown *to);

#endif
