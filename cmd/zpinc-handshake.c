/*
 * zpinc-handshake: makes one conversation with others who are online, and
 * leaves its key in a file.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_handshake.h"
#include "proc/zp_hide.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proc/zp_relayopt.h"
#include "proc/zp_relays.h"
#include "proc/zp_uids.h"
#include "store/zp_path.h"

#define TOOL "zpinc-handshake"
#define USAGE                                                             \
	"zpinc-handshake -k KEY [-u UID] [-i IDENTITY]\n"                 \
	"                       [-m UID,UID,... | -n MIN] [-t TIMEOUT]\n" \
	"                       [--trust FILE] [--trust-new "             \
	"first-use|never]\n"                                              \
	"                       [--confine] [-fv] -o CONVKEY\n"           \
	"                       [URL... | --sub COMMAND --pub COMMAND]"
#define TIMEOUT_MS 60000
#define MEMBERS_MOST 64

enum {
	KEY = 1,
	UID,
	IDENTITY,
	MEMBERS,
	MIN,
	TIMEOUT,
	OUT,
	FORCE,
	TRUST,
	TRUST_NEW,
	SUB,
	PUB,
	CONFINE,
	VERBOSE
};

static const struct zp_opt options[] = {
    {KEY, 'k', "key", "KEY", "the channel's key"},
    {UID, 'u', "uid", "UID", "who we are (or $ZPINC_UID, user@host)"},
    {IDENTITY, 'i', "identity", "IDENTITY", "sign with it"},
    {MEMBERS, 'm', "members", "UID,...", "with exactly these"},
    {MIN, 'n', "min", "MIN", "with so many at least, us included (2)"},
    {TIMEOUT, 't', "timeout", "TIME", "give up after (60; 0: never)"},
    {OUT, 'o', "output", "CONVKEY", "the conversation's key goes there"},
    {FORCE, 'f', "force", NULL, "replace CONVKEY"},
    {TRUST, '\0', "trust", "FILE", "known identities"},
    {TRUST_NEW, '\0', "trust-new", "WHEN", "first-use (default) or never"},
    {SUB, '\0', "sub", "COMMAND", "prints what comes from the relay"},
    {PUB, '\0', "pub", "COMMAND", "publishes the lines of its input"},
    {CONFINE, '\0', "confine", NULL, "fail where we cannot be confined"},
    {VERBOSE, 'v', "verbose", NULL, "tell who comes and goes"},
};

struct tool {
	/* as asked for */
	const char *argv0, *key, *uid, *identity, *out, *trust;
	struct zp_uids members;
	uint64_t min, timeout;
	bool force, pin, confine, verbose;
	/* relays */
	struct zp_relayopt relays;
	struct zp_hide hide;
	/* the keyed process */
	struct zp_keyfile *kf;
	struct zp_identity *id;
	struct zp_known *known;
	char name[ZP_NAME_MAX + 1];
};

/* ---- options ------------------------------------------------------------- */

static bool
take_when(struct tool *t, const char *arg)
{
	t->pin = strcmp(arg, "first-use") == 0;
	if (t->pin || strcmp(arg, "never") == 0)
		return true;
	zp_say(TOOL, "--trust-new: first-use or never");
	return false;
}

static bool
take_number(const char *arg, uint64_t *value)
{
	if (zp_opt_number(arg, 2, MEMBERS_MOST, value) == ZP_OK)
		return true;
	zp_say(TOOL, "-n: from 2 to %d", MEMBERS_MOST);
	return false;
}

static bool
take_time(const char *arg, uint64_t *value)
{
	char name[ZP_SAY_NAME];

	if (zp_opt_duration(arg, value) == ZP_OK)
		return true;
	zp_say(TOOL, "-t: %s: not a time", zp_say_name(name, arg));
	return false;
}

/* One option; false if its argument makes no sense, which has been said. */
static bool
take_option(struct tool *t, int id, const char *arg)
{
	switch (id) {
	case MEMBERS:
		return zp_uids_take(&t->members, TOOL, arg, MEMBERS_MOST) ==
		    ZP_OK;
	case MIN:
		return take_number(arg, &t->min);
	case TIMEOUT:
		return take_time(arg, &t->timeout);
	case TRUST_NEW:
		return take_when(t, arg);
	case FORCE:
		t->force = true;
		return true;
	case CONFINE:
		t->confine = true;
		return true;
	case VERBOSE:
		t->verbose = true;
		return true;
	default:
		break;
	}
	const char **to = id == KEY ? &t->key
	    : id == UID		    ? &t->uid
	    : id == IDENTITY	    ? &t->identity
	    : id == OUT		    ? &t->out
	    : id == TRUST	    ? &t->trust
	    : id == SUB		    ? &t->relays.sub
				    : &t->relays.pub;
	*to = arg;
	return true;
}

