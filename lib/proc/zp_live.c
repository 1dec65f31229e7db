#include "proc/zp_live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_live_impl.h"
#include "proc/zp_load.h"

#define BLOCK 32768
/* Output that its reader does not take, before relays are no longer read. */
#define OUT_MOST (16u << 20)
/* A suspended machine's timers go on, poll() does not: look again by then. */
#define WAIT_MOST 1000
/* At the end: for receipts; for lines that wait; for the last hello. */
#define RECEIPTS_WITHIN 10000
#define LINES_WITHIN 30000
#define LEAVE_WITHIN 1000
#define RECEIPT_CREDIT 16000

#define TEXT_MESSAGES "%u: %m"
#define TEXT_NOTES "[note] %u: %m"

/* ---- start --------------------------------------------------------------- */

static enum zp_err
fail(const struct zp_live *l, const char *subject, enum zp_err err)
{
	char buf[ZP_SAY_NAME];

	zp_say(l->c->tool, "%s: %s", subject, zp_say_err(buf, err));
	return err;
}

/* DIR/NAME, and the folder. */
static enum zp_err
state_path(
    const struct zp_live *l, const char *name, char to[static ZP_PATH_MAX])
{
	int n = snprintf(to, ZP_PATH_MAX, "%s/%s", l->c->state, name);

	if (n < 0 || n >= ZP_PATH_MAX)
		return fail(l, l->c->state, ZP_ERR_TOO_LONG);
	if (mkdir(l->c->state, 0700) != 0 && errno != EEXIST)
		return fail(l, l->c->state, ZP_ERR_IO);
	return ZP_OK;
}

/*
 * Notes can always be told from messages: by a format that says the kind, or
 * by a word in front.
 */
static enum zp_err
set_formats(struct zp_inbox_config *ic, const struct zp_live_config *c,
    char *note, size_t cap)
{
	ic->format = c->format != NULL ? c->format : TEXT_MESSAGES;
	ic->note_format = TEXT_NOTES;
	if (c->format == NULL)
		return ZP_OK;
	ic->note_format = note;
	bool kind = false;
	for (const char *f = c->format; *f != '\0'; f++)
		if (*f == '%' && *++f == 'k')
			kind = true;
		else if (*f == '\0')
			break;
	int n = snprintf(note, cap, "%s%s", kind ? "" : "[note] ", c->format);
	return n < 0 || (size_t)n >= cap ? ZP_ERR_TOO_LONG : ZP_OK;
}

