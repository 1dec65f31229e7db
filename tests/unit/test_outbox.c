#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "crypt/zp_secret.h"
#include "proto/zp_outbox_impl.h"
#include "tap.h"
#include "wire/zp_record.h"

/* Delivery in virtual time: every test drives an outbox by hand. */

#define MOST 4096

/* What it said. */
static struct {
	size_t delivered, undelivered;
	uint64_t last_seq, last_tag;
	size_t lacking; /* members that lack the undelivered one */
} told;

static struct zp_key *key;
static struct zp_outbox *o;
static uint64_t now;

static void
on_event(void *arg, const struct zp_outbox_event *ev)
{
	(void)arg;
	told.last_seq = ev->seq;
	told.last_tag = ev->tag;
	if (ev->kind == ZP_OUTBOX_DELIVERED) {
		told.delivered++;
		return;
	}
	told.undelivered++;
	told.lacking = 0;
	for (size_t i = 0; i < ev->n; i++)
		told.lacking += ev->members[i].seen <= ev->seq;
}

/* A member by a letter: P, sid, mid of that byte; idkey only if given. */
static struct zp_member
member(char name, char session, char identity)
{
	struct zp_member m = {0};

	memset(m.who.p, name, sizeof(m.who.p));
	memset(m.who.sid, session, sizeof(m.who.sid));
	memset(m.who.idkey, identity, sizeof(m.who.idkey));
	memset(m.mid, session, sizeof(m.mid));
	m.uid[0] = name;
	return m;
}

struct conv {
	struct zp_conv keys;
	struct zp_member members[4];
	struct zp_machine_conv c;
};

/* A conversation of ourselves ('a') and others. */
static struct conv *
conv(char id, const char *names)
{
	static struct conv made[8];
	static size_t used;
	struct conv *v = &made[used++ % 8];

	memset(v, 0, sizeof(*v));
	memset(v->keys.key, id, sizeof(v->keys.key));
	memset(v->keys.id, id, sizeof(v->keys.id));
	v->members[0] = member('a', 'a', 0);
	size_t n = 1;
	for (; *names != '\0'; names++)
		v->members[n++] = member(*names, *names, 0);
	v->c.keys = &v->keys;
	v->c.members = v->members;
	v->c.n = n;
	return v;
}

static void
begin(size_t relays)
{
	struct zp_outbox_config c = {.relays = relays,
	    .max_record = ZP_RECORD_DEFAULT,
	    .msgkey = zp_key_msgkey(key),
	    .event = on_event};
	uint8_t sid[ZP_SID_LEN];

	memset(&told, 0, sizeof(told));
	memcpy(c.rp, zp_key_rp(key, false), sizeof(c.rp));
	memset(c.p, 'a', sizeof(c.p));
	memset(sid, 's', sizeof(sid));
	now = 1000;
	if (zp_outbox_new(&o, &c, sid) != ZP_OK)
		abort();
	for (size_t r = 0; r < relays; r++)
		zp_outbox_relay(o, now, r, true, true);
}

static void
end(void)
{
	zp_outbox_free(o);
	o = NULL;
}

static void
add(enum zp_kind kind, const char *text)
{
	uint64_t seq;

	if (zp_outbox_add(o, now, kind, 0, 77, text, strlen(text), &seq) !=
	    ZP_OK)
		abort();
}

/* How many records relay r gets now; keeps the first and the last. */
static char first_line[ZP_RECORD_DEFAULT + 2], last_line[sizeof(first_line)];

static size_t
drain(size_t r)
{
	const char *line;
	size_t len, n = 0;

	while (zp_outbox_next(o, now, r, &line, &len)) {
		if (len >= sizeof(last_line))
			abort();
		memcpy(last_line, line, len);
		last_line[len] = '\0';
		if (n++ == 0)
			memcpy(first_line, last_line, len + 1);
	}
	return n;
}

/* A part of a body of that session comes back, as it is held. */
static bool
comes_back(size_t r, char session, enum zp_kind kind, uint64_t seq, size_t part)
{
	uint8_t sid[ZP_SID_LEN];
	struct zp_outbox_echo echo = {.sid = sid,
	    .kind = kind,
	    .seq = seq,
	    .part = (uint32_t)part,
	    .text = "zp1."};

	memset(sid, session, sizeof(sid));
	const struct zp_outitem *it = zp_outbox_find(o, sid, kind, seq);
	if (it != NULL && part < it->n) {
		echo.text = it->text + it->line[part].at;
		echo.len = it->line[part].len - 1;
	}
	return zp_outbox_shown(o, now, r, &echo);
}

