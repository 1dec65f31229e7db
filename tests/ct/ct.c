#include <sodium.h>
#include <unistd.h>

#include "../unit/tap.h"
#include "crypt/zp_conv.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_seal.h"
#include "crypt/zp_secret.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_group.h"
#include "mles/zp_mles_key.h"
#include "public.h"

/* Shares and mixes lie inside a run, and are public as soon as made. */
#include "../../lib/crypt/zp_group.c"

/*
 * No branch and no address depends on a secret: each part is run with its
 * secrets marked, under valgrind, and must add nothing to what that reports.
 * Run without valgrind it starts itself anew with it.
 *
 * One part is not constant in time by design: scrypt reads memory at places
 * that its password determines (RFC 7914; that is what makes it hard on
 * memory), so reports from within it are passed over (suppressions.txt);
 * what is made of its result is under the check again.
 */

static unsigned before;

static void
begin(void)
{
	before = VALGRIND_COUNT_ERRORS;
}

static void
end(const char *name)
{
	unsigned found = VALGRIND_COUNT_ERRORS - before;

	IS(found, 0, name);
}

static void
must(bool good, const char *what)
{
	ct_public(&good, sizeof(good));
	if (!good) {
		printf("Bail out! %s\n", what);
		exit(1);
	}
}

static void
fill(void *to, size_t n, uint8_t with)
{
	memset(to, with, n);
	ct_secret(to, n);
}

/* That the check sees what it is there for. */
static void
test_check(void)
{
	static const uint8_t table[256] = {1};
	uint8_t secret[2];
	volatile int sink = 0;

	fill(secret, sizeof(secret), 3);
	begin();
	if (secret[0] == 4)
		sink = 1;
	OK(VALGRIND_COUNT_ERRORS > before, "a branch on a secret is noticed");
	begin();
	sink = table[secret[1]];
	if (sink > 256)
		sink = 2;
	OK(VALGRIND_COUNT_ERRORS > before, "so is a look-up by a secret");
	(void)sink;
}

/* ---- keys ---------------------------------------------------------------- */

static void
test_derive(void)
{
	struct zp_key *key = NULL;
	uint8_t password[20];
	enum zp_err err;

	fill(password, sizeof(password), 'p');
	begin();
	err = zp_key_derive(&key, password, sizeof(password), "ops", 15);
	must(err == ZP_OK, "derive");
	end("the key from a passphrase, all subkeys and both topics");
	zp_key_free(key);
}

static struct zp_key *
load(void)
{
	uint8_t raw[ZP_KEY_LEN];
	struct zp_key *key = NULL;

	fill(raw, sizeof(raw), 1);
	must(zp_key_load(&key, raw, "ops", 18) == ZP_OK, "load");
	return key;
}

