#include "net/zp_mlesframe.h"

#include <inttypes.h>

#include "../unit/mles_vec.h"
#include "../unit/tap.h"

/*
 * Frames of the Mles wire: what MlesTalk's clients write, in the one form
 * that they write, and all that RFC 8949 and an attacker allow.
 */

static uint8_t out[1 << 17];
static size_t n_out;
static uint64_t state;

/* ---- records and frames of the prototype ---- */

static bool
find(struct zp_record *rec, const char *line, size_t len)
{
	size_t from = 0;

	return zp_record_find(line, len, &from, false, rec) && rec->len == len;
}

/* The frame is read, the record written: the same bytes? */
static bool
there_and_back(const uint8_t *cbor, size_t len)
{
	char *line = NULL;
	size_t line_len;
	struct zp_record rec;
	bool good = false;

	if (zp_mlesframe_read(&line, &line_len, cbor, len) == ZP_OK &&
	    find(&rec, line, line_len) && zp_mlesframe_room(&rec) >= len)
		good = zp_mlesframe_write(out, &rec) == len &&
		    memcmp(out, cbor, len) == 0;
	free(line);
	return good;
}

/* Does a name of the vectors stand in the join frame, as text of a record? */
static bool
has_name(const struct mles_case *c, const char *field, const char *name)
{
	static uint8_t raw[4096];
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = mles_bytes(c, field, raw, sizeof(raw) - 3), at = 0;
	char text[8192];

	raw[n] = raw[n + 1] = 0;
	for (size_t bit = 0; bit < 8 * n; bit += 6) {
		unsigned v = (unsigned)raw[bit / 8] << 8 | raw[bit / 8 + 1];
		text[at++] = digits[v >> (10 - bit % 8) & 63];
	}
	text[at] = '\0';
	return strcmp(text, name) == 0;
}

static bool
join_matches(const struct mles_case *c)
{
	const char *want = mles_text(c, "join_frame");
	const char *uid = strchr(want + 2, ':') + 2;
	const char *channel = strstr(want, "\"channel\":\"") + 11;
	char p[ZP_ML_NAME_MAX + 1], rp[ZP_ML_NAME_MAX + 1];
	char read[ZP_ML_NAME_MAX + 1], join[ZP_MLESFRAME_JOIN_MAX];

	return zp_mlesframe_name(p, uid, strcspn(uid, "\"")) &&
	    zp_mlesframe_name(rp, channel, strcspn(channel, "\"")) &&
	    has_name(c, "uid_box", p) && has_name(c, "channel_box", rp) &&
	    zp_mlesframe_join(join, p, strlen(p), rp, strlen(rp)) ==
	    strlen(want) &&
	    strcmp(join, want) == 0 &&
	    zp_mlesframe_read_join(read, want, strlen(want)) &&
	    strcmp(read, p) == 0;
}

static void
test_prototype(void)
{
	static struct mles_case c;
	static uint8_t cbor[16384];
	FILE *f = mles_vectors();
	int frames = 0, joins = 0, good_frames = 0, good_joins = 0;

	while (mles_next(f, &c)) {
		if (strcmp(c.kind, "frame") == 0) {
			size_t n = mles_bytes(&c, "cbor", cbor, sizeof(cbor));
			frames++;
			good_frames += there_and_back(cbor, n);
		} else if (strcmp(c.kind, "kdf") == 0) {
			joins++;
			good_joins += join_matches(&c);
		}
	}
	fclose(f);
	OK(frames > 10 && good_frames == frames,
	    "the prototype's frames are read, and written as the same bytes");
	OK(joins > 5 && good_joins == joins,
	    "the first frame of a connection is that of the prototype");
}

/* ---- another encoder, which knows every form ---- */

static uint64_t
draw(uint64_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % below;
}

static void
put(unsigned byte)
{
	out[n_out++] = (uint8_t)byte;
}