static enum zp_err
open_inbox(struct zp_live *l, char *note, size_t cap)
{
	struct zp_inbox_config ic = {.tool = l->c->tool,
	    .out = &l->out,
	    .style = l->c->json ? ZP_INBOX_JSON : ZP_INBOX_TEXT,
	    .trust_path = l->c->trust_path,
	    .trust_new = l->c->trust_new,
	    .verbose = l->c->verbose,
	    .take = zp_live_take,
	    .again = zp_live_again,
	    .missed = zp_live_missed,
	    .gap = zp_live_note_gap,
	    .arg = l};
	enum zp_err err = set_formats(&ic, l->c, note, cap);

	if (err)
		return fail(l, "-F", err);
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
	if (err)
		return fail(l, l->c->uid, err);
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
	return err ? fail(l, "starting", err) : restore(l);
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

static enum zp_err
confine(struct zp_live *l)
{
	char known[ZP_PATH_MAX];
	const char *dirs[] = {known, l->c->state, NULL};

	folder_of(known, zp_known_path(zp_inbox_known(l->inbox)));
	return zp_confine_keyed(l->c->tool, l->c->confine,
	    ZP_CONFINE_FILES | ZP_CONFINE_LOCALTIME, dirs);
}

static enum zp_err
take_time(struct zp_live *l)
{
	l->now.ticks = zp_load_ticks();
	return zp_load_now(&l->now.wall);
}

static enum zp_err
start(struct zp_live *l, char *note, size_t cap)
{
	enum zp_err err = take_time(l);

	if (!err)
		err = zp_in_init(
		    &l->in, STDIN_FILENO, BLOCK, ZP_LIVE_LINE_MAX + 2 * BLOCK);
	if (!err)
		err = zp_out_init(&l->out, -1, 4 * BLOCK);
	if (!err)
		err = open_links(l);
	if (!err && l->c->said > 0)
		err = zp_screen_new(&l->screen, l->c->said);
	if (err)
		return fail(l, "starting", err);
	err = open_inbox(l, note, cap);
	if (!err)
		err = open_presence(l);
	if (!err)
		err = open_outbox(l);
	if (!err)
		err = confine(l);
	if (err)
		return err;
	l->receipt_credit = RECEIPT_CREDIT;
	l->receipt_at = l->progress = l->now.ticks;
	err = zp_presence_start(l->presence, &l->now);
	return err ? fail(l, l->c->uid, err) : ZP_OK;
}

static void
stop(struct zp_live *l)
{
	for (size_t i = 0; l->link != NULL && i < l->c->n; i++) {
		zp_reader_free(&l->link[i].reader);
		zp_out_free(&l->link[i].burst);
	}
	free(l->link);
	zp_outbox_free(l->outbox);
	zp_order_free(l->order);
	zp_presence_free(l->presence);
	zp_inbox_free(l->inbox);
	zp_outstore_free(l->store);
	zp_in_free(&l->in);
	if (l->out.data != NULL)
		zp_out_free(&l->out);
	zp_screen_free(l->screen);
	free(l->members);
	free(l->hello);
}

/* ---- waiting ------------------------------------------------------------- */

static void
on_signal(int sig)
{
	(void)sig; /* it interrupts the wait, which is all it is for */
}

/* Blocks the signals that end us, but for waits under wake. */
static void
catch_signals(struct zp_live *l)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction act = {.sa_handler = on_signal};
	struct sigaction was;
	sigset_t set;

	sigemptyset(&act.sa_mask);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (sigaction(ends[i], NULL, &was) == 0 &&
		    was.sa_handler == SIG_IGN)
			continue;
		sigaction(ends[i], &act, NULL);
		sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, &l->wake);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigdelset(&l->wake, ends[i]);
}

static uint64_t
deadline(const struct zp_live *l)
{
	uint64_t t = zp_presence_deadline(l->presence);

	t = zp_live_least(t, zp_outbox_deadline(l->outbox));
	t = zp_live_least(t, zp_order_deadline(l->order));
	t = zp_live_least(t, zp_live_receipts_due(l));
	t = zp_live_least(t, zp_outbox_ask_due(l->outbox));
	t = zp_live_least(t, zp_live_mode_due(l));
	if (l->end != ZP_LIVE_RUNNING)
		t = zp_live_least(t, l->end_at);
	return t;
}

/* Waits for whatever comes; fds: two for each relay, then 0, 1, what is said.
 */
static enum zp_err
wait_for(struct zp_live *l, struct pollfd *fds)
{
	const bool room = l->out.len - l->out_at < OUT_MOST;
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
		return fail(l, "poll", ZP_ERR_IO);
	l->interrupted = true;
	for (size_t i = 0; i < n; i++)
		fds[i].revents = 0;
	return ZP_OK;
}

/* ---- the end ------------------------------------------------------------- */

/* Says who has not acknowledged what, and leaves. */
static enum zp_err
leave(struct zp_live *l)
{
	/* Half a line that was being typed is none. */
	if (l->screen != NULL)
		zp_screen_forget(l->screen, &l->in);
	bool left = zp_in_len(&l->in) > 0;
	size_t notes = zp_outbox_pending(l->outbox, ZP_KIND_NOTE);

	l->end = ZP_LIVE_LEAVING;
	l->end_at = l->now.ticks + LEAVE_WITHIN;
	l->nobody[0] = '\0';
	l->undelivered = 0;
	zp_outbox_end(l->outbox, l->now.ticks);
	if (l->undelivered > 0) {
		l->status = ZP_EXIT_IO;
		zp_say(l->c->tool, "%zu line%s not acknowledged%s%s",
		    l->undelivered, l->undelivered == 1 ? "" : "s",
		    l->nobody[0] != '\0' ? " by " : "", l->nobody);
		if (notes > 0 && l->store != NULL)
			zp_hint("notes are kept in %s and go out next time",
			    l->c->state);
	}
	if (left) {
		l->status = ZP_EXIT_IO;
		zp_say(l->c->tool, "lines from %llu on were not sent%s%s",
		    (unsigned long long)l->lines + 1,
		    l->why[0] != '\0' ? ": " : "", l->why);
	}
	zp_order_end(l->order, l->now.ticks);
	enum zp_err err = zp_live_show(l);
	/* The last word has all receipts. */
	zp_live_set_receipts(l);
	if (!err)
		err = zp_presence_stop(l->presence, &l->now);
	return err;
}

