#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proc/zp_live_impl.h"
#include "proc/zp_load.h"

/* Receipts that may go at once, in ms of waiting. */
#define RECEIPT_CREDIT 16000

/* ---- start --------------------------------------------------------------- */

/* DIR/NAME, and the folder. */
static enum zp_err
state_path(
    const struct zp_live *l, const char *name, char to[static ZP_PATH_MAX])
{
	int n = snprintf(to, ZP_PATH_MAX, "%s/%s", l->c->state, name);

	if (n < 0 || n >= ZP_PATH_MAX)
		return zp_live_fail(l, l->c->state, ZP_ERR_TOO_LONG);
	if (mkdir(l->c->state, 0700) != 0 && errno != EEXIST)
		return zp_live_fail(l, l->c->state, ZP_ERR_IO);
	return ZP_OK;
}

static enum zp_err
open_inbox(struct zp_live *l)
{
	struct zp_inbox_config ic = {.tool = l->c->tool,
	    .out = &l->out,
	    .style = l->c->json ? ZP_INBOX_JSON : ZP_INBOX_TEXT,
	    .format = zp_live_format(l),
	    .note_format = l->note_format,
	    .trust_path = l->c->trust_path,
	    .trust_new = l->c->trust_new,
	    .verbose = l->c->verbose,
	    .take = zp_live_take,
	    .again = zp_live_again,
	    .gap = zp_live_note_gap,
	    .arg = l};
	enum zp_err err;

	if (l->c->state != NULL) {
		err = state_path(l, "seen", l->seen_path);
		if (err)
			return err;
		ic.state_path = l->seen_path;
	}
	/* Made now, as confinement will not let us make it later. */
	if (l->c->trust_path == NULL) {
		char known[ZP_PATH_MAX];
		(void)!zp_path_state(known, "known", true);
	}
	err = zp_inbox_new(&l->inbox, &ic);
	return err ? err : zp_inbox_channel(l->inbox, l->c->key);
}

static enum zp_err
open_presence(struct zp_live *l)
{
	struct zp_machine_timing timing = zp_machine_timing_default;
	struct zp_presence_config pc = {.key = l->c->key,
	    .uid = l->c->uid,
	    .id = l->c->id,
	    .known = zp_inbox_known(l->inbox),
	    .no_time = l->c->no_time,
	    .timing = &timing,
	    .allowed = l->c->allowed,
	    .allowed_count = l->c->allowed_count,
	    .max_members = l->c->max_members,
	    .event = zp_live_event,
	    .arg = l};

	if (l->c->rekey > 0)
		timing.rekey = l->c->rekey > UINT32_MAX ? UINT32_MAX
							: (uint32_t)l->c->rekey;
	enum zp_err err = zp_presence_new(&l->presence, &pc);
	if (err) {
		zp_live_fail(l, l->c->uid, err);
		if (err == ZP_ERR_CHANGED || err == ZP_ERR_UNSIGNED)
			zp_hint("-i gives the identity; zpinc-key trust forget "
				"unpins it");
		return err;
	}
	const struct zp_member *self =
	    zp_machine_self(zp_presence_machine(l->presence));
	memcpy(l->p, self->who.p, sizeof(l->p));
	memcpy(l->sid, self->who.sid, sizeof(l->sid));
	return ZP_OK;
}

/* Notes that an earlier process left. */
static enum zp_err
restore(struct zp_live *l)
{
	const struct zp_outstore_note *n;
	struct zp_fault fault = {0};
	char path[ZP_PATH_MAX];
	size_t i = 0;

	if (l->c->state == NULL)
		return ZP_OK;
	enum zp_err err = state_path(l, "notes", path);
	if (err)
		return err;
	err = zp_outstore_open(&l->store, path, &fault);
	if (err == ZP_ERR_LOCKED) {
		zp_say(l->c->tool, "%s: another zpinc-pipe uses it", path);
		return err;
	}
	if (err) {
		zp_load_say(l->c->tool, path, err, &fault);
		return err;
	}
	while (!err && (n = zp_outstore_at(l->store, i++)) != NULL)
		err = zp_outbox_restore(l->outbox, l->now.ticks, n->sid, n->seq,
		    n->time, n->lines, n->len);
	if (i > 1)
		zp_say(l->c->tool, "%zu note%s of an earlier run to send",
		    i - 1, i == 2 ? "" : "s");
	return err;
}

