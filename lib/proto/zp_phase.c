#include "proto/zp_phase.h"

#include <stdlib.h>
#include <string.h>

#include "proto/zp_bits.h"
#include "proto/zp_voice.h"

#define FAILS_MAX 6

static uint64_t
doubled(uint64_t base, unsigned times, uint64_t most)
{
	uint64_t v = base << (times < 16 ? times : 16);

	return v < most ? v : most;
}

static uint64_t
settle_time(const struct zp_machine *m)
{
	return doubled(m->t.settle, m->fails, m->t.settle_max);
}

static void
arm_run(struct zp_machine *m)
{
	m->t_run = m->now + doubled(m->t.run, m->fails, m->t.run_max);
}

static bool
is_view(const struct zp_machine *m, const uint8_t *id)
{
	return m->has_id && memcmp(m->id, id, sizeof(m->id)) == 0;
}

bool
zp_phase_shows(const struct zp_machine *m, size_t place, uint8_t flag)
{
	const struct zp_roster_session *s = &m->roster.s[place];
	const uint8_t want = (uint8_t)(ZP_HELLO_Z | flag);

	return (s->flags & want) == want && is_view(m, s->view);
}

void
zp_phase_note(struct zp_machine *m, size_t place)
{
	const struct zp_roster_session *s = &m->roster.s[place];
	uint8_t flags = 0;

	if ((s->flags & ZP_HELLO_Z) != 0 && is_view(m, s->view))
		flags = s->flags;
	for (int i = 0; m->shown_fresh && i < 4; i++)
		if ((flags & (ZP_HELLO_Z << i)) != 0)
			zp_bits_add(m->shown[i], place);
		else
			zp_bits_del(m->shown[i], place);
}

/* Who shows our view and this value. */
static const uint64_t *
showing(struct zp_machine *m, uint8_t flag)
{
	if (!m->shown_fresh) {
		m->shown_fresh = true;
		for (size_t i = 1; i < m->roster.cap; i++)
			zp_phase_note(m, i);
	}
	return m->shown[flag == ZP_HELLO_Z ? 0
		: flag == ZP_HELLO_X	   ? 1
		: flag == ZP_HELLO_TAG	   ? 2
					   : 3];
}

static bool
all_show(struct zp_machine *m, uint8_t flag)
{
	const uint64_t *shown = showing(m, flag);
	uint64_t lack = 0;

	for (size_t w = 0; w < m->roster.words; w++) {
		uint64_t in = m->in[w];
		if (w == ZP_ROSTER_SELF / 64)
			in &= ~(UINT64_C(1) << (ZP_ROSTER_SELF % 64));
		lack |= in & ~shown[w];
	}
	return lack == 0;
}

static bool
any_shows(struct zp_machine *m)
{
	const uint64_t *shown = showing(m, ZP_HELLO_Z);
	uint64_t any = 0;

	for (size_t w = 0; w < m->roster.words; w++)
		any |= m->in[w] & shown[w];
	return any != 0;
}

static bool
uid_in_view(const struct zp_machine *m, const char *uid)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->roster.s[m->place[i]].m.uid, uid) == 0)
			return true;
	return false;
}

bool
zp_phase_incomplete(const struct zp_machine *m)
{
	if (!m->fixed)
		return false;
	if (m->n < m->min_members)
		return true;
	for (size_t i = 0; i < m->allowed_count; i++)
		if (!uid_in_view(m, m->allowed[i]))
			return true;
	return false;
}

void
zp_phase_end_conv(struct zp_machine *m)
{
	const struct zp_machine_conv *c = zp_keyring_current(&m->keys);

	if (c == NULL)
		return;
	struct zp_machine_event ev = {
	    .kind = ZP_EVENT_CONVERSATION_END, .conv = c};
	memset(m->conv, 0, m->roster.words * sizeof(*m->conv));
	zp_keyring_retire(&m->keys, c->view, m->now + m->t.old_key_max);
	if (m->report != NULL)
		m->report(m->arg, &ev);
}

