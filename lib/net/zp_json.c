#include "net/zp_json.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t
skip_blanks(const char *s, size_t at, size_t len)
{
	while (at < len && is_blank(s[at]))
		at++;
	return at;
}

/* Behind the string that begins at `at`; len if it does not end. */
static size_t
skip_string(const char *s, size_t at, size_t len)
{
	for (at++; at < len; at++) {
		if (s[at] == '\\')
			at++;
		else if (s[at] == '"')
			return at + 1;
	}
	return len;
}

/* Behind the value that begins at `at`, whatever it holds. */
static size_t
skip_value(const char *s, size_t at, size_t len)
{
	size_t depth = 0;

	while (at < len) {
		char c = s[at];
		if (c == '"') {
			at = skip_string(s, at, len);
			if (depth == 0)
				return at;
			continue;
		}
		if (depth == 0 &&
		    (c == ',' || c == '}' || c == ']' || is_blank(c)))
			return at;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return len;
}

bool
zp_json_member(const char *json, size_t len, const char *name,
    const char **value, size_t *n)
{
	size_t at = skip_blanks(json, 0, len), want = strlen(name);

	if (at == len || json[at] != '{')
		return false;
	for (at++;;) {
		at = skip_blanks(json, at, len);
		if (at == len || json[at] != '"')
			return false;
		size_t key = at + 1;
		at = skip_string(json, at, len);
		size_t key_len = at - key - 1;
		at = skip_blanks(json, at, len);
		if (at == len || json[at] != ':')
			return false;
		size_t from = skip_blanks(json, at + 1, len);
		at = skip_value(json, from, len);
		if (at == len)
			return false; /* cut */
		if (key_len == want && memcmp(json + key, name, want) == 0) {
			*value = json + from;
			*n = at - from;
			return true;
		}
		at = skip_blanks(json, at, len);
		if (at == len || json[at++] != ',')
			return false;
	}
}

bool
zp_json_string(
    const char *json, size_t len, const char *name, char *to, size_t cap)
{
	const char *v;
	size_t n;

	if (!zp_json_member(json, len, name, &v, &n) || n < 2 || *v != '"' ||
	    n - 2 >= cap || memchr(v, '\\', n) != NULL ||
	    memchr(v, '\0', n) != NULL)
		return false;
	memcpy(to, v + 1, n - 2);
	to[n - 2] = '\0';
	return true;
}
