#include "proc/zp_keymake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_cursor.h"
#include "base/zp_io.h"
#include "crypt/zp_secret.h"
#include "crypt/zp_words.h"
#include "proc/zp_keytool.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proc/zp_pass.h"
#include "proc/zp_tty.h"

#define N(table) (sizeof(table) / sizeof(*(table)))
/* Below this many bytes a typed passphrase is remarked upon. */
#define SHORT_PASSPHRASE 14

enum {
	CHANNEL = 1,
	OUTPUT,
	RANDOM,
	PASSFILE,
	WORK,
	SUITE,
	FORCE,
	WORDS,
};

/* ---- new ---- */

struct new
{
	const char *channel, *passfile;
	uint64_t work;
	bool random, work_given;
	enum zp_suite suite;
	struct zp_keytool_to to;
	char name[ZP_SUITE_NAME_MAX + 1]; /* the channel's */
};

static enum zp_err
take_new(void *arg, int id, const char *value)
{
	struct new *n = arg;

	switch (id) {
	case CHANNEL:
		n->channel = value;
		return ZP_OK;
	case OUTPUT:
		n->to.output = value;
		return ZP_OK;
	case RANDOM:
		n->random = true;
		return ZP_OK;
	case PASSFILE:
		n->passfile = value;
		return ZP_OK;
	case WORK:
		n->work_given = true;
		return zp_opt_number(
		    value, ZP_WORK_LEAST, ZP_WORK_MAX, &n->work);
	case SUITE:
		return zp_suite_parse(value, &n->suite);
	case FORCE:
		n->to.force = true;
		return ZP_OK;
	default:
		return ZP_ERR_USAGE;
	}
}

/* Options that contradict each other. */
static enum zp_err
check_new(const struct new *n)
{
	const char *with = n->passfile ? "--passfile"
	    : n->work_given	       ? "--work"
				       : NULL;

	if (n->random && with != NULL) {
		zp_say(ZP_KEYTOOL, "%s: a random key has no passphrase", with);
		return ZP_ERR_USAGE;
	}
	const struct zp_suite_ops *ops = zp_suite_ops(n->suite);
	if (n->random && !(ops->can & ZP_SUITE_RANDOM)) {
		zp_say(ZP_KEYTOOL,
		    "--random: in suite %s all know the passphrase", ops->word);
		return ZP_ERR_USAGE;
	}
	if (n->work_given && !(ops->can & ZP_SUITE_WORK) &&
	    n->work != ops->work) {
		zp_say(ZP_KEYTOOL, "--work: it is %u in suite %s", ops->work,
		    ops->word);
		return ZP_ERR_USAGE;
	}
	return ZP_OK;
}

/*
 * A channel's name that nobody else has: equal names would share a
 * dictionary of guessed passphrases.
 */
static enum zp_err
propose(char name[static ZP_NAME_MAX + 1])
{
	char words[ZP_WORDS_LEN(2)];
	enum zp_err err = zp_words_make(words, 2);

	if (!err)
		snprintf(name, ZP_NAME_MAX + 1, "chat-%s", words);
	return err;
}

/* Offers it to whoever sits there; Enter takes it. */
static enum zp_err
ask_channel(struct new *n)
{
	uint8_t line[ZP_SUITE_NAME_MAX + 2];
	char prompt[ZP_NAME_MAX + 32];
	struct zp_tty *tty;
	size_t len = 0;
	enum zp_err err = zp_tty_open(&tty, false);

	if (err)
		return zp_say_fail(ZP_KEYTOOL, "/dev/tty", err);
	snprintf(
	    prompt, sizeof(prompt), "Channel [%.*s]: ", ZP_NAME_MAX, n->name);
	err = zp_tty_ask(tty, prompt, line, sizeof(line), &len);
	zp_tty_close(tty);
	if (err == ZP_ERR_TOO_LONG || (!err && len > ZP_SUITE_NAME_MAX))
		err = ZP_ERR_NAME;
	if (err)
		return zp_say_fail(ZP_KEYTOOL, "channel", err);
	if (len > 0) {
		memcpy(n->name, line, len);
		n->name[len] = '\0';
	}
	return ZP_OK;
}