/* A key whose tag went out may be another's conversation: it stays a while. */
static void
wipe(struct zp_machine *m)
{
	if (m->phase == ZP_PHASE_CONFIRM)
		zp_keyring_retire(&m->keys, m->id, m->now + m->t.old_key_max);
	m->ops->free(m->run);
	m->run = NULL;
	m->has_x = false;
	m->has_tag = false;
	memset(m->z, 0, sizeof(m->z));
	memset(m->x, 0, sizeof(m->x));
	memset(m->tag, 0, sizeof(m->tag));
	m->t_settle = ZP_NEVER;
	m->t_run = ZP_NEVER;
	m->t_repeat = ZP_NEVER;
	m->t_rekey = ZP_NEVER;
}

void
zp_phase_reset(struct zp_machine *m)
{
	wipe(m);
	m->phase = ZP_PHASE_ALONE;
	m->has_id = false;
}

/* Our generation rises, so that no view id comes twice. */
static void
raise_gen(struct zp_machine *m)
{
	uint32_t *gen = &m->roster.s[ZP_ROSTER_SELF].m.who.gen;

	m->has_published = false;
	if (*gen == UINT32_MAX)
		m->worn = true;
	else
		(*gen)++;
	m->roster.gens++;
	zp_voice_answer(m);
}

static bool
abandon(struct zp_machine *m, enum zp_err err)
{
	zp_machine_tell(m, ZP_EVENT_ABANDONED, err, ZP_ROSTER_NONE);
	if (m->fails < FAILS_MAX)
		m->fails++;
	zp_phase_reset(m);
	raise_gen(m);
	return false;
}

/* ---- V and its name ----------------------------------------------------- */

static void
tell_changes(struct zp_machine *m)
{
	for (size_t w = 0; w < m->roster.words; w++)
		for (uint64_t x = m->near[w] ^ m->was_near[w]; x != 0;
		     x &= x - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(x);
			if (zp_bits_has(m->near, i))
				zp_machine_tell(m, ZP_EVENT_ONLINE, ZP_OK, i);
			else if (!m->roster.s[i].left)
				zp_machine_tell(m, ZP_EVENT_OFFLINE, ZP_OK, i);
		}
	memcpy(m->was_near, m->near, m->roster.words * sizeof(*m->near));
}

/* Who is done with a view that is not ours was in time; we are not. */
static void
tell_late(struct zp_machine *m)
{
	if (!m->fixed || m->late || m->phase == ZP_PHASE_CONFIRM ||
	    m->phase == ZP_PHASE_DONE)
		return;
	for (size_t i = 1; i < m->roster.cap && !m->late; i++) {
		const struct zp_roster_session *s = &m->roster.s[i];
		if (!zp_bits_has(m->near, i) || (s->flags & ZP_HELLO_DONE) == 0)
			continue;
		m->late = true;
		zp_machine_tell(m, ZP_EVENT_LATE, ZP_ERR_LATE, i);
	}
}

static bool
name_holds(const struct zp_machine *m)
{
	return m->named && m->named_gens == m->roster.gens &&
	    memcmp(m->in, m->choice, m->roster.words * sizeof(*m->in)) == 0;
}

static enum zp_err
reserve(struct zp_machine *m, size_t n)
{
	if (n <= m->who_cap)
		return ZP_OK;
	size_t *place = realloc(m->place, n * sizeof(*place));
	if (place == NULL)
		return ZP_ERR_MEMORY;
	m->place = place;
	struct zp_group_member *who = realloc(m->who, n * sizeof(*who));
	if (who == NULL)
		return ZP_ERR_MEMORY;
	m->who = who;
	m->who_cap = n;
	return ZP_OK;
}

/* Members of the choice in order, and the view id. */
static enum zp_err
name(struct zp_machine *m)
{
	const struct zp_roster *r = &m->roster;

	if (name_holds(m))
		return ZP_OK;
	m->named = false;
	enum zp_err err = reserve(m, zp_bits_count(m->choice, r->words));
	if (err != ZP_OK)
		return err;
	m->n = 0;
	for (size_t i = 0; i < r->count; i++) {
		size_t at = r->order[i];
		if (!zp_bits_has(m->choice, at))
			continue;
		if (at == ZP_ROSTER_SELF)
			m->me = m->n;
		m->place[m->n] = at;
		m->who[m->n++] = r->s[at].m.who;
	}
	memcpy(m->in, m->choice, r->words * sizeof(*m->in));
	zp_group_view_id(m->rp, m->who, m->n, m->name);
	m->named = true;
	m->named_gens = r->gens;
	return ZP_OK;
}

