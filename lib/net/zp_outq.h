#ifndef ZP_OUTQ_H
#define ZP_OUTQ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zp_err.h"

/*
 * Output that never makes its program wait: what the reader does not take
 * yet is kept.  The caller stops putting when there is much.
 */
struct zp_outq {
	int fd;
	size_t burst; /* a write of so much does not block after POLLOUT */
	char *data;
	size_t start, end, cap;
	int error; /* errno of the write that failed, else 0 */
};

/*
 * A pipe at fd is opened anew without blocking where the system can, since
 * O_NONBLOCK on the pipe we inherit would hit everybody who shares it.
 */
void
zp_outq_init(struct zp_outq *q, int fd);
void
zp_outq_free(struct zp_outq *q);

static inline size_t
zp_outq_len(const struct zp_outq *q)
{
	return q->end - q->start;
}

/* Nothing is kept after a write has failed. */
ZP_CHECKED enum zp_err
zp_outq_put(struct zp_outq *q, const void *data, size_t len);

/* Writes what goes without waiting, after POLLOUT; sets `error`. */
void
zp_outq_write(struct zp_outq *q);

#endif
