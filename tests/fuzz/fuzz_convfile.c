#include "fuzz.h"
#include "store/zp_convfile.h"
#include "store/zp_keyfile.h"

/*
 * Files of conversations.  Where a line `member` says `=UID`, the pseudonym
 * that belongs to that uid is put in (no fuzzer finds it), under the keys of
 * fuzz_world().
 */

/* The pseudonym is a function of the uid under amac and aenc. */
static char *
complete(const uint8_t *data, size_t len, size_t *out)
{
	const struct fuzz_world *w = fuzz_world();
	char *to = malloc(len * 20 + 1), topic[3][ZP_TOPIC_LEN];
	size_t n = 0;

	MUST(to != NULL);
	for (size_t i = 0; i < 3; i++)
		zp_record_topic(topic[i], w->p[i]);
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '=' && n + ZP_TOPIC_LEN <= len * 20 &&
		    i + 1 < len && data[i + 1] >= 'a' && data[i + 1] <= 'c') {
			memcpy(to + n, topic[data[++i] - 'a'], ZP_TOPIC_LEN);
			n += ZP_TOPIC_LEN;
		} else if (n < len * 20) {
			to[n++] = (char)data[i];
		}
	}
	*out = n;
	return to;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_convfile *c, *again;
	struct zp_keyfile *kf;
	struct zp_fault fault;
	size_t n;
	char *text = complete(data, len, &n);
	char *from = fuzz_copy(text, n);

	if (zp_convfile_parse(&c, from, n, &fault) == ZP_OK) {
		const char *path = fuzz_file("conv", "", 0);
		MUST(c->n >= 2 && c->me < c->n);
		MUST(zp_convfile_save(c, path, ZP_FILE_REPLACE) == ZP_OK);
		MUST(zp_keyfile_load(&kf, path, &fault) == ZP_OK);
		again = kf->conv;
		MUST(again != NULL);
		MUST(again->n == c->n && again->me == c->me);
		MUST(memcmp(again->members, c->members,
			 c->n * sizeof(*c->members)) == 0);
		MUST(memcmp(again->key, c->key, sizeof(c->key)) == 0);
		zp_keyfile_free(kf);
		zp_convfile_free(c);
	}
	free(from);
	free(text);
	return 0;
}
