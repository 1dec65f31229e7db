#include "base/zp_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Wipes before freeing: blocks held plaintext, perhaps a passphrase.  Of a
 * large one that a short run hardly used, only what it used: each page more
 * would have to be brought into being first.
 */
static void
wipe_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
}

enum zp_err
zp_in_init(struct zp_in *in, int fd, size_t block, size_t max)
{
	char *data = malloc(block);

	if (data == NULL)
		return ZP_ERR_MEMORY;
	*in = (struct zp_in){
	    .fd = fd, .data = data, .cap = block, .block = block, .max = max};
	return ZP_OK;
}

void
zp_in_free(struct zp_in *in)
{
	wipe_free(in->data, in->used);
	in->data = NULL;
	in->start = in->end = in->cap = in->used = 0;
}

/* Room for one more block behind what is unread. */
static enum zp_err
make_room(struct zp_in *in)
{
	size_t len = zp_in_len(in);

	if (in->start > 0 && (len == 0 || in->cap - in->end < in->block)) {
		memmove(in->data, in->data + in->start, len);
		in->start = 0;
		in->end = len;
	}
	if (len >= in->max)
		return ZP_ERR_TOO_LONG;
	if (in->end < in->cap)
		return ZP_OK;
	size_t cap = in->cap * 2 < in->max ? in->cap * 2 : in->max;
	char *data = malloc(cap);
	if (data == NULL)
		return ZP_ERR_MEMORY;
	memcpy(data, in->data, len);
	wipe_free(in->data, in->used);
	in->data = data;
	in->cap = cap;
	in->used = len;
	return ZP_OK;
}

