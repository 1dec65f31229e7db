#include "proc/zp_keyshow.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_io.h"
#include "crypt/zp_secret.h"
#include "proc/zp_keytool.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proto/zp_format.h"
#include "store/zp_known.h"

#define N(table) (sizeof(table) / sizeof(*(table)))

enum { KEY = 1, LIVE, IDENTITY, FORCE, UID };

struct show {
	const char *key, *identity, *uid;
	bool live, force;
};

static enum zp_err
take(void *arg, int id, const char *value)
{
	struct show *s = arg;

	switch (id) {
	case KEY:
		s->key = value;
		return ZP_OK;
	case LIVE:
		s->live = true;
		return ZP_OK;
	case IDENTITY:
		s->identity = value;
		return ZP_OK;
	case UID:
		s->uid = value;
		return ZP_OK;
	case FORCE:
		s->force = true;
		return ZP_OK;
	default:
		return ZP_ERR_USAGE;
	}
}

/* Options, no operands, the key. */
static bool
begin(const struct zp_keytool_command *c, int argc, char **argv, struct show *s,
    struct zp_keyfile **kf, enum zp_exit *status)
{
	struct zp_opts o;

	memset(s, 0, sizeof(*s));
	if (!zp_keytool_options(c, &o, argc, argv, s, status))
		return false;
	enum zp_err err = zp_keytool_no_operands(&o);
	if (!err && kf != NULL)
		err = zp_load_key(ZP_KEYTOOL, s->key, kf);
	*status = zp_err_status(err);
	return err == ZP_OK;
}

/* ---- topic ---- */

static const struct zp_opt topic_options[] = {
    {KEY, 'k', "key", "KEY", "channel or conversation key"},
    {LIVE, '\0', "live", NULL, "the topic of hellos, not that of notes"},
    {UID, 'u', "uid", "UID", "how this user is called on the wire, instead"},
};

static const struct zp_keytool_command topic_command = {
    "zpinc-key topic -k KEY [--live | -u UID]", topic_options, N(topic_options),
    take};

static enum zp_err
find_topic(const struct show *s, const struct zp_keyfile *kf,
    char to[static ZP_SUITE_TOPIC_MAX])
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(kf);
	enum zp_err err = ZP_OK;

	if (s->uid != NULL && s->live) {
		zp_say(ZP_KEYTOOL, "either --live or -u");
		err = ZP_ERR_USAGE;
	} else if (s->uid != NULL) {
		err = ops->pseudonym(kf, s->uid, to);
		if (err)
			zp_say(ZP_KEYTOOL, "-u: %s", zp_err_text(err));
	} else if (!ops->topic(kf, s->live, false, to)) {
		zp_say(ZP_KEYTOOL, "--live: suite %s has one topic a channel",
		    ops->word);
		err = ZP_ERR_USAGE;
	}
	return err;
}

enum zp_exit
zp_keyshow_topic(int argc, char **argv)
{
	struct show s;
	struct zp_keyfile *kf = NULL;
	char topic[ZP_SUITE_TOPIC_MAX];
	enum zp_exit status;

	if (!begin(&topic_command, argc, argv, &s, &kf, &status))
		return status;
	enum zp_err err = find_topic(&s, kf, topic);
	zp_keyfile_free(kf);
	if (err)
		return zp_err_status(err);
	printf("%s\n", topic);
	return zp_err_status(zp_keytool_flush());
}

/* ---- show ---- */

static const struct zp_opt show_options[] = {
    {KEY, 'k', "key", "KEY", "channel or conversation key"},
};

static const struct zp_keytool_command show_command = {
    "zpinc-key show -k KEY", show_options, N(show_options), take};

/* A name that cannot fool a terminal, at the end of a line. */
static void
print_name(const char *label, const char *name, enum zp_text_style style)
{
	char safe[ZP_TEXT_ESCAPED(ZP_SUITE_NAME_MAX)];
	size_t used;
	size_t n = zp_text_escape(
	    safe, sizeof(safe), name, strlen(name), style, &used);

	printf("%s%.*s\n", label, (int)n, safe);
}

static void
show_members(const struct zp_convfile *c)
{
	char hex[2 * ZP_KEYID_LEN + 1], time[ZP_FORMAT_TIME];
	char text[ZP_KNOWN_TEXT];

	printf("conversation %s\n", zp_format_hex(hex, c->id, sizeof(c->id)));
	printf("made         %s\n", zp_format_time(time, c->time));
	print_name("you are      ", c->members[c->me].uid, ZP_TEXT_UID);
	for (size_t i = 0; i < c->n; i++) {
		const struct zp_convfile_member *m = &c->members[i];
		zp_known_text(text, m->idkey);
		printf("member       %s ",
		    sodium_is_zero(m->idkey, sizeof(m->idkey)) ? "-" : text);
		print_name("", m->uid, ZP_TEXT_UID);
	}
}

