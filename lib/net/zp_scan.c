#include "net/zp_scan.h"

#include <string.h>

#define MARK_LEN (ZP_PREFIX_LEN - 1)

bool
zp_scan_torn(const struct zp_record *rec, const char *end)
{
	const char *dot = rec->line + rec->len;

	if (dot >= end || *dot != '.' || rec->enc_len < MARK_LEN)
		return false;
	return memcmp(dot - MARK_LEN, "zp1", MARK_LEN) == 0 ||
	    memcmp(dot - MARK_LEN, "ml1", MARK_LEN) == 0;
}
