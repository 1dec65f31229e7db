/*
 * The handshake machine in small companies: what it reports, refuses, counts
 * and forgets.  Convergence and agreement are the simulator's (tests/sim).
 */
#include "proto/zp_machine_impl.h"

#include "crypt/zp_secret.h"
#include "proto/zp_bits.h"
#include "tap.h"
#include "wire/zp_payload.h"

#define PEERS 3
#define EVENTS 4096

struct peer {
	struct zp_machine *m;
	struct zp_group_member self;
	char uid[ZP_NAME_MAX + 1];
	enum zp_machine_event_kind kind[EVENTS];
	enum zp_err err[EVENTS];
	char who[EVENTS][ZP_NAME_MAX + 1];
	size_t events;
	bool deaf; /* nothing reaches it */
	/* What an insider makes of its hello. */
	void (*spoil)(uint8_t *body, size_t len);
};

static struct peer peer[PEERS];
static uint64_t now;
static uint64_t state = 1;
static const uint8_t msgkey[ZP_KEY_LEN] = {7};
static uint8_t last_random[ZP_MACHINE_RANDOM_LEN];

static uint8_t *
some(void)
{
	for (size_t i = 0; i < sizeof(last_random); i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		last_random[i] = (uint8_t)(state >> 56);
	}
	return last_random;
}

static void
report(void *arg, const struct zp_machine_event *ev)
{
	struct peer *p = arg;
	size_t i = p->events++ % EVENTS;

	p->kind[i] = ev->kind;
	p->err[i] = ev->err;
	p->who[i][0] = '\0';
	if (ev->member != NULL)
		memcpy(p->who[i], ev->member->uid, sizeof(p->who[i]));
}

static size_t
told(const struct peer *p, enum zp_machine_event_kind kind, const char *who)
{
	size_t n = 0;

	for (size_t i = 0; i < p->events && i < EVENTS; i++)
		n += p->kind[i] == kind &&
		    (who == NULL || strcmp(who, p->who[i]) == 0);
	return n;
}

static struct zp_machine_config
config(size_t i)
{
	struct zp_machine_config c = {
	    .msgkey = msgkey, .report = report, .arg = &peer[i]};

	memset(&peer[i], 0, sizeof(peer[i]));
	snprintf(peer[i].uid, sizeof(peer[i].uid), "%s",
	    i == 0	 ? "alice"
		: i == 1 ? "bob"
			 : "carol");
	memset(peer[i].self.p, (int)(10 + i), sizeof(peer[i].self.p));
	memcpy(peer[i].self.sid, some(), ZP_SID_LEN);
	c.self = peer[i].self;
	memcpy(c.uid, peer[i].uid, sizeof(c.uid));
	return c;
}

static void
make(size_t i, const struct zp_machine_config *c)
{
	if (zp_machine_new(&peer[i].m, c) != ZP_OK)
		abort();
}

static enum zp_err
hear(struct peer *to, const struct peer *from, uint64_t seq, enum zp_err v,
    const uint8_t *body, size_t len)
{
	struct zp_machine_hello in = {.from = from->self,
	    .verdict = v,
	    .seq = seq,
	    .body = body,
	    .len = len};

	memcpy(in.uid, from->uid, sizeof(in.uid));
	return zp_machine_hello(to->m, now, some(), &in);
}

/* Everything that a peer says reaches all others, ten milliseconds later. */
static void
flush(void)
{
	struct zp_machine_out out;
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < PEERS; i++) {
			if (peer[i].m == NULL ||
			    !zp_machine_out(peer[i].m, &out))
				continue;
			uint8_t body[ZP_HELLO_LEN(80)];
			memcpy(body, out.body, out.len);
			memcpy(peer[i].self.sid, out.sid, ZP_SID_LEN);
			if (peer[i].spoil != NULL)
				peer[i].spoil(body, out.len);
			more = true;
			now += 10;
			for (size_t j = 0; j < PEERS; j++)
				if (j != i && peer[j].m != NULL &&
				    !peer[j].deaf &&
				    hear(&peer[j], &peer[i], out.seq, ZP_OK,
					body, out.len) == ZP_ERR_MEMORY)
					abort();
		}
	}
}

