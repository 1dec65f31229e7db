#ifndef ZP_RECORD_H
#define ZP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * The record, zpinc-record(5): one line of ASCII,
 *
 *     zp1.RP.P.ENC        RP, P: `z` and base64url of 47 bytes
 *     ml1.RP.P.ENC        the MlesTalk suite: base64url of any length
 */

#define ZP_PSEUDONYM_LEN 47 /* iv 16 || name 31 */
#define ZP_TOPIC_LEN 64 /* `z` and 63 characters; no NUL counted */
#define ZP_PREFIX_LEN 4 /* "zp1." */

/* A record's characters, without newline. */
#define ZP_RECORD_MAX 1048576
#define ZP_RECORD_DEFAULT 4095
#define ZP_RECORD_LEAST 1024

/* What stands before ENC in a zp1 record: prefix, RP, `.`, P, `.` */
#define ZP_RECORD_HEAD (ZP_PREFIX_LEN + 2 * (ZP_TOPIC_LEN + 1))

/* RP and P of an ml1 record: characters at most. */
#define ZP_ML_NAME_MAX 4096

enum zp_prefix { ZP_PREFIX_ZP1, ZP_PREFIX_ML1 };

/* A record where it lies; nothing is owned, nothing decoded. */
struct zp_record {
	enum zp_prefix prefix;
	const char *line; /* where the prefix begins */
	size_t len; /* all of it */
	const char *rp, *p, *enc;
	size_t rp_len, p_len, enc_len;
};

/*
 * Looks for a record in data[*from..len).  `more`: bytes may follow, so a
 * run of base64url that touches the end is not a record yet.  True: *rec is
 * set and *from stands behind it; if it proves not to be for the caller,
 * set *from = zp_record_retry() and look on, since a line may be torn.
 * False: no further record; bytes before *from are not needed any more.
 * Takes time linear in len; records over ZP_RECORD_MAX are passed over, so
 * that with `more` at most ZP_RECORD_MAX + 1 bytes from *from are needed.
 */
bool
zp_record_find(const char *data, size_t len, size_t *from, bool more,
    struct zp_record *rec);

/* The place to look on from if rec was no record of ours. */
size_t
zp_record_retry(const char *data, const struct zp_record *rec);

/* Text of a pseudonym: ZP_TOPIC_LEN characters, no NUL. */
void
zp_record_topic(char to[static ZP_TOPIC_LEN],
    const uint8_t pseudonym[static ZP_PSEUDONYM_LEN]);

/* The reverse; false if it is not canonical. */
bool
zp_record_pseudonym(
    uint8_t to[static ZP_PSEUDONYM_LEN], const char topic[static ZP_TOPIC_LEN]);

#endif
