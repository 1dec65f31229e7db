#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/zp_echo.h"
#include "net/zp_queue.h"
#include "net/zp_resp.h"
#include "net/zp_scan.h"
#include "net/zp_tls.h"
#include "net/zp_transport.h"

/*
 * A Redis server or cluster as a relay, zpinc-redis(1).  Up to three
 * connections, since one that waits for news of a stream or listens to a
 * channel can do nothing else.
 */
enum role { PUBLISHER, READER, LISTENER, ROLES };

#define PORT 6379
#define KEEP 1000u

/* Records in one transaction, and about how many bytes. */
#define BATCH 64
#define BATCH_BYTES (64u << 10)

/* Transactions that may wait for their answer. */
#define BATCHES 512

/*
 * Own records that may be under way to ourselves, at most an eighth of what
 * is kept: who is behind by more than that misses what the server has cut
 * off the stream, and it tells nobody.
 */
#define ECHOES 128

/* Bytes of commands waiting to be written before no more are made. */
#define WAITING (512u << 10)

/* Entries asked for at a time. */
#define COUNT "256"

/* Redirections in a row before something must be wrong. */
#define REDIRECTIONS 16

/* Topics of which it is remembered which node has them. */
#define ROUTES 16

/* Nodes of a cluster to ask when the one of the URL is gone. */
#define NODES 8

/* Time to connect and be let in, ms. */
#define PATIENCE 10000

#define HOST_MAX 255

struct node {
	char host[HOST_MAX + 1];
	uint16_t port;
};

struct route {
	char *topic; /* NULL: free */
	struct node node;
	bool asking; /* the slot is on its way there */
};

enum state { OFF, OPENING, GREETING, READY };

struct link {
	struct redis *redis;
	struct zp_resp io;
	enum role role;
	enum state state;
	struct node node;
	bool asking;
	unsigned greetings; /* answers to come before it is READY */
	bool asked; /* an answer is due */
	int64_t asked_at; /* or since when it is quiet */
	unsigned redirections;
};

/* Commands sent together, answered in order. */
struct batch {
	unsigned items; /* 0: a PING, or of no interest any more */
	unsigned answers; /* to come */
	bool transaction;
	bool failed, nested;
	char why[ZP_RESP_TEXT];
};

struct stream_id {
	uint64_t ms, seq;
};

/* What the reader has asked. */
enum question { NOTHING, LAST_ID, NEWS };

struct redis {
	struct zp_transport *t;
	struct zp_tls *tls;
	struct zp_tls_files files;
	uint64_t keep;
	unsigned db;
	bool listens; /* there is a LIVE */
	bool let_in; /* once at least: the password was good */
	bool up;
	struct link links[ROLES];

	struct route routes[ROUTES];
	unsigned next_route;
	struct node nodes[NODES];
	unsigned n_nodes, attempts;

	/* Publishing: taken[0..n_taken) in order, the first n_sent of it sent.
	 */
	struct zp_item *taken[ZP_QUEUE_COUNT + 1];
	size_t n_taken, n_sent, n_done; /* n_done: acknowledged, at its head */
	size_t unsent_bytes;
	struct batch batches[BATCHES];
	size_t first_batch, n_batches;
	bool draining; /* answers to come are of no interest */
	bool careful; /* one transaction at a time */
	struct zp_echo echo;
	char prefix[512]; /* of XADD for prefix_topic */
	size_t prefix_len;
	char *prefix_topic;

	/* Reading */
	enum question question;
	struct stream_id last, entry; /* read to the end; being read */
	bool have_id; /* `entry` holds that */
	bool next_is_id; /* of XINFO */
	struct stream_id newest;
	bool has_newest;
	bool live;
};

/* ---- small things ---- */

static const struct zp_transport_args *
args_of(const struct redis *r)
{
	return zp_transport_args(r->t);
}

static bool
parse_id(const char *s, size_t len, struct stream_id *id)
{
	struct stream_id to = {0};
	uint64_t *part = &to.ms;
	size_t digits = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '-' && part == &to.ms && digits > 0) {
			part = &to.seq;
			digits = 0;
			continue;
		}
		if (s[i] < '0' || s[i] > '9' || ++digits > 19)
			return false;
		*part = *part * 10 + (uint64_t)(s[i] - '0');
	}
	if (part != &to.seq || digits == 0)
		return false;
	*id = to;
	return true;
}

static bool
is_before(const struct stream_id *a, const struct stream_id *b)
{
	return a->ms != b->ms ? a->ms < b->ms : a->seq < b->seq;
}

static bool
begins(const char *text, const char *word)
{
	size_t n = strlen(word);

	return strncmp(text, word, n) == 0 &&
	    (text[n] == ' ' || text[n] == '\0');
}

static bool
begins_with_any(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (begins(text, *words))
			return true;
	return false;
}

