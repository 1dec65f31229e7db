#ifndef ZP_SSE_H
#define ZP_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zp_err.h"

/*
 * Server-Sent Events (HTML standard, section 9.2.6, "Interpreting an event
 * stream"), pure and bounded: bytes in, events out.
 */
#define ZP_SSE_ID_MAX 1024
#define ZP_SSE_TYPE_MAX 64

struct zp_sse_event {
	const char *data; /* lines joined by newline; no NUL behind */
	size_t len;
	const char *type; /* "message" if none was given */
	const char *id; /* last event id so far; "" if none */
};

struct zp_sse {
	char *data, *line;
	size_t data_len, data_cap, line_len, line_cap;
	size_t max; /* the most that data and a line may hold */
	bool has_data, too_long, line_long, skip_lf, begun;
	bool lines; /* the stream is plain lines, each the data of an event */
	char type[ZP_SSE_TYPE_MAX + 1];
	char id[ZP_SSE_ID_MAX + 1]; /* as it stands */
	char last_id[ZP_SSE_ID_MAX + 1]; /* of the last event given out */
	long retry; /* ms the server asks for before a reconnect; -1 */
};

/* max: longest data of an event; longer ones are dropped. */
void
zp_sse_init(struct zp_sse *s, size_t max);
void
zp_sse_free(struct zp_sse *s);

/*
 * A new stream begins; the id stays, half an event does not.  Who knows that
 * it is no event stream but lines of text sets `lines` before the first feed;
 * an empty line is nothing then, and one longer than max is dropped.
 */
void
zp_sse_restart(struct zp_sse *s);

/*
 * Takes len bytes; calls on_event for every event that they complete.
 * ZP_ERR_MEMORY only.
 */
ZP_CHECKED enum zp_err
zp_sse_feed(struct zp_sse *s, const char *bytes, size_t len,
    void (*on_event)(void *arg, const struct zp_sse_event *event), void *arg);

#endif
