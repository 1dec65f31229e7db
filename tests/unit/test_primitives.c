#include <sodium.h>

#include "tap.h"
#include "vec.h"

/*
 * libsodium against the published vectors, and its BLAKE2b and key
 * derivation, with the parameters we use, against Python's hashlib: what the
 * rest stands on.
 */

static void
scrypt(void)
{
	struct vec v;

	vec_open(&v, "scrypt");
	while (vec_next(&v)) {
		uint8_t got[64], want[64];
		size_t plen, slen;
		uint8_t *password = vec_alloc(&v, "password", &plen);
		uint8_t *salt = vec_alloc(&v, "salt", &slen);
		int rc = crypto_pwhash_scryptsalsa208sha256_ll(password, plen,
		    salt, slen, vec_num(&v, "N"), (uint32_t)vec_num(&v, "r"),
		    (uint32_t)vec_num(&v, "p"), got, sizeof(got));

		vec_hex(&v, "key", want, sizeof(want));
		OK(rc == 0 && !memcmp(got, want, 64), vec_reason(&v));
		free(password);
		free(salt);
	}
	vec_close(&v);
}

static void
secretbox(void)
{
	uint8_t key[32], nonce[24], m[131], box[147], got[147], stream[32];
	struct vec v;

	vec_open(&v, "secretbox");
	while (vec_next(&v)) {
		vec_hex(&v, "key", key, 32);
		vec_hex(&v, "nonce", nonce, 24);
		vec_hex(&v, "message", m, sizeof(m));
		vec_hex(&v, "box", box, sizeof(box));
		vec_hex(&v, "stream", stream, 32);
		crypto_secretbox_easy(got, m, sizeof(m), nonce, key);
		SAME(got, box, sizeof(box), "secretbox makes NaCl's box");
		OK(!crypto_secretbox_open_easy(
		       got, box, sizeof(box), nonce, key) &&
			!memcmp(got, m, sizeof(m)),
		    "and opens it");
		box[16] ^= 1;
		OK(crypto_secretbox_open_easy(
		       got, box, sizeof(box), nonce, key) == -1,
		    "and refuses it with one bit changed");
		memset(got, 0, 32);
		crypto_stream_xsalsa20_xor(got, got, 32, nonce, key);
		SAME(got, stream, 32, "XSalsa20 gives NaCl's key stream");
	}
	vec_close(&v);
}

/* RFC 7693, appendix E. */
static void
blake2b_sequence(uint8_t *out, size_t n, uint32_t seed)
{
	uint32_t a = 0xdead4badU * seed, b = 1;

	for (size_t i = 0; i < n; i++) {
		uint32_t t = a + b;

		a = b;
		b = t;
		out[i] = (uint8_t)(t >> 24);
	}
}

static void
blake2b_grid(uint8_t out[32])
{
	static const size_t sizes[] = {20, 32, 48, 64};
	static const size_t lens[] = {0, 3, 128, 129, 255, 1024};
	uint8_t in[1024], key[64], digest[64];
	crypto_generichash_blake2b_state grid;

	crypto_generichash_blake2b_init(&grid, NULL, 0, 32);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 6; j++) {
			blake2b_sequence(in, lens[j], (uint32_t)lens[j]);
			crypto_generichash_blake2b(
			    digest, sizes[i], in, lens[j], NULL, 0);
			crypto_generichash_blake2b_update(
			    &grid, digest, sizes[i]);
			blake2b_sequence(key, sizes[i], (uint32_t)sizes[i]);
			crypto_generichash_blake2b(
			    digest, sizes[i], in, lens[j], key, sizes[i]);
			crypto_generichash_blake2b_update(
			    &grid, digest, sizes[i]);
		}
	crypto_generichash_blake2b_final(&grid, out, 32);
}

static void
blake2b(void)
{
	struct vec v;

	vec_open(&v, "blake2b");
	while (vec_next(&v)) {
		uint8_t got[64], want[64], data[3];

		if (vec_has(&v, "grid")) {
			vec_hex(&v, "grid", want, 32);
			blake2b_grid(got);
			SAME(got, want, 32, "BLAKE2b gives RFC 7693's grid");
			continue;
		}
		crypto_generichash_blake2b(
		    got, 64, data, vec_bytes(&v, "data", data, 3), NULL, 0);
		vec_hex(&v, "digest", want, 64);
		SAME(got, want, 64, vec_reason(&v));
	}
	vec_close(&v);
}

static void
blake2b_personal(void)
{
	struct vec v;

	vec_open(&v, "blake2b-personal");
	while (vec_next(&v)) {
		uint8_t got[64], want[64], key[64], data[256];
		uint8_t personal[16] = {0};
		size_t size = vec_num(&v, "size");
		size_t klen = vec_bytes(&v, "key", key, sizeof(key));

		vec_bytes(&v, "personal", personal, sizeof(personal));
		vec_hex(&v, "digest", want, size);
		crypto_generichash_blake2b_salt_personal(got, size, data,
		    vec_bytes(&v, "data", data, sizeof(data)),
		    klen ? key : NULL, klen, NULL, personal);
		SAME(got, want, size, vec_reason(&v));
	}
	vec_close(&v);
}

