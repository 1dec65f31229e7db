#include "net/zp_mleslink.h"

#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif

#define PROTOCOL "mles-websocket"
#define RX_BLOCK 65536
#define PORT_TLS 443
#define PORT_PLAIN 80
#define HOST_MAX 320

/* Messages written at a time, so that reading has its turn. */
#define BURST 64

/* While a link is made nothing tells what to wait for. */
#define OPENING_MS 10

/* libwebsockets has timers of its own. */
#define TICK_MS 1000

/* A beat of the server's is no closer to the last one. */
#define BEAT_LEAST 50

/* So long may a server be silent that has pinged once: three times 24 s. */
#define SILENCE 75000

enum state { OFF, OPENING, UP, CLOSING };

struct zp_mleslink {
	struct zp_mleslinks *all;
	void *user;
	struct lws *wsi;
	enum state state;
	bool silent; /* dropped: nobody is told any more */
	bool farewell; /* close it when all is written */
	int64_t opened_at, took;
	/* what goes out: LWS_PRE bytes, then the message */
	uint8_t *out;
	size_t out_cap, out_len;
	bool out_text, pending;
	/* what comes in */
	uint8_t *in;
	size_t in_len, in_cap;
	bool skip; /* the rest of this message */
	unsigned long received; /* callbacks so far */
	/* signs of life */
	int64_t heard_at, beat_at, interval; /* the longest between beats */
	unsigned beats; /* 2: the interval is known */
	/* of a link that is closing: what came last */
	enum { NOTHING, DATA, END, RESET } last;
	char why[ZP_MLESLINK_WHY];
};

struct zp_mleslinks {
	struct lws_context *context;
	struct lws_context_creation_info info;
	struct lws_protocols protocols[2];
	const struct zp_url *url;
	char host[HOST_MAX]; /* as a request has it, with its port */
	int port;
	struct zp_tls *tls; /* NULL: without */
	size_t max;
	unsigned keepalive;
	struct zp_mleslink_events events;
	void *arg;
	int64_t now;
	struct zp_mleslink link[ZP_MLESLINKS];
};

/* Without pings, which the server would hand on to everybody. */
static const lws_retry_bo_t no_pings = {.secs_since_valid_ping = 0};

/* ---- down ---- */

static void
clear(struct zp_mleslink *l)
{
	free(l->in);
	free(l->out);
	*l = (struct zp_mleslink){.all = l->all};
}

static void
go_down(struct zp_mleslink *l, const char *why)
{
	struct zp_mleslinks *all = l->all;
	char text[ZP_MLESLINK_WHY];
	bool silent = l->silent || l->state == OFF;
	bool read = l->state == CLOSING && (l->last == DATA || l->last == END);

	snprintf(text, sizeof(text), "%s", *l->why != '\0' ? l->why : why);
	l->wsi = NULL;
	l->state = OFF;
	if (!silent)
		all->events.down(all->arg, l, text, read);
	clear(l);
}

/* ---- coming in ---- */

/* Gathers a message; a longer one than there may be is passed over. */
static void
gather(struct zp_mleslink *l, const uint8_t *data, size_t len)
{
	if (l->skip)
		return;
	if (len > l->all->max - l->in_len) {
		l->skip = true;
		return;
	}
	if (l->in_len + len > l->in_cap) {
		size_t cap = l->in_cap * 2 + len;
		uint8_t *more = realloc(l->in, cap);
		if (more == NULL) {
			l->skip = true;
			return;
		}
		l->in = more;
		l->in_cap = cap;
	}
	if (len > 0)
		memcpy(l->in + l->in_len, data, len);
	l->in_len += len;
}

static void
receive(struct zp_mleslink *l, struct lws *wsi, const uint8_t *data, size_t len)
{
	struct zp_mleslinks *all = l->all;

	l->received++;
	if (lws_is_first_fragment(wsi)) {
		l->in_len = 0;
		l->skip = false;
	}
	gather(l, data, len);
	if (!lws_is_final_fragment(wsi) || l->silent)
		return;
	const uint8_t *whole = l->in_len > 0 ? l->in : (const uint8_t *)"";
	all->events.message(all->arg, l, !lws_frame_is_binary(wsi),
	    l->skip ? NULL : whole, l->skip ? 0 : l->in_len);
	l->in_len = 0;
	l->skip = false;
}

/* ---- going out ---- */

uint8_t *
zp_mleslink_room(struct zp_mleslink *l, size_t len)
{
	if (l->out_cap < LWS_PRE + len) {
		free(l->out);
		l->out_cap = 0;
		l->out = malloc(LWS_PRE + len);
		if (l->out == NULL)
			return NULL;
		l->out_cap = LWS_PRE + len;
	}
	return l->out + LWS_PRE;
}

