/* Keys, names and frames of MlesTalk, against cases of the prototype. */

#include <sodium.h>

#include "crypt/zp_secret.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_key.h"

#include "mles_vec.h"
#include "tap.h"

#define BIG 16384

static uint8_t a[BIG], b[BIG], c1[BIG];

static char label[300];

static const char *
named(const struct mles_case *c, const char *what)
{
	snprintf(label, sizeof(label), "%s: %s", c->name, what);
	return label;
}

static bool
same_field(
    const struct mles_case *c, const char *key, const void *got, size_t len)
{
	size_t n = mles_bytes(c, key, a, sizeof(a));

	return n == len && memcmp(a, got, n) == 0;
}

static void
check_names(const struct mles_case *c, const struct zp_mles_key *k)
{
	struct zp_mles_name uid, back;
	struct zp_mles_box box;

	uid.len = (uint16_t)mles_bytes(c, "uid_bytes", uid.bytes, 1024);
	zp_mles_key_box(k, &box, &uid);
	OK(same_field(c, "uid_box", box.bytes, box.len),
	    named(c, "the uid is boxed as it must be"));
	OK(zp_mles_key_unbox(k, &back, box.bytes, box.len) == ZP_OK &&
		zp_mles_text_same(&uid, &back),
	    named(c, "the uid comes back"));
	box.bytes[box.len - 1] ^= 1;
	OK(zp_mles_key_unbox(k, &back, box.bytes, box.len) == ZP_ERR_FORGED,
	    named(c, "a changed box is refused"));
	const struct zp_mles_box *rp = zp_mles_key_rp(k);
	OK(same_field(c, "channel_box", rp->bytes, rp->len),
	    named(c, "the channel is boxed as it must be"));
}

static void
check_kdf(const struct mles_case *c)
{
	struct zp_mles_key *k = NULL, *again = NULL;
	size_t pw = mles_bytes(c, "password_bytes", a, sizeof(a));
	size_t ch = mles_bytes(c, "channel_bytes", b, sizeof(b));

	IS(zp_mles_key_derive_raw(&k, a, pw, b, ch), ZP_OK,
	    named(c, "a key is derived"));
	OK(same_field(c, "raw", zp_mles_key_raw(k), 32),
	    named(c, "scrypt's output"));
	OK(same_field(c, "mac_key", zp_mles_key_layer(k)->mac, 32),
	    named(c, "the mac key"));
	OK(same_field(c, "seal_key", zp_mles_key_layer(k)->seal, 32),
	    named(c, "the seal key"));
	check_names(c, k);
	if (strcmp(mles_text(c, "via"), "app") == 0) {
		pw = mles_bytes(c, "password", a, sizeof(a));
		ch = mles_bytes(c, "channel", b, sizeof(b));
		b[ch] = 0;
		IS(zp_mles_key_derive(&again, a, pw, (char *)b), ZP_OK,
		    named(c, "a key is derived from what was typed"));
		OK(memcmp(zp_mles_key_raw(k), zp_mles_key_raw(again), 32) == 0,
		    named(c, "and is the same key"));
		zp_mles_key_free(again);
		IS(zp_mles_key_load(&again, zp_mles_key_raw(k), (char *)b),
		    ZP_OK, named(c, "a kept key is loaded"));
		OK(zp_mles_key_rp(again)->len == zp_mles_key_rp(k)->len &&
			memcmp(zp_mles_key_rp(again)->bytes,
			    zp_mles_key_rp(k)->bytes,
			    zp_mles_key_rp(k)->len) == 0,
		    named(c, "and names the channel as before"));
		zp_mles_key_free(again);
	}
	zp_mles_key_free(k);
}

static struct zp_mles_layer *
layer_of(const struct mles_case *c, const char *mac, const char *seal)
{
	struct zp_mles_layer *l = zp_secret_new(sizeof(*l));

	if (l == NULL)
		mles_die("memory", "layer");
	mles_bytes(c, mac, l->mac, 32);
	mles_bytes(c, seal, l->seal, 32);
	return l;
}

