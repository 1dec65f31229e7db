#include "proc/zp_hide.h"

#include <fcntl.h>
#include <glob.h>
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

/* All in DIR/SUB with this ending. */
static enum zp_err
add_all(struct zp_hide *h, const char *dir, const char *sub, const char *ending)
{
	char pattern[ZP_PATH_MAX];
	enum zp_err err = ZP_OK;
	glob_t found;
	int n;

	if (dir == NULL || *dir == '\0')
		return ZP_OK;
	n = snprintf(pattern, sizeof(pattern), "%s%s/*%s", dir, sub, ending);
	if (n < 0 || (size_t)n >= sizeof(pattern))
		return ZP_OK;
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return ZP_OK;
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		err = zp_hide_add(h, found.gl_pathv[i]);
	globfree(&found);
	return err;
}

static enum zp_err
add_keys(struct zp_hide *h)
{
	static const char *const endings[] = {".key", ".id"};
	const char *config = getenv("XDG_CONFIG_HOME");
	const bool set = config != NULL && *config != '\0';
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < 2 && !err; i++) {
		err =
		    add_all(h, getenv("CREDENTIALS_DIRECTORY"), "", endings[i]);
		if (!err && set)
			err = add_all(h, config, "/zpinc", endings[i]);
		if (!err && !set)
			err = add_all(
			    h, getenv("HOME"), "/.config/zpinc", endings[i]);
	}
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

enum zp_err
zp_hide_init(struct zp_hide *h, const char *known)
{
	enum zp_err err;

	memset(h, 0, sizeof(*h));
	err = add_keys(h);
	return err ? err : add_known(h, known);
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
