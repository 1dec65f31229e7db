/* What lies between records and the machine: zp_presence, zp_status. */
#include <sodium.h>

#include "crypt/zp_pseudo.h"
#include "crypt/zp_seal.h"
#include "crypt/zp_secret.h"
#include "proc/zp_status.h"
#include "world.h"

static const struct zp_presence_config usual;

/* ---- a conversation ------------------------------------------------------ */

/* A message by a member under the current conversation, as a line. */
static size_t
seal_message(const struct person *who, const struct zp_machine_conv *conv,
    const char *text, char *line)
{
	uint8_t body[64] = {0};
	struct zp_sigctx ctx = {0};
	struct zp_sealer *s;
	const struct zp_group_member *self =
	    &zp_machine_self(machine_of(who))->who;
	struct zp_payload p = {.kind = ZP_KIND_MESSAGE,
	    .flags = ZP_FLAG_LAST,
	    .body = body,
	    .body_len = 8 + strlen(text)};

	memcpy(body + 8, text, strlen(text));
	memcpy(p.sid, self->sid, sizeof(p.sid));
	memcpy(ctx.rp, zp_key_rp(world.key, false), sizeof(ctx.rp));
	memcpy(ctx.p, self->p, sizeof(ctx.p));
	memcpy(ctx.keyid, conv->keys->id, sizeof(ctx.keyid));
	need(zp_sealer_new(&s, conv->keys->key, &ctx, NULL) == ZP_OK);
	size_t len = zp_sealer_line_len(s, p.body_len);
	need(zp_sealer_line(s, line, &p) == ZP_OK);
	zp_sealer_free(s);
	return len;
}

static void
converse(void)
{
	struct person *alice = world_add("alice", usual);
	struct person *bob = world_add("bob", usual);
	struct zp_presence_got got;
	char line[1024], why[ZP_PRESENCE_TEXT];

	IS(strcmp(zp_presence_why(why, alice->p), "nobody else is here"), 0,
	    "alone, the reason to wait is that nobody is here");
	world_run(5000);
	OK(said(alice, "bob is here; "), "who answers is told to be here");
	OK(said(bob, "alice and bob; ") || said(bob, "bob and alice; "),
	    "a conversation is told with its members");
	IS(zp_presence_why(why, alice->p)[0], '\0',
	    "there is no reason to wait any more");

	const struct zp_machine_conv *conv =
	    zp_machine_current(machine_of(bob));
	need(conv != NULL);
	size_t len = seal_message(bob, conv, "hi", line);
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_BODY,
	    "a message of the conversation opens");
	OK(got.conv == zp_machine_current(machine_of(alice)),
	    "it comes with its conversation");
	OK(got.sender != NULL && strcmp(got.sender->uid, "bob") == 0,
	    "and with the member who sent it");

	need(zp_presence_rekey(alice->p, &world.now) == ZP_OK);
	world_run(8000);
	IS(alice->keys, 2, "a new key is told");
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_BODY,
	    "messages under the old one open for a while");
	OK(got.conv != NULL &&
		got.conv != zp_machine_current(machine_of(alice)),
	    "and come with the old conversation");
	world_run(60000);
	IS(alice->gone, 1, "its end is told");
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_NOISE,
	    "from then on they are noise");

	need(zp_presence_stop(bob->p, &world.now) == ZP_OK);
	world_run(1000);
	OK(said(alice, "bob left; "), "who says that he leaves is told");
	OK(said(alice, "the conversation has ended"),
	    "alone there is no conversation");
	IS(zp_presence_tick(bob->p, &world.now), ZP_ERR_ENDED,
	    "who has left does nothing any more");
	world_clear();
}

