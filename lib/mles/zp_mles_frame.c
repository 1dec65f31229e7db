#include "mles/zp_mles_frame.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "base/zp_cursor.h"
#include "wire/zp_payload.h"

#define WEEK_MINUTES (7 * 24 * 60)
#define SECOND_MASK 0x7f
#define BOX_NONCE_LEN crypto_secretbox_NONCEBYTES
#define TAG_LEN crypto_secretbox_MACBYTES

_Static_assert(
    ZP_MLES_OVERHEAD == ZP_MLES_NONCE_LEN + TAG_LEN + ZP_MLES_MAC_LEN,
    "overhead");
_Static_assert(crypto_generichash_blake2b_BYTES_MIN >= 1, "a 12 byte mac");
_Static_assert(randombytes_SEEDBYTES == 32, "the padding's seed");

/* App bit and wire flag of each kind of message. */
static const struct {
	unsigned app;
	uint16_t wire;
} bits[] = {
    {0x001, ZP_MLES_FULL},
    {0x002, ZP_MLES_PRESENCE},
    {0x004, ZP_MLES_DATA},
    {0x008, ZP_MLES_MULTIPART},
    {0x010, ZP_MLES_FIRST},
    {0x020, ZP_MLES_LAST},
    {0x040, ZP_MLES_PRESENCE_ACK},
    {0x100, ZP_MLES_BDONE},
    {0x200, ZP_MLES_BDACK},
};

#define NBITS (sizeof(bits) / sizeof(bits[0]))

uint16_t
zp_mles_frame_flags(unsigned msgtype)
{
	uint16_t flags = 0;

	for (size_t i = 0; i < NBITS; i++)
		if ((msgtype & bits[i].app) != 0)
			flags |= bits[i].wire;
	flags &= (uint16_t) ~(ZP_MLES_BDONE | ZP_MLES_BDACK);
	if ((flags & ZP_MLES_MULTIPART) == 0)
		flags &= (uint16_t) ~(ZP_MLES_FIRST | ZP_MLES_LAST);
	return flags;
}

unsigned
zp_mles_frame_msgtype(uint16_t flags)
{
	unsigned msgtype = 0;

	for (size_t i = 0; i < NBITS; i++)
		if ((flags & bits[i].wire) != 0)
			msgtype |= bits[i].app;
	return msgtype;
}

size_t
zp_mles_frame_len(size_t body_len, size_t keys_len)
{
	return zp_payload_padme(ZP_MLES_HEADER_LEN + body_len + keys_len);
}

size_t
zp_mles_frame_message_len(size_t body_len, size_t keys_len)
{
	return zp_mles_frame_len(body_len, keys_len) + ZP_MLES_OVERHEAD;
}

static bool
good_keys_len(size_t n)
{
	return n == 0 || n == ZP_MLES_POINT_LEN || n == ZP_MLES_KEYS_MAX;
}

static void
write_header(struct zp_writer *w, const struct zp_mles_frame *f)
{
	int64_t second = (f->time - ZP_MLES_TIME_MIN) / 1000;
	int64_t minute = second / 60;

	zp_writer_u16(w, (uint16_t)(ZP_MLES_HEADER_LEN + f->body_len));
	zp_writer_put(w, f->sid, ZP_MLES_SID_LEN);
	zp_writer_u16(w, (uint16_t)f->keys_len);
	zp_writer_u16(w, (uint16_t)(minute % WEEK_MINUTES));
	zp_writer_u16(w, (uint16_t)(minute / WEEK_MINUTES));
	zp_writer_u16(w, (uint16_t)((f->flags & ZP_MLES_FLAGS) | second % 60));
}

enum zp_err
zp_mles_frame_write(
    uint8_t *to, const struct zp_mles_frame *f, const uint8_t *padding)
{
	struct zp_writer w;

	if (f->body_len > ZP_MLES_BODY_MAX)
		return ZP_ERR_TOO_LONG;
	if (f->time < ZP_MLES_TIME_MIN || f->time >= ZP_MLES_TIME_END)
		return ZP_ERR_CLOCK;
	if (!good_keys_len(f->keys_len))
		return ZP_ERR_USAGE;
	zp_writer_init(&w, to, zp_mles_frame_len(f->body_len, f->keys_len));
	write_header(&w, f);
	zp_writer_put(&w, f->body, f->body_len);
	zp_writer_put(&w, f->keys, f->keys_len);
	zp_writer_put(&w, padding, w.cap - w.len);
	return ZP_OK;
}

