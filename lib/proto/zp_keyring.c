#include "proto/zp_keyring.h"

#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"

enum zp_err
zp_keyring_init(struct zp_keyring *k)
{
	memset(k, 0, sizeof(*k));
	k->secret = zp_secret_new(ZP_MACHINE_KEYS * sizeof(*k->secret));
	if (k->secret == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < ZP_MACHINE_KEYS; i++)
		k->keys[i] = &k->secret[i];
	return ZP_OK;
}

static void
tell(struct zp_keyring *k, enum zp_machine_event_kind kind, size_t i)
{
	struct zp_machine_event ev = {.kind = kind, .conv = &k->conv[i]};

	if (k->report != NULL)
		k->report(k->arg, &ev);
}

/* The members are ours; the public struct shows them as const. */
static void
drop_members(struct zp_machine_conv *c)
{
	union {
		const struct zp_member *shown;
		struct zp_member *owned;
	} m = {.shown = c->members};

	free(m.owned);
	c->members = NULL;
}

static void
drop(struct zp_keyring *k, size_t i)
{
	struct zp_conv *keys = k->keys[i];

	tell(k, ZP_EVENT_KEY_GONE, i);
	zp_secret_wipe(keys, sizeof(*keys));
	drop_members(&k->conv[i]);
	size_t after = k->count - i - 1;
	memmove(&k->conv[i], &k->conv[i + 1], after * sizeof(k->conv[0]));
	memmove(&k->keys[i], &k->keys[i + 1], after * sizeof(k->keys[0]));
	k->count--;
	k->keys[k->count] = keys;
}

void
zp_keyring_free(struct zp_keyring *k)
{
	for (size_t i = 0; i < k->count; i++)
		drop_members(&k->conv[i]);
	zp_secret_free(k->secret);
	memset(k, 0, sizeof(*k));
}

static void
make_room(struct zp_keyring *k)
{
	size_t soonest = SIZE_MAX;

	for (size_t i = 0; i < k->count; i++)
		if (!k->conv[i].current &&
		    (soonest == SIZE_MAX ||
			k->conv[i].until < k->conv[soonest].until))
			soonest = i;
	if (k->count == ZP_MACHINE_KEYS && soonest != SIZE_MAX)
		drop(k, soonest);
}

enum zp_err
zp_keyring_add(struct zp_keyring *k, const struct zp_machine_conv *conv,
    const struct zp_group_ops *ops, const struct zp_group_run *run)
{
	struct zp_member *m = malloc(conv->n * sizeof(*m));

	if (m == NULL)
		return ZP_ERR_MEMORY;
	make_room(k);
	enum zp_err err = ops->conv(run, k->keys[k->count]);
	if (err != ZP_OK) {
		free(m);
		return err;
	}
	memcpy(m, conv->members, conv->n * sizeof(*m));
	size_t i = k->count++;
	k->conv[i] = *conv;
	k->conv[i].keys = k->keys[i];
	k->conv[i].members = m;
	k->conv[i].until = UINT64_MAX;
	tell(k, ZP_EVENT_KEY, i);
	return ZP_OK;
}

static void
hasten(struct zp_machine_conv *c, uint64_t until)
{
	if (until < c->until)
		c->until = until;
}

void
zp_keyring_retire(struct zp_keyring *k, const uint8_t *view, uint64_t until)
{
	for (size_t i = 0; i < k->count; i++) {
		struct zp_machine_conv *c = &k->conv[i];
		if (memcmp(c->view, view, sizeof(c->view)) == 0) {
			c->current = false;
			hasten(c, until);
		}
	}
}

bool
zp_keyring_confirm(struct zp_keyring *k, const uint8_t *view, uint64_t until)
{
	bool found = false;

	for (size_t i = 0; i < k->count; i++) {
		struct zp_machine_conv *c = &k->conv[i];
		if (memcmp(c->view, view, sizeof(c->view)) == 0) {
			c->confirmed = true;
			c->current = true;
			c->until = UINT64_MAX;
			found = true;
		} else if (c->current) {
			c->current = false;
			hasten(c, until);
		}
	}
	return found;
}

void
zp_keyring_hasten(struct zp_keyring *k, uint64_t until)
{
	for (size_t i = 0; i < k->count; i++)
		if (!k->conv[i].current)
			hasten(&k->conv[i], until);
}

uint64_t
zp_keyring_expire(struct zp_keyring *k, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = k->count; i-- > 0;) {
		if (k->conv[i].until <= now)
			drop(k, i);
		else if (k->conv[i].until < next)
			next = k->conv[i].until;
	}
	return next;
}

const struct zp_machine_conv *
zp_keyring_current(const struct zp_keyring *k)
{
	for (size_t i = k->count; i-- > 0;)
		if (k->conv[i].current)
			return &k->conv[i];
	return NULL;
}
