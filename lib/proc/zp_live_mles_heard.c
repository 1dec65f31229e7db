#include "proc/zp_live_mles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/zp_format.h"

/* Names that are told in one line. */
#define NAMES_TOLD 16

/* In place of one that is no string. */
#define NUL_NAME "(a name with a NUL)"

/* ---- words --------------------------------------------------------------- */

static const char *
uid_of(char to[static ZP_MLES_NAME_MAX + 1], const struct zp_mles_name *name)
{
	return zp_mles_text_uid(to, name) ? to : NUL_NAME;
}

/* For a line of text; what stands for a name is no word, as names are. */
static const char *
name_of(char to[static ZP_SAY_NAME], const struct zp_mles_name *name)
{
	char uid[ZP_MLES_NAME_MAX + 1];

	return zp_mles_text_uid(uid, name) ? zp_say_uid(to, uid) : NUL_NAME;
}

/*
 * Something that only a relay, or a member that does not follow the rules,
 * can have caused.  Whoever causes it can do so without end, so not every one
 * is told.
 */
static void
suspect(struct zp_live *l, const struct zp_mles_name *name, const char *why)
{
	struct zp_live_member *m = l->mles;
	const uint64_t now = l->now.ticks;
	char uid[ZP_MLES_NAME_MAX + 1], safe[ZP_SAY_NAME];

	if (m->alarms < ZP_LIVE_ALARMS &&
	    now - m->alarm_at >= ZP_LIVE_ALARM_EVERY) {
		m->alarms++;
		m->alarm_at = now;
	}
	if (m->alarms == 0) {
		m->unsaid++;
		return;
	}
	if (m->alarms == ZP_LIVE_ALARMS)
		m->alarm_at = now;
	m->alarms--;
	if (zp_live_json(l, "refused")) {
		if (name->len > 0)
			zp_live_json_text(l, "uid", uid_of(uid, name));
		zp_live_json_text(l, "why", why);
		zp_live_json_end(l);
	}
	if (m->unsaid > 0)
		zp_say(l->c->tool, "%" PRIu64 " of the sort were not told",
		    m->unsaid);
	m->unsaid = 0;
	if (name->len > 0)
		zp_say(l->c->tool, "%s: %s", name_of(safe, name), why);
	else
		zp_say(l->c->tool, "%s", why);
}

/* "alice, bob and 3 more". */
static void
tell_members(struct zp_live *l)
{
	char safe[ZP_SAY_NAME];
	char text[NAMES_TOLD * (ZP_SAY_NAME + 2) + 32];
	struct zp_mles_name name;
	bool confirmed;
	int n = snprintf(text, sizeof(text), "%s", zp_say_uid(safe, l->c->uid));
	size_t i = 0, at = n > 0 ? (size_t)n : 0;

	for (; zp_mles_state_member(l->mles->state, i, &name, &confirmed);
	     i++) {
		if (i >= NAMES_TOLD - 1)
			continue;
		n = snprintf(
		    text + at, sizeof(text) - at, ", %s", name_of(safe, &name));
		at += n > 0 ? (size_t)n : 0;
	}
	if (i >= NAMES_TOLD)
		snprintf(text + at, sizeof(text) - at, " and %zu more",
		    i - (NAMES_TOLD - 1));
	zp_say(l->c->tool, "conversation: %s", text);
}

static void
json_members(struct zp_live *l)
{
	static const char head[] = ",\"members\":[";
	char uid[ZP_MLES_NAME_MAX + 1];
	struct zp_mles_name name;
	bool confirmed;

	if (!zp_live_json(l, "conversation"))
		return;
	enum zp_err err = zp_out_put(&l->out, head, sizeof(head) - 1);
	if (!err)
		err = zp_format_json_string(&l->out, l->c->uid);
	for (size_t i = 0;
	     !err && zp_mles_state_member(l->mles->state, i, &name, &confirmed);
	     i++) {
		err = zp_out_put(&l->out, ",", 1);
		if (!err)
			err =
			    zp_format_json_string(&l->out, uid_of(uid, &name));
	}
	if (!err)
		err = zp_out_put(&l->out, "]", 1);
	if (err)
		l->failed = err;
	zp_live_json_end(l);
}

