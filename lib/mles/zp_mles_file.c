#include "mles/zp_mles_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters of the longest URL. */
#define URL_MAX ((size_t)ZP_MLES_FILE_MAX / 3 * 4 + 4 + ZP_MLES_TYPE_MAX + 16)

struct coming {
	bool used;
	struct zp_mles_name from;
	uint32_t next; /* number of the piece that must follow */
	uint64_t age;
	char *url;
	size_t len, cap;
};

struct zp_mles_files {
	struct coming file[ZP_MLES_FILES_MAX];
	uint64_t clock;
};

struct zp_mles_files *
zp_mles_files_new(void)
{
	return calloc(1, sizeof(struct zp_mles_files));
}

static void
drop(struct coming *c)
{
	if (c->url != NULL)
		sodium_memzero(c->url, c->cap);
	free(c->url);
	memset(c, 0, sizeof(*c));
}

void
zp_mles_files_free(struct zp_mles_files *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < ZP_MLES_FILES_MAX; i++)
		drop(&f->file[i]);
	free(f);
}

void
zp_mles_file_free(struct zp_mles_file *file)
{
	if (file->data != NULL)
		sodium_memzero(file->data, file->len);
	free(file->data);
	memset(file, 0, sizeof(*file));
}

bool
zp_mles_files_is_piece(const struct zp_mles_frame *frame)
{
	const uint16_t want = ZP_MLES_DATA | ZP_MLES_MULTIPART;

	return (frame->flags & want) == want;
}

/* The file of this sender that is on its way, or NULL. */
static struct coming *
find(struct zp_mles_files *f, const struct zp_mles_name *from)
{
	for (size_t i = 0; i < ZP_MLES_FILES_MAX; i++)
		if (f->file[i].used &&
		    zp_mles_text_same(&f->file[i].from, from))
			return &f->file[i];
	return NULL;
}

/* A place for a new one: a free one, or that of the oldest. */
static struct coming *
begin(struct zp_mles_files *f, const struct zp_mles_name *from, uint32_t number)
{
	struct coming *c = &f->file[0];

	for (size_t i = 0; i < ZP_MLES_FILES_MAX && c->used; i++)
		if (!f->file[i].used || f->file[i].age < c->age)
			c = &f->file[i];
	drop(c);
	c->used = true;
	c->from = *from;
	c->next = number;
	return c;
}

static enum zp_err
append(struct coming *c, const uint8_t *text, size_t len)
{
	if (len > URL_MAX - c->len)
		return ZP_ERR_TOO_LONG;
	if (c->len + len > c->cap) {
		size_t cap = c->cap * 2 + len + 4096;
		char *more = malloc(cap);
		if (more == NULL)
			return ZP_ERR_MEMORY;
		if (c->len > 0)
			memcpy(more, c->url, c->len);
		if (c->url != NULL)
			sodium_memzero(c->url, c->cap);
		free(c->url);
		c->url = more;
		c->cap = cap;
	}
	memcpy(c->url + c->len, text, len);
	c->len += len;
	return ZP_OK;
}

static bool
number_of(const struct zp_mles_frame *frame, uint32_t *number)
{
	char digits[ZP_MLES_PIECE_DIGITS + 1] = {0};

	if (frame->body_len <= ZP_MLES_PIECE_DIGITS)
		return false;
	memcpy(digits, frame->body, ZP_MLES_PIECE_DIGITS);
	if (strspn(digits, "0123456789abcdefABCDEF") != ZP_MLES_PIECE_DIGITS)
		return false;
	*number = (uint32_t)strtoul(digits, NULL, 16);
	return true;
}

