/*
 * One MlesTalk member, driven by lines, for tests that put it among models
 * of the prototype.
 *
 *	mles_member RAWKEY CHANNEL
 *
 *	new UID SEED		a fresh member, live; UID as typed
 *	live 0|1
 *	recv RECORD		a line of zpinc-record(5)
 *	send POLICY FLAGS TEXT	eager, careful or note; flags in hex
 *	presence
 *	bye			the last frame
 *	past 0|1		what comes is history, although live
 *	tick MS			time passes
 *
 * Answers: `got ...`, `sent ...`, `report ...`, `refused ...`, then `end`
 * with what the member thinks.
 */

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"
#include "mles/zp_mles_state.h"

#define LINE_MAX_LEN 400000

static struct zp_mles_key *key;
static struct zp_mles_state *state;
static int64_t now = 1000;
static uint64_t drawn;
static uint8_t seed[randombytes_SEEDBYTES];
static struct zp_mles_raw raw;

static void
draw(uint8_t *to)
{
	/* Another seed for each event, so that runs can be repeated. */
	memcpy(seed + 8, &drawn, sizeof(drawn));
	drawn++;
	randombytes_buf_deterministic(to, ZP_MLES_STATE_RANDOM, seed);
}

static void
die(const char *what)
{
	fprintf(stderr, "mles_member: %s\n", what);
	exit(2);
}

static void
begin(char *args)
{
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_mles_name uid;
	char *end = strrchr(args, ' ');

	if (end == NULL)
		die("new UID SEED");
	*end = 0;
	memset(seed, 0, sizeof(seed));
	uint64_t number = strtoull(end + 1, NULL, 10);
	memcpy(seed, &number, sizeof(number));
	drawn = 0;
	now = 1000;
	draw(random);
	zp_mles_state_free(state);
	if (zp_mles_text_name(&uid, args, strlen(args)) != ZP_OK ||
	    zp_mles_state_new(&state, key, &uid, random) != ZP_OK)
		die("no state");
	zp_mles_state_live(state, true, now);
}

static void
receive(const char *line)
{
	struct zp_record rec;
	struct zp_mles_got got;
	size_t from = 0;

	if (!zp_record_find(line, strlen(line), &from, false, &rec)) {
		printf("refused no record\n");
		return;
	}
	enum zp_err err = zp_mles_record_read(&raw, &rec);
	if (!err)
		err = zp_mles_state_receive(state, &raw, now, &got);
	if (err) {
		printf("refused %s\n", zp_err_text(err));
		return;
	}
	printf("got use=%d own=%d again=%d relabelled=%d history=%d "
	       "flags=%04x sum=%016" PRIx64 " %.*s\n",
	    (int)got.use, got.own, (int)got.again, got.relabelled, got.history,
	    got.o.frame.flags, got.o.checksum, (int)got.o.frame.body_len,
	    (const char *)got.o.frame.body);
}

static void
sent(enum zp_err err, const struct zp_mles_sent *s)
{
	if (err) {
		printf("refused %s\n", zp_err_text(err));
		return;
	}
	const struct zp_mles_box *rp = zp_mles_state_rp(state);
	const struct zp_mles_box *p = zp_mles_state_p(state);
	size_t len = zp_mles_record_len(rp->len, p->len, s->len);
	char *line = malloc(len + 1);
	if (line == NULL)
		die("memory");
	zp_mles_record_write(line, rp, p, s->message, s->len);
	line[len] = 0;
	printf("sent use=%d %s\n", (int)s->use, line);
	free(line);
}

static void
speak(char *args)
{
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_mles_sent s = {0};
	enum zp_mles_policy policy = ZP_MLES_EAGER;
	unsigned flags = 0;
	int at = 0;
	char word[16];

	if (sscanf(args, "%15s %x %n", word, &flags, &at) < 2)
		die("send POLICY FLAGS TEXT");
	if (strcmp(word, "careful") == 0)
		policy = ZP_MLES_CAREFUL;
	else if (strcmp(word, "note") == 0)
		policy = ZP_MLES_NOTE;
	draw(random);
	const char *text = args + at;
	sent(zp_mles_state_send(state, now, 1790000000000 + now,
		 (uint16_t)flags, text, strlen(text), policy, random, &s),
	    &s);
}

static void
presence(bool last)
{
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_mles_sent s = {0};
	const int64_t time = 1790000000000 + now;

	draw(random);
	sent(last ? zp_mles_state_farewell(state, now, time, random, &s)
		  : zp_mles_state_presence(state, now, time, random, &s),
	    &s);
}

static void
finish(void)
{
	struct zp_mles_report r;
	uint8_t *secret = zp_secret_new(ZP_MLES_POINT_LEN);
	char hex[2 * ZP_MLES_POINT_LEN + 1] = "-";

	while (zp_mles_state_report(state, &r))
		printf("report %d %.*s\n", (int)r.event, r.name.len,
		    (const char *)r.name.bytes);
	if (zp_mles_state_secret(state, secret))
		sodium_bin2hex(hex, sizeof(hex), secret, ZP_MLES_POINT_LEN);
	zp_secret_free(secret);
	/* -1: nothing is due; else how long it has time */
	int64_t due = zp_mles_state_due(state);
	due = due == INT64_MAX ? -1 : due > now ? due - now : 0;
	printf("end fs=%d due=%" PRId64 " secret=%s\n",
	    (int)zp_mles_state_fs(state), due, hex);
	fflush(stdout);
}

static void
command(char *line)
{
	char *args = strchr(line, ' ');

	if (args != NULL)
		*args++ = 0;
	else
		args = line + strlen(line);
	if (strcmp(line, "new") == 0)
		begin(args);
	else if (state == NULL)
		die("new comes first");
	else if (strcmp(line, "live") == 0)
		zp_mles_state_live(state, *args == '1', now);
	else if (strcmp(line, "recv") == 0)
		receive(args);
	else if (strcmp(line, "send") == 0)
		speak(args);
	else if (strcmp(line, "presence") == 0)
		presence(false);
	else if (strcmp(line, "bye") == 0)
		presence(true);
	else if (strcmp(line, "past") == 0)
		zp_mles_state_past(state, *args == '1');
	else if (strcmp(line, "hello") == 0)
		zp_mles_state_hello(state, now);
	else if (strcmp(line, "tick") == 0) {
		now += strtoll(args, NULL, 10);
		zp_mles_state_tick(state, now, ZP_MLES_SILENT);
	} else {
		die("no such command");
	}
	finish();
}

int
main(int argc, char **argv)
{
	static char line[LINE_MAX_LEN];
	uint8_t secret[ZP_MLES_KEY_LEN];
	size_t n = 0;

	if (argc != 3 || zp_secret_init() != ZP_OK ||
	    sodium_hex2bin(secret, sizeof(secret), argv[1], strlen(argv[1]),
		NULL, &n, NULL) != 0 ||
	    n != sizeof(secret) ||
	    zp_mles_key_load(&key, secret, argv[2]) != ZP_OK)
		die("usage: mles_member RAWKEY CHANNEL");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = 0;
		command(line);
	}
	zp_mles_state_free(state);
	zp_mles_key_free(key);
	zp_mles_record_free(&raw);
	return 0;
}
