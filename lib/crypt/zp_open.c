#include "crypt/zp_open.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_b64.h"
#include "crypt/zp_commit.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_scratch.h"
#include "crypt/zp_secret.h"

/* Senders whose hash states are kept, by topic and a hash of P. */
#define SENDERS 64
/* Room for them is made for so many at a time: as a rule it is one. */
#define SOME 8

_Static_assert(ZP_COM_LEN == crypto_verify_32_BYTES, "commitment");

struct sender {
	uint64_t epoch; /* changes with the sender in this place; 0: empty */
	size_t at; /* the place */
	int live; /* the topic */
	char text[ZP_TOPIC_LEN];
	uint8_t p[ZP_PSEUDONYM_LEN];
	bool known; /* p opened to uid */
	char uid[ZP_NAME_MAX + 1];
};

struct key {
	uint8_t k[32];
	bool conversation;
	uint8_t keyid[ZP_KEYID_LEN];
	uint8_t (*members)[ZP_PSEUDONYM_LEN];
	size_t n;
	uint64_t epoch[SENDERS]; /* whose state is kept */
	crypto_generichash_blake2b_state *base[SENDERS / SOME];
};

struct zp_opener {
	uint8_t amac[32], aenc[32];
	uint8_t rp[2][ZP_PSEUDONYM_LEN];
	char topic[2][ZP_TOPIC_LEN];
	struct zp_commit commit;
	uint64_t epoch;
	struct sender *senders[SENDERS / SOME];
	struct key *keys[ZP_OPENER_KEYS];
	struct zp_scratch raw, scratch;
};

enum zp_err
zp_opener_new(struct zp_opener **opener, const uint8_t amac[static 32],
    const uint8_t aenc[static 32], const char *channel)
{
	struct zp_opener *o = zp_secret_new(sizeof(*o));

	if (o == NULL)
		return ZP_ERR_MEMORY;
	memcpy(o->amac, amac, 32);
	memcpy(o->aenc, aenc, 32);
	for (int live = 0; live < 2; live++) {
		enum zp_err err = zp_pseudo_make(o->rp[live], amac, aenc,
		    live ? ZP_PSEUDO_LIVE : ZP_PSEUDO_CHAN, channel);
		if (err) {
			zp_opener_free(o);
			return err;
		}
		zp_record_topic(o->topic[live], o->rp[live]);
	}
	*opener = o;
	return ZP_OK;
}

static void
key_free(struct key *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < SENDERS / SOME; i++)
		zp_secret_free(k->base[i]);
	free(k->members);
	zp_secret_free(k);
}

void
zp_opener_free(struct zp_opener *o)
{
	if (o == NULL)
		return;
	for (unsigned i = 0; i < ZP_OPENER_KEYS; i++)
		key_free(o->keys[i]);
	for (size_t i = 0; i < SENDERS / SOME; i++)
		zp_secret_free(o->senders[i]);
	zp_scratch_free(&o->raw);
	zp_scratch_free(&o->scratch);
	zp_secret_free(o);
}

enum zp_err
zp_opener_add(struct zp_opener *o, const uint8_t k[static 32],
    const uint8_t *keyid, const uint8_t (*members)[ZP_PSEUDONYM_LEN], size_t n,
    unsigned *slot)
{
	unsigned i = 0;

	while (i < ZP_OPENER_KEYS && o->keys[i] != NULL)
		i++;
	if (i == ZP_OPENER_KEYS)
		return ZP_ERR_FULL;
	struct key *key = zp_secret_new(sizeof(*key));
	if (key == NULL)
		return ZP_ERR_MEMORY;
	memcpy(key->k, k, sizeof(key->k));
	if (keyid != NULL) {
		key->conversation = true;
		memcpy(key->keyid, keyid, sizeof(key->keyid));
		key->members = calloc(n ? n : 1, sizeof(*key->members));
		if (key->members == NULL) {
			key_free(key);
			return ZP_ERR_MEMORY;
		}
		for (size_t m = 0; m < n; m++)
			memcpy(key->members[m], members[m], ZP_PSEUDONYM_LEN);
		key->n = n;
	}
	o->keys[i] = key;
	*slot = i;
	return ZP_OK;
}

void
zp_opener_remove(struct zp_opener *o, unsigned slot)
{
	key_free(o->keys[slot]);
	o->keys[slot] = NULL;
}

/* The topic that rec came under: 0, 1 for live, -1 for another's. */
static int
which_topic(const struct zp_opener *o, const struct zp_record *rec)
{
	if (rec->prefix != ZP_PREFIX_ZP1)
		return -1;
	for (int live = 0; live < 2; live++)
		if (memcmp(rec->rp, o->topic[live], ZP_TOPIC_LEN) == 0)
			return live;
	return -1;
}

bool
zp_opener_is_ours(const struct zp_opener *o, const struct zp_record *rec)
{
	return which_topic(o, rec) >= 0;
}

/* ZP_ERR_NOT_OURS if P is not canonical, ZP_ERR_MEMORY. */
static enum zp_err
find_sender(struct zp_opener *o, int live, const char text[static ZP_TOPIC_LEN],
    struct sender **sender)
{
	uint8_t p[ZP_PSEUDONYM_LEN];

	/* P begins with a hash: any of its bytes spread evenly. */
	size_t at = ((unsigned char)text[3] * 31U + (unsigned char)text[4] +
			(unsigned)live * (SENDERS / 2)) %
	    SENDERS;
	struct sender **some = &o->senders[at / SOME];
	if (*some == NULL)
		*some = zp_secret_new(SOME * sizeof(**some));
	if (*some == NULL)
		return ZP_ERR_MEMORY;
	struct sender *s = *sender = &(*some)[at % SOME];
	if (s->epoch != 0 && s->live == live &&
	    memcmp(s->text, text, ZP_TOPIC_LEN) == 0)
		return ZP_OK;
	if (!zp_record_pseudonym(p, text))
		return ZP_ERR_NOT_OURS;
	s->epoch = ++o->epoch;
	s->at = at;
	s->live = live;
	memcpy(s->text, text, ZP_TOPIC_LEN);
	memcpy(s->p, p, sizeof(p));
	s->known = false;
	return ZP_OK;
}

