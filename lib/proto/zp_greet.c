#include "proto/zp_greet.h"

#include <string.h>

#include "proto/zp_bits.h"
#include "proto/zp_phase.h"
#include "proto/zp_voice.h"
#include "wire/zp_payload.h"

static void
refuse(struct zp_machine *m, enum zp_machine_event_kind kind, enum zp_err err,
    const struct zp_machine_hello *in)
{
	struct zp_member who = {.who = in->from};
	struct zp_machine_event ev = {.kind = kind, .err = err, .member = &who};

	memcpy(who.uid, in->uid, sizeof(who.uid));
	if (m->report != NULL)
		m->report(m->arg, &ev);
}

static bool
same_idkey(const struct zp_group_member *a, const struct zp_group_member *b)
{
	return memcmp(a->idkey, b->idkey, sizeof(a->idkey)) == 0;
}

/*
 * Somebody speaks as our session, or it is an echo.  Others believe the
 * highest seq, so only a new session gets our own voice back.  Who signs
 * with another key is refused by others as we refuse it, and must not be
 * able to throw us out of a conversation.
 */
static void
hear_self(struct zp_machine *m, const struct zp_machine_hello *in)
{
	const struct zp_member *self = &m->roster.s[ZP_ROSTER_SELF].m;

	if (in->verdict != ZP_OK) {
		refuse(m, ZP_EVENT_REFUSED, in->verdict, in);
	} else if (!same_idkey(&in->from, &self->who)) {
		refuse(m, ZP_EVENT_IMPOSTOR, ZP_ERR_CHANGED, in);
	} else if (in->seq >= m->seq) {
		refuse(m, ZP_EVENT_IMPOSTOR, ZP_OK, in);
		m->worn = true;
	}
}

/* A member shows one value in a view, for ever. */
static bool
contradicts(const struct zp_roster_session *s, const struct zp_hello *h)
{
	if ((s->flags & ZP_HELLO_Z) == 0 || (h->flags & ZP_HELLO_Z) == 0 ||
	    memcmp(s->view, h->view, sizeof(s->view)) != 0)
		return false;
	/* What was shown may not be taken back either. */
	return memcmp(s->z, h->z, sizeof(s->z)) != 0 ||
	    ((s->flags & ZP_HELLO_X) != 0 &&
		memcmp(s->x, h->x, sizeof(s->x)) != 0) ||
	    ((s->flags & ZP_HELLO_TAG) != 0 &&
		memcmp(s->tag, h->tag, sizeof(s->tag)) != 0);
}

static enum zp_err
welcome(struct zp_machine *m, const struct zp_machine_hello *in, uint32_t gen,
    size_t *place)
{
	struct zp_member member = {.who = in->from};
	const size_t words = m->roster.words;

	member.who.gen = gen;
	memcpy(member.uid, in->uid, sizeof(member.uid));
	zp_group_mid(&member.who, member.mid);
	for (size_t w = 0; w < words; w++)
		m->choice[w] = m->in[w] | m->conv[w];
	zp_bits_add(m->choice, ZP_ROSTER_SELF);
	size_t victim = zp_roster_victim(&m->roster, m->choice);
	if (victim != ZP_ROSTER_NONE) {
		if (zp_bits_has(m->was_near, victim))
			zp_machine_tell(m, ZP_EVENT_OFFLINE, ZP_OK, victim);
		zp_bits_del(m->was_near, victim);
		zp_bits_del(m->listed, victim);
	}
	enum zp_err err = zp_roster_add(&m->roster, &member, m->choice, place);
	return err;
}

/*
 * FLAP.  Only what proves that it lives counts, so that a relay cannot make a
 * user flap by sending what that user once said.  What flaps and is gone
 * again must never be heard, so it has to say something after its hold.
 */
static void
prove(struct zp_machine *m, struct zp_roster_session *s)
{
	if (s->proved || m->now >= s->near_until)
		return;
	s->proved = true;
	s->mute = m->now +
	    zp_roster_flap(
		&m->roster, s->m.who.p, m->now, m->t.flap, m->t.hold);
}

