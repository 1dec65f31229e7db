/*
 * zpinc-open: encrypted records into text, JSON or bytes.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_inbox.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proto/zp_format.h"
#include "wire/zp_reader.h"

#define TOOL "zpinc-open"
#define USAGE                                                                 \
	"zpinc-open -k KEY [-k KEY ...] [-F FORMAT | --json | --raw]\n"       \
	"                  [--state FILE] [--trust FILE] [--trust-new HOW]\n" \
	"                  [--strict] [--all] [-v] [-C N] [-W S]\n"           \
	"                  [--max-age T] [--expect UID=AGE ...] [--confine]"
#define BLOCK 32768
#define MOST_KEYS 64
#define MOST_EXPECTED 64

enum {
	KEY = 1,
	FORMAT,
	JSON,
	RAW,
	STATE,
	TRUST,
	TRUST_NEW,
	STRICT,
	ALL,
	COUNT,
	WAIT,
	MAX_AGE,
	EXPECT,
	VERBOSE,
	CONFINE,
};

static const struct zp_opt options[] = {
    {KEY, 'k', "key", "KEY", "channel or conversation key (repeatable)"},
    {FORMAT, 'F', "format", "FORMAT", "%m body, %u sender, %t time, ..."},
    {JSON, 'j', "json", NULL, "one object a line"},
    {RAW, '\0', "raw", NULL, "bodies byte for byte, nothing else"},
    {STATE, '\0', "state", "FILE", "show nothing twice, also across runs"},
    {TRUST, '\0', "trust", "FILE", "known identities (else the user's)"},
    {TRUST_NEW, '\0', "trust-new", "HOW", "first-use or never"},
    {STRICT, '\0', "strict", NULL, "gaps, replays and noise are errors"},
    {ALL, '\0', "all", NULL, "show what was shown before, too"},
    {COUNT, 'C', "count", "N", "end after N bodies"},
    {WAIT, 'W', "wait", "S", "end after S seconds"},
    {MAX_AGE, '\0', "max-age", "T", "show nothing older (30s, 5m, 2h, 1d)"},
    {EXPECT, '\0', "expect", "UID=AGE", "exit 1 if UID was silent so long"},
    {VERBOSE, 'v', "verbose", NULL, "say at the end what was passed over"},
    {CONFINE, '\0', "confine", NULL, "fail where the kernel cannot"},
};

struct reading {
	const char *keys[MOST_KEYS];
	size_t n_keys;
	char *expected[MOST_EXPECTED];
	size_t n_expected;
	uint64_t count, wait_ms;
	bool waits, confine;
	bool nonblocking; /* somebody made standard input so */
	bool broken; /* nothing can be shown or remembered any more */
	struct zp_inbox_config config;
	/* in use */
	struct zp_keyfile *kf[MOST_KEYS];
	struct zp_inbox *inbox;
	struct zp_reader reader;
	struct zp_out out;
	uint64_t end; /* by zp_load_ticks(), if waits */
};

/* "UID=AGE"; the last `=`, since a uid may hold one. */
static enum zp_err
add_expected(struct reading *r, char *value)
{
	char *eq = strrchr(value, '=');
	uint64_t age;

	if (eq != NULL && zp_opt_duration(eq + 1, &age) == ZP_OK) {
		*eq = '\0';
		if (zp_inbox_expect(r->inbox, value, age) == ZP_OK)
			return ZP_OK;
		*eq = '=';
	}
	char name[ZP_SAY_NAME];
	zp_say(TOOL, "--expect %s: not UID=AGE (an age is 30s, 5m, 2h, 1d)",
	    zp_say_name(name, value));
	return ZP_ERR_USAGE;
}

/* --state for suites without numbers would promise too much. */
static enum zp_err
check_state(const struct reading *r, size_t i)
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(r->kf[i]);

	if (r->config.state_path == NULL || (ops->can & ZP_SUITE_NUMBERS))
		return ZP_OK;
	zp_say(TOOL, "--state: suite %s has no numbers to remember", ops->word);
	return ZP_ERR_USAGE;
}

