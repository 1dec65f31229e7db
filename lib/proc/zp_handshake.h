#ifndef ZP_HANDSHAKE_H
#define ZP_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_conv.h"
#include "crypt/zp_group.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "store/zp_convfile.h"
#include "store/zp_known.h"

/*
 * The keyed half of zpinc-handshake: makes one fixed conversation with other
 * zpinc-handshakes, over descriptors.  Says on stderr what goes on.
 */

/* One relay, as a pair of descriptors: records come and go, one a line. */
struct zp_handshake_link {
	int in, out;
	const char *name; /* for messages; safe; NULL: stdin and stdout */
	bool tells; /* says #live when it can be heard: wait for that */
};

struct zp_handshake_config {
	const char *tool;
	const struct zp_key *key;
	const char *uid;
	const struct zp_identity *id; /* or NULL */
	struct zp_known *known;
	/* Exactly these, besides us (allowed != NULL), or at least so many. */
	const char *const *allowed;
	size_t allowed_count;
	size_t min_members;
	uint64_t timeout; /* ms; 0: none */
	bool verbose;
	const struct zp_group_ops *ops; /* NULL: zp_group_ristretto */
	const struct zp_handshake_link *links; /* at least one; borrowed */
	size_t n;
};

struct zp_handshake_made {
	struct zp_convfile *file; /* the caller's to free */
	char safety[ZP_CONV_SAFETY_TEXT_LEN + 1];
};

/*
 * Runs until the conversation is made (ZP_OK: *made is set) or cannot be.
 * Either way the members have been told that we leave, and why it failed has
 * been said: TIMEOUT (also for a signal, and for two sessions of a user that
 * was asked for once), LATE, RELAY (nothing can be heard any more), or what
 * zp_presence_new() fails with.
 *
 * The descriptors are used with poll(): a hello goes out when `out` takes it,
 * in one write of at most 4,096 bytes (PIPE_BUF), so that none is torn and no
 * relay holds up another.  SIGPIPE must be ignored.
 */
ZP_CHECKED enum zp_err
zp_handshake_run(
    const struct zp_handshake_config *config, struct zp_handshake_made *made);

#endif
