#include "wire/zp_record.h"

#include <string.h>

#include "base/zp_b64.h"

/* One field: a run of base64url, then a dot.  NULL if there is none. */
static const char *
field(const char *at, const char *end, size_t max, size_t *len, bool *open)
{
	size_t n = (size_t)(end - at);

	if (n > max)
		n = max;
	*len = zp_b64_run(at, n);
	if (at + *len == end) {
		*open = true; /* it may go on in what comes */
		return NULL;
	}
	if (at[*len] != '.' || *len == 0)
		return NULL;
	return at + *len + 1;
}

enum try { TRY_NO, TRY_YES, TRY_OPEN };

/* Is there a record at `at`?  TRY_OPEN: not to be told before more comes. */
static enum try
try_at(const char *at, const char *end, enum zp_prefix prefix,
    struct zp_record *rec)
{
	bool zp1 = prefix == ZP_PREFIX_ZP1, open = false;
	size_t max = zp1 ? ZP_TOPIC_LEN : ZP_ML_NAME_MAX;
	struct zp_record r = {.prefix = prefix, .line = at};

	r.rp = at + ZP_PREFIX_LEN;
	r.p = field(r.rp, end, max, &r.rp_len, &open);
	if (r.p == NULL)
		return open ? TRY_OPEN : TRY_NO;
	if (zp1 && (r.rp_len != ZP_TOPIC_LEN || r.rp[0] != 'z'))
		return TRY_NO;
	r.enc = field(r.p, end, max, &r.p_len, &open);
	if (r.enc == NULL)
		return open ? TRY_OPEN : TRY_NO;
	if (zp1 && (r.p_len != ZP_TOPIC_LEN || r.p[0] != 'z'))
		return TRY_NO;
	size_t left = (size_t)(end - r.enc);
	size_t room = ZP_RECORD_MAX - (size_t)(r.enc - at);
	r.enc_len = zp_b64_run(r.enc, left <= room ? left : room + 1);
	if (r.enc_len > room)
		return TRY_NO;
	if (r.enc_len == left)
		open = true;
	if (r.enc_len == 0)
		return open ? TRY_OPEN : TRY_NO;
	r.len = (size_t)(r.enc - at) + r.enc_len;
	*rec = r;
	return open ? TRY_OPEN : TRY_YES;
}

static bool
is_prefix(const char *at, enum zp_prefix *prefix)
{
	if (memcmp(at, "zp1.", ZP_PREFIX_LEN) == 0)
		*prefix = ZP_PREFIX_ZP1;
	else if (memcmp(at, "ml1.", ZP_PREFIX_LEN) == 0)
		*prefix = ZP_PREFIX_ML1;
	else
		return false;
	return true;
}

bool
zp_record_find(const char *data, size_t len, size_t *from, bool more,
    struct zp_record *rec)
{
	const char *end = data + len, *at = data + *from;
	struct zp_record r;

	/* Dots are rare: look for one, then at what stands before it. */
	while (end - at >= ZP_PREFIX_LEN) {
		const char *dot = memchr(at + 3, '.', (size_t)(end - at) - 3);
		enum zp_prefix prefix = ZP_PREFIX_ZP1;
		if (dot == NULL) {
			at = end - 3;
			break;
		}
		if (!is_prefix(dot - 3, &prefix)) {
			at = dot - 2;
			continue;
		}
		at = dot - 3;
		r.enc_len = 0;
		enum try got = try_at(at, end, prefix, &r);
		if (got == TRY_OPEN && more) {
			*from = (size_t)(at - data);
			return false;
		}
		if (got == TRY_YES || (got == TRY_OPEN && r.enc_len > 0)) {
			*rec = r;
			*from = (size_t)(r.enc + r.enc_len - data);
			return true;
		}
		at++;
	}
	*from = more ? (size_t)(at - data) : len;
	return false;
}

size_t
zp_record_retry(const char *data, const struct zp_record *rec)
{
	return (size_t)(rec->line - data) + 1;
}

void
zp_record_topic(char to[static ZP_TOPIC_LEN],
    const uint8_t pseudonym[static ZP_PSEUDONYM_LEN])
{
	to[0] = 'z';
	zp_b64_write(to + 1, pseudonym, ZP_PSEUDONYM_LEN);
}

bool
zp_record_pseudonym(
    uint8_t to[static ZP_PSEUDONYM_LEN], const char topic[static ZP_TOPIC_LEN])
{
	return topic[0] == 'z' && zp_b64_read(to, topic + 1, ZP_TOPIC_LEN - 1);
}