/*
 * Who does not know us or lacks our last word is answered; a hello that went
 * out a moment ago may still be under way.
 */
static void
answer(struct zp_machine *m, size_t place)
{
	const struct zp_roster_session *s = &m->roster.s[place];

	if (s->left || m->now < s->hold || m->now < s->mute)
		return;
	if (!zp_bits_has(m->listed, place) ||
	    (m->now >= s->near_until && m->now >= m->sent_last + m->t.gap) ||
	    (m->phase == ZP_PHASE_DONE && zp_phase_shows(m, place, 0) &&
		(s->flags & ZP_HELLO_DONE) == 0))
		zp_voice_answer(m);
}

static void
keep(struct zp_machine *m, size_t place, uint64_t seq, const struct zp_hello *h)
{
	struct zp_hello_entry us;
	bool has_us;
	uint64_t when;
	struct zp_roster_session *s = zp_machine_session(m, place);

	zp_roster_keep(&m->roster, place, seq, h, m->now, &us, &has_us);
	s->near_until = 0;
	if (has_us) {
		s->seen_ours = us.seen;
		s->ack = us.ack;
	}
	/* An ack of what we never sent is a lie and proves nothing. */
	if (has_us && zp_voice_sent_at(m, us.ack, &when)) {
		s->near_until = when + m->t.stale;
		s->acks_sent_at = when;
		prove(m, s);
	}
	zp_roster_touch(&m->roster, place);
	zp_phase_note(m, place);
	if (s->left)
		zp_machine_tell(m, ZP_EVENT_LEFT, ZP_OK, place);
	else
		m->last_heard = m->now;
	answer(m, place);
}

static enum zp_err
known(struct zp_machine *m, const struct zp_machine_hello *in,
    const struct zp_hello *h, size_t place)
{
	struct zp_roster_session *s = zp_machine_session(m, place);

	if (!same_idkey(&s->m.who, &in->from)) {
		refuse(m, ZP_EVENT_REFUSED, ZP_ERR_CHANGED, in);
		return ZP_OK;
	}
	if (s->left || in->seq <= s->seq || h->gen < s->m.who.gen)
		return ZP_OK;
	if (contradicts(s, h)) {
		if (s->hold < m->now + m->t.hold)
			s->hold = m->now + m->t.hold;
		zp_machine_tell(m, ZP_EVENT_TWO_VALUES, ZP_ERR_EXISTS, place);
	}
	keep(m, place, in->seq, h);
	return ZP_OK;
}

enum zp_err
zp_greet_hello(struct zp_machine *m, const struct zp_machine_hello *in)
{
	struct zp_hello h;
	const uint16_t most = (uint16_t)(m->rules.max_members + ZP_HELLO_SPARE);
	size_t place = zp_roster_find(&m->roster, &in->from);

	if (place == ZP_ROSTER_SELF) {
		hear_self(m, in);
		return ZP_OK;
	}
	if (!zp_machine_allows(m, in->uid))
		return ZP_OK;
	if (in->seq > ZP_SEQ_MAX ||
	    zp_hello_parse(&h, in->body, in->len, most) != ZP_OK) {
		refuse(m, ZP_EVENT_REFUSED, ZP_ERR_FORMAT, in);
		return ZP_OK;
	}
	if (((h.flags & ZP_HELLO_FIXED) != 0) != m->fixed)
		return ZP_OK;
	if (in->verdict != ZP_OK) {
		refuse(m, ZP_EVENT_REFUSED, in->verdict, in);
		return ZP_OK;
	}
	if (place != ZP_ROSTER_NONE)
		return known(m, in, &h, place);
	enum zp_err err = welcome(m, in, h.gen, &place);
	if (err == ZP_OK)
		keep(m, place, in->seq, &h);
	else if (err == ZP_ERR_FULL)
		refuse(m, ZP_EVENT_REFUSED, ZP_ERR_FULL, in);
	return err == ZP_ERR_FULL ? ZP_OK : err;
}
