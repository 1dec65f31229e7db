#ifndef ZP_KEYRING_H
#define ZP_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/zp_machine.h"

/*
 * The conversations whose records we can open: every one for which our tag
 * went out, until it is old.  At most ZP_MACHINE_KEYS; one more drops the
 * one that would go soonest.
 */
struct zp_keyring {
	struct zp_machine_conv conv[ZP_MACHINE_KEYS]; /* oldest first */
	struct zp_conv *keys[ZP_MACHINE_KEYS]; /* conv[i]'s */
	size_t count;
	struct zp_conv *secret; /* ZP_MACHINE_KEYS of them, in secret memory */
	void (*report)(void *arg, const struct zp_machine_event *ev);
	void *arg;
};

ZP_CHECKED enum zp_err
zp_keyring_init(struct zp_keyring *k);
void
zp_keyring_free(struct zp_keyring *k);

/*
 * A run's key, our tag going out; it is pending.  `member` is copied.
 * ZP_ERR_MEMORY or what conv() fails with.
 */
ZP_CHECKED enum zp_err
zp_keyring_add(struct zp_keyring *k, const struct zp_machine_conv *conv,
    const struct zp_group_ops *ops, const struct zp_group_run *run);

/* The pending or current one of this view falls out of use; goes at until. */
void
zp_keyring_retire(struct zp_keyring *k, const uint8_t *view, uint64_t until);

/*
 * The pending one of this view is the current one from now on, the one
 * before it falls out of use.  False if it is not there.
 */
bool
zp_keyring_confirm(struct zp_keyring *k, const uint8_t *view, uint64_t until);

/* All but the current one go at `until` at the latest. */
void
zp_keyring_hasten(struct zp_keyring *k, uint64_t until);

/* Drops what is due; returns when the next is, UINT64_MAX if none is. */
uint64_t
zp_keyring_expire(struct zp_keyring *k, uint64_t now);

const struct zp_machine_conv *
zp_keyring_current(const struct zp_keyring *k);

#endif
