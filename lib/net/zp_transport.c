#include "net/zp_transport.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/zp_signal.h"
#include "base/zp_text.h"
#include "net/zp_scan.h"
#include "net/zp_transport_run.h"

/* stdin is read in blocks of so much. */
#define BLOCK (64u << 10)

/* stdout may be behind by so much before no more is received. */
#define OUT_MOST (512u << 10)

/* A cursor follows its record after so many ms at the latest. */
#define CURSOR_AFTER 200

/* After a signal or when stdout is gone: time to get the rest acknowledged. */
#define STOP_WITHIN 1000

int64_t
zp_transport_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint32_t
random32(void)
{
	uint32_t r = 0;

	/* Without randomness there is merely no jitter. */
	if (getentropy(&r, sizeof(r)) != 0)
		r = 0;
	return r;
}

/* ---- telling ---- */

/* One line of text in which nothing can move a cursor or forge a line. */
static void __attribute__((format(printf, 2, 0)))
make_safe(char to[static ZP_REASON_MAX], const char *fmt, va_list ap)
{
	char raw[ZP_REASON_MAX];
	size_t used, n;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	n = zp_text_escape(
	    to, ZP_REASON_MAX - 1, raw, strlen(raw), ZP_TEXT_LINE, &used);
	to[n] = '\0';
}

static void
say(struct zp_transport *t, const char *text, const char *more)
{
	zp_say(t->ops->name, "%s: %s%s", t->args.url->safe, text, more);
}