static bool
same_node(const struct node *a, const struct node *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void
no_memory(struct redis *r)
{
	zp_transport_fail(
	    r->t, ZP_ERR_MEMORY, "%s", zp_err_text(ZP_ERR_MEMORY));
}

static void
put(struct link *l, size_t argc, const char *const *argv)
{
	if (zp_resp_put(&l->io, argc, argv) != ZP_OK)
		no_memory(l->redis);
}

#define PUT(l, ...)                                                    \
	put(l, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
	    (const char *[]){__VA_ARGS__})

/* ---- start ---- */

enum { ID_KEEP = 1 };

static const struct zp_opt options[] = {
    {ID_KEEP, 'n', "keep", "N", "records kept of a topic (1000)"},
    ZP_TLS_OPTIONS,
};

static bool
take_option(void *self, int id, const char *arg)
{
	struct redis *r = self;

	switch (id) {
	case ID_KEEP:
		if (zp_opt_number(arg, 1, 1000000, &r->keep) == ZP_OK)
			return true;
		zp_say(
		    "zpinc-redis", "--keep takes a number from 1 to 1000000");
		return false;
	default:
		zp_tls_take(&r->files, id, arg);
		return true;
	}
}

static void
on_string(void *arg, const struct zp_resp_at *at, const char *s, size_t len);
static void
on_reply(void *arg, const struct zp_resp_reply *reply);

/* "/5" is database 5. */
static enum zp_err
take_db(struct redis *r, const char *path)
{
	uint64_t db = 0;

	if (path[0] != '\0' && strcmp(path, "/") != 0 &&
	    zp_opt_number(path + 1, 0, 1000000, &db) != ZP_OK) {
		zp_transport_warn(r->t,
		    "the path of the URL is not the number of a database");
		return ZP_ERR_USAGE;
	}
	r->db = (unsigned)db;
	return ZP_OK;
}

static enum zp_err
take_tls(struct redis *r, const struct zp_url *url)
{
	char why[ZP_TLS_WHY];
	enum zp_err err = zp_tls_new(
	    &r->tls, &r->files, url->scheme, "rediss", url->host, why);

	if (err)
		zp_transport_warn(r->t, "%s", why);
	return err;
}

static enum zp_err
start(void *self, struct zp_transport *t)
{
	struct redis *r = self;
	const struct zp_transport_args *args = zp_transport_args(t);
	const char *cursor = args->cursor;
	enum zp_err err;

	r->t = t;
	zp_echo_init(&r->echo, r->keep / 8 < ECHOES ? r->keep / 8 + 1 : ECHOES);
	for (int i = 0; i < ROLES; i++) {
		struct link *l = &r->links[i];
		l->redis = r;
		l->role = (enum role)i;
		zp_resp_init(&l->io);
		l->io.on_string = on_string;
		l->io.on_reply = on_reply;
		l->io.arg = l;
	}
	r->listens = args->live != NULL && !args->once &&
	    strcmp(args->live, args->topic) != 0;
	if (cursor != NULL && !parse_id(cursor, strlen(cursor), &r->last))
		zp_transport_warn(
		    t, "the cursor is of no use here, all is read");
	if (args->url->host == NULL || args->url->host[0] == '\0' ||
	    strlen(args->url->host) > HOST_MAX) {
		zp_transport_warn(t, "the URL names no host");
		return ZP_ERR_USAGE;
	}
	err = take_db(r, args->url->path);
	return err ? err : take_tls(r, args->url);
}

static void
stop(void *self)
{
	struct redis *r = self;

	for (int i = 0; i < ROUTES; i++)
		free(r->routes[i].topic);
	free(r->prefix_topic);
	zp_tls_free(r->tls);
}

/* ---- links ---- */

static void
open_link(struct redis *r, enum role role, const struct node *node, bool asking)
{
	struct link *l = &r->links[role];
	int64_t now = zp_transport_now(r->t);

	l->node = *node;
	l->asking = asking;
	l->state = OPENING;
	l->asked = true;
	l->asked_at = now;
	zp_resp_open(&l->io, node->host, node->port, r->tls, now);
}

static void
close_link(struct link *l)
{
	zp_resp_close(&l->io);
	l->state = OFF;
}

/* In the order of roles: who publishes only needs the first. */
static bool
is_wanted(const struct redis *r, enum role role)
{
	const struct zp_transport_args *args = args_of(r);

	switch (role) {
	case PUBLISHER:
		return !args->once;
	case READER:
		return args->topic != NULL;
	case LISTENER:
		return r->listens;
	case ROLES:
	default:
		return false;
	}
}

/* Where to begin: what the URL says, then nodes that were heard of. */
static struct node
first_node(struct redis *r)
{
	const struct zp_url *url = args_of(r)->url;
	unsigned which = r->attempts++ % (r->n_nodes + 1);
	struct node node = {.port = url->port != 0 ? url->port : PORT};

	if (which > 0)
		return r->nodes[which - 1];
	snprintf(node.host, sizeof(node.host), "%s", url->host);
	return node;
}

static void
connect_all(void *self)
{
	struct redis *r = self;
	struct node node = first_node(r);

	r->up = r->live = r->careful = false;
	r->question = NOTHING;
	for (int i = 0; i < ROLES; i++)
		if (is_wanted(r, (enum role)i)) {
			r->links[i].redirections = 0;
			open_link(r, (enum role)i, &node, false);
		}
}

static void
forget_items(struct redis *r)
{
	r->n_taken = r->n_sent = r->n_done = r->unsent_bytes = 0;
	zp_echo_reset(&r->echo);
}

static void
disconnect(void *self)
{
	struct redis *r = self;

	forget_items(r);
	r->n_batches = 0;
	r->draining = false;
	for (int i = 0; i < ROLES; i++)
		close_link(&r->links[i]);
	for (int i = 0; i < ROUTES; i++) {
		free(r->routes[i].topic);
		r->routes[i].topic = NULL;
	}
}

/* A failure that waiting may mend. */
static void
down(struct link *l, const char *why)
{
	const struct node *n = &l->node;
	const struct zp_url *url = args_of(l->redis)->url;

	l->io.stop = true;
	if (strcmp(n->host, url->host) == 0)
		zp_transport_down(l->redis->t, "%s", why);
	else
		zp_transport_down(
		    l->redis->t, "%s port %u: %s", n->host, n->port, why);
}

/*
 * What the user must mend; but if it has worked before, somebody is perhaps
 * about to.
 */
static void
refused(struct link *l, const char *why)
{
	l->io.stop = true;
	if (l->redis->let_in)
		down(l, why);
	else
		zp_transport_fail(l->redis->t, ZP_ERR_RELAY, "%s", why);
}

static void
asks(struct link *l)
{
	if (!l->asked)
		l->asked_at = zp_transport_now(l->redis->t);
	l->asked = true;
}

/* Says who we are; PING shows whether that is enough. */
static void
greet(struct link *l)
{
	const struct zp_url *url = args_of(l->redis)->url;
	char db[16];

	l->state = GREETING;
	l->greetings = 1;
	if (url->password != NULL) {
		if (url->user != NULL && url->user[0] != '\0')
			PUT(l, "AUTH", url->user, url->password);
		else
			PUT(l, "AUTH", url->password);
		l->greetings++;
	}
	if (l->redis->db != 0) {
		snprintf(db, sizeof(db), "%u", l->redis->db);
		PUT(l, "SELECT", db);
		l->greetings++;
	}
	if (l->role == LISTENER)
		PUT(l, "SUBSCRIBE", args_of(l->redis)->live);
	else
		PUT(l, "PING");
	asks(l);
}

static void
ask_for_news(struct redis *r);

/* Is everything there?  Then records may come and go. */
static void
check_up(struct redis *r)
{
	for (int i = 0; i < ROLES; i++)
		if (is_wanted(r, (enum role)i) && r->links[i].state != READY)
			return;
	r->let_in = true;
	r->attempts = 0;
	if (!r->up) {
		r->up = true;
		zp_transport_up(r->t);
	}
	if (is_wanted(r, READER) && r->question == NOTHING)
		ask_for_news(r);
}

static void
on_greeting(struct link *l, const struct zp_resp_reply *reply)
{
	static const char *const hopeless[] = {
	    "NOAUTH", "WRONGPASS", "DENIED", "NOPERM", "ERR", NULL};

	if (reply->error) {
		if (begins_with_any(reply->text, hopeless) &&
		    strstr(reply->text, "max number of clients") == NULL)
			refused(l, reply->text);
		else
			down(l, reply->text);
		return;
	}
	if (--l->greetings > 0)
		return;
	l->state = READY;
	l->asked = false;
	l->asked_at = zp_transport_now(l->redis->t);
	check_up(l->redis);
}

/* ---- cluster ---- */

static struct route *
find_route(struct redis *r, const char *topic, size_t len)
{
	for (int i = 0; i < ROUTES; i++) {
		struct route *e = &r->routes[i];
		if (e->topic != NULL && strlen(e->topic) == len &&
		    memcmp(e->topic, topic, len) == 0)
			return e;
	}
	return NULL;
}

static void
remember_node(struct redis *r, const struct node *node)
{
	for (unsigned i = 0; i < r->n_nodes; i++)
		if (same_node(&r->nodes[i], node))
			return;
	if (r->n_nodes < NODES)
		r->nodes[r->n_nodes++] = *node;
}

static void
set_route(struct redis *r, const char *topic, size_t len,
    const struct node *node, bool asking)
{
	struct route *e = find_route(r, topic, len);

	if (e == NULL) {
		e = &r->routes[r->next_route++ % ROUTES];
		free(e->topic);
		e->topic = strndup(topic, len);
		if (e->topic == NULL)
			no_memory(r);
	}
	e->node = *node;
	e->asking = asking;
	remember_node(r, node);
}

static bool
is_redirection(const char *text)
{
	return begins(text, "MOVED") || begins(text, "ASK");
}

/* "MOVED 3999 127.0.0.1:6381"; no host means the same as before. */
static bool
parse_redirection(const struct link *l, const char *text, struct node *node)
{
	const char *s = strchr(text, ' ');
	const char *colon = strrchr(text, ':');
	uint64_t port;

	s = s != NULL ? strchr(s + 1, ' ') : NULL;
	if (s == NULL || colon == NULL || colon < ++s ||
	    zp_opt_number(colon + 1, 1, 65535, &port) != ZP_OK)
		return false;
	size_t len = (size_t)(colon - s);
	if (len > HOST_MAX)
		return false;
	if (len == 0)
		*node = l->node;
	else
		snprintf(node->host, sizeof(node->host), "%.*s", (int)len, s);
	node->port = (uint16_t)port;
	return true;
}

/* Learns where a topic is; false: the link is down. */
static bool
redirected(struct link *l, const char *topic, size_t len, const char *text)
{
	struct node node = {0};

	if (!parse_redirection(l, text, &node)) {
		down(l, text);
		return false;
	}
	if (++l->redirections > REDIRECTIONS) {
		down(l, "the cluster redirects in circles");
		return false;
	}
	set_route(l->redis, topic, len, &node, begins(text, "ASK"));
	return true;
}

/* ---- publishing ---- */

static struct batch *
add_batch(struct redis *r, unsigned items, unsigned answers, bool transaction)
{
	struct batch *b =
	    &r->batches[(r->first_batch + r->n_batches++) % BATCHES];

	*b = (struct batch){
	    .items = items, .answers = answers, .transaction = transaction};
	asks(&r->links[PUBLISHER]);
	return b;
}

static bool
same_kind(const struct zp_item *a, const struct zp_item *b)
{
	return a->live == b->live && a->rec.rp_len == b->rec.rp_len &&
	    memcmp(a->rec.rp, b->rec.rp, a->rec.rp_len) == 0;
}

/* The part of XADD that is the same for all records of a topic. */
static bool
set_prefix(struct redis *r, const struct zp_record *rec)
{
	char keep[24];

	if (r->prefix_topic != NULL && strlen(r->prefix_topic) == rec->rp_len &&
	    memcmp(r->prefix_topic, rec->rp, rec->rp_len) == 0)
		return true;
	free(r->prefix_topic);
	r->prefix_topic = strndup(rec->rp, rec->rp_len);
	if (r->prefix_topic == NULL)
		return false;
	snprintf(keep, sizeof(keep), "%" PRIu64, r->keep);
	int n = snprintf(r->prefix, sizeof(r->prefix),
	    "$6\r\nMAXLEN\r\n$1\r\n~\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$1\r\nr\r\n$",
	    strlen(keep), keep);
	r->prefix_len = (size_t)n;
	return true;
}

static char *
add(char *to, const char *s, size_t len)
{
	memcpy(to, s, len);
	return to + len;
}

static char *
add_text(char *to, const char *s)
{
	return add(to, s, strlen(s));
}

static char *
add_length(char *to, size_t len)
{
	char digits[24];
	size_t i = sizeof(digits);

	digits[--i] = '\n';
	digits[--i] = '\r';
	do {
		digits[--i] = (char)('0' + len % 10);
		len /= 10;
	} while (len > 0);
	return add(to, digits + i, sizeof(digits) - i);
}

static char *
add_string(char *to, const char *s, size_t len)
{
	*to++ = '$';
	to = add_length(to, len);
	to = add(to, s, len);
	return add(to, "\r\n", 2);
}

/* XADD RP MAXLEN ~ N * r REC */
static char *
add_xadd(const struct redis *r, char *to, const struct zp_record *rec)
{
	to = add_text(to, "*8\r\n$4\r\nXADD\r\n");
	to = add_string(to, rec->rp, rec->rp_len);
	to = add(to, r->prefix, r->prefix_len);
	to = add_length(to, rec->len);
	to = add(to, rec->line, rec->len);
	return add(to, "\r\n", 2);
}

/*
 * PUBLISH RP REC, with the records of a batch as lines of one message: a
 * server sends one long message a good deal faster than many short ones.
 */
static char *
add_publish(char *to, struct zp_item *const *items, unsigned n)
{
	const struct zp_record *rec = &items[0]->rec;
	size_t len = n - 1;

	for (unsigned i = 0; i < n; i++)
		len += items[i]->rec.len;
	to = add_text(to, "*3\r\n$7\r\nPUBLISH\r\n");
	to = add_string(to, rec->rp, rec->rp_len);
	*to++ = '$';
	to = add_length(to, len);
	for (unsigned i = 0; i < n; i++) {
		/* The newline behind a record is there. */
		rec = &items[i]->rec;
		to = add(to, rec->line, rec->len + (i + 1 < n));
	}
	return add(to, "\r\n", 2);
}

/* Writes the commands for n items of one topic. */
static void
put_batch(struct redis *r, struct zp_item *const *items, unsigned n)
{
	struct link *l = &r->links[PUBLISHER];
	bool stream = !items[0]->live;
	size_t room = 256;

	for (unsigned i = 0; i < n; i++)
		room += 2 * items[i]->rec.len + items[i]->rec.rp_len +
		    sizeof(r->prefix) + 64;
	char *to = zp_resp_room(&l->io, room);
	if (to == NULL || (stream && !set_prefix(r, &items[0]->rec))) {
		no_memory(r);
		return;
	}
	char *from = to;
	if (stream && l->asking)
		to = add_text(to, "*1\r\n$6\r\nASKING\r\n");
	if (stream)
		to = add_text(to, "*1\r\n$5\r\nMULTI\r\n");
	for (unsigned i = 0; stream && i < n; i++)
		to = add_xadd(r, to, &items[i]->rec);
	to = add_publish(to, items, n);
	if (stream)
		to = add_text(to, "*1\r\n$4\r\nEXEC\r\n");
	zp_resp_used(&l->io, (size_t)(to - from));
	add_batch(r, n, stream ? n + 3 + l->asking : 1, stream);
}

/*
 * May this item go over the link as it is?  If its node is another one, the
 * link changes once it is idle.  The first of a topic goes alone: if it is
 * redirected, what comes behind it has not gone astray.
 */
static bool
on_its_node(struct redis *r, const struct zp_item *item)
{
	struct link *l = &r->links[PUBLISHER];
	struct route *e = find_route(r, item->rec.rp, item->rec.rp_len);

	/* PUBLISH goes through all of a cluster. */
	if (item->live)
		return true;
	if (e == NULL)
		return r->n_batches == 0;
	if (same_node(&e->node, &l->node) && e->asking == l->asking)
		return true;
	if (r->n_batches == 0) {
		close_link(l);
		open_link(r, PUBLISHER, &e->node, e->asking);
	}
	return false;
}

/* Will it come back to us? */
static bool
comes_back(const struct redis *r, const struct zp_item *item)
{
	const char *topic = args_of(r)->topic;

	return topic != NULL && !item->live &&
	    strlen(topic) == item->rec.rp_len &&
	    memcmp(topic, item->rec.rp, item->rec.rp_len) == 0;
}

/* How many of the items that are not sent make the next batch; 0: none yet. */
static unsigned
next_batch(struct redis *r, size_t *bytes)
{
	struct zp_item **items = &r->taken[r->n_sent];
	bool echoes = comes_back(r, items[0]);
	unsigned n = 0;

	*bytes = 0;
	while (n < BATCH && r->n_sent + n < r->n_taken &&
	    same_kind(items[0], items[n]) &&
	    (n == 0 || *bytes + items[n]->rec.len <= BATCH_BYTES) &&
	    (!echoes || zp_echo_room(&r->echo))) {
		if (echoes)
			zp_echo_sent(
			    &r->echo, &items[n]->rec, zp_transport_now(r->t));
		*bytes += items[n++]->rec.len;
	}
	return n;
}

/* Sends what was taken, as far as the link is free. */
static void
send_batches(struct redis *r)
{
	struct link *l = &r->links[PUBLISHER];

	while (r->n_sent < r->n_taken && l->state == READY && !r->draining &&
	    r->n_batches < (r->careful ? 1 : BATCHES - 1) &&
	    zp_resp_waiting(&l->io) < WAITING) {
		struct zp_item **items = &r->taken[r->n_sent];
		const struct zp_record *rec = &items[0]->rec;
		size_t bytes;
		if (!on_its_node(r, items[0]))
			return;
		unsigned n = next_batch(r, &bytes);
		if (n == 0)
			return;
		put_batch(r, items, n);
		r->n_sent += n;
		r->unsent_bytes -= bytes;
		r->careful |= !items[0]->live &&
		    find_route(r, rec->rp, rec->rp_len) == NULL;
	}
}

static bool
publish(void *self, struct zp_item *item)
{
	struct redis *r = self;

	/* What is done at the head makes room, now and then. */
	if (r->n_done > 0 &&
	    (r->n_done == r->n_taken ||
		r->n_taken == sizeof(r->taken) / sizeof(*r->taken))) {
		memmove(r->taken, r->taken + r->n_done,
		    (r->n_taken - r->n_done) * sizeof(*r->taken));
		r->n_taken -= r->n_done;
		r->n_sent -= r->n_done;
		r->n_done = 0;
	}
	if (r->unsent_bytes > WAITING ||
	    r->n_taken == sizeof(r->taken) / sizeof(*r->taken))
		return false;
	r->taken[r->n_taken++] = item;
	r->unsent_bytes += item->rec.len;
	return true;
}

/* What was sent is to be sent again, once all answers to it are in. */
static void
rewind_batches(struct redis *r)
{
	for (size_t i = r->n_done; i < r->n_sent; i++)
		r->unsent_bytes += r->taken[i]->rec.len;
	r->n_sent = r->n_done;
	zp_echo_reset(&r->echo);
	r->draining = r->n_batches > 0;
	r->careful = true;
}

/* The server will not take the items of a batch, ever. */
static void
refuse_items(struct redis *r, const struct batch *b)
{
	for (unsigned i = 0; i < b->items; i++)
		zp_transport_refused(r->t, r->taken[r->n_done++], "%s", b->why);
}

static void
batch_failed(struct redis *r, struct batch *b)
{
	static const char *const never[] = {"NOPERM", "WRONGTYPE", NULL};
	static const char *const elsewhere[] = {
	    "READONLY", "MASTERDOWN", "LOADING", "NOAUTH", NULL};
	struct link *l = &r->links[PUBLISHER];
	const struct zp_record *rec = &r->taken[r->n_done]->rec;

	if (is_redirection(b->why)) {
		if (redirected(l, rec->rp, rec->rp_len, b->why))
			rewind_batches(r);
	} else if (begins_with_any(b->why, never)) {
		refuse_items(r, b);
	} else if (begins_with_any(b->why, elsewhere)) {
		down(l, b->why);
	} else {
		/* Too full, a slot that nobody has: it may pass. */
		forget_items(r);
		r->draining = r->n_batches > 0;
		r->careful = true;
		zp_transport_stall(r->t, "%s", b->why);
	}
}

static void
batch_done(struct redis *r, struct batch *b)
{
	struct link *l = &r->links[PUBLISHER];
	const struct zp_record *rec;

	if (b->items == 0 || r->draining)
		return;
	if (b->failed) {
		batch_failed(r, b);
		return;
	}
	rec = &r->taken[r->n_done]->rec;
	l->redirections = 0;
	r->careful = false;
	if (b->transaction && find_route(r, rec->rp, rec->rp_len) == NULL)
		set_route(r, rec->rp, rec->rp_len, &l->node, l->asking);
	for (unsigned i = 0; i < b->items; i++)
		zp_transport_acked(r->t, r->taken[r->n_done++]);
}

static void
on_published(struct link *l, const struct zp_resp_reply *reply)
{
	struct redis *r = l->redis;
	struct batch *b = &r->batches[r->first_batch];

	if (r->n_batches == 0) {
		down(l, "an answer to nothing");
		return;
	}
	if (reply->error && !b->failed) {
		b->failed = true;
		memcpy(b->why, reply->text, sizeof(b->why));
	}
	if (--b->answers > 0)
		return;
	if (b->transaction && !b->failed && !reply->array) {
		b->failed = true;
		snprintf(
		    b->why, sizeof(b->why), "the transaction came to nothing");
	}
	struct batch done = *b;
	r->first_batch = (r->first_batch + 1) % BATCHES;
	r->n_batches--;
	batch_done(r, &done);
	if (r->n_batches == 0) {
		r->draining = false;
		l->asked = false;
	}
}

/* ---- reading ---- */

/* Asks for what is behind the last record; with history, does not wait. */
static void
ask_for_news(struct redis *r)
{
	struct link *l = &r->links[READER];
	const char *topic = args_of(r)->topic;
	char id[48], wait[16];

	if (r->question == NOTHING && r->last.ms != 0) {
		if (l->asking)
			PUT(l, "ASKING");
		PUT(l, "XINFO", "STREAM", topic);
		r->question = LAST_ID;
		r->has_newest = r->next_is_id = false;
		asks(l);
		return;
	}
	r->question = NEWS;
	r->have_id = false;
	snprintf(
	    id, sizeof(id), "%" PRIu64 "-%" PRIu64, r->last.ms, r->last.seq);
	snprintf(wait, sizeof(wait), "%u", args_of(r)->keepalive * 1000);
	if (l->asking)
		PUT(l, "ASKING");
	if (r->live)
		PUT(l, "XREAD", "COUNT", COUNT, "BLOCK", wait, "STREAMS", topic,
		    id);
	else
		PUT(l, "XREAD", "COUNT", COUNT, "STREAMS", topic, id);
	asks(l);
}

static void
take_records(struct redis *r, const char *data, size_t len)
{
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(data, len, &from, false, &rec)) {
		zp_echo_came(&r->echo, &rec, zp_transport_now(r->t));
		zp_transport_receive_record(r->t, &rec);
		if (zp_scan_torn(&rec, data + len))
			from = zp_record_retry(data, &rec);
	}
}

