#include "net/zp_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zp_io.h"

static enum zp_err
read_private(const char *path, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	enum zp_err err = ZP_ERR_IO;

	if (fd < 0)
		return ZP_ERR_IO;
	if (fstat(fd, &st) == 0)
		err = S_ISREG(st.st_mode) && zp_io_open_to(&st, path, 077)
		    ? ZP_ERR_MODE
		    : zp_io_read_all(fd, ZP_HEADERS_MAX, text, len);
	int why = errno;
	close(fd);
	errno = why;
	return err;
}

/* A name without blanks, a colon, and nothing that could end the line. */
static bool
is_header(const char *s)
{
	size_t n = strcspn(s, ":");

	if (n == 0 || s[n] != ':')
		return false;
	for (const char *c = s; *c != '\0'; c++)
		if (*c == 0x7f ||
		    ((unsigned char)*c <= ' ' &&
			(c < s + n || (*c != ' ' && *c != '\t'))))
			return false;
	return true;
}

static enum zp_err
take_line(
    char *line, enum zp_err (*add)(void *arg, const char *header), void *arg)
{
	size_t n = strlen(line);

	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
	if (*line == '\0' || *line == '#')
		return ZP_OK;
	return is_header(line) ? add(arg, line) : ZP_ERR_FORMAT;
}

enum zp_err
zp_headers_read(const char *path, size_t *line,
    enum zp_err (*add)(void *arg, const char *header), void *arg)
{
	char *text = NULL, *rest, *word;
	size_t len = 0, number = 0;
	enum zp_err err = read_private(path, &text, &len);

	if (err)
		return err;
	/* A NUL would hide what stands behind it. */
	if (memchr(text, '\0', len) != NULL) {
		err = ZP_ERR_FORMAT;
		for (number = 1, rest = text; *rest != '\0'; rest++)
			number += *rest == '\n';
	}
	for (rest = text; !err && (word = strsep(&rest, "\n")) != NULL;) {
		number++;
		err = take_line(word, add, arg);
	}
	if (err == ZP_ERR_FORMAT)
		*line = number;
	explicit_bzero(text, len);
	free(text);
	return err;
}
