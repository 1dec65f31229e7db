#ifndef ZP_OUTSTORE_H
#define ZP_OUTSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "store/zp_file.h"
#include "wire/zp_payload.h"

/*
 * Sealed notes that no relay has shown yet, kept in a file so that they
 * outlive the process, however it ends.  Records only, as they went out: of a
 * note nothing that the relay does not get, of a conversation nothing at all.
 *
 * The file is a journal, zpinc-key(5): notes are appended when they are sealed
 * and struck out when they were seen; from time to time it is written anew
 * without what was struck out.  An end that was torn by a crash is ignored.
 * One process has it at a time.
 */
struct zp_outstore;

/* Notes kept at most, and bytes of them. */
#define ZP_OUTSTORE_MOST 65536
#define ZP_OUTSTORE_BYTES (64u << 20)

/*
 * Opens the file, or makes it.  The caller frees *s.  ZP_ERR_LOCKED: another
 * process has it; ZP_ERR_CORRUPT with fault->line, ZP_ERR_VERSION, those of
 * zp_file_read_state(), ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_outstore_open(
    struct zp_outstore **s, const char *path, struct zp_fault *fault);

/* Keeps the file as it is; NULL is fine. */
void
zp_outstore_free(struct zp_outstore *s);

/* A note that is kept: its record lines, each with its newline. */
struct zp_outstore_note {
	uint8_t sid[ZP_SID_LEN];
	uint64_t seq, time;
	const char *lines;
	size_t len;
};

/* The i-th of them, in the order they were added; NULL past the last. */
const struct zp_outstore_note *
zp_outstore_at(const struct zp_outstore *s, size_t i);

/*
 * Keeps a note: in the system's hands when it returns, on disk after
 * zp_outstore_sync().  ZP_ERR_FULL, ZP_ERR_MEMORY, ZP_ERR_IO with errno.
 */
ZP_CHECKED enum zp_err
zp_outstore_add(struct zp_outstore *s, const struct zp_outstore_note *note);

/* It was seen; unknown names are ignored.  ZP_ERR_IO with errno. */
ZP_CHECKED enum zp_err
zp_outstore_remove(
    struct zp_outstore *s, const uint8_t sid[static ZP_SID_LEN], uint64_t seq);

/* Puts what was added on disk.  ZP_ERR_IO with errno. */
ZP_CHECKED enum zp_err
zp_outstore_sync(struct zp_outstore *s);

#endif