/* width: 0 the shortest, else 1, 2, 4 or 8 bytes behind the first. */
static void
head(unsigned major, uint64_t v, unsigned width)
{
	if (width == 0)
		width = v < 24 ? 0 : v < 256 ? 1 : v < 1 << 16 ? 2 : 4;
	if (width == 0) {
		put(major << 5 | (unsigned)v);
		return;
	}
	put(major << 5 |
	    (width == 1		 ? 24u
		    : width == 2 ? 25u
		    : width == 4 ? 26u
				 : 27u));
	for (unsigned i = width; i-- > 0;)
		put((unsigned)(v >> 8 * i) & 0xff);
}

enum form { SHORTEST, WIDE1, WIDE2, WIDE4, WIDE8, PIECES, EMPTY_PIECES, FORMS };

static unsigned
width_of(enum form form, uint64_t v)
{
	static const unsigned width[FORMS] = {0, 1, 2, 4, 8, 0, 0};

	if (form == WIDE1 && v > 255)
		return 2;
	return width[form];
}

/* Pieces have none of their own, and depth is small and falls. */
/* NOLINTBEGIN(misc-no-recursion) */
static void
string(unsigned major, const void *s, size_t len, enum form form)
{
	const uint8_t *at = s;

	if (form < PIECES) {
		head(major, len, width_of(form, len));
		memcpy(out + n_out, s, len);
		n_out += len;
		return;
	}
	put(major << 5 | 31);
	if (form == EMPTY_PIECES)
		head(major, 0, 0);
	for (size_t i = 0; i < len;) {
		size_t piece = 1 + (size_t)draw(len - i);
		string(major, at + i, piece, (enum form)draw(PIECES));
		i += piece;
	}
	put(0xff);
}

static void
text(const char *s, enum form form)
{
	string(3, s, strlen(s), form);
}

/* An item that is of no interest: every kind that there is. */
static void
any_item(unsigned kind, int depth)
{
	static const uint8_t some[8] = {1, 2, 3};

	switch (kind % 16) {
	case 0:
		head(0, draw(1 << 30), 0);
		break;
	case 1:
		head(1, draw(1 << 30), 8);
		break;
	case 2:
		string(2, some, 8, (enum form)draw(FORMS));
		break;
	case 3:
		text("message", (enum form)draw(FORMS));
		break;
	case 4: /* array */
	case 5:
		if (kind % 16 == 4)
			head(4, 2, 0);
		else
			put(0x9f);
		for (int i = 0; i < 2; i++)
			any_item(depth > 0 ? (unsigned)draw(16) : 0, depth - 1);
		if (kind % 16 == 5)
			put(0xff);
		break;
	case 6: /* map, with names that count only outside */
	case 7:
		if (kind % 16 == 6)
			head(5, 1, 2);
		else
			put(0xbf);
		text("uid", SHORTEST);
		any_item(depth > 0 ? (unsigned)draw(16) : 2, depth - 1);
		if (kind % 16 == 7)
			put(0xff);
		break;
	case 8: /* a tag, and what it is about */
		head(6, 55799, 0);
		any_item(depth > 0 ? (unsigned)draw(16) : 3, depth - 1);
		break;
	case 9:
		put(0xf4 + (unsigned)draw(4));
		break;
	case 10: /* half, single, double */
		put(0xf9), put(0x3c), put(0);
		break;
	case 11:
		put(0xfa), put(0x7f), put(0xc0), put(0), put(0);
		break;
	case 12:
		put(0xfb);
		for (int i = 0; i < 8; i++)
			put((unsigned)draw(256));
		break;
	case 13: /* simple values that nobody has assigned */
		put(0xe0 + (unsigned)draw(20));
		break;
	case 14:
		put(0xf8), put(32 + (unsigned)draw(224));
		break;
	default:
		put(kind & 16 ? 0x80 : 0xa0);
		break;
	}
}

/* NOLINTEND(misc-no-recursion) */

static const char UID[] = "/glroyovyIWrdd/YdQ+9vdfeE65thnHg",
		  CHANNEL[] = "PA5NJDKlHkZ5VdptzGS8AYDHH4J2kg==";
static const uint8_t MESSAGE[80] = {7, 0xff, 0x5f, 9};
static const char LINE[] =
    "ml1.PA5NJDKlHkZ5VdptzGS8AYDHH4J2kg._glroyovyIWrdd_YdQ-9vdfeE65thnHg."
    "B_9fCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* One of the three; dud: a value that a later one of the same key replaces. */
