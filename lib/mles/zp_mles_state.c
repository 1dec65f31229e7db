#include "mles/zp_mles_state.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_scratch.h"
#include "crypt/zp_secret.h"

#define REPORTS 32

/*
 * Presence: 20 frames at once, then one in 3 s, as the relay keeps only so
 * many; without news each wait is twice as long, three times.
 */
#define TOKENS_MAX 20
#define TOKEN_MS 3000
#define ANSWER_MS 150
#define JITTER_MS 250
#define IDLE_MAX 3

/* How far a time of ours may be ahead of the clock. */
#define AHEAD_MS 2000

/* How long after a conversation its key still opens what was under way. */
#define OLD_MS 600000

/* Random bytes of an event: for the run, the nonce, the padding, jitter. */
#define NONCE_AT ZP_MLES_RUN_RANDOM
#define PADDING_AT (NONCE_AT + ZP_MLES_NONCE_LEN)
#define JITTER_AT (PADDING_AT + 32)
_Static_assert(JITTER_AT + 8 <= ZP_MLES_STATE_RANDOM, "random bytes");

/* Somebody who was heard live, in whatever run. */
struct listener {
	struct zp_mles_name name;
	int64_t last;
};

struct zp_mles_state {
	struct zp_mles_key *key;
	struct zp_mles_name uid;
	struct zp_mles_box p;
	struct zp_mles_secrets *secrets;
	struct zp_mles_seen *seen;
	struct zp_mles_run run;
	bool live, past;
	enum zp_mles_fs fs; /* as told last */
	int64_t fs_since;
	int64_t said; /* the latest time that we claimed */
	struct listener listener[ZP_MLES_MEMBERS_MAX];
	size_t listeners;
	/* presence */
	bool greeting; /* what is due is our first word */
	int64_t due, token_time;
	unsigned tokens, idle;
	uint64_t jitter;
	/* reports, a ring; when full, the newest is lost */
	struct zp_mles_report report[REPORTS];
	size_t first, count;
	/* what was opened last */
	struct zp_scratch plain;
	uint8_t out[ZP_MLES_HEADER_LEN + ZP_MLES_BODY_MAX + 8192];
};

static void
tell(struct zp_mles_state *s, enum zp_mles_event event,
    const struct zp_mles_name *name)
{
	if (s->count == REPORTS)
		return;
	struct zp_mles_report *r = &s->report[(s->first + s->count) % REPORTS];
	s->count++;
	r->event = event;
	r->fs = s->fs;
	r->name.len = 0;
	if (name != NULL)
		r->name = *name;
}

bool
zp_mles_state_report(struct zp_mles_state *s, struct zp_mles_report *r)
{
	if (s->count == 0)
		return false;
	*r = s->report[s->first];
	s->first = (s->first + 1) % REPORTS;
	s->count--;
	return true;
}

/* ---- who listens ---- */

static bool
is_member(const struct zp_mles_state *s, const struct zp_mles_name *name)
{
	for (size_t i = 0; i < s->run.n; i++)
		if (zp_mles_text_same(&s->run.member[i].name, name))
			return true;
	return false;
}

/*
 * Somebody who was heard, is not in the run, and would not be able to read
 * what is sealed with its key; false if there is nobody.  MlesTalk's clients
 * take part only when their users type.
 */
static bool
outsider(const struct zp_mles_state *s, struct zp_mles_name *name)
{
	for (size_t i = 0; i < s->listeners; i++) {
		if (is_member(s, &s->listener[i].name))
			continue;
		*name = s->listener[i].name;
		return true;
	}
	return false;
}

static struct listener *
find_listener(struct zp_mles_state *s, const struct zp_mles_name *name)
{
	for (size_t i = 0; i < s->listeners; i++)
		if (zp_mles_text_same(&s->listener[i].name, name))
			return &s->listener[i];
	return NULL;
}

/* The one that was silent for longest makes room. */
static struct listener *
oldest_listener(struct zp_mles_state *s)
{
	struct listener *l = &s->listener[0];

	for (size_t i = 1; i < s->listeners; i++)
		if (s->listener[i].last < l->last)
			l = &s->listener[i];
	return l;
}

