#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_hash.h"
#include "proto/zp_machine_impl.h"
#include "sim.h"
#include "wire/zp_hello.h"

/* ---- facts: a set of hashes, each with a value -------------------------- */

struct fact {
	uint8_t key[16];
	uint8_t value[32];
	bool there;
};

struct sim_views {
	struct fact *fact;
	size_t n, cap;
};

static struct fact *
seek(struct sim_views *v, const uint8_t key[static 16])
{
	size_t i = zp_be64(key) & (v->cap - 1);

	while (v->fact[i].there && memcmp(v->fact[i].key, key, 16) != 0)
		i = (i + 1) & (v->cap - 1);
	return &v->fact[i];
}

static void
grow(struct sim_views *v)
{
	struct sim_views more = {.cap = v->cap == 0 ? 256 : 4 * v->cap};

	more.fact = calloc(more.cap, sizeof(*more.fact));
	if (more.fact == NULL)
		abort();
	for (size_t i = 0; i < v->cap; i++)
		if (v->fact[i].there)
			*seek(&more, v->fact[i].key) = v->fact[i];
	more.n = v->n;
	free(v->fact);
	*v = more;
}

/* What is known under (what, a, b); stores `value` if nothing is. */
static const uint8_t *
learn(struct sim_world *w, char what, const void *a, size_t a_len,
    const void *b, size_t b_len, const uint8_t *value, bool *fresh)
{
	struct sim_views *v = w->views;
	uint8_t in[1 + 96], key[16];

	in[0] = (uint8_t)what;
	memcpy(in + 1, a, a_len);
	memcpy(in + 1 + a_len, b, b_len);
	zp_hash(key, sizeof(key), NULL, 0, "sim fact", in, 1 + a_len + b_len);
	if (2 * v->n >= v->cap)
		grow(v);
	struct fact *f = seek(v, key);
	*fresh = !f->there;
	if (!f->there && value != NULL) {
		f->there = true;
		memcpy(f->key, key, sizeof(key));
		memcpy(f->value, value, sizeof(f->value));
		v->n++;
	}
	return f->value;
}

static const uint8_t nothing[32];

static bool
agree(struct sim_world *w, char what, const void *a, size_t len,
    const uint8_t value[static 32])
{
	bool fresh;
	const uint8_t *known = learn(w, what, a, len, "", 0, value, &fresh);

	return memcmp(known, value, 32) == 0;
}

void
sim_check_init(struct sim_world *w)
{
	w->views = calloc(1, sizeof(*w->views));
	if (w->views == NULL)
		abort();
}

void
sim_check_free(struct sim_world *w)
{
	free(w->views->fact);
	free(w->views);
}

void
sim_broken(struct sim_node *n, const char *what)
{
	if (n->kind != SIM_HONEST || n->w->broken != NULL)
		return;
	n->w->broken = what;
	printf("# seed %" PRIu64 ", %.3f s, %s: %s\n", n->w->seed,
	    (double)n->w->now / 1000, n->uid, what);
}

/* ---- conversations ------------------------------------------------------ */

static bool
holds_key(const struct sim_node *n, const uint8_t *id)
{
	for (size_t i = 0; i < zp_machine_keys(n->m); i++)
		if (memcmp(zp_machine_key(n->m, i)->keys->id, id,
			ZP_CONV_ID_LEN) == 0)
			return true;
	return false;
}

static const struct sim_node *
node_of(const struct sim_world *w, const struct zp_group_member *who)
{
	for (size_t i = 0; i < w->n; i++)
		if (memcmp(w->node[i].self.p, who->p, sizeof(who->p)) == 0 &&
		    memcmp(w->node[i].self.sid, who->sid, sizeof(who->sid)) ==
			0)
			return &w->node[i];
	return NULL;
}

/* Every other member made a tag in this very view, and can open records. */
static void
check_members(struct sim_node *n, const struct zp_machine_conv *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct zp_member *m = &c->members[i];
		bool fresh;
		if (i == c->me)
			continue;
		learn(n->w, 't', m->mid, sizeof(m->mid), c->view,
		    sizeof(c->view), NULL, &fresh);
		if (fresh)
			sim_broken(n, "a ghost is in a conversation");
		const struct sim_node *o = node_of(n->w, &m->who);
		if (o == NULL || !o->alive || o->kind != SIM_HONEST)
			continue;
		if (!holds_key(o, c->keys->id))
			sim_broken(n, "a member lacks the key");
	}
	if (memcmp(c->members[c->me].who.sid, n->self.sid, ZP_SID_LEN) != 0)
		sim_broken(n, "we are not in our conversation");
}