size_t
zp_live_mles_who(const struct zp_live *l, char *to, size_t len)
{
	char safe[ZP_SAY_NAME];
	struct zp_mles_name name;
	bool confirmed;

	for (size_t i = 0;
	     zp_mles_state_member(l->mles->state, i, &name, &confirmed); i++) {
		len = zp_live_status_add(to, len,
		    i > 0			? ", "
			: l->current_since != 0 ? ": with "
						: "; here: ");
		len = zp_live_status_add(to, len, name_of(safe, &name));
	}
	return len;
}

/* ---- forward secrecy ----------------------------------------------------- */

bool
zp_live_mles_company(const struct zp_live *l)
{
	struct zp_mles_name name;
	bool confirmed;

	return zp_mles_state_member(l->mles->state, 0, &name, &confirmed);
}

static void
tell_on(struct zp_live *l)
{
	l->conversed = true;
	l->mles->lost_at = 0;
	l->current_since = l->now.ticks;
	json_members(l);
	tell_members(l);
	zp_say(l->c->tool, "forward secrecy is on");
}

static void
tell_off(struct zp_live *l)
{
	l->mles->lost_at = l->now.ticks;
	l->current_since = 0;
	if (zp_live_json(l, "alone"))
		zp_live_json_end(l);
	zp_say(l->c->tool, "forward secrecy is off: %s",
	    zp_live_mles_company(l) ? "the members begin a handshake anew"
				    : "nobody else is here");
}

static void
tell_fs(struct zp_live *l, enum zp_mles_fs fs)
{
	struct zp_live_member *m = l->mles;
	const enum zp_mles_fs was = m->fs;

	m->fs = fs;
	if (fs == ZP_MLES_FS_ON && was != ZP_MLES_FS_ON)
		tell_on(l);
	else if (fs != ZP_MLES_FS_ON && was == ZP_MLES_FS_ON)
		tell_off(l);
	else if (fs == ZP_MLES_FS_BEGUN && l->c->verbose)
		zp_say(l->c->tool,
		    "all have a common key; it counts once all were heard "
		    "under it");
}

/* ---- reports ------------------------------------------------------------- */

static void
tell_member(struct zp_live *l, const struct zp_mles_report *r)
{
	const bool on = r->event == ZP_MLES_EVENT_JOINED;
	const bool left = r->event == ZP_MLES_EVENT_LEFT;
	char uid[ZP_MLES_NAME_MAX + 1], safe[ZP_SAY_NAME];

	if (zp_live_json(l, on ? "online" : "offline")) {
		zp_live_json_text(l, "uid", uid_of(uid, &r->name));
		if (!on)
			zp_live_json_flag(l, "left", left);
		zp_live_json_end(l);
	}
	if (on && !l->c->verbose)
		return;
	zp_say(l->c->tool, "%s %s", name_of(safe, &r->name),
	    on	       ? "is here"
		: left ? "left"
		       : "is silent, and not waited for any more");
}

/* A frame that came twice by one relay; two relays may well bring it. */
static void
tell_replay(struct zp_live *l, const struct zp_mles_name *name)
{
	if (l->c->n == 1 && !zp_mles_text_same(name, &l->mles->uid))
		suspect(l, name,
		    "the relay played an old message again: not shown");
}

