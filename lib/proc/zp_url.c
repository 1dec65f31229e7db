#include "proc/zp_url.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/zp_io.h"

static bool
is_scheme(const char *s, size_t n)
{
	if (n == 0 || n > 32 || !isalpha((unsigned char)s[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("+-.", s[i]))
			return false;
	return true;
}

/* Where user and host end: at path, query, fragment or the end. */
static size_t
authority(const char *s)
{
	return strcspn(s, "/?#");
}

/* The last `@` before the end of the authority, as browsers have it. */
static const char *
last_at(const char *s, size_t n)
{
	while (n > 0)
		if (s[--n] == '@')
			return s + n;
	return NULL;
}

bool
zp_url_has_password(const char *text)
{
	const char *s = strstr(text, "://");
	const char *at;

	if (s != NULL)
		s += 3;
	else if (strncasecmp(text, "file:", 5) == 0 ||
	    (s = strchr(text, ':')) == NULL)
		return false;
	else
		s++; /* the slashes were forgotten, perhaps */
	at = last_at(s, authority(s));
	if (at == NULL)
		return false;
	const char *colon = memchr(s, ':', (size_t)(at - s));
	return colon != NULL && colon + 1 < at;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum zp_err
zp_url_decode(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		int high = hex(s[1]);
		int low = high < 0 ? -1 : hex(s[2]);
		if (low < 0 || (high | low) == 0)
			return ZP_ERR_FORMAT;
		*to++ = (char)(high << 4 | low);
		s += 2;
	}
	*to = '\0';
	return ZP_OK;
}

/* A decimal port, 1 to 65535. */
static enum zp_err
parse_port(const char *s, uint16_t *port)
{
	unsigned long v = 0;

	if (*s == '\0')
		return ZP_OK; /* "host:" is allowed and means none */
	for (; *s != '\0'; s++) {
		if (!isdigit((unsigned char)*s))
			return ZP_ERR_FORMAT;
		v = v * 10 + (unsigned long)(*s - '0');
		if (v > 65535)
			return ZP_ERR_FORMAT;
	}
	if (v == 0)
		return ZP_ERR_FORMAT;
	*port = (uint16_t)v;
	return ZP_OK;
}

/* A copy of part of a string into *to, decoded. */
static enum zp_err
part(char **to, const char *s, size_t n)
{
	char *copy = strndup(s, n);

	if (copy == NULL)
		return ZP_ERR_MEMORY;
	*to = copy;
	return zp_url_decode(copy);
}

static enum zp_err
parse_user(struct zp_url *u, const char *s, const char *at)
{
	const char *colon = memchr(s, ':', (size_t)(at - s));
	const char *end = colon != NULL ? colon : at;
	enum zp_err err = part(&u->user, s, (size_t)(end - s));

	if (err == ZP_OK && colon != NULL && colon + 1 < at)
		err = part(&u->password, colon + 1, (size_t)(at - colon - 1));
	return err;
}

/* Decoded, a host must still be one, and its URL the same one again. */
static bool
is_host(const char *s, bool v6)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f ||
		    strchr("/?#@[]\\", *s) != NULL ||
		    (strchr(":%", *s) != NULL && !v6))
			return false;
	return true;
}

/* host, host:port, [v6], [v6]:port */
static enum zp_err
parse_host(struct zp_url *u, const char *s, size_t n)
{
	const char *host = s, *end = s + n, *rest;
	bool v6 = n > 0 && s[0] == '[';

	if (v6) {
		host = s + 1;
		rest = memchr(s, ']', n);
		if (rest == NULL)
			return ZP_ERR_FORMAT;
		n = (size_t)(rest++ - host);
	} else {
		rest = memchr(s, ':', n);
		if (rest == NULL)
			rest = end;
		n = (size_t)(rest - s);
	}
	if (rest < end && *rest != ':')
		return ZP_ERR_FORMAT;
	enum zp_err err = part(&u->host, host, n);
	if (!err && !is_host(u->host, v6))
		err = ZP_ERR_FORMAT;
	if (err || rest == end)
		return err;
	char port[8] = "";
	if (end - rest > (ptrdiff_t)sizeof(port))
		return ZP_ERR_FORMAT;
	memcpy(port, rest + 1, (size_t)(end - rest - 1));
	return parse_port(port, &u->port);
}

/* Path and query; a fragment is dropped. */
static enum zp_err
parse_rest(struct zp_url *u, const char *s)
{
	size_t n = strcspn(s, "?#");

	u->path = strndup(s, n);
	if (u->path == NULL)
		return ZP_ERR_MEMORY;
	if (s[n] != '?')
		return ZP_OK;
	s += n + 1;
	u->query = strndup(s, strcspn(s, "#"));
	return u->query != NULL ? ZP_OK : ZP_ERR_MEMORY;
}

static enum zp_err
parse_hierarchy(struct zp_url *u, const char *s)
{
	size_t n = authority(s);
	const char *at = last_at(s, n), *rest = s + n;
	enum zp_err err = ZP_OK;

	if (at != NULL) {
		err = parse_user(u, s, at);
		n -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	if (!err)
		err = parse_host(u, s, n);
	return err ? err : parse_rest(u, rest);
}

/* Of these the relay is a server: without a host they are mistyped. */
static bool
needs_host(const char *scheme)
{
	static const char *const servers[] = {"http", "https", "ntfy", "ntfys",
	    "mqtt", "mqtts", "redis", "rediss", "mles", "mles+ws"};

	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++)
		if (strcmp(scheme, servers[i]) == 0)
			return true;
	return false;
}