static enum zp_err
choose_channel(struct new *n)
{
	enum zp_err err = ZP_OK;
	size_t len;

	if (n->channel != NULL) {
		len = strnlen(n->channel, sizeof(n->name));
		if (len < sizeof(n->name))
			memcpy(n->name, n->channel, len + 1);
	} else {
		err = propose(n->name);
		if (err)
			return zp_say_fail(ZP_KEYTOOL, "channel", err);
		if (isatty(STDIN_FILENO))
			err = ask_channel(n);
		len = strlen(n->name);
	}
	if (!err &&
	    (len == sizeof(n->name) ||
		!zp_suite_ops(n->suite)->is_name(n->name, len)))
		err = zp_say_fail(ZP_KEYTOOL,
		    n->channel ? n->channel : "channel", ZP_ERR_NAME);
	return err;
}

static enum zp_err
derive(const struct new *n, struct zp_keyfile **kf)
{
	struct zp_pass *pass;
	enum zp_err err = zp_pass_get(ZP_KEYTOOL, n->passfile, &pass);

	if (err)
		return err;
	if (!pass->made && pass->len < SHORT_PASSPHRASE) {
		zp_say(ZP_KEYTOOL,
		    "this passphrase is short: whoever sees one "
		    "record can try guesses");
		zp_hint("zpinc-key passphrase makes a strong one");
	}
	err = zp_keyfile_make(
	    kf, n->suite, pass->bytes, pass->len, n->name, (unsigned)n->work);
	zp_pass_free(pass);
	if (err == ZP_ERR_MEMORY) {
		zp_say_fail(ZP_KEYTOOL, "deriving the key", err);
		zp_hint("--work %u takes %u MiB", (unsigned)n->work,
		    1U << (n->work - 10));
	} else if (err) {
		zp_say_fail(ZP_KEYTOOL, "deriving the key", err);
	}
	return err;
}

/* To where it goes; the key is freed. */
static enum zp_err
put_key(const struct zp_keytool_to *to, struct zp_keyfile *kf)
{
	char what[ZP_SAY_NAME + 32], name[ZP_SAY_NAME];
	struct zp_writer w;
	void *text = zp_secret_new(ZP_KEYFILE_TEXT_MAX);
	enum zp_err err = ZP_OK;

	if (text == NULL) {
		err = zp_say_fail(ZP_KEYTOOL, "key", ZP_ERR_MEMORY);
	} else {
		zp_writer_init(&w, text, ZP_KEYFILE_TEXT_MAX);
		zp_keyfile_write(&w, kf);
		snprintf(what, sizeof(what), "the key of channel %s",
		    zp_say_name(name, zp_keyfile_channel(kf)));
		err = zp_keytool_put(to, text, w.len, what);
	}
	zp_secret_free(text);
	zp_keyfile_free(kf);
	return err;
}

static const struct zp_opt new_options[] = {
    {CHANNEL, 'c', "channel", "NAME", "the channel's name"},
    {OUTPUT, 'o', "output", "FILE", "where it goes (- for stdout)"},
    {RANDOM, '\0', "random", NULL, "a random key, not a passphrase's"},
    {PASSFILE, '\0', "passfile", "FILE", "read the passphrase from it"},
    {WORK, '\0', "work", "L", "log2 of scrypt's N, 15 to 22 (18)"},
    {SUITE, '\0', "suite", "zp1|mles", "which protocol (zp1)"},
    {FORCE, 'f', "force", NULL, "over a file, to a terminal"},
};

static const struct zp_keytool_command new_command = {
    "zpinc-key new [-f] [-c NAME] [-o FILE] [--random | --passfile FILE]\n"
    "                     [--work L] [--suite zp1|mles]",
    new_options, N(new_options), take_new};

/* What a suite cannot promise is said when its key is made. */
static void
warn(const struct new *n)
{
	const char *const *line = zp_suite_ops(n->suite)->warning;

	for (; line != NULL && *line != NULL; line++)
		zp_say(ZP_KEYTOOL, "%s", *line);
	if (n->suite != ZP_SUITE_MLES)
		return;
	for (const char *c = n->name; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80) {
			zp_say(ZP_KEYTOOL,
			    "the MlesTalk app shows nothing of a channel "
			    "whose name is not ASCII");
			return;
		}
}