static bool
all_said(const struct zp_live *l)
{
	return zp_in_len(&l->in) == 0 &&
	    zp_outbox_pending(l->outbox, ZP_KIND_NOTE) == 0 &&
	    zp_outbox_pending(l->outbox, ZP_KIND_MESSAGE) == 0;
}

static enum zp_err
near_end(struct zp_live *l)
{
	if (l->interrupted && l->end != ZP_LIVE_LEAVING)
		return leave(l);
	if (l->end == ZP_LIVE_RUNNING && l->out_error != 0)
		return leave(l);
	if (l->end == ZP_LIVE_RUNNING && l->in.eof && !l->c->listen)
		l->end = ZP_LIVE_SENDING;
	if (l->end == ZP_LIVE_SENDING) {
		const bool waits = zp_in_len(&l->in) > 0;
		l->end_at =
		    l->progress + (waits ? LINES_WITHIN : RECEIPTS_WITHIN);
		if (all_said(l) || l->now.ticks >= l->end_at)
			return leave(l);
	}
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
		if (fds[2 * i].revents != 0 && l->end != ZP_LIVE_LEAVING)
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
	enum zp_err err = ZP_OK;

	if (l->end != ZP_LIVE_LEAVING) {
		err = zp_presence_tick(l->presence, &l->now);
		zp_outbox_tick(l->outbox, l->now.ticks);
		zp_order_tick(l->order, l->now.ticks);
	}
	if (!err)
		err = zp_live_show(l);
	if (!err && l->end != ZP_LIVE_LEAVING)
		err = zp_live_receipts(l);
	if (!err)
		err = zp_live_send(l);
	if (!err)
		err = near_end(l);
	if (!err && l->store != NULL)
		err = zp_outstore_sync(l->store);
	if (err)
		return err;
	err = zp_live_fetch_hello(l);
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
		err = zp_inbox_begin(l->inbox);
	if (!err)
		err = serve(l, fds);
	if (!err)
		err = work(l);
	zp_live_flush(l);
	/* What was shown is remembered once it is out. */
	if (!err && zp_live_flushed(l))
		err = zp_inbox_end(l->inbox, true);
	return err ? err : l->failed;
}

static enum zp_exit
finish(struct zp_live *l, enum zp_err err)
{
	enum zp_exit status = l->status, seen = ZP_EXIT_OK;

	if (l->out_error != 0) {
		errno = l->out_error;
		(void)!fail(l, "standard output", ZP_ERR_IO);
		status = ZP_EXIT_IO;
	}
	if (err && err == l->failed)
		(void)!fail(l, "stopped", err);
	if (!err && l->out_error == 0 && zp_inbox_finish(l->inbox) != ZP_OK)
		status = ZP_EXIT_IO;
	l->end = ZP_LIVE_OVER;
	zp_live_flush(l);
	if (l->inbox != NULL)
		seen = zp_inbox_status(l->inbox);
	if (err && zp_err_status(err) > status)
		status = zp_err_status(err);
	return seen > status ? seen : status;
}

enum zp_exit
zp_live_run(const struct zp_live_config *config)
{
	struct zp_live *l = calloc(1, sizeof(*l));
	struct pollfd fds[2 * ZP_LIVE_RELAYS + 3] = {{0}};
	char note[1024];

	if (l == NULL || config->n < 1 || config->n > ZP_LIVE_RELAYS) {
		free(l);
		return ZP_EXIT_IO;
	}
	l->c = config;
	catch_signals(l);
	enum zp_err err = start(l, note, sizeof(note));
	while (!err && l->end != ZP_LIVE_OVER)
		err = turn(l, fds);
	enum zp_exit status = finish(l, err);
	stop(l);
	free(l);
	return status;
}
