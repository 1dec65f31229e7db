#include "proc/zp_inbox.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypt/zp_pseudo.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proto/zp_format.h"

#define CHANNELS 64
#define EXPECTED 64
#define RESTORED                                                           \
	"numbers used before, with a later time: was the sender restored " \
	"from a backup?"

/* One key in use. */
struct channel {
	const struct zp_keyfile *kf; /* NULL: opened elsewhere */
	const char *name;
	const uint8_t *amac, *aenc;
	uint8_t rp[ZP_PSEUDONYM_LEN];
	struct zp_opener *opener;
	struct zp_parts *parts;
	struct zp_inbox *in;
	struct zp_replay *own; /* without a state file; may be NULL */
	struct zp_replay *replay;
	/* Opened elsewhere: whose key is in which slot. */
	uint8_t conv[ZP_OPENER_KEYS][ZP_CONV_ID_LEN];
	bool has_conv[ZP_OPENER_KEYS];
};

struct expected {
	char uid[ZP_NAME_MAX + 1];
	uint64_t age, latest;
};

/* The same complaint in a row is said once and counted. */
struct complaint {
	char uid[ZP_NAME_MAX + 1];
	enum zp_err err;
	uint64_t more;
};

struct zp_inbox {
	struct zp_inbox_config c;
	struct channel channels[CHANNELS];
	size_t n;
	struct expected expected[EXPECTED];
	size_t n_expected;
	struct zp_readstate *state;
	struct zp_known *known;
	struct complaint last;
	uint64_t now; /* ms since 1970, once a batch */
	uint64_t ticks, refreshed;
	uint64_t shown, opened, noise, ours_unopened, replays, skipped, old;
	enum zp_exit status;
	enum zp_err failed; /* from within a report */
};

/* The graver of two statuses wins: 5, 4, 3, 1. */
static void
set_status(struct zp_inbox *in, enum zp_exit status)
{
	if (status > in->status)
		in->status = status;
}

static enum zp_err
fail_file(struct zp_inbox *in, const char *path, enum zp_err err,
    const struct zp_fault *fault)
{
	zp_load_say(in->c.tool, path, err, fault);
	set_status(in, zp_err_status(err));
	return err;
}

enum zp_err
zp_inbox_new(struct zp_inbox **inbox, const struct zp_inbox_config *config)
{
	struct zp_inbox *in = calloc(1, sizeof(*in));
	struct zp_fault fault = {0};
	enum zp_err err;

	if (in == NULL)
		return ZP_ERR_MEMORY;
	in->c = *config;
	err = zp_known_open(
	    &in->known, in->c.trust_path, in->c.trust_new, &fault);
	if (err) {
		zp_load_say(in->c.tool,
		    in->c.trust_path ? in->c.trust_path : "known identities",
		    err, &fault);
		if (in->c.trust_path == NULL)
			zp_hint("--trust FILE keeps them elsewhere");
		zp_inbox_free(in);
		return err == ZP_ERR_NOT_FOUND ? ZP_ERR_KEY : err;
	}
	if (in->c.state_path != NULL) {
		err = zp_readstate_open(&in->state, in->c.state_path, &fault);
		if (err) {
			zp_load_say(in->c.tool, in->c.state_path, err, &fault);
			zp_inbox_free(in);
			return err;
		}
	}
	*inbox = in;
	return ZP_OK;
}

void
zp_inbox_free(struct zp_inbox *in)
{
	if (in == NULL)
		return;
	for (size_t i = 0; i < in->n; i++) {
		zp_opener_free(in->channels[i].opener);
		zp_parts_free(in->channels[i].parts);
		zp_replay_free(in->channels[i].own);
	}
	zp_readstate_free(in->state);
	zp_known_free(in->known);
	free(in);
}

/* "12:04", or with the date if that is not today's. */
static const char *
say_time(char to[static 32], uint64_t ms, uint64_t now)
{
	time_t t = (time_t)(ms / 1000), n = (time_t)(now / 1000);
	struct tm a, b;

	if (localtime_r(&t, &a) == NULL || localtime_r(&n, &b) == NULL)
		return zp_format_time(to, ms);
	bool today = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
	if (strftime(to, 32, today ? "%H:%M" : "%Y-%m-%d %H:%M", &a) == 0)
		return zp_format_time(to, ms);
	return to;
}