static void
kdf(void)
{
	struct vec v;

	vec_open(&v, "kdf");
	while (vec_next(&v)) {
		uint8_t got[64], want[64], key[32];
		char context[8];
		size_t size = vec_num(&v, "size");

		vec_hex(&v, "key", key, 32);
		vec_hex(&v, "context", context, 8);
		vec_hex(&v, "subkey", want, size);
		crypto_kdf_derive_from_key(
		    got, size, vec_num(&v, "number"), context, key);
		SAME(got, want, size, vec_reason(&v));
	}
	vec_close(&v);
}

static void
ristretto(void)
{
	uint8_t sum[32] = {0}, one[32], got[32], want[32], scalar[32] = {0};
	struct vec v;

	scalar[0] = 1;
	crypto_scalarmult_ristretto255_base(one, scalar);
	vec_open(&v, "ristretto255");
	while (vec_next(&v)) {
		uint8_t hash[64];

		if (vec_has(&v, "multiple")) {
			vec_hex(&v, "encoding", want, 32);
			SAME(sum, want, 32, vec_reason(&v));
			crypto_core_ristretto255_add(sum, sum, one);
		} else if (vec_has(&v, "invalid")) {
			vec_hex(&v, "invalid", got, 32);
			OK(!crypto_core_ristretto255_is_valid_point(got),
			    vec_reason(&v));
		} else {
			vec_hex(&v, "input", hash, 64);
			vec_hex(&v, "output", want, 32);
			crypto_core_ristretto255_from_hash(got, hash);
			SAME(got, want, 32, vec_reason(&v));
		}
	}
	vec_close(&v);
}

static void
cpace_exchange(const struct vec *v)
{
	uint8_t g[32], y[32], ya[32], yb[32], k[32], got[32];

	vec_hex(v, "g", g, 32);
	vec_hex(v, "Ya", ya, 32);
	vec_hex(v, "Yb", yb, 32);
	vec_hex(v, "K", k, 32);
	vec_hex(v, "ya", y, 32);
	OK(!crypto_scalarmult_ristretto255(got, y, g) && !memcmp(got, ya, 32),
	    "A's share is the draft's");
	OK(!crypto_scalarmult_ristretto255(got, y, yb) && !memcmp(got, k, 32),
	    "A's K is the draft's");
	vec_hex(v, "yb", y, 32);
	OK(!crypto_scalarmult_ristretto255(got, y, g) && !memcmp(got, yb, 32),
	    "B's share is the draft's");
	OK(!crypto_scalarmult_ristretto255(got, y, ya) && !memcmp(got, k, 32),
	    "B's K is the draft's");
}

static void
cpace(void)
{
	uint8_t s[32], x[32], got[32], want[32];
	struct vec v;

	vec_open(&v, "cpace");
	while (vec_next(&v)) {
		if (vec_has(&v, "PRS")) {
			cpace_exchange(&v);
		} else if (vec_has(&v, "invalid")) {
			/* is_valid_point would take the neutral element */
			vec_hex(&v, "invalid", x, 32);
			OK(crypto_scalarmult_ristretto255(got, s, x) == -1,
			    vec_reason(&v));
		} else {
			vec_hex(&v, "s", s, 32);
			vec_hex(&v, "X", x, 32);
			vec_hex(&v, "product", want, 32);
			OK(!crypto_scalarmult_ristretto255(got, s, x) &&
				!memcmp(got, want, 32),
			    vec_reason(&v));
		}
	}
	vec_close(&v);
}

static void
ed25519(void)
{
	struct vec v;

	vec_open(&v, "ed25519");
	while (vec_next(&v)) {
		uint8_t seed[32], pk[32], sk[64], want[32];
		uint8_t sig[64], wantsig[64];
		size_t len;
		uint8_t *m = vec_alloc(&v, "message", &len);
		bool good;

		vec_hex(&v, "seed", seed, 32);
		vec_hex(&v, "public", want, 32);
		vec_hex(&v, "signature", wantsig, 64);
		crypto_sign_seed_keypair(pk, sk, seed);
		crypto_sign_detached(sig, NULL, m, len, sk);
		good = !memcmp(pk, want, 32) && !memcmp(sig, wantsig, 64) &&
		    !crypto_sign_verify_detached(sig, m, len, pk);
		sig[0] ^= 1;
		good = good && crypto_sign_verify_detached(sig, m, len, pk);
		OK(good, vec_reason(&v));
		free(m);
	}
	vec_close(&v);
}

int
main(void)
{
	if (sodium_init() < 0)
		return EXIT_FAILURE;
	scrypt();
	secretbox();
	blake2b();
	blake2b_personal();
	kdf();
	ristretto();
	cpace();
	ed25519();
	return tap_done();
}
