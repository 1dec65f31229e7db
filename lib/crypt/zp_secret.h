#ifndef ZP_SECRET_H
#define ZP_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * The one allocator for whatever holds keys, scalars, hash states under a
 * key or passphrases: sodium_malloc() memory (guard pages, locked where the
 * system allows, wiped when freed); small blocks share one of those, with a
 * check for overruns when they are freed.  Zeroed, so that a half-built struct
 * can be freed.  From any thread.
 */

/* Makes libsodium ready; call first.  Harmless to repeat. */
ZP_CHECKED enum zp_err
zp_secret_init(void);

/* n zeroed bytes, n > 0; NULL without memory. */
void *
zp_secret_new(size_t n);

/* Wipes and frees; NULL is fine. */
void
zp_secret_free(void *p);

/* Wipes n bytes at p in a way that no compiler removes. */
void
zp_secret_wipe(void *p, size_t n);

/*
 * Base64url without padding (RFC 4648, section 5) of a secret, in a time
 * that tells its length alone; canonical only.  Reads len characters into at
 * most cap bytes and sets *n.  False: it is none, or longer.
 */
bool
zp_secret_read_b64(
    uint8_t *to, size_t cap, const char *from, size_t len, size_t *n);

/* n random bytes of the system's: session ids, words, hash keys. */
void
zp_secret_random(void *p, size_t n);

#endif
