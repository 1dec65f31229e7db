#ifndef ZP_MLES_RECORD_H
#define ZP_MLES_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_key.h"
#include "wire/zp_record.h"

/*
 * The line form of a MlesTalk frame, zpinc-record(5): `ml1.RP.P.ENC`, all
 * three base64url of raw bytes: encrypted channel, encrypted uid, message.
 */
struct zp_mles_raw {
	uint8_t *bytes; /* all of it, owned */
	size_t cap;
	const uint8_t *rp, *p, *message; /* into bytes */
	size_t rp_len, p_len, len;
};

/*
 * Decodes a record, into memory that *raw may bring from an earlier call
 * (zeroed at first).  ZP_ERR_SUITE: a record of another suite;
 * ZP_ERR_FORMAT: not canonical; ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_record_read(struct zp_mles_raw *raw, const struct zp_record *rec);
void
zp_mles_record_free(struct zp_mles_raw *raw);

/* Characters of the line, without newline or NUL. */
size_t
zp_mles_record_len(size_t rp_len, size_t p_len, size_t len);

/* Writes them. */
void
zp_mles_record_write(char *to, const struct zp_mles_box *rp,
    const struct zp_mles_box *p, const uint8_t *message, size_t len);

/* A frame that was opened; pointers into the caller's plaintext. */
struct zp_mles_opened {
	struct zp_mles_name uid;
	struct zp_mles_frame frame;
	size_t layer; /* which of the layers opened it */
	uint64_t checksum; /* as the app shows it */
};

/*
 * Opens a frame of this channel with the first of n layers that fits (NULL
 * entries are passed over); `plain` has room for raw->len bytes.
 * ZP_ERR_NOT_OURS: another channel, or no layer fits; ZP_ERR_FORGED: the
 * uid, or a box under a good mac; ZP_ERR_FORMAT, ZP_ERR_CUT: the plaintext;
 * ZP_ERR_TOO_LONG; ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_record_open(struct zp_mles_opened *o, uint8_t *plain,
    const struct zp_mles_key *key, struct zp_mles_layer *const *layers,
    size_t n, const struct zp_mles_raw *raw);

#endif
