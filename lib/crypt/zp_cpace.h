#ifndef ZP_CPACE_H
#define ZP_CPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "base/zp_err.h"

/*
 * The byte strings and the group of CPACE-RISTR255-SHA512
 * (draft-irtf-cfrg-cpace).  Strings are never put together in memory: they
 * go into a hash state piece by piece, and the state is the caller's, who
 * keeps it in secret memory.
 */

#define ZP_CPACE_DSI "CPaceRistretto255"
#define ZP_CPACE_ELEMENT_LEN 32
#define ZP_CPACE_SCALAR_LEN 32
#define ZP_CPACE_HASH_LEN 64 /* SHA-512 */
#define ZP_CPACE_BLOCK_LEN 128 /* SHA-512's input block, s_in_bytes */

_Static_assert(ZP_CPACE_ELEMENT_LEN == crypto_core_ristretto255_BYTES,
    "ristretto255 elements");
_Static_assert(ZP_CPACE_SCALAR_LEN == crypto_core_ristretto255_SCALARBYTES,
    "ristretto255 scalars");
_Static_assert(ZP_CPACE_HASH_LEN == crypto_hash_sha512_BYTES, "SHA-512");

/* How long prepend_len() makes a string of len bytes: LEB128 and itself. */
size_t
zp_cpace_lv_size(size_t len);

/* The LEB128 length that goes before a string; then the string. */
void
zp_cpace_lv(crypto_hash_sha512_state *h, const void *data, size_t len);

/*
 * calculate_generator(): begin, then exactly ci_len bytes of CI with
 * crypto_hash_sha512_update(), then end.  `hash` is scratch and holds secrets
 * afterwards, as `g` does.
 */
void
zp_cpace_generator_begin(crypto_hash_sha512_state *h, const void *prs,
    size_t prs_len, size_t ci_len);
void
zp_cpace_generator_end(crypto_hash_sha512_state *h, const void *sid,
    size_t sid_len, uint8_t hash[static ZP_CPACE_HASH_LEN],
    uint8_t g[static ZP_CPACE_ELEMENT_LEN]);

/*
 * Whether an encoding can be that of an element other than the neutral one,
 * as far as this is to be seen without decoding.  To be asked before any of
 * libsodium's functions: they take the neutral element, and until 1.0.18
 * they ignore the highest bit, against RFC 9496 (4.3.1), so that every
 * element, the neutral one too, would have a second encoding.
 */
bool
zp_cpace_plausible(const uint8_t e[static ZP_CPACE_ELEMENT_LEN]);

/* Whether it is one: costs a decoding. */
bool
zp_cpace_valid(const uint8_t e[static ZP_CPACE_ELEMENT_LEN]);

/*
 * scalar_mult_vfy(): out = s X.  ZP_ERR_POINT if X does not decode or the
 * product is neutral; `out` is then undefined.
 */
ZP_CHECKED enum zp_err
zp_cpace_mult(uint8_t out[static ZP_CPACE_ELEMENT_LEN],
    const uint8_t s[static ZP_CPACE_SCALAR_LEN],
    const uint8_t x[static ZP_CPACE_ELEMENT_LEN]);

/*
 * The ISK's hash up to the transcript: lv_cat(DSI || "_ISK", sid, K).  Then
 * the transcript, then crypto_hash_sha512_final().
 */
void
zp_cpace_isk_begin(crypto_hash_sha512_state *h, const char *dsi,
    const void *sid, size_t sid_len,
    const uint8_t k[static ZP_CPACE_ELEMENT_LEN]);

/*
 * transcript_oc(Ya, ADa, Yb, ADb), the symmetric setting's: "oc", then the
 * larger of lv_cat(Ya, ADa) and lv_cat(Yb, ADb), then the other.  The shares
 * must differ, so they alone decide which is larger.
 */
void
zp_cpace_transcript_oc(crypto_hash_sha512_state *h,
    const uint8_t ya[static ZP_CPACE_ELEMENT_LEN], const void *ada,
    size_t ada_len, const uint8_t yb[static ZP_CPACE_ELEMENT_LEN],
    const void *adb, size_t adb_len);

#endif
