#include "store/zp_lines.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypt/zp_hash.h"
#include "crypt/zp_secret.h"

#define CHECK_BYTES 16
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

void
zp_lines_init(struct zp_lines *l, const char *text, size_t len)
{
	*l = (struct zp_lines){.at = text, .left = len};
}

/* One line, comment or not, without its end. */
static bool
cut_line(struct zp_lines *l, struct zp_line *line)
{
	if (l->left == 0)
		return false;
	const char *lf = memchr(l->at, '\n', l->left);
	size_t n = lf != NULL ? (size_t)(lf - l->at) : l->left;
	size_t step = lf != NULL ? n + 1 : n;

	*line = (struct zp_line){l->at, n};
	if (n > 0 && line->at[n - 1] == '\r')
		line->left--;
	l->at += step;
	l->left -= step;
	l->number++;
	return true;
}

bool
zp_lines_next(struct zp_lines *l, struct zp_line *line)
{
	while (l->bad == NULL && cut_line(l, line)) {
		if (memchr(line->at, '\0', line->left) != NULL)
			l->bad = "a NUL byte in a text file";
		else if (!zp_text_is_utf8(line->at, line->left))
			l->bad = "not UTF-8";
		else if (line->left > 0 && line->at[0] != '#')
			return true;
	}
	return false;
}

enum zp_err
zp_lines_magic(struct zp_lines *l, const char *name, struct zp_fault *fault)
{
	struct zp_line line;
	uint64_t version;

	if (!zp_lines_next(l, &line))
		return zp_fault_set(fault, ZP_ERR_FORMAT, l->number,
		    l->bad != NULL ? l->bad : "the file is empty");
	if (!zp_line_is(&line, name) || !zp_line_number(&line, &version) ||
	    !zp_line_end(&line) || version == 0)
		return zp_fault_set(fault, ZP_ERR_FORMAT, l->number, NULL);
	if (version > 1)
		return zp_fault_set(fault, ZP_ERR_VERSION, l->number, NULL);
	return ZP_OK;
}

enum zp_err
zp_lines_want(struct zp_lines *l, struct zp_line *line, const char *word,
    const char *what, struct zp_fault *fault)
{
	if (!zp_lines_next(l, line))
		return zp_fault_set(fault, ZP_ERR_FORMAT, l->number,
		    l->bad != NULL ? l->bad : "the file ends too early");
	if (!zp_line_is(line, word))
		return zp_fault_set(fault, ZP_ERR_FORMAT, l->number, what);
	return ZP_OK;
}

enum zp_err
zp_lines_finish(struct zp_lines *l, struct zp_fault *fault)
{
	struct zp_line line;

	if (zp_lines_next(l, &line) || l->bad != NULL)
		return zp_fault_set(fault, ZP_ERR_FORMAT, l->number,
		    l->bad != NULL ? l->bad : "no further line belongs here");
	return ZP_OK;
}

/* Takes any word; *word is not NUL ended. */
static bool
take_word(struct zp_line *line, const char **word, size_t *len)
{
	const char *blank = memchr(line->at, ' ', line->left);
	size_t n = blank != NULL ? (size_t)(blank - line->at) : line->left;

	if (n == 0)
		return false;
	*word = line->at;
	*len = n;
	line->at += n;
	line->left -= n;
	if (blank != NULL) {
		line->at++;
		line->left--;
	}
	return true;
}

bool
zp_line_is(struct zp_line *line, const char *word)
{
	struct zp_line copy = *line;
	const char *w;
	size_t n;

	if (!take_word(&copy, &w, &n) || n != strlen(word) ||
	    memcmp(w, word, n) != 0)
		return false;
	*line = copy;
	return true;
}

bool
zp_line_bytes(struct zp_line *line, uint8_t *to, size_t n)
{
	const char *w;
	size_t len, got;

	return take_word(line, &w, &len) && len == (n * 4 + 2) / 3 &&
	    zp_secret_read_b64(to, n, w, len, &got) && got == n;
}

bool
zp_line_topic(struct zp_line *line, uint8_t to[static ZP_PSEUDONYM_LEN])
{
	const char *w;
	size_t len;

	return take_word(line, &w, &len) && len == ZP_TOPIC_LEN &&
	    zp_record_pseudonym(to, w);
}