/*
 * Between two raises of our generation members and generations of the views
 * we publish only grow.  So a view id can only come twice if it is the last
 * one, or if a member is gone: then our generation rises.
 */
static enum zp_err
choose(struct zp_machine *m)
{
	m->view = zp_view_choose(&m->roster, m->now, &m->rules, m->near,
	    m->conv, m->plane, m->choice);
	if (m->has_published &&
	    !zp_bits_within(m->published, m->choice, m->roster.words))
		raise_gen(m);
	enum zp_err err = name(m);
	if (err != ZP_OK || !m->has_published_id || is_view(m, m->name) ||
	    memcmp(m->name, m->published_id, sizeof(m->name)) != 0)
		return err;
	raise_gen(m);
	return name(m);
}

/*
 * Somebody of the conversation is there, be it on hold: else a member that
 * keeps new runs from succeeding could talk us out of the one we have.
 */
static bool
in_company(const struct zp_machine *m)
{
	for (size_t i = 1; i < m->roster.cap; i++) {
		const struct zp_roster_session *s = &m->roster.s[i];
		if (zp_bits_has(m->conv, i) && !s->left && m->now < s->hold &&
		    m->now < s->near_until &&
		    m->now < m->roster.at[i] + m->rules.gone)
			return true;
	}
	return false;
}

static void
follow(struct zp_machine *m)
{
	if (m->n == 1) {
		if (m->phase != ZP_PHASE_ALONE)
			zp_phase_reset(m);
		if (!in_company(m))
			zp_phase_end_conv(m);
	} else if (!is_view(m, m->name)) {
		wipe(m);
		memcpy(m->id, m->name, sizeof(m->id));
		m->has_id = true;
		m->shown_fresh = false;
		m->phase = ZP_PHASE_SETTLE;
		m->t_settle =
		    m->now + (m->view.open ? m->t.open : settle_time(m));
	} else if (m->phase == ZP_PHASE_SETTLE && !m->view.open &&
	    m->t_settle > m->now + settle_time(m) && m->t_settle != ZP_NEVER) {
		m->t_settle = m->now + settle_time(m);
	}
}

static bool
frozen(const struct zp_machine *m)
{
	return m->fixed &&
	    (m->phase == ZP_PHASE_CONFIRM || m->phase == ZP_PHASE_DONE);
}

/* ---- a run -------------------------------------------------------------- */

static bool
publish(struct zp_machine *m)
{
	struct zp_group_setup setup = {
	    .msgkey = m->msgkey, .m = m->who, .n = m->n, .me = m->me};

	/* A step has one scalar, and a worn session no generations left. */
	if (m->scalar_used || m->worn) {
		m->t_settle = m->now;
		return true;
	}
	m->scalar_used = true;
	memcpy(setup.rp, m->rp, sizeof(setup.rp));
	memcpy(setup.view, m->id, sizeof(setup.view));
	enum zp_err err = m->ops->start(&setup, m->random, &m->run);
	if (err != ZP_OK)
		return abandon(m, err);
	if (!m->ops->own_share(m->run, m->z))
		return abandon(m, ZP_ERR_USAGE);
	memcpy(m->published, m->in, m->roster.words * sizeof(*m->in));
	memcpy(m->published_id, m->id, sizeof(m->id));
	m->has_published = true;
	m->has_published_id = true;
	m->phase = ZP_PHASE_SHARE;
	m->t_settle = ZP_NEVER;
	arm_run(m);
	m->send = true;
	return true;
}

static void
hold(struct zp_machine *m, size_t place, uint64_t until)
{
	struct zp_roster_session *s = zp_machine_session(m, place);

	if (s->hold < until)
		s->hold = until;
	zp_roster_touch(&m->roster, place);
}

