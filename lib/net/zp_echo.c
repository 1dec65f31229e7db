#include "net/zp_echo.h"

#include <string.h>

/* A record's end is as good as random, so more need not be looked at. */
#define MARK_BYTES 48

/* FNV-1a, 64 bits.  Who makes two alike only makes us wait less. */
static uint64_t
mark_of(const struct zp_record *rec)
{
	size_t n = rec->len < MARK_BYTES ? rec->len : MARK_BYTES;
	uint64_t h = 0xcbf29ce484222325u ^ rec->len;

	for (const char *s = rec->line + rec->len - n; n > 0; n--, s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h;
}

void
zp_echo_init(struct zp_echo *e, size_t window)
{
	*e = (struct zp_echo){.window = window};
}

void
zp_echo_reset(struct zp_echo *e)
{
	e->n = 0;
	e->deaf = false;
}

bool
zp_echo_room(const struct zp_echo *e)
{
	return e->deaf || e->window == 0 || e->n < e->window;
}

void
zp_echo_sent(struct zp_echo *e, const struct zp_record *rec, int64_t now)
{
	if (e->deaf || e->window == 0 || e->n == ZP_ECHO_MOST)
		return;
	e->marks[e->n++] = mark_of(rec);
	e->moved = now;
}

void
zp_echo_unsent(struct zp_echo *e)
{
	if (e->n > 0)
		e->n--;
}

void
zp_echo_came(struct zp_echo *e, const struct zp_record *rec, int64_t now)
{
	if (e->n == 0)
		return;
	uint64_t mark = mark_of(rec);
	for (size_t i = 0; i < e->n; i++) {
		if (e->marks[i] != mark)
			continue;
		/* Order is kept, so those before it are lost to us. */
		e->missing += i;
		e->n -= i + 1;
		memmove(e->marks, e->marks + i + 1, e->n * sizeof(*e->marks));
		e->moved = now;
		return;
	}
}

int64_t
zp_echo_due(const struct zp_echo *e)
{
	return zp_echo_room(e) ? INT64_MAX : e->moved + ZP_ECHO_PATIENCE;
}

void
zp_echo_give_up(struct zp_echo *e, bool listening)
{
	e->deaf = listening;
	e->n = 0;
}
