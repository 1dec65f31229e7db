#include "base/zp_b64.h"
#include "base/zp_text.h"
#include "wire/zp_payload.h"
#include "wire/zp_record.h"

#include "tap.h"

/* A record with this ENC; returns its length. */
static size_t
make(char *to, const char *enc)
{
	char field[65] = "z";

	for (int i = 1; i < 64; i++)
		field[i] = 'A';
	return (size_t)sprintf(to, "zp1.%s.%s.%s", field, field, enc);
}

/* How many records a text of several tries holds, all accepted. */
static int
count(const char *text, size_t len)
{
	struct zp_record rec;
	size_t from = 0;
	int n = 0;

	while (zp_record_find(text, len, &from, false, &rec))
		n++;
	return n;
}

static void
test_scanning(void)
{
	static char a[1024], b[8192];
	struct zp_record rec;
	size_t n = make(a, "QUJD"), from = 0;

	OK(zp_record_find(a, n, &from, false, &rec), "a record is found");
	IS(rec.len, n, "with all of its characters");
	IS(rec.enc_len, 4, "and its ENC");
	from = 0;
	OK(!zp_record_find(a, n, &from, true, &rec) && from == 0,
	    "while more may come, a run at the end is no record yet");
	int m = snprintf(
	    b, sizeof(b), "%s\n{\"x\":\"%s\"} topic %s.zp1.%s\n", a, a, a, a);
	IS(count(b, (size_t)m), 4, "all records of a text are found");
	memcpy(b, a, 100);
	make(b + 100, "QUJD");
	from = 0;
	OK(zp_record_find(b, strlen(b), &from, false, &rec),
	    "a record behind a torn one is found");
	IS(rec.line - b, 100, "at its own beginning");
	bool good = true;
	for (size_t cut = 0; cut < 138; cut++) {
		make(a, "QUJD");
		memmove(a + cut, a, strlen(a) + 1);
		from = 0;
		int found = 0;
		while (zp_record_find(a, strlen(a), &from, false, &rec)) {
			found |= (size_t)(rec.line - a) == cut;
			from = zp_record_retry(a, &rec);
		}
		if (!found) {
			printf("# cut at %zu\n", cut);
			good = false;
		}
	}
	OK(good, "a record torn anywhere hides no other");
}

static void
test_limits(void)
{
	char *big = malloc(ZP_RECORD_MAX + 400);
	struct zp_record rec;
	size_t n, from = 0;

	if (big == NULL)
		exit(1);
	n = make(big, "");
	memset(big + n, 'A', ZP_RECORD_MAX + 200);
	n = ZP_RECORD_MAX;
	OK(zp_record_find(big, n, &from, false, &rec) && rec.len == n,
	    "a record of 1,048,576 characters is found");
	from = 0;
	OK(!zp_record_find(big, n + 1, &from, false, &rec),
	    "one character more and it is passed over");
	from = 0;
	OK(!zp_record_find(big, n + 1, &from, true, &rec) && from > 0,
	    "also while more may come, without keeping it");
	free(big);

	const char *bad[] = {"zp1.", "zp1..", "zp2.AAAA", "zp1.zAAA.zAAA.AAA"};
	for (size_t i = 0; i < 4; i++)
		OK(count(bad[i], strlen(bad[i])) == 0,
		    "what only begins like a record is none");
}

static void
test_base64(void)
{
	uint8_t in[64], out[64];
	char text[100];
	bool same = true;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37 + 200);
	for (size_t n = 0; n <= sizeof(in); n++) {
		zp_b64_write(text, in, n);
		same = same && ZP_B64_BYTES(ZP_B64_CHARS(n)) == n &&
		    zp_b64_read(out, text, ZP_B64_CHARS(n)) &&
		    memcmp(in, out, n) == 0;
	}
	OK(same, "base64url reads what it wrote, at every length");
	OK(!zp_b64_read(out, "AAAAA", 5), "a length that none encodes to");
	OK(!zp_b64_read(out, "AB", 2), "unused bits must be zero after one");
	OK(!zp_b64_read(out, "AAB", 3), "and after two bytes");
	OK(!zp_b64_read(out, "AA+A", 4), "no other alphabet");
	OK(!zp_b64_read(out, "AAA=", 4), "no padding");
	IS(zp_b64_run("abc-_9.", 7), 6, "a run ends at the first other byte");
}

