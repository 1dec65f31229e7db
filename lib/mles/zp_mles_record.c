#include "mles/zp_mles_record.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_b64.h"

enum zp_err
zp_mles_record_read(struct zp_mles_raw *raw, const struct zp_record *rec)
{
	if (rec->prefix != ZP_PREFIX_ML1)
		return ZP_ERR_SUITE;
	size_t rp_len = ZP_B64_BYTES(rec->rp_len);
	size_t p_len = ZP_B64_BYTES(rec->p_len);
	size_t len = ZP_B64_BYTES(rec->enc_len);
	size_t all = rp_len + p_len + len;
	if (raw->bytes == NULL || raw->cap < all) {
		uint8_t *more = realloc(raw->bytes, all + 1);
		if (more == NULL)
			return ZP_ERR_MEMORY;
		raw->bytes = more;
		raw->cap = all;
	}
	uint8_t *p = raw->bytes + rp_len;
	if (!zp_b64_read(raw->bytes, rec->rp, rec->rp_len) ||
	    !zp_b64_read(p, rec->p, rec->p_len) ||
	    !zp_b64_read(p + p_len, rec->enc, rec->enc_len))
		return ZP_ERR_FORMAT;
	raw->rp = raw->bytes;
	raw->rp_len = rp_len;
	raw->p = p;
	raw->p_len = p_len;
	raw->message = p + p_len;
	raw->len = len;
	return ZP_OK;
}

void
zp_mles_record_free(struct zp_mles_raw *raw)
{
	free(raw->bytes);
	memset(raw, 0, sizeof(*raw));
}

size_t
zp_mles_record_len(size_t rp_len, size_t p_len, size_t len)
{
	return ZP_PREFIX_LEN + ZP_B64_CHARS(rp_len) + 1 + ZP_B64_CHARS(p_len) +
	    1 + ZP_B64_CHARS(len);
}

void
zp_mles_record_write(char *to, const struct zp_mles_box *rp,
    const struct zp_mles_box *p, const uint8_t *message, size_t len)
{
	memcpy(to, "ml1.", ZP_PREFIX_LEN);
	to += ZP_PREFIX_LEN;
	zp_b64_write(to, rp->bytes, rp->len);
	to += ZP_B64_CHARS((size_t)rp->len);
	*to++ = '.';
	zp_b64_write(to, p->bytes, p->len);
	to += ZP_B64_CHARS((size_t)p->len);
	*to++ = '.';
	zp_b64_write(to, message, len);
}

enum zp_err
zp_mles_record_open(struct zp_mles_opened *o, uint8_t *plain,
    const struct zp_mles_key *key, struct zp_mles_layer *const *layers,
    size_t n, const struct zp_mles_raw *raw)
{
	const struct zp_mles_box *rp = zp_mles_key_rp(key);
	struct zp_mles_opened got;

	if (raw->rp_len != rp->len || memcmp(raw->rp, rp->bytes, rp->len) != 0)
		return ZP_ERR_NOT_OURS;
	/* Anybody can write any uid: it counts once the message is good. */
	enum zp_err err = zp_mles_frame_open(
	    &got.frame, plain, layers, n, raw->message, raw->len, &got.layer);
	if (!err)
		err = zp_mles_key_unbox(key, &got.uid, raw->p, raw->p_len);
	if (!err)
		err = zp_mles_frame_checksum(&got.checksum, raw->p, raw->p_len,
		    raw->rp, raw->rp_len, raw->message, raw->len);
	if (!err)
		*o = got;
	return err;
}