/* Nobody is to blame but who sent what is no point. */
static bool
fail(struct zp_machine *m, enum zp_err err)
{
	for (size_t i = 0; err == ZP_ERR_POINT && i < m->n; i++) {
		if (i == m->me || !m->ops->bad(m->run, i))
			continue;
		hold(m, m->place[i], m->now + m->t.hold);
		zp_machine_tell(
		    m, ZP_EVENT_BAD_POINT, ZP_ERR_POINT, m->place[i]);
	}
	return abandon(m, err);
}

static bool
make_tag(struct zp_machine *m)
{
	struct zp_machine_conv conv = {.n = m->n, .me = m->me, .since = m->now};
	enum zp_err err = m->ops->key(m->run);

	if (err == ZP_OK)
		err = m->ops->tag(m->run, m->tag);
	if (err != ZP_OK)
		return fail(m, err);
	struct zp_member *list = malloc(m->n * sizeof(*list));
	if (list == NULL)
		return fail(m, ZP_ERR_MEMORY);
	for (size_t i = 0; i < m->n; i++)
		list[i] = m->roster.s[m->place[i]].m;
	memcpy(conv.view, m->id, sizeof(conv.view));
	conv.members = list;
	err = zp_keyring_add(&m->keys, &conv, m->ops, m->run);
	free(list);
	if (err != ZP_OK)
		return fail(m, err);
	m->has_tag = true;
	m->phase = ZP_PHASE_CONFIRM;
	arm_run(m);
	m->send = true;
	return true;
}

static bool
take_shares(struct zp_machine *m)
{
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < m->n && err == ZP_OK; i++)
		if (i != m->me)
			err = m->ops->put_share(
			    m->run, i, m->roster.s[m->place[i]].z);
	if (err == ZP_OK)
		err = m->ops->check(m->run);
	if (err == ZP_OK && m->n == 2)
		return make_tag(m);
	if (err == ZP_OK)
		err = m->ops->mix(m->run);
	if (err == ZP_OK && !m->ops->own_mix(m->run, m->x))
		err = ZP_ERR_USAGE;
	if (err != ZP_OK)
		return fail(m, err);
	m->has_x = true;
	m->phase = ZP_PHASE_MIX;
	arm_run(m);
	m->send = true;
	return true;
}

static bool
take_mixes(struct zp_machine *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (i == m->me)
			continue;
		enum zp_err err =
		    m->ops->put_mix(m->run, i, m->roster.s[m->place[i]].x);
		if (err != ZP_OK)
			return fail(m, err);
	}
	return make_tag(m);
}

static void
done(struct zp_machine *m)
{
	m->ops->free(m->run);
	m->run = NULL;
	m->phase = ZP_PHASE_DONE;
	m->t_run = ZP_NEVER;
	m->t_repeat = ZP_NEVER;
	m->fails = 0;
	m->all_done = false;
	for (size_t i = 0; i < m->n; i++)
		m->roster.s[m->place[i]].strikes = 0;
	if (m->fixed) {
		m->t_fixed = m->now + m->t.fixed_end;
		m->send = true;
	} else if (m->t.rekey > 0) {
		m->t_rekey = m->now +
		    zp_machine_spread(
			m, m->t.rekey, m->t.rekey + m->t.rekey / 10);
	}
	memcpy(m->conv, m->in, m->roster.words * sizeof(*m->in));
	zp_keyring_confirm(&m->keys, m->id, m->now + m->t.old_key_max);
	struct zp_machine_event ev = {.kind = ZP_EVENT_CONVERSATION,
	    .conv = zp_keyring_current(&m->keys)};
	m->to_say_done = false;
	if (m->report != NULL)
		m->report(m->arg, &ev);
	m->to_say_done = true;
}

static bool
take_tags(struct zp_machine *m)
{
	bool right = true;

	for (size_t i = 0; i < m->n; i++) {
		if (i == m->me ||
		    m->ops->verify(m->run, i, m->roster.s[m->place[i]].tag) ==
			ZP_OK)
			continue;
		right = false;
		zp_machine_tell(m, ZP_EVENT_BAD_TAG, ZP_ERR_TAG, m->place[i]);
	}
	if (!right || !m->ops->confirmed(m->run))
		return abandon(m, ZP_ERR_TAG);
	done(m);
	return true;
}

