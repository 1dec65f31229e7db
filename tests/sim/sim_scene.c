#include "sim_scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "proto/zp_machine_impl.h"
#include "wire/zp_hello.h"

/* zpinc(7): T_GONE + 2 (120 + 72) + 2 * 36 + 8 + 3 (D + 3) s, D <= 5 s. */
#define BOUND 578000

/* New keys that one who flaps for five minutes may cause. */
#define FLAPS 8

static void
act_start(struct sim_world *w, uint64_t a, uint64_t b)
{
	(void)b;
	if (!w->node[a].alive)
		sim_start(w, a);
}

static void
act_stop(struct sim_world *w, uint64_t a, uint64_t b)
{
	sim_stop(w, a, b != 0);
}

static void
start_all(struct sim_world *w, size_t n, uint64_t spread)
{
	for (size_t i = 0; i < n; i++)
		sim_at(w, w->now + sim_between(w, 0, spread), act_start, i, 0);
}

static struct sim_world *
world(
    struct sim_world *w, uint64_t seed, size_t n, const struct sim_rules *rules)
{
	bool trace = w->trace;
	FILE *schedule = w->schedule;

	sim_init(w, seed, n, rules);
	w->trace = trace;
	w->schedule = schedule;
	return w;
}

static struct sim_result
result(struct sim_world *w, uint64_t time, size_t records, size_t bytes)
{
	struct sim_result r = {.ok = time != UINT64_MAX && w->broken == NULL,
	    .time = time,
	    .abandoned = w->abandoned};

	r.records = (double)records / (double)w->n;
	r.bytes = (double)bytes / (double)w->n;
	for (size_t i = 0; i < w->n; i++)
		if (w->node[i].m != NULL &&
		    zp_machine_memory(w->node[i].m) > r.memory)
			r.memory = zp_machine_memory(w->node[i].m);
	if (!r.ok)
		r.why = w->broken != NULL ? w->broken : "did not converge";
	sim_free(w);
	return r;
}

static struct sim_rules
rules_for(size_t n)
{
	struct sim_rules r;

	sim_rules_default(&r);
	if (n > ZP_MACHINE_MEMBERS)
		r.max_members = n < 1024 ? n : 1024;
	return r;
}

/* ---- the figures -------------------------------------------------------- */

static struct sim_result
storm_of(struct sim_world *w, uint64_t seed, size_t n, double loss,
    uint64_t delay_min, uint64_t delay_max)
{
	struct sim_rules r = rules_for(n);

	r.loss = loss;
	r.dup = loss > 0 ? 0.2 : 0;
	r.good = loss > 0 ? UINT64_MAX : 0;
	r.delay_min = delay_min;
	r.delay_max = delay_max;
	if (loss > 0)
		r.tail = 0.2;
	world(w, seed, n, &r);
	start_all(w, n, 500);
	sim_run(w, 600);
	uint64_t t = sim_until_converged(w, 900000, 50);
	return result(w, t == UINT64_MAX ? t : t + 600, w->records, w->bytes);
}

static struct sim_result
storm(struct sim_world *w, uint64_t seed, size_t n)
{
	return storm_of(w, seed, n, 0, 20, 400);
}

static struct sim_result
slow_storm(struct sim_world *w, uint64_t seed, size_t n)
{
	return storm_of(w, seed, n, 0, 100, 3000);
}

static struct sim_result
lossy_storm(struct sim_world *w, uint64_t seed, size_t n)
{
	return storm_of(w, seed, n, 0.3, 20, 400);
}

/* A group in a conversation, some time later; false if it never was. */
static bool
settle_in(struct sim_world *w, size_t n)
{
	start_all(w, n, 500);
	sim_run(w, w->now + 600);
	if (n > 1 && sim_until_converged(w, 300000, 50) == UINT64_MAX)
		return false;
	sim_run(w, w->now + sim_between(w, 1000, 40000));
	return true;
}

static struct sim_result
join_of(struct sim_world *w, uint64_t seed, size_t n, double loss)
{
	struct sim_rules r = rules_for(n);

	r.loss = loss;
	r.good = loss > 0 ? UINT64_MAX : 0;
	world(w, seed, n, &r);
	if (!settle_in(w, n - 1))
		return result(w, UINT64_MAX, 0, 0);
	size_t records = w->records, bytes = w->bytes;
	sim_start(w, n - 1);
	uint64_t t = sim_until_converged(w, 300000, 50);
	return result(w, t, w->records - records, w->bytes - bytes);
}

