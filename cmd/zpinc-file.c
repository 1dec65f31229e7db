#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/zp_dirread.h"
#include "net/zp_dirwrite.h"
#include "net/zp_queue.h"
#include "net/zp_transport.h"
#include "net/zp_watch.h"

/* The folder as a relay, zpinc-file(1). */

#define KEEP 1000u
#define KEEP_LIVE 64u

/* The folder is looked through every so often (ms); without a watch, more. */
#define SCAN 2000
#define SCAN_UNWATCHED 50

/* Whoever removes a folder shall be done before we make it again (ms). */
#define PATIENCE 100

/* The looking itself takes at most one part in so many of the time. */
#define SCAN_SHARE 20

/* Bytes read before output and input have their turn. */
#define STEPS 16

/* Topics written to at a time, and lines in one write. */
#define WRITERS 8
#define BATCH 512

/* Published bytes are on disk after so many ms, or so many bytes. */
#define SYNC_AFTER 5
#define SYNC_BYTES (2u << 20)

struct topic {
	struct zp_dirread read;
	int watch;
	int64_t scan_at; /* when to look through it next */
	int64_t cost; /* what that took the last time, ms */
};

struct writer {
	char *topic; /* NULL: free */
	struct zp_dirwrite file;
	uint64_t used;
};

struct file {
	struct zp_transport *t;
	const char *dir;
	uint64_t keep;
	struct zp_watch watch;
	int dir_watch; /* of DIR, where topics' folders come and go */
	struct topic topics[2]; /* TOPIC and LIVE */
	size_t n_topics;
	bool live_told;
	bool out; /* shut out, and told */

	struct writer writers[WRITERS];
	uint64_t clock;
	char id[ZP_WRITER_ID_LEN + 1]; /* "" until the first record */
	bool durable; /* publish only: nothing is acked before a sync */
	struct zp_item *taken[ZP_QUEUE_COUNT + 1];
	size_t n_taken, n_written; /* taken; of these in a file */
	size_t unsynced; /* bytes */
	int64_t sync_at;
};

static char *
folder_of(const struct file *f, const char *topic)
{
	size_t cap = strlen(f->dir) + strlen(topic) + 2;
	char *path = malloc(cap);

	if (path != NULL)
		snprintf(path, cap, "%s/%s", f->dir, topic);
	return path;
}

/* ---- start ---- */

enum { ID_KEEP = 1 };

static const struct zp_opt options[] = {
    {ID_KEEP, 'n', "keep", "N", "records kept of each writer (1000)"},
};

static bool
take_option(void *self, int id, const char *arg)
{
	struct file *f = self;

	if (id == ID_KEEP && zp_opt_number(arg, 1, 1000000, &f->keep) == ZP_OK)
		return true;
	zp_say("zpinc-file", "--keep takes a number from 1 to 1000000");
	return false;
}

static enum zp_err
add_topic(struct file *f, const char *topic, bool live, const char *cursor)
{
	struct topic *to = &f->topics[f->n_topics];
	char *path = folder_of(f, topic);
	enum zp_err err;

	if (path == NULL)
		return ZP_ERR_MEMORY;
	err = zp_dirread_init(&to->read, path, live, cursor);
	free(path);
	if (err)
		return err;
	to->watch = -1;
	f->n_topics++;
	return ZP_OK;
}

static enum zp_err
start(void *self, struct zp_transport *t)
{
	struct file *f = self;
	const struct zp_transport_args *args = zp_transport_args(t);
	enum zp_err err = ZP_OK;

	f->t = t;
	f->dir = args->url->path;
	f->durable = args->topic == NULL;
	f->sync_at = INT64_MAX;
	f->dir_watch = -1;
	zp_watch_open(&f->watch);
	if (args->topic != NULL)
		err = add_topic(f, args->topic, false, args->cursor);
	if (!err && args->cursor != NULL && f->topics[0].read.count == 0)
		zp_transport_warn(
		    t, "the cursor is of no use here, all is read");
	if (!err && args->live != NULL && strcmp(args->live, args->topic) != 0)
		err = add_topic(f, args->live, true, NULL);
	if (err)
		zp_transport_warn(t, "%s", zp_err_text(err));
	return err;
}

