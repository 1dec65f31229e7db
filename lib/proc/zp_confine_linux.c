#include "proc/zp_confine.h"

#ifdef __linux__

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "proc/zp_landlock.h"
#include "proc/zp_opt.h"
#include "proc/zp_seccomp.h"

#define RULE_MAX 128

enum lack { LACK_CALLS = 1, LACK_PATHS = 2 };

enum zp_err
zp_confine_early(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return ZP_ERR_IO;
#ifndef ZP_SANITIZED /* the leak checker attaches to its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return ZP_ERR_IO;
#endif
	return ZP_OK;
}

static enum zp_err
told(const char *tool, bool must, unsigned lack)
{
	const char *what = "seccomp and Landlock";

	if (lack == 0)
		return ZP_OK;
	if (tool == NULL)
		return must ? ZP_ERR_CONFINE : ZP_OK;
#ifdef ZP_SANITIZED
	if (must)
		zp_say(tool, "built for tests, it cannot confine itself");
	return must ? ZP_ERR_CONFINE : ZP_OK;
#endif
	if (lack == LACK_CALLS)
		what = "seccomp";
	else if (lack == LACK_PATHS)
		what = "Landlock";
	if (must) {
		zp_say(tool, "--confine: this kernel lacks %s", what);
		return ZP_ERR_CONFINE;
	}
	zp_say(tool, "warning: this kernel lacks %s; less confined", what);
	return ZP_OK;
}

bool
zp_confine_has_calls(void)
{
	return zp_seccomp_has();
}

bool
zp_confine_has_paths(void)
{
	return zp_landlock_has();
}

enum zp_err
zp_confine_transport(
    const char *tool, bool must, const struct zp_confine_paths *paths)
{
	bool entered = false;
	unsigned lack = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ZP_ERR_IO;
	enum zp_err err = zp_landlock_transport(paths, &entered);
	if (err != ZP_OK)
		return err;
	if (!entered)
		lack |= LACK_PATHS;
	if (paths->apart && !zp_seccomp_transport())
		lack |= LACK_CALLS;
	return told(tool, must, lack);
}

/*
 * The rule that ends a file of tzfile(5), version 2 and later: what holds
 * from the last change that it lists on.
 */
static bool
read_rule(char rule[static RULE_MAX])
{
	char magic[4], end[RULE_MAX + 1] = "";
	int fd = open("/etc/localtime", O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	off_t from = size < RULE_MAX ? 0 : size - RULE_MAX;
	ssize_t n = 0;

	if (size > 0 && pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, "TZif", sizeof(magic)) == 0)
		n = pread(fd, end, RULE_MAX, from);
	if (fd >= 0)
		close(fd);
	if (n < 2 || end[n - 1] != '\n')
		return false;
	end[n - 1] = '\0';
	const char *at = memrchr(end, '\n', (size_t)n - 1);
	size_t len = at != NULL ? strlen(++at) : 0;
	/* A `:' would name a file again. */
	if (len == 0 || *at == ':')
		return false;
	memcpy(rule, at, len + 1);
	return true;
}

/*
 * Local time goes on without files.  Of the system's own zone only its rule
 * is kept, for localtime_r() to parse if it is ever called: a short run
 * rarely calls it, and for libc to read the file takes six times as long.
 */
static void
keep_zone(void)
{
	char rule[RULE_MAX];

	if (getenv("TZ") == NULL && read_rule(rule) &&
	    setenv("TZ", rule, 0) == 0)
		return;
	tzset();
}

enum zp_err
zp_confine_keyed(
    const char *tool, bool must, unsigned flags, const char *const *dirs)
{
	unsigned lack = 0;

	if ((flags & ZP_CONFINE_LOCALTIME) != 0)
		keep_zone();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ZP_ERR_IO;
	if ((flags & ZP_CONFINE_FILES) != 0 && !zp_landlock_keyed(dirs))
		lack |= LACK_PATHS;
	if (!zp_seccomp_enter(flags))
		lack |= LACK_CALLS;
	/* Seccomp alone keeps all files shut; without it this helps. */
	if ((flags & ZP_CONFINE_FILES) == 0 && lack != 0)
		(void)zp_landlock_keyed(NULL);
	return told(tool, must, lack);
}

#endif
