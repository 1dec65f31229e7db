#include "net/zp_outq.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kept between bursts; more is given back. */
#define KEEP (256u << 10)

void
zp_outq_init(struct zp_outq *q, int fd)
{
	struct stat st;
	char path[32];

	*q = (struct zp_outq){.fd = fd, .burst = PIPE_BUF};
	if (fstat(fd, &st) != 0)
		return;
	if (S_ISREG(st.st_mode))
		q->burst = KEEP;
	if (!S_ISFIFO(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
	if (own < 0)
		return;
	if (dup2(own, fd) >= 0)
		q->burst = KEEP;
	close(own);
}

void
zp_outq_free(struct zp_outq *q)
{
	free(q->data);
	q->data = NULL;
	q->start = q->end = q->cap = 0;
}

/* Room for len more bytes at the end. */
static enum zp_err
make_room(struct zp_outq *q, size_t len)
{
	size_t have = zp_outq_len(q);

	if (len <= q->cap - q->end)
		return ZP_OK;
	if (len <= q->cap - have && have <= q->start) {
		memcpy(q->data, q->data + q->start, have);
	} else {
		size_t cap = q->cap ? q->cap * 2 : 1u << 16;
		while (cap - have < len)
			cap *= 2;
		char *data = malloc(cap);
		if (data == NULL)
			return ZP_ERR_MEMORY;
		if (have > 0)
			memcpy(data, q->data + q->start, have);
		free(q->data);
		q->data = data;
		q->cap = cap;
	}
	q->start = 0;
	q->end = have;
	return ZP_OK;
}

enum zp_err
zp_outq_put(struct zp_outq *q, const void *data, size_t len)
{
	enum zp_err err;

	if (q->error)
		return ZP_OK;
	err = make_room(q, len);
	if (err)
		return err;
	memcpy(q->data + q->end, data, len);
	q->end += len;
	return ZP_OK;
}

void
zp_outq_write(struct zp_outq *q)
{
	while (zp_outq_len(q) > 0) {
		size_t want = zp_outq_len(q);
		if (want > q->burst)
			want = q->burst;
		ssize_t n = write(q->fd, q->data + q->start, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			q->error = errno;
			q->start = q->end = 0;
			return;
		}
		q->start += (size_t)n;
		if (q->burst == PIPE_BUF)
			break; /* more might block */
	}
	if (q->start < q->end)
		return;
	q->start = q->end = 0;
	if (q->cap > KEEP)
		zp_outq_free(q);
}