void
zp_transport_warn(struct zp_transport *t, const char *fmt, ...)
{
	char text[ZP_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	make_safe(text, fmt, ap);
	va_end(ap);
	say(t, text, "");
}

/* Once something is wrong inside, nothing but the end remains. */
static void
broken(struct zp_transport *t, enum zp_err err)
{
	if (t->error == ZP_OK)
		t->error = err;
}

/* ---- stdout ---- */

static void
put(struct zp_transport *t, const char *data, size_t len)
{
	enum zp_err err = ZP_OK;

	/* Who wrote here before us may have died within a line. */
	if (!t->begun && !isatty(t->out.fd))
		err = zp_outq_put(&t->out, "\n", 1);
	t->begun = true;
	if (!err)
		err = zp_outq_put(&t->out, data, len);
	if (!err)
		err = zp_outq_put(&t->out, "\n", 1);
	if (err == ZP_ERR_MEMORY && t->error == ZP_OK)
		zp_transport_warn(t, "%s", zp_err_text(err));
	if (err)
		broken(t, err);
}

static void
put_status(struct zp_transport *t, const char *status)
{
	if (t->args.topic != NULL)
		put(t, status, strlen(status));
}

static void
put_cursor(struct zp_transport *t)
{
	static const char head[] = "#cursor ";
	size_t n = sizeof(head) - 1;

	t->cursor_at = INT64_MAX;
	if (t->ops->cursor == NULL || t->args.topic == NULL)
		return;
	size_t len = t->ops->cursor(t->self, t->line + n, ZP_CURSOR_MAX);
	if (len == 0)
		return;
	memcpy(t->line, head, n);
	put(t, t->line, n + len);
}

/* A good link is told once, a bad one once for every new reason. */
static void
show_up(struct zp_transport *t)
{
	if (t->shown == ZP_SHOWN_UP)
		return;
	if (t->shown == ZP_SHOWN_DOWN && !t->told)
		say(t, "up again", "");
	t->shown = ZP_SHOWN_UP;
	t->reason[0] = '\0';
	put_status(t, "#up");
}

static void
put_down(struct zp_transport *t, const char *reason)
{
	char status[ZP_REASON_MAX + 8];

	snprintf(status, sizeof(status), "#down %s", reason);
	put_status(t, status);
}

void
zp_transport_fail(struct zp_transport *t, enum zp_err err, const char *fmt, ...)
{
	char text[ZP_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	make_safe(text, fmt, ap);
	va_end(ap);
	if (!t->told)
		say(t, text, "");
	put_down(t, text);
	broken(t, err);
}

static void __attribute__((format(printf, 2, 0)))
show_down(struct zp_transport *t, const char *fmt, va_list ap)
{
	char reason[ZP_REASON_MAX];

	make_safe(reason, fmt, ap);
	if (t->shown == ZP_SHOWN_DOWN && strcmp(reason, t->reason) == 0)
		return;
	t->shown = ZP_SHOWN_DOWN;
	memcpy(t->reason, reason, sizeof(reason));
	if (!t->told)
		say(t, reason, "; trying again");
	put_down(t, reason);
}

/* ---- what the protocol's side calls ---- */

const struct zp_transport_args *
zp_transport_args(const struct zp_transport *t)
{
	return &t->args;
}

int64_t
zp_transport_now(const struct zp_transport *t)
{
	return t->now;
}

void
zp_transport_up(struct zp_transport *t)
{
	if (t->link == ZP_LINK_UP || t->dropping)
		return;
	t->link = ZP_LINK_UP;
	t->up_since = t->now;
	t->stirred = true;
	show_up(t);
}

void
zp_transport_live(struct zp_transport *t)
{
	if (t->dropping)
		return;
	put_cursor(t);
	put_status(t, "#live");
	t->live = t->live_seen = true;
	t->stirred = true;
}

void
zp_transport_status(struct zp_transport *t, const char *fmt, ...)
{
	char text[ZP_REASON_MAX], status[ZP_REASON_MAX + 1];
	va_list ap;

	if (t->dropping)
		return;
	va_start(ap, fmt);
	make_safe(text, fmt, ap);
	va_end(ap);
	snprintf(status, sizeof(status), "#%s", text);
	put_status(t, status);
}

void
zp_transport_down(struct zp_transport *t, const char *fmt, ...)
{
	va_list ap;

	if (t->dropping)
		return;
	va_start(ap, fmt);
	show_down(t, fmt, ap);
	va_end(ap);
	t->dropping = true;
}

void
zp_transport_stall(struct zp_transport *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show_down(t, fmt, ap);
	va_end(ap);
	zp_queue_rewind(&t->queue);
	t->stall_until = t->now + zp_backoff_next(&t->stalls, random32());
}

void
zp_transport_acked(struct zp_transport *t, struct zp_item *item)
{
	zp_queue_remove(&t->queue, item);
	t->stirred = true;
	t->progress_at = t->now;
	zp_backoff_reset(&t->stalls);
	if (t->link != ZP_LINK_UP || t->dropping || t->shown == ZP_SHOWN_UP)
		return;
	show_up(t);
	/* It was heard all the while, but #down said that it was not. */
	if (t->live)
		put_status(t, "#live");
}

void
zp_transport_refused(
    struct zp_transport *t, struct zp_item *item, const char *fmt, ...)
{
	char text[ZP_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	make_safe(text, fmt, ap);
	va_end(ap);
	zp_transport_warn(
	    t, "record %" PRIu64 " refused: %s", item->number, text);
	zp_queue_remove(&t->queue, item);
	t->stirred = true;
	t->lost = true;
}

void
zp_transport_receive_record(struct zp_transport *t, const struct zp_record *rec)
{
	t->stirred = true;
	t->progress_at = t->now;
	put(t, rec->line, rec->len);
	if (t->cursor_at == INT64_MAX)
		t->cursor_at = t->now + CURSOR_AFTER;
}

void
zp_transport_receive(struct zp_transport *t, const char *data, size_t len)
{
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(data, len, &from, false, &rec)) {
		zp_transport_receive_record(t, &rec);
		if (zp_scan_torn(&rec, data + len))
			from = zp_record_retry(data, &rec);
	}
}

bool
zp_transport_room(const struct zp_transport *t)
{
	return zp_outq_len(&t->out) < OUT_MOST;
}

bool
zp_transport_written(const struct zp_transport *t)
{
	return zp_outq_len(&t->out) == 0 && t->out.error == 0;
}

const struct zp_item *
zp_transport_next(const struct zp_transport *t)
{
	return t->queue.unsent;
}

bool
zp_transport_in_ended(const struct zp_transport *t)
{
	return !t->reading;
}

bool
zp_transport_stopping(const struct zp_transport *t)
{
	return t->stopping;
}

bool
zp_transport_ending(const struct zp_transport *t)
{
	return (!t->reading || t->stopping) && t->queue.unsent == NULL;
}

/* ---- stdin ---- */

static bool
is_live(const struct zp_transport *t, const struct zp_record *rec)
{
	const char *live = t->args.live;

	return live != NULL && strlen(live) == rec->rp_len &&
	    memcmp(live, rec->rp, rec->rp_len) == 0;
}

/* Moves what was read into the queue, as far as that has room. */
static void
accept_records(struct zp_transport *t)
{
	struct zp_record rec;
	enum zp_err err;

	t->in_waits = false;
	while (t->reading) {
		if (!zp_queue_has_room(&t->queue)) {
			t->in_waits = true;
			return;
		}
		if (!zp_reader_next(&t->in, &rec))
			break;
		err = zp_queue_put(&t->queue, &rec, is_live(t, &rec));
		if (err) {
			broken(t, err);
			return;
		}
		if (zp_scan_torn(&rec, t->in.in.data + t->in.in.end))
			zp_reader_retry(&t->in, &rec);
	}
	if (t->reading && t->in.in.eof) {
		t->reading = false;
		t->progress_at = t->now;
	}
}

/* Is there anything in these bytes that somebody may have meant to send? */
static void
look_for_text(struct zp_transport *t, const char *data, size_t len)
{
	const char *end = data + len, *nl;

	for (; data < end && !t->in_text; data = nl + 1) {
		t->in_text = !t->in_line && strchr("#\r\n", *data) == NULL;
		nl = memchr(data, '\n', (size_t)(end - data));
		t->in_line = nl == NULL;
		if (nl == NULL)
			break;
	}
}

static void
read_stdin(struct zp_transport *t)
{
	const size_t had = zp_in_len(&t->in.in) - t->in.from;
	enum zp_err err = zp_reader_fill(&t->in);

	if (!err && t->in.count == 0)
		look_for_text(
		    t, zp_in_at(&t->in.in) + had, zp_in_len(&t->in.in) - had);
	if (err == ZP_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (err == ZP_ERR_IO && zp_in_away(&t->in.in)) {
		t->in_at = t->now + ZP_IN_AWAY_MS;
		return;
	}
	if (err) {
		char buf[ZP_SAY_NAME];
		zp_transport_warn(
		    t, "standard input: %s", zp_say_err(buf, err));
		t->lost = true;
		t->in.in.eof = true;
	}
	accept_records(t);
}

/* ---- the loop ---- */

/* Drops the link if a callback asked for it. */
static void
drop(struct zp_transport *t)
{
	if (!t->dropping)
		return;
	t->ops->disconnect(t->self);
	zp_queue_rewind(&t->queue);
	if (t->link == ZP_LINK_UP && t->now - t->up_since >= ZP_BACKOFF_GOOD)
		zp_backoff_reset(&t->links);
	t->retry_at = t->now + zp_backoff_next(&t->links, random32());
	t->link = ZP_LINK_OFF;
	t->dropping = t->live = false;
}

static void
connect_and_publish(struct zp_transport *t)
{
	if (t->link == ZP_LINK_OFF && t->now >= t->retry_at) {
		t->link = ZP_LINK_TRYING;
		t->ops->connect(t->self);
	}
	drop(t);
	while (t->link == ZP_LINK_UP && t->queue.unsent != NULL &&
	    t->now >= t->stall_until && t->error == ZP_OK) {
		struct zp_item *item = t->queue.unsent;
		zp_queue_sent(&t->queue);
		if (!t->ops->publish(t->self, item)) {
			/* A stall has put it back already. */
			if (item->sent)
				zp_queue_unsend(&t->queue, item);
			break;
		}
		drop(t);
	}
	drop(t);
}

void
zp_transport_sooner(int *wait_ms, int64_t at, int64_t now)
{
	if (at == INT64_MAX)
		return;
	int64_t ms = at > now ? at - now : 0;
	if (ms < *wait_ms)
		*wait_ms = (int)ms;
}

/* Does the time-out count now? */
static bool
gives_up(const struct zp_transport *t)
{
	bool publishes = t->args.topic == NULL && !t->reading;

	return t->timeout_ms > 0 && (t->args.once || publishes);
}

/* When something is due, if no descriptor wakes us before. */
static int
next_due(const struct zp_transport *t)
{
	int wait_ms = 60000;

	if (t->link == ZP_LINK_OFF)
		zp_transport_sooner(&wait_ms, t->retry_at, t->now);
	if (t->queue.unsent != NULL && t->stall_until > t->now)
		zp_transport_sooner(&wait_ms, t->stall_until, t->now);
	zp_transport_sooner(&wait_ms, t->cursor_at, t->now);
	if (t->in_at > t->now)
		zp_transport_sooner(&wait_ms, t->in_at, t->now);
	if (t->stopping)
		zp_transport_sooner(&wait_ms, t->stop_at, t->now);
	if (gives_up(t))
		zp_transport_sooner(
		    &wait_ms, t->progress_at + t->timeout_ms, t->now);
	return wait_ms;
}

enum { FD_IN, FD_OUT, FD_FIRST, FD_MOST = 64 };

/* What stdin and stdout are waited for. */
static void
own_fds(struct zp_transport *t, struct pollfd *fds)
{
	bool in =
	    t->reading && !t->in_waits && !t->args.once && t->now >= t->in_at;

	fds[FD_IN] =
	    (struct pollfd){.fd = in ? t->in.in.fd : -1, .events = POLLIN};
	/* Without events too: a closed pipe shows as POLLERR. */
	fds[FD_OUT] = (struct pollfd){
	    .fd = t->args.topic != NULL && t->out.error == 0 ? t->out.fd : -1,
	    .events = zp_outq_len(&t->out) > 0 ? POLLOUT : 0};
}

static void
begin_to_stop(struct zp_transport *t)
{
	if (t->stopping)
		broken(t, ZP_ERR_UNDELIVERED); /* the second signal */
	if (t->cursor_at != INT64_MAX)
		put_cursor(t);
	t->stopping = true;
	t->stop_at = t->now + STOP_WITHIN;
}

/* Waits, then lets everybody work.  `wake`: the signals open while waiting. */
static void
turn(struct zp_transport *t, const sigset_t *wake)
{
	struct pollfd fds[FD_MOST];
	int wait_ms = next_due(t), got;
	size_t n = t->link == ZP_LINK_OFF
	    ? 0
	    : t->ops->poll(
		  t->self, fds + FD_FIRST, FD_MOST - FD_FIRST, &wait_ms);

	drop(t);
	if (t->link == ZP_LINK_OFF)
		n = 0;
	own_fds(t, fds);
	if (t->stirred)
		wait_ms = 0;
	struct timespec ts = {wait_ms / 1000, wait_ms % 1000 * 1000000L};
	got = ppoll(fds, FD_FIRST + n, &ts, wake);
	t->now = zp_transport_clock();
	if (got < 0) {
		if (errno == EINTR)
			begin_to_stop(t);
		return;
	}
	if (fds[FD_OUT].revents & POLLOUT)
		zp_outq_write(&t->out);
	else if (fds[FD_OUT].revents & (POLLERR | POLLHUP | POLLNVAL))
		t->out.error = EPIPE;
	if (fds[FD_IN].fd >= 0 && fds[FD_IN].revents != 0)
		read_stdin(t);
	if (t->link != ZP_LINK_OFF)
		t->ops->service(t->self, fds + FD_FIRST, n);
	drop(t);
}

/* Does stdin hold something that was written before the signal? */
static bool
stdin_pending(const struct zp_transport *t)
{
	return t->reading && !t->args.once &&
	    (t->in_waits || (t->now >= t->in_at && zp_in_ready(&t->in.in)));
}

/* Is there nothing left to do? */
static bool
finished(struct zp_transport *t)
{
	if (t->error != ZP_OK)
		return true;
	if (t->out.error != 0 && !t->stopping)
		begin_to_stop(t);
	bool empty = t->queue.count == 0;
	bool shown = zp_outq_len(&t->out) == 0;
	if (t->stopping)
		return t->now >= t->stop_at ||
		    (empty && shown && !stdin_pending(t));
	if (t->args.once && t->live_seen)
		return shown;
	if (gives_up(t) && t->now - t->progress_at >= t->timeout_ms)
		return true;
	return t->args.topic == NULL && !t->reading && empty;
}

/* Names the records that nobody acknowledged, by their number. */
static void
tell_undelivered(struct zp_transport *t)
{
	char list[256] = "";
	size_t len = 0;
	uint64_t first = 0, last = 0;
	const struct zp_item *item = t->queue.head;

	while (item != NULL && len < sizeof(list) - 64) {
		first = last = item->number;
		for (item = item->next;
		     item != NULL && item->number == last + 1;
		     item = item->next)
			last++;
		int n = snprintf(list + len, sizeof(list) - len,
		    first == last ? "%s%" PRIu64 : "%s%" PRIu64 " to %" PRIu64,
		    len > 0 ? ", " : "", first, last);
		len += n > 0 ? (size_t)n : 0;
	}
	zp_transport_warn(t, "not delivered: %s %s of the input%s%s",
	    t->queue.count > 1 ? "records" : "record", list,
	    item != NULL ? ", and more" : "",
	    t->in_waits ? ", and all behind" : "");
}

/* Somebody who forgot to seal is told, not left with a silent 0. */
static void
tell_no_record(struct zp_transport *t)
{
	if (t->args.topic != NULL || t->in.count > 0 || !t->in_text)
		return;
	zp_transport_warn(t, "no record in the input: nothing was published");
	zp_hint("zpinc-seal makes records of text");
}

static enum zp_exit
outcome(struct zp_transport *t)
{
	bool broke = t->error != ZP_OK && t->error != ZP_ERR_UNDELIVERED;

	tell_no_record(t);
	if (t->queue.count > 0 || t->in_waits) {
		if (t->shown == ZP_SHOWN_NOTHING && !t->stopping && !broke &&
		    t->out.error == 0)
			zp_transport_warn(t, "there was no answer in time");
		if (!t->told)
			tell_undelivered(t);
		t->lost = true;
	}
	if (broke)
		return zp_err_status(t->error);
	if (t->out.error != 0 && t->out.error != EPIPE) {
		errno = t->out.error;
		zp_transport_warn(t, "standard output: %s", strerror(errno));
		return ZP_EXIT_IO;
	}
	if (t->args.once && !t->live_seen && !t->stopping) {
		zp_transport_warn(t, "the history did not come in time");
		return ZP_EXIT_IO;
	}
	return t->lost ? ZP_EXIT_IO : ZP_EXIT_OK;
}

static void
run(struct zp_transport *t)
{
	sigset_t wake;

	zp_signal_catch(&wake);
	t->now = zp_transport_clock();
	t->progress_at = t->now;
	while (!finished(t)) {
		t->stirred = false;
		connect_and_publish(t);
		if (t->now >= t->cursor_at)
			put_cursor(t);
		if (zp_outq_len(&t->out) > 0 && t->out.burst > PIPE_BUF)
			zp_outq_write(&t->out);
		if (finished(t))
			break;
		turn(t, &wake);
		accept_records(t);
	}
}

static void
say_last(struct zp_transport *t)
{
	struct pollfd p = {.fd = t->out.fd, .events = POLLOUT};

	if (zp_outq_len(&t->out) > 0 && poll(&p, 1, 0) > 0)
		zp_outq_write(&t->out);
}

enum zp_exit
zp_transport_run(struct zp_transport *t)
{
	enum zp_err err = zp_reader_init(&t->in, STDIN_FILENO, BLOCK);
	enum zp_exit status;

	/*
	 * Both are errors of write() to report: a reader that has gone, and a
	 * file size limit, which is like a full disk.  start() writes already.
	 */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	t->now = zp_transport_clock();
	t->cursor_at = INT64_MAX;
	t->reading = true;
	if (!err)
		zp_in_terminal(&t->in.in);
	zp_outq_init(&t->out, STDOUT_FILENO);
	zp_queue_init(&t->queue);
	zp_backoff_init(&t->links, ZP_BACKOFF_FIRST, ZP_BACKOFF_MOST);
	zp_backoff_init(&t->stalls, ZP_BACKOFF_FIRST, ZP_BACKOFF_MOST);
	if (err)
		zp_transport_warn(t, "%s", zp_err_text(err));
	else
		err = t->ops->start(t->self, t);
	if (err) {
		status = zp_err_status(err);
	} else {
		run(t);
		/* Why it ended is the last that is said, if there is room. */
		if (t->error != ZP_OK)
			say_last(t);
		if (t->link != ZP_LINK_OFF)
			t->ops->disconnect(t->self);
		status = outcome(t);
	}
	t->ops->stop(t->self);
	zp_queue_free(&t->queue);
	zp_outq_free(&t->out);
	zp_reader_free(&t->in);
	return status;
}