static void
run(uint64_t until)
{
	while (now < until) {
		uint64_t next = until;
		flush();
		for (size_t i = 0; i < PEERS; i++)
			if (peer[i].m != NULL &&
			    zp_machine_deadline(peer[i].m) < next)
				next = zp_machine_deadline(peer[i].m);
		if (next > now)
			now = next;
		for (size_t i = 0; i < PEERS; i++)
			if (peer[i].m != NULL &&
			    zp_machine_deadline(peer[i].m) <= now &&
			    zp_machine_tick(peer[i].m, now, some()) != ZP_OK)
				abort();
	}
	flush();
}

static void
start(size_t i)
{
	if (zp_machine_start(peer[i].m, now, some()) != ZP_OK)
		abort();
}

static void
end(void)
{
	for (size_t i = 0; i < PEERS; i++) {
		zp_machine_free(peer[i].m);
		peer[i].m = NULL;
	}
}

static void
begin(size_t n)
{
	now = 1000;
	for (size_t i = 0; i < n; i++) {
		struct zp_machine_config c = config(i);
		make(i, &c);
		start(i);
	}
}

static const struct zp_machine_conv *
current(size_t i)
{
	return zp_machine_current(peer[i].m);
}

static bool
together(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (current(i) == NULL || current(i)->n != n ||
		    memcmp(current(i)->keys, current(0)->keys,
			sizeof(struct zp_conv)) != 0)
			return false;
	return true;
}

static void
test_conversation(void)
{
	begin(3);
	run(6000);
	OK(together(3), "three members come to one key, id and safety number");
	OK(told(&peer[0], ZP_EVENT_CONVERSATION, NULL) == 1 &&
		told(&peer[0], ZP_EVENT_ONLINE, "carol") == 1,
	    "each is told who is online and of the conversation, once");
	OK(strcmp(current(1)->members[1].uid, "bob") == 0 &&
		current(1)->me == 1,
	    "the members are listed in order");
	uint8_t none[sizeof(last_random)] = {0};
	SAME(last_random, none, sizeof(none),
	    "a step leaves nothing of its random bytes");
	OK(peer[0].m->run == NULL, "nothing is left of the run");
	OK(zp_machine_reasons(peer[0].m, NULL, 0) == 0,
	    "there is no reason to wait");
	end();
}

static void
test_counts(void)
{
	struct zp_machine_peer p;
	const uint8_t *alice, *bob;

	begin(3);
	run(6000);
	alice = zp_machine_self(peer[0].m)->mid;
	bob = zp_machine_self(peer[1].m)->mid;
	zp_machine_set_notes(peer[0].m, 5);
	zp_machine_set_messages(peer[0].m, 9);
	zp_machine_set_seen(peer[1].m, alice, 8);
	zp_machine_set_seen(peer[2].m, alice, 9);
	/* The first hello of one who is done counts what went before. */
	for (size_t i = 0; i < 6; i++) {
		if (zp_machine_announce(peer[i % 3].m, now, some()) != ZP_OK)
			abort();
		run(now + 1000);
	}
	OK(zp_machine_find(peer[1].m, alice, &p) && p.notes == 5 &&
		p.messages == 9 && p.done,
	    "a hello tells how many notes and messages were sent");
	OK(p.seen_most == 9 && p.seen_most_by != NULL &&
		strcmp(p.seen_most_by->uid, "carol") == 0,
	    "and who has the most of another's messages");
	OK(zp_machine_find(peer[1].m, bob, &p) == false &&
		zp_machine_find(peer[2].m, bob, &p) && p.told_at == 0,
	    "nothing is outstanding that was acknowledged");
	OK(zp_machine_find(peer[0].m, bob, &p) && p.seen_ours == 8,
	    "and what each has seen of ours");
	OK(p.near && p.in_view && p.in_conv && !p.left && p.held_until == 0,
	    "a member of the conversation is shown as such");
	end();
}

