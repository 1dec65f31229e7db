#include <unistd.h>

#include "proc/zp_url.h"

#include "tap.h"

static bool
is(const char *got, const char *want)
{
	if (got == NULL || want == NULL)
		return got == want;
	return strcmp(got, want) == 0;
}

struct good {
	const char *text, *scheme, *user, *password, *host;
	int port;
	const char *path, *query, *safe, *name;
};

static const struct good goods[] = {
    {"redis://10.0.0.5", "redis", NULL, NULL, "10.0.0.5", 0, "", NULL,
	"redis://10.0.0.5", "scheme and host are enough"},
    {"HTTPS://relay.example:8443/ops/x?a=b#f", "https", NULL, NULL,
	"relay.example", 8443, "/ops/x", "a=b",
	"https://relay.example:8443/ops/x",
	"port, path and query are told apart, the fragment dropped"},
    {"mqtt://al%40ice:p%3Aw%2f@host/", "mqtt", "al@ice", "p:w/", "host", 0, "/",
	NULL, "mqtt://host/", "user and password are decoded"},
    {"mqtt://a:b@c@host", "mqtt", "a", "b@c", "host", 0, "", NULL,
	"mqtt://host", "the last @ ends the password"},
    {"redis://:pw@h:1", "redis", "", "pw", "h", 1, "", NULL, "redis://h:1",
	"a password needs no user"},
    {"redis://u@h?db=1", "redis", "u", NULL, "h", 0, "", "db=1", "redis://h",
	"a user needs no password"},
    {"http://[::1]:80/p", "http", NULL, NULL, "::1", 80, "/p", NULL,
	"http://[::1]:80/p", "an IPv6 address stands in brackets"},
    {"http://[fe80::1%25eth0]", "http", NULL, NULL, "fe80::1%eth0", 0, "", NULL,
	"http://[fe80::1%eth0]", "and may have a zone"},
    {"http://h:/p", "http", NULL, NULL, "h", 0, "/p", NULL, "http://h/p",
	"an empty port is none"},
    {"http://h/a@b:c", "http", NULL, NULL, "h", 0, "/a@b:c", NULL,
	"http://h/a@b:c", "what stands in the path is no user"},
    {"file:/tmp/a%20b?c#d", "file", NULL, NULL, NULL, 0, "/tmp/a%20b?c#d", NULL,
	"file:/tmp/a%20b?c#d", "a file's name is taken literally"},
    {"file:///tmp", "file", NULL, NULL, NULL, 0, "/tmp", NULL, "file:/tmp",
	"three slashes begin an absolute path"},
    {"file://localhost/tmp", "file", NULL, NULL, NULL, 0, "/tmp", NULL,
	"file:/tmp", "localhost is this host"},
    {"file:a/b", "file", NULL, NULL, NULL, 0, "a/b", NULL, "file:a/b",
	"a relative path stays one"},
    {"log:/tmp/a%20b?c#d", "log", NULL, NULL, "", 0, "/tmp/a%20b", "c",
	"log:/tmp/a%20b", "a URL needs no host"},
    {"log:a/b:c@d", "log", NULL, NULL, "", 0, "a/b:c@d", NULL, "log:a/b:c@d",
	"nor a slash"},
    {"log:///a/b?c", "log", NULL, NULL, "", 0, "/a/b", "c", "log:///a/b",
	"three slashes mean the same"},
    {"mail:ops@example", "mail", NULL, NULL, "", 0, "ops@example", NULL,
	"mail:ops@example", "what it means the transport knows"},
};

static const char *const bads[] = {"", "x", "://h", "1x://h", "x y://h",
    "redis:h", "redis:/h", "MQTTS:h", "log:", "log:?a", "host:1883",
    "host:1883/a", "log:u:pw@h", "a:redis://u:pw@h", "http://h:0",
    "http://h:65536", "http://h:8x", "http://h:80:80", "http://[::1",
    "http://[::1]x", "mqtt://a%zz@h", "mqtt://a%00b@h", "mqtt://a%4@h",
    "http://h/\n", "http://h/\x7f", "file://other/tmp",
    "file:", "http://h:999999999999999999999", "http://h%3f",
    "http://u%2F@h%2f", "http://a%3ab%40c", "http://h%0a", "http://h%3a1",
    "http://h%25", "http://a b"};

