#include "proto/zp_voice.h"

#include <stdlib.h>
#include <string.h>

#include "proto/zp_bits.h"
#include "proto/zp_phase.h"

/* +-20 % */
static uint64_t
about(struct zp_machine *m, uint64_t t)
{
	return zp_machine_spread(m, t - t / 5, t + t / 5);
}

enum zp_err
zp_voice_init(struct zp_machine *m)
{
	/* No more hellos than this can have gone out within T_STALE. */
	m->sent_cap = m->t.tokens + m->t.stale / m->t.token + 2;
	m->sent_at = calloc(m->sent_cap, sizeof(*m->sent_at));
	m->credit = (uint64_t)m->t.tokens * m->t.token;
	m->spacing = m->t.repeat / 2;
	m->t_answer = ZP_NEVER;
	m->t_repeat = ZP_NEVER;
	m->t_beat = ZP_NEVER;
	m->t_wait = ZP_NEVER;
	return m->sent_at == NULL ? ZP_ERR_MEMORY : ZP_OK;
}

bool
zp_voice_sent_at(const struct zp_machine *m, uint64_t seq, uint64_t *when)
{
	if (seq >= m->seq || m->seq - seq > m->sent_cap)
		return false;
	*when = m->sent_at[seq % m->sent_cap];
	return true;
}

void
zp_voice_answer(struct zp_machine *m)
{
	m->spacing = m->t.repeat / 2;
	if (m->t_answer != ZP_NEVER)
		return;
	m->t_answer =
	    m->now + zp_machine_spread(m, m->t.answer_min, m->t.answer_max);
	if (m->sent_any && m->t_answer < m->sent_last + m->t.gap)
		m->t_answer = m->sent_last + m->t.gap;
}

void
zp_voice_timers(struct zp_machine *m)
{
	if (m->t_wait <= m->now || m->t_answer <= m->now || m->t_beat <= m->now)
		m->send = true;
	if (m->t_repeat <= m->now) {
		if (zp_phase_running(m) || zp_phase_unsettled(m))
			m->send = true;
		else
			m->t_repeat = ZP_NEVER;
	}
}

/* ---- whom a hello lists ------------------------------------------------- */

static void
pick_all(struct zp_machine *m, const uint64_t *set)
{
	for (size_t w = 0; w < m->roster.words; w++)
		m->pick[w] |= m->heard[w] & set[w];
}

static void
pick_in_order(struct zp_machine *m, size_t most)
{
	const struct zp_roster *r = &m->roster;
	size_t n = zp_bits_count(m->pick, r->words);

	for (size_t i = 0; i < r->count && n < most; i++) {
		size_t a = r->order[i];
		if (zp_bits_has(m->near, a) && !zp_bits_has(m->pick, a)) {
			zp_bits_add(m->pick, a);
			n++;
		}
	}
}

/* Whom we listed longest ago, so that everybody's turn comes. */
static bool
pick_next(struct zp_machine *m)
{
	size_t found = ZP_ROSTER_NONE;

	for (size_t i = 1; i < m->roster.cap; i++)
		if (zp_bits_has(m->heard, i) && !zp_bits_has(m->pick, i) &&
		    (found == ZP_ROSTER_NONE ||
			m->roster.s[i].listed < m->roster.s[found].listed))
			found = i;
	if (found == ZP_ROSTER_NONE)
		return false;
	zp_bits_add(m->pick, found);
	return true;
}

/*
 * All that are heard.  If they are too many: the view, the conversation,
 * who is near in order, and some of the others in turn.
 */
static size_t
pick(struct zp_machine *m)
{
	const size_t words = m->roster.words;
	const size_t most = m->rules.max_members + ZP_HELLO_SPARE;

	memset(m->pick, 0, words * sizeof(*m->pick));
	if (zp_bits_count(m->heard, words) <= most) {
		pick_all(m, m->heard);
		return zp_bits_count(m->pick, words);
	}
	pick_all(m, m->in);
	if (zp_bits_count(m->pick, words) < most - ZP_HELLO_SPARE)
		pick_all(m, m->conv);
	pick_in_order(m, most - ZP_HELLO_SPARE);
	while (zp_bits_count(m->pick, words) < most && pick_next(m))
		;
	while (zp_bits_count(m->pick, words) > most)
		for (size_t i = m->roster.cap; i-- > 1;)
			if (zp_bits_has(m->pick, i) && !zp_bits_has(m->in, i)) {
				zp_bits_del(m->pick, i);
				break;
			}
	return zp_bits_count(m->pick, words);
}

/* ---- SEND --------------------------------------------------------------- */

