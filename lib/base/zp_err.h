#ifndef ZP_ERR_H
#define ZP_ERR_H

/* What a fallible function of this library returns.  ZP_OK is 0. */
enum zp_err {
	ZP_OK = 0,
	/* the machine */
	ZP_ERR_MEMORY, /* no memory */
	ZP_ERR_IO, /* a system call failed; errno says why */
	ZP_ERR_CLOCK, /* the clock stands before 1970 */
	ZP_ERR_LOCKED, /* another process holds the lock */
	ZP_ERR_CONFINE, /* the kernel refuses to confine this process */
	/* what the caller asked for */
	ZP_ERR_USAGE, /* options or arguments make no sense */
	ZP_ERR_EXISTS, /* the file is there already */
	ZP_ERR_NOT_FOUND, /* no such file or entry */
	ZP_ERR_MODE, /* others may read a file that must be private */
	ZP_ERR_KEY, /* no usable key, identity or trust file */
	ZP_ERR_NAME, /* uid or channel name not 1 to 31 bytes of text */
	ZP_ERR_PASSWORD, /* passphrase empty, too long or not repeated */
	ZP_ERR_TOO_LONG, /* longer than the format allows */
	ZP_ERR_FULL, /* a bounded table is full */
	/* what was read */
	ZP_ERR_FORMAT, /* not of the format */
	ZP_ERR_CORRUPT, /* a file of our own does not verify */
	ZP_ERR_VERSION, /* a later version of the format */
	ZP_ERR_SUITE, /* a suite that does not fit here */
	ZP_ERR_ENDED, /* the session's counter is used up */
	/* records */
	ZP_ERR_NOT_OURS, /* no key in hand opens it */
	ZP_ERR_FORGED, /* the key fits, the contents do not verify */
	ZP_ERR_REPLAY, /* shown already */
	ZP_ERR_TOO_OLD, /* too old to tell whether shown already */
	ZP_ERR_CUT, /* a body that ends without its last part */
	ZP_ERR_GAP, /* numbered records are missing */
	/* identities */
	ZP_ERR_SIGNATURE, /* a signature that does not verify */
	ZP_ERR_CHANGED, /* another identity than the pinned one */
	ZP_ERR_UNSIGNED, /* a pinned user without signature */
	ZP_ERR_UNKNOWN, /* a user nobody has pinned */
	/* handshake */
	ZP_ERR_POINT, /* a point that does not decode, or is neutral */
	ZP_ERR_SUM, /* the mixes do not sum to neutral */
	ZP_ERR_EQUAL, /* two shares are equal */
	ZP_ERR_NEUTRAL, /* the common secret is the neutral element */
	ZP_ERR_TAG, /* a confirmation tag is wrong */
	ZP_ERR_TIMEOUT, /* not in time */
	ZP_ERR_LATE, /* the conversation was made without us */
	/* relays */
	ZP_ERR_RELAY, /* the relay refuses or cannot be reached */
	ZP_ERR_UNDELIVERED, /* something was not acknowledged */
};

/* Exit statuses, one table for the suite. */
enum zp_exit {
	ZP_EXIT_OK = 0,
	ZP_EXIT_REFUSED = 1, /* something authentic refused or missing */
	ZP_EXIT_USAGE = 2,
	ZP_EXIT_KEY = 3, /* key, identity or trust refused */
	ZP_EXIT_HANDSHAKE = 4,
	ZP_EXIT_IO = 5, /* I/O or relay failure, something undelivered */
};

/* A fallible function's result must be looked at. */
#define ZP_CHECKED __attribute__((warn_unused_result))

/* The sentence for an error, without subject or full stop. */
const char *
zp_err_text(enum zp_err err);

/* The exit status for an error. */
enum zp_exit
zp_err_status(enum zp_err err);

#endif
