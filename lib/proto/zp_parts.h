#ifndef ZP_PARTS_H
#define ZP_PARTS_H

#include <stdbool.h>

#include "base/zp_err.h"
#include "crypt/zp_open.h"

/*
 * Bodies out of parts.  Parts come in any order, of several bodies at once;
 * a body is given out when whole, or, streaming, part by part in order, one
 * body after the other.
 */
struct zp_parts;

#define ZP_PARTS_BODIES 16 /* incomplete at a time */
#define ZP_PARTS_BODY_MAX 1048576 /* bytes of a body, or waiting of one */
#define ZP_PARTS_COUNT_MAX 8192 /* parts waiting of one body */

/* What is known of a body. */
struct zp_body {
	enum zp_kind kind;
	unsigned slot; /* whose key opened it */
	uint8_t p[ZP_PSEUDONYM_LEN];
	char uid[ZP_NAME_MAX + 1];
	uint8_t sid[ZP_SID_LEN];
	uint64_t seq, time;
	uint64_t first; /* of a message: see zpinc-record(5); else 0 */
	bool is_signed;
	uint8_t idkey[ZP_IDKEY_LEN]; /* zero if not */
};

/* Something to show: a whole body, or streaming a piece of one. */
struct zp_piece {
	const struct zp_body *body;
	const uint8_t *data; /* until the next call */
	size_t len;
	bool begins, ends;
};

/*
 * report: a body is given up: ZP_ERR_CUT if parts are missing,
 * ZP_ERR_TOO_LONG, ZP_ERR_FORMAT if its parts contradict one another.
 * `begun`: some of it was given out already.
 */
ZP_CHECKED enum zp_err
zp_parts_new(struct zp_parts **parts, bool stream,
    void (*report)(
	void *arg, const struct zp_body *body, enum zp_err why, bool begun),
    void *arg);
void
zp_parts_free(struct zp_parts *ps);

/*
 * Adds an opened note or message.  Then call zp_parts_next() until it says
 * false, before anything else.  ZP_ERR_FORMAT if it contradicts its body,
 * ZP_ERR_REPLAY if that part is here already, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_parts_add(struct zp_parts *parts, const struct zp_opened *opened);

/* The next thing to show, if there is one. */
bool
zp_parts_next(struct zp_parts *parts, struct zp_piece *piece);

/*
 * Nothing more comes: reports what is incomplete as cut.  Streaming, whole
 * bodies that waited behind a cut one are then there for zp_parts_next().
 */
void
zp_parts_end(struct zp_parts *ps);

#endif
