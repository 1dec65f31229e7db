/* The parts of zpinc-http that know nothing of connections. */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/zp_echo.h"
#include "net/zp_headers.h"
#include "net/zp_httpurl.h"
#include "net/zp_json.h"
#include "net/zp_nchan.h"
#include "net/zp_ntfy.h"

#include "tap.h"
#include "tempdir.h"

/* ---- JSON ---- */

struct member {
	const char *json, *want; /* of "id"; NULL: none */
	const char *name;
};

static const struct member members[] = {
    {"{\"id\":\"a\"}", "a", "a member is found"},
    {" {\n\"x\" : 1 , \"id\" : \"a\" } ", "a", "blanks do not matter"},
    {"{\"x\":{\"id\":\"b\"},\"id\":\"a\"}", "a", "inner objects do not count"},
    {"{\"x\":[{\"id\":\"b\"},\"}\"],\"id\":\"a\"}", "a", "nor do lists"},
    {"{\"x\":\"\\\"id\\\":\\\"b\\\"\",\"id\":\"a\"}", "a",
	"what stands in a string is no member"},
    {"{\"x\":\"\\\\\",\"id\":\"a\"}", "a", "a backslash may be escaped"},
    {"{\"id\":\"a\",\"id\":\"b\"}", "a", "the first of a name counts"},
    {"{\"id\":\"\"}", "", "a string may be empty"},
    {"{\"x\":\"id\",\"y\":\"b\"}", NULL, "a value is no name"},
    {"{\"id\":5}", NULL, "a number is no string"},
    {"{\"id\":\"a\\n\"}", NULL, "a string with escapes is not taken"},
    {"[\"id\",\"a\"]", NULL, "a list has no members"},
    {"{\"idx\":\"a\"}", NULL, "a name must be the same"},
    {"", NULL, "nothing holds nothing"},
    {"{\"x\":]]]],\"id\":\"a\"}", NULL, "brackets out of nowhere end it"},
    {"{\"id\" \"a\"}", NULL, "a colon stands between"},
    {"\"id\":\"a\"}", NULL, "an object begins with a brace"},
};

static void
test_json(void)
{
	char to[8] = "";
	const char *full = "{\"x\":[1,{\"y\":\"z\\\"\"}],\"id\":\"abcdefg\"}";
	bool good = true;

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const struct member *m = &members[i];
		bool found = zp_json_string(
		    m->json, strlen(m->json), "id", to, sizeof(to));
		OK(found == (m->want != NULL) &&
			(!found || strcmp(to, m->want) == 0),
		    m->name);
	}
	for (size_t n = 0; n < strlen(full) - 1; n++) {
		char *cut = malloc(n + 1); /* exact, for the sanitizers */
		if (cut == NULL)
			abort();
		memcpy(cut, full, n);
		good = good && !zp_json_string(cut, n, "id", to, sizeof(to));
		free(cut);
	}
	OK(good, "whatever is cut off, nothing is found and nothing breaks");
	OK(!zp_json_string("{\"id\":\"a\0b\"}", 12, "id", to, sizeof(to)),
	    "a string with a NUL is not taken for its beginning");
	OK(zp_json_string(full, strlen(full), "id", to, 8),
	    "what fits is taken");
	OK(!zp_json_string(full, strlen(full), "id", to, 7),
	    "what does not fit is not");
}

/* ---- ntfy ---- */

/*
 * Bodies of the form that ntfy's documentation shows, of all its events, and
 * a message of ours.
 */
#define OPEN_EVENT                                                       \
	"{\"id\":\"a8wQ2bYp1k\",\"time\":1732300001,\"event\":\"open\"," \
	"\"topic\":\"zT,zL\"}"
#define ALIVE_EVENT                                                           \
	"{\"id\":\"k3ePdGUDSh\",\"time\":1732300046,\"event\":\"keepalive\"," \
	"\"topic\":\"zT\"}"
#define OUR_MESSAGE                                                      \
	"{\"id\":\"hq2YwpKdm3x0\",\"time\":1732300002,"                  \
	"\"expires\":1732343202,\"event\":\"message\",\"topic\":\"zT\"," \
	"\"message\":\"zp1.zT.zP.AAAA\\nzp1.zT.zP.BBBB\"}"