static bool
shown(size_t r, enum zp_kind kind, uint64_t seq)
{
	return comes_back(r, 's', kind, seq, 0);
}

/* Somebody who has the password seals another body under its name. */
static bool
forged(enum zp_kind kind, uint64_t seq)
{
	uint8_t sid[ZP_SID_LEN];
	struct zp_outbox_echo echo = {
	    .sid = sid, .kind = kind, .seq = seq, .text = last_line};

	memset(sid, 's', sizeof(sid));
	echo.len = strlen(last_line) - 1;
	last_line[echo.len - 1] ^= 1;
	return zp_outbox_shown(o, now, 0, &echo);
}

/* It spoke, having had the hello that we sent `ago` ms ago. */
static void
heard_of(char session, uint64_t seen, uint64_t ago)
{
	uint8_t mid[ZP_GROUP_MID_LEN];

	memset(mid, session, sizeof(mid));
	zp_outbox_heard(o, now, mid, seen, now - ago);
}

static void
heard(char session, uint64_t seen)
{
	heard_of(session, seen, 0);
}

static void
left(char session)
{
	uint8_t mid[ZP_GROUP_MID_LEN];

	memset(mid, session, sizeof(mid));
	zp_outbox_left(o, now, mid);
}

static void
pass(uint64_t ms)
{
	now += ms;
	zp_outbox_tick(o, now);
}

static void
current(struct conv *v)
{
	if (zp_outbox_current(o, now, v != NULL ? &v->c : NULL) != ZP_OK)
		abort();
}

static void
gone(char id)
{
	uint8_t k[ZP_CONV_ID_LEN];

	memset(k, id, sizeof(k));
	if (zp_outbox_gone(o, now, k) != ZP_OK)
		abort();
}

static void
receipts(void)
{
	begin(1);
	current(conv('1', "bc"));
	add(ZP_KIND_MESSAGE, "hello");
	IS(drain(0), 1, "a message goes out once");
	IS(drain(0), 0, "and not again at once");
	OK(shown(0, ZP_KIND_MESSAGE, 0), "its echo is known as ours");
	heard('b', 1);
	IS(told.delivered, 0, "one receipt of two is not delivery");
	heard('c', 1);
	IS(told.delivered, 1, "all receipts are");
	IS(told.last_tag, 77, "told with what the caller knows it by");
	IS(zp_outbox_pending(o, ZP_KIND_MESSAGE), 0, "nothing is kept then");
	OK(!shown(0, ZP_KIND_MESSAGE, 0), "a late echo is no error");
	end();

	begin(1);
	current(conv('1', "bc"));
	add(ZP_KIND_MESSAGE, "hello");
	drain(0);
	heard('b', 1);
	left('c');
	IS(told.delivered, 1, "who left is not waited for");
	add(ZP_KIND_MESSAGE, "anyone?");
	left('b');
	IS(told.undelivered, 1, "but if all have left, it is not delivered");
	end();
}

static void
resending(void)
{
	char line[sizeof(first_line)];

	begin(1);
	current(conv('1', "b"));
	add(ZP_KIND_MESSAGE, "hello");
	drain(0);
	memcpy(line, first_line, sizeof(line));
	pass(ZP_OUTBOX_AGAIN_MS - 1);
	IS(drain(0), 0, "nothing is sent again within two seconds");
	pass(1);
	IS(drain(0), 1, "what the relay did not show is sent again");
	OK(strcmp(line, first_line) == 0, "and it is the same bytes");
	shown(0, ZP_KIND_MESSAGE, 0);
	pass(10000);
	IS(drain(0), 0, "what was shown is not, while nobody misses it");
	heard_of('b', 0, 11000);
	pass(1000);
	IS(drain(0), 0, "nor for who did not know of it when he spoke");
	heard('b', 0);
	pass(1000);
	IS(drain(0), 1, "a hello without it makes it go again");
	OK(strcmp(line, first_line) == 0, "still the same bytes");
	size_t times = 0, early = 0;
	for (int i = 0; i < 200; i++) {
		heard('b', 0);
		pass(1000);
		times += drain(0);
		early = i == 60 ? times : early;
	}
	OK(early == 3 && times == 7,
	    "after 8, 16 and 30 seconds, then once a beat");
	heard('b', 1);
	IS(told.delivered, 1, "until the receipt comes");
	pass(60000);
	IS(drain(0), 0, "and then no more");
	end();
}

