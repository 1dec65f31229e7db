/*
 * The group key exchange against the draft's vectors and against what a
 * second implementation makes of the same scalars.
 */
#include <sodium.h>

#include "base/zp_be.h"
#include "crypt/zp_cpace.h"
#include "crypt/zp_group.h"
#include "crypt/zp_hash.h"
#include "crypt/zp_secret.h"

#include "tap.h"
#include "vec.h"

#define LEN ZP_GROUP_ELEMENT_LEN
#define OPS zp_group_ristretto
#define N_MAX 64
#define MEMBER_LEN (ZP_PSEUDONYM_LEN + ZP_SID_LEN + ZP_IDKEY_LEN + 4)

static void
need(bool good)
{
	if (good)
		return;
	printf("Bail out! a step failed that cannot fail\n");
	exit(1);
}

/* ---- the draft ---------------------------------------------------------- */

struct cpace {
	uint8_t prs[64], ci[64], sid[64], ad[2][16];
	size_t prs_len, ci_len, sid_len, ad_len[2];
	uint8_t g[LEN], scalar[2][LEN], share[2][LEN], k[LEN], got[LEN];
	uint8_t hash[64], want[64];
	crypto_hash_sha512_state h;
};

static void
cpace_read(const struct vec *v, struct cpace *c)
{
	c->prs_len = vec_bytes(v, "PRS", c->prs, sizeof(c->prs));
	c->ci_len = vec_bytes(v, "CI", c->ci, sizeof(c->ci));
	c->sid_len = vec_bytes(v, "sid", c->sid, sizeof(c->sid));
	c->ad_len[0] = vec_bytes(v, "ADa", c->ad[0], sizeof(c->ad[0]));
	c->ad_len[1] = vec_bytes(v, "ADb", c->ad[1], sizeof(c->ad[1]));
	vec_hex(v, "g", c->g, LEN);
	vec_hex(v, "ya", c->scalar[0], LEN);
	vec_hex(v, "yb", c->scalar[1], LEN);
	vec_hex(v, "Ya", c->share[0], LEN);
	vec_hex(v, "Yb", c->share[1], LEN);
	vec_hex(v, "K", c->k, LEN);
}

/* The initiator and responder setting, which no run of ours uses. */
static void
transcript_ir(struct cpace *c)
{
	for (int i = 0; i < 2; i++) {
		zp_cpace_lv(&c->h, c->share[i], LEN);
		zp_cpace_lv(&c->h, c->ad[i], c->ad_len[i]);
	}
}

/* a: who comes first; the result must not depend on it. */
static void
transcript_oc(struct cpace *c, int a)
{
	int b = 1 - a;

	zp_cpace_transcript_oc(&c->h, c->share[a], c->ad[a], c->ad_len[a],
	    c->share[b], c->ad[b], c->ad_len[b]);
}

static void
cpace_isk(const struct vec *v, struct cpace *c)
{
	zp_cpace_isk_begin(&c->h, ZP_CPACE_DSI, c->sid, c->sid_len, c->k);
	transcript_ir(c);
	crypto_hash_sha512_final(&c->h, c->hash);
	vec_hex(v, "ISK_IR", c->want, 64);
	SAME(c->hash, c->want, 64, "the draft's ISK, initiator and responder");
	vec_hex(v, "ISK_SY", c->want, 64);
	for (int a = 0; a < 2; a++) {
		zp_cpace_isk_begin(
		    &c->h, ZP_CPACE_DSI, c->sid, c->sid_len, c->k);
		transcript_oc(c, a);
		crypto_hash_sha512_final(&c->h, c->hash);
		SAME(c->hash, c->want, 64, "the draft's ISK, symmetric");
	}
}

static void
cpace_sid_output(const struct vec *v, struct cpace *c)
{
	static const char prefix[] = "CPaceSidOutput";

	for (int oc = 0; oc < 2; oc++) {
		crypto_hash_sha512_init(&c->h);
		crypto_hash_sha512_update(
		    &c->h, (const uint8_t *)prefix, sizeof(prefix) - 1);
		if (oc)
			transcript_oc(c, 0);
		else
			transcript_ir(c);
		crypto_hash_sha512_final(&c->h, c->hash);
		vec_hex(v, oc ? "sid_output_oc" : "sid_output_ir", c->want, 64);
		SAME(c->hash, c->want, 64, "the draft's session id output");
	}
}

