/*
 * zpinc-pipe: lines in are messages out, messages in are lines out, over any
 * relays.
 */
#include <string.h>
#include <sys/stat.h>

#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_hide.h"
#include "proc/zp_live.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proc/zp_relayopt.h"
#include "proc/zp_relays.h"
#include "proc/zp_screen.h"
#include "proc/zp_uids.h"
#include "proto/zp_format.h"
#include "proto/zp_machine.h"

#define TOOL "zpinc-pipe"
#define USAGE                                                                  \
	"zpinc-pipe -k KEY [-u UID] [-i IDENTITY] [-m UID,UID,...]\n"          \
	"                  [-F FORMAT | --json] [--echo] [--listen]\n"         \
	"                  [--notes | --require-fs | --fallback] [--rekey "    \
	"T]\n"                                                                 \
	"                  [--state DIR] [--max-record N] [--max-members N]\n" \
	"                  [--no-time]\n"                                      \
	"                  [--trust FILE] [--trust-new HOW] [--typing]\n"      \
	"                  [--confine] [-v]\n"                                 \
	"                  URL... | --sub COMMAND --pub COMMAND"
#define MEMBERS_MOST 1024

enum {
	KEY = 1,
	UID,
	IDENTITY,
	MEMBERS,
	FORMAT,
	JSON,
	ECHO,
	LISTEN,
	NOTES,
	REQUIRE_FS,
	FALLBACK,
	REKEY,
	STATE,
	MAX_RECORD,
	MAX_MEMBERS,
	NO_TIME,
	TRUST,
	TRUST_NEW,
	TYPING,
	SUB,
	PUB,
	CONFINE,
	VERBOSE
};

static const struct zp_opt options[] = {
    {KEY, 'k', "key", "KEY", "the channel's key"},
    {UID, 'u', "uid", "UID", "who we are (or $ZPINC_UID, user@host)"},
    {IDENTITY, 'i', "identity", "IDENTITY", "sign with it"},
    {MEMBERS, 'm', "members", "UID,...", "nobody else in a conversation"},
    {FORMAT, 'F', "format", "FORMAT", "%m body, %u sender, %k kind, ..."},
    {JSON, 'j', "json", NULL, "bodies and events, one object a line"},
    {ECHO, '\0', "echo", NULL, "show what we said, too"},
    {LISTEN, '\0', "listen", NULL, "stay when the input ends"},
    {NOTES, '\0', "notes", NULL, "send notes always"},
    {REQUIRE_FS, '\0', "require-fs", NULL, "send messages only, never notes"},
    {FALLBACK, '\0', "fallback", NULL, "notes again after a conversation"},
    {REKEY, '\0', "rekey", "TIME", "a new key so often (1h)"},
    {STATE, '\0', "state", "DIR", "keep unsent notes and what was shown"},
    {MAX_RECORD, '\0', "max-record", "N", "characters a record (4095)"},
    {MAX_MEMBERS, '\0', "max-members", "N", "of a conversation (64)"},
    {NO_TIME, '\0', "no-time", NULL, "do not tell when"},
    {TRUST, '\0', "trust", "FILE", "known identities (else the user's)"},
    {TRUST_NEW, '\0', "trust-new", "HOW", "first-use or never"},
    {TYPING, '\0', "typing", NULL, "show unfinished lines, too (suite mles)"},
    {SUB, '\0', "sub", "COMMAND", "prints what comes from the relay"},
    {PUB, '\0', "pub", "COMMAND", "publishes the lines of its input"},
    {CONFINE, '\0', "confine", NULL, "fail where we cannot be confined"},
    {VERBOSE, 'v', "verbose", NULL, "tell more"},
};

