#include "proc/zp_hide.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/zp_path.h"

enum zp_err
zp_hide_add(struct zp_hide *h, const char *path)
{
	if (path == NULL)
		return ZP_OK;
	char **more = realloc(h->path, (h->n + 2) * sizeof(*more));
	if (more == NULL)
		return ZP_ERR_MEMORY;
	h->path = more;
	h->path[h->n] = strdup(path);
	if (h->path[h->n] == NULL)
		return ZP_ERR_MEMORY;
	h->path[++h->n] = NULL;
	return ZP_OK;
}

static bool
ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), e = strlen(ending);

	return n > e && strcmp(name + n - e, ending) == 0;
}

/* Keys and identities in DIR/SUB, whatever characters its name has. */
static enum zp_err
add_all(struct zp_hide *h, const char *dir, const char *sub)
{
	char folder[ZP_PATH_MAX], path[ZP_PATH_MAX];
	enum zp_err err = ZP_OK;
	const struct dirent *e;

	/* Where a path is not absolute, no key is looked for. */
	if (dir == NULL || *dir != '/')
		return ZP_OK;
	int n = snprintf(folder, sizeof(folder), "%s%s", dir, sub);
	if (n < 0 || (size_t)n >= sizeof(folder))
		return ZP_OK;
	DIR *d = opendir(folder);
	if (d == NULL)
		return ZP_OK;
	while (!err && (e = readdir(d)) != NULL) {
		if (!ends_in(e->d_name, ".key") && !ends_in(e->d_name, ".id"))
			continue;
		n = snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (n > 0 && (size_t)n < sizeof(path))
			err = zp_hide_add(h, path);
	}
	closedir(d);
	return err;
}

/*
 * The user's other terminals, where passphrases are typed: also consoles, of
 * which a login gives the user one.  /dev/tty is nobody's without a terminal.
 */
static enum zp_err
add_terminals(struct zp_hide *h)
{
	char path[ZP_PATH_MAX];
	enum zp_err err = zp_hide_add(h, "/dev/pts");
	const struct dirent *e;

	DIR *d = opendir("/dev");
	if (d == NULL)
		return err;
	while (!err && (e = readdir(d)) != NULL) {
		const char *name = e->d_name;
		if (strcmp(name, "console") != 0 &&
		    (strncmp(name, "tty", 3) != 0 || name[3] == '\0'))
			continue;
		int n = snprintf(path, sizeof(path), "/dev/%s", name);
		if (n > 0 && (size_t)n < sizeof(path) &&
		    access(path, R_OK) == 0)
			err = zp_hide_add(h, path);
	}
	closedir(d);
	return err;
}

/* Of all folders in which a key may be, also if another one is looked in. */
static enum zp_err
add_keys(struct zp_hide *h)
{
	enum zp_err err = add_all(h, getenv("CREDENTIALS_DIRECTORY"), "");

	if (!err)
		err = add_all(h, getenv("XDG_CONFIG_HOME"), "/zpinc");
	if (!err)
		err = add_all(h, getenv("HOME"), "/.config/zpinc");
	return err;
}

static enum zp_err
add_known(struct zp_hide *h, const char *known)
{
	char path[ZP_PATH_MAX], lock[ZP_PATH_MAX + 8];

	/* Without a home transports keep no names either. */
	if (zp_path_state(path, "writer", true) == ZP_OK)
		(void)mkdir(path, 0700);
	if (known == NULL) {
		if (zp_path_state(path, "known", true) != ZP_OK)
			return ZP_OK;
		known = path;
	}
	snprintf(lock, sizeof(lock), "%s.lock", known);
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		close(fd);
	enum zp_err err = zp_hide_add(h, known);
	return err ? err : zp_hide_add(h, lock);
}

/* What is not found is an error of who reads it, which says so. */
static enum zp_err
add_found(struct zp_hide *h, enum zp_path_kind kind, const char *value)
{
	char path[ZP_PATH_MAX];

	if (value == NULL || zp_path_find(path, kind, value) != ZP_OK)
		return ZP_OK;
	return zp_hide_add(h, path);
}

enum zp_err
zp_hide_init(
    struct zp_hide *h, const char *key, const char *identity, const char *known)
{
	enum zp_err err;

	memset(h, 0, sizeof(*h));
	err = add_keys(h);
	if (!err)
		err = add_terminals(h);
	if (!err)
		err = add_known(h, known);
	if (!err)
		err = add_found(h, ZP_PATH_KEY, key);
	return err ? err : add_found(h, ZP_PATH_IDENTITY, identity);
}

const char *const *
zp_hide_list(const struct zp_hide *h)
{
	static const char *const none[] = {NULL};

	return h->path != NULL ? (const char *const *)h->path : none;
}

void
zp_hide_free(struct zp_hide *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->path[i]);
	free(h->path);
	memset(h, 0, sizeof(*h));
}
