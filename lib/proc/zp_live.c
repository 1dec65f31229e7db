#include "proc/zp_live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_signal.h"
#include "proc/zp_confine.h"
#include "proc/zp_live_impl.h"
#include "proc/zp_load.h"

#define BLOCK 32768
/* Output that its reader does not take, before relays are no longer read. */
#define OUT_MOST (16u << 20)
/* A suspended machine's timers go on, poll() does not: look again by then. */
#define WAIT_MOST 1000
/* At the end: for receipts; for lines that wait; for what came to be read;
   for the last hello. */
#define RECEIPTS_WITHIN 10000
#define LINES_WITHIN 30000
#define SHOW_WITHIN 1000
#define LEAVE_WITHIN 1000

#define TEXT_MESSAGES "%u: %m"

/* ---- start --------------------------------------------------------------- */

enum zp_err
zp_live_fail(const struct zp_live *l, const char *subject, enum zp_err err)
{
	char buf[ZP_SAY_NAME];

	zp_say(l->c->tool, "%s: %s", subject, zp_say_err(buf, err));
	return err;
}

const char *
zp_live_format(const struct zp_live *l)
{
	return l->c->format != NULL ? l->c->format : TEXT_MESSAGES;
}

/*
 * Notes can always be told from messages: by a format that says the kind, or
 * by a word in front.
 */
static enum zp_err
set_format(struct zp_live *l)
{
	const char *format = zp_live_format(l);
	const size_t cap = sizeof(l->note_format);
	bool kind = false;

	for (const char *f = format; *f != '\0'; f++)
		if (*f == '%' && *++f == 'k')
			kind = true;
		else if (*f == '\0')
			break;
	int n = snprintf(
	    l->note_format, cap, "%s%s", kind ? "" : "[note] ", format);
	return n < 0 || (size_t)n >= cap ? ZP_ERR_TOO_LONG : ZP_OK;
}

static enum zp_err
open_links(struct zp_live *l)
{
	l->link = calloc(l->c->n, sizeof(*l->link));
	if (l->link == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < l->c->n; i++) {
		struct zp_live_link *k = &l->link[i];
		k->r = &l->c->relays[i];
		k->hears = k->speaks = true;
		k->since = l->now.ticks;
		zp_status_init(&k->status);
		/* Both are ends of our own: nobody shares their flags. */
		if (fcntl(k->r->in, F_SETFL, O_NONBLOCK) != 0 ||
		    fcntl(k->r->out, F_SETFL, O_NONBLOCK) != 0)
			return ZP_ERR_IO;
		enum zp_err err = zp_reader_init(&k->reader, k->r->in, BLOCK);
		if (!err)
			err = zp_out_init(&k->burst, -1, 2 * ZP_LIVE_BURST);
		if (err)
			return err;
	}
	return ZP_OK;
}

static enum zp_err
confine(struct zp_live *l)
{
	char one[ZP_PATH_MAX];
	const char *dirs[] = {NULL, NULL, NULL};

	l->ops->dirs(l, one, dirs);
	return zp_confine_keyed(l->c->tool, l->c->confine,
	    (dirs[0] != NULL ? ZP_CONFINE_FILES : 0U) | ZP_CONFINE_LOCALTIME,
	    dirs);
}

static enum zp_err
take_time(struct zp_live *l)
{
	l->now.ticks = zp_load_ticks();
	return zp_load_now(&l->now.wall);
}

static enum zp_err
start(struct zp_live *l)
{
	enum zp_err err = take_time(l);

	if (!err)
		err = zp_in_init(
		    &l->in, STDIN_FILENO, BLOCK, ZP_LIVE_LINE_MAX + 2 * BLOCK);
	if (!err)
		err = zp_out_init(&l->out, -1, 4 * BLOCK);
	if (!err)
		zp_in_terminal(&l->in);
	if (!err)
		err = open_links(l);
	if (!err && l->c->said > 0)
		err = zp_screen_new(&l->screen, l->c->said, !l->c->echo);
	if (err)
		return zp_live_fail(l, "starting", err);
	err = set_format(l);
	if (err)
		return zp_live_fail(l, "-F", err);
	err = l->ops->open(l);
	if (!err)
		err = confine(l);
	if (err)
		return err;
	l->progress = l->now.ticks;
	return l->ops->join(l);
}

static void
stop(struct zp_live *l)
{
	for (size_t i = 0; l->link != NULL && i < l->c->n; i++) {
		zp_reader_free(&l->link[i].reader);
		zp_out_free(&l->link[i].burst);
	}
	free(l->link);
	l->ops->close(l);
	zp_in_free(&l->in);
	if (l->out.data != NULL)
		zp_out_free(&l->out);
	zp_screen_free(l->screen);
}

