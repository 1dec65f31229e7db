#include "fuzz.h"
#include "mles/zp_mles_frame.h"

/*
 * Plaintexts of MlesTalk frames, and messages.  What parses is written again
 * with the same meaning; what is sealed opens.  First byte: the layer that
 * seals, or that the rest is a message as it came.
 */

static void
write_again(const struct zp_mles_frame *f, struct zp_mles_layer *layer)
{
	static const uint8_t seed[32], nonce[ZP_MLES_NONCE_LEN] = {5};
	struct zp_mles_layer *layers[2] = {NULL, layer};
	struct zp_mles_frame g;
	size_t len = zp_mles_frame_message_len(f->body_len, f->keys_len);
	uint8_t *message = malloc(len), *plain = malloc(len);
	size_t which = 0;

	MUST(message != NULL && plain != NULL);
	enum zp_err err = zp_mles_frame_seal(message, layer, f, nonce, seed);
	/* Minutes and seconds may be more than a week has. */
	MUST(err == ZP_OK || err == ZP_ERR_TOO_LONG ||
	    (err == ZP_ERR_CLOCK && f->time >= ZP_MLES_TIME_END));
	if (err == ZP_OK) {
		MUST(zp_mles_frame_open(
			 &g, plain, layers, 2, message, len, &which) == ZP_OK);
		MUST(which == 1 && g.flags == f->flags && g.time == f->time);
		MUST(g.body_len == f->body_len && g.keys_len == f->keys_len);
		MUST(memcmp(g.body, f->body, f->body_len) == 0);
		MUST(memcmp(g.sid, f->sid, sizeof(g.sid)) == 0);
	}
	free(plain);
	free(message);
}

static void
check(const struct zp_mles_frame *f, const uint8_t *from, size_t len)
{
	MUST(f->keys_len == 0 || f->keys_len == 32 || f->keys_len == 64);
	MUST(f->body_len <= len && f->body >= from);
	MUST(f->body + f->body_len <= from + len);
	MUST(f->keys_len == 0 || f->keys + f->keys_len <= from + len);
	MUST((f->flags & ~ZP_MLES_FLAGS) == 0);
	MUST(f->time >= ZP_MLES_TIME_MIN &&
	    f->time < ZP_MLES_TIME_END + INT64_C(65536) * 60000 + 128000);
	(void)zp_mles_frame_msgtype(f->flags);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct zp_mles_layer layer;
	static const uint8_t nonce[ZP_MLES_NONCE_LEN] = {6};
	struct zp_mles_layer *layers[1] = {&layer};
	struct zp_mles_frame f;
	size_t which;

	(void)fuzz_world();
	memset(layer.mac, 1, sizeof(layer.mac));
	memset(layer.seal, 2, sizeof(layer.seal));
	if (len == 0)
		return 0;
	bool raw = (data[0] & 1) != 0;
	uint8_t *from = fuzz_copy(data + 1, --len);
	uint8_t *plain = malloc(len + ZP_MLES_OVERHEAD);
	uint8_t *message = malloc(len + ZP_MLES_OVERHEAD);
	MUST(plain != NULL && message != NULL);
	if (raw) {
		MUST(zp_mles_frame_open(
			 &f, plain, layers, 1, from, len, &which) != ZP_OK);
	} else if (zp_mles_frame_parse(&f, from, len) == ZP_OK) {
		check(&f, from, len);
		write_again(&f, &layer);
	} else {
		zp_mles_frame_seal_plain(message, &layer, from, len, nonce);
		enum zp_err err = zp_mles_frame_open(&f, plain, layers, 1,
		    message, len + ZP_MLES_OVERHEAD, &which);
		MUST(err == ZP_ERR_FORMAT || err == ZP_ERR_CUT);
	}
	free(message);
	free(plain);
	free(from);
	return 0;
}