static struct sim_result
join(struct sim_world *w, uint64_t seed, size_t n)
{
	return join_of(w, seed, n, 0);
}

static struct sim_result
lossy_join(struct sim_world *w, uint64_t seed, size_t n)
{
	return join_of(w, seed, n, 0.3);
}

static struct sim_result
leave_of(struct sim_world *w, uint64_t seed, size_t n, bool leave)
{
	struct sim_rules r = rules_for(n);

	world(w, seed, n, &r);
	if (!settle_in(w, n))
		return result(w, UINT64_MAX, 0, 0);
	size_t records = w->records, bytes = w->bytes;
	sim_stop(w, seed % n, leave);
	uint64_t t = sim_until_converged(w, 600000, 50);
	struct sim_result x =
	    result(w, t, w->records - records, w->bytes - bytes);
	/* Beats go on all the while. */
	if (!leave)
		x.records -= (double)t / 30000;
	return x;
}

static struct sim_result
leave(struct sim_world *w, uint64_t seed, size_t n)
{
	return leave_of(w, seed, n, true);
}

static struct sim_result
crash(struct sim_world *w, uint64_t seed, size_t n)
{
	return leave_of(w, seed, n, false);
}

/* A crash, and at once a new session of the same user. */
static struct sim_result
restart(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	world(w, seed, n, &r);
	if (!settle_in(w, n))
		return result(w, UINT64_MAX, 0, 0);
	size_t records = w->records, bytes = w->bytes;
	sim_stop(w, seed % n, false);
	sim_run(w, w->now + sim_between(w, 100, 2000));
	sim_start(w, seed % n);
	uint64_t t = sim_until_converged(w, 600000, 50);
	return result(w, t, w->records - records, w->bytes - bytes);
}

static struct sim_result
heal(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	world(w, seed, n, &r);
	for (size_t i = 0; i < 64; i++)
		w->side[i] = sim_chance(w, 0.5);
	w->cut_from = 20000;
	w->cut_to = 300000;
	start_all(w, n, 500);
	sim_run(w, 300000);
	size_t records = w->records, bytes = w->bytes;
	uint64_t t = sim_until_converged(w, BOUND, 50);
	return result(w, t, w->records - records, w->bytes - bytes);
}

static struct sim_result
rekey(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	r.timing.rekey = 60000;
	world(w, seed, n, &r);
	start_all(w, n, 500);
	sim_run(w, 600);
	if (sim_until_converged(w, 300000, 50) == UINT64_MAX)
		return result(w, UINT64_MAX, 0, 0);
	size_t records = w->records, bytes = w->bytes;
	size_t c = w->node[0].conversations;
	sim_run(w, w->now + 600000);
	size_t runs = w->node[0].conversations - c;
	uint64_t t = sim_until_converged(w, 20000, 50);
	struct sim_result x =
	    result(w, t, w->records - records, w->bytes - bytes);
	x.ok = x.ok && runs >= 8;
	x.records /= runs > 0 ? (double)runs : 1;
	x.bytes /= runs > 0 ? (double)runs : 1;
	return x;
}

/* ---- chaos -------------------------------------------------------------- */

static void
act_replay(struct sim_world *w, uint64_t every, uint64_t until)
{
	if (w->kept_count > 0) {
		const struct sim_record *r =
		    w->kept[sim_random(w) % w->kept_count];
		for (size_t i = 0; i < w->n; i++)
			sim_deliver(w, i, r);
	}
	if (w->now < until)
		sim_at(w, w->now + every, act_replay, every, until);
}

static void
coming_and_going(struct sim_world *w, uint64_t until)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!sim_chance(w, 0.4))
			continue;
		uint64_t t = sim_between(w, 10000, until - 10000);
		sim_at(w, t, act_stop, i, sim_chance(w, 0.3));
		if (sim_chance(w, 0.8))
			sim_at(
			    w, t + sim_between(w, 100, 9000), act_start, i, 0);
	}
}

/*
 * 150 s in which the relay does what it likes and members come and go; then
 * every record arrives.  The plain kind is for the figures, the wild one has
 * replays, echoes, identities, skewed clocks and rekeying on top.
 */
static struct sim_result
chaos_of(
    struct sim_world *w, uint64_t seed, size_t n, bool wild, bool real_group)
{
	static const double losses[] = {0.1, 0.3, 0.6, 0.9};
	struct sim_rules r = rules_for(n);
	uint64_t x = seed * 0xd1342543de82ef95 + 12345;

