/*
 * zpinc-mles: an Mles server, where MlesTalk's users are, as a relay.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_b64.h"
#include "net/zp_mlesframe.h"
#include "net/zp_mleslink.h"
#include "net/zp_queue.h"
#include "net/zp_tls.h"
#include "net/zp_transport.h"

/* One connection is in one channel: TOPIC, LIVE, and others to publish on. */
#define ROOMS ZP_MLESLINKS

/* Records under way on one connection: as many as there can be. */
#define UNDERWAY ZP_QUEUE_COUNT

/*
 * The server acknowledges nothing.  What its system has received counts as
 * delivered when the server itself has shown life since, or the link stands
 * for so long after it (ms).  At the end we ask, by closing.
 */
#define GRACE 500
#define PATIENCE 2000

/* How often to look whether it has. */
#define LOOK 20

/*
 * Nor does it say where the history ends: after a silence of so many times
 * what opening the link took, within these bounds (ms).
 */
#define QUIET_TIMES 4
#define QUIET_LEAST 1000
#define QUIET_MOST 5000
#define REPLAY_MOST 15000

/* Who joins is known from the first record: wait for it so long (ms). */
#define WHO_WITHIN 2000

/* A link that ends so soon after joining was refused (ms). */
#define REFUSED_WITHIN 3000

/* Of a history that is to be resumed, so much is kept to find the place. */
#define HELD_MOST (16u << 20)

struct room {
	struct mles *m;
	struct zp_mleslink *link; /* NULL: not in use */
	char rp[ZP_ML_NAME_MAX + 1], p[ZP_ML_NAME_MAX + 1];
	bool reads, history; /* prints what comes; also what is stored */
	bool joined, heard, leaving;
	int64_t joined_at;
	/* the history */
	bool replaying, resuming; /* the latter: the cursor's frame is sought */
	int64_t quiet, quiet_at, replay_end;
	char *held;
	size_t held_len, held_cap;
	/* taken[head..tail) mod UNDERWAY; before `next` they are sent */
	struct zp_item *taken[UNDERWAY];
	size_t head, next, tail;
	size_t marked; /* so many of the head have been received */
	int64_t marked_at; /* since then; 0: none */
};

struct mles {
	struct zp_transport *t;
	struct zp_tls *tls;
	struct zp_tls_files files;
	struct zp_mleslinks *links;
	struct room room[ROOMS];
	char who[ZP_ML_NAME_MAX + 1]; /* joins; "" while not known */
	bool who_given, wanting, live_told, garbage_told;
	bool let_in; /* it has worked before */
	int64_t wanting_since;
	bool has_last;
	uint64_t last; /* hash of the last record printed of TOPIC */
};

/* ---- start ---- */

enum { ID_UID = 1 };

static const struct zp_opt options[] = {
    {ID_UID, 'u', "uid", "NAME", "who joins, as zpinc-key topic -u tells"},
    ZP_TLS_OPTIONS,
};

static bool
take_option(void *self, int id, const char *arg)
{
	struct mles *m = self;

	switch (id) {
	case ID_UID:
		m->who_given = true;
		if (zp_mlesframe_name(m->who, arg, strlen(arg)))
			return true;
		zp_say(
		    "zpinc-mles", "--uid: not what zpinc-key topic -u tells");
		return false;
	default:
		zp_tls_take(&m->files, id, arg);
		return true;
	}
}

static void
on_up(void *arg, struct zp_mleslink *link);
static void
on_message(void *arg, struct zp_mleslink *link, bool text, const uint8_t *data,
    size_t len);
static void
on_writable(void *arg, struct zp_mleslink *link);
static void
on_down(void *arg, struct zp_mleslink *link, const char *why, bool read);

static enum zp_err
take_tls(struct mles *m, const struct zp_url *url)
{
	char why[ZP_TLS_WHY];
	enum zp_err err =
	    zp_tls_new(&m->tls, &m->files, url->scheme, "mles", url->host, why);

	if (err)
		zp_transport_warn(m->t, "%s", why);
	return err;
}

