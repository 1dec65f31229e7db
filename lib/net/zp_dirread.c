#include "net/zp_dirread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zp_b64.h"
#include "net/zp_scan.h"

#define SUFFIX ".zp"
#define SUFFIX_LEN 3

/* A block, and the most that one record can make necessary. */
#define BLOCK (64u << 10)
#define BLOCK_MOST (ZP_RECORD_MAX + 1 + BLOCK)

/* In a larger file the tail is not searched for: it is read anew. */
#define SEARCH_MOST ((off_t)256 << 20)

/* FNV-1a: tells chance apart, which is all that a cursor needs. */
static uint64_t
hash_of(const uint8_t *data, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ data[i]) * 0x100000001b3u;
	return h;
}

/* NAME.zp with a NAME of letters, digits, `_` and `-`, as base64url has. */
static bool
is_name(const char *name)
{
	size_t n = strlen(name);

	if (n <= SUFFIX_LEN || n - SUFFIX_LEN > ZP_DIRREAD_NAME)
		return false;
	n -= SUFFIX_LEN;
	return strcmp(name + n, SUFFIX) == 0 && zp_b64_run(name, n) == n;
}

/* Where name is, or would be. */
static size_t
place(const struct zp_dirread *r, const char *name, bool *found)
{
	size_t low = 0, high = r->count;

	*found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(r->files[mid]->name, name);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A new entry in its place; NULL with *err set or when the table is full. */
static struct zp_dirfile *
insert(struct zp_dirread *r, const char *name, size_t at, enum zp_err *err)
{
	if (r->count == ZP_DIRREAD_FILES) {
		r->full = true;
		return NULL;
	}
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct zp_dirfile **grown =
		    realloc(r->files, cap * sizeof(*grown));
		if (grown == NULL) {
			*err = ZP_ERR_MEMORY;
			return NULL;
		}
		r->files = grown;
		r->cap = cap;
	}
	struct zp_dirfile *f = calloc(1, sizeof(*f));
	if (f == NULL) {
		*err = ZP_ERR_MEMORY;
		return NULL;
	}
	f->fd = -1;
	f->size = -1;
	memcpy(f->name, name, strlen(name) + 1);
	memmove(r->files + at + 1, r->files + at,
	    (r->count - at) * sizeof(*r->files));
	r->files[at] = f;
	r->count++;
	return f;
}

static void
set_dirty(struct zp_dirread *r, struct zp_dirfile *f, bool dirty)
{
	if (f->dirty == dirty)
		return;
	f->dirty = dirty;
	r->dirty += dirty ? 1u : (size_t)-1;
}

static void
close_file(struct zp_dirread *r, struct zp_dirfile *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	f->fd = -1;
	for (size_t i = 0; i < r->opened; i++)
		if (r->open[i] == f)
			r->open[i] = r->open[r->opened - 1];
	r->opened--;
}

static void
remove_at(struct zp_dirread *r, size_t i)
{
	struct zp_dirfile *f = r->files[i];

	set_dirty(r, f, false);
	close_file(r, f);
	free(f);
	r->count--;
	memmove(
	    r->files + i, r->files + i + 1, (r->count - i) * sizeof(*r->files));
}

/* ---- cursor ---- */

/* One NAME:OFFSET:HASH; what is none is passed over. */
static enum zp_err
parse_entry(struct zp_dirread *r, const char *s, size_t n)
{
	char text[ZP_DIRREAD_NAME + 64], name[ZP_DIRREAD_NAME + 4];
	uint64_t at, hash;
	char *end, *colon;
	enum zp_err err = ZP_OK;
	bool found;

	if (n >= sizeof(text))
		return ZP_OK;
	memcpy(text, s, n);
	text[n] = '\0';
	colon = strchr(text, ':');
	if (colon == NULL || colon - text > ZP_DIRREAD_NAME)
		return ZP_OK;
	memcpy(name, text, (size_t)(colon - text));
	memcpy(name + (colon - text), SUFFIX, SUFFIX_LEN + 1);
	errno = 0;
	at = strtoull(colon + 1, &end, 10);
	if (*end != ':' || errno != 0 || at > INT64_MAX / 2 || !is_name(name))
		return ZP_OK;
	hash = strtoull(end + 1, &end, 16);
	if (*end != '\0' || errno != 0)
		return ZP_OK;
	size_t i = place(r, name, &found);
	struct zp_dirfile *f = found ? r->files[i] : insert(r, name, i, &err);
	if (f == NULL)
		return err;
	f->at = (off_t)at;
	f->hash = hash;
	f->by_hash = true;
	return ZP_OK;
}

