#include "net/zp_dirwrite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/zp_io.h"

#define BLOCK 65536

enum zp_err
zp_dirwrite_init(
    struct zp_dirwrite *w, const char *folder, uint64_t keep, bool durable)
{
	*w = (struct zp_dirwrite){.fd = -1, .keep = keep, .durable = durable};
	w->folder = strdup(folder);
	return w->folder != NULL ? ZP_OK : ZP_ERR_MEMORY;
}

static void
close_file(struct zp_dirwrite *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	free(w->path);
	w->path = NULL;
}

void
zp_dirwrite_free(struct zp_dirwrite *w)
{
	close_file(w);
	free(w->folder);
	w->folder = NULL;
}

/* The folder above, for its mode. */
static bool
stat_parent(const char *folder, struct stat *st)
{
	char *parent = strdup(folder);
	char *slash = parent != NULL ? strrchr(parent, '/') : NULL;
	bool good = false;

	if (slash != NULL) {
		slash[slash == parent ? 1 : 0] = '\0';
		good = stat(parent, st) == 0;
	}
	free(parent);
	return good;
}

enum zp_err
zp_dirwrite_make_folder(const char *folder)
{
	struct stat above, st;

	if (mkdir(folder, 0777) != 0)
		return errno == EEXIST ? ZP_OK : ZP_ERR_IO;
	/*
	 * Who may make files in the folder above may do so in this one: else
	 * the first member's umask would shut all others out.
	 */
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ZP_OK;
	if (stat_parent(folder, &above) && fstat(fd, &st) == 0 &&
	    st.st_uid == geteuid())
		(void)fchmod(fd, above.st_mode & 07777);
	close(fd);
	return ZP_OK;
}

/* Does the path still lead to the file that is open? */
static bool
is_ours(const struct zp_dirwrite *w, struct stat *st)
{
	return lstat(w->path, st) == 0 && st->st_dev == w->dev &&
	    st->st_ino == w->ino;
}

/* Counts the lines; sees whether the last one ends. */
static enum zp_err
count_lines(struct zp_dirwrite *w)
{
	char buf[BLOCK];
	off_t at = 0;
	ssize_t n;
	uint64_t lines = 0;
	char last = '\n';

	while ((n = pread(w->fd, buf, sizeof(buf), at)) > 0) {
		const char *s = buf, *end = buf + n;
		while ((s = memchr(s, '\n', (size_t)(end - s))) != NULL) {
			lines++;
			s++;
		}
		last = end[-1];
		at += n;
	}
	if (n < 0)
		return ZP_ERR_IO;
	w->size = at;
	w->records = lines;
	w->torn = last != '\n';
	return ZP_OK;
}

enum taken { TAKEN_NO, TAKEN_YES, TAKEN_FAILED };

/* Opens and locks one name; TAKEN_YES: another process has it. */
static enum taken
open_name(struct zp_dirwrite *w, const char *path)
{
	const int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st, now;

	int fd = open(path, flags, 0666);
	if (fd < 0) {
		/* Is somebody's link, folder or read-only file there? */
		int why = errno;
		bool there = lstat(path, &st) == 0;
		errno = why;
		return there ? TAKEN_YES : TAKEN_FAILED;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1 ||
	    st.st_uid != geteuid()) {
		close(fd);
		return TAKEN_YES;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return why == EWOULDBLOCK ? TAKEN_YES : TAKEN_FAILED;
	}
	/* Its holder may have replaced it before letting go. */
	if (lstat(path, &now) != 0 || now.st_ino != st.st_ino ||
	    now.st_dev != st.st_dev) {
		close(fd);
		return TAKEN_YES;
	}
	w->fd = fd;
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	return TAKEN_NO;
}

/* WRITER.zp, WRITER-1.zp, ...: the first that nobody has. */
static enum zp_err
open_first_free(
    struct zp_dirwrite *w, const char *writer, char *path, size_t cap)
{
	for (int i = 0; i < ZP_DIRWRITE_NUMBERS; i++) {
		char number[8] = "";
		if (i > 0)
			snprintf(number, sizeof(number), "-%d", i);
		int n = snprintf(
		    path, cap, "%s/%s%s.zp", w->folder, writer, number);
		if (n < 0 || (size_t)n >= cap) {
			errno = ENAMETOOLONG;
			return ZP_ERR_IO;
		}
		enum taken got = open_name(w, path);
		if (got == TAKEN_FAILED)
			return ZP_ERR_IO;
		if (got == TAKEN_NO)
			return ZP_OK;
	}
	return ZP_ERR_FULL;
}

