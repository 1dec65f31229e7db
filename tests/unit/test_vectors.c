#include <sodium.h>

#include "base/zp_text.h"
#include "crypt/zp_key.h"
#include "crypt/zp_open.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"
#include "proto/zp_parts.h"
#include "tap.h"
#include "vec.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

/* The library against what the second implementation made. */

static void
names(void)
{
	struct vec v;

	vec_open(&v, "names");
	while (vec_next(&v)) {
		size_t len;
		uint8_t *name = vec_alloc(&v, "name", &len);
		bool good = strcmp(vec_text(&v, "verdict"), "ok") == 0;

		OK(zp_text_is_name(name, len) == good, vec_reason(&v));
		free(name);
	}
	vec_close(&v);
}

/* A name's bytes, with a NUL behind them. */
static void
name_of(const struct vec *v, const char *field, char to[ZP_NAME_MAX + 1])
{
	to[vec_bytes(v, field, to, ZP_NAME_MAX)] = '\0';
}

static bool
same_bytes(const struct vec *v, const char *field, const void *got, size_t len)
{
	uint8_t want[128];

	vec_hex(v, field, want, len);
	return memcmp(got, want, len) == 0;
}

static struct zp_key *
key_of(const struct vec *v, const char *channel)
{
	uint8_t raw[ZP_KEY_LEN];
	struct zp_key *key = NULL;
	size_t len;
	uint8_t *password;

	vec_hex(v, "key", raw, sizeof(raw));
	if (!vec_has(v, "password")) {
		if (zp_key_load(&key, raw, channel, ZP_WORK_RANDOM))
			return NULL;
		return key;
	}
	password = vec_alloc(v, "password", &len);
	if (zp_key_derive(
		&key, password, len, channel, (unsigned)vec_num(v, "work")))
		key = NULL;
	free(password);
	return key;
}

static void
keys(void)
{
	char channel[ZP_NAME_MAX + 1], uid[ZP_NAME_MAX + 1];
	uint8_t p[ZP_PSEUDONYM_LEN];
	struct vec v;

	vec_open(&v, "keys");
	while (vec_next(&v)) {
		struct zp_key *key;

		name_of(&v, "channel", channel);
		name_of(&v, "uid", uid);
		key = key_of(&v, channel);
		OK(key && same_bytes(&v, "key", zp_key_raw(key), 32) &&
			same_bytes(&v, "amac", zp_key_amac(key), 32) &&
			same_bytes(&v, "aenc", zp_key_aenc(key), 32) &&
			same_bytes(&v, "msgkey", zp_key_msgkey(key), 32) &&
			same_bytes(&v, "RP", zp_key_rp(key, false), 47) &&
			same_bytes(&v, "live", zp_key_rp(key, true), 47) &&
			!strcmp(zp_key_topic(key, false),
			    vec_text(&v, "RP_text")) &&
			!strcmp(zp_key_topic(key, true),
			    vec_text(&v, "live_text")) &&
			zp_pseudo_make(p, zp_key_amac(key), zp_key_aenc(key),
			    ZP_PSEUDO_USER, uid) == ZP_OK &&
			same_bytes(&v, "P", p, 47),
		    vec_reason(&v));
		zp_key_free(key);
	}
	vec_close(&v);
}

static void
pseudonyms(void)
{
	uint8_t amac[32], aenc[32], p[ZP_PSEUDONYM_LEN];
	char got[ZP_NAME_MAX + 1], want[ZP_NAME_MAX + 1];
	struct vec v;

	vec_open(&v, "pseudonyms");
	while (vec_next(&v)) {
		enum zp_err err;

		vec_hex(&v, "amac", amac, 32);
		vec_hex(&v, "aenc", aenc, 32);
		vec_hex(&v, "P", p, 47);
		err = zp_pseudo_open(got, amac, aenc, p);
		if (strcmp(vec_text(&v, "verdict"), "ok") != 0) {
			OK(err == ZP_ERR_FORGED, vec_reason(&v));
			continue;
		}
		name_of(&v, "uid", want);
		OK(err == ZP_OK && strcmp(got, want) == 0, vec_reason(&v));
	}
	vec_close(&v);
}

static void
sizes(void)
{
	struct vec v;

	vec_open(&v, "padme");
	while (vec_next(&v))
		IS(zp_payload_len(vec_num(&v, "length") - ZP_HEADER_LEN, false),
		    vec_num(&v, "padded"), vec_reason(&v));
	vec_close(&v);
	vec_open(&v, "part-sizes");
	while (vec_next(&v)) {
		size_t max = vec_num(&v, "max_record");

		IS(zp_payload_room(max, false), vec_num(&v, "unsigned"),
		    vec_reason(&v));
		IS(zp_payload_room(max, true), vec_num(&v, "signed"),
		    "and signed");
	}
	vec_close(&v);
}

