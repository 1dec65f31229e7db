#ifndef ZP_IO_H
#define ZP_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/zp_err.h"

/* Reading and writing descriptors.  The only I/O below lib/store. */

/*
 * A block of input as read() gave it, growing when the caller must keep
 * more of it than fits.  Plaintext passes through, so it is wiped on free.
 */
struct zp_in {
	int fd;
	bool eof;
	bool terminal; /* zp_in_terminal() found one */
	char *data; /* cap bytes, of which start..end are unread */
	size_t start, end, cap;
	size_t used; /* nothing was ever written behind these bytes */
	size_t block; /* what one read() may bring */
	size_t max; /* the most that may be kept unread */
};

/* block: bytes a read; max: kept unread at most (at least block). */
ZP_CHECKED enum zp_err
zp_in_init(struct zp_in *in, int fd, size_t block, size_t max);
void
zp_in_free(struct zp_in *in);

/*
 * Reads once, appending to what is unread; waits if there is nothing.
 * At end of file sets eof.  ZP_ERR_TOO_LONG if max bytes are unread
 * already, ZP_ERR_IO with errno (EAGAIN if the descriptor says so).
 */
ZP_CHECKED enum zp_err
zp_in_fill(struct zp_in *in);

/* The same, but waits where somebody made the descriptor non-blocking. */
ZP_CHECKED enum zp_err
zp_in_fill_wait(struct zp_in *in);

/*
 * For who waits in poll() alone: if in->fd is the terminal we were started at,
 * makes zp_in_fill() fail there where it would wait, or stop us.  Else does
 * nothing.  Blocks SIGTTIN.
 */
void
zp_in_terminal(struct zp_in *in);

/*
 * After zp_in_fill() failed, and errno as it left it: are we merely in the
 * background of that terminal?  Then it may be tried again every so many ms;
 * poll() would say at once that it can be read.
 */
#define ZP_IN_AWAY_MS 1000
bool
zp_in_away(const struct zp_in *in);

/*
 * The first n unread bytes of `from` become those of `to`, which had none.
 * The memory of both changes hands; what is behind the n bytes is copied and
 * stays with `from`.  ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_in_move(struct zp_in *to, struct zp_in *from, size_t n);

/* Is a read() sure not to wait (data, end of file or error)? */
bool
zp_in_ready(const struct zp_in *in);

static inline const char *
zp_in_at(const struct zp_in *in)
{
	return in->data + in->start;
}

static inline size_t
zp_in_len(const struct zp_in *in)
{
	return in->end - in->start;
}

/*
 * Buffered output with a sticky error.  Nothing is lost silently: after the
 * first failed write every call fails, errno kept in `error`.
 */
struct zp_out {
	int fd;
	int error; /* errno of the first failure, else 0 */
	char *data;
	size_t len, cap;
	size_t used; /* nothing was ever written behind these bytes */
};

/*
 * cap: bytes gathered before a write.  fd -1: nothing is ever written, all is
 * gathered, and the caller takes it from data (and sets len); it grows.
 */
ZP_CHECKED enum zp_err
zp_out_init(struct zp_out *out, int fd, size_t cap);
void
zp_out_free(struct zp_out *out);
ZP_CHECKED enum zp_err
zp_out_put(struct zp_out *out, const void *data, size_t len);

/* n bytes to fill in place (n <= cap), or NULL on failure. */
char *
zp_out_take(struct zp_out *out, size_t n);

/* Gives back the last n of the bytes taken. */
void
zp_out_untake(struct zp_out *out, size_t n);
ZP_CHECKED enum zp_err
zp_out_flush(struct zp_out *out);

/* Writes all of it, whatever write() returns; ZP_ERR_IO with errno. */
ZP_CHECKED enum zp_err
zp_io_write_all(int fd, const void *data, size_t len);

/*
 * Reads a whole small file of at most max bytes into fresh memory with a
 * NUL behind; the caller frees (and wipes, if it is secret) *data.
 * ZP_ERR_TOO_LONG if it is longer, ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_io_read_all(int fd, size_t max, char **data, size_t *len);

/*
 * May others do with this file what bits of `others` (077: anything at all)
 * allow?  The group may read a file of root's directly in
 * $CREDENTIALS_DIRECTORY: so shows the access list by which systemd lets a
 * service's user read it.
 */
bool
zp_io_open_to(const struct stat *st, const char *path, mode_t others);

/*
 * Puts /dev/null where one of the descriptors 0 to 2 is closed, lest a file
 * opened later be taken for it.  Bit i of *closed: descriptor i was.
 * ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_io_stdio(unsigned *closed);

#endif