static void
show_topics(const struct zp_keyfile *kf)
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(kf);
	char topic[ZP_SUITE_TOPIC_MAX], record[ZP_SUITE_TOPIC_MAX];

	if (ops->topic(kf, false, false, topic))
		printf("topic        %s\n", topic);
	if (ops->topic(kf, false, true, record) && strcmp(topic, record) != 0)
		printf("in records   %s\n", record);
	if (ops->topic(kf, true, false, topic))
		printf("live topic   %s\n", topic);
}

enum zp_exit
zp_keyshow_show(int argc, char **argv)
{
	struct show s;
	struct zp_keyfile *kf = NULL;
	enum zp_exit status;

	if (!begin(&show_command, argc, argv, &s, &kf, &status))
		return status;
	const struct zp_suite_ops *ops = zp_keyfile_ops(kf);
	print_name("channel      ", zp_keyfile_channel(kf), ZP_TEXT_NAME);
	printf("suite        %s\n", ops->word);
	if (kf->conv == NULL && ops->get_work(kf) == ZP_WORK_RANDOM)
		printf("work         random\n");
	else if (kf->conv == NULL)
		printf("work         %u\n", ops->get_work(kf));
	show_topics(kf);
	if (kf->conv != NULL)
		show_members(kf->conv);
	zp_keyfile_free(kf);
	return zp_err_status(zp_keytool_flush());
}

/* ---- export ---- */

static const struct zp_opt export_options[] = {
    {KEY, 'k', "key", "KEY", "a channel's key"},
    {FORCE, 'f', "force", NULL, "also to a terminal"},
};

static const struct zp_keytool_command export_command = {
    "zpinc-key export [-f] -k KEY", export_options, N(export_options), take};

static enum zp_err
export_key(const struct zp_keyfile *kf)
{
	if (kf->conv != NULL) {
		zp_say(ZP_KEYTOOL,
		    "a conversation's key is not exported: it is to be "
		    "forgotten");
		return ZP_ERR_USAGE;
	}
	char *line = zp_secret_new(ZP_KEYFILE_EXPORT_MAX + 1);
	enum zp_err err =
	    line != NULL ? zp_keyfile_export(kf, line) : ZP_ERR_MEMORY;
	if (!err) {
		memcpy(line + strlen(line), "\n", 2);
		err = zp_io_write_all(STDOUT_FILENO, line, strlen(line));
	}
	if (err) {
		char buf[ZP_SAY_NAME];
		zp_say(ZP_KEYTOOL, "standard output: %s", zp_say_err(buf, err));
	}
	zp_secret_free(line);
	return err;
}

enum zp_exit
zp_keyshow_export(int argc, char **argv)
{
	struct show s;
	struct zp_keyfile *kf = NULL;
	enum zp_exit status;

	if (!begin(&export_command, argc, argv, &s, &kf, &status))
		return status;
	enum zp_err err = zp_keytool_stdout(s.force);
	if (!err)
		err = export_key(kf);
	zp_keyfile_free(kf);
	return zp_err_status(err);
}

/* ---- public ---- */

static const struct zp_opt public_options[] = {
    {IDENTITY, 'i', "identity", "IDENTITY", "whose public half to print"},
};

static const struct zp_keytool_command public_command = {
    "zpinc-key public -i IDENTITY", public_options, N(public_options), take};

enum zp_exit
zp_keyshow_public(int argc, char **argv)
{
	struct show s;
	struct zp_identity *id = NULL;
	char text[ZP_KNOWN_TEXT];
	enum zp_exit status;

	if (!begin(&public_command, argc, argv, &s, NULL, &status))
		return status;
	if (s.identity == NULL) {
		zp_say(ZP_KEYTOOL, "which identity? (-i)");
		zp_hint("zpinc-key identity makes one");
		return ZP_EXIT_USAGE;
	}
	enum zp_err err = zp_load_identity(ZP_KEYTOOL, s.identity, &id);
	if (err)
		return zp_err_status(err);
	zp_known_text(text, zp_identity_public(id));
	zp_identity_free(id);
	printf("%s\n", text);
	return zp_err_status(zp_keytool_flush());
}