static enum zp_err
make_key(struct new *n, struct zp_keyfile **kf)
{
	enum zp_err err = choose_channel(n);

	if (!err)
		err = zp_keytool_place(&n->to, ZP_PATH_KEY, n->name);
	if (err)
		return err;
	if (!n->random)
		return derive(n, kf);
	err = zp_keyfile_make(kf, n->suite, NULL, 0, n->name, 0);
	return err ? zp_say_fail(ZP_KEYTOOL, "key", err) : ZP_OK;
}

enum zp_exit
zp_keymake_new(int argc, char **argv)
{
	struct zp_opts o;
	struct zp_keyfile *kf = NULL;
	enum zp_exit status;
	struct new *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return zp_err_status(
		    zp_say_fail(ZP_KEYTOOL, "new", ZP_ERR_MEMORY));
	if (zp_keytool_options(&new_command, &o, argc, argv, n, &status)) {
		enum zp_err err = zp_keytool_no_operands(&o);
		if (!err)
			err = check_new(n);
		if (!n->work_given)
			n->work = zp_suite_ops(n->suite)->work;
		if (!err)
			err = make_key(n, &kf);
		if (!err)
			err = put_key(&n->to, kf);
		if (!err)
			warn(n);
		status = zp_err_status(err);
	}
	free(n);
	return status;
}

/* ---- import ---- */

static enum zp_err
take_to(void *arg, int id, const char *value)
{
	struct zp_keytool_to *to = arg;

	if (id == OUTPUT)
		to->output = value;
	else
		to->force = true;
	return ZP_OK;
}

static const struct zp_opt to_options[] = {
    {OUTPUT, 'o', "output", "FILE", "where it goes (- for stdout)"},
    {FORCE, 'f', "force", NULL, "over a file, to a terminal"},
};

static const struct zp_keytool_command import_command = {
    "zpinc-key import [-f] [-o FILE]     (the line is read from stdin)",
    to_options, N(to_options), take_to};

/* The key out of the line that was read; the line is freed. */
static enum zp_err
import_line(struct zp_pass *line, struct zp_keyfile **kf)
{
	static const char begins[] = "zpkey1.";
	const char *at = (const char *)line->bytes;
	size_t len = line->len;

	for (; len > 0 && (*at == ' ' || *at == '\t'); at++)
		len--;
	while (len > 0 && (unsigned char)at[len - 1] <= ' ')
		len--;
	enum zp_err err = zp_keyfile_import(kf, at, len);
	/* What begins so was meant to be one. */
	if (err == ZP_ERR_FORMAT && len >= sizeof(begins) - 1 &&
	    memcmp(at, begins, sizeof(begins) - 1) == 0)
		err = ZP_ERR_CORRUPT;
	zp_pass_free(line);
	if (err == ZP_ERR_CORRUPT)
		zp_say(ZP_KEYTOOL, "the line has a typing error in it");
	else if (err == ZP_ERR_FORMAT)
		zp_say(ZP_KEYTOOL,
		    "not an exported key (they begin with zpkey1.)");
	else if (err)
		zp_say_fail(ZP_KEYTOOL, "exported key", err);
	return err;
}

static enum zp_err
import(struct zp_keytool_to *to)
{
	struct zp_pass *line;
	struct zp_keyfile *kf = NULL;
	enum zp_err err =
	    zp_pass_line(ZP_KEYTOOL, "Exported key (not shown): ", &line);

	if (!err)
		err = import_line(line, &kf);
	if (err)
		return err;
	err = zp_keytool_place(to, ZP_PATH_KEY, zp_keyfile_channel(kf));
	if (err) {
		zp_keyfile_free(kf);
		return err;
	}
	return put_key(to, kf);
}

