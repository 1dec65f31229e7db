/*
 * zpinc-seal: lines, or all of its input, into encrypted records.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "store/zp_suite.h"

#define TOOL "zpinc-seal"
#define USAGE                                                            \
	"zpinc-seal -k KEY [-u UID] [-i IDENTITY] [-w] [--state FILE]\n" \
	"                  [--max-record N] [--no-time] [--file TYPE]\n" \
	"                  [--confine]"
#define BLOCK 32768
/* Bytes that -w reads, and that a thread seals, at once. */
#define BLOCK_WHOLE 131072
#define BATCH 524288
/* A line is shown as one body, and bodies are shown up to this length. */
#define LINE_MAX_LEN 1048576

enum {
	KEY = 1,
	UID,
	IDENTITY,
	WHOLE,
	STATE,
	MAX_RECORD,
	NO_TIME,
	FILE_TYPE,
	CONFINE,
};

static const struct zp_opt options[] = {
    {KEY, 'k', "key", "KEY", "channel or conversation key"},
    {UID, 'u', "uid", "UID", "who speaks (or $ZPINC_UID, user@host)"},
    {IDENTITY, 'i', "identity", "IDENTITY", "sign with it"},
    {WHOLE, 'w', "whole", NULL, "all of the input is one body"},
    {STATE, '\0', "state", "FILE", "number on from run to run"},
    {MAX_RECORD, '\0', "max-record", "N", "characters a record (4095)"},
    {NO_TIME, '\0', "no-time", NULL, "do not tell when"},
    {FILE_TYPE, '\0', "file", "TYPE", "-w as a file of this media type"},
    {CONFINE, '\0', "confine", NULL, "fail where the kernel cannot"},
};

struct seal {
	/* as asked for */
	const char *key, *uid, *identity, *state_path, *file;
	bool whole, no_time, confine;
	uint64_t max_record;
	/* in use */
	struct zp_keyfile *kf;
	struct zp_identity *id;
	const struct zp_suite_ops *ops;
	struct zp_speaker *speaker;
	struct zp_in in;
	struct zp_out out;
	uint64_t lines; /* read so far, for messages */
	bool refused; /* a line did not go out */
};

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

/* Options that the key's suite has no use for. */
static enum zp_err
check_suite(const struct seal *s)
{
	const struct {
		const char *option;
		bool given;
		unsigned needs;
		const char *why;
	} all[] = {
	    {"-i", s->identity != NULL, ZP_SUITE_SIGNS, "no signatures"},
	    {"--state", s->state_path != NULL, ZP_SUITE_NUMBERS, "no numbers"},
	    {"--max-record", s->max_record != 0, ZP_SUITE_PARTS,
		"no bodies in parts"},
	    {"--no-time", s->no_time, ZP_SUITE_UNTIMED,
		"no records without time"},
	    {"--file", s->file != NULL, ZP_SUITE_FILES, "no media types"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!all[i].given || (s->ops->can & all[i].needs))
			continue;
		zp_say(TOOL, "%s: suite %s has %s", all[i].option, s->ops->word,
		    all[i].why);
		return ZP_ERR_USAGE;
	}
	return ZP_OK;
}

static enum zp_err
open_session(struct seal *s)
{
	char uid[ZP_SUITE_NAME_MAX + 1] = "";
	uint8_t sid[ZP_SID_LEN];
	struct zp_fault fault = {0};
	struct zp_speaking how = {.kf = s->kf,
	    .uid = uid,
	    .id = s->id,
	    .sid = sid,
	    .max_record =
		s->max_record ? (size_t)s->max_record : ZP_RECORD_DEFAULT,
	    .file = s->file};
	enum zp_err err = check_suite(s);

	if (!err)
		err = check_conversation(s);
	if (!err && s->kf->conv == NULL)
		err = zp_load_uid_for(TOOL, s->uid, s->kf, uid);
	if (err)
		return err;
	randombytes_buf(sid, sizeof(sid));
	err = s->ops->speak(&s->speaker, &how);
	if (err)
		return zp_say_fail(TOOL, "sealing", err);
	if (s->state_path == NULL)
		return ZP_OK;
	err = s->ops->number(s->speaker, s->state_path, &fault);
	if (err)
		zp_load_say(TOOL, s->state_path, err, &fault);
	return err;
}

/* n bodies are at hand: their numbers, on disk before they are used. */
static enum zp_err
expect(struct seal *s, uint64_t n)
{
	struct zp_fault fault = {0};
	enum zp_err err = s->ops->expect(s->speaker, n, &fault);

	if (err && s->state_path != NULL)
		zp_load_say(TOOL, s->state_path, err, &fault);
	else if (err)
		zp_say_fail(TOOL, "sealing", err);
	return err;
}

