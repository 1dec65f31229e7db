#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_text.h"
#include "net/zp_echo.h"
#include "net/zp_headers.h"
#include "net/zp_httpurl.h"
#include "net/zp_nchan.h"
#include "net/zp_ntfy.h"
#include "net/zp_queue.h"
#include "net/zp_scan.h"
#include "net/zp_sse.h"
#include "net/zp_transport.h"

/*
 * An HTTP server as a relay, zpinc-http(1): POST publishes, Server-Sent
 * Events bring what comes.  One POST is under way at a time, which keeps the
 * order; what gathers meanwhile goes out together in the next, which makes
 * up for the time that takes.
 */

/* What a relay gives in one event: other members' batches, too. */
#define EVENT_MOST (2u << 20)

/* Records that go into one request, by bytes and number. */
#define BATCH 65536u
#define BATCH_MOST (1u << 20)
#define BATCH_COUNT 1024u

/* ntfy makes an attachment of what is longer. */
#define NTFY_BODY 4095u

/* Messages sent and not seen back: half of Nchan's own default buffer. */
#define WINDOW 4u

/* With nothing to tell where history ends, so long a silence does (ms). */
#define QUIET 300u
/* And if what tells it never comes, so long a one. */
#define QUIET_ANYWAY 2000

#define BODY_KEPT 2000 /* of an answer that is not records */
#define SOCKETS 32
#define RETRY_MOST 60 /* s a relay can make us wait */

static const char ops_name[] = "zpinc-http";

enum { TOPIC, LIVE, POST, ASK, REQUESTS };

struct http;

/* One of the requests that can be under way, and what was answered. */
struct request {
	struct http *h;
	CURL *easy;
	struct curl_slist *headers;
	bool running;
	bool heads; /* the answer's head is complete */
	long status;
	char phrase[64]; /* of the status line */
	char type[64], location[256];
	char body[BODY_KEPT + 1];
	size_t body_len;
	char error[CURL_ERROR_SIZE];
};

/* A topic that is subscribed to. */
struct stream {
	const char *topic;
	struct zp_sse sse;
	char last[ZP_SSE_ID_MAX + 1]; /* id of the last event; "" none */
	struct zp_ntfy_seen seen;
	struct zp_nchan info; /* what the relay said when we came */
	bool open; /* events may come */
	bool hi; /* it begins as Nchan does */
	bool paused; /* stdout is behind */
	int64_t began, heard;
};

struct sock {
	curl_socket_t fd;
	int what; /* CURL_POLL_... */
};

enum phase { OFF, ASKING, OPENING, UP };

struct http {
	struct zp_transport *t;
	const struct zp_transport_args *args;
	const struct zp_url *url;
	const char *scheme; /* http or https */
	bool ntfy, json; /* json: from ntfy as lines of that */

	/* options, and which of them the command line gave */
	unsigned given;
	const char *cacert, *header_file;
	uint64_t window, batch, quiet;
	char *fragment; /* holds arguments from the URL */
	struct curl_slist *extra; /* headers from the file */

	CURLM *multi;
	struct request req[REQUESTS];
	struct sock socks[SOCKETS];
	size_t n_socks;
	int64_t timer_at;

	enum phase phase;
	bool ever_up; /* since then nothing is hopeless */
	bool reconnects; /* this is not the first link */
	bool live_told;
	bool history; /* ntfy: the history is fetched, apart */
	struct stream streams[2];
	size_t n_streams, asked; /* which of them ASK is about */
	bool probing; /* ASK is whether the relay is there at all */
	unsigned stale; /* probes that showed what we did not get */
	int64_t wait_until; /* the relay said Retry-After */

	struct zp_echo echo;
	struct zp_item *taken[BATCH_COUNT];
	size_t n_taken, taken_bytes, n_posted;
	size_t batch_now; /* what it takes: less after a 413 */
	bool echoed; /* the POST under way is to come back */
	char post_topic[ZP_ML_NAME_MAX + 1]; /* what POST is prepared for */
	bool post_live;
	char *post;
	size_t post_cap;
};

/* ---- options ---- */

enum { ID_CACERT = 1, ID_HEADERS, ID_WINDOW, ID_BATCH, ID_QUIET, ID_STREAM };

static const struct zp_opt options[] = {
    {ID_CACERT, 'C', "cacert", "FILE", "certificates to trust (the system's)"},
    {ID_HEADERS, 'H', "header-file", "FILE",
	"headers for every request, a token say; private"},
    {ID_WINDOW, 'w', "window", "N",
	"messages sent and not seen back; 0: any (4)"},
    {ID_BATCH, 'b', "batch", "BYTES",
	"records go together up to so much; 0: each alone (65536)"},
    {ID_QUIET, 'q', "quiet", "TIME",
	"history has ended after such a silence, if nobody tells (0.3)"},
    {ID_STREAM, 's', "stream", "KIND", "from ntfy: sse or json (sse)"},
};

#define N_OPTIONS (sizeof(options) / sizeof(*options))

static bool
set_option(struct http *h, int id, const char *arg)
{
	switch (id) {
	case ID_CACERT:
		h->cacert = arg;
		return *arg != '\0';
	case ID_HEADERS:
		h->header_file = arg;
		return *arg != '\0';
	case ID_WINDOW:
		return zp_opt_number(arg, 0, ZP_ECHO_MOST, &h->window) == ZP_OK;
	case ID_BATCH:
		return zp_opt_number(arg, 0, BATCH_MOST, &h->batch) == ZP_OK;
	case ID_QUIET:
		return zp_opt_duration(arg, &h->quiet) == ZP_OK &&
		    h->quiet <= 3600000;
	case ID_STREAM:
		h->json = strcmp(arg, "json") == 0;
		return h->json || strcmp(arg, "sse") == 0;
	default:
		return false;
	}
}

