#include "store/zp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/zp_io.h"
#include "crypt/zp_secret.h"
#include "store/zp_path.h"

enum zp_err
zp_fault_set(
    struct zp_fault *fault, enum zp_err err, unsigned line, const char *what)
{
	if (fault != NULL)
		*fault = (struct zp_fault){.line = line, .what = what};
	return err;
}

/* ---- reading ---- */

/* May this open file be taken for a private one? */
static enum zp_err
check_private(int fd, const char *path, mode_t others, off_t *size,
    struct zp_fault *fault)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return ZP_ERR_IO;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return ZP_ERR_IO;
	}
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return zp_fault_set(
		    fault, ZP_ERR_FORMAT, 0, "neither a file nor a pipe");
	if (st.st_uid != 0 && st.st_uid != geteuid() && geteuid() != 0)
		return zp_fault_set(
		    fault, ZP_ERR_MODE, 0, "belongs to another user");
	if (zp_io_open_to(&st, path, others)) {
		zp_fault_set(fault, ZP_ERR_MODE, 0, NULL);
		if (fault != NULL)
			fault->mode = st.st_mode & 07777;
		return ZP_ERR_MODE;
	}
	*size = S_ISREG(st.st_mode) ? st.st_size : 0;
	return ZP_OK;
}

/* Twice the room, in secret memory again. */
static enum zp_err
grow(struct zp_file_data *d, size_t *cap)
{
	char *more = zp_secret_new(*cap * 2 + 1);

	if (more == NULL)
		return ZP_ERR_MEMORY;
	memcpy(more, d->data, d->len);
	zp_secret_free(d->data);
	d->data = more;
	*cap *= 2;
	return ZP_OK;
}

