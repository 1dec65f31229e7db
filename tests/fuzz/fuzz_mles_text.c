#include "fuzz.h"
#include "mles/zp_mles_text.h"

/*
 * Names as MlesTalk passes them: what is encoded is decoded to the same,
 * and the order of any three is one.  Input: three names with a length byte
 * each.
 */

static void
round_trip(const uint8_t *s, size_t n)
{
	size_t len = zp_mles_text_encoded_len(s, n);
	char *to = malloc(len + 1);
	uint8_t *back = malloc(len + 1);

	MUST(to != NULL && back != NULL && len >= n && len <= 3 * n);
	zp_mles_text_encode(to, s, n);
	for (size_t i = 0; i < len; i++)
		MUST(to[i] > ' ' && to[i] < 127);
	MUST(zp_mles_text_decode(back, to, len) == n);
	MUST(memcmp(back, s, n) == 0);
	/* In place, too. */
	memcpy(back, to, len);
	MUST(zp_mles_text_decode(back, back, len) == n);
	MUST(memcmp(back, s, n) == 0);
	free(back);
	free(to);
}

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

static void
order(const struct zp_mles_name name[3])
{
	int ab = sign(zp_mles_text_order(&name[0], &name[1]));
	int ba = sign(zp_mles_text_order(&name[1], &name[0]));
	int bc = sign(zp_mles_text_order(&name[1], &name[2]));
	int ac = sign(zp_mles_text_order(&name[0], &name[2]));

	MUST(ab == -ba);
	MUST(zp_mles_text_order(&name[0], &name[0]) == 0);
	MUST((ab == 0) == zp_mles_text_same(&name[0], &name[1]));
	if (ab <= 0 && bc <= 0)
		MUST(ac <= 0);
	if (ab >= 0 && bc >= 0)
		MUST(ac >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_mles_name name[3] = {0};
	uint8_t shown[ZP_MLES_NAME_MAX];
	struct zp_cursor c;

	zp_cursor_init(&c, data, len);
	for (int i = 0; i < 3; i++) {
		size_t n = zp_cursor_u8(&c);
		if (n > c.left)
			n = c.left;
		const uint8_t *s = zp_cursor_take(&c, n);
		if (c.bad)
			return 0;
		uint8_t *copy = fuzz_copy(s, n);
		name[i].len = (uint16_t)n;
		memcpy(name[i].bytes, copy, n);
		MUST(zp_mles_text_show(shown, &name[i]) <= n);
		round_trip(copy, n);
		(void)zp_mles_text_blocks(&name[i]);
		free(copy);
	}
	order(name);
	return 0;
}