void
zp_mleslink_send(struct zp_mleslink *l, bool text, size_t len)
{
	l->out_len = len;
	l->out_text = text;
	l->pending = true;
	lws_callback_on_writable(l->wsi);
}

bool
zp_mleslink_ready(const struct zp_mleslink *l)
{
	return l->state == UP && !l->pending && !l->farewell;
}

/* Writes what is there and asks for more; nonzero: the link is to end. */
static int
write_out(struct zp_mleslink *l, struct lws *wsi)
{
	struct zp_mleslinks *all = l->all;

	if (l->silent || l->state != UP)
		return 0;
	for (int i = 0; i < BURST; i++) {
		if (l->pending) {
			l->pending = false;
			if (lws_write(wsi, l->out + LWS_PRE, l->out_len,
				l->out_text ? LWS_WRITE_TEXT
					    : LWS_WRITE_BINARY) < 0)
				return -1;
		}
		if (lws_partial_buffered(wsi) || lws_send_pipe_choked(wsi))
			break;
		if (zp_mleslink_ready(l))
			all->events.writable(all->arg, l);
		if (!l->pending)
			break;
	}
	if (l->pending) {
		lws_callback_on_writable(wsi);
		return 0;
	}
	if (!l->farewell || lws_partial_buffered(wsi))
		return 0;
	lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
	l->state = CLOSING;
	return -1;
}

/* ---- what libwebsockets tells ---- */

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Its reasons, in a user's words. */
static const char *
plain(const char *why)
{
	static const struct {
		const char *begin, *words;
	} of[] = {{"HS: ", "no Mles server answers there"},
	    {"HTTP ", "no Mles server answers there"},
	    {"read failed", "the server closed the link"},
	    {"Timed out", "no answer in time"},
	    {"Unable to connect", "cannot be reached"}};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		if (begins(why, of[i].begin))
			return of[i].words;
	return why;
}

/* Of TLS it tells that it failed, or errno as a number, and not why. */
static void
not_made(struct zp_mleslink *l, const char *why)
{
	static const char number[] = "connect SYSCALL ";
	struct zp_tls *tls = l->all->tls;
	char text[ZP_TLS_WHY];

	if (begins(why, number)) {
		int code = (int)strtol(why + sizeof(number) - 1, NULL, 10);
		why = code > 0 ? strerror(code) : "the server closed the link";
	} else if (tls != NULL &&
	    (begins(why, "SSL") || begins(why, "connect SSL"))) {
		zp_tls_why(tls, text);
		why = text;
	} else {
		why = plain(why);
	}
	go_down(l, why);
}

/* What nobody acknowledges for so long will not arrive (RFC 5482). */
static void
limit_silence(const struct zp_mleslink *l)
{
#ifdef TCP_USER_TIMEOUT
	unsigned ms = l->all->keepalive * 1000;

	(void)setsockopt(lws_get_socket_fd(l->wsi), IPPROTO_TCP,
	    TCP_USER_TIMEOUT, &ms, sizeof(ms));
#else
	(void)l;
#endif
}

static void
go_up(struct zp_mleslink *l)
{
	struct zp_mleslinks *all = l->all;

	limit_silence(l);
	l->state = UP;
	l->took = all->now - l->opened_at;
	l->heard_at = l->beat_at = all->now;
	if (!l->silent)
		all->events.up(all->arg, l);
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	struct zp_mleslink *l = wsi ? lws_get_opaque_user_data(wsi) : NULL;

	(void)user;
	if (l == NULL)
		return 0;
	/* Of the many reasons these concern a client of WebSocket. */
	if (reason == LWS_CALLBACK_CLIENT_ESTABLISHED) {
		go_up(l);
	} else if (reason == LWS_CALLBACK_CLIENT_RECEIVE) {
		receive(l, wsi, in, len);
	} else if (reason == LWS_CALLBACK_CLIENT_WRITEABLE) {
		return write_out(l, wsi);
	} else if (reason == LWS_CALLBACK_WS_PEER_INITIATED_CLOSE) {
		snprintf(l->why, sizeof(l->why), "the server closed the link");
	} else if (reason == LWS_CALLBACK_CLIENT_CONNECTION_ERROR) {
		not_made(l, in != NULL && len > 0 ? in : "cannot be reached");
	} else if (reason == LWS_CALLBACK_CLIENT_CLOSED) {
		go_down(l, "the link is lost");
	}
	return 0;
}

/* ---- making ---- */

