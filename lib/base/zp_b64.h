#ifndef ZP_B64_H
#define ZP_B64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Base64url without padding (RFC 4648, section 5), canonical only, by
 * tables.  For ciphertext and pseudonyms, which everybody sees: a table
 * look-up takes a time that depends on the data, so keys go through
 * libsodium's encoder instead.
 */

/* Characters for n bytes, and bytes in n characters. */
#define ZP_B64_CHARS(n) (((n)*4 + 2) / 3)
#define ZP_B64_BYTES(n) ((n) / 4 * 3 + (n) % 4 * 3 / 4)

/* Is c one of the 64? */
bool
zp_b64_is(unsigned char c);

/* How many characters of the 64 stand at the start of s, at most n. */
size_t
zp_b64_run(const char *s, size_t n);

/* Writes ZP_B64_CHARS(n) characters, no NUL. */
void
zp_b64_write(char *to, const uint8_t *from, size_t n);

/*
 * Reads n characters into ZP_B64_BYTES(n) bytes.  False for a character
 * that is none of the 64, a length that none encodes to, or unused bits
 * that are not zero; `to` then holds nothing of use.
 */
bool
zp_b64_read(uint8_t *to, const char *from, size_t n);

#endif
