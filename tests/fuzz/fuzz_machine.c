#include "../sim/sim_group.h"
#include "base/zp_be.h"
#include "crypt/zp_secret.h"
#include "fuzz.h"
#include "proto/zp_machine.h"
#include "wire/zp_hello.h"

/*
 * Several handshake machines and what a relay, or an insider who lies, may do
 * between them: every byte string is a history.  Who is DONE agrees with the
 * others, hellos are bounded in number, nothing crashes; and where nobody
 * forged anything, those who are left end up in one conversation once records
 * arrive.
 *
 * First byte: 2 to 4 machines, fixed or not.  Then operations.
 */

#define MACHINES_MAX 4
#define RECORDS 64 /* kept of what was sent */
#define BODY_MAX 4096
#define OPERATIONS 600

struct record {
	struct zp_group_member from;
	unsigned who;
	uint64_t seq;
	size_t len;
	uint8_t body[BODY_MAX];
};

struct node {
	struct world *w;
	unsigned index;
	struct zp_machine *m;
	struct zp_group_member self;
	bool alive;
	uint64_t credit, credit_at; /* hellos it may send, in 3000ths */
};

struct world {
	uint64_t now, random;
	unsigned n;
	bool fixed, forged;
	struct node node[MACHINES_MAX];
	struct record record[RECORDS];
	size_t sent; /* all in all */
};

static struct world *world;

static void
report(void *arg, const struct zp_machine_event *ev)
{
	struct node *n = arg;

	MUST(n->alive);
	if (ev->kind == ZP_EVENT_SESSION)
		n->self = ev->member->who;
	if (ev->kind == ZP_EVENT_KEY || ev->kind == ZP_EVENT_CONVERSATION) {
		MUST(ev->conv != NULL && ev->conv->n >= 2);
		MUST(ev->conv->me < ev->conv->n);
	}
}

static void
fill(uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint8_t b[8];
		zp_be64_put(b, fuzz_random(&world->random));
		memcpy(to + i, b, len - i < 8 ? len - i : 8);
	}
}

/* At most 20 and one more every 3 s, whatever comes. */
static void
count_hello(struct node *n)
{
	n->credit += world->now - n->credit_at;
	if (n->credit > 60000)
		n->credit = 60000;
	n->credit_at = world->now;
	MUST(n->credit >= 3000);
	n->credit -= 3000;
}

static void
agree(const struct zp_machine_conv *a, const struct zp_machine_conv *b)
{
	if (a == NULL || b == NULL || !a->confirmed || !b->confirmed)
		return;
	bool view = memcmp(a->view, b->view, sizeof(a->view)) == 0;
	bool id = memcmp(a->keys->id, b->keys->id, sizeof(a->keys->id)) == 0;
	MUST(view == id);
	if (!view)
		return;
	MUST(memcmp(a->keys->key, b->keys->key, sizeof(a->keys->key)) == 0);
	MUST(a->n == b->n && a->me != b->me);
	for (size_t i = 0; i < a->n; i++)
		MUST(memcmp(a->members[i].mid, b->members[i].mid,
			 ZP_GROUP_MID_LEN) == 0);
}

static void
check(const struct node *n)
{
	struct zp_machine_reason reason[8];
	struct zp_machine_peer peer;

	MUST(zp_machine_deadline(n->m) > 0);
	MUST(zp_machine_keys(n->m) <= ZP_MACHINE_KEYS);
	MUST(zp_machine_memory(n->m) < 4u << 20);
	(void)zp_machine_reasons(n->m, reason, 8);
	for (size_t i = 0; i < zp_machine_places(n->m) && i < 8; i++)
		if (zp_machine_peer(n->m, i, &peer))
			MUST(peer.member != NULL);
	for (unsigned i = 0; i < world->n; i++)
		if (i != n->index && world->node[i].alive)
			agree(zp_machine_current(n->m),
			    zp_machine_current(world->node[i].m));
}

/* After every step: what it says goes to the records. */
static void
after(struct node *n, bool leave)
{
	struct zp_machine_out out;
	struct zp_hello h;

	if (zp_machine_out(n->m, &out)) {
		struct record *r = &world->record[world->sent++ % RECORDS];
		MUST(out.len <= BODY_MAX);
		MUST(zp_hello_parse(&h, out.body, out.len, 72) == ZP_OK);
		MUST(leave == ((h.flags & ZP_HELLO_LEAVE) != 0));
		if (!leave)
			count_hello(n);
		r->from = n->self;
		memcpy(r->from.sid, out.sid, sizeof(out.sid));
		r->who = n->index;
		r->seq = out.seq;
		r->len = out.len;
		memcpy(r->body, out.body, out.len);
	}
	if (!leave)
		check(n);
}

