#include "mles/zp_mles_key.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"

_Static_assert(crypto_secretbox_KEYBYTES == ZP_MLES_KEY_LEN, "keys");
_Static_assert(crypto_secretbox_NONCEBYTES <= ZP_MLES_KEY_LEN, "nonces");
_Static_assert(
    crypto_secretbox_MACBYTES + ZP_MLES_NAME_MAX == ZP_MLES_BOX_MAX, "boxes");

/* How a kind of name is boxed. */
struct names {
	uint8_t key[ZP_MLES_KEY_LEN];
	uint8_t nonce[ZP_MLES_KEY_LEN]; /* only the first 24 count */
};

struct zp_mles_key {
	uint8_t raw[ZP_MLES_KEY_LEN];
	struct zp_mles_layer layer;
	struct names uid, chan;
	uint8_t salt[32];
	struct zp_mles_name channel;
	struct zp_mles_box rp;
	uint8_t password[ZP_MLES_PASSWORD_MAX + ZP_MLES_NAME_MAX];
};

/* BLAKE2b fails only for lengths that no caller has: a broken build. */
static void
must(int result)
{
	if (result != 0)
		abort();
}

/* B(n, key, data) of the header; n at most 64, key_len also 0. */
static void
hash(uint8_t *out, size_t n, const uint8_t *key, size_t key_len,
    const void *data, size_t len)
{
	must(crypto_generichash_blake2b_salt_personal(out, n, data, len, key,
	    key_len, (const uint8_t *)"ZpincSaltDomain1",
	    (const uint8_t *)"ZpincAppDomainv1"));
}

/*
 * KDF(key, info).  out may be key: BLAKE2b takes its key in before anything
 * comes out.
 */
static void
kdf(uint8_t out[static ZP_MLES_KEY_LEN],
    const uint8_t key[static ZP_MLES_KEY_LEN], const char *info)
{
	uint8_t data[40];
	size_t len = strlen(info);

	memcpy(data, info, len);
	data[len++] = 1;
	hash(out, ZP_MLES_KEY_LEN, key, ZP_MLES_KEY_LEN, NULL, 0);
	must(crypto_generichash_blake2b(
	    out, ZP_MLES_KEY_LEN, data, len, out, ZP_MLES_KEY_LEN));
}

/* Both keys from a root, which is a password's or a conversation's. */
static void
expand_layer(
    struct zp_mles_layer *layer, const uint8_t root[static ZP_MLES_KEY_LEN])
{
	hash(layer->mac, ZP_MLES_KEY_LEN, NULL, 0, root, ZP_MLES_KEY_LEN);
	kdf(layer->mac, layer->mac, "Zpinc-WebWorkerChannelDom!v1");
	kdf(layer->seal, root, "Zpinc-WebWorkerEncryptDom!v1");
}

void
zp_mles_key_conversation(struct zp_mles_layer *conv,
    const struct zp_mles_layer *password,
    const uint8_t secret[static ZP_MLES_KEY_LEN])
{
	/* The root passes through `mac`, where it is overwritten. */
	hash(conv->seal, ZP_MLES_KEY_LEN, password->mac, ZP_MLES_KEY_LEN,
	    secret, ZP_MLES_KEY_LEN);
	hash(conv->mac, ZP_MLES_KEY_LEN, NULL, 0, conv->seal, ZP_MLES_KEY_LEN);
	kdf(conv->mac, conv->mac, "Zpinc-WebWorkerChannelDom!v1");
	kdf(conv->seal, conv->seal, "Zpinc-WebWorkerEncryptDom!v1");
}

static void
box_name(const struct names *with, struct zp_mles_box *box,
    const struct zp_mles_name *name)
{
	box->len = (uint16_t)(name->len + crypto_secretbox_MACBYTES);
	must(crypto_secretbox_easy(
	    box->bytes, name->bytes, name->len, with->nonce, with->key));
}

/* Everything below `raw` and `channel`. */
static void
expand(struct zp_mles_key *k)
{
	expand_layer(&k->layer, k->raw);
	kdf(k->uid.key, k->layer.mac, "Zpinc-UidDerivation-v1");
	kdf(k->uid.nonce, k->layer.mac, "Zpinc-UidNonceDerivation-v1");
	kdf(k->chan.key, k->layer.mac, "Zpinc-ChannelDerivation-v1");
	kdf(k->chan.nonce, k->layer.mac, "Zpinc-ChannelNonceDerivation-v1");
	box_name(&k->chan, &k->rp, &k->channel);
}

