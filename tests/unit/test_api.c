#include <fcntl.h>

#include "crypt/zp_key.h"
#include "crypt/zp_pseudo.h"
#include "store/zp_convfile.h"
#include "tap.h"
#include "tempdir.h"
#include "zpinc.h"

/* The library as zpinc.h promises it. */

#define PASSWORD "correct horse battery staple"

static struct zpinc_key *key;
static struct zpinc_sender *sender;
static char out[1 << 20];
static size_t out_len, records;

static int
put(void *arg, const char *record, size_t len)
{
	bool whole = record[len] == '\n' && record[len + 1] == '\0' &&
	    len + 1 <= sizeof(out) - out_len;

	if (!whole)
		return 1;
	memcpy(out + out_len, record, len + 1);
	out_len += len + 1;
	records++;
	return arg != NULL;
}

/* What was taken last. */
static struct {
	size_t n, len;
	int kind;
	bool conversation, stop;
	uint64_t seq, time;
	char uid[64], body[64];
} got;

static int
take(void *arg, const struct zpinc_note *note)
{
	(void)arg;
	got.n++;
	got.len = note->len;
	got.kind = note->kind;
	got.conversation = note->conversation != NULL;
	got.seq = note->seq;
	got.time = note->time_ms;
	snprintf(got.uid, sizeof(got.uid), "%s", note->uid);
	snprintf(got.body, sizeof(got.body), "%.*s",
	    (int)(note->len < 63 ? note->len : 63), (const char *)note->body);
	return got.stop;
}

static int
seal(const char *body)
{
	out_len = records = 0;
	return zpinc_seal(sender, body, strlen(body), 7000, put, NULL);
}

static int
open_with(struct zpinc_reader *r, const char *text, size_t len)
{
	memset(&got, 0, sizeof(got));
	return zpinc_open(r, text, len, take, NULL);
}

static void
keys(void)
{
	struct zpinc_key *other;

	IS(zpinc_init() + zpinc_init(), 0, "it begins, twice without harm");
	IS(zpinc_key_derive(&other, "", 0, "ops", 15), ZPINC_EINVAL,
	    "an empty password is none");
	IS(zpinc_key_derive(&other, PASSWORD, 28, "", 15), ZPINC_EINVAL,
	    "nor is a channel without a name one");
	IS(zpinc_key_derive(&other, PASSWORD, 28, "ops", 14), ZPINC_EINVAL,
	    "work below 15 is refused");
	IS(zpinc_key_derive(&other, PASSWORD, 28, "ops", 23), ZPINC_EINVAL,
	    "and above 22");
	IS(zpinc_key_load(&other, "nowhere.key"), ZPINC_EKEY,
	    "a file that is not there is no key");
	IS(zpinc_key_derive(&key, PASSWORD, 28, "ops", 15), 0,
	    "a password makes a key");
	IS(strcmp(zpinc_key_channel(key), "ops"), 0, "it knows its channel");
	OK(strlen(zpinc_key_topic(key)) == 64 && zpinc_key_topic(key)[0] == 'z',
	    "and its topic");
	zpinc_key_free(NULL);
	zpinc_sender_free(NULL);
	zpinc_reader_free(NULL);
	for (int i = 0; i <= ZPINC_ECALLBACK + 1; i++)
		OK(strlen(zpinc_strerror(i)) > 1, "every number has words");
}

static void
senders(void)
{
	struct zpinc_sender *none;

	IS(zpinc_sender_new(&none, key, "a\nb", NULL, 0), ZPINC_EINVAL,
	    "a name with controls is refused");
	IS(zpinc_sender_new(&none, key, NULL, NULL, 0), ZPINC_EINVAL,
	    "a channel's key has no name of its own");
	IS(zpinc_sender_new(&none, key, "a", NULL, 1023), ZPINC_EINVAL,
	    "records are not shorter than 1,024");
	IS(zpinc_sender_new(&none, key, "a", NULL, 1048577), ZPINC_EINVAL,
	    "nor longer than a mebibyte");
	IS(zpinc_sender_new(&none, key, "a", "nowhere.id", 0), ZPINC_EKEY,
	    "an identity that is not there is told");
	IS(zpinc_sender_new(&sender, key, "db1", NULL, 1024), 0,
	    "a sender is made");
}

