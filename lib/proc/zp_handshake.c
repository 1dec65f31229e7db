#include "proc/zp_handshake.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_signal.h"
#include "crypt/zp_secret.h"
#include "proc/zp_budget.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proc/zp_presence.h"
#include "proc/zp_status.h"
#include "wire/zp_reader.h"

#define BLOCK 32768
/* A hello of 64 members fits into a record of 4,095 characters. */
#define HELLO_MAX 4096
/* A suspended machine's timers go on, poll() does not: look again by then. */
#define WAIT_MOST 1000
/* Relays that say when they can be heard get so long to say it. */
#define LIVE_WITHIN 1000
/* Why we wait is told after, and then so often if it changes. */
#define TELL_FIRST 3000
#define TELL_EVERY 5000
/* The last hello gets so long to go out. */
#define LEAVE_WITHIN 1000

/* That a relay is down is said so often at once, and again after so long. */
#define DOWN_MOST 16
#define DOWN_EVERY 5000

struct link {
	const struct zp_handshake_link *l;
	struct zp_reader reader;
	struct zp_status status;
	bool hears, speaks, live;
	bool up; /* its relay has been reached, for all that we know */
	uint64_t spoken; /* number of the last hello that it took */
	char down[ZP_SAY_NAME]; /* what it said last when it went down */
	struct zp_budget tell;
};

struct handshake {
	const struct zp_handshake_config *c;
	struct zp_presence *presence;
	struct link *links;
	struct pollfd *fds; /* two for each link */
	sigset_t wake; /* signals that end a wait */
	uint64_t begun; /* ticks */
	uint64_t tell_at;
	char told[ZP_PRESENCE_TEXT];
	char blamed[ZP_PRESENCE_TEXT]; /* who did what wrong, last */
	char hello[HELLO_MAX];
	size_t hello_len;
	uint64_t hello_number; /* of what is in hello; 0: nothing */
	struct zp_handshake_made made; /* from CURRENT on */
	bool started, settled, late, twice, interrupted;
	enum zp_err failed; /* from within an event */
};

static const char *
name_of(const struct link *l, bool output)
{
	if (l->l->name != NULL)
		return l->l->name;
	return output ? "standard output" : "standard input";
}

/* ---- what happens -------------------------------------------------------- */

/* -m names each user once, so two sessions of one are one too many. */
static bool
is_twice(struct handshake *h, const struct zp_machine_conv *conv)
{
	char name[ZP_SAY_NAME];

	for (size_t i = 0; i < conv->n; i++)
		for (size_t j = i + 1; j < conv->n; j++)
			if (strcmp(conv->members[i].uid,
				conv->members[j].uid) == 0) {
				zp_say(h->c->tool,
				    "two sessions call themselves %s",
				    zp_say_uid(name, conv->members[i].uid));
				return true;
			}
	return false;
}

static enum zp_err
copy_conversation(struct handshake *h, const struct zp_machine_conv *conv)
{
	struct zp_convfile *f = zp_convfile_new(conv->n);
	const struct zp_key *key = h->c->key;

	if (f == NULL)
		return ZP_ERR_MEMORY;
	f->suite = ZP_SUITE_ZP1;
	snprintf(f->channel, sizeof(f->channel), "%s", zp_key_channel(key));
	memcpy(f->amac, zp_key_amac(key), sizeof(f->amac));
	memcpy(f->aenc, zp_key_aenc(key), sizeof(f->aenc));
	memcpy(f->id, conv->keys->id, sizeof(f->id));
	memcpy(f->key, conv->keys->key, sizeof(f->key));
	zp_conv_safety_text(conv->keys->safety, h->made.safety);
	f->me = conv->me;
	for (size_t i = 0; i < conv->n; i++) {
		const struct zp_member *m = &conv->members[i];
		struct zp_convfile_member *to = &f->members[i];
		memcpy(to->p, m->who.p, sizeof(to->p));
		memcpy(to->sid, m->who.sid, sizeof(to->sid));
		memcpy(to->idkey, m->who.idkey, sizeof(to->idkey));
		memcpy(to->uid, m->uid, sizeof(to->uid));
	}
	h->made.file = f;
	return zp_load_now(&f->time);
}

