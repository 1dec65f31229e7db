#include "fuzz.h"
#include "mles/zp_mles_state.h"

/*
 * Members of a MlesTalk channel, and what a relay or an insider may put
 * between them: old frames, frames under another name, frames of one's own.
 * First byte: two or three members.  Then operations of two bytes and more.
 */

#define MEMBERS 3
#define KEPT 32
#define OPERATIONS 120

struct kept {
	unsigned from;
	size_t len;
	uint8_t *message;
};

struct world {
	struct zp_mles_key *key;
	struct zp_mles_state *m[MEMBERS];
	unsigned n;
	int64_t now;
	uint64_t random;
	struct kept kept[KEPT];
	size_t sent;
};

static void
draw(struct world *w, uint8_t to[static ZP_MLES_STATE_RANDOM])
{
	for (size_t i = 0; i < ZP_MLES_STATE_RANDOM; i++)
		to[i] = (uint8_t)fuzz_random(&w->random);
}

static struct zp_mles_name
name_of(unsigned i)
{
	struct zp_mles_name n = {.len = 1};

	n.bytes[0] = (uint8_t)('a' + i);
	return n;
}

static void
keep(struct world *w, unsigned from, const uint8_t *message, size_t len)
{
	struct kept *k = &w->kept[w->sent++ % KEPT];

	free(k->message);
	*k = (struct kept){from, len, fuzz_copy(message, len)};
}

static void
look(struct world *w, unsigned i)
{
	struct zp_mles_report r;
	struct zp_mles_name n;
	uint8_t secret[ZP_MLES_POINT_LEN], other[ZP_MLES_POINT_LEN];
	bool confirmed;
	size_t members = 0;

	while (zp_mles_state_report(w->m[i], &r))
		MUST(r.name.len <= ZP_MLES_NAME_MAX);
	while (zp_mles_state_member(w->m[i], members, &n, &confirmed))
		members++;
	MUST(members < ZP_MLES_MEMBERS_MAX);
	if (zp_mles_state_fs(w->m[i]) != ZP_MLES_FS_ON)
		return;
	/* Whom everybody proved the key to has the same one as they. */
	MUST(zp_mles_state_secret(w->m[i], secret) && members > 0);
	for (unsigned j = 0; j < w->n; j++)
		if (j != i && members == 1 && w->n == 2 &&
		    zp_mles_state_fs(w->m[j]) == ZP_MLES_FS_ON &&
		    zp_mles_state_secret(w->m[j], other))
			MUST(memcmp(secret, other, sizeof(other)) == 0 ||
			    w->sent > 0);
}

/* A message to a member, under a name. */
static void
deliver(struct world *w, unsigned to, unsigned from, const uint8_t *message,
    size_t len)
{
	struct zp_mles_box box;
	struct zp_mles_name n = name_of(from);
	const struct zp_mles_box *rp = zp_mles_key_rp(w->key);
	struct zp_mles_got got;

	zp_mles_key_box(w->key, &box, &n);
	uint8_t *copy = fuzz_copy(message, len);
	struct zp_mles_raw raw = {.rp = rp->bytes,
	    .rp_len = rp->len,
	    .p = box.bytes,
	    .p_len = box.len,
	    .message = copy,
	    .len = len};
	enum zp_err err = zp_mles_state_receive(w->m[to], &raw, w->now, &got);
	MUST(err != ZP_ERR_MEMORY);
	if (err == ZP_OK)
		MUST(got.o.frame.body_len <= len && got.own == (from == to));
	free(copy);
	look(w, to);
}

static void
speak(struct world *w, unsigned i, uint8_t v)
{
	static const uint16_t flags[] = {ZP_MLES_FULL, 0,
	    ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_MULTIPART, ZP_MLES_PRESENCE};
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_mles_sent sent;
	enum zp_err err;

	draw(w, random);
	if ((v & 1) != 0)
		err = zp_mles_state_presence(
		    w->m[i], w->now, ZP_MLES_TIME_MIN + w->now, random, &sent);
	else
		err = zp_mles_state_send(w->m[i], w->now,
		    ZP_MLES_TIME_MIN + w->now, flags[v >> 6], "hello", v % 6,
		    (enum zp_mles_policy)((v >> 3) % 3), random, &sent);
	MUST(err == ZP_OK || err == ZP_ERR_POINT);
	if (err == ZP_OK)
		keep(w, i, sent.message, sent.len);
	look(w, i);
}

/* An insider's frame, sealed with the password's key. */
static void
insert(struct world *w, unsigned to, uint8_t v, struct zp_cursor *c)
{
	size_t n = zp_cursor_u8(c);
	uint8_t nonce[ZP_MLES_NONCE_LEN] = {v, (uint8_t)w->sent};

	if (n > c->left)
		n = c->left;
	const uint8_t *plain = zp_cursor_take(c, n);
	if (plain == NULL)
		return;
	uint8_t *message = malloc(n + ZP_MLES_OVERHEAD);
	MUST(message != NULL);
	zp_mles_frame_seal_plain(
	    message, zp_mles_key_layer(w->key), plain, n, nonce);
	deliver(w, to, v % 4, message, n + ZP_MLES_OVERHEAD);
	free(message);
}

static void
operate(struct world *w, struct zp_cursor *c)
{
	uint8_t op = zp_cursor_u8(c), v = zp_cursor_u8(c);
	unsigned i = (op >> 3) % w->n;
	const struct kept *k = &w->kept[(w->sent + KEPT - 1 - v) % KEPT];

	switch (op & 7) {
	case 0:
	case 1:
		speak(w, i, v);
		break;
	case 2:
		w->now += (int64_t)v * 300;
		zp_mles_state_tick(w->m[i], w->now, ZP_MLES_SILENT);
		MUST(zp_mles_state_due(w->m[i]) > 0);
		look(w, i);
		break;
	case 3:
		insert(w, i, v, c);
		break;
	case 4: /* under another name */
		if (k->message != NULL)
			deliver(w, i, v % 4, k->message, k->len);
		break;
	case 5:
		zp_mles_state_live(w->m[i], (v & 1) != 0, w->now);
		zp_mles_state_hello(w->m[i], w->now);
		break;
	default:
		if (k->message != NULL)
			deliver(w, i, k->from, k->message, k->len);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t raw[ZP_MLES_KEY_LEN] = {1};
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct world w = {.now = 1000};
	struct zp_cursor c;

	(void)fuzz_world();
	zp_cursor_init(&c, data, len);
	w.n = 2 + zp_cursor_u8(&c) % 2;
	MUST(zp_mles_key_load(&w.key, raw, "ops") == ZP_OK);
	for (unsigned i = 0; i < w.n; i++) {
		struct zp_mles_name n = name_of(i);
		draw(&w, random);
		MUST(zp_mles_state_new(&w.m[i], w.key, &n, random) == ZP_OK);
		zp_mles_state_live(w.m[i], true, w.now);
	}
	for (int i = 0; i < OPERATIONS && c.left >= 2; i++)
		operate(&w, &c);
	for (unsigned i = 0; i < w.n; i++)
		zp_mles_state_free(w.m[i]);
	for (size_t i = 0; i < KEPT; i++)
		free(w.kept[i].message);
	zp_mles_key_free(w.key);
	return 0;
}