/* An opener with the keys of a case. */
static struct zp_opener *
opener_of(const struct vec *v)
{
	uint8_t amac[32], aenc[32], key[32], id[ZP_KEYID_LEN];
	uint8_t members[2][ZP_PSEUDONYM_LEN];
	char channel[ZP_NAME_MAX + 1];
	struct zp_opener *o;
	unsigned slot;

	vec_hex(v, "amac", amac, 32);
	vec_hex(v, "aenc", aenc, 32);
	vec_hex(v, "msgkey", key, 32);
	name_of(v, "channel", channel);
	if (zp_opener_new(&o, amac, aenc, channel) ||
	    zp_opener_add(o, key, NULL, NULL, 0, &slot))
		vec_die(v, "opener", "cannot be made");
	if (vec_has(v, "record_key")) {
		vec_hex(v, "record_key", key, 32);
		vec_hex(v, "id", id, sizeof(id));
		vec_hex(v, "members", members, sizeof(members));
		if (zp_opener_add(o, key, id,
			(const uint8_t(*)[ZP_PSEUDONYM_LEN])members, 2, &slot))
			vec_die(v, "opener", "takes no conversation");
	}
	return o;
}

/* Opens the one record of a line; ZP_ERR_NOT_FOUND if there is none. */
static enum zp_err
open_line(struct zp_opener *o, const char *line, struct zp_opened *opened)
{
	struct zp_record rec;
	size_t from = 0;

	if (!zp_record_find(line, strlen(line), &from, false, &rec))
		return ZP_ERR_NOT_FOUND;
	return zp_opener_open(o, &rec, opened);
}

static bool
payload_is(const struct vec *v, const struct zp_opened *got)
{
	const struct zp_payload *p = &got->payload;
	char uid[ZP_NAME_MAX + 1];
	size_t len;
	uint8_t *body = vec_alloc(v, "body", &len);
	bool good = p->body_len == len && !memcmp(p->body, body, len);

	free(body);
	name_of(v, "uid", uid);
	return good && !strcmp(got->uid, uid) &&
	    got->live == vec_num(v, "live") && p->kind == vec_num(v, "kind") &&
	    p->flags == vec_num(v, "flags") && p->part == vec_num(v, "part") &&
	    p->seq == vec_num(v, "seq") && p->time == vec_num(v, "time") &&
	    same_bytes(v, "sid", p->sid, ZP_SID_LEN) &&
	    vec_has(v, "idkey") == (p->idkey != NULL) &&
	    (!p->idkey || same_bytes(v, "idkey", p->idkey, ZP_IDKEY_LEN));
}

static void
records(void)
{
	struct zp_opened opened;
	struct vec v;

	vec_open(&v, "records");
	while (vec_next(&v)) {
		struct zp_opener *o = opener_of(&v);
		enum zp_err err = open_line(o, vec_text(&v, "record"), &opened);

		if (!OK(err == ZP_OK && payload_is(&v, &opened),
			vec_reason(&v)))
			printf("# %s\n", zp_err_text(err));
		zp_opener_free(o);
	}
	vec_close(&v);
}

/* Is a message that opened refused when its body is put together? */
static bool
is_no_message(const struct zp_opened *opened)
{
	struct zp_parts *parts;
	enum zp_err err;

	if (zp_parts_new(&parts, false, NULL, NULL))
		return false;
	err = zp_parts_add(parts, opened);
	zp_parts_free(parts);
	return err == ZP_ERR_FORMAT;
}

/* Is this error what the oracle's verdict stands for? */
static bool
fits(const char *verdict, enum zp_err err, const struct zp_opened *opened)
{
	if (!strcmp(verdict, "skip"))
		return err == ZP_OK &&
		    (opened->payload.kind < ZP_KIND_NOTE ||
			opened->payload.kind > ZP_KIND_HELLO);
	if (!strcmp(verdict, "refused"))
		return err == ZP_ERR_FORGED || err == ZP_ERR_FORMAT ||
		    err == ZP_ERR_SIGNATURE;
	if (!strcmp(verdict, "body"))
		return err == ZP_ERR_FORMAT ||
		    (err == ZP_OK &&
			(opened->payload.kind == ZP_KIND_HELLO ||
			    is_no_message(opened)));
	if (!strcmp(verdict, "none"))
		return err == ZP_ERR_NOT_FOUND || err == ZP_ERR_NOT_OURS;
	if (!strcmp(verdict, "broken"))
		return err == ZP_ERR_CORRUPT;
	return err == ZP_ERR_NOT_OURS;
}

