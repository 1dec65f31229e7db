#ifndef ZP_MLESLINK_H
#define ZP_MLESLINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "net/zp_tls.h"
#include "proc/zp_url.h"

/*
 * WebSocket connections (RFC 6455) of subprotocol mles-websocket to one
 * server, by libwebsockets, in a poll() loop of the caller's.  An Mles server
 * passes pings on as if they were messages, so none are sent.
 */

#define ZP_MLESLINKS 4

struct zp_mleslinks;
struct zp_mleslink;

/* The longest reason, with its NUL. */
#define ZP_MLESLINK_WHY 256

/* What the owner is told; none of these may free or drop a link. */
struct zp_mleslink_events {
	void (*up)(void *arg, struct zp_mleslink *link);
	/* A whole message; NULL: over `max` bytes, and passed over. */
	void (*message)(void *arg, struct zp_mleslink *link, bool text,
	    const uint8_t *data, size_t len);
	/* More may be sent now. */
	void (*writable)(void *arg, struct zp_mleslink *link);
	/*
	 * The link is down, for whatever reason.  read: we had closed it, and
	 * the server has read all that was sent before.
	 */
	void (*down)(
	    void *arg, struct zp_mleslink *link, const char *why, bool read);
};

/*
 * tls: NULL for unencrypted links.  url is borrowed.  max: bytes of the
 * longest message.  ZP_ERR_FORMAT (a host that is none), ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mleslinks_new(struct zp_mleslinks **links, const struct zp_url *url,
    struct zp_tls *tls, size_t max, unsigned keepalive,
    const struct zp_mleslink_events *events, void *arg);
void
zp_mleslinks_free(struct zp_mleslinks *links);

/*
 * Opens a link; NULL if all are in use, or if it failed at once, which down()
 * has told.  Else what comes of it is told later.  now: ms of a steady clock,
 * as below.
 */
struct zp_mleslink *
zp_mleslink_open(struct zp_mleslinks *links, void *user, int64_t now);
void *
zp_mleslink_user(const struct zp_mleslink *link);

/* Drops a link without a word; no event follows. */
void
zp_mleslink_drop(struct zp_mleslink *link);

/* Says farewell, once all is written: down() follows. */
void
zp_mleslink_close(struct zp_mleslink *link);

/* May something be sent now? */
bool
zp_mleslink_ready(const struct zp_mleslink *link);

/*
 * Memory of len bytes to write a message into; NULL without memory.  Then
 * zp_mleslink_send() sends the first len of it.
 */
uint8_t *
zp_mleslink_room(struct zp_mleslink *link, size_t len);
void
zp_mleslink_send(struct zp_mleslink *link, bool text, size_t len);

/* Has the other side's system acknowledged every byte that was sent? */
bool
zp_mleslink_received(const struct zp_mleslink *link);

/* When anything came last, pings included. */
int64_t
zp_mleslink_heard(const struct zp_mleslink *link);

/* How long it took to open the link, ms. */
int64_t
zp_mleslink_took(const struct zp_mleslink *link);

/* The loop: what to wait for, and what to do after it; more: read on. */
size_t
zp_mleslinks_poll(struct zp_mleslinks *links, bool more, struct pollfd *fds,
    size_t cap, int *wait_ms, int64_t now);
void
zp_mleslinks_service(struct zp_mleslinks *links, const struct pollfd *fds,
    size_t n, int64_t now);

#endif
