#ifndef ZP_DIRWRITE_H
#define ZP_DIRWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/zp_err.h"
#include "net/zp_writer_id.h"

/*
 * Appends to this process's file in a topic's folder, zpinc-file(1).  The
 * file is locked, so that no two processes append to one: who finds WRITER.zp
 * locked takes WRITER-1.zp, and so on.
 *
 * With twice as many records as are kept, the file is replaced (rename) by
 * one that holds the newest.  What was appended within ZP_DIRWRITE_YOUNG
 * stays in any case, so that no reader that is there misses a record of a
 * burst.
 */
#define ZP_DIRWRITE_YOUNG 10 /* seconds */
#define ZP_DIRWRITE_NUMBERS 1000 /* files of one writer, at most */

struct zp_dirwrite {
	char *folder; /* DIR/TOPIC */
	char *path; /* of the file; NULL: not open */
	int fd; /* -1: not open */
	dev_t dev;
	ino_t ino;
	off_t size; /* after our last write */
	bool torn; /* does not end with a newline */
	bool unsynced;
	uint64_t records; /* lines in the file */
	uint64_t keep;
	bool durable; /* a trimmed file is on disk before it takes over */
	int64_t second; /* of young[second % ZP_DIRWRITE_YOUNG] */
	uint64_t young[ZP_DIRWRITE_YOUNG]; /* appended in each second */
	int64_t no_trim_before; /* after one failed; seconds */
};

ZP_CHECKED enum zp_err
zp_dirwrite_init(
    struct zp_dirwrite *w, const char *folder, uint64_t keep, bool durable);
void
zp_dirwrite_free(struct zp_dirwrite *w);

/*
 * Appends what iov holds: n whole lines, newline included.  Opens the
 * file first, and makes the folder, if need be or if somebody removed them.
 * All or nothing: after an error (ZP_ERR_IO with errno, ZP_ERR_FULL: all
 * numbers taken) the file is as it was.  now: ms of a steady clock.
 */
ZP_CHECKED enum zp_err
zp_dirwrite_append(struct zp_dirwrite *w, const char *writer,
    const struct iovec *iov, int n, int64_t now);

/* Waits until it is on disk. */
ZP_CHECKED enum zp_err
zp_dirwrite_sync(struct zp_dirwrite *w);

/*
 * Replaces the file by its newest records if it is time to; returns when it
 * wants to be called again (ms), INT64_MAX for not before the next append.
 */
int64_t
zp_dirwrite_trim(struct zp_dirwrite *w, int64_t now);

/*
 * Makes the folder of a topic in the folder above, as open to others as that
 * is.  ZP_ERR_IO with errno; it is fine if it is there.
 */
ZP_CHECKED enum zp_err
zp_dirwrite_make_folder(const char *folder);

#endif
