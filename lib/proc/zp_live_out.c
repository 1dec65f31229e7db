#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/zp_load.h"
#include "proc/zp_live_impl.h"

/* Lines sealed at a time. */
#define BATCH 64
/* Nobody heard for so long: a live member answers within one second. */
#define ALONE_MS 3000
/* A transport that says nothing about itself can be heard by then; one that
   says it is up and not when it is live, after so long, once nothing came for
   a moment, or after so long in any case. */
#define QUIET_MS 2000
#define UNTOLD_MS 10000
#define UNTOLD_PAUSE 1000
#define UNTOLD_MOST 60000
/* With several relays, the slower ones' history is waited for so long. */
#define OTHERS_MS 10000
/* Waiting is told after a while, and again when its reason changes. */
#define TELL_FIRST 1000
#define TELL_EVERY 5000
/* A write of so much does not wait after POLLOUT (PIPE_BUF). */
#define WRITE_MOST 4096

/* ---- relays -------------------------------------------------------------- */

/* When a relay counts as heard though it does not say so; ZP_NEVER_MS. */
static uint64_t
taken_as_live(const struct zp_live_link *link)
{
	if (link->live || !link->hears)
		return ZP_NEVER_MS;
	if (zp_live_is_mute(link))
		return link->since + QUIET_MS;
	if (!link->up)
		return ZP_NEVER_MS;
	uint64_t at = link->heard_at + UNTOLD_PAUSE;
	if (at < link->since + UNTOLD_MS)
		at = link->since + UNTOLD_MS;
	return zp_live_least(at, link->since + UNTOLD_MOST);
}

/* Status lines are optional. */
static enum zp_err
look_at_relay(struct zp_live *l, struct zp_live_link *link)
{
	const bool mute = zp_live_is_mute(link);

	if (mute && link->hears && !link->up)
		zp_live_came_up(l, link);
	if (taken_as_live(link) > l->now.ticks)
		return ZP_OK;
	link->live = true;
	l->ops->relay(l, link);
	/* Hellos of before #live were not listened to. */
	return mute ? ZP_OK : l->ops->live(l, link);
}

/* Can everybody be heard who is there? */
static enum zp_err
look_at_relays(struct zp_live *l)
{
	bool all = true, any = false;
	uint64_t first = ZP_NEVER_MS;

	for (size_t i = 0; i < l->c->n; i++) {
		struct zp_live_link *link = &l->link[i];
		enum zp_err err = look_at_relay(l, link);
		if (err)
			return err;
		any = any || link->live;
		bool down = link->told && !link->up;
		all = all && (link->live || down || !link->hears);
		first = zp_live_least(first, link->since);
	}
	if (!any)
		l->live_at = 0;
	else if (l->live_at == 0 && (all || l->now.ticks - first >= OTHERS_MS))
		l->live_at = l->now.ticks;
	return ZP_OK;
}

enum zp_err
zp_live_fetch_hello(struct zp_live *l)
{
	const char *line;
	size_t len;

	if (!zp_presence_line(l->presence, &line, &len))
		return ZP_OK;
	if (len > l->hello_cap) {
		char *more = realloc(l->hello, len);
		if (more == NULL)
			return ZP_ERR_MEMORY;
		l->hello = more;
		l->hello_cap = len;
	}
	memcpy(l->hello, line, len);
	l->hello_len = len;
	l->hello_number++;
	return ZP_OK;
}

/* The latest hello, then bodies. */
enum zp_err
zp_live_fill(struct zp_live *l, struct zp_live_link *link)
{
	const size_t i = (size_t)(link - l->link);
	const char *line;
	size_t len;
	enum zp_err err = ZP_OK;

	if (link->spoken != l->hello_number) {
		err = zp_out_put(&link->burst, l->hello, l->hello_len);
		link->spoken = l->hello_number;
	}
	while (!err && link->up && link->burst.len < ZP_LIVE_BURST &&
	    zp_outbox_next(l->outbox, l->now.ticks, i, &line, &len))
		err = zp_out_put(&link->burst, line, len);
	return err;
}

