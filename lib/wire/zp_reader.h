#ifndef ZP_READER_H
#define ZP_READER_H

#include "base/zp_io.h"
#include "wire/zp_record.h"

/*
 * Records out of a descriptor, whatever stands between and around them.
 * Holds at most a record of ZP_RECORD_MAX and a block.
 */
struct zp_reader {
	struct zp_in in;
	size_t from; /* looked at up to here, counted from in.start */
	size_t tested; /* bytes known not to complete a record */
	uint64_t count; /* records found, so that errors can name one */
};

ZP_CHECKED enum zp_err
zp_reader_init(struct zp_reader *r, int fd, size_t block);
void
zp_reader_free(struct zp_reader *r);

/*
 * The next record in what was read; it stays valid until the next fill.
 * False: fill, unless r->in.eof.
 */
bool
zp_reader_next(struct zp_reader *r, struct zp_record *rec);

/* The record found last was not ours: look again one byte behind it. */
void
zp_reader_retry(struct zp_reader *r, const struct zp_record *rec);

/* Reads once; errors of zp_in_fill(). */
ZP_CHECKED enum zp_err
zp_reader_fill(struct zp_reader *r);

#endif
