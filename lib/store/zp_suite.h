#ifndef ZP_SUITE_H
#define ZP_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_io.h"
#include "crypt/zp_identity.h"
#include "proto/zp_format.h"
#include "proto/zp_replay.h"
#include "wire/zp_record.h"

/* Which protocol a key is for; the word in key files. */
enum zp_suite {
	ZP_SUITE_ZP1, /* "zp1": zpinc(7) */
	ZP_SUITE_MLES, /* "mles": the MlesTalk suite, zpinc-mles(7) */
};

/* Bytes of a channel's or user's name in any suite; no NUL counted. */
#define ZP_SUITE_NAME_MAX 1024

/* Characters of a topic, and a NUL. */
#define ZP_SUITE_TOPIC_MAX 2048

struct zp_keyfile;
struct zp_fault;
struct zp_speaker;
struct zp_listener;

/* What not every suite can do. */
enum {
	ZP_SUITE_RANDOM = 1, /* a key may be random, not a password's */
	ZP_SUITE_WORK = 2, /* the work of deriving may be chosen */
	ZP_SUITE_SIGNS = 4, /* records may be signed */
	ZP_SUITE_NUMBERS = 8, /* bodies are numbered, over several runs */
	ZP_SUITE_UNTIMED = 16, /* the time may be withheld */
	ZP_SUITE_PARTS = 32, /* a body of any length, in parts */
	ZP_SUITE_FILES = 64, /* files with a media type */
	ZP_SUITE_FIXED = 128, /* conversations that are files */
};

/* Who speaks, and how. */
struct zp_speaking {
	const struct zp_keyfile *kf; /* borrowed */
	const char *uid; /* of a channel's key */
	const struct zp_identity *id; /* NULL: unsigned; borrowed */
	const uint8_t *sid; /* ZP_SID_LEN random bytes */
	size_t max_record; /* characters of a record, with ZP_SUITE_PARTS */
	const char *file; /* -w sends a file of this media type; or NULL */
};

/* What a record that was opened is. */
enum zp_heard_what {
	ZP_HEARD_BODY, /* a body, or a part of one */
	ZP_HEARD_TYPING, /* what somebody has typed so far */
	ZP_HEARD_NOTHING, /* a hello, presence: nothing to show */
	ZP_HEARD_UNKNOWN, /* of a kind that this version does not know */
};

/* Valid until the listener's next record. */
struct zp_heard {
	enum zp_heard_what what;
	const char *uid; /* NUL ended */
	uint64_t time; /* ms since 1970, the sender's claim; 0: withheld */
	const uint8_t *idkey; /* whose signature was verified, or NULL */
};

enum zp_again {
	ZP_AGAIN_NEW,
	ZP_AGAIN_RESTORED, /* new under an old number: shown, with a word */
	ZP_AGAIN_SHOWN, /* seen before */
	ZP_AGAIN_TOO_OLD, /* too old to tell */
	ZP_AGAIN_AHEAD, /* dated so far ahead that it could come again then */
	ZP_AGAIN_RELABELLED, /* was said by somebody else */
};

/* A body, or a piece of one; what.identity is the caller's to set. */
struct zp_piece_shown {
	struct zp_shown what;
	bool begins, ends;
	bool restored; /* ZP_AGAIN_RESTORED; only if zp_listening asks */
};

/* Whom a listener tells. */
struct zp_listening {
	const struct zp_keyfile *kf; /* borrowed */
	bool stream; /* pieces as they come, not whole bodies */
	bool restored; /* look whether a piece is */
	/* A body will never be whole; begun: some of it was given out. */
	void (*lost)(void *arg, const char *uid, uint64_t time, enum zp_err why,
	    bool begun);
	void *arg;
};

/*
 * All that differs between the suites.  The tools know no more of a suite
 * than this; a further one is another table and a line in zp_suite_ops().
 */
struct zp_suite_ops {
	enum zp_suite suite;
	const char *word;
	uint8_t code; /* in exported keys */
	unsigned can; /* bits of the above */
	unsigned work; /* log2 of scrypt's N unless chosen */
	/* Said once when a key is made; NULL: nothing to warn of. */
	const char *const *warning; /* NULL behind the last line */

	/*
	 * Derive.  Fills kf (suite, key) with the channel's key from a
	 * password, at random (NULL without ZP_SUITE_RANDOM), or from what
	 * was kept.  ZP_ERR_PASSWORD, ZP_ERR_NAME, ZP_ERR_USAGE (work),
	 * ZP_ERR_MEMORY.
	 */
	enum zp_err (*derive)(struct zp_keyfile *kf, const uint8_t *password,
	    size_t len, const char *channel, unsigned work);
	enum zp_err (*random)(struct zp_keyfile *kf, const char *channel);
	enum zp_err (*load)(struct zp_keyfile *kf, const uint8_t *raw,
	    const char *channel, unsigned work);
	void (*free)(struct zp_keyfile *kf);
	/* The key as it is kept, 32 bytes, and its work. */
	const uint8_t *(*raw)(const struct zp_keyfile *kf);
	unsigned (*get_work)(const struct zp_keyfile *kf);
	/* May this be a channel's or user's name here? */
	bool (*is_name)(const char *name, size_t len);

