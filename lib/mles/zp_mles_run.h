#ifndef ZP_MLES_RUN_H
#define ZP_MLES_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_group.h"
#include "mles/zp_mles_key.h"

/*
 * The rules of the MlesTalk handshake, such that the prototype's clients
 * reach forward secrecy with us, and without what makes them fail among
 * themselves, zpinc-mles(7):
 *
 * - Of two sids the lower one stays.  The prototype takes any other sid for
 *   its own, so two that speak at once swap theirs for ever; it adopts ours.
 * - The mix is sent only when every member's share is known and each has
 *   been heard since ours went out, and it is made anew for each frame.
 * - Mixes must cancel before there is a secret.  We acknowledge last: when
 *   all others have, or when all were heard twice.
 *   The prototype's acknowledgements name no secret, so this keeps a member
 *   with a wrong one from going over to it.
 * - Without progress, or when a member that it waits for fell silent, the
 *   run starts again under a new, lower sid, which makes every prototype
 *   forget members that left.
 * - A new member means a new scalar, as a mix that reaches further neighbours
 *   would give away an earlier secret.
 *
 * Nothing here draws random bytes, reads a clock or seals.
 */

struct zp_mles_member {
	struct zp_mles_name name;
	bool has_z, has_x;
	bool ack; /* its last frame said that it has a secret */
	bool confirmed; /* a frame of its opened under the conversation's key */
	bool since; /* heard since our share went out */
	uint8_t z[ZP_MLES_POINT_LEN], x[ZP_MLES_POINT_LEN];
	unsigned heard; /* frames since members, shares or mixes changed */
	unsigned calm; /* frames since anything made progress */
	unsigned total; /* frames since the last secure conversation */
	int64_t time; /* the latest time it claimed */
	unsigned stale; /* frames in a row that claimed to be older */
	int64_t last; /* when it was last heard, by our clock */
};

/* All secrets of a run; one piece of secret memory. */
struct zp_mles_secrets {
	struct zp_mles_group group;
	struct zp_mles_layer conv;
	struct zp_mles_layer old[2]; /* of conversations that ended */
};

struct zp_mles_run {
	const struct zp_mles_name *me; /* not owned */
	struct zp_mles_layer *password; /* not owned */
	struct zp_mles_secrets *secrets; /* not owned */
	uint8_t sid[ZP_MLES_SID_LEN];
	uint8_t x[ZP_MLES_POINT_LEN];
	bool has_sid;
	bool has_z, z_sent; /* own share */
	bool has_x; /* own mix, or with two members: it may be sent */
	bool used; /* y has gone into a mix or a secret */
	bool has_secret;
	bool spoken; /* since there is a secret */
	bool ack_sent, acked;
	bool sealed; /* a frame of ours went out under the secret */
	bool restart; /* the next frame begins a new sid */
	bool has_old[2];
	unsigned calm, total; /* own frames, as a member's */
	unsigned restarts; /* since the last secure conversation */
	size_t n;
	struct zp_mles_member member[ZP_MLES_MEMBERS_MAX - 1];
	struct zp_mles_ring ring; /* scratch */
};

enum zp_mles_use { ZP_MLES_PASSWORD, ZP_MLES_CONVERSATION, ZP_MLES_OLD };

/* What hearing a frame showed; several may hold. */
#define ZP_MLES_NEWS 1 /* something made progress */
#define ZP_MLES_RELABELLED 2 /* carries another member's share, or ours */
#define ZP_MLES_STALE 4 /* older than what this member said before */
#define ZP_MLES_POINT 8 /* a share or mix is none */
#define ZP_MLES_CROWD 16 /* more members than we can take */
#define ZP_MLES_MEMBER 32 /* a new member */
#define ZP_MLES_OTHER_SID 64 /* of another run than ours */
#define ZP_MLES_LEFT 128 /* said farewell */

/*
 * Flags of a farewell, which the prototype takes for presence.  Who hears it
 * begins a new run: every prototype then forgets the member that left, and
 * nobody waits for it.
 */
#define ZP_MLES_FAREWELL (ZP_MLES_FULL | ZP_MLES_PRESENCE | ZP_MLES_LAST)

void
zp_mles_run_init(struct zp_mles_run *r, const struct zp_mles_name *me,
    struct zp_mles_layer *password, struct zp_mles_secrets *secrets);

/*
 * A frame of another member that opened with a key of this use.  `now` in
 * ms of any steady clock.  Returns the bits above.
 */
unsigned
zp_mles_run_hear(struct zp_mles_run *r, const struct zp_mles_name *from,
    const struct zp_mles_frame *f, enum zp_mles_use use, int64_t now);

/* A frame under a member's name that none of our keys opens. */
void
zp_mles_run_dark(struct zp_mles_run *r, const struct zp_mles_name *from);

/* A frame out of stored history: only its sid counts. */
void
zp_mles_run_history(struct zp_mles_run *r, const struct zp_mles_frame *f);

/*
 * What our next frame carries: sets sid, keys (64 bytes at `keys`) and the
 * two flags of the handshake.  `random` is 64 bytes for a scalar, 16 for
 * a sid.  *use: ZP_MLES_CONVERSATION if it may be sealed with
 * secrets->conv; the caller may seal any frame with the password's key.
 * ZP_ERR_POINT if the random bytes are unusable.
 */
#define ZP_MLES_RUN_RANDOM (ZP_MLES_RANDOM_LEN + 2 * ZP_MLES_SID_LEN)
ZP_CHECKED enum zp_err
zp_mles_run_speak(struct zp_mles_run *r, struct zp_mles_frame *f,
    uint8_t keys[static ZP_MLES_KEYS_MAX],
    const uint8_t random[static ZP_MLES_RUN_RANDOM], enum zp_mles_use *use);

/* The frame made last went out under the conversation's key. */
void
zp_mles_run_sealed(struct zp_mles_run *r);

/*
 * Every member was heard under the conversation's key, and every member
 * could hear us under it: the only confirmation that the format offers.
 */
bool
zp_mles_run_secure(const struct zp_mles_run *r);

/*
 * If there is no secure conversation, and a member was silent for longer
 * than `silent` ms while another one was not: drops it and starts again.
 * Returns true and its name if so.
 */
bool
zp_mles_run_expire(struct zp_mles_run *r, int64_t now, int64_t silent,
    struct zp_mles_name *gone);

/* Forgets the keys of conversations that ended. */
void
zp_mles_run_forget(struct zp_mles_run *r);

#endif