static void
check_conversation(struct sim_node *n, const struct zp_machine_conv *c)
{
	struct sim_world *w = n->w;
	uint8_t id[32] = {0}, list[32];
	uint8_t *all = malloc(c->n * ZP_GROUP_MID_LEN);

	for (size_t i = 0; i < c->n; i++) {
		memcpy(all + i * ZP_GROUP_MID_LEN, c->members[i].mid,
		    ZP_GROUP_MID_LEN);
		const struct sim_node *o = node_of(w, &c->members[i].who);
		if (o != NULL && o->kind == SIM_THIEF)
			sim_broken(n, "a refused identity got in");
		if (o != NULL && o->kind == SIM_WRONG_TAG)
			sim_broken(n, "a wrong tag was taken");
	}
	zp_hash(list, sizeof(list), c->keys->key, sizeof(c->keys->key),
	    "sim list", all, c->n * ZP_GROUP_MID_LEN);
	free(all);
	memcpy(id, c->keys->id, sizeof(c->keys->id));
	if (!agree(w, 'v', c->view, sizeof(c->view), id) ||
	    !agree(w, 'i', id, sizeof(id), c->view) ||
	    !agree(w, 'l', id, sizeof(id), list))
		sim_broken(n, "members disagree on a conversation");
	check_members(n, c);
}

void
sim_check_event(struct sim_node *n, const struct zp_machine_event *ev)
{
	if (ev->kind == ZP_EVENT_CONVERSATION && n->kind == SIM_HONEST)
		check_conversation(n, ev->conv);
	if (ev->kind == ZP_EVENT_CONVERSATION ||
	    ev->kind == ZP_EVENT_CONVERSATION_END)
		n->told_current = true;
}

/* ---- what goes out ------------------------------------------------------ */

void
sim_check_sent(struct sim_node *n, const uint8_t *body, size_t len, bool leave)
{
	struct zp_hello h;
	uint8_t mid[ZP_GROUP_MID_LEN];
	uint64_t at = n->m->now;
	bool fresh;

	if (zp_hello_parse(&h, body, len, ZP_HELLO_ENTRIES_MAX) != ZP_OK) {
		sim_broken(n, "a hello of ours is malformed");
		return;
	}
	n->credit += at - n->credit_at;
	n->credit_at = at;
	if (n->credit > 60000)
		n->credit = 60000;
	if (!leave && n->credit < 3000)
		sim_broken(n, "more hellos than the cap allows");
	n->credit -= leave ? 0 : 3000;
	zp_group_mid(&n->self, mid);
	if ((h.flags & ZP_HELLO_TAG) != 0)
		learn(n->w, 't', mid, sizeof(mid), h.view, sizeof(h.view),
		    nothing, &fresh);
	if ((h.flags & ZP_HELLO_Z) == 0 ||
	    memcmp(n->last_view, h.view, sizeof(h.view)) == 0)
		return;
	memcpy(n->last_view, h.view, sizeof(h.view));
	learn(n->w, 'p', mid, sizeof(mid), h.view, sizeof(h.view), nothing,
	    &fresh);
	if (!fresh)
		sim_broken(n, "a view id came twice in a session");
}

/* ---- after each step ---------------------------------------------------- */

/* Online is only who lived when a recent hello of ours went out. */
static void
check_near(struct sim_node *n)
{
	struct zp_machine_peer p;

	for (size_t i = 1; i < zp_machine_places(n->m); i++) {
		if (!zp_machine_peer(n->m, i, &p) || !p.near)
			continue;
		const struct sim_node *o = node_of(n->w, &p.member->who);
		if (o != NULL && o->alive)
			continue;
		if (n->m->now - p.acks_sent_at > n->m->t.stale ||
		    n->m->now - p.at > n->m->t.gone)
			sim_broken(n, "a ghost is shown as online");
	}
}

static void
check_current(struct sim_node *n)
{
	const struct zp_machine_conv *c = zp_machine_current(n->m);
	bool same = (c != NULL) == n->had_current &&
	    (c == NULL ||
		memcmp(c->keys->id, n->current, sizeof(n->current)) == 0);

	if (!same && !n->told_current)
		sim_broken(n, "a conversation ended or began in silence");
	if (c != NULL && !c->confirmed)
		sim_broken(n, "an unconfirmed key is current");
	n->told_current = false;
	n->had_current = c != NULL;
	if (c != NULL)
		memcpy(n->current, c->keys->id, sizeof(n->current));
}

void
sim_check_step(struct sim_node *n)
{
	const struct zp_machine *m = n->m;
	const size_t sessions = m->roster.limit;

	check_current(n);
	if (m->stopped)
		return;
	/* What looks at everybody is looked at now and then if they are many.
	 */
	if (n->w->n > 64 && n->w->serial % (n->w->n * n->w->n / 64) != 0)
		return;
	if (n->w->n <= 16 || n->w->n > 64 || (n->w->serial & 15) == 0)
		check_near(n);
	if (zp_machine_keys(m) > n->w->keys_most)
		n->w->keys_most = zp_machine_keys(m);
	if (zp_machine_keys(m) > ZP_MACHINE_KEYS ||
	    m->roster.count > sessions || m->roster.flaps > sessions ||
	    zp_machine_memory(m) > 65536 +
		    sessions *
			(1024 + sessions / 4 +
			    (m->rules.max_members + ZP_HELLO_SPARE) *
				ZP_GROUP_MID_LEN) +
		    ZP_MACHINE_KEYS * m->rules.max_members * 160)
		sim_broken(n, "state grew beyond its bound");
	if (m->phase >= ZP_PHASE_SHARE && m->phase <= ZP_PHASE_CONFIRM &&
	    (m->t_run == ZP_NEVER || m->t_repeat == ZP_NEVER) &&
	    m->t_wait == ZP_NEVER)
		sim_broken(n, "a run without a timer");
}