static void
notes(void)
{
	struct zpinc_reader *r;
	char line[2048];

	OK(zpinc_reader_new(&r, key) == 0 && seal("hello") == 0 && records == 1,
	    "a body becomes a record");
	OK(memcmp(out, "zp1.", 4) == 0 &&
		memcmp(out + 4, zpinc_key_topic(key), 64) == 0,
	    "which names its topic");
	size_t n = (size_t)snprintf(
	    line, sizeof(line), "{\"x\":\"%.*s\"}", (int)out_len - 1, out);
	IS(open_with(r, line, n), 0, "in any decoration it opens");
	OK(got.n == 1 && got.kind == 1 && got.seq == 0 && got.time == 7000 &&
		!got.conversation && strcmp(got.uid, "db1") == 0 &&
		strcmp(got.body, "hello") == 0,
	    "to what was sealed, and who did, and when");
	IS(open_with(r, line, n), ZPINC_EREPLAY, "once");
	IS(got.n, 0, "and is not handed over again");
	IS(open_with(r, "no record", 9), ZPINC_ENOTOURS,
	    "text without a record is not ours");
	OK(seal("there") == 0 && open_with(r, out, out_len) == 0 &&
		got.seq == 1,
	    "numbers go on");
	seal("changed");
	out[out_len - 10] = out[out_len - 10] == 'A' ? 'B' : 'A';
	int error = open_with(r, out, out_len);
	OK((error == ZPINC_EREFUSED || error == ZPINC_ENOTOURS) && got.n == 0,
	    "one letter changed, and nothing is handed over");
	IS(zpinc_seal(sender, "x", 1, 0, put, &r), ZPINC_ECALLBACK,
	    "who takes records may end it");
	seal("stop");
	memset(&got, 0, sizeof(got));
	got.stop = true;
	IS(zpinc_open(r, out, out_len, take, NULL), ZPINC_ECALLBACK,
	    "so may who takes notes");
	zpinc_reader_free(r);
}

static void
parts(void)
{
	struct zpinc_reader *r;
	static char body[5000];

	memset(body, 'b', sizeof(body));
	out_len = records = 0;
	OK(zpinc_reader_new(&r, key) == 0 &&
		zpinc_seal(sender, body, sizeof(body), 0, put, NULL) == 0 &&
		records > 5,
	    "a long body goes out in parts");
	char *last = memchr(out, '\n', out_len);
	size_t first = (size_t)(last - out) + 1;
	IS(open_with(r, out + first, out_len - first), 0, "the others open");
	IS(got.n, 0, "but are no body without the first");
	IS(open_with(r, out, first), 0, "and with it");
	OK(got.n == 1 && got.len == sizeof(body) && got.time == 0,
	    "the body is whole, and handed over once");
	zpinc_reader_free(r);
}

/* A conversation of alice, who is us, and bob. */
static bool
make_conversation(const char *path)
{
	static const char *const names[] = {"alice", "bob"};
	struct zp_convfile *c = zp_convfile_new(2);
	struct zp_key *k;
	bool good = c != NULL &&
	    zp_key_derive(&k, (const uint8_t *)PASSWORD, 28, "ops", 15) ==
		ZP_OK;

	if (!good)
		return false;
	strcpy(c->channel, "ops");
	memcpy(c->amac, zp_key_amac(k), ZP_KEY_LEN);
	memcpy(c->aenc, zp_key_aenc(k), ZP_KEY_LEN);
	memset(c->key, 7, sizeof(c->key));
	memset(c->id, 9, sizeof(c->id));
	for (size_t i = 0; i < 2; i++) {
		strcpy(c->members[i].uid, names[i]);
		good = good &&
		    zp_pseudo_make(c->members[i].p, c->amac, c->aenc,
			ZP_PSEUDO_USER, names[i]) == ZP_OK;
	}
	/* Members are in the order of their pseudonyms. */
	if (memcmp(c->members[0].p, c->members[1].p, ZP_PSEUDONYM_LEN) > 0) {
		struct zp_convfile_member swap = c->members[0];
		c->members[0] = c->members[1];
		c->members[1] = swap;
		c->me = 1;
	}
	good = good && zp_convfile_save(c, path, ZP_FILE_REPLACE) == ZP_OK;
	zp_convfile_free(c);
	zp_key_free(k);
	return good;
}

static void
conversations(void)
{
	struct zpinc_key *conv = NULL;
	struct zpinc_reader *r = NULL, *channel = NULL;
	struct zpinc_sender *s;

	OK(make_conversation("conv") && zpinc_key_load(&conv, "conv") == 0,
	    "a conversation's key is a key");
	IS(strcmp(zpinc_key_topic(conv), zpinc_key_topic(key)), 0,
	    "of the same topic");
	IS(zpinc_sender_new(&s, conv, "bob", NULL, 0), ZPINC_EINVAL,
	    "its member has one name and no other");
	OK(zpinc_sender_new(&s, conv, NULL, NULL, 0) == 0 &&
		zpinc_reader_new(&r, conv) == 0 &&
		zpinc_reader_new(&channel, key) == 0,
	    "which need not be given");
	out_len = records = 0;
	IS(zpinc_seal(s, "secret", 6, 1, put, NULL), 0, "it seals");
	IS(open_with(channel, out, out_len), ZPINC_ENOTOURS,
	    "what the channel's key does not open");
	IS(open_with(r, out, out_len), 0, "and its own does");
	OK(got.kind == 2 && got.conversation && strcmp(got.uid, "alice") == 0 &&
		strcmp(got.body, "secret") == 0,
	    "as a message of that member");
	zpinc_sender_free(s);
	zpinc_reader_free(r);
	zpinc_reader_free(channel);
	zpinc_key_free(conv);
	OK(chmod("conv", 0644) == 0 &&
		zpinc_key_load(&conv, "conv") == ZPINC_EKEY,
	    "a key that others can read is refused");
}

int
main(void)
{
	tempdir_enter();
	keys();
	senders();
	notes();
	parts();
	conversations();
	zpinc_sender_free(sender);
	zpinc_key_free(key);
	return tap_done();
}
