#include "proc/zp_keytrust.h"

#include <stdio.h>
#include <string.h>

#include "crypt/zp_pseudo.h"
#include "proc/zp_keytool.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proto/zp_format.h"
#include "store/zp_known.h"

#define N(table) (sizeof(table) / sizeof(*(table)))

enum { KEY = 1, TRUST };

struct trust {
	const char *key, *path;
	struct zp_known *known;
	uint8_t rp[ZP_PSEUDONYM_LEN]; /* of the key, if there is one */
};

static enum zp_err
take(void *arg, int id, const char *value)
{
	struct trust *t = arg;

	if (id == KEY)
		t->key = value;
	else
		t->path = value;
	return ZP_OK;
}

static const struct zp_opt options[] = {
    {KEY, 'k', "key", "KEY", "the channel it is about"},
    {TRUST, '\0', "trust", "FILE", "the file of known identities"},
};

/* Says what is wrong with the file. */
static enum zp_err
fail(const struct trust *t, enum zp_err err, const struct zp_fault *fault)
{
	const char *path = t->known ? zp_known_path(t->known)
	    : t->path		    ? t->path
				    : "known identities";

	zp_load_say(ZP_KEYTOOL, path, err, fault);
	if ((err == ZP_ERR_IO || err == ZP_ERR_NOT_FOUND) && t->path == NULL)
		zp_hint("--trust FILE keeps known identities elsewhere");
	return err == ZP_ERR_NOT_FOUND ? ZP_ERR_KEY : err;
}

/* The file, and the channel's topic if a key was given. */
static enum zp_err
open_trust(struct trust *t)
{
	struct zp_fault fault = {0};
	struct zp_keyfile *kf = NULL;
	enum zp_err err = ZP_OK;

	if (t->key != NULL) {
		err = zp_load_key(ZP_KEYTOOL, t->key, &kf);
		if (err)
			return err;
		if (!(zp_keyfile_ops(kf)->can & ZP_SUITE_SIGNS)) {
			zp_say(ZP_KEYTOOL, "-k: suite %s has no identities",
			    zp_keyfile_ops(kf)->word);
			zp_keyfile_free(kf);
			return ZP_ERR_USAGE;
		}
		err = kf->conv == NULL
		    ? ZP_OK
		    : zp_pseudo_make(t->rp, kf->conv->amac, kf->conv->aenc,
			  ZP_PSEUDO_CHAN, kf->conv->channel);
		if (!err && kf->conv == NULL)
			memcpy(t->rp, zp_key_rp(kf->key, false), sizeof(t->rp));
		zp_keyfile_free(kf);
	}
	if (!err)
		err = zp_known_open(&t->known, t->path, false, &fault);
	return err ? fail(t, err, &fault) : ZP_OK;
}

/* ---- list ---- */

static void
print_entry(const struct zp_known_entry *e, bool with_topic)
{
	char text[ZP_KNOWN_TEXT], time[ZP_FORMAT_TIME];
	char topic[ZP_TOPIC_LEN + 1] = "";
	char safe[ZP_TEXT_ESCAPED(ZP_NAME_MAX)];
	size_t used;
	size_t n = zp_text_escape(
	    safe, sizeof(safe), e->uid, strlen(e->uid), ZP_TEXT_UID, &used);

	zp_known_text(text, e->idkey);
	if (with_topic)
		zp_record_topic(topic, e->rp);
	printf("%s %s %s%s%.*s\n", text, zp_format_time(time, e->time), topic,
	    with_topic ? " " : "", (int)n, safe);
}

static enum zp_err
list(struct trust *t)
{
	for (size_t i = 0; i < zp_known_count(t->known); i++) {
		const struct zp_known_entry *e = zp_known_at(t->known, i);
		if (t->key == NULL || memcmp(e->rp, t->rp, sizeof(t->rp)) == 0)
			print_entry(e, t->key == NULL);
	}
	return zp_keytool_flush();
}

/* ---- pin, forget ---- */