/* ---- waiting ------------------------------------------------------------- */

static uint64_t
deadline(const struct zp_live *l)
{
	if (l->end >= ZP_LIVE_SHOWING)
		return l->end_at;
	uint64_t t = l->ops->deadline(l);
	return l->end == ZP_LIVE_RUNNING ? t : zp_live_least(t, l->end_at);
}

/* Waits for whatever comes; fds: two for each relay, then 0, 1, what is said.
 */
static enum zp_err
wait_for(struct zp_live *l, struct pollfd *fds)
{
	const bool room =
	    l->out.len - l->out_at < OUT_MOST && l->end < ZP_LIVE_SHOWING;
	const bool more = zp_live_wants_input(l);
	uint64_t until = deadline(l), now = zp_load_ticks();
	uint64_t ms = until > now ? until - now : 0;
	struct timespec t;
	size_t n = 0;

	if (ms > WAIT_MOST)
		ms = WAIT_MOST;
	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000) * 1000000;
	for (size_t i = 0; i < l->c->n; i++) {
		const struct zp_live_link *k = &l->link[i];
		fds[n++] = (struct pollfd){
		    .fd = k->hears && room ? k->r->in : -1, .events = POLLIN};
		fds[n++] = (struct pollfd){
		    .fd = k->speaks && k->at < k->burst.len ? k->r->out : -1,
		    .events = POLLOUT};
	}
	fds[n++] =
	    (struct pollfd){.fd = more ? STDIN_FILENO : -1, .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = l->out_error ? -1 : STDOUT_FILENO,
	    .events = (short)(zp_live_flushed(l) ? 0 : POLLOUT)};
	if (l->screen != NULL)
		fds[n++] = (struct pollfd){
		    .fd = zp_screen_said(l->screen), .events = POLLIN};
	if (ppoll(fds, (nfds_t)n, &t, &l->wake) >= 0)
		return ZP_OK;
	if (errno != EINTR)
		return zp_live_fail(l, "poll", ZP_ERR_IO);
	l->interrupted = true;
	for (size_t i = 0; i < n; i++)
		fds[i].revents = 0;
	return ZP_OK;
}

/* ---- the end ------------------------------------------------------------- */

/* Says what has not arrived, or was not sent, and leaves. */
static enum zp_err
leave(struct zp_live *l)
{
	/* Half a line that was being typed is none. */
	if (l->screen != NULL)
		zp_screen_forget(l->screen, &l->in);
	bool left = zp_in_len(&l->in) > 0;

	l->end = ZP_LIVE_LEAVING;
	l->end_at = l->now.ticks + LEAVE_WITHIN;
	l->nobody[0] = '\0';
	l->undelivered = 0;
	l->ops->give_up(l);
	if (l->undelivered > 0)
		l->status = ZP_EXIT_IO;
	if (left) {
		l->status = ZP_EXIT_IO;
		zp_say(l->c->tool, "lines from %llu on were not sent%s%s",
		    (unsigned long long)l->lines + 1,
		    l->why[0] != '\0' ? ": " : "", l->why);
	}
	return l->ops->leave(l);
}

static bool
all_said(const struct zp_live *l)
{
	return zp_in_len(&l->in) == 0 && l->ops->pending(l) == 0;
}

/* Nothing more is read or sent. */
static bool
has_ended(struct zp_live *l)
{
	if (l->interrupted || (l->end == ZP_LIVE_RUNNING && l->out_error != 0))
		return true;
	if (l->end == ZP_LIVE_RUNNING && l->in.eof && !l->c->listen)
		l->end = ZP_LIVE_SENDING;
	if (l->end != ZP_LIVE_SENDING)
		return false;
	const bool waits = zp_in_len(&l->in) > 0;
	l->end_at = l->progress + (waits ? LINES_WITHIN : RECEIPTS_WITHIN);
	return all_said(l) || l->now.ticks >= l->end_at;
}

