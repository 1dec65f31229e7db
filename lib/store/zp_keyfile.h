#ifndef ZP_KEYFILE_H
#define ZP_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_cursor.h"
#include "base/zp_err.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "mles/zp_mles_key.h"
#include "store/zp_convfile.h"
#include "store/zp_file.h"
#include "store/zp_suite.h"

/* Key and identity files, zpinc-key(5): text, private, bounded. */

/* The longest file that is read: a conversation of 1,024 members. */
#define ZP_KEYFILE_MAX (512 * 1024)

enum zp_keyfile_kind {
	ZP_KEYFILE_CHANNEL, /* zpinc-key new: opens notes and hellos */
	ZP_KEYFILE_CONVERSATION, /* zpinc-handshake: opens messages */
};

struct zp_keyfile {
	enum zp_keyfile_kind kind;
	enum zp_suite suite;
	/* One of the three, the others are NULL. */
	struct zp_key *key; /* a channel's, of suite zp1 */
	struct zp_mles_key *mles; /* a channel's, of suite mles */
	struct zp_convfile *conv; /* a conversation's */
	char *channel; /* of suite mles: its name as typed */
};

/*
 * Reads either kind and tells which it is; the caller frees *kf.  Errors of
 * zp_file_read() and: ZP_ERR_FORMAT with fault->line; ZP_ERR_VERSION;
 * ZP_ERR_SUITE for a suite this program does not have; ZP_ERR_NAME,
 * ZP_ERR_CORRUPT (zp_convfile.h).
 */
ZP_CHECKED enum zp_err
zp_keyfile_load(
    struct zp_keyfile **kf, const char *path, struct zp_fault *fault);

/* The same from text in memory. */
ZP_CHECKED enum zp_err
zp_keyfile_parse(struct zp_keyfile **kf, const char *text, size_t len,
    struct zp_fault *fault);
void
zp_keyfile_free(struct zp_keyfile *kf);

/* What the key's suite does; also for a conversation. */
const struct zp_suite_ops *
zp_keyfile_ops(const struct zp_keyfile *kf);

/*
 * A channel key that no file holds yet: derived from a password, or random
 * (password NULL).  Errors of the suite's derive(); the caller frees *kf.
 */
ZP_CHECKED enum zp_err
zp_keyfile_make(struct zp_keyfile **kf, enum zp_suite suite,
    const uint8_t *password, size_t len, const char *channel, unsigned work);

/* Channel, both for keys and conversations; valid as long as kf is. */
const char *
zp_keyfile_channel(const struct zp_keyfile *kf);

/* The file's text into the caller's secret memory. */
#define ZP_KEYFILE_TEXT_MAX (512 + 4 * ZP_SUITE_NAME_MAX)
void
zp_keyfile_write(struct zp_writer *w, const struct zp_keyfile *kf);

/*
 * A channel key as one line of text, for a QR code or a password manager:
 * "zpkey1." and base64url of
 *
 *     u8 suite (1: zp1, 2: mles)   u8 work   key[32]   channel   check[4]
 *
 * check: the first bytes of SHA-256 of all before it, against typing errors.
 */
#define ZP_KEYFILE_EXPORT_MAX 1440

/* Writes it, NUL ended, no newline; `line` lies in secret memory. */
ZP_CHECKED enum zp_err
zp_keyfile_export(
    const struct zp_keyfile *kf, char line[static ZP_KEYFILE_EXPORT_MAX]);

/*
 * Reads such a line of len characters.  ZP_ERR_FORMAT, ZP_ERR_CORRUPT (the
 * check is wrong), ZP_ERR_VERSION, ZP_ERR_SUITE, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_keyfile_import(struct zp_keyfile **kf, const char *line, size_t len);

/* Identity files.  Errors as above; the caller frees *id. */
ZP_CHECKED enum zp_err
zp_idfile_load(
    struct zp_identity **id, const char *path, struct zp_fault *fault);
ZP_CHECKED enum zp_err
zp_idfile_parse(struct zp_identity **id, const char *text, size_t len,
    struct zp_fault *fault);
void
zp_idfile_write(struct zp_writer *w, const struct zp_identity *id);

#endif
