#include "mles/zp_mles_text.h"

#include <string.h>

#include "base/zp_text.h"

static bool
is_bare(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') ||
	    (c != 0 && strchr("-_.!~*'()", c) != NULL);
}

size_t
zp_mles_text_encoded_len(const void *s, size_t n)
{
	const uint8_t *b = s;
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += is_bare(b[i]) ? 1 : 3;
	return len;
}

void
zp_mles_text_encode(char *to, const void *s, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";
	const uint8_t *b = s;

	for (size_t i = 0; i < n; i++) {
		if (is_bare(b[i])) {
			*to++ = (char)b[i];
			continue;
		}
		*to++ = '%';
		*to++ = digits[b[i] >> 4];
		*to++ = digits[b[i] & 15];
	}
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

size_t
zp_mles_text_decode(uint8_t *to, const void *s, size_t n)
{
	const uint8_t *b = s;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int hi = -1, lo = -1;
		if (b[i] == '%' && n - i > 2) {
			hi = hex_value(b[i + 1]);
			lo = hex_value(b[i + 2]);
		}
		if (hi >= 0 && lo >= 0) {
			to[len++] = (uint8_t)(hi << 4 | lo);
			i += 2;
		} else {
			to[len++] = b[i];
		}
	}
	return len;
}

enum zp_err
zp_mles_text_name(struct zp_mles_name *name, const void *text, size_t n)
{
	/* Encoding never makes anything shorter. */
	if (n > ZP_MLES_NAME_MAX)
		return ZP_ERR_NAME;
	size_t len = zp_mles_text_encoded_len(text, n);
	if (len > ZP_MLES_NAME_MAX)
		return ZP_ERR_NAME;
	name->len = (uint16_t)len;
	zp_mles_text_encode((char *)name->bytes, text, n);
	return ZP_OK;
}

size_t
zp_mles_text_show(uint8_t *to, const struct zp_mles_name *name)
{
	struct zp_mles_name again;
	size_t n = zp_mles_text_decode(to, name->bytes, name->len);

	if (n > 0 && zp_text_is_utf8(to, n) &&
	    zp_mles_text_name(&again, to, n) == ZP_OK &&
	    zp_mles_text_same(&again, name))
		return n;
	memcpy(to, name->bytes, name->len);
	return name->len;
}

bool
zp_mles_text_uid(
    char to[static ZP_MLES_NAME_MAX + 1], const struct zp_mles_name *name)
{
	size_t n = zp_mles_text_show((uint8_t *)to, name);

	if (memchr(to, '\0', n) != NULL) {
		n = name->len;
		memcpy(to, name->bytes, n);
	}
	to[n] = '\0';
	return strlen(to) == n;
}

bool
zp_mles_text_blocks(const struct zp_mles_name *name)
{
	/* What every ECMAScript object has (ECMA-262, 20.1.3 and B.2.2). */
	static const char *const names[] = {"__proto__", "constructor",
	    "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
	    "toLocaleString", "toString", "valueOf", "__defineGetter__",
	    "__defineSetter__", "__lookupGetter__", "__lookupSetter__"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == name->len &&
		    memcmp(names[i], name->bytes, name->len) == 0)
			return true;
	return false;
}

bool
zp_mles_text_same(const struct zp_mles_name *a, const struct zp_mles_name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* The number that an index-like name stands for, or -1. */
static int64_t
index_of(const struct zp_mles_name *n)
{
	int64_t v = 0;

	if (n->len == 0 || n->len > 10 || (n->len > 1 && n->bytes[0] == '0'))
		return -1;
	for (size_t i = 0; i < n->len; i++) {
		if (n->bytes[i] < '0' || n->bytes[i] > '9')
			return -1;
		v = v * 10 + (n->bytes[i] - '0');
	}
	/* 2^32 - 1 is the largest length, so no index (ECMA-262, 6.1.7). */
	return v < UINT32_MAX ? v : -1;
}

int
zp_mles_text_order(const struct zp_mles_name *a, const struct zp_mles_name *b)
{
	int64_t ia = index_of(a), ib = index_of(b);
	size_t n = a->len < b->len ? a->len : b->len;

	if (ia >= 0 && ib >= 0)
		return (ia > ib) - (ia < ib);
	if (ia >= 0 || ib >= 0)
		return ia >= 0 ? -1 : 1;
	int d = memcmp(a->bytes, b->bytes, n);
	if (d != 0 || a->len == b->len)
		return d;
	/* The longer one goes on where the other has its comma. */
	if (a->len > n)
		return a->bytes[n] < ',' ? -1 : 1;
	return b->bytes[n] < ',' ? 1 : -1;
}
