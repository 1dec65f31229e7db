#ifndef ZP_MACHINE_IMPL_H
#define ZP_MACHINE_IMPL_H

#include "proto/zp_keyring.h"
#include "proto/zp_machine.h"
#include "proto/zp_roster.h"
#include "proto/zp_view.h"

/*
 * What a machine is made of, for the files that make it up and their tests.
 *
 *	zp_machine	steps and queries
 *	zp_greet	a hello comes in (zpinc(7), A hello arrives)
 *	zp_phase	views and runs (UPDATE to ABANDON)
 *	zp_voice	hellos go out (timers, tokens, SEND)
 *	zp_view, zp_roster, zp_keyring	the data under them
 */

#define ZP_NEVER UINT64_MAX
#define ZP_MACHINE_SESSIONS 256

struct zp_machine {
	/* As configured. */
	struct zp_machine_timing t;
	struct zp_view_rules rules;
	const struct zp_group_ops *ops;
	const uint8_t *msgkey;
	uint8_t rp[ZP_PSEUDONYM_LEN];
	bool fixed;
	bool restricted; /* there is a list of allowed users */
	size_t min_members;
	char (*allowed)[ZP_NAME_MAX + 1];
	size_t allowed_count;
	void (*report)(void *arg, const struct zp_machine_event *ev);
	void *arg;

	/* The step in hand. */
	uint64_t now;
	uint8_t *random; /* its random bytes; NULL outside */
	bool scalar_used;
	bool worn; /* our session must end: a new one begins */
	uint64_t jitter; /* state of the generator for spread times */
	bool send; /* a hello is to go out at its end */
	bool started, stopped;

	/* Who is there. */
	struct zp_roster roster;
	uint64_t *sets; /* memory of all sets below */
	uint64_t *heard, *near, *was_near;
	uint64_t *conv; /* in the current conversation */
	uint64_t *in, *choice; /* V, and one being made */
	uint64_t *published; /* the last view that was */
	uint64_t *listed; /* in the last hello we sent */
	uint64_t *pick; /* to be listed in the next */
	/* Whose last hello shows our view with Z, X, TAG, DONE. */
	uint64_t *shown[4];
	bool shown_fresh; /* these are of the view in hand */
	uint64_t *plane; /* scratch of zp_view_choose() */
	uint64_t roster_next; /* when sets change by time */
	uint64_t last_heard;
	uint64_t now_spoken; /* hellos sent, over all our sessions */

	/* The view. */
	struct zp_view_result view;
	uint8_t id[ZP_GROUP_VIEW_LEN];
	bool has_id;
	size_t *place; /* of member i of the view; n of them */
	struct zp_group_member *who; /* likewise */
	size_t n, me, who_cap;
	bool named; /* place, who and name are those of `in` */
	uint64_t named_gens; /* when generations were such */
	uint8_t name[ZP_GROUP_VIEW_LEN];
	bool has_published; /* since our gen was raised */
	bool has_published_id;
	uint8_t published_id[ZP_GROUP_VIEW_LEN];

	/* The run. */
	enum zp_machine_phase phase;
	struct zp_group_run *run;
	bool has_x, has_tag;
	uint8_t z[ZP_GROUP_ELEMENT_LEN];
	uint8_t x[ZP_GROUP_ELEMENT_LEN];
	uint8_t tag[ZP_GROUP_TAG_LEN];
	unsigned fails;
	bool all_done; /* every member of the view showed DONE */
	bool late, settled; /* reported */

	/* Timers: when, or ZP_NEVER. */
	uint64_t t_settle, t_run, t_rekey, t_fixed, t_keys;
	uint64_t t_answer, t_repeat, t_beat, t_wait;

	/* Our voice. */
	uint64_t seq; /* of the next hello */
	uint64_t *sent_at; /* ring, by seq, of sent_cap */
	size_t sent_cap;
	uint64_t sent_last;
	bool sent_any;
	uint64_t spacing; /* between the last hello and its repetition */
	uint64_t credit, credit_at; /* tokens, in ms */
	uint64_t notes, messages;
	uint64_t messages_now; /* for the hello after the next */
	bool to_say_done; /* no hello has said yet that we are done */
	struct zp_hello_entry *entry;
	size_t entry_cap;
	uint8_t *body;
	size_t body_cap, body_len;
	uint64_t body_seq;
	uint8_t body_sid[ZP_SID_LEN];
	bool body_ready;

	struct zp_keyring keys;
};

static inline struct zp_roster_session *
zp_machine_session(struct zp_machine *m, size_t place)
{
	return &m->roster.s[place];
}

/* A time from low to high, spread evenly enough for jitter. */
uint64_t
zp_machine_spread(struct zp_machine *m, uint64_t low, uint64_t high);

/* Tells the driver; place may be ZP_ROSTER_NONE. */
void
zp_machine_tell(struct zp_machine *m, enum zp_machine_event_kind kind,
    enum zp_err err, size_t place);

/* Whether a user may be in; the list is empty unless restricted. */
bool
zp_machine_allows(const struct zp_machine *m, const char *uid);

#endif
