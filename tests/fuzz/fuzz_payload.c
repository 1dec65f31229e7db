#include "fuzz.h"
#include "wire/zp_payload.h"

/* What a box holds: what parses is written as the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *from = fuzz_copy(data, len);
	struct zp_payload p;

	if (zp_payload_parse(&p, from, len) == ZP_OK) {
		bool is_signed = (p.flags & ZP_FLAG_SIGNED) != 0;
		MUST(is_signed == (p.idkey != NULL));
		MUST(p.body >= from && p.body + p.body_len <= from + len);
		size_t want = zp_payload_len(p.body_len, is_signed);
		uint8_t *to = malloc(want);
		MUST(to != NULL);
		zp_payload_write(to, want, &p);
		/* Padding may be longer than ours, never another. */
		MUST(memcmp(to, from, want < len ? want : len) == 0);
		free(to);
	}
	free(from);
	return 0;
}