/* Others are asked whether they have it by a hello of ours. */
static void
asking(void)
{
	begin(1);
	current(conv('1', "bc"));
	IS(zp_outbox_ask_due(o), UINT64_MAX, "nothing sent, nothing to ask");
	add(ZP_KIND_MESSAGE, "one");
	IS(zp_outbox_ask_due(o), UINT64_MAX, "nor before it has gone out");
	drain(0);
	const uint64_t sent = now;
	IS(zp_outbox_ask_due(o), sent + ZP_OUTBOX_ASK_MS,
	    "a receipt is waited for");
	now = sent + ZP_OUTBOX_ASK_MS;
	for (uint64_t wait = 2000; wait < 64000; wait *= 2) {
		zp_outbox_asked(o, now);
		IS(zp_outbox_ask_due(o), now + (wait < 30000 ? wait : 30000),
		    "then asked for ever more rarely");
		now = zp_outbox_ask_due(o);
	}
	add(ZP_KIND_MESSAGE, "two");
	drain(0);
	heard('b', 2);
	heard('c', 1);
	IS(zp_outbox_ask_due(o), now + ZP_OUTBOX_ASK_MS,
	    "who answers is asked for the rest as in the beginning");
	heard('c', 2);
	IS(zp_outbox_ask_due(o), UINT64_MAX, "until there is no rest");
	pass(1000);
	add(ZP_KIND_MESSAGE, "three");
	drain(0);
	IS(zp_outbox_ask_due(o), now + ZP_OUTBOX_ASK_MS, "and so anew");
	end();

	/* Of many that go out at once one is lost. */
	begin(1);
	current(conv('1', "b"));
	for (size_t i = 0; i < 20; i++) {
		add(ZP_KIND_MESSAGE, "many");
		drain(0);
		shown(0, ZP_KIND_MESSAGE, i);
	}
	for (uint64_t i = 1; i < 20; i++) {
		pass(1000);
		heard('b', i);
		IS(drain(0), 0, "who catches up is sent nothing again");
	}
	pass(1000);
	heard('b', 19);
	pass(1000);
	IS(drain(0), 1, "who does not get on is, what is missing");
	end();
}

static void
renaming(void)
{
	/* The group shrinks: a message nobody has seen follows it. */
	begin(1);
	current(conv('1', "bc"));
	add(ZP_KIND_MESSAGE, "zero");
	add(ZP_KIND_MESSAGE, "one");
	drain(0);
	shown(0, ZP_KIND_MESSAGE, 0);
	shown(0, ZP_KIND_MESSAGE, 1);
	heard('b', 1);
	heard('c', 1);
	current(conv('2', "b"));
	add(ZP_KIND_MESSAGE, "two");
	drain(0);
	shown(0, ZP_KIND_MESSAGE, 2);
	gone('1');
	IS(drain(0), 1, "its key is gone: it is sealed anew for those left");
	OK(strcmp(first_line, last_line) == 0, "alone");
	OK(shown(0, ZP_KIND_MESSAGE, 1), "under its old name");
	heard('b', 3);
	IS(told.delivered, 3, "and delivered to these");
	IS(told.undelivered, 0, "without a complaint");
	end();

	/* The group grows: nobody gets what was said before. */
	begin(1);
	current(conv('1', "b"));
	add(ZP_KIND_MESSAGE, "for bob alone");
	drain(0);
	current(conv('2', "bc"));
	add(ZP_KIND_MESSAGE, "for both");
	IS(drain(0), 1, "new messages go to the new conversation");
	gone('1');
	IS(drain(0), 0, "nothing is sealed for who was not there");
	IS(told.undelivered, 1, "it is told as undelivered");
	IS(told.last_seq, 0, "that one");
	IS(told.lacking, 1, "to one member");
	end();
}