static void
cpace_exchange(const struct vec *v)
{
	struct cpace c;

	cpace_read(v, &c);
	zp_cpace_generator_begin(&c.h, c.prs, c.prs_len, c.ci_len);
	crypto_hash_sha512_update(&c.h, c.ci, c.ci_len);
	zp_cpace_generator_end(&c.h, c.sid, c.sid_len, c.hash, c.got);
	SAME(c.got, c.g, LEN, "the draft's generator");
	for (int i = 0; i < 2; i++) {
		need(zp_cpace_mult(c.got, c.scalar[i], c.g) == ZP_OK);
		SAME(c.got, c.share[i], LEN, "the draft's shares");
		need(
		    zp_cpace_mult(c.got, c.scalar[i], c.share[1 - i]) == ZP_OK);
		SAME(c.got, c.k, LEN, "the draft's K");
	}
	cpace_isk(v, &c);
	cpace_sid_output(v, &c);
}

static void
test_cpace(void)
{
	uint8_t s[LEN], x[LEN], want[LEN], got[LEN];
	struct vec v;

	vec_open(&v, "cpace");
	while (vec_next(&v)) {
		if (vec_has(&v, "PRS")) {
			cpace_exchange(&v);
		} else if (vec_has(&v, "product")) {
			vec_hex(&v, "s", s, LEN);
			vec_hex(&v, "X", x, LEN);
			vec_hex(&v, "product", want, LEN);
			need(zp_cpace_mult(got, s, x) == ZP_OK);
			SAME(got, want, LEN, vec_reason(&v));
		} else {
			vec_hex(&v, "invalid", x, LEN);
			IS(zp_cpace_mult(got, s, x), ZP_ERR_POINT,
			    vec_reason(&v));
		}
	}
	vec_close(&v);
}

static void
test_lengths(void)
{
	uint8_t a[64], b[64], twobytes[2] = {0x80, 0x01}, text[128] = {0};
	crypto_hash_sha512_state h;

	crypto_hash_sha512_init(&h);
	zp_cpace_lv(&h, text, sizeof(text));
	crypto_hash_sha512_final(&h, a);
	crypto_hash_sha512_init(&h);
	crypto_hash_sha512_update(&h, twobytes, 2);
	crypto_hash_sha512_update(&h, text, sizeof(text));
	crypto_hash_sha512_final(&h, b);
	SAME(a, b, 64, "128 bytes take a length of two bytes, low bits first");
	OK(zp_cpace_lv_size(0) == 1 && zp_cpace_lv_size(127) == 128 &&
		zp_cpace_lv_size(128) == 130 &&
		zp_cpace_lv_size(16383) == 16385 &&
		zp_cpace_lv_size(16384) == 16387,
	    "lengths grow by a byte every seven bits");
}

/* ---- members ------------------------------------------------------------ */

static void
member_read(struct zp_group_member *m, const uint8_t b[MEMBER_LEN])
{
	memcpy(m->p, b, ZP_PSEUDONYM_LEN);
	memcpy(m->sid, b += ZP_PSEUDONYM_LEN, ZP_SID_LEN);
	memcpy(m->idkey, b += ZP_SID_LEN, ZP_IDKEY_LEN);
	m->gen = zp_be32(b + ZP_IDKEY_LEN);
}

static size_t
members_read(const struct vec *v, const char *name, struct zp_group_member *m)
{
	uint8_t bytes[N_MAX * MEMBER_LEN];
	size_t n = (size_t)vec_num(v, "n");

	need(n <= N_MAX);
	vec_hex(v, name, bytes, n * MEMBER_LEN);
	for (size_t i = 0; i < n; i++)
		member_read(&m[i], bytes + i * MEMBER_LEN);
	return n;
}

static int
order(const void *a, const void *b)
{
	return zp_group_order(a, b);
}

static void
test_views(void)
{
	struct zp_group_member m[N_MAX], sorted[N_MAX];
	uint8_t rp[ZP_PSEUDONYM_LEN], view[32], want[32];
	uint8_t mids[N_MAX * 16], mid[16];
	struct vec v;

	vec_open(&v, "views");
	while (vec_next(&v)) {
		size_t n = members_read(&v, "members", m);
		bool good = true;

		members_read(&v, "sorted", sorted);
		vec_hex(&v, "RP", rp, sizeof(rp));
		vec_hex(&v, "view", want, sizeof(want));
		vec_hex(&v, "mids", mids, n * 16);
		qsort(m, n, sizeof(m[0]), order);
		for (size_t i = 0; i < n; i++) {
			zp_group_mid(&m[i], mid);
			good = zp_group_order(&m[i], &sorted[i]) == 0 &&
			    memcmp(mid, mids + 16 * i, 16) == 0 && good;
		}
		zp_group_view_id(rp, m, n, view);
		good = SAME(view, want, 32, vec_reason(&v)) && good;
		OK(good, "its members in order, with their ids");
	}
	vec_close(&v);
}