/* Takes a data URL apart: data:TYPE;base64,DATA. */
static enum zp_err
decode(struct zp_mles_file *file, const char *url, size_t len)
{
	static const char scheme[] = "data:", coding[] = ";base64";
	const char *comma = memchr(url, ',', len);
	struct zp_mles_file got = {.data = NULL};

	if (comma == NULL || len < 5 || memcmp(url, scheme, 5) != 0)
		return ZP_ERR_FORMAT;
	const char *type = url + 5;
	size_t type_len = (size_t)(comma - type);
	if (type_len < 7 || memcmp(comma - 7, coding, 7) != 0 ||
	    type_len - 7 > ZP_MLES_TYPE_MAX)
		return ZP_ERR_FORMAT;
	memcpy(got.type, type, type_len - 7);
	size_t b64_len = len - (size_t)(comma + 1 - url);
	got.data = malloc(b64_len / 4 * 3 + 3);
	if (got.data == NULL)
		return ZP_ERR_MEMORY;
	if (sodium_base642bin(got.data, b64_len / 4 * 3 + 3, comma + 1, b64_len,
		NULL, &got.len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
		free(got.data);
		return ZP_ERR_FORMAT;
	}
	*file = got;
	return ZP_OK;
}

static bool
begins(const struct zp_mles_frame *frame)
{
	/* The app sets FIRST on all pieces, so it says nothing by itself. */
	return (frame->flags & ZP_MLES_FIRST) != 0 &&
	    frame->body_len > ZP_MLES_PIECE_DIGITS + 5 &&
	    memcmp(frame->body + ZP_MLES_PIECE_DIGITS, "data:", 5) == 0;
}

enum zp_err
zp_mles_files_take(struct zp_mles_files *f, const struct zp_mles_name *from,
    const struct zp_mles_frame *frame, struct zp_mles_file *file, bool *done,
    bool *cut)
{
	bool last = (frame->flags & ZP_MLES_LAST) != 0, gap = false;
	uint32_t number = 0;

	if (!zp_mles_files_is_piece(frame) || !number_of(frame, &number))
		return ZP_ERR_FORMAT;
	struct coming *c = find(f, from);
	if (c != NULL && number != c->next) {
		drop(c);
		c = NULL;
		gap = true;
	}
	if (c == NULL && !begins(frame))
		return ZP_ERR_CUT;
	if (c == NULL)
		c = begin(f, from, number);
	c->next = number + 1;
	c->age = ++f->clock;
	enum zp_err err = append(c, frame->body + ZP_MLES_PIECE_DIGITS,
	    frame->body_len - ZP_MLES_PIECE_DIGITS);
	if (!err && last)
		err = decode(file, c->url, c->len);
	if (err || last)
		drop(c);
	if (err)
		return err;
	*done = last;
	*cut = gap;
	return ZP_OK;
}

bool
zp_mles_files_left(struct zp_mles_files *f, struct zp_mles_name *from)
{
	for (size_t i = 0; i < ZP_MLES_FILES_MAX; i++) {
		if (!f->file[i].used)
			continue;
		*from = f->file[i].from;
		drop(&f->file[i]);
		return true;
	}
	return false;
}

enum zp_err
zp_mles_file_url(char **url, size_t *len, const char *type, const uint8_t *data,
    size_t data_len)
{
	size_t type_len = strlen(type);

	if (data_len > ZP_MLES_FILE_MAX || type_len > ZP_MLES_TYPE_MAX)
		return ZP_ERR_TOO_LONG;
	size_t cap = 13 + type_len +
	    sodium_base64_ENCODED_LEN(data_len, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(cap + 1);
	if (text == NULL)
		return ZP_ERR_MEMORY;
	int head = snprintf(text, cap, "data:%s;base64,", type);
	sodium_bin2base64(text + head, cap + 1 - (size_t)head, data, data_len,
	    sodium_base64_VARIANT_ORIGINAL);
	*url = text;
	*len = strlen(text);
	return ZP_OK;
}

size_t
zp_mles_file_pieces(size_t url_len)
{
	return (url_len + ZP_MLES_PIECE_LEN - 1) / ZP_MLES_PIECE_LEN;
}

size_t
zp_mles_file_piece(char to[static ZP_MLES_PIECE_DIGITS + ZP_MLES_PIECE_LEN],
    uint16_t *flags, const char *url, size_t url_len, size_t i, uint32_t start)
{
	char digits[ZP_MLES_PIECE_DIGITS + 1];
	size_t at = i * ZP_MLES_PIECE_LEN, n = url_len - at;

	if (n > ZP_MLES_PIECE_LEN)
		n = ZP_MLES_PIECE_LEN;
	snprintf(digits, sizeof(digits), "%08x", start + (uint32_t)i);
	memcpy(to, digits, ZP_MLES_PIECE_DIGITS);
	memcpy(to + ZP_MLES_PIECE_DIGITS, url + at, n);
	*flags = ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_MULTIPART;
	if (i == 0)
		*flags |= ZP_MLES_FIRST;
	if (at + n == url_len)
		*flags |= ZP_MLES_LAST;
	return ZP_MLES_PIECE_DIGITS + n;
}