static void
on_event(void *arg, const struct zp_presence_event *ev)
{
	struct handshake *h = arg;

	if (ev->kind == ZP_PRESENCE_CURRENT) {
		h->twice = h->c->allowed != NULL && is_twice(h, ev->conv);
		if (!h->twice && h->made.file == NULL)
			h->failed = copy_conversation(h, ev->conv);
		return;
	}
	if (ev->kind == ZP_PRESENCE_SETTLED)
		h->settled = true;
	if (ev->kind == ZP_PRESENCE_LATE)
		h->late = true;
	if (ev->kind == ZP_PRESENCE_BLAMED || ev->kind == ZP_PRESENCE_REFUSED)
		snprintf(h->blamed, sizeof(h->blamed), "%s", ev->text);
	if (ev->text[0] != '\0' &&
	    (ev->trouble || h->c->verbose || ev->kind == ZP_PRESENCE_PINNED))
		zp_say(h->c->tool, "%s", ev->text);
}

/* ---- input --------------------------------------------------------------- */

static enum zp_err
now(struct zp_presence_now *to)
{
	to->ticks = zp_load_ticks();
	return zp_load_now(&to->wall);
}

static void
stop_hearing(struct handshake *h, struct link *l, const char *why)
{
	if (l->hears)
		zp_say(h->c->tool, "%s: %s", name_of(l, false), why);
	l->hears = false;
}

static void
stop_speaking(struct handshake *h, struct link *l, const char *why)
{
	if (l->speaks)
		zp_say(h->c->tool, "%s: %s", name_of(l, true), why);
	l->speaks = false;
}

/* Of a relay that can be heard from now on, others may have spoken before. */
static enum zp_err
went_live(struct handshake *h, struct link *l)
{
	struct zp_presence_now t;

	l->live = l->up = true;
	if (!h->started)
		return ZP_OK;
	enum zp_err err = now(&t);
	return err ? err : zp_presence_announce(h->presence, &t);
}

static enum zp_err
take_status(struct handshake *h, struct link *l)
{
	const char *reason = zp_status_is(&l->status, "down");
	char safe[ZP_SAY_NAME];

	if (zp_status_is(&l->status, "up") != NULL)
		l->up = true;
	if (zp_status_is(&l->status, "live") != NULL)
		return went_live(h, l);
	if (reason == NULL)
		return ZP_OK;
	l->up = false;
	zp_say_name(safe, reason);
	if (strcmp(safe, l->down) != 0 &&
	    zp_budget_spend(&l->tell, zp_load_ticks(), DOWN_MOST, DOWN_EVERY))
		zp_say(h->c->tool, "%s: down: %s", name_of(l, false), safe);
	memcpy(l->down, safe, sizeof(l->down));
	return ZP_OK;
}

/* Status lines among the bytes that came last, `gained` of them. */
static enum zp_err
take_statuses(struct handshake *h, struct link *l, size_t gained)
{
	const char *end = zp_in_at(&l->reader.in) + zp_in_len(&l->reader.in);
	const char *at = end - gained;
	enum zp_err err = ZP_OK;

	while (!err && zp_status_next(&l->status, &at, end))
		err = take_status(h, l);
	return err;
}

static enum zp_err
take_records(struct handshake *h, struct link *l)
{
	struct zp_presence_got got;
	struct zp_presence_now t;
	struct zp_record rec;
	enum zp_err err = now(&t);

	while (!err && zp_reader_next(&l->reader, &rec)) {
		l->up = true;
		/* What was said before we joined was not said to us. */
		if (!h->started)
			continue;
		err = zp_presence_record(h->presence, &t, &rec, &got);
		if (got.what == ZP_PRESENCE_NOISE)
			zp_reader_retry(&l->reader, &rec);
		else if (got.what == ZP_PRESENCE_BAD && h->c->verbose)
			zp_say(h->c->tool, "%s: a hello was refused: %s",
			    name_of(l, false), zp_err_text(got.err));
	}
	return err;
}