/*
 * No host, but a name that the transport alone understands.  What looks like
 * HOST:PORT is one without a scheme, and a password would be shown.
 */
static enum zp_err
parse_opaque(struct zp_url *u, const char *s)
{
	size_t digits = strspn(s, "0123456789");

	if (needs_host(u->scheme) || strcspn(s, "?#") == 0 ||
	    zp_url_has_password(u->text) ||
	    (digits > 0 && authority(s) == digits))
		return ZP_ERR_FORMAT;
	u->host = strdup("");
	return u->host != NULL ? parse_rest(u, s) : ZP_ERR_MEMORY;
}

/* Everything is the path: a file's name may hold any character. */
static enum zp_err
parse_file(struct zp_url *u, const char *s)
{
	if (strncmp(s, "//localhost/", 12) == 0)
		s += 11;
	else if (strncmp(s, "///", 3) == 0)
		s += 2;
	else if (strncmp(s, "//", 2) == 0)
		return ZP_ERR_FORMAT; /* another host's files */
	if (*s == '\0')
		return ZP_ERR_FORMAT;
	u->path = strdup(s);
	return u->path != NULL ? ZP_OK : ZP_ERR_MEMORY;
}

static enum zp_err
make_safe(struct zp_url *u)
{
	const char *behind = u->text + strlen(u->scheme);
	bool v6 = u->host != NULL && strchr(u->host, ':') != NULL;
	size_t cap = strlen(u->text) + 16;
	char port[8] = "";

	u->safe = malloc(cap);
	if (u->safe == NULL)
		return ZP_ERR_MEMORY;
	if (u->port != 0)
		snprintf(port, sizeof(port), ":%u", u->port);
	if (u->host == NULL || strncmp(behind, "://", 3) != 0)
		snprintf(u->safe, cap, "%s:%s", u->scheme, u->path);
	else
		snprintf(u->safe, cap, "%s://%s%s%s%s%s", u->scheme,
		    v6 ? "[" : "", u->host, v6 ? "]" : "", port, u->path);
	return ZP_OK;
}

static enum zp_err
parse_into(struct zp_url *u, const char *text)
{
	size_t n = strcspn(text, ":");
	enum zp_err err;

	if (text[n] != ':' || !is_scheme(text, n))
		return ZP_ERR_FORMAT;
	for (const char *s = text; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return ZP_ERR_FORMAT;
	u->text = strdup(text);
	u->scheme = strndup(text, n);
	if (u->text == NULL || u->scheme == NULL)
		return ZP_ERR_MEMORY;
	for (char *s = u->scheme; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
	if (strcmp(u->scheme, "file") == 0)
		err = parse_file(u, text + n + 1);
	else if (strncmp(text + n, "://", 3) == 0)
		err = parse_hierarchy(u, text + n + 3);
	else
		err = parse_opaque(u, text + n + 1);
	return err ? err : make_safe(u);
}

enum zp_err
zp_url_parse(struct zp_url **url, const char *text)
{
	struct zp_url *u;
	enum zp_err err;

	if (strlen(text) > ZP_URL_MAX)
		return ZP_ERR_TOO_LONG;
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return ZP_ERR_MEMORY;
	err = parse_into(u, text);
	if (err) {
		zp_url_free(u);
		return err;
	}
	*url = u;
	return ZP_OK;
}

void
zp_url_wipe(char *text)
{
	if (text == NULL)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

void
zp_url_free(struct zp_url *url)
{
	if (url == NULL)
		return;
	zp_url_wipe(url->text);
	zp_url_wipe(url->password);
	zp_url_wipe(url->query); /* tokens stand there */
	free(url->safe);
	free(url->scheme);
	free(url->user);
	free(url->host);
	free(url->path);
	free(url);
}

/* The first line of a file, without line end. */
static enum zp_err
first_line(char **text, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *line = NULL;
	struct stat st;
	size_t len;

	if (fd < 0)
		return ZP_ERR_IO;
	enum zp_err err = zp_io_read_all(fd, 4 * ZP_URL_MAX, &line, &len);
	if (!err && fstat(fd, &st) != 0)
		err = ZP_ERR_IO;
	int why = errno;
	close(fd);
	if (!err)
		line[strcspn(line, "\r\n")] = '\0';
	if (!err && S_ISREG(st.st_mode) && zp_io_open_to(&st, path, 077) &&
	    zp_url_has_password(line))
		err = ZP_ERR_MODE;
	if (err) {
		zp_url_wipe(line);
		errno = why;
		return err;
	}
	*text = line;
	return ZP_OK;
}

enum zp_err
zp_url_find(char **text, const char *arg, const char *env)
{
	if (arg != NULL && arg[0] == '@')
		return first_line(text, arg + 1);
	if (arg != NULL && strcmp(arg, "-") != 0) {
		if (zp_url_has_password(arg))
			return ZP_ERR_USAGE;
		env = arg;
	}
	if (env == NULL || *env == '\0')
		return ZP_ERR_NOT_FOUND;
	char *copy = strdup(env);
	if (copy == NULL)
		return ZP_ERR_MEMORY;
	*text = copy;
	return ZP_OK;
}
