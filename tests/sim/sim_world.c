#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "sim_group.h"
#include "wire/zp_hello.h"

/* ---- chance ------------------------------------------------------------- */

uint64_t
sim_random(struct sim_world *w)
{
	uint64_t z = (w->rng += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t
sim_between(struct sim_world *w, uint64_t low, uint64_t high)
{
	return low + sim_random(w) % (high - low + 1);
}

bool
sim_chance(struct sim_world *w, double p)
{
	return p > 0 && (double)(sim_random(w) >> 11) * 0x1p-53 < p;
}

static void
fill(struct sim_world *w, uint8_t *to, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			zp_be64_put(b, sim_random(w));
		to[i] = b[i % 8];
	}
}

/* ---- events ------------------------------------------------------------- */

struct sim_event {
	uint64_t at, serial;
	void (*act)(struct sim_world *w, uint64_t a, uint64_t b);
	uint64_t a, b;
	struct sim_record *record; /* to node a */
};

static bool
before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void
push(struct sim_world *w, struct sim_event e)
{
	if (w->events == w->event_cap) {
		w->event_cap = w->event_cap == 0 ? 256 : 2 * w->event_cap;
		w->queue = realloc(w->queue, w->event_cap * sizeof(*w->queue));
		if (w->queue == NULL)
			abort();
	}
	e.serial = w->serial++;
	size_t i = w->events++;
	while (i > 0 && before(&e, &w->queue[(i - 1) / 2])) {
		w->queue[i] = w->queue[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	w->queue[i] = e;
}

static struct sim_event
pop(struct sim_world *w)
{
	struct sim_event first = w->queue[0], e = w->queue[--w->events];
	size_t i = 0;

	for (;;) {
		size_t c = 2 * i + 1;
		if (c >= w->events)
			break;
		if (c + 1 < w->events && before(&w->queue[c + 1], &w->queue[c]))
			c++;
		if (!before(&w->queue[c], &e))
			break;
		w->queue[i] = w->queue[c];
		i = c;
	}
	w->queue[i] = e;
	return first;
}

void
sim_at(struct sim_world *w, uint64_t at,
    void (*act)(struct sim_world *w, uint64_t a, uint64_t b), uint64_t a,
    uint64_t b)
{
	push(w,
	    (struct sim_event){
		.at = at > w->now ? at : w->now, .act = act, .a = a, .b = b});
}

/* ---- records ------------------------------------------------------------ */

struct sim_record *
sim_record_new(
    struct sim_node *n, uint64_t seq, const uint8_t *body, size_t len)
{
	struct sim_record *r = calloc(1, sizeof(*r) + len);

	if (r == NULL)
		abort();
	r->refs = 1;
	r->from = n->self;
	memcpy(r->uid, n->uid, sizeof(r->uid));
	r->seq = seq;
	r->id = n->w->records++;
	r->len = len;
	memcpy(r->body, body, len);
	return r;
}

void
sim_record_free(struct sim_record *r)
{
	if (--r->refs == 0)
		free(r);
}

/* ---- the network -------------------------------------------------------- */

static bool
visible(struct sim_world *w, size_t a, size_t b)
{
	if (w->now >= w->cut_from && w->now < w->cut_to &&
	    w->side[a % 64] != w->side[b % 64])
		return false;
	return w->sees == NULL || w->sees(w, a, b);
}

static void
carry(struct sim_world *w, struct sim_record *r, size_t to)
{
	bool good = w->now >= w->rules.good;

	if (!good && sim_chance(w, w->rules.loss))
		return;
	for (int copies = sim_chance(w, w->rules.dup) ? 2 : 1; copies > 0;
	     copies--) {
		uint64_t d =
		    sim_between(w, w->rules.delay_min, w->rules.delay_max);
		if (!good && sim_chance(w, w->rules.tail))
			d *= 10;
		r->refs++;
		push(w,
		    (struct sim_event){.at = w->now + d, .a = to, .record = r});
	}
}

static void
keep_record(struct sim_world *w, struct sim_record *r)
{
	if (!sim_chance(w, w->rules.replay))
		return;
	if (w->kept_count == w->kept_cap) {
		w->kept_cap = w->kept_cap == 0 ? 64 : 2 * w->kept_cap;
		w->kept = realloc(w->kept, w->kept_cap * sizeof(*w->kept));
		if (w->kept == NULL)
			abort();
	}
	r->refs++;
	w->kept[w->kept_count++] = r;
}

void
sim_send(struct sim_world *w, size_t from, struct sim_record *r)
{
	struct sim_node *n = &w->node[from];

	w->bytes += r->len;
	keep_record(w, r);
	for (size_t to = 0; to < w->n; to++) {
		if ((to == from && !w->rules.echo) || !visible(w, from, to))
			continue;
		struct sim_record *x = sim_rogue_for(w, n, r, to);
		carry(w, x, to);
		if (x != r)
			sim_record_free(x);
	}
}

/* ---- members ------------------------------------------------------------ */

static uint64_t
local(const struct sim_node *n)
{
	return n->skew + n->w->now / 1000000 * n->rate +
	    n->w->now % 1000000 * n->rate / 1000000;
}

static void
report(void *arg, const struct zp_machine_event *ev)
{
	struct sim_node *n = arg;
	struct sim_world *w = n->w;

	n->abandoned += ev->kind == ZP_EVENT_ABANDONED;
	w->abandoned += ev->kind == ZP_EVENT_ABANDONED;
	w->refused += ev->kind == ZP_EVENT_REFUSED;
	w->silent += ev->kind == ZP_EVENT_SILENT;
	w->two_values += ev->kind == ZP_EVENT_TWO_VALUES;
	n->impostors += ev->kind == ZP_EVENT_IMPOSTOR;
	n->settled = n->settled || ev->kind == ZP_EVENT_SETTLED;
	n->late = n->late || ev->kind == ZP_EVENT_LATE;
	n->conversations += ev->kind == ZP_EVENT_CONVERSATION;
	n->ended += ev->kind == ZP_EVENT_CONVERSATION_END;
	if (ev->kind == ZP_EVENT_SESSION) {
		n->self = ev->member->who;
		n->session_born = w->now;
		memset(n->last_view, 0, sizeof(n->last_view));
	}
	if (w->trace)
		sim_trace_event(n, ev);
	sim_check_event(n, ev);
}

static void
wake(struct sim_world *w, uint64_t index, uint64_t at);

static void
arm(struct sim_node *n)
{
	uint64_t d = zp_machine_deadline(n->m), l = local(n);

	if (d == UINT64_MAX)
		return;
	/* The world's time when the member's clock shows d, or later. */
	uint64_t in = d > l ? ((d - l) * 1000000 + n->rate - 1) / n->rate : 0;
	uint64_t at = n->w->now + in;
	if (n->wake <= at && n->wake > n->w->now)
		return;
	n->wake = at;
	sim_at(n->w, at, wake, n->index, at);
}

/* Of honest groups only: the reference knows no other. */
static FILE *
schedule_of(const struct sim_node *n)
{
	return n->kind == SIM_COLLUDER ? NULL : n->w->schedule;
}

static void
schedule_out(struct sim_node *n, const struct zp_machine_out *out)
{
	FILE *f = schedule_of(n);
	uint8_t view[ZP_GROUP_VIEW_LEN];
	const struct zp_machine_conv *c = zp_machine_current(n->m);

	if (f == NULL)
		return;
	zp_machine_view_id(n->m, view);
	fprintf(f, "is %zu %d %zu %" PRIu64 " ", n->index,
	    (int)zp_machine_phase(n->m), zp_machine_view_size(n->m),
	    zp_machine_deadline(n->m));
	for (size_t i = 0; i < sizeof(view); i++)
		fprintf(f, "%02x", view[i]);
	fputc(' ', f);
	for (size_t i = 0; c != NULL && i < sizeof(c->keys->id); i++)
		fprintf(f, "%02x", c->keys->id[i]);
	fprintf(f, "%s %zu ", c == NULL ? "-" : "", zp_machine_keys(n->m));
	if (out == NULL) {
		fprintf(f, "-\n");
		return;
	}
	fprintf(f, "%" PRIu64 ":", out->seq);
	for (size_t i = 0; i < out->len; i++)
		fprintf(f, "%02x", out->body[i]);
	fputc('\n', f);
}

static void
after(struct sim_node *n, bool leave)
{
	struct zp_machine_out out;

	if (!zp_machine_out(n->m, &out)) {
		schedule_out(n, NULL);
	} else {
		if (!leave)
			schedule_out(n, &out);
		sim_check_sent(n, out.body, out.len, leave);
		n->sent++;
		if (n->w->trace)
			sim_trace_hello(n, out.body, out.len);
		struct sim_record *r =
		    sim_record_new(n, out.seq, out.body, out.len);
		memcpy(r->from.sid, out.sid, sizeof(out.sid));
		if (n->kind != SIM_HONEST)
			sim_rogue(n->w, n, &r);
		if (r != NULL) {
			sim_send(n->w, n->index, r);
			sim_record_free(r);
		}
	}
	sim_check_step(n);
	if (!leave)
		arm(n);
}

/* Random bytes, and the line that gives them to the reference. */
static void
prepare(struct sim_node *n, const char *what, uint8_t *random)
{
	FILE *f = schedule_of(n);

	fill(n->w, random, ZP_MACHINE_RANDOM_LEN);
	if (f == NULL)
		return;
	fprintf(f, "%s %zu %" PRIu64 " ", what, n->index, local(n));
	for (size_t i = 0; i < ZP_MACHINE_RANDOM_LEN; i++)
		fprintf(f, "%02x", random[i]);
}

static void
wake(struct sim_world *w, uint64_t index, uint64_t at)
{
	struct sim_node *n = &w->node[index];
	uint8_t random[ZP_MACHINE_RANDOM_LEN];

	if (!n->alive || n->wake != at)
		return;
	n->wake = 0;
	prepare(n, "tick", random);
	if (schedule_of(n) != NULL)
		fputc('\n', w->schedule);
	if (zp_machine_tick(n->m, local(n), random) != ZP_OK)
		sim_broken(n, "a tick failed");
	after(n, false);
}

void
sim_rekey(struct sim_world *w, size_t node)
{
	struct sim_node *n = &w->node[node];
	uint8_t random[ZP_MACHINE_RANDOM_LEN];

	prepare(n, "rekey", random);
	if (schedule_of(n) != NULL)
		fputc('\n', w->schedule);
	if (zp_machine_rekey(n->m, local(n), random) != ZP_OK)
		sim_broken(n, "a rekey failed");
	after(n, false);
}

void
sim_deliver(struct sim_world *w, size_t to, const struct sim_record *r)
{
	struct sim_node *n = &w->node[to];
	uint8_t random[ZP_MACHINE_RANDOM_LEN];
	struct zp_machine_hello in = {.from = r->from,
	    .verdict = r->verdict,
	    .seq = r->seq,
	    .body = r->body,
	    .len = r->len};

	if (!n->alive)
		return;
	w->delivered++;
	memcpy(in.uid, r->uid, sizeof(in.uid));
	prepare(n, "hello", random);
	if (schedule_of(n) != NULL) {
		FILE *f = w->schedule;
		const uint8_t *who = (const uint8_t *)&r->from;
		fputc(' ', f);
		for (size_t i = 0; i < 95; i++)
			fprintf(f, "%02x", who[i]);
		fprintf(
		    f, " %s %d %" PRIu64 " ", r->uid, (int)r->verdict, r->seq);
		for (size_t i = 0; i < r->len; i++)
			fprintf(f, "%02x", r->body[i]);
		fprintf(f, "\n");
	}
	if (zp_machine_hello(n->m, local(n), random, &in) != ZP_OK)
		sim_broken(n, "a hello failed");
	after(n, false);
}

static const uint8_t sim_msgkey[ZP_KEY_LEN] = {1, 2, 3};

static void
schedule_new(struct sim_node *n, const struct zp_machine_config *c)
{
	FILE *f = schedule_of(n);
	const uint8_t *who = (const uint8_t *)&n->self;

	if (f == NULL)
		return;
	fprintf(f, "new %zu ", n->index);
	for (size_t i = 0; i < 95; i++)
		fprintf(f, "%02x", who[i]);
	fprintf(f, " %s %zu %d %zu %" PRIu32 " %zu", n->uid, c->max_members,
	    (int)c->fixed, c->min_members, c->timing->rekey,
	    c->allowed == NULL ? (size_t)999 : c->allowed_count);
	for (size_t i = 0; i < c->allowed_count; i++)
		fprintf(f, " %s", c->allowed[i]);
	fputc('\n', f);
}

/*
 * Colluders use their own wrong mixes: else they would find the sum wrong
 * themselves, and never come to show a tag.
 */
static const struct zp_group_ops *
group_of(const struct sim_node *n)
{
	if (n->w->rules.real_group)
		return &zp_group_ristretto;
	if (n->kind == SIM_COLLUDER)
		return n->index % 2 == 0 ? &sim_group_plus : &sim_group_minus;
	return &sim_group;
}

void
sim_start(struct sim_world *w, size_t node)
{
	struct sim_node *n = &w->node[node];
	uint8_t random[ZP_MACHINE_RANDOM_LEN];
	struct zp_machine_config c = {.msgkey = sim_msgkey,
	    .ops = group_of(n),
	    .timing = &w->rules.timing,
	    .max_members = w->rules.max_members,
	    .fixed = n->fixed,
	    .min_members = n->min_members,
	    .allowed = n->allowed,
	    .allowed_count = n->allowed_count,
	    .report = report,
	    .arg = n};

	fill(w, n->self.sid, sizeof(n->self.sid));
	c.self = n->self;
	memcpy(c.uid, n->uid, sizeof(c.uid));
	zp_machine_free(n->m);
	n->m = NULL;
	if (zp_machine_new(&n->m, &c) != ZP_OK)
		abort();
	n->alive = true;
	n->epoch++;
	n->wake = 0;
	n->born = w->now;
	n->session_born = w->now;
	n->had_current = false;
	n->settled = false;
	n->late = false;
	memset(n->last_view, 0, sizeof(n->last_view));
	n->last_phase = ZP_PHASE_ALONE;
	n->credit = 60000;
	n->credit_at = local(n);
	if (w->trace)
		printf("%9.3f %s starts\n", (double)w->now / 1000, n->uid);
	schedule_new(n, &c);
	prepare(n, "start", random);
	if (schedule_of(n) != NULL)
		fputc('\n', w->schedule);
	if (zp_machine_start(n->m, local(n), random) != ZP_OK)
		sim_broken(n, "a start failed");
	after(n, false);
}

void
sim_stop(struct sim_world *w, size_t node, bool leave)
{
	struct sim_node *n = &w->node[node];

	if (!n->alive)
		return;
	if (w->trace)
		printf("%9.3f %s %s\n", (double)w->now / 1000, n->uid,
		    leave ? "stops" : "crashes");
	if (leave) {
		zp_machine_stop(n->m, local(n));
		n->had_current = false;
		FILE *f = w->schedule;
		w->schedule = NULL;
		after(n, true);
		w->schedule = f;
	}
	n->alive = false;
}

/* ---- worlds ------------------------------------------------------------- */

void
sim_rules_default(struct sim_rules *r)
{
	memset(r, 0, sizeof(*r));
	r->delay_min = 20;
	r->delay_max = 400;
	r->tail = 0.2;
	r->timing = zp_machine_timing_default;
	r->timing.rekey = 0;
}

void
sim_init(
    struct sim_world *w, uint64_t seed, size_t n, const struct sim_rules *rules)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->rng = seed * 0x9e3779b97f4a7c15 + 1;
	w->rules = *rules;
	w->n = n;
	w->node = calloc(n, sizeof(*w->node));
	if (w->node == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		struct sim_node *x = &w->node[i];
		x->w = w;
		x->index = i;
		snprintf(x->uid, sizeof(x->uid), "u%02zu", i);
		fill(w, x->self.p, sizeof(x->self.p));
		if (rules->identities && sim_chance(w, 0.7))
			fill(w, x->self.idkey, sizeof(x->self.idkey));
		x->skew = 1;
		x->rate = 1000000;
		if (rules->skew) {
			x->skew = sim_between(w, 1, 1000000000);
			x->rate = sim_between(w, 990000, 1010000);
		}
	}
	sim_check_init(w);
}

void
sim_free(struct sim_world *w)
{
	for (size_t i = 0; i < w->events; i++)
		if (w->queue[i].record != NULL)
			sim_record_free(w->queue[i].record);
	for (size_t i = 0; i < w->kept_count; i++)
		sim_record_free(w->kept[i]);
	for (size_t i = 0; i < w->n; i++)
		zp_machine_free(w->node[i].m);
	sim_check_free(w);
	free(w->queue);
	free(w->kept);
	free(w->node);
}

void
sim_run(struct sim_world *w, uint64_t until)
{
	while (w->events > 0 && w->queue[0].at <= until && w->broken == NULL) {
		struct sim_event e = pop(w);
		w->now = e.at;
		if (e.record != NULL) {
			sim_deliver(w, e.a, e.record);
			sim_record_free(e.record);
		} else {
			e.act(w, e.a, e.b);
		}
	}
	w->now = until;
}

bool
sim_converged(const struct sim_world *w)
{
	const struct sim_node *first = NULL;
	size_t live = 0;

	for (size_t i = 0; i < w->n; i++)
		live += w->node[i].alive && w->node[i].kind == SIM_HONEST;
	if (live <= 1)
		return true;
	for (size_t i = 0; i < w->n; i++) {
		const struct sim_node *n = &w->node[i];
		if (!n->alive || n->kind != SIM_HONEST)
			continue;
		const struct zp_machine_conv *c = zp_machine_current(n->m);
		if (zp_machine_phase(n->m) != ZP_PHASE_DONE || c == NULL ||
		    c->n != live)
			return false;
		if (first == NULL)
			first = n;
		else if (memcmp(c->keys->id,
			     zp_machine_current(first->m)->keys->id,
			     sizeof(c->keys->id)) != 0)
			return false;
	}
	return true;
}

uint64_t
sim_until_converged(struct sim_world *w, uint64_t limit, uint64_t step)
{
	uint64_t from = w->now;

	while (w->now < from + limit && w->broken == NULL) {
		sim_run(w, w->now + step);
		if (sim_converged(w))
			return w->now - from;
	}
	return UINT64_MAX;
}