/* Is the folder one, and not a link to somewhere else? */
static enum zp_err
check_folder(const char *folder)
{
	struct stat st;

	if (lstat(folder, &st) != 0)
		return ZP_ERR_IO;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return ZP_ERR_IO;
	}
	return ZP_OK;
}

static enum zp_err
open_file(struct zp_dirwrite *w, const char *writer, int64_t now)
{
	char path[4096];
	struct stat st;
	enum zp_err err = zp_dirwrite_make_folder(w->folder);

	if (!err)
		err = check_folder(w->folder);
	if (!err)
		err = open_first_free(w, writer, path, sizeof(path));
	if (err)
		return err;
	w->path = strdup(path);
	if (w->path == NULL || fstat(w->fd, &st) != 0)
		err = w->path == NULL ? ZP_ERR_MEMORY : ZP_ERR_IO;
	else
		err = count_lines(w);
	if (err) {
		close_file(w);
		return err;
	}
	/* What a process before us appended just now may be unread too. */
	memset(w->young, 0, sizeof(w->young));
	w->second = now / 1000;
	if (time(NULL) - st.st_mtime < ZP_DIRWRITE_YOUNG)
		w->young[w->second % ZP_DIRWRITE_YOUNG] = w->records;
	return ZP_OK;
}

/* Open, at the path it had, and as we left it? */
static enum zp_err
ensure_open(struct zp_dirwrite *w, const char *writer, int64_t now)
{
	struct stat st;

	if (w->fd >= 0 && !is_ours(w, &st))
		close_file(w);
	if (w->fd < 0)
		return open_file(w, writer, now);
	if (st.st_size != w->size)
		return count_lines(w); /* somebody else wrote to it */
	return ZP_OK;
}

/* Sets w->second to now; seconds that have passed count nothing. */
static void
age(struct zp_dirwrite *w, int64_t now)
{
	int64_t second = now / 1000;

	if (second - w->second >= ZP_DIRWRITE_YOUNG) {
		memset(w->young, 0, sizeof(w->young));
		w->second = second;
	}
	while (w->second < second)
		w->young[++w->second % ZP_DIRWRITE_YOUNG] = 0;
}

/* Writes everything, however often it takes; ZP_ERR_IO with errno. */
static enum zp_err
write_iov(int fd, const struct iovec *iov, int n, off_t *written)
{
	int i = 0;
	size_t skip = 0;

	while (i < n) {
		ssize_t got = skip == 0
		    ? writev(fd, iov + i, n - i)
		    : write(fd, (const char *)iov[i].iov_base + skip,
			  iov[i].iov_len - skip);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ZP_ERR_IO;
		*written += got;
		skip += (size_t)got;
		while (i < n && skip >= iov[i].iov_len)
			skip -= iov[i++].iov_len;
	}
	return ZP_OK;
}

/* Takes back what was written of a batch. */
static void
take_back(struct zp_dirwrite *w, off_t written)
{
	int why = errno;

	if (written > 0 && ftruncate(w->fd, w->size) != 0) {
		w->size += written;
		w->torn = true;
	}
	errno = why;
}

enum zp_err
zp_dirwrite_append(struct zp_dirwrite *w, const char *writer,
    const struct iovec *iov, int n, int64_t now)
{
	off_t written = 0;
	enum zp_err err = ensure_open(w, writer, now);

	if (err)
		return err;
	if (w->torn) {
		/* Whoever wrote here died within a line. */
		err = zp_io_write_all(w->fd, "\n", 1);
		if (err)
			return err;
		w->size++;
		w->records++;
		w->torn = false;
	}
	err = write_iov(w->fd, iov, n, &written);
	if (err) {
		take_back(w, written);
		return err;
	}
	age(w, now);
	w->size += written;
	w->records += (uint64_t)n;
	w->young[w->second % ZP_DIRWRITE_YOUNG] += (uint64_t)n;
	w->unsynced = true;
	return ZP_OK;
}