/* [[topic, [[id, [field, value, ...]], ...]]] */
static void
on_entry(
    struct redis *r, const struct zp_resp_at *at, const char *s, size_t len)
{
	if (at->depth == 4 && at->index[4] == 0) {
		r->have_id = parse_id(s, len, &r->entry);
	} else if (at->depth == 5) {
		if (at->index[5] % 2 == 1)
			take_records(r, s, len);
		if (at->index[5] + 1 == at->of[5] && r->have_id)
			r->last = r->entry;
	}
}

/* [field, value, ...], of which one is wanted */
static void
on_info(struct redis *r, const struct zp_resp_at *at, const char *s, size_t len)
{
	static const char field[] = "last-generated-id";

	if (at->depth != 1)
		return;
	if (at->index[1] % 2 == 1 && r->next_is_id)
		r->has_newest = parse_id(s, len, &r->newest);
	r->next_is_id = at->index[1] % 2 == 0 && len == sizeof(field) - 1 &&
	    memcmp(s, field, len) == 0;
}

static void
on_string(void *arg, const struct zp_resp_at *at, const char *s, size_t len)
{
	struct link *l = arg;
	struct redis *r = l->redis;

	if (l->state != READY)
		return;
	if (l->role == LISTENER && at->depth == 1 && at->index[1] == 2)
		zp_transport_receive(r->t, s, len);
	else if (l->role == READER && r->question == NEWS)
		on_entry(r, at, s, len);
	else if (l->role == READER && r->question == LAST_ID)
		on_info(r, at, s, len);
}