#define OTHERS_MESSAGE                                                      \
	"{\"id\":\"w9zzgqK41c\",\"time\":1732300003,\"event\":\"message\"," \
	"\"topic\":\"zT\",\"priority\":5,\"tags\":[\"warning\","            \
	"\"\\\"id\\\":\\\"x\\\"\"],\"title\":\"event\","                    \
	"\"attachment\":{\"id\":\"no\",\"event\":\"open\"},"                \
	"\"message\":\"a \\\"quoted\\\" word\"}"

struct body {
	const char *json, *id; /* NULL: no message */
	const char *name;
};

static const struct body bodies[] = {
    {OPEN_EVENT, NULL, "that a stream is open is no message"},
    {ALIVE_EVENT, NULL, "nor is a sign of life"},
    {OUR_MESSAGE, "hq2YwpKdm3x0", "a message has its id"},
    {OTHERS_MESSAGE, "w9zzgqK41c", "whatever else it has"},
    {"{\"id\":\"x\",\"event\":\"poll_request\"}", NULL,
	"nor is a request to come and look"},
    {"{\"event\":\"message\",\"id\":\"x\"}", "x", "in any order"},
    {"{\"event\":\"message\"}", "", "a message need not have an id"},
    {"{\"event\":\"message\",\"id\":17}", "", "an id is a string"},
    {"{\"event\":\"message\",\"id\":\"a b\"}", "", "without blanks"},
    {"{\"event\":\"message\",\"id\":\"a\033b\"}", "", "and controls"},
    {"{\"event\":\"messages\",\"id\":\"x\"}", NULL, "a name is all of it"},
    {"{\"event\":\"message\",\"id\":\"x\"", "", "one that is cut is none"},
    {"\"message\"", NULL, "a text alone is no event"},
    {"You received a file", NULL, "nor is what is no JSON"},
};

struct got {
	char ids[256];
	size_t events;
};

static void
on_ntfy(void *arg, const struct zp_sse_event *e)
{
	struct got *got = arg;
	char id[ZP_SSE_ID_MAX + 1];

	got->events++;
	if (!zp_ntfy_message(e->data, e->len, id))
		return;
	strcat(got->ids, id);
	strcat(got->ids, e->len > 30 ? " " : "? ");
}

static struct got
stream(const char *text, bool lines, size_t step)
{
	struct got got = {0};
	struct zp_sse s;
	size_t len = strlen(text);

	zp_sse_init(&s, 400);
	s.lines = lines;
	for (size_t i = 0; i < len; i += step)
		if (zp_sse_feed(&s, text + i, len - i < step ? len - i : step,
			on_ntfy, &got) != ZP_OK)
			abort();
	zp_sse_free(&s);
	return got;
}

static void
test_ntfy(void)
{
	static const char sse[] =
	    "event: open\ndata: " OPEN_EVENT "\n\n"
	    "data: " OUR_MESSAGE "\n\n"
	    "event: keepalive\ndata: " ALIVE_EVENT "\n\n"
	    "data: " OTHERS_MESSAGE "\n\ndata: " OUR_MESSAGE;
	static const char json[] =
	    OPEN_EVENT "\n" OUR_MESSAGE "\n" ALIVE_EVENT "\r\n\n" OTHERS_MESSAGE
		       "\n" OUR_MESSAGE;
	static struct zp_ntfy_seen seen;
	char id[ZP_SSE_ID_MAX + 1], big[1024];
	struct got got;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct body *b = &bodies[i];
		bool is = zp_ntfy_message(b->json, strlen(b->json), id);
		OK(is == (b->id != NULL) && (!is || strcmp(id, b->id) == 0),
		    b->name);
	}
	for (size_t step = 1; step < 1000; step *= 7) {
		got = stream(sse, false, step);
		OK(strcmp(got.ids, "hq2YwpKdm3x0 w9zzgqK41c ") == 0 &&
			got.events == 4,
		    "a stream of events gives its messages, but half a one");
		got = stream(json, true, step);
		OK(strcmp(got.ids, "hq2YwpKdm3x0 w9zzgqK41c ") == 0 &&
			got.events == 4,
		    "so do lines of JSON");
	}
	memset(big, ' ', sizeof(big));
	snprintf(big + 500, sizeof(big) - 500, "%s\n%s\n", OUR_MESSAGE,
	    OTHERS_MESSAGE);
	got = stream(big, true, sizeof(big));
	OK(strcmp(got.ids, "w9zzgqK41c ") == 0,
	    "a line that is too long is dropped, the next one is not");
	OK(zp_ntfy_note(&seen, "a") && zp_ntfy_note(&seen, "b") &&
		!zp_ntfy_note(&seen, "a") && !zp_ntfy_note(&seen, "b"),
	    "an id is new once");
	for (int i = 0; i < ZP_NTFY_SEEN; i++) {
		snprintf(id, sizeof(id), "%d", i);
		if (!zp_ntfy_note(&seen, id))
			break;
	}
	OK(seen.n == ZP_NTFY_SEEN + 2 && !zp_ntfy_note(&seen, "0") &&
		zp_ntfy_note(&seen, "a"),
	    "so many are remembered, and no more");
}

