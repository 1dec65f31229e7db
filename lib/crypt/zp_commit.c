#include "crypt/zp_commit.h"

#include <stdlib.h>

#include "crypt/zp_hash.h"

_Static_assert(crypto_secretbox_NONCEBYTES == ZP_NONCE_LEN, "nonce");
_Static_assert(crypto_secretbox_MACBYTES == ZP_BOX_TAG_LEN, "tag");
_Static_assert(crypto_secretbox_KEYBYTES == 32, "ek");

void
zp_commit_base(crypto_generichash_blake2b_state *base,
    const uint8_t k[static 32], const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const uint8_t p[static ZP_PSEUDONYM_LEN])
{
	uint8_t personal[16];

	zp_hash_personal(personal, "zpinc1-record");
	/* It fails only for lengths that are constants here. */
	if (crypto_generichash_blake2b_init_salt_personal(base, k, 32,
		sizeof(((struct zp_commit *)0)->out), NULL, personal) != 0)
		abort();
	crypto_generichash_blake2b_update(base, rp, ZP_PSEUDONYM_LEN);
	crypto_generichash_blake2b_update(base, p, ZP_PSEUDONYM_LEN);
}

void
zp_commit_nonce(struct zp_commit *c,
    const crypto_generichash_blake2b_state *base,
    const uint8_t nonce[static ZP_NONCE_LEN])
{
	c->work = *base;
	crypto_generichash_blake2b_update(&c->work, nonce, ZP_NONCE_LEN);
	crypto_generichash_blake2b_final(&c->work, c->out, sizeof(c->out));
}
