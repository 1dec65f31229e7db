#include "crypt/zp_open.h"
#include "fuzz.h"
#include "proto/zp_parts.h"
#include "proto/zp_replay.h"
#include "wire/zp_hello.h"

/*
 * Payloads that came out of a good box, since an insider may seal anything:
 * under which key, from whom and to which topic says the first byte.  If the
 * second is odd, the signature is made good.
 */

static void
report(void *arg, const struct zp_body *body, enum zp_err why, bool begun)
{
	(void)arg;
	(void)begun;
	MUST(body != NULL && why != ZP_OK);
}

/* What zpinc-open would do with it. */
static void
pass_on(const struct zp_opened *o)
{
	struct zp_parts *parts;
	struct zp_piece piece;
	struct zp_hello h;

	if (o->payload.kind == ZP_KIND_HELLO &&
	    zp_hello_parse(&h, o->payload.body, o->payload.body_len, 72) ==
		ZP_OK)
		MUST(h.count <= 72);
	if (o->payload.kind != ZP_KIND_NOTE &&
	    o->payload.kind != ZP_KIND_MESSAGE)
		return;
	MUST(zp_parts_new(&parts, false, report, NULL) == ZP_OK);
	if (zp_parts_add(parts, o) == ZP_OK)
		while (zp_parts_next(parts, &piece))
			MUST(piece.len <= o->payload.body_len);
	zp_parts_end(parts);
	zp_parts_free(parts);
}

/* Signs the payload where it lies, if it is one and says so. */
static void
sign(const struct fuzz_world *w, const struct zp_sigctx *ctx, uint8_t *payload,
    size_t len)
{
	struct zp_payload p;
	uint8_t sig[ZP_SIG_LEN];

	if (zp_payload_parse(&p, payload, len) != ZP_OK || p.idkey == NULL)
		return;
	memcpy(payload + (p.idkey - payload), zp_identity_public(w->id),
	    ZP_IDKEY_LEN);
	uint8_t *scratch = malloc(ZP_SIGNED_LEN(p.body_len));
	MUST(scratch != NULL);
	zp_identity_sign(w->id, sig, ctx, &p, scratch);
	memcpy(payload + (p.sig - payload), sig, sizeof(sig));
	free(scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct fuzz_world *w = fuzz_world();
	struct zp_sigctx ctx = {0};
	uint8_t nonce[ZP_NONCE_LEN] = {0};
	struct zp_record rec;
	struct zp_opened o;
	size_t from = 0;

	if (len < 2)
		return 0;
	bool message = (data[0] & 1) != 0;
	memcpy(ctx.rp, zp_key_rp(w->key, (data[0] & 2) != 0), sizeof(ctx.rp));
	memcpy(ctx.p, w->p[(data[0] >> 2) % 3], sizeof(ctx.p));
	if ((data[0] & 16) != 0)
		ctx.p[40] ^= data[0]; /* a name that no member has */
	if (message)
		memcpy(ctx.keyid, w->keyid, sizeof(ctx.keyid));
	uint8_t *payload = fuzz_copy(data + 2, len - 2);
	if ((data[1] & 1) != 0)
		sign(w, &ctx, payload, len - 2);
	char *line =
	    fuzz_seal(w, message, ctx.rp, ctx.p, nonce, payload, len - 2);
	MUST(zp_record_find(line, strlen(line), &from, false, &rec));
	struct zp_opener *opener = fuzz_opener(w);
	enum zp_err err = zp_opener_open(opener, &rec, &o);
	MUST(err != ZP_ERR_MEMORY && err != ZP_ERR_CORRUPT);
	MUST(err != ZP_ERR_NOT_OURS || len - 2 < ZP_PAYLOAD_LEAST);
	if (err == ZP_OK) {
		MUST((data[0] & 16) == 0 && memcmp(o.p, ctx.p, 47) == 0);
		MUST(!message || (data[0] >> 2) % 3 < 2);
		pass_on(&o);
	}
	zp_opener_free(opener);
	free(line);
	free(payload);
	return 0;
}
