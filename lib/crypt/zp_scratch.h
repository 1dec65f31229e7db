#ifndef ZP_SCRATCH_H
#define ZP_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * Ordinary memory that plaintext passes through, which grows with what comes
 * and is wiped before it is given back.  All zero: none yet.
 */
struct zp_scratch {
	uint8_t *data;
	size_t cap;
};

/* As zp_scratch_need() where cap is too small. */
ZP_CHECKED enum zp_err
zp_scratch_grow(struct zp_scratch *s, size_t n);

/* Makes it hold at least n bytes; contents may be lost.  ZP_ERR_MEMORY. */
ZP_CHECKED static inline enum zp_err
zp_scratch_need(struct zp_scratch *s, size_t n)
{
	return n <= s->cap ? ZP_OK : zp_scratch_grow(s, n);
}

void
zp_scratch_free(struct zp_scratch *s);

#endif
