/*
 * zpinc-seal: lines, or all of its input, into encrypted records.
 */
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proto/zp_session.h"
#include "store/zp_sendstate.h"

#define TOOL "zpinc-seal"
#define USAGE                                                            \
	"zpinc-seal -k KEY [-u UID] [-i IDENTITY] [-w] [--state FILE]\n" \
	"                  [--max-record N] [--no-time] [--confine]"
#define BLOCK 32768
/* A line is shown as one body, and bodies are shown up to this length. */
#define LINE_MAX_LEN 1048576

enum { KEY = 1, UID, IDENTITY, WHOLE, STATE, MAX_RECORD, NO_TIME, CONFINE };

static const struct zp_opt options[] = {
    {KEY, 'k', "key", "KEY", "channel or conversation key"},
    {UID, 'u', "uid", "UID", "who speaks (or $ZPINC_UID, user@host)"},
    {IDENTITY, 'i', "identity", "IDENTITY", "sign with it"},
    {WHOLE, 'w', "whole", NULL, "all of the input is one body"},
    {STATE, '\0', "state", "FILE", "number on from run to run"},
    {MAX_RECORD, '\0', "max-record", "N", "characters a record (4095)"},
    {NO_TIME, '\0', "no-time", NULL, "do not tell when"},
    {CONFINE, '\0', "confine", NULL, "fail where the kernel cannot"},
};

struct seal {
	/* as asked for */
	const char *key, *uid, *identity, *state_path;
	bool whole, no_time, confine;
	uint64_t max_record;
	/* in use */
	struct zp_keyfile *kf;
	struct zp_identity *id;
	struct zp_sendstate *state;
	struct zp_session *session;
	struct zp_in in;
	struct zp_out out;
	uint64_t seq; /* next number, without a state */
	uint64_t lines; /* read so far, for messages */
	bool refused; /* a line did not go out */
};

/* Says what went wrong in general and passes the error on. */
static enum zp_err
fail(const char *subject, enum zp_err err)
{
	char buf[ZP_SAY_NAME];

	zp_say(TOOL, "%s: %s", subject, zp_say_err(buf, err));
	return err;
}

/* Who speaks to whom under which key. */
static enum zp_err
make_context(struct seal *s, struct zp_sigctx *ctx, const uint8_t **k)
{
	const struct zp_convfile *c = s->kf->conv;
	const uint8_t *amac = c ? c->amac : zp_key_amac(s->kf->key);
	const uint8_t *aenc = c ? c->aenc : zp_key_aenc(s->kf->key);
	char uid[ZP_NAME_MAX + 1];
	enum zp_err err;

	memset(ctx, 0, sizeof(*ctx));
	err = zp_pseudo_make(
	    ctx->rp, amac, aenc, ZP_PSEUDO_CHAN, zp_keyfile_channel(s->kf));
	if (err)
		return fail(s->key, err);
	if (c != NULL) {
		memcpy(ctx->p, c->members[c->me].p, sizeof(ctx->p));
		memcpy(ctx->keyid, c->id, sizeof(ctx->keyid));
		*k = c->key;
		return ZP_OK;
	}
	*k = zp_key_msgkey(s->kf->key);
	err = zp_load_uid(TOOL, s->uid, uid);
	if (err)
		return err;
	return zp_pseudo_make(ctx->p, amac, aenc, ZP_PSEUDO_USER, uid);
}

/* A conversation was made by one user with one identity, or none. */
static enum zp_err
check_conversation(const struct seal *s)
{
	const struct zp_convfile *c = s->kf->conv;
	static const uint8_t none[ZP_IDKEY_LEN];

	if (c == NULL)
		return ZP_OK;
	const struct zp_convfile_member *me = &c->members[c->me];
	if (s->uid != NULL && strcmp(s->uid, me->uid) != 0) {
		zp_say(TOOL, "-u: this conversation was made as another user");
		return ZP_ERR_USAGE;
	}
	const uint8_t *pk = s->id ? zp_identity_public(s->id) : none;
	if (memcmp(pk, me->idkey, ZP_IDKEY_LEN) != 0) {
		zp_say(TOOL, "%s: this conversation was made with %s",
		    s->identity ? s->identity : "-i",
		    s->id ? "another identity, or none" : "an identity");
		return ZP_ERR_SIGNATURE;
	}
	return ZP_OK;
}