/* A relay may keep the last word of every session that ever was. */
static void
left_before(void)
{
	struct person *alice = world_add("alice", usual);
	struct person *bob = world_add("bob", usual);
	struct zp_presence_got got;
	char last[4096];
	const char *line;
	size_t len;

	world_run(5000);
	need(zp_presence_stop(bob->p, &world.now) == ZP_OK);
	need(zp_presence_line(bob->p, &line, &len) && len <= sizeof(last));
	memcpy(last, line, len);
	IS(world_hear(alice, last, len, &got), ZP_PRESENCE_HELLO,
	    "a last word is a hello");
	OK(said(alice, "bob left; "), "and told of who was here");
	struct person *carol = world_add("carol", usual);
	world_run(5000);
	IS(world_hear(carol, last, len, &got), ZP_PRESENCE_HELLO,
	    "a last word of before comes again");
	OK(!said(carol, "bob left"), "nobody is told to leave who never came");
	world_clear();
}

static void
stop(void)
{
	struct person *alice = world_add("alice", usual);
	struct person *bob = world_add("bob", usual);
	struct zp_presence_got got;
	char line[1024];

	world_run(5000);
	size_t len =
	    seal_message(bob, zp_machine_current(machine_of(bob)), "hi", line);
	need(zp_presence_stop(alice->p, &world.now) == ZP_OK);
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_NOISE,
	    "who has left opens no message");
	world_clear();
}

/* ---- fixed conversations --------------------------------------------------
 */

static void
fixed(void)
{
	struct zp_presence_config c = {.fixed = true, .hellos_only = true};
	struct person *alice = world_add("alice", c);
	struct person *bob = world_add("bob", c);
	struct zp_presence_got got;
	char line[1024], why[ZP_PRESENCE_TEXT];

	for (int i = 0; i < 200 && alice->current + bob->current < 2; i++)
		world_run(10);
	IS(alice->current + bob->current, 2, "two make a fixed conversation");
	world_run(100);
	IS(alice->settled, 1, "it is settled when everybody is done");
	size_t len =
	    seal_message(bob, zp_machine_current(machine_of(bob)), "hi", line);
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_NOISE,
	    "where hellos alone are wanted, messages are noise");
	struct person *carol = world_add("carol", c);
	world_run(3000);
	IS(carol->late, 1, "who comes then is too late");
	OK(said(carol, "has the conversation already: too late"),
	    "and is told who has it");
	world_clear();

	const char *both[] = {"bob", "carol"};
	c.allowed = both;
	c.allowed_count = 2;
	alice = world_add("alice", c);
	world_add("bob", (struct zp_presence_config){.fixed = true});
	world_run(3000);
	IS(strcmp(zp_presence_why(why, alice->p), "carol is not here"), 0,
	    "a missing member is the reason to wait");
	world_clear();
}

/* ---- identities -----------------------------------------------------------
 */

static void
identities(void)
{
	struct zp_identity *a, *b = NULL;
	struct zp_presence_config ca = usual, cb = usual;
	struct zp_presence *p;

	need(zp_identity_new(&a) == ZP_OK && zp_identity_new(&b) == ZP_OK);
	ca.id = a;
	cb.id = b;
	struct person *alice = world_add("alice", ca);
	struct person *bob = world_add("bob", cb);
	world_run(5000);
	OK(said(alice, "bob: seen for the first time: identity pinned; "),
	    "a new identity is pinned and told");
	IS(alice->current, 1, "and may be in a conversation");
	world_clear();

	alice = world_add("alice", ca);
	cb.id = a;
	bob = &world.who[world.n++];
	memset(bob, 0, sizeof(*bob));
	cb.key = world.key;
	cb.uid = "bob";
	bob->known = world_known("elsewhere");
	cb.known = bob->known;
	cb.event = world_event;
	cb.arg = bob;
	need(zp_presence_new(&bob->p, &cb) == ZP_OK);
	need(zp_presence_start(bob->p, &world.now) == ZP_OK);
	world_run(120000);
	OK(said(alice, "bob is refused: the identity has CHANGED; "),
	    "a changed identity is refused");
	IS(alice->online, 0, "and not here");
	char *once = strstr(alice->said, "CHANGED");
	OK(once != NULL && strstr(once + 1, "CHANGED") == NULL,
	    "that is told once, however often it says hello");

	ca = usual;
	ca.key = world.key;
	ca.uid = "alice";
	ca.known = alice->known;
	IS(zp_presence_new(&p, &ca), ZP_ERR_UNSIGNED,
	    "nobody joins unsigned where his own identity is pinned");
	ca.id = b;
	IS(zp_presence_new(&p, &ca), ZP_ERR_CHANGED,
	    "nor with another identity");
	world_clear();
	zp_identity_free(a);
	zp_identity_free(b);
}