/* ---- keys of a conversation --------------------------------------------- */

static void
test_conversations(void)
{
	uint8_t *isk = zp_secret_new(ZP_CONV_ISK_LEN);
	struct zp_conv *conv = zp_secret_new(sizeof(*conv));
	uint8_t *confirm = zp_secret_new(32);
	uint8_t view[32], want[32];
	char text[ZP_CONV_SAFETY_TEXT_LEN + 1];
	struct vec v;

	need(isk != NULL && conv != NULL && confirm != NULL);
	vec_open(&v, "conversations");
	while (vec_next(&v)) {
		vec_hex(&v, "ISK", isk, ZP_CONV_ISK_LEN);
		vec_hex(&v, "view", view, sizeof(view));
		zp_conv_derive(isk, view, conv, confirm);
		vec_hex(&v, "record_key", want, 32);
		SAME(conv->key, want, 32, vec_reason(&v));
		vec_hex(&v, "confirm_key", want, 32);
		SAME(confirm, want, 32, "its confirm key");
		vec_hex(&v, "id", want, 16);
		SAME(conv->id, want, 16, "its id");
		zp_conv_safety_text(conv->safety, text);
		OK(strcmp(text, vec_text(&v, "safety")) == 0,
		    "its safety number");
		OK(sodium_is_zero(isk, ZP_CONV_ISK_LEN),
		    "ISK and prk are wiped");
	}
	vec_close(&v);
	zp_secret_free(isk);
	zp_secret_free(conv);
	zp_secret_free(confirm);
}

static void
test_safety(void)
{
	uint8_t safety[ZP_CONV_SAFETY_LEN];
	char text[ZP_CONV_SAFETY_TEXT_LEN + 1];
	struct vec v;

	vec_open(&v, "safety");
	while (vec_next(&v)) {
		vec_hex(&v, "safety_bytes", safety, sizeof(safety));
		zp_conv_safety_text(safety, text);
		OK(strcmp(text, vec_text(&v, "safety")) == 0, vec_reason(&v));
	}
	vec_close(&v);
}

/* ---- whole exchanges ---------------------------------------------------- */

struct exchange {
	size_t n;
	struct zp_group_member m[N_MAX];
	uint8_t msgkey[ZP_KEY_LEN];
	struct zp_group_setup setup;
	uint8_t random[N_MAX][ZP_GROUP_RANDOM_LEN];
	uint8_t z[N_MAX][LEN], x[N_MAX][LEN], tag[N_MAX][LEN];
	uint8_t key[32], id[16];
	char safety[ZP_CONV_SAFETY_TEXT_LEN + 1];
};

static void
exchange_read(const struct vec *v, struct exchange *e)
{
	memset(e, 0, sizeof(*e));
	e->n = members_read(v, "members", e->m);
	vec_hex(v, "msgkey", e->msgkey, sizeof(e->msgkey));
	vec_hex(v, "RP", e->setup.rp, sizeof(e->setup.rp));
	vec_hex(v, "view", e->setup.view, sizeof(e->setup.view));
	vec_hex(v, "Z", e->z, e->n * LEN);
	if (vec_has(v, "X"))
		vec_hex(v, "X", e->x, e->n * LEN);
	if (vec_has(v, "tags"))
		vec_hex(v, "tags", e->tag, e->n * LEN);
	e->setup.msgkey = e->msgkey;
	e->setup.m = e->m;
	e->setup.n = e->n;
}

static struct zp_group_run *
begin(struct exchange *e, size_t me)
{
	struct zp_group_run *run;
	uint8_t random[ZP_GROUP_RANDOM_LEN];

	memcpy(random, e->random[me], sizeof(random));
	e->setup.me = me;
	need(OPS.start(&e->setup, random, &run) == ZP_OK);
	return run;
}

/* Up to the key, with what the others sent; what the first failure says. */
static enum zp_err
steps(struct exchange *e, struct zp_group_run *run)
{
	size_t me = e->setup.me;
	enum zp_err err;

	for (size_t i = 0; i < e->n; i++)
		if (i != me)
			need(OPS.put_share(run, i, e->z[i]) == ZP_OK);
	err = OPS.check(run);
	if (err != ZP_OK)
		return err;
	if (e->n > 2) {
		need(OPS.mix(run) == ZP_OK);
		for (size_t i = 0; i < e->n; i++)
			if (i != me)
				need(OPS.put_mix(run, i, e->x[i]) == ZP_OK);
	}
	return OPS.key(run);
}