static bool
take_option(void *self, int id, const char *arg)
{
	struct http *h = self;
	char name[ZP_SAY_NAME];

	h->given |= 1u << id;
	if (set_option(h, id, arg))
		return true;
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (options[i].id == id)
			zp_say(ops_name, "--%s: %s makes no sense",
			    options[i].name, zp_say_name(name, arg));
	return false;
}

/*
 * A URL's fragment stays on this side (RFC 3986, section 3.5), so it is where
 * who starts us with a URL alone can put options: #header-file=/etc/token
 */
static enum zp_err
take_fragment(struct http *h)
{
	const char *hash = strchr(h->url->text, '#');
	char *rest, *word, name[ZP_SAY_NAME];

	if (hash == NULL || hash[1] == '\0')
		return ZP_OK;
	h->fragment = rest = strdup(hash + 1);
	if (rest == NULL)
		return ZP_ERR_MEMORY;
	while ((word = strsep(&rest, "&")) != NULL) {
		char *value = strchr(word, '=');
		size_t i = 0, n = value != NULL ? (size_t)(value - word) : 0;
		while (i < N_OPTIONS &&
		    (strlen(options[i].name) != n ||
			memcmp(options[i].name, word, n) != 0))
			i++;
		bool good = value != NULL && i < N_OPTIONS &&
		    zp_url_decode(value + 1) == ZP_OK;
		if (good && (h->given & 1u << options[i].id) != 0)
			continue;
		if (!good || !set_option(h, options[i].id, value + 1)) {
			zp_transport_warn(h->t,
			    "not an option of this transport, "
			    "behind the #: %s",
			    zp_say_name(name, word));
			return ZP_ERR_USAGE;
		}
	}
	return ZP_OK;
}

/* ---- headers from a file ---- */

static bool
append_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

static enum zp_err
add_extra(void *arg, const char *header)
{
	struct http *h = arg;

	return append_header(&h->extra, header) ? ZP_OK : ZP_ERR_MEMORY;
}

static enum zp_err
read_headers(struct http *h)
{
	char name[ZP_SAY_NAME], buf[ZP_SAY_NAME];
	size_t line = 0;
	enum zp_err err;

	if (h->header_file == NULL)
		return ZP_OK;
	err = zp_headers_read(h->header_file, &line, add_extra, h);
	if (err == ZP_OK || err == ZP_ERR_MEMORY)
		return err;
	zp_say_name(name, h->header_file);
	/* The line may hold a secret, so it is not repeated. */
	if (err == ZP_ERR_FORMAT)
		zp_say(
		    ops_name, "%s: line %zu is not `Name: value`", name, line);
	else
		zp_say(ops_name, "%s: %s", name, zp_say_err(buf, err));
	if (err == ZP_ERR_MODE)
		zp_hint("chmod 600 %s", name);
	return err == ZP_ERR_IO ? err : ZP_ERR_USAGE;
}

/* ---- what the relay answers ---- */

/* One line of what a person may want to know of an answer's body. */
static void
squeeze(char *to, size_t cap, const char *s, size_t len, bool html)
{
	size_t n = 0;
	bool tag = false, blank = false;

	for (size_t i = 0; i < len && n + 2 < cap; i++) {
		if (html && (s[i] == '<' || (tag && s[i] == '>'))) {
			tag = s[i] == '<';
			blank = true;
		} else if ((unsigned char)s[i] <= ' ') {
			blank = true;
		} else if (!tag) {
			if (blank && n > 0)
				to[n++] = ' ';
			blank = false;
			to[n++] = s[i];
		}
	}
	to[n] = '\0';
}

#define SAID 400

/* "HTTP 403 Forbidden: no such token", for messages. */
static const char *
said(const struct request *r, char to[static SAID])
{
	char body[200];
	int n;

	squeeze(body, sizeof(body), r->body, r->body_len,
	    strstr(r->type, "html") != NULL);
	n = snprintf(to, SAID, "HTTP %ld%s%s", r->status,
	    r->phrase[0] != '\0' ? " " : "", r->phrase);
	if (n > 0 && n < SAID && r->location[0] != '\0')
		snprintf(to + n, SAID - (size_t)n, ", to %s", r->location);
	else if (n > 0 && n < SAID && body[0] != '\0')
		snprintf(to + n, SAID - (size_t)n, ": %s", body);
	return to;
}

/*
 * How long it took is another number each time, and what is said of a relay
 * that stays away is said once.
 */
static void
drop_duration(char *text)
{
	static const char after[] = " after ";
	char *at = strstr(text, after);
	char *end = at != NULL ? at + sizeof(after) - 1 : NULL;
	size_t digits = end != NULL ? strspn(end, "0123456789") : 0;

	if (digits == 0)
		return;
	end += digits;
	if (strncmp(end, " milliseconds", 13) == 0)
		end += 13;
	else if (strncmp(end, " ms", 3) == 0)
		end += 3;
	else
		return;
	memmove(at, end, strlen(end) + 1);
}

static const char *
curl_said(struct request *r, CURLcode code)
{
	drop_duration(r->error);
	return r->error[0] != '\0' ? r->error : curl_easy_strerror(code);
}

/* Whom nobody vouches for is not who was meant, unless it worked before. */
static bool
is_hopeless(const struct http *h, CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION && !h->ever_up;
}

static void
link_failed(struct http *h, struct request *r, CURLcode code)
{
	const char *why = curl_said(r, code);

	if (is_hopeless(h, code))
		zp_transport_fail(h->t, ZP_ERR_RELAY, "%s", why);
	else
		zp_transport_down(h->t, "%s", why);
}