static void
pair(int which, enum form key, enum form value, bool dud)
{
	text(which == 0 ? "uid" : which == 1 ? "channel" : "message", key);
	if (dud)
		any_item((unsigned)draw(32), 2);
	else if (which == 2)
		string(2, MESSAGE, sizeof(MESSAGE), value);
	else
		text(which == 0 ? UID : CHANNEL, value);
}

static bool
reads(const uint8_t *frame, size_t len, const char *want)
{
	/* A copy of its own length, so that reading over its end shows. */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	char *line = NULL;
	size_t line_len = 0;

	memcpy(copy, frame, len);
	enum zp_err err = zp_mlesframe_read(&line, &line_len, copy, len);
	bool good = want == NULL ? err == ZP_ERR_FORMAT && line == NULL
				 : err == ZP_OK && line_len == strlen(want) &&
		memcmp(line, want, line_len) == 0;
	free(line);
	free(copy);
	return good;
}

static void
test_lengths(void)
{
	int good = 0, all = 0;

	for (unsigned f = 0; f < FORMS * FORMS * FORMS; f++)
		for (int map = 0; map < 6; map++) {
			n_out = 0;
			if (map == PIECES)
				put(0xbf);
			else
				head(5, 3, width_of((enum form)map, 3));
			pair(0, f % FORMS, f / FORMS % FORMS, false);
			pair(1, f / FORMS % FORMS, f / 49, false);
			pair(2, f / 49, f % FORMS, false);
			if (map == PIECES)
				put(0xff);
			all++;
			good += reads(out, n_out, LINE);
		}
	IS(good, all,
	    "lengths of any width, and strings and maps without one, are read");
}

