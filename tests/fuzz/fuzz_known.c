#include "fuzz.h"
#include "store/zp_known.h"

/*
 * The file of known identities.  What is read is written and read again;
 * a pin is never changed by meeting another key.
 */

static void
same(const struct zp_known *a, const struct zp_known *b)
{
	MUST(zp_known_count(a) == zp_known_count(b));
	for (size_t i = 0; i < zp_known_count(a); i++) {
		const struct zp_known_entry *x = zp_known_at(a, i),
					    *y = zp_known_at(b, i);
		MUST(memcmp(x->rp, y->rp, sizeof(x->rp)) == 0);
		MUST(memcmp(x->idkey, y->idkey, sizeof(x->idkey)) == 0);
		MUST(strcmp(x->uid, y->uid) == 0 && x->time == y->time);
		MUST(zp_text_is_name(x->uid, strlen(x->uid)));
	}
}

static void
meet(struct zp_known *k, const uint8_t *rp)
{
	uint8_t one[ZP_IDKEY_LEN], two[ZP_IDKEY_LEN];
	enum zp_trust trust;
	struct zp_fault fault;

	memset(one, 1, sizeof(one));
	memset(two, 2, sizeof(two));
	bool was = zp_known_check(k, rp, "alice", NULL) == ZP_TRUST_UNSIGNED;
	MUST(zp_known_meet(k, rp, "alice", one, 5, &trust, &fault) == ZP_OK);
	if (!was)
		MUST(trust == ZP_TRUST_NEW || trust == ZP_TRUST_KNOWN);
	if (trust == ZP_TRUST_CHANGED)
		return;
	MUST(zp_known_check(k, rp, "alice", one) == ZP_TRUST_KNOWN);
	MUST(zp_known_check(k, rp, "alice", two) == ZP_TRUST_CHANGED);
	MUST(zp_known_check(k, rp, "alice", NULL) == ZP_TRUST_UNSIGNED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct fuzz_world *w = fuzz_world();
	struct zp_fault fault;
	struct zp_known *k, *again;
	const char *path = fuzz_file("known", data, len);

	if (zp_known_open(&k, path, true, &fault) == ZP_OK) {
		meet(k, zp_key_rp(w->key, false));
		MUST(zp_known_open(&again, path, true, &fault) == ZP_OK);
		same(k, again);
		zp_known_free(again);
		zp_known_free(k);
	}
	return 0;
}
