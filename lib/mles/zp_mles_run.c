#include "mles/zp_mles_run.h"

#include <sodium.h>
#include <string.h>

#include "base/zp_be.h"

/*
 * A run starts again after so many frames of everyone without progress, or
 * so many in all without a secure conversation, doubled each time.  Lower
 * numbers disturb slow but sound runs.
 */
#define CALM_MAX 5U
#define TOTAL_MAX 20U
#define DOUBLINGS_MAX 6

/*
 * Clocks on the wire tick in seconds; a resent text, or a replay, is older by
 * more.  Who goes on like that has set its clock back.
 */
#define STALE_MS 2000
#define STALE_MAX 8

void
zp_mles_run_init(struct zp_mles_run *r, const struct zp_mles_name *me,
    struct zp_mles_layer *password, struct zp_mles_secrets *secrets)
{
	memset(r, 0, sizeof(*r));
	r->me = me;
	r->password = password;
	r->secrets = secrets;
}

static struct zp_mles_member *
find(struct zp_mles_run *r, const struct zp_mles_name *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (zp_mles_text_same(&r->member[i].name, name))
			return &r->member[i];
	return NULL;
}

static bool
same_point(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ZP_MLES_POINT_LEN) == 0;
}

/*
 * No secret any more.  Its key still opens what was under way; it may be
 * the one that others have gone over to, so it stays whether acknowledged
 * or not.
 */
static void
drop(struct zp_mles_run *r)
{
	struct zp_mles_secrets *s = r->secrets;

	if (r->has_secret) {
		s->old[1] = s->old[0];
		r->has_old[1] = r->has_old[0];
		s->old[0] = s->conv;
		r->has_old[0] = true;
		sodium_memzero(&s->conv, sizeof(s->conv));
		sodium_memzero(s->group.secret, sizeof(s->group.secret));
	}
	r->has_secret = r->spoken = r->ack_sent = false;
	r->acked = r->sealed = false;
	for (size_t i = 0; i < r->n; i++) {
		r->member[i].ack = r->member[i].confirmed = false;
		r->member[i].heard = 0;
	}
}

/* The next frame makes a new scalar and share. */
static void
forget_share(struct zp_mles_run *r)
{
	drop(r);
	sodium_memzero(&r->secrets->group, sizeof(r->secrets->group));
	r->has_z = r->z_sent = r->has_x = r->used = false;
	for (size_t i = 0; i < r->n; i++)
		r->member[i].since = false;
}

static void
take_sid(struct zp_mles_run *r, const uint8_t sid[static ZP_MLES_SID_LEN])
{
	forget_share(r);
	r->n = 0;
	memcpy(r->sid, sid, ZP_MLES_SID_LEN);
	r->has_sid = true;
}

/* Shares or members are others than before. */
static void
ring_changed(struct zp_mles_run *r, bool members)
{
	drop(r);
	r->has_x = false;
	if (members && r->used)
		forget_share(r);
}

static struct zp_mles_member *
add(struct zp_mles_run *r, const struct zp_mles_name *name)
{
	if (r->n == ZP_MLES_MEMBERS_MAX - 1)
		return NULL;
	struct zp_mles_member *m = &r->member[r->n++];
	memset(m, 0, sizeof(*m));
	m->name = *name;
	ring_changed(r, true);
	return m;
}

static bool
progress(struct zp_mles_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->member[i].calm = 0;
	r->calm = 0;
	return true;
}

/* Our index in r->ring, and the shares of all, in order. */
static void
fill_ring(struct zp_mles_run *r)
{
	const struct zp_mles_member *order[ZP_MLES_MEMBERS_MAX] = {NULL};
	struct zp_mles_ring *g = &r->ring;
	size_t k = 0;

	for (size_t i = 0; i < r->n; i++) {
		size_t at = i;
		for (; at > 0 &&
		     zp_mles_text_order(
			 &order[at - 1]->name, &r->member[i].name) > 0;
		     at--)
			order[at] = order[at - 1];
		order[at] = &r->member[i];
	}
	while (k < r->n && zp_mles_text_order(&order[k]->name, r->me) < 0)
		k++;
	g->n = r->n + 1;
	g->me = k;
	memcpy(g->z[k], r->secrets->group.z, ZP_MLES_POINT_LEN);
	memcpy(g->x[k], r->x, ZP_MLES_POINT_LEN);
	for (size_t i = 0; i < r->n; i++) {
		size_t at = i < k ? i : i + 1;
		memcpy(g->z[at], order[i]->z, ZP_MLES_POINT_LEN);
		memcpy(g->x[at], order[i]->x, ZP_MLES_POINT_LEN);
	}
}