/* One read's worth, so that no relay keeps us from the others. */
static enum zp_err
hear(struct handshake *h, struct link *l)
{
	char buf[ZP_SAY_NAME];
	struct zp_reader *r = &l->reader;
	size_t before = zp_in_len(&r->in) - r->from;
	enum zp_err err = zp_reader_fill(r);

	if (err == ZP_ERR_MEMORY)
		return err;
	if (err) {
		stop_hearing(h, l, zp_say_err(buf, err));
		return ZP_OK;
	}
	err = take_statuses(h, l, zp_in_len(&r->in) - before);
	if (!err)
		err = take_records(h, l);
	if (!err && r->in.eof)
		stop_hearing(h, l, "has ended");
	return err;
}

/* ---- output -------------------------------------------------------------- */

/*
 * The latest hello says everything that the ones before said, so one place
 * for it is enough, however slow a relay is.
 */
static void
fetch_hello(struct handshake *h)
{
	const char *line;
	size_t len;

	if (!zp_presence_line(h->presence, &line, &len) || len > HELLO_MAX)
		return;
	memcpy(h->hello, line, len);
	h->hello_len = len;
	h->hello_number++;
}

static void
speak(struct handshake *h, struct link *l)
{
	char buf[ZP_SAY_NAME];
	enum zp_err err = zp_io_write_all(l->l->out, h->hello, h->hello_len);

	if (err)
		stop_speaking(h, l, zp_say_err(buf, err));
	l->spoken = h->hello_number;
}

/* ---- the loop ------------------------------------------------------------ */

static void
plan_wait(struct handshake *h)
{
	for (size_t i = 0; i < h->c->n; i++) {
		const struct link *l = &h->links[i];
		struct pollfd *fd = &h->fds[2 * i];
		bool due = l->spoken != h->hello_number;
		fd[0] = (struct pollfd){
		    .fd = l->hears ? l->l->in : -1, .events = POLLIN};
		fd[1] = (struct pollfd){.fd = l->speaks ? l->l->out : -1,
		    .events = (short)(due ? POLLOUT : 0)};
	}
}

/* Waits for a link, at most ms. */
static enum zp_err
wait_for(struct handshake *h, uint64_t ms)
{
	struct timespec t;

	if (ms > WAIT_MOST)
		ms = WAIT_MOST;
	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000) * 1000000;
	plan_wait(h);
	if (ppoll(h->fds, 2 * h->c->n, &t, &h->wake) >= 0)
		return ZP_OK;
	if (errno != EINTR)
		return ZP_ERR_IO;
	h->interrupted = true;
	for (size_t i = 0; i < 2 * h->c->n; i++)
		h->fds[i].revents = 0;
	return ZP_OK;
}

static enum zp_err
serve(struct handshake *h)
{
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < h->c->n; i++)
		if ((h->fds[2 * i + 1].revents & POLLOUT) != 0)
			speak(h, &h->links[i]);
		else if (h->fds[2 * i + 1].revents != 0)
			stop_speaking(h, &h->links[i], "has gone");
	for (size_t i = 0; i < h->c->n && !err; i++)
		if (h->fds[2 * i].revents != 0)
			err = hear(h, &h->links[i]);
	return err;
}

/* Both to hear and to speak takes one relay that does both. */
static bool
cut_off(const struct handshake *h)
{
	for (size_t i = 0; i < h->c->n; i++)
		if (h->links[i].hears && h->links[i].speaks)
			return false;
	return true;
}

static uint64_t
time_out(const struct handshake *h)
{
	return h->c->timeout > 0 ? h->begun + h->c->timeout : UINT64_MAX;
}

static void
tell_reason(struct handshake *h, uint64_t ticks)
{
	char why[ZP_PRESENCE_TEXT];

	if (ticks < h->tell_at)
		return;
	h->tell_at = ticks + TELL_EVERY;
	zp_presence_why(why, h->presence);
	if (why[0] == '\0' || h->made.file != NULL || strcmp(why, h->told) == 0)
		return;
	zp_say(h->c->tool, "waiting: %s", why);
	memcpy(h->told, why, sizeof(h->told));
}

