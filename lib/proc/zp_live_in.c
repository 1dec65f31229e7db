#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crypt/zp_group.h"
#include "crypt/zp_pseudo.h"
#include "proc/zp_live_impl.h"

/* A receipt that went out so long ago and is not acknowledged was lost. */
#define RECEIPT_LOST 1000
/* Receipts: so many at once, one more every so often, so far apart. */
#define RECEIPTS 4
#define RECEIPT_EVERY 4000
#define RECEIPT_GAP 300
/* That a relay went up or down is told so often at once, and again after. */
#define STATUS_MOST 16
#define STATUS_EVERY 5000

/* ---- shown to us --------------------------------------------------------- */

enum zp_err
zp_live_take(void *arg, const struct zp_piece *piece, enum zp_trust trust)
{
	struct zp_live *l = arg;
	uint8_t conv[ZP_CONV_ID_LEN];

	/* Whose key opened its last part. */
	if (!zp_inbox_conv(l->inbox, piece->body->slot, conv))
		return ZP_OK;
	enum zp_err err = zp_order_add(l->order, l->now.ticks, conv,
	    piece->body, piece->data, piece->len, (int)trust);
	if (err == ZP_ERR_REPLAY)
		return ZP_OK;
	l->came = true;
	return err;
}

enum zp_err
zp_live_again(void *arg, const struct zp_opened *opened)
{
	struct zp_live *l = arg;
	const struct zp_payload *p = &opened->payload;
	struct zp_body body = {.kind = ZP_KIND_MESSAGE, .seq = p->seq};
	uint8_t conv[ZP_CONV_ID_LEN];

	/* `first` stands in part 0, and the name of a body in each. */
	if (p->part != 0 || p->body_len < 8 ||
	    !zp_inbox_conv(l->inbox, opened->slot, conv))
		return ZP_OK;
	memcpy(body.p, opened->p, sizeof(body.p));
	memcpy(body.sid, p->sid, sizeof(body.sid));
	for (size_t i = 0; i < 8; i++)
		body.first = body.first << 8 | p->body[i];
	if (body.first > body.seq)
		return ZP_OK;
	enum zp_err err = zp_order_known(l->order, l->now.ticks, conv, &body);
	if (err == ZP_ERR_REPLAY)
		return ZP_OK;
	l->came = true;
	return err;
}

enum zp_err
zp_live_show(struct zp_live *l)
{
	struct zp_order_shown s;
	enum zp_err err = ZP_OK;

	while (!err && zp_order_next(l->order, &s))
		err = zp_inbox_show(l->inbox, &s.body, s.data, s.len,
		    (enum zp_trust)s.tag, s.conv);
	/* One mark at a time: the next, when this one was reached. */
	if (!err && !l->mark_waits) {
		zp_order_mark(l->order, l->now.ticks);
		l->marked = l->came;
		l->came = false;
		zp_live_mark(l);
	}
	/* Now, so that this turn's hello can speak of it. */
	if (l->mark_waits)
		zp_live_flush(l);
	return err;
}

void
zp_live_taken(struct zp_live *l)
{
	zp_order_release(l->order);
	l->unseen = l->unseen || l->marked;
	l->marked = false;
}

void
zp_live_note_gap(void *arg, const char *uid, enum zp_kind kind,
    uint64_t missing, uint64_t before)
{
	(void)before;
	zp_live_tell_gap(arg, uid, kind, missing, "");
}

/* Who has messages of that session which we have not. */
static void
find_holder(struct zp_live *l, const struct zp_order_gap *gap,
    char to[static ZP_NAME_MAX + 1])
{
	struct zp_machine *m = zp_presence_machine(l->presence);
	struct zp_machine_peer peer;

	to[0] = '\0';
	for (size_t i = 0; i < zp_machine_places(m); i++) {
		if (!zp_machine_peer(m, i, &peer) ||
		    memcmp(peer.member->who.p, gap->p, sizeof(gap->p)) != 0 ||
		    memcmp(peer.member->who.sid, gap->sid, ZP_SID_LEN) != 0)
			continue;
		if (peer.seen_most_by != NULL && peer.seen_most >= gap->to)
			snprintf(
			    to, ZP_NAME_MAX + 1, "%s", peer.seen_most_by->uid);
	}
}

