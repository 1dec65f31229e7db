#ifndef ZP_PSEUDO_H
#define ZP_PSEUDO_H

#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_text.h"
#include "wire/zp_record.h"

/*
 * Pseudonyms: deterministic encryption of names without a reused keystream,
 * SIV (Rogaway and Shrimpton, 2006):
 *
 *     iv        = BLAKE2b-128(amac, personal, name padded to 31)
 *     pseudonym = iv || XSalsa20(aenc, nonce iv || 0^8, padded name)
 */

enum zp_pseudo_use { ZP_PSEUDO_CHAN, ZP_PSEUDO_LIVE, ZP_PSEUDO_USER };

/* amac, aenc: ZP_KEY_LEN bytes.  name NUL ended; ZP_ERR_NAME. */
ZP_CHECKED enum zp_err
zp_pseudo_make(uint8_t to[static ZP_PSEUDONYM_LEN],
    const uint8_t amac[static 32], const uint8_t aenc[static 32],
    enum zp_pseudo_use use, const char *name);

/*
 * Opens a user's: iv in constant time, then the form of the name, then only
 * zeros.  ZP_ERR_FORGED otherwise.
 */
ZP_CHECKED enum zp_err
zp_pseudo_open(char name[static ZP_NAME_MAX + 1], const uint8_t amac[static 32],
    const uint8_t aenc[static 32], const uint8_t p[static ZP_PSEUDONYM_LEN]);

#endif