enum zp_err
zp_dirwrite_sync(struct zp_dirwrite *w)
{
	if (!w->unsynced || w->fd < 0)
		return ZP_OK;
	/* EINVAL, EROFS: a file that has no disk behind it. */
	if (fdatasync(w->fd) != 0 && errno != EINVAL && errno != EROFS)
		return ZP_ERR_IO;
	w->unsynced = false;
	return ZP_OK;
}

/* ---- trimming ---- */

/* Where the newest `lines` lines begin. */
static enum zp_err
find_newest(const struct zp_dirwrite *w, uint64_t lines, off_t *start)
{
	char buf[BLOCK];
	off_t end = w->size - 1; /* the last newline ends the last line */

	while (end > 0) {
		size_t want = end < BLOCK ? (size_t)end : BLOCK;
		if (pread(w->fd, buf, want, end - (off_t)want) != (ssize_t)want)
			return ZP_ERR_IO;
		for (size_t i = want; i-- > 0;) {
			if (buf[i] == '\n' && --lines == 0) {
				*start = end - (off_t)(want - i) + 1;
				return ZP_OK;
			}
		}
		end -= (off_t)want;
	}
	*start = 0;
	return ZP_OK;
}

static enum zp_err
copy_from(const struct zp_dirwrite *w, int to, off_t at)
{
	char buf[BLOCK];

	while (at < w->size) {
		ssize_t n = pread(w->fd, buf, sizeof(buf), at);
		if (n <= 0)
			return ZP_ERR_IO;
		enum zp_err err = zp_io_write_all(to, buf, (size_t)n);
		if (err)
			return err;
		at += n;
	}
	return ZP_OK;
}

/* DIR/TOPIC/.WRITER.zp.tmp, which no reader looks at.  Freed by the caller. */
static char *
temp_path(const struct zp_dirwrite *w)
{
	size_t cap = strlen(w->path) + 8;
	char *temp = malloc(cap);
	const char *name = strrchr(w->path, '/') + 1;

	if (temp != NULL)
		snprintf(temp, cap, "%.*s.%s.tmp", (int)(name - w->path),
		    w->path, name);
	return temp;
}

/* A locked copy of the newest lines under the name temp; -1: failed. */
static int
make_copy(const struct zp_dirwrite *w, const char *temp, off_t start)
{
	const int flags =
	    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	/* Left by a process that died; its lock is ours now. */
	(void)unlink(temp);
	int fd = open(temp, flags, 0666);
	if (fd < 0)
		return -1;
	/* Locked before it has the name, so that nobody comes in between. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(w->fd, &st) == 0 &&
	    fchmod(fd, st.st_mode & 0777) == 0 &&
	    copy_from(w, fd, start) == ZP_OK &&
	    (!w->durable || fdatasync(fd) == 0))
		return fd;
	close(fd);
	(void)unlink(temp);
	return -1;
}

/* The copy takes over. */
static enum zp_err
replace(struct zp_dirwrite *w, uint64_t lines)
{
	struct stat st;
	off_t start = 0;
	enum zp_err err = find_newest(w, lines, &start);
	char *temp = temp_path(w);

	if (err || temp == NULL) {
		free(temp);
		return err ? err : ZP_ERR_MEMORY;
	}
	int fd = make_copy(w, temp, start);
	if (fd < 0 || fstat(fd, &st) != 0 || rename(temp, w->path) != 0) {
		if (fd >= 0) {
			(void)unlink(temp);
			close(fd);
		}
		free(temp);
		return ZP_ERR_IO;
	}
	free(temp);
	close(w->fd);
	w->fd = fd;
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	w->size = st.st_size;
	w->records = lines;
	return ZP_OK;
}

int64_t
zp_dirwrite_trim(struct zp_dirwrite *w, int64_t now)
{
	uint64_t keep = 0;
	struct stat st;

	if (w->fd < 0 || w->records < 2 * w->keep)
		return INT64_MAX;
	age(w, now);
	for (size_t i = 0; i < ZP_DIRWRITE_YOUNG; i++)
		keep += w->young[i];
	if (keep < w->keep)
		keep = w->keep;
	if (w->records < 2 * keep || w->second < w->no_trim_before)
		return now + 1000;
	/* Not ours any more, or not as we left it: the next append looks. */
	if (!is_ours(w, &st) || st.st_size != w->size || w->torn)
		return INT64_MAX;
	if (replace(w, keep) != ZP_OK)
		w->no_trim_before = w->second + ZP_DIRWRITE_YOUNG;
	return now + 1000;
}