static enum zp_err
pin(struct trust *t, const char *uid, const char *text)
{
	struct zp_fault fault = {0};
	uint8_t idkey[ZP_IDKEY_LEN];
	char name[ZP_SAY_NAME];
	uint64_t now;

	if (zp_known_parse(idkey, text) != ZP_OK) {
		zp_say(
		    ZP_KEYTOOL, "%s: not an identity", zp_say_name(name, text));
		zp_hint("zpinc-key public prints one; they begin with zpid1.");
		return ZP_ERR_USAGE;
	}
	enum zp_err err = zp_load_now(&now);
	if (err) {
		zp_say(ZP_KEYTOOL, "%s", zp_err_text(err));
		return err;
	}
	err = zp_known_pin(t->known, t->rp, uid, idkey, now, &fault);
	if (err == ZP_ERR_CHANGED || err == ZP_ERR_NAME) {
		zp_say(ZP_KEYTOOL, "%s: %s", zp_say_uid(name, uid),
		    err == ZP_ERR_NAME
			? zp_err_text(err)
			: "another identity is pinned for this user");
		if (err == ZP_ERR_CHANGED)
			zp_hint("zpinc-key trust forget, if that is meant");
		return err;
	}
	return err ? fail(t, err, &fault) : ZP_OK;
}

static enum zp_err
forget(struct trust *t, const char *uid)
{
	struct zp_fault fault = {0};
	char name[ZP_SAY_NAME];
	enum zp_err err = zp_known_forget(t->known, t->rp, uid, &fault);

	if (err == ZP_ERR_NOT_FOUND) {
		zp_say(ZP_KEYTOOL, "%s: no identity is pinned for this user",
		    zp_say_uid(name, uid));
		return ZP_ERR_KEY;
	}
	return err ? fail(t, err, &fault) : ZP_OK;
}

static const struct {
	const char *name;
	int operands;
	struct zp_keytool_command command;
} verbs[] = {
    {"list", 0,
	{"zpinc-key trust list [-k KEY] [--trust FILE]", options, N(options),
	    take}},
    {"pin", 2,
	{"zpinc-key trust pin -k KEY [--trust FILE] UID IDENTITY", options,
	    N(options), take}},
    {"forget", 1,
	{"zpinc-key trust forget -k KEY [--trust FILE] UID", options,
	    N(options), take}},
};

/* Who asks what there is has named none of them. */
static const struct zp_keytool_command all = {
    "zpinc-key trust [list] [-k KEY] [--trust FILE]\n"
    "       zpinc-key trust pin -k KEY [--trust FILE] UID IDENTITY\n"
    "       zpinc-key trust forget -k KEY [--trust FILE] UID",
    options, N(options), take};

/* Has it what it needs? */
static enum zp_err
check(const struct trust *t, const struct zp_opts *o, size_t verb)
{
	if (zp_opt_operands(o) != verbs[verb].operands) {
		zp_say(ZP_KEYTOOL, "usage: %s", verbs[verb].command.usage);
		return ZP_ERR_USAGE;
	}
	if (verb > 0 && t->key == NULL) {
		zp_say(ZP_KEYTOOL, "which channel? (-k)");
		return ZP_ERR_USAGE;
	}
	return ZP_OK;
}

static enum zp_exit
run(size_t verb, const struct zp_keytool_command *command, int argc,
    char **argv)
{
	struct trust t = {0};
	struct zp_opts o;
	enum zp_exit status;

	if (!zp_keytool_options(command, &o, argc, argv, &t, &status))
		return status;
	enum zp_err err = check(&t, &o, verb);
	if (!err)
		err = open_trust(&t);
	if (!err && verb == 0)
		err = list(&t);
	else if (!err && verb == 1)
		err = pin(&t, zp_opt_operand(&o, 0), zp_opt_operand(&o, 1));
	else if (!err)
		err = forget(&t, zp_opt_operand(&o, 0));
	zp_known_free(t.known);
	return zp_err_status(err);
}

enum zp_exit
zp_keytrust(int argc, char **argv)
{
	/* `trust` alone lists, and so do `trust -k KEY` and its like. */
	if (argc < 2 || argv[1][0] == '-')
		return run(0, &all, argc, argv);
	for (size_t i = 0; i < N(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run(i, &verbs[i].command, argc - 1, argv + 1);
	char name[ZP_SAY_NAME];
	zp_say(ZP_KEYTOOL, "trust %s: no such command",
	    zp_say_name(name, argv[1]));
	zp_hint("zpinc-key trust list, pin or forget");
	return ZP_EXIT_USAGE;
}