/* The stream may have been begun anew since, with lesser ids. */
static void
on_last_id(struct redis *r, const struct zp_resp_reply *reply)
{
	bool gone = reply->error && strstr(reply->text, "no such key") != NULL;

	if (gone || (r->has_newest && is_before(&r->newest, &r->last))) {
		r->last = (struct stream_id){0};
		if (!gone)
			zp_transport_warn(r->t,
			    "the stream was begun anew, all of it is read");
	}
}

static void
move_reader(struct redis *r, const char *text)
{
	struct link *l = &r->links[READER];
	const char *topic = args_of(r)->topic;

	if (!redirected(l, topic, strlen(topic), text))
		return;
	/* The link cannot be closed in the midst of its own data. */
	l->io.stop = true;
}

static void
on_read(struct link *l, const struct zp_resp_reply *reply)
{
	struct redis *r = l->redis;

	l->asked = false;
	if (r->question == NOTHING) {
		down(l, "an answer to nothing");
		return;
	}
	if (reply->error && is_redirection(reply->text)) {
		move_reader(r, reply->text);
		return;
	}
	if (l->asking && !reply->error && reply->text[0] != '\0') {
		asks(l); /* the OK to ASKING; the answer follows */
		return;
	}
	if (r->question == LAST_ID) {
		on_last_id(r, reply);
	} else if (reply->error) {
		refused(l, reply->text);
		return;
	} else if (reply->nil && !r->live) {
		r->live = true;
		zp_transport_live(r->t);
	}
	l->redirections = 0;
	ask_for_news(r);
}

