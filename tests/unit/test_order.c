#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/zp_order.h"
#include "tap.h"

/* Messages of one sender, arriving as a relay likes, in virtual time. */

static struct zp_order *o;
static uint64_t now;
static uint64_t gaps, missing, gap_from;

static void
on_gap(void *arg, struct zp_order_gap *gap)
{
	(void)arg;
	gaps++;
	missing += gap->to - gap->from;
	gap_from = gap->from;
}

static void
begin(void)
{
	gaps = missing = gap_from = 0;
	now = 1000;
	if (zp_order_new(&o, on_gap, NULL) != ZP_OK)
		abort();
}

static struct zp_body
body(uint64_t seq, uint64_t first)
{
	struct zp_body b = {
	    .kind = ZP_KIND_MESSAGE, .seq = seq, .first = first};

	memset(b.p, 'a', sizeof(b.p));
	memset(b.sid, 's', sizeof(b.sid));
	return b;
}

static const uint8_t *
conv(char id)
{
	static uint8_t k[256][ZP_CONV_ID_LEN];
	uint8_t *c = k[(unsigned char)id];

	memset(c, id, ZP_CONV_ID_LEN);
	return c;
}

static enum zp_err
come(char key, uint64_t seq, uint64_t first)
{
	struct zp_body b = body(seq, first);

	return zp_order_add(
	    o, now, conv(key), &b, (const uint8_t *)"text", 4, 7);
}

/* What is shown now, as digits. */
static const char *
out(void)
{
	static char text[64];
	struct zp_order_shown s;
	size_t n = 0;

	while (zp_order_next(o, &s) && n < sizeof(text) - 1)
		text[n++] = (char)('0' + s.body.seq % 10);
	text[n] = '\0';
	return text;
}

static uint64_t
seen(void)
{
	struct zp_body b = body(0, 0);

	zp_order_mark(o, now);
	zp_order_release(o);
	return zp_order_seen(o, b.p, b.sid);
}

/* What came is not acknowledged before it was shown, and that is out. */
static void
marks(void)
{
	const struct zp_body b = body(0, 0);

	begin();
	(void)!come('1', 0, 0);
	out();
	IS(zp_order_seen(o, b.p, b.sid), 0, "what came is no receipt yet");
	zp_order_mark(o, now);
	IS(zp_order_seen(o, b.p, b.sid), 0, "nor what is being written");
	(void)!come('1', 1, 0);
	out();
	zp_order_release(o);
	IS(zp_order_seen(o, b.p, b.sid), 1, "but what is out");
	zp_order_mark(o, now);
	zp_order_release(o);
	IS(zp_order_seen(o, b.p, b.sid), 2, "and what followed, in its turn");
	zp_order_free(o);
}

/* Hello number n says so many; done: with a handshake with us. */
static void
hello(uint64_t n, uint64_t messages, bool done)
{
	struct zp_body b = body(0, 0);
	struct zp_order_hello h = {
	    .seq = n, .messages = messages, .done = done};

	if (zp_order_announce(o, now, b.p, b.sid, &h) != ZP_OK)
		abort();
}

static void
announce(uint64_t messages, bool done)
{
	static uint64_t n;

	hello(n++, messages, done);
}

static void
pass(uint64_t ms)
{
	now += ms;
	zp_order_tick(o, now);
}

static void
in_order(void)
{
	begin();
	IS(seen(), 0, "nothing came, nothing is acknowledged");
	OK(come('1', 0, 0) == ZP_OK && come('1', 1, 0) == ZP_OK,
	    "messages are taken");
	OK(strcmp(out(), "01") == 0, "and shown as they come");
	IS(come('1', 1, 0), ZP_ERR_REPLAY, "none is taken twice");
	IS(come('2', 0, 0), ZP_ERR_REPLAY, "nor under another key");
	IS(seen(), 2, "the receipt counts them");
	OK(come('1', 4, 0) == ZP_OK && come('1', 3, 0) == ZP_OK,
	    "others come too early");
	OK(strcmp(out(), "") == 0, "and are held");
	IS(seen(), 2, "the receipt does not count them");
	IS(come('1', 4, 0), ZP_ERR_REPLAY, "what is held comes only once");
	OK(come('1', 2, 0) == ZP_OK && strcmp(out(), "234") == 0,
	    "until the missing one is there");
	IS(seen(), 5, "then the receipt counts all");
	IS(gaps, 0, "and nobody hears of it");
	zp_order_free(o);
}