/* Where to, as HTTP has it (RFC 9110, 7.2); false if it is no host. */
static bool
take_host(struct zp_mleslinks *all, const struct zp_url *url)
{
	bool v6 = strchr(url->host, ':') != NULL;
	int usual = all->tls != NULL ? PORT_TLS : PORT_PLAIN;
	int n;

	/* Percent-decoded, it may hold anything. */
	for (const char *c = url->host; *c != '\0'; c++)
		if (*c <= ' ' || *c == 0x7f)
			return false;
	all->port = url->port != 0 ? url->port : usual;
	if (all->port == usual)
		n = snprintf(
		    all->host, HOST_MAX, v6 ? "[%s]" : "%s", url->host);
	else
		n = snprintf(all->host, HOST_MAX, v6 ? "[%s]:%d" : "%s:%d",
		    url->host, all->port);
	return n > 0 && n < HOST_MAX;
}

enum zp_err
zp_mleslinks_new(struct zp_mleslinks **links, const struct zp_url *url,
    struct zp_tls *tls, size_t max, unsigned keepalive,
    const struct zp_mleslink_events *events, void *arg)
{
	struct zp_mleslinks *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return ZP_ERR_MEMORY;
	lws_set_log_level(0, NULL);
	all->url = url;
	all->tls = tls;
	all->max = max;
	all->keepalive = keepalive;
	all->events = *events;
	all->arg = arg;
	if (!take_host(all, url)) {
		free(all);
		return ZP_ERR_FORMAT;
	}
	all->protocols[0] = (struct lws_protocols){
	    .name = PROTOCOL, .callback = on_event, .rx_buffer_size = RX_BLOCK};
	all->info =
	    (struct lws_context_creation_info){.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = all->protocols,
		.gid = -1,
		.uid = -1,
		.ka_time = (int)keepalive,
		.ka_probes = 3,
		.ka_interval = (int)(keepalive / 3 + 1),
		.retry_and_idle_policy = &no_pings,
		.http_proxy_address = ""}; /* nor that of $http_proxy */
#ifdef LWS_WITH_SOCKS5
	all->info.socks_proxy_address = "";
#endif
	if (tls != NULL) {
		all->info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
		all->info.provided_client_ssl_ctx = zp_tls_context(tls);
	}
	for (size_t i = 0; i < ZP_MLESLINKS; i++)
		all->link[i].all = all;
	all->context = lws_create_context(&all->info);
	if (all->context == NULL) {
		free(all);
		return ZP_ERR_MEMORY;
	}
	*links = all;
	return ZP_OK;
}

void
zp_mleslinks_free(struct zp_mleslinks *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < ZP_MLESLINKS; i++)
		zp_mleslink_drop(&all->link[i]);
	lws_context_destroy(all->context);
	for (size_t i = 0; i < ZP_MLESLINKS; i++)
		clear(&all->link[i]);
	free(all);
}

static struct zp_mleslink *
free_link(struct zp_mleslinks *all)
{
	for (size_t i = 0; i < ZP_MLESLINKS; i++)
		if (all->link[i].state == OFF)
			return &all->link[i];
	return NULL;
}

struct zp_mleslink *
zp_mleslink_open(struct zp_mleslinks *all, void *user, int64_t now)
{
	struct zp_mleslink *l = free_link(all);

	if (l == NULL)
		return NULL;
	all->now = now;
	clear(l);
	l->user = user;
	l->state = OPENING;
	l->opened_at = now;
	/*
	 * The certificate's name is seen to by zp_tls_expect().  A server
	 * does not send us elsewhere.
	 */
	struct lws_client_connect_info c = {.context = all->context,
	    .address = all->url->host,
	    .port = all->port,
	    .ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT |
		(all->tls != NULL ? LCCSCF_USE_SSL |
			    LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK
				  : 0),
	    .path = *all->url->path != '\0' ? all->url->path : "/",
	    .host = all->host,
	    .protocol = PROTOCOL,
	    .local_protocol_name = PROTOCOL,
	    .alpn = "http/1.1",
	    .pwsi = &l->wsi,
	    .opaque_user_data = l,
	    .retry_and_idle_policy = &no_pings};
	if (lws_client_connect_via_info(&c) == NULL && l->state == OPENING)
		go_down(l, "cannot be reached");
	return l->state == OFF ? NULL : l;
}

void *
zp_mleslink_user(const struct zp_mleslink *l)
{
	return l->user;
}

