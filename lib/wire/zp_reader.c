#include "wire/zp_reader.h"

#include "base/zp_b64.h"

enum zp_err
zp_reader_init(struct zp_reader *r, int fd, size_t block)
{
	r->from = r->tested = 0;
	r->count = 0;
	return zp_in_init(&r->in, fd, block, ZP_RECORD_MAX + 1 + block);
}

void
zp_reader_free(struct zp_reader *r)
{
	zp_in_free(&r->in);
}

bool
zp_reader_next(struct zp_reader *r, struct zp_record *rec)
{
	size_t len = zp_in_len(&r->in);
	const char *data = zp_in_at(&r->in);

	/*
	 * A record that waits for its end is not scanned again for every
	 * byte of it: more base64url cannot complete it.
	 */
	if (!r->in.eof && r->tested > r->from && len <= ZP_RECORD_MAX &&
	    zp_b64_run(data + r->tested, len - r->tested) == len - r->tested) {
		r->tested = len;
		return false;
	}
	if (zp_record_find(data, len, &r->from, !r->in.eof, rec)) {
		r->tested = 0;
		r->count++;
		return true;
	}
	r->tested = len;
	return false;
}

void
zp_reader_retry(struct zp_reader *r, const struct zp_record *rec)
{
	r->from = zp_record_retry(zp_in_at(&r->in), rec);
	r->tested = 0;
}

enum zp_err
zp_reader_fill(struct zp_reader *r)
{
	r->in.start += r->from;
	r->tested = r->tested > r->from ? r->tested - r->from : 0;
	r->from = 0;
	return zp_in_fill(&r->in);
}
