#ifndef ZP_HIDE_H
#define ZP_HIDE_H

#include <stddef.h>

#include "base/zp_err.h"

/*
 * What no transport may open by name: keys, identities, conversations and
 * the list of known identities (whoever writes there chooses whom we trust).
 * For the process that starts transports, which reads none of these.
 */
struct zp_hide {
	char **path; /* NULL behind the last */
	size_t n;
};

/*
 * All *.key and *.id where keys are looked up by name, the files that these
 * values of -k and -i stand for (NULL, or not found: none), and the known
 * identities at `known` (NULL: the default), which need not exist: what is
 * made later beside a hidden file is hidden as well (zp_confine.h).  For that
 * it makes their lock file, and the folder beside it that transports keep
 * their names in.  ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_hide_init(struct zp_hide *h, const char *key, const char *identity,
    const char *known);

/* One more; NULL is fine. */
ZP_CHECKED enum zp_err
zp_hide_add(struct zp_hide *h, const char *path);

/* For struct zp_confine_paths. */
const char *const *
zp_hide_list(const struct zp_hide *h);

void
zp_hide_free(struct zp_hide *h);

#endif