static void
test_orders(void)
{
	static const int order[6][3] = {
	    {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	int good = 0;

	for (int i = 0; i < 6; i++) {
		n_out = 0;
		head(5, 3, 0);
		for (int k = 0; k < 3; k++)
			pair(order[i][k], SHORTEST, SHORTEST, false);
		good += reads(out, n_out, LINE);
	}
	IS(good, 6, "the three may come in any order");
}

/* All of it at once, by chance. */
static void
random_frame(void)
{
	bool seen[3] = {false, false, false}, open = draw(2) == 0;
	unsigned extra = (unsigned)draw(6), at = 0, pairs = 0;

	n_out = 0;
	if (open)
		put(0xbf);
	else
		put(0xb8), put(0); /* told below */
	while (extra > 0 || at < 3) {
		int w = (int)draw(3);
		if (at < 3 && (extra == 0 || draw(2) == 0)) {
			while (seen[w])
				w = (w + 1) % 3;
			seen[w] = true;
			at++;
			pair(w, (enum form)draw(FORMS), (enum form)draw(FORMS),
			    false);
		} else if (!seen[w] && draw(3) == 0) {
			extra--;
			pair(w, (enum form)draw(FORMS), SHORTEST, true);
		} else {
			/* The key is no text, which may be one of the three. */
			extra--;
			any_item((unsigned)draw(3), 3);
			any_item((unsigned)draw(32), 3);
		}
		pairs++;
	}
	if (open)
		put(0xff);
	else
		out[1] = (uint8_t)pairs;
}

static void
test_random(void)
{
	const char *seed = getenv("SEED");
	uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
	int bad = 0;

	for (uint64_t i = 0; i < 20000; i++) {
		state = first + i;
		random_frame();
		if (!reads(out, n_out, LINE) && bad++ == 0)
			printf("# the first is SEED=%" PRIu64 "\n", first + i);
	}
	IS(bad, 0,
	    "whatever else is in the map, and however it is written, is passed "
	    "over");
}

/* ---- what is no frame ---- */

static void
plain_frame(void)
{
	n_out = 0;
	head(5, 3, 0);
	for (int w = 0; w < 3; w++)
		pair(w, SHORTEST, SHORTEST, false);
}

static void
test_cuts(void)
{
	int good = 0, all = 0;

	for (int round = 0; round < 100; round++) {
		state = (uint64_t)round;
		random_frame();
		for (size_t n = 0; n < n_out; n++) {
			all++;
			good += reads(out, n, NULL);
		}
		out[n_out] = (uint8_t)draw(256);
		all++;
		good += reads(out, n_out + 1, NULL);
	}
	IS(good, all, "a frame that is cut or has a byte more is none");
}

static void
test_lies(void)
{
	static const uint64_t lies[] = {0, 1, 31, 33, 255, 65535, 65536,
	    UINT32_MAX, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX};
	int good = 0, all = 0;

	/* Of each string in turn, key or value, and of the map. */
	for (int which = 0; which < 7; which++)
		for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
			int at = 0;
			n_out = 0;
			head(5, which == 6 ? lies[i] : 3, which == 6 ? 8 : 0);
			for (int w = 0; w < 3; w++) {
				const char *key = w == 0 ? "uid"
				    : w == 1		 ? "channel"
							 : "message";
				const char *value = w == 0 ? UID : CHANNEL;
				size_t len =
				    w == 2 ? sizeof(MESSAGE) : strlen(value);
				bool lie = at++ == which;
				head(3, lie ? lies[i] : strlen(key), 8);
				memcpy(out + n_out, key, strlen(key));
				n_out += strlen(key);
				lie = at++ == which;
				head(w == 2 ? 2 : 3, lie ? lies[i] : len, 8);
				memcpy(out + n_out,
				    w == 2 ? (const char *)MESSAGE : value,
				    len);
				n_out += len;
			}
			all++;
			good += reads(out, n_out, NULL);
		}
	IS(good, all, "lengths that lie make no frame");
}

/* Frames as hex; XX is the plain frame's map without its first byte. */
static void
test_garbage(void)
{
	static const struct {
		const char *hex, *why;
	} bad[] = {
	    {"", "nothing"},
	    {"00", "a number"},
	    {"63756964", "a text"},
	    {"80", "an array"},
	    {"a0", "an empty map"},
	    {"bfff", "another empty map"},
	    {"ff", "a break"},
	    {"d9d9f7a0", "a tag before an empty map"},
	    {"a2XX", "fewer pairs than there are"},
	    {"a4XX", "more pairs than there are"},
	    {"84XX", "an array of the same"},
	    {"bfXX", "a map that does not end"},
	    {"bfXXffff", "one that ends twice"},
	    {"bfXX00ff", "a key without a value"},
	    {"a3XXff", "a break in a map of known length"},
	    {"a3XX00", "something behind it"},
	    {"81a3XX", "a frame in an array"},
	    {"c0", "a tag of nothing"},
	    {"bfXXc0ff", "a tag of a break"},
	    {"bfXX00c0ff", "the same as a value"},
	    {"bfXX005f00ff", "a number in a string"},
	    {"bfXX005f6161ffff", "a text in bytes"},
	    {"bfXX007f4161ffff", "bytes in a text"},
	    {"bfXX005f5f4161ffffff", "a string of pieces in such a string"},
	    {"bfXX005fc04161ffff", "a tag in a string"},
	    {"bfXX001cff", "a reserved length"},
	    {"bfXX003cff", "a reserved length of a negative number"},
	    {"bfXX00fcff", "a reserved simple value"},
	    {"bfXX00f818ff", "a simple value in the wrong form"},
	    {"bfXX00dfff", "a tag of unknown length"},
	};
	int good = 0, all = (int)(sizeof(bad) / sizeof(*bad));
	static uint8_t frame[1024];

	for (int i = 0; i < all; i++) {
		size_t n = 0;
		plain_frame();
		for (const char *s = bad[i].hex; *s != '\0'; s += 2) {
			unsigned v;
			if (*s == 'X') {
				memcpy(frame + n, out + 1, n_out - 1);
				n += n_out - 1;
			} else if (sscanf(s, "%2x", &v) == 1) {
				frame[n++] = (uint8_t)v;
			}
		}
		if (reads(frame, n, NULL))
			good++;
		else
			printf("# taken: %s\n", bad[i].why);
	}
	IS(good, all, "what is not well-formed, or no map, is no frame");
}

static void
test_values(void)
{
	static const struct {
		const char *uid, *channel;
		size_t message;
		bool good;
	} cases[] = {
	    {UID, CHANNEL, 80, true},
	    {"", CHANNEL, 80, false},
	    {UID, "", 80, false},
	    {"=", CHANNEL, 80, false},
	    {UID, CHANNEL, 0, false},
	    {"A", CHANNEL, 80, false},
	    {"AAAAA", CHANNEL, 80, false},
	    {"AAA\n#live", CHANNEL, 80, false},
	    {"AA=A", CHANNEL, 80, false},
	    {"../../etc", CHANNEL, 80, false},
	    {"\xc3\xa4"
	     "AA",
		CHANNEL, 80, false},
	};
	int good = 0, all = (int)(sizeof(cases) / sizeof(*cases));
	char *line;
	size_t len;

	for (int i = 0; i < all; i++) {
		n_out = 0;
		head(5, 3, 0);
		text("uid", SHORTEST), text(cases[i].uid, SHORTEST);
		text("channel", SHORTEST), text(cases[i].channel, SHORTEST);
		text("message", SHORTEST);
		string(2, MESSAGE, cases[i].message, SHORTEST);
		bool read = zp_mlesframe_read(&line, &len, out, n_out) == ZP_OK;
		if (read)
			free(line);
		if (read == cases[i].good)
			good++;
		else
			printf("# case %d\n", i);
	}
	IS(good, all, "names that are none, and empty messages, are refused");
	n_out = 0;
	head(5, 3, 0);
	pair(0, SHORTEST, SHORTEST, false);
	pair(1, SHORTEST, SHORTEST, false);
	text("message", SHORTEST), text("message", SHORTEST);
	OK(reads(out, n_out, NULL), "a message that is text is none");
	plain_frame();
	out[0]++;
	pair(2, SHORTEST, SHORTEST, false);
	OK(reads(out, n_out, LINE), "of two equal keys the last one counts");
	n_out = 0;
	head(5, 3, 0);
	text("uid", SHORTEST),
	    text("/glr oyov\tyIWrdd/YdQ+9\nvdfeE65thnHg=", SHORTEST);
	pair(1, SHORTEST, SHORTEST, false);
	pair(2, SHORTEST, SHORTEST, false);
	OK(reads(out, n_out, LINE),
	    "blanks in a name, and padding or none, are as in a browser");
}

/* Depth and size: no memory, no stack, no time to be had. */
static void
test_sizes(void)
{
	static uint8_t big[ZP_MLESFRAME_MAX + 64];
	size_t n;
	char *line = NULL;
	size_t len;

	memset(big, 0x81, sizeof(big));
	OK(zp_mlesframe_read(&line, &len, big, sizeof(big)) == ZP_ERR_FORMAT,
	    "a million arrays in one another are no frame");
	memset(big, 0x5f, sizeof(big));
	big[0] = 0xbf, big[1] = 0x00;
	OK(zp_mlesframe_read(&line, &len, big, sizeof(big)) == ZP_ERR_FORMAT,
	    "nor are as many strings");
	memset(big, 0xd8, sizeof(big));
	OK(zp_mlesframe_read(&line, &len, big, sizeof(big)) == ZP_ERR_FORMAT,
	    "nor tags");
	memset(big, 0, sizeof(big));
	n_out = 0;
	head(5, 3, 0);
	pair(0, SHORTEST, SHORTEST, false);
	pair(1, SHORTEST, SHORTEST, false);
	text("message", SHORTEST);
	head(2, 1000000, 0);
	memcpy(big, out, n_out);
	n = n_out + 1000000;
	OK(zp_mlesframe_read(&line, &len, big, n) == ZP_ERR_TOO_LONG,
	    "a message longer than a record may be is too long");
	n_out -= 5;
	head(2, 786000, 0);
	memcpy(big, out, n_out);
	OK(zp_mlesframe_read(&line, &len, big, n_out + 786000) == ZP_OK &&
		len == strlen(LINE) - 107 + 1048000,
	    "one that just fits is read");
	free(line);
}

/* Every bit of a frame turned: nothing else than a record may come out. */
static void
test_flips(void)
{
	int bad = 0;
	char *line;
	size_t len;
	struct zp_record rec;

	plain_frame();
	for (size_t i = 0; i < 8 * n_out; i++) {
		out[i / 8] ^= (uint8_t)(1u << i % 8);
		if (zp_mlesframe_read(&line, &len, out, n_out) == ZP_OK) {
			bad += !find(&rec, line, len) || strlen(line) != len ||
			    strpbrk(line, "\n ") != NULL;
			free(line);
		}
		out[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	IS(bad, 0, "whatever is read is one record, and nothing beside it");
}

/* ---- records, and joins ---- */

static bool
writes(const char *line)
{
	struct zp_record rec;

	return find(&rec, line, strlen(line)) &&
	    zp_mlesframe_write(out, &rec) > 0;
}

static void
test_records(void)
{
	struct zp_record rec;
	static const char zp1[] =
	    "zp1."
	    "zAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "A."
	    "zAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA."
	    "AAAA";

	OK(writes(LINE), "a record of this suite is written");
	OK(!writes(zp1), "one of the other suite is not");
	OK(!writes("ml1.AAAA.AAAB.AAAAAAAAB") &&
		!writes("ml1.AAAAB.AAAB.AAAA") && !writes("ml1.AAAA.AB.AAAA"),
	    "nor one that is not canonical base64url");
	OK(find(&rec, "ml1.AAAA.AAAA.AAAA", 18) && zp_mlesframe_is_join(&rec) &&
		find(&rec, LINE, strlen(LINE)) && !zp_mlesframe_is_join(&rec),
	    "a record too short for a message only tells who joins");
}

static void
test_joins(void)
{
	static const char *const bad[] = {"", "{}", "[]", "null", "{\"uid\":1}",
	    "{\"uid\":null,\"channel\":\"AAAA\"}", "{\"uid\":\"A\"}",
	    "{\"uid\":\"\"}", "{\"UID\":\"AAAA\"}", "{\"uid\":\"AAAA\"",
	    "{\"uid\":\"AA\\u0000AA\"}", "{\"uid\":\"\\n#live\"}",
	    "{\"uid\":{\"uid\":\"AAAA\"}}"};
	char p[ZP_ML_NAME_MAX + 1], join[ZP_MLESFRAME_JOIN_MAX];
	static char deep[ZP_MLESFRAME_JOIN_MAX], big[ZP_ML_NAME_MAX + 2];
	int good = 0;
	const char *more =
	    "{ \"channel\" : \"BBBB\", \"x\": [1,{}], \"uid\":\"A+\\/A\" }";

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (zp_mlesframe_read_join(p, bad[i], strlen(bad[i])))
			printf("# taken: %s\n", bad[i]);
		else
			good++;
	}
	memset(deep, '[', sizeof(deep));
	OK(good == sizeof(bad) / sizeof(*bad) &&
		!zp_mlesframe_read_join(p, deep, sizeof(deep)),
	    "a text that is no join, whatever it holds, is none");
	OK(zp_mlesframe_read_join(p, more, strlen(more)) &&
		strcmp(p, "A-_A") == 0,
	    "a join may be written with blanks, escapes and more members");
	memset(big, 'A', sizeof(big));
	OK(zp_mlesframe_join(join, big, ZP_ML_NAME_MAX, big, ZP_ML_NAME_MAX) >
		    2 * ZP_ML_NAME_MAX &&
		zp_mlesframe_join(join, big, sizeof(big), "AAAA", 4) == 0 &&
		zp_mlesframe_join(join, "", 0, "AAAA", 4) == 0,
	    "the longest names fit into a join, longer and empty ones do not");
}

int
main(void)
{
	test_prototype();
	test_lengths();
	test_orders();
	test_random();
	test_cuts();
	test_lies();
	test_garbage();
	test_values();
	test_sizes();
	test_flips();
	test_records();
	test_joins();
	return tap_done();
}
