#ifndef ZP_LIVE_H
#define ZP_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "mles/zp_mles_key.h"

/*
 * The keyed half of zpinc-pipe: lines of standard input become messages or
 * notes, those of others become lines of standard output, over any number of
 * relays, each a pair of pipes.  One loop; nothing in it waits but poll(2),
 * and every queue is bounded.  Says on stderr what goes on.
 */

/* Lines not sent yet, before standard input is no longer read. */
#define ZP_LIVE_WAITING 65536
/* A line is one body. */
#define ZP_LIVE_LINE_MAX 1048576

/* When lines may go out as notes, which whoever has the key can read. */
enum zp_live_notes {
	ZP_LIVE_ALONE, /* while nobody else was here since the start */
	ZP_LIVE_FALLBACK, /* whenever nobody else is here */
	ZP_LIVE_ALWAYS,
	ZP_LIVE_NEVER,
};

/* One relay, as our ends of its transport's pipes. */
struct zp_live_relay {
	int in, out; /* records come, go */
	const char *name; /* for messages; safe */
	bool tells; /* says #live when it can be heard */
	bool joins; /* is to be told first who we are: an Mles server */
};

struct zp_live_config {
	const char *tool;
	const struct zp_key *key; /* of suite zp1, or NULL */
	struct zp_mles_key *mles; /* of suite mles, or NULL */
	const char *channel; /* its name */
	const char *uid;
	const struct zp_identity *id; /* or NULL */
	const char *trust_path; /* NULL: the default */
	bool trust_new;
	const char *format; /* checked; NULL: the default */
	bool json, echo, listen, verbose, no_time;
	bool typing; /* suite mles: show what others have typed so far */
	enum zp_live_notes notes;
	uint64_t rekey; /* ms; 0: the default */
	const char *const *allowed; /* or NULL */
	size_t allowed_count;
	size_t max_members; /* of a conversation; 0: the default */
	size_t max_record;
	const char *state; /* a folder, or NULL */
	bool confine; /* must be confined */
	int said; /* at a terminal: zp_screen_new(); else 0 */
	const struct zp_live_relay *relays; /* at least one; borrowed */
	size_t n;
};

/*
 * Runs until the end of standard input, unless `listen`, or a signal (TERM,
 * INT, HUP); leaves; returns the exit status.  Confines itself once its files
 * are open.  SIGPIPE must be ignored.
 */
enum zp_exit
zp_live_run(const struct zp_live_config *config);

#endif
