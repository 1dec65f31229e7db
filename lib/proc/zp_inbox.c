#include "proc/zp_inbox.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypt/zp_pseudo.h"
#include "proc/zp_budget.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proto/zp_format.h"
#include "store/zp_suite_zp1.h"

#define CHANNELS 64
#define EXPECTED 64
#define RESTORED                                                           \
	"numbers used before, with a later time: was the sender restored " \
	"from a backup?"

#define AHEAD                                                                  \
	"dated more than a day ahead of this machine's clock: not shown, and " \
	"tried again next time"

/* One key in use. */
struct channel {
	const struct zp_suite_ops *ops;
	struct zp_listener *listener;
	bool elsewhere; /* its records are opened by our caller */
	/* With ZP_SUITE_NUMBERS: */
	const uint8_t *amac, *aenc;
	uint8_t rp[ZP_PSEUDONYM_LEN];
	struct zp_replay *own; /* without a state file; may be NULL */
	struct zp_replay *replay;
	/* Opened elsewhere: whose key is in which slot. */
	uint8_t conv[ZP_OPENER_KEYS][ZP_CONV_ID_LEN];
	bool has_conv[ZP_OPENER_KEYS];
};

struct expected {
	const char *uid; /* borrowed */
	uint64_t age, latest;
};

/*
 * A relay can mix what it has of old and damaged records as it likes, so that
 * no two complaints in a row are the same: so many lines at once, and one
 * more every so often.  Those about identities have a budget of their own,
 * which only members can use up.
 */
#define LINES_MOST 64
#define LINES_EVERY 1000

/* The same complaint in a row is said once and counted. */
struct complaint {
	char who[ZP_SAY_NAME]; /* as it was shown */
	enum zp_err err;
	uint64_t more;
};