static enum zp_err
open_session(struct seal *s)
{
	struct zp_session_params params = {
	    .kind = s->kf->conv ? ZP_KIND_MESSAGE : ZP_KIND_NOTE,
	    .max_record = (size_t)s->max_record};
	struct zp_sigctx ctx;
	struct zp_sealer *sealer;
	struct zp_fault fault = {0};
	const uint8_t *k = NULL;
	enum zp_err err = check_conversation(s);

	if (!err)
		err = make_context(s, &ctx, &k);
	if (err)
		return err;
	randombytes_buf(params.sid, sizeof(params.sid));
	if (s->state_path != NULL) {
		err = zp_sendstate_open(
		    &s->state, s->state_path, &ctx, params.sid, &fault);
		if (err) {
			zp_load_say(TOOL, s->state_path, err, &fault);
			return err;
		}
	}
	err = zp_sealer_new(&sealer, k, &ctx, s->id);
	if (!err)
		err = zp_session_new(&s->session, sealer, &params);
	return err ? fail("sealing", err) : ZP_OK;
}

/* n numbers for n bodies, on disk before they are used. */
static enum zp_err
take_numbers(struct seal *s, uint64_t n, uint64_t *first)
{
	struct zp_fault fault = {0};

	if (s->state == NULL) {
		*first = s->seq;
		s->seq += n;
		return ZP_OK;
	}
	enum zp_err err = zp_sendstate_reserve(s->state, n, first, &fault);
	if (err)
		zp_load_say(TOOL, s->state_path, err, &fault);
	return err;
}

static enum zp_err
now(const struct seal *s, uint64_t *ms)
{
	*ms = 0;
	if (s->no_time)
		return ZP_OK;
	enum zp_err err = zp_load_now(ms);
	return err ? fail("time", err) : ZP_OK;
}

/* Everything sealed goes out before the next read, and no nonce is kept. */
static enum zp_err
end_batch(struct seal *s)
{
	zp_session_expect(s->session, 0);
	enum zp_err err = zp_out_flush(&s->out);
	return err ? fail("standard output", err) : ZP_OK;
}

