#ifndef ZP_MLES_FRAME_H
#define ZP_MLES_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "mles/zp_mles_key.h"

/*
 * A MlesTalk frame, zpinc-mles(7).  What is sealed, integers big-endian:
 *
 *     0  u16 size of header and body   2 sid[8]   10 u16 size of keys
 *     12 u16 minute of the week  14 u16 week since 2018-01-01T00:00Z
 *     16 u16 flags in the high 9 bits, second in the low 7
 *     18 body, keys (none, Z or Z || X), padding
 *
 * and the message that carries it, with the layer's two keys:
 *
 *     nonce(32) || secretbox(plaintext, nonce[0..24), seal) || mac(12)
 */

#define ZP_MLES_SID_LEN 8
#define ZP_MLES_HEADER_LEN 18
#define ZP_MLES_POINT_LEN 32
#define ZP_MLES_KEYS_MAX (2 * ZP_MLES_POINT_LEN)
#define ZP_MLES_BODY_MAX (UINT16_MAX - ZP_MLES_HEADER_LEN) /* 65517 */
#define ZP_MLES_NONCE_LEN 32
#define ZP_MLES_MAC_LEN 12
#define ZP_MLES_OVERHEAD (ZP_MLES_NONCE_LEN + 16 + ZP_MLES_MAC_LEN)

/* Flags on the wire. */
#define ZP_MLES_FULL 0x8000 /* a whole text, not what is typed so far */
#define ZP_MLES_DATA 0x4000 /* a piece of a file */
#define ZP_MLES_PRESENCE 0x2000
#define ZP_MLES_PRESENCE_ACK 0x1000
#define ZP_MLES_MULTIPART 0x0800
#define ZP_MLES_FIRST 0x0400
#define ZP_MLES_LAST 0x0200
#define ZP_MLES_BDONE 0x0100 /* of two members: the mix, which is neutral */
#define ZP_MLES_BDACK 0x0080 /* the sender has a group secret */
#define ZP_MLES_FLAGS 0xff80

/* ms since 1970 of the first second that can be written, and the end. */
#define ZP_MLES_TIME_MIN 1514764800000
#define ZP_MLES_TIME_END (ZP_MLES_TIME_MIN + 65536 * (int64_t)604800000)

/*
 * The sid of a note from outside of any handshake.  Every note makes the
 * prototype's clients begin anew; with this sid, which our members never
 * take for theirs, they come back to the members' sid at once, and its
 * sender is not waited for.
 */
#define ZP_MLES_SID_NONE                   \
	((const uint8_t[ZP_MLES_SID_LEN]){ \
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})

struct zp_mles_frame {
	uint8_t sid[ZP_MLES_SID_LEN];
	uint16_t flags;
	int64_t time; /* ms since 1970, whole seconds on the wire */
	const uint8_t *body;
	size_t body_len;
	const uint8_t *keys; /* 0, 32 or 64 bytes */
	size_t keys_len;
};

/*
 * The message types that MlesTalk's app and worker exchange, which have
 * other bits than the wire.  To the wire: FIRST and LAST count only with
 * MULTIPART, and who sends sets BDONE and BDACK by what it knows.
 */
uint16_t
zp_mles_frame_flags(unsigned msgtype);
unsigned
zp_mles_frame_msgtype(uint16_t flags);

/* Bytes of the plaintext, and of the message, for these lengths. */
size_t
zp_mles_frame_len(size_t body_len, size_t keys_len);
size_t
zp_mles_frame_message_len(size_t body_len, size_t keys_len);

/*
 * Writes the plaintext, zp_mles_frame_len() bytes.  `padding` is as long as
 * what follows the keys.  ZP_ERR_TOO_LONG: a body over ZP_MLES_BODY_MAX,
 * which the size field cannot count; ZP_ERR_CLOCK: a time outside of what
 * the header can tell; ZP_ERR_USAGE: keys of another length.
 */
ZP_CHECKED enum zp_err
zp_mles_frame_write(
    uint8_t *to, const struct zp_mles_frame *f, const uint8_t *padding);

/*
 * Reads a plaintext; pointers into `from`.  Keys of a length that is none of
 * the three are left out, as the prototype does.  ZP_ERR_FORMAT: sizes that
 * point beyond the end or into the header.  ZP_ERR_CUT: the sender's size
 * field overflowed, so that most of the body cannot be found.
 */
ZP_CHECKED enum zp_err
zp_mles_frame_parse(struct zp_mles_frame *f, const uint8_t *from, size_t len);

/*
 * Seals a frame: writes zp_mles_frame_message_len() bytes.  `nonce` must
 * never come twice; `padding_seed` gives the padding.  Errors of
 * zp_mles_frame_write().
 */
ZP_CHECKED enum zp_err
zp_mles_frame_seal(uint8_t *message, struct zp_mles_layer *layer,
    const struct zp_mles_frame *f,
    const uint8_t nonce[static ZP_MLES_NONCE_LEN],
    const uint8_t padding_seed[static 32]);

/* The same with the plaintext given, len bytes; writes len + OVERHEAD. */
void
zp_mles_frame_seal_plain(uint8_t *message, struct zp_mles_layer *layer,
    const uint8_t *plain, size_t len,
    const uint8_t nonce[static ZP_MLES_NONCE_LEN]);

/*
 * Opens a message with the first of n layers whose mac fits (NULL entries
 * are passed over) and sets *which.  `plain` has room for len bytes, holds
 * the plaintext, and f points into it.  ZP_ERR_NOT_OURS: no layer fits;
 * ZP_ERR_FORGED: one fits and its box does not; ZP_ERR_FORMAT, ZP_ERR_CUT.
 */
ZP_CHECKED enum zp_err
zp_mles_frame_open(struct zp_mles_frame *f, uint8_t *plain,
    struct zp_mles_layer *const *layers, size_t n, const uint8_t *message,
    size_t len, size_t *which);

/*
 * The checksum by which MlesTalk tells frames apart: SipHash-2-4 without a
 * key over the frame's CBOR, a map of uid and channel (base64 text) and
 * message (bytes).  rp and p: raw boxes, at most ZP_MLES_BOX_MAX bytes.
 * ZP_ERR_TOO_LONG, ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_mles_frame_checksum(uint64_t *sum, const uint8_t *p, size_t p_len,
    const uint8_t *rp, size_t rp_len, const uint8_t *message, size_t len);

/* The CBOR itself: bytes it takes, and writing it. */
size_t
zp_mles_frame_cbor_len(size_t p_len, size_t rp_len, size_t len);
void
zp_mles_frame_cbor(uint8_t *to, const uint8_t *p, size_t p_len,
    const uint8_t *rp, size_t rp_len, const uint8_t *message, size_t len);

#endif
