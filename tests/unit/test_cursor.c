#include "base/zp_cursor.h"
#include "base/zp_err.h"

#include "tap.h"

int
main(void)
{
	const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct zp_cursor c;

	zp_cursor_init(&c, data, sizeof(data));
	IS(zp_cursor_u8(&c), 1, "a byte is read");
	IS(zp_cursor_u64(&c), 0x0203040506070809, "an integer is big-endian");
	OK(zp_cursor_done(&c), "all read and nothing wrong is done");
	IS(zp_cursor_u8(&c), 0, "beyond the end comes zero");
	OK(!zp_cursor_done(&c), "and the cursor is bad");

	zp_cursor_init(&c, data, sizeof(data));
	OK(zp_cursor_take(&c, SIZE_MAX) == NULL, "a huge length is refused");
	OK(zp_cursor_take(&c, 1) == NULL, "an error sticks");

	uint8_t out[7];
	struct zp_writer w;
	zp_writer_init(&w, out, sizeof(out));
	zp_writer_u32(&w, 0x01020304);
	zp_writer_u16(&w, 0x0506);
	OK(!w.bad && w.len == 6, "a writer counts what it wrote");
	SAME(out, data, 6, "and writes big-endian");
	zp_writer_u64(&w, 1);
	OK(w.bad && w.len == 6, "what does not fit is not begun");

	for (int e = ZP_OK; e <= (int)ZP_ERR_UNDELIVERED; e++)
		if (strcmp(zp_err_text((enum zp_err)e), "unknown error") == 0)
			OK(0, "every error has a sentence");
	OK(zp_err_status(ZP_OK) == ZP_EXIT_OK, "success exits 0");
	return tap_done();
}