static void
on_heard(struct link *l, const struct zp_resp_reply *reply)
{
	l->asked = false;
	if (reply->error)
		down(l, reply->text);
}

static void
on_reply(void *arg, const struct zp_resp_reply *reply)
{
	struct link *l = arg;

	if (l->state == GREETING)
		on_greeting(l, reply);
	else if (l->role == PUBLISHER)
		on_published(l, reply);
	else if (l->role == READER)
		on_read(l, reply);
	else
		on_heard(l, reply);
}

static size_t
cursor(void *self, char *to, size_t cap)
{
	const struct redis *r = self;

	if (r->last.ms == 0 && r->last.seq == 0)
		return 0;
	int n =
	    snprintf(to, cap, "%" PRIu64 "-%" PRIu64, r->last.ms, r->last.seq);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

/* ---- the loop's side ---- */

static void
ping(struct link *l)
{
	PUT(l, "PING");
	if (l->role == PUBLISHER)
		add_batch(l->redis, 0, 1, false);
	else
		asks(l);
}

/* Finds links that are dead; *wait_ms: when to look again. */
static void
keep_alive(struct link *l, int *wait_ms)
{
	struct redis *r = l->redis;
	int64_t now = zp_transport_now(r->t);
	int64_t quiet = args_of(r)->keepalive * 1000;
	int64_t limit = quiet;

	if (l->state == OPENING || l->state == GREETING)
		limit = PATIENCE;
	else if (l->role == READER && r->live)
		limit = 2 * quiet; /* it waits for so long itself */
	if (l->role != PUBLISHER && !zp_transport_room(r->t)) {
		l->asked_at = now; /* it is us who do not listen */
		return;
	}
	if (now - l->asked_at >= limit) {
		if (l->asked) {
			down(l, "no answer");
			return;
		}
		if (l->state == READY)
			ping(l);
		l->asked_at = now;
	}
	int64_t left = l->asked_at + limit - now;
	if (left < *wait_ms)
		*wait_ms = (int)left;
}

/* Moves the reader to another node, or it stays where it is. */
static bool
moved(struct link *l)
{
	struct redis *r = l->redis;
	const char *topic = args_of(r)->topic;
	struct route *e;

	if (l->role != READER || l->state != READY || !l->io.stop)
		return false;
	e = find_route(r, topic, strlen(topic));
	if (e == NULL)
		return false;
	close_link(l);
	r->question = NOTHING;
	open_link(r, READER, &e->node, e->asking);
	return true;
}

static void
failed(struct link *l)
{
	struct redis *r = l->redis;
	struct zp_stream *s = &l->io.stream;

	/* A monstrous entry is passed over, else it would come for ever. */
	if (l->io.too_long && l->role == READER && r->question == NEWS &&
	    r->have_id && is_before(&r->last, &r->entry))
		r->last = r->entry;
	if (s->refused)
		refused(l, s->why);
	else
		down(l, s->why);
}

static void
service_link(struct link *l, short revents)
{
	struct redis *r = l->redis;
	struct zp_stream *s = &l->io.stream;

	if (s->state == ZP_STREAM_CONNECTING || s->state == ZP_STREAM_SHAKING)
		zp_stream_step(s, revents, zp_transport_now(r->t));
	if (s->state == ZP_STREAM_OPEN && l->state == OPENING)
		greet(l);
	if (s->state == ZP_STREAM_OPEN &&
	    (revents != 0 || zp_stream_pending(s)) &&
	    (l->role == PUBLISHER || zp_transport_room(r->t)) &&
	    zp_resp_read(&l->io) > 0 && !moved(l))
		l->asked_at = zp_transport_now(r->t);
	if (s->state == ZP_STREAM_FAILED)
		failed(l);
}

static void
service(void *self, const struct pollfd *fds, size_t n)
{
	struct redis *r = self;

	for (int i = 0; i < ROLES; i++) {
		struct link *l = &r->links[i];
		short revents = 0;
		if (l->state == OFF)
			continue;
		for (size_t k = 0; k < n; k++)
			if (fds[k].fd == l->io.stream.fd)
				revents = fds[k].revents;
		service_link(l, revents);
	}
}

/* Stops waiting for what we published to come back, if it does not. */
static void
look_after_echo(struct redis *r, int *wait_ms)
{
	int64_t now = zp_transport_now(r->t), at = zp_echo_due(&r->echo);

	if (at <= now)
		zp_echo_give_up(&r->echo,
		    r->links[READER].state == READY && zp_transport_room(r->t));
	else if (at - now < *wait_ms)
		*wait_ms = (int)(at - now);
}

static size_t
poll_links(void *self, struct pollfd *fds, size_t cap, int *wait_ms)
{
	struct redis *r = self;
	int64_t now = zp_transport_now(r->t);
	size_t n = 0;

	look_after_echo(r, wait_ms);
	send_batches(r);
	for (int i = 0; i < ROLES; i++) {
		struct link *l = &r->links[i];
		struct zp_stream *s = &l->io.stream;
		bool in = l->role == PUBLISHER || zp_transport_room(r->t);
		if (l->state == OFF || n == cap)
			continue;
		keep_alive(l, wait_ms);
		if (s->state == ZP_STREAM_FAILED ||
		    (s->state == ZP_STREAM_OPEN && !zp_resp_write(&l->io))) {
			failed(l);
			continue;
		}
		if (in && zp_stream_pending(s))
			*wait_ms = 0;
		fds[n++] = (struct pollfd){.fd = s->fd,
		    .events = zp_stream_events(
			s, in, zp_resp_waiting(&l->io) > 0, now, wait_ms)};
	}
	return n;
}

static void
init(void *self)
{
	struct redis *r = self;

	r->keep = KEEP;
}

static const struct zp_transport_ops ops = {
    .name = "zpinc-redis",
    .size = sizeof(struct redis),
    .init = init,
    .schemes = "redis rediss",
    .options = options,
    .n_options = sizeof(options) / sizeof(*options),
    .keepalive = true,
    .query = true,
    .option = take_option,
    .start = start,
    .connect = connect_all,
    .disconnect = disconnect,
    .publish = publish,
    .poll = poll_links,
    .service = service,
    .cursor = cursor,
    .stop = stop,
};

int
main(int argc, char **argv)
{
	return zp_transport_main(argc, argv, &ops);
}