	r.loss = losses[(x >> 40) % 4];
	r.dup = 0.2;
	r.delay_max = 800;
	r.good = 150000;
	r.real_group = real_group;
	if (wild) {
		r.echo = (x >> 30 & 1) != 0;
		r.replay = (x >> 31 & 1) != 0 ? 0.5 : 0;
		r.identities = (x >> 32 & 1) != 0;
		r.skew = (x >> 33 & 1) != 0;
		r.timing.rekey = (x >> 34 & 3) == 0 ? 40000 : 0;
		r.delay_max = (x >> 36 & 3) == 0 ? 4500 : 800;
	}
	world(w, seed, n, &r);
	for (size_t i = 0; i < 64; i++)
		w->side[i] = sim_chance(w, 0.5);
	w->cut_from = sim_between(w, 0, 100000);
	w->cut_to = w->cut_from + sim_between(w, 20000, 200000);
	if (w->cut_to > r.good)
		w->cut_to = r.good;
	start_all(w, n, 10000);
	coming_and_going(w, r.good);
	if (r.replay > 0)
		sim_at(w, 20000, act_replay, sim_between(w, 100, 5000),
		    UINT64_MAX);
	sim_run(w, r.good);
	size_t records = w->records, bytes = w->bytes;
	uint64_t t = sim_until_converged(w, BOUND, 200);
	return result(w, t, w->records - records, w->bytes - bytes);
}

static struct sim_result
chaos(struct sim_world *w, uint64_t seed, size_t n)
{
	return chaos_of(w, seed, n, false, false);
}

static struct sim_result
wild(struct sim_world *w, uint64_t seed, size_t n)
{
	return chaos_of(w, seed, n, true, false);
}

static struct sim_result
real(struct sim_world *w, uint64_t seed, size_t n)
{
	return chaos_of(w, seed, n, true, true);
}

/* ---- a relay that hides ------------------------------------------------- */

static bool
one_way(struct sim_world *w, size_t a, size_t b)
{
	return w->now >= 600000 || a != 0 || b != 1;
}

/* Some ordered pairs never see one another, until the relay behaves. */
static bool
some_hidden(struct sim_world *w, size_t a, size_t b)
{
	uint64_t x = (w->seed * 64 + a) * 64 + b;

	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44d;
	return w->now >= 600000 || (x >> 33) % 100 >= 15;
}

static struct sim_result
hidden(struct sim_world *w, uint64_t seed, size_t n,
    bool (*sees)(struct sim_world *w, size_t a, size_t b))
{
	struct sim_rules r = rules_for(n);
	size_t talk = 0;

	world(w, seed, n, &r);
	w->sees = sees;
	start_all(w, n, 500);
	sim_run(w, 600000);
	for (size_t i = 0; i < n; i++)
		talk += zp_machine_current(w->node[i].m) != NULL;
	size_t records = w->records, bytes = w->bytes;
	uint64_t t = sim_until_converged(w, BOUND, 50);
	struct sim_result x =
	    result(w, t, w->records - records, w->bytes - bytes);
	x.odd = talk >= 2;
	return x;
}

static struct sim_result
cut(struct sim_world *w, uint64_t seed, size_t n)
{
	return hidden(w, seed, n, one_way);
}

static struct sim_result
hide(struct sim_world *w, uint64_t seed, size_t n)
{
	return hidden(w, seed, n, some_hidden);
}

/* Everybody restarts six times; all that was ever said comes again. */
static struct sim_result
replay(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	r.replay = 1;
	world(w, seed, n, &r);
	start_all(w, n, 500);
	for (int c = 0; c < 6; c++) {
		sim_run(w, w->now + 20000);
		for (size_t i = 0; i < n; i++) {
			sim_stop(w, i, false);
			sim_start(w, i);
		}
	}
	sim_at(w, w->now, act_replay, 200, UINT64_MAX);
	size_t records = w->records, bytes = w->bytes;
	uint64_t t = sim_until_converged(w, BOUND, 50);
	return result(w, t, w->records - records, w->bytes - bytes);
}

/* ---- insiders ----------------------------------------------------------- */

static size_t
near_count(const struct sim_node *n)
{
	struct zp_machine_peer p;
	size_t near = 0;

	for (size_t i = 1; i < zp_machine_places(n->m); i++)
		near += zp_machine_peer(n->m, i, &p) && p.near;
	return near;
}