static void
patience(void)
{
	begin();
	(void)!come('1', 0, 0);
	(void)!come('1', 3, 0);
	OK(strcmp(out(), "0") == 0, "a gap is waited for");
	pass(ZP_ORDER_PATIENCE_MS - 1);
	IS(gaps, 0, "for its time");
	pass(1);
	OK(gaps == 1 && missing == 2 && gap_from == 1, "then it is told");
	OK(strcmp(out(), "3") == 0, "and what was held is shown");
	IS(seen(), 1, "the receipt still tells the truth");
	OK(come('1', 1, 0) == ZP_OK && strcmp(out(), "1") == 0,
	    "what comes after all is shown");
	IS(seen(), 2, "and acknowledged");
	pass(100000);
	IS(gaps, 1, "a gap is told once");

	announce(6, true);
	pass(ZP_ORDER_PATIENCE_MS);
	OK(gaps == 2 && missing == 4 && gap_from == 4,
	    "what a hello counts and nobody sends is missing, too");
	announce(6, true);
	pass(100000);
	IS(gaps, 2, "once");
	zp_order_free(o);
}

static void
strangers(void)
{
	begin();
	announce(40, false);
	pass(100000);
	IS(gaps, 0, "what was said before we came is nobody's loss");
	OK(come('1', 43, 42) == ZP_OK && strcmp(out(), "") == 0,
	    "the first of a key says where to begin");
	OK(come('1', 42, 42) == ZP_OK && strcmp(out(), "23") == 0,
	    "and from there on it is in order");
	IS(seen(), 44, "acknowledged from there on");
	zp_order_free(o);

	begin();
	announce(40, true);
	announce(41, true);
	pass(ZP_ORDER_PATIENCE_MS);
	OK(gaps == 1 && missing == 1 && seen() == 0,
	    "a member all of whose messages are lost is told of");
	zp_order_free(o);
}

/* Of a session that nothing came of: what was to us? */
static void
beginnings(void)
{
	struct zp_body b = body(0, 0);

	begin();
	hello(5, 40, false);
	hello(6, 47, true);
	OK(!zp_order_waits(o, b.p, b.sid), "what went to others is not missed");
	hello(7, 49, true);
	OK(zp_order_waits(o, b.p, b.sid), "what came to be since then is");
	pass(ZP_ORDER_PATIENCE_MS);
	OK(gaps == 1 && missing == 2 && gap_from == 47, "and told");
	zp_order_free(o);

	begin();
	hello(5, 40, false);
	hello(7, 43, true);
	pass(ZP_ORDER_PATIENCE_MS);
	OK(gaps == 1 && missing == 3 && gap_from == 40,
	    "a lost hello hides nothing");
	zp_order_free(o);

	begin();
	hello(5, 40, false);
	hello(7, 43, true);
	OK(come('1', 42, 42) == ZP_OK && strcmp(out(), "2") == 0,
	    "a message of it knows better what is to us");
	pass(ZP_ORDER_PATIENCE_MS);
	IS(gaps, 0, "and then nothing is missing");
	zp_order_free(o);
}

static void
keys(void)
{
	begin();
	(void)!come('1', 0, 0);
	(void)!come('2', 2, 2);
	out();
	IS(seen(), 1,
	    "a later key's messages are no receipt for an earlier one's");
	zp_order_gone(o, now, conv('1'));
	IS(seen(), 1, "nor right after it went");
	pass(ZP_ORDER_GRACE_MS);
	out();
	IS(seen(), 3, "but later they count from their own first");
	zp_order_free(o);

	/* Who closes one gap has time for the next: longer than the earlier
	 * key. */
	begin();
	for (uint64_t seq = 0; seq <= 6; seq += 2)
		(void)!come('1', seq, 0);
	(void)!come('2', 7, 7);
	zp_order_gone(o, now, conv('1'));
	pass(ZP_ORDER_PATIENCE_MS - 1000);
	(void)!come('1', 1, 0);
	pass(ZP_ORDER_PATIENCE_MS - 1000);
	(void)!come('1', 3, 0);
	pass(ZP_ORDER_GRACE_MS - 2 * (ZP_ORDER_PATIENCE_MS - 1000));
	OK(strcmp(out(), "01234") == 0, "what is behind a gap is held");
	IS(seen(), 7, "and not acknowledged, also where its own key begins");
	for (uint64_t ms = 0; ms < ZP_ORDER_PATIENCE_MS; ms += 1000)
		pass(1000);
	OK(strcmp(out(), "67") == 0 && seen() == 8, "before it is shown");
	zp_order_free(o);

	begin();
	(void)!come('1', 0, 0);
	(void)!come('2', 1, 1);
	IS(seen(), 2, "complete over both keys they count at once");
	OK(strcmp(out(), "01") == 0, "and are shown");
	zp_order_free(o);
}