/* The hash state of a sender under a key; NULL without memory. */
static const crypto_generichash_blake2b_state *
base_of(const struct zp_opener *o, struct key *key, const struct sender *s)
{
	crypto_generichash_blake2b_state **some = &key->base[s->at / SOME];

	if (*some == NULL)
		*some = zp_secret_new(SOME * sizeof(**some));
	if (*some == NULL)
		return NULL;
	crypto_generichash_blake2b_state *base = &(*some)[s->at % SOME];
	if (key->epoch[s->at] != s->epoch) {
		zp_commit_base(base, key->k, o->rp[s->live], s->p);
		key->epoch[s->at] = s->epoch;
	}
	return base;
}

/*
 * Does the commitment fit this key?  Its ek is then in o->commit.out.
 * ZP_ERR_NOT_OURS, ZP_ERR_MEMORY.
 */
static enum zp_err
fits(struct zp_opener *o, struct key *key, const struct sender *s)
{
	const crypto_generichash_blake2b_state *base = base_of(o, key, s);

	if (base == NULL)
		return ZP_ERR_MEMORY;
	zp_commit_nonce(&o->commit, base, o->raw.data);
	return crypto_verify_32(
		   o->commit.out + 32, o->raw.data + ZP_NONCE_LEN) == 0
	    ? ZP_OK
	    : ZP_ERR_NOT_OURS;
}

static bool
is_member(const struct key *key, const uint8_t p[static ZP_PSEUDONYM_LEN])
{
	for (size_t i = 0; i < key->n; i++)
		if (memcmp(key->members[i], p, ZP_PSEUDONYM_LEN) == 0)
			return true;
	return false;
}

/* Does this kind belong under this key and topic? */
static bool
belongs(uint8_t kind, bool conversation, int live)
{
	switch (kind) {
	case ZP_KIND_NOTE:
		return !conversation && !live;
	case ZP_KIND_MESSAGE:
		return conversation && !live;
	case ZP_KIND_HELLO:
		return !conversation && live;
	default:
		return true;
	}
}

static enum zp_err
check_signature(struct zp_opener *o, const struct key *key,
    const struct sender *s, const struct zp_payload *p)
{
	struct zp_sigctx ctx;
	enum zp_err err =
	    zp_scratch_need(&o->scratch, ZP_SIGNED_LEN(p->body_len));

	if (err)
		return err;
	memcpy(ctx.rp, o->rp[s->live], sizeof(ctx.rp));
	memcpy(ctx.p, s->p, sizeof(ctx.p));
	memcpy(ctx.keyid, key->keyid, sizeof(ctx.keyid));
	return zp_identity_verify(&ctx, p, o->scratch.data);
}

/* What the commitment has shown to be for us: decrypt it and check. */
static enum zp_err
open_with(struct zp_opener *o, struct key *key, struct sender *s, size_t len,
    struct zp_payload *p)
{
	uint8_t *tag = o->raw.data + ZP_NONCE_LEN + ZP_COM_LEN;
	uint8_t *box = tag + ZP_BOX_TAG_LEN;
	enum zp_err err;

	len -= ZP_ENC_OVERHEAD;
	if (crypto_secretbox_open_detached(
		box, box, tag, len, o->raw.data, o->commit.out) != 0)
		return ZP_ERR_CORRUPT;
	if (!s->known) {
		err = zp_pseudo_open(s->uid, o->amac, o->aenc, s->p);
		if (err)
			return err;
		s->known = true;
	}
	if (key->conversation && !is_member(key, s->p))
		return ZP_ERR_FORGED;
	err = zp_payload_parse(p, box, len);
	if (err)
		return err;
	if (!belongs(p->kind, key->conversation, s->live) ||
	    p->seq > ZP_SEQ_MAX)
		return ZP_ERR_FORMAT;
	return p->idkey != NULL ? check_signature(o, key, s, p) : ZP_OK;
}

enum zp_err
zp_opener_open(
    struct zp_opener *o, const struct zp_record *rec, struct zp_opened *opened)
{
	int live = which_topic(o, rec);
	size_t len = ZP_B64_BYTES(rec->enc_len);

	if (live < 0 || len < ZP_ENC_LEAST || rec->len > ZP_RECORD_MAX)
		return ZP_ERR_NOT_OURS;
	struct sender *s = NULL;
	enum zp_err err = find_sender(o, live, rec->p, &s);
	if (!err)
		err = zp_scratch_need(&o->raw, len);
	if (err)
		return err;
	if (!zp_b64_read(o->raw.data, rec->enc, rec->enc_len))
		return ZP_ERR_NOT_OURS;
	for (unsigned i = 0; i < ZP_OPENER_KEYS; i++) {
		if (o->keys[i] == NULL)
			continue;
		err = fits(o, o->keys[i], s);
		if (err == ZP_ERR_NOT_OURS)
			continue;
		struct zp_payload p;
		if (!err)
			err = open_with(o, o->keys[i], s, len, &p);
		if (err)
			return err;
		opened->slot = i;
		opened->live = live == 1;
		memcpy(opened->p, s->p, sizeof(opened->p));
		memcpy(opened->uid, s->uid, sizeof(opened->uid));
		opened->payload = p;
		return ZP_OK;
	}
	return ZP_ERR_NOT_OURS;
}