static enum zp_err
open_outbox(struct zp_live *l)
{
	struct zp_outbox_config oc = {.msgkey = zp_key_msgkey(l->c->key),
	    .id = l->c->id,
	    .max_record = l->c->max_record,
	    .relays = l->c->n,
	    .event = zp_live_settled,
	    .arg = l};

	memcpy(oc.rp, zp_key_rp(l->c->key, false), sizeof(oc.rp));
	memcpy(oc.p, l->p, sizeof(oc.p));
	enum zp_err err = zp_outbox_new(&l->outbox, &oc, l->sid);
	if (!err)
		err = zp_order_new(&l->order, zp_live_gap, l);
	return err ? zp_live_fail(l, "starting", err) : restore(l);
}

static enum zp_err
open_all(struct zp_live *l)
{
	enum zp_err err = open_inbox(l);

	if (!err)
		err = open_presence(l);
	return err ? err : open_outbox(l);
}

static void
close_all(struct zp_live *l)
{
	zp_outbox_free(l->outbox);
	zp_order_free(l->order);
	zp_presence_free(l->presence);
	zp_inbox_free(l->inbox);
	zp_outstore_free(l->store);
	free(l->members);
	free(l->hello);
}

/* The folder that a file is in. */
static void
folder_of(char to[static ZP_PATH_MAX], const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		memcpy(to, ".", 2);
	else
		snprintf(to, ZP_PATH_MAX, "%.*s",
		    slash == path ? 1 : (int)(slash - path), path);
}

static void
dirs_of(const struct zp_live *l, char one[static ZP_PATH_MAX],
    const char *dirs[static 2])
{
	folder_of(one, zp_known_path(zp_inbox_known(l->inbox)));
	dirs[0] = one;
	dirs[1] = l->c->state;
}

static enum zp_err
join(struct zp_live *l)
{
	l->receipt_credit = RECEIPT_CREDIT;
	l->receipt_at = l->now.ticks;
	enum zp_err err = zp_presence_start(l->presence, &l->now);
	if (err == ZP_ERR_IO || err == ZP_ERR_LOCKED) {
		/* Our own pin could not be written. */
		zp_live_fail(l, zp_known_path(zp_inbox_known(l->inbox)), err);
		zp_hint("--trust FILE keeps known identities elsewhere");
	} else if (err) {
		zp_live_fail(l, l->c->uid, err);
	}
	return err;
}

/* ---- a turn -------------------------------------------------------------- */

static enum zp_err
begin(struct zp_live *l)
{
	return zp_inbox_begin(l->inbox);
}

static enum zp_err
work(struct zp_live *l)
{
	enum zp_err err = zp_inbox_settle(l->inbox);

	if (!err && l->end < ZP_LIVE_SHOWING) {
		err = zp_presence_tick(l->presence, &l->now);
		zp_outbox_tick(l->outbox, l->now.ticks);
		zp_order_tick(l->order, l->now.ticks);
	}
	if (!err)
		err = zp_live_show(l);
	if (!err && l->end < ZP_LIVE_SHOWING)
		err = zp_live_receipts(l);
	return err;
}

static enum zp_err
ready(struct zp_live *l)
{
	enum zp_err err = ZP_OK;

	if (l->store != NULL)
		err = zp_outstore_sync(l->store);
	return err ? err : zp_live_fetch_hello(l);
}

static enum zp_err
shown(struct zp_live *l)
{
	return zp_inbox_end(l->inbox, true);
}