static void
stop(void *self)
{
	struct file *f = self;

	for (size_t i = 0; i < f->n_topics; i++)
		zp_dirread_free(&f->topics[i].read);
	for (size_t i = 0; i < WRITERS; i++) {
		zp_dirwrite_free(&f->writers[i].file);
		free(f->writers[i].topic);
	}
	if (f->t != NULL)
		zp_watch_close(&f->watch);
}

/* ---- the folder ---- */

/*
 * Was that denied where the folder's permissions allow it?  zpinc-pipe lets
 * us write in the folder that was there when we were started.  If it is
 * another now, only a new process can be let write in that one.
 */
static bool
shut_out(struct file *f, const char *folder)
{
	int why = errno;
	bool out = why == EACCES && access(folder, R_OK | W_OK | X_OK) == 0;

	if (out && !f->out)
		zp_transport_fail(f->t, ZP_ERR_IO,
		    "this process may not write here, though the folder's "
		    "permissions allow it");
	f->out = f->out || out;
	errno = why;
	return out;
}

/* Makes DIR; false: it never will. */
static bool
make_dir(struct file *f)
{
	char above[PATH_MAX];
	size_t n = strlen(f->dir);

	if (mkdir(f->dir, 0777) == 0 || errno != EACCES)
		return true;
	while (n > 1 && f->dir[n - 1] == '/')
		n--;
	while (n > 0 && f->dir[n - 1] != '/')
		n--;
	snprintf(above, sizeof(above), "%.*s.", (int)n, f->dir);
	return !shut_out(f, above);
}