static bool
makes_sense(const struct tool *t)
{
	if (t->out == NULL) {
		zp_say(TOOL, "where does the conversation's key go? (-o)");
		return false;
	}
	/* Elsewhere that is standard output, where a key would stay. */
	if (strcmp(t->out, "-") == 0) {
		zp_say(TOOL, "-o takes a file (./- if it is called so)");
		return false;
	}
	if (t->members.n > 0 && t->min > 0) {
		zp_say(TOOL, "either -m or -n");
		return false;
	}
	return true;
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
	if (id == ZP_OPT_END &&
	    (!makes_sense(t) ||
		zp_relayopt_take(&t->relays, TOOL, &o, false) != ZP_OK))
		return ZP_OPT_BAD;
	return id;
}

/* ---- the file ------------------------------------------------------------ */

/* The folder that out is in. */
static void
folder_of(char to[static ZP_PATH_MAX], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	if (slash == path)
		n = 1;
	snprintf(to, ZP_PATH_MAX, "%.*s", slash == NULL ? 1 : (int)n,
	    slash == NULL ? "." : path);
}

/* What would fail in the end fails before anybody has waited. */
static enum zp_err
check_out(const struct tool *t)
{
	char dir[ZP_PATH_MAX];
	struct stat st;

	if (strlen(t->out) >= ZP_PATH_MAX)
		return zp_say_fail(TOOL, t->out, ZP_ERR_TOO_LONG);
	if (!t->force && access(t->out, F_OK) == 0) {
		zp_say_fail(TOOL, t->out, ZP_ERR_EXISTS);
		zp_hint("-f replaces it");
		return ZP_ERR_EXISTS;
	}
	if (stat(t->out, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return zp_say_fail(TOOL, t->out, ZP_ERR_IO);
	}
	folder_of(dir, t->out);
	return access(dir, W_OK | X_OK) == 0
	    ? ZP_OK
	    : zp_say_fail(TOOL, dir, ZP_ERR_IO);
}

/* Is it on a file system that forgets, or in $XDG_RUNTIME_DIR? */
static bool
is_volatile(const char *path)
{
	char dir[ZP_PATH_MAX], real[PATH_MAX], run[PATH_MAX];
	const char *env = getenv("XDG_RUNTIME_DIR");

	folder_of(dir, path);
#ifdef __linux__
	struct statfs fs;
	if (statfs(dir, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
		return true;
#endif
	if (env == NULL || realpath(env, run) == NULL ||
	    realpath(dir, real) == NULL)
		return false;
	size_t n = strlen(run);
	return strncmp(real, run, n) == 0 &&
	    (real[n] == '/' || real[n] == '\0');
}

/* Members, safety number, and whether that is worth comparing. */
static void
tell(const struct zp_handshake_made *made)
{
	static const uint8_t none[ZP_IDKEY_LEN];
	const struct zp_convfile *f = made->file;
	char name[ZP_SAY_NAME];
	bool all = true;

	for (size_t i = 0; i < f->n; i++) {
		const struct zp_convfile_member *m = &f->members[i];
		bool is_signed = memcmp(m->idkey, none, sizeof(none)) != 0;
		all = all && is_signed;
		zp_say(TOOL, "member %s: %s", zp_say_uid(name, m->uid),
		    i == f->me	    ? "we"
			: is_signed ? "known"
				    : "anonymous");
	}
	zp_say(TOOL, "safety number %s", made->safety);
	if (!all)
		zp_hint("who is not signed may be anybody with the "
			"passphrase: compare safety numbers");
}

static enum zp_err
save(const struct tool *t, const struct zp_handshake_made *made, bool disk)
{
	enum zp_err err = zp_convfile_save(
	    made->file, t->out, t->force ? ZP_FILE_REPLACE : ZP_FILE_NEW);

	if (err)
		return zp_say_fail(TOOL, t->out, err);
	tell(made);
	if (disk)
		zp_hint("%s is on a disk, which may keep what is deleted; "
			"$XDG_RUNTIME_DIR does not",
		    t->out);
	return ZP_OK;
}

/* ---- the keyed process --------------------------------------------------- */

static enum zp_err
open_known(struct tool *t)
{
	struct zp_fault fault = {0};
	char path[ZP_PATH_MAX];

	/* Made now, as confinement will not let us make it later. */
	if (t->trust == NULL)
		(void)!zp_path_state(path, "known", true);
	enum zp_err err = zp_known_open(&t->known, t->trust, t->pin, &fault);
	if (err)
		zp_load_say(TOOL, t->trust ? t->trust : "known identities", err,
		    &fault);
	if (err && t->trust == NULL)
		zp_hint("--trust FILE keeps them elsewhere");
	return err == ZP_ERR_NOT_FOUND ? ZP_ERR_KEY : err;
}

static enum zp_err
load(struct tool *t)
{
	enum zp_err err = check_out(t);

	if (!err && zp_secret_init() != ZP_OK)
		err = zp_say_fail(TOOL, "libsodium", ZP_ERR_IO);
	if (!err)
		err = zp_load_channel_key(TOOL, t->key, &t->kf);
	if (!err && !(zp_keyfile_ops(t->kf)->can & ZP_SUITE_FIXED)) {
		zp_say(TOOL, "%s: suite %s has no conversations to keep",
		    t->key, zp_keyfile_ops(t->kf)->word);
		zp_hint("zpinc-pipe converses in this suite");
		err = ZP_ERR_KEY;
	}
	if (!err)
		err = zp_load_identity(TOOL, t->identity, &t->id);
	if (!err)
		err = zp_load_uid(TOOL, t->uid, t->name);
	return err ? err : open_known(t);
}

static enum zp_err
confine(struct tool *t)
{
	char known[ZP_PATH_MAX], out[ZP_PATH_MAX];
	const char *dirs[] = {known, out, NULL};

	folder_of(known, zp_known_path(t->known));
	folder_of(out, t->out);
	return zp_confine_keyed(TOOL, t->confine, ZP_CONFINE_FILES, dirs);
}

/* Everything with keys; child is NULL where stdin and stdout are the relay. */
static enum zp_err
keyed(struct tool *t, struct zp_relays_child *child)
{
	struct zp_handshake_link link[ZP_RELAYS_MAX] = {
	    {.in = STDIN_FILENO, .out = STDOUT_FILENO}};
	struct zp_handshake_made made;
	enum zp_err err = load(t);

	if (err)
		return err;
	struct zp_handshake_config config = {.tool = TOOL,
	    .key = t->kf->key,
	    .uid = t->name,
	    .id = t->id,
	    .known = t->known,
	    .allowed = (const char *const *)t->members.uid,
	    .allowed_count = t->members.n,
	    .min_members = t->min > 0 ? (size_t)t->min : 2,
	    .timeout = t->timeout,
	    .verbose = t->verbose,
	    .links = link,
	    .n = child != NULL ? child->n : 1};
	for (size_t i = 0; child != NULL && i < child->n; i++)
		link[i] = (struct zp_handshake_link){.in = child->in[i],
		    .out = child->out[i],
		    .name = t->relays.relay[i].name,
		    .tells = t->relays.relay[i].url != NULL};
	bool disk = !is_volatile(t->out);
	if (child != NULL) {
		err = zp_relays_begin(child, zp_key_topic(t->kf->key, false),
		    zp_key_topic(t->kf->key, true));
		if (err)
			return zp_say_fail(TOOL, "starting", err);
	}
	err = confine(t);
	if (!err)
		err = zp_handshake_run(&config, &made);
	/* No transport may find the file. */
	if (child != NULL)
		zp_relays_end(child);
	if (err)
		return err;
	err = save(t, &made, disk);
	zp_convfile_free(made.file);
	return err;
}

static int
keyed_status(struct tool *t, struct zp_relays_child *child)
{
	enum zp_err err = keyed(t, child);

	zp_known_free(t->known);
	zp_identity_free(t->id);
	zp_keyfile_free(t->kf);
	return (int)zp_err_status(err);
}

static int
keyed_child(void *arg, struct zp_relays_child *child)
{
	struct tool *t = arg;

	/* Of URLs it needs the names alone. */
	zp_relayopt_wipe(&t->relays);
	return keyed_status(t, child);
}

/* ---- the parent ---------------------------------------------------------- */

/* Files that no transport may open. */
static enum zp_err
hide_all(struct tool *t)
{
	enum zp_err err = zp_hide_init(&t->hide, t->key, t->identity, t->trust);

	return err ? err : zp_hide_add(&t->hide, t->out);
}

static int
with_relays(struct tool *t)
{
	struct zp_relays_config config = {.tool = TOOL,
	    .argv0 = t->argv0,
	    .relay = t->relays.relay,
	    .n = t->relays.n,
	    .must = t->confine,
	    .body = keyed_child,
	    .arg = t};

	if (hide_all(t) != ZP_OK)
		return (int)zp_err_status(
		    zp_say_fail(TOOL, "starting", ZP_ERR_MEMORY));
	config.hide = zp_hide_list(&t->hide);
	int status = zp_relays_run(&config);
	zp_hide_free(&t->hide);
	return status;
}

static int
run(struct tool *t)
{
	if (zp_load_stdio(TOOL) != ZP_OK)
		return ZP_EXIT_IO;
	if (zp_confine_early() != ZP_OK)
		return (int)zp_err_status(
		    zp_say_fail(TOOL, "confining", ZP_ERR_CONFINE));
	return t->relays.n > 0 ? with_relays(t) : keyed_status(t, NULL);
}

int
main(int argc, char **argv)
{
	struct tool t = {.argv0 = argv[0], .timeout = TIMEOUT_MS, .pin = true};
	int status, id = parse(&t, argc, argv);

	if (id != ZP_OPT_END || t.out == NULL)
		status = (int)zp_opt_status(id);
	else
		status = run(&t);
	zp_uids_free(&t.members);
	zp_relayopt_free(&t.relays);
	return status;
}