static void
say_more(struct zp_inbox *in)
{
	char name[ZP_SAY_NAME];

	if (in->last.more > 0)
		zp_say(in->c.tool, "%s: the same %llu times more",
		    zp_say_name(name, in->last.uid),
		    (unsigned long long)in->last.more);
	in->last.more = 0;
}

/* A record of a known sender that is not shown, and why. */
static void
complain(
    struct zp_inbox *in, const char *uid, enum zp_err err, const char *what)
{
	char name[ZP_SAY_NAME];

	if (in->last.err == err && strcmp(in->last.uid, uid) == 0) {
		in->last.more++;
		return;
	}
	say_more(in);
	in->last.err = err;
	snprintf(in->last.uid, sizeof(in->last.uid), "%s", uid);
	zp_say(in->c.tool, "%s: %s", zp_say_name(name, uid),
	    what ? what : zp_err_text(err));
}

const char *
zp_inbox_trust_path(const struct zp_inbox *in)
{
	return zp_known_path(in->known);
}

/* The name of a body, as replays are told by it. */
static struct zp_replay_name
name_of_body(const struct zp_body *b)
{
	struct zp_replay_name rn = {.kind = (uint8_t)b->kind,
	    .seq = b->seq,
	    .time = b->time,
	    .has_first = b->kind == ZP_KIND_MESSAGE,
	    .first = b->first};

	memcpy(rn.p, b->p, sizeof(rn.p));
	memcpy(rn.sid, b->sid, sizeof(rn.sid));
	return rn;
}

/*
 * A body of which parts are missing, or contradict one another.  It may come
 * whole after all, in this run or in the next one, and is shown then; each
 * is told once.
 */
static void
give_up(void *arg, const struct zp_body *body, enum zp_err why, bool begun)
{
	struct channel *ch = arg;
	struct zp_inbox *in = ch->in;
	char name[ZP_SAY_NAME], when[32];
	struct zp_replay_name rn = name_of_body(body);

	/* Its first part may be among those missing. */
	rn.has_first = body->first != 0;
	if (begun || zp_replay_check(ch->replay, &rn) != ZP_REPLAY_LATE) {
		say_more(in);
		in->last.err = ZP_OK;
		zp_say(in->c.tool, "%s: the body of %s: %s%s",
		    zp_say_name(name, body->uid),
		    say_time(when, body->time, in->now),
		    why == ZP_ERR_CUT ? "parts are missing" : zp_err_text(why),
		    begun ? "; what was written is not all of it"
			  : "; not shown");
		set_status(
		    in, why == ZP_ERR_MEMORY ? ZP_EXIT_IO : ZP_EXIT_REFUSED);
	}
	if (zp_replay_give_up(ch->replay, &rn, in->ticks) != ZP_OK)
		in->failed = ZP_ERR_MEMORY;
}

/* Opener, with the one key there is in the file. */
static enum zp_err
open_channel(struct channel *ch)
{
	const struct zp_convfile *c = ch->kf->conv;
	const char *name = zp_keyfile_channel(ch->kf);
	unsigned slot;
	enum zp_err err;

	ch->name = name;
	ch->amac = c ? c->amac : zp_key_amac(ch->kf->key);
	ch->aenc = c ? c->aenc : zp_key_aenc(ch->kf->key);
	err = zp_pseudo_make(ch->rp, ch->amac, ch->aenc, ZP_PSEUDO_CHAN, name);
	if (!err)
		err = zp_opener_new(&ch->opener, ch->amac, ch->aenc, name);
	if (err)
		return err;
	if (c == NULL)
		return zp_opener_add(ch->opener, zp_key_msgkey(ch->kf->key),
		    NULL, NULL, 0, &slot);
	uint8_t(*members)[ZP_PSEUDONYM_LEN] = calloc(c->n, sizeof(*members));
	if (members == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < c->n; i++)
		memcpy(members[i], c->members[i].p, sizeof(*members));
	err = zp_opener_add(ch->opener, c->key, c->id,
	    (const uint8_t(*)[ZP_PSEUDONYM_LEN])members, c->n, &slot);
	free(members);
	return err;
}

