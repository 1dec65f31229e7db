#include "fuzz.h"
#include "net/zp_nchan.h"

/*
 * What Nchan tells about a channel, and what follows of it.  First byte: the
 * answer's status and whether the link was lost; then, up to a newline, the
 * last event's id.
 */

static bool
plain(const char *id)
{
	return strspn(id, "0123456789:") == strlen(id);
}

static void
order(const char *a, const char *b)
{
	MUST(!zp_nchan_before(a, a) && !zp_nchan_before(b, b));
	MUST(!zp_nchan_before(a, b) || !zp_nchan_before(b, a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const long statuses[] = {200, 202, 404, 500};
	char last[ZP_SSE_ID_MAX + 1] = "", to[ZP_SSE_ID_MAX + 1];
	struct zp_nchan n;

	if (len < 1)
		return 0;
	uint8_t how = data[0];
	const uint8_t *nl = memchr(data + 1, '\n', len - 1);
	size_t id = nl != NULL ? (size_t)(nl - data) - 1 : 0;
	if (id <= ZP_SSE_ID_MAX)
		memcpy(last, data + 1, id);
	size_t from = nl != NULL ? id + 2 : 1;
	char *body = fuzz_copy(data + from, len - from);

	zp_nchan_read(&n, statuses[how & 3], body, len - from);
	free(body);
	MUST(!n.known || plain(n.newest));
	MUST(n.known || n.newest[0] == '\0');
	zp_nchan_resume(to, &n, last, (how & 4) != 0);
	order(n.newest, last);
	/* Never further than where we were. */
	MUST(to[0] == '\0' || strcmp(to, last) == 0 ||
	    zp_nchan_before(to, last));
	return 0;
}
