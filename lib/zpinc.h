/*
 * libzpinc: end-to-end encrypted notes for programs, as zpinc-seal(1) and
 * zpinc-open(1) make and read them.  The formats: zpinc-record(5).
 *
 *	struct zpinc_key *key;
 *	struct zpinc_sender *sender;
 *
 *	if (zpinc_init() != 0 ||
 *	    zpinc_key_load(&key, "keys/ops.key") != 0 ||
 *	    zpinc_sender_new(&sender, key, "db1", NULL, 0) != 0)
 *		...
 *	zpinc_seal(sender, "disk full", 9, zpinc_now(), publish, relay);
 *
 * Link with libzpinc.a and libsodium: pkg-config --static --libs zpinc.
 * All functions that return int return 0, or one of the numbers below, which
 * zpinc_strerror() puts into words.  No function prints, exits or keeps
 * state of its own; objects are for one thread at a time.  Names that do not
 * begin with zpinc_ are not part of this interface.
 */
#ifndef ZPINC_H
#define ZPINC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZPINC_API 1

enum {
	ZPINC_OK = 0,
	ZPINC_ENOMEM = 1,
	ZPINC_EIO = 2, /* a system call failed: errno */
	ZPINC_EINVAL = 3, /* an argument makes no sense */
	ZPINC_EKEY = 4, /* key or identity missing, damaged or not private */
	ZPINC_ENOTOURS = 5, /* nothing in it that the key opens */
	ZPINC_EREFUSED = 6, /* made with the key, and refused: forged sender,
			       wrong signature, malformed */
	ZPINC_EREPLAY = 7, /* opened before by this reader */
	ZPINC_ECUT = 8, /* parts contradict one another, or too long */
	ZPINC_ECALLBACK = 9 /* a callback returned non-zero */
};

/* Call first; harmless to repeat. */
int
zpinc_init(void);
const char *
zpinc_strerror(int error);

/* Milliseconds since 1970, for zpinc_seal(). */
uint64_t
zpinc_now(void);

/*
 * Keys: a file that zpinc-key(1) or zpinc-handshake(1) made, or a password.
 * work: 15 to 22, log2 of scrypt's N; 18 is what zpinc-key uses.
 */
struct zpinc_key;
int
zpinc_key_load(struct zpinc_key **key, const char *path);
int
zpinc_key_derive(struct zpinc_key **key, const void *password, size_t len,
    const char *channel, unsigned work);
void
zpinc_key_free(struct zpinc_key *key);

/* Valid as long as the key is.  The topic is what to subscribe to. */
const char *
zpinc_key_channel(const struct zpinc_key *key);
const char *
zpinc_key_topic(const struct zpinc_key *key);

/*
 * A sending session: one sid, numbers from 0.  uid: 1 to 31 bytes of UTF-8
 * without controls (with a conversation key NULL: its own).  identity: path
 * of an identity file, or NULL.  max_record: characters of a record, 1024
 * to 1048576; 0: 4095.  key is borrowed until free.
 */
struct zpinc_sender;
int
zpinc_sender_new(struct zpinc_sender **sender, const struct zpinc_key *key,
    const char *uid, const char *identity, size_t max_record);
void
zpinc_sender_free(struct zpinc_sender *sender);

/*
 * Seals a body of any length and hands each record over: len characters of
 * ASCII, then a newline and a NUL.  put returns 0 to go on.  time_ms: 0
 * withholds it.
 */
int
zpinc_seal(struct zpinc_sender *sender, const void *body, size_t len,
    uint64_t time_ms, int (*put)(void *arg, const char *record, size_t len),
    void *arg);

/* What was opened; all of it valid until the callback returns. */
struct zpinc_note {
	int kind; /* 1 note, 2 message of a conversation */
	const char *uid;
	uint64_t time_ms; /* the sender's claim; 0: withheld */
	uint64_t seq;
	const uint8_t *sid; /* 16 bytes: its sending session */
	const uint8_t *idkey; /* 32 bytes, verified; NULL: unsigned */
	const uint8_t *conversation; /* 16 bytes, or NULL */
	const uint8_t *body;
	size_t len;
};

/*
 * A reader of one key's records.  It joins parts and passes a body on once,
 * whole.  What it was in an earlier process it does not know: who must, keeps
 * (uid, sid, kind, seq).  Identities are verified, not compared with known
 * ones: compare idkey.  key is borrowed until free.
 */
struct zpinc_reader;
int
zpinc_reader_new(struct zpinc_reader **reader, const struct zpinc_key *key);
void
zpinc_reader_free(struct zpinc_reader *reader);

/*
 * Opens all records in a line (or any text), in whatever decoration.  take
 * returns 0 to go on.  0 if something was opened (perhaps a part whose body
 * is not whole yet); else what became of the last record, ZPINC_ENOTOURS if
 * there was none.
 */
int
zpinc_open(struct zpinc_reader *reader, const char *text, size_t len,
    int (*take)(void *arg, const struct zpinc_note *note), void *arg);

#ifdef __cplusplus
}
#endif

#endif