struct tool {
	/* as asked for */
	const char *argv0, *key, *uid, *identity;
	struct zp_uids members;
	uint64_t max_record; /* 0: the default */
	bool trusts; /* --trust-new was given */
	struct zp_live_config live;
	/* relays */
	struct zp_relayopt relays;
	struct zp_hide hide;
	struct zp_screen_tty tty;
	/* the keyed process */
	struct zp_keyfile *kf;
	struct zp_identity *id;
	char name[ZP_SUITE_NAME_MAX + 1];
};

/* ---- options ------------------------------------------------------------- */

static bool
complain(const char *what)
{
	zp_say(TOOL, "%s", what);
	return false;
}

static bool
take_format(struct tool *t, const char *arg)
{
	t->live.format = arg;
	if (zp_format_check(arg) == ZP_OK)
		return true;
	return complain("-F: %m %M %u %t %k %s %c %r %i %n %% \\n \\t \\\\ "
			"are what a format knows");
}

static bool
take_notes(struct tool *t, enum zp_live_notes notes)
{
	if (t->live.notes != ZP_LIVE_ALONE && t->live.notes != notes)
		return complain(
		    "--notes, --require-fs and --fallback exclude one another");
	t->live.notes = notes;
	return true;
}

static bool
take_trust_new(struct tool *t, const char *arg)
{
	t->trusts = true;
	t->live.trust_new = strcmp(arg, "first-use") == 0;
	return t->live.trust_new || strcmp(arg, "never") == 0 ||
	    complain("--trust-new: first-use or never");
}

static bool
take_rekey(struct tool *t, const char *arg)
{
	if (zp_opt_duration(arg, &t->live.rekey) == ZP_OK &&
	    t->live.rekey >= 10000)
		return true;
	return complain("--rekey: a time, at least 10s");
}

static bool
take_max_record(struct tool *t, const char *arg)
{
	if (zp_opt_number(
		arg, ZP_RECORD_LEAST, ZP_RECORD_MAX, &t->max_record) == ZP_OK)
		return true;
	return complain("--max-record: 1024 to 1048576");
}

static bool
take_max_members(struct tool *t, const char *arg)
{
	uint64_t n;

	if (zp_opt_number(arg, 2, ZP_MACHINE_MEMBERS_MAX, &n) != ZP_OK)
		return complain("--max-members: 2 to 1024");
	t->live.max_members = (size_t)n;
	return true;
}

/* Options that are just kept. */
static bool
take_word(struct tool *t, int id, const char *arg)
{
	const char **to = id == KEY ? &t->key
	    : id == UID		    ? &t->uid
	    : id == IDENTITY	    ? &t->identity
	    : id == STATE	    ? &t->live.state
	    : id == TRUST	    ? &t->live.trust_path
	    : id == SUB		    ? &t->relays.sub
				    : &t->relays.pub;
	bool *flag = id == JSON ? &t->live.json
	    : id == ECHO	? &t->live.echo
	    : id == LISTEN	? &t->live.listen
	    : id == NO_TIME	? &t->live.no_time
	    : id == TYPING	? &t->live.typing
	    : id == CONFINE	? &t->live.confine
				: &t->live.verbose;

	if (id == STATE && *arg == '\0')
		return complain("--state: the name is empty");
	if (arg != NULL)
		*to = arg;
	else
		*flag = true;
	return true;
}

/* One option; false if it makes no sense, which has been said. */
static bool
take_option(struct tool *t, int id, const char *arg)
{
	switch (id) {
	case MEMBERS:
		return zp_uids_take(&t->members, TOOL, arg, MEMBERS_MOST) ==
		    ZP_OK;
	case FORMAT:
		return take_format(t, arg);
	case NOTES:
		return take_notes(t, ZP_LIVE_ALWAYS);
	case REQUIRE_FS:
		return take_notes(t, ZP_LIVE_NEVER);
	case FALLBACK:
		return take_notes(t, ZP_LIVE_FALLBACK);
	case REKEY:
		return take_rekey(t, arg);
	case MAX_RECORD:
		return take_max_record(t, arg);
	case MAX_MEMBERS:
		return take_max_members(t, arg);
	case TRUST_NEW:
		return take_trust_new(t, arg);
	default:
		return take_word(t, id, arg);
	}
}

