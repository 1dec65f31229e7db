#include "store/zp_suite_zp1.h"

#include <stdlib.h>
#include <string.h>

#include "crypt/zp_open.h"
#include "crypt/zp_pseudo.h"
#include "proto/zp_crew.h"
#include "proto/zp_parts.h"
#include "proto/zp_session.h"
#include "store/zp_keyfile.h"
#include "store/zp_sendstate.h"

/* The zp1 suite, zpinc(7), and its conversations. */

/* ---- keys ---- */

static enum zp_err
derive(struct zp_keyfile *kf, const uint8_t *password, size_t len,
    const char *channel, unsigned work)
{
	return zp_key_derive(&kf->key, password, len, channel, work);
}

static enum zp_err
make_random(struct zp_keyfile *kf, const char *channel)
{
	return zp_key_random(&kf->key, channel);
}

static enum zp_err
load(struct zp_keyfile *kf, const uint8_t *raw, const char *channel,
    unsigned work)
{
	return zp_key_load(&kf->key, raw, channel, work);
}

static void
free_key(struct zp_keyfile *kf)
{
	zp_key_free(kf->key);
}

static const uint8_t *
raw_of(const struct zp_keyfile *kf)
{
	return zp_key_raw(kf->key);
}

static unsigned
work_of(const struct zp_keyfile *kf)
{
	return zp_key_work(kf->key);
}

static bool
is_name(const char *name, size_t len)
{
	return zp_text_is_name(name, len);
}

/* ---- pseudonyms ---- */

/* The paper's ckey, of a channel or kept with a conversation. */
struct ckey {
	const uint8_t *amac, *aenc;
};

static struct ckey
ckey_of(const struct zp_keyfile *kf)
{
	if (kf->conv != NULL)
		return (struct ckey){kf->conv->amac, kf->conv->aenc};
	return (struct ckey){zp_key_amac(kf->key), zp_key_aenc(kf->key)};
}

static enum zp_err
pseudonym_of(const struct zp_keyfile *kf, enum zp_pseudo_use use,
    const char *name, uint8_t to[static ZP_PSEUDONYM_LEN])
{
	struct ckey k = ckey_of(kf);

	return zp_pseudo_make(to, k.amac, k.aenc, use, name);
}

static void
put_text(char *to, const uint8_t pseudonym[static ZP_PSEUDONYM_LEN])
{
	zp_record_topic(to, pseudonym);
	to[ZP_TOPIC_LEN] = '\0';
}

static bool
topic(const struct zp_keyfile *kf, bool live, bool record,
    char to[static ZP_SUITE_TOPIC_MAX])
{
	enum zp_pseudo_use use = live ? ZP_PSEUDO_LIVE : ZP_PSEUDO_CHAN;
	uint8_t rp[ZP_PSEUDONYM_LEN];

	(void)record; /* there is but one form */
	if (pseudonym_of(kf, use, zp_keyfile_channel(kf), rp) != ZP_OK)
		return false;
	put_text(to, rp);
	return true;
}

static enum zp_err
pseudonym(const struct zp_keyfile *kf, const char *uid,
    char to[static ZP_SUITE_TOPIC_MAX])
{
	uint8_t p[ZP_PSEUDONYM_LEN];
	enum zp_err err = pseudonym_of(kf, ZP_PSEUDO_USER, uid, p);

	if (!err)
		put_text(to, p);
	return err;
}

/* ---- sealing ---- */

struct zp_speaker {
	struct zp_speaking how;
	struct zp_sigctx ctx;
	const uint8_t *key;
	struct zp_sendstate *state; /* NULL: numbers begin at 0 */
	struct zp_session *session;
	uint8_t sid[ZP_SID_LEN];
	uint64_t next; /* of the numbers taken */
	uint64_t taken; /* without a state */
};

enum zp_err
zp_suite_zp1_context(const struct zp_keyfile *kf, const char *uid,
    struct zp_sigctx *ctx, const uint8_t **key)
{
	const struct zp_convfile *c = kf->conv;
	struct zp_sigctx made = {0};
	enum zp_err err =
	    pseudonym_of(kf, ZP_PSEUDO_CHAN, zp_keyfile_channel(kf), made.rp);

	if (!err && c == NULL)
		err = pseudonym_of(kf, ZP_PSEUDO_USER, uid, made.p);
	if (err)
		return err;
	if (c != NULL) {
		memcpy(made.p, c->members[c->me].p, sizeof(made.p));
		memcpy(made.keyid, c->id, sizeof(made.keyid));
	}
	*key = c != NULL ? c->key : zp_key_msgkey(kf->key);
	*ctx = made;
	return ZP_OK;
}