static void
refused(void)
{
	struct zp_opened opened;
	struct vec v;

	vec_open(&v, "records-refused");
	while (vec_next(&v)) {
		struct zp_opener *o = opener_of(&v);
		enum zp_err err = open_line(o, vec_text(&v, "record"), &opened);

		if (!OK(fits(vec_text(&v, "verdict"), err, &opened),
			vec_reason(&v)))
			printf("# %s: %s\n", vec_text(&v, "verdict"),
			    zp_err_text(err));
		zp_opener_free(o);
	}
	vec_close(&v);
}

/* The n-th body of a case of lines. */
static bool
body_is(const struct vec *v, unsigned n, const struct zp_payload *p)
{
	char field[32];
	size_t len;
	uint8_t *want;
	bool good;

	snprintf(field, sizeof(field), "body_%u", n);
	if (!vec_has(v, field))
		return false;
	want = vec_alloc(v, field, &len);
	good = len == p->body_len && !memcmp(want, p->body, len);
	free(want);
	return good;
}

static void
lines(void)
{
	struct vec v;

	vec_open(&v, "lines");
	while (vec_next(&v)) {
		struct zp_opener *o = opener_of(&v);
		size_t len, from = 0;
		char *line = (char *)vec_alloc(&v, "line", &len);
		struct zp_opened opened;
		struct zp_record rec;
		unsigned n = 0;
		bool good = true;

		while (zp_record_find(line, len, &from, false, &rec)) {
			if (zp_opener_open(o, &rec, &opened) != ZP_OK)
				from = zp_record_retry(line, &rec);
			else
				good =
				    body_is(&v, n++, &opened.payload) && good;
		}
		OK(good && n == vec_num(&v, "bodies"), vec_reason(&v));
		free(line);
		zp_opener_free(o);
	}
	vec_close(&v);
}

/* The body of a case of bodies, without a message's first number. */
static uint8_t *
whole_of(const struct vec *v, size_t *len)
{
	size_t lead = vec_num(v, "kind") == ZP_KIND_MESSAGE ? 8 : 0;
	uint8_t *body = vec_alloc(v, "body", len);

	*len -= lead;
	memmove(body, body + lead, *len);
	return body;
}

/* Opens all records of a case and compares the one body that comes out. */
static bool
body_comes_out(const struct vec *v, struct zp_opener *o, struct zp_parts *parts,
    bool backwards)
{
	unsigned n = (unsigned)vec_num(v, "records"), whole = 0;
	size_t len;
	uint8_t *want = whole_of(v, &len);
	bool good = true;

	for (unsigned i = 0; i < n; i++) {
		struct zp_opened opened;
		struct zp_piece piece;
		char field[32];

		snprintf(field, sizeof(field), "record_%u",
		    backwards ? n - 1 - i : i);
		good = good && !open_line(o, vec_text(v, field), &opened) &&
		    !zp_parts_add(parts, &opened);
		while (good && zp_parts_next(parts, &piece)) {
			whole++;
			good = piece.len == len &&
			    !memcmp(piece.data, want, len) &&
			    piece.body->seq == vec_num(v, "seq") &&
			    piece.body->time == vec_num(v, "time");
		}
	}
	free(want);
	return good && whole == 1;
}

static void
bodies(void)
{
	struct vec v;

	vec_open(&v, "bodies");
	while (vec_next(&v)) {
		struct zp_opener *o;

		if (!vec_has(&v, "record_0"))
			continue;
		o = opener_of(&v);
		for (int backwards = 0; backwards < 2; backwards++) {
			struct zp_parts *parts;

			if (zp_parts_new(&parts, false, NULL, NULL))
				vec_die(&v, "parts", "cannot be made");
			OK(body_comes_out(&v, o, parts, backwards),
			    backwards ? "and from its last part to the first"
				      : vec_reason(&v));
			zp_parts_free(parts);
		}
		zp_opener_free(o);
	}
	vec_close(&v);
}

int
main(void)
{
	if (zp_secret_init())
		return EXIT_FAILURE;
	names();
	keys();
	pseudonyms();
	sizes();
	records();
	refused();
	lines();
	bodies();
	return tap_done();
}
