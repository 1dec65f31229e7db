/* Files in pieces: sent, received, cut, in disorder, too long. */

#include <sodium.h>

#include "crypt/zp_secret.h"
#include "mles/zp_mles_file.h"

#include "tap.h"

static struct zp_mles_name alice = {5, "alice"}, bob = {3, "bob"};
static struct zp_mles_files *files;
static struct zp_mles_file file;
static bool done, cut;

static enum zp_err
take(const struct zp_mles_name *from, uint16_t flags, const void *body,
    size_t len)
{
	struct zp_mles_frame f = {
	    .flags = flags, .body = body, .body_len = len};

	done = cut = false;
	return zp_mles_files_take(files, from, &f, &file, &done, &cut);
}

static enum zp_err
take_text(const struct zp_mles_name *from, uint16_t more, const char *text)
{
	return take(from,
	    ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_MULTIPART | more, text,
	    strlen(text));
}

/* Piece i of url from this sender. */
static enum zp_err
piece(const struct zp_mles_name *from, const char *url, size_t len, size_t i,
    uint32_t start)
{
	char body[ZP_MLES_PIECE_DIGITS + ZP_MLES_PIECE_LEN];
	uint16_t flags = 0;
	size_t n = zp_mles_file_piece(body, &flags, url, len, i, start);

	return take(from, flags, body, n);
}

static bool
round_trip(size_t size, uint32_t start)
{
	static uint8_t data[100000];
	char *url = NULL;
	size_t len = 0;
	bool good = true;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	if (zp_mles_file_url(&url, &len, "image/png", data, size) != ZP_OK)
		return false;
	size_t n = zp_mles_file_pieces(len);
	for (size_t i = 0; i < n; i++)
		good = piece(&alice, url, len, i, start) == ZP_OK && good &&
		    done == (i == n - 1) && !cut;
	free(url);
	good = good && file.len == size && memcmp(file.data, data, size) == 0 &&
	    strcmp(file.type, "image/png") == 0;
	zp_mles_file_free(&file);
	return good;
}

static void
check_disorder(void)
{
	static uint8_t data[5000];
	char *url = NULL;
	size_t len = 0;

	if (zp_mles_file_url(&url, &len, "", data, sizeof(data)) != ZP_OK)
		return;
	IS(piece(&alice, url, len, 1, 9), ZP_ERR_CUT,
	    "a piece without a beginning is refused");
	IS(piece(&alice, url, len, 0, 9), ZP_OK, "a file begins");
	IS(piece(&bob, url, len, 0, 70), ZP_OK, "another's file is apart");
	IS(piece(&alice, url, len, 2, 9), ZP_ERR_CUT, "a gap is told");
	IS(piece(&alice, url, len, 3, 9), ZP_ERR_CUT,
	    "and what follows it is not taken for a file");
	IS(piece(&bob, url, len, 1, 70), ZP_OK, "the other file goes on");
	OK(piece(&bob, url, len, 0, 90) == ZP_OK && cut,
	    "a file that begins anew tells that the first was cut");
	for (size_t i = 1; i < zp_mles_file_pieces(len); i++)
		if (piece(&bob, url, len, i, 90) != ZP_OK)
			OK(false, "the second file's pieces are taken");
	OK(done && file.len == sizeof(data), "and is whole in the end");
	zp_mles_file_free(&file);
	free(url);
}

static void
check_refusals(void)
{
	char long_type[200];

	IS(take_text(&alice, ZP_MLES_FIRST, "0000000"), ZP_ERR_FORMAT,
	    "a piece without its number is refused");
	IS(take_text(&alice, ZP_MLES_FIRST, "0000000gdata:,x"), ZP_ERR_FORMAT,
	    "and one whose number is no number");
	IS(take(&alice, ZP_MLES_FULL, "00000000data:,x", 15), ZP_ERR_FORMAT,
	    "a text is no piece");
	IS(take_text(&alice, ZP_MLES_FIRST | ZP_MLES_LAST,
	       "00000000data:text/plain,hello"),
	    ZP_ERR_FORMAT, "a data URL not in base64 is refused");
	IS(take_text(&alice, ZP_MLES_FIRST | ZP_MLES_LAST,
	       "00000000data:text/plain;base64,aGVsbG8"),
	    ZP_ERR_FORMAT, "and base64 that lacks its end");
	IS(take_text(&alice, ZP_MLES_FIRST | ZP_MLES_LAST,
	       "ffffffffdata:;base64,aGk="),
	    ZP_OK, "a file without type or length to speak of is taken");
	OK(done && file.len == 2 && memcmp(file.data, "hi", 2) == 0,
	    "and read");
	zp_mles_file_free(&file);
	memset(long_type, 'x', sizeof(long_type));
	memcpy(long_type, "00000000data:", 13);
	memcpy(long_type + 180, ";base64,aGk=", 13);
	IS(take_text(&alice, ZP_MLES_FIRST | ZP_MLES_LAST, long_type),
	    ZP_ERR_FORMAT, "a media type of 167 characters is refused");
}

/* Pieces without end, from more senders than there is room for. */
static void
check_limits(void)
{
	static char body[60000];
	struct zp_mles_name who = {2, "a"};
	enum zp_err err = ZP_OK;
	uint32_t number = 1;

	memcpy(body, "00000000data:;base64,", 21);
	memset(body + 21, 'A', sizeof(body) - 21);
	for (int i = 0; i < 40; i++) {
		who.bytes[1] = (uint8_t)i;
		if (take(&who, 0xcc00, body, sizeof(body)) != ZP_OK)
			OK(false, "many senders are taken");
	}
	IS(take(&alice, 0xcc00, body, sizeof(body)), ZP_OK, "a file begins");
	while (err == ZP_OK && number < 1000) {
		char digits[9];
		snprintf(digits, sizeof(digits), "%08x", number++);
		memcpy(body, digits, 8);
		err = take(&alice, 0xc800, body, sizeof(body));
	}
	IS(err, ZP_ERR_TOO_LONG, "a file without end is refused");
	OK(number < 400, "about when it is longer than 16 MiB");
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 1;
	files = zp_mles_files_new();
	if (files == NULL)
		return 1;
	OK(round_trip(0, 0), "an empty file comes back");
	OK(round_trip(1, 5), "a file of one byte comes back");
	OK(round_trip(100000, 0xfffffffe),
	    "a long one too, though its numbers pass the last");
	check_disorder();
	check_refusals();
	check_limits();
	zp_mles_files_free(files);
	return tap_done();
}
