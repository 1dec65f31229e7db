#ifndef ZP_FILE_H
#define ZP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * Files that hold keys or state: private, written whole or not at all, read
 * with a size limit, locked for as short a time as can be.
 */

/*
 * What was wrong with a file and where, for the one line on stderr.  Set by
 * what fails, zeroed by what succeeds; always readable after either.
 */
struct zp_fault {
	unsigned line; /* of a text file, from 1; 0: none in particular */
	unsigned
	    mode; /* with ZP_ERR_MODE: the file's, if that is what is wrong */
	const char *what; /* a constant that says more, or NULL */
};

/* Sets *fault (which may be NULL) and returns err. */
enum zp_err
zp_fault_set(
    struct zp_fault *fault, enum zp_err err, unsigned line, const char *what);

/* A file's contents in secret memory, a NUL behind. */
struct zp_file_data {
	char *data; /* zp_secret_free() */
	size_t len;
};

/*
 * Reads a private file of at most max bytes; the caller frees data->data.
 * A pipe will do as well, so that `-k <(pass show ops)` works.  Refused with
 * ZP_ERR_MODE: what others may read or write, what belongs neither to us nor
 * to root; with ZP_ERR_FORMAT: what is neither file nor pipe.
 * ZP_ERR_NOT_FOUND, ZP_ERR_TOO_LONG, ZP_ERR_IO with errno, ZP_ERR_MEMORY.
 *
 * A file of root's in $CREDENTIALS_DIRECTORY may be readable by a group: so
 * the mask of the access list shows by which systemd lets a service's user
 * read it (systemd.exec(5), LoadCredential).
 */
ZP_CHECKED enum zp_err
zp_file_read(const char *path, size_t max, struct zp_file_data *data,
    struct zp_fault *fault);

/*
 * The same for what holds no secrets (others may read it, not write it),
 * into ordinary memory: the caller frees *data.  A NUL stands behind.
 */
ZP_CHECKED enum zp_err
zp_file_read_state(const char *path, size_t max, char **data, size_t *len,
    struct zp_fault *fault);

enum zp_file_how {
	ZP_FILE_NEW, /* ZP_ERR_EXISTS if there is one, which stays as it is */
	ZP_FILE_REPLACE,
};

/*
 * Writes a file of mode 0600: whole under another name in the same folder,
 * to disk, then under its own.  After a failure, or a crash at any moment,
 * the old file (or none) is there.  ZP_ERR_EXISTS, ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_file_write(
    const char *path, const void *data, size_t len, enum zp_file_how how);

/*
 * The same for state files, whose writers hold their lock: always replaces,
 * and what a killed writer left behind is written over.
 */
ZP_CHECKED enum zp_err
zp_file_write_locked(const char *path, const void *data, size_t len);

/*
 * Can that be a state, which is replaced by rename: a plain file, or nothing
 * yet?  To be asked before it is opened, since a FIFO would be waited for.
 * ZP_ERR_USAGE: an empty name; ZP_ERR_FORMAT; ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_file_plain(const char *path, struct zp_fault *fault);

/*
 * An exclusive lock for a file: flock(2) on PATH.lock, which is made (0600)
 * and stays, since a lock file that goes away locks nothing.  Waits at most
 * wait_ms: ZP_ERR_LOCKED.  ZP_ERR_IO with errno, errors of zp_file_plain().
 * A lock ends with its process.
 */
#define ZP_FILE_WAIT_MS 10000

ZP_CHECKED enum zp_err
zp_file_lock(
    const char *path, unsigned wait_ms, int *lock, struct zp_fault *fault);
void
zp_file_unlock(int lock);

/* What tells one version of a file from another; all zero: no file. */
struct zp_file_stamp {
	uint64_t dev, ino, size, sec, nsec;
};

ZP_CHECKED enum zp_err
zp_file_stamp(const char *path, struct zp_file_stamp *stamp);
bool
zp_file_stamp_same(
    const struct zp_file_stamp *a, const struct zp_file_stamp *b);

#endif
