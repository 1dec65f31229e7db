#include "net/zp_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
zp_stream_init(struct zp_stream *s)
{
	*s = (struct zp_stream){.fd = -1};
}

static void
drop_socket(struct zp_stream *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void
zp_stream_close(struct zp_stream *s)
{
	if (s->ssl != NULL && s->state == ZP_STREAM_OPEN)
		(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
	drop_socket(s);
	if (s->found != NULL)
		freeaddrinfo(s->found);
	free(s->host);
	zp_stream_init(s);
}

static void
fail(struct zp_stream *s, const char *why)
{
	if (why != s->why)
		snprintf(s->why, sizeof(s->why), "%s", why);
	s->state = ZP_STREAM_FAILED;
	drop_socket(s);
}

/* A socket for an address, on its way to be connected; -1 with errno. */
static int
dial(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
	int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	int on = 1;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		goto fail;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS)
		return fd;
fail:
	if (fd >= 0) {
		int why = errno;
		close(fd);
		errno = why;
	}
	return -1;
}

/* Tries addresses until one is on its way, or none is left. */
static void
try_next(struct zp_stream *s, int64_t now)
{
	drop_socket(s);
	while (s->next != NULL) {
		s->fd = dial(s->next);
		s->next = s->next->ai_next;
		if (s->fd >= 0) {
			s->state = ZP_STREAM_CONNECTING;
			s->give_up_at = now + ZP_STREAM_PATIENCE;
			return;
		}
		snprintf(s->why, sizeof(s->why), "%s", strerror(errno));
	}
	fail(s, s->why);
}

void
zp_stream_open(struct zp_stream *s, const char *host, uint16_t port,
    struct zp_tls *tls, int64_t now)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	char service[8];
	int err;

	zp_stream_close(s);
	s->tls = tls;
	s->host = strdup(host);
	if (s->host == NULL) {
		fail(s, zp_err_text(ZP_ERR_MEMORY));
		return;
	}
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	err = getaddrinfo(host, service, &hints, &s->found);
	if (err == EAI_SYSTEM || err != 0) {
		s->found = NULL;
		fail(
		    s, err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
		return;
	}
	s->next = s->found;
	try_next(s, now);
}

/* ---- on the way ---- */

static void
shake_hands(struct zp_stream *s)
{
	int n;

	ERR_clear_error();
	n = SSL_connect(s->ssl);
	if (n == 1) {
		s->state = ZP_STREAM_OPEN;
		return;
	}
	int why = SSL_get_error(s->ssl, n);
	s->tls_writes = why == SSL_ERROR_WANT_WRITE;
	if (s->tls_writes || why == SSL_ERROR_WANT_READ)
		return;
	/* Not another address: it is the server that was asked for. */
	s->refused = zp_tls_refused(s->tls);
	if (why == SSL_ERROR_SYSCALL && !s->refused) {
		fail(
		    s, "the server closed the connection in the TLS handshake");
		return;
	}
	zp_tls_why(s->tls, s->why);
	fail(s, s->why);
}

static void
connected(struct zp_stream *s)
{
	if (s->tls == NULL) {
		s->state = ZP_STREAM_OPEN;
		return;
	}
	/*
	 * Only now: what is expected is all links', until one takes it from
	 * there, and others may have been opened since this one was.
	 */
	if (zp_tls_expect(s->tls, s->host))
		s->ssl = SSL_new(zp_tls_context(s->tls));
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1) {
		fail(s, zp_err_text(ZP_ERR_MEMORY));
		return;
	}
	s->state = ZP_STREAM_SHAKING;
	shake_hands(s);
}

void
zp_stream_step(struct zp_stream *s, short revents, int64_t now)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (revents == 0) {
		if (now < s->give_up_at)
			return;
		err = ETIMEDOUT;
	} else if (s->state == ZP_STREAM_SHAKING) {
		shake_hands(s);
		return;
	} else if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) {
		err = errno;
	}
	if (err != 0) {
		snprintf(s->why, sizeof(s->why), "%s", strerror(err));
		try_next(s, now);
		return;
	}
	connected(s);
}

short
zp_stream_events(
    const struct zp_stream *s, bool in, bool out, int64_t now, int *wait_ms)
{
	bool on_the_way =
	    s->state == ZP_STREAM_CONNECTING || s->state == ZP_STREAM_SHAKING;
	int64_t left = s->give_up_at - now;

	if (on_the_way && left < *wait_ms)
		*wait_ms = left > 0 ? (int)left : 0;
	if (s->state == ZP_STREAM_CONNECTING)
		return POLLOUT;
	if (s->state == ZP_STREAM_SHAKING)
		return s->tls_writes ? POLLOUT : POLLIN;
	return (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
}

/* ---- in use ---- */

static ssize_t
plain_result(struct zp_stream *s, ssize_t n, bool reading)
{
	if (n > 0)
		return n;
	if (n == 0 && reading) {
		fail(s, "the server closed the connection");
		return -1;
	}
	if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	fail(s, strerror(errno));
	return -1;
}

static ssize_t
tls_result(struct zp_stream *s, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
	case SSL_ERROR_SYSCALL:
		fail(s, "the server closed the connection");
		return -1;
	default:
		zp_tls_why(s->tls, s->why);
		fail(s, s->why);
		return -1;
	}
}

ssize_t
zp_stream_read(struct zp_stream *s, void *to, size_t cap)
{
	if (s->ssl == NULL)
		return plain_result(s, recv(s->fd, to, cap, 0), true);
	ERR_clear_error();
	return tls_result(
	    s, SSL_read(s->ssl, to, cap > INT_MAX ? INT_MAX : (int)cap));
}

ssize_t
zp_stream_write(struct zp_stream *s, const void *data, size_t len)
{
	if (s->ssl == NULL)
		return plain_result(
		    s, send(s->fd, data, len, MSG_NOSIGNAL), false);
	ERR_clear_error();
	return tls_result(
	    s, SSL_write(s->ssl, data, len > INT_MAX ? INT_MAX : (int)len));
}

bool
zp_stream_pending(const struct zp_stream *s)
{
	return s->ssl != NULL && s->state == ZP_STREAM_OPEN &&
	    SSL_pending(s->ssl) > 0;
}