static enum zp_err
parse_cursor(struct zp_dirread *r, const char *s)
{
	enum zp_err err = ZP_OK;

	while (*s != '\0' && !err) {
		size_t n = strcspn(s, ",");
		err = parse_entry(r, s, n);
		s += n;
		s += *s == ',';
	}
	return err;
}

size_t
zp_dirread_cursor(const struct zp_dirread *r, char *to, size_t cap)
{
	size_t len = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct zp_dirfile *f = r->files[i];
		char entry[ZP_DIRREAD_NAME + 64];
		uint64_t hash =
		    f->by_hash ? f->hash : hash_of(f->tail, f->tail_len);
		if (f->at == 0)
			continue;
		int n = snprintf(entry, sizeof(entry), "%s%.*s:%jd:%" PRIx64,
		    len > 0 ? "," : "", (int)(strlen(f->name) - SUFFIX_LEN),
		    f->name, (intmax_t)f->at, hash);
		/* What does not fit is read again from its beginning. */
		if (n < 0 || (size_t)n > cap - len)
			break;
		memcpy(to + len, entry, (size_t)n);
		len += (size_t)n;
	}
	return len;
}

/* ---- the folder ---- */

enum zp_err
zp_dirread_init(
    struct zp_dirread *r, const char *path, bool skip, const char *cursor)
{
	enum zp_err err = ZP_OK;

	*r = (struct zp_dirread){.dir = -1, .skip = skip};
	r->path = strdup(path);
	r->buf = malloc(BLOCK_MOST + ZP_DIRREAD_TAIL);
	if (r->path == NULL || r->buf == NULL)
		err = ZP_ERR_MEMORY;
	else if (cursor != NULL)
		err = parse_cursor(r, cursor);
	if (err)
		zp_dirread_free(r);
	return err;
}

void
zp_dirread_free(struct zp_dirread *r)
{
	while (r->count > 0)
		remove_at(r, r->count - 1);
	free(r->files);
	free(r->path);
	free(r->buf);
	if (r->path != NULL && r->dir >= 0)
		close(r->dir);
	*r = (struct zp_dirread){.dir = -1};
}