/* Member `me` sends and gets what the second implementation says. */
static bool
member_good(struct exchange *e, size_t me)
{
	struct zp_group_run *run = begin(e, me);
	struct zp_conv *conv = zp_secret_new(sizeof(*conv));
	uint8_t out[LEN];
	char safety[ZP_CONV_SAFETY_TEXT_LEN + 1];
	bool good;

	need(conv != NULL);
	good = OPS.own_share(run, out) && memcmp(out, e->z[me], LEN) == 0 &&
	    steps(e, run) == ZP_OK &&
	    (e->n == 2 ||
		(OPS.own_mix(run, out) && memcmp(out, e->x[me], LEN) == 0)) &&
	    OPS.tag(run, out) == ZP_OK && memcmp(out, e->tag[me], LEN) == 0;
	for (size_t i = 0; i < e->n && good; i++)
		good = i == me || OPS.verify(run, i, e->tag[i]) == ZP_OK;
	good = good && OPS.confirmed(run) && OPS.conv(run, conv) == ZP_OK;
	zp_conv_safety_text(conv->safety, safety);
	good = good && memcmp(conv->key, e->key, sizeof(e->key)) == 0 &&
	    memcmp(conv->id, e->id, sizeof(e->id)) == 0 &&
	    strcmp(safety, e->safety) == 0;
	OPS.free(run);
	zp_secret_free(conv);
	return good;
}

static void
test_groups(void)
{
	static struct exchange e;
	uint8_t y[N_MAX][LEN];
	struct vec v;

	vec_open(&v, "groups");
	while (vec_next(&v)) {
		bool good = true;

		exchange_read(&v, &e);
		vec_hex(&v, "y", y, e.n * LEN);
		vec_hex(&v, "record_key", e.key, sizeof(e.key));
		vec_hex(&v, "id", e.id, sizeof(e.id));
		snprintf(
		    e.safety, sizeof(e.safety), "%s", vec_text(&v, "safety"));
		for (size_t i = 0; i < e.n; i++)
			memcpy(e.random[i], y[i], LEN);
		for (size_t i = 0; i < e.n; i++)
			good = member_good(&e, i) && good;
		OK(good, vec_reason(&v));
	}
	vec_close(&v);
}

static enum zp_err
error_of(const char *word)
{
	static const struct {
		const char *word;
		enum zp_err err;
	} errors[] = {{"point", ZP_ERR_POINT}, {"equal", ZP_ERR_EQUAL},
	    {"sum", ZP_ERR_SUM}, {"neutral", ZP_ERR_NEUTRAL},
	    {"tag", ZP_ERR_TAG}};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(word, errors[i].word) == 0)
			return errors[i].err;
	need(false);
	return ZP_OK;
}

static void
test_refused(void)
{
	static struct exchange e;
	struct vec v;

	vec_open(&v, "groups-refused");
	while (vec_next(&v)) {
		enum zp_err want = error_of(vec_text(&v, "error")), got;
		struct zp_group_run *run;
		size_t self = (size_t)vec_num(&v, "self"), who = 0;
		bool blamed = true;

		exchange_read(&v, &e);
		vec_hex(&v, "y", e.random[self], LEN);
		run = begin(&e, self);
		if (vec_has(&v, "who"))
			who = (size_t)vec_num(&v, "who");
		got = steps(&e, run);
		if (want == ZP_ERR_TAG && got == ZP_OK)
			got = OPS.verify(run, who, e.tag[who]);
		for (size_t i = 0; i < e.n; i++)
			blamed = OPS.bad(run, i) ==
				(want == ZP_ERR_POINT && i == who) &&
			    blamed;
		IS(got, want, vec_reason(&v));
		OK(blamed && !OPS.confirmed(run),
		    "blames who is to blame alone");
		OPS.free(run);
	}
	vec_close(&v);
}

/* ---- all sizes ---------------------------------------------------------- */

static void
draw(const struct vec *v, size_t i, char which, uint8_t out[64])
{
	uint8_t in[32 + 2 + 1];

	vec_hex(v, "seed", in, 32);
	zp_be16_put(in + 32, (uint16_t)i);
	in[34] = (uint8_t)which;
	zp_hash(out, 64, NULL, 0, "", in, sizeof(in));
}

