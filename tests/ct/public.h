#ifndef ZP_CT_PUBLIC_H
#define ZP_CT_PUBLIC_H

#include <stddef.h>
#include <valgrind/memcheck.h>

/*
 * Constant time, checked as ctgrind does it (Langley, 2010): secrets are
 * marked undefined, and valgrind then reports every branch and every address
 * that depends on one.
 */
static inline void
ct_secret(const void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

static inline void
ct_public(const void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

#endif