enum zp_err
zp_in_fill(struct zp_in *in)
{
	enum zp_err err = make_room(in);
	ssize_t n;

	if (err)
		return err;
	size_t want = in->cap - in->end;
	if (want > in->block)
		want = in->block;
	do
		n = read(in->fd, in->data + in->end, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return ZP_ERR_IO;
	if (n == 0)
		in->eof = true;
	in->end += (size_t)n;
	if (in->end > in->used)
		in->used = in->end;
	return ZP_OK;
}

enum zp_err
zp_in_fill_wait(struct zp_in *in)
{
	for (;;) {
		enum zp_err err = zp_in_fill(in);
		if (err != ZP_ERR_IO || errno != EAGAIN)
			return err;
		struct pollfd p = {.fd = in->fd, .events = POLLIN};
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return ZP_ERR_IO;
	}
}

void
zp_in_terminal(struct zp_in *in)
{
	sigset_t set;

	if (tcgetpgrp(in->fd) < 0)
		return;
	in->terminal = true;
	/*
	 * A read from the background fails then, and the rest of us goes on.
	 * By default it would stop the whole job, wherever it is, and be
	 * started over as often as the job is continued.
	 */
	sigemptyset(&set);
	sigaddset(&set, SIGTTIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/*
	 * What poll() saw the shell may have read since.  The flags of the
	 * descriptor that we got are the shell's as well, so we open our own.
	 */
	int fd = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)dup2(fd, in->fd);
	close(fd);
}

bool
zp_in_away(const struct zp_in *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};

	/* Who asks whose the terminal is might hear that it is ours again. */
	return in->terminal && errno == EIO && poll(&p, 1, 0) >= 0 &&
	    (p.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
}

enum zp_err
zp_in_move(struct zp_in *to, struct zp_in *from, size_t n)
{
	size_t rest = zp_in_len(from) - n;

	if (to->cap < rest) {
		char *data = malloc(rest);
		if (data == NULL)
			return ZP_ERR_MEMORY;
		wipe_free(to->data, to->used);
		to->data = data;
		to->cap = rest;
		to->used = 0;
	}
	memcpy(to->data, from->data + from->start + n, rest);
	if (rest > to->used)
		to->used = rest;
	struct zp_in all = *from;
	from->data = to->data;
	from->cap = to->cap;
	from->used = to->used;
	from->start = 0;
	from->end = rest;
	to->data = all.data;
	to->cap = all.cap;
	to->used = all.used;
	to->start = all.start;
	to->end = all.start + n;
	return ZP_OK;
}

bool
zp_in_ready(const struct zp_in *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

enum zp_err
zp_out_init(struct zp_out *out, int fd, size_t cap)
{
	char *data = malloc(cap);

	if (data == NULL)
		return ZP_ERR_MEMORY;
	*out = (struct zp_out){.fd = fd, .data = data, .cap = cap};
	return ZP_OK;
}

void
zp_out_free(struct zp_out *out)
{
	wipe_free(out->data, out->used);
	out->data = NULL;
	out->len = out->cap = out->used = 0;
}

/* The sticky error, as errno again. */
static enum zp_err
failed(struct zp_out *out)
{
	errno = out->error;
	return ZP_ERR_IO;
}

/* n bytes more are in use. */
static void
extend(struct zp_out *out, size_t n)
{
	out->len += n;
	if (out->len > out->used)
		out->used = out->len;
}

/* Room for n more in what is only gathered. */
static enum zp_err
grow(struct zp_out *out, size_t n)
{
	size_t cap = out->cap;

	while (cap - out->len < n) {
		if (cap > SIZE_MAX / 4 || n > SIZE_MAX / 4)
			return ZP_ERR_MEMORY;
		cap *= 2;
	}
	/* Not realloc(): what it leaves behind would not be wiped. */
	char *data = malloc(cap);
	if (data == NULL)
		return ZP_ERR_MEMORY;
	memcpy(data, out->data, out->len);
	wipe_free(out->data, out->used);
	out->data = data;
	out->cap = cap;
	out->used = out->len;
	return ZP_OK;
}

enum zp_err
zp_out_flush(struct zp_out *out)
{
	if (out->error)
		return failed(out);
	if (out->fd < 0)
		return ZP_OK;
	enum zp_err err = zp_io_write_all(out->fd, out->data, out->len);
	if (err) {
		out->error = errno;
		return err;
	}
	out->len = 0;
	return ZP_OK;
}

enum zp_err
zp_out_put(struct zp_out *out, const void *data, size_t len)
{
	enum zp_err err;

	if (out->error)
		return failed(out);
	if (len > out->cap - out->len) {
		err = out->fd < 0 ? grow(out, len) : zp_out_flush(out);
		if (err)
			return err;
	}
	if (len > out->cap) {
		err = zp_io_write_all(out->fd, data, len);
		if (err)
			out->error = errno;
		return err;
	}
	if (len > 0)
		memcpy(out->data + out->len, data, len);
	extend(out, len);
	return ZP_OK;
}

char *
zp_out_take(struct zp_out *out, size_t n)
{
	if (out->error)
		return NULL;
	if (n > out->cap - out->len &&
	    (out->fd < 0 ? grow(out, n) : zp_out_flush(out)) != ZP_OK)
		return NULL;
	if (n > out->cap - out->len)
		return NULL;
	char *p = out->data + out->len;
	extend(out, n);
	return p;
}

void
zp_out_untake(struct zp_out *out, size_t n)
{
	out->len -= n < out->len ? n : out->len;
}

enum zp_err
zp_io_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			/* Somebody shares the descriptor with O_NONBLOCK. */
			struct pollfd p = {.fd = fd, .events = POLLOUT};
			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return ZP_ERR_IO;
			continue;
		}
		if (n < 0)
			return ZP_ERR_IO;
		at += n;
		len -= (size_t)n;
	}
	return ZP_OK;
}

enum zp_err
zp_io_read_all(int fd, size_t max, char **data, size_t *len)
{
	char *buf = malloc(max + 2);
	size_t have = 0;

	if (buf == NULL)
		return ZP_ERR_MEMORY;
	while (have <= max) {
		ssize_t n = read(fd, buf + have, max + 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int why = errno;
			wipe_free(buf, max + 2);
			errno = why;
			return ZP_ERR_IO;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	if (have > max) {
		wipe_free(buf, max + 2);
		return ZP_ERR_TOO_LONG;
	}
	buf[have] = '\0';
	*data = buf;
	*len = have;
	return ZP_OK;
}

/* Does systemd hand this file to us (directly in the folder it names)? */
static bool
is_credential(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t n = dir != NULL ? strlen(dir) : 0;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return n > 0 && dir[0] == '/' && strncmp(path, dir, n) == 0 &&
	    path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

bool
zp_io_open_to(const struct stat *st, const char *path, mode_t others)
{
	if (st->st_uid == 0 && is_credential(path))
		others &= (mode_t)~S_IRGRP;
	return (st->st_mode & others) != 0;
}

enum zp_err
zp_io_stdio(unsigned *closed)
{
	unsigned were = 0;

	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
			continue;
		/* The lowest free descriptor is this very one. */
		if (open("/dev/null", O_RDWR) != fd)
			return ZP_ERR_IO;
		were |= 1u << fd;
	}
	*closed = were;
	return ZP_OK;
}
