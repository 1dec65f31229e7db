#ifndef ZP_HTTPURL_H
#define ZP_HTTPURL_H

#include <stddef.h>

#include "base/zp_err.h"
#include "proc/zp_url.h"

/*
 * From a relay's URL to those of its topics, zpinc-http(1).  The topic is
 * appended to the path, or stands where that (or the query) has {topic};
 * {A|B} is A for publishing and B for subscribing, {A|B|C} also has C for
 * subscribing to LIVE.
 */
enum zp_httpurl_use {
	ZP_HTTPURL_PUBLISH,
	ZP_HTTPURL_SUBSCRIBE,
	ZP_HTTPURL_LIVE,
};

/*
 * scheme: "http" or "https".  topic: len bytes of base64url.  suffix: comes
 * behind the path ("/sse", or ""); query: is added to the URL's ("since=all",
 * or "").  User and password are not in it.  *to is freed by the caller
 * (zp_url_wipe(): a query may hold a token).  ZP_ERR_FORMAT: a host or braces
 * that make no sense; ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_httpurl_make(char **to, const struct zp_url *url, const char *scheme,
    enum zp_httpurl_use use, const char *topic, size_t len, const char *suffix,
    const char *query);

#endif
