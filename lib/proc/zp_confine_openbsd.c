#include "proc/zp_confine.h"

#ifdef __OpenBSD__

#include <stddef.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "proc/zp_opt.h"

enum zp_err
zp_confine_early(void)
{
	const struct rlimit none = {0, 0};

	/* Debuggers are kept out by kern.global_ptrace, which is 0. */
	return setrlimit(RLIMIT_CORE, &none) == 0 ? ZP_OK : ZP_ERR_IO;
}

enum zp_err
zp_confine_keyed(
    const char *tool, bool must, unsigned flags, const char *const *dirs)
{
	bool files = (flags & ZP_CONFINE_FILES) != 0;

	(void)tool;
	(void)must;
	if ((flags & ZP_CONFINE_LOCALTIME) != 0)
		tzset();
	for (size_t i = 0; files && dirs != NULL && dirs[i] != NULL; i++)
		if (unveil(dirs[i], "rwc") != 0)
			return ZP_ERR_IO;
	/* Threads and getrandom are in "stdio". */
	if (pledge(files ? "stdio rpath wpath cpath fattr flock" : "stdio",
		NULL) != 0)
		return ZP_ERR_IO;
	return ZP_OK;
}

/*
 * What unveil() hides comes back with execve(); promises can be handed over,
 * but name no paths.
 */
enum zp_err
zp_confine_transport(
    const char *tool, bool must, const struct zp_confine_paths *paths)
{
	if (must && tool != NULL)
		zp_say(tool,
		    "--confine: this system cannot keep a transport "
		    "from opening files");
	if (must)
		return ZP_ERR_CONFINE;
	if (tool != NULL)
		zp_say(tool,
		    "warning: this system cannot keep a transport "
		    "from opening files; less confined");
	if (paths->apart &&
	    pledge(NULL,
		"stdio rpath wpath cpath fattr flock inet unix dns "
		"tty proc exec prot_exec") != 0)
		return ZP_ERR_IO;
	return ZP_OK;
}

bool
zp_confine_has_calls(void)
{
	return true;
}

bool
zp_confine_has_paths(void)
{
	return false;
}

#endif