static void
returning(void)
{
	struct conv *v = conv('1', "b"), *w = conv('2', "b");

	/* Bob dies and comes back, with his identity. */
	begin(1);
	v->members[1] = member('b', 'b', 'B');
	w->members[1] = member('b', 'x', 'B');
	current(v);
	add(ZP_KIND_MESSAGE, "hello");
	drain(0);
	current(NULL);
	gone('1');
	IS(told.undelivered, 0, "alone, a message waits for who may return");
	current(w);
	IS(drain(0), 1, "his new session gets it, sealed anew");
	heard('x', 1);
	IS(told.delivered, 1, "and acknowledges it");
	end();

	/* The others have not wiped that key yet, but he has none. */
	begin(1);
	v = conv('1', "bc");
	w = conv('2', "bc");
	v->members[1] = member('b', 'b', 'B');
	w->members[1] = member('b', 'x', 'B');
	current(v);
	add(ZP_KIND_MESSAGE, "zero");
	add(ZP_KIND_MESSAGE, "one");
	IS(drain(0), 2, "of two messages");
	heard('c', 2);
	heard('b', 1);
	current(w);
	add(ZP_KIND_MESSAGE, "two");
	IS(drain(0), 2, "the one he lacks goes to his new session at once");
	heard('c', 3);
	heard('x', 3);
	IS(told.delivered, 3, "before what was said since");
	end();

	/* What keeps them is that another lacks them. */
	begin(1);
	current(v);
	add(ZP_KIND_MESSAGE, "zero");
	add(ZP_KIND_MESSAGE, "one");
	drain(0);
	heard('b', 1);
	current(w);
	IS(drain(0), 2, "his new session gets all that the key is for");
	heard('c', 2);
	IS(told.delivered, 0, "and must have them");
	heard('x', 2);
	IS(told.delivered, 2, "so that none is waited for in vain");
	end();

	/* Without one: anybody who has the password could be Bob. */
	begin(1);
	current(conv('1', "b"));
	add(ZP_KIND_MESSAGE, "hello");
	drain(0);
	current(NULL);
	gone('1');
	w = conv('2', "b");
	w->members[1] = member('b', 'x', 0);
	current(w);
	IS(drain(0), 0, "without an identity a new session gets nothing old");
	IS(told.undelivered, 1, "and it is told");
	end();
}

static void
first_of_key(const char *line, const uint8_t id, uint64_t want, uint64_t seq)
{
	struct zp_opener *op;
	struct zp_opened got;
	struct zp_record rec;
	uint8_t k[32], keyid[16], p[1][ZP_PSEUDONYM_LEN];
	unsigned slot;
	size_t from = 0;

	memset(k, id, sizeof(k));
	memset(keyid, id, sizeof(keyid));
	/* The name behind P is no name here, so only the form is looked at. */
	memset(p, 'a', sizeof(p));
	if (zp_opener_new(&op, zp_key_amac(key), zp_key_aenc(key), "c") ||
	    zp_opener_add(op, k, keyid, (const uint8_t(*)[ZP_PSEUDONYM_LEN])p,
		1, &slot) ||
	    !zp_record_find(line, strlen(line), &from, false, &rec))
		abort();
	enum zp_err err = zp_opener_open(op, &rec, &got);
	OK(err == ZP_ERR_FORGED || err == ZP_OK, "the key of the day opens it");
	(void)want;
	(void)seq;
	zp_opener_free(op);
}

static void
pacing(void)
{
	begin(1);
	for (int i = 0; i < 200; i++)
		add(ZP_KIND_NOTE, "note");
	size_t n = drain(0);
	IS(n, ZP_OUTBOX_WINDOW_NOTES, "no more than a window goes out unseen");
	for (uint64_t i = 0; i < n; i++)
		shown(0, ZP_KIND_NOTE, i);
	IS(drain(0), ZP_OUTBOX_WINDOW_NOTES,
	    "what came back makes room, but notes stay below the readers'");
	pass(ZP_OUTBOX_STALL_MS);
	OK(drain(0) > 0, "a relay that shows nothing slows, but does not stop");
	end();

	begin(1);
	current(conv('1', "b"));
	for (int i = 0; i < 3000; i++)
		add(ZP_KIND_MESSAGE, "m");
	uint64_t out = 0, back = 0;
	while (zp_outbox_window(o) < ZP_OUTBOX_WINDOW_MOST && back < 3000) {
		out += drain(0);
		while (back < out)
			shown(0, ZP_KIND_MESSAGE, back++);
	}
	IS(zp_outbox_window(o), ZP_OUTBOX_WINDOW_MOST,
	    "the window of messages grows by what comes back, to its limit");
	out += drain(0);
	uint64_t lost = back++;
	for (; back < lost + 9; back++)
		shown(0, ZP_KIND_MESSAGE, back);
	OK(zp_outbox_window(o) <= ZP_OUTBOX_WINDOW_MOST / 2,
	    "a record that others overtook halves it");
	IS(drain(0), 1, "and goes out again at once");
	end();
}

