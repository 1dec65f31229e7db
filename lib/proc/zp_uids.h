#ifndef ZP_UIDS_H
#define ZP_UIDS_H

#include <stddef.h>

#include "base/zp_err.h"

/* Who a conversation is to be with: the values of -m. */
struct zp_uids {
	char **uid; /* n of them; NULL if there are none */
	size_t n;
};

/*
 * Adds the uids of a list "UID,UID,...", up to `most` in all.  ZP_ERR_USAGE
 * (one is no name, too many, none at all) or ZP_ERR_MEMORY, said on stderr.
 */
ZP_CHECKED enum zp_err
zp_uids_take(
    struct zp_uids *u, const char *tool, const char *list, size_t most);

void
zp_uids_free(struct zp_uids *u);

#endif
