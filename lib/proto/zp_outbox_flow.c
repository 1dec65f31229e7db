#include "proto/zp_outbox_impl.h"

#include <string.h>

/* Records that came back after it before one counts as lost. */
#define REORDER 8
/* The window is not halved twice for one loss. */
#define CALM_MS 500

/* ---- handing out --------------------------------------------------------- */

static bool
window_is_open(const struct zp_outbox *o, enum zp_kind kind)
{
	size_t most = o->window;

	if ((o->flying_notes || kind == ZP_KIND_NOTE) &&
	    most > ZP_OUTBOX_WINDOW_NOTES)
		most = ZP_OUTBOX_WINDOW_NOTES;
	return o->flying < most;
}

/* What has gone out so many times goes again after so long. */
static uint64_t
again_after(const struct zp_outbox *o, unsigned tries)
{
	uint64_t ms = (ZP_OUTBOX_AGAIN_MS + 2 * o->echo) << tries;

	return tries < ZP_OUTBOX_AGAIN ? zp_outbox_least(ms, ZP_OUTBOX_BEAT_MS)
				       : ZP_OUTBOX_BEAT_MS;
}

static void
hand_out(struct zp_outbox *o, uint64_t now, struct zp_outitem *it,
    struct zp_outline *l, uint16_t bit)
{
	if (l->had == 0) {
		l->flying = true;
		o->fresh--;
		l->order = ++o->order;
		o->flying++;
		o->flying_notes = o->flying_notes || it->kind == ZP_KIND_NOTE;
		o->moved = now;
	}
	l->want &= (uint16_t)~bit;
	l->had |= bit;
	it->sent = now;
	if (it->began == 0)
		it->began = now;
	it->due = now + again_after(o, it->tries);
	o->due = zp_outbox_least(o->due, it->due);
	if (it->kind == ZP_KIND_MESSAGE && o->ask_due == UINT64_MAX)
		o->ask_due = now + ZP_OUTBOX_ASK_MS;
}

bool
zp_outbox_next(struct zp_outbox *o, uint64_t now, size_t relay,
    const char **line, size_t *len)
{
	const uint16_t bit = (uint16_t)(1u << relay);

	for (struct zp_outitem *it = o->hint[relay]; it != NULL;
	     it = it->next) {
		o->hint[relay] = it;
		for (size_t i = 0; i < it->n && !it->done; i++) {
			struct zp_outline *l = &it->line[i];
			if ((l->want & bit) == 0)
				continue;
			if (l->had == 0 && !window_is_open(o, it->kind))
				return false;
			hand_out(o, now, it, l, bit);
			*line = it->text + l->at;
			*len = l->len;
			return true;
		}
	}
	o->hint[relay] = NULL;
	return false;
}

/* Something was lost: half the window, but once for one loss. */
static void
slow_down(struct zp_outbox *o, uint64_t now)
{
	if (now < o->calm)
		return;
	o->calm = now + CALM_MS;
	o->easy = o->window / 2;
	if (o->easy < ZP_OUTBOX_WINDOW_LEAST)
		o->easy = ZP_OUTBOX_WINDOW_LEAST;
	o->window = o->easy;
}

static void
speed_up(struct zp_outbox *o)
{
	if (o->window >= ZP_OUTBOX_WINDOW_MOST)
		return;
	if (o->window >= o->easy && ++o->credit < o->window)
		return;
	o->credit = 0;
	o->window++;
}

static void
want(struct zp_outbox *o, struct zp_outline *l, uint16_t relays)
{
	l->want |= relays;
	for (size_t r = 0; r < o->c.relays; r++)
		if (relays & (1u << r))
			o->hint[r] = o->head;
}

/* What later records have overtaken is lost: again, at once, once. */
static void
resend_overtaken(struct zp_outbox *o, uint64_t now)
{
	for (struct zp_outitem *it = o->flight; it != NULL; it = it->next) {
		for (size_t i = 0; i < it->n; i++) {
			struct zp_outline *l = &it->line[i];
			if (l->had == 0)
				return; /* fresh ones go out in order */
			if (!l->flying)
				continue;
			if (l->order + REORDER > o->shown_order)
				return;
			zp_outbox_land(o, l);
			if (l->again)
				continue;
			l->again = true;
			want(o, l, (uint16_t)(l->had & o->up));
			slow_down(o, now);
		}
		if (it == o->flight)
			o->flight = it->next;
	}
}

bool
zp_outbox_shown(struct zp_outbox *o, uint64_t now, size_t relay,
    const struct zp_outbox_echo *echo)
{
	struct zp_outitem *it =
	    zp_outbox_find(o, echo->sid, echo->kind, echo->seq);

	if (it == NULL || echo->part >= it->n)
		return false;
	struct zp_outline *l = &it->line[echo->part];
	/* Behind each line is its newline. */
	if (echo->len + 1 != l->len ||
	    memcmp(echo->text, it->text + l->at, echo->len) != 0)
		return false;
	bool first = l->shown == 0;
	l->shown |= (uint16_t)(1u << relay);
	o->moved = now;
	if (first && l->flying) {
		if (!l->again && it->tries == 0)
			o->echo = (7 * o->echo + (now - it->sent)) / 8;
		zp_outbox_land(o, l);
		speed_up(o);
		if (l->order > o->shown_order)
			o->shown_order = l->order;
		resend_overtaken(o, now);
	}
	if (it->kind == ZP_KIND_NOTE && zp_outbox_judge_note(o, it))
		zp_outbox_remove(o, it);
	return true;
}

