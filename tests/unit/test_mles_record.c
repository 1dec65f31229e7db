/* The line form of MlesTalk frames, and what is told to come again. */

#include <sodium.h>

#include "crypt/zp_secret.h"
#include "mles/zp_mles_record.h"
#include "mles/zp_mles_seen.h"

#include "tap.h"

static struct zp_mles_key *key, *other;
static struct zp_mles_box box;
static uint8_t message[1024];
static size_t len;
static char line[4096];
static size_t line_len;

static void
write_line(const char *uid)
{
	static const uint8_t seed[32] = {3};
	uint8_t nonce[ZP_MLES_NONCE_LEN];
	struct zp_mles_frame f = {.flags = ZP_MLES_FULL,
	    .time = 1790000000000,
	    .body = (const uint8_t *)"hello%20world",
	    .body_len = 13};
	struct zp_mles_name name;

	randombytes_buf(nonce, sizeof(nonce));
	if (zp_mles_text_name(&name, uid, strlen(uid)) != ZP_OK ||
	    zp_mles_frame_seal(
		message, zp_mles_key_layer(key), &f, nonce, seed) != ZP_OK)
		exit(1);
	zp_mles_key_box(key, &box, &name);
	len = zp_mles_frame_message_len(f.body_len, 0);
	zp_mles_record_write(line, zp_mles_key_rp(key), &box, message, len);
	line_len = zp_mles_record_len(zp_mles_key_rp(key)->len, box.len, len);
	line[line_len] = 0;
}

static enum zp_err
read_line(struct zp_mles_raw *raw, const char *text, size_t n)
{
	struct zp_record rec;
	size_t from = 0;

	if (!zp_record_find(text, n, &from, false, &rec))
		return ZP_ERR_NOT_FOUND;
	return zp_mles_record_read(raw, &rec);
}

static enum zp_err
open_with(struct zp_mles_key *k, struct zp_mles_opened *o,
    const struct zp_mles_raw *raw)
{
	static uint8_t plain[4096];
	struct zp_mles_layer *layers[1] = {zp_mles_key_layer(k)};

	return zp_mles_record_open(o, plain, k, layers, 1, raw);
}

static void
check_line(void)
{
	struct zp_mles_raw raw = {0};
	struct zp_mles_opened o;
	char changed[4096];

	write_line("Zoë");
	OK(strlen(line) == line_len && memcmp(line, "ml1.", 4) == 0,
	    "a frame becomes a line");
	IS(read_line(&raw, line, line_len), ZP_OK, "which is read back");
	IS(open_with(key, &o, &raw), ZP_OK, "and opened");
	OK(o.uid.len == 8 && memcmp(o.uid.bytes, "Zo%C3%AB", 8) == 0 &&
		o.frame.body_len == 13 && o.frame.time == 1790000000000,
	    "and says who said what, and when");
	IS(open_with(other, &o, &raw), ZP_ERR_NOT_OURS,
	    "another channel's key finds no record of its own");
	bool opened = false;
	for (size_t i = 4; i < line_len; i++) {
		memcpy(changed, line, line_len);
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		if (read_line(&raw, changed, line_len) == ZP_OK &&
		    open_with(key, &o, &raw) == ZP_OK)
			opened = true;
	}
	OK(!opened, "no change of a character opens");
	for (size_t i = 0; i < line_len; i++)
		if (read_line(&raw, line, i) == ZP_OK &&
		    open_with(key, &o, &raw) == ZP_OK)
			opened = true;
	OK(!opened, "nor does any truncation");
	struct zp_record zp1 = {.prefix = ZP_PREFIX_ZP1};
	IS(zp_mles_record_read(&raw, &zp1), ZP_ERR_SUITE,
	    "a record of the other suite is told apart");
	zp_mles_record_free(&raw);
}

static enum zp_mles_again
check(struct zp_mles_seen *s, const char *who, uint8_t nonce, uint16_t flags,
    int64_t time, const char *text)
{
	uint8_t m[ZP_MLES_NONCE_LEN];
	struct zp_mles_name name;
	struct zp_mles_frame f = {.flags = flags,
	    .time = time,
	    .body = (const uint8_t *)text,
	    .body_len = strlen(text)};

	memset(m, nonce, sizeof(m));
	name.len = (uint16_t)strlen(who);
	memcpy(name.bytes, who, name.len);
	return zp_mles_seen_check(s, &name, m, &f);
}

static void
check_again(void)
{
	static const uint8_t k[32] = {1};
	struct zp_mles_seen *s = zp_mles_seen_new(k);
	const uint16_t full = ZP_MLES_FULL;
	int fresh = 0;

	IS(check(s, "a", 1, full, 5000, "x"), ZP_MLES_FRESH, "a text is new");
	IS(check(s, "a", 1, full, 5000, "x"), ZP_MLES_DUPLICATE,
	    "the same frame is a duplicate");
	IS(check(s, "b", 1, full, 5000, "x"), ZP_MLES_OTHER_NAME,
	    "and under another name, relabelled");
	IS(check(s, "a", 2, full, 5000, "x"), ZP_MLES_RESENT,
	    "the same text, name and time in a new frame is sent again");
	IS(check(s, "a", 3, full, 6000, "x"), ZP_MLES_FRESH,
	    "at another time it is new");
	IS(check(s, "b", 4, full, 5000, "x"), ZP_MLES_FRESH,
	    "and so from another");
	IS(check(s, "a", 5, 0, 5, "x"), ZP_MLES_FRESH,
	    "what is typed so far is never taken for sent again");
	IS(check(s, "a", 6, 0, 5, "x"), ZP_MLES_FRESH, "however often");
	IS(check(s, "a", 7, full | ZP_MLES_PRESENCE, 5, ""), ZP_MLES_FRESH,
	    "nor is presence");
	IS(check(s, "ab", 8, full, 5, "c"), ZP_MLES_FRESH,
	    "name and text are told apart");
	IS(check(s, "a", 9, full, 5, "bc"), ZP_MLES_FRESH, "wherever cut");
	for (int i = 10; i < 250; i++)
		fresh += check(s, "a", (uint8_t)i, full, i * 1000, "y") ==
		    ZP_MLES_FRESH;
	IS(fresh, 240, "240 further texts are new");
	IS(check(s, "a", 1, full, 5000, "x"), ZP_MLES_DUPLICATE,
	    "and the first is still known");
	zp_mles_seen_free(s);
}

int
main(void)
{
	static const uint8_t raw[32] = {1}, another[32] = {2};

	if (zp_secret_init() != ZP_OK ||
	    zp_mles_key_load(&key, raw, "room") != ZP_OK ||
	    zp_mles_key_load(&other, another, "room") != ZP_OK)
		return 1;
	check_line();
	check_again();
	zp_mles_key_free(key);
	zp_mles_key_free(other);
	return tap_done();
}
