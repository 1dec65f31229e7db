#include "crypt/zp_key.h"

#include <sodium.h>
#include <string.h>

#include "crypt/zp_hash.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"

_Static_assert(crypto_secretbox_KEYBYTES == ZP_KEY_LEN, "msgkey");

struct zp_key {
	uint8_t raw[ZP_KEY_LEN], root[ZP_KEY_LEN];
	uint8_t amac[ZP_KEY_LEN], aenc[ZP_KEY_LEN], msgkey[ZP_KEY_LEN];
	uint8_t salt[32];
	uint8_t rp[2][ZP_PSEUDONYM_LEN];
	char topic[2][ZP_TOPIC_LEN + 1];
	char channel[ZP_NAME_MAX + 1];
	unsigned work;
};

/* Everything below `raw` and `channel`. */
static enum zp_err
expand(struct zp_key *k)
{
	enum zp_err err;

	zp_hash(k->root, sizeof(k->root), k->raw, sizeof(k->raw), "zpinc1-root",
	    k->channel, strlen(k->channel));
	zp_hash_subkey(k->amac, sizeof(k->amac), 1, "zpinc1k_", k->root);
	zp_hash_subkey(k->aenc, sizeof(k->aenc), 2, "zpinc1k_", k->root);
	zp_hash_subkey(k->msgkey, sizeof(k->msgkey), 3, "zpinc1k_", k->root);
	sodium_memzero(k->root, sizeof(k->root));
	for (int live = 0; live < 2; live++) {
		err = zp_pseudo_make(k->rp[live], k->amac, k->aenc,
		    live ? ZP_PSEUDO_LIVE : ZP_PSEUDO_CHAN, k->channel);
		if (err)
			return err;
		zp_record_topic(k->topic[live], k->rp[live]);
	}
	return ZP_OK;
}

/* A key with its channel set and nothing else. */
static enum zp_err
begin(struct zp_key **key, const char *channel, unsigned work)
{
	size_t len = strnlen(channel, ZP_NAME_MAX + 1);

	if (!zp_text_is_name(channel, len))
		return ZP_ERR_NAME;
	if (work != ZP_WORK_RANDOM &&
	    (work < ZP_WORK_LEAST || work > ZP_WORK_MAX))
		return ZP_ERR_USAGE;
	struct zp_key *k = zp_secret_new(sizeof(*k));
	if (k == NULL)
		return ZP_ERR_MEMORY;
	memcpy(k->channel, channel, len);
	k->work = work;
	*key = k;
	return ZP_OK;
}

static enum zp_err
finish(struct zp_key **key, struct zp_key *k)
{
	enum zp_err err = expand(k);

	if (err)
		zp_key_free(k);
	else
		*key = k;
	return err;
}

enum zp_err
zp_key_derive(struct zp_key **key, const uint8_t *password, size_t len,
    const char *channel, unsigned work)
{
	struct zp_key *k = NULL;

	if (len == 0 || len > ZP_PASSWORD_MAX)
		return ZP_ERR_PASSWORD;
	if (work == ZP_WORK_RANDOM)
		return ZP_ERR_USAGE;
	enum zp_err err = begin(&k, channel, work);
	if (err)
		return err;
	zp_hash(k->salt, sizeof(k->salt), NULL, 0, "zpinc1-salt", k->channel,
	    strlen(k->channel));
	if (crypto_pwhash_scryptsalsa208sha256_ll(password, len, k->salt,
		sizeof(k->salt), (uint64_t)1 << work, 8, 1, k->raw,
		sizeof(k->raw)) != 0) {
		zp_key_free(k);
		return ZP_ERR_MEMORY;
	}
	return finish(key, k);
}

enum zp_err
zp_key_random(struct zp_key **key, const char *channel)
{
	struct zp_key *k = NULL;
	enum zp_err err = begin(&k, channel, ZP_WORK_RANDOM);

	if (err)
		return err;
	randombytes_buf(k->raw, sizeof(k->raw));
	return finish(key, k);
}

enum zp_err
zp_key_load(struct zp_key **key, const uint8_t raw[static ZP_KEY_LEN],
    const char *channel, unsigned work)
{
	struct zp_key *k = NULL;
	enum zp_err err = begin(&k, channel, work);

	if (err)
		return err;
	memcpy(k->raw, raw, ZP_KEY_LEN);
	return finish(key, k);
}

void
zp_key_free(struct zp_key *key)
{
	zp_secret_free(key);
}

const uint8_t *
zp_key_raw(const struct zp_key *key)
{
	return key->raw;
}

const uint8_t *
zp_key_msgkey(const struct zp_key *key)
{
	return key->msgkey;
}

const uint8_t *
zp_key_amac(const struct zp_key *key)
{
	return key->amac;
}

const uint8_t *
zp_key_aenc(const struct zp_key *key)
{
	return key->aenc;
}

const char *
zp_key_channel(const struct zp_key *key)
{
	return key->channel;
}

unsigned
zp_key_work(const struct zp_key *key)
{
	return key->work;
}

const uint8_t *
zp_key_rp(const struct zp_key *key, bool live)
{
	return key->rp[live];
}

const char *
zp_key_topic(const struct zp_key *key, bool live)
{
	return key->topic[live];
}
