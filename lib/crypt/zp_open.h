#ifndef ZP_OPEN_H
#define ZP_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_text.h"
#include "crypt/zp_identity.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/* Opening records of one channel under any of several keys. */

struct zp_opener; /* holds secrets: opaque */

/* Keys an opener can hold: msgkey and 16 conversations. */
#define ZP_OPENER_KEYS 17

/* amac, aenc: 32 bytes; channel NUL ended.  The caller frees *o. */
ZP_CHECKED enum zp_err
zp_opener_new(struct zp_opener **o, const uint8_t amac[static 32],
    const uint8_t aenc[static 32], const char *channel);
void
zp_opener_free(struct zp_opener *o);

/*
 * Adds msgkey (keyid NULL: opens notes and hellos) or a conversation's
 * record key (keyid its id: opens messages of the n members with
 * pseudonyms `members`, copied).  *slot names it, 0 to ZP_OPENER_KEYS - 1.
 * ZP_ERR_FULL, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_opener_add(struct zp_opener *o, const uint8_t k[static 32],
    const uint8_t *keyid, const uint8_t (*members)[ZP_PSEUDONYM_LEN], size_t n,
    unsigned *slot);

/* Wipes the key of a slot. */
void
zp_opener_remove(struct zp_opener *o, unsigned slot);

struct zp_opened {
	unsigned slot; /* whose key opened it */
	bool live; /* came under the live topic */
	uint8_t p[ZP_PSEUDONYM_LEN];
	char uid[ZP_NAME_MAX + 1];
	/* Pointers into the opener, until its next use.  If p.idkey is set,
	 * the signature has been verified. */
	struct zp_payload payload;
};

/*
 * Opens a record.  Noise, since anybody can write it: ZP_ERR_NOT_OURS (of
 * another channel or suite, or no key in hand fits), ZP_ERR_CORRUPT (was made
 * with a key in hand, and its box was changed since, or the line is torn:
 * look for another record in it).  Authentic under a key in hand but refused:
 * ZP_ERR_FORGED (sender's name not a name, or not a member), ZP_ERR_FORMAT
 * (payload, or a kind that does not belong under this key or topic),
 * ZP_ERR_SIGNATURE.  ZP_ERR_MEMORY.
 * An unknown kind is opened; the caller skips it.
 */
ZP_CHECKED enum zp_err
zp_opener_open(
    struct zp_opener *o, const struct zp_record *rec, struct zp_opened *opened);

/* Is this record under one of the opener's two topics? */
bool
zp_opener_is_ours(const struct zp_opener *o, const struct zp_record *rec);

#endif