enum zp_err
zp_mles_frame_parse(struct zp_mles_frame *f, const uint8_t *from, size_t len)
{
	struct zp_mles_frame got;
	struct zp_cursor c;

	zp_cursor_init(&c, from, len);
	size_t size = zp_cursor_u16(&c);
	zp_cursor_copy(&c, got.sid, ZP_MLES_SID_LEN);
	got.keys_len = zp_cursor_u16(&c);
	int64_t minute = zp_cursor_u16(&c);
	minute += (int64_t)zp_cursor_u16(&c) * WEEK_MINUTES;
	uint16_t last = zp_cursor_u16(&c);
	if (c.bad)
		return ZP_ERR_FORMAT;
	got.flags = last & ZP_MLES_FLAGS;
	got.time = ZP_MLES_TIME_MIN +
	    (minute * 60 + (last & SECOND_MASK)) * (int64_t)1000;
	/* No honest frame is that much longer than what it counts. */
	if (len > UINT16_MAX && size < len - UINT16_MAX)
		return ZP_ERR_CUT;
	if (size < ZP_MLES_HEADER_LEN)
		return ZP_ERR_FORMAT;
	got.body_len = size - ZP_MLES_HEADER_LEN;
	got.body = zp_cursor_take(&c, got.body_len);
	if (!good_keys_len(got.keys_len))
		got.keys_len = 0;
	got.keys = zp_cursor_take(&c, got.keys_len);
	if (c.bad)
		return ZP_ERR_FORMAT;
	*f = got;
	return ZP_OK;
}

/* The mac over nonce and box, which lie behind one another. */
static void
make_mac(uint8_t mac[static ZP_MLES_MAC_LEN], struct zp_mles_layer *layer,
    const uint8_t *message, size_t len)
{
	static const char domain[] = "Zpinc-WebWorkerAuthDom!v1";
	crypto_generichash_blake2b_state *h = &layer->hash;

	if (crypto_generichash_blake2b_init_salt_personal(h, layer->mac,
		ZP_MLES_KEY_LEN, ZP_MLES_MAC_LEN,
		(const uint8_t *)"ZpincSaltDomain1",
		(const uint8_t *)"ZpincAppDomainv1") != 0)
		abort();
	crypto_generichash_blake2b_update(
	    h, (const uint8_t *)domain, sizeof(domain) - 1);
	crypto_generichash_blake2b_update(
	    h, message + BOX_NONCE_LEN, ZP_MLES_NONCE_LEN - BOX_NONCE_LEN);
	crypto_generichash_blake2b_update(h, message, len);
	crypto_generichash_blake2b_final(h, mac, ZP_MLES_MAC_LEN);
}

void
zp_mles_frame_seal_plain(uint8_t *message, struct zp_mles_layer *layer,
    const uint8_t *plain, size_t len,
    const uint8_t nonce[static ZP_MLES_NONCE_LEN])
{
	size_t box_end = ZP_MLES_NONCE_LEN + TAG_LEN + len;

	memcpy(message, nonce, ZP_MLES_NONCE_LEN);
	crypto_secretbox_easy(
	    message + ZP_MLES_NONCE_LEN, plain, len, nonce, layer->seal);
	make_mac(message + box_end, layer, message, box_end);
}

enum zp_err
zp_mles_frame_seal(uint8_t *message, struct zp_mles_layer *layer,
    const struct zp_mles_frame *f,
    const uint8_t nonce[static ZP_MLES_NONCE_LEN],
    const uint8_t padding_seed[static 32])
{
	/* Padding is at most 1/16 of the longest plaintext. */
	uint8_t padding[4096];
	uint8_t *plain = message + ZP_MLES_NONCE_LEN + TAG_LEN;

	if (f->body_len > ZP_MLES_BODY_MAX)
		return ZP_ERR_TOO_LONG;
	size_t len = zp_mles_frame_len(f->body_len, f->keys_len);
	size_t used = ZP_MLES_HEADER_LEN + f->body_len + f->keys_len;
	randombytes_buf_deterministic(padding, len - used, padding_seed);
	enum zp_err err = zp_mles_frame_write(plain, f, padding);
	if (err)
		return err;
	zp_mles_frame_seal_plain(message, layer, plain, len, nonce);
	return ZP_OK;
}