static enum zp_err
start(struct reading *r)
{
	enum zp_err err = zp_load_stdio(TOOL);

	if (!err && zp_secret_init() != ZP_OK)
		err = zp_say_fail(TOOL, "libsodium", ZP_ERR_IO);
	if (!err)
		err = zp_confine_early();
	if (!err && r->n_keys == 0)
		err = zp_load_key(TOOL, NULL, &r->kf[0]);
	if (err)
		return err;
	if (zp_out_init(&r->out, STDOUT_FILENO, 4 * BLOCK) != ZP_OK ||
	    zp_reader_init(&r->reader, STDIN_FILENO, BLOCK) != ZP_OK)
		return zp_say_fail(TOOL, "starting", ZP_ERR_MEMORY);
	r->config.tool = TOOL;
	r->config.out = &r->out;
	err = zp_inbox_new(&r->inbox, &r->config);
	for (size_t i = 0; i < r->n_keys && !err; i++) {
		err = zp_load_key(TOOL, r->keys[i], &r->kf[i]);
		if (!err)
			err = check_state(r, i);
		if (err)
			return err;
		err = zp_inbox_key(r->inbox, r->kf[i]);
		if (err)
			return zp_say_fail(TOOL, r->keys[i], err);
	}
	for (size_t i = 0; i < r->n_expected && !err; i++)
		err = add_expected(r, r->expected[i]);
	r->end = zp_load_ticks() + r->wait_ms;
	if (err)
		return err;
	const char *files[] = {
	    r->config.state_path, zp_inbox_trust_path(r->inbox)};
	return zp_load_confine(
	    TOOL, r->confine, ZP_CONFINE_LOCALTIME, files, 2);
}

static bool
enough(const struct reading *r)
{
	return r->count > 0 && zp_inbox_shown(r->inbox) >= r->count;
}

/* All records that were read; then the output goes out. */
static enum zp_err
batch(struct reading *r)
{
	struct zp_record rec;
	enum zp_err err = zp_inbox_begin(r->inbox);
	bool ours = false;

	while (!err && !enough(r) && zp_reader_next(&r->reader, &rec)) {
		err = zp_inbox_record(r->inbox, &rec, r->reader.count, &ours);
		if (!err && !ours)
			zp_reader_retry(&r->reader, &rec);
	}
	if (err)
		return err;
	/* Only a state is written when nothing more is at hand. */
	bool wait = r->config.state_path != NULL && !zp_in_ready(&r->reader.in);
	return zp_inbox_end(r->inbox, wait);
}

/* Waits for input.  *timed: it is time for something, none is there. */
static enum zp_err
wait_input(const struct reading *r, bool *timed, bool *over)
{
	int ms = zp_inbox_timeout(r->inbox);
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	*timed = *over = false;
	if (r->waits) {
		uint64_t now = zp_load_ticks();
		uint64_t left = r->end > now ? r->end - now : 0;
		*over = left == 0;
		if (ms < 0 || (uint64_t)ms > left)
			ms = left > 1000000 ? 1000000 : (int)left;
	}
	if (ms < 0 && !r->nonblocking)
		return ZP_OK; /* the read itself may wait */
	int n = poll(&p, 1, ms);
	if (n < 0 && errno != EINTR)
		return ZP_ERR_IO;
	*timed = n <= 0;
	return ZP_OK;
}

static enum zp_err
read_all(struct reading *r)
{
	bool timed, over;
	enum zp_err err;

	for (;;) {
		err = batch(r);
		r->broken = err != ZP_OK;
		if (err || enough(r) || r->reader.in.eof)
			return err;
		err = wait_input(r, &timed, &over);
		if (err)
			return zp_say_fail(TOOL, "standard input", err);
		if (over)
			return ZP_OK;
		if (timed)
			continue;
		err = zp_reader_fill(&r->reader);
		if (err == ZP_ERR_IO && errno == EAGAIN)
			r->nonblocking = true;
		else if (err)
			return zp_say_fail(TOOL, "standard input", err);
	}
}

static void
stop(struct reading *r)
{
	zp_inbox_free(r->inbox);
	zp_reader_free(&r->reader);
	zp_out_free(&r->out);
	for (size_t i = 0; i < MOST_KEYS; i++)
		zp_keyfile_free(r->kf[i]);
}

static bool
set_style(struct reading *r, enum zp_inbox_style style, const char *format)
{
	if (r->config.format != NULL || r->config.style != ZP_INBOX_TEXT) {
		zp_say(TOOL, "-F, --json and --raw exclude one another");
		return false;
	}
	r->config.style = style;
	r->config.format = format;
	if (format == NULL || zp_format_check(format) == ZP_OK)
		return true;
	zp_say(TOOL,
	    "-F: %%m %%M %%u %%t %%k %%s %%c %%r %%i %%n %%%% \\n \\t "
	    "\\\\ are what a format knows");
	return false;
}

