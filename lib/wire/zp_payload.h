#ifndef ZP_PAYLOAD_H
#define ZP_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * What a record's box holds, zpinc-record(5):
 *
 *     0  u8 kind   1 u8 flags   2 u16 zero   4 u32 part   8 sid[16]
 *     24 u64 seq   32 u64 time  40 body
 *        idkey[32] sig[64] if SIGNED, then 0x80 and zeros
 */

#define ZP_SID_LEN 16
#define ZP_HEADER_LEN 40
#define ZP_IDKEY_LEN 32
#define ZP_SIG_LEN 64
#define ZP_PAYLOAD_LEAST 128

/* nonce 24, commitment 32, Poly1305 tag 16 */
#define ZP_NONCE_LEN 24
#define ZP_COM_LEN 32
#define ZP_BOX_TAG_LEN 16
#define ZP_ENC_OVERHEAD (ZP_NONCE_LEN + ZP_COM_LEN + ZP_BOX_TAG_LEN)
#define ZP_ENC_LEAST (ZP_ENC_OVERHEAD + ZP_PAYLOAD_LEAST)

/* No counter comes near its end: a session stops before. */
#define ZP_SEQ_MAX (UINT64_MAX - 2)

enum zp_kind { ZP_KIND_NOTE = 1, ZP_KIND_MESSAGE = 2, ZP_KIND_HELLO = 3 };

#define ZP_FLAG_LAST 1
#define ZP_FLAG_SIGNED 2

struct zp_payload {
	uint8_t kind; /* enum zp_kind, or one not known here */
	uint8_t flags;
	uint32_t part;
	uint8_t sid[ZP_SID_LEN];
	uint64_t seq;
	uint64_t time; /* ms since 1970, the sender's claim; 0: withheld */
	const uint8_t *body;
	size_t body_len;
	const uint8_t *idkey, *sig; /* NULL if not signed */
};

/* Padmé: the length that n bytes are padded to (Nikitin et al., 2019). */
size_t
zp_payload_padme(size_t n);

/* Bytes of the whole padded payload for a body of this length. */
size_t
zp_payload_len(size_t body_len, bool is_signed);

/* The most body bytes of one record of max_record characters. */
size_t
zp_payload_room(size_t max_record, bool is_signed);

/* Writes the 40 bytes of the header. */
void
zp_payload_header(uint8_t to[static ZP_HEADER_LEN], const struct zp_payload *p);

/*
 * Writes a whole payload of zp_payload_len() bytes: header, body, idkey and
 * sig (from p, if SIGNED), padding.  p->body may lie at to + 40 already.
 */
void
zp_payload_write(uint8_t *to, size_t len, const struct zp_payload *p);

/*
 * Reads a payload; pointers into `from`.  ZP_ERR_FORMAT for missing or
 * short padding, unknown flags, a field that must be zero.  An unknown kind
 * is not an error.
 */
ZP_CHECKED enum zp_err
zp_payload_parse(struct zp_payload *p, const uint8_t *from, size_t len);

#endif