/* Will the same request do better later? */
static bool
is_passing(long status)
{
	return status >= 500 || status == 408 || status == 425 || status == 429;
}

static void
copy_value(char *to, size_t cap, const char *s, size_t n)
{
	while (n > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	if (n >= cap)
		n = cap - 1;
	memcpy(to, s, n);
	to[n] = '\0';
}

static bool
is_named(const char *line, size_t n, const char *name)
{
	size_t len = strlen(name);

	return n > len && line[len] == ':' && strncasecmp(line, name, len) == 0;
}

static void
opened(struct http *h, size_t i);

/* A line of an answer's head, the empty one at its end included. */
static size_t
on_header(char *line, size_t one, size_t len, void *arg)
{
	struct request *r = arg;
	size_t n = len;

	(void)one;
	while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == '\n'))
		n--;
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
		/* A 100 Continue may have come before. */
		r->type[0] = r->location[0] = r->phrase[0] = '\0';
		char *blank = memchr(line, ' ', n);
		size_t at = blank != NULL ? (size_t)(blank - line) + 4 : n;
		if (at < n)
			copy_value(
			    r->phrase, sizeof(r->phrase), line + at, n - at);
	} else if (is_named(line, n, "content-type")) {
		copy_value(r->type, sizeof(r->type), line + 13, n - 13);
	} else if (is_named(line, n, "location")) {
		copy_value(r->location, sizeof(r->location), line + 9, n - 9);
	} else if (n == 0) {
		curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &r->status);
		r->heads = r->status >= 200;
		size_t i = (size_t)(r - r->h->req);
		if (r->heads && i < r->h->n_streams)
			opened(r->h, i);
	}
	return len;
}

/* The body of an answer that is not a stream: its beginning is kept. */
static void
keep_body(struct request *r, const char *data, size_t len)
{
	size_t room = BODY_KEPT - r->body_len;

	memcpy(r->body + r->body_len, data, len < room ? len : room);
	r->body_len += len < room ? len : room;
	r->body[r->body_len] = '\0';
}

static size_t
on_body(char *data, size_t one, size_t len, void *arg)
{
	struct request *r = arg;

	(void)one;
	keep_body(r, data, len);
	/* What goes on for ever is no answer to a question. */
	if (strncasecmp(r->type, "text/event-stream", 17) == 0)
		return 0;
	return len;
}

/* ---- requests ---- */

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct http *h = arg;
	size_t i = 0;

	(void)easy;
	(void)sock;
	while (i < h->n_socks && h->socks[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < h->n_socks)
			h->socks[i] = h->socks[--h->n_socks];
		return 0;
	}
	if (i == SOCKETS)
		return -1;
	if (i == h->n_socks)
		h->n_socks++;
	h->socks[i] = (struct sock){fd, what};
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	h->timer_at = ms < 0 ? INT64_MAX : zp_transport_now(h->t) + ms;
	return 0;
}

/* Whatever it was doing, it does it no longer. */
static void
end_request(struct request *r)
{
	if (r->running)
		curl_multi_remove_handle(r->h->multi, r->easy);
	r->running = false;
	curl_slist_free_all(r->headers);
	r->headers = NULL;
}

static void
forget_answer(struct request *r)
{
	r->heads = false;
	r->status = 0;
	r->body_len = 0;
	r->body[0] = r->phrase[0] = r->type[0] = '\0';
	r->location[0] = r->error[0] = '\0';
}

/* What all requests have in common; false if there is no memory. */
static bool
prepare(struct http *h, struct request *r)
{
	const char *netrc = getenv("NETRC");
	long alive = (long)h->args->keepalive;
	CURL *e = r->easy;

	end_request(r);
	curl_easy_reset(e);
	forget_answer(r);
	for (const struct curl_slist *s = h->extra; s != NULL; s = s->next)
		if (!append_header(&r->headers, s->data))
			return false;
	CURLcode bad = curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	/* Of HTTP/2 we would use nothing. */
	bad |= curl_easy_setopt(
	    e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, "zpinc/" ZP_VERSION);
	bad |= curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, alive);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, alive / 3 + 1);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, alive);
	bad |= curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	if (netrc != NULL && *netrc != '\0')
		bad |= curl_easy_setopt(e, CURLOPT_NETRC_FILE, netrc);
	if (h->url->user != NULL)
		bad |= curl_easy_setopt(e, CURLOPT_USERNAME, h->url->user);
	if (h->url->password != NULL)
		bad |= curl_easy_setopt(e, CURLOPT_PASSWORD, h->url->password);
	if (h->cacert != NULL)
		bad |= curl_easy_setopt(e, CURLOPT_CAINFO, h->cacert);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	return bad == CURLE_OK;
}

static void
no_memory(struct http *h)
{
	zp_transport_fail(
	    h->t, ZP_ERR_MEMORY, "%s", zp_err_text(ZP_ERR_MEMORY));
}

static bool
set_url(struct http *h, struct request *r, enum zp_httpurl_use use,
    const char *topic, const char *suffix, const char *query)
{
	char *url = NULL;
	bool good = zp_httpurl_make(&url, h->url, h->scheme, use, topic,
			strlen(topic), suffix, query) == ZP_OK &&
	    curl_easy_setopt(r->easy, CURLOPT_URL, url) == CURLE_OK;

	zp_url_wipe(url);
	return good;
}

/* Sends it off. */
static void
begin(struct http *h, struct request *r)
{
	if (curl_multi_add_handle(h->multi, r->easy) != CURLM_OK)
		no_memory(h);
	else
		r->running = true;
}

/* ---- asking ---- */

/*
 * GET on the URL for publishing: Nchan says as JSON what it retains.  From
 * another relay any answer will do: it is there.
 */