static bool
conversation_of(const struct sim_world *w, size_t honest)
{
	for (size_t i = 0; i < honest; i++) {
		const struct sim_node *n = &w->node[i];
		const struct zp_machine_conv *c =
		    n->alive ? zp_machine_current(n->m) : NULL;
		if (c == NULL || c->n < honest)
			return false;
		if (memcmp(c->keys->id,
			zp_machine_current(w->node[0].m)->keys->id,
			sizeof(c->keys->id)) != 0)
			return false;
	}
	return true;
}

static uint64_t
until_conversation(struct sim_world *w, size_t honest, uint64_t limit)
{
	uint64_t from = w->now;

	while (w->now < from + limit && w->broken == NULL) {
		sim_run(w, w->now + 200);
		if (conversation_of(w, honest))
			return w->now - from;
	}
	return UINT64_MAX;
}

static void
act_flap(struct sim_world *w, uint64_t a, uint64_t b)
{
	sim_stop(w, a, false);
	sim_start(w, a);
	sim_at(w, w->now + 3000, act_flap, a, b);
}

static void
send_as(struct sim_world *w, size_t from, const struct zp_group_member *who,
    const char *uid, uint64_t seq)
{
	static const uint8_t empty[ZP_HELLO_HEAD_LEN];
	struct sim_record *r =
	    sim_record_new(&w->node[from], seq, empty, sizeof(empty));

	w->records--;
	r->from = *who;
	snprintf(r->uid, sizeof(r->uid), "%s", uid);
	sim_send(w, from, r);
	sim_record_free(r);
}

static void
act_flood(struct sim_world *w, uint64_t a, uint64_t b)
{
	struct zp_group_member who = {0};
	char uid[ZP_NAME_MAX + 1];

	for (size_t i = 0; i < 8; i++) {
		zp_be64_put(who.p + 8, sim_random(w));
		zp_be64_put(who.sid, sim_random(w));
		snprintf(uid, sizeof(uid), "x%llx",
		    (unsigned long long)(sim_random(w) >> 20));
		send_as(w, a, &who, uid, 0);
	}
	sim_at(w, w->now + 400, act_flood, a, b);
}

static void
act_impostor(struct sim_world *w, uint64_t a, uint64_t b)
{
	const struct sim_node *v = &w->node[0];

	send_as(w, a, &v->self, v->uid, v->m->seq + 1000);
	if (b > 1)
		sim_at(w, w->now + 30000, act_impostor, a, b - 1);
}

static void
make_rogue(struct sim_world *w, size_t i, enum sim_kind kind)
{
	struct sim_node *n = &w->node[i];

	n->kind = kind;
	if (kind == SIM_THIEF) {
		memcpy(n->self.p, w->node[0].self.p, sizeof(n->self.p));
		memcpy(n->uid, w->node[0].uid, sizeof(n->uid));
		memset(n->self.idkey, 7, sizeof(n->self.idkey));
	}
	if (kind == SIM_FLAPPER)
		sim_at(w, w->now + 3000, act_flap, i, 0);
	if (kind == SIM_FLOODER)
		sim_at(w, w->now + 1000, act_flood, i, 0);
	if (kind == SIM_IMPOSTOR)
		sim_at(w, w->now + 20000, act_impostor, i, 3);
}

/* Those who say different things to different members. */
static bool
parts(enum sim_kind kind)
{
	return kind == SIM_NOISE || kind == SIM_PARTIAL;
}

/* Those whose lies name nobody keep new conversations from forming. */
static bool
blameless(enum sim_kind kind)
{
	return kind == SIM_WRONG_MIX || kind == SIM_COLLUDER ||
	    kind == SIM_COPIED_SHARE || kind == SIM_WRONG_TAG ||
	    kind == SIM_FORKED_SHARE || parts(kind);
}

/*
 * An insider among honest members.  If it is there from the start, they must
 * come to a conversation all the same, unless its lies name nobody.  If it
 * comes later, the conversation they have must go on.
 */