static void
test_payload(void)
{
	/* Figures from zpinc-record(5). */
	IS(zp_payload_room(4095, false), 2775, "a part at 4,095 characters");
	IS(zp_payload_room(4095, true), 2679, "a signed one");
	IS(zp_payload_len(2775, false), 2816, "is padded to 2,816");
	IS(zp_payload_len(0, false), 128, "nothing is padded to 128");
	IS(zp_payload_len(87, false), 128, "87 bytes still fit into 128");
	IS(zp_payload_len(88, false), 144, "88 do not");
	bool fits = true;
	for (size_t max = ZP_RECORD_LEAST; max <= ZP_RECORD_MAX; max += 997) {
		size_t room = zp_payload_room(max, true);
		size_t line = ZP_RECORD_HEAD +
		    ZP_B64_CHARS(ZP_ENC_OVERHEAD + zp_payload_len(room, true));
		size_t more = ZP_RECORD_HEAD +
		    ZP_B64_CHARS(
			ZP_ENC_OVERHEAD + zp_payload_len(room + 1, true));
		fits = fits && line <= max && more > max;
	}
	OK(fits, "the room is the most that fits, at every record size");

	uint8_t buf[256];
	struct zp_payload q,
	    p = {.kind = 1,
		.flags = ZP_FLAG_LAST,
		.part = 7,
		.seq = 8,
		.time = 9,
		.body = (const uint8_t *)"body",
		.body_len = 4};
	zp_payload_write(buf, 128, &p);
	IS(zp_payload_parse(&q, buf, 128), ZP_OK, "a payload is read again");
	OK(q.kind == 1 && q.part == 7 && q.seq == 8 && q.time == 9 &&
		q.body_len == 4 && memcmp(q.body, "body", 4) == 0,
	    "as it was written");
	buf[44] = 0x81;
	IS(zp_payload_parse(&q, buf, 128), ZP_ERR_FORMAT, "wrong padding");
	buf[44] = 0;
	buf[2] = buf[43] = 0;
	memset(buf, 0, 128);
	IS(zp_payload_parse(&q, buf, 128), ZP_ERR_FORMAT, "no padding at all");
	buf[39] = 0x80;
	IS(zp_payload_parse(&q, buf, 128), ZP_ERR_FORMAT, "a short header");
	zp_payload_write(buf, 128, &p);
	buf[1] = 4;
	IS(zp_payload_parse(&q, buf, 128), ZP_ERR_FORMAT, "an unknown flag");
	buf[1] = ZP_FLAG_SIGNED;
	IS(zp_payload_parse(&q, buf, 128), ZP_ERR_FORMAT,
	    "a signature that is not there");
	buf[1] = 0;
	buf[3] = 1;
	IS(zp_payload_parse(&q, buf, 128), ZP_ERR_FORMAT,
	    "a field that must be zero");
	IS(zp_payload_parse(&q, buf, 0), ZP_ERR_FORMAT, "nothing at all");
}

