#include "store/zp_keyfile.h"

#include <sodium.h>

#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"
#include "crypt/zp_words.h"
#include "tap.h"
#include "tempdir.h"

static const uint8_t raw[ZP_KEY_LEN] = {1, 2, 3, 250, 251, 252, 253, 254, 255};

#define HEAD "zpinc-key 1\nsuite zp1\nchannel ops\nwork 18\n"
#define KEY "key AQID-vv8_f7_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"

static enum zp_err
parse(const char *text, struct zp_fault *fault)
{
	struct zp_keyfile *kf = NULL;
	enum zp_err err = zp_keyfile_parse(&kf, text, strlen(text), fault);

	if (!err)
		zp_keyfile_free(kf);
	return err;
}

static char made_text[ZP_KEYFILE_TEXT_MAX];

static enum zp_err
save_text(const struct zp_writer *w)
{
	return w->bad ? ZP_ERR_TOO_LONG
		      : zp_file_write("k", made_text, w->len, ZP_FILE_NEW);
}

/* As zpinc-key does it. */
static enum zp_err
save(const struct zp_keyfile *kf)
{
	struct zp_writer w;

	zp_writer_init(&w, made_text, sizeof(made_text));
	zp_keyfile_write(&w, kf);
	return save_text(&w);
}

static enum zp_err
save_identity(const struct zp_identity *id)
{
	struct zp_writer w;

	zp_writer_init(&w, made_text, sizeof(made_text));
	zp_idfile_write(&w, id);
	return save_text(&w);
}

static void
test_channel(void)
{
	struct zp_keyfile made = {.suite = ZP_SUITE_ZP1};
	struct zp_keyfile *kf = NULL;
	struct zp_fault fault;

	OK(zp_key_load(&made.key, raw, " b\\\xc3\xab ", 20) == ZP_OK,
	    "# a key");
	OK(save(&made) == ZP_OK && zp_keyfile_load(&kf, "k", &fault) == ZP_OK,
	    "a key that was saved can be loaded");
	OK(kf->kind == ZP_KEYFILE_CHANNEL && kf->suite == ZP_SUITE_ZP1 &&
		kf->conv == NULL &&
		strcmp(zp_keyfile_channel(kf), " b\\\xc3\xab ") == 0 &&
		zp_key_work(kf->key) == 20,
	    "with its channel, its suite and its work");
	SAME(zp_key_raw(kf->key), raw, sizeof(raw), "and it is the same key");
	zp_keyfile_free(kf);
	zp_key_free(made.key);
	unlink("k");
	OK(parse(HEAD KEY, &fault) == ZP_OK, "the form in the manual loads");
	OK(parse("# x\r\n\r\nzpinc-key 1\r\nsuite zp1\r\nchannel ops\r\n"
		 "work random\r\n" KEY "\n# y",
	       &fault) == ZP_OK,
	    "also with comments and carriage returns");
	zp_keyfile_free(NULL);
}