static enum zp_err
reserve(struct zp_machine *m, size_t entries)
{
	if (m->entry == NULL || entries > m->entry_cap) {
		size_t cap = entries < 8 ? 8 : entries;
		struct zp_hello_entry *e = realloc(m->entry, cap * sizeof(*e));
		if (e == NULL)
			return ZP_ERR_MEMORY;
		m->entry = e;
		m->entry_cap = cap;
	}
	if (m->body_cap < ZP_HELLO_LEN(m->entry_cap)) {
		uint8_t *b = realloc(m->body, ZP_HELLO_LEN(m->entry_cap));
		if (b == NULL)
			return ZP_ERR_MEMORY;
		m->body = b;
		m->body_cap = ZP_HELLO_LEN(m->entry_cap);
	}
	return ZP_OK;
}

static void
fill_run(const struct zp_machine *m, struct zp_hello *h)
{
	if (!zp_phase_running(m) && m->phase != ZP_PHASE_DONE)
		return;
	h->flags |= ZP_HELLO_Z;
	memcpy(h->view, m->id, sizeof(h->view));
	memcpy(h->z, m->z, sizeof(h->z));
	if (m->has_x) {
		h->flags |= ZP_HELLO_X;
		memcpy(h->x, m->x, sizeof(h->x));
	}
	if (m->has_tag) {
		h->flags |= ZP_HELLO_TAG;
		memcpy(h->tag, m->tag, sizeof(h->tag));
	}
	if (m->phase == ZP_PHASE_DONE)
		h->flags |= ZP_HELLO_DONE;
}

static uint16_t
fill_entries(struct zp_machine *m)
{
	const struct zp_roster *r = &m->roster;
	uint16_t n = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct zp_roster_session *s = &r->s[r->by_mid[i]];
		if (!zp_bits_has(m->pick, r->by_mid[i]))
			continue;
		struct zp_hello_entry *e = &m->entry[n++];
		memcpy(e->mid, s->m.mid, sizeof(e->mid));
		e->ack = s->seq;
		e->seen = s->seen;
		if (s->told != s->seen)
			s->told_seq = m->seq;
		s->told = s->seen;
		s->listed = m->now_spoken;
	}
	return n;
}

static enum zp_err
speak(struct zp_machine *m, uint8_t flags)
{
	const struct zp_member *self = &m->roster.s[ZP_ROSTER_SELF].m;
	struct zp_hello h = {.flags = flags, .gen = self->who.gen};
	enum zp_err err = reserve(m, pick(m));

	if (err != ZP_OK)
		return err;
	if (m->fixed)
		h.flags |= ZP_HELLO_FIXED;
	h.notes = m->notes;
	h.messages = m->messages;
	m->now_spoken++;
	fill_run(m, &h);
	h.count = fill_entries(m);
	h.entries = m->entry;
	err = zp_hello_write(&h, m->body, m->body_cap, &m->body_len);
	if (err != ZP_OK)
		return err;
	memcpy(m->body_sid, self->who.sid, sizeof(m->body_sid));
	m->body_seq = m->seq++;
	m->body_ready = true;
	if ((h.flags & ZP_HELLO_DONE) != 0) {
		m->to_say_done = false;
		m->messages = m->messages_now;
	}
	m->sent_at[m->body_seq % m->sent_cap] = m->now;
	m->sent_last = m->now;
	m->sent_any = true;
	memcpy(m->listed, m->pick, m->roster.words * sizeof(*m->pick));
	if (m->seq > ZP_SEQ_MAX)
		m->worn = true;
	return ZP_OK;
}

static void
rearm(struct zp_machine *m)
{
	m->t_wait = ZP_NEVER;
	m->t_answer = ZP_NEVER;
	m->t_beat = m->now + about(m, m->t.beat);
	if (zp_phase_running(m))
		m->spacing = m->t.repeat;
	else if (m->spacing * 2 < m->t.beat)
		m->spacing *= 2;
	else
		m->spacing = m->t.beat;
	m->t_repeat = zp_phase_running(m) || zp_phase_unsettled(m)
	    ? m->now + about(m, m->spacing)
	    : ZP_NEVER;
}

enum zp_err
zp_voice_send(struct zp_machine *m)
{
	const uint64_t most = (uint64_t)m->t.tokens * m->t.token;

	if (!m->send)
		return ZP_OK;
	m->send = false;
	m->credit += m->now - m->credit_at;
	m->credit_at = m->now;
	if (m->credit > most)
		m->credit = most;
	if (m->credit < m->t.token) {
		m->t_wait = m->now + (m->t.token - m->credit);
		m->t_answer = ZP_NEVER;
		m->t_repeat = ZP_NEVER;
		if (m->t_beat < m->t_wait)
			m->t_beat = m->t_wait;
		return ZP_OK;
	}
	m->credit -= m->t.token;
	enum zp_err err = speak(m, 0);
	rearm(m);
	return err;
}

enum zp_err
zp_voice_leave(struct zp_machine *m)
{
	return speak(m, ZP_HELLO_LEAVE);
}
