#include "fuzz.h"
#include "mles/zp_mles_record.h"

/*
 * The line form of MlesTalk frames: what reads is written as the same line;
 * and the CBOR of its checksum is what a decoder expects.
 */

/* One head of CBOR (RFC 8949): major type and number, shortest form. */
static uint64_t
head(const uint8_t **at, const uint8_t *end, unsigned major)
{
	MUST(*at < end && **at >> 5 == major);
	unsigned info = *(*at)++ & 31;
	uint64_t v = 0;

	MUST(info <= 27);
	if (info < 24)
		return info;
	size_t n = (size_t)1 << (info - 24);
	MUST((size_t)(end - *at) >= n);
	for (size_t i = 0; i < n; i++)
		v = v << 8 | *(*at)++;
	MUST(v >= (n == 1 ? 24 : UINT64_C(1) << 4 * n));
	return v;
}

static const uint8_t *
item(const uint8_t **at, const uint8_t *end, unsigned major, size_t *len)
{
	*len = (size_t)head(at, end, major);
	MUST(*len <= (size_t)(end - *at));
	*at += *len;
	return *at - *len;
}

static void
check_cbor(const struct zp_mles_raw *raw)
{
	size_t len = zp_mles_frame_cbor_len(raw->p_len, raw->rp_len, raw->len);
	uint8_t *to = malloc(len);
	const uint8_t *at = to, *end = to + len;
	static const char *const keys[] = {"uid", "channel", "message"};
	size_t n;
	uint64_t sum;

	MUST(to != NULL);
	zp_mles_frame_cbor(to, raw->p, raw->p_len, raw->rp, raw->rp_len,
	    raw->message, raw->len);
	MUST(head(&at, end, 5) == 3);
	for (int i = 0; i < 3; i++) {
		const uint8_t *key = item(&at, end, 3, &n);
		MUST(n == strlen(keys[i]) && memcmp(key, keys[i], n) == 0);
		const uint8_t *value = item(&at, end, i < 2 ? 3 : 2, &n);
		if (i == 2)
			MUST(n == raw->len &&
			    memcmp(value, raw->message, n) == 0);
	}
	MUST(at == end);
	free(to);
	enum zp_err err = zp_mles_frame_checksum(&sum, raw->p, raw->p_len,
	    raw->rp, raw->rp_len, raw->message, raw->len);
	MUST(err == ZP_OK || err == ZP_ERR_TOO_LONG);
}

static void
open_it(const struct zp_mles_raw *raw)
{
	static struct zp_mles_key *key;
	static const uint8_t bytes[ZP_MLES_KEY_LEN] = {1};
	struct zp_mles_layer *layer;
	struct zp_mles_opened o;
	uint8_t *plain = malloc(raw->len + 1);

	(void)fuzz_world();
	if (key == NULL)
		MUST(zp_mles_key_load(&key, bytes, "ops") == ZP_OK);
	layer = zp_mles_key_layer(key);
	MUST(plain != NULL);
	enum zp_err err = zp_mles_record_open(&o, plain, key, &layer, 1, raw);
	MUST(err != ZP_ERR_MEMORY);
	free(plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct zp_mles_raw raw;
	static struct zp_mles_box rp, p;
	char *text = fuzz_copy(data, len);
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(text, len, &from, false, &rec)) {
		enum zp_err err = zp_mles_record_read(&raw, &rec);
		MUST(err == ZP_OK || err == ZP_ERR_FORMAT ||
		    err == ZP_ERR_SUITE);
		if (err != ZP_OK)
			continue;
		open_it(&raw);
		if (raw.rp_len > ZP_MLES_BOX_MAX || raw.p_len > ZP_MLES_BOX_MAX)
			continue;
		check_cbor(&raw);
		rp.len = (uint16_t)raw.rp_len;
		memcpy(rp.bytes, raw.rp, raw.rp_len);
		p.len = (uint16_t)raw.p_len;
		memcpy(p.bytes, raw.p, raw.p_len);
		size_t n = zp_mles_record_len(rp.len, p.len, raw.len);
		char *line = malloc(n + 1);
		MUST(line != NULL && n == rec.len);
		zp_mles_record_write(line, &rp, &p, raw.message, raw.len);
		MUST(memcmp(line, rec.line, n) == 0);
		free(line);
	}
	zp_mles_record_free(&raw);
	free(text);
	return 0;
}