static void
ask(struct http *h, size_t stream, bool probe)
{
	struct request *r = &h->req[ASK];
	const char *topic = h->streams[stream].topic;
	long limit = (long)h->args->keepalive;

	h->asked = stream;
	h->probing = probe;
	if (!prepare(h, r) ||
	    !append_header(&r->headers, "Accept: text/json") ||
	    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT, limit) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) !=
		CURLE_OK ||
	    !set_url(h, r, ZP_HTTPURL_PUBLISH, topic, "", ""))
		no_memory(h);
	else
		begin(h, r);
}

static void
open_stream(struct http *h, size_t i);

/*
 * One after the other, LIVE first, so that no record comes before all are
 * open and the link counts as up.
 */
static void
open_next(struct http *h)
{
	for (size_t i = h->n_streams; i-- > 0;) {
		if (h->streams[i].open)
			continue;
		if (!h->req[i].running)
			open_stream(h, i);
		return;
	}
}

/*
 * A probe was answered.  If the relay has had newer messages than ours for
 * two probes, and nothing came, the link is dead whatever TCP says.
 */
static void
probe_answered(struct http *h)
{
	const struct request *r = &h->req[ASK];
	struct stream *s = &h->streams[0];
	int64_t now = zp_transport_now(h->t);
	struct zp_nchan info;

	zp_nchan_read(&info, r->status, r->body, r->body_len);
	bool ahead = s->info.known && zp_nchan_before(s->last, info.newest);
	h->stale = ahead ? h->stale + 1 : 0;
	if (h->stale > 1) {
		zp_transport_down(h->t, "the stream of events has died");
		return;
	}
	for (size_t i = 0; i < h->n_streams; i++)
		h->streams[i].heard = now;
}

static void
asked(struct http *h, CURLcode code)
{
	struct request *r = &h->req[ASK];
	struct stream *s = &h->streams[h->asked];
	char text[SAID];

	/* We may have ended it ourselves. */
	if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
		link_failed(h, r, code);
		return;
	}
	if (r->status >= 500) {
		zp_transport_down(h->t, "%s", said(r, text));
		return;
	}
	if (h->probing) {
		probe_answered(h);
		return;
	}
	zp_nchan_read(&s->info, r->status, r->body, r->body_len);
	if (h->asked + 1 < h->n_streams)
		ask(h, h->asked + 1, false);
	else
		h->phase = OPENING;
}

/* ---- receiving ---- */

static void
receive(struct http *h, const char *data, size_t len)
{
	int64_t now = zp_transport_now(h->t);
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(data, len, &from, false, &rec)) {
		zp_transport_receive_record(h->t, &rec);
		zp_echo_came(&h->echo, &rec, now);
		if (zp_scan_torn(&rec, data + len))
			from = zp_record_retry(data, &rec);
	}
}

static void
on_event(void *arg, const struct zp_sse_event *event)
{
	struct request *r = arg;
	struct http *h = r->h;
	struct stream *s = &h->streams[r - h->req];
	char id[ZP_SSE_ID_MAX + 1];
	bool is_new = true;

	if (h->ntfy) {
		/* JSON, in which a record stands as it is. */
		if (!zp_ntfy_message(event->data, event->len, id))
			return;
		is_new = id[0] == '\0' || zp_ntfy_note(&s->seen, id);
	} else {
		snprintf(id, sizeof(id), "%s", event->id);
	}
	if (is_new)
		receive(h, event->data, event->len);
	if (id[0] != '\0' && zp_text_is_word(id))
		memcpy(s->last, id, strlen(id) + 1);
}

static size_t
on_stream(char *data, size_t one, size_t len, void *arg)
{
	struct request *r = arg;
	struct http *h = r->h;
	struct stream *s = &h->streams[r - h->req];

	(void)one;
	if (!s->open) {
		keep_body(r, data, len);
		return len;
	}
	if (!zp_transport_room(h->t)) {
		s->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!s->sse.begun && !s->hi)
		s->hi = len >= 4 && memcmp(data, ": hi", 4) == 0;
	s->heard = zp_transport_now(h->t);
	h->stale = 0;
	if (zp_sse_feed(&s->sse, data, len, on_event, r) != ZP_OK)
		no_memory(h);
	return len;
}

/* Where to begin; "": with the oldest. */
static void
resume_id(const struct http *h, size_t i, char to[static ZP_SSE_ID_MAX + 1])
{
	const struct stream *s = &h->streams[i];
	const char *last = s->last;

	/* Of LIVE nothing that was before. */
	if (i == 1 && *last == '\0' && !s->info.empty)
		last = s->info.newest;
	zp_nchan_resume(to, &s->info, last, h->reconnects);
}

#define QUERY (3 * ZP_SSE_ID_MAX + 32)

/* Where the stream begins: in a header, or, for ntfy, in the query. */
static bool
add_position(struct http *h, size_t i, char query[static QUERY])
{
	struct request *r = &h->req[i];
	char line[ZP_SSE_ID_MAX + 32], from[ZP_SSE_ID_MAX + 1];

	query[0] = '\0';
	resume_id(h, i, from);
	if (*from != '\0' && !h->ntfy) {
		snprintf(line, sizeof(line), "Last-Event-ID: %s", from);
		return append_header(&r->headers, line);
	}
	if (!h->ntfy || (i == 1 && *from == '\0'))
		return true;
	char *safe = curl_easy_escape(r->easy, *from != '\0' ? from : "all", 0);
	if (safe == NULL)
		return false;
	snprintf(query, QUERY, "%ssince=%s",
	    i == 0 && h->history ? "poll=1&" : "", safe);
	curl_free(safe);
	return true;
}