void
zp_live_gap(void *arg, struct zp_order_gap *gap)
{
	struct zp_live *l = arg;
	char uid[ZP_NAME_MAX + 1], holder[ZP_NAME_MAX + 1];

	if (zp_pseudo_open(uid, zp_key_amac(l->c->key), zp_key_aenc(l->c->key),
		gap->p) != ZP_OK)
		return;
	/* An earlier process of ours may have shown some. */
	uint64_t shown = zp_inbox_next(l->inbox, gap->p, gap->sid);
	if (gap->from < shown)
		gap->from = shown < gap->to ? shown : gap->to;
	if (gap->from == gap->to)
		return;
	find_holder(l, gap, holder);
	zp_live_tell_gap(l, uid, ZP_KIND_MESSAGE, gap->to - gap->from, holder);
}

/* ---- hellos -------------------------------------------------------------- */

static enum zp_err
take_hello(struct zp_live *l, const struct zp_opened *opened)
{
	struct zp_machine *m = zp_presence_machine(l->presence);
	struct zp_group_member from = {.gen = 0};
	struct zp_machine_peer peer;
	uint8_t mid[ZP_GROUP_MID_LEN];

	memcpy(from.p, opened->p, sizeof(from.p));
	memcpy(from.sid, opened->payload.sid, sizeof(from.sid));
	if (opened->payload.idkey != NULL)
		memcpy(from.idkey, opened->payload.idkey, sizeof(from.idkey));
	zp_group_mid(&from, mid);
	if (!zp_machine_find(m, mid, &peer))
		return ZP_OK;
	zp_outbox_heard(
	    l->outbox, l->now.ticks, mid, peer.seen_ours, peer.acks_sent_at);
	enum zp_err err = zp_inbox_announce(
	    l->inbox, from.p, from.sid, peer.notes_at_first, peer.notes);
	if (err)
		return err;
	if (!peer.in_view && !peer.in_conv && !peer.done)
		return ZP_OK;
	const struct zp_order_hello said = {.seq = opened->payload.seq,
	    .messages = peer.messages,
	    .done = peer.done};
	/* An old hello that came late: the last one counts. */
	if (said.seq != peer.seq)
		return ZP_OK;
	/* It may be waiting for an answer, and for this one. */
	err =
	    zp_order_announce(l->order, l->now.ticks, from.p, from.sid, &said);
	if (zp_order_waits(l->order, from.p, from.sid) ||
	    (peer.told_at != 0 && l->now.ticks - peer.told_at >= RECEIPT_LOST))
		l->unseen = true;
	return err;
}

/* Presence is of now: what a history holds of it was said some time ago. */
static bool
is_of_before(const struct zp_live *l, const struct zp_live_link *link,
    const struct zp_record *rec)
{
	return !zp_live_is_mute(link) && !link->live &&
	    rec->prefix == ZP_PREFIX_ZP1 && rec->rp_len == ZP_TOPIC_LEN &&
	    memcmp(rec->rp, zp_key_topic(l->c->key, true), ZP_TOPIC_LEN) == 0;
}

/*
 * What we said ourselves comes back; or what we said under another session,
 * or somebody says as us.
 */
static enum zp_err
take_echo(struct zp_live *l, struct zp_live_link *link,
    const struct zp_record *rec, const struct zp_presence_got *got,
    const uint8_t *conv)
{
	const struct zp_payload *p = &got->opened.payload;
	const struct zp_outbox_echo echo = {.sid = p->sid,
	    .kind = (enum zp_kind)p->kind,
	    .seq = p->seq,
	    .part = p->part,
	    .text = rec->line,
	    .len = rec->len};
	const bool held = zp_outbox_shown(
	    l->outbox, l->now.ticks, (size_t)(link - l->link), &echo);

	if (l->c->echo || (!held && memcmp(p->sid, l->sid, ZP_SID_LEN) != 0))
		return zp_inbox_opened(l->inbox, &got->opened, conv);
	return held ? zp_inbox_skip(l->inbox, &got->opened) : ZP_OK;
}

