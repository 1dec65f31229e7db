#include "net/zp_scan.h"

#include <string.h>

#define MARK_LEN (ZP_PREFIX_LEN - 1)

bool
zp_scan_next(const char *data, size_t len, size_t *from, bool more,
    struct zp_record *rec)
{
	if (!zp_record_find(data, len, from, more, rec))
		return false;
	const char *mark = data + *from - MARK_LEN;
	if (*from < len && data[*from] == '.' && rec->enc_len >= MARK_LEN &&
	    (memcmp(mark, "zp1", MARK_LEN) == 0 ||
		memcmp(mark, "ml1", MARK_LEN) == 0))
		*from -= MARK_LEN;
	return true;
}
