#include "crypt/zp_secret.h"
#include "fuzz.h"
#include "store/zp_keyfile.h"

/* Key files: what is read is written, and read again as the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_keyfile *kf, *again;
	struct zp_fault fault;
	struct zp_writer w;
	char text[ZP_KEYFILE_TEXT_MAX];
	char *from = fuzz_copy(data, len);

	(void)fuzz_world();
	if (zp_keyfile_parse(&kf, from, len, &fault) != ZP_OK) {
		free(from);
		return 0;
	}
	MUST(strlen(zp_keyfile_channel(kf)) <= ZP_SUITE_NAME_MAX);
	if (kf->key != NULL) {
		zp_writer_init(&w, text, sizeof(text));
		zp_keyfile_write(&w, kf);
		MUST(!w.bad);
		MUST(zp_keyfile_parse(&again, text, w.len, &fault) == ZP_OK);
		MUST(again->kind == ZP_KEYFILE_CHANNEL && again->key != NULL);
		MUST(memcmp(zp_key_raw(kf->key), zp_key_raw(again->key),
			 ZP_KEY_LEN) == 0);
		MUST(strcmp(zp_keyfile_channel(kf),
			 zp_keyfile_channel(again)) == 0);
		MUST(zp_key_work(kf->key) == zp_key_work(again->key));
		zp_keyfile_free(again);
	}
	zp_keyfile_free(kf);
	free(from);
	return 0;
}