static void
check_write(const struct mles_case *c, struct zp_mles_frame *f)
{
	static uint8_t body[BIG], keys[64], padding[BIG], plain[BIG];

	mles_bytes(c, "sid", f->sid, sizeof(f->sid));
	f->flags = zp_mles_frame_flags((unsigned)mles_number(c, "msgtype"));
	f->time = mles_number(c, "date_ms");
	f->body = body;
	f->body_len = mles_bytes(c, "body", body, sizeof(body));
	f->keys = keys;
	f->keys_len = mles_bytes(c, "keys", keys, sizeof(keys));
	IS(f->flags, mles_number(c, "flags"), named(c, "the flags"));
	size_t pad = mles_bytes(c, "padding", padding, sizeof(padding));
	size_t len = zp_mles_frame_len(f->body_len, f->keys_len);
	IS(len, 18 + f->body_len + f->keys_len + pad,
	    named(c, "as much padding as the prototype's"));
	IS(zp_mles_frame_write(plain, f, padding), ZP_OK,
	    named(c, "a plaintext is written"));
	OK(same_field(c, "plaintext", plain, len), named(c, "bit by bit"));
}

static void
check_frame(const struct mles_case *c)
{
	struct zp_mles_layer *l = layer_of(c, "mac_key", "seal_key");
	struct zp_mles_layer *layers[3] = {NULL, l, NULL};
	struct zp_mles_frame f, got;
	uint8_t nonce[32], out[512];
	size_t which = 9;

	check_write(c, &f);
	size_t n = mles_bytes(c, "plaintext", b, sizeof(b));
	mles_bytes(c, "nonce", nonce, sizeof(nonce));
	zp_mles_frame_seal_plain(c1, l, b, n, nonce);
	OK(same_field(c, "message", c1, n + ZP_MLES_OVERHEAD),
	    named(c, "the message, mac and all"));
	IS(zp_mles_frame_open(
	       &got, b, layers, 3, c1, n + ZP_MLES_OVERHEAD, &which),
	    ZP_OK, named(c, "it is opened"));
	OK(which == 1 && got.flags == f.flags &&
		got.time == f.time / 1000 * 1000 &&
		got.body_len == f.body_len &&
		memcmp(got.body, f.body, f.body_len) == 0 &&
		got.keys_len == f.keys_len &&
		memcmp(got.sid, f.sid, sizeof(f.sid)) == 0,
	    named(c, "and says what was said"));

	uint64_t sum = 0;
	size_t p = mles_bytes(c, "p", out, sizeof(out));
	size_t rp = mles_bytes(c, "rp", out + p, sizeof(out) - p);
	IS(zp_mles_frame_checksum(
	       &sum, out, p, out + p, rp, c1, n + ZP_MLES_OVERHEAD),
	    ZP_OK, named(c, "a checksum is made"));
	OK(sum == strtoull(mles_text(c, "checksum"), NULL, 16),
	    named(c, "which is the app's"));
	zp_mles_frame_cbor(b, out, p, out + p, rp, c1, n + ZP_MLES_OVERHEAD);
	OK(same_field(c, "cbor", b,
	       zp_mles_frame_cbor_len(p, rp, n + ZP_MLES_OVERHEAD)),
	    named(c, "over the very CBOR"));
	zp_secret_free(l);
}

