#include "wire/zp_hello.h"

#include <stdbool.h>
#include <string.h>

#include "base/zp_be.h"
#include "base/zp_cursor.h"

static bool
flags_valid(uint8_t flags)
{
	const uint8_t all = ZP_HELLO_Z | ZP_HELLO_X | ZP_HELLO_TAG |
	    ZP_HELLO_DONE | ZP_HELLO_FIXED | ZP_HELLO_LEAVE;

	if ((flags & ~all) != 0)
		return false;
	if ((flags & (ZP_HELLO_X | ZP_HELLO_TAG)) != 0 &&
	    (flags & ZP_HELLO_Z) == 0)
		return false;
	return (flags & ZP_HELLO_DONE) == 0 || (flags & ZP_HELLO_TAG) != 0;
}

static bool
raw_ascending(const uint8_t *raw, uint16_t count)
{
	for (uint16_t i = 1; i < count; i++) {
		const uint8_t *e = raw + (size_t)i * ZP_HELLO_ENTRY_LEN;
		if (zp_hello_mid_order(e - ZP_HELLO_ENTRY_LEN, e) >= 0)
			return false;
	}
	return true;
}

enum zp_err
zp_hello_parse(
    struct zp_hello *h, const uint8_t *body, size_t len, uint16_t max_entries)
{
	struct zp_cursor c;
	struct zp_hello r = {0};

	zp_cursor_init(&c, body, len);
	r.flags = zp_cursor_u8(&c);
	uint8_t zero = zp_cursor_u8(&c);
	r.count = zp_cursor_u16(&c);
	r.gen = zp_cursor_u32(&c);
	r.notes = zp_cursor_u64(&c);
	r.messages = zp_cursor_u64(&c);
	if (c.bad || zero != 0 || !flags_valid(r.flags) ||
	    r.count > max_entries)
		return ZP_ERR_FORMAT;
	if ((r.flags & ZP_HELLO_Z) != 0) {
		zp_cursor_copy(&c, r.view, sizeof(r.view));
		zp_cursor_copy(&c, r.z, sizeof(r.z));
	}
	if ((r.flags & ZP_HELLO_X) != 0)
		zp_cursor_copy(&c, r.x, sizeof(r.x));
	if ((r.flags & ZP_HELLO_TAG) != 0)
		zp_cursor_copy(&c, r.tag, sizeof(r.tag));
	r.raw = zp_cursor_take(&c, (size_t)r.count * ZP_HELLO_ENTRY_LEN);
	if (!zp_cursor_done(&c) || !raw_ascending(r.raw, r.count))
		return ZP_ERR_FORMAT;
	*h = r;
	return ZP_OK;
}

void
zp_hello_entry(const struct zp_hello *h, uint16_t i, struct zp_hello_entry *e)
{
	const uint8_t *raw = h->raw + (size_t)i * ZP_HELLO_ENTRY_LEN;

	memcpy(e->mid, raw, sizeof(e->mid));
	e->ack = zp_be64(raw + ZP_HELLO_MID_LEN);
	e->seen = zp_be64(raw + ZP_HELLO_MID_LEN + 8);
}

enum zp_err
zp_hello_write(const struct zp_hello *h, uint8_t *body, size_t cap, size_t *len)
{
	struct zp_writer w;

	if (!flags_valid(h->flags))
		return ZP_ERR_FORMAT;
	zp_writer_init(&w, body, cap);
	zp_writer_u8(&w, h->flags);
	zp_writer_u8(&w, 0);
	zp_writer_u16(&w, h->count);
	zp_writer_u32(&w, h->gen);
	zp_writer_u64(&w, h->notes);
	zp_writer_u64(&w, h->messages);
	if ((h->flags & ZP_HELLO_Z) != 0) {
		zp_writer_put(&w, h->view, sizeof(h->view));
		zp_writer_put(&w, h->z, sizeof(h->z));
	}
	if ((h->flags & ZP_HELLO_X) != 0)
		zp_writer_put(&w, h->x, sizeof(h->x));
	if ((h->flags & ZP_HELLO_TAG) != 0)
		zp_writer_put(&w, h->tag, sizeof(h->tag));
	for (uint16_t i = 0; i < h->count; i++) {
		const struct zp_hello_entry *e = &h->entries[i];
		if (i > 0 && memcmp(e[-1].mid, e->mid, sizeof(e->mid)) >= 0)
			return ZP_ERR_FORMAT;
		zp_writer_put(&w, e->mid, sizeof(e->mid));
		zp_writer_u64(&w, e->ack);
		zp_writer_u64(&w, e->seen);
	}
	if (w.bad)
		return ZP_ERR_TOO_LONG;
	*len = w.len;
	return ZP_OK;
}
