#include "fuzz.h"
#include "net/zp_dirread.h"
#include "net/zp_transport.h"

/* Where to resume, as somebody may have written it: what parses is given
 * out as one that parses to the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_dirread r;
	static char first[ZP_CURSOR_MAX + 1], second[ZP_CURSOR_MAX + 1];
	char *text = malloc(len + 1);

	MUST(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	if (zp_dirread_init(&r, "/nowhere", false, text) == ZP_OK) {
		size_t n = zp_dirread_cursor(&r, first, ZP_CURSOR_MAX);
		MUST(n <= ZP_CURSOR_MAX);
		first[n] = '\0';
		for (size_t i = 0; i < n; i++)
			MUST(first[i] > ' ' && first[i] < 127);
		zp_dirread_free(&r);
		MUST(zp_dirread_init(&r, "/nowhere", false, first) == ZP_OK);
		size_t m = zp_dirread_cursor(&r, second, ZP_CURSOR_MAX);
		MUST(n == m && memcmp(first, second, n) == 0);
		zp_dirread_free(&r);
	}
	free(text);
	return 0;
}