static void
test_refused(void)
{
	static const struct {
		const char *text;
		enum zp_err err;
		unsigned line;
		const char *name;
	} cases[] = {
	    {"", ZP_ERR_FORMAT, 0, "an empty file"},
	    {"\n# x\n", ZP_ERR_FORMAT, 0, "a file of comments"},
	    {"hello\n", ZP_ERR_FORMAT, 0, "another file"},
	    {"zpinc-key 2\n", ZP_ERR_VERSION, 1, "a later version"},
	    {"zpinc-key 0\n", ZP_ERR_FORMAT, 1, "no version"},
	    {"zpinc-key 1 \n" KEY, ZP_ERR_FORMAT, 2, "a missing suite"},
	    {"zpinc-key 1\nsuite zp9\n", ZP_ERR_SUITE, 2, "a strange suite"},
	    {"zpinc-key 1\nsuite zp1 x\n", ZP_ERR_FORMAT, 2, "two suites"},
	    {HEAD, ZP_ERR_FORMAT, 4, "a missing key"},
	    {HEAD KEY "more 1\n", ZP_ERR_FORMAT, 6, "an unknown line"},
	    {HEAD KEY KEY, ZP_ERR_FORMAT, 6, "a second key"},
	    {HEAD "key AQID-vv8_f7_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		ZP_ERR_FORMAT, 5, "a key too short"},
	    {HEAD "key AQID-vv8_f7_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		ZP_ERR_FORMAT, 5, "a key too long"},
	    {HEAD "key AQID-vv8_f7_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n",
		ZP_ERR_FORMAT, 5, "a key that is not canonical"},
	    {HEAD "key AQID+vv8_f7_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		ZP_ERR_FORMAT, 5, "a key in another base64"},
	    {HEAD "key AQID-vv8_f7_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x\n",
		ZP_ERR_FORMAT, 5, "something behind the key"},
	    {"zpinc-key 1\nsuite zp1\nchannel ops\nwork 14\n" KEY,
		ZP_ERR_FORMAT, 4, "too little work"},
	    {"zpinc-key 1\nsuite zp1\nchannel ops\nwork 23\n" KEY,
		ZP_ERR_FORMAT, 4, "too much work"},
	    {"zpinc-key 1\nsuite zp1\nchannel ops\nwork 018\n" KEY,
		ZP_ERR_FORMAT, 4, "a number written twice as long"},
	    {"zpinc-key 1\nsuite zp1\nchannel \nwork 18\n" KEY, ZP_ERR_FORMAT,
		3, "no channel"},
	    {"zpinc-key 1\nsuite zp1\nchannel a\tb\nwork 18\n" KEY,
		ZP_ERR_FORMAT, 3, "a channel with a control"},
	    {"zpinc-key 1\nsuite zp1\nchannel "
	     "12345678901234567890123456789012\nwork 18\n" KEY,
		ZP_ERR_FORMAT, 3, "a channel of 32 bytes"},
	    {"zpinc-key 1\nsuite zp1\nchannel \xff\nwork 18\n" KEY,
		ZP_ERR_FORMAT, 3, "bytes that are not UTF-8"},
	    {"zpinc-key 1\nchannel ops\nsuite zp1\nwork 18\n" KEY,
		ZP_ERR_FORMAT, 2, "lines in another order"},
	    {"zpinc-identity 1\nseed x\n", ZP_ERR_FORMAT, 0, "an identity"},
	};
	struct zp_fault fault;
	char name[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(name, sizeof(name), "%s is refused, with its line",
		    cases[i].name);
		enum zp_err err = parse(cases[i].text, &fault);
		if (!OK(err == cases[i].err && fault.line == cases[i].line,
			name))
			printf("# error %d, line %u\n", err, fault.line);
	}
	struct zp_keyfile *kf;
	OK(zp_keyfile_parse(&kf, "zpinc-key 1\nsuite zp1\nchannel a\0b\n", 33,
	       &fault) == ZP_ERR_FORMAT &&
		fault.line == 3,
	    "a NUL byte is refused, with its line");
}

/* Every truncation of a good file is refused. */
static void
test_truncated(void)
{
	static const char text[] = HEAD KEY;
	struct zp_keyfile *kf;
	bool refused = true;

	for (size_t n = 0; n + 2 < sizeof(text); n++)
		refused =
		    refused && zp_keyfile_parse(&kf, text, n, NULL) != ZP_OK;
	OK(refused, "a key file cut anywhere is refused");
}

static void
test_export(void)
{
	struct zp_keyfile made = {.suite = ZP_SUITE_ZP1}, *back = NULL;
	char line[ZP_KEYFILE_EXPORT_MAX] = "", bad[ZP_KEYFILE_EXPORT_MAX];
	static const char channel[] = "a name of thirty-one characters";

	_Static_assert(sizeof(channel) == ZP_NAME_MAX + 1, "the longest");
	OK(zp_key_load(&made.key, raw, channel, ZP_WORK_RANDOM) == ZP_OK,
	    "# key");
	OK(zp_keyfile_export(&made, line) == ZP_OK &&
		strncmp(line, "zpkey1.", 7) == 0 &&
		strspn(line + 7,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
		    "qrstuvwxyz0123456789-_") == strlen(line + 7),
	    "a key is exported as one word");
	size_t n = strlen(line);
	OK(zp_keyfile_import(&back, line, n) == ZP_OK &&
		memcmp(zp_key_raw(back->key), raw, sizeof(raw)) == 0 &&
		strcmp(zp_key_channel(back->key), channel) == 0 &&
		zp_key_work(back->key) == ZP_WORK_RANDOM,
	    "and comes back as it was");
	zp_keyfile_free(back);
	bool caught = true;
	for (size_t i = 7; i < n; i++)
		for (int c = 1; c < 256; c++) {
			memcpy(bad, line, sizeof(bad));
			if (bad[i] == (char)c)
				continue;
			bad[i] = (char)c;
			if (zp_keyfile_import(&back, bad, n) == ZP_OK) {
				caught = false;
				zp_keyfile_free(back);
			}
		}
	OK(caught, "every single mistyped character is noticed");
	for (size_t i = 0; i < n; i++)
		caught = caught && zp_keyfile_import(&back, line, i) != ZP_OK;
	OK(caught, "so is every line cut short");
	bad[0] = '\0';
	memcpy(bad, line, n);
	bad[5] = '2';
	OK(zp_keyfile_import(&back, bad, n) == ZP_ERR_VERSION,
	    "a later version is told as such");
	zp_key_free(made.key);
}

/* Names may be longer in the MlesTalk suite, and its work is fixed. */
static void
test_mles(void)
{
	static char channel[ZP_SUITE_NAME_MAX + 1];
	struct zp_keyfile *kf = NULL, *back = NULL;
	struct zp_fault fault;
	char line[ZP_KEYFILE_EXPORT_MAX] = "";

	memset(channel, 'x', ZP_SUITE_NAME_MAX);
	OK(zp_keyfile_make(&kf, ZP_SUITE_MLES, (const uint8_t *)"secret", 6,
	       channel, 15) == ZP_OK,
	    "a key of suite mles may have a long name");
	OK(save(kf) == ZP_OK && zp_keyfile_load(&back, "k", &fault) == ZP_OK &&
		back->suite == ZP_SUITE_MLES && back->key == NULL &&
		strcmp(zp_keyfile_channel(back), channel) == 0,
	    "and is kept in a file");
	SAME(zp_mles_key_raw(back->mles), zp_mles_key_raw(kf->mles),
	    ZP_MLES_KEY_LEN, "with the same key");
	zp_keyfile_free(back);
	back = NULL;
	OK(zp_keyfile_export(kf, line) == ZP_OK &&
		zp_keyfile_import(&back, line, strlen(line)) == ZP_OK &&
		back->suite == ZP_SUITE_MLES &&
		strcmp(zp_keyfile_channel(back), channel) == 0,
	    "and is exported and imported");
	zp_keyfile_free(back);
	zp_keyfile_free(kf);
	unlink("k");
	OK(zp_keyfile_make(&kf, ZP_SUITE_MLES, (const uint8_t *)"", 0, "c",
	       15) == ZP_ERR_PASSWORD,
	    "an empty passphrase is refused, though the format takes it");
	OK(parse("zpinc-key 1\nsuite mles\nchannel ops\nwork 16\n" KEY,
	       &fault) == ZP_ERR_FORMAT,
	    "another work than the suite's is refused");
	OK(parse("zpinc-key 1\nsuite mles\nchannel toString\nwork 15\n" KEY,
	       &fault) == ZP_ERR_FORMAT,
	    "so is a name that no prototype can hold");
}

static void
test_identity(void)
{
	struct zp_identity *id, *back = NULL;
	struct zp_fault fault;

	OK(zp_identity_new(&id) == ZP_OK, "# an identity");
	OK(save_identity(id) == ZP_OK &&
		zp_idfile_load(&back, "k", &fault) == ZP_OK,
	    "an identity that was saved can be loaded");
	SAME(zp_identity_public(back), zp_identity_public(id), ZP_IDKEY_LEN,
	    "and is the same one");
	zp_identity_free(back);
	zp_identity_free(id);
	unlink("k");
	OK(zp_idfile_parse(&back, HEAD KEY, strlen(HEAD KEY), &fault) ==
		    ZP_ERR_FORMAT &&
		strstr(fault.what, "-k") != NULL,
	    "a key given as an identity is told as such");
	OK(zp_idfile_parse(&back, "zpinc-identity 1\nseed AAAA\n", 27,
	       &fault) == ZP_ERR_FORMAT &&
		fault.line == 2,
	    "a short seed is refused");
}

/* ---- conversations ---- */

static struct zp_convfile *
make_conv(size_t n)
{
	struct zp_convfile *c = zp_convfile_new(n);

	if (c == NULL)
		exit(1);
	strcpy(c->channel, "ops");
	memset(c->amac, 1, sizeof(c->amac));
	memset(c->aenc, 2, sizeof(c->aenc));
	memset(c->id, 3, sizeof(c->id));
	memset(c->key, 4, sizeof(c->key));
	c->time = 1700000000123;
	c->me = n - 1;
	for (size_t i = 0; i < n; i++) {
		struct zp_convfile_member *m = &c->members[i];
		snprintf(m->uid, sizeof(m->uid), " user %zu\\", i);
		memset(m->sid, (int)i, sizeof(m->sid));
		if (i % 2)
			memset(m->idkey, 9, sizeof(m->idkey));
		if (zp_pseudo_make(m->p, c->amac, c->aenc, ZP_PSEUDO_USER,
			m->uid) != ZP_OK)
			exit(1);
	}
	return c;
}

static bool
conv_survives(size_t n)
{
	struct zp_convfile *c = make_conv(n);
	struct zp_keyfile *kf = NULL;
	struct zp_fault fault;
	size_t size = sizeof(*c) + n * sizeof(c->members[0]);

	bool same = zp_convfile_save(c, "c", ZP_FILE_REPLACE) == ZP_OK &&
	    zp_keyfile_load(&kf, "c", &fault) == ZP_OK &&
	    kf->kind == ZP_KEYFILE_CONVERSATION && kf->key == NULL &&
	    memcmp(kf->conv, c, size) == 0 &&
	    strcmp(zp_keyfile_channel(kf), "ops") == 0;
	zp_keyfile_free(kf);
	zp_convfile_free(c);
	return same;
}

/* The file with `from` changed to `to`, parsed. */
static enum zp_err
conv_changed(const char *from, const char *to, struct zp_fault *fault)
{
	struct zp_file_data d;
	struct zp_convfile *c = NULL;
	char text[4096];

	if (zp_file_read("c", 4000, &d, fault) != ZP_OK)
		exit(1);
	char *at = strstr(d.data, from);
	if (at == NULL)
		exit(1);
	*at = '\0';
	snprintf(text, sizeof(text), "%s%s%s", d.data, to, at + strlen(from));
	zp_secret_free(d.data);
	enum zp_err err = zp_convfile_parse(&c, text, strlen(text), fault);
	if (!err)
		zp_convfile_free(c);
	return err;
}

static void
test_conversation(void)
{
	struct zp_fault fault;

	OK(conv_survives(2), "a conversation that was saved can be loaded");
	OK(conv_survives(ZP_CONVFILE_MEMBERS), "with as many as 1,024 members");
	OK(zp_convfile_new(1) == NULL &&
		zp_convfile_new(ZP_CONVFILE_MEMBERS + 1) == NULL,
	    "not with one, nor with more");
	OK(conv_survives(3), "# three members");
	OK(conv_changed("me 3", "me 3", &fault) == ZP_OK, "# unchanged");
	OK(conv_changed("me 3", "me 4", &fault) == ZP_ERR_FORMAT,
	    "one must be a member");
	OK(conv_changed("me 3", "me 0", &fault) == ZP_ERR_FORMAT,
	    "members are counted from one");
	OK(conv_changed("members 3", "members 2", &fault) == ZP_ERR_FORMAT,
	    "a member too many is refused");
	OK(conv_changed("members 3", "members 4", &fault) == ZP_ERR_FORMAT,
	    "a member too few is refused");
	OK(conv_changed("members 3", "members 99999999999", &fault) ==
		ZP_ERR_FORMAT,
	    "a number of members that lies is refused before any memory");
	OK(conv_changed("user 1", "user 2", &fault) == ZP_ERR_CORRUPT &&
		fault.line > 12,
	    "a member under another's pseudonym is refused, with its line");
	OK(conv_changed("suite zp1", "suite mles", &fault) == ZP_ERR_SUITE,
	    "another suite is refused");
	OK(conv_changed("zpinc-conversation 1", "zpinc-conversation 9",
	       &fault) == ZP_ERR_VERSION,
	    "a later version is refused as such");
	unlink("c");
}

static void
test_words(void)
{
	char a[ZP_WORDS_LEN(ZP_WORDS_MAX)], b[ZP_WORDS_LEN(ZP_WORDS_MAX)];
	bool seen[256] = {false};
	size_t letters = 0;

	OK(zp_words_make(a, 3) == ZP_OK && strlen(a) == 17 && a[5] == '-' &&
		a[11] == '-',
	    "three words are 17 characters");
	OK(zp_words_make(a, ZP_WORDS_MAX) == ZP_OK &&
		zp_words_make(b, ZP_WORDS_MAX) == ZP_OK && strcmp(a, b) != 0,
	    "no two are alike");
	for (int i = 0; i < 100; i++) {
		if (zp_words_make(a, ZP_WORDS_MAX) != ZP_OK)
			exit(1);
		for (const char *p = a; *p != '\0'; p++)
			seen[(unsigned char)*p] = true;
	}
	for (int c = 0; c < 256; c++)
		letters += seen[c];
	IS(letters, 16 + 4 + 1, "all letters come, and no others");
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 1;
	tempdir_enter();
	test_channel();
	test_refused();
	test_truncated();
	test_export();
	test_mles();
	test_identity();
	test_conversation();
	test_words();
	IS(tempdir_count(), 0, "nothing is left behind");
	return tap_done();
}