/* Reads to the end, whatever size the file was said to have. */
static enum zp_err
read_secret(int fd, size_t guess, size_t max, struct zp_file_data *data)
{
	struct zp_file_data d = {0};
	size_t cap = guess < max ? guess + 1 : max + 1;
	enum zp_err err = ZP_OK;

	d.data = zp_secret_new(cap + 1);
	if (d.data == NULL)
		return ZP_ERR_MEMORY;
	for (;;) {
		if (d.len == cap && (err = grow(&d, &cap)) != ZP_OK)
			break;
		ssize_t n = read(fd, d.data + d.len, cap - d.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = ZP_ERR_IO;
		if (n <= 0)
			break;
		d.len += (size_t)n;
		if (d.len > max) {
			err = ZP_ERR_TOO_LONG;
			break;
		}
	}
	if (err) {
		int why = errno;
		zp_secret_free(d.data);
		errno = why;
		return err;
	}
	d.data[d.len] = '\0';
	*data = d;
	return ZP_OK;
}

/* Closes it after what was to be done: errno still tells of that. */
static void
close_after(int fd)
{
	int why = errno;

	close(fd);
	errno = why;
}

/*
 * Opens a file of at most max bytes that nobody else can do `others` to;
 * size: 0 if it cannot be told.
 */
static enum zp_err
open_private(const char *path, size_t max, mode_t others, int *to, off_t *size,
    struct zp_fault *fault)
{
	zp_fault_set(fault, ZP_OK, 0, NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ZP_ERR_NOT_FOUND
							   : ZP_ERR_IO;
	enum zp_err err = check_private(fd, path, others, size, fault);
	if (!err && *size > 0 && (uintmax_t)*size > max)
		err = ZP_ERR_TOO_LONG;
	if (err)
		close_after(fd);
	else
		*to = fd;
	return err;
}

enum zp_err
zp_file_read(const char *path, size_t max, struct zp_file_data *data,
    struct zp_fault *fault)
{
	off_t size = 0;
	int fd = -1;
	enum zp_err err =
	    open_private(path, max, S_IRWXG | S_IRWXO, &fd, &size, fault);

	if (err)
		return err;
	err = read_secret(fd, size > 0 ? (size_t)size : 4096, max, data);
	close_after(fd);
	return err;
}

enum zp_err
zp_file_read_state(const char *path, size_t max, char **data, size_t *len,
    struct zp_fault *fault)
{
	off_t size = 0;
	int fd = -1;
	enum zp_err err =
	    open_private(path, max, S_IWGRP | S_IWOTH, &fd, &size, fault);

	if (err)
		return err;
	/* What is replaced by rename does not grow while it is read. */
	err = zp_io_read_all(fd, size > 0 ? (size_t)size : max, data, len);
	close_after(fd);
	return err;
}

/* ---- writing ---- */

/* Where a file really lies, so that a link to it is kept as it is. */
static enum zp_err
follow(char to[static ZP_PATH_MAX], const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		char *real = realpath(path, NULL);
		if (real == NULL && errno != ENOENT)
			return ZP_ERR_IO;
		if (real != NULL) {
			size_t n = strlen(real);
			if (n < ZP_PATH_MAX)
				memcpy(to, real, n + 1);
			free(real);
			return n < ZP_PATH_MAX ? ZP_OK : ZP_ERR_TOO_LONG;
		}
	}
	size_t n = strlen(path);
	if (n >= ZP_PATH_MAX)
		return ZP_ERR_TOO_LONG;
	memcpy(to, path, n + 1);
	return ZP_OK;
}

enum zp_err
zp_file_plain(const char *path, struct zp_fault *fault)
{
	struct stat st;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (path[0] == '\0')
		return zp_fault_set(
		    fault, ZP_ERR_USAGE, 0, "the name is empty");
	if (stat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? ZP_OK : ZP_ERR_IO;
	if (S_ISREG(st.st_mode))
		return ZP_OK;
	if (!S_ISDIR(st.st_mode))
		return zp_fault_set(
		    fault, ZP_ERR_FORMAT, 0, "not a plain file");
	errno = EISDIR;
	return ZP_ERR_IO;
}

/*
 * Where a file that is to be replaced lies.  Only a regular one is: /dev/null
 * has to stay what it is.
 */
static enum zp_err
find_replaceable(char to[static ZP_PATH_MAX], const char *path)
{
	struct stat st;
	enum zp_err err = follow(to, path);

	if (err)
		return err;
	if (lstat(to, &st) != 0)
		return errno == ENOENT ? ZP_OK : ZP_ERR_IO;
	if (S_ISREG(st.st_mode))
		return ZP_OK;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return ZP_ERR_IO;
}

/* The folder of a path, with its last slash; "" for the current one. */
static size_t
folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/*
 * A rename lasts once its folder is on disk.  Not every file system can sync
 * a folder, nor every user open one: the file itself is whole either way.
 */
static enum zp_err
sync_folder(const char *path)
{
	char dir[ZP_PATH_MAX];
	size_t n = folder_len(path);

	memcpy(dir, n ? path : ".", n ? n : 1);
	dir[n ? n : 1] = '\0';
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ZP_OK;
	int failed = fsync(fd) != 0 && errno == EIO;
	close(fd);
	errno = EIO;
	return failed ? ZP_ERR_IO : ZP_OK;
}

/* Fills an open new file and brings it to disk; closes it. */
static enum zp_err
fill(int fd, const void *data, size_t len)
{
	enum zp_err err = fchmod(fd, 0600) == 0 ? ZP_OK : ZP_ERR_IO;

	if (!err)
		err = zp_io_write_all(fd, data, len);
	if (!err && fsync(fd) != 0)
		err = ZP_ERR_IO;
	int why = errno;
	if (close(fd) != 0 && !err)
		return ZP_ERR_IO;
	errno = why;
	return err;
}

/*
 * Gives temp the name `path` unless that is taken.  Where there are no hard
 * links, an empty file claims the name first.
 */
static enum zp_err
place_new(const char *temp, const char *path)
{
	if (link(temp, path) == 0)
		return unlink(temp) == 0 ? ZP_OK : ZP_ERR_IO;
	if (errno == EEXIST)
		return ZP_ERR_EXISTS;
	if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP &&
	    errno != EMLINK)
		return ZP_ERR_IO;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? ZP_ERR_EXISTS : ZP_ERR_IO;
	close(fd);
	if (rename(temp, path) == 0)
		return ZP_OK;
	int why = errno;
	unlink(path);
	errno = why;
	return ZP_ERR_IO;
}

/* From an open, empty temp to the file in its place. */
static enum zp_err
finish(int fd, const char *temp, const char *path, const void *data, size_t len,
    enum zp_file_how how)
{
	enum zp_err err = fill(fd, data, len);

	if (!err && how == ZP_FILE_NEW)
		err = place_new(temp, path);
	else if (!err && rename(temp, path) != 0)
		err = ZP_ERR_IO;
	if (err) {
		int why = errno;
		unlink(temp);
		errno = why;
		return err;
	}
	return sync_folder(path);
}

/* What a signal kills in mid-write would leave the temporary file behind. */
static void
hold_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, old);
}

