#include "zpinc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypt/zp_open.h"
#include "crypt/zp_secret.h"
#include "proto/zp_parts.h"
#include "proto/zp_replay.h"
#include "proto/zp_session.h"
#include "store/zp_keyfile.h"
#include "store/zp_suite_zp1.h"

struct zpinc_key {
	struct zp_keyfile *kf;
	char topic[ZP_SUITE_TOPIC_MAX];
};

struct zpinc_sender {
	struct zp_identity *id;
	struct zp_session *session;
	struct zp_out out; /* holds one record at a time */
	uint64_t seq;
};

struct zpinc_reader {
	const struct zpinc_key *key;
	struct zp_opener *opener;
	struct zp_parts *parts;
	struct zp_replay *replay;
	enum zp_err given_up;
};

/* The library's errors as numbers that do not change. */
static int
number(enum zp_err err)
{
	switch (zp_err_status(err)) {
	case ZP_EXIT_OK:
		return ZPINC_OK;
	case ZP_EXIT_REFUSED:
		return err == ZP_ERR_NOT_OURS ? ZPINC_ENOTOURS
		    : err == ZP_ERR_REPLAY    ? ZPINC_EREPLAY
		    : err == ZP_ERR_CUT	      ? ZPINC_ECUT
					      : ZPINC_EREFUSED;
	case ZP_EXIT_USAGE:
		return ZPINC_EINVAL;
	case ZP_EXIT_KEY:
	case ZP_EXIT_HANDSHAKE:
		return ZPINC_EKEY;
	case ZP_EXIT_IO:
		break;
	}
	return err == ZP_ERR_MEMORY   ? ZPINC_ENOMEM
	    : err == ZP_ERR_NOT_FOUND ? ZPINC_EKEY
	    : err == ZP_ERR_TOO_LONG  ? ZPINC_ECUT
				      : ZPINC_EIO;
}

int
zpinc_init(void)
{
	return number(zp_secret_init());
}

const char *
zpinc_strerror(int error)
{
	static const char *const text[] = {"done", "out of memory",
	    "a system call failed", "an argument makes no sense",
	    "key or identity missing, damaged or not private",
	    "nothing that the key opens", "made with the key, and refused",
	    "opened before", "cut, too long, or contradicting itself",
	    "a callback asked to stop"};

	if (error < 0 || (size_t)error >= sizeof(text) / sizeof(*text))
		return "unknown error";
	return text[error];
}

uint64_t
zpinc_now(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) != 0 || ts.tv_sec < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

const char *
zpinc_key_channel(const struct zpinc_key *key)
{
	return zp_keyfile_channel(key->kf);
}

const char *
zpinc_key_topic(const struct zpinc_key *key)
{
	return key->topic;
}

/* Ends the making of a key whose kf is set unless there was an error. */
static int
finish_key(struct zpinc_key **to, struct zpinc_key *key, enum zp_err err)
{
	if (!err && key->kf->suite != ZP_SUITE_ZP1)
		err = ZP_ERR_SUITE;
	if (!err &&
	    !zp_keyfile_ops(key->kf)->topic(key->kf, false, true, key->topic))
		err = ZP_ERR_NAME;
	if (err)
		zpinc_key_free(key);
	else
		*to = key;
	return number(err);
}

int
zpinc_key_load(struct zpinc_key **to, const char *path)
{
	struct zpinc_key *key = calloc(1, sizeof(*key));
	struct zp_fault fault;

	if (key == NULL)
		return ZPINC_ENOMEM;
	return finish_key(to, key, zp_keyfile_load(&key->kf, path, &fault));
}

int
zpinc_key_derive(struct zpinc_key **to, const void *password, size_t len,
    const char *channel, unsigned work)
{
	struct zpinc_key *key = calloc(1, sizeof(*key));

	if (key == NULL)
		return ZPINC_ENOMEM;
	if (password == NULL)
		return finish_key(to, key, ZP_ERR_PASSWORD);
	return finish_key(to, key,
	    zp_keyfile_make(
		&key->kf, ZP_SUITE_ZP1, password, len, channel, work));
}

void
zpinc_key_free(struct zpinc_key *key)
{
	if (key == NULL)
		return;
	zp_keyfile_free(key->kf);
	free(key);
}

/* Who speaks under which key, and the session's kind. */
static enum zp_err
make_sender(struct zpinc_sender *s, const struct zpinc_key *key,
    const char *uid, size_t max_record)
{
	const struct zp_convfile *c = key->kf->conv;
	struct zp_session_params params = {
	    .kind = c ? ZP_KIND_MESSAGE : ZP_KIND_NOTE,
	    .max_record = max_record};
	struct zp_sigctx ctx;
	struct zp_sealer *sealer;
	const uint8_t *k;

	if (c == NULL ? uid == NULL
		      : uid != NULL && strcmp(uid, c->members[c->me].uid) != 0)
		return ZP_ERR_NAME;
	enum zp_err err = zp_suite_zp1_context(key->kf, uid, &ctx, &k);
	if (!err)
		err = zp_sealer_new(&sealer, k, &ctx, s->id);
	if (err)
		return err;
	randombytes_buf(params.sid, sizeof(params.sid));
	return zp_session_new(&s->session, sealer, &params);
}

