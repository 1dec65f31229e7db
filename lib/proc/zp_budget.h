#ifndef ZP_BUDGET_H
#define ZP_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What others can cause at will is done so many times at once, and once more
 * every so often: complaints, pins, what is told of a relay.  All zero is a
 * full one.
 */
struct zp_budget {
	uint64_t used, at; /* ms that are owed, and when that was so */
};

/*
 * Once more at `now`, any clock in ms that does not go back?  most > 0 at
 * once, one more every `every` ms; the same with each call.
 */
bool
zp_budget_spend(
    struct zp_budget *b, uint64_t now, uint64_t most, uint64_t every);

#endif
