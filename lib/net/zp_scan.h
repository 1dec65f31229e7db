#ifndef ZP_SCAN_H
#define ZP_SCAN_H

#include "wire/zp_record.h"

/*
 * zp_record_find() for who has no key to tell a whole record from a torn one
 * with another behind it: where a record's end reads `zp1.`, the next one is
 * looked for there, so that both are found.
 */
bool
zp_scan_next(const char *data, size_t len, size_t *from, bool more,
    struct zp_record *rec);

#endif
