#include "fuzz.h"
#include "proto/zp_replay.h"

/*
 * Numbers of a few sessions in any order: none is new twice, and no more
 * gaps are told than numbers are missing.  Input: operations of 3 bytes.
 */

#define SESSIONS 4
#define NUMBERS 1024

struct world {
	struct zp_replay *r;
	bool marked[SESSIONS][NUMBERS];
	uint64_t missing[SESSIONS], highest[SESSIONS], now;
};

static struct zp_replay_name
name_of(unsigned session, uint64_t seq, uint64_t time)
{
	struct zp_replay_name n = {
	    .kind = ZP_KIND_NOTE, .seq = seq, .time = time};

	n.sid[0] = (uint8_t)session;
	return n;
}

static void
mark(struct world *w, unsigned session, uint64_t seq, uint64_t time)
{
	struct zp_replay_name n = name_of(session, seq, time);
	enum zp_replay_verdict v = zp_replay_check(w->r, &n);

	if (w->marked[session][seq])
		MUST(v == ZP_REPLAY_AGAIN || v == ZP_REPLAY_RESTORED ||
		    v == ZP_REPLAY_TOO_OLD);
	if (v == ZP_REPLAY_AGAIN || v == ZP_REPLAY_TOO_OLD)
		return;
	MUST(zp_replay_mark(w->r, &n, w->now) == ZP_OK);
	w->marked[session][seq] = true;
	if (seq > w->highest[session])
		w->highest[session] = seq;
	v = zp_replay_check(w->r, &n);
	MUST(v != ZP_REPLAY_NEW && v != ZP_REPLAY_LATE);
}

static void
gaps(struct world *w, uint64_t patience)
{
	struct zp_replay_gap gap;

	while (zp_replay_gap(w->r, w->now, patience, &gap)) {
		unsigned s = gap.sid[0];
		MUST(s < SESSIONS && gap.missing > 0);
		w->missing[s] += gap.missing;
		MUST(w->missing[s] <= w->highest[s]);
	}
	MUST(patience > 0 || zp_replay_deadline(w->r, 0) == UINT64_MAX);
}

/* As a file would keep it. */
static void
reload(struct world *w)
{
	struct zp_replay *again;

	MUST(zp_replay_new(&again) == ZP_OK);
	zp_replay_set_floor(again, zp_replay_floor(w->r));
	for (size_t i = 0; i < zp_replay_count(w->r); i++)
		MUST(zp_replay_put(again, zp_replay_at(w->r, i)) == ZP_OK);
	zp_replay_free(w->r);
	w->r = again;
}

static void
step(struct world *w, struct zp_cursor *c)
{
	uint8_t op = zp_cursor_u8(c);
	unsigned session = op & 3;
	uint64_t seq = zp_cursor_u16(c) % NUMBERS;
	static const uint8_t p[ZP_PSEUDONYM_LEN];
	const uint8_t sid[ZP_SID_LEN] = {(uint8_t)session};

	w->now += op >> 2;
	switch (op >> 2 & 7) {
	case 0:
		if (seq > w->highest[session])
			w->highest[session] = seq;
		MUST(zp_replay_announce(w->r, p, sid, ZP_KIND_NOTE, seq / 2,
			 seq, w->now) == ZP_OK);
		break;
	case 1:
		gaps(w, 10000);
		break;
	case 2:
		w->now += 20000;
		gaps(w, 10000);
		break;
	case 3:
		reload(w);
		break;
	default:
		mark(w, session, seq, (op & 128) != 0 ? 1000 + seq : 0);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = {.now = 1};
	struct zp_cursor c;

	MUST(zp_replay_new(&w.r) == ZP_OK);
	zp_cursor_init(&c, data, len);
	zp_replay_established(w.r, (zp_cursor_u8(&c) & 1) != 0);
	while (c.left >= 3)
		step(&w, &c);
	gaps(&w, 0);
	zp_replay_free(w.r);
	return 0;
}
