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
	if (err == ZP_ERR_USAGE) {
		zp_say(tool,
		    "a URL with a password is not taken from the "
		    "command line, where others see it");
		zp_hint("put it into a file of your own and give @FILE, or "
			"into $ZPINC_URL and give -");
	} else {
		zp_say_fail(tool, arg, err);
	}
	return ZP_ERR_USAGE;
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
	const bool file = strcmp(url->scheme, "file") == 0;
	r->url[r->n] = url;
	r->relay[r->n++] = (struct zp_relay){.url = url->text,
	    .scheme = url->scheme,
	    .name = url->safe,
	    .path = file ? url->path : NULL};
	return ZP_OK;
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
	for (size_t i = 0; i < r->n; i++)
		zp_url_free(r->url[i]);
	*r = (struct zp_relayopt){0};
}
