#include "fuzz.h"
#include "store/zp_keyfile.h"
#include "store/zp_known.h"

/* Identity files, and public keys as people copy them. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_identity *id, *again;
	struct zp_fault fault;
	struct zp_writer w;
	char text[1024], pub[ZP_KNOWN_TEXT];
	uint8_t idkey[ZP_IDKEY_LEN];
	char *from = fuzz_copy(data, len);

	(void)fuzz_world();
	if (zp_idfile_parse(&id, from, len, &fault) == ZP_OK) {
		zp_writer_init(&w, text, sizeof(text));
		zp_idfile_write(&w, id);
		MUST(!w.bad);
		MUST(zp_idfile_parse(&again, text, w.len, &fault) == ZP_OK);
		MUST(memcmp(zp_identity_public(id), zp_identity_public(again),
			 ZP_IDKEY_LEN) == 0);
		zp_identity_free(again);
		zp_identity_free(id);
	}
	free(from);
	from = malloc(len + 1);
	MUST(from != NULL);
	memcpy(from, data, len);
	from[len] = '\0';
	if (zp_known_parse(idkey, from) == ZP_OK) {
		zp_known_text(pub, idkey);
		MUST(strcmp(pub, from) == 0);
	}
	free(from);
	return 0;
}
