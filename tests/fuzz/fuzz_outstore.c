#include "fuzz.h"
#include "store/zp_outstore.h"

/*
 * The notes that wait on disk.  A file that opens holds whole lines only, and
 * what is added, struck out and opened again is what one expects.
 */

static size_t
count(const struct zp_outstore *s)
{
	const struct zp_outstore_note *note;
	size_t n = 0;

	for (; (note = zp_outstore_at(s, n)) != NULL; n++)
		MUST(note->len > 0 && note->lines[note->len - 1] == '\n');
	MUST(n <= ZP_OUTSTORE_MOST);
	return n;
}

static void
same(const struct zp_outstore_note *a, const struct zp_outstore_note *b)
{
	MUST(a->seq == b->seq && a->time == b->time && a->len == b->len);
	MUST(memcmp(a->sid, b->sid, ZP_SID_LEN) == 0);
	MUST(memcmp(a->lines, b->lines, a->len) == 0);
}

/* One more, and without the first; how many there are then. */
static size_t
change(struct zp_outstore *s, const struct zp_outstore_note *own)
{
	size_t n = count(s);
	uint8_t sid[ZP_SID_LEN];

	MUST(zp_outstore_add(s, own) == ZP_OK);
	MUST(count(s) == n + 1);
	const struct zp_outstore_note *first = zp_outstore_at(s, 0);
	memcpy(sid, first->sid, sizeof(sid));
	MUST(zp_outstore_remove(s, sid, first->seq) == ZP_OK);
	MUST(count(s) == n);
	MUST(zp_outstore_sync(s) == ZP_OK);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *path = fuzz_file("outbox", data, len);
	struct zp_outstore_note own = {
	    .seq = 3, .time = 5, .lines = "zp1.x\n", .len = 6};
	struct zp_outstore *s, *again;
	struct zp_fault fault;

	memset(own.sid, 0xee, sizeof(own.sid));
	if (zp_outstore_open(&s, path, &fault) != ZP_OK)
		return 0;
	size_t n = change(s, &own);
	/* What was struck out stays out, what was added is there. */
	zp_outstore_free(s);
	MUST(zp_outstore_open(&again, path, &fault) == ZP_OK);
	MUST(count(again) == n);
	if (n > 0)
		same(zp_outstore_at(again, n - 1), &own);
	zp_outstore_free(again);
	return 0;
}
