#ifndef ZP_SUITE_ZP1_H
#define ZP_SUITE_ZP1_H

#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "proto/zp_parts.h"
#include "store/zp_suite.h"

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