static void
restarted(void)
{
	struct zp_body b = body(5, 5);

	begin();
	IS(zp_order_known(o, now, conv('1'), &b), ZP_OK,
	    "what an earlier process showed");
	OK(strcmp(out(), "") == 0, "is not shown again");
	IS(seen(), 6, "but acknowledged");
	OK(come('1', 6, 5) == ZP_OK && strcmp(out(), "6") == 0,
	    "and the next one follows it");
	zp_order_free(o);
}

/* The time that n messages take, the first of them `from`, each shown. */
static double
time_of(uint64_t n, uint64_t from, size_t *shown)
{
	struct zp_order_shown s;

	begin();
	*shown = 0;
	clock_t t = clock();
	for (uint64_t i = 0; i < n; i++) {
		(void)!come('1', from + i, 0);
		while (zp_order_next(o, &s))
			++*shown;
	}
	t = clock() - t;
	if (from > 0)
		(void)!come('1', 0, 0);
	while (zp_order_next(o, &s))
		++*shown;
	zp_order_free(o);
	return (double)t;
}

/* A relay that keeps one back makes all behind it wait. */
static void
one_kept_back(void)
{
	enum { MANY = 20000 };
	double good = 0, held = 0;
	size_t shown = 0, more = 0;

	for (int i = 0; i < 3; i++) {
		double a = time_of(MANY, 0, &shown), b;
		b = time_of(MANY, 1, &more);
		good = i == 0 || a < good ? a : good;
		held = i == 0 || b < held ? b : held;
	}
	IS(more, shown + 1, "what waits for one message is shown with it");
	/* It was 400 times as long when each looked for its place. */
	OK(held < 20 * good + CLOCKS_PER_SEC / 50,
	    "and its waiting costs about as much as showing it");
}

static void
floods(void)
{
	static uint8_t big[100000];
	struct zp_body b;
	struct zp_order_shown s;
	size_t n = 0;

	begin();
	(void)!come('1', 0, 0);
	out();
	for (uint64_t i = 0; i < 500; i++) {
		b = body(2 + i, 0);
		if (zp_order_add(o, now, conv('1'), &b, big, sizeof(big), 0) !=
		    ZP_OK)
			abort();
		while (zp_order_next(o, &s))
			n++;
	}
	OK(gaps == 1 && n > 300, "what is held is bounded: the gap is told");
	zp_order_free(o);

	begin();
	for (uint64_t i = 0; i < 500; i++)
		(void)!come('1', 3 * i, 0);
	IS(gaps, 0, "hundreds of holes in a burst are waited for");
	for (uint64_t i = 0; i < 3 * 500; i++)
		(void)!come('1', i, 0);
	n = 0;
	while (zp_order_next(o, &s))
		n += s.body.seq == n;
	IS(n, 3 * 500, "and when they are filled all is shown in order");
	for (uint64_t i = 0; i < 5000; i++)
		(void)!come('1', 1501 + 3 * i, 0);
	OK(gaps > 0, "but the holes that are remembered are bounded");
	IS(seen(), 1500, "and no receipt is for one that was forgotten");
	zp_order_end(o, now);
	while (zp_order_next(o, &s))
		n++;
	IS(n, 1500 + 5000, "and at the end everything that came was shown");
	/* The next key is for the first that its sender knows to be lacking. */
	(void)!come('2', 1501 + 3 * 5000, 1500);
	zp_order_gone(o, now, conv('1'));
	now += ZP_ORDER_GRACE_MS;
	IS(seen(), 1500, "nor when that is where the next key begins");
	(void)!come('3', 1502 + 3 * 5000, 1503);
	zp_order_gone(o, now, conv('2'));
	now += ZP_ORDER_GRACE_MS;
	IS(seen(), 1503, "or among the forgotten ones");
	zp_order_free(o);

	begin();
	for (unsigned i = 0; i < 5000; i++) {
		b = body(0, 0);
		memcpy(b.sid, &i, sizeof(i));
		if (zp_order_add(o, now, conv('1'), &b, big, 1, 0) != ZP_OK)
			abort();
	}
	n = 0;
	while (zp_order_next(o, &s))
		n++;
	IS(n, 5000, "any number of sessions is fine");
	zp_order_free(o);
}