static void
note_listener(
    struct zp_mles_state *s, const struct zp_mles_name *name, int64_t now)
{
	struct listener *l = find_listener(s, name);

	if (l == NULL)
		l = s->listeners < ZP_MLES_MEMBERS_MAX
		    ? &s->listener[s->listeners++]
		    : oldest_listener(s);
	l->name = *name;
	l->last = now;
}

static void
drop_listener(struct zp_mles_state *s, const struct zp_mles_name *name)
{
	struct listener *l = find_listener(s, name);

	if (l != NULL)
		*l = s->listener[--s->listeners];
}

enum zp_mles_fs
zp_mles_state_fs(const struct zp_mles_state *s)
{
	struct zp_mles_name name;

	if (zp_mles_run_secure(&s->run) && !outsider(s, &name))
		return ZP_MLES_FS_ON;
	return s->run.acked ? ZP_MLES_FS_BEGUN : ZP_MLES_FS_OFF;
}

static void
tell_fs(struct zp_mles_state *s, int64_t now)
{
	enum zp_mles_fs fs = zp_mles_state_fs(s);

	if (fs == s->fs)
		return;
	s->fs = fs;
	s->fs_since = now;
	tell(s, ZP_MLES_EVENT_FS, NULL);
}

enum zp_err
zp_mles_state_new(struct zp_mles_state **state, struct zp_mles_key *key,
    const struct zp_mles_name *uid,
    const uint8_t random[static ZP_MLES_STATE_RANDOM])
{
	if (zp_mles_text_blocks(uid))
		return ZP_ERR_NAME;
	struct zp_mles_state *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ZP_ERR_MEMORY;
	s->secrets = zp_secret_new(sizeof(*s->secrets));
	s->seen = zp_mles_seen_new(random);
	if (s->secrets == NULL || s->seen == NULL) {
		zp_mles_state_free(s);
		return ZP_ERR_MEMORY;
	}
	s->key = key;
	s->uid = *uid;
	zp_mles_key_box(key, &s->p, uid);
	zp_mles_run_init(&s->run, &s->uid, zp_mles_key_layer(key), s->secrets);
	s->due = INT64_MAX;
	s->tokens = TOKENS_MAX;
	s->jitter = zp_be64(random + JITTER_AT);
	*state = s;
	return ZP_OK;
}