	/*
	 * Pseudonyms.  What to subscribe to, NUL ended, as the suite's
	 * transports name it; live: the topic of hellos.  record: as it
	 * stands in a record.  False: there is no such topic.
	 */
	bool (*topic)(const struct zp_keyfile *kf, bool live, bool record,
	    char to[static ZP_SUITE_TOPIC_MAX]);
	/* How a user's name stands in a record, NUL ended. */
	enum zp_err (*pseudonym)(const struct zp_keyfile *kf, const char *uid,
	    char to[static ZP_SUITE_TOPIC_MAX]);

	/*
	 * Seal.  Makes a speaker, which the caller frees; ZP_ERR_NAME (uid),
	 * ZP_ERR_MEMORY.  number(): goes on with the numbers in a file
	 * (NULL without ZP_SUITE_NUMBERS; errors of zp_sendstate_open()).
	 */
	enum zp_err (*speak)(
	    struct zp_speaker **s, const struct zp_speaking *how);
	enum zp_err (*number)(
	    struct zp_speaker *s, const char *path, struct zp_fault *fault);
	void (*hush)(struct zp_speaker *s);
	/*
	 * n bodies are at hand: takes their numbers and draws nonces.  0 before
	 * every wait, so that no copy of the process repeats a nonce.
	 */
	enum zp_err (*expect)(
	    struct zp_speaker *s, uint64_t n, struct zp_fault *fault);
	/*
	 * Writes a whole body; time 0 withholds it.  ZP_ERR_TOO_LONG,
	 * ZP_ERR_FORMAT: not of what the suite can carry; nothing is
	 * written.  ZP_ERR_IO of out, ZP_ERR_ENDED, ZP_ERR_CLOCK,
	 * ZP_ERR_MEMORY.
	 */
	enum zp_err (*body)(struct zp_speaker *s, uint64_t time,
	    const void *body, size_t len, struct zp_out *out);
	/*
	 * A body piece by piece: parts of room() bytes, the last one of any
	 * length up to that.  expect(1) comes first.
	 */
	size_t (*room)(const struct zp_speaker *s);
	void (*begin)(struct zp_speaker *s, uint64_t time);
	enum zp_err (*part)(struct zp_speaker *s, const void *data, size_t len,
	    bool last, struct zp_out *out);
	/*
	 * All that `in` brings, up to `batch` bytes at a time, as parts behind
	 * the first; what is the last part is left in `in`.  Perhaps with a
	 * thread more.  *reading: whose error it is, in's or out's.  NULL:
	 * there is no such thing.
	 */
	enum zp_err (*stream)(struct zp_speaker *s, struct zp_in *in,
	    struct zp_out *out, size_t batch, bool *reading);

	/*
	 * Open.  Makes a listener, which the caller frees.  remember(): what
	 * has been shown is looked up and kept in r (NULL without
	 * ZP_SUITE_NUMBERS: the listener remembers by itself).
	 */
	enum zp_err (*listen)(
	    struct zp_listener **l, const struct zp_listening *how);
	void (*deafen)(struct zp_listener *l);
	void (*remember)(struct zp_listener *l, struct zp_replay *r);
	/*
	 * Opens a record: errors as zp_opener_open() tells them.  Then, if
	 * it is to be shown: again(); if new, add(), and next() until it is
	 * false, with shown() for each piece that ends.  now: any clock in
	 * ms that does not go back.  add(): ZP_ERR_FORMAT (contradicts its
	 * body), ZP_ERR_REPLAY (a part seen before), ZP_ERR_MEMORY.
	 */
	enum zp_err (*open)(struct zp_listener *l, const struct zp_record *rec,
	    struct zp_heard *heard);
	bool (*is_ours)(
	    const struct zp_listener *l, const struct zp_record *rec);
	enum zp_again (*again)(struct zp_listener *l);
	enum zp_err (*add)(struct zp_listener *l, uint64_t now);
	bool (*next)(struct zp_listener *l, struct zp_piece_shown *piece);
	enum zp_err (*shown)(struct zp_listener *l, uint64_t now);
	/* Nothing more comes: tells what was lost; then next(). */
	void (*end)(struct zp_listener *l, uint64_t now);

	/*
	 * The handshake is zp_presence.h's for ZP_SUITE_FIXED, else
	 * zp_mles_state.h's: the rules have nothing in common but the
	 * records they travel in.
	 */
};

const struct zp_suite_ops *
zp_suite_ops(enum zp_suite suite);

/* The tables; zp_suite_ops() finds them. */
extern const struct zp_suite_ops zp_suite_zp1;
extern const struct zp_suite_ops zp_suite_mles;

/* The suite of that word; ZP_ERR_USAGE. */
ZP_CHECKED enum zp_err
zp_suite_parse(const char *word, enum zp_suite *suite);

struct zp_lines;

/* Reads the `suite` line of a key file.  ZP_ERR_SUITE, ZP_ERR_FORMAT. */
ZP_CHECKED enum zp_err
zp_suite_read(struct zp_lines *l, enum zp_suite *suite, struct zp_fault *fault);

#endif