static const char *
stream_suffix(const struct http *h)
{
	return h->ntfy ? h->json ? "/json" : "/sse" : "";
}

static void
open_stream(struct http *h, size_t i)
{
	struct request *r = &h->req[i];
	struct stream *s = &h->streams[i];
	char query[QUERY];

	s->open = s->hi = s->paused = false;
	s->began = s->heard = zp_transport_now(h->t);
	zp_sse_restart(&s->sse);
	if (!prepare(h, r) ||
	    !append_header(&r->headers,
		h->json ? "Accept: application/x-ndjson"
			: "Accept: text/event-stream") ||
	    !append_header(&r->headers, "Cache-Control: no-cache") ||
	    !add_position(h, i, query) ||
	    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_stream) !=
		CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_BUFFERSIZE, 65536L) != CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) !=
		CURLE_OK ||
	    !set_url(h, r, i == 0 ? ZP_HTTPURL_SUBSCRIBE : ZP_HTTPURL_LIVE,
		s->topic, stream_suffix(h), query))
		no_memory(h);
	else
		begin(h, r);
}

static bool
is_type(const struct request *r, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(r->type, type, n) == 0 &&
	    strchr("; \t", r->type[n]) != NULL;
}

/* The head of an answer to a subscription is here. */
static void
opened(struct http *h, size_t i)
{
	const struct request *r = &h->req[i];
	struct stream *s = &h->streams[i];
	bool all = true;

	s->sse.lines = h->ntfy && is_type(r, "application/x-ndjson");
	s->open = r->status == 200 &&
	    (s->sse.lines || is_type(r, "text/event-stream"));
	s->heard = zp_transport_now(h->t);
	for (size_t k = 0; k < h->n_streams; k++)
		all = all && h->streams[k].open;
	if (!all || h->phase != OPENING)
		return;
	h->phase = UP;
	h->ever_up = true;
	zp_transport_up(h->t);
}

/* A subscription was answered with something else, or not at all. */
static void
not_opened(struct http *h, size_t i)
{
	const struct request *r = &h->req[i];
	struct stream *s = &h->streams[i];
	char text[SAID];

	if (r->status / 100 == 4 && !is_passing(r->status) &&
	    s->last[0] != '\0') {
		/* It may be the cursor that it does not like. */
		s->last[0] = '\0';
		open_stream(h, i);
		return;
	}
	said(r, text);
	if (r->status == 200)
		snprintf(text, sizeof(text), "no stream of events, but %.64s",
		    r->type[0] != '\0' ? r->type : "something else");
	if (h->ever_up || is_passing(r->status)) {
		zp_transport_down(h->t, "%s", text);
		return;
	}
	zp_transport_fail(h->t, ZP_ERR_RELAY, "%s", text);
	if (r->status == 200 || r->status == 404)
		zp_hint("zpinc-http(1) tells how to set up a relay, and "
			"what URLs look like");
}

/* The relay said when to come back. */
static void
obey(struct http *h, const struct request *r)
{
	curl_off_t s = 0;

	if (curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &s) != CURLE_OK ||
	    s <= 0)
		return;
	if (s > RETRY_MOST)
		s = RETRY_MOST;
	h->wait_until = zp_transport_now(h->t) + s * 1000;
}

static void
stream_ended(struct http *h, size_t i, CURLcode code)
{
	struct request *r = &h->req[i];
	struct stream *s = &h->streams[i];

	if (r->heads && !s->open) {
		obey(h, r);
		not_opened(h, i);
	} else if (code != CURLE_OK) {
		link_failed(h, r, code);
	} else if (h->ntfy && i == 0 && h->history) {
		h->history = false;
		open_stream(h, i);
	} else {
		if (s->sse.retry > 0)
			h->wait_until = zp_transport_now(h->t) +
			    (s->sse.retry < RETRY_MOST * 1000
				    ? s->sse.retry
				    : RETRY_MOST * 1000);
		zp_transport_down(h->t, "the relay ended the stream");
	}
}

/* Has everything been received that was there when we came? */
static int64_t
live_at(const struct http *h)
{
	const struct stream *s = &h->streams[0];
	int64_t quiet = (int64_t)h->quiet;

	if (h->ntfy)
		return h->history || !s->open ? INT64_MAX : 0;
	if (s->info.empty && (s->info.known || s->hi))
		return 0;
	if (s->info.known) {
		if (!zp_nchan_before(s->last, s->info.newest) &&
		    s->last[0] != '\0')
			return 0;
		quiet = QUIET_ANYWAY;
	}
	return s->heard + quiet;
}

static bool
may_be_live(const struct http *h)
{
	return h->n_streams > 0 && h->phase == UP && !h->live_told &&
	    !h->streams[0].paused;
}

/* ---- publishing ---- */

static bool
same_topic(const struct zp_item *a, const struct zp_item *b)
{
	return a->rec.rp_len == b->rec.rp_len &&
	    memcmp(a->rec.rp, b->rec.rp, a->rec.rp_len) == 0;
}

static void
forget_items(struct http *h)
{
	h->n_taken = h->taken_bytes = h->n_posted = 0;
}

/* The first one taken is done with: it is the caller's. */
static struct zp_item *
take_first(struct http *h)
{
	struct zp_item *first = h->taken[0];

	h->taken_bytes -= first->rec.len + 1;
	h->n_taken--;
	for (size_t i = 0; i < h->n_taken; i++)
		h->taken[i] = h->taken[i + 1];
	return first;
}

/* So are the first n, which the relay has. */
static void
acknowledge(struct http *h, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		h->taken_bytes -= h->taken[i]->rec.len + 1;
		zp_transport_acked(h->t, h->taken[i]);
	}
	h->n_taken -= n;
	h->n_posted = 0;
	for (size_t i = 0; i < h->n_taken; i++)
		h->taken[i] = h->taken[i + n];
}