/* ---- URLs ---- */

struct form {
	const char *url;
	const char *publish, *subscribe, *live; /* NULL: refused */
	const char *name;
};

static const struct form forms[] = {
    {"https://h/ops", "https://h/ops/T", "https://h/ops/T", "https://h/ops/T",
	"the topic is appended"},
    {"https://h", "https://h/T", "https://h/T", "https://h/T",
	"also where there is no path"},
    {"https://h:8443/ops/", "https://h:8443/ops/T", "https://h:8443/ops/T",
	"https://h:8443/ops/T", "a slash at the end is not doubled"},
    {"https://me:pw@h/x?token=a#window=2", "https://h/x/T?token=a",
	"https://h/x/T?token=a", "https://h/x/T?token=a",
	"user, password and options are left out"},
    {"https://h/{topic}/x/{topic}?id={topic}", "https://h/T/x/T?id=T",
	"https://h/T/x/T?id=T", "https://h/T/x/T?id=T",
	"the topic stands where the URL has it"},
    {"https://h/x?id={topic}", "https://h/x?id=T", "https://h/x?id=T",
	"https://h/x?id=T", "also in the query alone"},
    {"https://h/{pub|sub}", "https://h/pub/T", "https://h/sub/T",
	"https://h/sub/T", "two alternatives"},
    {"https://h/{a|b|c}/{topic}?{x||y}", "https://h/a/T?x", "https://h/b/T?",
	"https://h/c/T?y", "three, of which some are empty"},
    {"http://[::1]:80/p", "http://[::1]:80/p/T", "http://[::1]:80/p/T",
	"http://[::1]:80/p/T", "an IPv6 address gets its brackets back"},
    {"http://h/{", NULL, NULL, NULL, "a brace alone"},
    {"http://h/}", NULL, NULL, NULL, "the other one"},
    {"http://h/{x}", NULL, NULL, NULL, "one alternative"},
    {"http://h/{a|b|c|d}", NULL, NULL, NULL, "four"},
    {"http://h/{{topic}}", NULL, NULL, NULL, "braces in braces"},
    {"http://h/?{a|b", NULL, NULL, NULL, "a brace that is not closed"},
    {"http:///x", NULL, NULL, NULL, "no host"},
    {"http://a%2fb/", NULL, NULL, NULL, "a host that would be a path"},
    {"http://a%0d%0ab/", NULL, NULL, NULL, "a host that would be a line"},
};

static bool
makes(const char *text, enum zp_httpurl_use use, const char *want)
{
	struct zp_url *url = NULL;
	char *got = NULL;

	if (zp_url_parse(&url, text) != ZP_OK)
		return want == NULL;
	enum zp_err err = zp_httpurl_make(&got, url,
	    strncmp(text, "https", 5) == 0 ? "https" : "http", use, "T", 1, "",
	    "");
	bool good = want == NULL ? err == ZP_ERR_FORMAT && got == NULL
				 : err == ZP_OK && strcmp(got, want) == 0;
	if (!good)
		printf("# %s gave %s\n", text, got != NULL ? got : "nothing");
	zp_url_wipe(got);
	zp_url_free(url);
	return good;
}