/* ---- relays -------------------------------------------------------------- */

/* An Mles server is to be told who joins, before anything else. */
static bool
is_mles(const struct zp_relay *r)
{
	return r->scheme != NULL &&
	    (strcmp(r->scheme, "mles") == 0 ||
		strcmp(r->scheme, "mles+ws") == 0);
}

static bool
take_relays(struct tool *t, const struct zp_opts *o)
{
	if (zp_relayopt_take(&t->relays, TOOL, o, true) != ZP_OK)
		return false;
	if (t->relays.n > 0)
		return true;
	zp_say(TOOL, "over which relay? (URL, $ZPINC_URL or --sub and --pub)");
	zp_hint("file:DIR needs no server");
	return false;
}

/* Returns what zp_opt_next() ended with. */
static int
parse(struct tool *t, int argc, char **argv)
{
	struct zp_opts o;
	const char *arg;
	int id;

	zp_opt_init(
	    &o, TOOL, argc, argv, options, sizeof(options) / sizeof(*options));
	while ((id = zp_opt_next(&o, USAGE, &arg)) >= 0)
		if (!take_option(t, id, arg))
			return ZP_OPT_BAD;
	if (id != ZP_OPT_END)
		return id;
	if (t->live.json && t->live.format != NULL)
		return complain("-F and --json exclude one another")
		    ? id
		    : ZP_OPT_BAD;
	return take_relays(t, &o) ? id : ZP_OPT_BAD;
}

/* ---- the keyed process --------------------------------------------------- */

/* Options that the key's suite has no use for. */
static enum zp_err
check_suite(const struct tool *t)
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(t->kf);
	const bool fixed = (ops->can & ZP_SUITE_FIXED) != 0;
	const struct {
		const char *option;
		bool given, good;
		const char *has;
	} all[] = {
	    {"-i", t->identity != NULL, ops->can & ZP_SUITE_SIGNS,
		"no signatures"},
	    {"--trust", t->live.trust_path != NULL, ops->can & ZP_SUITE_SIGNS,
		"no signatures"},
	    {"--trust-new", t->trusts, ops->can & ZP_SUITE_SIGNS,
		"no signatures"},
	    {"--state", t->live.state != NULL, ops->can & ZP_SUITE_NUMBERS,
		"no numbers"},
	    {"--max-record", t->max_record != 0, ops->can & ZP_SUITE_PARTS,
		"no bodies in parts"},
	    {"--no-time", t->live.no_time, ops->can & ZP_SUITE_UNTIMED,
		"no records without time"},
	    {"-m", t->members.n > 0, fixed,
		"everybody with the key in its conversations"},
	    {"--max-members", t->live.max_members != 0, fixed,
		"members without number, as far as it has room"},
	    {"--rekey", t->live.rekey != 0, fixed,
		"one key for a whole conversation"},
	    {"--typing", t->live.typing, !fixed, "whole lines alone"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!all[i].given || all[i].good)
			continue;
		zp_say(TOOL, "%s: suite %s has %s", all[i].option, ops->word,
		    all[i].has);
		return ZP_ERR_USAGE;
	}
	return ZP_OK;
}

static enum zp_err
load(struct tool *t)
{
	if (zp_secret_init() != ZP_OK)
		return zp_say_fail(TOOL, "libsodium", ZP_ERR_IO);
	enum zp_err err = zp_load_channel_key(TOOL, t->key, &t->kf);
	if (!err)
		err = check_suite(t);
	if (!err)
		err = zp_load_identity(TOOL, t->identity, &t->id);
	return err ? err : zp_load_uid_for(TOOL, t->uid, t->kf, t->name);
}

