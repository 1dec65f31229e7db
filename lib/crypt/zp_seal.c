#include "crypt/zp_seal.h"

#include <sodium.h>
#include <string.h>

#include "base/zp_b64.h"
#include "crypt/zp_commit.h"
#include "crypt/zp_scratch.h"
#include "crypt/zp_secret.h"

#define NONCES 128

struct zp_sealer {
	crypto_generichash_blake2b_state base;
	struct zp_commit commit;
	const struct zp_identity *id;
	struct zp_sigctx ctx;
	char head[ZP_RECORD_HEAD]; /* "zp1.RP.P." */
	size_t expected, drawn, used;
	uint8_t nonces[NONCES][ZP_NONCE_LEN];
	uint8_t sig[ZP_SIG_LEN];
	struct zp_scratch raw, scratch;
};

enum zp_err
zp_sealer_new(struct zp_sealer **sealer, const uint8_t k[static 32],
    const struct zp_sigctx *ctx, const struct zp_identity *id)
{
	struct zp_sealer *s = zp_secret_new(sizeof(*s));

	if (s == NULL)
		return ZP_ERR_MEMORY;
	zp_commit_base(&s->base, k, ctx->rp, ctx->p);
	s->id = id;
	s->ctx = *ctx;
	memcpy(s->head, "zp1.", ZP_PREFIX_LEN);
	zp_record_topic(s->head + ZP_PREFIX_LEN, ctx->rp);
	s->head[ZP_PREFIX_LEN + ZP_TOPIC_LEN] = '.';
	zp_record_topic(s->head + ZP_PREFIX_LEN + ZP_TOPIC_LEN + 1, ctx->p);
	s->head[ZP_RECORD_HEAD - 1] = '.';
	*sealer = s;
	return ZP_OK;
}

void
zp_sealer_free(struct zp_sealer *s)
{
	if (s == NULL)
		return;
	zp_scratch_free(&s->raw);
	zp_scratch_free(&s->scratch);
	zp_secret_free(s);
}

void
zp_sealer_expect(struct zp_sealer *s, size_t records)
{
	s->expected = records;
	if (records == 0)
		s->drawn = s->used = 0;
}

static const uint8_t *
next_nonce(struct zp_sealer *s)
{
	if (s->used == s->drawn) {
		s->drawn = s->expected < NONCES ? s->expected : NONCES;
		if (s->drawn == 0)
			s->drawn = 1;
		s->used = 0;
		randombytes_buf(s->nonces, s->drawn * ZP_NONCE_LEN);
	}
	if (s->expected > 0)
		s->expected--;
	return s->nonces[s->used++];
}

bool
zp_sealer_signs(const struct zp_sealer *s)
{
	return s->id != NULL;
}

size_t
zp_sealer_line_len(const struct zp_sealer *s, size_t body_len)
{
	return ZP_RECORD_HEAD +
	    ZP_B64_CHARS(
		ZP_ENC_OVERHEAD + zp_payload_len(body_len, s->id != NULL)) +
	    1;
}

static enum zp_err
sign(struct zp_sealer *s, struct zp_payload *p)
{
	enum zp_err err =
	    zp_scratch_need(&s->scratch, ZP_SIGNED_LEN(p->body_len));

	if (err)
		return err;
	p->flags |= ZP_FLAG_SIGNED;
	p->idkey = zp_identity_public(s->id);
	zp_identity_sign(s->id, s->sig, &s->ctx, p, s->scratch.data);
	p->sig = s->sig;
	return ZP_OK;
}

enum zp_err
zp_sealer_line(struct zp_sealer *s, char *to, const struct zp_payload *payload)
{
	struct zp_payload p = *payload;
	size_t len = zp_payload_len(p.body_len, s->id != NULL);
	enum zp_err err;

	if (p.seq > ZP_SEQ_MAX)
		return ZP_ERR_ENDED;
	if (p.body_len > ZP_RECORD_MAX ||
	    zp_sealer_line_len(s, p.body_len) - 1 > ZP_RECORD_MAX)
		return ZP_ERR_TOO_LONG;
	err = zp_scratch_need(&s->raw, ZP_ENC_OVERHEAD + len);
	if (err)
		return err;
	p.flags &= (uint8_t)~ZP_FLAG_SIGNED;
	if (s->id != NULL) {
		err = sign(s, &p);
		if (err)
			return err;
	}
	uint8_t *com = s->raw.data + ZP_NONCE_LEN, *tag = com + ZP_COM_LEN;
	uint8_t *box = tag + ZP_BOX_TAG_LEN;
	memcpy(s->raw.data, next_nonce(s), ZP_NONCE_LEN);
	zp_commit_nonce(&s->commit, &s->base, s->raw.data);
	memcpy(com, s->commit.out + 32, ZP_COM_LEN);
	zp_payload_write(box, len, &p);
	crypto_secretbox_detached(
	    box, tag, box, len, s->raw.data, s->commit.out);
	memcpy(to, s->head, ZP_RECORD_HEAD);
	zp_b64_write(to + ZP_RECORD_HEAD, s->raw.data, ZP_ENC_OVERHEAD + len);
	to[ZP_RECORD_HEAD + ZP_B64_CHARS(ZP_ENC_OVERHEAD + len)] = '\n';
	return ZP_OK;
}
