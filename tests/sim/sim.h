#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/zp_machine.h"

/*
 * A world of members with virtual time: the machine of lib/proto under a
 * network that may do all that a relay may, with insiders who lie.  One seed
 * gives one history.
 */

/* What an insider does; it has the password and runs our machine otherwise. */
enum sim_kind {
	SIM_HONEST,
	SIM_NEUTRAL_SHARE,
	SIM_BAD_SHARE,
	SIM_NEUTRAL_MIX,
	SIM_BAD_MIX,
	SIM_TWO_SHARES, /* in time */
	SIM_FORKED_SHARE, /* another to each member */
	SIM_COPIED_SHARE,
	SIM_WRONG_MIX,
	SIM_COLLUDER, /* mixes whose errors cancel with the other's */
	SIM_WRONG_TAG,
	SIM_HALF_ACK, /* acks half of the members only */
	SIM_MUTE, /* says no more than its share */
	SIM_FUTURE_ACK, /* acks what was never sent, and hears nobody */
	SIM_HIGH_COUNTERS,
	SIM_NOISE, /* bodies with random bits flipped */
	SIM_FLAPPER, /* a new session every 3 s */
	SIM_FLOODER, /* sessions of ever new users */
	SIM_IMPOSTOR, /* speaks as another's session */
	SIM_THIEF, /* speaks under another's name with its own identity */
	SIM_PARTIAL, /* says its share to half of them, and no more */
	SIM_RETURNER, /* says LEAVE, and speaks on in the same session */
	SIM_KINDS,
};

extern const char *const sim_kind_name[SIM_KINDS];

struct sim_record {
	unsigned refs;
	struct zp_group_member from;
	char uid[ZP_NAME_MAX + 1];
	enum zp_err verdict;
	uint64_t seq;
	size_t id; /* in the order of sending */
	size_t len;
	uint8_t body[];
};

struct sim_convs; /* what the checker knows of conversations */
struct sim_views;

struct sim_node {
	struct sim_world *w;
	size_t index;
	enum sim_kind kind;
	struct zp_group_member self;
	char uid[ZP_NAME_MAX + 1];
	bool fixed;
	size_t min_members;
	const char *const *allowed;
	size_t allowed_count;
	struct zp_machine *m;
	bool alive;
	uint64_t skew; /* its clock is so far ahead of the world's */
	uint64_t rate; /* and runs so many millionths too fast, + 10^6 */
	uint64_t born; /* of its process, world time */
	uint64_t session_born;
	uint64_t wake; /* pending */
	uint64_t epoch; /* counts starts */
	/* For the checks. */
	bool had_current;
	bool told_current; /* in this step */
	uint8_t current[ZP_CONV_ID_LEN];
	uint64_t credit, credit_at; /* tokens, counted again, local time */
	size_t sent;
	size_t conversations, ended;
	size_t abandoned, impostors;
	bool settled, late;
	uint8_t last_view[ZP_GROUP_VIEW_LEN]; /* published */
	enum zp_machine_phase last_phase;
	uint8_t share[ZP_GROUP_ELEMENT_LEN]; /* insiders: shown last */
	uint64_t extra; /* insiders: state */
};

struct sim_rules {
	double loss; /* before `good` */
	double dup;
	double tail; /* before `good`: delay times ten */
	uint64_t delay_min, delay_max;
	uint64_t good; /* from then on every record arrives once */
	bool echo; /* the relay sends one's own records back */
	double replay; /* records kept for replays */
	bool real_group;
	bool identities;
	bool skew;
	size_t max_members;
	struct zp_machine_timing timing;
};

struct sim_event;

struct sim_world {
	uint64_t seed, rng;
	uint64_t now;
	struct sim_rules rules;
	struct sim_node *node;
	size_t n;
	struct sim_event *queue;
	size_t events, event_cap;
	uint64_t serial;
	/* Whether b sees what a sends now; NULL: yes. */
	bool (*sees)(struct sim_world *w, size_t a, size_t b);
	void *sees_arg;
	bool side[64];
	uint64_t cut_from, cut_to;
	struct sim_record **kept; /* for replays */
	size_t kept_count, kept_cap;
	size_t records, bytes, delivered;
	size_t abandoned, silent, two_values, refused;
	size_t keys_most;
	struct sim_convs *convs;
	struct sim_views *views;
	const char *broken; /* an invariant that did not hold */
	bool trace;
	FILE *schedule; /* every step, for the reference */
};

/* Random numbers of the world. */
uint64_t
sim_random(struct sim_world *w);
uint64_t
sim_between(struct sim_world *w, uint64_t low, uint64_t high);
bool
sim_chance(struct sim_world *w, double p);

void
sim_rules_default(struct sim_rules *r);
void
sim_init(struct sim_world *w, uint64_t seed, size_t n,
    const struct sim_rules *rules);
void
sim_free(struct sim_world *w);

void
sim_start(struct sim_world *w, size_t node);
void
sim_stop(struct sim_world *w, size_t node, bool leave);

/* Calls do(w, a, b) at a time. */
void
sim_at(struct sim_world *w, uint64_t at,
    void (*act)(struct sim_world *w, uint64_t a, uint64_t b), uint64_t a,
    uint64_t b);
void
sim_run(struct sim_world *w, uint64_t until);
void
sim_rekey(struct sim_world *w, size_t node);

/* All honest ones who are alive are in one conversation, and nobody else. */
bool
sim_converged(const struct sim_world *w);

/* Runs until then; returns the time that took, or UINT64_MAX. */
uint64_t
sim_until_converged(struct sim_world *w, uint64_t limit, uint64_t step);

/* Sends a record from a node to whom the network lets see it. */
void
sim_send(struct sim_world *w, size_t from, struct sim_record *r);
void
sim_deliver(struct sim_world *w, size_t to, const struct sim_record *r);
struct sim_record *
sim_record_new(
    struct sim_node *n, uint64_t seq, const uint8_t *body, size_t len);
void
sim_record_free(struct sim_record *r);

/* An insider's turn on what its machine says; may change it or send more. */
void
sim_rogue(struct sim_world *w, struct sim_node *n, struct sim_record **r);
/* And for each recipient. */
struct sim_record *
sim_rogue_for(
    struct sim_world *w, struct sim_node *n, struct sim_record *r, size_t to);

/* Invariants. */
void
sim_check_init(struct sim_world *w);
void
sim_check_free(struct sim_world *w);
void
sim_check_event(struct sim_node *n, const struct zp_machine_event *ev);
void
sim_check_step(struct sim_node *n);
void
sim_check_sent(struct sim_node *n, const uint8_t *body, size_t len, bool leave);
void
sim_broken(struct sim_node *n, const char *what);

void
sim_trace_event(const struct sim_node *n, const struct zp_machine_event *ev);
void
sim_trace_hello(const struct sim_node *n, const uint8_t *body, size_t len);

#endif