void
zp_mleslink_drop(struct zp_mleslink *l)
{
	if (l->state == OFF)
		return;
	l->silent = true;
	if (l->wsi != NULL)
		lws_set_timeout(
		    l->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
	clear(l);
}

void
zp_mleslink_close(struct zp_mleslink *l)
{
	if (l->state != UP || l->farewell)
		return;
	l->farewell = true;
	lws_callback_on_writable(l->wsi);
}

bool
zp_mleslink_received(const struct zp_mleslink *l)
{
	int left = 0;

	if (l->state != UP || l->pending || lws_partial_buffered(l->wsi))
		return false;
#ifdef SIOCOUTQ
	if (ioctl(lws_get_socket_fd(l->wsi), SIOCOUTQ, &left) != 0)
		return true;
#endif
	return left == 0;
}

int64_t
zp_mleslink_heard(const struct zp_mleslink *l)
{
	return l->heard_at;
}

int64_t
zp_mleslink_took(const struct zp_mleslink *l)
{
	return l->took;
}

/* ---- the loop ---- */

size_t
zp_mleslinks_poll(struct zp_mleslinks *all, bool more, struct pollfd *fds,
    size_t cap, int *wait_ms, int64_t now)
{
	int tick = TICK_MS;
	size_t n = 0;

	all->now = now;
	for (size_t i = 0; i < ZP_MLESLINKS && n < cap; i++) {
		struct zp_mleslink *l = &all->link[i];
		if (l->state == OFF || l->wsi == NULL)
			continue;
		if (l->state == OPENING)
			tick = OPENING_MS;
		bool reads = more || l->state == CLOSING;
		if (l->state == UP)
			lws_rx_flow_control(l->wsi, reads);
		bool writes =
		    l->pending || l->farewell || lws_partial_buffered(l->wsi);
		fds[n++] = (struct pollfd){.fd = lws_get_socket_fd(l->wsi),
		    .events = (short)((reads ? POLLIN : 0) |
			(writes && l->state == UP ? POLLOUT : 0))};
	}
	tick = lws_service_adjust_timeout(all->context, tick, 0);
	if (tick < *wait_ms)
		*wait_ms = tick;
	return n;
}

/* What has come on a link that is closing: the rest, an end, or a reset. */
static void
look(struct zp_mleslink *l, int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	l->last = n > 0 ? DATA : n == 0 ? END : RESET;
}

/*
 * Something came that was no message: a ping, or a piece of a long message.
 * The longest time between two is how often the server pings.
 */
static void
beat(struct zp_mleslink *l, int64_t now)
{
	int64_t interval = now - l->beat_at;

	if (interval < BEAT_LEAST)
		return;
	if (l->beats < 2)
		l->beats++;
	if (interval > l->interval)
		l->interval = interval;
	l->beat_at = now;
}

/* A server that was never heard to ping may be silent for as long as it likes.
 */
static bool
is_dead(const struct zp_mleslink *l, int64_t now)
{
	int64_t limit = (int64_t)l->all->keepalive * 1000;
	int64_t patience = l->beats < 2 ? SILENCE : l->interval * 5 / 2;

	if (l->state != UP || l->beats == 0)
		return false;
	return now - l->heard_at > (limit > patience ? limit : patience);
}

static struct zp_mleslink *
link_of(struct zp_mleslinks *all, int fd)
{
	for (size_t i = 0; i < ZP_MLESLINKS; i++) {
		struct zp_mleslink *l = &all->link[i];
		if (l->state != OFF && l->wsi != NULL &&
		    lws_get_socket_fd(l->wsi) == fd)
			return l;
	}
	return NULL;
}

void
zp_mleslinks_service(
    struct zp_mleslinks *all, const struct pollfd *fds, size_t n, int64_t now)
{
	struct zp_mleslink *heard[ZP_MLESLINKS] = {NULL};
	unsigned long before[ZP_MLESLINKS] = {0};

	all->now = now;
	for (size_t i = 0; i < n && i < ZP_MLESLINKS; i++) {
		struct zp_mleslink *l = link_of(all, fds[i].fd);
		if (l == NULL || !(fds[i].revents & (POLLIN | POLLHUP)))
			continue;
		if (l->state == CLOSING)
			look(l, fds[i].fd);
		if (l->state != UP)
			continue;
		heard[i] = l;
		before[i] = l->received;
		l->heard_at = now;
	}
	lws_service_tsi(all->context, -1, 0);
	for (size_t i = 0; i < ZP_MLESLINKS; i++) {
		struct zp_mleslink *l = heard[i];
		if (l != NULL && l->state == UP && l->received == before[i])
			beat(l, now);
	}
	for (size_t i = 0; i < ZP_MLESLINKS; i++) {
		struct zp_mleslink *l = &all->link[i];
		if (!is_dead(l, now))
			continue;
		lws_set_timeout(l->wsi, PENDING_TIMEOUT_USER_REASON_BASE,
		    LWS_TO_KILL_ASYNC);
		if (*l->why == '\0')
			snprintf(l->why, sizeof(l->why),
			    "the server has fallen silent");
	}
}
