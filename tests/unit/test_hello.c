#include "wire/zp_hello.h"

#include "tap.h"

#define ENTRIES 5

static uint64_t state = 1;

static uint8_t
some(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint8_t)(state >> 56);
}

static void
fill(void *to, size_t n)
{
	for (uint8_t *b = to; n-- > 0; b++)
		*b = some();
}

static struct zp_hello
example(uint8_t flags, struct zp_hello_entry e[ENTRIES])
{
	struct zp_hello h = {.flags = flags, .count = ENTRIES, .entries = e};

	h.gen = 7;
	h.notes = UINT64_MAX - 2;
	h.messages = 3;
	if ((flags & ZP_HELLO_Z) != 0) {
		fill(h.view, sizeof(h.view));
		fill(h.z, sizeof(h.z));
	}
	if ((flags & ZP_HELLO_X) != 0)
		fill(h.x, sizeof(h.x));
	if ((flags & ZP_HELLO_TAG) != 0)
		fill(h.tag, sizeof(h.tag));
	for (uint8_t i = 0; i < ENTRIES; i++) {
		fill(&e[i], sizeof(e[i]));
		e[i].mid[0] = i;
	}
	return h;
}

static bool
comes_back(uint8_t flags)
{
	uint8_t body[ZP_HELLO_LEN(ENTRIES)];
	struct zp_hello_entry e[ENTRIES], f;
	struct zp_hello h = example(flags, e), g;
	size_t len;

	if (zp_hello_write(&h, body, sizeof(body), &len) != ZP_OK ||
	    zp_hello_parse(&g, body, len, ENTRIES) != ZP_OK)
		return false;
	for (uint16_t i = 0; i < ENTRIES; i++) {
		zp_hello_entry(&g, i, &f);
		if (memcmp(&f, &e[i], sizeof(f)) != 0)
			return false;
	}
	h.entries = NULL;
	g.raw = NULL;
	return memcmp(&g, &h, sizeof(h)) == 0;
}

static bool
flags_are_right(void)
{
	uint8_t body[ZP_HELLO_LEN(0)] = {0};
	struct zp_hello h;

	for (unsigned f = 0; f < 256; f++) {
		bool z = f & 1, x = f & 2, tag = f & 4, done = f & 8;
		bool good = f < 64 && !((x || tag) && !z) && !(done && !tag);
		size_t len =
		    24 + (z ? 64u : 0) + (x ? 32u : 0) + (tag ? 32u : 0);
		body[0] = (uint8_t)f;
		if ((zp_hello_parse(&h, body, len, 0) == ZP_OK) != good)
			return false;
		if (good && !comes_back((uint8_t)f))
			return false;
	}
	return true;
}

int
main(void)
{
	uint8_t body[ZP_HELLO_LEN(ENTRIES) + 1];
	struct zp_hello_entry e[ENTRIES];
	struct zp_hello h = example(7, e), g = {.gen = 99};
	size_t len = 0;
	bool cut = true;

	OK(flags_are_right(),
	    "what has valid flags comes back as written, others are refused");
	OK(zp_hello_write(&h, body, sizeof(body), &len) == ZP_OK &&
		len == sizeof(body) - 1,
	    "a hello with everything is as long as the format says");
	for (size_t n = 0; n < len; n++)
		if (zp_hello_parse(&g, body, n, ENTRIES) != ZP_ERR_FORMAT)
			cut = false;
	OK(cut, "every truncation is refused");
	body[len] = 0;
	OK(zp_hello_parse(&g, body, len + 1, ENTRIES) == ZP_ERR_FORMAT,
	    "a byte too many is refused");
	OK(zp_hello_parse(&g, body, len, ENTRIES - 1) == ZP_ERR_FORMAT,
	    "more entries than allowed are refused");
	body[1] = 1;
	OK(zp_hello_parse(&g, body, len, ENTRIES) == ZP_ERR_FORMAT,
	    "the byte that must be zero must be zero");
	body[1] = 0;
	body[3]++;
	OK(zp_hello_parse(&g, body, len, 100) == ZP_ERR_FORMAT,
	    "a count above what came is refused");
	body[3]--;
	memcpy(body + len - 32, body + len - 64, 16);
	OK(zp_hello_parse(&g, body, len, ENTRIES) == ZP_ERR_FORMAT,
	    "an entry that comes twice is refused");
	memset(body + len - 32, 0, 16);
	OK(zp_hello_parse(&g, body, len, ENTRIES) == ZP_ERR_FORMAT,
	    "entries out of order are refused");
	IS(g.gen, 99, "what was refused leaves no trace");
	OK(zp_hello_write(&h, body, len - 1, &len) == ZP_ERR_TOO_LONG,
	    "what does not fit is not written");
	h.flags = ZP_HELLO_X;
	OK(zp_hello_write(&h, body, sizeof(body), &len) == ZP_ERR_FORMAT,
	    "a mix without a share is not written");
	h.flags = 0;
	memcpy(e[1].mid, e[0].mid, sizeof(e[1].mid));
	OK(zp_hello_write(&h, body, sizeof(body), &len) == ZP_ERR_FORMAT,
	    "an entry is not written twice");
	return tap_done();
}
