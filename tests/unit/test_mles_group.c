/* The arithmetic of the MlesTalk handshake, against the prototype's. */

#include <sodium.h>

#include "crypt/zp_secret.h"
#include "mles/zp_mles_group.h"

#include "mles_vec.h"
#include "tap.h"

static char label[300];
static struct mles_case group, member[8];
static size_t members;

static struct zp_mles_ring ring;

static const char *
named(const char *what)
{
	snprintf(label, sizeof(label), "%s: %s", group.name, what);
	return label;
}

static void
is_field(const struct mles_case *c, const char *key, const uint8_t *got,
    const char *what)
{
	uint8_t want[32];

	mles_bytes(c, key, want, sizeof(want));
	SAME(got, want, 32, named(what));
}

static void
check_order(void)
{
	struct zp_mles_name name[8];
	bool good = true;

	for (size_t i = 0; i < members; i++) {
		name[i].len = (uint16_t)strlen(member[i].name);
		memcpy(name[i].bytes, member[i].name, name[i].len);
		if (i > 0 && zp_mles_text_order(&name[i - 1], &name[i]) >= 0)
			good = false;
	}
	OK(good, named("the members stand in our order"));
}

static void
check_member(struct zp_mles_group *g, struct zp_mles_layer *pw, size_t i)
{
	struct zp_mles_layer *conv = zp_secret_new(sizeof(*conv));
	uint8_t random[64] = {0}, sid[8], zero[32] = {0};
	uint8_t *mix = ring.x[i];

	ring.me = i;
	mles_bytes(&group, "sid", sid, sizeof(sid));
	mles_bytes(&member[i], "y", random, 32);
	IS(zp_mles_group_begin(g, pw, sid, random), ZP_OK, named("begun"));
	is_field(&member[i], "z", g->z, "the share");
	IS(zp_mles_group_mix(g, &ring), ZP_OK, named("mixed"));
	if (members == 2)
		SAME(mix, zero, 32, named("the mix of two is neutral"));
	else
		is_field(&member[i], "x", mix, "the mix");
	IS(zp_mles_group_secret(g, &ring), ZP_OK, named("done"));
	is_field(&group, "secret", g->secret, "the secret");
	zp_mles_key_conversation(conv, pw, g->secret);
	is_field(&group, "conversation_mac_key", conv->mac, "the mac key");
	is_field(&group, "conversation_seal_key", conv->seal, "the seal key");
	zp_secret_free(conv);
}

/* What must not become a secret. */
static void
check_refusals(struct zp_mles_group *g)
{
	uint8_t keep[32];
	uint8_t(*z)[32] = ring.z, (*x)[32] = ring.x;
	static const uint8_t bad[32] = {1}; /* odd, so no encoding */

	memcpy(keep, z[1], 32);
	memset(z[1], 0, 32);
	IS(zp_mles_group_secret(g, &ring), ZP_ERR_POINT,
	    named("a neutral share is refused"));
	memset(z[1], 0xff, 32);
	IS(zp_mles_group_secret(g, &ring), ZP_ERR_POINT,
	    named("a share that does not decode is refused"));
	IS(zp_mles_group_mix(g, &ring), ZP_ERR_POINT,
	    named("and makes no mix"));
	memcpy(z[1], keep, 32);
	OK(!zp_mles_group_good(bad) && zp_mles_group_good(z[0]),
	    named("good points are told from others"));
	if (members == 2)
		return;
	memcpy(keep, x[1], 32);
	memset(x[1], 0, 32);
	IS(zp_mles_group_secret(g, &ring), ZP_ERR_POINT,
	    named("a neutral mix is refused"));
	memcpy(x[1], z[0], 32);
	IS(zp_mles_group_secret(g, &ring), ZP_ERR_SUM,
	    named("mixes that do not cancel are refused"));
	memcpy(x[1], keep, 32);
}

static void
check_group(void)
{
	struct zp_mles_group *g = zp_secret_new(sizeof(*g));
	struct zp_mles_layer *pw = zp_secret_new(sizeof(*pw));

	if (g == NULL || pw == NULL)
		mles_die("memory", "group");
	mles_bytes(&group, "mac_key", pw->mac, 32);
	mles_bytes(&group, "seal_key", pw->seal, 32);
	for (size_t i = 0; i < members; i++) {
		mles_bytes(&member[i], "z", ring.z[i], 32);
		mles_bytes(&member[i], "x", ring.x[i], 32);
	}
	ring.n = members;
	check_order();
	for (size_t i = 0; i < members; i++)
		check_member(g, pw, i);
	ring.me = 0; /* next to the member that is changed */
	check_refusals(g);
	zp_secret_free(g);
	zp_secret_free(pw);
}

int
main(void)
{
	FILE *f = mles_vectors();
	static struct mles_case c;
	int seen = 0;

	if (zp_secret_init() != ZP_OK)
		mles_die("libsodium", "init");
	while (mles_next(f, &c)) {
		if (strcmp(c.kind, "group") == 0) {
			mles_copy(&group, &c);
			members = 0;
		} else if (strcmp(c.kind, "member") == 0) {
			mles_copy(&member[members++], &c);
			if ((long long)members == mles_number(&group, "n")) {
				check_group();
				seen++;
			}
		}
	}
	fclose(f);
	IS(seen, 3, "all groups were read");
	return tap_done();
}