int
zpinc_sender_new(struct zpinc_sender **to, const struct zpinc_key *key,
    const char *uid, const char *identity, size_t max_record)
{
	struct zp_fault fault;
	enum zp_err err = ZP_OK;

	if (max_record == 0)
		max_record = ZP_RECORD_DEFAULT;
	if (max_record < ZP_RECORD_LEAST || max_record > ZP_RECORD_MAX)
		return ZPINC_EINVAL;
	struct zpinc_sender *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ZPINC_ENOMEM;
	/* Records go to the caller: nothing is ever written to this. */
	err = zp_out_init(&s->out, -1, max_record + 2);
	if (!err && identity != NULL)
		err = zp_idfile_load(&s->id, identity, &fault);
	if (!err)
		err = make_sender(s, key, uid, max_record);
	if (err)
		zpinc_sender_free(s);
	else
		*to = s;
	return number(err);
}

void
zpinc_sender_free(struct zpinc_sender *s)
{
	if (s == NULL)
		return;
	zp_session_free(s->session);
	zp_identity_free(s->id);
	zp_out_free(&s->out);
	free(s);
}

int
zpinc_seal(struct zpinc_sender *s, const void *body, size_t len,
    uint64_t time_ms, int (*put)(void *, const char *, size_t), void *arg)
{
	const uint8_t *at = body;
	bool last;

	zp_session_begin(s->session, s->seq++, time_ms);
	do {
		size_t room = zp_session_room(s->session);
		size_t n = len < room ? len : room;
		last = n == len;
		s->out.len = 0;
		enum zp_err err =
		    zp_session_part(s->session, at, n, last, &s->out);
		/* Callbacks may wait or fork. */
		zp_session_expect(s->session, 0);
		if (err)
			return number(err);
		s->out.data[s->out.len] = '\0';
		if (put(arg, s->out.data, s->out.len - 1) != 0)
			return ZPINC_ECALLBACK;
		if (n > 0)
			at += n;
		len -= n;
	} while (!last);
	return ZPINC_OK;
}

static void
give_up(void *arg, const struct zp_body *body, enum zp_err why, bool begun)
{
	struct zpinc_reader *r = arg;

	(void)body;
	(void)begun;
	r->given_up = why;
}

static enum zp_err
make_reader(struct zpinc_reader *r)
{
	enum zp_err err = zp_suite_zp1_opener(r->key->kf, &r->opener);

	if (!err)
		err = zp_parts_new(&r->parts, false, give_up, r);
	return err ? err : zp_replay_new(&r->replay);
}

int
zpinc_reader_new(struct zpinc_reader **to, const struct zpinc_key *key)
{
	struct zpinc_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ZPINC_ENOMEM;
	r->key = key;
	enum zp_err err = make_reader(r);
	if (err)
		zpinc_reader_free(r);
	else
		*to = r;
	return number(err);
}

void
zpinc_reader_free(struct zpinc_reader *r)
{
	if (r == NULL)
		return;
	zp_opener_free(r->opener);
	zp_parts_free(r->parts);
	zp_replay_free(r->replay);
	free(r);
}

static int
hand_over(struct zpinc_reader *r, const struct zp_piece *piece,
    int (*take)(void *, const struct zpinc_note *), void *arg)
{
	const struct zp_body *b = piece->body;
	const struct zp_convfile *c = r->key->kf->conv;
	struct zpinc_note note = {.kind = (int)b->kind,
	    .uid = b->uid,
	    .time_ms = b->time,
	    .seq = b->seq,
	    .sid = b->sid,
	    .idkey = b->is_signed ? b->idkey : NULL,
	    .conversation = c ? c->id : NULL,
	    .body = piece->data,
	    .len = piece->len};
	struct zp_replay_name name = zp_suite_zp1_body_name(b);

	int error = number(zp_replay_mark(r->replay, &name, 0));
	if (error)
		return error;
	return take(arg, &note) != 0 ? ZPINC_ECALLBACK : ZPINC_OK;
}

/* One record through opening, replay and parts. */
static int
one_record(struct zpinc_reader *r, const struct zp_record *rec,
    int (*take)(void *, const struct zpinc_note *), void *arg)
{
	struct zp_opened op;
	struct zp_piece piece;
	enum zp_err err = zp_opener_open(r->opener, rec, &op);

	if (err == ZP_ERR_CORRUPT)
		return ZPINC_ENOTOURS;
	if (err)
		return err == ZP_ERR_MEMORY  ? ZPINC_ENOMEM
		    : err == ZP_ERR_NOT_OURS ? ZPINC_ENOTOURS
					     : ZPINC_EREFUSED;
	if (op.payload.kind != ZP_KIND_NOTE &&
	    op.payload.kind != ZP_KIND_MESSAGE)
		return ZPINC_ENOTOURS;
	struct zp_replay_name name = zp_suite_zp1_record_name(&op);
	if (zp_replay_check(r->replay, &name) == ZP_REPLAY_AGAIN)
		return ZPINC_EREPLAY;
	r->given_up = ZP_OK;
	err = zp_parts_add(r->parts, &op);
	int error = err == ZP_ERR_FORMAT ? ZPINC_ECUT
	    : err			 ? number(err)
					 : number(r->given_up);
	while (!error && zp_parts_next(r->parts, &piece))
		error = hand_over(r, &piece, take, arg);
	return error;
}

int
zpinc_open(struct zpinc_reader *r, const char *text, size_t len,
    int (*take)(void *, const struct zpinc_note *), void *arg)
{
	struct zp_record rec;
	size_t from = 0;
	int last = ZPINC_ENOTOURS;
	bool opened = false;

	while (zp_record_find(text, len, &from, false, &rec)) {
		last = one_record(r, &rec, take, arg);
		if (last == ZPINC_ECALLBACK || last == ZPINC_ENOMEM)
			return last;
		opened = opened || last == ZPINC_OK;
		if (last == ZPINC_ENOTOURS)
			from = zp_record_retry(text, &rec);
	}
	return opened ? ZPINC_OK : last;
}