static void
release_signals(const sigset_t *old)
{
	int why = errno;

	pthread_sigmask(SIG_SETMASK, old, NULL);
	errno = why;
}

enum zp_err
zp_file_write(
    const char *path, const void *data, size_t len, enum zp_file_how how)
{
	char real[ZP_PATH_MAX], temp[ZP_PATH_MAX + 16];
	sigset_t old;
	enum zp_err err = ZP_OK;

	if (how == ZP_FILE_REPLACE)
		err = find_replaceable(real, path);
	else if (strlen(path) >= sizeof(real))
		err = ZP_ERR_TOO_LONG;
	else
		memcpy(real, path, strlen(path) + 1);
	if (err)
		return err;
	size_t n = folder_len(real);
	memcpy(temp, real, n);
	memcpy(temp + n, ".zp-XXXXXX", 11);
	hold_signals(&old);
	int fd = mkstemp(temp);
	if (fd < 0)
		err = ZP_ERR_IO;
	else
		err = finish(fd, temp, real, data, len, how);
	release_signals(&old);
	return err;
}

enum zp_err
zp_file_write_locked(const char *path, const void *data, size_t len)
{
	char real[ZP_PATH_MAX], temp[ZP_PATH_MAX + 16];
	sigset_t old;
	enum zp_err err = find_replaceable(real, path);

	if (err)
		return err;
	snprintf(temp, sizeof(temp), "%s.tmp", real);
	/* A fresh file each time: the old one might be somebody else's. */
	if (unlink(temp) != 0 && errno != ENOENT)
		return ZP_ERR_IO;
	hold_signals(&old);
	int fd = open(
	    temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		err = ZP_ERR_IO;
	else
		err = finish(fd, temp, real, data, len, ZP_FILE_REPLACE);
	release_signals(&old);
	return err;
}

/* ---- locking ---- */

static uint64_t
monotonic_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * flock() has no time limit of its own, and an alarm belongs to the whole
 * process: so it is asked again and again, a little later each time.
 */
static enum zp_err
wait_for_lock(int fd, unsigned wait_ms)
{
	uint64_t end = monotonic_ms() + wait_ms;
	struct timespec pause = {.tv_nsec = 500000};

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return ZP_ERR_IO;
		if (monotonic_ms() >= end)
			return ZP_ERR_LOCKED;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 10000000)
			pause.tv_nsec *= 2;
	}
	return ZP_OK;
}

enum zp_err
zp_file_lock(
    const char *path, unsigned wait_ms, int *lock, struct zp_fault *fault)
{
	char real[ZP_PATH_MAX], name[ZP_PATH_MAX + 16];
	/* Beside anything else no lock file is to be left. */
	enum zp_err err = zp_file_plain(path, fault);

	if (!err)
		err = follow(real, path);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%s.lock", real);
	int fd = open(
	    name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0)
		return ZP_ERR_IO;
	err = wait_for_lock(fd, wait_ms);
	if (err)
		close_after(fd);
	else
		*lock = fd;
	return err;
}

void
zp_file_unlock(int lock)
{
	close_after(lock);
}

/* ---- versions of a file ---- */

enum zp_err
zp_file_stamp(const char *path, struct zp_file_stamp *stamp)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return ZP_ERR_IO;
		*stamp = (struct zp_file_stamp){0};
		return ZP_OK;
	}
#ifdef __APPLE__
	struct timespec t = st.st_mtimespec;
#else
	struct timespec t = st.st_mtim;
#endif
	*stamp = (struct zp_file_stamp){
	    .dev = (uint64_t)st.st_dev,
	    .ino = (uint64_t)st.st_ino,
	    .size = (uint64_t)st.st_size,
	    .sec = (uint64_t)t.tv_sec,
	    .nsec = (uint64_t)t.tv_nsec,
	};
	return ZP_OK;
}

bool
zp_file_stamp_same(const struct zp_file_stamp *a, const struct zp_file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    a->sec == b->sec && a->nsec == b->nsec;
}
