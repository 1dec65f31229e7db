#include "proc/zp_budget.h"

bool
zp_budget_spend(
    struct zp_budget *b, uint64_t now, uint64_t most, uint64_t every)
{
	const uint64_t back = now > b->at ? now - b->at : 0;

	b->used -= back < b->used ? back : b->used;
	b->at = now;
	if (b->used + every > most * every)
		return false;
	b->used += every;
	return true;
}
