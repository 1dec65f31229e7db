#include "crypt/zp_cpace.h"

#include <string.h>

size_t
zp_cpace_lv_size(size_t len)
{
	size_t n = len + 1;

	for (; len >= 0x80; len >>= 7)
		n++;
	return n;
}

static void
put_len(crypto_hash_sha512_state *h, size_t len)
{
	uint8_t b;

	for (; len >= 0x80; len >>= 7) {
		b = (uint8_t)(len & 0x7f) | 0x80;
		crypto_hash_sha512_update(h, &b, 1);
	}
	b = (uint8_t)len;
	crypto_hash_sha512_update(h, &b, 1);
}

void
zp_cpace_lv(crypto_hash_sha512_state *h, const void *data, size_t len)
{
	put_len(h, len);
	crypto_hash_sha512_update(h, data, len);
}

void
zp_cpace_generator_begin(
    crypto_hash_sha512_state *h, const void *prs, size_t prs_len, size_t ci_len)
{
	static const uint8_t zero[ZP_CPACE_BLOCK_LEN];
	size_t dsi_len = strlen(ZP_CPACE_DSI);
	size_t used = 1 + zp_cpace_lv_size(dsi_len) + zp_cpace_lv_size(prs_len);

	crypto_hash_sha512_init(h);
	zp_cpace_lv(h, ZP_CPACE_DSI, dsi_len);
	zp_cpace_lv(h, prs, prs_len);
	/* Fills the first block, so that what follows tells no time. */
	zp_cpace_lv(h, zero, used < sizeof(zero) ? sizeof(zero) - used : 0);
	put_len(h, ci_len);
}

void
zp_cpace_generator_end(crypto_hash_sha512_state *h, const void *sid,
    size_t sid_len, uint8_t hash[static ZP_CPACE_HASH_LEN],
    uint8_t g[static ZP_CPACE_ELEMENT_LEN])
{
	zp_cpace_lv(h, sid, sid_len);
	crypto_hash_sha512_final(h, hash);
	crypto_core_ristretto255_from_hash(g, hash);
}

bool
zp_cpace_plausible(const uint8_t e[static ZP_CPACE_ELEMENT_LEN])
{
	return e[ZP_CPACE_ELEMENT_LEN - 1] < 0x80 &&
	    !sodium_is_zero(e, ZP_CPACE_ELEMENT_LEN);
}

bool
zp_cpace_valid(const uint8_t e[static ZP_CPACE_ELEMENT_LEN])
{
	return zp_cpace_plausible(e) &&
	    crypto_core_ristretto255_is_valid_point(e) == 1;
}

enum zp_err
zp_cpace_mult(uint8_t out[static ZP_CPACE_ELEMENT_LEN],
    const uint8_t s[static ZP_CPACE_SCALAR_LEN],
    const uint8_t x[static ZP_CPACE_ELEMENT_LEN])
{
	if (!zp_cpace_plausible(x) ||
	    crypto_scalarmult_ristretto255(out, s, x) != 0)
		return ZP_ERR_POINT;
	return ZP_OK;
}

void
zp_cpace_isk_begin(crypto_hash_sha512_state *h, const char *dsi,
    const void *sid, size_t sid_len,
    const uint8_t k[static ZP_CPACE_ELEMENT_LEN])
{
	static const char suffix[] = "_ISK";
	size_t dsi_len = strlen(dsi), suffix_len = sizeof(suffix) - 1;

	crypto_hash_sha512_init(h);
	put_len(h, dsi_len + suffix_len);
	crypto_hash_sha512_update(h, (const uint8_t *)dsi, dsi_len);
	crypto_hash_sha512_update(h, (const uint8_t *)suffix, suffix_len);
	zp_cpace_lv(h, sid, sid_len);
	zp_cpace_lv(h, k, ZP_CPACE_ELEMENT_LEN);
}

void
zp_cpace_transcript_oc(crypto_hash_sha512_state *h,
    const uint8_t ya[static ZP_CPACE_ELEMENT_LEN], const void *ada,
    size_t ada_len, const uint8_t yb[static ZP_CPACE_ELEMENT_LEN],
    const void *adb, size_t adb_len)
{
	bool a_first = memcmp(ya, yb, ZP_CPACE_ELEMENT_LEN) > 0;

	crypto_hash_sha512_update(h, (const uint8_t *)"oc", 2);
	for (int i = 0; i < 2; i++) {
		bool a = (i == 0) == a_first;

		zp_cpace_lv(h, a ? ya : yb, ZP_CPACE_ELEMENT_LEN);
		zp_cpace_lv(h, a ? ada : adb, a ? ada_len : adb_len);
	}
}
