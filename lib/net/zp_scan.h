#ifndef ZP_SCAN_H
#define ZP_SCAN_H

#include "wire/zp_record.h"

/*
 * Who has no key cannot tell a whole record from a torn one with another
 * right behind it.  True if rec's end reads `zp1.`, which no whole record
 * does: then the next is to be looked for from zp_record_retry() on, so that
 * both are found.  end: where the data ends.
 */
bool
zp_scan_torn(const struct zp_record *rec, const char *end);

#endif