static enum zp_err
take_body(struct zp_live *l, struct zp_live_link *link,
    const struct zp_record *rec, const struct zp_presence_got *got)
{
	const bool message = got->opened.payload.kind == ZP_KIND_MESSAGE;
	const uint8_t *conv = NULL;

	if (message) {
		if (got->conv == NULL)
			return ZP_OK;
		conv = got->conv->keys->id;
	}
	if (memcmp(got->opened.p, l->p, sizeof(l->p)) == 0)
		return take_echo(l, link, rec, got, conv);
	return zp_inbox_opened(l->inbox, &got->opened, conv);
}

enum zp_err
zp_live_record(
    struct zp_live *l, struct zp_live_link *link, const struct zp_record *rec)
{
	struct zp_presence_got got;

	if (is_of_before(l, link, rec))
		return ZP_OK;
	enum zp_err err = zp_presence_record(l->presence, &l->now, rec, &got);
	if (err)
		return err;
	switch (got.what) {
	case ZP_PRESENCE_HELLO:
		return take_hello(l, &got.opened);
	case ZP_PRESENCE_BODY:
		return take_body(l, link, rec, &got);
	case ZP_PRESENCE_BAD:
		/* A changed box or a torn line: anybody can write that. */
		if (got.err != ZP_ERR_CORRUPT) {
			if (l->c->verbose)
				zp_say(l->c->tool,
				    "%s: a record was refused: %s",
				    link->r->name, zp_err_text(got.err));
			return ZP_OK;
		}
		break;
	case ZP_PRESENCE_NOISE:
	case ZP_PRESENCE_OTHER:
		break;
	}
	if (got.what != ZP_PRESENCE_OTHER)
		zp_reader_retry(&link->reader, rec);
	link->noise++;
	return ZP_OK;
}

/* ---- one relay ----------------------------------------------------------- */

/* A transport, or who it talks to, can go up and down for ever. */
static bool
may_tell(const struct zp_live *l, struct zp_live_link *link)
{
	return zp_budget_spend(
	    &link->tell, l->now.ticks, STATUS_MOST, STATUS_EVERY);
}

void
zp_live_came_up(struct zp_live *l, struct zp_live_link *link)
{
	const bool back = !link->up && link->down[0] != '\0';

	if (!link->up)
		link->since = l->now.ticks;
	link->up = true;
	link->down[0] = '\0';
	l->ops->relay(l, link);
	if (back && may_tell(l, link))
		zp_live_tell_relay(l, link, NULL);
}

static enum zp_err
take_status(struct zp_live *l, struct zp_live_link *link)
{
	const char *reason = zp_status_is(&link->status, "down");
	const char *ended = zp_status_is(&link->status, "ended");
	char safe[ZP_SAY_NAME];

	if (reason != NULL || ended != NULL) {
		zp_say_name(safe, reason != NULL ? reason : ended);
		/* Why it was down says more than how it ended. */
		if (ended != NULL && !link->up && link->down[0] != '\0')
			memcpy(safe, link->down, sizeof(safe));
		bool news = link->up || strcmp(safe, link->down) != 0;
		memcpy(link->down, safe, sizeof(link->down));
		link->told = true;
		link->up = link->live = false;
		l->ops->relay(l, link);
		if (news && may_tell(l, link))
			zp_live_tell_relay(l, link, safe);
		return ZP_OK;
	}
	if (zp_status_is(&link->status, "again") != NULL) {
		/* Its parent begins it anew: nothing is known of it yet. */
		link->told = false;
		return ZP_OK;
	}
	bool up = zp_status_is(&link->status, "up") != NULL;
	bool live = zp_status_is(&link->status, "live") != NULL;
	if (!up && !live)
		return ZP_OK;
	bool became = live && !link->live;
	link->told = true;
	link->live = link->live || live;
	zp_live_came_up(l, link);
	return became ? l->ops->live(l, link) : ZP_OK;
}

