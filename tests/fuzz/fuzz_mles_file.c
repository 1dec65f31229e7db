#include "fuzz.h"
#include "mles/zp_mles_file.h"

/*
 * Pieces of files from a few senders, in any order.  Input: for each piece
 * flags, sender, number and text; `@` in a text stands for 1,000 letters.
 */

static void
take(struct zp_mles_files *files, struct zp_cursor *c)
{
	uint8_t head = zp_cursor_u8(c), number = zp_cursor_u8(c);
	size_t n = zp_cursor_u8(c) & 63, len = 0;
	char body[ZP_MLES_PIECE_DIGITS + 64 * 1000 + 1];
	struct zp_mles_name from = {.len = 1, .bytes = {'a' + (head & 3)}};
	struct zp_mles_frame f = {.body = (uint8_t *)body};
	struct zp_mles_file file;
	bool done, cut;

	if (n > c->left)
		n = c->left;
	const uint8_t *text = zp_cursor_take(c, n);
	len = (size_t)snprintf(body, sizeof(body), "%08x", number);
	for (size_t i = 0; i < n; i++) {
		size_t k = text[i] == '@' ? 1000 : 1;
		memset(body + len, text[i] == '@' ? 'A' : text[i], k);
		len += k;
	}
	f.flags = (uint16_t)(ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_MULTIPART |
	    ((head & 4) != 0 ? ZP_MLES_FIRST : 0) |
	    ((head & 8) != 0 ? ZP_MLES_LAST : 0));
	if ((head & 16) != 0)
		f.flags &= (uint16_t) ~(head << 8);
	f.body_len = len - ((head & 32) != 0 ? len / 2 : 0);
	uint8_t *copy = fuzz_copy(body, f.body_len);
	f.body = copy;
	done = cut = false;
	(void)zp_mles_files_is_piece(&f);
	if (zp_mles_files_take(files, &from, &f, &file, &done, &cut) == ZP_OK &&
	    done) {
		MUST(strlen(file.type) <= ZP_MLES_TYPE_MAX);
		MUST(file.len <= ZP_MLES_FILE_MAX);
		zp_mles_file_free(&file);
	}
	free(copy);
}

/* A file to send, cut into pieces and taken, is the same file. */
static void
round_trip(const uint8_t *data, size_t len)
{
	char *url, piece[ZP_MLES_PIECE_DIGITS + ZP_MLES_PIECE_LEN];
	struct zp_mles_files *files = zp_mles_files_new();
	struct zp_mles_name from = {.len = 1, .bytes = "a"};
	struct zp_mles_frame f = {.body = (uint8_t *)piece};
	struct zp_mles_file file = {0};
	size_t n;
	bool done = false, cut;

	MUST(files != NULL);
	MUST(zp_mles_file_url(&url, &n, "text/plain", data, len) == ZP_OK);
	for (size_t i = 0; i < zp_mles_file_pieces(n); i++) {
		MUST(!done);
		f.body_len = zp_mles_file_piece(piece, &f.flags, url, n, i, 7);
		MUST(zp_mles_files_is_piece(&f));
		MUST(zp_mles_files_take(files, &from, &f, &file, &done, &cut) ==
		    ZP_OK);
	}
	MUST(done && file.len == len && memcmp(file.data, data, len) == 0);
	zp_mles_file_free(&file);
	free(url);
	zp_mles_files_free(files);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_mles_files *files = zp_mles_files_new();
	struct zp_cursor c;

	MUST(files != NULL);
	zp_cursor_init(&c, data, len);
	for (int i = 0; i < 200 && c.left >= 3; i++)
		take(files, &c);
	zp_mles_files_free(files);
	round_trip(data, len);
	return 0;
}