/* ---- insiders -------------------------------------------------------------
 */

/* A hello of anybody, with a body of one's choice. */
static size_t
seal_hello(const char *uid, struct zp_payload p, char *line)
{
	struct zp_sigctx ctx = {0};
	struct zp_sealer *s;

	need(zp_pseudo_make(ctx.p, zp_key_amac(world.key),
		 zp_key_aenc(world.key), ZP_PSEUDO_USER, uid) == ZP_OK);
	memcpy(ctx.rp, zp_key_rp(world.key, true), sizeof(ctx.rp));
	p.kind = ZP_KIND_HELLO;
	memcpy(p.sid, uid, strlen(uid) < 16 ? strlen(uid) : 16);
	need(zp_sealer_new(&s, zp_key_msgkey(world.key), &ctx, NULL) == ZP_OK);
	size_t len = zp_sealer_line_len(s, p.body_len);
	need(zp_sealer_line(s, line, &p) == ZP_OK);
	zp_sealer_free(s);
	return len;
}

static size_t
count(const char *in, const char *what)
{
	size_t n = 0;

	for (; (in = strstr(in, what)) != NULL; in++)
		n++;
	return n;
}

static void
insiders(void)
{
	struct person *alice = world_add("anna", usual);
	struct zp_presence_got got;
	uint8_t body[24] = {0};
	struct zp_payload p = {
	    .flags = ZP_FLAG_LAST, .body = body, .body_len = sizeof(body)};
	char line[1024], uid[32];
	size_t len;

	p.part = 1;
	len = seal_hello("eve", p, line);
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_BAD,
	    "a hello that says to be a second part is refused");
	IS(got.err, ZP_ERR_FORMAT, "as malformed");
	p.part = 0;
	p.flags = 0;
	len = seal_hello("eve", p, line);
	IS(world_hear(alice, line, len, &got), ZP_PRESENCE_BAD,
	    "a hello that is not whole is refused");
	p.flags = ZP_FLAG_LAST;
	body[1] = 1; /* reserved */
	for (unsigned i = 0; i < 200; i++) {
		snprintf(uid, sizeof(uid), "eve%u", i);
		p.seq = i;
		len = seal_hello(uid, p, line);
		need(world_hear(alice, line, len, &got) == ZP_PRESENCE_HELLO);
	}
	IS(count(alice->said, "is refused: malformed"), 32,
	    "complaints about many are told up to a limit");
	world_run(60000);
	len = seal_hello("mallory", p, line);
	need(world_hear(alice, line, len, &got) == ZP_PRESENCE_HELLO);
	IS(count(alice->said, "mallory is refused"), 1,
	    "later there are complaints again");
	world_clear();
}

/* Somebody who sends every hello of ours back under our own session. */
static void
impostor(void)
{
	struct person *alice = world_add("anna", usual);
	const struct zp_group_member *self =
	    &zp_machine_self(machine_of(alice))->who;
	uint8_t body[24] = {0}, sid[ZP_SID_LEN];
	struct zp_sigctx ctx = {0};
	struct zp_sealer *s;
	struct zp_presence_got got;
	struct zp_payload p = {.kind = ZP_KIND_HELLO,
	    .flags = ZP_FLAG_LAST,
	    .seq = 1000,
	    .body = body,
	    .body_len = sizeof(body)};
	char line[1024];

	memcpy(sid, self->sid, sizeof(sid));
	memcpy(p.sid, sid, sizeof(sid));
	memcpy(ctx.rp, zp_key_rp(world.key, true), sizeof(ctx.rp));
	memcpy(ctx.p, self->p, sizeof(ctx.p));
	need(zp_sealer_new(&s, zp_key_msgkey(world.key), &ctx, NULL) == ZP_OK);
	size_t len = zp_sealer_line_len(s, p.body_len);
	need(zp_sealer_line(s, line, &p) == ZP_OK);
	zp_sealer_free(s);
	need(world_hear(alice, line, len, &got) == ZP_PRESENCE_HELLO);
	OK(said(alice, "somebody else speaks as us: we begin a new session"),
	    "who speaks as our session is told");
	self = &zp_machine_self(machine_of(alice))->who;
	OK(memcmp(self->sid, sid, sizeof(sid)) != 0,
	    "and another session begins");
	struct person *bob = world_add("ben", usual);
	world_run(5000);
	IS(bob->current, 1, "which makes conversations as before");
	world_clear();
}