static void
test_keys(void)
{
	const struct zp_conv *old;
	struct zp_conv kept, none;

	begin(2);
	run(6000);
	kept = *current(0)->keys;
	old = current(0)->keys;
	if (zp_machine_rekey(peer[0].m, now, some()) != ZP_OK)
		abort();
	run(now + 4000);
	OK(together(2) && memcmp(current(0)->keys, &kept, sizeof(kept)) != 0,
	    "a rekey makes a new conversation");
	IS(zp_machine_keys(peer[0].m), 2,
	    "the old key opens records for a while");
	run(now + 60000);
	IS(zp_machine_keys(peer[0].m), 1,
	    "and goes when all have had the new one for 10 s");
	memset(&none, 0, sizeof(none));
	SAME(old, &none, sizeof(none), "its memory is wiped");
	OK(told(&peer[0], ZP_EVENT_KEY_GONE, NULL) == 1, "which is told");
	peer[0].deaf = peer[1].deaf = true;
	run(now + 200000);
	OK(current(0) == NULL &&
		told(&peer[0], ZP_EVENT_CONVERSATION_END, NULL) == 1 &&
		told(&peer[0], ZP_EVENT_OFFLINE, "bob") == 1,
	    "alone there is no conversation, and that is told");
	IS(zp_machine_keys(peer[0].m), 1, "its key still opens records");
	run(now + 600000);
	IS(zp_machine_keys(peer[0].m), 0, "for ten minutes at most");
	end();
}

static void
test_stop(void)
{
	struct zp_machine_out out;
	struct zp_hello h;

	begin(2);
	run(6000);
	zp_machine_stop(peer[0].m, now);
	OK(zp_machine_out(peer[0].m, &out) &&
		zp_hello_parse(&h, out.body, out.len, 72) == ZP_OK &&
		(h.flags & ZP_HELLO_LEAVE) != 0,
	    "who stops says so");
	IS(zp_machine_keys(peer[0].m), 0, "and keeps no key");
	OK(zp_machine_deadline(peer[0].m) == UINT64_MAX &&
		zp_machine_tick(peer[0].m, now, some()) == ZP_ERR_ENDED,
	    "nothing happens after that");
	hear(&peer[1], &peer[0], out.seq, ZP_OK, out.body, out.len) == ZP_OK
	    ? (void)0
	    : abort();
	OK(told(&peer[1], ZP_EVENT_LEFT, "alice") == 1 &&
		told(&peer[1], ZP_EVENT_OFFLINE, "alice") == 0 &&
		current(1) == NULL,
	    "the other is told, and is alone");
	end();
}

static void
test_impostor(void)
{
	uint8_t empty[ZP_HELLO_HEAD_LEN] = {0};
	struct peer ghost;
	uint8_t sid[ZP_SID_LEN];

	begin(2);
	run(6000);
	ghost = peer[0];
	memcpy(sid, peer[0].self.sid, sizeof(sid));
	uint64_t seq = peer[0].m->seq;
	(void)!hear(&peer[0], &ghost, seq - 1, ZP_OK, empty, sizeof(empty));
	OK(told(&peer[0], ZP_EVENT_IMPOSTOR, NULL) == 0 && together(2),
	    "an echo of our own is nothing");
	ghost.self.idkey[0] = 1;
	(void)!hear(&peer[0], &ghost, seq, ZP_OK, empty, sizeof(empty));
	OK(told(&peer[0], ZP_EVENT_IMPOSTOR, NULL) == 1 && together(2),
	    "who speaks as us with another identity is told, no more");
	ghost.self.idkey[0] = 0;
	(void)!hear(
	    &peer[0], &ghost, seq, ZP_ERR_SIGNATURE, empty, sizeof(empty));
	OK(told(&peer[0], ZP_EVENT_REFUSED, NULL) == 1 && together(2),
	    "with a wrong signature it is refused");
	(void)!hear(&peer[0], &ghost, seq, ZP_OK, empty, sizeof(empty));
	OK(told(&peer[0], ZP_EVENT_IMPOSTOR, NULL) == 2 &&
		told(&peer[0], ZP_EVENT_SESSION, NULL) == 1 &&
		memcmp(zp_machine_self(peer[0].m)->who.sid, sid, sizeof(sid)) !=
		    0,
	    "who speaks as our very session makes us begin another");
	run(now + 30000);
	OK(together(2), "which gets into a conversation");
	end();
}

