#ifndef ZP_B64_X86_H
#define ZP_B64_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The middle of base64url, 32 characters at a time, for zp_b64.c.  After
 * Mula and Lemire, "Faster Base64 Encoding and Decoding Using AVX2
 * Instructions" (2018), with the alphabet of RFC 4648, section 5.
 */

/* Has this processor AVX2?  If not, nothing else here may be called. */
bool
zp_b64_x86_usable(void);

/* How many characters of the 64 stand at the start of s; not all n of them
 * may be looked at: *more says that those after them were not. */
size_t
zp_b64_x86_run(const char *s, size_t n, bool *more);

/* Writes some; returns how many bytes of `from` that was, a multiple of 3. */
size_t
zp_b64_x86_write(char *to, const uint8_t *from, size_t n);

/*
 * Reads some; returns how many characters that was, a multiple of 4.
 * *good: all of these were of the 64.
 */
size_t
zp_b64_x86_read(uint8_t *to, const char *from, size_t n, bool *good);

#endif