/* Is DIR there, made if its parent is, and a folder? */
static bool
reach(struct file *f)
{
	struct stat st;

	if (stat(f->dir, &st) != 0 && errno == ENOENT && !make_dir(f))
		return false;
	if (stat(f->dir, &st) != 0) {
		zp_transport_down(f->t, "%s", strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		zp_transport_down(f->t, "%s", strerror(ENOTDIR));
		return false;
	}
	if (f->dir_watch < 0 && f->n_topics > 0)
		f->dir_watch = zp_watch_folders(&f->watch, f->dir);
	return true;
}

/*
 * Opens a topic's folder if it is not the one at hand any more.  One that
 * is missing and cannot be made is empty, and looked for again; soon, if the
 * folder above went away just now.
 */
static int64_t
attach(struct file *f, struct topic *topic)
{
	if (zp_dirread_attached(&topic->read))
		return SCAN;
	zp_dirread_detach(&topic->read);
	zp_watch_remove(&f->watch, topic->watch);
	topic->watch = -1;
	if (zp_dirwrite_make_folder(topic->read.path) != ZP_OK) {
		(void)shut_out(f, f->dir);
		return errno == ENOENT ? SCAN_UNWATCHED : SCAN;
	}
	if (zp_dirread_attach(&topic->read) != ZP_OK) {
		(void)shut_out(f, topic->read.path);
		topic->read.trouble = errno;
		zp_transport_warn(f->t, "%s: %s",
		    strrchr(topic->read.path, '/') + 1, strerror(errno));
		return SCAN;
	}
	topic->watch = zp_watch_files(&f->watch, topic->read.path);
	/* The watch goes by name: was it moved in between? */
	if (zp_dirread_attached(&topic->read))
		return SCAN;
	zp_dirread_detach(&topic->read);
	topic->read.trouble = ESTALE;
	return SCAN_UNWATCHED;
}

static void
scan(struct file *f, struct topic *topic)
{
	int64_t began = zp_transport_clock();
	int64_t next = attach(f, topic);
	enum zp_err err;

	bool was_full = topic->read.full;
	err = zp_dirread_scan(&topic->read);
	if (err == ZP_ERR_MEMORY)
		zp_transport_fail(f->t, err, "%s", zp_err_text(err));
	if (topic->read.full && !was_full)
		zp_transport_warn(f->t,
		    "more than %d files; the others are not read",
		    ZP_DIRREAD_FILES);
	if (topic->read.dir >= 0 && topic->watch < 0)
		next = SCAN_UNWATCHED;
	topic->cost = zp_transport_clock() - began;
	if (next < topic->cost * SCAN_SHARE)
		next = topic->cost * SCAN_SHARE;
	topic->scan_at = began + next;
}

static void
scan_soon(struct topic *topic, int64_t at)
{
	if (at < topic->scan_at)
		topic->scan_at = at;
}

/* A topic's folder came, went or is another. */
static void
folder_changed(
    struct file *f, int id, enum zp_watch_what what, const char *name)
{
	int64_t soon = zp_transport_now(f->t) + PATIENCE;

	if (what == ZP_WATCH_GONE && id == f->dir_watch)
		f->dir_watch = -1;
	for (size_t i = 0; i < f->n_topics; i++) {
		struct topic *topic = &f->topics[i];
		const char *own = strrchr(topic->read.path, '/') + 1;
		if (what == ZP_WATCH_GONE && id == topic->watch)
			topic->watch = -1;
		if (name == NULL || strcmp(name, own) == 0)
			scan_soon(topic, soon);
	}
}

static void
on_change(void *arg, int id, enum zp_watch_what what, const char *name)
{
	struct file *f = arg;
	int64_t now = zp_transport_now(f->t);

	if (id == f->dir_watch || what == ZP_WATCH_GONE) {
		folder_changed(f, id, what, name);
		return;
	}
	for (size_t i = 0; i < f->n_topics; i++) {
		struct topic *topic = &f->topics[i];
		bool mine = topic->watch == id;
		if (what == ZP_WATCH_LOST)
			scan_soon(topic, now);
		else if (mine && name != NULL &&
		    !zp_dirread_mark(
			&topic->read, name, what == ZP_WATCH_REPLACED))
			/* A new file; at once, but not for ever new ones. */
			scan_soon(topic, now + topic->cost * SCAN_SHARE);
	}
}

static void
connect_folder(void *self)
{
	struct file *f = self;

	if (!reach(f))
		return;
	zp_transport_up(f->t);
	for (size_t i = 0; i < f->n_topics; i++)
		scan(f, &f->topics[i]);
	f->live_told = false;
}

static void
forget_items(struct file *f)
{
	f->n_taken = f->n_written = f->unsynced = 0;
	f->sync_at = INT64_MAX;
}

static void
disconnect(void *self)
{
	forget_items(self);
}

/* ---- reading ---- */

static void
on_record(void *arg, const struct zp_record *rec)
{
	struct file *f = arg;

	zp_transport_receive_record(f->t, rec);
}

/*
 * All that is there has been read.  Who wants no more than that must know if
 * it is not all; else the next scan tries again.
 */
static void
tell_live(struct file *f)
{
	const struct zp_dirread *read = &f->topics[0].read;

	f->live_told = true;
	if (zp_transport_args(f->t)->once && read->trouble != 0)
		zp_transport_fail(f->t, ZP_ERR_IO, "not all could be read: %s",
		    strerror(read->trouble));
	else
		zp_transport_live(f->t);
}

/* A few blocks, while somebody takes them; LIVE first, it is short. */
static void
read_files(struct file *f)
{
	for (int i = 0; i < STEPS && zp_transport_room(f->t); i++) {
		bool any = false;
		for (size_t k = f->n_topics; k-- > 0;)
			any |=
			    zp_dirread_step(&f->topics[k].read, on_record, f);
		if (!any)
			break;
	}
	if (f->n_topics > 0 && !f->live_told && f->topics[0].read.dirty == 0)
		tell_live(f);
}

static void
service(void *self, const struct pollfd *fds, size_t n)
{
	struct file *f = self;
	int64_t now = zp_transport_now(f->t);

	if (n > 0 && fds[0].revents != 0)
		zp_watch_read(&f->watch, on_change, f);
	bool due = false;
	for (size_t i = 0; i < f->n_topics; i++)
		due |= now >= f->topics[i].scan_at;
	if (due && !reach(f))
		return;
	for (size_t i = 0; i < f->n_topics; i++)
		if (now >= f->topics[i].scan_at)
			scan(f, &f->topics[i]);
	read_files(f);
}

static size_t
cursor(void *self, char *to, size_t cap)
{
	struct file *f = self;

	return zp_dirread_cursor(&f->topics[0].read, to, cap);
}

/* ---- writing ---- */

/* The writer's name, at the first record. */
static bool
have_id(struct file *f)
{
	char why[ZP_WRITER_WHY];

	if (f->id[0] != '\0')
		return true;
	if (zp_writer_id(f->id, why) != ZP_OK) {
		f->id[0] = '\0';
		zp_transport_fail(f->t, ZP_ERR_IO, "no random numbers");
		return false;
	}
	if (why[0] != '\0') {
		zp_transport_warn(
		    f->t, "%s: a new file is begun with every run", why);
		zp_hint("set XDG_STATE_HOME to a folder that lasts");
	}
	return true;
}

static void
close_writer(struct writer *w)
{
	zp_dirwrite_free(&w->file);
	free(w->topic);
	*w = (struct writer){.file.fd = -1};
}

static enum zp_err
open_writer(struct file *f, struct writer *w, const char *rp, size_t len)
{
	const char *live = zp_transport_args(f->t)->live;
	uint64_t keep = f->keep;
	enum zp_err err = ZP_ERR_MEMORY;
	char *path = NULL;

	w->topic = strndup(rp, len);
	if (w->topic != NULL)
		path = folder_of(f, w->topic);
	bool is_live =
	    live != NULL && w->topic != NULL && strcmp(live, w->topic) == 0;
	if (is_live && keep > KEEP_LIVE)
		keep = KEEP_LIVE;
	if (path != NULL)
		err = zp_dirwrite_init(&w->file, path, keep, !is_live);
	free(path);
	if (err)
		close_writer(w);
	return err;
}

/* The writer of a topic; the one used longest ago makes room. */
static struct writer *
writer_of(struct file *f, const struct zp_record *rec, enum zp_err *err)
{
	struct writer *oldest = &f->writers[0];

	for (size_t i = 0; i < WRITERS; i++) {
		struct writer *w = &f->writers[i];
		if (w->topic != NULL && strlen(w->topic) == rec->rp_len &&
		    memcmp(w->topic, rec->rp, rec->rp_len) == 0) {
			w->used = ++f->clock;
			return w;
		}
		if (w->used < oldest->used)
			oldest = w;
	}
	if (oldest->topic != NULL) {
		*err = f->durable ? zp_dirwrite_sync(&oldest->file) : ZP_OK;
		if (*err)
			return NULL;
		close_writer(oldest);
	}
	*err = open_writer(f, oldest, rec->rp, rec->rp_len);
	if (*err)
		return NULL;
	oldest->used = ++f->clock;
	return oldest;
}

/* Everything in flight is to be written again. */
static void
fail_writing(struct file *f, enum zp_err err)
{
	char buf[ZP_SAY_NAME];

	forget_items(f);
	if (err == ZP_ERR_MEMORY)
		zp_transport_fail(f->t, err, "%s", zp_err_text(err));
	else if (err == ZP_ERR_FULL)
		zp_transport_stall(f->t, "too many processes write here");
	else
		zp_transport_stall(
		    f->t, "cannot write: %s", zp_say_err(buf, err));
}

static bool
same_topic(const struct zp_item *a, const struct zp_item *b)
{
	return a->rec.rp_len == b->rec.rp_len &&
	    memcmp(a->rec.rp, b->rec.rp, a->rec.rp_len) == 0;
}

/* Appends the next taken items that are for one topic. */
static enum zp_err
write_batch(struct file *f)
{
	struct iovec iov[BATCH];
	struct zp_item *first = f->taken[f->n_written];
	enum zp_err err = ZP_OK;
	size_t bytes = 0;
	int n = 0;

	struct writer *w = writer_of(f, &first->rec, &err);
	if (w == NULL)
		return err;
	for (size_t i = f->n_written; i < f->n_taken && n < BATCH; i++) {
		struct zp_item *item = f->taken[i];
		if (!same_topic(first, item))
			break;
		iov[n++] = (struct iovec){
		    (void *)(uintptr_t)item->rec.line, item->rec.len + 1};
		bytes += item->rec.len + 1;
	}
	err =
	    zp_dirwrite_append(&w->file, f->id, iov, n, zp_transport_now(f->t));
	if (err == ZP_ERR_IO)
		(void)shut_out(f, w->file.folder);
	if (err)
		return err;
	f->n_written += (size_t)n;
	f->unsynced += bytes;
	return ZP_OK;
}

static void
acknowledge(struct file *f)
{
	for (size_t i = 0; i < f->n_written; i++)
		zp_transport_acked(f->t, f->taken[i]);
	forget_items(f);
}

/* In publish-only use nothing is acked before it is on disk. */
static enum zp_err
sync_all(struct file *f)
{
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < WRITERS && !err; i++)
		if (f->writers[i].topic != NULL)
			err = zp_dirwrite_sync(&f->writers[i].file);
	return err;
}

