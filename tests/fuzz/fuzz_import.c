#include <sodium.h>

#include "fuzz.h"
#include "store/zp_keyfile.h"

/*
 * The line of `zpinc-key export`: what is read is written as the same line.
 * Input that does not begin with the prefix is taken for the bytes behind
 * it, and gets a check that fits.
 */

static char *
make_line(const uint8_t *data, size_t len, size_t *out)
{
	uint8_t bytes[200], sum[32];
	char *to = malloc(512);

	MUST(to != NULL);
	if (len > sizeof(bytes) - 4)
		len = sizeof(bytes) - 4;
	memcpy(bytes, data, len);
	crypto_hash_sha256(sum, bytes, len);
	memcpy(bytes + len, sum, 4);
	memcpy(to, "zpkey1.", 7);
	sodium_bin2base64(to + 7, 505, bytes, len + 4,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	*out = strlen(to);
	return to;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char line[ZP_KEYFILE_EXPORT_MAX];
	struct zp_keyfile *key;
	char *from;
	size_t n = len;

	(void)fuzz_world();
	if (len >= 6 && memcmp(data, "zpkey1", 6) == 0)
		from = fuzz_copy(data, len);
	else
		from = make_line(data, len, &n);
	if (zp_keyfile_import(&key, from, n) == ZP_OK) {
		MUST(zp_keyfile_export(key, line) == ZP_OK);
		MUST(strlen(line) == n && memcmp(line, from, n) == 0);
		zp_keyfile_free(key);
	}
	free(from);
	return 0;
}