static enum zp_err
near_end(struct zp_live *l)
{
	if (l->end < ZP_LIVE_SHOWING && has_ended(l)) {
		l->end = ZP_LIVE_SHOWING;
		l->end_at = l->now.ticks + SHOW_WITHIN;
		enum zp_err err = l->ops->last(l);
		if (err)
			return err;
	}
	/* The last hello has receipts for what was shown. */
	if (l->end == ZP_LIVE_SHOWING &&
	    (l->out_error != 0 || zp_live_flushed(l) ||
		l->now.ticks >= l->end_at))
		return leave(l);
	if (l->end == ZP_LIVE_LEAVING &&
	    (!zp_live_unsent(l) || l->now.ticks >= l->end_at) &&
	    (l->out_error != 0 || zp_live_flushed(l) ||
		l->now.ticks >= l->end_at))
		l->end = ZP_LIVE_OVER;
	return ZP_OK;
}

/* ---- the loop ------------------------------------------------------------ */

static enum zp_err
serve(struct zp_live *l, const struct pollfd *fds)
{
	const struct pollfd *io = fds + 2 * l->c->n;
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < l->c->n && !err; i++)
		if (fds[2 * i].revents != 0 && l->end < ZP_LIVE_SHOWING)
			err = zp_live_hear(l, &l->link[i]);
	if (!err && io[0].revents != 0)
		err = zp_live_read(l);
	/* Nobody reads what we write: as good as a signal. */
	if ((io[1].revents & (POLLERR | POLLNVAL)) != 0 && l->out_error == 0)
		l->out_error = EPIPE;
	return err;
}

/* Everything that time or input may have made due. */
static enum zp_err
work(struct zp_live *l)
{
	enum zp_err err = l->ops->work(l);

	if (!err)
		err = zp_live_send(l);
	if (!err)
		err = near_end(l);
	if (!err)
		err = l->ops->ready(l);
	for (size_t i = 0; i < l->c->n && !err; i++)
		err = zp_live_speak(l, &l->link[i]);
	return err;
}

static enum zp_err
turn(struct zp_live *l, struct pollfd *fds)
{
	enum zp_err err = wait_for(l, fds);

	if (!err)
		err = take_time(l);
	if (!err)
		err = l->ops->begin(l);
	if (!err)
		err = serve(l, fds);
	if (!err)
		err = work(l);
	zp_live_tell_lost(l);
	zp_live_flush(l);
	/* What was shown is remembered once it is out. */
	if (!err && zp_live_flushed(l))
		err = l->ops->shown(l);
	return err ? err : l->failed;
}

/* Of what is told at the very end nobody waits in the loop.  Is it out? */
static bool
flush_last(struct zp_live *l)
{
	const uint64_t end = zp_load_ticks() + SHOW_WITHIN;
	uint64_t now;

	zp_live_flush(l);
	while (l->out_error == 0 && !zp_live_flushed(l) &&
	    (now = zp_load_ticks()) < end) {
		struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
		if (poll(&p, 1, (int)(end - now)) < 0)
			break;
		zp_live_flush(l);
	}
	return zp_live_flushed(l);
}

static enum zp_exit
finish(struct zp_live *l, enum zp_err err)
{
	enum zp_exit status = l->status, seen = ZP_EXIT_OK;

	if (l->out_error != 0) {
		errno = l->out_error;
		(void)!zp_live_fail(l, "standard output", ZP_ERR_IO);
		status = ZP_EXIT_IO;
	}
	if (err && err == l->failed)
		(void)!zp_live_fail(l, "stopped", err);
	const bool told = l->out_error != 0;
	zp_live_flush(l);
	bool whole = zp_live_flushed(l);
	/* What nobody could read is not remembered as shown. */
	seen = l->ops->finish(l, !err && l->out_error == 0 && whole);
	l->end = ZP_LIVE_OVER;
	if (whole)
		whole = flush_last(l);
	else
		zp_live_flush(l);
	if (!told && !whole) {
		zp_say(l->c->tool,
		    "standard output takes no more: what came last is not "
		    "shown");
		status = ZP_EXIT_IO;
	}
	if (err && zp_err_status(err) > status)
		status = zp_err_status(err);
	return seen > status ? seen : status;
}

enum zp_exit
zp_live_run(const struct zp_live_config *config)
{
	struct zp_live *l = calloc(1, sizeof(*l));
	struct pollfd fds[2 * ZP_LIVE_RELAYS + 3] = {{0}};

	if (l == NULL || config->n < 1 || config->n > ZP_LIVE_RELAYS) {
		free(l);
		return ZP_EXIT_IO;
	}
	l->c = config;
	l->ops = config->mles != NULL ? &zp_live_mles : &zp_live_zp1;
	zp_signal_catch(&l->wake);
	enum zp_err err = start(l);
	while (!err && l->end != ZP_LIVE_OVER)
		err = turn(l, fds);
	enum zp_exit status = finish(l, err);
	stop(l);
	free(l);
	return status;
}
