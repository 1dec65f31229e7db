#include "crypt/zp_conv.h"

#include <string.h>

#include "crypt/zp_hash.h"
#include "crypt/zp_secret.h"

void
zp_conv_derive(uint8_t isk[static ZP_CONV_ISK_LEN],
    const uint8_t view[static ZP_CONV_VIEW_LEN], struct zp_conv *out,
    uint8_t confirm[static ZP_CONV_KEY_LEN])
{
	static const char context[] = "zpinc1c_";

	/* prk takes the ISK's place. */
	zp_hash(isk, ZP_CONV_KEY_LEN, isk, ZP_CONV_ISK_LEN, "zpinc1-isk", view,
	    ZP_CONV_VIEW_LEN);
	zp_secret_wipe(
	    isk + ZP_CONV_KEY_LEN, ZP_CONV_ISK_LEN - ZP_CONV_KEY_LEN);
	zp_hash_subkey(out->key, sizeof(out->key), 1, context, isk);
	zp_hash_subkey(confirm, ZP_CONV_KEY_LEN, 2, context, isk);
	zp_hash_subkey(out->id, sizeof(out->id), 3, context, isk);
	zp_hash_subkey(out->safety, sizeof(out->safety), 4, context, isk);
	zp_secret_wipe(isk, ZP_CONV_KEY_LEN);
}

/* number := number / 10 (big-endian bytes); returns the remainder. */
static unsigned
divide_by_ten(uint8_t number[static ZP_CONV_SAFETY_LEN])
{
	unsigned rest = 0;

	for (size_t i = 0; i < ZP_CONV_SAFETY_LEN; i++) {
		rest = rest << 8 | number[i];
		number[i] = (uint8_t)(rest / 10);
		rest %= 10;
	}
	return rest;
}

void
zp_conv_safety_text(const uint8_t safety[static ZP_CONV_SAFETY_LEN],
    char text[static ZP_CONV_SAFETY_TEXT_LEN + 1])
{
	uint8_t number[ZP_CONV_SAFETY_LEN];

	memcpy(number, safety, sizeof(number));
	text[ZP_CONV_SAFETY_TEXT_LEN] = '\0';
	/* The lowest digits are the number modulo a power of ten. */
	for (size_t at = ZP_CONV_SAFETY_TEXT_LEN; at-- > 0;)
		if (at % 6 == 5)
			text[at] = ' ';
		else
			text[at] = (char)('0' + divide_by_ten(number));
}
