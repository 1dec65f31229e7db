#include "crypt/zp_scratch.h"

#include <sodium.h>
#include <stdlib.h>

enum zp_err
zp_scratch_grow(struct zp_scratch *s, size_t n)
{
#ifdef ZP_SANITIZED
	size_t cap = n; /* so that what is read behind it is found */
#else
	size_t cap = (n + 4095) & ~(size_t)4095;
#endif
	uint8_t *fresh = malloc(cap);

	if (fresh == NULL)
		return ZP_ERR_MEMORY;
	zp_scratch_free(s);
	*s = (struct zp_scratch){.data = fresh, .cap = cap};
	return ZP_OK;
}

void
zp_scratch_free(struct zp_scratch *s)
{
	if (s->data != NULL)
		sodium_memzero(s->data, s->cap);
	free(s->data);
	*s = (struct zp_scratch){0};
}