/* Another session of the same user, or of another one. */
static void
come_from(char user, char sid, char key, uint64_t seq)
{
	struct zp_body b = body(seq, 0);

	memset(b.p, user, sizeof(b.p));
	memset(b.sid, sid, sizeof(b.sid));
	if (zp_order_add(
		o, now, conv(key), &b, (const uint8_t *)"text", 4, 7) != ZP_OK)
		abort();
}

/* A key of these: user and session of each. */
static void
key_of(const char *members)
{
	struct zp_member m[4] = {0};
	size_t n = 0;

	for (; members[0] != '\0'; members += 2, n++) {
		memset(m[n].who.p, members[0], sizeof(m[n].who.p));
		memset(m[n].who.sid, members[1], sizeof(m[n].who.sid));
	}
	zp_order_key(o, m, n);
}

static void
gaps_at_once(void)
{
	begin();
	(void)!come('k', 0, 0);
	(void)!come('k', 2, 0);
	now += 1000;
	(void)!come('k', 4, 0);
	now += ZP_ORDER_PATIENCE_MS - 1000;
	zp_order_tick(o, now);
	OK(strcmp(out(), "02") == 0, "a gap is given up");
	IS(zp_order_deadline(o), now + 1000,
	    "the next one was noticed a second later");
	now += 1000;
	zp_order_tick(o, now);
	OK(strcmp(out(), "4") == 0, "and is given up then");
	IS(gaps, 2, "both are told");
	zp_order_free(o);

	/* Who closes one is at work on the next. */
	begin();
	(void)!come('k', 0, 0);
	(void)!come('k', 2, 0);
	(void)!come('k', 4, 0);
	now += ZP_ORDER_PATIENCE_MS - 1;
	(void)!come('k', 1, 0);
	now++;
	zp_order_tick(o, now);
	OK(strcmp(out(), "012") == 0,
	    "a gap that was closed gives the next one time");
	(void)!come('k', 3, 0);
	OK(strcmp(out(), "34") == 0, "in which it is closed, too");
	IS(gaps, 0, "and none is told");
	zp_order_free(o);
}

static void
replaced(void)
{
	begin();
	key_of("asbt");
	(void)!come('k', 0, 0);
	(void)!come('k', 2, 0);
	(void)!come('k', 4, 0);
	key_of("azbt");
	come_from('b', 't', 'l', 7);
	(void)!come('k', 6, 0);
	zp_order_tick(o, now);
	OK(strcmp(out(), "0") == 0,
	    "of who is replaced by its user is waited for");
	come_from('a', 'z', 'l', 0);
	zp_order_tick(o, now);
	OK(strcmp(out(), "2460") == 0,
	    "until the new one speaks: the old comes before");
	IS(gaps, 3, "and what is missing is told");
	(void)!come('k', 8, 0);
	OK(strcmp(out(), "8") == 0, "nor is it waited for what comes later");
	IS(gaps, 4, "which is told, too");
	(void)!come('k', 5, 0);
	OK(strcmp(out(), "5") == 0,
	    "and what was missing is shown if it comes at all");
	key_of("asazbt");
	(void)!come('l', 10, 0);
	come_from('a', 'z', 'l', 1);
	OK(strcmp(out(), "1") == 0, "who is a member again is waited for");
	zp_order_free(o);

	begin();
	(void)!come('k', 0, 0);
	(void)!come('k', 2, 0);
	key_of("asaz");
	come_from('a', 'z', 'k', 0);
	OK(strcmp(out(), "00") == 0, "a user may be there twice");
	IS(gaps, 0, "and neither is in the other's place");
	key_of("azbt");
	come_from('a', 'z', 'l', 1);
	OK(strcmp(out(), "1") == 0, "nor when one of them is not heard");
	IS(gaps, 0, "as it may be back");
	key_of("bt");
	come_from('a', 'y', 'k', 0);
	OK(strcmp(out(), "0") == 0, "nor if both are gone");
	IS(gaps, 0, "as they may be back");
	zp_order_free(o);
}

int
main(void)
{
	in_order();
	marks();
	patience();
	strangers();
	beginnings();
	keys();
	restarted();
	one_kept_back();
	gaps_at_once();
	replaced();
	floods();
	return tap_done();
}