enum zp_err
zp_mles_frame_open(struct zp_mles_frame *f, uint8_t *plain,
    struct zp_mles_layer *const *layers, size_t n, const uint8_t *message,
    size_t len, size_t *which)
{
	uint8_t mac[ZP_MLES_MAC_LEN];
	size_t at = n;

	if (len < ZP_MLES_OVERHEAD)
		return ZP_ERR_NOT_OURS;
	size_t box_end = len - ZP_MLES_MAC_LEN;
	for (size_t i = 0; i < n && at == n; i++) {
		if (layers[i] == NULL)
			continue;
		make_mac(mac, layers[i], message, box_end);
		if (sodium_memcmp(mac, message + box_end, sizeof(mac)) == 0)
			at = i;
	}
	if (at == n)
		return ZP_ERR_NOT_OURS;
	if (crypto_secretbox_open_easy(plain, message + ZP_MLES_NONCE_LEN,
		box_end - ZP_MLES_NONCE_LEN, message, layers[at]->seal) != 0)
		return ZP_ERR_FORGED;
	enum zp_err err = zp_mles_frame_parse(f, plain, len - ZP_MLES_OVERHEAD);
	if (!err)
		*which = at;
	return err;
}

/* A CBOR head (RFC 8949, section 3): major type and shortest argument. */
static size_t
cbor_head(uint8_t to[static 5], unsigned major, size_t n)
{
	uint8_t type = (uint8_t)(major << 5);

	if (n < 24) {
		to[0] = (uint8_t)(type | n);
		return 1;
	}
	if (n <= UINT8_MAX) {
		to[0] = type | 24;
		to[1] = (uint8_t)n;
		return 2;
	}
	if (n <= UINT16_MAX) {
		to[0] = type | 25;
		zp_be16_put(to + 1, (uint16_t)n);
		return 3;
	}
	to[0] = type | 26;
	zp_be32_put(to + 1, (uint32_t)n);
	return 5;
}

static size_t
b64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

size_t
zp_mles_frame_cbor_len(size_t p_len, size_t rp_len, size_t len)
{
	uint8_t head[5];
	size_t p = b64_len(p_len), rp = b64_len(rp_len);

	return 1 + 4 + cbor_head(head, 3, p) + p + 8 + cbor_head(head, 3, rp) +
	    rp + 8 + cbor_head(head, 2, len) + len;
}

static void
put_name(
    struct zp_writer *w, const char *key, const uint8_t *box, size_t box_len)
{
	char text[(ZP_MLES_BOX_MAX + 2) / 3 * 4 + 1];
	uint8_t head[5];

	sodium_bin2base64(
	    text, sizeof(text), box, box_len, sodium_base64_VARIANT_ORIGINAL);
	zp_writer_put(w, head, cbor_head(head, 3, strlen(key)));
	zp_writer_put(w, key, strlen(key));
	zp_writer_put(w, head, cbor_head(head, 3, strlen(text)));
	zp_writer_put(w, text, strlen(text));
}

void
zp_mles_frame_cbor(uint8_t *to, const uint8_t *p, size_t p_len,
    const uint8_t *rp, size_t rp_len, const uint8_t *message, size_t len)
{
	struct zp_writer w;
	uint8_t head[5];

	zp_writer_init(&w, to, zp_mles_frame_cbor_len(p_len, rp_len, len));
	zp_writer_put(&w, head, cbor_head(head, 5, 3));
	put_name(&w, "uid", p, p_len);
	put_name(&w, "channel", rp, rp_len);
	zp_writer_put(&w, head, cbor_head(head, 3, 7));
	zp_writer_put(&w, "message", 7);
	zp_writer_put(&w, head, cbor_head(head, 2, len));
	zp_writer_put(&w, message, len);
}

enum zp_err
zp_mles_frame_checksum(uint64_t *sum, const uint8_t *p, size_t p_len,
    const uint8_t *rp, size_t rp_len, const uint8_t *message, size_t len)
{
	static const uint8_t no_key[crypto_shorthash_siphash24_KEYBYTES];
	uint8_t out[crypto_shorthash_siphash24_BYTES];

	if (p_len > ZP_MLES_BOX_MAX || rp_len > ZP_MLES_BOX_MAX ||
	    len > UINT32_MAX)
		return ZP_ERR_TOO_LONG;
	size_t n = zp_mles_frame_cbor_len(p_len, rp_len, len);
	uint8_t *cbor = malloc(n);
	if (cbor == NULL)
		return ZP_ERR_MEMORY;
	zp_mles_frame_cbor(cbor, p, p_len, rp, rp_len, message, len);
	crypto_shorthash_siphash24(out, cbor, n, no_key);
	free(cbor);
	/* libsodium gives the low byte first. */
	*sum = 0;
	for (size_t i = sizeof(out); i-- > 0;)
		*sum = *sum << 8 | out[i];
	return ZP_OK;
}
