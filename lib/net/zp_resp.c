#include "net/zp_resp.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (64u << 10)

/* What stands for every reply, since none is kept. */
static char kept_none;

/* ---- from hiredis ---- */

/* Arrays around it.  hiredis itself ends at eight, or never. */
static unsigned
depth_of(const redisReadTask *task)
{
	unsigned depth = 0;

	for (; task->parent != NULL && depth < ZP_RESP_DEPTH;
	     task = task->parent)
		depth++;
	return depth;
}

static void
locate(const redisReadTask *task, struct zp_resp_at *at)
{
	at->depth = depth_of(task);
	for (unsigned d = at->depth; d > 0; d--, task = task->parent) {
		at->index[d] = (size_t)task->idx;
		at->of[d] = (size_t)task->parent->elements;
	}
}

static void
copy_text(struct zp_resp_reply *reply, const char *s, size_t len)
{
	if (len >= sizeof(reply->text))
		len = sizeof(reply->text) - 1;
	memcpy(reply->text, s, len);
	reply->text[len] = '\0';
}

static void
take_error(struct zp_resp_reply *reply, bool nested, const char *s, size_t len)
{
	if (reply->error)
		return;
	reply->error = true;
	reply->nested = nested;
	copy_text(reply, s, len);
}

static void *
on_string(const redisReadTask *task, char *s, size_t len)
{
	struct zp_resp *r = task->privdata;
	struct zp_resp_at at;

	if (task->type == REDIS_REPLY_ERROR) {
		take_error(&r->reply, task->parent != NULL, s, len);
	} else if (task->type == REDIS_REPLY_STATUS) {
		if (task->parent == NULL)
			copy_text(&r->reply, s, len);
	} else if (!r->stop) {
		locate(task, &at);
		r->on_string(r->arg, &at, s, len);
	}
	return &kept_none;
}

static void *
on_array(const redisReadTask *task, int elements)
{
	struct zp_resp *r = task->privdata;

	/* What would be in it has no place in struct zp_resp_at: no object
	   makes hiredis give up. */
	if (depth_of(task) + 1 >= ZP_RESP_DEPTH)
		return NULL;
	if (task->parent == NULL) {
		r->reply.array = true;
		r->reply.elements = elements > 0 ? (size_t)elements : 0;
	}
	return &kept_none;
}

static void *
on_integer(const redisReadTask *task, long long value)
{
	(void)task;
	(void)value;
	return &kept_none;
}

static void *
on_nil(const redisReadTask *task)
{
	struct zp_resp *r = task->privdata;

	if (task->parent == NULL)
		r->reply.nil = true;
	return &kept_none;
}

static void
free_nothing(void *object)
{
	(void)object;
}

/* hiredis asks for it without const. */
static redisReplyObjectFunctions functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = free_nothing,
};

/* ---- the link ---- */

void
zp_resp_init(struct zp_resp *r)
{
	zp_stream_init(&r->stream);
	r->reader = NULL;
	r->out = NULL;
	r->out_at = r->out_len = r->out_cap = 0;
}

void
zp_resp_close(struct zp_resp *r)
{
	zp_stream_close(&r->stream);
	if (r->reader != NULL)
		redisReaderFree(r->reader);
	r->reader = NULL;
	if (r->out != NULL)
		explicit_bzero(r->out, r->out_cap); /* a password, perhaps */
	free(r->out);
	r->out = NULL;
	r->out_at = r->out_len = r->out_cap = 0;
}

void
zp_resp_open(struct zp_resp *r, const char *host, uint16_t port,
    struct zp_tls *tls, int64_t now)
{
	zp_resp_close(r);
	r->reply = (struct zp_resp_reply){0};
	r->stop = r->too_long = false;
	r->reader = redisReaderCreateWithFunctions(&functions);
	if (r->reader == NULL) {
		r->stream.state = ZP_STREAM_FAILED;
		snprintf(r->stream.why, sizeof(r->stream.why), "%s",
		    zp_err_text(ZP_ERR_MEMORY));
		return;
	}
	r->reader->privdata = r;
	/* hiredis frees a buffer that has more than that to spare. */
	r->reader->maxbuf = 4 * BLOCK;
	zp_stream_open(&r->stream, host, port, tls, now);
}

char *
zp_resp_room(struct zp_resp *r, size_t len)
{
	size_t cap = r->out_cap;

	if (r->out_at > 0 && r->out_len + len > cap) {
		memmove(r->out, r->out + r->out_at, zp_resp_waiting(r));
		r->out_len -= r->out_at;
		r->out_at = 0;
	}
	if (r->out_len + len > cap) {
		cap = cap < BLOCK ? BLOCK : cap;
		while (cap < r->out_len + len)
			cap *= 2;
		char *more = realloc(r->out, cap);
		if (more == NULL)
			return NULL;
		r->out = more;
		r->out_cap = cap;
	}
	return r->out + r->out_len;
}

enum zp_err
zp_resp_put(struct zp_resp *r, size_t argc, const char *const *argv)
{
	size_t len = 16;
	char *to;

	for (size_t i = 0; i < argc; i++)
		len += strlen(argv[i]) + 32;
	to = zp_resp_room(r, len);
	if (to == NULL)
		return ZP_ERR_MEMORY;
	int n = snprintf(to, len, "*%zu\r\n", argc);
	for (size_t i = 0; i < argc; i++)
		n += snprintf(to + n, len - (size_t)n, "$%zu\r\n%s\r\n",
		    strlen(argv[i]), argv[i]);
	zp_resp_used(r, (size_t)n);
	return ZP_OK;
}

bool
zp_resp_write(struct zp_resp *r)
{
	while (zp_resp_waiting(r) > 0) {
		ssize_t n = zp_stream_write(
		    &r->stream, r->out + r->out_at, zp_resp_waiting(r));
		if (n < 0)
			return false;
		if (n == 0)
			return true;
		r->out_at += (size_t)n;
	}
	r->out_at = r->out_len = 0;
	return true;
}

/* Ends the link because of what came. */
static ssize_t
refuse(struct zp_resp *r, const char *why)
{
	zp_stream_close(&r->stream);
	r->stream.state = ZP_STREAM_FAILED;
	snprintf(r->stream.why, sizeof(r->stream.why), "%s", why);
	return -1;
}

/* Hands over what is whole. */
static bool
parse(struct zp_resp *r)
{
	void *object;

	for (;;) {
		object = NULL;
		if (redisReaderGetReply(r->reader, &object) != REDIS_OK)
			return false;
		if (object == NULL)
			return true;
		struct zp_resp_reply reply = r->reply;
		r->reply = (struct zp_resp_reply){0};
		if (!r->stop)
			r->on_reply(r->arg, &reply);
	}
}

ssize_t
zp_resp_read(struct zp_resp *r)
{
	char block[BLOCK];
	ssize_t n = zp_stream_read(&r->stream, block, sizeof(block));

	if (n <= 0)
		return n;
	if (redisReaderFeed(r->reader, block, (size_t)n) != REDIS_OK ||
	    !parse(r))
		return refuse(r, "the server does not speak Redis's protocol");
	/* What is left over is one string that is not whole yet. */
	if (r->reader->len - r->reader->pos > ZP_RESP_STRING_MAX) {
		r->too_long = true;
		return refuse(r, "the server sent too long a string");
	}
	return n;
}
