#include "fuzz.h"
#include "wire/zp_hello.h"

/* Bodies of hellos: what parses is written as the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct zp_hello_entry entries[ZP_HELLO_ENTRIES_MAX];
	static uint8_t body[ZP_HELLO_LEN(ZP_HELLO_ENTRIES_MAX)];
	uint8_t *from = fuzz_copy(data, len);
	struct zp_hello h;
	size_t got;

	if (zp_hello_parse(&h, from, len, ZP_HELLO_ENTRIES_MAX) == ZP_OK) {
		for (uint16_t i = 0; i < h.count; i++)
			zp_hello_entry(&h, i, &entries[i]);
		h.entries = entries;
		MUST(zp_hello_write(&h, body, sizeof(body), &got) == ZP_OK);
		MUST(got == len && memcmp(body, from, len) == 0);
		MUST(h.count == 0 ||
		    zp_hello_parse(&h, from, len, h.count - 1) ==
			ZP_ERR_FORMAT);
	}
	free(from);
	return 0;
}