/* Lets the transports begin. */
static enum zp_err
begin(const struct tool *t, struct zp_relays_child *child)
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(t->kf);
	char topic[ZP_SUITE_TOPIC_MAX], live[ZP_SUITE_TOPIC_MAX];
	const bool two = ops->topic(t->kf, true, true, live);

	if (!ops->topic(t->kf, false, true, topic))
		return ZP_ERR_KEY;
	return zp_relays_begin(child, topic, two ? live : NULL);
}

static int
keyed(void *arg, struct zp_relays_child *child)
{
	struct tool *t = arg;
	struct zp_live_relay relay[ZP_RELAYS_MAX];
	enum zp_err err;

	/* Of URLs it needs the names alone. */
	zp_relayopt_wipe(&t->relays);
	err = load(t);
	if (!err)
		err = begin(t, child);
	if (err)
		return (int)zp_err_status(err);
	for (size_t i = 0; i < child->n; i++)
		relay[i] = (struct zp_live_relay){.in = child->in[i],
		    .out = child->out[i],
		    .name = t->relays.relay[i].name,
		    .tells = t->relays.relay[i].url != NULL,
		    .joins = is_mles(&t->relays.relay[i])};
	t->live.tool = TOOL;
	t->live.key = t->kf->key;
	t->live.mles = t->kf->mles;
	t->live.allowed = (const char *const *)t->members.uid;
	t->live.allowed_count = t->members.n;
	t->live.channel = zp_keyfile_channel(t->kf);
	t->live.uid = t->name;
	t->live.id = t->id;
	t->live.max_record =
	    t->max_record > 0 ? (size_t)t->max_record : ZP_RECORD_DEFAULT;
	t->live.relays = relay;
	t->live.n = child->n;
	enum zp_exit status = zp_live_run(&t->live);
	zp_identity_free(t->id);
	zp_keyfile_free(t->kf);
	return (int)status;
}

/* ---- the parent ---------------------------------------------------------- */

/* Files that no transport may open. */
static enum zp_err
hide_all(struct tool *t)
{
	enum zp_err err =
	    zp_hide_init(&t->hide, t->key, t->identity, t->live.trust_path);

	if (t->live.state != NULL)
		(void)mkdir(t->live.state, 0700);
	return err ? err : zp_hide_add(&t->hide, t->live.state);
}

static void
keep_screen(void *arg)
{
	const struct tool *t = arg;

	zp_screen_keep(&t->tty);
}

static int
run(struct tool *t)
{
	struct zp_relays_config config = {.tool = TOOL,
	    .argv0 = t->argv0,
	    .relay = t->relays.relay,
	    .n = t->relays.n,
	    .must = t->live.confine,
	    .restart = true,
	    .body = keyed,
	    .now_and_then = keep_screen,
	    .arg = t};

	if (hide_all(t) != ZP_OK)
		return (int)zp_err_status(
		    zp_say_fail(TOOL, "starting", ZP_ERR_MEMORY));
	config.hide = zp_hide_list(&t->hide);
	if (!t->live.json)
		zp_screen_take(&t->tty);
	if (t->tty.on)
		config.keep = t->live.said = t->tty.said[0];
	int status = zp_relays_run(&config);
	zp_screen_give(&t->tty);
	return status;
}

int
main(int argc, char **argv)
{
	struct tool t = {.argv0 = argv[0], .live = {.trust_new = true}};
	int status, id = parse(&t, argc, argv);

	if (id != ZP_OPT_END)
		return (int)zp_opt_status(id);
	if (zp_load_stdio(TOOL) != ZP_OK)
		return ZP_EXIT_IO;
	if (zp_confine_early() != ZP_OK)
		return (int)zp_err_status(
		    zp_say_fail(TOOL, "confining", ZP_ERR_CONFINE));
	status = run(&t);
	zp_hide_free(&t.hide);
	zp_relayopt_free(&t.relays);
	zp_uids_free(&t.members);
	return status;
}