static void
relays(void)
{
	begin(2);
	add(ZP_KIND_NOTE, "note");
	IS(drain(0), 1, "one relay gets it");
	IS(drain(1), 1, "the other, too");
	shown(0, ZP_KIND_NOTE, 0);
	IS(told.delivered, 0, "while the second is live it has to show it");
	zp_outbox_relay(o, now, 1, false, false);
	IS(told.delivered, 1, "a dead relay is not waited for");
	end();

	begin(2);
	add(ZP_KIND_NOTE, "note");
	drain(0);
	drain(1);
	shown(0, ZP_KIND_NOTE, 0);
	for (int i = 0; i < 6; i++) {
		pass(10000);
		IS(drain(0), 0, "the relay that showed it is left alone");
		drain(1);
	}
	pass(30000);
	IS(told.delivered, 1, "nor is one that lies waited for for ever");
	end();

	begin(1);
	current(conv('1', "b"));
	add(ZP_KIND_MESSAGE, "m");
	drain(0);
	zp_outbox_relay(o, now, 0, false, false);
	pass(60000);
	IS(drain(0), 0, "nothing is resent while the relay is down");
	zp_outbox_relay(o, now, 0, true, true);
	pass(ZP_OUTBOX_LIVE_MS);
	IS(drain(0), 1, "what its history does not show goes out soon after");
	end();
}

static void
keeping(void)
{
	const char *lines;
	size_t len;
	uint8_t sid[ZP_SID_LEN];
	char kept[8192];

	memset(sid, 's', sizeof(sid));
	begin(1);
	add(ZP_KIND_NOTE, "keep me");
	OK(zp_outbox_note(o, sid, 0, &lines, &len) && len < sizeof(kept),
	    "a sealed note can be kept");
	memcpy(kept, lines, len);
	end();
	begin(1);
	memset(sid, 'o', sizeof(sid));
	IS(zp_outbox_restore(o, now, sid, 7, 0, kept, len), ZP_OK,
	    "and given to a later process");
	IS(drain(0), 1, "which sends it");
	OK(memcmp(first_line, kept, len) == 0, "the same bytes");
	OK(comes_back(0, 'o', ZP_KIND_NOTE, 7, 0) && told.delivered == 1,
	    "until a relay shows it");
	IS(zp_outbox_restore(o, now, sid, 8, 0, "x", 1), ZP_ERR_FORMAT,
	    "what is no line is refused");
	end();
}

/* Only what we said ourselves is shown by a relay, whatever it is called. */
static void
forgers(void)
{
	begin(1);
	add(ZP_KIND_NOTE, "note");
	drain(0);
	OK(!forged(ZP_KIND_NOTE, 0) && told.delivered == 0,
	    "a note is not delivered because somebody made one of its name");
	OK(shown(0, ZP_KIND_NOTE, 0) && told.delivered == 1, "but when it is");
	current(conv('1', "b"));
	add(ZP_KIND_MESSAGE, "message");
	drain(0);
	OK(!forged(ZP_KIND_MESSAGE, 0), "nor is a message shown");
	end();
}