static void
tell(struct zp_live *l, const struct zp_mles_report *r)
{
	switch (r->event) {
	case ZP_MLES_EVENT_FS:
		tell_fs(l, r->fs);
		break;
	case ZP_MLES_EVENT_JOINED:
	case ZP_MLES_EVENT_GONE:
	case ZP_MLES_EVENT_LEFT:
		tell_member(l, r);
		break;
	case ZP_MLES_EVENT_RESTART:
		if (l->c->verbose)
			zp_say(l->c->tool, "the handshake begins anew");
		break;
	case ZP_MLES_EVENT_RELABELLED:
		suspect(l, &r->name,
		    "a relay put this name on what another member said: not "
		    "shown");
		l->mles->status = ZP_EXIT_REFUSED;
		break;
	case ZP_MLES_EVENT_REPLAY:
		tell_replay(l, &r->name);
		break;
	case ZP_MLES_EVENT_STALE:
		suspect(l, &r->name,
		    "older than what this member said before: perhaps played "
		    "again");
		break;
	case ZP_MLES_EVENT_IMPOSTOR:
		suspect(
		    l, &l->mles->uid, "somebody else speaks under our name");
		break;
	case ZP_MLES_EVENT_POINT:
		suspect(l, &r->name, "an invalid share of a key was refused");
		break;
	case ZP_MLES_EVENT_CROWD:
		suspect(l, &r->name, "more members than fit: left out");
		break;
	case ZP_MLES_EVENT_FORGED:
		suspect(l, &r->name,
		    "a frame under the channel's key makes no sense");
		break;
	}
}

bool
zp_live_mles_reports(struct zp_live *l)
{
	struct zp_mles_report r;
	bool stale = false;

	while (zp_mles_state_report(l->mles->state, &r)) {
		stale |= r.event == ZP_MLES_EVENT_STALE;
		tell(l, &r);
	}
	return stale;
}

void
zp_live_mles_settle(struct zp_live *l)
{
	struct zp_live_member *m = l->mles;
	struct zp_mles_settled s;

	while (zp_mles_outbox_settled(m->outbox, l->now.ticks, &s)) {
		if (zp_live_json(l, s.shown ? "delivered" : "undelivered")) {
			zp_live_json_text(
			    l, "kind", s.secret ? "message" : "note");
			zp_live_json_number(l, "line", s.tag);
			zp_live_json_end(l);
		}
		if (!s.shown)
			l->undelivered++;
	}
}

/* ---- what is shown ------------------------------------------------------- */

/* A file is bytes of any kind: for a screen, a word about it. */
static enum zp_err
put_text(struct zp_live *l, const struct zp_shown *s)
{
	const char *format =
	    s->kind == ZP_KIND_NOTE ? l->note_format : zp_live_format(l);
	struct zp_shown told = *s;
	char text[ZP_SAY_NAME + 80], type[ZP_SAY_NAME];
	enum zp_err err = ZP_OK;

	if (s->partial) {
		err = zp_out_put(&l->out, "[typing] ", 9);
		format = zp_live_format(l);
	}
	if (s->type != NULL) {
		int n = snprintf(text, sizeof(text),
		    "(a file, %s, %zu bytes: --json writes it)",
		    *s->type != '\0' ? zp_say_name(type, s->type)
				     : "of no type",
		    s->len);
		told.data = (const uint8_t *)text;
		told.len = n > 0 ? (size_t)n : 0;
	}
	return err ? err : zp_format_text(&l->out, format, &told);
}

static void
show(struct zp_live *l, const struct zp_shown *s)
{
	enum zp_err err =
	    l->c->json ? zp_format_json(&l->out, s) : put_text(l, s);

	if (err)
		l->failed = err;
}

void
zp_live_mles_echo(struct zp_live *l, const struct zp_mles_outgoing *out)
{
	static const uint8_t sid[ZP_SID_LEN];
	const struct zp_shown s = {
	    .kind = out->secret ? ZP_KIND_MESSAGE : ZP_KIND_NOTE,
	    .channel = l->c->channel,
	    .uid = l->c->uid,
	    .time = out->time,
	    .sid = sid,
	    .data = out->text,
	    .len = out->text_len,
	    .identity = "anonymous"};

	show(l, &s);
}

/* A file's piece: shown when it was the last one. */
static void
take_piece(
    struct zp_live *l, const struct zp_mles_got *got, const struct zp_shown *s)
{
	const struct zp_mles_frame *f = &got->o.frame;
	struct zp_live_member *m = l->mles;
	struct zp_mles_file file = {.data = NULL};
	char safe[ZP_SAY_NAME], buf[ZP_SAY_NAME];
	bool done = false, cut = false;
	enum zp_err err =
	    zp_mles_files_take(m->files, &got->o.uid, f, &file, &done, &cut);