static void
test_refusals(void)
{
	struct peer other;
	uint8_t empty[ZP_HELLO_HEAD_LEN] = {0}, bad[3] = {0};
	struct zp_machine_peer p;

	begin(1);
	other = peer[0];
	memset(other.self.p, 99, sizeof(other.self.p));
	snprintf(other.uid, sizeof(other.uid), "mallory");
	(void)!hear(&peer[0], &other, 0, ZP_ERR_CHANGED, empty, sizeof(empty));
	OK(peer[0].events == 1 && peer[0].kind[0] == ZP_EVENT_REFUSED &&
		peer[0].err[0] == ZP_ERR_CHANGED &&
		strcmp(peer[0].who[0], "mallory") == 0 &&
		!zp_machine_peer(peer[0].m, 1, &p),
	    "a changed identity is told and not listed");
	(void)!hear(&peer[0], &other, 0, ZP_OK, bad, sizeof(bad));
	OK(peer[0].err[1] == ZP_ERR_FORMAT, "a malformed hello is told");
	(void)!hear(&peer[0], &other, UINT64_MAX, ZP_OK, empty, sizeof(empty));
	OK(peer[0].err[2] == ZP_ERR_FORMAT &&
		!zp_machine_peer(peer[0].m, 1, &p),
	    "a number beyond the last is refused");
	empty[0] = ZP_HELLO_FIXED;
	(void)!hear(&peer[0], &other, 0, ZP_OK, empty, sizeof(empty));
	OK(!zp_machine_peer(peer[0].m, 1, &p) && peer[0].events == 3,
	    "who makes a fixed conversation is ignored");
	empty[0] = 0;
	(void)!hear(&peer[0], &other, 5, ZP_OK, empty, sizeof(empty));
	other.self.idkey[5] = 1;
	(void)!hear(&peer[0], &other, 6, ZP_OK, empty, sizeof(empty));
	OK(zp_machine_peer(peer[0].m, 1, &p) && p.seq == 5 &&
		peer[0].err[3] == ZP_ERR_CHANGED,
	    "a session keeps the identity that it began with");
	other.self.idkey[5] = 0;
	(void)!hear(&peer[0], &other, 5, ZP_OK, empty, sizeof(empty));
	(void)!hear(&peer[0], &other, 4, ZP_OK, empty, sizeof(empty));
	empty[7] = 3;
	(void)!hear(&peer[0], &other, 7, ZP_OK, empty, sizeof(empty));
	empty[7] = 2;
	(void)!hear(&peer[0], &other, 8, ZP_OK, empty, sizeof(empty));
	OK(zp_machine_peer(peer[0].m, 1, &p) && p.seq == 7,
	    "neither number nor generation goes back");
	empty[0] = ZP_HELLO_LEAVE;
	empty[7] = 3;
	(void)!hear(&peer[0], &other, 9, ZP_OK, empty, sizeof(empty));
	empty[0] = 0;
	(void)!hear(&peer[0], &other, 10, ZP_OK, empty, sizeof(empty));
	OK(zp_machine_peer(peer[0].m, 1, &p) && p.left && p.seq == 9,
	    "who left stays away");
	end();
}

static void
test_allowed(void)
{
	const char *const uids[] = {"alice", "bob"};
	struct zp_machine_peer p;

	now = 1000;
	for (size_t i = 0; i < 3; i++) {
		struct zp_machine_config c = config(i);
		if (i < 2) {
			c.allowed = uids;
			c.allowed_count = 2;
		}
		make(i, &c);
		start(i);
	}
	run(8000);
	OK(together(2) && current(2) == NULL,
	    "who is not among the allowed users is left out");
	OK(!zp_machine_find(peer[0].m, zp_machine_self(peer[2].m)->mid, &p),
	    "and not even listed");
	struct zp_machine_reason why[4];
	size_t n = zp_machine_reasons(peer[2].m, why, 4);
	OK(n == 2 && why[0].kind == ZP_REASON_NO_ANSWER,
	    "it knows that nobody answers");
	end();
}

