#include "base/zp_err.h"

const char *
zp_err_text(enum zp_err err)
{
	switch (err) {
	case ZP_OK:
		return "done";
	case ZP_ERR_MEMORY:
		return "out of memory";
	case ZP_ERR_IO:
		return "input or output failed";
	case ZP_ERR_CLOCK:
		return "the clock stands before 1970";
	case ZP_ERR_LOCKED:
		return "in use by another process";
	case ZP_ERR_CONFINE:
		return "this kernel cannot confine the process";
	case ZP_ERR_USAGE:
		return "wrong usage";
	case ZP_ERR_EXISTS:
		return "exists already";
	case ZP_ERR_NOT_FOUND:
		return "not found";
	case ZP_ERR_MODE:
		return "others may read or write it";
	case ZP_ERR_KEY:
		return "no usable key";
	case ZP_ERR_NAME:
		return "a name must be 1 to 31 bytes of UTF-8 without "
		       "control characters";
	case ZP_ERR_PASSWORD:
		return "no usable passphrase";
	case ZP_ERR_TOO_LONG:
		return "too long";
	case ZP_ERR_FULL:
		return "table full";
	case ZP_ERR_FORMAT:
		return "malformed";
	case ZP_ERR_CORRUPT:
		return "damaged";
	case ZP_ERR_VERSION:
		return "made by a later version";
	case ZP_ERR_SUITE:
		return "of another suite";
	case ZP_ERR_ENDED:
		return "the session's counter is used up";
	case ZP_ERR_NOT_OURS:
		return "no key in hand opens it";
	case ZP_ERR_FORGED:
		return "does not verify under the key that it names";
	case ZP_ERR_REPLAY:
		return "seen before";
	case ZP_ERR_TOO_OLD:
		return "too old to tell whether it was seen before";
	case ZP_ERR_CUT:
		return "cut: the last part is missing";
	case ZP_ERR_GAP:
		return "records are missing";
	case ZP_ERR_SIGNATURE:
		return "the signature is wrong";
	case ZP_ERR_CHANGED:
		return "the identity has CHANGED";
	case ZP_ERR_UNSIGNED:
		return "UNSIGNED, though the user has a pinned identity";
	case ZP_ERR_UNKNOWN:
		return "no identity is pinned for this user";
	case ZP_ERR_POINT:
		return "an invalid point";
	case ZP_ERR_SUM:
		return "the mixes do not cancel";
	case ZP_ERR_EQUAL:
		return "two equal shares";
	case ZP_ERR_NEUTRAL:
		return "the shares and mixes give no secret";
	case ZP_ERR_TAG:
		return "a wrong confirmation tag";
	case ZP_ERR_TIMEOUT:
		return "not in time";
	case ZP_ERR_LATE:
		return "too late";
	case ZP_ERR_RELAY:
		return "the relay refuses or cannot be reached";
	case ZP_ERR_UNDELIVERED:
		return "not everything was delivered";
	}
	return "unknown error";
}

enum zp_exit
zp_err_status(enum zp_err err)
{
	switch (err) {
	case ZP_OK:
		return ZP_EXIT_OK;
	case ZP_ERR_NOT_OURS:
	case ZP_ERR_FORGED:
	case ZP_ERR_REPLAY:
	case ZP_ERR_TOO_OLD:
	case ZP_ERR_CUT:
	case ZP_ERR_GAP:
		return ZP_EXIT_REFUSED;
	case ZP_ERR_USAGE:
	case ZP_ERR_NAME:
	case ZP_ERR_PASSWORD:
		return ZP_EXIT_USAGE;
	case ZP_ERR_MODE:
	case ZP_ERR_KEY:
	case ZP_ERR_FORMAT:
	case ZP_ERR_CORRUPT:
	case ZP_ERR_VERSION:
	case ZP_ERR_SUITE:
	case ZP_ERR_SIGNATURE:
	case ZP_ERR_CHANGED:
	case ZP_ERR_UNSIGNED:
	case ZP_ERR_UNKNOWN:
		return ZP_EXIT_KEY;
	case ZP_ERR_POINT:
	case ZP_ERR_SUM:
	case ZP_ERR_EQUAL:
	case ZP_ERR_NEUTRAL:
	case ZP_ERR_TAG:
	case ZP_ERR_TIMEOUT:
	case ZP_ERR_LATE:
		return ZP_EXIT_HANDSHAKE;
	case ZP_ERR_MEMORY:
	case ZP_ERR_IO:
	case ZP_ERR_CLOCK:
	case ZP_ERR_LOCKED:
	case ZP_ERR_CONFINE:
	case ZP_ERR_EXISTS:
	case ZP_ERR_NOT_FOUND:
	case ZP_ERR_TOO_LONG:
	case ZP_ERR_FULL:
	case ZP_ERR_ENDED:
	case ZP_ERR_RELAY:
	case ZP_ERR_UNDELIVERED:
		return ZP_EXIT_IO;
	}
	return ZP_EXIT_IO;
}
