#include <sodium.h>

#include "base/zp_b64.h"
#include "fuzz.h"

/* Base64url: canonical, and as libsodium has it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_copy(data, len);
	size_t run = zp_b64_run(text, len), got = 0;
	uint8_t *mine = malloc(ZP_B64_BYTES(len) + 1);
	uint8_t *theirs = malloc(ZP_B64_BYTES(len) + 1);
	char *back = malloc(len + 4);
	const char *end = NULL;

	MUST(mine != NULL && theirs != NULL && back != NULL);
	MUST(run <= len && (run == len || !zp_b64_is(data[run])));
	bool good = zp_b64_read(mine, text, len);
	/* libsodium takes some letters with the highest bit set. */
	bool ascii = true;
	for (size_t i = 0; i < len; i++)
		ascii = ascii && data[i] < 128;
	bool want = ascii &&
	    sodium_base642bin(theirs, ZP_B64_BYTES(len) + 1, text, len, NULL,
		&got, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	    end == text + len;
	MUST(good == want);
	if (good) {
		MUST(got == ZP_B64_BYTES(len));
		MUST(memcmp(mine, theirs, got) == 0);
		zp_b64_write(back, mine, got);
		MUST(memcmp(back, text, len) == 0);
	}
	free(back);
	free(theirs);
	free(mine);
	free(text);
	return 0;
}