/* What follows opening: parts, and what has been seen. */
static enum zp_err
finish_channel(struct zp_inbox *in, struct channel *ch)
{
	enum zp_err err =
	    zp_parts_new(&ch->parts, in->c.style == ZP_INBOX_RAW, give_up, ch);

	if (err || in->state != NULL)
		return err;
	/* Keys of one channel share what has been seen of it. */
	for (size_t i = 0; i + 1 < in->n; i++)
		if (memcmp(in->channels[i].rp, ch->rp, sizeof(ch->rp)) == 0)
			ch->replay = in->channels[i].replay;
	if (ch->replay != NULL)
		return ZP_OK;
	err = zp_replay_new(&ch->own);
	ch->replay = ch->own;
	return err;
}

enum zp_err
zp_inbox_key(struct zp_inbox *in, const struct zp_keyfile *kf)
{
	if (in->n == CHANNELS)
		return ZP_ERR_FULL;
	struct channel *ch = &in->channels[in->n++];
	ch->kf = kf;
	ch->in = in;
	enum zp_err err = open_channel(ch);
	return err ? err : finish_channel(in, ch);
}

enum zp_err
zp_inbox_channel(struct zp_inbox *in, const struct zp_key *key)
{
	if (in->n == CHANNELS)
		return ZP_ERR_FULL;
	struct channel *ch = &in->channels[in->n++];
	ch->in = in;
	ch->name = zp_key_channel(key);
	ch->amac = zp_key_amac(key);
	ch->aenc = zp_key_aenc(key);
	memcpy(ch->rp, zp_key_rp(key, false), sizeof(ch->rp));
	return finish_channel(in, ch);
}

enum zp_err
zp_inbox_expect(struct zp_inbox *in, const char *uid, uint64_t age)
{
	size_t len = strlen(uid);

	if (!zp_text_is_name(uid, len))
		return ZP_ERR_NAME;
	if (in->n_expected == EXPECTED)
		return ZP_ERR_FULL;
	struct expected *e = &in->expected[in->n_expected++];
	memcpy(e->uid, uid, len + 1);
	e->age = age;
	return ZP_OK;
}

enum zp_err
zp_inbox_begin(struct zp_inbox *in)
{
	struct zp_fault fault = {0};
	enum zp_err err = zp_load_now(&in->now);

	if (err) {
		zp_say(in->c.tool, "time: %s", zp_err_text(err));
		set_status(in, zp_err_status(err));
		return err;
	}
	in->ticks = zp_load_ticks();
	/* A stat a block would cost a fast reader some percent. */
	if (in->refreshed == 0 || in->ticks - in->refreshed >= 100) {
		in->refreshed = in->ticks;
		err = zp_known_refresh(in->known, &fault);
		if (err)
			return fail_file(
			    in, zp_known_path(in->known), err, &fault);
	}
	bool begin = in->state != NULL && !zp_readstate_begun(in->state);
	if (begin)
		err = zp_readstate_begin(in->state, in->ticks, &fault);
	for (size_t i = 0; i < in->n && !err; i++) {
		struct channel *ch = &in->channels[i];
		if (begin)
			err = zp_readstate_channel(
			    in->state, ch->rp, &ch->replay);
		if (!err)
			zp_replay_today(ch->replay, in->now);
	}
	return err ? fail_file(in, in->c.state_path, err, &fault) : ZP_OK;
}