static enum zp_err
make_session(const struct zp_speaker *s, struct zp_session **session)
{
	struct zp_session_params params = {
	    .kind = s->how.kf->conv ? ZP_KIND_MESSAGE : ZP_KIND_NOTE,
	    .max_record = s->how.max_record};
	struct zp_sealer *sealer;

	memcpy(params.sid, s->sid, sizeof(params.sid));
	enum zp_err err = zp_sealer_new(&sealer, s->key, &s->ctx, s->how.id);
	return err ? err : zp_session_new(session, sealer, &params);
}

static enum zp_err
begin_session(struct zp_speaker *s, const uint8_t sid[static ZP_SID_LEN])
{
	struct zp_session *session;

	memcpy(s->sid, sid, sizeof(s->sid));
	enum zp_err err = make_session(s, &session);
	if (err)
		return err;
	zp_session_free(s->session);
	s->session = session;
	return ZP_OK;
}

static void
hush(struct zp_speaker *s)
{
	if (s == NULL)
		return;
	zp_session_free(s->session);
	zp_sendstate_free(s->state);
	free(s);
}

static enum zp_err
speak(struct zp_speaker **to, const struct zp_speaking *how)
{
	struct zp_speaker *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ZP_ERR_MEMORY;
	s->how = *how;
	enum zp_err err =
	    zp_suite_zp1_context(how->kf, how->uid, &s->ctx, &s->key);
	if (!err)
		err = begin_session(s, how->sid);
	if (err)
		hush(s);
	else
		*to = s;
	return err;
}

static enum zp_err
number(struct zp_speaker *s, const char *path, struct zp_fault *fault)
{
	uint8_t sid[ZP_SID_LEN];

	memcpy(sid, s->how.sid, sizeof(sid));
	enum zp_err err =
	    zp_sendstate_open(&s->state, path, &s->ctx, sid, fault);
	return err ? err : begin_session(s, sid);
}

static enum zp_err
expect(struct zp_speaker *s, uint64_t n, struct zp_fault *fault)
{
	zp_session_expect(s->session, n);
	if (n == 0)
		return ZP_OK;
	if (s->state != NULL)
		return zp_sendstate_reserve(s->state, n, &s->next, fault);
	s->next = s->taken;
	s->taken += n;
	return ZP_OK;
}

static enum zp_err
body(struct zp_speaker *s, uint64_t time, const void *data, size_t len,
    struct zp_out *out)
{
	return zp_session_body(s->session, s->next++, time, data, len, out);
}

static size_t
room(const struct zp_speaker *s)
{
	return zp_session_room(s->session);
}

static void
begin(struct zp_speaker *s, uint64_t time)
{
	zp_session_begin(s->session, s->next++, time);
}

static enum zp_err
part(struct zp_speaker *s, const void *data, size_t len, bool last,
    struct zp_out *out)
{
	return zp_session_part(s->session, data, len, last, out);
}

static enum zp_err
stream(struct zp_speaker *s, struct zp_in *in, struct zp_out *out, size_t batch,
    bool *reading)
{
	struct zp_session *helper = NULL;

	/* Without, it takes longer. */
	if (make_session(s, &helper) != ZP_OK)
		helper = NULL;
	enum zp_err err =
	    zp_crew_stream(s->session, helper, in, out, batch, reading);
	zp_session_free(helper);
	return err;
}

/* ---- opening ---- */

struct zp_listener {
	struct zp_listening how;
	const char *channel;
	struct zp_opener *opener; /* NULL: opened elsewhere */
	struct zp_parts *parts;
	struct zp_replay *replay; /* borrowed */
	struct zp_opened opened; /* the last one */
	struct zp_piece piece; /* the last one */
	uint64_t now;
	enum zp_err failed; /* from within a report */
};

struct zp_replay_name
zp_suite_zp1_body_name(const struct zp_body *b)
{
	struct zp_replay_name n = {.kind = (uint8_t)b->kind,
	    .seq = b->seq,
	    .time = b->time,
	    .has_first = b->kind == ZP_KIND_MESSAGE,
	    .first = b->first};

	memcpy(n.p, b->p, sizeof(n.p));
	memcpy(n.sid, b->sid, sizeof(n.sid));
	return n;
}

/*
 * A body of which parts are missing, or contradict one another.  It may come
 * whole after all, in this run or in the next one, and is shown then; each
 * is told once.
 */
