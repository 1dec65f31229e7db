#include "fuzz.h"
#include "net/zp_mlesframe.h"

/*
 * What an Mles server may send.  First byte, lowest bit: 0 a binary frame, 1
 * a text.  Whatever is read of a frame is one record, which is written as a
 * frame of the same record; whatever is read of a text is one word.
 */

static void
binary(const uint8_t *frame, size_t len)
{
	char *line = NULL, *again = NULL;
	size_t line_len = 0, again_len = 0, from = 0;
	struct zp_record rec;
	enum zp_err err = zp_mlesframe_read(&line, &line_len, frame, len);

	MUST(err == ZP_OK || err == ZP_ERR_FORMAT || err == ZP_ERR_TOO_LONG);
	if (err != ZP_OK) {
		MUST(line == NULL);
		return;
	}
	MUST(strlen(line) == line_len);
	MUST(zp_record_find(line, line_len, &from, false, &rec));
	MUST(rec.line == line && rec.len == line_len);
	uint8_t *to = malloc(zp_mlesframe_room(&rec));
	MUST(to != NULL);
	size_t n = zp_mlesframe_write(to, &rec);
	MUST(n > 0 && n <= zp_mlesframe_room(&rec));
	MUST(zp_mlesframe_read(&again, &again_len, to, n) == ZP_OK);
	MUST(again_len == line_len && memcmp(again, line, line_len) == 0);
	free(to);
	free(again);
	free(line);
}

static void
joined(const char *text, size_t len)
{
	char p[ZP_ML_NAME_MAX + 1], again[ZP_ML_NAME_MAX + 1];
	char join[ZP_MLESFRAME_JOIN_MAX];

	if (zp_mlesframe_name(p, text, len))
		MUST(zp_mlesframe_name(again, p, strlen(p)) &&
		    strcmp(p, again) == 0);
	if (!zp_mlesframe_read_join(p, text, len))
		return;
	MUST(*p != '\0' && zp_mlesframe_name(again, p, strlen(p)));
	MUST(strcmp(p, again) == 0);
	size_t n = zp_mlesframe_join(join, p, strlen(p), p, strlen(p));
	MUST(n > 0 && n == strlen(join));
	MUST(zp_mlesframe_read_join(again, join, n) && strcmp(p, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	void *copy = fuzz_copy(data + 1, len - 1);

	if ((*data & 1) == 0)
		binary(copy, len - 1);
	else
		joined(copy, len - 1);
	free(copy);
	return 0;
}
