#ifndef ZP_STREAM_H
#define ZP_STREAM_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/zp_tls.h"

/*
 * A TCP connection, or TLS over one, that never blocks, but for the look-up
 * of the name: all addresses of a host are tried in turn.
 */
enum zp_stream_state {
	ZP_STREAM_OFF,
	ZP_STREAM_CONNECTING,
	ZP_STREAM_SHAKING, /* hands, in TLS */
	ZP_STREAM_OPEN,
	ZP_STREAM_FAILED, /* `why` tells */
};

/* One address has so many ms to answer. */
#define ZP_STREAM_PATIENCE 8000

struct zp_stream {
	enum zp_stream_state state;
	int fd; /* -1: none */
	struct addrinfo *found, *next;
	char *host; /* whose certificate is expected */
	struct zp_tls *tls; /* NULL: none; borrowed */
	struct ssl_st *ssl;
	bool tls_writes; /* the handshake waits to write */
	bool refused; /* it was the certificate that made it fail */
	int64_t give_up_at;
	char why[ZP_TLS_WHY];
};

void
zp_stream_init(struct zp_stream *s);

/*
 * Begins to connect; the state tells what came of it.  tls: NULL for none;
 * if there is one, the server must prove to be `host`.  now: ms of a steady
 * clock.
 */
void
zp_stream_open(struct zp_stream *s, const char *host, uint16_t port,
    struct zp_tls *tls, int64_t now);
void
zp_stream_close(struct zp_stream *s);

/* What to poll for; lowers *wait_ms. */
short
zp_stream_events(
    const struct zp_stream *s, bool in, bool out, int64_t now, int *wait_ms);

/* After poll() while it is CONNECTING or SHAKING. */
void
zp_stream_step(struct zp_stream *s, short revents, int64_t now);

/*
 * While it is OPEN.  0: nothing goes just now; -1: it ended or failed, and
 * the state is FAILED.
 */
ssize_t
zp_stream_read(struct zp_stream *s, void *to, size_t cap);
ssize_t
zp_stream_write(struct zp_stream *s, const void *data, size_t len);

/* Is something read and decrypted already, of which poll() knows nothing? */
bool
zp_stream_pending(const struct zp_stream *s);

#endif