/* Members, scalars and keys from the seed, as the file says. */
static void
exchange_draw(const struct vec *v, struct exchange *e)
{
	uint8_t h[64];

	memset(e, 0, sizeof(*e));
	e->n = (size_t)vec_num(v, "n");
	need(e->n <= N_MAX);
	draw(v, 0xffff, 'a', h);
	memcpy(e->msgkey, h, sizeof(e->msgkey));
	draw(v, 0xffff, 'b', h);
	memcpy(e->setup.rp, h, sizeof(e->setup.rp));
	for (size_t i = 0; i < e->n; i++) {
		draw(v, i, 'a', h);
		memcpy(e->m[i].p, h, ZP_PSEUDONYM_LEN);
		memcpy(e->m[i].sid, h + ZP_PSEUDONYM_LEN, ZP_SID_LEN);
		draw(v, i, 'b', h);
		memcpy(e->m[i].idkey, h, ZP_IDKEY_LEN);
		e->m[i].gen = zp_be32(h + ZP_IDKEY_LEN);
	}
	qsort(e->m, e->n, sizeof(e->m[0]), order);
	for (size_t i = 0; i < e->n; i++)
		draw(v, i, 'c', e->random[i]);
	zp_group_view_id(e->setup.rp, e->m, e->n, e->setup.view);
	e->setup.msgkey = e->msgkey;
	e->setup.m = e->m;
	e->setup.n = e->n;
}

/* Everybody up to the mix; digest of all Z and all X. */
static void
exchange_mix(struct exchange *e, struct zp_group_run **run, uint8_t digest[32])
{
	uint8_t all[2 * N_MAX * LEN];
	size_t len = e->n * LEN;

	for (size_t i = 0; i < e->n; i++) {
		run[i] = begin(e, i);
		need(OPS.own_share(run[i], e->z[i]));
	}
	for (size_t i = 0; i < e->n; i++) {
		for (size_t j = 0; j < e->n; j++)
			if (i != j)
				need(
				    OPS.put_share(run[i], j, e->z[j]) == ZP_OK);
		need(OPS.check(run[i]) == ZP_OK && OPS.mix(run[i]) == ZP_OK &&
		    OPS.own_mix(run[i], e->x[i]));
	}
	memcpy(all, e->z, len);
	memcpy(all + len, e->x, len);
	zp_hash(digest, 32, NULL, 0, "", all, 2 * len);
}

/* One member from there on. */
static bool
exchange_key(
    const struct vec *v, struct exchange *e, struct zp_group_run *run, size_t i)
{
	uint8_t tags[2 * LEN], tag[LEN], want[32];
	struct zp_conv *conv = zp_secret_new(sizeof(*conv));
	bool good;

	need(conv != NULL);
	for (size_t j = 0; j < e->n; j++)
		if (i != j)
			need(OPS.put_mix(run, j, e->x[j]) == ZP_OK);
	need(OPS.key(run) == ZP_OK && OPS.tag(run, tag) == ZP_OK &&
	    OPS.conv(run, conv) == ZP_OK);
	vec_hex(v, "tags", tags, sizeof(tags));
	good = memcmp(tag, tags + (i > 0 ? LEN : 0), LEN) == 0;
	vec_hex(v, "record_key", want, 32);
	good = memcmp(conv->key, want, 32) == 0 && good;
	vec_hex(v, "id", want, 16);
	good = memcmp(conv->id, want, 16) == 0 && good;
	zp_secret_free(conv);
	return good;
}

static void
test_sizes(void)
{
	static struct exchange e;
	struct zp_group_run *run[N_MAX];
	uint8_t digest[32], want[32];
	size_t sizes = 0;
	struct vec v;

	vec_open(&v, "groups-sizes");
	for (; vec_next(&v); sizes++) {
		bool good;

		exchange_draw(&v, &e);
		exchange_mix(&e, run, digest);
		vec_hex(&v, "view", want, 32);
		good = memcmp(e.setup.view, want, 32) == 0;
		vec_hex(&v, "digest", want, 32);
		good = memcmp(digest, want, 32) == 0 && good;
		good = exchange_key(&v, &e, run[0], 0) && good;
		good = exchange_key(&v, &e, run[e.n - 1], e.n - 1) && good;
		OK(good, vec_reason(&v));
		for (size_t i = 0; i < e.n; i++)
			OPS.free(run[i]);
	}
	IS(sizes, 62, "every size from 3 to 64 was there");
	vec_close(&v);
}

int
main(void)
{
	need(zp_secret_init() == ZP_OK);
	test_cpace();
	test_lengths();
	test_views();
	test_conversations();
	test_safety();
	test_groups();
	test_refused();
	test_sizes();
	return tap_done();
}