static void
test_load(void)
{
	char text[64], back[64];
	uint8_t raw[ZP_KEY_LEN];
	size_t n = 0;

	begin();
	zp_key_free(load());
	end("all that follows from a key that was kept");
	/* As files have it: the characters are the secret now. */
	memset(raw, 200, sizeof(raw));
	sodium_bin2base64(text, sizeof(text), raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	n = strlen(text);
	ct_secret(text, n);
	begin();
	must(zp_secret_read_b64(raw, sizeof(raw), text, n, &n), "base64");
	end("a key read from its text");
	begin();
	sodium_bin2base64(back, sizeof(back), raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	end("and written as text");
}

static void
test_pseudonyms(const struct zp_key *key, uint8_t p[static ZP_PSEUDONYM_LEN])
{
	char name[ZP_NAME_MAX + 1];

	begin();
	must(zp_pseudo_make(p, zp_key_amac(key), zp_key_aenc(key),
		 ZP_PSEUDO_USER, "alice") == ZP_OK,
	    "a pseudonym");
	ct_public(p, ZP_PSEUDONYM_LEN);
	end("a user's pseudonym");
	begin();
	must(zp_pseudo_open(name, zp_key_amac(key), zp_key_aenc(key), p) ==
		ZP_OK,
	    "opening a pseudonym");
	p[0] ^= 1;
	must(zp_pseudo_open(name, zp_key_amac(key), zp_key_aenc(key), p) ==
		ZP_ERR_FORGED,
	    "refusing a pseudonym");
	p[0] ^= 1;
	end("a pseudonym opened, a wrong one refused");
}

/* ---- records ------------------------------------------------------------- */

static size_t
seal(const struct zp_key *key, const struct zp_sigctx *ctx,
    const struct zp_identity *id, char *line)
{
	struct zp_sealer *s = NULL;
	uint8_t body[100];
	struct zp_payload p = {.kind = ZP_KIND_NOTE,
	    .flags = ZP_FLAG_LAST,
	    .time = 1,
	    .body = body,
	    .body_len = sizeof(body)};

	/* What is said is secret, too, but for its length. */
	fill(body, sizeof(body), 'x');
	must(zp_sealer_new(&s, zp_key_msgkey(key), ctx, id) == ZP_OK,
	    "a sealer");
	size_t len = zp_sealer_line_len(s, sizeof(body));
	must(zp_sealer_line(s, line, &p) == ZP_OK, "sealing");
	zp_sealer_free(s);
	return len;
}

static void
test_records(const struct zp_key *key, const uint8_t p[static ZP_PSEUDONYM_LEN])
{
	static char line[2][4096];
	struct zp_identity *id = NULL;
	struct zp_sigctx ctx = {0};
	struct zp_opener *o = NULL;
	struct zp_record rec;
	struct zp_opened op;
	uint8_t seed[ZP_SEED_LEN], other[32];
	unsigned slot;
	size_t len[2];

	memcpy(ctx.rp, zp_key_rp(key, false), sizeof(ctx.rp));
	memcpy(ctx.p, p, sizeof(ctx.p));
	begin();
	len[0] = seal(key, &ctx, NULL, line[0]);
	end("a note sealed");
	fill(seed, sizeof(seed), 5);
	begin();
	must(zp_identity_load(&id, seed) == ZP_OK, "an identity");
	ct_public(zp_identity_public(id), ZP_IDKEY_LEN);
	len[1] = seal(key, &ctx, id, line[1]);
	end("a note signed and sealed");
	fill(other, sizeof(other), 6);
	must(zp_opener_new(&o, zp_key_amac(key), zp_key_aenc(key), "ops") ==
		    ZP_OK &&
		zp_opener_add(o, other, NULL, NULL, 0, &slot) == ZP_OK &&
		zp_opener_add(o, zp_key_msgkey(key), NULL, NULL, 0, &slot) ==
		    ZP_OK,
	    "an opener");
	for (size_t i = 0; i < 2; i++) {
		size_t from = 0;
		begin();
		must(zp_record_find(line[i], len[i], &from, false, &rec) &&
			zp_opener_open(o, &rec, &op) == ZP_OK,
		    "opening");
		end(i == 0 ? "a note opened, with one of two keys"
			   : "a signed note opened");
	}
	line[0][ZP_RECORD_HEAD + 40] ^= 1;
	line[1][len[1] - 20] ^= 1;
	begin();
	for (size_t i = 0; i < 2; i++) {
		size_t from = 0;
		must(zp_record_find(line[i], len[i], &from, false, &rec) &&
			zp_opener_open(o, &rec, &op) != ZP_OK,
		    "refusing");
	}
	end("records with a wrong commitment or box refused");
	zp_opener_free(o);
	zp_identity_free(id);
}

/* ---- the handshake ------------------------------------------------------- */

#define MEMBERS_MAX 3

struct group {
	size_t n;
	struct zp_group_member m[MEMBERS_MAX];
	struct zp_group_setup setup;
	struct zp_group_run *run[MEMBERS_MAX];
	uint8_t tag[MEMBERS_MAX][ZP_GROUP_TAG_LEN];
};

static const struct zp_group_ops *const ops = &zp_group_ristretto;

static void
exchange(struct group *g, bool mixes)
{
	uint8_t e[ZP_GROUP_ELEMENT_LEN];

	for (size_t i = 0; i < g->n; i++) {
		must(mixes ? ops->own_mix(g->run[i], e)
			   : ops->own_share(g->run[i], e),
		    "a value");
		for (size_t j = 0; j < g->n; j++)
			if (j != i)
				must((mixes ? ops->put_mix(g->run[j], i, e)
					    : ops->put_share(
						  g->run[j], i, e)) == ZP_OK,
				    "taking a value");
	}
}

static void
confirm(struct group *g)
{
	for (size_t i = 0; i < g->n; i++) {
		must(ops->tag(g->run[i], g->tag[i]) == ZP_OK, "a tag");
		ct_public(g->tag[i], ZP_GROUP_TAG_LEN);
	}
	for (size_t i = 0; i < g->n; i++)
		for (size_t j = 0; j < g->n; j++)
			if (i != j)
				must(ops->verify(g->run[i], j, g->tag[j]) ==
					ZP_OK,
				    "verifying");
	g->tag[1][31] ^= 1;
	must(ops->verify(g->run[0], 1, g->tag[1]) == ZP_ERR_TAG,
	    "refusing a tag");
}

static void
test_group(const struct zp_key *key, size_t n)
{
	struct group g = {.n = n, .setup = {.n = n}};
	uint8_t random[ZP_GROUP_RANDOM_LEN];
	struct zp_conv conv;
	char text[ZP_CONV_SAFETY_TEXT_LEN + 1];

	for (size_t i = 0; i < n; i++)
		g.m[i].p[0] = (uint8_t)i;
	g.setup.m = g.m;
	g.setup.msgkey = zp_key_msgkey(key);
	zp_group_view_id(g.setup.rp, g.m, n, g.setup.view);
	begin();
	for (size_t i = 0; i < n; i++) {
		fill(random, sizeof(random), (uint8_t)(i + 1));
		g.setup.me = i;
		must(ops->start(&g.setup, random, &g.run[i]) == ZP_OK,
		    "starting");
		ct_public(g.run[i]->slot[i].z, ZP_GROUP_ELEMENT_LEN);
	}
	end("a generator and a share");
	begin();
	exchange(&g, false);
	for (size_t i = 0; i < n; i++)
		must(ops->check(g.run[i]) == ZP_OK, "checking shares");
	if (n > 2) {
		for (size_t i = 0; i < n; i++) {
			must(ops->mix(g.run[i]) == ZP_OK, "mixing");
			ct_public(g.run[i]->slot[i].x, ZP_GROUP_ELEMENT_LEN);
		}
		exchange(&g, true);
	}
	for (size_t i = 0; i < n; i++)
		must(ops->key(g.run[i]) == ZP_OK, "a key");
	end(n > 2 ? "three members' mixes and keys" : "two members' keys");
	begin();
	confirm(&g);
	end("confirmation tags, and a wrong one refused");
	begin();
	must(ops->conv(g.run[0], &conv) == ZP_OK, "a conversation");
	/* Shown on screens; the key is not. */
	ct_public(conv.safety, sizeof(conv.safety));
	zp_conv_safety_text(conv.safety, text);
	end("the conversation's keys");
	for (size_t i = 0; i < n; i++)
		ops->free(g.run[i]);
}

/* ---- MlesTalk ------------------------------------------------------------ */

static void
test_mles_key(struct zp_mles_key **key)
{
	uint8_t password[20], raw[ZP_MLES_KEY_LEN];
	struct zp_mles_box box;
	struct zp_mles_name name = {.len = 5, .bytes = "alice"}, back;

	fill(password, sizeof(password), 'p');
	begin();
	must(zp_mles_key_derive_raw(key, password, sizeof(password),
		 (const uint8_t *)"ops", 3) == ZP_OK,
	    "derive");
	end("MlesTalk: the key from a passphrase");
	zp_mles_key_free(*key);
	fill(raw, sizeof(raw), 9);
	begin();
	must(zp_mles_key_load(key, raw, "ops") == ZP_OK, "load");
	zp_mles_key_box(*key, &box, &name);
	ct_public(box.bytes, box.len);
	must(zp_mles_key_unbox(*key, &back, box.bytes, box.len) == ZP_OK,
	    "unboxing");
	box.bytes[0] ^= 1;
	must(
	    zp_mles_key_unbox(*key, &back, box.bytes, box.len) == ZP_ERR_FORGED,
	    "refusing a box");
	end("MlesTalk: keys, and names boxed and unboxed");
}

static void
test_mles_frame(struct zp_mles_key *key)
{
	static uint8_t message[400], plain[400];
	uint8_t nonce[ZP_MLES_NONCE_LEN] = {1}, seed[32];
	struct zp_mles_layer *layers[1] = {zp_mles_key_layer(key)};
	struct zp_mles_frame f = {.flags = ZP_MLES_FULL,
	    .time = ZP_MLES_TIME_MIN + 1000000,
	    .body = (const uint8_t *)"hello",
	    .body_len = 5};
	size_t which, len = zp_mles_frame_message_len(5, 0);

	fill(seed, sizeof(seed), 3);
	begin();
	must(zp_mles_frame_seal(message, layers[0], &f, nonce, seed) == ZP_OK,
	    "sealing");
	ct_public(message, len);
	must(zp_mles_frame_open(&f, plain, layers, 1, message, len, &which) ==
		ZP_OK,
	    "opening");
	message[len - 1] ^= 1;
	must(zp_mles_frame_open(&f, plain, layers, 1, message, len, &which) ==
		ZP_ERR_NOT_OURS,
	    "refusing a mac");
	end("MlesTalk: mac, frames sealed and opened, a wrong mac refused");
}

static void
test_mles_group(struct zp_mles_key *key)
{
	static struct zp_mles_ring ring[3];
	static struct zp_mles_group g[3];
	static struct zp_mles_layer conv;
	uint8_t sid[ZP_MLES_SID_LEN] = {1}, random[ZP_MLES_RANDOM_LEN];

	begin();
	for (size_t i = 0; i < 3; i++) {
		fill(random, sizeof(random), (uint8_t)(i + 1));
		must(zp_mles_group_begin(
			 &g[i], zp_mles_key_layer(key), sid, random) == ZP_OK,
		    "beginning");
		ct_public(g[i].z, sizeof(g[i].z));
		for (size_t j = 0; j < 3; j++)
			memcpy(ring[j].z[i], g[i].z, sizeof(g[i].z));
	}
	for (size_t i = 0; i < 3; i++) {
		ring[i].n = 3;
		ring[i].me = i;
		must(zp_mles_group_mix(&g[i], &ring[i]) == ZP_OK, "mixing");
		ct_public(ring[i].x[i], ZP_MLES_POINT_LEN);
		for (size_t j = 0; j < 3; j++)
			memcpy(ring[j].x[i], ring[i].x[i], ZP_MLES_POINT_LEN);
	}
	for (size_t i = 0; i < 3; i++)
		must(
		    zp_mles_group_secret(&g[i], &ring[i]) == ZP_OK, "a secret");
	zp_mles_key_conversation(&conv, zp_mles_key_layer(key), g[0].secret);
	end("MlesTalk: shares, mixes, the secret and its keys");
}

/* Valgrind without a program that valgrind can run is no failure. */
static int
skip(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 0;
}

static int
run_under_valgrind(char **argv)
{
	const char *root = getenv("ZP_ROOT");
	char suppressions[4096];

	snprintf(suppressions, sizeof(suppressions),
	    "--suppressions=%s/tests/ct/suppressions.txt",
	    root != NULL ? root : ".");
	execlp("valgrind", "valgrind", "-q", "--leak-check=no",
	    "--error-limit=no", "--num-callers=20", "--log-fd=1", suppressions,
	    argv[0], (char *)NULL);
	return skip("there is no valgrind here");
}

int
main(int argc, char **argv)
{
	struct zp_mles_key *mles = NULL;
	uint8_t p[ZP_PSEUDONYM_LEN];

	(void)argc;
#ifdef ZP_SANITIZED
	(void)run_under_valgrind;
	(void)argv;
	return skip("this build is not for valgrind");
#else
	if (!RUNNING_ON_VALGRIND)
		return run_under_valgrind(argv);
#endif
	must(zp_secret_init() == ZP_OK, "libsodium");
	test_check();
	test_derive();
	test_load();
	struct zp_key *key = load();
	test_pseudonyms(key, p);
	test_records(key, p);
	test_group(key, 2);
	test_group(key, 3);
	test_mles_key(&mles);
	test_mles_frame(mles);
	test_mles_group(mles);
	zp_mles_key_free(mles);
	zp_key_free(key);
	return tap_done();
}