static uint64_t
deadline(const struct zp_live *l)
{
	uint64_t t = zp_presence_deadline(l->presence);

	t = zp_live_least(t, zp_outbox_deadline(l->outbox));
	t = zp_live_least(t, zp_order_deadline(l->order));
	t = zp_live_least(t, zp_live_receipts_due(l));
	t = zp_live_least(t, zp_outbox_ask_due(l->outbox));
	return zp_live_least(t, zp_live_mode_due(l));
}

/* ---- relays -------------------------------------------------------------- */

static void
relay(struct zp_live *l, struct zp_live_link *link)
{
	zp_outbox_relay(l->outbox, l->now.ticks, (size_t)(link - l->link),
	    link->up, link->live);
}

/* Others may have spoken before we could hear them. */
static enum zp_err
live(struct zp_live *l, struct zp_live_link *link)
{
	(void)link;
	return zp_presence_announce(l->presence, &l->now);
}

static bool
unsaid(const struct zp_live *l, const struct zp_live_link *link)
{
	return link->spoken != l->hello_number;
}

/* ---- lines --------------------------------------------------------------- */

static bool
room(const struct zp_live *l)
{
	return zp_outbox_room(l->outbox);
}

static void
expect(struct zp_live *l, size_t n)
{
	zp_outbox_expect(l->outbox, n);
}

static size_t
pending(const struct zp_live *l)
{
	return zp_outbox_pending(l->outbox, ZP_KIND_NOTE) +
	    zp_outbox_pending(l->outbox, ZP_KIND_MESSAGE);
}

/* Says who has not acknowledged what. */
static void
give_up(struct zp_live *l)
{
	size_t notes = zp_outbox_pending(l->outbox, ZP_KIND_NOTE);

	zp_outbox_end(l->outbox, l->now.ticks);
	if (l->undelivered == 0)
		return;
	zp_say(l->c->tool, "%zu line%s not acknowledged%s%s", l->undelivered,
	    l->undelivered == 1 ? "" : "s", l->nobody[0] != '\0' ? " by " : "",
	    l->nobody);
	if (notes > 0 && l->store != NULL)
		zp_hint(
		    "notes are kept in %s and go out next time", l->c->state);
}

static enum zp_err
last(struct zp_live *l)
{
	zp_order_end(l->order, l->now.ticks);
	return zp_live_show(l);
}

static enum zp_err
leave(struct zp_live *l)
{
	/* What came behind the last mark may be out by now, too. */
	enum zp_err err = zp_live_show(l);

	/* The last word has all receipts. */
	zp_live_set_receipts(l);
	return err ? err : zp_presence_stop(l->presence, &l->now);
}

static enum zp_exit
finish(struct zp_live *l, bool good)
{
	enum zp_exit status = ZP_EXIT_OK;

	if (good && zp_inbox_finish(l->inbox) != ZP_OK)
		status = ZP_EXIT_IO;
	if (l->inbox != NULL && zp_inbox_status(l->inbox) > status)
		status = zp_inbox_status(l->inbox);
	return status;
}

const struct zp_live_ops zp_live_zp1 = {
    .open = open_all,
    .close = close_all,
    .dirs = dirs_of,
    .join = join,
    .last = last,
    .leave = leave,
    .begin = begin,
    .work = work,
    .ready = ready,
    .shown = shown,
    .taken = zp_live_taken,
    .deadline = deadline,
    .record = zp_live_record,
    .relay = relay,
    .live = live,
    .fill = zp_live_fill,
    .unsaid = unsaid,
    .mode = zp_live_mode_of,
    .why = zp_live_why,
    .room = room,
    .expect = expect,
    .send = zp_live_send_line,
    .notes = "nobody else is here: lines are notes, which whoever has the key "
	     "can read, also later",
    .who = zp_live_who,
    .pending = pending,
    .give_up = give_up,
    .finish = finish,
};