static void
close_link(struct zp_live *l, struct zp_live_link *link, const char *why)
{
	if (link->hears)
		zp_live_tell_relay(l, link, why);
	link->hears = link->up = link->live = false;
	l->ops->relay(l, link);
}

/*
 * A command may print what it gets as it is, so that anybody who can publish
 * has it say that it is down.  What gives us a record is not.
 */
static void
heard_after_all(struct zp_live *l, struct zp_live_link *link)
{
	if (link->up || link->r->tells)
		return;
	link->told = false;
	zp_live_came_up(l, link);
}

enum zp_err
zp_live_hear(struct zp_live *l, struct zp_live_link *link)
{
	char buf[ZP_SAY_NAME];
	struct zp_reader *r = &link->reader;
	struct zp_record rec;
	bool records = false;
	size_t before = zp_in_len(&r->in) - r->from;
	enum zp_err err = zp_reader_fill(r);

	if (err == ZP_ERR_IO && (errno == EAGAIN || errno == EINTR))
		return ZP_OK;
	if (err == ZP_ERR_IO) {
		close_link(l, link, zp_say_err(buf, err));
		return ZP_OK;
	}
	if (err)
		return err;
	const char *end = zp_in_at(&r->in) + zp_in_len(&r->in);
	const char *at = end - (zp_in_len(&r->in) - before);
	/* Records come before the #live behind them, so they go first. */
	while (!err && zp_reader_next(r, &rec)) {
		records = true;
		heard_after_all(l, link);
		err = l->ops->record(l, link, &rec);
	}
	link->heard_at = l->now.ticks;
	while (!err && zp_status_next(&link->status, &at, end))
		err = take_status(l, link);
	if (records && !link->told && !link->mute) {
		link->mute = true;
		link->since = l->now.ticks;
	}
	if (!err && r->in.eof)
		close_link(l, link, "its transport has ended");
	return err;
}

/* ---- receipts ------------------------------------------------------------ */

void
zp_live_set_receipts(struct zp_live *l)
{
	struct zp_machine *m = zp_presence_machine(l->presence);
	struct zp_machine_peer peer;

	for (size_t i = 0; i < zp_machine_places(m); i++)
		if (zp_machine_peer(m, i, &peer))
			zp_machine_set_seen(m, peer.member->mid,
			    zp_order_seen(l->order, peer.member->who.p,
				peer.member->who.sid));
	zp_machine_set_notes(m, zp_outbox_count(l->outbox, ZP_KIND_NOTE));
	zp_machine_set_messages(m, zp_outbox_count(l->outbox, ZP_KIND_MESSAGE));
}

uint64_t
zp_live_receipts_due(const struct zp_live *l)
{
	uint64_t at = l->receipt_at + RECEIPT_GAP;

	if (!l->unseen)
		return ZP_NEVER_MS;
	if (l->receipt_credit < RECEIPT_EVERY)
		at = l->receipt_at + RECEIPT_EVERY - l->receipt_credit;
	return at;
}

enum zp_err
zp_live_receipts(struct zp_live *l)
{
	const uint64_t most = (uint64_t)RECEIPTS * RECEIPT_EVERY;
	const uint64_t now = l->now.ticks;

	zp_live_set_receipts(l);
	if (zp_outbox_ask_due(l->outbox) <= now) {
		zp_outbox_asked(l->outbox, now);
		l->unseen = true;
	}
	if (!l->unseen || now < zp_live_receipts_due(l))
		return ZP_OK;
	uint64_t credit = l->receipt_credit + (now - l->receipt_at);
	l->receipt_credit = (credit > most ? most : credit) - RECEIPT_EVERY;
	l->receipt_at = now;
	l->unseen = false;
	return zp_presence_announce(l->presence, &l->now);
}