static void
sessions(void)
{
	uint8_t sid[ZP_SID_LEN];

	begin(1);
	current(conv('1', "b"));
	add(ZP_KIND_MESSAGE, "m");
	add(ZP_KIND_NOTE, "n");
	drain(0);
	memset(sid, 't', sizeof(sid));
	IS(zp_outbox_session(o, now, sid), ZP_OK, "a new session begins");
	IS(told.undelivered, 1, "nobody can acknowledge the old one's message");
	IS(zp_outbox_pending(o, ZP_KIND_NOTE), 1, "its notes stay");
	IS(zp_outbox_count(o, ZP_KIND_NOTE), 0, "numbers begin at 0");
	OK(shown(0, ZP_KIND_NOTE, 0) && told.delivered == 1,
	    "an old note is settled under its old name");
	end();

	begin(1);
	current(conv('1', "bc"));
	add(ZP_KIND_MESSAGE, "m");
	drain(0);
	heard('b', 1);
	zp_outbox_end(o, now);
	IS(told.undelivered, 1, "at the end what is pending is told");
	IS(told.lacking, 1, "with who lacks it");
	end();
}

static void
long_bodies(void)
{
	static uint8_t big[300000];
	uint64_t seq;

	begin(1);
	current(conv('1', "b"));
	IS(zp_outbox_add(o, now, ZP_KIND_MESSAGE, 0, 0, big, sizeof(big), &seq),
	    ZP_OK, "a long body is taken");
	size_t parts = 0, n;
	while ((n = drain(0)) > 0)
		for (; n > 0; n--)
			comes_back(0, 's', ZP_KIND_MESSAGE, 0, parts++);
	OK(parts > 100, "its parts are paced like any record");
	heard('b', 1);
	IS(told.delivered, 1, "one receipt settles all of them");
	current(conv('2', "b"));
	IS(zp_outbox_add(o, now, ZP_KIND_MESSAGE, 0, 0, "x", 1, &seq), ZP_OK,
	    "a line follows in the next conversation");
	drain(0);
	first_of_key(first_line, '2', 1, 1);
	size_t bodies = 0;
	while (zp_outbox_room(o) && bodies < 1000) {
		if (zp_outbox_add(o, now, ZP_KIND_MESSAGE, 0, 0, big,
			sizeof(big), &seq) != ZP_OK)
			abort();
		bodies++;
		for (parts = 0; (n = drain(0)) > 0;)
			for (; n > 0; n--)
				comes_back(
				    0, 's', ZP_KIND_MESSAGE, seq, parts++);
	}
	OK(bodies > 10 && bodies < 100, "what is not acknowledged is bounded");
	end();
}

/* Adds n messages, which the relay shows. */
static void
say_many(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add(ZP_KIND_MESSAGE, "many");
		drain(0);
		shown(0, ZP_KIND_MESSAGE, i);
		now++;
	}
}

/*
 * One of two members hears the relay no more for a while: what it lacks goes
 * out again in ever larger pieces as long as it needs just these.
 */
static void
much_lost(void)
{
	enum { MANY = 1000 };
	uint64_t has = 10, began;
	size_t again = 0;

	begin(1);
	current(conv('1', "bc"));
	say_many(MANY);
	heard('c', MANY);
	began = now;
	/* It answers three times a second; our hellos are 3 s apart. */
	while (has < MANY && now - began < 60000) {
		pass(333);
		heard_of('b', has, (now - began) % 3000);
		zp_outbox_tick(o, now);
		size_t n = drain(0);
		has += n;
		again += n;
	}
	heard('b', has);
	OK(now - began < 10000, "a thousand lost at once are back in seconds");
	IS(again, MANY - 10, "each of them was sent again once");
	IS(told.delivered, MANY, "and all are delivered");
	end();
}

/* As many messages as there is room for, all of them on their way. */
static uint64_t
say_all(void)
{
	static const char text[] = "0123456789abcdef0123456789abcdef";
	char body[64 * sizeof(text)];
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = text[i % (sizeof(text) - 1)];
	body[sizeof(body) - 1] = '\0';
	while (zp_outbox_room(o)) {
		add(ZP_KIND_MESSAGE, body);
		while (drain(0) > 0)
			shown(0, ZP_KIND_MESSAGE, n);
		n++;
	}
	return n;
}

/*
 * A member that hears us and takes nothing, be it that its output goes
 * nowhere or that it means to, does not hold up the others for ever.
 */
