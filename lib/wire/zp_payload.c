#include "wire/zp_payload.h"

#include <string.h>

#include "base/zp_b64.h"
#include "base/zp_be.h"
#include "wire/zp_record.h"

static unsigned
log2_floor(size_t n)
{
	unsigned e = 0;

	while (n >>= 1)
		e++;
	return e;
}

/* The bits that padmé clears in a length of this magnitude. */
static size_t
padme_mask(size_t n)
{
	unsigned e = log2_floor(n);
	unsigned s = log2_floor(e) + 1;

	return e > s ? ((size_t)1 << (e - s)) - 1 : 0;
}

size_t
zp_payload_padme(size_t n)
{
	size_t m = padme_mask(n);

	return (n + m) & ~m;
}

size_t
zp_payload_len(size_t body_len, bool is_signed)
{
	size_t n = ZP_HEADER_LEN + body_len + 1 +
	    (is_signed ? ZP_IDKEY_LEN + ZP_SIG_LEN : 0);

	n = zp_payload_padme(n);
	return n < ZP_PAYLOAD_LEAST ? ZP_PAYLOAD_LEAST : n;
}

size_t
zp_payload_room(size_t max_record, bool is_signed)
{
	size_t most =
	    ZP_B64_BYTES(max_record - ZP_RECORD_HEAD) - ZP_ENC_OVERHEAD;

	/* The largest padded length that fits is `most` without low bits. */
	return (most & ~padme_mask(most)) - ZP_HEADER_LEN - 1 -
	    (is_signed ? ZP_IDKEY_LEN + ZP_SIG_LEN : 0);
}

void
zp_payload_header(uint8_t to[static ZP_HEADER_LEN], const struct zp_payload *p)
{
	to[0] = p->kind;
	to[1] = p->flags;
	zp_be16_put(to + 2, 0);
	zp_be32_put(to + 4, p->part);
	memcpy(to + 8, p->sid, ZP_SID_LEN);
	zp_be64_put(to + 24, p->seq);
	zp_be64_put(to + 32, p->time);
}

void
zp_payload_write(uint8_t *to, size_t len, const struct zp_payload *p)
{
	uint8_t *at = to + ZP_HEADER_LEN;

	zp_payload_header(to, p);
	if (p->body_len > 0 && p->body != at)
		memmove(at, p->body, p->body_len);
	at += p->body_len;
	if (p->flags & ZP_FLAG_SIGNED) {
		memcpy(at, p->idkey, ZP_IDKEY_LEN);
		memcpy(at + ZP_IDKEY_LEN, p->sig, ZP_SIG_LEN);
		at += ZP_IDKEY_LEN + ZP_SIG_LEN;
	}
	*at++ = 0x80;
	memset(at, 0, len - (size_t)(at - to));
}

/* The length without the zeros of the padding. */
static size_t
trim(const uint8_t *from, size_t len)
{
	uint64_t word = 0;

	while (len >= sizeof(word)) {
		memcpy(&word, from + len - sizeof(word), sizeof(word));
		if (word != 0)
			break;
		len -= sizeof(word);
	}
	while (len > 0 && from[len - 1] == 0)
		len--;
	return len;
}

enum zp_err
zp_payload_parse(struct zp_payload *p, const uint8_t *from, size_t len)
{
	len = trim(from, len);
	if (len < ZP_HEADER_LEN + 1 || from[len - 1] != 0x80)
		return ZP_ERR_FORMAT;
	const bool is_signed = (from[1] & ZP_FLAG_SIGNED) != 0;
	const size_t tail = is_signed ? ZP_IDKEY_LEN + ZP_SIG_LEN : 0;
	len -= ZP_HEADER_LEN + 1;
	if ((from[1] & ~(ZP_FLAG_LAST | ZP_FLAG_SIGNED)) != 0 ||
	    zp_be16(from + 2) != 0 || len < tail)
		return ZP_ERR_FORMAT;
	p->kind = from[0];
	p->flags = from[1];
	p->part = zp_be32(from + 4);
	memcpy(p->sid, from + 8, ZP_SID_LEN);
	p->seq = zp_be64(from + 24);
	p->time = zp_be64(from + 32);
	p->body = from + ZP_HEADER_LEN;
	p->body_len = len - tail;
	p->idkey = is_signed ? p->body + p->body_len : NULL;
	p->sig = is_signed ? p->idkey + ZP_IDKEY_LEN : NULL;
	return ZP_OK;
}
