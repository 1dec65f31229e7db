#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "proto/zp_machine_impl.h"
#include "sim.h"
#include "sim_group.h"
#include "wire/zp_hello.h"

const char *const sim_kind_name[SIM_KINDS] = {
    "honest",
    "a neutral share",
    "a share that is no point",
    "a neutral mix",
    "a mix that is no point",
    "two shares, one after the other",
    "another share to each member",
    "another's share, copied",
    "a wrong mix",
    "two wrong mixes that cancel",
    "a wrong tag",
    "acknowledges half of the members",
    "silent after its share",
    "acknowledges what was never sent",
    "counters near their end",
    "flipped bits",
    "a new session every 3 s",
    "a flood of new sessions",
    "speaks as another's session",
    "another's name, with its own identity",
    "its share to half of the members, and no more",
    "says that it leaves, and speaks on",
};

static void
noise(struct sim_world *w, uint8_t *e)
{
	for (size_t i = 0; i < 32; i += 8)
		zp_be64_put(e + i, sim_random(w));
}

static void
random_point(struct sim_world *w, uint8_t *e)
{
	sim_group_put(e, sim_between(w, 1, SIM_GROUP_P - 1));
}

static void
copy_share(struct sim_node *n, struct zp_hello *h)
{
	const struct zp_roster *r = &n->m->roster;

	for (size_t i = 1; i < r->cap; i++)
		if (r->s[i].taken && (r->s[i].flags & ZP_HELLO_Z) != 0 &&
		    memcmp(r->s[i].view, h->view, sizeof(h->view)) == 0)
			memcpy(h->z, r->s[i].z, sizeof(h->z));
}

static void
spoil_share(struct sim_world *w, struct sim_node *n, struct zp_hello *h)
{
	if ((h->flags & ZP_HELLO_Z) == 0)
		return;
	switch ((int)n->kind) {
	case SIM_NEUTRAL_SHARE:
		memset(h->z, 0, sizeof(h->z));
		break;
	case SIM_BAD_SHARE:
		memset(h->z, 0xff, sizeof(h->z));
		break;
	case SIM_TWO_SHARES:
	case SIM_FORKED_SHARE:
		random_point(w, h->z);
		break;
	case SIM_COPIED_SHARE:
		copy_share(n, h);
		break;
	case SIM_MUTE:
	case SIM_PARTIAL:
		h->flags &=
		    (uint8_t) ~(ZP_HELLO_X | ZP_HELLO_TAG | ZP_HELLO_DONE);
		break;
	default:
		break;
	}
}

static void
spoil_mix(struct sim_world *w, struct sim_node *n, struct zp_hello *h)
{
	if ((h->flags & ZP_HELLO_X) == 0)
		return;
	switch ((int)n->kind) {
	case SIM_NEUTRAL_MIX:
		memset(h->x, 0, sizeof(h->x));
		break;
	case SIM_BAD_MIX:
		memset(h->x, 0xff, sizeof(h->x));
		break;
	case SIM_WRONG_MIX:
		/* One wrong value for each view: nothing contradicts it. */
		sim_group_put(h->x,
		    sim_group_add(
			sim_group_get(h->x), sim_group_error(h->view)));
		break;
	default:
		break;
	}
	(void)w;
}

static void
spoil_rest(struct sim_node *n, struct zp_hello *h, struct zp_hello_entry *e)
{
	uint16_t kept = 0;

	switch ((int)n->kind) {
	case SIM_WRONG_TAG:
		if ((h->flags & ZP_HELLO_TAG) != 0)
			h->tag[0] ^= 1;
		break;
	case SIM_HALF_ACK:
		for (uint16_t i = 0; i < h->count; i++)
			if ((e[i].mid[0] & 1) == 0)
				e[kept++] = e[i];
		h->count = kept;
		break;
	case SIM_FUTURE_ACK:
		for (uint16_t i = 0; i < h->count; i++)
			e[i].ack = UINT64_MAX - i;
		break;
	case SIM_RETURNER:
		if (n->extra++ % 4 == 3)
			h->flags |= ZP_HELLO_LEAVE;
		break;
	case SIM_HIGH_COUNTERS:
		h->gen = UINT32_MAX;
		h->notes = UINT64_MAX;
		h->messages = UINT64_MAX;
		break;
	default:
		break;
	}
}

static struct sim_record *
rewrite(struct sim_world *w, struct sim_node *n, const struct sim_record *r)
{
	static struct zp_hello_entry e[ZP_HELLO_ENTRIES_MAX];
	static uint8_t body[ZP_HELLO_LEN(ZP_HELLO_ENTRIES_MAX)];
	struct zp_hello h;
	size_t len;

	if (zp_hello_parse(&h, r->body, r->len, ZP_HELLO_ENTRIES_MAX) != ZP_OK)
		abort();
	for (uint16_t i = 0; i < h.count; i++)
		zp_hello_entry(&h, i, &e[i]);
	h.entries = e;
	spoil_share(w, n, &h);
	spoil_mix(w, n, &h);
	spoil_rest(n, &h, e);
	if (zp_hello_write(&h, body, sizeof(body), &len) != ZP_OK)
		abort();
	struct sim_record *x = sim_record_new(n, r->seq, body, len);
	w->records--;
	x->from = r->from;
	x->verdict = r->verdict;
	return x;
}

void
sim_rogue(struct sim_world *w, struct sim_node *n, struct sim_record **r)
{
	struct sim_record *x = rewrite(w, n, *r);

	sim_record_free(*r);
	*r = x;
	if (n->kind == SIM_THIEF)
		x->verdict = ZP_ERR_CHANGED;
	if (n->kind == SIM_HIGH_COUNTERS)
		x->seq += ZP_SEQ_MAX - 50;
	if (n->kind == SIM_NOISE && x->len > 0)
		for (int i = 0; i < 3; i++)
			if (sim_chance(w, 0.3))
				x->body[sim_random(w) % x->len] ^=
				    (uint8_t)(1u << (sim_random(w) % 8));
	(void)noise;
}

/* Its hello as it was before there was a share. */
static struct sim_record *
without_share(const struct sim_record *r, struct sim_node *n)
{
	struct sim_record *x = sim_record_new(n, r->seq, r->body, r->len);

	n->w->records--;
	x->from = r->from;
	x->body[0] &=
	    (uint8_t) ~(ZP_HELLO_Z | ZP_HELLO_X | ZP_HELLO_TAG | ZP_HELLO_DONE);
	x->len -= 64;
	memmove(x->body + ZP_HELLO_HEAD_LEN, x->body + ZP_HELLO_HEAD_LEN + 64,
	    x->len - ZP_HELLO_HEAD_LEN);
	return x;
}

struct sim_record *
sim_rogue_for(
    struct sim_world *w, struct sim_node *n, struct sim_record *r, size_t to)
{
	struct zp_hello h;

	if ((n->kind != SIM_FORKED_SHARE && n->kind != SIM_PARTIAL) ||
	    r->len < 96 ||
	    zp_hello_parse(&h, r->body, r->len, ZP_HELLO_ENTRIES_MAX) !=
		ZP_OK ||
	    (h.flags & ZP_HELLO_Z) == 0)
		return r;
	if (n->kind == SIM_PARTIAL)
		return to % 2 == 0 ? r : without_share(r, n);
	struct sim_record *x = sim_record_new(n, r->seq, r->body, r->len);
	w->records--;
	x->from = r->from;
	/* The same one to this member for the whole view. */
	sim_group_put(
	    x->body + 56, 1 + (zp_be64(h.view) + 77 * to) % (SIM_GROUP_P - 1));
	return x;
}