static void
name(const struct node *n, char *uid)
{
	snprintf(uid, ZP_NAME_MAX + 1, "u%u", n->index);
}

static void
start(struct node *n)
{
	static const uint8_t msgkey[ZP_KEY_LEN] = {1};
	uint8_t random[ZP_MACHINE_RANDOM_LEN];
	struct zp_machine_config c = {.msgkey = msgkey,
	    .ops = &sim_group,
	    .fixed = world->fixed,
	    .min_members = world->fixed ? 2 : 0,
	    .report = report,
	    .arg = n};

	memset(&n->self, 0, sizeof(n->self));
	n->self.p[0] = (uint8_t)(n->index * 77 + 1);
	fill(n->self.sid, sizeof(n->self.sid));
	c.self = n->self;
	name(n, c.uid);
	zp_machine_free(n->m);
	n->m = NULL;
	MUST(zp_machine_new(&n->m, &c) == ZP_OK);
	n->alive = true;
	n->credit = 60000;
	n->credit_at = world->now;
	fill(random, sizeof(random));
	MUST(zp_machine_start(n->m, world->now, random) == ZP_OK);
	after(n, false);
}

static void
hear(struct node *n, const struct record *r, enum zp_err verdict)
{
	uint8_t random[ZP_MACHINE_RANDOM_LEN];
	struct zp_machine_hello in = {.from = r->from,
	    .verdict = verdict,
	    .seq = r->seq,
	    .body = r->body,
	    .len = r->len};

	if (!n->alive)
		return;
	snprintf(in.uid, sizeof(in.uid), "u%u", r->who);
	fill(random, sizeof(random));
	MUST(zp_machine_hello(n->m, world->now, random, &in) == ZP_OK);
	after(n, false);
}

static void
tick(struct node *n)
{
	uint8_t random[ZP_MACHINE_RANDOM_LEN];

	if (!n->alive)
		return;
	fill(random, sizeof(random));
	MUST(zp_machine_tick(n->m, world->now, random) == ZP_OK);
	after(n, false);
}

/* An insider's version of a record. */
static void
forge(struct zp_cursor *c, struct record *r)
{
	static const enum zp_err verdicts[] = {ZP_OK, ZP_OK, ZP_ERR_CHANGED,
	    ZP_ERR_UNSIGNED, ZP_ERR_SIGNATURE, ZP_ERR_UNKNOWN};
	uint8_t how = zp_cursor_u8(c), a = zp_cursor_u8(c);
	uint8_t b = zp_cursor_u8(c);
	enum zp_err verdict = ZP_OK;

	world->forged = true;
	switch (how & 7) {
	case 0: /* other bytes */
		if (r->len > 0)
			r->body[(size_t)(a | (b & 15) << 8) % r->len] ^=
			    (uint8_t)(1 + (b >> 4));
		break;
	case 1: /* cut or padded */
		r->len = (size_t)a * (1 + (b & 15));
		break;
	case 2:
		r->seq += (uint64_t)a << (b & 63);
		break;
	case 3: /* another session of that user */
		memset(r->from.sid, a, sizeof(r->from.sid));
		break;
	case 4:
		r->from.idkey[0] = a;
		break;
	case 5: /* another's session */
		r->from = world->node[a % world->n].self;
		r->who = a % world->n;
		break;
	case 6:
		verdict = verdicts[a % 6];
		break;
	default: /* a value that is an element, but not theirs */
		if (r->len >= 88)
			sim_group_put(r->body + 56 + (b & 1) * 32, a);
		break;
	}
	hear(&world->node[(how >> 3) % world->n], r, verdict);
}

static void
stop(struct node *n, bool leave)
{
	if (!n->alive)
		return;
	if (leave) {
		zp_machine_stop(n->m, world->now);
		after(n, true);
		MUST(zp_machine_deadline(n->m) == UINT64_MAX);
	}
	n->alive = false;
}