enum zp_exit
zp_keymake_import(int argc, char **argv)
{
	struct zp_opts o;
	enum zp_exit status;
	struct zp_keytool_to *to = calloc(1, sizeof(*to));

	if (to == NULL)
		return zp_err_status(
		    zp_say_fail(ZP_KEYTOOL, "import", ZP_ERR_MEMORY));
	if (zp_keytool_options(&import_command, &o, argc, argv, to, &status)) {
		enum zp_err err = zp_keytool_no_operands(&o);
		if (!err)
			err = import(to);
		status = zp_err_status(err);
	}
	free(to);
	return status;
}

/* ---- identity ---- */

static const struct zp_keytool_command identity_command = {
    "zpinc-key identity [-f] [-o FILE]", to_options, N(to_options), take_to};

/* Where -i finds it if nobody says otherwise. */
#define IDENTITY_NAME "me"

/* text: secret, ZP_KEYFILE_TEXT_MAX bytes. */
static enum zp_err
put_identity(struct zp_keytool_to *to, void *text)
{
	struct zp_identity *id;
	struct zp_writer w;
	enum zp_err err = zp_identity_new(&id);

	if (err)
		return zp_say_fail(ZP_KEYTOOL, "identity", err);
	zp_writer_init(&w, text, ZP_KEYFILE_TEXT_MAX);
	zp_idfile_write(&w, id);
	zp_identity_free(id);
	return zp_keytool_put(to, text, w.len, "a new identity");
}

static enum zp_err
make_identity(struct zp_keytool_to *to)
{
	enum zp_err err = zp_keytool_place(to, ZP_PATH_IDENTITY, IDENTITY_NAME);

	if (err)
		return err;
	void *text = zp_secret_new(ZP_KEYFILE_TEXT_MAX);
	if (text == NULL)
		return zp_say_fail(ZP_KEYTOOL, "identity", ZP_ERR_MEMORY);
	err = put_identity(to, text);
	zp_secret_free(text);
	return err;
}

enum zp_exit
zp_keymake_identity(int argc, char **argv)
{
	struct zp_opts o;
	enum zp_exit status;
	struct zp_keytool_to *to = calloc(1, sizeof(*to));

	if (to == NULL)
		return zp_err_status(
		    zp_say_fail(ZP_KEYTOOL, "identity", ZP_ERR_MEMORY));
	if (zp_keytool_options(
		&identity_command, &o, argc, argv, to, &status)) {
		enum zp_err err = zp_keytool_no_operands(&o);
		if (!err)
			err = make_identity(to);
		status = zp_err_status(err);
	}
	free(to);
	return status;
}

/* ---- passphrase ---- */

static enum zp_err
take_words(void *arg, int id, const char *value)
{
	(void)id;
	return zp_opt_number(value, ZP_WORDS_LEAST, ZP_WORDS_MAX, arg);
}

static const struct zp_opt words_options[] = {
    {WORDS, '\0', "words", "N", "how many, 2 to 32 (5)"},
};

static const struct zp_keytool_command words_command = {
    "zpinc-key passphrase [--words N]", words_options, N(words_options),
    take_words};

static enum zp_err
put_words(size_t n)
{
	char *words = zp_secret_new(ZP_WORDS_LEN(n) + 1);
	enum zp_err err;

	if (words == NULL)
		return zp_say_fail(ZP_KEYTOOL, "passphrase", ZP_ERR_MEMORY);
	err = zp_words_make(words, n);
	if (!err) {
		memcpy(words + strlen(words), "\n", 2);
		err = zp_io_write_all(STDOUT_FILENO, words, strlen(words));
	}
	zp_secret_free(words);
	if (err)
		return zp_say_fail(ZP_KEYTOOL, "standard output", err);
	zp_say(ZP_KEYTOOL, "%u bits", (unsigned)n * ZP_WORDS_BITS);
	return ZP_OK;
}

enum zp_exit
zp_keymake_passphrase(int argc, char **argv)
{
	struct zp_opts o;
	uint64_t n = ZP_WORDS_DEFAULT;
	enum zp_exit status;

	if (!zp_keytool_options(&words_command, &o, argc, argv, &n, &status))
		return status;
	enum zp_err err = zp_keytool_no_operands(&o);
	return zp_err_status(err ? err : put_words((size_t)n));
}
