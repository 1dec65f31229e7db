#include "states.h"
#include "store/zp_readstate.h"

/*
 * The state of a reader.  A file that opens is written and opens again, with
 * what was marked in it.
 */

static struct zp_replay_name
note(uint64_t seq)
{
	struct zp_replay_name name = {
	    .kind = ZP_KIND_NOTE, .seq = seq, .time = 1700000000000 + seq};

	memset(name.p, 1, sizeof(name.p));
	memset(name.sid, 2, sizeof(name.sid));
	return name;
}

/* False: no room for another channel. */
static bool
mark(struct zp_readstate *s, const uint8_t *rp, uint64_t seq)
{
	struct zp_replay_name name = note(seq);
	struct zp_replay_gap gap;
	struct zp_replay *r;
	struct zp_fault fault;

	MUST(zp_readstate_begin(s, 0, &fault) == ZP_OK);
	bool room = zp_readstate_channel(s, rp, &r) == ZP_OK;
	if (room) {
		MUST(zp_replay_count(r) <= ZP_REPLAY_SESSIONS);
		(void)zp_replay_check(r, &name);
		MUST(zp_replay_mark(r, &name, 5) == ZP_OK);
		MUST(zp_replay_check(r, &name) != ZP_REPLAY_NEW);
		for (int i = 0; i < 10000 && zp_replay_gap(r, 20000, 0, &gap);
		     i++)
			MUST(gap.missing > 0);
	}
	MUST(zp_readstate_end(s, &fault) == ZP_OK);
	return room;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct fuzz_world *w = fuzz_world();
	const uint8_t *rp = zp_key_rp(w->key, false);
	struct zp_replay_name name = note(70);
	struct zp_fault fault;
	struct zp_readstate *s, *again;
	struct zp_replay *r;
	size_t n;
	char *text = states_text(data, len, &n);
	const char *path = fuzz_file("read", text, n);

	if (zp_readstate_open(&s, path, &fault) == ZP_OK) {
		if (mark(s, rp, 70)) {
			MUST(zp_readstate_open(&again, path, &fault) == ZP_OK);
			MUST(zp_readstate_begin(again, 0, &fault) == ZP_OK);
			MUST(zp_readstate_channel(again, rp, &r) == ZP_OK);
			MUST(zp_replay_check(r, &name) != ZP_REPLAY_NEW);
			zp_readstate_free(again);
		}
		zp_readstate_free(s);
	}
	free(text);
	return 0;
}