static struct sim_result
rogue_of(struct sim_world *w, uint64_t seed, size_t n, enum sim_kind kind)
{
	struct sim_rules r = rules_for(n);
	const size_t liars = kind == SIM_COLLUDER ? 2 : 1;
	const size_t honest = n - liars;
	const bool later = seed % 2 == 1;

	r.identities = kind == SIM_THIEF;
	r.loss = 0.1;
	r.good = seed % 3 == 0 ? 60000 : 0;
	world(w, seed, n, &r);
	if (later) {
		start_all(w, honest, 500);
		if (until_conversation(w, honest, 300000) == UINT64_MAX)
			return result(w, UINT64_MAX, 0, 0);
	} else {
		start_all(w, honest, 500);
	}
	size_t records = w->records, bytes = w->bytes;
	for (size_t i = 0; i < honest; i++)
		w->node[i].ended = 0;
	for (size_t i = honest; i < n; i++) {
		make_rogue(w, i, kind);
		sim_at(w, w->now + sim_between(w, 0, 500), act_start, i, 0);
	}
	uint64_t t = 0;
	if (!later && !blameless(kind))
		t = until_conversation(w, honest, BOUND);
	sim_run(w, w->now + 300000);
	for (size_t i = 0; later && kind != SIM_IMPOSTOR && i < honest; i++) {
		const struct zp_machine_conv *c =
		    zp_machine_current(w->node[i].m);
		/* Who hears different lies may part for a while, which is
		   told; nothing ends in silence. */
		if (!parts(kind) &&
		    (c == NULL || c->n < honest || w->node[i].ended > 0))
			t = UINT64_MAX;
	}
	/* What it acks was never sent, so it proves nothing. */
	for (size_t i = 0; kind == SIM_FUTURE_ACK && i < honest; i++)
		if (near_count(&w->node[i]) != honest - 1)
			t = UINT64_MAX;
	/* Who has left does not come back, so it makes two views at most. */
	for (size_t i = 0; kind == SIM_RETURNER && i < honest; i++)
		if (w->node[i].conversations > (r.good > 0 ? 6 : 3))
			t = UINT64_MAX;
	if (later && kind == SIM_IMPOSTOR)
		t = until_conversation(w, honest, BOUND);
	return result(w, t, w->records - records, w->bytes - bytes);
}

static struct sim_result
rogues(struct sim_world *w, uint64_t seed, size_t n)
{
	enum sim_kind kind = (enum sim_kind)(1 + (seed / 6) % (SIM_KINDS - 1));

	return rogue_of(w, seed, n < 4 ? 4 : n, kind);
}

/* ---- sessions in quick succession --------------------------------------- */

/*
 * A relay has kept what several sessions of each user said, and sends it to
 * members that never heard them; then the users come.  Nothing of it lives,
 * so nobody may be ignored for it.
 */
static struct sim_result
retained(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	r.replay = 1;
	world(w, seed, n, &r);
	for (int c = 0; c < 8; c++) {
		start_all(w, n, 500);
		sim_run(w, w->now + 20000);
		for (size_t i = 0; i < n; i++)
			sim_stop(w, i, false);
	}
	const size_t old = w->kept_count;
	sim_run(w, w->now + 400000);
	w->rules.replay = 0;
	for (size_t i = 0; i < n; i++) {
		sim_start(w, i);
		for (size_t k = 0; k < old; k++)
			sim_deliver(w, i, w->kept[k]);
	}
	size_t records = w->records, bytes = w->bytes;
	uint64_t t = sim_until_converged(w, BOUND, 50);
	return result(w, t, w->records - records, w->bytes - bytes);
}

static void
act_flap_every(struct sim_world *w, uint64_t a, uint64_t ms)
{
	sim_stop(w, a, false);
	sim_start(w, a);
	sim_at(w, w->now + ms, act_flap_every, a, ms);
}

/*
 * One begins a new session every 0.3 to 6 s, for five minutes.  The others'
 * conversation goes on, and a few new keys are all that comes of it: what
 * lives long enough to be heard is soon on hold for longer than it lives.
 */
static struct sim_result
flapper(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);
	size_t keys = 0;

	world(w, seed, n, &r);
	start_all(w, n - 1, 500);
	sim_run(w, 600);
	if (until_conversation(w, n - 1, 300000) == UINT64_MAX)
		return result(w, UINT64_MAX, 0, 0);
	for (size_t i = 0; i < n - 1; i++)
		w->node[i].conversations = 0;
	w->node[n - 1].kind = SIM_FLAPPER;
	size_t records = w->records, bytes = w->bytes;
	act_flap_every(w, n - 1, 300 + 300 * (seed % 20));
	sim_run(w, w->now + 300000);
	uint64_t t = conversation_of(w, n - 1) ? 0 : UINT64_MAX;
	for (size_t i = 0; i < n - 1; i++)
		if (w->node[i].conversations > keys)
			keys = w->node[i].conversations;
	struct sim_result x =
	    result(w, t, w->records - records, w->bytes - bytes);
	if (x.ok && keys > FLAPS) {
		x.ok = false;
		x.why = "a flapper makes new keys on and on";
	}
	return x;
}

