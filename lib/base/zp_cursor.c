#include "base/zp_cursor.h"

#include <string.h>

#include "base/zp_be.h"

void
zp_cursor_init(struct zp_cursor *c, const void *data, size_t len)
{
	c->at = data;
	c->left = len;
	c->bad = false;
}

const uint8_t *
zp_cursor_take(struct zp_cursor *c, size_t n)
{
	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	const uint8_t *p = c->at;
	/* An empty string may lie at NULL, to which nothing is added. */
	if (n > 0) {
		c->at += n;
		c->left -= n;
	}
	return p;
}

uint8_t
zp_cursor_u8(struct zp_cursor *c)
{
	const uint8_t *p = zp_cursor_take(c, 1);
	return p ? *p : 0;
}

uint16_t
zp_cursor_u16(struct zp_cursor *c)
{
	const uint8_t *p = zp_cursor_take(c, 2);
	return p ? zp_be16(p) : 0;
}

uint32_t
zp_cursor_u32(struct zp_cursor *c)
{
	const uint8_t *p = zp_cursor_take(c, 4);
	return p ? zp_be32(p) : 0;
}

uint64_t
zp_cursor_u64(struct zp_cursor *c)
{
	const uint8_t *p = zp_cursor_take(c, 8);
	return p ? zp_be64(p) : 0;
}

void
zp_cursor_copy(struct zp_cursor *c, void *to, size_t n)
{
	const uint8_t *p = zp_cursor_take(c, n);
	if (p != NULL && n > 0)
		memcpy(to, p, n);
}

bool
zp_cursor_done(const struct zp_cursor *c)
{
	return !c->bad && c->left == 0;
}

void
zp_writer_init(struct zp_writer *w, void *data, size_t cap)
{
	w->data = data;
	w->len = 0;
	w->cap = cap;
	w->bad = false;
}

uint8_t *
zp_writer_take(struct zp_writer *w, size_t n)
{
	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	uint8_t *p = w->data + w->len;
	w->len += n;
	return p;
}

void
zp_writer_u8(struct zp_writer *w, uint8_t v)
{
	uint8_t *p = zp_writer_take(w, 1);
	if (p != NULL)
		*p = v;
}

void
zp_writer_u16(struct zp_writer *w, uint16_t v)
{
	uint8_t *p = zp_writer_take(w, 2);
	if (p != NULL)
		zp_be16_put(p, v);
}

void
zp_writer_u32(struct zp_writer *w, uint32_t v)
{
	uint8_t *p = zp_writer_take(w, 4);
	if (p != NULL)
		zp_be32_put(p, v);
}

void
zp_writer_u64(struct zp_writer *w, uint64_t v)
{
	uint8_t *p = zp_writer_take(w, 8);
	if (p != NULL)
		zp_be64_put(p, v);
}

void
zp_writer_put(struct zp_writer *w, const void *data, size_t n)
{
	uint8_t *p = zp_writer_take(w, n);
	if (p != NULL && n > 0)
		memcpy(p, data, n);
}
