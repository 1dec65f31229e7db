#ifndef ZP_SESSION_H
#define ZP_SESSION_H

#include <stdbool.h>

#include "base/zp_err.h"
#include "base/zp_io.h"
#include "crypt/zp_seal.h"

/*
 * A sending session: bodies in, record lines out, numbered.  A body that
 * fits is one record; else it goes out in parts of equal seq, the last one
 * marked (zpinc-record(5)).
 */
struct zp_session;

struct zp_session_params {
	enum zp_kind kind; /* note or message */
	uint8_t sid[ZP_SID_LEN];
	size_t max_record; /* ZP_RECORD_LEAST to ZP_RECORD_MAX */
	/* Messages: the number of this session's first one under this key. */
	uint64_t first;
};

/* sealer is owned from here on, also on failure.  The caller frees *s. */
ZP_CHECKED enum zp_err
zp_session_new(struct zp_session **s, struct zp_sealer *sealer,
    const struct zp_session_params *params);
void
zp_session_free(struct zp_session *s);

/*
 * Body bytes that fit into the next part: a part but the last is as long.
 */
size_t
zp_session_room(const struct zp_session *s);

/*
 * How many bodies are at hand (their nonces are drawn at once); 0 before
 * any wait.  See zp_sealer_expect().
 */
void
zp_session_expect(struct zp_session *s, size_t bodies);

/*
 * Writes a whole body under number seq; time in ms since 1970, 0 to
 * withhold it.  ZP_ERR_IO of out, ZP_ERR_TOO_LONG for 2^32 parts,
 * ZP_ERR_ENDED, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_session_body(struct zp_session *s, uint64_t seq, uint64_t time,
    const void *body, size_t len, struct zp_out *out);

/*
 * A body of any length, piece by piece: first begin, then parts of
 * zp_session_room() bytes each, the last one (of any length up to that)
 * with `last`.
 */
void
zp_session_begin(struct zp_session *s, uint64_t seq, uint64_t time);
/* Where in which body a session stands. */
struct zp_session_place {
	uint64_t seq, time;
	uint64_t part; /* the next one */
};

struct zp_session_place
zp_session_place(const struct zp_session *s);

/* Goes on there, whoever sealed the parts before. */
void
zp_session_at(struct zp_session *s, const struct zp_session_place *place);

ZP_CHECKED enum zp_err
zp_session_part(struct zp_session *s, const void *data, size_t len, bool last,
    struct zp_out *out);

#endif
