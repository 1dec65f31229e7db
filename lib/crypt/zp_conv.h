#ifndef ZP_CONV_H
#define ZP_CONV_H

#include <stddef.h>
#include <stdint.h>

#define ZP_CONV_ISK_LEN 64 /* SHA-512, draft-irtf-cfrg-cpace */
#define ZP_CONV_KEY_LEN 32
#define ZP_CONV_ID_LEN 16
#define ZP_CONV_VIEW_LEN 32 /* a view id */
#define ZP_CONV_SAFETY_LEN 16
#define ZP_CONV_SAFETY_TEXT_LEN                      \
	35 /* six groups of five digits, five blanks \
	    */

/*
 * What a confirmed run leaves behind: the key of a conversation's records,
 * its id (never sent) and its safety number.  Holds a secret, so it is kept
 * inside memory from zp_secret_new() and goes with it.
 */
struct zp_conv {
	uint8_t key[ZP_CONV_KEY_LEN];
	uint8_t id[ZP_CONV_ID_LEN];
	uint8_t safety[ZP_CONV_SAFETY_LEN];
};

/*
 * All keys that come from an ISK (zpinc(7)):
 *	prk = BLAKE2b-256(key = ISK, personal "zpinc1-isk", view id)
 *	subkeys 1 to 4 of prk under "zpinc1c_": record key, confirm key,
 *	conversation id, safety number
 * `isk`, `out` and `confirm` must lie in secret memory.  prk takes the place
 * of the ISK, and both are wiped.
 */
void
zp_conv_derive(uint8_t isk[static ZP_CONV_ISK_LEN],
    const uint8_t view[static ZP_CONV_VIEW_LEN], struct zp_conv *out,
    uint8_t confirm[static ZP_CONV_KEY_LEN]);

/*
 * The safety number as people compare it: the 16 bytes as a big-endian
 * number modulo 10^30, 30 digits in groups of five, and a NUL.
 */
void
zp_conv_safety_text(const uint8_t safety[static ZP_CONV_SAFETY_LEN],
    char text[static ZP_CONV_SAFETY_TEXT_LEN + 1]);

#endif
