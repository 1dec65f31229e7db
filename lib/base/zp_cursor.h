#ifndef ZP_CURSOR_H
#define ZP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bounded reading and writing of byte strings.  The first access beyond the
 * end sets `bad`, which sticks; every later access does nothing (reads give
 * zero or NULL).  So a parser reads everything and checks zp_cursor_done()
 * once.  Neither owns its memory.
 */
struct zp_cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

void
zp_cursor_init(struct zp_cursor *c, const void *data, size_t len);
uint8_t
zp_cursor_u8(struct zp_cursor *c);
uint16_t
zp_cursor_u16(struct zp_cursor *c);
uint32_t
zp_cursor_u32(struct zp_cursor *c);
uint64_t
zp_cursor_u64(struct zp_cursor *c);

/* The next n bytes where they lie, or NULL once bad. */
const uint8_t *
zp_cursor_take(struct zp_cursor *c, size_t n);

/* Copies the next n bytes to `to`; leaves `to` alone once bad. */
void
zp_cursor_copy(struct zp_cursor *c, void *to, size_t n);

/* True if nothing went wrong and nothing is left. */
bool
zp_cursor_done(const struct zp_cursor *c);

struct zp_writer {
	uint8_t *data;
	size_t len, cap;
	bool bad;
};

void
zp_writer_init(struct zp_writer *w, void *data, size_t cap);
void
zp_writer_u8(struct zp_writer *w, uint8_t v);
void
zp_writer_u16(struct zp_writer *w, uint16_t v);
void
zp_writer_u32(struct zp_writer *w, uint32_t v);
void
zp_writer_u64(struct zp_writer *w, uint64_t v);
void
zp_writer_put(struct zp_writer *w, const void *data, size_t n);

/* Reserves n bytes and returns where they lie, or NULL once bad. */
uint8_t *
zp_writer_take(struct zp_writer *w, size_t n);

#endif
