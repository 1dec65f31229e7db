#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_b64.h"
#include "base/zp_text.h"
#include "base/zp_io.h"
#include "net/zp_transport_run.h"
#include "proc/zp_opt.h"

/* Ids of the options that all have; those of one alone are below. */
enum { ID_CURSOR = 900, ID_ONCE, ID_TIMEOUT, ID_KEEPALIVE };

static const struct zp_opt common[] = {
    {ID_CURSOR, 'c', "cursor", "CURSOR", "resume behind a #cursor line"},
    {ID_ONCE, '1', "once", NULL, "print what is retained, then end"},
    {ID_TIMEOUT, 't', "timeout", "TIME",
	"give up so long after the last progress (30)"},
    {ID_KEEPALIVE, 'k', "keepalive", "SECONDS",
	"a link silent for so long is probed, then down (30)"},
};

#define COMMON (sizeof(common) / sizeof(*common))

/* No pseudonym of any suite has fewer characters: 16 bytes and a name. */
#define TOPIC_LEAST 23

#define TIMEOUT_MS 30000
#define KEEPALIVE_S 30

static enum zp_exit
usage_error(const struct zp_transport *t, const char *what, const char *arg)
{
	char name[ZP_SAY_NAME];

	zp_say(t->ops->name, "%s: %s", zp_say_name(name, arg), what);
	return ZP_EXIT_USAGE;
}

static bool
bad_value(const struct zp_transport *t, const char *option, const char *arg,
    const char *what)
{
	char name[ZP_SAY_NAME];

	zp_say(
	    t->ops->name, "%s: %s: %s", option, zp_say_name(name, arg), what);
	return false;
}

/* One option; false if its argument makes no sense, which has been said. */
static bool
take_option(struct zp_transport *t, int id, const char *arg)
{
	uint64_t value;

	switch (id) {
	case ID_CURSOR:
		t->args.cursor = arg;
		return true;
	case ID_ONCE:
		t->args.once = true;
		return true;
	case ID_TIMEOUT:
		if (zp_opt_duration(arg, &value) == ZP_OK) {
			t->timeout_ms = (int64_t)value;
			return true;
		}
		return bad_value(t, "--timeout", arg, "not a time");
	case ID_KEEPALIVE:
		if (zp_opt_number(arg, 1, 3600, &value) == ZP_OK) {
			t->args.keepalive = (unsigned)value;
			return true;
		}
		return bad_value(
		    t, "--keepalive", arg, "not 1 to 3600 seconds");
	default:
		return t->ops->option(t->self, id, arg);
	}
}

/* All options; -1: go on, else the exit status. */
static int
take_options(struct zp_transport *t, struct zp_opts *o, int argc, char **argv)
{
	struct zp_opt table[ZP_OPT_MOST];
	char usage[128];
	const char *arg;
	size_t n = 0;
	int id;

	for (size_t i = 0; i < COMMON; i++)
		if (common[i].id != ID_KEEPALIVE || t->ops->keepalive)
			table[n++] = common[i];
	for (size_t i = 0; i < t->ops->n_options && n < ZP_OPT_MOST; i++)
		table[n++] = t->ops->options[i];
	snprintf(usage, sizeof(usage), "%s [options] [URL] [TOPIC [LIVE]]",
	    t->ops->name);
	zp_opt_init(o, t->ops->name, argc, argv, table, n);
	while ((id = zp_opt_next(o, usage, &arg)) >= 0)
		if (!take_option(t, id, arg))
			return ZP_EXIT_USAGE;
	return id == ZP_OPT_END ? -1 : (int)zp_opt_status(id);
}

static const struct zp_opt *
own_option(const struct zp_transport *t, const char *name)
{
	for (size_t i = 0; i < t->ops->n_options; i++)
		if (t->ops->options[i].arg != NULL &&
		    strcmp(t->ops->options[i].name, name) == 0)
			return &t->ops->options[i];
	return NULL;
}

/*
 * "name=value&name=value": the transport's own options, for who is given a
 * URL and no options.  -1: go on, else the exit status.
 */
