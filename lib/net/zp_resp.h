#ifndef ZP_RESP_H
#define ZP_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "net/zp_stream.h"

/*
 * A link that speaks Redis's protocol (RESP 2), parsed by hiredis but not
 * kept: replies may be long and come from who is not trusted, so strings are
 * handed over one by one, as they come, and of a reply only a summary stays.
 */
struct redisReader;

/* Of the text of an error or status, what does not fit is cut. */
#define ZP_RESP_TEXT 256

/* A string may be so long; a longer one ends the link. */
#define ZP_RESP_STRING_MAX (8u << 20)

#define ZP_RESP_DEPTH 8

/* Where in a reply a string stands: depth 0 is the reply itself. */
struct zp_resp_at {
	unsigned depth;
	size_t index[ZP_RESP_DEPTH]; /* in the array of that depth */
	size_t of[ZP_RESP_DEPTH]; /* how many that has */
};

/* A whole reply, without its strings. */
struct zp_resp_reply {
	bool nil; /* nothing: of XREAD, no news */
	bool error; /* text tells */
	bool nested; /* ... and is the first in an array, of EXEC say */
	bool array;
	size_t elements; /* if an array */
	char text[ZP_RESP_TEXT]; /* of a status or error */
};

struct zp_resp {
	struct zp_stream stream;
	struct redisReader *reader;
	struct zp_resp_reply reply; /* that comes just now */
	/* Whoever takes them must not close the link within. */
	void (*on_string)(
	    void *arg, const struct zp_resp_at *at, const char *s, size_t len);
	void (*on_reply)(void *arg, const struct zp_resp_reply *reply);
	void *arg;
	char *out;
	size_t out_at, out_len, out_cap;
	bool stop; /* parse no more of what was read: the link is to end */
	bool too_long; /* it ended because of a string that is */
};

/* on_string, on_reply and arg are set by the caller. */
void
zp_resp_init(struct zp_resp *r);
void
zp_resp_open(struct zp_resp *r, const char *host, uint16_t port,
    struct zp_tls *tls, int64_t now);
void
zp_resp_close(struct zp_resp *r);

/* Bytes of commands that wait to be written. */
static inline size_t
zp_resp_waiting(const struct zp_resp *r)
{
	return r->out_len - r->out_at;
}

/* Room for len more bytes of commands; NULL: no memory. */
char *
zp_resp_room(struct zp_resp *r, size_t len);

/* So many of them are used. */
static inline void
zp_resp_used(struct zp_resp *r, size_t len)
{
	r->out_len += len;
}

/* Puts a command; ZP_ERR_MEMORY. */
ZP_CHECKED enum zp_err
zp_resp_put(struct zp_resp *r, size_t argc, const char *const *argv);

/* Writes what goes.  False: the stream has failed. */
bool
zp_resp_write(struct zp_resp *r);

/*
 * Reads what is there, at most a block, and hands it over.  Returns the bytes
 * read, or -1: the stream has failed, stream.why tells.
 */
ssize_t
zp_resp_read(struct zp_resp *r);

#endif