static enum zp_err
turn(struct handshake *h)
{
	struct zp_presence_now t;
	struct zp_fault fault;
	uint64_t until = zp_presence_deadline(h->presence);
	enum zp_err err;

	fetch_hello(h);
	if (until > time_out(h))
		until = time_out(h);
	t.ticks = zp_load_ticks();
	err = wait_for(h, until > t.ticks ? until - t.ticks : 0);
	if (err)
		return err;
	err = zp_known_refresh(h->c->known, &fault);
	if (err) {
		zp_load_say(
		    h->c->tool, zp_known_path(h->c->known), err, &fault);
		return err;
	}
	err = serve(h);
	if (!err)
		err = now(&t);
	if (!err)
		err = zp_presence_tick(h->presence, &t);
	if (!err)
		tell_reason(h, t.ticks);
	return err ? err : h->failed;
}

/* Is there a relay over which others could be heard and hear us? */
static bool
reached(const struct handshake *h)
{
	for (size_t i = 0; i < h->c->n; i++)
		if (h->links[i].hears && h->links[i].speaks && h->links[i].up)
			return true;
	return false;
}

static enum zp_err
give_up(struct handshake *h)
{
	char why[ZP_PRESENCE_TEXT];

	/* Then who else is here is not known. */
	if (!h->interrupted && !reached(h)) {
		zp_say(h->c->tool, "no relay could be reached in time");
		return ZP_ERR_RELAY;
	}
	zp_presence_why(why, h->presence);
	zp_say(h->c->tool, "%s%s%s%s%s",
	    h->interrupted ? "interrupted" : "no conversation in time",
	    why[0] != '\0' ? ": " : "", why,
	    h->blamed[0] != '\0' ? "; earlier: " : "", h->blamed);
	return ZP_ERR_TIMEOUT;
}

/* Until it is made or cannot be. */
static enum zp_err
converse(struct handshake *h)
{
	for (;;) {
		enum zp_err err = turn(h);
		if (err)
			return err;
		if (h->late)
			return ZP_ERR_LATE;
		if (h->twice)
			return ZP_ERR_TIMEOUT;
		bool made = h->made.file != NULL;
		bool over = zp_load_ticks() >= time_out(h);
		/* Who has every tag has the conversation; staying on is for
		   those who lack ours. */
		if (h->settled ||
		    (made && (over || h->interrupted || cut_off(h))))
			return ZP_OK;
		if (over || h->interrupted)
			return give_up(h);
		if (cut_off(h)) {
			zp_say(h->c->tool, "no relay is left");
			return ZP_ERR_RELAY;
		}
	}
}

/* Relays that tell when they can be heard are waited for, but not long. */
static enum zp_err
await_live(struct handshake *h)
{
	const uint64_t end = h->begun + LIVE_WITHIN;
	enum zp_err err = ZP_OK;

	for (uint64_t t = h->begun; t < end && !err && !h->interrupted;
	     t = zp_load_ticks()) {
		bool all = true;
		for (size_t i = 0; i < h->c->n; i++) {
			const struct link *l = &h->links[i];
			all = all && (l->live || !l->l->tells || !l->hears);
		}
		if (all)
			break;
		err = wait_for(h, end - t);
		if (!err)
			err = serve(h);
	}
	return err;
}

/* Everybody is told that we leave, also by relays that are slow. */
static void
leave(struct handshake *h)
{
	struct zp_presence_now t = {.ticks = zp_load_ticks()};
	const uint64_t end = t.ticks + LEAVE_WITHIN;
	bool all = false;

	if (zp_load_now(&t.wall) != ZP_OK)
		t.wall = 0;
	if (zp_presence_stop(h->presence, &t) != ZP_OK)
		return;
	fetch_hello(h);
	for (; !all && t.ticks < end; t.ticks = zp_load_ticks()) {
		if (wait_for(h, end - t.ticks) != ZP_OK)
			return;
		all = true;
		for (size_t i = 0; i < h->c->n; i++) {
			struct link *l = &h->links[i];
			short got = h->fds[2 * i + 1].revents;
			l->hears = false;
			if ((got & POLLOUT) != 0)
				speak(h, l);
			else if (got != 0)
				l->speaks = false;
			all =
			    all && (!l->speaks || l->spoken == h->hello_number);
		}
	}
}