static void
say_gap(struct zp_inbox *in, const struct channel *ch,
    const struct zp_replay_gap *gap)
{
	char uid[ZP_NAME_MAX + 1], name[ZP_SAY_NAME], when[32];
	bool timed = gap->before != 0;

	/* Messages that are taken are counted by who takes them. */
	if (in->c.take != NULL && gap->kind == ZP_KIND_MESSAGE)
		return;
	if (zp_pseudo_open(uid, ch->amac, ch->aenc, gap->p) != ZP_OK)
		return;
	if (in->c.gap != NULL)
		in->c.gap(in->c.arg, uid, (enum zp_kind)gap->kind, gap->missing,
		    gap->before);
	say_more(in);
	in->last.err = ZP_OK;
	zp_say(in->c.tool, "%s: %llu record%s missing%s%s",
	    zp_say_name(name, uid), (unsigned long long)gap->missing,
	    gap->missing == 1 ? "" : "s",
	    timed	     ? " before "
		: gap->start ? " before the first one"
			     : "",
	    timed ? say_time(when, gap->before, in->now) : "");
	if (in->c.strict)
		set_status(in, ZP_EXIT_REFUSED);
}

static void
tell_gaps(struct zp_inbox *in, uint64_t patience)
{
	struct zp_replay_gap gap;

	for (size_t i = 0; i < in->n; i++) {
		struct channel *ch = &in->channels[i];
		while (ch->replay != NULL &&
		    zp_replay_gap(ch->replay, in->ticks, patience, &gap))
			say_gap(in, ch, &gap);
	}
}

/* Output first, then what was shown is remembered. */
static enum zp_err
commit(struct zp_inbox *in, bool wait)
{
	struct zp_fault fault = {0};
	char buf[ZP_SAY_NAME];
	enum zp_err err = zp_out_flush(in->c.out);

	if (err) {
		zp_say(in->c.tool, "standard output: %s", zp_say_err(buf, err));
		set_status(in, ZP_EXIT_IO);
		return err;
	}
	if (in->state == NULL || !zp_readstate_due(in->state, wait, in->ticks))
		return ZP_OK;
	err = zp_readstate_end(in->state, &fault);
	return err ? fail_file(in, in->c.state_path, err, &fault) : ZP_OK;
}

enum zp_err
zp_inbox_end(struct zp_inbox *in, bool wait)
{
	tell_gaps(in, ZP_REPLAY_PATIENCE_MS);
	return commit(in, wait);
}

/* Is the sender's identity what it should be? */
static enum zp_err
check_trust(struct zp_inbox *in, struct channel *ch, const struct zp_opened *op,
    enum zp_trust *trust, bool *refused)
{
	struct zp_fault fault = {0};
	const uint8_t *idkey = op->payload.idkey;
	enum zp_err err;

	*refused = false;
	*trust = zp_known_check(in->known, ch->rp, op->uid, idkey);
	if (*trust == ZP_TRUST_NEW) {
		err = zp_known_meet(
		    in->known, ch->rp, op->uid, idkey, in->now, trust, &fault);
		if (err)
			return fail_file(
			    in, zp_known_path(in->known), err, &fault);
	}
	err = zp_trust_err(*trust);
	if (err == ZP_OK)
		return ZP_OK;
	*refused = true;
	complain(in, op->uid, err, NULL);
	if (in->last.more == 0 && err == ZP_ERR_CHANGED)
		zp_hint("if that is right: zpinc-key trust forget");
	set_status(in, zp_err_status(err));
	return ZP_OK;
}

static void
note_latest(struct zp_inbox *in, const struct zp_opened *op)
{
	for (size_t i = 0; i < in->n_expected; i++)
		if (strcmp(in->expected[i].uid, op->uid) == 0 &&
		    op->payload.time > in->expected[i].latest)
			in->expected[i].latest = op->payload.time;
}

static struct zp_replay_name
name_of(const struct zp_opened *op)
{
	struct zp_replay_name rn = {.kind = op->payload.kind,
	    .seq = op->payload.seq,
	    .time = op->payload.time};

	memcpy(rn.p, op->p, sizeof(rn.p));
	memcpy(rn.sid, op->payload.sid, sizeof(rn.sid));
	return rn;
}