/* Is every share here, and did everyone hear ours? */
static bool
may_mix(const struct zp_mles_run *r)
{
	if (!r->has_z || r->n == 0)
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (!r->member[i].has_z || !r->member[i].since)
			return false;
	return true;
}

static bool
all_mixes(const struct zp_mles_run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct zp_mles_member *m = &r->member[i];
		if (!m->has_x || zp_mles_group_neutral(m->x) != (r->n == 1))
			return false;
	}
	return true;
}

/* Own mix and the secret, as far as what is known allows. */
static void
evaluate(struct zp_mles_run *r)
{
	struct zp_mles_secrets *s = r->secrets;

	if (!may_mix(r)) {
		if (r->has_secret)
			drop(r);
		return;
	}
	if (!r->has_x) {
		fill_ring(r);
		if (zp_mles_group_mix(&s->group, &r->ring) != ZP_OK)
			return;
		memcpy(r->x, r->ring.x[r->ring.me], ZP_MLES_POINT_LEN);
		r->has_x = true;
	}
	if (r->has_secret || !all_mixes(r))
		return;
	fill_ring(r);
	if (zp_mles_group_secret(&s->group, &r->ring) != ZP_OK)
		return;
	zp_mles_key_conversation(&s->conv, r->password, s->group.secret);
	r->has_secret = r->used = true;
	r->spoken = r->ack_sent = r->acked = r->sealed = false;
}

/*
 * When everybody has the secret we go over to it.  As the prototype we
 * have spoken once since, so that all could see where we are.
 */
static void
check_acks(struct zp_mles_run *r)
{
	bool all = r->has_secret && r->spoken;

	for (size_t i = 0; i < r->n; i++)
		all = all && r->member[i].ack;
	if (all)
		r->acked = true;
}

/* All others acknowledge, or all were heard twice and wait as we do. */
static bool
may_ack(const struct zp_mles_run *r)
{
	bool all = true, waiting = true;

	for (size_t i = 0; i < r->n; i++) {
		const struct zp_mles_member *m = &r->member[i];
		all = all && m->ack;
		waiting = waiting && m->heard >= 2;
	}
	return all || waiting;
}

bool
zp_mles_run_secure(const struct zp_mles_run *r)
{
	if (!r->acked || !r->sealed)
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (!r->member[i].confirmed)
			return false;
	return true;
}

/* Counts a frame of m; starts again if nothing comes of so many. */
static void
watch(struct zp_mles_run *r, struct zp_mles_member *m)
{
	unsigned k = r->restarts < DOUBLINGS_MAX ? r->restarts : DOUBLINGS_MAX;
	bool calm = r->calm >= CALM_MAX << k;
	bool total = r->total >= TOTAL_MAX << k;

	m->calm++;
	m->total++;
	if (zp_mles_run_secure(r)) {
		progress(r);
		for (size_t i = 0; i < r->n; i++)
			r->member[i].total = 0;
		r->total = r->restarts = 0;
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		calm = calm && r->member[i].calm >= CALM_MAX << k;
		total = total && r->member[i].total >= TOTAL_MAX << k;
	}
	if (calm || total)
		r->restart = true;
}

void
zp_mles_run_dark(struct zp_mles_run *r, const struct zp_mles_name *from)
{
	struct zp_mles_member *m = find(r, from);

	if (m != NULL)
		watch(r, m);
}

static bool
no_sid(const struct zp_mles_frame *f)
{
	return memcmp(f->sid, ZP_MLES_SID_NONE, ZP_MLES_SID_LEN) == 0;
}

void
zp_mles_run_history(struct zp_mles_run *r, const struct zp_mles_frame *f)
{
	/* Once we have spoken under a sid, history does not change it. */
	if (r->n == 0 && !r->z_sent && !no_sid(f))
		take_sid(r, f->sid);
}