void
zp_mles_state_free(struct zp_mles_state *s)
{
	if (s == NULL)
		return;
	zp_scratch_free(&s->plain);
	zp_secret_free(s->secrets);
	zp_mles_seen_free(s->seen);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

const struct zp_mles_box *
zp_mles_state_p(const struct zp_mles_state *s)
{
	return &s->p;
}

const struct zp_mles_box *
zp_mles_state_rp(const struct zp_mles_state *s)
{
	return zp_mles_key_rp(s->key);
}

bool
zp_mles_state_member(const struct zp_mles_state *s, size_t i,
    struct zp_mles_name *name, bool *confirmed)
{
	if (i >= s->run.n)
		return false;
	*name = s->run.member[i].name;
	*confirmed = s->run.member[i].confirmed;
	return true;
}

bool
zp_mles_state_secret(
    const struct zp_mles_state *s, uint8_t secret[static ZP_MLES_POINT_LEN])
{
	if (!s->run.has_secret || !s->run.acked)
		return false;
	memcpy(secret, s->secrets->group.secret, ZP_MLES_POINT_LEN);
	return true;
}

void
zp_mles_state_live(struct zp_mles_state *s, bool live, int64_t now)
{
	s->live = live;
	if (!live)
		s->due = INT64_MAX;
	s->token_time = now;
}

void
zp_mles_state_past(struct zp_mles_state *s, bool past)
{
	s->past = past;
}

/* Is what comes now not out of a history? */
static bool
is_live(const struct zp_mles_state *s)
{
	return s->live && !s->past;
}

/* ---- presence ---- */

static void
due_in(struct zp_mles_state *s, int64_t now, int64_t wait)
{
	int64_t at = now + wait + (int64_t)(s->jitter % JITTER_MS);

	if (at < s->due)
		s->due = at;
}

/*
 * An answer to what was just heard, unless all is well.  What somebody typed
 * gets one in any case, as a prototype speaks only then; presence without
 * news gets few, or two of us would never stop.
 */
static void
answer(struct zp_mles_state *s, int64_t now, bool news, bool typed)
{
	if (news)
		s->idle = 0;
	if (zp_mles_run_secure(&s->run) && !s->run.restart)
		return;
	if (typed || s->idle < IDLE_MAX)
		due_in(s, now, (int64_t)ANSWER_MS << s->idle);
}

void
zp_mles_state_hello(struct zp_mles_state *s, int64_t now)
{
	s->greeting = true;
	due_in(s, now, ANSWER_MS);
}

int64_t
zp_mles_state_due(const struct zp_mles_state *s)
{
	if (s->due == INT64_MAX || s->tokens > 0)
		return s->due;
	int64_t at = s->token_time + TOKEN_MS;
	return at > s->due ? at : s->due;
}

static void
refill(struct zp_mles_state *s, int64_t now)
{
	while (s->tokens < TOKENS_MAX && now - s->token_time >= TOKEN_MS) {
		s->tokens++;
		s->token_time += TOKEN_MS;
	}
	if (s->tokens == TOKENS_MAX)
		s->token_time = now;
}

/*
 * Who converses listens, however silent; who does not, and was silent for so
 * long, may have left.
 */
static void
expire_listeners(struct zp_mles_state *s, int64_t now, int64_t silent)
{
	const bool secure = zp_mles_run_secure(&s->run);

	for (size_t i = s->listeners; i-- > 0;) {
		struct listener *l = &s->listener[i];
		const bool member = is_member(s, &l->name);
		if (member && secure)
			l->last = now;
		if (member || now - l->last <= silent)
			continue;
		tell(s, ZP_MLES_EVENT_GONE, &l->name);
		*l = s->listener[--s->listeners];
	}
}

void
zp_mles_state_tick(struct zp_mles_state *s, int64_t now, int64_t silent)
{
	struct zp_mles_name gone;

	refill(s, now);
	if (s->live && silent > 0 &&
	    zp_mles_run_expire(&s->run, now, silent, &gone)) {
		tell(s, ZP_MLES_EVENT_GONE, &gone);
		drop_listener(s, &gone);
		answer(s, now, true, false);
	}
	if (s->live && silent > 0)
		expire_listeners(s, now, silent);
	tell_fs(s, now);
	if (now - s->fs_since > OLD_MS && s->run.has_old[0])
		zp_mles_run_forget(&s->run);
}

/* ---- receiving ---- */

static enum zp_err
open_frame(struct zp_mles_state *s, const struct zp_mles_raw *raw,
    struct zp_mles_got *got)
{
	static const enum zp_mles_use uses[] = {
	    ZP_MLES_PASSWORD, ZP_MLES_CONVERSATION, ZP_MLES_OLD, ZP_MLES_OLD};
	struct zp_mles_run *r = &s->run;
	struct zp_mles_secrets *k = s->secrets;
	struct zp_mles_layer *layers[] = {zp_mles_key_layer(s->key),
	    r->has_secret ? &k->conv : NULL, r->has_old[0] ? &k->old[0] : NULL,
	    r->has_old[1] ? &k->old[1] : NULL};

	enum zp_err err = zp_scratch_need(&s->plain, raw->len);
	if (!err)
		err = zp_mles_record_open(
		    &got->o, s->plain.data, s->key, layers, 4, raw);
	if (!err)
		got->use = uses[got->o.layer];
	return err;
}

static void
tell_heard(
    struct zp_mles_state *s, const struct zp_mles_name *name, unsigned heard)
{
	static const struct {
		unsigned bit;
		enum zp_mles_event event;
	} of[] = {
	    {ZP_MLES_MEMBER, ZP_MLES_EVENT_JOINED},
	    {ZP_MLES_RELABELLED, ZP_MLES_EVENT_RELABELLED},
	    {ZP_MLES_STALE, ZP_MLES_EVENT_STALE},
	    {ZP_MLES_POINT, ZP_MLES_EVENT_POINT},
	    {ZP_MLES_CROWD, ZP_MLES_EVENT_CROWD},
	    {ZP_MLES_LEFT, ZP_MLES_EVENT_LEFT},
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if ((heard & of[i].bit) != 0)
			tell(s, of[i].event, name);
}

/* A live frame of another member, seen for the first time. */
static void
hear(struct zp_mles_state *s, struct zp_mles_got *got, int64_t now)
{
	const struct zp_mles_frame *f = &got->o.frame;
	bool restart = s->run.restart;
	unsigned heard =
	    zp_mles_run_hear(&s->run, &got->o.uid, f, got->use, now);

	got->relabelled = (heard & ZP_MLES_RELABELLED) != 0;
	/* A note from outside of any handshake has no listener. */
	if ((heard & ZP_MLES_LEFT) != 0)
		drop_listener(s, &got->o.uid);
	else if (!got->relabelled &&
	    memcmp(f->sid, ZP_MLES_SID_NONE, ZP_MLES_SID_LEN) != 0)
		note_listener(s, &got->o.uid, now);
	tell_heard(s, &got->o.uid, heard);
	if (s->run.restart && !restart)
		tell(s, ZP_MLES_EVENT_RESTART, NULL);
	answer(s, now, (heard & ZP_MLES_NEWS) != 0 || s->run.restart != restart,
	    (f->flags & ZP_MLES_PRESENCE) == 0);
}

/* A frame that did not open: of a member, it says that we are apart. */
static void
hear_dark(struct zp_mles_state *s, const struct zp_mles_raw *raw, int64_t now)
{
	struct zp_mles_name name;
	bool restart = s->run.restart;

	if (!is_live(s) ||
	    zp_mles_key_unbox(s->key, &name, raw->p, raw->p_len) != ZP_OK)
		return;
	zp_mles_run_dark(&s->run, &name);
	if (!s->run.restart || restart)
		return;
	tell(s, ZP_MLES_EVENT_RESTART, NULL);
	answer(s, now, true, false);
}

enum zp_err
zp_mles_state_receive(struct zp_mles_state *s, const struct zp_mles_raw *raw,
    int64_t now, struct zp_mles_got *got)
{
	struct zp_mles_got g = {.history = !is_live(s)};
	enum zp_err err = open_frame(s, raw, &g);

	if (err == ZP_ERR_NOT_OURS)
		hear_dark(s, raw, now);
	else if (err == ZP_ERR_FORGED || err == ZP_ERR_FORMAT)
		tell(s, ZP_MLES_EVENT_FORGED, NULL);
	if (err)
		return err;
	g.own = zp_mles_text_same(&g.o.uid, &s->uid);
	g.again =
	    zp_mles_seen_check(s->seen, &g.o.uid, raw->message, &g.o.frame);
	if (g.again == ZP_MLES_OTHER_NAME) {
		g.relabelled = true;
		tell(s, ZP_MLES_EVENT_RELABELLED, &g.o.uid);
	} else if (g.again == ZP_MLES_DUPLICATE) {
		if (is_live(s))
			tell(s, ZP_MLES_EVENT_REPLAY, &g.o.uid);
	} else if (!is_live(s)) {
		zp_mles_run_history(&s->run, &g.o.frame);
	} else if (g.own) {
		tell(s, ZP_MLES_EVENT_IMPOSTOR, NULL);
	} else {
		hear(s, &g, now);
	}
	tell_fs(s, now);
	*got = g;
	return ZP_OK;
}

uint8_t *
zp_mles_state_body(struct zp_mles_state *s, const struct zp_mles_got *got)
{
	return s->plain.data + (got->o.frame.body - s->plain.data);
}

/* ---- sending ---- */

static struct zp_mles_layer *
choose(
    struct zp_mles_state *s, enum zp_mles_policy policy, enum zp_mles_use *use)
{
	bool may = *use == ZP_MLES_CONVERSATION;

	if (policy == ZP_MLES_NOTE ||
	    (policy == ZP_MLES_CAREFUL && zp_mles_state_fs(s) != ZP_MLES_FS_ON))
		may = false;
	*use = may ? ZP_MLES_CONVERSATION : ZP_MLES_PASSWORD;
	return may ? &s->secrets->conv : zp_mles_key_layer(s->key);
}

/*
 * Two equal texts in one second are one text to MlesTalk, and one stamped
 * before another makes the app wait: so ours are moved, by little.
 */
static void
stamp(struct zp_mles_state *s, struct zp_mles_frame *f)
{
	int64_t end = f->time + AHEAD_MS;

	if (s->said > f->time && s->said <= end)
		f->time = s->said;
	while (f->time + 1000 <= end && zp_mles_seen_text(s->seen, &s->uid, f))
		f->time += 1000;
}

enum zp_err
zp_mles_state_send(struct zp_mles_state *s, int64_t now, int64_t time,
    uint16_t flags, const void *body, size_t len, enum zp_mles_policy policy,
    const uint8_t random[static ZP_MLES_STATE_RANDOM],
    struct zp_mles_sent *sent)
{
	struct zp_mles_frame f = {
	    .flags = flags, .time = time, .body = body, .body_len = len};
	enum zp_mles_use use = ZP_MLES_PASSWORD;
	uint8_t keys[ZP_MLES_KEYS_MAX];

	/* Refused before the run believes that it has spoken. */
	if (len > ZP_MLES_BODY_MAX)
		return ZP_ERR_TOO_LONG;
	if (time < ZP_MLES_TIME_MIN || time >= ZP_MLES_TIME_END - AHEAD_MS)
		return ZP_ERR_CLOCK;
	stamp(s, &f);
	enum zp_err err = zp_mles_run_speak(&s->run, &f, keys, random, &use);
	if (err)
		return err;
	struct zp_mles_layer *layer = choose(s, policy, &use);
	err = zp_mles_frame_seal(
	    s->out, layer, &f, random + NONCE_AT, random + PADDING_AT);
	if (err)
		return err;
	if (use == ZP_MLES_CONVERSATION)
		zp_mles_run_sealed(&s->run);
	s->said = f.time;
	zp_mles_seen_own(s->seen, &s->uid, s->out, &f);
	s->jitter = zp_be64(random + JITTER_AT);
	s->due = INT64_MAX;
	s->greeting = false;
	/* Others cannot confirm what they have not heard. */
	if (s->run.acked && !s->run.sealed)
		due_in(s, now, ANSWER_MS);
	tell_fs(s, now);
	sent->message = s->out;
	sent->len = zp_mles_frame_message_len(len, f.keys_len);
	sent->use = use;
	return ZP_OK;
}

enum zp_err
zp_mles_state_presence(struct zp_mles_state *s, int64_t now, int64_t time,
    const uint8_t random[static ZP_MLES_STATE_RANDOM],
    struct zp_mles_sent *sent)
{
	enum zp_err err =
	    zp_mles_state_send(s, now, time, ZP_MLES_FULL | ZP_MLES_PRESENCE,
		"", 0, ZP_MLES_EAGER, random, sent);

	if (err)
		return err;
	refill(s, now);
	if (s->tokens > 0)
		s->tokens--;
	if (s->idle < IDLE_MAX)
		s->idle++;
	return ZP_OK;
}

enum zp_err
zp_mles_state_farewell(struct zp_mles_state *s, int64_t now, int64_t time,
    const uint8_t random[static ZP_MLES_STATE_RANDOM],
    struct zp_mles_sent *sent)
{
	return zp_mles_state_send(
	    s, now, time, ZP_MLES_FAREWELL, "", 0, ZP_MLES_EAGER, random, sent);
}