/* A cursor is the hash of the last record before it. */
static void
take_cursor(struct mles *m, const char *cursor)
{
	char *end = NULL;

	if (cursor == NULL)
		return;
	if (strlen(cursor) == 17 && cursor[0] == 'm')
		m->last = strtoull(cursor + 1, &end, 16);
	m->has_last = end != NULL && *end == '\0';
	if (!m->has_last)
		zp_transport_warn(
		    m->t, "the cursor is of no use here, all is read");
}

static enum zp_err
start(void *self, struct zp_transport *t)
{
	static const struct zp_mleslink_events events = {.up = on_up,
	    .message = on_message,
	    .writable = on_writable,
	    .down = on_down};
	struct mles *m = self;
	const struct zp_transport_args *args = zp_transport_args(t);
	const struct zp_url *url = args->url;

	m->t = t;
	for (size_t i = 0; i < ROOMS; i++)
		m->room[i].m = m;
	take_cursor(m, args->cursor);
	if (url->host == NULL || url->host[0] == '\0') {
		zp_transport_warn(t, "the URL names no host");
		return ZP_ERR_USAGE;
	}
	if (url->user != NULL || url->password != NULL) {
		zp_transport_warn(t, "an Mles server knows no users");
		return ZP_ERR_USAGE;
	}
	enum zp_err err = take_tls(m, url);
	if (!err)
		err = zp_mleslinks_new(&m->links, url, m->tls, ZP_MLESFRAME_MAX,
		    args->keepalive, &events, m);
	if (err == ZP_ERR_MEMORY)
		zp_transport_warn(t, "%s", zp_err_text(err));
	if (err == ZP_ERR_FORMAT) {
		zp_transport_warn(t, "the URL's host is none");
		err = ZP_ERR_USAGE;
	}
	return err;
}

static void
stop(void *self)
{
	struct mles *m = self;

	zp_mleslinks_free(m->links);
	zp_tls_free(m->tls);
	for (size_t i = 0; i < ROOMS; i++)
		free(m->room[i].held);
}

/* ---- rooms ---- */

static const struct zp_transport_args *
args_of(const struct mles *m)
{
	return zp_transport_args(m->t);
}

static size_t
underway(const struct room *r)
{
	return r->tail - r->head;
}

static void
leave(struct room *r)
{
	struct mles *m = r->m;

	free(r->held);
	memset(r, 0, sizeof(*r));
	r->m = m;
}

static struct room *
room_of(struct mles *m, const char *rp, size_t len)
{
	for (size_t i = 0; i < ROOMS; i++) {
		struct room *r = &m->room[i];
		if (r->link != NULL && strlen(r->rp) == len &&
		    memcmp(r->rp, rp, len) == 0)
			return r;
	}
	return NULL;
}

/* A free one; one that only published, and has no more to do, makes room. */
static struct room *
free_room(struct mles *m)
{
	for (size_t i = 0; i < ROOMS; i++)
		if (m->room[i].link == NULL)
			return &m->room[i];
	for (size_t i = 0; i < ROOMS; i++) {
		struct room *r = &m->room[i];
		if (r->reads || underway(r) > 0)
			continue;
		zp_mleslink_drop(r->link);
		leave(r);
		return r;
	}
	return NULL;
}

/* Enters a channel under a name, both as records have them. */
static struct room *
enter(
    struct mles *m, const char *rp, size_t rp_len, const char *p, size_t p_len)
{
	struct room *r = free_room(m);

	if (r == NULL || rp_len > ZP_ML_NAME_MAX || p_len > ZP_ML_NAME_MAX)
		return NULL;
	memcpy(r->rp, rp, rp_len);
	memcpy(r->p, p, p_len);
	r->link = zp_mleslink_open(m->links, r, zp_transport_now(m->t));
	if (r->link == NULL)
		leave(r);
	return r;
}