static bool
publish(void *self, struct zp_item *item)
{
	struct http *h = self;

	if (h->ntfy && item->rec.len > NTFY_BODY) {
		/* Those before it have their turn first. */
		if (h->n_taken > 0)
			return false;
		zp_transport_refused(h->t, item,
		    "longer than the %u bytes that ntfy takes", NTFY_BODY);
		return true;
	}
	if (h->n_taken == BATCH_COUNT ||
	    (h->n_taken > 0 && h->taken_bytes > 2 * (size_t)BATCH_MOST))
		return false;
	h->taken[h->n_taken++] = item;
	h->taken_bytes += item->rec.len + 1;
	return true;
}

/* How many of those taken go into the next request; *bytes: its body. */
static size_t
next_batch(const struct http *h, size_t *bytes)
{
	size_t n = 0;

	for (*bytes = 0; n < h->n_taken; n++) {
		size_t len = h->taken[n]->rec.len + (n > 0);
		if (n > 0 &&
		    (*bytes + len > h->batch_now ||
			!same_topic(h->taken[0], h->taken[n])))
			break;
		*bytes += len;
	}
	return n;
}

static bool
make_body(struct http *h, size_t n, size_t bytes)
{
	if (bytes > h->post_cap) {
		char *grown = realloc(h->post, bytes);
		if (grown == NULL)
			return false;
		h->post = grown;
		h->post_cap = bytes;
	}
	char *to = h->post;
	for (size_t i = 0; i < n; i++) {
		const struct zp_record *rec = &h->taken[i]->rec;
		if (i > 0)
			*to++ = '\n';
		memcpy(to, rec->line, rec->len);
		to += rec->len;
	}
	return true;
}

static bool
is_subscribed(const struct http *h, const struct zp_record *rec)
{
	for (size_t i = 0; i < h->n_streams; i++)
		if (strlen(h->streams[i].topic) == rec->rp_len &&
		    memcmp(h->streams[i].topic, rec->rp, rec->rp_len) == 0)
			return true;
	return false;
}

static bool
post_headers(const struct http *h, struct request *r, bool live)
{
	bool good = append_header(&r->headers, "Content-Type: text/plain") &&
	    append_header(&r->headers, "Expect:");

	if (!h->ntfy)
		return good && append_header(&r->headers, "Accept: text/json");
	/* Nobody's phone need ring, and hellos need not be kept. */
	good = good && append_header(&r->headers, "X-Firebase: no");
	return good && (!live || append_header(&r->headers, "X-Cache: no"));
}

static bool
may_post(const struct http *h, int64_t now)
{
	return h->n_taken > 0 && !h->req[POST].running &&
	    (h->n_streams == 0 || h->phase == UP) && now >= h->wait_until &&
	    (zp_echo_room(&h->echo) || !is_subscribed(h, &h->taken[0]->rec));
}

/* A request like the one before: it has all but its body. */
static bool
post_again(struct http *h, const struct zp_item *first)
{
	struct request *r = &h->req[POST];
	const struct zp_record *rec = &first->rec;

	if (r->headers == NULL || h->post_live != first->live ||
	    strlen(h->post_topic) != rec->rp_len ||
	    memcmp(h->post_topic, rec->rp, rec->rp_len) != 0)
		return false;
	forget_answer(r);
	return true;
}

static bool
post_anew(struct http *h, const struct zp_item *first)
{
	struct request *r = &h->req[POST];
	const struct zp_record *rec = &first->rec;
	long alive = (long)h->args->keepalive;
	CURLcode bad;

	if (!prepare(h, r) || !post_headers(h, r, first->live))
		return false;
	h->post_live = first->live;
	snprintf(h->post_topic, sizeof(h->post_topic), "%.*s", (int)rec->rp_len,
	    rec->rp);
	bad = curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	bad |= curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_TIME, alive);
	bad |= curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	return bad == CURLE_OK &&
	    set_url(h, r, ZP_HTTPURL_PUBLISH, h->post_topic, "", "");
}

static void
post(struct http *h)
{
	struct request *r = &h->req[POST];
	const struct zp_item *first = h->taken[0];
	size_t bytes, n = next_batch(h, &bytes);

	if (!make_body(h, n, bytes) ||
	    (!post_again(h, first) && !post_anew(h, first)) ||
	    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, h->post) !=
		CURLE_OK ||
	    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		(curl_off_t)bytes) != CURLE_OK) {
		no_memory(h);
		return;
	}
	h->n_posted = n;
	h->echoed = is_subscribed(h, &first->rec);
	if (h->echoed)
		zp_echo_sent(
		    &h->echo, &h->taken[n - 1]->rec, zp_transport_now(h->t));
	begin(h, r);
}

/* Everything in flight is to be sent again, after a pause. */
static void
stall(struct http *h, const char *why)
{
	forget_items(h);
	zp_echo_reset(&h->echo);
	zp_transport_stall(h->t, "%s", why);
}

/* The relay does not want these bytes; is it the record, or all of them? */
static void
post_refused(struct http *h)
{
	struct request *r = &h->req[POST];
	char text[SAID];
	size_t n = h->n_posted;

	if (h->echoed)
		zp_echo_unsent(&h->echo);
	h->n_posted = 0;
	if (n > 1) {
		/* Less at a time, until we know which. */
		size_t bytes = 0;
		for (size_t i = 0; i < n; i++)
			bytes += h->taken[i]->rec.len + (i > 0);
		h->batch_now = bytes / 2;
		return;
	}
	zp_transport_refused(h->t, take_first(h), "%s", said(r, text));
	if (r->status != 413)
		h->batch_now = h->batch;
}