static void
stuck(void)
{
	unsigned times = 0;

	begin(1);
	current(conv('1', "bc"));
	uint64_t n = say_all();
	heard('c', n);
	OK(zp_outbox_blocker(o) != NULL && zp_outbox_blocker(o)->uid[0] == 'b',
	    "where there is no more room, it is known because of whom");
	pass(ZP_OUTBOX_STUCK_MS - 1);
	heard('b', 0);
	pass(1000);
	drain(0);
	IS(told.undelivered, 0, "who takes nothing is waited for");
	heard_of('b', 0, 2000);
	pass(1);
	IS(told.undelivered, 0, "nor is silence a refusal");
	heard('b', 0);
	pass(1);
	OK(told.undelivered > 0 && told.undelivered < n / 8,
	    "but not for more than a minute: the oldest are given up");
	IS(told.lacking, 1, "by name");
	OK(zp_outbox_room(o), "and lines go on");
	IS(told.delivered, 0, "the rest is kept for it");
	heard('b', n);
	IS(told.delivered, n - told.undelivered, "and delivered when it came");
	OK(zp_outbox_blocker(o) == NULL, "nobody is in the way then");
	end();

	begin(1);
	current(conv('1', "bc"));
	n = say_all();
	heard('b', n);
	pass(ZP_OUTBOX_STUCK_MS * 10);
	IS(told.undelivered, 0, "a relay that lets nobody hear costs nothing");
	end();

	/* Keys may be changed every ten seconds, and any member can do it. */
	begin(1);
	current(conv('1', "bc"));
	n = say_all();
	heard('c', n);
	for (char id = '1'; told.undelivered == 0 && id < '9'; id++) {
		pass(ZP_OUTBOX_STUCK_MS / 3);
		heard('b', 0);
		current(conv((char)(id + 1), "bc"));
		gone(id);
		for (uint64_t seq = 0; drain(0) > 0 && seq < n; seq++)
			shown(0, ZP_KIND_MESSAGE, seq);
	}
	OK(told.undelivered > 0 && told.undelivered < n / 8,
	    "new keys do not begin the minute anew");
	end();

	/* Nor may one that has an identity come back for ever. */
	begin(1);
	struct conv *v = conv('1', "bc");
	v->members[1] = member('b', '1', 1);
	current(v);
	n = say_all();
	heard('c', n);
	for (char id = '1'; told.undelivered == 0 && id < 'Z'; id++) {
		pass(ZP_OUTBOX_STUCK_MS * 2 / 3);
		heard(id, 0);
		pass(1);
		v = conv((char)(id + 1), "bc");
		v->members[1] = member('b', (char)(id + 1), 1);
		current(v);
		left(id);
		gone(id);
		for (uint64_t seq = 0; drain(0) > 0 && seq < n; seq++)
			shown(0, ZP_KIND_MESSAGE, seq);
		times++;
	}
	OK(told.undelivered > 0 && told.undelivered < n / 8 && times > 2,
	    "who comes back is waited for anew, but not for ever");
	end();
}

/* So long take 2,000 hellos, with n messages that wait for a receipt. */
static double
time_of(uint64_t n, bool news)
{
	uint8_t sid[ZP_SID_LEN];

	begin(1);
	memset(sid, 's', sizeof(sid));
	current(conv('1', "bc"));
	for (uint64_t i = 0; i < n; i++) {
		add(ZP_KIND_MESSAGE, "x");
		while (drain(0) > 0)
			shown(0, ZP_KIND_MESSAGE, i);
	}
	clock_t t = clock();
	for (uint64_t i = 0; i < 2000; i++)
		heard('b', news ? i : 1);
	t = clock() - t;
	IS(zp_outbox_pending(o, ZP_KIND_MESSAGE), n,
	    "what one of two has is not settled");
	heard('c', n);
	IS(told.delivered, news ? 1999 : 1, "what both have is");
	heard('b', n);
	IS(told.delivered, n, "and then the rest");
	end();
	return (double)t;
}

/* A relay can repeat a hello, and a member say many. */
static void
many_hellos(void)
{
	for (int news = 0; news < 2; news++) {
		double few = time_of(2000, news), many = time_of(20000, news);
		OK(many < 5 * few + CLOCKS_PER_SEC / 50,
		    "a hello takes no longer where many messages wait");
	}
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK || zp_key_random(&key, "c") != ZP_OK)
		return 1;
	receipts();
	resending();
	asking();
	renaming();
	returning();
	pacing();
	relays();
	keeping();
	forgers();
	sessions();
	long_bodies();
	much_lost();
	stuck();
	many_hellos();
	zp_key_free(key);
	return tap_done();
}