/* raw from the password, which lies in k->password already. */
static enum zp_err
stretch(struct zp_mles_key *k, size_t len)
{
	size_t key_len = len < 32 ? len : 32;

	memcpy(k->password + len, k->channel.bytes, k->channel.len);
	hash(k->salt, sizeof(k->salt), k->password, key_len, k->password,
	    len + k->channel.len);
	if (crypto_pwhash_scryptsalsa208sha256_ll(k->password, len, k->salt,
		sizeof(k->salt), (uint64_t)1 << ZP_MLES_WORK, 8, 1, k->raw,
		sizeof(k->raw)) != 0)
		return ZP_ERR_MEMORY;
	sodium_memzero(k->password, sizeof(k->password));
	expand(k);
	return ZP_OK;
}

enum zp_err
zp_mles_key_derive_raw(struct zp_mles_key **key, const uint8_t *password,
    size_t len, const uint8_t *channel, size_t channel_len)
{
	if (len > ZP_MLES_PASSWORD_MAX)
		return ZP_ERR_PASSWORD;
	if (channel_len > ZP_MLES_NAME_MAX)
		return ZP_ERR_NAME;
	struct zp_mles_key *k = zp_secret_new(sizeof(*k));
	if (k == NULL)
		return ZP_ERR_MEMORY;
	if (len > 0)
		memcpy(k->password, password, len);
	if (channel_len > 0)
		memcpy(k->channel.bytes, channel, channel_len);
	k->channel.len = (uint16_t)channel_len;
	enum zp_err err = stretch(k, len);
	if (err)
		zp_mles_key_free(k);
	else
		*key = k;
	return err;
}

enum zp_err
zp_mles_key_derive(struct zp_mles_key **key, const uint8_t *password,
    size_t len, const char *channel)
{
	size_t n = len > ZP_MLES_PASSWORD_MAX
	    ? len
	    : zp_mles_text_encoded_len(password, len);

	if (n > ZP_MLES_PASSWORD_MAX)
		return ZP_ERR_PASSWORD;
	struct zp_mles_key *k = zp_secret_new(sizeof(*k));
	if (k == NULL)
		return ZP_ERR_MEMORY;
	enum zp_err err =
	    zp_mles_text_name(&k->channel, channel, strlen(channel));
	if (!err) {
		zp_mles_text_encode((char *)k->password, password, len);
		err = stretch(k, n);
	}
	if (err)
		zp_mles_key_free(k);
	else
		*key = k;
	return err;
}

enum zp_err
zp_mles_key_load(struct zp_mles_key **key,
    const uint8_t raw[static ZP_MLES_KEY_LEN], const char *channel)
{
	struct zp_mles_key *k = zp_secret_new(sizeof(*k));

	if (k == NULL)
		return ZP_ERR_MEMORY;
	enum zp_err err =
	    zp_mles_text_name(&k->channel, channel, strlen(channel));
	if (err) {
		zp_mles_key_free(k);
		return err;
	}
	memcpy(k->raw, raw, ZP_MLES_KEY_LEN);
	expand(k);
	*key = k;
	return ZP_OK;
}

void
zp_mles_key_free(struct zp_mles_key *key)
{
	zp_secret_free(key);
}

const uint8_t *
zp_mles_key_raw(const struct zp_mles_key *key)
{
	return key->raw;
}

struct zp_mles_layer *
zp_mles_key_layer(struct zp_mles_key *key)
{
	return &key->layer;
}

const struct zp_mles_box *
zp_mles_key_rp(const struct zp_mles_key *key)
{
	return &key->rp;
}

void
zp_mles_key_box(const struct zp_mles_key *key, struct zp_mles_box *box,
    const struct zp_mles_name *name)
{
	box_name(&key->uid, box, name);
}

enum zp_err
zp_mles_key_unbox(const struct zp_mles_key *key, struct zp_mles_name *name,
    const uint8_t *box, size_t len)
{
	uint8_t bytes[ZP_MLES_NAME_MAX];

	if (len > ZP_MLES_BOX_MAX)
		return ZP_ERR_TOO_LONG;
	if (len < crypto_secretbox_MACBYTES ||
	    crypto_secretbox_open_easy(
		bytes, box, len, key->uid.nonce, key->uid.key) != 0)
		return ZP_ERR_FORGED;
	name->len = (uint16_t)(len - crypto_secretbox_MACBYTES);
	memcpy(name->bytes, bytes, name->len);
	return ZP_OK;
}
