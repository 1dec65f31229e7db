#include "store/zp_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/zp_text.h"

static const char *
suffix(enum zp_path_kind kind)
{
	switch (kind) {
	case ZP_PATH_KEY:
		return ".key";
	case ZP_PATH_IDENTITY:
		return ".id";
	}
	return "";
}

/*
 * Joins strings up to a NULL; none of them lies in `to`.  (printf() would do,
 * and take as long as all the rest of finding a key.)
 */
static enum zp_err
join(char to[static ZP_PATH_MAX], const char *const *parts)
{
	size_t len = 0;

	for (const char *const *p = parts; *p != NULL; p++) {
		size_t n = strlen(*p);
		if (n >= ZP_PATH_MAX - len)
			return ZP_ERR_TOO_LONG;
		len += n;
	}
	for (len = 0; *parts != NULL; parts++) {
		size_t n = strlen(*parts);
		memcpy(to + len, *parts, n);
		len += n;
	}
	to[len] = '\0';
	return ZP_OK;
}

#define JOIN(to, ...) join(to, (const char *const[]){__VA_ARGS__, NULL})

/* Without slashes at its end; "" is the root. */
static enum zp_err
bare(char to[static ZP_PATH_MAX], const char *dir)
{
	enum zp_err err = JOIN(to, dir);

	if (!err)
		to[zp_text_bare(to)] = '\0';
	return err;
}

/*
 * A folder of the XDG Base Directory Specification: the variable, if it is
 * an absolute path; else `below` in $HOME.
 */
static enum zp_err
base_folder(
    char to[static ZP_PATH_MAX], const char *variable, const char *below)
{
	const char *dir = getenv(variable);
	const char *home = getenv("HOME");
	char folder[ZP_PATH_MAX];
	enum zp_err err = ZP_ERR_NOT_FOUND;

	if (dir != NULL && dir[0] == '/') {
		err = bare(folder, dir);
		return err ? err : JOIN(to, folder, "/zpinc");
	}
	if (home != NULL && home[0] == '/')
		err = bare(folder, home);
	return err ? err : JOIN(to, folder, "/", below, "/zpinc");
}

enum zp_err
zp_path_config(char to[static ZP_PATH_MAX])
{
	return base_folder(to, "XDG_CONFIG_HOME", ".config");
}

/* Has the name that ending already? */
static bool
ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), e = strlen(ending);

	return n > e && strcmp(name + n - e, ending) == 0;
}

/* DIR/NAME.key, if there is such a thing. */
static enum zp_err
try_folder(char to[static ZP_PATH_MAX], const char *dir, const char *name,
    const char *ending)
{
	char path[ZP_PATH_MAX];
	struct stat st;
	enum zp_err err = JOIN(path, dir, "/", name, ending);

	if (err)
		return err;
	if (stat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? ZP_ERR_NOT_FOUND
							   : ZP_ERR_IO;
	memcpy(to, path, strlen(path) + 1);
	return ZP_OK;
}

enum zp_err
zp_path_find(
    char to[static ZP_PATH_MAX], enum zp_path_kind kind, const char *value)
{
	const char *ending = suffix(kind);
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char config[ZP_PATH_MAX];
	enum zp_err err = ZP_ERR_NOT_FOUND;

	if (strchr(value, '/') != NULL)
		return JOIN(to, value);
	if (value[0] == '\0')
		return ZP_ERR_NOT_FOUND;
	if (ends_in(value, ending))
		ending = "";
	if (dir != NULL && dir[0] == '/')
		err = try_folder(to, dir, value, ending);
	if (err != ZP_ERR_NOT_FOUND)
		return err;
	err = zp_path_config(config);
	return err ? err : try_folder(to, config, value, ending);
}

/* Makes a folder and those above it that are missing; path is changed. */
static enum zp_err
make_folders(char *path)
{
	struct stat st;
	const char *set = getenv("HOME");
	char home[ZP_PATH_MAX];
	size_t n = set != NULL && bare(home, set) == ZP_OK ? strlen(home) : 0;
	int why = 0; /* the first failure; later ones follow from it */

	/* As a rule it is there already. */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return ZP_OK;
	/* A home that is not there is not meant to be: /nonexistent, say. */
	bool below = n > 0 && strncmp(path, home, n) == 0 && path[n] == '/';
	if (below && stat(home, &st) != 0)
		return ZP_ERR_IO;
	for (char *p = path + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char was = *p;
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST &&
		    errno != EISDIR) {
			/* These two are said of one that is there, too. */
			bool harmless = errno == EROFS || errno == EACCES;
			why = why != 0 ? why : errno;
			errno = why;
			if (!harmless)
				return ZP_ERR_IO;
		}
		*p = was;
		if (was == '\0')
			break;
	}
	if (stat(path, &st) != 0) {
		errno = why != 0 ? why : errno;
		return ZP_ERR_IO;
	}
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode) ? ZP_OK : ZP_ERR_IO;
}

/* A name that needs no quoting and stays within its folder. */
static void
tame(char *name)
{
	if (name[0] == '.' || name[0] == '-')
		name[0] = '_';
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;
		if (c <= ' ' || c == 0x7f || strchr("/\\'\"$`&|;<>*?~()", c))
			*name = '_';
	}
}

enum zp_err
zp_path_make(
    char to[static ZP_PATH_MAX], enum zp_path_kind kind, const char *name)
{
	char dir[ZP_PATH_MAX], tamed[256];
	const char *ending = suffix(kind);
	size_t n = strlen(name);
	enum zp_err err = zp_path_config(dir);

	if (err)
		return err;
	if (n == 0 || n + 8 > sizeof(tamed))
		return ZP_ERR_TOO_LONG;
	memcpy(tamed, name, n + 1);
	tame(tamed);
	err = make_folders(dir);
	if (err)
		return err;
	return JOIN(to, dir, "/", tamed, ends_in(tamed, ending) ? "" : ending);
}

enum zp_err
zp_path_state(char to[static ZP_PATH_MAX], const char *name, bool make)
{
	char dir[ZP_PATH_MAX];
	enum zp_err err = base_folder(dir, "XDG_STATE_HOME", ".local/state");

	if (!err && make)
		err = make_folders(dir);
	return err ? err : JOIN(to, dir, "/", name);
}
