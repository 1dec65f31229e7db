#include "proto/zp_audience.h"

#include <stdlib.h>
#include <string.h>

enum zp_err
zp_audience_new(struct zp_audience **audience, const struct zp_machine_conv *c)
{
	struct zp_audience *a =
	    calloc(1, sizeof(*a) + c->n * sizeof(a->members[0]));

	if (a == NULL)
		return ZP_ERR_MEMORY;
	a->users = 1;
	memcpy(a->id, c->keys->id, sizeof(a->id));
	for (size_t i = 0; i < c->n; i++)
		if (i != c->me)
			a->members[a->n++].m = c->members[i];
	*audience = a;
	return ZP_OK;
}

void
zp_audience_drop(struct zp_audience *a)
{
	if (a != NULL && --a->users == 0)
		free(a);
}

bool
zp_audience_has(const struct zp_audience *a, uint64_t seq, bool *any)
{
	bool all = true;

	*any = false;
	for (size_t i = 0; i < a->n; i++) {
		bool has = a->members[i].seen > seq;
		*any = *any || has;
		all = all && (has || a->members[i].left);
	}
	return all;
}

bool
zp_audience_deaf(const struct zp_audience *a, uint64_t seq, uint64_t since)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct zp_outbox_member *m = &a->members[i];
		if (!m->left && m->seen <= seq && m->heard > since &&
		    (m->heard > m->moved || seq < m->seen + m->lost))
			return true;
	}
	return false;
}

bool
zp_audience_stuck(const struct zp_audience *a, uint64_t seq, uint64_t since)
{
	bool any = false;

	for (size_t i = 0; i < a->n; i++) {
		const struct zp_outbox_member *m = &a->members[i];
		if (m->left || m->seen > seq)
			continue;
		if (m->heard < since)
			return false;
		any = true;
	}
	return any;
}

static struct zp_outbox_member *
find(struct zp_audience *a, const uint8_t *mid)
{
	for (size_t i = 0; i < a->n; i++)
		if (memcmp(a->members[i].m.mid, mid, ZP_GROUP_MID_LEN) == 0)
			return &a->members[i];
	return NULL;
}

bool
zp_audience_heard(struct zp_audience *a,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen, uint64_t heard,
    uint64_t now, uint64_t *had)
{
	struct zp_outbox_member *m = find(a, mid);

	if (m == NULL)
		return false;
	if (heard > m->heard)
		m->heard = heard;
	if (seen <= m->seen)
		return false;
	*had = m->seen;
	m->seen = seen;
	m->moved = now;
	m->lost = 0;
	return true;
}

void
zp_audience_lost(struct zp_audience *a,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t n)
{
	struct zp_outbox_member *m = find(a, mid);

	if (m != NULL)
		m->lost = n;
}

bool
zp_audience_left(
    struct zp_audience *a, const uint8_t mid[static ZP_GROUP_MID_LEN])
{
	struct zp_outbox_member *m = find(a, mid);

	if (m != NULL)
		m->left = true;
	return m != NULL;
}

static bool
is_in(const struct zp_audience *a, const uint8_t *mid)
{
	for (size_t i = 0; i < a->n; i++)
		if (memcmp(a->members[i].m.mid, mid, ZP_GROUP_MID_LEN) == 0)
			return true;
	return false;
}

static bool
same_member(const struct zp_group_member *a, const struct zp_group_member *b)
{
	static const uint8_t none[ZP_IDKEY_LEN];

	if (memcmp(a->p, b->p, sizeof(a->p)) != 0 ||
	    memcmp(a->idkey, b->idkey, sizeof(a->idkey)) != 0)
		return false;
	/* Without an identity anybody who has the password can be that P. */
	return memcmp(a->idkey, none, sizeof(none)) != 0 ||
	    memcmp(a->sid, b->sid, sizeof(a->sid)) == 0;
}

static bool
returned(const struct zp_outbox_member *m, const struct zp_audience *now)
{
	for (size_t i = 0; i < now->n; i++)
		if (same_member(&m->m.who, &now->members[i].m.who))
			return true;
	return false;
}

bool
zp_audience_grew(const struct zp_audience *then, const struct zp_audience *now)
{
	for (size_t i = 0; i < now->n; i++)
		if (!is_in(then, now->members[i].m.mid))
			return true;
	return false;
}

bool
zp_audience_returned(
    const struct zp_audience *then, const struct zp_audience *now, uint64_t seq)
{
	bool any = zp_audience_grew(then, now);

	for (size_t i = 0; i < then->n && any; i++) {
		const struct zp_outbox_member *m = &then->members[i];
		if (!m->left && m->seen <= seq && !is_in(now, m->m.mid) &&
		    !returned(m, now))
			return false;
	}
	return any;
}

bool
zp_audience_covers(
    const struct zp_audience *then, const struct zp_audience *now)
{
	for (size_t i = 0; i < now->n; i++) {
		bool found = false;
		for (size_t j = 0; j < then->n && !found; j++)
			found = same_member(
			    &then->members[j].m.who, &now->members[i].m.who);
		if (!found)
			return false;
	}
	return true;
}