enum zp_err
zp_dirread_attach(struct zp_dirread *r)
{
	struct stat st;
	int dir =
	    open(r->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return ZP_ERR_IO;
	if (fstat(dir, &st) != 0) {
		close(dir);
		return ZP_ERR_IO;
	}
	zp_dirread_detach(r);
	r->dir = dir;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return ZP_OK;
}

bool
zp_dirread_attached(const struct zp_dirread *r)
{
	struct stat st;

	return r->dir >= 0 && lstat(r->path, &st) == 0 && st.st_dev == r->dev &&
	    st.st_ino == r->ino;
}

void
zp_dirread_detach(struct zp_dirread *r)
{
	if (r->dir >= 0)
		close(r->dir);
	r->dir = -1;
}

/*
 * Something failed that has to do with us.  What others put there, or took
 * away, is none of our trouble.
 */
static void
in_trouble(struct zp_dirread *r)
{
	if (errno != ENOENT && errno != ELOOP && errno != EACCES &&
	    errno != EPERM && errno != ENXIO)
		r->trouble = errno;
}

/* What one name of the folder means. */
static enum zp_err
look_at(struct zp_dirread *r, const char *name)
{
	enum zp_err err = ZP_OK;
	struct stat st;
	bool found;

	if (!is_name(name))
		return ZP_OK;
	if (fstatat(r->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		in_trouble(r);
		return ZP_OK;
	}
	if (!S_ISREG(st.st_mode))
		return ZP_OK;
	size_t i = place(r, name, &found);
	struct zp_dirfile *f = found ? r->files[i] : insert(r, name, i, &err);
	if (f == NULL)
		return err;
	f->seen = true;
	if (!found && r->skip && !r->scanned)
		f->to_end = true;
	if (f->size >= 0 && (f->ino != st.st_ino || f->dev != st.st_dev))
		f->replaced = true;
	if (f->size != st.st_size || f->replaced)
		set_dirty(r, f, true);
	return ZP_OK;
}

enum zp_err
zp_dirread_scan(struct zp_dirread *r)
{
	enum zp_err err = ZP_OK;
	struct dirent *e;
	DIR *d;

	if (r->dir < 0)
		return ZP_OK;
	r->trouble = 0;
	int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		r->trouble = errno;
		if (fd >= 0)
			close(fd);
		return ZP_ERR_IO;
	}
	for (size_t i = 0; i < r->count; i++)
		r->files[i]->seen = false;
	while (!err && (e = readdir(d)) != NULL)
		err = look_at(r, e->d_name);
	closedir(d);
	/* A file that has gone may still be read to its end where open. */
	for (size_t i = r->count; i-- > 0 && !err;) {
		struct zp_dirfile *f = r->files[i];
		if (!f->seen && f->fd < 0)
			remove_at(r, i);
		else if (!f->seen)
			set_dirty(r, f, true);
	}
	r->scanned = true;
	return err;
}

bool
zp_dirread_mark(struct zp_dirread *r, const char *name, bool replaced)
{
	bool found;

	if (!is_name(name))
		return true; /* none of ours */
	size_t i = place(r, name, &found);
	if (!found)
		return false;
	if (replaced)
		r->files[i]->replaced = true;
	set_dirty(r, r->files[i], true);
	return true;
}

/* ---- one file ---- */

/* Closes the file that was used longest ago, if many are open. */
static void
make_room(struct zp_dirread *r, size_t most)
{
	while (r->opened >= most && r->opened > 0) {
		struct zp_dirfile *oldest = r->open[0];
		for (size_t i = 1; i < r->opened; i++)
			if (r->open[i]->used < oldest->used)
				oldest = r->open[i];
		close_file(r, oldest);
	}
}

static bool
open_file(struct zp_dirread *r, struct zp_dirfile *f)
{
	const int flags =
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;

	if (r->dir < 0)
		return false;
	make_room(r, ZP_DIRREAD_OPEN);
	int fd = openat(r->dir, f->name, flags);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		make_room(r, 1);
		fd = openat(r->dir, f->name, flags);
	}
	if (fd < 0 || fstat(fd, &st) != 0) {
		in_trouble(r);
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	f->fd = fd;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->replaced = false;
	r->open[r->opened++] = f;
	return true;
}

/* Behind the first appearance of the tail, else the beginning. */
static off_t
find_tail(struct zp_dirread *r, const struct zp_dirfile *f)
{
	size_t keep = 0;
	off_t at = 0;
	ssize_t n;

	if (f->by_hash || f->tail_len < ZP_DIRREAD_TAIL)
		return 0;
	while (at < SEARCH_MOST &&
	    (n = pread(f->fd, r->buf + keep, BLOCK, at)) > 0) {
		size_t have = keep + (size_t)n;
		const char *hit =
		    memmem(r->buf, have, f->tail, ZP_DIRREAD_TAIL);
		if (hit != NULL)
			return at - (off_t)keep + (hit - r->buf) +
			    ZP_DIRREAD_TAIL;
		at += n;
		keep = have < ZP_DIRREAD_TAIL ? have : ZP_DIRREAD_TAIL - 1;
		memmove(r->buf, r->buf + have - keep, keep);
	}
	return 0;
}

/* Is what was read last still in front of where we are? */
static bool
tail_stands(const struct zp_dirfile *f, off_t size)
{
	uint8_t was[ZP_DIRREAD_TAIL];
	size_t len = f->tail_len;

	if (f->by_hash)
		len = f->at < ZP_DIRREAD_TAIL ? (size_t)f->at : ZP_DIRREAD_TAIL;
	if (f->at > size)
		return false;
	if (len == 0)
		return f->at == 0;
	if (pread(f->fd, was, len, f->at - (off_t)len) != (ssize_t)len)
		return false;
	if (f->by_hash)
		return hash_of(was, len) == f->hash;
	return memcmp(was, f->tail, len) == 0;
}

/* Takes the bytes before `at` as the tail. */
static void
take_tail(struct zp_dirfile *f)
{
	size_t len = f->at < ZP_DIRREAD_TAIL ? (size_t)f->at : ZP_DIRREAD_TAIL;
	ssize_t n = pread(f->fd, f->tail, len, f->at - (off_t)len);

	f->tail_len = n == (ssize_t)len ? (uint8_t)len : 0;
	f->by_hash = false;
	/* Cannot be read back: then nothing is known about it. */
	if (f->tail_len != len)
		f->at = 0;
}

/* Sets where to read on, whatever happened to the file. */
static bool
settle(struct zp_dirread *r, struct zp_dirfile *f)
{
	struct stat st;

	if (fstat(f->fd, &st) != 0) {
		in_trouble(r);
		f->size = -1;
		return false;
	}
	f->size = st.st_size;
	if (f->to_end) {
		f->to_end = false;
		f->at = st.st_size;
		take_tail(f);
		return true;
	}
	if (tail_stands(f, st.st_size)) {
		if (f->by_hash)
			take_tail(f);
		return true;
	}
	f->at = find_tail(r, f);
	take_tail(f);
	return true;
}

/* Hands over the records of a block; how many bytes are done with. */
static size_t
take_block(struct zp_dirread *r, size_t len,
    void (*on_record)(void *arg, const struct zp_record *rec), void *arg)
{
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(r->buf, len, &from, true, &rec)) {
		on_record(arg, &rec);
		if (zp_scan_torn(&rec, r->buf + len))
			from = zp_record_retry(r->buf, &rec);
	}
	return from;
}

