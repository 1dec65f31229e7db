#ifndef ZP_VIEW_H
#define ZP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/zp_roster.h"

/*
 * Who is in, zpinc(7): computed anew from what sessions said last, so that
 * nothing depends on the order in which hellos came.
 */

struct zp_view_rules {
	uint64_t gone; /* silent for so long: not heard any more */
	uint64_t late; /* silent for so long: out first */
	uint64_t replaced; /* silent since a newer session of the same user
			      came so long ago: the user has restarted */
	size_t max_members;
};

/*
 * The sets of sessions that are heard, and among them of those near: whose
 * last hello acks a recent one of ours.  A session that has been replaced (see
 * the rules) is not heard: one that lives answers the newer one.  Returns when
 * either set changes by time alone, UINT64_MAX if never.
 */
uint64_t
zp_view_near(struct zp_roster *r, uint64_t now,
    const struct zp_view_rules *rules, uint64_t *heard, uint64_t *near);

/*
 * V: ourselves and those near, less members taken out one by one until all
 * list one another: first one late, then one in most open pairs, then one
 * not in `conv`, then the highest P || sid; likewise, from the third rule
 * on, until no more than max_members are left.  If we ourselves are too many
 * by that order, V is we alone.  `plane`: scratch,
 * ZP_VIEW_PLANES sets.
 */
#define ZP_VIEW_PLANES 11

struct zp_view_result {
	bool open; /* a pair of near members is open */
	bool full; /* somebody near had no place, or we had none */
};

struct zp_view_result
zp_view_choose(const struct zp_roster *r, uint64_t now,
    const struct zp_view_rules *rules, const uint64_t *near,
    const uint64_t *conv, uint64_t *plane, uint64_t *v);

#endif