static void
give_up(void *arg, const struct zp_body *b, enum zp_err why, bool begun)
{
	struct zp_listener *l = arg;
	struct zp_replay_name n = zp_suite_zp1_body_name(b);

	/* Its first part may be among those missing. */
	n.has_first = b->first != 0;
	if (begun || zp_replay_check(l->replay, &n) != ZP_REPLAY_LATE)
		l->how.lost(l->how.arg, b->uid, b->time, why, begun);
	if (zp_replay_give_up(l->replay, &n, l->now) != ZP_OK)
		l->failed = ZP_ERR_MEMORY;
}

/* The one key there is in the file. */
static enum zp_err
add_key(struct zp_opener *o, const struct zp_keyfile *kf)
{
	const struct zp_convfile *c = kf->conv;
	unsigned slot;

	if (c == NULL)
		return zp_opener_add(
		    o, zp_key_msgkey(kf->key), NULL, NULL, 0, &slot);
	uint8_t(*members)[ZP_PSEUDONYM_LEN] = calloc(c->n, sizeof(*members));
	if (members == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < c->n; i++)
		memcpy(members[i], c->members[i].p, sizeof(*members));
	enum zp_err err = zp_opener_add(o, c->key, c->id,
	    (const uint8_t(*)[ZP_PSEUDONYM_LEN])members, c->n, &slot);
	free(members);
	return err;
}

enum zp_err
zp_suite_zp1_opener(const struct zp_keyfile *kf, struct zp_opener **to)
{
	struct ckey k = ckey_of(kf);
	struct zp_opener *o;
	enum zp_err err =
	    zp_opener_new(&o, k.amac, k.aenc, zp_keyfile_channel(kf));

	if (err)
		return err;
	err = add_key(o, kf);
	if (err)
		zp_opener_free(o);
	else
		*to = o;
	return err;
}

static void
deafen(struct zp_listener *l)
{
	if (l == NULL)
		return;
	zp_opener_free(l->opener);
	zp_parts_free(l->parts);
	free(l);
}

static enum zp_err
listen_to(struct zp_listener **to, const struct zp_listening *how)
{
	struct zp_listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ZP_ERR_MEMORY;
	l->how = *how;
	l->channel = zp_keyfile_channel(how->kf);
	enum zp_err err = zp_suite_zp1_opener(how->kf, &l->opener);
	if (!err)
		err = zp_parts_new(&l->parts, how->stream, give_up, l);
	if (err)
		deafen(l);
	else
		*to = l;
	return err;
}

enum zp_err
zp_suite_zp1_listener(struct zp_listener **to, const struct zp_key *key,
    const struct zp_listening *how)
{
	struct zp_listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ZP_ERR_MEMORY;
	l->how = *how;
	l->channel = zp_key_channel(key);
	enum zp_err err = zp_parts_new(&l->parts, how->stream, give_up, l);
	if (err)
		deafen(l);
	else
		*to = l;
	return err;
}

static void
remember(struct zp_listener *l, struct zp_replay *r)
{
	l->replay = r;
}

/* What was opened last, in words of all suites. */
static void
put_heard(const struct zp_listener *l, struct zp_heard *h)
{
	h->uid = l->opened.uid;
	h->time = l->opened.payload.time;
	h->idkey = l->opened.payload.idkey;
	switch (l->opened.payload.kind) {
	case ZP_KIND_NOTE:
	case ZP_KIND_MESSAGE:
		h->what = ZP_HEARD_BODY;
		break;
	case ZP_KIND_HELLO:
		h->what = ZP_HEARD_NOTHING;
		break;
	default:
		h->what = ZP_HEARD_UNKNOWN;
		break;
	}
}

static enum zp_err
open_record(
    struct zp_listener *l, const struct zp_record *rec, struct zp_heard *h)
{
	enum zp_err err = zp_opener_open(l->opener, rec, &l->opened);

	if (!err)
		put_heard(l, h);
	return err;
}

void
zp_suite_zp1_hear(struct zp_listener *l, const struct zp_opened *opened,
    struct zp_heard *heard)
{
	l->opened = *opened;
	put_heard(l, heard);
}

const struct zp_opened *
zp_suite_zp1_opened(const struct zp_listener *l)
{
	return &l->opened;
}

const struct zp_piece *
zp_suite_zp1_piece(const struct zp_listener *l)
{
	return &l->piece;
}

static bool
is_ours(const struct zp_listener *l, const struct zp_record *rec)
{
	return zp_opener_is_ours(l->opener, rec);
}

struct zp_replay_name
zp_suite_zp1_record_name(const struct zp_opened *o)
{
	struct zp_replay_name n = {.kind = o->payload.kind,
	    .seq = o->payload.seq,
	    .time = o->payload.time};

	memcpy(n.p, o->p, sizeof(n.p));
	memcpy(n.sid, o->payload.sid, sizeof(n.sid));
	return n;
}

