/* Names and text as MlesTalk encodes, shows and orders them. */

#include "base/zp_text.h"
#include "mles/zp_mles_text.h"

#include "tap.h"

static struct zp_mles_name
raw(const char *s)
{
	struct zp_mles_name n;

	n.len = (uint16_t)strlen(s);
	memcpy(n.bytes, s, n.len);
	return n;
}

static bool
encodes(const char *text, const char *want)
{
	struct zp_mles_name n;
	uint8_t shown[ZP_MLES_NAME_MAX];

	if (zp_mles_text_name(&n, text, strlen(text)) != ZP_OK)
		return false;
	size_t len = zp_mles_text_show(shown, &n);
	return n.len == strlen(want) && memcmp(n.bytes, want, n.len) == 0 &&
	    len == strlen(text) && memcmp(shown, text, len) == 0;
}

static bool
shows(const char *name, const char *want)
{
	struct zp_mles_name n = raw(name);
	uint8_t shown[ZP_MLES_NAME_MAX];
	size_t len = zp_mles_text_show(shown, &n);

	return len == strlen(want) && memcmp(shown, want, len) == 0;
}

static bool
decodes(const char *text, const char *want)
{
	uint8_t out[64];
	size_t len = zp_mles_text_decode(out, text, strlen(text));

	return len == strlen(want) && memcmp(out, want, len) == 0;
}

/* In this order, both ways round. */
static bool
before(const char *a, const char *b)
{
	struct zp_mles_name x = raw(a), y = raw(b);

	return zp_mles_text_order(&x, &y) < 0 &&
	    zp_mles_text_order(&y, &x) > 0 && zp_mles_text_order(&x, &x) == 0;
}

int
main(void)
{
	struct zp_mles_name n;
	char longest[ZP_MLES_NAME_MAX + 1];

	OK(encodes("alice", "alice"), "letters stay as they are");
	OK(encodes("AZaz09-_.!~*'()", "AZaz09-_.!~*'()"),
	    "and so does what encodeURIComponent leaves bare");
	OK(encodes("Zoë", "Zo%C3%AB"), "UTF-8 is encoded in capitals");
	OK(encodes("a,b c+d/e?%", "a%2Cb%20c%2Bd%2Fe%3F%25"),
	    "and so is other ASCII");
	OK(encodes("😀", "%F0%9F%98%80"), "and a character of four bytes");
	OK(decodes("100%", "100%"), "a lone % stays");
	OK(decodes("%zz%4", "%zz%4"), "and one before no hex digits");
	OK(decodes("%c3%ab%00", "\xc3\xab") == false,
	    "a NUL byte is decoded, not an end");
	OK(shows("bob%20s", "bob s"), "an encoded name is shown decoded");
	OK(shows("%62ob", "%62ob"), "a name encoded without need is not");
	OK(shows("Zo%c3%ab", "Zo%c3%ab"), "nor one in other digits");
	OK(shows("a%FF", "a%FF"), "nor one that is no UTF-8");
	OK(shows("", ""), "an empty name is shown empty");

	memset(longest, '!', sizeof(longest));
	IS(zp_mles_text_name(&n, longest, ZP_MLES_NAME_MAX), ZP_OK,
	    "a name of the longest kind is taken");
	IS(zp_mles_text_name(&n, longest, ZP_MLES_NAME_MAX + 1), ZP_ERR_NAME,
	    "a longer one is refused");
	memset(longest, ' ', sizeof(longest));
	IS(zp_mles_text_name(&n, longest, ZP_MLES_NAME_MAX / 3 + 1),
	    ZP_ERR_NAME, "also if only encoding makes it too long");

	struct zp_mles_name proto = raw("__proto__"), bob = raw("proto");
	OK(zp_mles_text_blocks(&proto) && !zp_mles_text_blocks(&bob),
	    "names that block a prototype are known");

	OK(before("9", "10"), "numbers are ordered as numbers");
	OK(before("10", "alice"), "and stand before other names");
	OK(before("4294967294", "!"), "up to the largest array index");
	OK(before("!", "4294967295"), "not beyond");
	OK(before("9", "010"), "a leading zero makes no number");
	OK(before("0", "00"), "zero is one");
	OK(before("alice!", "alice"), "an exclamation mark comes first");
	OK(before("alice", "alice-"), "a dash does not");
	OK(before("bob%20s", "bob's") && before("bob's", "bob"),
	    "what sorts below a comma precedes the shorter name");
	OK(before("alice", "bob") && before("Zo%C3%AB", "alice"),
	    "otherwise bytes decide");
	OK(before("", "a"), "an empty name is its comma alone");
	return tap_done();
}