/* ---- who joins ---- */

/*
 * A name that nobody has: the server does not look at it, and members that
 * cannot decrypt it take all such names for one.
 */
static bool
any_name(struct mles *m)
{
	uint8_t random[24];

	if (getentropy(random, sizeof(random)) != 0)
		return false;
	zp_b64_write(m->who, random, sizeof(random));
	m->who[ZP_B64_CHARS(sizeof(random))] = '\0';
	return true;
}

/* Is it settled who we are?  By the first record, if there is one soon. */
static bool
know_who(struct mles *m)
{
	const struct zp_item *item = zp_transport_next(m->t);
	int64_t waited = zp_transport_now(m->t) - m->wanting_since;

	if (m->who[0] != '\0')
		return true;
	if (item != NULL && item->rec.prefix == ZP_PREFIX_ML1) {
		memcpy(m->who, item->rec.p, item->rec.p_len);
		m->who[item->rec.p_len] = '\0';
		return true;
	}
	if (!zp_transport_in_ended(m->t) && !args_of(m)->once &&
	    waited < WHO_WITHIN)
		return false;
	if (any_name(m)) {
		zp_transport_warn(m->t,
		    "joins under a random name, which hinders the others' "
		    "handshakes; --uid gives one");
		return true;
	}
	zp_transport_fail(m->t, ZP_ERR_IO, "no random numbers");
	return false;
}

/* ---- connecting ---- */

static void
enter_reading(struct mles *m, const char *topic, bool history)
{
	struct room *r = enter(m, topic, strlen(topic), m->who, strlen(m->who));

	if (r == NULL || r->link == NULL)
		return; /* it has been told */
	r->reads = true;
	r->history = history;
}

static bool
is_publishable(const struct zp_record *rec)
{
	return rec->prefix == ZP_PREFIX_ML1 && !zp_mlesframe_is_join(rec);
}

/* What connect() wanted, as soon as it is known where and as whom. */
static void
begin(struct mles *m)
{
	const struct zp_transport_args *args = args_of(m);
	const struct zp_item *item = zp_transport_next(m->t);

	if (args->topic != NULL) {
		if (!know_who(m))
			return;
		m->wanting = false;
		enter_reading(m, args->topic, true);
		if (args->live != NULL && !args->once &&
		    strcmp(args->live, args->topic) != 0)
			enter_reading(m, args->live, false);
		return;
	}
	if (item == NULL)
		return;
	m->wanting = false;
	if (is_publishable(&item->rec))
		(void)enter(m, item->rec.rp, item->rec.rp_len,
		    m->who_given ? m->who : item->rec.p,
		    m->who_given ? strlen(m->who) : item->rec.p_len);
	else
		zp_transport_up(m->t);
}

static void
connect_server(void *self)
{
	struct mles *m = self;

	m->live_told = false;
	m->wanting = true;
	m->wanting_since = zp_transport_now(m->t);
	begin(m);
}

static void
disconnect(void *self)
{
	struct mles *m = self;

	for (size_t i = 0; i < ROOMS; i++) {
		struct room *r = &m->room[i];
		if (r->link != NULL)
			zp_mleslink_drop(r->link);
		leave(r);
	}
	m->wanting = false;
}

/* ---- a link comes up ---- */

static bool
send_join(struct room *r)
{
	char join[ZP_MLESFRAME_JOIN_MAX];
	size_t len =
	    zp_mlesframe_join(join, r->p, strlen(r->p), r->rp, strlen(r->rp));
	uint8_t *to = zp_mleslink_room(r->link, len);

	if (len == 0 || to == NULL)
		return false;
	memcpy(to, join, len);
	zp_mleslink_send(r->link, true, len);
	return true;
}