static enum zp_err
now(const struct seal *s, uint64_t *ms)
{
	*ms = 0;
	if (s->no_time)
		return ZP_OK;
	enum zp_err err = zp_load_now(ms);
	return err ? zp_say_fail(TOOL, "time", err) : ZP_OK;
}

/* Everything sealed goes out before the next read, and no nonce is kept. */
static enum zp_err
end_batch(struct seal *s)
{
	enum zp_err err = expect(s, 0);

	if (err)
		return err;
	err = zp_out_flush(&s->out);
	return err ? zp_say_fail(TOOL, "standard output", err) : ZP_OK;
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

/* Too long or of a kind that the suite cannot carry: the others go out. */
static bool
refuse_line(struct seal *s, enum zp_err err)
{
	if (err != ZP_ERR_TOO_LONG && err != ZP_ERR_FORMAT)
		return false;
	zp_say(TOOL, "line %llu: %s for suite %s: not sent",
	    (unsigned long long)s->lines,
	    err == ZP_ERR_TOO_LONG ? "too long" : "not text (UTF-8)",
	    s->ops->word);
	s->refused = true;
	return true;
}

/* Seals n whole lines at the start of the input; the last may lack its \n. */
static enum zp_err
seal_lines(struct seal *s, uint64_t n)
{
	uint64_t time;
	enum zp_err err = expect(s, n);

	if (!err)
		err = now(s, &time);
	if (err)
		return err;
	for (; n > 0; n--) {
		const char *at = zp_in_at(&s->in);
		size_t len = zp_in_len(&s->in);
		const char *nl = memchr(at, '\n', len);
		size_t body = nl ? (size_t)(nl - at) : len;
		s->lines++;
		err = s->ops->body(s->speaker, time, at, body, &s->out);
		if (err && !refuse_line(s, err))
			return zp_say_fail(TOOL,
			    err == ZP_ERR_IO ? "standard output" : "sealing",
			    err);
		s->in.start += nl ? body + 1 : body;
	}
	return end_batch(s);
}

static enum zp_err
read_on(struct seal *s)
{
	enum zp_err err = zp_in_fill_wait(&s->in);

	return err ? zp_say_fail(TOOL, "standard input", err) : ZP_OK;
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

static enum zp_err
fail_whole(const struct seal *s, enum zp_err err)
{
	if (err != ZP_ERR_TOO_LONG && err != ZP_ERR_FORMAT)
		return zp_say_fail(TOOL,
		    err == ZP_ERR_IO ? "standard output" : "sealing", err);
	zp_say(TOOL, "standard input: %s for suite %s: not sent",
	    err == ZP_ERR_TOO_LONG ? "too long a body" : "not text (UTF-8)",
	    s->ops->word);
	if (s->file == NULL && (s->ops->can & ZP_SUITE_FILES))
		zp_hint("--file TYPE sends it as a file, such as image/png");
	return ZP_ERR_UNDELIVERED;
}

/* What -w seals at a time, if so much is at hand. */
static size_t
batch_size(const struct seal *s)
{
	size_t room = s->ops->room(s->speaker);

	return room < BATCH ? BATCH / room * room : room;
}

/* Reads until a part is there that is not the last, and what else is ready. */
static enum zp_err
gather(struct seal *s)
{
	size_t room = s->ops->room(s->speaker);
	size_t most = s->ops->stream ? batch_size(s) : room;
	enum zp_err err = ZP_OK;

	while (!err && !s->in.eof && zp_in_len(&s->in) <= most &&
	    (zp_in_len(&s->in) <= room || zp_in_ready(&s->in)))
		err = read_on(s);
	return err;
}

/* The next part.  *last: it was the body's. */
static enum zp_err
seal_part(struct seal *s, bool *last)
{
	size_t room = s->ops->room(s->speaker), len = zp_in_len(&s->in);
	size_t n = len <= room ? len : room;

	*last = len <= room;
	enum zp_err err =
	    s->ops->part(s->speaker, zp_in_at(&s->in), n, *last, &s->out);
	s->in.start += n;
	return err ? fail_whole(s, err) : end_batch(s);
}

/* A large body: all but its last part at once. */
static enum zp_err
seal_stream(struct seal *s)
{
	bool reading;
	enum zp_err err = s->ops->stream(
	    s->speaker, &s->in, &s->out, batch_size(s), &reading);

	if (err && reading)
		return zp_say_fail(TOOL, "standard input", err);
	return err ? fail_whole(s, err) : ZP_OK;
}

/* All of the input as one body, in as many parts as it takes. */
static enum zp_err
whole_input(struct seal *s)
{
	uint64_t time = 0;
	bool last = false;
	enum zp_err err = gather(s);

	if (err || zp_in_len(&s->in) == 0)
		return err;
	err = expect(s, 1);
	if (!err)
		err = now(s, &time);
	if (err)
		return err;
	s->ops->begin(s->speaker, time);
	do {
		err = seal_part(s, &last);
		if (err || last)
			return err;
		err = gather(s);
		if (!err && s->ops->stream != NULL &&
		    zp_in_len(&s->in) > batch_size(s))
			err = seal_stream(s);
	} while (!err);
	return err;
}

static enum zp_err
run(struct seal *s)
{
	enum zp_err err = zp_load_stdio(TOOL);

	if (!err && zp_secret_init() != ZP_OK)
		err = zp_say_fail(TOOL, "libsodium", ZP_ERR_IO);
	if (!err)
		err = zp_confine_early();
	if (!err)
		err = zp_load_key(TOOL, s->key, &s->kf);
	if (!err)
		err = zp_load_identity(TOOL, s->identity, &s->id);
	if (!err)
		s->ops = zp_keyfile_ops(s->kf);
	if (!err)
		err = open_session(s);
	if (!err)
		err = zp_load_confine(TOOL, s->confine,
		    s->whole ? ZP_CONFINE_THREADS : 0, &s->state_path, 1);
	if (err)
		return err;
	size_t room = s->ops->room(s->speaker);
	size_t block = s->whole ? BLOCK_WHOLE : BLOCK;
	if (s->whole && room + 1 > block)
		block = room + 1;
	err = zp_in_init(&s->in, STDIN_FILENO, block,
	    s->whole ? batch_size(s) + 2 * block : LINE_MAX_LEN + 1 + BLOCK);
	if (!err)
		err = zp_out_init(&s->out, STDOUT_FILENO, 4 * BLOCK);
	if (err)
		return zp_say_fail(TOOL, "starting", err);
	err = s->whole ? whole_input(s) : each_line(s);
	if (!err && s->refused)
		return ZP_ERR_UNDELIVERED;
	return err;
}

/* TYPE/SUBTYPE, RFC 6838. */
static bool
is_type(const char *s)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789!#$&^_.+-";
	size_t n = strspn(s, chars);

	if (n == 0 || s[n] != '/' || strlen(s) > 127)
		return false;
	s += n + 1;
	n = strspn(s, chars);
	return n > 0 && s[n] == '\0';
}

/* One option; false if its argument makes no sense, which has been said. */
static bool
take_option(struct seal *s, int id, const char *arg)
{
	switch (id) {
	case KEY:
		s->key = arg;
		return true;
	case UID:
		s->uid = arg;
		return true;
	case IDENTITY:
		s->identity = arg;
		return true;
	case WHOLE:
		return s->whole = true;
	case STATE:
		s->state_path = arg;
		return true;
	case MAX_RECORD:
		if (zp_opt_number(arg, ZP_RECORD_LEAST, ZP_RECORD_MAX,
			&s->max_record) == ZP_OK)
			return true;
		zp_say(TOOL, "--max-record: 1024 to 1048576");
		return false;
	case NO_TIME:
		return s->no_time = true;
	case FILE_TYPE:
		s->file = arg;
		return true;
	case CONFINE:
		return s->confine = true;
	default:
		return false;
	}
}

/* What is wrong with the options together; NULL: nothing. */
static const char *
misfit(const struct seal *s, const struct zp_opts *o)
{
	if (s->file != NULL && !s->whole)
		return "--file: goes with -w";
	if (s->file != NULL && !is_type(s->file))
		return "--file: not a media type, such as image/png";
	if (zp_opt_operands(o) > 0)
		return "takes no operands; bodies come from standard input";
	return NULL;
}

static int
parse(struct seal *s, int argc, char **argv)
{
	struct zp_opts o;
	const char *arg;
	int id;

	zp_opt_init(
	    &o, TOOL, argc, argv, options, sizeof(options) / sizeof(*options));
	while ((id = zp_opt_next(&o, USAGE, &arg)) >= 0)
		if (!take_option(s, id, arg))
			return ZP_OPT_BAD;
	const char *wrong = id == ZP_OPT_END ? misfit(s, &o) : NULL;
	if (wrong == NULL)
		return id;
	zp_say(TOOL, "%s", wrong);
	return ZP_OPT_BAD;
}

int
main(int argc, char **argv)
{
	struct seal s = {0};
	int id = parse(&s, argc, argv);

	if (id != ZP_OPT_END)
		return (int)zp_opt_status(id);
	enum zp_err err = run(&s);
	zp_in_free(&s.in);
	zp_out_free(&s.out);
	if (s.speaker != NULL)
		s.ops->hush(s.speaker);
	zp_identity_free(s.id);
	zp_keyfile_free(s.kf);
	return (int)zp_err_status(err);
}
