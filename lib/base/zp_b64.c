#include "base/zp_b64.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz"
				 "0123456789-_";

/* Value + 1 of each character, 0 for all others. */
#define V(c, v) [(unsigned char)(c)] = (v) + 1
static const uint8_t values[256] = {
    V('A', 0),
    V('B', 1),
    V('C', 2),
    V('D', 3),
    V('E', 4),
    V('F', 5),
    V('G', 6),
    V('H', 7),
    V('I', 8),
    V('J', 9),
    V('K', 10),
    V('L', 11),
    V('M', 12),
    V('N', 13),
    V('O', 14),
    V('P', 15),
    V('Q', 16),
    V('R', 17),
    V('S', 18),
    V('T', 19),
    V('U', 20),
    V('V', 21),
    V('W', 22),
    V('X', 23),
    V('Y', 24),
    V('Z', 25),
    V('a', 26),
    V('b', 27),
    V('c', 28),
    V('d', 29),
    V('e', 30),
    V('f', 31),
    V('g', 32),
    V('h', 33),
    V('i', 34),
    V('j', 35),
    V('k', 36),
    V('l', 37),
    V('m', 38),
    V('n', 39),
    V('o', 40),
    V('p', 41),
    V('q', 42),
    V('r', 43),
    V('s', 44),
    V('t', 45),
    V('u', 46),
    V('v', 47),
    V('w', 48),
    V('x', 49),
    V('y', 50),
    V('z', 51),
    V('0', 52),
    V('1', 53),
    V('2', 54),
    V('3', 55),
    V('4', 56),
    V('5', 57),
    V('6', 58),
    V('7', 59),
    V('8', 60),
    V('9', 61),
    V('-', 62),
    V('_', 63),
};

bool
zp_b64_is(unsigned char c)
{
	return values[c] != 0;
}

size_t
zp_b64_run(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t i = 0;

	for (; n - i >= 4; i += 4)
		if (!values[u[i]] || !values[u[i + 1]] || !values[u[i + 2]] ||
		    !values[u[i + 3]])
			break;
	while (i < n && values[u[i]])
		i++;
	return i;
}

void
zp_b64_write(char *to, const uint8_t *from, size_t n)
{
	for (; n >= 3; n -= 3, from += 3, to += 4) {
		uint32_t v =
		    (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
		to[0] = alphabet[v >> 18];
		to[1] = alphabet[v >> 12 & 63];
		to[2] = alphabet[v >> 6 & 63];
		to[3] = alphabet[v & 63];
	}
	if (n == 0)
		return;
	uint32_t v =
	    (uint32_t)from[0] << 16 | (n == 2 ? (uint32_t)from[1] << 8 : 0);
	to[0] = alphabet[v >> 18];
	to[1] = alphabet[v >> 12 & 63];
	if (n == 2)
		to[2] = alphabet[v >> 6 & 63];
}

bool
zp_b64_read(uint8_t *to, const char *from, size_t n)
{
	const unsigned char *u = (const unsigned char *)from;

	for (; n >= 4; n -= 4, u += 4, to += 3) {
		uint32_t a = values[u[0]], b = values[u[1]];
		uint32_t c = values[u[2]], d = values[u[3]];
		if (a == 0 || b == 0 || c == 0 || d == 0)
			return false;
		uint32_t v =
		    (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
		to[0] = (uint8_t)(v >> 16);
		to[1] = (uint8_t)(v >> 8);
		to[2] = (uint8_t)v;
	}
	if (n == 0)
		return true;
	if (n == 1)
		return false;
	uint32_t a = values[u[0]], b = values[u[1]];
	uint32_t c = n == 3 ? values[u[2]] : 1;
	if (a == 0 || b == 0 || c == 0)
		return false;
	uint32_t v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6;
	to[0] = (uint8_t)(v >> 16);
	if (n == 3)
		to[1] = (uint8_t)(v >> 8);
	return (v & (n == 3 ? 0xffU : 0xffffU)) == 0;
}