/* Moves on by n bytes of the buffer. */
static void
advance(struct zp_dirread *r, struct zp_dirfile *f, size_t n)
{
	uint8_t both[2 * ZP_DIRREAD_TAIL];
	size_t old = f->tail_len;

	f->at += (off_t)n;
	if (n >= ZP_DIRREAD_TAIL) {
		memcpy(f->tail, r->buf + n - ZP_DIRREAD_TAIL, ZP_DIRREAD_TAIL);
		f->tail_len = ZP_DIRREAD_TAIL;
		return;
	}
	memcpy(both, f->tail, old);
	memcpy(both + old, r->buf, n);
	size_t len = old + n < ZP_DIRREAD_TAIL ? old + n : ZP_DIRREAD_TAIL;
	memcpy(f->tail, both + old + n - len, len);
	f->tail_len = (uint8_t)len;
}

/*
 * As many bytes as there are from f->at on, at most `want`.  What cannot be
 * read is looked for again at the next scan.
 */
static size_t
fill(struct zp_dirread *r, struct zp_dirfile *f, size_t want)
{
	size_t have = 0;

	while (have < want) {
		ssize_t n = pread(
		    f->fd, r->buf + have, want - have, f->at + (off_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			in_trouble(r);
			f->size = -1;
		}
		if (n <= 0)
			break;
		have += (size_t)n;
		if (f->at + (off_t)have >= f->size)
			break;
	}
	return have;
}

/* Reads a block; false at the end of the file. */
static bool
read_block(struct zp_dirread *r, struct zp_dirfile *f,
    void (*on_record)(void *arg, const struct zp_record *rec), void *arg)
{
	size_t want = BLOCK;

	for (;;) {
		size_t n = fill(r, f, want);
		if (n == 0)
			return false;
		size_t used = take_block(r, n, on_record, arg);
		advance(r, f, used);
		if (n < want)
			return false;
		if (used > 0)
			return true;
		if (want == BLOCK_MOST)
			return false; /* cannot be: a record fits */
		want = BLOCK_MOST;
	}
}

/* The next marked file, in turn, so that none waits for another. */
static struct zp_dirfile *
next_dirty(struct zp_dirread *r)
{
	if (r->dirty == 0)
		return NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (r->next >= r->count)
			r->next = 0;
		struct zp_dirfile *f = r->files[r->next++];
		if (f->dirty)
			return f;
	}
	return NULL;
}

bool
zp_dirread_step(struct zp_dirread *r,
    void (*on_record)(void *arg, const struct zp_record *rec), void *arg)
{
	struct zp_dirfile *f = next_dirty(r);

	if (f == NULL)
		return false;
	f->used = ++r->clock;
	if (f->fd < 0 && !open_file(r, f)) {
		/* Gone, forbidden or no file: a later scan may differ. */
		set_dirty(r, f, false);
		return true;
	}
	if (settle(r, f) && read_block(r, f, on_record, arg))
		return true;
	/* At the end; if another file took the name, that one is next. */
	if (f->replaced || !f->seen)
		close_file(r, f);
	if (!f->replaced)
		set_dirty(r, f, false);
	return true;
}