/* May more be gathered before it must be on disk? */
static bool
may_wait(const struct file *f, int64_t now)
{
	return f->durable && !zp_transport_ending(f->t) && now < f->sync_at &&
	    f->unsynced < SYNC_BYTES && f->n_taken < ZP_QUEUE_COUNT;
}

static void
write_files(struct file *f, int64_t now)
{
	enum zp_err err = ZP_OK, synced = ZP_OK;

	if (f->n_taken == 0 || !have_id(f))
		return;
	while (f->n_written < f->n_taken && !err)
		err = write_batch(f);
	int why = errno;
	if (f->sync_at == INT64_MAX)
		f->sync_at = now + SYNC_AFTER;
	if (!err && may_wait(f, now))
		return;
	if (f->durable)
		synced = sync_all(f);
	if (synced) {
		fail_writing(f, synced);
		return;
	}
	/* What stands in the file is done with, whatever came behind. */
	acknowledge(f);
	errno = why;
	if (err)
		fail_writing(f, err);
}

static bool
publish(void *self, struct zp_item *item)
{
	struct file *f = self;

	if (f->n_taken == sizeof(f->taken) / sizeof(*f->taken))
		return false;
	/* A name of a folder, which an ml1 record's may be too long for. */
	if (item->rec.rp_len > NAME_MAX) {
		zp_transport_refused(f->t, item, "its topic is too long");
		return true;
	}
	f->taken[f->n_taken++] = item;
	return true;
}

