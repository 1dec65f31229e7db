#ifndef ZP_FUZZ_STATES_H
#define ZP_FUZZ_STATES_H

#include "fuzz.h"
#include "store/zp_lines.h"

/*
 * A file of our own as the fuzzer has it, with a check that fits unless the
 * input brings one (a last line that begins with `check `); to be freed.
 */
static inline char *
states_text(const uint8_t *data, size_t len, size_t *out)
{
	char *text = malloc(len + ZP_LINES_CHECK_LEN + 1);
	struct zp_writer w;

	MUST(text != NULL);
	memcpy(text, data, len);
	*out = len;
	if (len >= ZP_LINES_CHECK_LEN &&
	    memcmp(data + len - ZP_LINES_CHECK_LEN, "check ", 6) == 0)
		return text;
	zp_writer_init(&w, text, len + ZP_LINES_CHECK_LEN);
	(void)zp_writer_take(&w, len);
	zp_lines_put_check(&w);
	*out = w.len;
	return text;
}

#endif