bool
zp_line_number(struct zp_line *line, uint64_t *to)
{
	const char *w;
	size_t len;
	uint64_t v = 0;

	if (!take_word(line, &w, &len) || (w[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (w[i] < '0' || w[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(w[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*to = v;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stands for one byte; returns the characters read, 0 if none do. */
static size_t
unescape(const char *s, size_t n, char *to)
{
	if (s[0] != '\\') {
		*to = s[0];
		return 1;
	}
	if (n >= 2 && s[1] == '\\') {
		*to = '\\';
		return 2;
	}
	if (n < 4 || s[1] != 'x')
		return 0;
	int high = hex_digit(s[2]), low = hex_digit(s[3]);
	if (high < 0 || low < 0)
		return 0;
	*to = (char)(high << 4 | low);
	return 4;
}

bool
zp_line_text(struct zp_line *line, char *to, size_t cap, size_t *len)
{
	size_t have = 0;

	while (line->left > 0) {
		if (have == cap - 1)
			return false;
		size_t n = unescape(line->at, line->left, &to[have]);
		if (n == 0 || to[have] == '\0')
			return false;
		have++;
		line->at += n;
		line->left -= n;
	}
	to[have] = '\0';
	*len = have;
	return true;
}

bool
zp_line_name(struct zp_line *line, char to[static ZP_NAME_MAX + 1])
{
	char name[ZP_NAME_MAX + 1] = {0};
	size_t len = 0;

	if (!zp_line_text(line, name, sizeof(name), &len) ||
	    !zp_text_is_name(name, len))
		return false;
	memcpy(to, name, sizeof(name));
	return true;
}

bool
zp_line_end(const struct zp_line *line)
{
	return line->left == 0;
}

void
zp_lines_put(struct zp_writer *w, const char *text)
{
	zp_writer_put(w, text, strlen(text));
}

void
zp_lines_put_bytes(struct zp_writer *w, const uint8_t *from, size_t n)
{
	size_t chars = (n * 4 + 2) / 3;
	/* libsodium ends it with a NUL, which is taken back. */
	uint8_t *to = zp_writer_take(w, chars + 1);

	if (to == NULL)
		return;
	sodium_bin2base64((char *)to, chars + 1, from, n, VARIANT);
	w->len--;
}

void
zp_lines_put_topic(
    struct zp_writer *w, const uint8_t from[static ZP_PSEUDONYM_LEN])
{
	char topic[ZP_TOPIC_LEN];

	zp_record_topic(topic, from);
	zp_writer_put(w, topic, sizeof(topic));
}

void
zp_lines_put_number(struct zp_writer *w, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	zp_lines_put(w, text);
}

void
zp_lines_put_name(struct zp_writer *w, const char *name)
{
	char text[ZP_LINES_NAME_MAX];
	size_t n = strlen(name), tail = n;

	for (; n > 0 && *name == ' '; name++, n--, tail--)
		zp_lines_put(w, "\\x20");
	while (tail > 0 && name[tail - 1] == ' ')
		tail--;
	for (size_t used = 0; tail > 0; name += used, tail -= used, n -= used)
		zp_writer_put(w, text,
		    zp_text_escape(
			text, sizeof(text), name, tail, ZP_TEXT_LINE, &used));
	for (; tail < n; tail++)
		zp_lines_put(w, "\\x20");
}

static void
check_of(uint8_t to[static CHECK_BYTES], const void *text, size_t len)
{
	zp_hash(to, CHECK_BYTES, NULL, 0, "", text, len);
}

_Static_assert(6 + (CHECK_BYTES * 4 + 2) / 3 + 1 == ZP_LINES_CHECK_LEN,
    "the line of a check");

void
zp_lines_put_check(struct zp_writer *w)
{
	uint8_t check[CHECK_BYTES];

	if (w->bad)
		return;
	check_of(check, w->data, w->len);
	zp_lines_put(w, "check ");
	zp_lines_put_bytes(w, check, sizeof(check));
	zp_lines_put(w, "\n");
}

bool
zp_lines_checked(const char *text, size_t *len)
{
	uint8_t want[CHECK_BYTES], got[CHECK_BYTES];

	if (*len < ZP_LINES_CHECK_LEN || text[*len - 1] != '\n')
		return false;
	size_t body = *len - ZP_LINES_CHECK_LEN;
	struct zp_line line = {text + body, ZP_LINES_CHECK_LEN - 1};
	check_of(want, text, body);
	if (!zp_line_is(&line, "check") ||
	    !zp_line_bytes(&line, got, sizeof(got)) || !zp_line_end(&line) ||
	    memcmp(want, got, sizeof(want)) != 0)
		return false;
	*len = body;
	return true;
}
