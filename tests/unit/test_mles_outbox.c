/* Frames on their way to relays that acknowledge nothing. */
#include "mles/zp_mles_outbox.h"
#include "tap.h"

static struct zp_mles_outbox *o;

static void
add(const char *line, uint64_t tag, uint64_t now)
{
	const struct zp_mles_outgoing out = {.line = line,
	    .len = strlen(line),
	    .tag = tag,
	    .text = "x",
	    .text_len = 1};

	if (zp_mles_outbox_add(o, now, &out) != ZP_OK)
		exit(1);
}

/* Does relay i get this line next?  NULL: nothing. */
static bool
gets(size_t i, uint64_t now, const char *want)
{
	const char *line;
	size_t len;

	if (!zp_mles_outbox_next(o, now, i, &line, &len))
		return want == NULL;
	return want != NULL && len == strlen(want) &&
	    memcmp(line, want, len) == 0;
}

static bool
shows(size_t i, uint64_t now, const char *record, bool *first)
{
	const struct zp_mles_outgoing *out;

	return zp_mles_outbox_shown(
	    o, now, i, record, strlen(record), &out, first);
}

/* What is settled next: its tag, negative if given up; 0: nothing. */
static int
settled(uint64_t now)
{
	struct zp_mles_settled s;

	if (!zp_mles_outbox_settled(o, now, &s))
		return 0;
	return s.shown ? (int)s.tag : -(int)s.tag;
}

static void
one_relay(void)
{
	bool first;

	o = zp_mles_outbox_new(1);
	add("one\n", 1, 0);
	OK(gets(0, 0, NULL) && !zp_mles_outbox_unsaid(o, 0),
	    "a relay that is not there gets nothing");
	zp_mles_outbox_relay(o, 0, true);
	add("two\n", 2, 0);
	OK(zp_mles_outbox_unsaid(o, 0) && gets(0, 0, "one\n") &&
		gets(0, 0, "two\n") && gets(0, 0, NULL),
	    "one that is gets all, in order, once");
	OK(settled(100000) == 0 && zp_mles_outbox_pending(o) == 2,
	    "time alone settles nothing");
	OK(!shows(0, 5, "three", &first), "a record of others is not ours");
	OK(shows(0, 5, "two", &first) && first && settled(5) == 2,
	    "what the relay shows is settled");
	OK(!shows(0, 5, "two", &first), "and then no longer known");
	zp_mles_outbox_relay(o, 0, false);
	add("three\n", 3, 6);
	OK(shows(0, 6, "one", &first) && gets(0, 6, NULL),
	    "a history may show what was said before");
	zp_mles_outbox_relay(o, 0, true);
	OK(gets(0, 7, "three\n") && gets(0, 7, NULL),
	    "who comes back gets what it has not shown");
	zp_mles_outbox_relay(o, 0, false);
	zp_mles_outbox_relay(o, 0, true);
	OK(gets(0, 7, "three\n"), "again each time");
	IS(settled(7), 1, "the other one is settled");
	IS(settled(7), 0, "once");
	zp_mles_outbox_end(o);
	IS(settled(8), -3, "at the end what was not shown is given up");
	OK(settled(8) == 0 && zp_mles_outbox_pending(o) == 0, "and no more");
	zp_mles_outbox_free(o);
}

static void
two_relays(void)
{
	bool first;

	o = zp_mles_outbox_new(2);
	zp_mles_outbox_relay(o, 0, true);
	zp_mles_outbox_relay(o, 1, true);
	add("one\n", 1, 0);
	OK(gets(0, 0, "one\n") && gets(1, 0, "one\n"), "both get it");
	OK(shows(1, 10, "one", &first) && first && settled(10) == 0,
	    "one shows it: the other has time yet");
	OK(shows(1, 11, "one", &first) && !first, "again is not first");
	OK(settled(10 + ZP_MLES_OUTBOX_OTHERS) == 1, "but not for ever");
	add("two\n", 2, 0);
	zp_mles_outbox_relay(o, 1, false);
	OK(gets(0, 0, "two\n") && shows(0, 1, "two", &first) && settled(1) == 2,
	    "a relay that is away is not waited for");
	zp_mles_outbox_free(o);
}

static void
presence(void)
{
	o = zp_mles_outbox_new(2);
	zp_mles_outbox_relay(o, 0, true);
	add("here\n", 0, 0);
	OK(zp_mles_outbox_pending(o) == 0, "presence is not waited for");
	OK(gets(0, 0, "here\n"), "it goes to who is there");
	zp_mles_outbox_relay(o, 1, true);
	OK(gets(1, ZP_MLES_OUTBOX_FRESH + 1, NULL),
	    "but not late: it tells how things stood");
	zp_mles_outbox_end(o);
	OK(settled(0) == 0, "nor is it told of");
	zp_mles_outbox_free(o);
}

static void
limits(void)
{
	bool first, good = true;
	char line[32];

	o = zp_mles_outbox_new(1);
	zp_mles_outbox_relay(o, 0, true);
	for (int i = 1; i <= ZP_MLES_OUTBOX_MAX; i++) {
		good = good && zp_mles_outbox_room(o);
		snprintf(line, sizeof(line), "%d\n", i);
		add(line, (uint64_t)i, 0);
	}
	OK(good && !zp_mles_outbox_room(o), "there is room for 3000");
	for (int i = 1; i <= ZP_MLES_OUTBOX_MAX; i++) {
		snprintf(line, sizeof(line), "%d\n", i);
		good = good && gets(0, 0, line);
	}
	OK(good, "which go out in order");
	OK(shows(0, 0, "7", &first) && settled(0) == 7 &&
		zp_mles_outbox_room(o),
	    "and again when one is settled");
	zp_mles_outbox_free(o);
}

int
main(void)
{
	one_relay();
	two_relays();
	presence();
	limits();
	return tap_done();
}