/*
 * A page for people, as of who wants a login before there is a network: no
 * relay's answer, though its status is 200.  (text/html alone is the default
 * of too many a server that means "ok".)
 */
static bool
is_page(const struct request *r)
{
	return r->status == 200 && strstr(r->type, "html") != NULL &&
	    r->body[strspn(r->body, " \t\r\n")] == '<';
}

static void
posted(struct http *h, CURLcode code)
{
	struct request *r = &h->req[POST];
	char text[SAID];

	if (code != CURLE_OK && is_hopeless(h, code)) {
		link_failed(h, r, code);
	} else if (code != CURLE_OK) {
		stall(h, curl_said(r, code));
	} else if (r->status / 100 == 2 && !is_page(r)) {
		acknowledge(h, h->n_posted);
		h->ever_up = true;
	} else if (r->status == 413 || r->status == 400 || r->status == 422) {
		post_refused(h);
	} else if (is_passing(r->status) || h->n_streams > 0 || h->ever_up) {
		obey(h, r);
		stall(h, said(r, text));
	} else {
		zp_transport_fail(h->t, ZP_ERR_RELAY, "%s", said(r, text));
	}
}

/* ---- the loop's side ---- */

/* Certificates where others look for them, if the user gives none. */
static void
find_cacert(struct http *h)
{
	static const char *const names[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};

	for (size_t i = 0; i < 2 && h->cacert == NULL; i++) {
		const char *file = getenv(names[i]);
		if (file != NULL && *file != '\0')
			h->cacert = file;
	}
}

/* Is the URL one that we can fill in? */
static enum zp_err
try_url(struct http *h)
{
	const char *scheme = h->url->scheme;
	char *url = NULL;
	enum zp_err err;

	h->ntfy = strncmp(scheme, "ntfy", 4) == 0;
	h->scheme = strcmp(scheme, "https") == 0 || strcmp(scheme, "ntfys") == 0
	    ? "https"
	    : "http";
	err = zp_httpurl_make(
	    &url, h->url, h->scheme, ZP_HTTPURL_PUBLISH, "topic", 5, "", "");
	zp_url_wipe(url);
	if (err != ZP_ERR_FORMAT)
		return err;
	zp_transport_warn(h->t, "the URL makes no sense here");
	zp_hint("https://HOST/PATH, in which {topic} and {A|B} are filled in");
	return ZP_ERR_USAGE;
}

static enum zp_err
make_handles(struct http *h)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return ZP_ERR_MEMORY;
	h->multi = curl_multi_init();
	if (h->multi == NULL)
		return ZP_ERR_MEMORY;
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	for (size_t i = 0; i < REQUESTS; i++) {
		h->req[i].h = h;
		h->req[i].easy = curl_easy_init();
		if (h->req[i].easy == NULL)
			return ZP_ERR_MEMORY;
	}
	return ZP_OK;
}

static void
add_topic(struct http *h, const char *topic)
{
	struct stream *s = &h->streams[h->n_streams++];

	s->topic = topic;
	zp_sse_init(&s->sse, EVENT_MOST);
}

static void
add_topics(
    struct http *h, const char *topic, const char *live, const char *cursor)
{
	if (topic == NULL)
		return;
	add_topic(h, topic);
	if (live != NULL && strcmp(live, topic) != 0)
		add_topic(h, live);
	size_t n = cursor != NULL ? strlen(cursor) : 0;
	if (n > 0 && n <= ZP_SSE_ID_MAX)
		memcpy(h->streams[0].last, cursor, n + 1);
}

static enum zp_err
start(void *self, struct zp_transport *t)
{
	struct http *h = self;
	enum zp_err err;

	h->t = t;
	h->args = zp_transport_args(t);
	h->url = h->args->url;
	h->timer_at = INT64_MAX;
	err = try_url(h);
	if (!err)
		err = take_fragment(h);
	if (!err)
		err = read_headers(h);
	if (!err)
		err = make_handles(h);
	if (err == ZP_ERR_MEMORY)
		zp_transport_warn(t, "%s", zp_err_text(err));
	if (err)
		return err;
	find_cacert(h);
	if (h->cacert != NULL && access(h->cacert, R_OK) != 0) {
		zp_transport_warn(t, "%s: %s", h->cacert, strerror(errno));
		return ZP_ERR_IO;
	}
	if (h->ntfy && h->batch > NTFY_BODY)
		h->batch = NTFY_BODY;
	if (!h->ntfy && h->json) {
		zp_transport_warn(t, "only ntfy has streams of JSON");
		return ZP_ERR_USAGE;
	}
	h->batch_now = h->batch;
	zp_echo_init(&h->echo, h->window);
	add_topics(h, h->args->topic, h->args->live, h->args->cursor);
	return ZP_OK;
}

static void
stop(void *self)
{
	struct http *h = self;

	for (size_t i = 0; i < REQUESTS; i++) {
		if (h->req[i].easy == NULL)
			continue;
		end_request(&h->req[i]);
		curl_easy_cleanup(h->req[i].easy);
	}
	if (h->multi != NULL) {
		curl_multi_cleanup(h->multi);
		curl_global_cleanup();
	}
	for (size_t i = 0; i < h->n_streams; i++)
		zp_sse_free(&h->streams[i].sse);
	curl_slist_free_all(h->extra);
	free(h->fragment);
	free(h->post);
}

/* Begins to connect, once the relay wants us to. */
static void
go(struct http *h)
{
	if (h->n_streams == 0) {
		/* The first POST will show. */
		h->phase = UP;
		zp_transport_up(h->t);
	} else if (zp_transport_now(h->t) < h->wait_until) {
		h->phase = OFF;
	} else if (h->ntfy) {
		h->history = true;
		h->phase = OPENING;
	} else {
		h->phase = ASKING;
		ask(h, 0, false);
	}
}

