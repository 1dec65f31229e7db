#ifndef SIM_GROUP_H
#define SIM_GROUP_H

#include "crypt/zp_group.h"

/*
 * A group in which everything is true and nothing is secret: an element is
 * its discrete logarithm modulo 2^61 - 1, so that shares, mixes, their sum,
 * keys and tags behave as with ristretto255 at a thousandth of the cost.
 * The neutral element is 0; an element with anything beyond its eight bytes
 * does not decode.
 */
extern const struct zp_group_ops sim_group;
/* Their mixes have errors that cancel. */
extern const struct zp_group_ops sim_group_plus, sim_group_minus;

/* What is added to a wrong mix in this view. */
uint64_t
sim_group_error(const uint8_t view[static ZP_GROUP_VIEW_LEN]);

#define SIM_GROUP_P ((UINT64_C(1) << 61) - 1)

uint64_t
sim_group_add(uint64_t a, uint64_t b);
uint64_t
sim_group_mul(uint64_t a, uint64_t b);
uint64_t
sim_group_get(const uint8_t e[static ZP_GROUP_ELEMENT_LEN]);
void
sim_group_put(uint8_t e[static ZP_GROUP_ELEMENT_LEN], uint64_t v);

#endif