/* ---- messages ----------------------------------------------------------- */

struct message {
	uint8_t id[ZP_CONV_ID_LEN];
	uint8_t sid[ZP_SID_LEN]; /* of the recipient, when it was sealed */
};

static void
act_arrive(struct sim_world *w, uint64_t to, uint64_t which)
{
	struct message *x = (struct message *)(uintptr_t)which;
	struct sim_node *n = &w->node[to];
	bool held = false;

	if (n->alive && memcmp(n->self.sid, x->sid, sizeof(x->sid)) == 0) {
		for (size_t i = 0; i < zp_machine_keys(n->m); i++)
			held = held ||
			    memcmp(zp_machine_key(n->m, i)->keys->id, x->id,
				sizeof(x->id)) == 0;
		if (!held)
			sim_broken(n, "a message came without its key");
	}
	free(x);
}

/* Each seals a message to each member of its conversation. */
static void
act_talk(struct sim_world *w, uint64_t until, uint64_t b)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct sim_node *n = &w->node[i];
		const struct zp_machine_conv *c =
		    n->alive ? zp_machine_current(n->m) : NULL;
		for (size_t j = 0; c != NULL && j < w->n; j++) {
			const struct sim_node *o = &w->node[j];
			bool in = false;
			for (size_t k = 0; k < c->n; k++)
				in = in ||
				    zp_group_order(
					&c->members[k].who, &o->self) == 0;
			if (i == j || !in || !o->alive)
				continue;
			struct message *x = malloc(sizeof(*x));
			memcpy(x->id, c->keys->id, sizeof(x->id));
			memcpy(x->sid, o->self.sid, sizeof(x->sid));
			sim_at(w,
			    w->now +
				sim_between(
				    w, w->rules.delay_min, w->rules.delay_max),
			    act_arrive, j, (uintptr_t)x);
		}
	}
	if (w->now < until)
		sim_at(w, w->now + 1000, act_talk, until, b);
}

static void
act_churn(struct sim_world *w, uint64_t until, uint64_t b)
{
	size_t i = sim_random(w) % w->n, alive = 0;

	for (size_t j = 0; j < w->n; j++)
		alive += w->node[j].alive;
	if (!w->node[i].alive)
		sim_start(w, i);
	else if (alive > 2)
		sim_stop(w, i, sim_chance(w, 0.5));
	if (w->now < until)
		sim_at(w, w->now + sim_between(w, 2000, 20000), act_churn,
		    until, b);
}

/* Members come and go; every message finds its key. */
static struct sim_result
talk(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	if (seed % 2 == 0) {
		r.delay_min = 100;
		r.delay_max = 3000;
	}
	world(w, seed, n, &r);
	start_all(w, n, 500);
	sim_run(w, 600);
	if (sim_until_converged(w, 300000, 50) == UINT64_MAX)
		return result(w, UINT64_MAX, 0, 0);
	sim_at(w, w->now, act_churn, w->now + 300000, 0);
	sim_at(w, w->now, act_talk, w->now + 300000, 0);
	sim_run(w, w->now + 310000);
	size_t records = w->records, bytes = w->bytes;
	uint64_t t = sim_until_converged(w, BOUND, 50);
	size_t keys = w->keys_most;
	struct sim_result x =
	    result(w, t, w->records - records, w->bytes - bytes);
	x.odd = keys > 8;
	return x;
}

/* ---- fixed conversations ------------------------------------------------ */

static void
act_poll(struct sim_world *w, uint64_t a, uint64_t b)
{
	if (w->node[a].alive && w->node[a].settled)
		sim_stop(w, a, true);
	else
		sim_at(w, w->now + 10, act_poll, a, b);
}

/*
 * Everybody makes a conversation with exactly these, or so many; it ends
 * when all are done.  One who comes too late is told.
 */
