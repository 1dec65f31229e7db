#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Calls that can fail, failing on demand.  The linker puts these functions in
 * front of the C library's (--wrap, in rules.mk) for everything that the
 * tools and the library call.
 *
 *	FAULT_PAGE	a file of 4,096 bytes: u64 calls so far; at 64 the
 *			name of the one that failed (first)
 *	FAULT_AT=N	the N-th call fails, counted from 1
 *	FAULT_FROM=N	so do all after it that bring something to disk
 *	FAULT_SHORT=1	it does less than it was asked to, or is interrupted,
 *			which nobody must notice
 *	FAULT_TRAP=1	SIGTRAP where it fails, for a debugger
 */

struct page {
	uint64_t calls;
	char pad[56];
	char failed[64];
};

int
__real_open(const char *path, int flags, ...);
int
__wrap_open(const char *path, int flags, ...);

static struct page *page, nowhere;
static uint64_t at, from;
static bool half, trap;

static uint64_t
number(const char *name)
{
	const char *s = getenv(name);

	return s != NULL ? strtoull(s, NULL, 10) : 0;
}

/* Before main(), with functions that are not counted. */
__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("FAULT_PAGE");
	int fd;

	page = &nowhere;
	at = number("FAULT_AT");
	from = number("FAULT_FROM");
	half = number("FAULT_SHORT") != 0;
	trap = number("FAULT_TRAP") != 0;
	if (path == NULL)
		return;
	fd = __real_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		abort();
}

/* After main(), where it is gcov that writes. */
__attribute__((destructor)) static void
end(void)
{
	page = &nowhere;
	at = from = 0;
}

/* Is it this call's turn? */
static bool
turn(const char *name, bool to_disk)
{
	uint64_t n = __atomic_add_fetch(&page->calls, 1, __ATOMIC_RELAXED);

	if (n != at && !(from != 0 && n >= from && to_disk))
		return false;
	if (page->failed[0] == '\0')
		strncpy(page->failed, name, sizeof(page->failed) - 1);
	if (trap)
		raise(SIGTRAP);
	return true;
}

static bool
fails(const char *name, bool to_disk, int why)
{
	if (half || !turn(name, to_disk))
		return false;
	errno = why;
	return true;
}

/* A function that returns `bad` with errno `why` when it fails. */
#define CALL(ret, name, params, args, bad, disk, why) \
	ret __real_##name params;                     \
	ret __wrap_##name params;                     \
	ret __wrap_##name params                      \
	{                                             \
		if (fails(#name, disk, why))          \
			return bad;                   \
		return __real_##name args;            \
	}

/* ---- memory -------------------------------------------------------------- */

CALL(void *, malloc, (size_t n), (n), NULL, false, ENOMEM)
CALL(void *, calloc, (size_t n, size_t m), (n, m), NULL, false, ENOMEM)
CALL(void *, realloc, (void *p, size_t n), (p, n), NULL, false, ENOMEM)
CALL(char *, strdup, (const char *s), (s), NULL, false, ENOMEM)
CALL(char *, strndup, (const char *s, size_t n), (s, n), NULL, false, ENOMEM)
CALL(void *, sodium_malloc, (size_t n), (n), NULL, false, ENOMEM)

/* ---- files --------------------------------------------------------------- */

CALL(int, fsync, (int fd), (fd), -1, true, EIO)
CALL(int, fdatasync, (int fd), (fd), -1, true, EIO)
CALL(int, ftruncate, (int fd, off_t n), (fd, n), -1, true, EIO)
CALL(int, rename, (const char *a, const char *b), (a, b), -1, true, ENOSPC)
CALL(int, link, (const char *a, const char *b), (a, b), -1, true, ENOSPC)
CALL(int, unlink, (const char *a), (a), -1, false, EIO)
CALL(int, mkstemp, (char *a), (a), -1, true, ENOSPC)
CALL(int, fchmod, (int fd, mode_t m), (fd, m), -1, false, EPERM)
CALL(int, flock, (int fd, int op), (fd, op), -1, false, ENOLCK)
CALL(int, fstat, (int fd, struct stat *s), (fd, s), -1, false, EIO)
CALL(int, stat, (const char *a, struct stat *s), (a, s), -1, false, EACCES)
CALL(int, lstat, (const char *a, struct stat *s), (a, s), -1, false, EACCES)
CALL(int, fstatat, (int d, const char *a, struct stat *s, int f), (d, a, s, f),
    -1, false, EIO)
CALL(DIR *, opendir, (const char *a), (a), NULL, false, EMFILE)
CALL(DIR *, fdopendir, (int fd), (fd), NULL, false, ENOMEM)
CALL(int, inotify_init1, (int f), (f), -1, false, EMFILE)
CALL(int, inotify_add_watch, (int fd, const char *a, uint32_t m), (fd, a, m),
    -1, false, ENOSPC)

int
__real_mkdir(const char *path, mode_t mode);
int
__wrap_mkdir(const char *path, mode_t mode);

/* What is there already needs no space. */
int
__wrap_mkdir(const char *path, mode_t mode)
{
	struct stat st;

	if (__real_lstat(path, &st) == 0 || !fails("mkdir", true, ENOSPC))
		return __real_mkdir(path, mode);
	return -1;
}

static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & O_CREAT) != 0 ? (mode_t)va_arg(ap, int) : 0;
}

