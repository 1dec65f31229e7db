#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_text.h"
#include "crypt/zp_open.h"
#include "crypt/zp_secret.h"
#include "wire/zp_record.h"

/*
 * The library's verdict on lines, for differ.py: reads a line with the keys
 * in hex (amac, aenc, msgkey, record key, conversation id, two members' P;
 * the channel is "ops"), then lines in hex.  For each of these prints one
 * line, a word for each record that was opened or refused; what no key
 * fits is passed over.
 */

struct keys {
	uint8_t amac[32], aenc[32], msgkey[32], record_key[32];
	uint8_t id[ZP_KEYID_LEN], members[2][ZP_PSEUDONYM_LEN];
};

static void
say_hex(const void *data, size_t len)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < len; i++)
		printf("%02x", b[i]);
}

static void
say_opened(const struct zp_opened *o)
{
	const struct zp_payload *p = &o->payload;
	uint8_t digest[16];

	crypto_generichash(
	    digest, sizeof(digest), p->body, p->body_len, NULL, 0);
	printf(" ");
	say_hex(o->uid, strlen(o->uid));
	printf(":%d:%u:%u:%lu:", o->live, p->kind, p->flags,
	    (unsigned long)p->part);
	say_hex(p->sid, ZP_SID_LEN);
	printf(":%llu:%llu:", (unsigned long long)p->seq,
	    (unsigned long long)p->time);
	if (p->idkey)
		say_hex(p->idkey, ZP_IDKEY_LEN);
	printf(":");
	say_hex(digest, sizeof(digest));
}

static void
judge(struct zp_opener *o, const char *line, size_t len)
{
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(line, len, &from, false, &rec)) {
		struct zp_opened opened;
		enum zp_err err = zp_opener_open(o, &rec, &opened);

		if (!err &&
		    (opened.payload.kind < ZP_KIND_NOTE ||
			opened.payload.kind > ZP_KIND_HELLO))
			printf(" skip");
		else if (!err)
			say_opened(&opened);
		else if (err != ZP_ERR_NOT_OURS)
			printf(" bad");
		if (err)
			from = zp_record_retry(line, &rec);
	}
	printf("\n");
}

/* A line of hex as bytes in buf; false at the end. */
static bool
next(char **buf, size_t *cap, size_t *len)
{
	ssize_t n = getline(buf, cap, stdin);

	if (n < 1)
		return false;
	if (sodium_hex2bin((unsigned char *)*buf, *cap, *buf, (size_t)n - 1,
		NULL, len, NULL))
		abort();
	return true;
}

int
main(void)
{
	struct zp_opener *o;
	struct keys keys;
	unsigned slot;
	char *buf = NULL;
	size_t cap = 0, len;

	if (zp_secret_init() || !next(&buf, &cap, &len) || len != sizeof(keys))
		return EXIT_FAILURE;
	memcpy(&keys, buf, sizeof(keys));
	if (zp_opener_new(&o, keys.amac, keys.aenc, "ops") ||
	    zp_opener_add(o, keys.msgkey, NULL, NULL, 0, &slot) ||
	    zp_opener_add(o, keys.record_key, keys.id,
		(const uint8_t(*)[ZP_PSEUDONYM_LEN])keys.members, 2, &slot))
		return EXIT_FAILURE;
	while (next(&buf, &cap, &len))
		judge(o, buf, len);
	zp_opener_free(o);
	free(buf);
	return EXIT_SUCCESS;
}
