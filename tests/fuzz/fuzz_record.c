#include "fuzz.h"
#include "wire/zp_reader.h"

#include <unistd.h>

/*
 * Text out of a relay.  Records are found alike whether it is there at once
 * or comes in pieces, and opening them does no harm.  First byte: the size
 * of the pieces, and whether what is not ours is looked at again.
 */

#define FOUND_MAX 4096

struct found {
	size_t n;
	struct {
		size_t at, len;
	} rec[FOUND_MAX];
};

static void
add(struct found *f, size_t at, const struct zp_record *rec)
{
	MUST(rec->len <= ZP_RECORD_MAX && rec->rp_len > 0 && rec->enc_len > 0);
	if (f->n == FOUND_MAX)
		return;
	f->rec[f->n].at = at;
	f->rec[f->n++].len = rec->len;
}

static void
find(struct found *f, struct zp_opener *opener, const char *text, size_t len,
    bool retry)
{
	struct zp_record rec;
	size_t from = 0;

	while (zp_record_find(text, len, &from, false, &rec)) {
		struct zp_opened o;
		enum zp_err err = zp_opener_open(opener, &rec, &o);
		MUST(from == (size_t)(rec.line - text) + rec.len);
		MUST(err != ZP_ERR_MEMORY);
		MUST(err != ZP_OK || zp_text_is_name(o.uid, strlen(o.uid)));
		add(f, (size_t)(rec.line - text), &rec);
		if (retry && err != ZP_OK)
			from = zp_record_retry(text, &rec);
	}
	MUST(from == len);
}

/* The same by a reader, block by block. */
static void
read_blocks(struct found *f, struct zp_opener *opener, const char *text,
    size_t len, size_t block, bool retry)
{
	struct zp_reader r;
	struct zp_record rec;
	size_t gone = 0;
	int fd = fuzz_sink();

	MUST(write(fd, text, len) == (ssize_t)len);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	MUST(zp_reader_init(&r, fd, block) == ZP_OK);
	do {
		gone += r.from;
		MUST(zp_reader_fill(&r) == ZP_OK);
		while (zp_reader_next(&r, &rec)) {
			struct zp_opened o;
			enum zp_err err = zp_opener_open(opener, &rec, &o);
			add(f, gone + (size_t)(rec.line - zp_in_at(&r.in)),
			    &rec);
			if (retry && err != ZP_OK)
				zp_reader_retry(&r, &rec);
		}
	} while (!r.in.eof);
	zp_reader_free(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct found whole, pieces;

	if (len == 0)
		return 0;
	bool retry = (data[0] & 1) == 0;
	size_t block = 1 + (size_t)(data[0] >> 1) * 3;
	char *text = fuzz_copy(data + 1, len - 1);
	whole.n = pieces.n = 0;
	struct zp_opener *opener = fuzz_opener(fuzz_world());
	find(&whole, opener, text, len - 1, retry);
	read_blocks(&pieces, opener, text, len - 1, block, retry);
	MUST(whole.n == pieces.n);
	MUST(memcmp(whole.rec, pieces.rec, whole.n * sizeof(*whole.rec)) == 0);
	zp_opener_free(opener);
	free(text);
	return 0;
}
