#include "proc/zp_confine.h"

#if !defined(__linux__) && !defined(__OpenBSD__)

#include <sys/resource.h>
#include <time.h>

#include "proc/zp_opt.h"

enum zp_err
zp_confine_early(void)
{
	const struct rlimit none = {0, 0};

	return setrlimit(RLIMIT_CORE, &none) == 0 ? ZP_OK : ZP_ERR_IO;
}

static enum zp_err
told(const char *tool, bool must)
{
	if (tool != NULL && must)
		zp_say(tool, "--confine: not available on this system");
	else if (tool != NULL)
		zp_say(tool, "warning: no confinement on this system");
	return must ? ZP_ERR_CONFINE : ZP_OK;
}

enum zp_err
zp_confine_keyed(
    const char *tool, bool must, unsigned flags, const char *const *dirs)
{
	(void)dirs;
	if ((flags & ZP_CONFINE_LOCALTIME) != 0)
		tzset();
	return told(tool, must);
}

enum zp_err
zp_confine_transport(
    const char *tool, bool must, const struct zp_confine_paths *paths)
{
	(void)paths;
	return told(tool, must);
}

bool
zp_confine_has_calls(void)
{
	return false;
}

bool
zp_confine_has_paths(void)
{
	return false;
}

#endif