struct zp_inbox {
	struct zp_inbox_config c;
	size_t n; /* channels */
	struct expected expected[EXPECTED];
	size_t n_expected;
	struct zp_readstate *state;
	struct zp_known *known;
	struct complaint last;
	struct zp_budget lines[2]; /* about records; about identities */
	uint64_t unsaid;
	bool told_raw; /* how to have bodies that are too long */
	enum zp_err unsettled; /* new identities could not be written */
	uint64_t now; /* ms since 1970, once a batch */
	uint64_t ticks, refreshed;
	uint64_t shown, opened, noise, ours_unopened, replays, skipped, old;
	uint64_t typing;
	enum zp_exit status;
	/* Last, since it is large and those behind n are not touched. */
	struct channel channels[CHANNELS];
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

/* What is no file's or output's fault is said here. */
static enum zp_err
fail_memory(struct zp_inbox *in, enum zp_err err)
{
	if (err == ZP_ERR_MEMORY) {
		zp_say(in->c.tool, "%s", zp_err_text(err));
		set_status(in, zp_err_status(err));
	}
	return err;
}

enum zp_err
zp_inbox_new(struct zp_inbox **inbox, const struct zp_inbox_config *config)
{
	struct zp_inbox *in = malloc(sizeof(*in));
	struct zp_fault fault = {0};
	enum zp_err err;

	if (in == NULL) {
		zp_say(config->tool, "%s", zp_err_text(ZP_ERR_MEMORY));
		return ZP_ERR_MEMORY;
	}
	memset(in, 0, offsetof(struct zp_inbox, channels));
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
	in->refreshed = zp_load_ticks();
	*inbox = in;
	return ZP_OK;
}

void
zp_inbox_free(struct zp_inbox *in)
{
	if (in == NULL)
		return;
	for (size_t i = 0; i < in->n; i++) {
		if (in->channels[i].listener != NULL)
			in->channels[i].ops->deafen(in->channels[i].listener);
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

/*
 * What was met is on disk, and the list unlocked, before anything is said
 * about it, or waits for somebody to read.
 */
enum zp_err
zp_inbox_settle(struct zp_inbox *in)
{
	struct zp_fault fault = {0};
	enum zp_err err = zp_known_settle(in->known);

	if (err)
		in->unsettled =
		    fail_file(in, zp_known_path(in->known), err, &fault);
	return in->unsettled;
}

static void
say_more(struct zp_inbox *in)
{
	if (in->last.more > 0)
		zp_say(in->c.tool, "%s: the same %llu time%s more",
		    in->last.who, (unsigned long long)in->last.more,
		    in->last.more == 1 ? "" : "s");
	in->last.more = 0;
}

/* May one line more be said about this? */
static bool
may_say(struct zp_inbox *in, enum zp_err err)
{
	const bool who = err == ZP_ERR_CHANGED || err == ZP_ERR_UNSIGNED ||
	    err == ZP_ERR_UNKNOWN || err == ZP_ERR_FULL || err == ZP_ERR_IO;
	const bool may = zp_budget_spend(
	    &in->lines[who], in->ticks, LINES_MOST, LINES_EVERY);

	in->unsaid += !may;
	return may;
}

/* A record that is not shown, and why, or of a sender.  Was it said? */
static bool
complain_of(
    struct zp_inbox *in, const char *who, enum zp_err err, const char *what)
{
	if (in->last.err == err && strcmp(in->last.who, who) == 0) {
		in->last.more++;
		return false;
	}
	if (!may_say(in, err))
		return false;
	(void)!zp_inbox_settle(in);
	say_more(in);
	in->last.err = err;
	snprintf(in->last.who, sizeof(in->last.who), "%s", who);
	zp_say(in->c.tool, "%s: %s", who, what ? what : zp_err_text(err));
	return true;
}

static bool
complain(
    struct zp_inbox *in, const char *uid, enum zp_err err, const char *what)
{
	char name[ZP_SAY_NAME];

	return complain_of(in, zp_say_uid(name, uid), err, what);
}

const char *
zp_inbox_trust_path(const struct zp_inbox *in)
{
	return zp_known_path(in->known);
}

static void
give_up(void *arg, const char *uid, uint64_t time, enum zp_err why, bool begun)
{
	struct zp_inbox *in = arg;
	char name[ZP_SAY_NAME], when[32];

	say_more(in);
	in->last.err = ZP_OK;
	zp_say(in->c.tool, "%s: %s%s: %s%s", zp_say_uid(name, uid),
	    time ? "the body of " : "a body",
	    time ? say_time(when, time, in->now) : "",
	    why == ZP_ERR_CUT ? "parts are missing" : zp_err_text(why),
	    begun ? "; what was written is not all of it" : "; not shown");
	/* Of a conversation's messages zpinc-open has no key. */
	if (why == ZP_ERR_TOO_LONG && !in->told_raw && in->c.take == NULL)
		zp_hint("zpinc-open --raw writes a body of any length");
	in->told_raw = in->told_raw || why == ZP_ERR_TOO_LONG;
	set_status(in, why == ZP_ERR_MEMORY ? ZP_EXIT_IO : ZP_EXIT_REFUSED);
}

static struct zp_listening
how_to_listen(struct zp_inbox *in, const struct zp_keyfile *kf)
{
	return (struct zp_listening){.kf = kf,
	    .stream = in->c.style == ZP_INBOX_RAW,
	    .restored = in->c.style == ZP_INBOX_JSON,
	    .lost = give_up,
	    .arg = in};
}

/* Keys of one channel share what has been seen of it. */
static enum zp_err
share_replay(struct zp_inbox *in, struct channel *ch)
{
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i + 1 < in->n; i++)
		if (in->channels[i].replay != NULL &&
		    memcmp(in->channels[i].rp, ch->rp, sizeof(ch->rp)) == 0)
			ch->replay = in->channels[i].replay;
	if (ch->replay == NULL) {
		err = zp_replay_new(&ch->own);
		ch->replay = ch->own;
	}
	if (!err)
		ch->ops->remember(ch->listener, ch->replay);
	return err;
}

/* What numbered suites need beside their listener. */
static enum zp_err
number_channel(
    struct zp_inbox *in, struct channel *ch, const struct zp_keyfile *kf)
{
	const struct zp_convfile *c = kf->conv;

	ch->amac = c ? c->amac : zp_key_amac(kf->key);
	ch->aenc = c ? c->aenc : zp_key_aenc(kf->key);
	enum zp_err err = zp_pseudo_make(
	    ch->rp, ch->amac, ch->aenc, ZP_PSEUDO_CHAN, zp_keyfile_channel(kf));
	return err || in->state != NULL ? err : share_replay(in, ch);
}

static struct channel *
add_channel(struct zp_inbox *in)
{
	struct channel *ch = &in->channels[in->n++];

	memset(ch, 0, sizeof(*ch));
	return ch;
}

enum zp_err
zp_inbox_key(struct zp_inbox *in, const struct zp_keyfile *kf)
{
	struct zp_listening how = how_to_listen(in, kf);

	if (in->n == CHANNELS)
		return ZP_ERR_FULL;
	struct channel *ch = add_channel(in);
	ch->ops = zp_keyfile_ops(kf);
	enum zp_err err = ch->ops->listen(&ch->listener, &how);
	if (err || !(ch->ops->can & ZP_SUITE_NUMBERS))
		return err;
	return number_channel(in, ch, kf);
}

enum zp_err
zp_inbox_channel(struct zp_inbox *in, const struct zp_key *key)
{
	struct zp_listening how = how_to_listen(in, NULL);

	if (in->n == CHANNELS)
		return ZP_ERR_FULL;
	struct channel *ch = add_channel(in);
	ch->ops = &zp_suite_zp1;
	ch->elsewhere = true;
	ch->amac = zp_key_amac(key);
	ch->aenc = zp_key_aenc(key);
	memcpy(ch->rp, zp_key_rp(key, false), sizeof(ch->rp));
	enum zp_err err = zp_suite_zp1_listener(&ch->listener, key, &how);
	return err || in->state != NULL ? err : share_replay(in, ch);
}

enum zp_err
zp_inbox_expect(struct zp_inbox *in, const char *uid, uint64_t age)
{
	bool good = false;

	for (size_t i = 0; i < in->n; i++)
		good |= in->channels[i].ops->is_name(uid, strlen(uid));
	if (!good)
		return ZP_ERR_NAME;
	if (in->n_expected == EXPECTED)
		return ZP_ERR_FULL;
	struct expected *e = &in->expected[in->n_expected++];
	e->uid = uid;
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
	if (in->ticks - in->refreshed >= 100) {
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
		if (!(ch->ops->can & ZP_SUITE_NUMBERS))
			continue;
		if (begin)
			err = zp_readstate_channel(
			    in->state, ch->rp, &ch->replay);
		if (err)
			break;
		zp_replay_today(ch->replay, in->now);
		ch->ops->remember(ch->listener, ch->replay);
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
	    zp_say_uid(name, uid), (unsigned long long)gap->missing,
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
	enum zp_err err = zp_inbox_settle(in);

	if (err && in->c.out->fd >= 0)
		/* By senders that nobody would know again. */
		zp_out_untake(in->c.out, in->c.out->len);
	if (err)
		return err;
	err = zp_out_flush(in->c.out);
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

/* Whom we could not know again is not shown; the others are. */
static void
refuse_new(struct zp_inbox *in, const char *uid, enum zp_err err)
{
	char what[2 * ZP_SAY_NAME + 64], path[ZP_SAY_NAME], buf[ZP_SAY_NAME];

	set_status(in, err == ZP_ERR_FULL ? ZP_EXIT_KEY : ZP_EXIT_IO);
	if (err == ZP_ERR_FULL) {
		complain(in, uid, err,
		    "the list of known identities is full: not shown");
		return;
	}
	zp_say_err(buf, err);
	snprintf(what, sizeof(what), "not shown, since not pinned: %s: %s",
	    zp_say_name(path, zp_known_path(in->known)), buf);
	if (complain(in, uid, err, what) && in->c.trust_path == NULL)
		zp_hint("--trust FILE keeps known identities elsewhere");
}

/* Is the sender's identity what it should be? */
static enum zp_err
check_trust(struct zp_inbox *in, struct channel *ch, const struct zp_heard *h,
    enum zp_trust *trust, bool *refused)
{
	struct zp_fault fault = {0};
	enum zp_err err;

	*refused = false;
	*trust = ZP_TRUST_ANONYMOUS;
	if (!(ch->ops->can & ZP_SUITE_SIGNS))
		return ZP_OK;
	*trust = zp_known_check(in->known, ch->rp, h->uid, h->idkey);
	if (*trust == ZP_TRUST_NEW) {
		err = zp_known_meet_now(in->known, ch->rp, h->uid, h->idkey,
		    in->now, trust, &fault);
		if (err == ZP_ERR_FULL || err == ZP_ERR_IO) {
			*refused = true;
			refuse_new(in, h->uid, err);
			return ZP_OK;
		}
		if (err)
			return fail_file(
			    in, zp_known_path(in->known), err, &fault);
	}
	err = zp_trust_err(*trust);
	if (err == ZP_OK)
		return ZP_OK;
	*refused = true;
	if (complain(in, h->uid, err, NULL) && err == ZP_ERR_CHANGED)
		zp_hint("if that is right: zpinc-key trust forget");
	set_status(in, zp_err_status(err));
	return ZP_OK;
}

static void
note_latest(struct zp_inbox *in, const struct zp_heard *h)
{
	for (size_t i = 0; i < in->n_expected; i++)
		if (strcmp(in->expected[i].uid, h->uid) == 0 &&
		    h->time > in->expected[i].latest)
			in->expected[i].latest = h->time;
}

/* Shown before, or perhaps: not again, unless --all. */
static bool
is_replay(struct zp_inbox *in, struct channel *ch, const char *uid)
{
	switch (ch->ops->again(ch->listener)) {
	case ZP_AGAIN_NEW:
		return false;
	case ZP_AGAIN_RESTORED:
		complain(in, uid, ZP_ERR_REPLAY, RESTORED);
		return false;
	case ZP_AGAIN_SHOWN:
		if (in->c.all)
			return false;
		in->replays++;
		if (in->c.strict)
			complain(in, uid, ZP_ERR_REPLAY, NULL);
		break;
	case ZP_AGAIN_TOO_OLD:
		if (in->c.all)
			return false;
		complain(in, uid, ZP_ERR_TOO_OLD, NULL);
		break;
	case ZP_AGAIN_AHEAD:
		if (in->c.all)
			return false;
		complain(in, uid, ZP_ERR_CLOCK, AHEAD);
		break;
	case ZP_AGAIN_RELABELLED:
		complain(in, uid, ZP_ERR_FORGED,
		    "this was said under another name before, so a relay put "
		    "one of them on it: not shown");
		set_status(in, ZP_EXIT_REFUSED);
		return true;
	}
	if (in->c.strict)
		set_status(in, ZP_EXIT_REFUSED);
	return true;
}

static bool
is_old(struct zp_inbox *in, const struct zp_heard *h)
{
	if (in->c.max_age == 0 ||
	    (h->time != 0 &&
		(h->time >= in->now || in->now - h->time <= in->c.max_age)))
		return false;
	in->old++;
	if (in->c.strict) {
		complain(in, h->uid, ZP_ERR_TOO_OLD,
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

/* A file is bytes of any kind: for a screen, a word about it. */
static enum zp_err
put_file(struct zp_inbox *in, const struct zp_shown *s)
{
	struct zp_shown told = *s;
	char text[ZP_SAY_NAME + 80], type[ZP_SAY_NAME];

	int n = snprintf(text, sizeof(text),
	    "(a file, %s, %zu bytes: --raw writes it)",
	    *s->type != '\0' ? zp_say_name(type, s->type) : "of no type",
	    s->len);
	told.data = (const uint8_t *)text;
	told.len = (size_t)n;
	return zp_format_text(in->c.out, format_of(in, s->kind), &told);
}

static enum zp_err
put(struct zp_inbox *in, const struct channel *ch, struct zp_piece_shown *piece,
    enum zp_trust trust)
{
	struct zp_shown *s = &piece->what;

	s->identity = zp_trust_text(trust);
	if (ch->elsewhere && s->kind == ZP_KIND_MESSAGE)
		s->conversation =
		    ch->conv[zp_suite_zp1_piece(ch->listener)->body->slot];
	if (piece->restored)
		s->warning = RESTORED;
	switch (in->c.style) {
	case ZP_INBOX_TEXT:
		return s->type != NULL
		    ? put_file(in, s)
		    : zp_format_text(in->c.out, format_of(in, s->kind), s);
	case ZP_INBOX_JSON:
		return zp_format_json(in->c.out, s);
	case ZP_INBOX_RAW:
		return zp_out_put(in->c.out, s->data, s->len);
	}
	return ZP_OK;
}

static enum zp_err
show_piece(struct zp_inbox *in, struct channel *ch,
    struct zp_piece_shown *piece, enum zp_trust trust)
{
	const struct zp_out *o = in->c.out;
	char buf[ZP_SAY_NAME];
	enum zp_err err = ZP_OK;

	/* May what was gathered have to go out for it, and wait? */
	if (o->fd >= 0 && o->cap - o->len < 8 * piece->what.len + 4096)
		err = zp_inbox_settle(in);
	if (err)
		return err;
	err = put(in, ch, piece, trust);
	if (err) {
		zp_say(in->c.tool, "standard output: %s", zp_say_err(buf, err));
		set_status(in, ZP_EXIT_IO);
		return err;
	}
	if (!piece->ends)
		return ZP_OK;
	in->shown++;
	return fail_memory(in, ch->ops->shown(ch->listener, in->ticks));
}

/* Whose identity a body shows; it may be another's than the last record's. */
static enum zp_trust
trust_of(const struct zp_inbox *in, const struct channel *ch,
    const struct zp_piece_shown *piece, enum zp_trust last)
{
	if (!(ch->ops->can & ZP_SUITE_SIGNS))
		return ZP_TRUST_ANONYMOUS;
	enum zp_trust t = zp_known_check(
	    in->known, ch->rp, piece->what.uid, piece->what.idkey);
	if (last == ZP_TRUST_NEW && t == ZP_TRUST_KNOWN && piece->begins)
		t = ZP_TRUST_NEW;
	return t;
}

/* Shows what is ready and remembers it. */
static enum zp_err
show(struct zp_inbox *in, struct channel *ch, enum zp_trust trust)
{
	struct zp_piece_shown piece;

	while (ch->ops->next(ch->listener, &piece)) {
		enum zp_trust t = trust_of(in, ch, &piece, trust);
		bool takes = in->c.take && piece.what.kind == ZP_KIND_MESSAGE;
		enum zp_err err = takes
		    ? in->c.take(in->c.arg, zp_suite_zp1_piece(ch->listener), t)
		    : show_piece(in, ch, &piece, t);
		if (err)
			return err;
	}
	return ZP_OK;
}

/* Is there anything to show of it? */
static bool
is_shown(struct zp_inbox *in, const struct zp_heard *h)
{
	switch (h->what) {
	case ZP_HEARD_BODY:
		return true;
	case ZP_HEARD_TYPING:
		in->typing += !in->c.all;
		return in->c.all;
	case ZP_HEARD_NOTHING:
		return false;
	case ZP_HEARD_UNKNOWN:
		in->skipped++;
		return false;
	}
	return false;
}

/*
 * A message that our caller took before came again.  What only may have been
 * shown is not told: it would be acknowledged.
 */
static enum zp_err
tell_again(struct zp_inbox *in, const struct channel *ch)
{
	if (in->c.again == NULL || !ch->elsewhere)
		return ZP_OK;
	const struct zp_opened *op = zp_suite_zp1_opened(ch->listener);
	const struct zp_replay_name n = zp_suite_zp1_record_name(op);
	return n.kind == ZP_KIND_MESSAGE && zp_replay_was_shown(ch->replay, &n)
	    ? in->c.again(in->c.arg, op)
	    : ZP_OK;
}

/* An opened record: through all checks to the screen. */
static enum zp_err
take(struct zp_inbox *in, struct channel *ch, const struct zp_heard *h)
{
	enum zp_trust trust;
	bool refused;

	if (!is_shown(in, h))
		return ZP_OK;
	enum zp_err err = check_trust(in, ch, h, &trust, &refused);
	if (err || refused)
		return err;
	note_latest(in, h);
	if (is_old(in, h))
		return ZP_OK;
	if (is_replay(in, ch, h->uid))
		return tell_again(in, ch);
	err = ch->ops->add(ch->listener, in->ticks);
	if (err == ZP_ERR_FORMAT) {
		complain(in, h->uid, err, NULL);
		set_status(in, ZP_EXIT_REFUSED);
	} else if (err == ZP_ERR_REPLAY) {
		in->replays++;
	} else if (err) {
		return fail_memory(in, err);
	}
	return show(in, ch, trust);
}

/* Of a row of them the first is worth a line. */
static void
say_bad(struct zp_inbox *in, uint64_t number, enum zp_err err, const char *what)
{
	char who[ZP_SAY_NAME], text[ZP_SAY_NAME];

	snprintf(who, sizeof(who), "record %llu", (unsigned long long)number);
	snprintf(text, sizeof(text), "%s: not shown", what);
	if (in->last.err == err && strncmp(in->last.who, who, 7) == 0)
		in->last.more++;
	else
		complain_of(in, who, err, text);
}

enum zp_err
zp_inbox_record(struct zp_inbox *in, const struct zp_record *rec,
    uint64_t number, bool *ours)
{
	struct zp_heard heard;
	bool mine = false;

	for (size_t i = 0; i < in->n; i++) {
		struct channel *ch = &in->channels[i];
		enum zp_err err = ch->ops->open(ch->listener, rec, &heard);
		if (err == ZP_ERR_NOT_OURS) {
			mine = mine || ch->ops->is_ours(ch->listener, rec);
			continue;
		}
		if (err == ZP_ERR_MEMORY)
			return fail_memory(in, err);
		if (err == ZP_ERR_CORRUPT) {
			/* Made with our key and changed since.  Anybody can do
			 * that, so it is noise. */
			say_bad(in, number, err, "damaged or torn");
			mine = true;
			continue;
		}
		*ours = true;
		in->opened++;
		if (err == ZP_OK)
			return take(in, ch, &heard);
		say_bad(in, number, err, zp_err_text(err));
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
	struct zp_heard heard;

	if (conv != NULL) {
		memcpy(ch->conv[opened->slot], conv, ZP_CONV_ID_LEN);
		ch->has_conv[opened->slot] = true;
	}
	in->opened++;
	zp_suite_zp1_hear(ch->listener, opened, &heard);
	return take(in, ch, &heard);
}

enum zp_err
zp_inbox_skip(struct zp_inbox *in, const struct zp_opened *opened)
{
	return zp_suite_zp1_skip(in->channels[0].listener, opened, in->ticks);
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
	struct zp_piece_shown piece;

	memcpy(ch->conv[body->slot], conv, ZP_CONV_ID_LEN);
	zp_suite_zp1_say(ch->listener, body, data, len, &piece);
	return show_piece(in, ch, &piece, trust);
}

enum zp_err
zp_inbox_announce(struct zp_inbox *in, const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN], uint64_t base, uint64_t notes)
{
	return zp_replay_announce(in->channels[0].replay, p, sid, ZP_KIND_NOTE,
	    base, notes, in->ticks);
}

struct zp_known *
zp_inbox_known(struct zp_inbox *in)
{
	return in->known;
}

uint64_t
zp_inbox_next(const struct zp_inbox *in,
    const uint8_t p[static ZP_PSEUDONYM_LEN],
    const uint8_t sid[static ZP_SID_LEN])
{
	return zp_replay_next(in->channels[0].replay, p, sid, ZP_KIND_MESSAGE);
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

	for (size_t i = 0; i < in->n; i++) {
		const struct channel *ch = &in->channels[i];
		uint64_t d = ch->replay == NULL
		    ? UINT64_MAX
		    : zp_replay_deadline(ch->replay, ZP_REPLAY_PATIENCE_MS);
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
			    zp_say_uid(name, e->uid));
		else
			zp_say(in->c.tool, "%s: nothing since %s",
			    zp_say_uid(name, e->uid),
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
	if (in->typing > 0)
		zp_say(in->c.tool, "%llu of what somebody was typing",
		    (unsigned long long)in->typing);
}

enum zp_err
zp_inbox_finish(struct zp_inbox *in)
{
	enum zp_err err = zp_inbox_begin(in);

	for (size_t i = 0; i < in->n && !err; i++) {
		in->channels[i].ops->end(in->channels[i].listener, in->ticks);
		err = show(in, &in->channels[i], ZP_TRUST_KNOWN);
	}
	if (err)
		return err;
	tell_gaps(in, 0);
	err = commit(in, true);
	say_more(in);
	if (in->unsaid > 0)
		zp_say(in->c.tool, "%llu more complaints were left out",
		    (unsigned long long)in->unsaid);
	check_expected(in);
	if (in->ours_unopened > 0 && in->opened == 0) {
		zp_say(in->c.tool,
		    "%llu record%s of this channel, and none could be opened",
		    (unsigned long long)in->ours_unopened,
		    in->ours_unopened == 1 ? "" : "s");
		zp_hint("is it the same password, channel and --work?");
		set_status(in, ZP_EXIT_REFUSED);
	}
	if (in->c.strict && in->noise > 0) {
		zp_say(in->c.tool, "%llu record%s that no key in hand opens",
		    (unsigned long long)in->noise, in->noise == 1 ? "" : "s");
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
