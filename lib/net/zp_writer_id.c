#include "net/zp_writer_id.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zp_io.h"
#include "base/zp_text.h"

static enum zp_err
random_id(char id[static ZP_WRITER_ID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[ZP_WRITER_ID_LEN / 2];

	if (getentropy(raw, sizeof(raw)) != 0)
		return ZP_ERR_IO;
	for (size_t i = 0; i < sizeof(raw); i++) {
		id[2 * i] = hex[raw[i] >> 4];
		id[2 * i + 1] = hex[raw[i] & 15];
	}
	id[ZP_WRITER_ID_LEN] = '\0';
	return ZP_OK;
}

/* This machine's name, as part of a path. */
static void
host_name(char *host, size_t cap)
{
	if (gethostname(host, cap) != 0 || host[0] == '\0')
		snprintf(host, cap, "localhost");
	host[cap - 1] = '\0';
	for (char *c = host; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
	if (host[0] == '.')
		host[0] = '_';
}

/* Makes all folders of the path in front of its last slash, but for HOME. */
static bool
make_parents(char *path)
{
	const char *home = getenv("HOME");
	size_t n = home != NULL ? zp_text_bare(home) : 0;

	/* A home that is not there is not meant to be: /nonexistent, say. */
	if (n > 0 && strncmp(path, home, n) == 0 && path[n] == '/' &&
	    access(home, F_OK) != 0)
		return false;
	for (char *s = path + 1; (s = strchr(s, '/')) != NULL; s++) {
		*s = '\0';
		int failed = mkdir(path, 0700) != 0 && errno != EEXIST;
		*s = '/';
		if (failed)
			return false;
	}
	return true;
}

/* Where it is kept; false if nothing says. */
static bool
state_path(char path[static PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char host[65];
	int n;

	host_name(host, sizeof(host));
	/* The XDG specification has relative paths ignored. */
	if (state != NULL && state[0] == '/')
		n = snprintf(path, PATH_MAX, "%.*s/zpinc/writer/%s",
		    (int)zp_text_bare(state), state, host);
	else if (home != NULL && home[0] == '/')
		n = snprintf(path, PATH_MAX,
		    "%.*s/.local/state/zpinc/writer/%s",
		    (int)zp_text_bare(home), home, host);
	else
		return false;
	return n > 0 && n < PATH_MAX;
}

/* What the file holds, if that is a name. */
static bool
load(const char *path, char id[static ZP_WRITER_ID_LEN + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	size_t len = 0;

	if (fd < 0)
		return false;
	bool good = zp_io_read_all(fd, 64, &text, &len) == ZP_OK;
	close(fd);
	good = good && len == ZP_WRITER_ID_LEN + 1 &&
	    text[ZP_WRITER_ID_LEN] == '\n' &&
	    strspn(text, "0123456789abcdef") == ZP_WRITER_ID_LEN;
	if (good)
		snprintf(id, ZP_WRITER_ID_LEN + 1, "%s", text);
	free(text);
	return good;
}

/*
 * Puts it there, whole or not at all, if nobody else was first: a process of
 * the same user may do so at the same time.
 */
static bool
keep(const char *path, const char *id)
{
	char temp[PATH_MAX + ZP_WRITER_ID_LEN + 2], line[ZP_WRITER_ID_LEN + 2];
	bool good;

	int n = snprintf(temp, sizeof(temp), "%s.%s", path, id);
	if (n < 0 || n >= (int)sizeof(temp))
		return false;
	snprintf(line, sizeof(line), "%s\n", id);
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	good =
	    zp_io_write_all(fd, line, strlen(line)) == ZP_OK && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	good = good && (link(temp, path) == 0 || errno == EEXIST);
	unlink(temp);
	return good;
}

enum zp_err
zp_writer_id(
    char id[static ZP_WRITER_ID_LEN + 1], char why[static ZP_WRITER_WHY])
{
	char path[PATH_MAX], fresh[ZP_WRITER_ID_LEN + 1];
	enum zp_err err = random_id(fresh);

	if (err)
		return err;
	why[0] = '\0';
	if (!state_path(path))
		snprintf(why, ZP_WRITER_WHY,
		    "neither XDG_STATE_HOME nor HOME is set");
	else if (load(path, id))
		return ZP_OK;
	else if (!make_parents(path) || !keep(path, fresh))
		snprintf(why, ZP_WRITER_WHY, "%s cannot be written", path);
	else if (load(path, id))
		return ZP_OK;
	else
		snprintf(why, ZP_WRITER_WHY, "%s is damaged", path);
	memcpy(id, fresh, sizeof(fresh));
	return ZP_OK;
}
