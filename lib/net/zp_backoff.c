#include "net/zp_backoff.h"

void
zp_backoff_init(struct zp_backoff *b, unsigned first, unsigned most)
{
	*b = (struct zp_backoff){.first = first, .most = most};
}

void
zp_backoff_reset(struct zp_backoff *b)
{
	b->fails = 0;
}

unsigned
zp_backoff_next(struct zp_backoff *b, uint32_t random)
{
	uint64_t full = b->first;

	for (unsigned i = 0; i < b->fails && full < b->most; i++)
		full *= 2;
	if (full > b->most)
		full = b->most;
	if (b->fails < 64)
		b->fails++;
	return (unsigned)(full - (full / 2 * random >> 32));
}