static void
test_urls(void)
{
	struct zp_url *url = NULL;
	char topic[4096], *got = NULL;

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const struct form *f = &forms[i];
		OK(makes(f->url, ZP_HTTPURL_PUBLISH, f->publish) &&
			makes(f->url, ZP_HTTPURL_SUBSCRIBE, f->subscribe) &&
			makes(f->url, ZP_HTTPURL_LIVE, f->live),
		    f->name);
	}
	if (zp_url_parse(&url, "ntfy://h/{topic}{topic}{topic}?a=b") != ZP_OK)
		abort();
	memset(topic, 't', sizeof(topic));
	OK(zp_httpurl_make(&got, url, "http", ZP_HTTPURL_LIVE, topic,
	       sizeof(topic), "/sse", "since=all") == ZP_OK &&
		strlen(got) == 9 + 3 * sizeof(topic) + 4 + 14 &&
		strcmp(got + strlen(got) - 18, "/sse?a=b&since=all") == 0,
	    "long topics, a suffix and a query have room");
	zp_url_wipe(got);
	zp_url_free(url);
}

/* ---- the window ---- */

static struct zp_record
record(char line[static 64], int number)
{
	int n = snprintf(line, 64, "zp1.T.P.record%06d", number);

	return (struct zp_record){.line = line, .len = (size_t)n};
}

static void
test_echo(void)
{
	struct zp_echo e;
	char line[64];
	struct zp_record r;
	int64_t now = 1000;

	zp_echo_init(&e, 3);
	for (int i = 0; i < 3; i++) {
		OK(zp_echo_room(&e), "there is room within the window");
		r = record(line, i);
		zp_echo_sent(&e, &r, now++);
	}
	OK(!zp_echo_room(&e), "a full window has no room");
	IS(zp_echo_due(&e), 1002 + ZP_ECHO_PATIENCE, "it waits so long");
	r = record(line, 77);
	zp_echo_came(&e, &r, now);
	OK(!zp_echo_room(&e), "what others sent makes no room");
	r = record(line, 0);
	zp_echo_came(&e, &r, now);
	OK(zp_echo_room(&e) && e.n == 2, "what comes back does");
	zp_echo_came(&e, &r, now);
	IS(e.n, 2, "but once only");
	r = record(line, 2);
	zp_echo_came(&e, &r, now);
	OK(e.n == 0 && e.missing == 1,
	    "what was passed over is lost, not awaited");
	IS(zp_echo_due(&e), INT64_MAX,
	    "with room there is nothing to wait for");
	for (int i = 0; i < 3; i++) {
		r = record(line, i);
		zp_echo_sent(&e, &r, now);
	}
	zp_echo_unsent(&e);
	OK(zp_echo_room(&e), "what was not sent after all is not awaited");
	zp_echo_give_up(&e, false);
	OK(e.n == 0 && !e.deaf, "who did not listen waits again");
	zp_echo_give_up(&e, true);
	for (int i = 0; i < 9; i++)
		zp_echo_sent(&e, &r, now);
	OK(zp_echo_room(&e), "a relay that gives nothing back has no window");
	zp_echo_reset(&e);
	OK(zp_echo_room(&e) && !e.deaf, "a new link is tried anew");
	zp_echo_init(&e, 0);
	for (int i = 0; i < 2 * ZP_ECHO_MOST; i++)
		zp_echo_sent(&e, &r, now);
	OK(zp_echo_room(&e), "without a window there is always room");
}

/* ---- Nchan ---- */

static void
resume(const char *newest, bool known, bool empty, const char *last, bool again,
    const char *want, const char *name)
{
	struct zp_nchan n = {.known = known, .empty = empty};
	char to[ZP_SSE_ID_MAX + 1];

	snprintf(n.newest, sizeof(n.newest), "%s", newest);
	zp_nchan_resume(to, &n, last, again);
	if (!OK(strcmp(to, want) == 0, name))
		printf("# got %s, want %s\n", to, want);
}