void
zp_outbox_relay(
    struct zp_outbox *o, uint64_t now, size_t relay, bool up, bool live)
{
	const uint16_t bit = (uint16_t)(1u << relay);
	bool was_live = (o->live & bit) != 0;

	o->up = (uint16_t)(up ? o->up | bit : o->up & ~bit);
	o->live = (uint16_t)(live ? o->live | bit : o->live & ~bit);
	if (was_live == live)
		return;
	for (struct zp_outitem *it = o->head; it != NULL && live;
	     it = it->next) {
		bool had = false;
		for (size_t i = 0; i < it->n; i++)
			had |=
			    (it->line[i].had & ~it->line[i].shown & bit) != 0;
		if (had)
			it->due =
			    zp_outbox_least(it->due, now + ZP_OUTBOX_LIVE_MS);
		o->due = zp_outbox_least(o->due, it->due);
	}
	zp_outbox_judge(o);
}

/* ---- time ---------------------------------------------------------------- */

/* Somebody lacks it: how far do those go, one behind the other? */
static void
note_again(struct zp_outbox *o, const struct zp_outitem *it)
{
	if (it->seq != o->again_to)
		o->again_from = it->seq;
	o->again_to = it->seq + 1;
}

void
zp_outbox_lost(struct zp_outbox *o, uint64_t now,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen)
{
	uint64_t n = 2 * (o->again_to - o->again_from);
	struct zp_outitem *it;

	if (n == 0 || seen != o->again_to)
		return;
	o->again_from = o->again_to;
	n = zp_outbox_least(n, ZP_OUTBOX_WINDOW_MOST);
	for (struct zp_audience *a = o->audiences; a != NULL; a = a->next)
		zp_audience_lost(a, mid, n);
	it = zp_outbox_find(o, o->sid, ZP_KIND_MESSAGE, seen);
	for (size_t i = 0; it != NULL && i < n; it = it->next, i++)
		if (it->kind == ZP_KIND_MESSAGE && it->sent != 0)
			it->due = o->due = now;
	o->burst = (size_t)n;
}

/* Its time has come: is it to go out again?  Returns how many records are. */
static size_t
look(struct zp_outbox *o, uint64_t now, struct zp_outitem *it)
{
	bool deaf =
	    it->to != NULL && zp_audience_deaf(it->to, it->seq, it->sent);
	size_t again = 0;

	it->due = now + ZP_OUTBOX_LOOK_MS;
	for (size_t i = 0; i < it->n; i++) {
		struct zp_outline *l = &it->line[i];
		uint16_t relays =
		    (uint16_t)(deaf ? o->up : o->up & l->had & ~l->shown);
		if (relays == 0)
			continue;
		again++;
		if (l->shown == 0)
			slow_down(o, now);
		zp_outbox_land(o, l);
		want(o, l, relays);
	}
	if (again > 0 && it->tries < ZP_OUTBOX_AGAIN)
		it->tries++;
	if (again > 0 && deaf)
		note_again(o, it);
	return again;
}

/* Nothing comes back: what is on its way does not hold up the rest. */
static void
lapse(struct zp_outbox *o, uint64_t now)
{
	if (o->flying == 0 || now - o->moved < ZP_OUTBOX_STALL_MS)
		return;
	for (struct zp_outitem *it = o->head; it != NULL && o->flying > 0;
	     it = it->next)
		for (size_t i = 0; i < it->n; i++)
			zp_outbox_land(o, &it->line[i]);
	o->moved = now;
}

void
zp_outbox_tick(struct zp_outbox *o, uint64_t now)
{
	const size_t most = o->burst > o->window ? o->burst : o->window;
	size_t again = 0;

	lapse(o, now);
	zp_outbox_make_room(o, now);
	if (now < o->due)
		return;
	o->due = UINT64_MAX;
	o->burst = 0;
	/* A relay that loses records by their number is not helped by more of
	 * them: the first ones, as many as may be on their way. */
	for (struct zp_outitem *it = o->head; it != NULL; it = it->next) {
		if (it->due <= now && !it->done && again < most &&
		    (it->to == NULL || !it->to->gone))
			again += look(o, now, it);
		if (!it->done)
			o->due = zp_outbox_least(o->due, it->due);
	}
	if (o->due < now + ZP_OUTBOX_SCAN_MS)
		o->due = now + ZP_OUTBOX_SCAN_MS;
	zp_outbox_judge(o);
}

uint64_t
zp_outbox_ask_due(const struct zp_outbox *o)
{
	return o->pending[1] > 0 ? o->ask_due : UINT64_MAX;
}

void
zp_outbox_asked(struct zp_outbox *o, uint64_t now)
{
	uint64_t wait = (uint64_t)ZP_OUTBOX_AGAIN_MS << o->asks;

	o->ask_due = now + zp_outbox_least(wait, ZP_OUTBOX_BEAT_MS);
	if (o->asks < ZP_OUTBOX_AGAIN)
		o->asks++;
}

uint64_t
zp_outbox_deadline(const struct zp_outbox *o)
{
	uint64_t t = o->flying > 0 ? o->moved + ZP_OUTBOX_STALL_MS : UINT64_MAX;

	return zp_outbox_least(t, o->due);
}

size_t
zp_outbox_window(const struct zp_outbox *o)
{
	return o->window;
}