static bool
set_number(const char *what, enum zp_err err)
{
	if (err)
		zp_say(TOOL, "%s: not a number or time that makes sense", what);
	return err == ZP_OK;
}

/* No time at all would be read as "any", or show nothing. */
static bool
set_time(const char *what, const char *arg, uint64_t *ms)
{
	enum zp_err err = zp_opt_duration(arg, ms);

	return set_number(what, !err && *ms == 0 ? ZP_ERR_USAGE : err);
}

static bool
set_trust_new(struct reading *r, const char *arg)
{
	r->config.trust_new = strcmp(arg, "first-use") == 0;
	if (r->config.trust_new || strcmp(arg, "never") == 0)
		return true;
	zp_say(TOOL, "--trust-new: first-use or never");
	return false;
}

static bool
set_key(struct reading *r, const char *arg)
{
	if (r->n_keys == MOST_KEYS) {
		zp_say(TOOL, "-k: more than %d keys", MOST_KEYS);
		return false;
	}
	r->keys[r->n_keys++] = arg;
	return true;
}

static bool
set_expected(struct reading *r, const char *arg)
{
	if (r->n_expected == MOST_EXPECTED) {
		zp_say(TOOL, "--expect: more than %d users", MOST_EXPECTED);
		return false;
	}
	/* A copy, since it will be cut in two. */
	char *copy = strdup(arg);
	if (copy == NULL) {
		zp_say(TOOL, "--expect: %s", zp_err_text(ZP_ERR_MEMORY));
		return false;
	}
	r->expected[r->n_expected++] = copy;
	return true;
}

static bool
set_option(struct reading *r, int id, const char *arg)
{
	switch (id) {
	case KEY:
		return set_key(r, arg);
	case FORMAT:
		return set_style(r, ZP_INBOX_TEXT, arg);
	case JSON:
		return set_style(r, ZP_INBOX_JSON, NULL);
	case RAW:
		return set_style(r, ZP_INBOX_RAW, NULL);
	case STATE:
		r->config.state_path = arg;
		return true;
	case TRUST:
		r->config.trust_path = arg;
		return true;
	case TRUST_NEW:
		return set_trust_new(r, arg);
	case STRICT:
		return r->config.strict = true;
	case ALL:
		return r->config.all = true;
	case VERBOSE:
		return r->config.verbose = true;
	case CONFINE:
		return r->confine = true;
	case COUNT:
		return set_number(
		    "-C", zp_opt_number(arg, 1, UINT64_MAX, &r->count));
	case WAIT:
		r->waits = true;
		return set_time("-W", arg, &r->wait_ms);
	case MAX_AGE:
		return set_time("--max-age", arg, &r->config.max_age);
	case EXPECT:
		return set_expected(r, arg);
	default:
		return false;
	}
}

static int
parse(struct reading *r, int argc, char **argv)
{
	struct zp_opts o;
	const char *arg;
	int id;

	r->config.trust_new = true;
	zp_opt_init(
	    &o, TOOL, argc, argv, options, sizeof(options) / sizeof(*options));
	while ((id = zp_opt_next(&o, USAGE, &arg)) >= 0)
		if (!set_option(r, id, arg))
			return ZP_OPT_BAD;
	if (id == ZP_OPT_END && zp_opt_operands(&o) > 0) {
		zp_say(TOOL,
		    "takes no operands; records come from standard "
		    "input");
		return ZP_OPT_BAD;
	}
	if (r->config.style == ZP_INBOX_TEXT && r->config.format == NULL)
		r->config.format = "%m";
	return id;
}

/* What the options made. */
static void
forget(struct reading *r)
{
	for (size_t i = 0; i < r->n_expected; i++)
		free(r->expected[i]);
}

int
main(int argc, char **argv)
{
	struct reading r = {0};
	int id = parse(&r, argc, argv);

	if (id != ZP_OPT_END) {
		forget(&r);
		return (int)zp_opt_status(id);
	}
	enum zp_err err = start(&r), end = ZP_OK;
	if (!err) {
		err = read_all(&r);
		/* What was shown is remembered also when reading failed. */
		if (!r.broken)
			end = zp_inbox_finish(r.inbox);
	}
	enum zp_exit status = zp_err_status(err ? err : end);
	if (r.inbox != NULL && zp_inbox_status(r.inbox) > status)
		status = zp_inbox_status(r.inbox);
	stop(&r);
	forget(&r);
	return (int)status;
}