/* Shown before, or perhaps: not again, unless --all. */
static bool
is_replay(struct zp_inbox *in, struct channel *ch, const char *uid,
    const struct zp_replay_name *rn)
{
	switch (zp_replay_check(ch->replay, rn)) {
	case ZP_REPLAY_NEW:
	case ZP_REPLAY_LATE:
		return false;
	case ZP_REPLAY_RESTORED:
		complain(in, uid, ZP_ERR_REPLAY, RESTORED);
		return false;
	case ZP_REPLAY_AGAIN:
		if (in->c.all)
			return false;
		in->replays++;
		if (in->c.strict)
			complain(in, uid, ZP_ERR_REPLAY, NULL);
		break;
	case ZP_REPLAY_TOO_OLD:
		if (in->c.all)
			return false;
		complain(in, uid, ZP_ERR_TOO_OLD, NULL);
		break;
	}
	if (in->c.strict)
		set_status(in, ZP_EXIT_REFUSED);
	return true;
}

static bool
is_old(struct zp_inbox *in, const struct zp_opened *op)
{
	uint64_t time = op->payload.time;

	if (in->c.max_age == 0 ||
	    (time != 0 && (time >= in->now || in->now - time <= in->c.max_age)))
		return false;
	in->old++;
	if (in->c.strict) {
		complain(in, op->uid, ZP_ERR_TOO_OLD,
		    "older than --max-age: not shown");
		set_status(in, ZP_EXIT_REFUSED);
	}
	return true;
}

static const char *
format_of(const struct zp_inbox *in, enum zp_kind kind)
{
	if (kind == ZP_KIND_NOTE && in->c.note_format != NULL)
		return in->c.note_format;
	return in->c.format;
}

static enum zp_err
put(struct zp_inbox *in, const struct channel *ch, const struct zp_piece *piece,
    const struct zp_replay_name *rn, enum zp_trust trust)
{
	const struct zp_body *b = piece->body;
	const struct zp_convfile *conv = ch->kf ? ch->kf->conv : NULL;
	struct zp_shown s = {.kind = b->kind,
	    .channel = ch->name,
	    .uid = b->uid,
	    .time = b->time,
	    .sid = b->sid,
	    .seq = b->seq,
	    .data = piece->data,
	    .len = piece->len,
	    .identity = zp_trust_text(trust),
	    .idkey = b->is_signed ? b->idkey : NULL,
	    .conversation = conv ? conv->id : NULL};

	if (ch->kf == NULL && b->kind == ZP_KIND_MESSAGE)
		s.conversation = ch->conv[b->slot];
	switch (in->c.style) {
	case ZP_INBOX_TEXT:
		return zp_format_text(in->c.out, format_of(in, b->kind), &s);
	case ZP_INBOX_JSON:
		if (zp_replay_check(ch->replay, rn) == ZP_REPLAY_RESTORED)
			s.warning = RESTORED;
		return zp_format_json(in->c.out, &s);
	case ZP_INBOX_RAW:
		return zp_out_put(in->c.out, piece->data, piece->len);
	}
	return ZP_OK;
}

static enum zp_err
show_piece(struct zp_inbox *in, struct channel *ch,
    const struct zp_piece *piece, enum zp_trust trust)
{
	char buf[ZP_SAY_NAME];
	struct zp_replay_name rn = name_of_body(piece->body);
	enum zp_err err = put(in, ch, piece, &rn, trust);

	if (err) {
		zp_say(in->c.tool, "standard output: %s", zp_say_err(buf, err));
		set_status(in, ZP_EXIT_IO);
		return err;
	}
	if (!piece->ends)
		return ZP_OK;
	in->shown++;
	return zp_replay_mark(ch->replay, &rn, in->ticks);
}

/* Shows what is ready and remembers it. */
static enum zp_err
show(struct zp_inbox *in, struct channel *ch, enum zp_trust trust)
{
	struct zp_piece piece;

	while (zp_parts_next(ch->parts, &piece)) {
		const struct zp_body *b = piece.body;
		/* A body may be another sender's than the last record's. */
		enum zp_trust t = zp_known_check(
		    in->known, ch->rp, b->uid, b->is_signed ? b->idkey : NULL);
		if (trust == ZP_TRUST_NEW && t == ZP_TRUST_KNOWN &&
		    piece.begins)
			t = ZP_TRUST_NEW;
		bool takes = in->c.take && b->kind == ZP_KIND_MESSAGE;
		enum zp_err err = takes ? in->c.take(in->c.arg, &piece, t)
					: show_piece(in, ch, &piece, t);
		if (err)
			return err;
	}
	return in->failed;
}

