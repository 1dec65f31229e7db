#ifndef ZP_SECRET_H
#define ZP_SECRET_H

#include <stddef.h>

#include "base/zp_err.h"

/*
 * The one allocator for whatever holds keys, scalars, hash states under a
 * key or passphrases: sodium_malloc() memory (guard pages, locked where the
 * system allows, wiped when freed).  Zeroed, so that a half-built struct
 * can be freed.
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

/* n random bytes of the system's: session ids, words, hash keys. */
void
zp_secret_random(void *p, size_t n);

#endif