/* Is this share ours, or that of somebody else than m? */
static bool
borrowed(const struct zp_mles_run *r, const struct zp_mles_member *m,
    const uint8_t *z)
{
	if (r->has_z && same_point(z, r->secrets->group.z))
		return true;
	for (size_t i = 0; i < r->n; i++)
		if (&r->member[i] != m && r->member[i].has_z &&
		    same_point(z, r->member[i].z))
			return true;
	return false;
}

/* Takes share and mix out of a frame; false if they are not to be used. */
static bool
take_points(struct zp_mles_run *r, struct zp_mles_member *m,
    const struct zp_mles_frame *f)
{
	static const uint8_t neutral[ZP_MLES_POINT_LEN];
	const uint8_t *x = NULL;
	bool has_z = f->keys_len > 0;

	if (has_z && !zp_mles_group_good(f->keys))
		return false;
	if (f->keys_len == ZP_MLES_KEYS_MAX)
		x = f->keys + ZP_MLES_POINT_LEN;
	else if ((f->flags & ZP_MLES_BDONE) != 0)
		x = neutral;
	if (x != NULL && !zp_mles_group_neutral(x) && !zp_mles_group_good(x))
		return false;
	if (has_z != m->has_z || (has_z && !same_point(m->z, f->keys))) {
		if (has_z)
			memcpy(m->z, f->keys, ZP_MLES_POINT_LEN);
		m->has_z = has_z;
		m->has_x = false;
		ring_changed(r, false);
	}
	if ((x != NULL) != m->has_x || (x != NULL && !same_point(m->x, x))) {
		if (x != NULL)
			memcpy(m->x, x, ZP_MLES_POINT_LEN);
		m->has_x = x != NULL;
		drop(r);
	}
	return true;
}

/* The handshake's part of a frame of member m, under our sid. */
static unsigned
handshake(struct zp_mles_run *r, struct zp_mles_member *m,
    const struct zp_mles_frame *f, enum zp_mles_use use)
{
	struct zp_mles_member before = *m;

	/* The prototype leaves the mix out of these, in any state. */
	if ((f->flags & ZP_MLES_PRESENCE_ACK) != 0 &&
	    f->keys_len == ZP_MLES_POINT_LEN)
		return 0;
	/* Who has the conversation's key has the share that is in it. */
	if (use == ZP_MLES_CONVERSATION && m->has_z && f->keys_len > 0 &&
	    !same_point(m->z, f->keys))
		return ZP_MLES_RELABELLED;
	if (!take_points(r, m, f))
		return ZP_MLES_POINT;
	if (r->has_z && r->z_sent)
		m->since = true;
	evaluate(r);
	m->heard++;
	if (r->has_secret) {
		m->ack = (f->flags & ZP_MLES_BDACK) != 0;
		if (use == ZP_MLES_CONVERSATION)
			m->ack = m->confirmed = true;
		check_acks(r);
	}
	if (m->has_z != before.has_z || m->has_x != before.has_x ||
	    m->ack != before.ack || m->confirmed != before.confirmed ||
	    !same_point(m->z, before.z) || !same_point(m->x, before.x))
		return ZP_MLES_NEWS;
	return 0;
}

/* Member m is gone: its part of the secret must go, too. */
static void
forget_member(struct zp_mles_run *r, struct zp_mles_member *m)
{
	*m = r->member[--r->n];
	ring_changed(r, true);
	r->restart = r->n > 0;
	r->restarts = 0;
}

unsigned
zp_mles_run_hear(struct zp_mles_run *r, const struct zp_mles_name *from,
    const struct zp_mles_frame *f, enum zp_mles_use use, int64_t now)
{
	int d = r->has_sid ? memcmp(f->sid, r->sid, ZP_MLES_SID_LEN) : -1;
	unsigned got = 0;

	if (r->restart)
		return 0;
	if (d > 0 || no_sid(f)) {
		/* Prototypes follow it and forget the secret. */
		drop(r);
		return ZP_MLES_OTHER_SID | ZP_MLES_NEWS;
	}
	if (d < 0)
		take_sid(r, f->sid);
	struct zp_mles_member *m = find(r, from);
	if (f->keys_len > 0 && borrowed(r, m, f->keys))
		return ZP_MLES_RELABELLED;
	if (m == NULL) {
		m = add(r, from);
		got |= ZP_MLES_MEMBER | ZP_MLES_NEWS;
	}
	if (m == NULL)
		return ZP_MLES_CROWD;
	if (m->time > f->time + STALE_MS && m->stale++ < STALE_MAX)
		return ZP_MLES_STALE;
	m->stale = 0;
	m->time = f->time;
	m->last = now;
	got |= handshake(r, m, f, use);
	if ((f->flags & ZP_MLES_FLAGS & ~(ZP_MLES_BDONE | ZP_MLES_BDACK)) ==
		ZP_MLES_FAREWELL &&
	    (got & (ZP_MLES_RELABELLED | ZP_MLES_POINT)) == 0) {
		forget_member(r, m);
		progress(r);
		return got | ZP_MLES_LEFT | ZP_MLES_NEWS;
	}
	if ((got & ZP_MLES_NEWS) != 0)
		progress(r);
	watch(r, m);
	return got;
}