static int
take_query(struct zp_transport *t)
{
	const char *query = t->args.url->query;
	char *rest;

	if (!t->ops->query || query == NULL)
		return -1;
	rest = t->query = strdup(query);
	if (rest == NULL)
		return (int)usage_error(t, "out of memory", "URL");
	while (rest != NULL && *rest != '\0') {
		char *name = strsep(&rest, "&");
		char *value = strchr(name, '=');
		const struct zp_opt *o = NULL;
		if (value != NULL) {
			*value++ = '\0';
			o = own_option(t, name);
		}
		if (o == NULL || zp_url_decode(value) != ZP_OK)
			return (int)usage_error(
			    t, "not an option, in the URL's query", name);
		if (!t->ops->option(t->self, o->id, value))
			return ZP_EXIT_USAGE;
	}
	return -1;
}

/* A topic is base64url, and long; a URL has a colon. */
static bool
is_topic(const char *s)
{
	size_t n = strlen(s);

	return n >= TOPIC_LEAST && n <= ZP_ML_NAME_MAX && zp_b64_run(s, n) == n;
}

/*
 * A topic may also come in standard base64 with padding, as zpinc-key prints
 * it for suite mles: then it is put into the form that records have.
 */
static const char *
take_topic(char *arg)
{
	size_t n = strlen(arg), len = n;

	if (n < TOPIC_LEAST || n % 4 != 0 || strpbrk(arg, "+/=") == NULL ||
	    strpbrk(arg, "-_") != NULL)
		return arg;
	while (len > 0 && n - len < 2 && arg[len - 1] == '=')
		len--;
	if (strspn(arg,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/") != len)
		return arg;
	for (size_t i = 0; i < len; i++)
		if (arg[i] == '+' || arg[i] == '/')
			arg[i] = arg[i] == '+' ? '-' : '_';
	arg[len] = '\0';
	return arg;
}

static bool
scheme_fits(const char *schemes, const char *scheme)
{
	size_t n = strlen(scheme);

	for (const char *s = schemes; *s != '\0';) {
		size_t len = strcspn(s, " ");
		if (len == n && memcmp(s, scheme, n) == 0)
			return true;
		s += len;
		s += *s == ' ';
	}
	return false;
}

static bool
begins_with_scheme(const char *schemes, const char *url)
{
	char scheme[16];
	size_t n = strcspn(url, ":");

	if (url[n] != ':' || n >= sizeof(scheme))
		return false;
	memcpy(scheme, url, n);
	scheme[n] = '\0';
	return scheme_fits(schemes, scheme);
}

static enum zp_exit
url_error(const struct zp_transport *t, enum zp_err err, const char *arg)
{
	char name[ZP_SAY_NAME], buf[ZP_SAY_NAME];

	if (err == ZP_ERR_USAGE) {
		zp_say(t->ops->name,
		    "a URL with a password is not taken from the command "
		    "line, where others see it");
		zp_hint("put it into a file of your own and give @FILE, or "
			"into $ZPINC_URL");
		return ZP_EXIT_USAGE;
	}
	if (err == ZP_ERR_NOT_FOUND) {
		zp_say(t->ops->name, "no URL, and $ZPINC_URL is not set");
		zp_hint("%s --help tells the arguments", t->ops->name);
		return ZP_EXIT_USAGE;
	}
	zp_say(t->ops->name, "%s: %s", zp_say_name(name, arg),
	    zp_say_err(buf, err));
	if (err == ZP_ERR_MODE)
		zp_hint("chmod 600 %s", zp_say_name(name, arg + 1));
	return err == ZP_ERR_TOO_LONG || err == ZP_ERR_MODE
	    ? ZP_EXIT_USAGE
	    : zp_err_status(err);
}

/* The URL, from wherever it comes; -1: go on, else the exit status. */
static int
take_url(struct zp_transport *t, const char *arg, struct zp_url **url)
{
	char *env = getenv("ZPINC_URL"), *text = NULL;
	enum zp_err err = zp_url_find(&text, arg, env);

	/* What the environment held is no longer to be read there. */
	if (env != NULL)
		explicit_bzero(env, strlen(env));
	if (err)
		return (int)url_error(t, err, arg != NULL ? arg : "");
	const bool ours = begins_with_scheme(t->ops->schemes, text);
	err = zp_url_parse(url, text);
	zp_url_wipe(text);
	if (err == ZP_ERR_MEMORY)
		return (int)url_error(t, err, "URL");
	if (err) {
		/* It may hold a password, so it is not repeated. */
		zp_say(t->ops->name, "the URL is malformed");
		if (ours)
			zp_hint("what is behind its scheme; man %s has the "
				"form",
			    t->ops->name);
		else
			zp_hint("it begins with one of: %s", t->ops->schemes);
		return ZP_EXIT_USAGE;
	}
	if (!scheme_fits(t->ops->schemes, (*url)->scheme)) {
		zp_say(t->ops->name, "%s: not a URL for this transport",
		    (*url)->scheme);
		zp_hint("it begins with one of: %s", t->ops->schemes);
		return ZP_EXIT_USAGE;
	}
	t->args.url = *url;
	return take_query(t);
}

/*
 * False, and said: it is none.  Who gives a channel's name in place of its
 * topic would otherwise wait for ever.
 */
static bool
check_topic(const struct zp_transport *t, const char *topic)
{
	if (topic == NULL || is_topic(topic))
		return true;
	usage_error(t, "not a topic", topic);
	zp_hint("zpinc-key topic -k KEY prints it");
	return false;
}

/* [URL] [TOPIC [LIVE]]; -1: go on, else the exit status. */
static int
take_operands(
    struct zp_transport *t, const struct zp_opts *o, struct zp_url **url)
{
	int n = zp_opt_operands(o), i = 0, status;
	const char *arg = NULL;

	if (n > 0 && !is_topic(take_topic(zp_opt_operand(o, 0))))
		arg = zp_opt_operand(o, i++);
	if (i < n)
		t->args.topic = take_topic(zp_opt_operand(o, i++));
	if (i < n)
		t->args.live = take_topic(zp_opt_operand(o, i++));
	if (i < n)
		return (int)usage_error(
		    t, "one argument too many", zp_opt_operand(o, i));
	if (!check_topic(t, t->args.topic) || !check_topic(t, t->args.live))
		return ZP_EXIT_USAGE;
	status = take_url(t, arg, url);
	if (status >= 0)
		return status;
	if (t->args.once && t->args.topic == NULL)
		return (int)usage_error(t, "needs a topic", "--once");
	return -1;
}

/* From the option or the environment; what is none is told and left. */
static void
take_cursor(struct zp_transport *t)
{
	const char *c = t->args.cursor;

	if (c == NULL)
		c = getenv("ZPINC_CURSOR");
	t->args.cursor = NULL;
	if (c == NULL || *c == '\0')
		return;
	if (strlen(c) <= ZP_CURSOR_MAX && zp_text_is_word(c))
		t->args.cursor = c;
	else
		zp_transport_warn(t, "the cursor is malformed and not used");
}

/* Is there somebody to tell what our status lines say? */
static bool
is_told(const struct zp_transport *t)
{
	const char *status = getenv("ZPINC_STATUS");

	return t->args.topic != NULL && status != NULL && *status != '\0';
}

/*
 * Without standard input or output there is nothing to publish, or nowhere to
 * print, unless that is not what we are here for.  -1: go on, else the exit
 * status.
 */
static int
check_stdio(const struct zp_transport *t)
{
	const bool subscribes = t->args.topic != NULL;
	unsigned closed = 0;

	if (zp_io_stdio(&closed) != ZP_OK)
		zp_say(t->ops->name, "/dev/null: %s", strerror(errno));
	else if (subscribes && (closed & 1u << STDOUT_FILENO))
		zp_say(t->ops->name, "standard output is closed");
	else if (!subscribes && (closed & 1u << STDIN_FILENO))
		zp_say(t->ops->name, "standard input is closed");
	else
		return -1;
	return ZP_EXIT_IO;
}

int
zp_transport_main(int argc, char **argv, const struct zp_transport_ops *ops)
{
	struct zp_transport *t = calloc(1, sizeof(*t));
	void *self = calloc(1, ops->size);
	struct zp_url *url = NULL;
	struct zp_opts o;
	int status;

	if (t == NULL || self == NULL) {
		zp_say(ops->name, "%s", zp_err_text(ZP_ERR_MEMORY));
		free(t);
		free(self);
		return ZP_EXIT_IO;
	}
	if (ops->init != NULL)
		ops->init(self);
	t->ops = ops;
	t->self = self;
	t->timeout_ms = TIMEOUT_MS;
	t->args.keepalive = KEEPALIVE_S;
	status = take_options(t, &o, argc, argv);
	if (status < 0)
		status = take_operands(t, &o, &url);
	if (status < 0)
		status = check_stdio(t);
	if (status < 0) {
		take_cursor(t);
		t->told = is_told(t);
		status = (int)zp_transport_run(t);
	}
	zp_url_free(url);
	free(t->query);
	free(t);
	free(self);
	return status;
}