/* An opened record: through all checks to the screen. */
static enum zp_err
take(struct zp_inbox *in, struct channel *ch, const struct zp_opened *op)
{
	struct zp_replay_name rn = name_of(op);
	enum zp_trust trust;
	bool refused;

	if (op->payload.kind == ZP_KIND_HELLO)
		return ZP_OK;
	if (op->payload.kind != ZP_KIND_NOTE &&
	    op->payload.kind != ZP_KIND_MESSAGE) {
		in->skipped++;
		return ZP_OK;
	}
	enum zp_err err = check_trust(in, ch, op, &trust, &refused);
	if (err || refused)
		return err;
	note_latest(in, op);
	if (is_old(in, op))
		return ZP_OK;
	if (is_replay(in, ch, op->uid, &rn))
		return in->c.again && op->payload.kind == ZP_KIND_MESSAGE
		    ? in->c.again(in->c.arg, op)
		    : ZP_OK;
	err = zp_parts_add(ch->parts, op);
	if (err == ZP_ERR_FORMAT) {
		complain(in, op->uid, err, NULL);
		set_status(in, ZP_EXIT_REFUSED);
	} else if (err == ZP_ERR_REPLAY) {
		in->replays++;
	} else if (err) {
		return err;
	}
	return show(in, ch, trust);
}

/*
 * Made with our key and changed since.  Anybody can do that, so it is noise;
 * but the first of a row is worth a line.
 */
static void
say_damaged(struct zp_inbox *in, uint64_t number)
{
	char who[ZP_SAY_NAME];

	snprintf(who, sizeof(who), "record %llu", (unsigned long long)number);
	if (in->last.err == ZP_ERR_CORRUPT) {
		in->last.more++;
		return;
	}
	complain(in, who, ZP_ERR_CORRUPT, "damaged or torn: not shown");
}

enum zp_err
zp_inbox_record(struct zp_inbox *in, const struct zp_record *rec,
    uint64_t number, bool *ours)
{
	struct zp_opened op;
	bool mine = false;

	for (size_t i = 0; i < in->n; i++) {
		struct channel *ch = &in->channels[i];
		enum zp_err err = zp_opener_open(ch->opener, rec, &op);
		if (err == ZP_ERR_NOT_OURS) {
			mine = mine || zp_opener_is_ours(ch->opener, rec);
			continue;
		}
		if (err == ZP_ERR_MEMORY)
			return err;
		if (err == ZP_ERR_CORRUPT) {
			say_damaged(in, number);
			mine = true;
			continue;
		}
		*ours = true;
		in->opened++;
		if (err == ZP_OK)
			return take(in, ch, &op);
		say_more(in);
		in->last.err = ZP_OK;
		zp_say(in->c.tool, "record %llu: %s: not shown",
		    (unsigned long long)number, zp_err_text(err));
		set_status(in,
		    zp_err_status(err) == ZP_EXIT_KEY && err != ZP_ERR_SIGNATURE
			? ZP_EXIT_REFUSED
			: zp_err_status(err));
		return ZP_OK;
	}
	*ours = false;
	in->noise++;
	in->ours_unopened += mine;
	return ZP_OK;
}

enum zp_err
zp_inbox_opened(
    struct zp_inbox *in, const struct zp_opened *opened, const uint8_t *conv)
{
	struct channel *ch = &in->channels[0];

	if (conv != NULL) {
		memcpy(ch->conv[opened->slot], conv, ZP_CONV_ID_LEN);
		ch->has_conv[opened->slot] = true;
	}
	in->opened++;
	return take(in, ch, opened);
}

enum zp_err
zp_inbox_skip(struct zp_inbox *in, const struct zp_opened *opened)
{
	struct zp_replay_name rn = name_of(opened);

	if (zp_replay_check(in->channels[0].replay, &rn) != ZP_REPLAY_NEW)
		return ZP_OK;
	return zp_replay_mark(in->channels[0].replay, &rn, in->ticks);
}