static void
connect_relay(void *self)
{
	struct http *h = self;

	h->live_told = false;
	h->stale = 0;
	zp_echo_reset(&h->echo);
	go(h);
}

static void
disconnect(void *self)
{
	struct http *h = self;

	for (size_t i = 0; i < REQUESTS; i++)
		end_request(&h->req[i]);
	for (size_t i = 0; i < h->n_streams; i++)
		h->streams[i].open = h->streams[i].paused = false;
	forget_items(h);
	h->reconnects = h->reconnects || h->phase == UP;
	h->phase = OFF;
}

static void
harvest(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct request *r = NULL;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r) !=
			CURLE_OK)
			continue;
		curl_multi_remove_handle(h->multi, r->easy);
		r->running = false;
		size_t i = (size_t)(r - h->req);
		if (i == POST)
			posted(h, code);
		else if (i == ASK)
			asked(h, code);
		else
			stream_ended(h, i, code);
	}
}

static void
service(void *self, const struct pollfd *fds, size_t n)
{
	struct http *h = self;
	int running;

	for (size_t i = 0; i < n; i++) {
		int got = 0;
		if (fds[i].revents & (POLLIN | POLLHUP))
			got |= CURL_CSELECT_IN;
		if (fds[i].revents & POLLOUT)
			got |= CURL_CSELECT_OUT;
		if (fds[i].revents & (POLLERR | POLLNVAL))
			got |= CURL_CSELECT_ERR;
		if (got != 0)
			curl_multi_socket_action(
			    h->multi, fds[i].fd, got, &running);
	}
	if (zp_transport_now(h->t) >= h->timer_at) {
		h->timer_at = INT64_MAX;
		curl_multi_socket_action(
		    h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	harvest(h);
}

/* Takes up what was paused when stdout was behind. */
static void
unpause(struct http *h, int64_t now)
{
	for (size_t i = 0; i < h->n_streams; i++) {
		struct stream *s = &h->streams[i];
		if (!s->paused || !zp_transport_room(h->t))
			continue;
		s->paused = false;
		s->heard = now;
		curl_easy_pause(h->req[i].easy, CURLPAUSE_CONT);
	}
}

/* When a silent link is to be looked at, and looks at it. */
static int64_t
watch(struct http *h, int64_t now)
{
	int64_t limit = (int64_t)h->args->keepalive * 1000, due = INT64_MAX;

	for (size_t i = 0; i < h->n_streams; i++) {
		const struct stream *s = &h->streams[i];
		if (!h->req[i].running || s->paused || h->req[ASK].running)
			continue;
		int64_t at = (s->open ? s->heard : s->began) + limit;
		if (at > now) {
			due = at < due ? at : due;
		} else if (!s->open) {
			zp_transport_down(
			    h->t, "no answer for %u s", h->args->keepalive);
		} else {
			ask(h, 0, true);
		}
	}
	return due;
}

/* What is due by the clock; lowers *wait_ms to what is next. */
static void
due(struct http *h, int *wait_ms)
{
	int64_t now = zp_transport_now(h->t);

	if (h->phase == OFF && now >= h->wait_until)
		go(h);
	if (h->wait_until > now)
		zp_transport_sooner(wait_ms, h->wait_until, now);
	zp_transport_sooner(wait_ms, watch(h, now), now);
	if (may_be_live(h)) {
		int64_t at = live_at(h);
		if (now >= at) {
			h->live_told = true;
			zp_transport_live(h->t);
		}
		zp_transport_sooner(wait_ms, at, now);
	}
	if (h->n_taken > 0) {
		int64_t at = zp_echo_due(&h->echo);
		if (now >= at)
			zp_echo_give_up(&h->echo, !h->streams[0].paused);
		else
			zp_transport_sooner(wait_ms, at, now);
	}
}

static size_t
poll_relay(void *self, struct pollfd *fds, size_t cap, int *wait_ms)
{
	struct http *h = self;
	int64_t now = zp_transport_now(h->t);
	size_t n = 0;

	unpause(h, now);
	due(h, wait_ms);
	if (h->phase == OPENING)
		open_next(h);
	if (may_post(h, now))
		post(h);
	for (; n < h->n_socks && n < cap; n++) {
		int what = h->socks[n].what;
		fds[n] = (struct pollfd){.fd = h->socks[n].fd};
		if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
			fds[n].events |= POLLIN;
		if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
			fds[n].events |= POLLOUT;
	}
	zp_transport_sooner(wait_ms, h->timer_at, now);
	return n;
}

static size_t
cursor(void *self, char *to, size_t cap)
{
	struct http *h = self;
	size_t n = strlen(h->streams[0].last);

	if (n > cap)
		return 0;
	memcpy(to, h->streams[0].last, n);
	return n;
}

static void
init(void *self)
{
	struct http *h = self;

	h->window = WINDOW;
	h->batch = BATCH;
	h->quiet = QUIET;
}

static const struct zp_transport_ops ops = {
    .name = ops_name,
    .size = sizeof(struct http),
    .init = init,
    .schemes = "http https ntfy ntfys",
    .options = options,
    .n_options = N_OPTIONS,
    .keepalive = true,
    .option = take_option,
    .start = start,
    .connect = connect_relay,
    .disconnect = disconnect,
    .publish = publish,
    .poll = poll_relay,
    .service = service,
    .cursor = cursor,
    .stop = stop,
};

int
main(int argc, char **argv)
{
	return zp_transport_main(argc, argv, &ops);
}