/* What no case has. */
static void
check_bounds(void)
{
	static uint8_t body[70000], message[80000], plain[80000];
	static const uint8_t seed[32] = {1}, nonce[32] = {2};
	struct zp_mles_layer *l = zp_secret_new(sizeof(*l));
	struct zp_mles_layer *layers[1] = {l};
	struct zp_mles_frame f = {.time = ZP_MLES_TIME_MIN, .body = body};
	struct zp_mles_frame got;
	size_t which = 0;

	if (l == NULL)
		mles_die("memory", "layer");
	f.body_len = sizeof(body);
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_ERR_TOO_LONG,
	    "a body of 70,000 bytes is refused");
	f.body_len = ZP_MLES_BODY_MAX + 1;
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_ERR_TOO_LONG,
	    "a body of 65,518 bytes is refused");
	f.body_len = ZP_MLES_BODY_MAX;
	f.keys = body;
	f.keys_len = 64;
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_OK,
	    "a body of 65,517 bytes and two points is sealed");
	size_t len = zp_mles_frame_message_len(f.body_len, f.keys_len);
	OK(zp_mles_frame_open(&got, plain, layers, 1, message, len, &which) ==
		    ZP_OK &&
		got.body_len == ZP_MLES_BODY_MAX && got.keys_len == 64,
	    "and opened");
	f.time = ZP_MLES_TIME_MIN - 1;
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_ERR_CLOCK,
	    "a time before 2018 is refused, since it would show as 3274");
	f.time = ZP_MLES_TIME_END;
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_ERR_CLOCK,
	    "and one in 3274");
	f.time = ZP_MLES_TIME_END - 1;
	f.keys_len = 33;
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_ERR_USAGE,
	    "keys of a length the format lacks are refused");
	f.body_len = 40;
	f.keys_len = 64;
	IS(zp_mles_frame_seal(message, l, &f, nonce, seed), ZP_OK,
	    "a short frame is sealed");
	len = zp_mles_frame_message_len(f.body_len, f.keys_len);
	bool opened = false;
	for (size_t n = 0; n < len; n++)
		if (zp_mles_frame_open(
			&got, plain, layers, 1, message, n, &which) == ZP_OK)
			opened = true;
	OK(!opened, "no truncation of it opens");
	for (size_t i = 0; i < len * 8; i++) {
		message[i / 8] ^= (uint8_t)(1 << i % 8);
		if (zp_mles_frame_open(
			&got, plain, layers, 1, message, len, &which) == ZP_OK)
			opened = true;
		message[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	OK(!opened, "no change of a bit opens");
	zp_secret_free(l);
}

/* A plaintext of n bytes that claims these sizes. */
static enum zp_err
lie(size_t n, unsigned size, unsigned keys, struct zp_mles_frame *f)
{
	static uint8_t plain[80000];

	memset(plain, 0, sizeof(plain));
	plain[0] = (uint8_t)(size >> 8);
	plain[1] = (uint8_t)size;
	plain[10] = (uint8_t)(keys >> 8);
	plain[11] = (uint8_t)keys;
	return zp_mles_frame_parse(f, plain, n);
}

static void
check_lies(void)
{
	struct zp_mles_frame f;

	IS(lie(17, 18, 0, &f), ZP_ERR_FORMAT, "a header cut short is refused");
	IS(lie(18, 18, 0, &f), ZP_OK, "a bare header is a frame");
	IS(lie(18, 17, 0, &f), ZP_ERR_FORMAT,
	    "a size that points into the header is refused");
	IS(lie(100, 0, 0, &f), ZP_ERR_FORMAT, "and a size of zero");
	IS(lie(100, 101, 0, &f), ZP_ERR_FORMAT,
	    "a body that ends beyond the end is refused");
	IS(lie(100, 65535, 64, &f), ZP_ERR_FORMAT, "and by far");
	IS(lie(100, 69, 32, &f), ZP_ERR_FORMAT,
	    "keys that end beyond the end are refused");
	OK(lie(100, 20, 31, &f) == ZP_OK && f.keys_len == 0 && f.body_len == 2,
	    "keys of a strange length are left out, the body stays");
	OK(lie(100, 20, 65535, &f) == ZP_OK && f.keys_len == 0,
	    "also when they would end beyond the end");
	IS(lie(71680, 4482, 0, &f), ZP_ERR_CUT,
	    "a size field that overflowed is told from a short body");
}

int
main(void)
{
	static struct mles_case c;
	FILE *f = mles_vectors();
	int seen = 0;

	if (zp_secret_init() != ZP_OK)
		mles_die("libsodium", "init");
	while (mles_next(f, &c)) {
		if (strcmp(c.kind, "kdf") == 0)
			check_kdf(&c);
		else if (strcmp(c.kind, "frame") == 0)
			check_frame(&c);
		else
			continue;
		seen++;
	}
	fclose(f);
	IS(seen, 27, "all cases were read");
	check_bounds();
	check_lies();
	return tap_done();
}