/* A sid below ours, at random; or any, if there is hardly one. */
static void
lower_sid(struct zp_mles_run *r, const uint8_t random[static 16])
{
	uint64_t old = zp_be64(r->sid);
	/* Far below, so that two who do this rarely collide. */
	uint64_t step = (zp_be64(random) >> 24) + 1;
	uint8_t sid[ZP_MLES_SID_LEN];

	memcpy(sid, random + 8, sizeof(sid));
	if (old > step)
		zp_be64_put(sid, old - step);
	take_sid(r, sid);
	r->restart = false;
	r->restarts++;
	r->calm = r->total = 0;
}

enum zp_err
zp_mles_run_speak(struct zp_mles_run *r, struct zp_mles_frame *f,
    uint8_t keys[static ZP_MLES_KEYS_MAX],
    const uint8_t random[static ZP_MLES_RUN_RANDOM], enum zp_mles_use *use)
{
	struct zp_mles_group *g = &r->secrets->group;
	const uint8_t *sids = random + ZP_MLES_RANDOM_LEN;

	if (r->restart)
		lower_sid(r, sids);
	if (!r->has_sid)
		take_sid(r, sids);
	if (!r->has_z) {
		enum zp_err err =
		    zp_mles_group_begin(g, r->password, r->sid, random);
		if (err)
			return err;
		r->has_z = true;
	}
	evaluate(r);
	memcpy(f->sid, r->sid, ZP_MLES_SID_LEN);
	memcpy(keys, g->z, ZP_MLES_POINT_LEN);
	f->keys = keys;
	f->keys_len = ZP_MLES_POINT_LEN;
	f->flags &= (uint16_t) ~(ZP_MLES_BDONE | ZP_MLES_BDACK);
	if (r->has_x && may_mix(r)) {
		r->used = true;
		if (r->n == 1) {
			f->flags |= ZP_MLES_BDONE;
		} else {
			memcpy(
			    keys + ZP_MLES_POINT_LEN, r->x, ZP_MLES_POINT_LEN);
			f->keys_len = ZP_MLES_KEYS_MAX;
		}
		if (r->has_secret && (r->acked || r->ack_sent || may_ack(r))) {
			f->flags |= ZP_MLES_BDACK;
			r->ack_sent = true;
		}
	}
	r->z_sent = true;
	r->spoken = r->has_secret;
	r->calm++;
	r->total++;
	*use = r->acked ? ZP_MLES_CONVERSATION : ZP_MLES_PASSWORD;
	return ZP_OK;
}

void
zp_mles_run_sealed(struct zp_mles_run *r)
{
	r->sealed = true;
}

bool
zp_mles_run_expire(struct zp_mles_run *r, int64_t now, int64_t silent,
    struct zp_mles_name *gone)
{
	unsigned k = r->restarts < DOUBLINGS_MAX ? r->restarts : DOUBLINGS_MAX;
	int64_t since = now - silent * ((int64_t)1 << k);
	size_t dead = r->n, live = 0;

	if (r->restart || zp_mles_run_secure(r))
		return false;
	for (size_t i = 0; i < r->n; i++) {
		if (r->member[i].last > since)
			live++;
		else
			dead = i;
	}
	if (dead == r->n || live == 0)
		return false;
	*gone = r->member[dead].name;
	r->restart = true;
	return true;
}

void
zp_mles_run_forget(struct zp_mles_run *r)
{
	sodium_memzero(r->secrets->old, sizeof(r->secrets->old));
	r->has_old[0] = r->has_old[1] = false;
}
