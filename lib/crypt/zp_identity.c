#include "crypt/zp_identity.h"

#include <sodium.h>
#include <string.h>

#include "base/zp_cursor.h"
#include "crypt/zp_secret.h"

_Static_assert(crypto_sign_SEEDBYTES == ZP_SEED_LEN, "seed");
_Static_assert(crypto_sign_PUBLICKEYBYTES == ZP_IDKEY_LEN, "idkey");
_Static_assert(crypto_sign_BYTES == ZP_SIG_LEN, "signature");

struct zp_identity {
	uint8_t seed[ZP_SEED_LEN];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	uint8_t public[ZP_IDKEY_LEN];
};

static enum zp_err
build(struct zp_identity **id, const uint8_t *seed)
{
	struct zp_identity *i = zp_secret_new(sizeof(*i));

	if (i == NULL)
		return ZP_ERR_MEMORY;
	if (seed != NULL)
		memcpy(i->seed, seed, ZP_SEED_LEN);
	else
		randombytes_buf(i->seed, ZP_SEED_LEN);
	if (crypto_sign_seed_keypair(i->public, i->secret, i->seed) != 0) {
		zp_identity_free(i);
		return ZP_ERR_IO;
	}
	*id = i;
	return ZP_OK;
}

enum zp_err
zp_identity_new(struct zp_identity **id)
{
	return build(id, NULL);
}

enum zp_err
zp_identity_load(
    struct zp_identity **id, const uint8_t seed[static ZP_SEED_LEN])
{
	return build(id, seed);
}

void
zp_identity_free(struct zp_identity *id)
{
	zp_secret_free(id);
}

const uint8_t *
zp_identity_seed(const struct zp_identity *id)
{
	return id->seed;
}

const uint8_t *
zp_identity_public(const struct zp_identity *id)
{
	return id->public;
}

/* The bytes that are signed. */
static void
lay_out(uint8_t *to, const struct zp_sigctx *ctx, const struct zp_payload *p)
{
	struct zp_writer w;
	uint8_t header[ZP_HEADER_LEN];

	zp_writer_init(&w, to, ZP_SIGNED_LEN(p->body_len));
	zp_writer_put(&w, "zpinc1 signature", 16);
	zp_writer_put(&w, ctx->rp, sizeof(ctx->rp));
	zp_writer_put(&w, ctx->p, sizeof(ctx->p));
	zp_writer_put(&w, ctx->keyid, sizeof(ctx->keyid));
	zp_writer_put(&w, p->idkey, ZP_IDKEY_LEN);
	zp_payload_header(header, p);
	zp_writer_put(&w, header, sizeof(header));
	zp_writer_put(&w, p->body, p->body_len);
}

void
zp_identity_sign(const struct zp_identity *id, uint8_t sig[static ZP_SIG_LEN],
    const struct zp_sigctx *ctx, const struct zp_payload *p, uint8_t *scratch)
{
	struct zp_payload q = *p;

	q.idkey = id->public;
	lay_out(scratch, ctx, &q);
	crypto_sign_detached(
	    sig, NULL, scratch, ZP_SIGNED_LEN(p->body_len), id->secret);
}

enum zp_err
zp_identity_verify(
    const struct zp_sigctx *ctx, const struct zp_payload *p, uint8_t *scratch)
{
	lay_out(scratch, ctx, p);
	if (crypto_sign_verify_detached(
		p->sig, scratch, ZP_SIGNED_LEN(p->body_len), p->idkey) != 0)
		return ZP_ERR_SIGNATURE;
	return ZP_OK;
}
