#include "proc/zp_load.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/zp_io.h"
#include "proc/zp_confine.h"
#include "proc/zp_opt.h"
#include "store/zp_path.h"

enum zp_err
zp_load_stdio(const char *tool)
{
	unsigned closed;
	enum zp_err err = zp_io_stdio(&closed);

	for (int fd = 0; !err && fd < 2; fd++)
		if (closed & 1u << fd) {
			zp_say(tool, "standard %s is closed",
			    fd == 0 ? "input" : "output");
			err = ZP_ERR_IO;
		}
	/* Both are errors of write() to report: a reader that has gone, and a
	 * file size limit, which is like a full disk. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return err;
}

/* How a file's mode is wrong, in words. */
static void
say_mode(const char *tool, const char *path, unsigned mode)
{
	const bool read = (mode & 044) != 0, write = (mode & 022) != 0;

	zp_say(tool, "%s: mode %04o lets others %s%s%s it", path, mode,
	    read ? "read" : "", read && write ? " and " : "",
	    write ? "write" : (read ? "" : "use"));
	zp_hint("chmod 600 %s", path);
}

void
zp_load_say(const char *tool, const char *path, enum zp_err err,
    const struct zp_fault *fault)
{
	char name[ZP_SAY_NAME], buf[ZP_SAY_NAME];
	const char *what;

	zp_say_name(name, path);
	if (err == ZP_ERR_MODE && fault->mode != 0) {
		say_mode(tool, name, fault->mode);
		return;
	}
	what = err != ZP_ERR_IO && fault->what != NULL ? fault->what
						       : zp_say_err(buf, err);
	if (fault->line > 0)
		zp_say(tool, "%s: line %u: %s", name, fault->line, what);
	else
		zp_say(tool, "%s: %s", name, what);
}

/* Under cron, sudo or systemd it is often not where somebody thinks. */
static void
hint_folder(void)
{
	char folder[ZP_PATH_MAX], name[ZP_SAY_NAME];

	if (zp_path_config(folder) == ZP_OK)
		zp_hint("a value with a / is a path; else it is looked up in "
			"%s",
		    zp_say_name(name, folder));
	else
		zp_hint("a value with a / is a path; without $HOME nothing "
			"else is found");
}

/* Path and message for a value of -k or -i. */
static enum zp_err
find(const char *tool, const char *value, enum zp_path_kind kind,
    char path[static ZP_PATH_MAX])
{
	char name[ZP_SAY_NAME];
	enum zp_err err = zp_path_find(path, kind, value);

	if (err == ZP_ERR_NOT_FOUND) {
		zp_say(tool, "%s: no such %s", zp_say_name(name, value),
		    kind == ZP_PATH_KEY ? "key" : "identity");
		hint_folder();
	} else if (err) {
		zp_say_fail(tool, value, err);
		if (err == ZP_ERR_IO)
			hint_folder();
	}
	return err == ZP_ERR_NOT_FOUND ? ZP_ERR_KEY : err;
}

enum zp_err
zp_load_key(const char *tool, const char *value, struct zp_keyfile **kf)
{
	char path[ZP_PATH_MAX];
	struct zp_fault fault = {0};

	if (value == NULL) {
		zp_say(tool, "which key? (-k)");
		zp_hint("zpinc-key new makes one");
		return ZP_ERR_USAGE;
	}
	enum zp_err err = find(tool, value, ZP_PATH_KEY, path);
	if (err)
		return err;
	err = zp_keyfile_load(kf, path, &fault);
	if (err)
		zp_load_say(tool, path, err, &fault);
	return err == ZP_ERR_NOT_FOUND ? ZP_ERR_KEY : err;
}

enum zp_err
zp_load_channel_key(const char *tool, const char *value, struct zp_keyfile **kf)
{
	struct zp_keyfile *loaded;
	enum zp_err err = zp_load_key(tool, value, &loaded);

	if (err)
		return err;
	if (loaded->conv != NULL) {
		zp_say(tool, "%s: a conversation's key; a channel's is needed",
		    value);
		zp_keyfile_free(loaded);
		return ZP_ERR_KEY;
	}
	*kf = loaded;
	return ZP_OK;
}

enum zp_err
zp_load_identity(const char *tool, const char *value, struct zp_identity **id)
{
	char path[ZP_PATH_MAX];
	struct zp_fault fault = {0};

	if (value == NULL)
		return ZP_OK;
	enum zp_err err = find(tool, value, ZP_PATH_IDENTITY, path);
	if (err)
		return err;
	err = zp_idfile_load(id, path, &fault);
	if (err)
		zp_load_say(tool, path, err, &fault);
	return err == ZP_ERR_NOT_FOUND ? ZP_ERR_KEY : err;
}

/* user@host, each as the system names it; cut at a character's end. */
static void
default_uid(char uid[static ZP_NAME_MAX + 1])
{
	char host[256] = "", both[512];
	const struct passwd *pw = getpwuid(geteuid());

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	host[strcspn(host, ".")] = '\0';
	if (pw != NULL)
		snprintf(both, sizeof(both), "%s@%s", pw->pw_name, host);
	else
		snprintf(
		    both, sizeof(both), "%u@%s", (unsigned)geteuid(), host);
	size_t n = strnlen(both, ZP_NAME_MAX);
	while (n > 1 && !zp_text_is_utf8(both, n))
		n--;
	memcpy(uid, both, n);
	uid[n] = '\0';
}

enum zp_err
zp_load_uid_for(const char *tool, const char *value,
    const struct zp_keyfile *kf, char uid[static ZP_SUITE_NAME_MAX + 1])
{
	char name[ZP_SAY_NAME];

	/* Of a script, perhaps, whose variable was not set: not to be taken
	 * for another name than the one that was meant. */
	if (value != NULL && *value == '\0') {
		zp_say(tool, "-u: the name is empty");
		return ZP_ERR_NAME;
	}
	if (value == NULL)
		value = getenv("ZPINC_UID");
	if (value == NULL || *value == '\0') {
		default_uid(uid);
		value = uid;
	}
	size_t n = strnlen(value, ZP_SUITE_NAME_MAX + 1);
	if (n > ZP_SUITE_NAME_MAX || !zp_keyfile_ops(kf)->is_name(value, n)) {
		zp_say(tool, "%s: %s", zp_say_name(name, value),
		    zp_err_text(ZP_ERR_NAME));
		return ZP_ERR_NAME;
	}
	if (value != uid) {
		memcpy(uid, value, n);
		uid[n] = '\0';
	}
	return ZP_OK;
}

enum zp_err
zp_load_uid(
    const char *tool, const char *value, char uid[static ZP_NAME_MAX + 1])
{
	static const struct zp_keyfile plain = {.suite = ZP_SUITE_ZP1};
	char any[ZP_SUITE_NAME_MAX + 1];
	enum zp_err err = zp_load_uid_for(tool, value, &plain, any);

	if (!err)
		memcpy(uid, any, strlen(any) + 1);
	return err;
}

/* The folder that a path lies in; NULL: no memory. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return strdup(".");
	return strndup(path, slash > path ? (size_t)(slash - path) : 1);
}

enum zp_err
zp_load_confine(const char *tool, bool must, unsigned flags,
    const char *const *paths, size_t n)
{
	char *dirs[ZP_LOAD_PATHS + 1] = {NULL};
	size_t d = 0;
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < n && d < ZP_LOAD_PATHS && !err; i++) {
		if (paths[i] == NULL)
			continue;
		dirs[d] = folder_of(paths[i]);
		if (dirs[d] == NULL)
			err = ZP_ERR_MEMORY;
		else
			d++;
	}
	if (d > 0)
		flags |= ZP_CONFINE_FILES;
	if (!err)
		err = zp_confine_keyed(
		    tool, must, flags, (const char *const *)dirs);
	else
		zp_say(tool, "%s", zp_err_text(err));
	while (d > 0)
		free(dirs[--d]);
	return err;
}

enum zp_err
zp_load_now(uint64_t *ms)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return ZP_ERR_IO;
	if (ts.tv_sec < 0)
		return ZP_ERR_CLOCK;
	*ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	return ZP_OK;
}

uint64_t
zp_load_ticks(void)
{
	struct timespec ts = {0};

#ifdef CLOCK_BOOTTIME
	if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0)
#endif
		if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
			return 0;
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