static struct sim_result
fixed(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);
	const char *uids[64];
	uint8_t id[ZP_CONV_ID_LEN];
	const bool by_name = seed % 2 == 0;
	size_t done = 0;

	r.loss = seed % 3 == 0 ? 0.3 : 0;
	r.good = UINT64_MAX;
	r.tail = 0;
	world(w, seed, n + 1, &r);
	for (size_t i = 0; i < n; i++)
		uids[i] = w->node[i].uid;
	for (size_t i = 0; i <= n; i++) {
		w->node[i].fixed = true;
		w->node[i].min_members = n;
		if (by_name && i < n) {
			w->node[i].allowed = uids;
			w->node[i].allowed_count = n;
		}
		sim_at(w, 100, act_poll, i, 0);
	}
	start_all(w, n, 5000);
	uint64_t t = 0;
	for (; t < 300000 && done < n && w->broken == NULL; t += 10) {
		sim_run(w, t);
		done = 0;
		for (size_t i = 0; i < n; i++)
			done += w->node[i].conversations > 0;
		if (done > 0)
			for (size_t i = 0; i < n; i++)
				if (w->node[i].conversations > 0)
					memcpy(
					    id, w->node[i].current, sizeof(id));
		if (done > 0 && !w->node[n].alive && w->node[n].epoch == 0)
			sim_start(w, n);
	}
	sim_run(w, w->now + 60000);
	size_t behind = 0;
	for (size_t i = 0; i < n; i++) {
		behind += w->node[i].conversations == 0;
		if (w->node[i].conversations > 1 ||
		    (w->node[i].conversations == 1 &&
			(!w->node[i].settled ||
			    memcmp(w->node[i].current, id, sizeof(id)) != 0)))
			t = UINT64_MAX;
	}
	/* Who loses every last word within 10 s is left behind. */
	if (w->node[n].conversations > 0 || done == 0 ||
	    (behind > 0 && r.loss == 0))
		t = UINT64_MAX;
	struct sim_result x = result(w, t, w->records, w->bytes);
	x.odd = behind > 0;
	return x;
}

/*
 * Some make a fixed conversation where two others have one: neither is in the
 * other's.
 */
static struct sim_result
mixed(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);
	uint64_t t = 0;

	world(w, seed, n + 2, &r);
	for (size_t i = 0; i < n; i++) {
		w->node[i].fixed = true;
		w->node[i].min_members = n;
	}
	start_all(w, n + 2, 500);
	sim_run(w, 20000);
	for (size_t i = 0; i < n + 2; i++) {
		const struct zp_machine_conv *c =
		    zp_machine_current(w->node[i].m);
		if (c == NULL || c->n != (i < n ? n : 2) ||
		    near_count(&w->node[i]) != c->n - 1)
			t = UINT64_MAX;
	}
	return result(w, t, w->records, w->bytes);
}

/* ---- the prototype's schedules ------------------------------------------ */

/* Each begins when it has heard from the one before. */
static struct sim_result
in_turn(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	world(w, seed, n, &r);
	for (size_t i = 0; i < n; i++)
		sim_at(w, 500 * i, act_start, i, 0);
	sim_run(w, 500 * n);
	uint64_t t = sim_until_converged(w, BOUND, 50);
	return result(w, t, w->records, w->bytes);
}

/* All in the same millisecond, all records equally slow: all cross. */
static struct sim_result
at_once(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);

	r.delay_min = r.delay_max = 100;
	r.echo = true;
	world(w, seed, n, &r);
	for (size_t i = 0; i < n; i++)
		sim_at(w, 0, act_start, i, 0);
	uint64_t t = sim_until_converged(w, BOUND, 50);
	return result(w, t, w->records, w->bytes);
}

/*
 * What one who has the password can forge: joins under each member's name
 * and P with a sid of its own, some said to be signed by another identity,
 * and hellos in garbage under each member's own session.
 */
static void
forge(struct sim_world *w, size_t n)
{
	uint8_t body[ZP_HELLO_HEAD_LEN + 40];

	for (size_t i = 0; i < n; i++) {
		struct sim_node *v = &w->node[i];
		struct zp_group_member who = v->self;
		zp_be64_put(who.sid, sim_random(w));
		send_as(w, i, &who, v->uid, 0);
		who.sid[0] ^= 1;
		memset(who.idkey, 9, sizeof(who.idkey));
		send_as(w, i, &who, v->uid, 7);
		/* Its very session, signed by another. */
		memcpy(who.sid, v->self.sid, sizeof(who.sid));
		send_as(w, i, &who, v->uid, v->m->seq + 1000);
		/* To itself the next would be somebody who speaks as it. */
		w->rules.echo = false;
		for (size_t k = 0; k < sizeof(body); k += 8)
			zp_be64_put(body + k, sim_random(w));
		/* It opened, so it is its author's; but it is no hello. */
		body[0] |= 64;
		struct sim_record *r = sim_record_new(
		    v, v->m->seq, body, sim_between(w, 0, sizeof(body)));
		sim_send(w, i, r);
		sim_record_free(r);
		w->rules.echo = true;
	}
}