bool
zp_inbox_conv(const struct zp_inbox *in, unsigned slot,
    uint8_t conv[static ZP_CONV_ID_LEN])
{
	const struct channel *ch = &in->channels[0];

	if (ch->has_conv[slot])
		memcpy(conv, ch->conv[slot], ZP_CONV_ID_LEN);
	return ch->has_conv[slot];
}

enum zp_err
zp_inbox_show(struct zp_inbox *in, const struct zp_body *body,
    const uint8_t *data, size_t len, enum zp_trust trust, const uint8_t *conv)
{
	struct channel *ch = &in->channels[0];
	struct zp_piece piece = {.body = body,
	    .data = data,
	    .len = len,
	    .begins = true,
	    .ends = true};

	memcpy(ch->conv[body->slot], conv, ZP_CONV_ID_LEN);
	return show_piece(in, ch, &piece, trust);
}

void
zp_inbox_announce(struct zp_inbox *in, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint64_t notes)
{
	zp_replay_announce(
	    in->channels[0].replay, p, sid, ZP_KIND_NOTE, notes, in->ticks);
}

struct zp_known *
zp_inbox_known(struct zp_inbox *in)
{
	return in->known;
}

uint64_t
zp_inbox_shown(const struct zp_inbox *in)
{
	return in->shown;
}

int
zp_inbox_timeout(const struct zp_inbox *in)
{
	uint64_t next = UINT64_MAX, now = zp_load_ticks();

	/* With a state, the batch has ended: its gaps are not looked at
	 * before something comes, or the next run. */
	for (size_t i = 0; in->state == NULL && i < in->n; i++) {
		uint64_t d = zp_replay_deadline(
		    in->channels[i].replay, ZP_REPLAY_PATIENCE_MS);
		if (d < next)
			next = d;
	}
	if (next == UINT64_MAX)
		return -1;
	return next <= now	   ? 0
	    : next - now > INT_MAX ? INT_MAX
				   : (int)(next - now);
}

static void
check_expected(struct zp_inbox *in)
{
	char name[ZP_SAY_NAME], when[32];

	for (size_t i = 0; i < in->n_expected; i++) {
		const struct expected *e = &in->expected[i];
		if (e->latest >= in->now || in->now - e->latest <= e->age)
			continue;
		if (e->latest == 0)
			zp_say(in->c.tool, "%s: nothing heard",
			    zp_say_name(name, e->uid));
		else
			zp_say(in->c.tool, "%s: nothing since %s",
			    zp_say_name(name, e->uid),
			    say_time(when, e->latest, in->now));
		set_status(in, ZP_EXIT_REFUSED);
	}
}

/* What is no error but may be worth knowing. */
static void
summary(struct zp_inbox *in)
{
	if (!in->c.verbose)
		return;
	zp_say(in->c.tool,
	    "%llu shown, %llu seen before, %llu older than --max-age, %llu of "
	    "unknown kinds, %llu that no key opens",
	    (unsigned long long)in->shown, (unsigned long long)in->replays,
	    (unsigned long long)in->old, (unsigned long long)in->skipped,
	    (unsigned long long)in->noise);
}

enum zp_err
zp_inbox_finish(struct zp_inbox *in)
{
	enum zp_err err = zp_inbox_begin(in);

	for (size_t i = 0; i < in->n && !err; i++) {
		zp_parts_end(in->channels[i].parts);
		err = show(in, &in->channels[i], ZP_TRUST_KNOWN);
	}
	if (err)
		return err;
	tell_gaps(in, 0);
	err = commit(in, true);
	say_more(in);
	check_expected(in);
	if (in->ours_unopened > 0 && in->opened == 0) {
		zp_say(in->c.tool,
		    "%llu records of this channel, and none could be opened",
		    (unsigned long long)in->ours_unopened);
		zp_hint("is it the same password, channel and --work?");
		set_status(in, ZP_EXIT_REFUSED);
	}
	if (in->c.strict && in->noise > 0) {
		zp_say(in->c.tool, "%llu records that no key in hand opens",
		    (unsigned long long)in->noise);
		set_status(in, ZP_EXIT_REFUSED);
	}
	summary(in);
	return err;
}

enum zp_exit
zp_inbox_status(const struct zp_inbox *in)
{
	return in->status;
}