/* ---- words ----------------------------------------------------------------
 */

static void
names(void)
{
	static struct zp_member many[64];
	char text[ZP_PRESENCE_TEXT];

	for (size_t i = 0; i < 64; i++)
		snprintf(many[i].uid, sizeof(many[i].uid),
		    "a-rather-long-name-of-member-%zu", i % 10);
	zp_presence_names(text, many, 64);
	OK(strstr(text, " more") != NULL && strlen(text) < sizeof(text),
	    "a long list of names is cut, and says so");
	strcpy(many[0].uid, "ev\xe2\x80\xaeil\\");
	strcpy(many[1].uid, "bob");
	strcpy(many[2].uid, "carol");
	zp_presence_names(text, many, 3);
	IS(strcmp(text, "ev\\xe2\\x80\\xaeil\\\\, bob and carol"), 0,
	    "names are escaped and listed as people do");
	strcpy(many[0].uid, "alice, dave");
	strcpy(many[1].uid, "erin and bob");
	zp_presence_names(text, many, 3);
	IS(strcmp(text, "alice\\x2c\\x20dave, erin\\x20and\\x20bob and carol"),
	    0, "a name that reads like a list is one name");
	strcpy(many[1].uid, "bob");
	zp_presence_names(text, many + 1, 1);
	IS(strcmp(text, "bob"), 0, "one name stands alone");
}

/* Everything that zp_status finds in text that comes in pieces of n. */
static void
find(const char *text, size_t n, char *to)
{
	struct zp_status s;
	size_t len = strlen(text);

	zp_status_init(&s);
	*to = '\0';
	for (size_t from = 0; from < len; from += n) {
		const char *at = text + from;
		const char *end = at + (n < len - from ? n : len - from);
		while (zp_status_next(&s, &at, end)) {
			strcat(to, s.line);
			strcat(to, "|");
		}
	}
}

static void
statuses(void)
{
	static const char text[] =
	    "zp1.no #up\n#up\n\n#down it went\r\nxx\n#\n#live\n#cut";
	static const char want[] = "up|down it went||live|";
	static char long_text[5000];
	char got[5000];
	bool same = true;
	struct zp_status s;

	for (size_t n = 1; n < sizeof(text); n++) {
		find(text, n, got);
		same = same && strcmp(got, want) == 0;
	}
	OK(same, "status lines are found however the bytes come");
	memset(long_text, 'a', sizeof(long_text) - 2);
	long_text[0] = '#';
	long_text[sizeof(long_text) - 2] = '\n';
	find(long_text, 7, got);
	IS(strlen(got), ZP_STATUS_MAX, "a long one is cut");
	zp_status_init(&s);
	const char *at = "#down\n";
	need(zp_status_next(&s, &at, at + 6));
	OK(zp_status_is(&s, "down") != NULL && *zp_status_is(&s, "down") == 0,
	    "a word may stand alone");
	OK(zp_status_is(&s, "do") == NULL, "half a word is none");
}

int
main(void)
{
	world_begin();
	converse();
	left_before();
	stop();
	fixed();
	identities();
	insiders();
	impostor();
	names();
	statuses();
	world_end();
	return tap_done();
}
