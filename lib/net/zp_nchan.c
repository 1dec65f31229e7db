#include "net/zp_nchan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/zp_json.h"

static bool
read_id(const char *s, uint64_t *second, uint64_t *number)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	*second = strtoull(s, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return false;
	*number = strtoull(end + 1, &end, 10);
	return *end == '\0';
}

bool
zp_nchan_before(const char *a, const char *b)
{
	uint64_t as, an, bs, bn;

	return read_id(a, &as, &an) && read_id(b, &bs, &bn) &&
	    (as < bs || (as == bs && an < bn));
}

void
zp_nchan_read(struct zp_nchan *n, long status, const char *body, size_t len)
{
	const char *count;
	size_t digits;
	uint64_t second, number;

	*n = (struct zp_nchan){0};
	if (status == 404 && len == 0) {
		/* So it says that there was never anything. */
		n->empty = true;
		return;
	}
	n->known = status / 100 == 2 &&
	    zp_json_string(
		body, len, "last_message_id", n->newest, sizeof(n->newest)) &&
	    read_id(n->newest, &second, &number) &&
	    zp_json_member(body, len, "messages", &count, &digits);
	if (n->known)
		n->empty = digits == 1 && *count == '0';
	else
		n->newest[0] = '\0';
}

void
zp_nchan_resume(char to[static ZP_SSE_ID_MAX + 1], const struct zp_nchan *n,
    const char *last, bool again)
{
	uint64_t second, number;

	snprintf(to, ZP_SSE_ID_MAX + 1, "%s", last);
	if (!read_id(last, &second, &number))
		return;
	if (n->empty || zp_nchan_before(n->newest, last))
		to[0] = '\0';
	/*
	 * Restarted within the second of our id, it would have messages that
	 * we have not seen under ids that we have, and may have had more since.
	 */
	else if (again && n->known && second > 0)
		snprintf(to, ZP_SSE_ID_MAX + 1, "%" PRIu64 ":0", second - 1);
}