static size_t
poll_files(void *self, struct pollfd *fds, size_t cap, int *wait_ms)
{
	struct file *f = self;
	int64_t now = zp_transport_now(f->t);
	size_t n = 0;

	write_files(f, now);
	zp_transport_sooner(wait_ms, f->sync_at, now);
	for (size_t i = 0; i < WRITERS; i++)
		if (f->writers[i].topic != NULL)
			zp_transport_sooner(wait_ms,
			    zp_dirwrite_trim(&f->writers[i].file, now), now);
	for (size_t i = 0; i < f->n_topics; i++) {
		zp_transport_sooner(wait_ms, f->topics[i].scan_at, now);
		if (f->topics[i].read.dirty > 0 && zp_transport_room(f->t))
			*wait_ms = 0;
	}
	if (f->n_topics > 0 && !f->live_told)
		*wait_ms = zp_transport_room(f->t) ? 0 : *wait_ms;
	if (f->watch.fd >= 0 && f->n_topics > 0 && cap > 0)
		fds[n++] = (struct pollfd){.fd = f->watch.fd, .events = POLLIN};
	return n;
}

static void
init(void *self)
{
	struct file *f = self;

	f->keep = KEEP;
	for (size_t i = 0; i < WRITERS; i++)
		f->writers[i].file.fd = -1;
}

static const struct zp_transport_ops ops = {
    .name = "zpinc-file",
    .size = sizeof(struct file),
    .init = init,
    .schemes = "file",
    .options = options,
    .n_options = sizeof(options) / sizeof(*options),
    .option = take_option,
    .start = start,
    .connect = connect_folder,
    .disconnect = disconnect,
    .publish = publish,
    .poll = poll_files,
    .service = service,
    .cursor = cursor,
    .stop = stop,
};

int
main(int argc, char **argv)
{
	return zp_transport_main(argc, argv, &ops);
}