/* ---- from start to end --------------------------------------------------- */

/*
 * Answers come the sooner, the fewer are expected: the defaults spare a
 * large channel's members, which all answer a new one.
 */
static struct zp_machine_timing
quick_timing(const struct zp_handshake_config *c)
{
	struct zp_machine_timing t = zp_machine_timing_default;
	size_t n = c->allowed != NULL ? c->allowed_count + 1 : c->min_members;
	uint32_t gap = n > 50 ? 500 : (uint32_t)(n < 3 ? 3 : n) * 10;

	t.gap = gap;
	t.answer_max = gap;
	t.answer_min = gap / 3;
	return t;
}

static enum zp_err
make_presence(struct handshake *h)
{
	const struct zp_handshake_config *c = h->c;
	struct zp_machine_timing timing = quick_timing(c);
	struct zp_presence_config pc = {.key = c->key,
	    .uid = c->uid,
	    .id = c->id,
	    .known = c->known,
	    .hellos_only = true,
	    .ops = c->ops,
	    .timing = &timing,
	    .fixed = true,
	    .min_members = c->allowed != NULL ? 2 : c->min_members,
	    .allowed = c->allowed,
	    .allowed_count = c->allowed_count,
	    .event = on_event,
	    .arg = h};
	char name[ZP_SAY_NAME], buf[ZP_SAY_NAME];
	enum zp_err err = zp_presence_new(&h->presence, &pc);

	if (!err)
		return err;
	zp_say(
	    c->tool, "%s: %s", zp_say_uid(name, c->uid), zp_say_err(buf, err));
	if (err == ZP_ERR_CHANGED || err == ZP_ERR_UNSIGNED)
		zp_hint("%s is pinned to an identity in %s: give that (-i), "
			"or forget it (zpinc-key trust forget)",
		    name, zp_known_path(c->known));
	return err;
}

static enum zp_err
start(struct handshake *h)
{
	struct zp_presence_now t;
	char buf[ZP_SAY_NAME];
	enum zp_err err = await_live(h);

	if (!err)
		err = now(&t);
	if (!err) {
		h->started = true;
		err = zp_presence_start(h->presence, &t);
		if (err)
			zp_say(h->c->tool, "%s: %s", zp_known_path(h->c->known),
			    zp_say_err(buf, err));
	}
	return err;
}

static enum zp_err
open_links(struct handshake *h)
{
	const size_t n = h->c->n;

	h->links = calloc(n, sizeof(*h->links));
	h->fds = calloc(2 * n, sizeof(*h->fds));
	if (h->links == NULL || h->fds == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		struct link *l = &h->links[i];
		l->l = &h->c->links[i];
		zp_status_init(&l->status);
		enum zp_err err = zp_reader_init(&l->reader, l->l->in, BLOCK);
		if (err)
			return err;
		l->hears = l->speaks = true;
		l->up = !l->l->tells;
	}
	return ZP_OK;
}

static void
close_links(struct handshake *h)
{
	for (size_t i = 0; h->links != NULL && i < h->c->n; i++)
		zp_reader_free(&h->links[i].reader);
	free(h->links);
	free(h->fds);
}

enum zp_err
zp_handshake_run(
    const struct zp_handshake_config *config, struct zp_handshake_made *made)
{
	struct handshake h = {.c = config, .begun = zp_load_ticks()};
	enum zp_err err = open_links(&h);

	h.tell_at = h.begun + TELL_FIRST;
	zp_signal_catch(&h.wake);
	if (!err)
		err = make_presence(&h);
	if (!err)
		err = start(&h);
	if (!err)
		err = converse(&h);
	if (err == ZP_ERR_MEMORY || err == ZP_ERR_CLOCK)
		zp_say(config->tool, "%s", zp_err_text(err));
	if (h.started)
		leave(&h);
	zp_presence_free(h.presence);
	close_links(&h);
	if (err)
		zp_convfile_free(h.made.file);
	else
		*made = h.made;
	return err;
}