	if (err == ZP_ERR_MEMORY)
		l->failed = err;
	/* Of a file that is lost already, only the last piece is told. */
	if (err ? err != ZP_ERR_CUT || (f->flags & ZP_MLES_LAST) != 0 : cut) {
		zp_say(l->c->tool, "%s: a file: %s: not shown",
		    zp_say_uid(safe, s->uid),
		    err && err != ZP_ERR_CUT ? zp_say_err(buf, err)
					     : "pieces are missing");
		m->status = ZP_EXIT_REFUSED;
	}
	if (err || !done)
		return;
	struct zp_shown whole = *s;
	whole.type = file.type;
	whole.data = file.data;
	whole.len = file.len;
	show(l, &whole);
	zp_mles_file_free(&file);
}

void
zp_live_mles_left(struct zp_live *l)
{
	char safe[ZP_SAY_NAME];
	struct zp_mles_name from;

	while (zp_mles_files_left(l->mles->files, &from)) {
		zp_say(l->c->tool, "%s: a file: pieces are missing: not shown",
		    name_of(safe, &from));
		l->mles->status = ZP_EXIT_REFUSED;
	}
}

static void
show_got(struct zp_live *l, const struct zp_mles_got *got, bool stale)
{
	const struct zp_mles_frame *f = &got->o.frame;
	char uid[ZP_MLES_NAME_MAX + 1];
	uint8_t sid[ZP_SID_LEN] = {0};
	const uint16_t whole = ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_MULTIPART;
	struct zp_shown s = {.kind = got->use == ZP_MLES_PASSWORD
		? ZP_KIND_NOTE
		: ZP_KIND_MESSAGE,
	    .channel = l->c->channel,
	    .uid = uid_of(uid, &got->o.uid),
	    .time = (uint64_t)f->time,
	    .sid = sid,
	    .data = f->body,
	    .identity = "anonymous",
	    .warning = stale ? "older than what came before" : NULL,
	    .partial = (f->flags & whole) == 0};

	memcpy(sid, f->sid, ZP_MLES_SID_LEN);
	if (zp_mles_files_is_piece(f)) {
		take_piece(l, got, &s);
		return;
	}
	if (s.partial && !l->c->typing)
		return;
	/* Decoding makes it no longer: where it lies, in the state's plaintext,
	   which is ours until the next call. */
	uint8_t *text = zp_mles_state_body(l->mles->state, got);
	s.len = zp_mles_text_decode(text, text, f->body_len);
	show(l, &s);
}

enum zp_err
zp_live_mles_hear(
    struct zp_live *l, struct zp_live_link *link, const struct zp_record *rec)
{
	struct zp_live_member *m = l->mles;
	const uint16_t presence = ZP_MLES_PRESENCE | ZP_MLES_PRESENCE_ACK;
	struct zp_mles_got got;

	/* Too short for a message: it tells who joins, and is believed nothing.
	 */
	if (m->raw.len <= ZP_MLES_NONCE_LEN)
		return ZP_OK;
	zp_mles_state_past(m->state, !link->live);
	enum zp_err err = zp_mles_state_receive(
	    m->state, &m->raw, (int64_t)l->now.ticks, &got);
	const bool stale = zp_live_mles_reports(l);
	if (err == ZP_ERR_MEMORY)
		return err;
	if (err) {
		if (err == ZP_ERR_NOT_OURS)
			zp_reader_retry(&link->reader, rec);
		link->noise++;
		return ZP_OK;
	}
	if (got.relabelled || (got.o.frame.flags & presence) != 0 ||
	    got.again == ZP_MLES_DUPLICATE || got.again == ZP_MLES_RESENT)
		return ZP_OK;
	show_got(l, &got, stale);
	return ZP_OK;
}
