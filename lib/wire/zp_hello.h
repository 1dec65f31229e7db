#ifndef ZP_HELLO_H
#define ZP_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_be.h"
#include "base/zp_err.h"

/*
 * The body of a hello, zpinc-record(5): what an online member says over and
 * over, its whole state.
 *
 *   0  u8 flags, u8 zero, u16 number of entries, u32 gen
 *   8  u64 notes, u64 messages: how many this session has sent so far
 *  24  view id[32] and Z[32] if Z, X[32] if X, tag[32] if TAG
 *      entries: mid[16], u64 ack, u64 seen, ascending by mid
 */

enum {
	ZP_HELLO_Z = 1,
	ZP_HELLO_X = 2,
	ZP_HELLO_TAG = 4,
	ZP_HELLO_DONE = 8,
	ZP_HELLO_FIXED = 16,
	ZP_HELLO_LEAVE = 32,
};

#define ZP_HELLO_HEAD_LEN 24
#define ZP_HELLO_ENTRY_LEN 32
#define ZP_HELLO_MID_LEN 16
#define ZP_HELLO_VALUE_LEN 32 /* view id, Z, X, tag */

/* Entries beyond the members that a view may have. */
#define ZP_HELLO_SPARE 8

/* Views of up to 1,024 members (zpinc-pipe --max-members). */
#define ZP_HELLO_ENTRIES_MAX (1024 + ZP_HELLO_SPARE)

/* The longest body with so many entries. */
#define ZP_HELLO_LEN(entries)                         \
	(ZP_HELLO_HEAD_LEN + 4 * ZP_HELLO_VALUE_LEN + \
	    ZP_HELLO_ENTRY_LEN * (size_t)(entries))

/*
 * ack: seq of the latest hello that the sender has of that session.
 * seen: all its messages below this seq, from the first under its latest
 * key, have arrived; 0 if none could be opened.
 */
struct zp_hello_entry {
	uint8_t mid[ZP_HELLO_MID_LEN];
	uint64_t ack;
	uint64_t seen;
};

/* What flags do not announce is zero. */
struct zp_hello {
	uint8_t flags;
	uint16_t count;
	uint32_t gen;
	uint64_t notes;
	uint64_t messages;
	uint8_t view[ZP_HELLO_VALUE_LEN];
	uint8_t z[ZP_HELLO_VALUE_LEN];
	uint8_t x[ZP_HELLO_VALUE_LEN];
	uint8_t tag[ZP_HELLO_VALUE_LEN];
	/* Written: count of them.  Parsed: NULL; see zp_hello_entry(). */
	const struct zp_hello_entry *entries;
	const uint8_t *raw; /* parsed: entries where they lie in the body */
};

/*
 * Reads the body of a hello of at most max_entries entries.  `h` points into
 * `body` and lives no longer.  ZP_ERR_FORMAT: not a hello (unknown flags,
 * X or TAG without Z, DONE without TAG, entries too many, out of order or
 * twice, a length that does not fit).
 */
ZP_CHECKED enum zp_err
zp_hello_parse(
    struct zp_hello *h, const uint8_t *body, size_t len, uint16_t max_entries);

/* Entry i < h->count of a parsed hello. */
void
zp_hello_entry(const struct zp_hello *h, uint16_t i, struct zp_hello_entry *e);

/*
 * Writes the body and sets *len.  ZP_ERR_TOO_LONG: it does not fit into cap;
 * ZP_ERR_FORMAT: flags or entries that the parser would refuse.
 */
ZP_CHECKED enum zp_err
zp_hello_write(
    const struct zp_hello *h, uint8_t *body, size_t cap, size_t *len);

/* Like memcmp() of two member ids; a hello has many. */
static inline int
zp_hello_mid_order(const uint8_t a[static ZP_HELLO_MID_LEN],
    const uint8_t b[static ZP_HELLO_MID_LEN])
{
	uint64_t x = zp_be64(a), y = zp_be64(b);

	if (x == y) {
		x = zp_be64(a + 8);
		y = zp_be64(b + 8);
	}
	return (x > y) - (x < y);
}

#endif
