#include "proto/zp_machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_secret.h"
#include "proto/zp_bits.h"
#include "proto/zp_greet.h"
#include "proto/zp_machine_impl.h"
#include "proto/zp_phase.h"
#include "proto/zp_voice.h"

const struct zp_machine_timing zp_machine_timing_default = {
    .beat = 30000,
    .alone = 3000,
    .gone = 90000,
    .stale = 180000,
    .settle = 500,
    .settle_max = 8000,
    .open = 5000,
    .repeat = 2000,
    .run = 30000,
    .run_max = 120000,
    .hold = 60000,
    .rekey = 3600000,
    .answer_min = 100,
    .answer_max = 500,
    .gap = 500,
    .flap = 60000,
    .old_key = 10000,
    .old_key_max = 600000,
    .fixed_end = 10000,
    .token = 3000,
    .tokens = 20,
};

/* ---- for the other files ------------------------------------------------ */

/* splitmix64: the times need no secrecy, only to differ among members. */
uint64_t
zp_machine_spread(struct zp_machine *m, uint64_t low, uint64_t high)
{
	uint64_t z = (m->jitter += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return high > low ? low + z % (high - low + 1) : low;
}

void
zp_machine_tell(struct zp_machine *m, enum zp_machine_event_kind kind,
    enum zp_err err, size_t place)
{
	struct zp_machine_event ev = {.kind = kind, .err = err};

	if (place != ZP_ROSTER_NONE)
		ev.member = &m->roster.s[place].m;
	ev.unproved = place != ZP_ROSTER_NONE && !m->roster.s[place].proved;
	if (m->report != NULL)
		m->report(m->arg, &ev);
}

bool
zp_machine_allows(const struct zp_machine *m, const char *uid)
{
	if (!m->restricted)
		return true;
	for (size_t i = 0; i < m->allowed_count; i++)
		if (strcmp(m->allowed[i], uid) == 0)
			return true;
	return false;
}

/* ---- new and free ------------------------------------------------------- */

static bool
sensible(const struct zp_machine_config *c)
{
	const struct zp_machine_timing *t = c->timing;

	if (c->max_members == 1 || c->max_members > ZP_MACHINE_MEMBERS_MAX ||
	    (c->min_members > 0 && !c->fixed) ||
	    (c->max_members > 0 && c->min_members > c->max_members) ||
	    (c->allowed == NULL && c->allowed_count > 0) || c->msgkey == NULL ||
	    memchr(c->uid, '\0', sizeof(c->uid)) == NULL)
		return false;
	return t == NULL ||
	    (t->token > 0 && t->tokens > 0 && t->beat > 0 && t->repeat > 1 &&
		t->stale / t->token <= 1000000 && t->tokens <= 1000000);
}

static enum zp_err
copy_allowed(struct zp_machine *m, const struct zp_machine_config *c)
{
	m->restricted = c->allowed != NULL;
	if (c->allowed_count == 0)
		return ZP_OK;
	m->allowed = calloc(c->allowed_count, sizeof(*m->allowed));
	if (m->allowed == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < c->allowed_count; i++) {
		size_t len = strlen(c->allowed[i]);
		if (len > ZP_NAME_MAX)
			return ZP_ERR_USAGE;
		/* We ourselves are in anyway. */
		if (strcmp(c->allowed[i], c->uid) != 0)
			memcpy(
			    m->allowed[m->allowed_count++], c->allowed[i], len);
	}
	return ZP_OK;
}

static enum zp_err
make_sets(struct zp_machine *m)
{
	uint64_t **set[] = {&m->heard, &m->near, &m->was_near, &m->conv, &m->in,
	    &m->choice, &m->published, &m->listed, &m->pick, &m->shown[0],
	    &m->shown[1], &m->shown[2], &m->shown[3]};
	const size_t n = sizeof(set) / sizeof(set[0]);
	const size_t words = m->roster.words;

	m->sets = calloc(n * words, sizeof(*m->sets));
	m->plane = calloc(ZP_VIEW_PLANES * words, sizeof(*m->plane));
	if (m->sets == NULL || m->plane == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < n; i++)
		*set[i] = m->sets + i * words;
	return ZP_OK;
}

static enum zp_err
fill(struct zp_machine *m, const struct zp_machine_config *c)
{
	struct zp_member self = {.who = c->self};
	size_t limit;

	m->t = c->timing != NULL ? *c->timing : zp_machine_timing_default;
	m->rules.gone = m->t.gone;
	m->rules.late = m->t.beat + m->t.beat / 2;
	m->rules.replaced = m->t.open;
	m->rules.max_members =
	    c->max_members > 0 ? c->max_members : ZP_MACHINE_MEMBERS;
	m->ops = c->ops != NULL ? c->ops : &zp_group_ristretto;
	m->msgkey = c->msgkey;
	memcpy(m->rp, c->rp, sizeof(m->rp));
	m->fixed = c->fixed;
	m->min_members = c->min_members < 2 ? 2 : c->min_members;
	m->report = c->report;
	m->arg = c->arg;
	m->t_settle = m->t_run = m->t_rekey = ZP_NEVER;
	m->t_fixed = m->t_keys = m->roster_next = ZP_NEVER;
	self.who.gen = 0;
	zp_group_mid(&self.who, self.mid);
	memcpy(self.uid, c->uid, sizeof(self.uid));
	limit = 2 * m->rules.max_members;
	enum zp_err err = zp_roster_init(&m->roster,
	    limit > ZP_MACHINE_SESSIONS ? limit : ZP_MACHINE_SESSIONS, &self);
	if (err == ZP_OK)
		err = make_sets(m);
	if (err == ZP_OK)
		err = copy_allowed(m, c);
	if (err == ZP_OK)
		err = zp_voice_init(m);
	if (err == ZP_OK)
		err = zp_keyring_init(&m->keys);
	m->keys.report = c->report;
	m->keys.arg = c->arg;
	return err;
}

enum zp_err
zp_machine_new(struct zp_machine **m, const struct zp_machine_config *config)
{
	if (!sensible(config))
		return ZP_ERR_USAGE;
	struct zp_machine *made = calloc(1, sizeof(*made));
	if (made == NULL)
		return ZP_ERR_MEMORY;
	enum zp_err err = fill(made, config);
	if (err != ZP_OK) {
		zp_machine_free(made);
		return err;
	}
	*m = made;
	return ZP_OK;
}

void
zp_machine_free(struct zp_machine *m)
{
	if (m == NULL)
		return;
	if (m->ops != NULL)
		m->ops->free(m->run);
	zp_keyring_free(&m->keys);
	zp_roster_free(&m->roster);
	free(m->sets);
	free(m->plane);
	free(m->allowed);
	free(m->place);
	free(m->who);
	free(m->sent_at);
	free(m->entry);
	free(m->body);
	zp_secret_wipe(m, sizeof(*m));
	free(m);
}

/* ---- steps -------------------------------------------------------------- */

static enum zp_err
begin(struct zp_machine *m, uint64_t now, uint8_t *random)
{
	if (!m->started || m->stopped) {
		zp_secret_wipe(random, ZP_MACHINE_RANDOM_LEN);
		return m->stopped ? ZP_ERR_ENDED : ZP_ERR_USAGE;
	}
	if (now > m->now)
		m->now = now;
	m->random = random;
	m->scalar_used = false;
	m->jitter ^= zp_be64(random + ZP_GROUP_RANDOM_LEN + ZP_SID_LEN) ^
	    zp_be64(random + ZP_GROUP_RANDOM_LEN + ZP_SID_LEN + 8);
	m->send = false;
	return ZP_OK;
}

/* Nobody knows the session, so it begins like one that was never there. */
static void
renew(struct zp_machine *m)
{
	struct zp_member self = m->roster.s[ZP_ROSTER_SELF].m;
	const size_t words = m->roster.words;

	m->worn = false;
	zp_phase_reset(m);
	zp_phase_end_conv(m);
	memcpy(self.who.sid, m->random + ZP_GROUP_RANDOM_LEN, ZP_SID_LEN);
	self.who.gen = 0;
	zp_group_mid(&self.who, self.mid);
	zp_roster_rename(&m->roster, &self);
	memset(m->listed, 0, words * sizeof(*m->listed));
	m->named = false;
	m->has_published = false;
	m->has_published_id = false;
	m->seq = 0;
	m->notes = 0;
	m->messages = m->messages_now = 0;
	m->to_say_done = false;
	zp_machine_tell(m, ZP_EVENT_SESSION, ZP_OK, ZP_ROSTER_SELF);
	zp_phase_update(m);
	m->send = true;
}

static enum zp_err
finish(struct zp_machine *m, enum zp_err err)
{
	if (m->worn && !m->settled)
		renew(m);
	enum zp_err sent = zp_voice_send(m);
	m->t_keys = zp_keyring_expire(&m->keys, m->now);
	zp_secret_wipe(m->random, ZP_MACHINE_RANDOM_LEN);
	m->random = NULL;
	return err != ZP_OK ? err : sent;
}

enum zp_err
zp_machine_start(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN])
{
	m->started = true;
	m->now = now;
	m->credit_at = now;
	enum zp_err err = begin(m, now, random);
	if (err != ZP_OK)
		return err;
	zp_phase_update(m);
	m->send = true;
	return finish(m, ZP_OK);
}

