#include "net/zp_httpurl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALTERNATIVES 3

/* Text in the making; what does not fit is not written, but counted. */
struct text {
	char *s;
	size_t len, cap;
};

static void
add(struct text *t, const char *s, size_t n)
{
	if (n < t->cap - t->len && t->len < t->cap)
		memcpy(t->s + t->len, s, n);
	t->len += n;
}

static void
add_string(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

/* What stands between the braces: the alternative for this use. */
static enum zp_err
add_choice(struct text *t, const char *s, size_t n, enum zp_httpurl_use use)
{
	const char *from[ALTERNATIVES];
	size_t len[ALTERNATIVES], count = 0;

	for (const char *end = s + n; count < ALTERNATIVES;) {
		const char *bar = memchr(s, '|', (size_t)(end - s));
		from[count] = s;
		len[count++] = (size_t)((bar != NULL ? bar : end) - s);
		if (bar == NULL) {
			n = 0;
			break;
		}
		s = bar + 1;
	}
	if (n != 0 || count < 2)
		return ZP_ERR_FORMAT; /* four, or one */
	size_t i = (size_t)use < count ? (size_t)use : count - 1;
	add(t, from[i], len[i]);
	return ZP_OK;
}

/* Path or query with its braces filled in. */
static enum zp_err
expand(struct text *t, const char *s, enum zp_httpurl_use use,
    const char *topic, size_t len, bool *has_topic)
{
	while (*s != '\0') {
		size_t n = strcspn(s, "{}");
		add(t, s, n);
		s += n;
		if (*s == '\0')
			break;
		const char *end = strpbrk(s + 1, "{}");
		if (*s != '{' || end == NULL || *end != '}')
			return ZP_ERR_FORMAT;
		n = (size_t)(end - s) - 1;
		if (n == 5 && memcmp(s + 1, "topic", 5) == 0) {
			add(t, topic, len);
			*has_topic = true;
		} else {
			enum zp_err err = add_choice(t, s + 1, n, use);
			if (err)
				return err;
		}
		s = end + 1;
	}
	return ZP_OK;
}

static bool
is_host(const char *s)
{
	if (s == NULL || *s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f ||
		    strchr("/?#@%\\\"<>^`{|}[]", *s) != NULL)
			return false;
	return true;
}

static void
add_authority(struct text *t, const struct zp_url *url, const char *scheme)
{
	bool v6 = strchr(url->host, ':') != NULL;
	char port[8] = "";

	if (url->port != 0)
		snprintf(port, sizeof(port), ":%u", url->port);
	add_string(t, scheme);
	add_string(t, v6 ? "://[" : "://");
	add_string(t, url->host);
	add_string(t, v6 ? "]" : "");
	add_string(t, port);
}

enum zp_err
zp_httpurl_make(char **to, const struct zp_url *url, const char *scheme,
    enum zp_httpurl_use use, const char *topic, size_t len, const char *suffix,
    const char *query)
{
	const char *own = url->query != NULL ? url->query : "";
	const char *braces = strstr(url->path, "{topic}");
	struct text t = {.cap = strlen(url->text) + len * 2 + 64 +
		strlen(suffix) + strlen(query)};
	bool has_topic = braces != NULL || strstr(own, "{topic}") != NULL;
	enum zp_err err;

	if (!is_host(url->host))
		return ZP_ERR_FORMAT;
	/* {topic} may stand there often. */
	for (const char *s = url->text; (s = strstr(s, "{topic}")) != NULL; s++)
		t.cap += len;
	t.s = malloc(t.cap);
	if (t.s == NULL)
		return ZP_ERR_MEMORY;
	add_authority(&t, url, scheme);
	err = expand(&t, url->path, use, topic, len, &has_topic);
	if (!err && !has_topic) {
		/* A path's last slash is ours. */
		if (url->path[0] == '\0' ||
		    url->path[strlen(url->path) - 1] != '/')
			add_string(&t, "/");
		add(&t, topic, len);
	}
	add_string(&t, suffix);
	if (*own != '\0' || *query != '\0')
		add_string(&t, "?");
	if (!err)
		err = expand(&t, own, use, topic, len, &has_topic);
	if (*own != '\0' && *query != '\0')
		add_string(&t, "&");
	add_string(&t, query);
	add(&t, "", 1);
	if (err || t.len >= t.cap) {
		free(t.s);
		return err ? err : ZP_ERR_FORMAT;
	}
	*to = t.s;
	return ZP_OK;
}