static void
test_worn(void)
{
	begin(2);
	run(6000);
	peer[0].m->roster.s[ZP_ROSTER_SELF].m.who.gen = UINT32_MAX;
	peer[0].m->roster.gens++;
	run(now + 60000);
	if (zp_machine_rekey(peer[0].m, now, some()) != ZP_OK)
		abort();
	OK(told(&peer[0], ZP_EVENT_SESSION, NULL) == 1 &&
		zp_machine_self(peer[0].m)->who.gen == 0,
	    "after the last generation a new session begins");
	run(now + 30000);
	OK(together(2), "and gets into a conversation");
	peer[0].m->seq = ZP_SEQ_MAX;
	run(now + 40000);
	OK(told(&peer[0], ZP_EVENT_SESSION, NULL) == 2 && peer[0].m->seq < 100,
	    "after the last number a new session begins");
	run(now + 120000);
	OK(together(2), "and gets into a conversation again");
	end();
}

static void
bad_share(uint8_t *body, size_t len)
{
	if (len > 88 && (body[0] & ZP_HELLO_Z) != 0)
		memset(body + 56, 0xff, 32);
}

static void
neutral_share(uint8_t *body, size_t len)
{
	if (len > 88 && (body[0] & ZP_HELLO_Z) != 0)
		memset(body + 56, 0, 32);
}

static void
bad_tag(uint8_t *body, size_t len)
{
	if (len > 120 && (body[0] & ZP_HELLO_TAG) != 0)
		body[24 + 64 + ((body[0] & ZP_HELLO_X) != 0 ? 32 : 0)] ^= 1;
}

static bool tag_flips;

static void
two_tags(uint8_t *body, size_t len)
{
	if (tag_flips)
		bad_tag(body, len);
	tag_flips = !tag_flips;
}

static void
test_liars(void)
{
	static const struct {
		void (*spoil)(uint8_t *body, size_t len);
		enum zp_machine_event_kind kind;
		const char *name;
	} liar[] = {
	    {bad_share, ZP_EVENT_BAD_POINT, "a share that is no point"},
	    {neutral_share, ZP_EVENT_BAD_POINT, "a neutral share"},
	    {bad_tag, ZP_EVENT_BAD_TAG, "a wrong tag"},
	};
	for (size_t i = 0; i < 3; i++) {
		char name[80];
		begin(3);
		peer[2].spoil = liar[i].spoil;
		run(8000);
		snprintf(name, sizeof(name), "%s is laid at the right door",
		    liar[i].name);
		/* Who abandons first may be the only one to have seen it. */
		OK(told(&peer[0], liar[i].kind, "carol") +
			    told(&peer[1], liar[i].kind, "carol") >=
			1,
		    name);
		OK(told(&peer[0], liar[i].kind, "bob") == 0 &&
			told(&peer[1], liar[i].kind, "alice") == 0,
		    "and at nobody else's");
		OK(current(0) == NULL || current(0)->n == 2,
		    "no conversation comes of it");
		end();
	}
	begin(2);
	run(3000);
	peer[1].spoil = two_tags;
	run(200000);
	OK(told(&peer[0], ZP_EVENT_TWO_VALUES, "bob") >= 1,
	    "two values of one member in one view are told");
	end();
}

