/*
 * The limit programs: the least C that does the same primitives a record
 * (keyed BLAKE2b-512 with its state kept, secretbox, base64 by tables,
 * nonces drawn in batches) on the same record bytes, without options,
 * checks, identities, replay windows or anything else.  What zpinc-seal and
 * zpinc-open reach of this is what their checks cost.
 *
 * usage: limit seal|open|init, or limit wseal|wopen BODYLEN
 *
 * The key is 32 zero bytes for the channel `bench`, the sender `bench`:
 * `zpinc-key` can import the same.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_be.h"
#include "crypt/zp_key.h"
#include "crypt/zp_pseudo.h"
#include "wire/zp_payload.h"

#define BLOCK 32768
#define HEAD ZP_RECORD_HEAD

static char enc12[4096][2];
static uint8_t dec[256];
static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static crypto_generichash_blake2b_state base;
static char head[HEAD];
static uint8_t sid[16];
static uint64_t seq;
static uint8_t nonces[128][24];
static size_t left;

static void
setup(void)
{
	struct zp_key *key;
	uint8_t raw[32] = {0}, p[47], pers[16] = "zpinc1-record";

	if (sodium_init() < 0 || zp_key_load(&key, raw, "bench", 0) ||
	    zp_pseudo_make(
		p, zp_key_amac(key), zp_key_aenc(key), ZP_PSEUDO_USER, "bench"))
		exit(1);
	for (size_t i = 0; i < 4096; i++) {
		enc12[i][0] = alphabet[i >> 6];
		enc12[i][1] = alphabet[i & 63];
	}
	for (size_t i = 0; i < 64; i++)
		dec[(unsigned char)alphabet[i]] = (uint8_t)i;
	crypto_generichash_blake2b_init_salt_personal(
	    &base, zp_key_msgkey(key), 32, 64, NULL, pers);
	crypto_generichash_blake2b_update(&base, zp_key_rp(key, false), 47);
	crypto_generichash_blake2b_update(&base, p, 47);
	memcpy(head, "zp1.", 4);
	memcpy(head + 4, zp_key_topic(key, false), 64);
	head[68] = '.';
	zp_record_topic(head + 69, p);
	head[133] = '.';
	randombytes_buf(sid, sizeof(sid));
	zp_key_free(key);
}

static size_t
encode(char *to, const uint8_t *from, size_t n)
{
	char *start = to;

	for (; n >= 3; n -= 3, from += 3, to += 4) {
		unsigned v =
		    (unsigned)from[0] << 16 | (unsigned)from[1] << 8 | from[2];
		memcpy(to, enc12[v >> 12], 2);
		memcpy(to + 2, enc12[v & 4095], 2);
	}
	if (n > 0) {
		unsigned v = (unsigned)from[0] << 16 |
		    (n > 1 ? (unsigned)from[1] << 8 : 0);
		memcpy(to, enc12[v >> 12], 2);
		to[2] = alphabet[v >> 6 & 63];
		to += n + 1;
	}
	return (size_t)(to - start);
}

static size_t
decode(uint8_t *to, const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	uint8_t *start = to;

	for (; n >= 4; n -= 4, u += 4, to += 3) {
		unsigned v = (unsigned)dec[u[0]] << 18 |
		    (unsigned)dec[u[1]] << 12 | (unsigned)dec[u[2]] << 6 |
		    dec[u[3]];
		to[0] = (uint8_t)(v >> 16);
		to[1] = (uint8_t)(v >> 8);
		to[2] = (uint8_t)v;
	}
	if (n >= 2) {
		*to++ = (uint8_t)(dec[u[0]] << 2 | dec[u[1]] >> 4);
		if (n == 3)
			*to++ = (uint8_t)(dec[u[1]] << 4 | dec[u[2]] >> 2);
	}
	return (size_t)(to - start);
}

static void
put(const char *data, size_t n)
{
	while (n > 0) {
		ssize_t w = write(1, data, n);
		if (w < 0)
			exit(1);
		data += w;
		n -= (size_t)w;
	}
}

static void
commit(uint8_t out[static 64], const uint8_t *nonce)
{
	crypto_generichash_blake2b_state st = base;

	crypto_generichash_blake2b_update(&st, nonce, 24);
	crypto_generichash_blake2b_final(&st, out, 64);
}

static uint8_t raw[1 << 20];

static size_t
seal_one(char *to, const char *body, size_t n, uint32_t part, bool last)
{
	uint8_t ek[64], *m = raw + 72;
	size_t len = zp_payload_len(n, false);

	if (left == 0) {
		randombytes_buf(nonces, sizeof(nonces));
		left = 128;
	}
	memcpy(raw, nonces[--left], 24);
	commit(ek, raw);
	memcpy(raw + 24, ek + 32, 32);
	m[0] = 1;
	m[1] = last;
	m[2] = m[3] = 0;
	zp_be32_put(m + 4, part);
	memcpy(m + 8, sid, 16);
	zp_be64_put(m + 24, seq);
	zp_be64_put(m + 32, 1700000000000);
	memcpy(m + 40, body, n);
	m[40 + n] = 0x80;
	memset(m + 41 + n, 0, len - 41 - n);
	crypto_secretbox_detached(m, m - 16, m, len, raw, ek);
	memcpy(to, head, HEAD);
	size_t w = HEAD + encode(to + HEAD, raw, 72 + len);
	to[w++] = '\n';
	return w;
}

static void
seal(void)
{
	static char in[2 * BLOCK], out[16 * BLOCK];
	size_t have = 0;
	ssize_t n;

	while ((n = read(0, in + have, BLOCK)) > 0) {
		size_t at = 0, w = 0;
		char *nl;
		have += (size_t)n;
		while ((nl = memchr(in + at, '\n', have - at)) != NULL) {
			size_t len = (size_t)(nl - in) - at;
			w += seal_one(out + w, in + at, len, 0, true);
			seq++;
			at += len + 1;
		}
		put(out, w);
		left = 0;
		memmove(in, in + at, have - at);
		have -= at;
	}
}

static size_t
open_one(char *to, const char *line, size_t n)
{
	uint8_t ek[64], *m = raw + 72;
	size_t len = decode(raw, line + HEAD, n - HEAD) - 72;

	commit(ek, raw);
	if (sodium_memcmp(ek + 32, raw + 24, 32) != 0 ||
	    crypto_secretbox_open_detached(m, m, m - 16, len, raw, ek) != 0)
		exit(1);
	while (m[len - 1] == 0)
		len--;
	memcpy(to, m + 40, len - 41);
	return len - 41;
}

static void
open_lines(bool newline)
{
	static char in[1 << 20], out[1 << 20];
	size_t have = 0;
	ssize_t n;

	while ((n = read(0, in + have, newline ? BLOCK : 4 * BLOCK)) > 0) {
		size_t at = 0, w = 0;
		char *nl;
		have += (size_t)n;
		while ((nl = memchr(in + at, '\n', have - at)) != NULL) {
			size_t len = (size_t)(nl - in) - at;
			w += open_one(out + w, in + at, len);
			if (newline)
				out[w++] = '\n';
			at += len + 1;
		}
		put(out, w);
		memmove(in, in + at, have - at);
		have -= at;
	}
}

static void
wseal(size_t room)
{
	static char in[1 << 20], out[1 << 21];
	size_t have = 0;
	uint32_t part = 0;
	ssize_t n;

	while ((n = read(0, in + have, room - have)) > 0) {
		have += (size_t)n;
		if (have < room)
			continue;
		put(out, seal_one(out, in, have, part++, false));
		have = 0;
	}
	put(out, seal_one(out, in, have, part, true));
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "init") == 0)
		return sodium_init() < 0;
	setup();
	if (argc > 1 && strcmp(argv[1], "seal") == 0)
		seal();
	else if (argc > 1 && strcmp(argv[1], "open") == 0)
		open_lines(true);
	else if (argc > 1 && strcmp(argv[1], "wopen") == 0)
		open_lines(false);
	else if (argc > 2 && strcmp(argv[1], "wseal") == 0)
		wseal(strtoul(argv[2], NULL, 10));
	else
		return 2;
	return 0;
}