enum zp_err
zp_suite_zp1_skip(
    struct zp_listener *l, const struct zp_opened *opened, uint64_t now)
{
	struct zp_replay_name n = zp_suite_zp1_record_name(opened);

	if (zp_replay_check(l->replay, &n) != ZP_REPLAY_NEW)
		return ZP_OK;
	return zp_replay_mark(l->replay, &n, now);
}

static enum zp_again
again(struct zp_listener *l)
{
	struct zp_replay_name n = zp_suite_zp1_record_name(&l->opened);

	switch (zp_replay_check(l->replay, &n)) {
	case ZP_REPLAY_NEW:
	case ZP_REPLAY_LATE:
		break;
	case ZP_REPLAY_RESTORED:
		return ZP_AGAIN_RESTORED;
	case ZP_REPLAY_AGAIN:
		return ZP_AGAIN_SHOWN;
	case ZP_REPLAY_TOO_OLD:
		return ZP_AGAIN_TOO_OLD;
	case ZP_REPLAY_AHEAD:
		return ZP_AGAIN_AHEAD;
	}
	return ZP_AGAIN_NEW;
}

static enum zp_err
add(struct zp_listener *l, uint64_t now)
{
	l->now = now;
	enum zp_err err = zp_parts_add(l->parts, &l->opened);
	return l->failed ? l->failed : err;
}

/* The piece at hand, in words of all suites. */
static void
put_piece(const struct zp_listener *l, struct zp_piece_shown *to)
{
	const struct zp_convfile *c = l->how.kf ? l->how.kf->conv : NULL;
	const struct zp_body *b = l->piece.body;
	struct zp_replay_name n;

	to->what = (struct zp_shown){.kind = b->kind,
	    .channel = l->channel,
	    .uid = b->uid,
	    .time = b->time,
	    .sid = b->sid,
	    .seq = b->seq,
	    .data = l->piece.data,
	    .len = l->piece.len,
	    .idkey = b->is_signed ? b->idkey : NULL,
	    .conversation = c ? c->id : NULL};
	to->begins = l->piece.begins;
	to->ends = l->piece.ends;
	to->restored = false;
	if (!l->how.restored)
		return;
	n = zp_suite_zp1_body_name(b);
	to->restored = zp_replay_check(l->replay, &n) == ZP_REPLAY_RESTORED;
}

static bool
next(struct zp_listener *l, struct zp_piece_shown *to)
{
	if (!zp_parts_next(l->parts, &l->piece))
		return false;
	put_piece(l, to);
	return true;
}

void
zp_suite_zp1_say(struct zp_listener *l, const struct zp_body *body,
    const uint8_t *data, size_t len, struct zp_piece_shown *to)
{
	l->piece = (struct zp_piece){.body = body,
	    .data = data,
	    .len = len,
	    .begins = true,
	    .ends = true};
	put_piece(l, to);
}

static enum zp_err
shown(struct zp_listener *l, uint64_t now)
{
	struct zp_replay_name n = zp_suite_zp1_body_name(l->piece.body);
	enum zp_err err = zp_replay_mark(l->replay, &n, now);

	return l->failed ? l->failed : err;
}

static void
end(struct zp_listener *l, uint64_t now)
{
	l->now = now;
	zp_parts_end(l->parts);
}

const struct zp_suite_ops zp_suite_zp1 = {
    .suite = ZP_SUITE_ZP1,
    .word = "zp1",
    .code = 1,
    .can = ZP_SUITE_RANDOM | ZP_SUITE_WORK | ZP_SUITE_SIGNS | ZP_SUITE_NUMBERS |
	ZP_SUITE_UNTIMED | ZP_SUITE_PARTS | ZP_SUITE_FIXED,
    .work = ZP_WORK_DEFAULT,
    .derive = derive,
    .random = make_random,
    .load = load,
    .free = free_key,
    .raw = raw_of,
    .get_work = work_of,
    .is_name = is_name,
    .topic = topic,
    .pseudonym = pseudonym,
    .speak = speak,
    .number = number,
    .hush = hush,
    .expect = expect,
    .body = body,
    .room = room,
    .begin = begin,
    .part = part,
    .stream = stream,
    .listen = listen_to,
    .deafen = deafen,
    .remember = remember,
    .open = open_record,
    .is_ours = is_ours,
    .again = again,
    .add = add,
    .next = next,
    .shown = shown,
    .end = end,
};