enum zp_err
zp_machine_hello(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN],
    const struct zp_machine_hello *in)
{
	enum zp_err err = begin(m, now, random);

	if (err != ZP_OK)
		return err;
	err = zp_greet_hello(m, in);
	zp_phase_update(m);
	return finish(m, err);
}

enum zp_err
zp_machine_tick(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN])
{
	enum zp_err err = begin(m, now, random);

	if (err != ZP_OK)
		return err;
	zp_phase_update(m);
	zp_phase_timers(m);
	zp_voice_timers(m);
	return finish(m, ZP_OK);
}

enum zp_err
zp_machine_rekey(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN])
{
	enum zp_err err = begin(m, now, random);

	if (err != ZP_OK)
		return err;
	if (!m->fixed && m->phase == ZP_PHASE_DONE)
		m->t_rekey = m->now;
	zp_phase_update(m);
	zp_phase_timers(m);
	return finish(m, ZP_OK);
}

enum zp_err
zp_machine_announce(struct zp_machine *m, uint64_t now,
    uint8_t random[static ZP_MACHINE_RANDOM_LEN])
{
	enum zp_err err = begin(m, now, random);

	if (err != ZP_OK)
		return err;
	zp_voice_answer(m);
	return finish(m, ZP_OK);
}

void
zp_machine_stop(struct zp_machine *m, uint64_t now)
{
	if (m->stopped)
		return;
	if (now > m->now)
		m->now = now;
	m->body_ready = false;
	/* Without memory nobody is told; they will find out. */
	if (m->started && zp_voice_leave(m) != ZP_OK)
		m->body_ready = false;
	m->ops->free(m->run);
	m->run = NULL;
	m->phase = ZP_PHASE_ALONE;
	m->has_id = false;
	zp_keyring_free(&m->keys);
	m->stopped = true;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
zp_machine_deadline(const struct zp_machine *m)
{
	uint64_t t = m->roster_next;

	if (m->stopped || !m->started)
		return UINT64_MAX;
	t = least(t, least(m->t_settle, m->t_run));
	t = least(t, least(m->t_rekey, m->t_fixed));
	t = least(t, least(m->t_answer, m->t_repeat));
	t = least(t, least(m->t_beat, m->t_wait));
	t = least(t, m->t_keys);
	return t > 0 ? t : 1;
}

bool
zp_machine_out(struct zp_machine *m, struct zp_machine_out *out)
{
	if (!m->body_ready)
		return false;
	memcpy(out->sid, m->body_sid, sizeof(out->sid));
	out->seq = m->body_seq;
	out->body = m->body;
	out->len = m->body_len;
	m->body_ready = false;
	return true;
}

/* ---- what hellos carry -------------------------------------------------- */

void
zp_machine_set_notes(struct zp_machine *m, uint64_t notes)
{
	m->notes = notes;
}

void
zp_machine_set_messages(struct zp_machine *m, uint64_t messages)
{
	m->messages_now = messages;
	if (!m->to_say_done)
		m->messages = messages;
}

void
zp_machine_set_seen(struct zp_machine *m,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen)
{
	size_t place = zp_roster_find_mid(&m->roster, mid);

	if (place != ZP_ROSTER_NONE)
		m->roster.s[place].seen = seen;
}

/* ---- queries ------------------------------------------------------------ */

const struct zp_member *
zp_machine_self(const struct zp_machine *m)
{
	return &m->roster.s[ZP_ROSTER_SELF].m;
}

enum zp_machine_phase
zp_machine_phase(const struct zp_machine *m)
{
	return m->phase;
}

uint64_t
zp_machine_last_heard(const struct zp_machine *m)
{
	return m->last_heard;
}

size_t
zp_machine_places(const struct zp_machine *m)
{
	return m->roster.cap;
}

/* Its last hello: is it done with a handshake that gave us a key? */
static bool
says_done(const struct zp_machine *m, const struct zp_roster_session *s)
{
	for (size_t i = 0; i < m->keys.count; i++)
		if ((s->flags & ZP_HELLO_DONE) != 0 &&
		    memcmp(s->view, m->keys.conv[i].view, sizeof(s->view)) == 0)
			return true;
	return false;
}

bool
zp_machine_peer(
    const struct zp_machine *m, size_t place, struct zp_machine_peer *peer)
{
	if (place == ZP_ROSTER_SELF || place >= m->roster.cap ||
	    !m->roster.s[place].taken)
		return false;
	const struct zp_roster_session *s = &m->roster.s[place];
	*peer = (struct zp_machine_peer){
	    .member = &s->m,
	    .heard = zp_bits_has(m->heard, place),
	    .near = zp_bits_has(m->near, place),
	    .left = s->left,
	    .in_view = zp_bits_has(m->in, place),
	    .in_conv = zp_bits_has(m->conv, place),
	    .seq = s->seq,
	    .at = m->roster.at[place],
	    .acks_sent_at = s->acks_sent_at,
	    .notes = s->notes,
	    .notes_at_first = s->notes_at_first,
	    .messages = s->messages,
	    .seen_ours = s->seen_ours,
	    .seen_most = s->seen_most,
	};
	peer->done = says_done(m, s);
	if (s->told > 0 && s->ack < s->told_seq &&
	    !zp_voice_sent_at(m, s->told_seq, &peer->told_at))
		peer->told_at = 0;
	if (s->hold > m->now)
		peer->held_until = s->hold;
	else if (m->roster.at[place] < s->mute)
		peer->held_until = s->mute;
	if (s->seen_most_by != ZP_ROSTER_NONE)
		peer->seen_most_by = &m->roster.s[s->seen_most_by].m;
	return true;
}

bool
zp_machine_find(const struct zp_machine *m,
    const uint8_t mid[static ZP_GROUP_MID_LEN], struct zp_machine_peer *peer)
{
	return zp_machine_peer(m, zp_roster_find_mid(&m->roster, mid), peer);
}

size_t
zp_machine_view_size(const struct zp_machine *m)
{
	return m->has_id ? m->n : 1;
}

void
zp_machine_view_id(
    const struct zp_machine *m, uint8_t view[static ZP_GROUP_VIEW_LEN])
{
	memset(view, 0, ZP_GROUP_VIEW_LEN);
	if (m->has_id)
		memcpy(view, m->id, sizeof(m->id));
}

size_t
zp_machine_keys(const struct zp_machine *m)
{
	return m->keys.count;
}

const struct zp_machine_conv *
zp_machine_key(const struct zp_machine *m, size_t i)
{
	return i < m->keys.count ? &m->keys.conv[m->keys.count - 1 - i] : NULL;
}

const struct zp_machine_conv *
zp_machine_current(const struct zp_machine *m)
{
	return zp_keyring_current(&m->keys);
}

/* ---- reasons for waiting ------------------------------------------------ */

struct reasons {
	struct zp_machine_reason *to;
	size_t n, cap;
};

static void
give(struct reasons *r, enum zp_machine_reason_kind kind,
    const struct zp_member *a, const struct zp_member *b, const char *uid)
{
	if (r->n < r->cap)
		r->to[r->n] = (struct zp_machine_reason){kind, a, b, uid};
	r->n++;
}

static void
give_sessions(const struct zp_machine *m, struct reasons *r)
{
	const struct zp_roster_session *s = m->roster.s;

	for (size_t i = 1; i < m->roster.cap; i++) {
		if (!s[i].taken || s[i].left ||
		    m->now >= m->roster.at[i] + m->rules.gone)
			continue;
		if (s[i].hold > m->now || m->roster.at[i] < s[i].mute)
			give(r, ZP_REASON_HELD, &s[i].m, NULL, NULL);
		else if (!zp_bits_has(m->near, i))
			give(r, ZP_REASON_NO_ANSWER, &s[i].m, NULL, NULL);
		for (size_t j = 1; j < m->roster.cap; j++)
			if (j != i && zp_bits_has(m->near, i) &&
			    zp_bits_has(m->near, j) &&
			    !zp_bits_has(zp_roster_lists(&m->roster, i), j))
				give(r, ZP_REASON_DEAF, &s[i].m, &s[j].m, NULL);
	}
}

static void
give_run(const struct zp_machine *m, struct reasons *r)
{
	enum zp_machine_reason_kind kind = ZP_REASON_NO_SHARE;
	uint8_t flag = ZP_HELLO_Z;

	if (m->phase == ZP_PHASE_MIX) {
		kind = ZP_REASON_NO_MIX;
		flag = ZP_HELLO_X;
	} else if (m->phase == ZP_PHASE_CONFIRM) {
		kind = ZP_REASON_NO_TAG;
		flag = ZP_HELLO_TAG;
	}
	for (size_t i = 0; i < m->n; i++)
		if (i != m->me && !zp_phase_shows(m, m->place[i], flag))
			give(r, kind, &m->roster.s[m->place[i]].m, NULL, NULL);
}

static void
give_fixed(const struct zp_machine *m, struct reasons *r)
{
	if (m->n < m->min_members)
		give(r, ZP_REASON_FEW, NULL, NULL, NULL);
	for (size_t i = 0; i < m->allowed_count; i++) {
		bool here = false;
		for (size_t j = 1; j < m->roster.cap && !here; j++)
			here = zp_bits_has(m->heard, j) &&
			    strcmp(m->roster.s[j].m.uid, m->allowed[i]) == 0;
		if (!here)
			give(r, ZP_REASON_MISSING, NULL, NULL, m->allowed[i]);
	}
}

size_t
zp_machine_reasons(
    const struct zp_machine *m, struct zp_machine_reason *reason, size_t cap)
{
	struct reasons r = {.to = reason, .cap = cap};

	if (m->phase == ZP_PHASE_DONE && m->view.open == false &&
	    !zp_phase_unsettled(m))
		return 0;
	if (zp_bits_count(m->heard, m->roster.words) == 0)
		give(&r, ZP_REASON_NOBODY, NULL, NULL, NULL);
	if (m->fixed && m->phase != ZP_PHASE_DONE)
		give_fixed(m, &r);
	give_sessions(m, &r);
	if (m->view.full)
		give(&r, ZP_REASON_FULL, NULL, NULL, NULL);
	if (zp_phase_running(m))
		give_run(m, &r);
	if (m->phase == ZP_PHASE_SETTLE && !zp_phase_incomplete(m))
		give(&r, ZP_REASON_SETTLING, NULL, NULL, NULL);
	return r.n;
}

size_t
zp_machine_memory(const struct zp_machine *m)
{
	const struct zp_roster *r = &m->roster;
	size_t n = sizeof(*m);

	n += r->cap *
	    (sizeof(*r->s) + sizeof(*r->order) + sizeof(*r->rank) +
		sizeof(*r->at) + sizeof(*r->by_mid) + sizeof(*r->mids) +
		sizeof(*r->change) + sizeof(*r->closed) +
		2 * r->words * sizeof(*r->lists));
	for (size_t i = 0; i < r->cap; i++)
		n += r->s[i].strangers * sizeof(*r->s[i].strange);
	n += r->flap_cap * sizeof(*r->flap);
	n += (13 + 3) * r->words * sizeof(*m->sets);
	n += ZP_VIEW_PLANES * r->words * sizeof(*m->plane);
	n += m->who_cap * (sizeof(*m->place) + sizeof(*m->who));
	n += m->sent_cap * sizeof(*m->sent_at);
	n += m->entry_cap * sizeof(*m->entry) + m->body_cap;
	n += ZP_MACHINE_KEYS * sizeof(struct zp_conv);
	for (size_t i = 0; i < m->keys.count; i++)
		n += m->keys.conv[i].n * sizeof(struct zp_member);
	return n;
}
