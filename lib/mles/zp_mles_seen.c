#include "mles/zp_mles_seen.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"

_Static_assert(crypto_generichash_blake2b_KEYBYTES == 32, "the key");

/* A hash table of small buckets; the oldest of a bucket makes room. */
#define BUCKETS 2048
#define WAYS 4

struct entry {
	uint8_t id[16];
	uint8_t name[8];
	bool used;
};

struct table {
	struct entry entry[BUCKETS][WAYS];
	uint8_t next[BUCKETS];
};

struct zp_mles_seen {
	struct table frames, texts;
	/* Nobody else can aim at a bucket. */
	uint8_t key[crypto_generichash_blake2b_KEYBYTES];
};

struct zp_mles_seen *
zp_mles_seen_new(const uint8_t key[static 32])
{
	struct zp_mles_seen *s = calloc(1, sizeof(*s));

	if (s != NULL)
		memcpy(s->key, key, sizeof(s->key));
	return s;
}

struct zp_mles_seen *
zp_mles_seen_random(void)
{
	uint8_t key[32];

	randombytes_buf(key, sizeof(key));
	return zp_mles_seen_new(key);
}

void
zp_mles_seen_free(struct zp_mles_seen *s)
{
	free(s);
}

static void
hash(const struct zp_mles_seen *s, uint8_t *out, size_t n, const void *a,
    size_t a_len, const void *b, size_t b_len, uint64_t number)
{
	crypto_generichash_blake2b_state h;
	uint8_t head[16];

	zp_be64_put(head, number);
	zp_be64_put(head + 8, a_len);
	crypto_generichash_blake2b_init(&h, s->key, sizeof(s->key), n);
	crypto_generichash_blake2b_update(&h, head, sizeof(head));
	crypto_generichash_blake2b_update(&h, a, a_len);
	crypto_generichash_blake2b_update(&h, b, b_len);
	crypto_generichash_blake2b_final(&h, out, n);
}

static struct entry *
find(struct table *t, const uint8_t id[static 16])
{
	size_t b = zp_be16(id) % BUCKETS;

	for (size_t i = 0; i < WAYS; i++) {
		struct entry *e = &t->entry[b][i];
		if (e->used && memcmp(e->id, id, sizeof(e->id)) == 0)
			return e;
	}
	return NULL;
}

static struct entry *
add(struct table *t, const uint8_t id[static 16])
{
	size_t b = zp_be16(id) % BUCKETS;
	struct entry *e = &t->entry[b][t->next[b]];

	t->next[b] = (uint8_t)((t->next[b] + 1) % WAYS);
	memcpy(e->id, id, sizeof(e->id));
	e->used = true;
	return e;
}

/* A frame by its nonce, which no two have. */
static enum zp_mles_again
check_frame(struct zp_mles_seen *s, const struct zp_mles_name *from,
    const uint8_t *message)
{
	uint8_t id[16], name[8];

	hash(s, id, sizeof(id), message, ZP_MLES_NONCE_LEN, "", 0, 0);
	hash(s, name, sizeof(name), from->bytes, from->len, "", 0, 1);

	struct entry *e = find(&s->frames, id);
	if (e != NULL)
		return memcmp(e->name, name, sizeof(name)) == 0
		    ? ZP_MLES_DUPLICATE
		    : ZP_MLES_OTHER_NAME;
	memcpy(add(&s->frames, id)->name, name, sizeof(name));
	return ZP_MLES_FRESH;
}

/* The id of a whole text; false for what is none. */
static bool
text_id(const struct zp_mles_seen *s, uint8_t id[static 16],
    const struct zp_mles_name *from, const struct zp_mles_frame *f)
{
	const uint16_t mask = ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_PRESENCE |
	    ZP_MLES_PRESENCE_ACK | ZP_MLES_MULTIPART;

	if ((f->flags & mask) != ZP_MLES_FULL || f->body_len == 0)
		return false;
	/* The wire tells whole seconds. */
	hash(s, id, 16, from->bytes, from->len, f->body, f->body_len,
	    (uint64_t)(f->time / 1000));
	return true;
}

enum zp_mles_again
zp_mles_seen_check(struct zp_mles_seen *s, const struct zp_mles_name *from,
    const uint8_t *message, const struct zp_mles_frame *f)
{
	enum zp_mles_again got = check_frame(s, from, message);
	uint8_t id[16];

	if (got != ZP_MLES_FRESH || !text_id(s, id, from, f))
		return got;
	if (find(&s->texts, id) != NULL)
		return ZP_MLES_RESENT;
	add(&s->texts, id);
	return ZP_MLES_FRESH;
}

bool
zp_mles_seen_text(struct zp_mles_seen *s, const struct zp_mles_name *me,
    const struct zp_mles_frame *f)
{
	uint8_t id[16];

	return text_id(s, id, me, f) && find(&s->texts, id) != NULL;
}

void
zp_mles_seen_own(struct zp_mles_seen *s, const struct zp_mles_name *me,
    const uint8_t *message, const struct zp_mles_frame *f)
{
	(void)zp_mles_seen_check(s, me, message, f);
}
