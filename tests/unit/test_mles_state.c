/*
 * A MlesTalk member against transcripts of prototypes, as each of them in
 * turn, and against frames that a hostile relay or member may send.
 */

#include <sodium.h>

#include "crypt/zp_secret.h"
#include "mles/zp_mles_state.h"

#include "mles_vec.h"
#include "tap.h"

static char label[300];
static struct mles_case group, member[8];
static size_t members;

static struct step {
	size_t from; /* index of the member */
	bool conversation;
	int64_t date;
	char fs[9]; /* in the order of joining */
	uint8_t bytes[1024];
	struct zp_mles_raw raw;
} step[64];
static size_t steps;

static const char *
named(size_t me, const char *what)
{
	snprintf(label, sizeof(label), "%s, as %s: %s", group.name,
	    member[me].name, what);
	return label;
}

static struct zp_mles_name
name_of(const char *s)
{
	struct zp_mles_name n;

	n.len = (uint16_t)strlen(s);
	memcpy(n.bytes, s, n.len);
	return n;
}

/* Random bytes with this member's scalar and the transcript's sid. */
static void
random_of(size_t me, uint8_t to[static ZP_MLES_STATE_RANDOM])
{
	static uint8_t count;

	memset(to, ++count, ZP_MLES_STATE_RANDOM);
	mles_bytes(&member[me], "y", to, 32);
	memset(to + 32, 0, 32);
	mles_bytes(&group, "sid", to + 64, 8);
	mles_bytes(&group, "sid", to + 72, 8);
}

static struct zp_mles_key *
group_key(void)
{
	struct zp_mles_key *key = NULL;
	const char *pw = mles_text(&group, "password");
	const char *ch = mles_text(&group, "channel");

	/* Both are encoded already. */
	if (zp_mles_key_derive_raw(&key, (const uint8_t *)pw, strlen(pw),
		(const uint8_t *)ch, strlen(ch)) != ZP_OK)
		mles_die("no key", pw);
	return key;
}

/* Replays the transcript as one of its members. */
static void
replay(struct zp_mles_key *key, size_t me)
{
	uint8_t random[ZP_MLES_STATE_RANDOM], want[32];
	uint8_t *got = zp_secret_new(32);
	struct zp_mles_name uid = name_of(member[me].name);
	struct zp_mles_state *s = NULL;
	size_t at = (size_t)mles_number(&member[me], "joined");
	bool opened = true, layers = true, fs = false, as_seen = true;

	random_of(me, random);
	if (zp_mles_state_new(&s, key, &uid, random) != ZP_OK)
		mles_die("no state", group.name);
	zp_mles_state_live(s, true, 0);
	for (size_t i = 0; i < steps; i++) {
		struct zp_mles_sent sent = {0};
		struct zp_mles_got g = {0};
		int64_t now = (int64_t)i * 1000;
		if (step[i].from == me) {
			random_of(me, random);
			if (zp_mles_state_send(s, now, step[i].date,
				ZP_MLES_FULL, "x", 1, ZP_MLES_EAGER, random,
				&sent) != ZP_OK)
				opened = false;
			fs = fs || sent.use == ZP_MLES_CONVERSATION;
		} else if (zp_mles_state_receive(s, &step[i].raw, now, &g) !=
		    ZP_OK) {
			opened = false;
		} else if ((g.use == ZP_MLES_CONVERSATION) !=
		    step[i].conversation) {
			layers = false;
		}
		as_seen = as_seen && fs == (step[i].fs[at] == '1');
	}
	OK(opened, named(me, "every frame opens"));
	OK(layers, named(me, "under the key it was sealed with"));
	OK(as_seen,
	    named(me, "forward secrecy begins where the prototype's did"));
	OK(zp_mles_state_fs(s) == ZP_MLES_FS_ON,
	    named(me, "in the end every member was heard under the key"));
	mles_bytes(&group, "secret", want, sizeof(want));
	OK(zp_mles_state_secret(s, got) && memcmp(got, want, 32) == 0,
	    named(me, "which is the transcript's"));
	zp_secret_free(got);
	zp_mles_state_free(s);
}

static void
check_group(void)
{
	struct zp_mles_key *key = group_key();

	for (size_t i = 0; i < members; i++)
		replay(key, i);
	zp_mles_key_free(key);
}

static void
add_step(const struct mles_case *c)
{
	struct step *s = &step[steps++];
	size_t n = 0;

	memset(s, 0, sizeof(*s));
	while (s->from < members && strcmp(member[s->from].name, c->name) != 0)
		s->from++;
	s->conversation = strcmp(mles_text(c, "layer"), "conversation") == 0;
	s->date = mles_number(c, "date_ms");
	snprintf(s->fs, sizeof(s->fs), "%s", mles_text(c, "fs"));
	s->raw.rp = s->bytes;
	s->raw.rp_len = mles_bytes(c, "rp", s->bytes, sizeof(s->bytes));
	n = s->raw.rp_len;
	s->raw.p = s->bytes + n;
	s->raw.p_len = mles_bytes(c, "p", s->bytes + n, sizeof(s->bytes) - n);
	n += s->raw.p_len;
	s->raw.message = s->bytes + n;
	s->raw.len =
	    mles_bytes(c, "message", s->bytes + n, sizeof(s->bytes) - n);
}

static size_t
transcripts(void)
{
	FILE *f = mles_vectors();
	static struct mles_case c;
	size_t seen = 0;

	while (mles_next(f, &c)) {
		bool group_begins = strcmp(c.kind, "group") == 0;
		if (group_begins && steps > 0)
			check_group();
		if (group_begins) {
			mles_copy(&group, &c);
			members = steps = 0;
			seen++;
		} else if (strcmp(c.kind, "member") == 0) {
			mles_copy(&member[members++], &c);
		} else if (strcmp(c.kind, "step") == 0) {
			add_step(&c);
		}
	}
	check_group();
	fclose(f);
	return seen;
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		mles_die("libsodium", "init");
	IS(transcripts(), 3, "all transcripts were read");
	return tap_done();
}