/* A conversation is not ended by those whom we ignore, nor by a crowd. */
static void
test_outlives(void)
{
	static const uint8_t empty[ZP_HELLO_HEAD_LEN];
	struct peer ghost = {0};

	begin(2);
	run(6000);
	peer[1].spoil = bad_tag;
	if (zp_machine_announce(peer[1].m, now, some()) != ZP_OK)
		abort();
	run(now + 2000);
	OK(told(&peer[0], ZP_EVENT_TWO_VALUES, "bob") == 1 &&
		current(0) != NULL &&
		told(&peer[0], ZP_EVENT_CONVERSATION_END, NULL) == 0,
	    "a conversation outlives that its other member is on hold");
	end();
	begin(2);
	run(6000);
	snprintf(ghost.uid, sizeof(ghost.uid), "crowd");
	for (size_t i = 0; i < 3 * ZP_MACHINE_SESSIONS; i++) {
		now++;
		memcpy(ghost.self.p, some(), 40);
		memcpy(ghost.self.sid, some(), ZP_SID_LEN);
		if (hear(&peer[0], &ghost, 0, ZP_OK, empty, sizeof(empty)) !=
		    ZP_OK)
			abort();
	}
	OK(told(&peer[0], ZP_EVENT_OFFLINE, "bob") == 0 && together(2) &&
		told(&peer[0], ZP_EVENT_CONVERSATION_END, NULL) == 0,
	    "a flood of sessions takes no member's place");
	end();
}

static void
test_silence(void)
{
	struct zp_machine_reason why[4];

	begin(2);
	run(1700);
	peer[0].deaf = true;
	run(3500);
	size_t n = zp_machine_reasons(peer[0].m, why, 4);
	OK(n >= 1 && why[0].a != NULL && strcmp(why[0].a->uid, "bob") == 0,
	    "what is waited for has a name");
	run(60000);
	OK(told(&peer[0], ZP_EVENT_SILENT, "bob") >= 1 &&
		told(&peer[0], ZP_EVENT_ABANDONED, NULL) >= 1,
	    "who does not answer is told");
	end();
	begin(1);
	OK(zp_machine_reasons(peer[0].m, why, 4) == 1 &&
		why[0].kind == ZP_REASON_NOBODY,
	    "nobody being there is a reason, too");
	end();
}

static void
test_fixed(void)
{
	struct zp_machine_reason why[4];

	now = 1000;
	for (size_t i = 0; i < 3; i++) {
		struct zp_machine_config c = config(i);
		c.fixed = true;
		c.min_members = 3;
		make(i, &c);
	}
	start(0);
	start(1);
	run(10000);
	size_t n = zp_machine_reasons(peer[0].m, why, 4);
	OK(current(0) == NULL && n >= 1 && why[0].kind == ZP_REASON_FEW,
	    "a fixed conversation waits for enough members");
	start(2);
	run(20000);
	OK(together(3), "and is made when they are there");
	OK(told(&peer[0], ZP_EVENT_SETTLED, NULL) == 1 && now < 25000,
	    "all being done ends it");
	struct zp_conv keys = *current(0)->keys;
	if (zp_machine_rekey(peer[0].m, now, some()) != ZP_OK)
		abort();
	run(60000);
	OK(memcmp(&keys, current(0)->keys, sizeof(keys)) == 0,
	    "it is never made anew");
	end();
}

static void
test_configuration(void)
{
	struct zp_machine_config c = config(0);
	struct zp_machine *m = NULL;

	c.max_members = 1;
	OK(zp_machine_new(&m, &c) == ZP_ERR_USAGE && m == NULL,
	    "a conversation of one is refused");
	c.max_members = ZP_MACHINE_MEMBERS_MAX + 1;
	OK(zp_machine_new(&m, &c) == ZP_ERR_USAGE,
	    "more members than there can be are refused");
	c.max_members = 0;
	c.min_members = 3;
	OK(zp_machine_new(&m, &c) == ZP_ERR_USAGE,
	    "a least number of members is for fixed conversations");
	zp_machine_free(NULL);
	OK(1, "freeing nothing is fine");
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 5;
	test_conversation();
	test_counts();
	test_keys();
	test_stop();
	test_impostor();
	test_refusals();
	test_allowed();
	test_worn();
	test_liars();
	test_outlives();
	test_silence();
	test_fixed();
	test_configuration();
	return tap_done();
}