/*
 * In a conversation: one's own hello comes back, an old one is replayed, a
 * join of a former session comes again, others are forged.  The conversation
 * must stay, and whoever forged is seen by nobody as online.
 */
static struct sim_result
thrown_back(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);
	uint8_t id[ZP_CONV_ID_LEN];
	uint64_t t = 0;

	r.replay = 1;
	r.echo = true;
	world(w, seed, n, &r);
	start_all(w, n, 500);
	sim_run(w, 5000);
	sim_stop(w, n - 1, false);
	sim_start(w, n - 1);
	sim_until_converged(w, BOUND, 50);
	sim_run(w, w->now + 100000);
	memcpy(id, w->node[0].current, sizeof(id));
	size_t old = w->kept_count;
	for (size_t i = 0; i < old; i++)
		for (size_t to = 0; to < n; to++)
			sim_deliver(w, to, w->kept[i]);
	sim_run(w, w->now + 100000);
	size_t refused = w->refused;
	forge(w, n);
	sim_run(w, w->now + 60000);
	/* Others told each garbage, and each session signed by another. */
	if (w->refused - refused != 2 * n * (n - 1))
		t = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (!w->node[i].had_current ||
		    near_count(&w->node[i]) != n - 1 ||
		    memcmp(id, w->node[i].current, sizeof(id)) != 0)
			t = UINT64_MAX;
	return result(w, t, w->records, w->bytes);
}

/* ---- more members than a conversation takes ----------------------------- */

static struct sim_result
crowd(struct sim_world *w, uint64_t seed, size_t n)
{
	struct sim_rules r = rules_for(n);
	size_t in = 0;

	r.max_members = 6;
	world(w, seed, n + 6, &r);
	start_all(w, n + 6, 500);
	sim_run(w, 300000);
	for (size_t i = 0; i < n + 6; i++) {
		const struct zp_machine_conv *c =
		    zp_machine_current(w->node[i].m);
		in += c != NULL && c->n == 6;
	}
	struct sim_result x =
	    result(w, in == 6 ? 0 : UINT64_MAX, w->records, w->bytes);
	return x;
}

const struct sim_scene sim_scenes[] = {
    {"storm", "all start within half a second", storm},
    {"slow-storm", "the same, records take up to 3 s", slow_storm},
    {"lossy-storm", "the same, 3 in 10 records are lost", lossy_storm},
    {"join", "one joins a conversation", join},
    {"lossy-join", "the same, 3 in 10 records are lost", lossy_join},
    {"leave", "one leaves", leave},
    {"crash", "one falls silent", crash},
    {"restart", "one crashes and is back at once", restart},
    {"heal", "a partition heals", heal},
    {"rekey", "a new key every minute", rekey},
    {"chaos", "150 s of chaos, then a good network", chaos},
    {"wild", "chaos with replays, echoes, skewed clocks, rekeying", wild},
    {"real", "the same over ristretto255", real},
    {"cut", "one member never hears another", cut},
    {"hide", "the relay hides 15 % of the pairs, then behaves", hide},
    {"replay", "the relay replays everything ever said", replay},
    {"rogues", "an insider lies, each in its way", rogues},
    {"retained", "the relay kept eight sessions of each", retained},
    {"flapper", "one begins a new session over and over", flapper},
    {"talk", "members come and go, and every message finds its key", talk},
    {"fixed", "a fixed conversation, and one who comes late", fixed},
    {"mixed", "fixed conversations and others on one channel", mixed},
    {"in-turn", "members come one after the other", in_turn},
    {"at-once", "all hellos cross", at_once},
    {"thrown-back", "echoes, replays and forged joins in a conversation",
	thrown_back},
    {"crowd", "more members than a conversation takes", crowd},
    {NULL, NULL, NULL},
};

const struct sim_scene *
sim_scene_find(const char *name)
{
	for (const struct sim_scene *s = sim_scenes; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}
