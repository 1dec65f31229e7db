#ifndef ZP_URL_H
#define ZP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/zp_err.h"

#define ZP_URL_MAX 4096

/*
 * A relay's URL (RFC 3986), scheme://user:password@host:port/path?query.
 * Parts that are not there are NULL (path: "", port: 0).  User, password and
 * host are percent-decoded (no NUL), host without the brackets of an IPv6
 * address; path (with its leading slash) and query are as they came.  Of
 * `file:PATH` and `file:///PATH` everything behind is the path, literally; of
 * `scheme:path?query`, a form for transports that others add, host is empty as
 * in `scheme:///path?query`.
 */
struct zp_url {
	char *text; /* all of it, password included */
	char *safe; /* without password and query, for messages */
	char *scheme; /* lower case */
	char *user, *password, *host;
	uint16_t port;
	char *path, *query;
};

/* ZP_ERR_FORMAT, ZP_ERR_TOO_LONG or ZP_ERR_MEMORY; free with zp_url_free. */
ZP_CHECKED enum zp_err
zp_url_parse(struct zp_url **url, const char *text);

/* Wipes it, since it may hold a password. */
void
zp_url_free(struct zp_url *url);

/*
 * Does the text hold a password between `:` and `@`, be it that the slashes
 * before were forgotten?
 */
bool
zp_url_has_password(const char *text);

/*
 * The text of the URL to use: arg, or with "@FILE" that file's first line,
 * or with NULL or "-" what `env` ($ZPINC_URL) holds.  Sets *text to fresh
 * memory, freed by zp_url_wipe().  ZP_ERR_USAGE: a password in arg, where
 * everybody could see it; ZP_ERR_NOT_FOUND: no URL at all; ZP_ERR_IO with
 * errno or ZP_ERR_TOO_LONG: the file; ZP_ERR_MODE: others can read a password
 * in it.
 */
ZP_CHECKED enum zp_err
zp_url_find(char **text, const char *arg, const char *env);

void
zp_url_wipe(char *text);

/* Decodes %XX in place.  ZP_ERR_FORMAT for %00 and what is not %XX. */
ZP_CHECKED enum zp_err
zp_url_decode(char *s);

#endif
