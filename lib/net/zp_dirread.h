#ifndef ZP_DIRREAD_H
#define ZP_DIRREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/zp_err.h"
#include "wire/zp_record.h"

/*
 * The records of one topic's folder, zpinc-file(1): files NAME.zp, each only
 * ever appended to or replaced.  Anybody may have put anything there:
 * only regular files of a plain name are opened, and memory is bounded by
 * ZP_DIRREAD_FILES entries and one buffer.
 *
 * Of each file it keeps how far it was read and the last bytes before that.
 * Where these bytes are no longer found there (the file was trimmed,
 * replaced, cut), reading goes on behind their first appearance in the file
 * as it is now, or else at its beginning: a record may come twice and none is
 * passed over.
 */
#define ZP_DIRREAD_FILES 65536
#define ZP_DIRREAD_NAME 60 /* without .zp */
#define ZP_DIRREAD_OPEN 100 /* files kept open */
#define ZP_DIRREAD_TAIL 32

struct zp_dirfile {
	char name[ZP_DIRREAD_NAME + 4]; /* with .zp */
	int fd; /* -1: not open */
	dev_t dev;
	ino_t ino; /* of fd, or of what was read last */
	off_t at; /* read up to here */
	off_t size; /* as it was when last looked at */
	uint64_t hash; /* of the tail, from a cursor; until it is read */
	uint8_t tail[ZP_DIRREAD_TAIL];
	uint8_t tail_len;
	bool dirty; /* to be read */
	bool replaced; /* another file has this name: end fd, then open that */
	bool by_hash; /* tail is not known, its hash is */
	bool to_end; /* begin at its end */
	bool seen; /* in the scan that goes on */
	uint64_t used;
};

struct zp_dirread {
	char *path; /* DIR/TOPIC */
	int dir; /* -1: not attached */
	dev_t dev;
	ino_t ino;
	struct zp_dirfile **files; /* ascending by name */
	size_t count, cap;
	size_t dirty, next; /* how many; where the next turn begins */
	struct zp_dirfile *open[ZP_DIRREAD_OPEN]; /* in no order */
	size_t opened;
	uint64_t clock;
	bool skip; /* what is there at the first scan is not wanted */
	bool scanned; /* at least once */
	bool full; /* more files than entries */
	int trouble; /* errno of what should have been read and was not */
	char *buf;
};

/*
 * skip: begin at the end of what is there (a live topic).  cursor: from
 * zp_dirread_cursor(), or NULL; what does not parse counts as none.
 */
ZP_CHECKED enum zp_err
zp_dirread_init(
    struct zp_dirread *r, const char *path, bool skip, const char *cursor);
void
zp_dirread_free(struct zp_dirread *r);

/* Opens the folder.  ZP_ERR_IO with errno; ELOOP or ENOTDIR for no folder. */
ZP_CHECKED enum zp_err
zp_dirread_attach(struct zp_dirread *r);

/* Is it attached to what has that path now? */
bool
zp_dirread_attached(const struct zp_dirread *r);
void
zp_dirread_detach(struct zp_dirread *r);

/* Looks at all files; marks those to be read. */
ZP_CHECKED enum zp_err
zp_dirread_scan(struct zp_dirread *r);

/* The file of that name changed (or was replaced).  False: scan. */
bool
zp_dirread_mark(struct zp_dirread *r, const char *name, bool replaced);

/*
 * Reads a block of one file that is marked and hands over its records.
 * False: nothing is marked.
 */
bool
zp_dirread_step(struct zp_dirread *r,
    void (*on_record)(void *arg, const struct zp_record *rec), void *arg);

/* "NAME:OFFSET:HASH,..." of at most cap bytes; the length. */
size_t
zp_dirread_cursor(const struct zp_dirread *r, char *to, size_t cap);

#endif