static void
test_nchan(void)
{
	struct zp_nchan n;
	const char *body =
	    "{\"messages\": 2, \"requested\": -1, "
	    "\"subscribers\": 0, \"last_message_id\": \"17:3\" }";

	zp_nchan_read(&n, 200, body, strlen(body));
	OK(n.known && !n.empty && strcmp(n.newest, "17:3") == 0,
	    "Nchan says what it retains");
	body = "{\"messages\": 0, \"last_message_id\": \"0:0\"}";
	zp_nchan_read(&n, 200, body, strlen(body));
	OK(n.known && n.empty, "also that it is nothing");
	zp_nchan_read(&n, 404, "", 0);
	OK(!n.known && n.empty, "a 404 without a word may be its");
	zp_nchan_read(&n, 404, "gone", 4);
	OK(!n.known && !n.empty, "one with a page is not");
	body = "{\"messages\": 1, \"last_message_id\": \"x y\"}";
	zp_nchan_read(&n, 200, body, strlen(body));
	OK(!n.known && n.newest[0] == '\0', "an id of another form is none");
	zp_nchan_read(&n, 500, body, strlen(body));
	OK(!n.known, "an error says nothing");

	OK(zp_nchan_before("9:5", "10:0") && zp_nchan_before("10:9", "10:10"),
	    "ids are numbers, not text");
	OK(!zp_nchan_before("10:0", "10:0") && !zp_nchan_before("x", "10:0") &&
		!zp_nchan_before("10:0", "10") && !zp_nchan_before("10:0", ""),
	    "what is no id is before none");

	resume("20:5", true, false, "20:3", false, "20:3",
	    "a cursor is resumed behind");
	resume(
	    "20:5", true, false, "", false, "", "no cursor: from the oldest");
	resume("20:5", true, false, "20:6", false, "",
	    "ids that have begun anew: from the oldest");
	resume("20:5", true, false, "21:0", true, "", "also after a lost link");
	resume("", false, true, "21:0", true, "",
	    "a server that knows no message: from the oldest");
	resume("20:5", true, false, "20:3", true, "19:0",
	    "a lost link in the newest second: that second again");
	resume("20:5", true, false, "19:3", true, "18:0",
	    "a lost link before it: its second again, too");
	resume("", false, false, "20:3", true, "20:3",
	    "another relay: where it was");
	resume("", false, true, "evt-17", true, "evt-17",
	    "ids that are not Nchan's stay as they are");
}

/* ---- a file of headers ---- */

static char seen[256];

static enum zp_err
add(void *arg, const char *header)
{
	(void)arg;
	if (strcmp(header, "Stop: here") == 0)
		return ZP_ERR_MEMORY;
	strcat(seen, header);
	strcat(seen, "|");
	return ZP_OK;
}

static enum zp_err
headers(const char *text, size_t len, mode_t mode, size_t *line)
{
	int fd = open("headers", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	seen[0] = '\0';
	if (fd < 0 || write(fd, text, len) != (ssize_t)len ||
	    fchmod(fd, mode) != 0)
		abort();
	close(fd);
	return zp_headers_read("headers", line, add, NULL);
}

static void
test_headers(void)
{
	static const char good[] = "# mine\n\nA: b\r\nC:\tx: y\nD-e:";
	static const char nul[] = "A: b\n\0C d\n";
	size_t line = 99;

	OK(headers(good, sizeof(good) - 1, 0600, &line) == ZP_OK &&
		strcmp(seen, "A: b|C:\tx: y|D-e:|") == 0 && line == 99,
	    "headers are handed over, comments and empty lines are not");
	OK(headers(good, sizeof(good) - 1, 0400, &line) == ZP_OK,
	    "the owner need not be able to write");
	IS(headers(good, sizeof(good) - 1, 0640, &line), ZP_ERR_MODE,
	    "a file that the group reads is refused");
	IS(headers("A: b\nx\n", 7, 0600, &line), ZP_ERR_FORMAT,
	    "a line that is no header is refused");
	IS(line, 2, "and numbered");
	IS(headers(nul, sizeof(nul) - 1, 0600, &line), ZP_ERR_FORMAT,
	    "what stands behind a NUL is not overlooked");
	IS(headers("Stop: here\nA: b\n", 16, 0600, &line), ZP_ERR_MEMORY,
	    "the taker may end it");
	IS(zp_headers_read("missing", &line, add, NULL), ZP_ERR_IO,
	    "a file that is not there is told");
	unlink("headers");
}

int
main(void)
{
	tempdir_enter();
	test_json();
	test_ntfy();
	test_urls();
	test_echo();
	test_nchan();
	test_headers();
	return tap_done();
}