enum zp_err
zp_live_speak(struct zp_live *l, struct zp_live_link *link)
{
	char buf[ZP_SAY_NAME];

	while (link->speaks) {
		if (link->at == link->burst.len) {
			link->at = link->burst.len = 0;
			enum zp_err err = l->ops->fill(l, link);
			if (err)
				return err;
		}
		if (link->burst.len == 0)
			return ZP_OK;
		ssize_t n = write(link->r->out, link->burst.data + link->at,
		    link->burst.len - link->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return ZP_OK;
		if (n < 0) {
			zp_live_tell_relay(l, link, zp_say_err(buf, ZP_ERR_IO));
			link->speaks = false;
			return ZP_OK;
		}
		link->at += (size_t)n;
	}
	return ZP_OK;
}

bool
zp_live_unsent(const struct zp_live *l)
{
	for (size_t i = 0; i < l->c->n; i++) {
		const struct zp_live_link *link = &l->link[i];
		if (link->speaks &&
		    (link->at < link->burst.len || l->ops->unsaid(l, link)))
			return true;
	}
	return false;
}

/* ---- what lines become --------------------------------------------------- */

/* Is it certain enough that nobody else is here? */
static bool
is_alone(const struct zp_live *l)
{
	struct zp_machine *m = zp_presence_machine(l->presence);
	uint64_t heard = zp_machine_last_heard(m);
	uint64_t since = heard > l->live_at ? heard : l->live_at;

	return l->live_at != 0 && zp_machine_phase(m) == ZP_PHASE_ALONE &&
	    l->now.ticks - since >= ALONE_MS;
}

bool
zp_live_any_up(const struct zp_live *l)
{
	for (size_t i = 0; i < l->c->n; i++)
		if (l->link[i].up)
			return true;
	return false;
}

enum zp_live_mode
zp_live_mode_of(const struct zp_live *l)
{
	const enum zp_live_notes notes = l->c->notes;

	if (notes == ZP_LIVE_ALWAYS)
		return zp_live_any_up(l) ? ZP_LIVE_NOTE : ZP_LIVE_WAIT;
	if (l->current_since != 0)
		return ZP_LIVE_MESSAGE;
	if (notes == ZP_LIVE_NEVER ||
	    (notes == ZP_LIVE_ALONE && l->conversed) || !is_alone(l))
		return ZP_LIVE_WAIT;
	return ZP_LIVE_NOTE;
}

uint64_t
zp_live_mode_due(const struct zp_live *l)
{
	struct zp_machine *m = zp_presence_machine(l->presence);
	uint64_t heard = zp_machine_last_heard(m), due = ZP_NEVER_MS;

	for (size_t i = 0; i < l->c->n; i++)
		due = zp_live_least(due, taken_as_live(&l->link[i]));
	if (l->mode != ZP_LIVE_WAIT)
		return due;
	if (l->live_at != 0) {
		uint64_t at =
		    (heard > l->live_at ? heard : l->live_at) + ALONE_MS;
		if (at > l->now.ticks)
			due = zp_live_least(due, at);
	}
	if (l->waiting_since != 0)
		due = zp_live_least(due,
		    l->wait_told != 0 ? l->wait_told + TELL_EVERY
				      : l->waiting_since + TELL_FIRST);
	return due;
}

/* Why lines wait that could go, but for what is on its way. */
static void
why_full(const struct zp_live *l, char to[static ZP_PRESENCE_TEXT])
{
	const struct zp_member *m = zp_outbox_blocker(l->outbox);
	char name[ZP_SAY_NAME];

	if (m == NULL)
		snprintf(to, ZP_PRESENCE_TEXT, "%s", ZP_LIVE_SLOW);
	else
		snprintf(to, ZP_PRESENCE_TEXT,
		    "%s has not taken what was sent before",
		    zp_say_uid(name, m->uid));
}

/* Why lines wait, in words. */
void
zp_live_why(const struct zp_live *l, char to[static ZP_PRESENCE_TEXT])
{
	struct zp_machine *m = zp_presence_machine(l->presence);
	const char *why = NULL;

	if (l->mode != ZP_LIVE_WAIT) {
		why_full(l, to);
		return;
	}
	if (!zp_live_any_up(l))
		why = "no relay can be reached";
	else if (l->live_at == 0)
		why = "the relay's history is still coming";
	else if (l->c->notes == ZP_LIVE_NEVER &&
	    zp_machine_phase(m) == ZP_PHASE_ALONE &&
	    zp_machine_last_heard(m) == 0)
		why = "nobody else is here (--require-fs)";
	else if (zp_machine_phase(m) == ZP_PHASE_ALONE && l->conversed &&
	    is_alone(l))
		why = "nobody else is here any more (--fallback would send "
		      "notes)";
	if (why == NULL)
		zp_presence_why(to, l->presence);
	else
		memcpy(to, why, strlen(why) + 1);
	if (to[0] == '\0')
		memcpy(to, "a handshake is going on", 24);
}

/* Some line waits. */
static void
tell_waiting(struct zp_live *l)
{
	char why[ZP_PRESENCE_TEXT];
	const uint64_t now = l->now.ticks;

	if (l->waiting_since == 0)
		l->waiting_since = now;
	if (now - l->waiting_since < TELL_FIRST ||
	    (l->wait_told != 0 && now - l->wait_told < TELL_EVERY))
		return;
	l->wait_told = now;
	l->ops->why(l, why);
	if (strcmp(why, l->why) == 0)
		return;
	memcpy(l->why, why, sizeof(l->why));
	zp_live_tell_wait(l, why);
}

static void
set_mode(struct zp_live *l)
{
	enum zp_live_mode mode = l->ops->mode(l);
	bool news = mode != l->mode && mode != ZP_LIVE_WAIT;

	if (mode != l->mode) {
		l->waiting_since = l->wait_told = 0;
		l->why[0] = '\0';
	}
	l->mode = mode;
	if (news)
		zp_live_tell_mode(l, mode);
}

/* ---- lines --------------------------------------------------------------- */

bool
zp_live_wants_input(const struct zp_live *l)
{
	size_t len = zp_in_len(&l->in);

	if (l->in.eof || l->end != ZP_LIVE_RUNNING || l->now.ticks < l->in_at)
		return false;
	/* Half a line is read on, however long it is; lines that wait not. */
	return len < ZP_LIVE_WAITING ||
	    memchr(zp_in_at(&l->in), '\n', len) == NULL;
}

enum zp_err
zp_live_read(struct zp_live *l)
{
	char buf[ZP_SAY_NAME];
	const size_t before = zp_in_len(&l->in);
	enum zp_err err = zp_in_fill(&l->in);

	if (!err && l->screen != NULL)
		zp_screen_type(l->screen, &l->in, l->in.start + before);
	if (err == ZP_ERR_IO && (errno == EAGAIN || errno == EINTR))
		return ZP_OK;
	if (err == ZP_ERR_IO && zp_in_away(&l->in)) {
		l->in_at = l->now.ticks + ZP_IN_AWAY_MS;
		return ZP_OK;
	}
	/* What a terminal's end leaves there was never entered. */
	if (l->screen != NULL && (err == ZP_ERR_IO || l->in.eof))
		zp_screen_forget(l->screen, &l->in);
	if (err == ZP_ERR_IO) {
		zp_say(l->c->tool, "standard input: %s", zp_say_err(buf, err));
		l->in.eof = true;
		l->status = ZP_EXIT_IO;
		return ZP_OK;
	}
	return err;
}

/*
 * The next line, *len without its newline, of *used bytes; false: none yet.
 * At the end of file the last needs no newline.
 */
static bool
next_line(struct zp_live *l, const char **line, size_t *len, size_t *used)
{
	for (;;) {
		size_t n = zp_in_len(&l->in);
		const char *at = zp_in_at(&l->in);
		const char *nl = memchr(at, '\n', n);
		size_t end = nl != NULL ? (size_t)(nl - at) : n;
		if (l->skipping || end > ZP_LIVE_LINE_MAX) {
			if (!l->skipping)
				zp_say(l->c->tool,
				    "line %llu: longer than %d bytes: not "
				    "sent",
				    (unsigned long long)++l->lines,
				    ZP_LIVE_LINE_MAX);
			l->status = ZP_EXIT_IO;
			l->skipping = nl == NULL;
			l->in.start += nl != NULL ? end + 1 : n;
			if (nl != NULL)
				continue;
			return false;
		}
		if (nl == NULL && (!l->in.eof || n == 0))
			return false;
		*line = at;
		*len = end;
		*used = nl != NULL ? end + 1 : end;
		return true;
	}
}

/* On disk before it is on its way. */
static enum zp_err
keep_note(struct zp_live *l, uint64_t seq)
{
	struct zp_outstore_note note = {.seq = seq, .time = l->now.wall};
	char buf[ZP_SAY_NAME];

	if (l->store == NULL)
		return ZP_OK;
	memcpy(note.sid, l->sid, sizeof(note.sid));
	if (!zp_outbox_note(l->outbox, l->sid, seq, &note.lines, &note.len))
		return ZP_OK;
	enum zp_err err = zp_outstore_add(l->store, &note);
	if (err)
		zp_say(l->c->tool, "%s: %s", l->c->state, zp_say_err(buf, err));
	return err;
}

enum zp_err
zp_live_send_line(struct zp_live *l, const char *line, size_t len)
{
	const enum zp_kind kind =
	    l->mode == ZP_LIVE_NOTE ? ZP_KIND_NOTE : ZP_KIND_MESSAGE;
	char buf[ZP_SAY_NAME];
	uint64_t seq;
	enum zp_err err = zp_outbox_add(l->outbox, l->now.ticks, kind,
	    l->c->no_time ? 0 : l->now.wall, ++l->lines, line, len, &seq);

	if (err) {
		zp_say(l->c->tool, "line %llu: %s",
		    (unsigned long long)l->lines, zp_say_err(buf, err));
		return err;
	}
	l->progress = l->now.ticks;
	return kind == ZP_KIND_NOTE ? keep_note(l, seq) : ZP_OK;
}

enum zp_err
zp_live_send(struct zp_live *l)
{
	const char *line;
	size_t len, used, n = 0;
	enum zp_err err = look_at_relays(l);

	if (err)
		return err;
	set_mode(l);
	if (l->end >= ZP_LIVE_SHOWING)
		return ZP_OK;
	if (l->mode == ZP_LIVE_WAIT || !l->ops->room(l)) {
		if (next_line(l, &line, &len, &used))
			tell_waiting(l);
		return ZP_OK;
	}
	/* A reason that was told is not told again for every pause. */
	l->waiting_since = 0;
	l->ops->expect(l, BATCH);
	while (!err && n++ < BATCH && l->ops->room(l) &&
	    next_line(l, &line, &len, &used)) {
		err = l->ops->send(l, line, len);
		l->in.start += used;
	}
	/* No nonce is kept over a wait. */
	l->ops->expect(l, 0);
	return err;
}

void
zp_live_settled(void *arg, const struct zp_outbox_event *ev)
{
	struct zp_live *l = arg;
	char buf[ZP_SAY_NAME];

	zp_live_tell_settled(l, ev);
	if (l->store == NULL || ev->what != ZP_KIND_NOTE ||
	    ev->kind != ZP_OUTBOX_DELIVERED)
		return;
	enum zp_err err = zp_outstore_remove(l->store, ev->sid, ev->seq);
	if (err) {
		zp_say(l->c->tool, "%s: %s", l->c->state, zp_say_err(buf, err));
		l->failed = err;
	}
}

/* ---- standard output ----------------------------------------------------- */

/* What is to be written now: as it came, or as a terminal is to show it. */
static struct zp_out *
output(struct zp_live *l, size_t **at)
{
	char status[ZP_SCREEN_STATUS];
	const size_t before = l->out.len;

	*at = &l->out_at;
	if (l->screen == NULL)
		return &l->out;
	if (l->end != ZP_LIVE_OVER)
		zp_live_tell_status(l, status);
	if (zp_screen_draw(l->screen, &l->out,
		l->end == ZP_LIVE_OVER ? NULL : status, &l->in) != ZP_OK)
		l->failed = ZP_ERR_MEMORY;
	l->out_left += before - l->out.len;
	return zp_screen_frame(l->screen, at);
}

static void
look_at_mark(struct zp_live *l)
{
	if (!l->mark_waits || l->out_taken < l->mark)
		return;
	l->mark_waits = false;
	l->ops->taken(l);
}

void
zp_live_mark(struct zp_live *l)
{
	l->mark = l->out_left + (l->out.len - l->out_at);
	l->mark_waits = true;
	look_at_mark(l);
}

/* More was taken; whole: all of a frame, which half of it does not tell. */
static void
note_taken(struct zp_live *l, size_t n, bool whole)
{
	if (l->screen == NULL)
		l->out_left += n;
	if (l->screen == NULL || whole)
		l->out_taken = l->out_left;
	look_at_mark(l);
}

void
zp_live_flush(struct zp_live *l)
{
	size_t *at, from;
	struct zp_out *o = output(l, &at);

	from = *at;
	while (l->out_error == 0 && *at < o->len) {
		struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
		size_t n = o->len - *at;
		if (poll(&p, 1, 0) <= 0)
			break;
		ssize_t w = write(STDOUT_FILENO, o->data + *at,
		    n < WRITE_MOST ? n : WRITE_MOST);
		if (w < 0 && errno != EINTR && errno != EAGAIN)
			l->out_error = errno;
		if (w > 0)
			*at += (size_t)w;
		if (w < 0 && errno == EAGAIN)
			break;
	}
	note_taken(l, *at - from, *at == o->len);
	if (*at == o->len) {
		*at = o->len = 0;
	} else if (*at > o->len / 2) {
		o->len -= *at;
		memmove(o->data, o->data + *at, o->len);
		*at = 0;
	}
}

bool
zp_live_flushed(const struct zp_live *l)
{
	size_t *at;

	return l->out_at == l->out.len &&
	    (l->screen == NULL || zp_screen_frame(l->screen, &at)->len == 0);
}