static uint64_t
count_lines(const char *at, size_t len)
{
	uint64_t n = 0;
	const char *end = at + len, *nl;

	while ((nl = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		n++;
		at = nl + 1;
	}
	return n;
}

/* Seals n whole lines at the start of the input; the last may lack its \n. */
static enum zp_err
seal_lines(struct seal *s, uint64_t n)
{
	uint64_t seq, time;
	enum zp_err err = take_numbers(s, n, &seq);

	if (!err)
		err = now(s, &time);
	if (err)
		return err;
	zp_session_expect(s->session, n);
	for (; n > 0; n--) {
		const char *at = zp_in_at(&s->in);
		size_t len = zp_in_len(&s->in);
		const char *nl = memchr(at, '\n', len);
		size_t body = nl ? (size_t)(nl - at) : len;
		s->lines++;
		err =
		    zp_session_body(s->session, seq++, time, at, body, &s->out);
		if (err)
			return fail(
			    err == ZP_ERR_IO ? "standard output" : "sealing",
			    err);
		s->in.start += nl ? body + 1 : body;
	}
	return end_batch(s);
}

/* Reads on, and waits where somebody made standard input non-blocking. */
static enum zp_err
read_on(struct seal *s)
{
	for (;;) {
		enum zp_err err = zp_in_fill(&s->in);
		if (err == ZP_ERR_IO && errno == EAGAIN) {
			struct pollfd p = {
			    .fd = STDIN_FILENO, .events = POLLIN};
			if (poll(&p, 1, -1) >= 0 || errno == EINTR)
				continue;
		}
		return err ? fail("standard input", err) : ZP_OK;
	}
}

/* A line beyond all limits: say so and drop what is left of it. */
static enum zp_err
skip_line(struct seal *s)
{
	const char *nl;

	zp_say(TOOL, "line %llu: longer than %d bytes: not sent",
	    (unsigned long long)++s->lines, LINE_MAX_LEN);
	zp_hint("-w sends a body of any length");
	s->refused = true;
	s->in.start = s->in.end;
	do {
		enum zp_err err = read_on(s);
		if (err)
			return err;
		nl = memchr(zp_in_at(&s->in), '\n', zp_in_len(&s->in));
		s->in.start = nl ? (size_t)(nl + 1 - s->in.data) : s->in.end;
	} while (nl == NULL && !s->in.eof);
	return ZP_OK;
}

static enum zp_err
each_line(struct seal *s)
{
	size_t tested = 0; /* bytes known to hold no newline */
	enum zp_err err;

	while (!s->in.eof || zp_in_len(&s->in) > 0) {
		size_t len = zp_in_len(&s->in);
		uint64_t n =
		    count_lines(zp_in_at(&s->in) + tested, len - tested);
		if (n == 0 && s->in.eof)
			n = 1;
		if (n > 0) {
			err = seal_lines(s, n);
			if (err)
				return err;
			tested = 0;
			continue;
		}
		tested = len;
		if (len > LINE_MAX_LEN) {
			err = skip_line(s);
			tested = 0;
		} else {
			err = read_on(s);
		}
		if (err)
			return err;
	}
	return ZP_OK;
}

/* All of the input as one body, in as many parts as it takes. */
static enum zp_err
whole_input(struct seal *s)
{
	uint64_t seq = 0, time = 0;
	bool begun = false;
	enum zp_err err;

	for (;;) {
		size_t room = zp_session_room(s->session);
		while (!s->in.eof && zp_in_len(&s->in) <= room) {
			err = read_on(s);
			if (err)
				return err;
		}
		size_t len = zp_in_len(&s->in);
		if (len == 0 && !begun)
			return ZP_OK;
		if (!begun) {
			err = take_numbers(s, 1, &seq);
			if (!err)
				err = now(s, &time);
			if (err)
				return err;
			zp_session_begin(s->session, seq, time);
			begun = true;
		}
		bool last = len <= room;
		size_t n = last ? len : room;
		err = zp_session_part(
		    s->session, zp_in_at(&s->in), n, last, &s->out);
		if (err)
			return fail("sealing", err);
		s->in.start += n;
		err = end_batch(s);
		if (err || last)
			return err;
	}
}

static enum zp_err
run(struct seal *s)
{
	enum zp_err err = zp_load_stdio(TOOL);

	if (!err && zp_secret_init() != ZP_OK)
		err = fail("libsodium", ZP_ERR_IO);
	if (!err)
		err = zp_confine_early();
	if (!err)
		err = zp_load_key(TOOL, s->key, &s->kf);
	if (!err)
		err = zp_load_identity(TOOL, s->identity, &s->id);
	if (!err)
		err = open_session(s);
	if (!err)
		err = zp_load_confine(TOOL, s->confine, 0, &s->state_path, 1);
	if (err)
		return err;
	size_t room = zp_session_room(s->session);
	size_t block = s->whole && room + 1 > BLOCK ? room + 1 : BLOCK;
	err = zp_in_init(&s->in, STDIN_FILENO, block,
	    s->whole ? 2 * block : LINE_MAX_LEN + 1 + BLOCK);
	if (!err)
		err = zp_out_init(&s->out, STDOUT_FILENO, 4 * BLOCK);
	if (err)
		return fail("starting", err);
	err = s->whole ? whole_input(s) : each_line(s);
	if (!err && s->refused)
		return ZP_ERR_UNDELIVERED;
	return err;
}

static int
parse(struct seal *s, int argc, char **argv)
{
	struct zp_opts o;
	const char *arg;
	int id;

	zp_opt_init(
	    &o, TOOL, argc, argv, options, sizeof(options) / sizeof(*options));
	while ((id = zp_opt_next(&o, USAGE, &arg)) >= 0) {
		switch (id) {
		case KEY:
			s->key = arg;
			break;
		case UID:
			s->uid = arg;
			break;
		case IDENTITY:
			s->identity = arg;
			break;
		case WHOLE:
			s->whole = true;
			break;
		case STATE:
			s->state_path = arg;
			break;
		case MAX_RECORD:
			if (zp_opt_number(arg, ZP_RECORD_LEAST, ZP_RECORD_MAX,
				&s->max_record) == ZP_OK)
				break;
			zp_say(TOOL, "--max-record: 1024 to 1048576");
			return ZP_OPT_BAD;
		case NO_TIME:
			s->no_time = true;
			break;
		case CONFINE:
			s->confine = true;
			break;
		}
	}
	if (id == ZP_OPT_END && zp_opt_operands(&o) > 0) {
		zp_say(TOOL,
		    "takes no operands; bodies come from standard "
		    "input");
		return ZP_OPT_BAD;
	}
	return id;
}

int
main(int argc, char **argv)
{
	struct seal s = {.max_record = ZP_RECORD_DEFAULT};
	int id = parse(&s, argc, argv);

	if (id != ZP_OPT_END)
		return (int)(id == ZP_OPT_HELP ? ZP_EXIT_OK : ZP_EXIT_USAGE);
	enum zp_err err = run(&s);
	zp_in_free(&s.in);
	zp_out_free(&s.out);
	zp_session_free(s.session);
	zp_sendstate_free(s.state);
	zp_identity_free(s.id);
	zp_keyfile_free(s.kf);
	return (int)zp_err_status(err);
}