static void
settled(struct zp_machine *m)
{
	m->t_fixed = ZP_NEVER;
	if (!m->fixed || m->settled)
		return;
	m->settled = true;
	zp_machine_tell(m, ZP_EVENT_SETTLED, ZP_OK, ZP_ROSTER_NONE);
}

/* False if the run was abandoned, so that V is to be chosen anew. */
static bool
advance(struct zp_machine *m)
{
	bool good = true;

	if (m->phase == ZP_PHASE_SETTLE && any_shows(m) &&
	    !zp_phase_incomplete(m))
		good = publish(m);
	if (good && m->phase == ZP_PHASE_SHARE && all_show(m, ZP_HELLO_Z))
		good = take_shares(m);
	if (good && m->phase == ZP_PHASE_MIX && all_show(m, ZP_HELLO_X))
		good = take_mixes(m);
	if (good && m->phase == ZP_PHASE_CONFIRM && all_show(m, ZP_HELLO_TAG))
		good = take_tags(m);
	if (good && m->phase == ZP_PHASE_DONE && !m->all_done &&
	    all_show(m, ZP_HELLO_DONE)) {
		m->all_done = true;
		zp_keyring_hasten(&m->keys, m->now + m->t.old_key);
		settled(m);
	}
	return good;
}

void
zp_phase_update(struct zp_machine *m)
{
	m->roster_next =
	    zp_view_near(&m->roster, m->now, &m->rules, m->heard, m->near);
	tell_changes(m);
	tell_late(m);
	/* A step publishes once, so it abandons once or twice at most. */
	for (int i = 0; i < 4; i++) {
		if (!frozen(m)) {
			if (choose(m) != ZP_OK) {
				zp_phase_reset(m);
				return;
			}
			follow(m);
		}
		if (advance(m))
			return;
		m->roster_next = zp_view_near(
		    &m->roster, m->now, &m->rules, m->heard, m->near);
		tell_changes(m);
	}
}

/* ---- timers ------------------------------------------------------------- */

static uint8_t
awaited(const struct zp_machine *m)
{
	return m->phase == ZP_PHASE_SHARE ? ZP_HELLO_Z
	    : m->phase == ZP_PHASE_MIX	  ? ZP_HELLO_X
					  : ZP_HELLO_TAG;
}

static void
time_out(struct zp_machine *m)
{
	uint64_t factor = zp_machine_spread(m, 1000, 1200);

	for (size_t i = 0; i < m->n; i++) {
		struct zp_roster_session *s =
		    zp_machine_session(m, m->place[i]);
		if (i == m->me || zp_phase_shows(m, m->place[i], awaited(m)))
			continue;
		uint64_t t = doubled(m->t.run, s->strikes, m->t.hold);
		if (s->strikes < FAILS_MAX)
			s->strikes++;
		hold(m, m->place[i], m->now + t * factor / 1000);
		zp_machine_tell(
		    m, ZP_EVENT_SILENT, ZP_ERR_TIMEOUT, m->place[i]);
	}
	abandon(m, ZP_ERR_TIMEOUT);
}

void
zp_phase_timers(struct zp_machine *m)
{
	bool changed = false;

	if (m->phase == ZP_PHASE_SETTLE && m->t_settle <= m->now) {
		m->t_settle = ZP_NEVER;
		if (!zp_phase_incomplete(m)) {
			publish(m);
			changed = true;
		}
	}
	if (zp_phase_running(m) && m->t_run <= m->now) {
		time_out(m);
		changed = true;
	}
	if (m->t_rekey <= m->now) {
		m->t_rekey = ZP_NEVER;
		if (m->phase == ZP_PHASE_DONE) {
			raise_gen(m);
			changed = true;
		}
	}
	if (m->t_fixed <= m->now)
		settled(m);
	if (changed)
		zp_phase_update(m);
}

bool
zp_phase_unsettled(const struct zp_machine *m)
{
	size_t words = m->roster.words;

	return m->phase == ZP_PHASE_SETTLE || m->view.open ||
	    zp_bits_count(m->heard, words) == 0 ||
	    !zp_bits_within(m->heard, m->near, words);
}
