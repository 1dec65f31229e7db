#ifndef ZP_KNOWN_H
#define ZP_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_text.h"
#include "crypt/zp_identity.h"
#include "store/zp_file.h"

/*
 * Known identities: (RP, uid) -> idkey, trust on first use.  A text file,
 * zpinc-key(5), read once and again when it has changed; every change is
 * made under a lock to what the file then says, so that two processes lose
 * no pin and never pin two keys for one user.
 */

struct zp_known;

/* Pins are never evicted (that would let a change pass as new). */
#define ZP_KNOWN_MAX 16384

enum zp_trust {
	ZP_TRUST_KNOWN, /* signed by the pinned identity */
	ZP_TRUST_NEW, /* signed, nothing pinned yet: pin it */
	ZP_TRUST_ANONYMOUS, /* unsigned, nothing pinned */
	/* refused: */
	ZP_TRUST_CHANGED, /* signed by another identity than the pinned */
	ZP_TRUST_UNSIGNED, /* unsigned, though one is pinned */
	ZP_TRUST_UNKNOWN, /* signed, nothing pinned, and none is to be */
};

/* known, new, anonymous, CHANGED, UNSIGNED, unknown */
const char *
zp_trust_text(enum zp_trust trust);

/* ZP_OK for the first three, else ZP_ERR_CHANGED, _UNSIGNED, _UNKNOWN. */
enum zp_err
zp_trust_err(enum zp_trust trust);

/*
 * Opens path; NULL: $XDG_STATE_HOME/zpinc/known.  No file is an empty one;
 * the first pin makes it.  pin_new: --trust-new first-use; the default's
 * folder is then made at once, if it can be, so that the process may be
 * confined afterwards.  The caller frees *k.  Errors of zp_file_read() but
 * ZP_ERR_NOT_FOUND; ZP_ERR_CORRUPT with fault->line; ZP_ERR_NOT_FOUND if there
 * is no $HOME to look in.
 */
ZP_CHECKED enum zp_err
zp_known_open(struct zp_known **k, const char *path, bool pin_new,
    struct zp_fault *fault);
void
zp_known_free(struct zp_known *k);

/* The file's path, for messages. */
const char *
zp_known_path(const struct zp_known *k);

/*
 * Reads the file again if it has changed: one stat(2).  Call it once for
 * every block of input.
 */
ZP_CHECKED enum zp_err
zp_known_refresh(struct zp_known *k, struct zp_fault *fault);

/*
 * What a verified idkey (NULL: unsigned) of a user means, by what was read
 * last; touches no file.  Says NEW again until it is pinned.
 */
enum zp_trust
zp_known_check(const struct zp_known *k,
    const uint8_t rp[static ZP_PSEUDONYM_LEN], const char *uid,
    const uint8_t *idkey);

/*
 * The whole of it for one record: checks, and pins what is new.  Another
 * process may have pinned meanwhile, so *trust may be KNOWN or CHANGED then.
 * now: ms since 1970.  ZP_ERR_FULL, ZP_ERR_LOCKED, ZP_ERR_IO, ZP_ERR_CORRUPT.
 */
ZP_CHECKED enum zp_err
zp_known_meet(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, const uint8_t *idkey, uint64_t now, enum zp_trust *trust,
    struct zp_fault *fault);

/*
 * The same, but what is new is on disk only after zp_known_settle(), which
 * belongs before anybody is told: so that a file full of strangers does not
 * cost a rewriting of the list for each.  The file is locked from the first
 * new one until then; the other functions here settle first.
 */
ZP_CHECKED enum zp_err
zp_known_meet_now(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, const uint8_t *idkey, uint64_t now, enum zp_trust *trust,
    struct zp_fault *fault);
/* On failure nothing of it is pinned. */
ZP_CHECKED enum zp_err
zp_known_settle(struct zp_known *k);

/*
 * Pins by hand.  ZP_ERR_CHANGED if another one is pinned (forget it first);
 * ZP_OK if the same one is.  ZP_ERR_NAME and as above.
 */
ZP_CHECKED enum zp_err
zp_known_pin(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, const uint8_t idkey[static ZP_IDKEY_LEN], uint64_t now,
    struct zp_fault *fault);

/* ZP_ERR_NOT_FOUND if there is no pin, and as above. */
ZP_CHECKED enum zp_err
zp_known_forget(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, struct zp_fault *fault);

struct zp_known_entry {
	uint8_t rp[ZP_PSEUDONYM_LEN];
	uint8_t idkey[ZP_IDKEY_LEN];
	uint64_t time; /* when it was pinned, ms since 1970 */
	char uid[ZP_NAME_MAX + 1];
};

/* All pins in the file's order; valid until the next call that may change. */
size_t
zp_known_count(const struct zp_known *k);
const struct zp_known_entry *
zp_known_at(const struct zp_known *k, size_t i);

/* An idkey as people copy it, "zpid1." and base64url; and back. */
#define ZP_KNOWN_TEXT 52
void
zp_known_text(
    char to[static ZP_KNOWN_TEXT], const uint8_t idkey[static ZP_IDKEY_LEN]);
ZP_CHECKED enum zp_err
zp_known_parse(uint8_t idkey[static ZP_IDKEY_LEN], const char *text);

#endif