static void
test_good(const struct good *g)
{
	struct zp_url *u = NULL;

	if (!OK(zp_url_parse(&u, g->text) == ZP_OK, g->name))
		return;
	OK(is(u->text, g->text) && is(u->scheme, g->scheme) &&
		is(u->user, g->user) && is(u->password, g->password) &&
		is(u->host, g->host) && u->port == g->port &&
		is(u->path, g->path) && is(u->query, g->query),
	    g->name);
	OK(is(u->safe, g->safe), "what messages show has no secret in it");
	zp_url_free(u);
}

static void
test_find(void)
{
	char *text = NULL;
	char path[] = "/tmp/zp_url_XXXXXX", arg[64];
	int fd = mkstemp(path);
	const char line[] = "mqtt://u:pw@h\r\nsecond\n";

	OK(zp_url_find(&text, "mqtt://u:pw@h", NULL) == ZP_ERR_USAGE,
	    "a password in an argument is refused");
	OK(zp_url_find(&text, NULL, NULL) == ZP_ERR_NOT_FOUND &&
		zp_url_find(&text, "-", "") == ZP_ERR_NOT_FOUND,
	    "no URL at all is told");
	OK(text == NULL, "a failure leaves the result alone");
	OK(zp_url_find(&text, "-", "mqtt://u:pw@h") == ZP_OK &&
		is(text, "mqtt://u:pw@h"),
	    "the environment may hold a password");
	zp_url_wipe(text);
	OK(zp_url_find(&text, "mqtt://h", "mqtt://other") == ZP_OK &&
		is(text, "mqtt://h"),
	    "an argument goes before the environment");
	zp_url_wipe(text);
	text = NULL;
	snprintf(arg, sizeof(arg), "@%s", path);
	OK(fd >= 0 && write(fd, line, sizeof(line) - 1) > 0 &&
		zp_url_find(&text, arg, NULL) == ZP_OK &&
		is(text, "mqtt://u:pw@h"),
	    "@FILE is the first line of the file");
	zp_url_wipe(text);
	close(fd);
	unlink(path);
	OK(zp_url_find(&text, arg, NULL) == ZP_ERR_IO,
	    "a missing file is told");
}

int
main(void)
{
	struct zp_url *u = NULL;
	char *longest = malloc(ZP_URL_MAX + 2);

	for (size_t i = 0; i < sizeof(goods) / sizeof(*goods); i++)
		test_good(&goods[i]);
	for (size_t i = 0; i < sizeof(bads) / sizeof(*bads); i++)
		if (!OK(zp_url_parse(&u, bads[i]) == ZP_ERR_FORMAT && u == NULL,
			"what is no URL is refused"))
			printf("# %s\n", bads[i]);
	memset(longest, 'a', ZP_URL_MAX + 1);
	memcpy(longest, "http://", 7);
	longest[ZP_URL_MAX + 1] = '\0';
	OK(zp_url_parse(&u, longest) == ZP_ERR_TOO_LONG, "one byte too long");
	longest[ZP_URL_MAX] = '\0';
	OK(zp_url_parse(&u, longest) == ZP_OK, "the longest");
	zp_url_free(u);
	zp_url_free(NULL);
	free(longest);
	OK(zp_url_has_password("redis://:x@h") &&
		zp_url_has_password("redis::x@h") &&
		zp_url_has_password("redis:u:x@h") &&
		!zp_url_has_password("mail:u@h") &&
		!zp_url_has_password("redis://u:@h") &&
		!zp_url_has_password("http://h/a:b@c") &&
		!zp_url_has_password("file:/a:b@c"),
	    "a password is known by its place");
	test_find();
	return tap_done();
}