static void
talk(struct node *n, uint8_t what, uint8_t v)
{
	uint8_t random[ZP_MACHINE_RANDOM_LEN];
	const struct zp_machine_conv *conv;

	if (!n->alive)
		return;
	fill(random, sizeof(random));
	switch (what & 3) {
	case 0:
		MUST(zp_machine_rekey(n->m, world->now, random) == ZP_OK);
		break;
	case 1:
		MUST(zp_machine_announce(n->m, world->now, random) == ZP_OK);
		break;
	case 2:
		zp_machine_set_notes(n->m, v);
		zp_machine_set_messages(n->m, (uint64_t)v * 2);
		return;
	default:
		conv = zp_machine_current(n->m);
		if (conv != NULL)
			zp_machine_set_seen(
			    n->m, conv->members[v % conv->n].mid, v);
		return;
	}
	after(n, false);
}

static void
operate(struct zp_cursor *c)
{
	uint8_t op = zp_cursor_u8(c), v = zp_cursor_u8(c);
	struct node *n = &world->node[(op >> 4) % world->n];
	struct record r;

	switch (op & 15) {
	default: /* the latest, or another one, arrives */
		if (world->sent > 0)
			hear(n,
			    &world->record[(world->sent + RECORDS - 1 - v) %
				RECORDS],
			    ZP_OK);
		break;
	case 1:
		world->now += v;
		tick(n);
		break;
	case 2:
		world->now += (uint64_t)v * 200;
		tick(n);
		break;
	case 3: /* until it wants to be called */
		if (n->alive && zp_machine_deadline(n->m) > world->now)
			world->now = zp_machine_deadline(n->m);
		tick(n);
		break;
	case 4:
		r = world->record[(world->sent + RECORDS - 1 - v) % RECORDS];
		forge(c, &r);
		break;
	case 5:
		talk(n, v & 3, v >> 2);
		break;
	case 6:
		stop(n, (v & 1) != 0);
		break;
	case 7:
		if (!n->alive || (v & 1) != 0)
			start(n);
		break;
	case 8: /* everything latest to everybody */
		for (unsigned i = 0; i < world->n && world->sent > 0; i++) {
			r = world->record[(world->sent - 1) % RECORDS];
			hear(&world->node[i], &r, ZP_OK);
		}
		break;
	}
}

/* ---- the end: records arrive ------------------------------------------- */

static unsigned
living(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < world->n; i++)
		n += world->node[i].alive;
	return n;
}

static bool
converged(void)
{
	const struct zp_machine_conv *first = NULL;

	for (unsigned i = 0; i < world->n; i++) {
		const struct node *n = &world->node[i];
		if (!n->alive)
			continue;
		const struct zp_machine_conv *c = zp_machine_current(n->m);
		if (zp_machine_phase(n->m) != ZP_PHASE_DONE || c == NULL ||
		    c->n != living())
			return false;
		if (first != NULL &&
		    memcmp(first->view, c->view, sizeof(c->view)) != 0)
			return false;
		first = c;
	}
	return true;
}

/* Everything said from here on reaches everybody at once. */
static bool
converge(uint64_t limit)
{
	uint64_t end = world->now + limit;
	size_t heard = world->sent;

	while (world->now < end) {
		while (heard < world->sent) {
			struct record r = world->record[heard++ % RECORDS];
			for (unsigned i = 0; i < world->n; i++)
				if (i != r.who)
					hear(&world->node[i], &r, ZP_OK);
		}
		if (converged())
			return true;
		uint64_t next = end;
		for (unsigned i = 0; i < world->n; i++)
			if (world->node[i].alive &&
			    zp_machine_deadline(world->node[i].m) < next)
				next = zp_machine_deadline(world->node[i].m);
		world->now = next > world->now ? next : world->now + 1;
		for (unsigned i = 0; i < world->n; i++)
			if (world->node[i].alive &&
			    zp_machine_deadline(world->node[i].m) <= world->now)
				tick(&world->node[i]);
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_cursor c;

	MUST(zp_secret_init() == ZP_OK);
	world = calloc(1, sizeof(*world));
	MUST(world != NULL);
	zp_cursor_init(&c, data, len);
	uint8_t head = zp_cursor_u8(&c);
	world->n = 2 + head % 3;
	world->fixed = (head & 128) != 0;
	world->now = 1000;
	world->random = head;
	for (unsigned i = 0; i < world->n; i++) {
		world->node[i].w = world;
		world->node[i].index = i;
		start(&world->node[i]);
	}
	for (int i = 0; i < OPERATIONS && c.left >= 2; i++)
		operate(&c);
	/* A fixed one is made once, whoever comes or goes later. */
	if (!world->forged && !world->fixed && living() >= 2)
		MUST(converge(600000));
	for (unsigned i = 0; i < world->n; i++)
		zp_machine_free(world->node[i].m);
	free(world);
	return 0;
}