static void
test_text(void)
{
	char out[256];
	size_t used;
	size_t n;

	OK(zp_text_is_name("Zo\xc3\xab", 4), "UTF-8 is a name");
	OK(!zp_text_is_name("", 0), "nothing is no name");
	OK(!zp_text_is_name("a\x1b", 2), "nor is a control");
	OK(!zp_text_is_name("\xc2\x85", 2), "also not one of C1");
	OK(!zp_text_is_name("\xc0\x80", 2), "nor an overlong form");
	OK(!zp_text_is_name("0123456789012345678901234567890x", 32),
	    "32 bytes are too long");
#define ESC(in, style)                                            \
	(n = zp_text_escape(                                      \
	     out, sizeof(out), in, sizeof(in) - 1, style, &used), \
	    out[n] = '\0', out)
	OK(strcmp(ESC("a\x1b[31m", ZP_TEXT_INDENT), "a\\x1b[31m") == 0,
	    "an escape sequence is shown, not obeyed");
	OK(strcmp(ESC("a\nb", ZP_TEXT_INDENT), "a\n    b") == 0,
	    "a second line is indented");
	OK(strcmp(ESC("a\nb\\", ZP_TEXT_LINE), "a\\nb\\\\") == 0,
	    "or kept on the line");
	OK(strcmp(ESC("\xe2\x80\xae", ZP_TEXT_LINE), "\\xe2\\x80\\xae") == 0,
	    "text is not turned around");
	OK(strcmp(ESC("\xff", ZP_TEXT_LINE), "\\xff") == 0,
	    "what is not UTF-8 is shown as bytes");
	OK(strcmp(ESC("\"\\\n\x01\xe2\x80\xa8", ZP_TEXT_JSON),
	       "\\\"\\\\\\n\\u0001\\u2028") == 0,
	    "a JSON string holds anything");
	n = zp_text_escape(out, 5, "ab\x1b", 3, ZP_TEXT_LINE, &used);
	OK(n == 2 && used == 2, "what does not fit is left for later");
	OK(strcmp(ESC(" a, b:\\\xe2\x80\x8b ", ZP_TEXT_NAME),
	       "\\x20a, b:\\\\\\xe2\\x80\\x8b\\x20") == 0,
	    "what cannot be seen in a name is shown");
}

static void
test_uids(void)
{
	static const struct {
		const char *uid, *shown, *why;
	} cases[] = {
	    {"alice", "alice", "a word is a word"},
	    {"user@host.example", "user@host.example", "so is user@host"},
	    {"O'Brien(a:b)[c]", "O'Brien(a:b)[c]", "marks within are harmless"},
	    {"Zo\xc3\xab\xf0\x9f\x98\x80", "Zo\xc3\xab\xf0\x9f\x98\x80",
		"letters and pictures stay"},
	    {"Anna Maria", "Anna\\x20Maria", "a blank would end the word"},
	    {"nobody else", "nobody\\x20else", "nor do two make a sentence"},
	    {"bob and carol", "bob\\x20and\\x20carol", "or the end of a list"},
	    {"bob, carol", "bob\\x2c\\x20carol", "or the middle of one"},
	    {"bob,carol", "bob\\x2ccarol", "no comma ends a name"},
	    {"bob;carol", "bob\\x3bcarol", "no semicolon either"},
	    {"bob: hi", "bob:\\x20hi", "no text follows within a name"},
	    {"bob:", "bob\\x3a", "or seems to"},
	    {"[note]", "\\x5bnote]", "no name begins as a note does"},
	    {"[typing] bob", "\\x5btyping]\\x20bob", "or as half a line does"},
	    {"bob\\x2ccarol", "bob\\\\x2ccarol", "an escape is no escape"},
	    {"bob\xef\xbc\x8c"
	     "carol",
		"bob\\xef\\xbc\\x8c"
		"carol",
		"a wide comma brings its blank"},
	    {"\xef\xbc\xbbnote", "\\xef\\xbc\\xbbnote",
		"a wide bracket is one"},
	    {"bob\xef\xbc\x9ahi", "bob\\xef\\xbc\\x9ahi",
		"a wide colon is followed by a blank anywhere"},
	    {"a\xe3\x80\x80z", "a\\xe3\\x80\\x80z", "wide blanks are blanks"},
	    {"zpinc-pipe", "\\x7apinc-pipe", "nobody speaks as a tool"},
	    {"hint", "\\x68int", "or gives hints"},
	    {"zpinc-bot@host", "zpinc-bot@host", "a machine's user may"},
	    {"zpinc-", "zpinc-", "and what is no tool's name"},
	    {"hints", "hints", "in full"},
	    {"\t\n", "\\x09\\n", "of a looser suite, controls are shown"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[128];
		size_t used;
		size_t n = zp_text_escape(out, sizeof(out) - 1, cases[i].uid,
		    strlen(cases[i].uid), ZP_TEXT_UID, &used);
		out[n] = '\0';
		OK(strcmp(out, cases[i].shown) == 0, cases[i].why);
	}
}

int
main(void)
{
	test_scanning();
	test_limits();
	test_base64();
	test_payload();
	test_text();
	test_uids();
	return tap_done();
}
