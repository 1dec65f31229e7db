#include <sodium.h>

#include "base/zp_io.h"
#include "crypt/zp_key.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_seal.h"
#include "crypt/zp_secret.h"
#include "proto/zp_session.h"
#include "tap.h"
#include "vec.h"

/*
 * What the library seals is, byte for byte, what the second implementation
 * seals, given the same nonces.
 */

/* Randomness that a case brings: its nonces one after another. */
static struct {
	uint8_t *bytes;
	size_t len, at;
} nonces;

static const char *
rng_name(void)
{
	return "nonces of a vector";
}

static uint32_t
rng_random(void)
{
	abort();
}

static void
rng_buf(void *const to, const size_t len)
{
	size_t left = nonces.len - nonces.at, n = len < left ? len : left;

	memset(to, 0xee, len); /* more than the case brings must not be used */
	memcpy(to, nonces.bytes + nonces.at, n);
	nonces.at += n;
}

static struct randombytes_implementation rng = {
    .implementation_name = rng_name,
    .random = rng_random,
    .buf = rng_buf,
};

static struct zp_sealer *
sealer_of(const struct vec *v, struct zp_identity **id)
{
	uint8_t amac[32], aenc[32], key[32], seed[ZP_SEED_LEN];
	struct zp_sigctx ctx = {.keyid = {0}};
	char name[ZP_NAME_MAX + 1];
	struct zp_sealer *s;

	vec_hex(v, "amac", amac, 32);
	vec_hex(v, "aenc", aenc, 32);
	name[vec_bytes(v, "channel", name, ZP_NAME_MAX)] = '\0';
	if (zp_pseudo_make(ctx.rp, amac, aenc, ZP_PSEUDO_CHAN, name))
		vec_die(v, "channel", "is no name");
	name[vec_bytes(v, "uid", name, ZP_NAME_MAX)] = '\0';
	if (zp_pseudo_make(ctx.p, amac, aenc, ZP_PSEUDO_USER, name))
		vec_die(v, "uid", "is no name");
	vec_hex(v, vec_has(v, "id") ? "record_key" : "msgkey", key, 32);
	if (vec_has(v, "id"))
		vec_hex(v, "id", ctx.keyid, sizeof(ctx.keyid));
	*id = NULL;
	if (vec_has(v, "idseed")) {
		vec_hex(v, "idseed", seed, sizeof(seed));
		if (zp_identity_load(id, seed))
			vec_die(v, "idseed", "is no identity");
	}
	if (zp_sealer_new(&s, key, &ctx, *id))
		vec_die(v, "sealer", "cannot be made");
	return s;
}

/* The body as the library wants it: without a message's first number. */
static uint8_t *
body_of(const struct vec *v, struct zp_session_params *params, size_t *len)
{
	uint8_t *body, fill;

	params->kind = (enum zp_kind)vec_num(v, "kind");
	params->max_record = vec_num(v, "max_record");
	vec_hex(v, "sid", params->sid, sizeof(params->sid));
	params->first = 0;
	if (vec_has(v, "body")) {
		body = vec_alloc(v, "body", len);
	} else {
		vec_hex(v, "fill", &fill, 1);
		*len = vec_num(v, "length");
		body = malloc(*len);
		if (!body)
			vec_die(v, "length", "takes too much memory");
		memset(body, fill, *len);
	}
	if (params->kind == ZP_KIND_MESSAGE) {
		for (int i = 0; i < 8; i++)
			params->first = params->first << 8 | body[i];
		*len -= 8;
		memmove(body, body + 8, *len);
	}
	return body;
}

/* All that a session writes for the body of a case, in a file. */
static FILE *
sealed(const struct vec *v)
{
	struct zp_session_params params;
	struct zp_identity *id;
	struct zp_session *s;
	struct zp_out out;
	FILE *file = tmpfile();
	size_t len;
	uint8_t *body = body_of(v, &params, &len);

	if (!file || zp_out_init(&out, fileno(file), 65536) ||
	    zp_session_new(&s, sealer_of(v, &id), &params))
		vec_die(v, "session", "cannot be made");
	nonces.bytes = vec_alloc(v, "nonces", &nonces.len);
	nonces.at = 0;
	zp_session_expect(s, 1);
	if (zp_session_body(
		s, vec_num(v, "seq"), vec_num(v, "time"), body, len, &out) ||
	    zp_out_flush(&out))
		vec_die(v, "body", "cannot be sealed");
	zp_session_free(s);
	zp_identity_free(id);
	zp_out_free(&out);
	free(nonces.bytes);
	free(body);
	return file;
}

/* Does the file hold the records of the case, and nothing more? */
static bool
holds_records(const struct vec *v, FILE *file)
{
	unsigned n = (unsigned)vec_num(v, "records");
	char *line = NULL, field[32];
	size_t cap = 0;
	bool good = true;

	for (unsigned i = 0; i < n && good; i++) {
		ssize_t len = getline(&line, &cap, file);

		snprintf(field, sizeof(field), "record_%u", i);
		good = len > 0 && line[len - 1] == '\n';
		if (good)
			line[len - 1] = '\0';
		good = good && !strcmp(line, vec_text(v, field));
	}
	free(line);
	return good && getc(file) == EOF;
}

static bool
has_digest(const struct vec *v, FILE *file)
{
	crypto_generichash_blake2b_state state;
	uint8_t got[32], want[32], block[4096];
	size_t n;

	crypto_generichash_blake2b_init(&state, NULL, 0, 32);
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		crypto_generichash_blake2b_update(&state, block, n);
	crypto_generichash_blake2b_final(&state, got, 32);
	vec_hex(v, "digest", want, 32);
	return !memcmp(got, want, 32);
}

int
main(void)
{
	struct vec v;

	if (zp_secret_init())
		return EXIT_FAILURE;
	randombytes_set_implementation(&rng);
	vec_open(&v, "bodies");
	while (vec_next(&v)) {
		FILE *file = sealed(&v);

		rewind(file);
		OK(vec_has(&v, "digest") ? has_digest(&v, file)
					 : holds_records(&v, file),
		    vec_reason(&v));
		fclose(file);
	}
	vec_close(&v);
	return tap_done();
}
