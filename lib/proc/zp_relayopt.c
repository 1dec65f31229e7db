#include "proc/zp_relayopt.h"

#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"

static enum zp_err
complain(const char *tool, const char *what)
{
	zp_say(tool, "%s", what);
	return ZP_ERR_USAGE;
}

/* Why there is no URL. */
static enum zp_err
say_none(const char *tool, const char *arg, enum zp_err err)
{
	char name[ZP_SAY_NAME];

	if (err == ZP_ERR_USAGE) {
		zp_say(tool,
		    "a URL with a password is not taken from the "
		    "command line, where others see it");
		zp_hint("put it into a file of your own and give @FILE, or "
			"into $ZPINC_URL and give -");
	} else if (err == ZP_ERR_NOT_FOUND) {
		zp_say(tool, "%s",
		    strcmp(arg, "-") == 0 ? "no URL: $ZPINC_URL is not set"
					  : "the URL is empty");
	} else {
		zp_say_fail(tool, arg, err);
		if (err == ZP_ERR_MODE)
			zp_hint("chmod 600 %s", zp_say_name(name, arg + 1));
	}
	return ZP_ERR_USAGE;
}

/*
 * The file that zpinc-mqtt keeps, of "name=value&name=value": the last one
 * that is named, as there.  What is malformed zpinc-mqtt refuses.
 */
static enum zp_err
take_state(char **state, const struct zp_url *url)
{
	static const char name[] = "state=";
	const size_t len = sizeof(name) - 1;
	const char *s = url->query;

	if (strcmp(url->scheme, "mqtt") != 0 &&
	    strcmp(url->scheme, "mqtts") != 0)
		return ZP_OK;
	while (s != NULL && *s != '\0') {
		size_t n = strcspn(s, "&");
		if (strncmp(s, name, len) == 0) {
			free(*state);
			*state = strndup(s + len, n - len);
			if (*state == NULL)
				return ZP_ERR_MEMORY;
			if (zp_url_decode(*state) != ZP_OK)
				**state = '\0';
		}
		s += n + (s[n] == '&');
	}
	return ZP_OK;
}

/* Where the transport of a URL may write. */
static enum zp_err
take_path(struct zp_relay *relay, char **state, const struct zp_url *url)
{
	enum zp_err err = take_state(state, url);

	if (strcmp(url->scheme, "file") == 0) {
		relay->path = url->path;
		relay->made = ZP_RELAYS_FOLDER;
	} else if (*state != NULL) {
		relay->path = *state;
		relay->made = ZP_RELAYS_FILE;
	} else if (url->host[0] == '\0' && url->path[0] != '\0') {
		/* As with file:PATH: it is of this machine. */
		relay->path = url->path;
	}
	return err;
}

static enum zp_err
take_url(struct zp_relayopt *r, const char *tool, const char *arg)
{
	char *text;

	if (r->n == ZP_RELAYS_MAX) {
		zp_say(tool, "more than %d URLs", ZP_RELAYS_MAX);
		return ZP_ERR_USAGE;
	}
	enum zp_err err = zp_url_find(&text, arg, getenv("ZPINC_URL"));
	if (err)
		return say_none(tool, arg, err);
	struct zp_url *url;
	err = zp_url_parse(&url, text);
	zp_url_wipe(text);
	if (err) {
		/* It may hold a password, so it is not repeated. */
		zp_say(tool, "the URL is malformed");
		zp_hint("SCHEME://HOST, or file:DIR");
		return ZP_ERR_USAGE;
	}
	struct zp_relay *relay = &r->relay[r->n];
	r->url[r->n] = url;
	*relay = (struct zp_relay){
	    .url = url->text, .scheme = url->scheme, .name = url->safe};
	err = take_path(relay, &r->state[r->n++], url);
	return err ? complain(tool, zp_err_text(err)) : ZP_OK;
}

enum zp_err
zp_relayopt_take(struct zp_relayopt *r, const char *tool,
    const struct zp_opts *o, bool environment)
{
	const int n = zp_opt_operands(o);
	const char *env = getenv("ZPINC_URL");
	enum zp_err err = ZP_OK;

	if ((r->sub != NULL) != (r->pub != NULL))
		return complain(tool, "--sub and --pub go together");
	if (r->sub != NULL && n > 0)
		return complain(tool, "either URLs or --sub and --pub");
	if (r->sub != NULL) {
		r->relay[r->n++] = (struct zp_relay){
		    .sub = r->sub, .pub = r->pub, .name = "--sub, --pub"};
		return ZP_OK;
	}
	for (int i = 0; i < n && !err; i++)
		err = take_url(r, tool, zp_opt_operand(o, i));
	if (n == 0 && environment && env != NULL && *env != '\0')
		err = take_url(r, tool, "-");
	return err;
}

void
zp_relayopt_wipe(struct zp_relayopt *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->url[i] != NULL)
			zp_secret_wipe(
			    r->url[i]->text, strlen(r->url[i]->text));
}

void
zp_relayopt_free(struct zp_relayopt *r)
{
	for (size_t i = 0; i < r->n; i++) {
		zp_url_free(r->url[i]);
		free(r->state[i]);
	}
	*r = (struct zp_relayopt){0};
}