int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	if (fails("open", (flags & O_CREAT) != 0,
		(flags & O_CREAT) != 0 ? ENOSPC : EMFILE))
		return -1;
	return __real_open(path, flags, mode);
}

int
__real_openat(int dir, const char *path, int flags, ...);
int
__wrap_openat(int dir, const char *path, int flags, ...);

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	if (fails("openat", (flags & O_CREAT) != 0,
		(flags & O_CREAT) != 0 ? ENOSPC : EMFILE))
		return -1;
	return __real_openat(dir, path, flags, mode);
}

/* Interrupted, or given one byte. */
static bool
shortened(const char *name, size_t *n, bool *interrupted)
{
	if (!half || !turn(name, false))
		return false;
	*interrupted = *n < 2 || page->calls % 2 == 0;
	*n = 1;
	errno = EINTR;
	return true;
}

#define TRANSFER(name, params, args, disk, why)                        \
	ssize_t __real_##name params;                                  \
	ssize_t __wrap_##name params;                                  \
	ssize_t __wrap_##name params                                   \
	{                                                              \
		bool interrupted;                                      \
		if (shortened(#name, &n, &interrupted) && interrupted) \
			return -1;                                     \
		if (fails(#name, disk, why))                           \
			return -1;                                     \
		return __real_##name args;                             \
	}

TRANSFER(read, (int fd, void *to, size_t n), (fd, to, n), false, EIO)
TRANSFER(__read_chk, (int fd, void *to, size_t n, size_t cap), (fd, to, n, cap),
    false, EIO)
TRANSFER(
    pread, (int fd, void *to, size_t n, off_t o), (fd, to, n, o), false, EIO)
TRANSFER(__pread_chk, (int fd, void *to, size_t n, off_t o, size_t cap),
    (fd, to, n, o, cap), false, EIO)

ssize_t
__real_write(int fd, const void *p, size_t n);
ssize_t
__wrap_write(int fd, const void *p, size_t n);

/* Not what is said on stderr: there is nobody else to tell. */
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	bool interrupted;

	if (fd == STDERR_FILENO)
		return __real_write(fd, p, n);
	if (shortened("write", &n, &interrupted) && interrupted)
		return -1;
	if (fails("write", true, ENOSPC))
		return -1;
	return __real_write(fd, p, n);
}

ssize_t
__real_writev(int fd, const struct iovec *iov, int n);
ssize_t
__wrap_writev(int fd, const struct iovec *iov, int n);

ssize_t
__wrap_writev(int fd, const struct iovec *iov, int n)
{
	size_t first = iov[0].iov_len;
	bool interrupted;

	if (shortened("writev", &first, &interrupted)) {
		struct iovec one = {iov[0].iov_base, first};
		return interrupted ? -1 : __real_writev(fd, &one, 1);
	}
	if (fails("writev", true, ENOSPC))
		return -1;
	return __real_writev(fd, iov, n);
}

/* ---- the rest ------------------------------------------------------------ */

CALL(pid_t, fork, (void), (), -1, false, EAGAIN)
CALL(int, pipe, (int fd[2]), (fd), -1, false, EMFILE)
CALL(int, pipe2, (int fd[2], int f), (fd, f), -1, false, EMFILE)
CALL(int, getentropy, (void *to, size_t n), (to, n), -1, false, EIO)
CALL(int, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms), -1, false,
    half ? EINTR : ENOMEM)