static int64_t
clamp(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

static void
on_up(void *arg, struct zp_mleslink *link)
{
	struct mles *m = arg;
	struct room *r = zp_mleslink_user(link);
	int64_t now = zp_transport_now(m->t);
	bool all = true;

	/* It may be up before enter() has returned. */
	r->link = link;
	if (!send_join(r)) {
		zp_transport_fail(
		    m->t, ZP_ERR_MEMORY, "%s", zp_err_text(ZP_ERR_MEMORY));
		return;
	}
	r->joined = m->let_in = true;
	r->joined_at = now;
	r->quiet = clamp(
	    zp_mleslink_took(link) * QUIET_TIMES, QUIET_LEAST, QUIET_MOST);
	r->replaying = true;
	r->resuming = r->history && m->has_last;
	r->quiet_at = now + r->quiet;
	r->replay_end = now + REPLAY_MOST;
	for (size_t i = 0; i < ROOMS; i++)
		all &= m->room[i].link == NULL || m->room[i].joined;
	if (all)
		zp_transport_up(m->t);
}

/* ---- what comes ---- */

/* FNV-1a: a place in a history, nothing secret. */
static uint64_t
hash_of(const char *s, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3;
	return h;
}

static void
print(struct room *r, const char *line, size_t len)
{
	if (r->history) {
		r->m->last = hash_of(line, len);
		r->m->has_last = true;
	}
	zp_transport_receive(r->m->t, line, len);
}

/* The place was not found, or all before it has been passed over. */
static void
print_held(struct room *r)
{
	size_t at = 0;

	while (at < r->held_len) {
		const char *line = r->held + at;
		size_t len = (size_t)((const char *)memchr(
					  line, '\n', r->held_len - at) -
		    line);
		print(r, line, len);
		at += len + 1;
	}
	free(r->held);
	r->held = NULL;
	r->held_len = r->held_cap = 0;
	r->resuming = false;
}

/* While the place to resume at is sought, records wait. */
static void
hold(struct room *r, const char *line, size_t len)
{
	if (hash_of(line, len) == r->m->last) {
		r->held_len = 0;
		print_held(r);
		return;
	}
	if (r->held_len + len + 1 > r->held_cap) {
		size_t cap = r->held_cap * 2 + len + 1;
		char *more = cap <= HELD_MOST ? realloc(r->held, cap) : NULL;
		if (more == NULL) {
			print_held(r);
			print(r, line, len);
			return;
		}
		r->held = more;
		r->held_cap = cap;
	}
	memcpy(r->held + r->held_len, line, len);
	r->held[r->held_len + len] = '\n';
	r->held_len += len + 1;
}

static void
take_line(struct room *r, const char *line, size_t len)
{
	/* LIVE comes without what is stored. */
	if (r->replaying && !r->history)
		return;
	if (r->resuming)
		hold(r, line, len);
	else
		print(r, line, len);
}

static void
on_message(void *arg, struct zp_mleslink *link, bool text, const uint8_t *data,
    size_t len)
{
	struct mles *m = arg;
	struct room *r = zp_mleslink_user(link);
	char p[ZP_ML_NAME_MAX + 1], *line;
	size_t line_len;

	r->heard = true;
	r->quiet_at = zp_transport_now(m->t) + r->quiet;
	if (!r->reads)
		return;
	if (text) {
		if (data != NULL &&
		    zp_mlesframe_read_join(p, (const char *)data, len))
			zp_transport_status(m->t, "join %s", p);
		else
			zp_transport_status(m->t, "text");
		return;
	}
	enum zp_err err = ZP_ERR_TOO_LONG;
	if (data != NULL)
		err = zp_mlesframe_read(&line, &line_len, data, len);
	if (!err) {
		take_line(r, line, line_len);
		free(line);
	} else if (!m->garbage_told) {
		m->garbage_told = true;
		zp_transport_warn(m->t,
		    "a frame that is none was passed over (told once): %s",
		    zp_err_text(err));
	}
}

/* ---- what goes ---- */

/* Sends one more, if there is one and it may go. */
static void
feed(struct room *r)
{
	if (!r->joined || r->next == r->tail || !zp_mleslink_ready(r->link))
		return;
	const struct zp_record *rec = &r->taken[r->next % UNDERWAY]->rec;
	uint8_t *to = zp_mleslink_room(r->link, zp_mlesframe_room(rec));
	if (to == NULL) {
		zp_transport_fail(
		    r->m->t, ZP_ERR_MEMORY, "%s", zp_err_text(ZP_ERR_MEMORY));
		return;
	}
	zp_mleslink_send(r->link, false, zp_mlesframe_write(to, rec));
	r->next++;
}

static void
on_writable(void *arg, struct zp_mleslink *link)
{
	(void)arg;
	feed(zp_mleslink_user(link));
}

/* Is this name as zp_mlesframe_read() would write it? */
static bool
is_canonical(const char *name, size_t len)
{
	char same[ZP_ML_NAME_MAX + 1];

	return zp_mlesframe_name(same, name, len) && strlen(same) == len &&
	    memcmp(same, name, len) == 0;
}

static bool
can_be_sent(const struct zp_record *rec)
{
	uint8_t last[3];
	size_t whole = rec->enc_len / 4 * 4;

	return rec->prefix == ZP_PREFIX_ML1 &&
	    is_canonical(rec->rp, rec->rp_len) &&
	    is_canonical(rec->p, rec->p_len) &&
	    zp_b64_read(last, rec->enc + whole, rec->enc_len - whole);
}

static bool
publish(void *self, struct zp_item *item)
{
	struct mles *m = self;
	const struct zp_record *rec = &item->rec;

	if (!can_be_sent(rec)) {
		zp_transport_refused(m->t, item, "not a record of suite mles");
		return true;
	}
	if (zp_mlesframe_is_join(rec)) {
		zp_transport_acked(m->t, item);
		return true;
	}
	struct room *r = room_of(m, rec->rp, rec->rp_len);
	if (r == NULL)
		r = enter(m, rec->rp, rec->rp_len,
		    m->who_given ? m->who : rec->p,
		    m->who_given ? strlen(m->who) : rec->p_len);
	if (r == NULL || r->link == NULL || r->leaving ||
	    underway(r) == UNDERWAY)
		return false;
	r->taken[r->tail++ % UNDERWAY] = item;
	feed(r);
	return true;
}

/* The server sends nothing back to who said it, other relays do. */
static void
acknowledge(struct room *r, size_t n)
{
	for (; n > 0; n--) {
		struct zp_item *item = r->taken[r->head++ % UNDERWAY];
		if (r->reads)
			zp_transport_receive_record(r->m->t, &item->rec);
		zp_transport_acked(r->m->t, item);
	}
	r->marked = 0;
	r->marked_at = 0;
}

/*
 * Is a farewell due, whose answer tells that all has been read?  Not before
 * it is clear that we were let in: a server that refuses us says farewell,
 * too.
 */
static bool
is_last_word(const struct room *r, int64_t now)
{
	const struct mles *m = r->m;
	bool ends = args_of(m)->topic == NULL ? zp_transport_ending(m->t)
					      : zp_transport_stopping(m->t);

	return ends && underway(r) > 0 && r->next == r->tail &&
	    (r->heard || now - r->joined_at >= r->quiet / 2);
}

/* What was received, and the link still stands, is delivered. */
static void
settle(struct room *r, int64_t now, int *wait_ms)
{
	int64_t at = INT64_MAX;

	if (!r->joined || r->next == r->head)
		return;
	if (is_last_word(r, now) && !r->leaving) {
		r->leaving = true;
		zp_mleslink_close(r->link);
	}
	if (r->leaving)
		return;
	if (r->marked_at == 0 && zp_mleslink_received(r->link)) {
		r->marked = r->next - r->head;
		r->marked_at = now;
	}
	/* A server that does anything at all reads what there is, too. */
	bool soon = zp_mleslink_heard(r->link) > r->marked_at ||
	    underway(r) == UNDERWAY;
	if (r->marked_at == 0)
		at = now + LOOK;
	else if (now - r->marked_at >= (soon ? GRACE : PATIENCE))
		acknowledge(r, r->marked);
	else
		at = r->marked_at + GRACE > now ? r->marked_at + GRACE
						: r->marked_at + PATIENCE;
	if (at - now < *wait_ms)
		*wait_ms = (int)(at - now);
}

/* ---- a link goes down ---- */

/* What the user must mend, unless it has worked before. */
static void
refused(struct mles *m)
{
	char why[ZP_TLS_WHY];

	zp_tls_why(m->tls, why);
	if (m->let_in)
		zp_transport_down(m->t, "%s", why);
	else
		zp_transport_fail(m->t, ZP_ERR_RELAY, "%s", why);
}

static void
on_down(void *arg, struct zp_mleslink *link, const char *why, bool read)
{
	struct mles *m = arg;
	struct room *r = zp_mleslink_user(link);
	int64_t stood = zp_transport_now(m->t) - r->joined_at;

	if (r->leaving && read) {
		acknowledge(r, underway(r));
		leave(r);
		return;
	}
	if (m->tls != NULL && !r->joined && zp_tls_refused(m->tls))
		refused(m);
	else if (r->joined && !r->heard && stood < REFUSED_WITHIN)
		zp_transport_down(m->t,
		    "%s right after joining: is this user there already?", why);
	else
		zp_transport_down(m->t, "%s", why);
	/* The link is gone: disconnect() must not look for it. */
	r->link = NULL;
}

/* ---- the loop ---- */

static void
end_replay(struct room *r, int64_t now, int *wait_ms)
{
	int64_t at = r->quiet_at < r->replay_end ? r->quiet_at : r->replay_end;

	if (!r->replaying)
		return;
	if (now < at) {
		if (at - now < *wait_ms)
			*wait_ms = (int)(at - now);
		return;
	}
	r->replaying = false;
	print_held(r);
}

static void
tell_live(struct mles *m)
{
	bool any = false;

	for (size_t i = 0; i < ROOMS; i++) {
		const struct room *r = &m->room[i];
		if (r->link == NULL || !r->reads)
			continue;
		if (!r->joined || r->replaying)
			return;
		any = true;
	}
	if (!any || m->live_told)
		return;
	m->live_told = true;
	zp_transport_live(m->t);
}

static size_t
poll_links(void *self, struct pollfd *fds, size_t cap, int *wait_ms)
{
	struct mles *m = self;
	int64_t now = zp_transport_now(m->t);

	if (m->wanting) {
		begin(m);
		if (m->wanting && args_of(m)->topic != NULL)
			*wait_ms = *wait_ms < LOOK ? *wait_ms : LOOK;
	}
	for (size_t i = 0; i < ROOMS; i++) {
		struct room *r = &m->room[i];
		if (r->link == NULL)
			continue;
		feed(r);
		settle(r, now, wait_ms);
		end_replay(r, now, wait_ms);
	}
	tell_live(m);
	return zp_mleslinks_poll(
	    m->links, zp_transport_room(m->t), fds, cap, wait_ms, now);
}

static void
service(void *self, const struct pollfd *fds, size_t n)
{
	struct mles *m = self;

	zp_mleslinks_service(m->links, fds, n, zp_transport_now(m->t));
}

static size_t
cursor(void *self, char *to, size_t cap)
{
	const struct mles *m = self;
	int n;

	if (!m->has_last)
		return 0;
	n = snprintf(to, cap, "m%016" PRIx64, m->last);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static const struct zp_transport_ops ops = {
    .name = "zpinc-mles",
    .size = sizeof(struct mles),
    .schemes = "mles mles+ws",
    .options = options,
    .n_options = sizeof(options) / sizeof(*options),
    .keepalive = true,
    .query = true,
    .option = take_option,
    .start = start,
    .connect = connect_server,
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
