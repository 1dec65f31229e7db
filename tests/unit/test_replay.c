#include "proto/zp_replay.h"

#include <stdlib.h>
#include <time.h>

#include "crypt/zp_secret.h"
#include "tap.h"

/* A small generator with a printed seed, so that a failure can be replayed. */
static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static struct zp_replay *
fresh(void)
{
	struct zp_replay *r;

	if (zp_replay_new(&r) != ZP_OK)
		exit(1);
	return r;
}

static struct zp_replay_name
name_of(uint64_t session, uint64_t seq, uint64_t time)
{
	struct zp_replay_name n = {.kind = 1, .seq = seq, .time = time};

	memset(n.p, 7, sizeof(n.p));
	for (int i = 0; i < 8; i++)
		n.sid[i] = (uint8_t)(session >> (8 * i));
	return n;
}

/* Checks, and marks what is to be shown. */
static enum zp_replay_verdict
meet(struct zp_replay *r, const struct zp_replay_name *n, uint64_t now)
{
	enum zp_replay_verdict v = zp_replay_check(r, n);

	if (v == ZP_REPLAY_NEW || v == ZP_REPLAY_LATE ||
	    v == ZP_REPLAY_RESTORED)
		if (zp_replay_mark(r, n, now) != ZP_OK)
			exit(1);
	return v;
}

static enum zp_replay_verdict
see(struct zp_replay *r, uint64_t session, uint64_t seq, uint64_t time)
{
	struct zp_replay_name n = name_of(session, seq, time);

	return meet(r, &n, 0);
}

/* Numbers reported as missing, at the end of the input. */
static uint64_t
all_missing(struct zp_replay *r)
{
	struct zp_replay_gap gap;
	uint64_t n = 0;

	while (zp_replay_gap(r, 0, 0, &gap))
		n += gap.missing;
	return n;
}

static void
test_order(void)
{
	struct zp_replay *r = fresh();

	OK(see(r, 1, 0, 10) == ZP_REPLAY_NEW, "a first record is new");
	OK(see(r, 1, 0, 10) == ZP_REPLAY_AGAIN, "a second time it is not");
	OK(see(r, 1, 1, 11) == ZP_REPLAY_NEW, "the one after it is new");
	OK(see(r, 1, 4, 14) == ZP_REPLAY_NEW, "so is one after a hole");
	OK(see(r, 1, 2, 12) == ZP_REPLAY_NEW, "and one that fills a hole");
	OK(see(r, 1, 2, 12) == ZP_REPLAY_AGAIN, "which it does once");
	IS(all_missing(r), 1, "what never came is missing");
	IS(all_missing(r), 0, "and is reported once");
	OK(see(r, 1, 3, 13) == ZP_REPLAY_LATE,
	    "what comes after it was reported is late, and shown");
	OK(see(r, 1, 3, 13) == ZP_REPLAY_AGAIN, "and once only");
	OK(see(r, 2, 0, 9) == ZP_REPLAY_NEW, "another session is another");
	struct zp_replay_name m = name_of(1, 0, 10);
	m.kind = 2;
	OK(meet(r, &m, 0) == ZP_REPLAY_NEW, "so is another kind");
	m.p[0] = 0;
	OK(meet(r, &m, 0) == ZP_REPLAY_NEW, "so is another sender");
	zp_replay_free(r);
}

static void
test_window(void)
{
	struct zp_replay *r = fresh();
	struct zp_replay_gap gap;

	see(r, 1, 0, 1000);
	see(r, 1, 64, 1064);
	OK(see(r, 1, 1, 1001) == ZP_REPLAY_NEW,
	    "63 behind the latest is within the window");
	see(r, 1, 66, 1066);
	OK(see(r, 1, 2, 1002) == ZP_REPLAY_LATE,
	    "64 behind it is out of the window, and late");
	OK(see(r, 1, 2, 1002) == ZP_REPLAY_AGAIN, "and shown once, too");
	OK(zp_replay_gap(r, 0, UINT64_MAX, &gap) && gap.missing == 1,
	    "what falls out of the window is reported at once");
	OK(gap.before == 1066 && !gap.start,
	    "as missing before the record that came instead");
	IS(all_missing(r), 62, "the others when the input ends");
	OK(see(r, 1, ZP_SEQ_MAX, 1067) == ZP_REPLAY_NEW,
	    "the highest number of all is fine");
	OK(all_missing(r) == ZP_SEQ_MAX - 67, "and leaves a large hole");
	struct zp_replay_name n = name_of(1, UINT64_MAX, 1);
	OK(zp_replay_mark(r, &n, 0) == ZP_ERR_ENDED,
	    "a number beyond the highest is refused");
	zp_replay_free(r);
}

static bool
was_shown(const struct zp_replay *r, uint64_t session, uint64_t seq)
{
	struct zp_replay_name n = name_of(session, seq, seq + 1);

	return zp_replay_was_shown(r, &n);
}

/* As a file would keep it. */
static struct zp_replay *
copy_of(const struct zp_replay *r)
{
	struct zp_replay *copy = fresh();

	for (size_t i = 0; i < zp_replay_count(r); i++)
		if (zp_replay_put(copy, zp_replay_at(r, i)) != ZP_OK)
			exit(1);
	return copy;
}

/* What is far behind the window and never came is known, up to a limit. */
static void
test_holes(void)
{
	struct zp_replay *r = fresh(), *copy;
	bool good = true;

	/* 1, 101, 201 ... are missing, in as many holes as are remembered. */
	for (uint64_t i = 0; i < 100 * ZP_REPLAY_HOLES + 100; i++)
		if (i % 100 != 1 || i / 100 >= ZP_REPLAY_HOLES)
			see(r, 1, i, i + 1);
	copy = copy_of(r);
	for (uint64_t i = 0; i < ZP_REPLAY_HOLES; i++)
		good = good && !was_shown(copy, 1, 100 * i + 1) &&
		    see(copy, 1, 100 * i + 2, 1) == ZP_REPLAY_AGAIN &&
		    see(copy, 1, 100 * i + 1, 1) == ZP_REPLAY_LATE &&
		    see(copy, 1, 100 * i + 1, 1) == ZP_REPLAY_AGAIN &&
		    was_shown(copy, 1, 100 * i + 1);
	OK(good, "what is far behind and never came is shown if it does, once");
	zp_replay_free(copy);

	for (uint64_t i = 0; i < 200; i++)
		if (i != 50)
			see(r, 1, 1700 + i, 1700 + i + 1);
	OK(see(r, 1, 1, 2) == ZP_REPLAY_AGAIN && !was_shown(r, 1, 1),
	    "one hole too many: the oldest is refused, but not as shown");
	OK(!was_shown(r, 1, 0) && was_shown(r, 1, 2),
	    "nor is anything below it known for certain");
	OK(see(r, 1, 1750, 1751) == ZP_REPLAY_LATE, "the newest is known");
	zp_replay_free(r);

	/* A hole that is filled from its middle is two. */
	r = fresh();
	see(r, 1, 0, 1);
	see(r, 1, 1000, 1001);
	for (uint64_t i = 0; i < 450; i++)
		good = good &&
		    see(r, 1, 2 * i + 1, 2 * i + 2) == ZP_REPLAY_LATE &&
		    see(r, 1, 2 * i + 1, 2 * i + 2) == ZP_REPLAY_AGAIN;
	OK(good, "any order of what comes late is fine");
	copy = copy_of(r);
	OK(see(copy, 1, 898, 899) == ZP_REPLAY_LATE &&
		see(copy, 1, 2, 3) == ZP_REPLAY_AGAIN,
	    "the latest of too many holes are remembered");
	zp_replay_free(copy);
	zp_replay_free(r);

	/* Two relays, of which one brings what was long before. */
	r = fresh();
	for (uint64_t i = 500; i < 600; i++)
		see(r, 1, i, i + 1);
	for (uint64_t i = 0; i < 500; i++)
		good = good && see(r, 1, i, i + 1) != ZP_REPLAY_AGAIN &&
		    see(r, 1, i, i + 1) == ZP_REPLAY_AGAIN;
	for (uint64_t i = 0; i < 600; i++)
		good = good && see(r, 1, i, i + 1) == ZP_REPLAY_AGAIN;
	OK(good, "numbers below the first that came are shown, each once");
	zp_replay_free(r);
}

static void
test_start(void)
{
	struct zp_replay *r = fresh();
	struct zp_replay_gap gap;

	see(r, 1, 7, 100);
	IS(all_missing(r), 0,
	    "in a first run, what was before the first record is not missed");
	OK(see(r, 1, 5, 98) == ZP_REPLAY_NEW, "though it is shown if it comes");
	IS(all_missing(r), 1, "and then what lies between is missed");
	zp_replay_established(r, true);
	see(r, 2, 3, 100);
	OK(zp_replay_gap(r, 0, 0, &gap) && gap.missing == 3 && gap.start,
	    "in a later run a session is expected from its first number");
	struct zp_replay_name m = name_of(3, 9, 100);
	m.has_first = true;
	m.first = 8;
	meet(r, &m, 0);
	OK(zp_replay_gap(r, 0, 0, &gap) && gap.missing == 1,
	    "or from the number that it says it began with");
	m = name_of(4, 2, 100);
	m.has_first = true;
	m.first = UINT64_MAX;
	meet(r, &m, 0);
	IS(all_missing(r), 0, "a first number above its own is not believed");
	zp_replay_free(r);
}

static void
test_restored(void)
{
	struct zp_replay *r = fresh();

	for (uint64_t i = 0; i < 10; i++)
		see(r, 1, i, 1000 + i);
	OK(see(r, 1, 5, 2000) == ZP_REPLAY_RESTORED,
	    "a used number with a later time is a sender restored");
	OK(see(r, 1, 5, 2000) == ZP_REPLAY_AGAIN, "which counts once");
	OK(see(r, 1, 6, 2001) == ZP_REPLAY_RESTORED, "and goes on");
	OK(see(r, 1, 6, 1500) == ZP_REPLAY_AGAIN,
	    "an earlier time is a replay");
	OK(see(r, 1, 6, 0) == ZP_REPLAY_AGAIN, "so is no time at all");
	see(r, 2, 0, 0);
	OK(see(r, 2, 0, 0) == ZP_REPLAY_AGAIN,
	    "a session without times is checked by its numbers");
	zp_replay_free(r);
}

static void
test_eviction(void)
{
	struct zp_replay *r = fresh();

	for (uint64_t s = 0; s < ZP_REPLAY_SESSIONS; s++)
		see(r, s, 0, 1000 + s);
	IS(zp_replay_count(r), ZP_REPLAY_SESSIONS, "the table is full");
	IS(zp_replay_floor(r), 0, "and nothing had to go yet");
	OK(see(r, 99999, 0, 500000) == ZP_REPLAY_NEW, "one more finds room");
	IS(zp_replay_count(r), ZP_REPLAY_SESSIONS, "and none is added");
	IS(zp_replay_floor(r), 1000, "the oldest went and raised the floor");
	OK(see(r, 0, 0, 1000) == ZP_REPLAY_TOO_OLD,
	    "a replay of the one that went is too old to tell");
	OK(see(r, 77777, 0, 0) == ZP_REPLAY_TOO_OLD,
	    "so is an unknown session without a time");
	OK(see(r, 1, 0, 1001) == ZP_REPLAY_AGAIN, "the others are all known");
	bool known = true;
	for (uint64_t s = 1; s < ZP_REPLAY_SESSIONS; s++)
		known = known && see(r, s, 0, 1000 + s) == ZP_REPLAY_AGAIN;
	OK(known, "every single one");
	for (uint64_t s = 200000; s < 200000 + 3 * ZP_REPLAY_SESSIONS; s++)
		known = known && see(r, s, 0, 1000000 + s) == ZP_REPLAY_NEW &&
		    see(r, s, 0, 1000000 + s) == ZP_REPLAY_AGAIN;
	OK(known, "three tables more pass through without a mistake");
	IS(zp_replay_count(r), ZP_REPLAY_SESSIONS, "in bounded memory");
	zp_replay_free(r);
	r = fresh();
	for (uint64_t s = 0; s <= ZP_REPLAY_SESSIONS; s++)
		see(r, s, 0, 0);
	OK(zp_replay_floor(r) > 0 && see(r, 0, 0, 0) == ZP_REPLAY_TOO_OLD,
	    "an evicted session without times is not forgotten either");
	zp_replay_free(r);
}

static void
test_patience(void)
{
	struct zp_replay *r = fresh();
	struct zp_replay_gap gap;
	struct zp_replay_name n = name_of(1, 0, 10);

	OK(zp_replay_deadline(r, 10000) == UINT64_MAX, "nothing is due");
	meet(r, &n, 50000);
	n = name_of(1, 2, 12);
	meet(r, &n, 50000);
	OK(!zp_replay_gap(r, 59999, 10000, &gap),
	    "a hole is not reported before its time");
	IS(zp_replay_deadline(r, 10000), 60000, "which is told");
	OK(zp_replay_gap(r, 60000, 10000, &gap) && gap.missing == 1,
	    "but when it has come");
	OK(zp_replay_deadline(r, 10000) == UINT64_MAX, "and then no more");
	n = name_of(1, 4, 14);
	meet(r, &n, 70000);
	n = name_of(1, 3, 13);
	meet(r, &n, 70001);
	OK(!zp_replay_gap(r, 90000, 10000, &gap),
	    "a hole filled in time is never reported");
	(void)!zp_replay_announce(r, n.p, n.sid, 1, 0, 8, 100000);
	OK(!zp_replay_gap(r, 100000, 10000, &gap),
	    "what a sender says it sent may still be on its way");
	OK(zp_replay_gap(r, 110000, 10000, &gap) && gap.missing == 3,
	    "but is missing in the end");
	OK(see(r, 1, 6, 16) == ZP_REPLAY_LATE, "and late if it comes then");
	IS(all_missing(r), 0, "what was reported is not reported again");
	(void)!zp_replay_announce(r, n.p, n.sid, 1, 0, 300, 0);
	(void)!zp_replay_announce(r, n.p, n.sid, 1, 0, 200, 0);
	IS(all_missing(r), 292, "a sender cannot take back what it said");
	see(r, 1, 290, 20);
	IS(all_missing(r), 0, "a jump over what was reported is no new gap");
	OK(see(r, 1, 289, 19) == ZP_REPLAY_LATE, "and below it all is late");
	OK(see(r, 1, 295, 21) == ZP_REPLAY_LATE, "and above it, too");
	OK(see(r, 1, 300, 22) == ZP_REPLAY_NEW, "until the new ones begin");
	zp_replay_free(r);

	r = fresh();
	zp_replay_keep(r);
	n = name_of(7, 0, 0);
	(void)!zp_replay_announce(r, n.p, n.sid, 1, 40, 40, 0);
	IS(all_missing(r), 0, "what was sent before we came is not missed");
	struct zp_replay *copy = copy_of(r);
	zp_replay_established(copy, true);
	(void)!zp_replay_announce(copy, n.p, n.sid, 1, 40, 40, 0);
	IS(all_missing(copy), 0, "nor when we are back");
	(void)!zp_replay_announce(copy, n.p, n.sid, 1, 41, 41, 0);
	IS(all_missing(copy), 1, "but what was sent while we were not here");
	zp_replay_free(copy);
	(void)!zp_replay_announce(r, n.p, n.sid, 1, 40, 43, 0);
	IS(all_missing(r), 3, "but what was since, though none of it came");
	copy = copy_of(r);
	OK(see(copy, 7, 41, 10) == ZP_REPLAY_LATE, "until it comes");
	IS(all_missing(copy), 0, "which is not told as missing anew");
	zp_replay_free(copy);
	zp_replay_free(r);

	/* What is older than that may come first, from near or far below. */
	for (uint64_t old = 390; old >= 10; old -= 380) {
		r = fresh();
		n = name_of(7, 0, 0);
		(void)!zp_replay_announce(r, n.p, n.sid, 1, 400, 403, 0);
		OK(see(r, 7, old, 9) != ZP_REPLAY_AGAIN,
		    "what is older than what is missing is shown");
		OK(see(r, 7, old, 9) == ZP_REPLAY_AGAIN, "but once");
		IS(all_missing(r), 3, "and makes nothing else missing");
		copy = copy_of(r);
		OK(see(copy, 7, old, 9) == ZP_REPLAY_AGAIN &&
			see(copy, 7, 401, 12) == ZP_REPLAY_LATE,
		    "and a file can keep it");
		zp_replay_free(copy);
		zp_replay_free(r);
		if (old == 10)
			break;
	}
}

/*
 * Any order within the window, with losses and repetitions: each number is
 * shown once, and what is reported is what was lost, plus what came late.
 */
static bool
shuffle_run(uint64_t *x)
{
	enum { N = 2000 };
	static uint64_t order[N];
	static bool lost[N], shown[N];
	struct zp_replay *r = fresh();
	uint64_t n_lost = 0, reported = 0, late = 0, top = 0;
	struct zp_replay_gap gap;
	bool good = true;

	for (uint64_t i = 0; i < N; i++) {
		order[i] = i;
		shown[i] = false;
		lost[i] = i > 0 && next_random(x) % 10 == 0;
	}
	/* A swap moves a number by at most 31, so none leaves the window. */
	for (uint64_t i = 40; i + 31 < N; i += 32) {
		uint64_t j = i + next_random(x) % 31, t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	for (uint64_t i = 0; i < N; i++) {
		uint64_t seq = order[i];
		if (lost[seq])
			continue;
		top = seq > top ? seq : top;
		enum zp_replay_verdict v = see(r, 1, seq, seq + 1);
		good = good && !shown[seq] &&
		    (v == ZP_REPLAY_NEW || v == ZP_REPLAY_LATE);
		late += v == ZP_REPLAY_LATE;
		shown[seq] = true;
		uint64_t old = order[next_random(x) % (i + 1)];
		if (shown[old])
			good =
			    good && see(r, 1, old, old + 1) == ZP_REPLAY_AGAIN;
		if (next_random(x) % 50 == 0)
			reported += all_missing(r);
	}
	while (zp_replay_gap(r, 0, 0, &gap))
		reported += gap.missing;
	for (uint64_t i = 0; i < top; i++)
		n_lost += lost[i];
	zp_replay_free(r);
	return good && reported == n_lost + late;
}

static void
test_shuffle(void)
{
	uint64_t seed = (uint64_t)time(NULL) << 20 | 1, x = seed;
	bool good = true;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 200; i++)
		good = good && shuffle_run(&x);
	OK(good, "in any order each is shown once, and each loss told once");
}

static void
give_up(struct zp_replay *r, uint64_t session, uint64_t seq, uint64_t time)
{
	struct zp_replay_name n = name_of(session, seq, time);

	if (zp_replay_give_up(r, &n, 0) != ZP_OK)
		exit(1);
}

static void
test_given_up(void)
{
	struct zp_replay *r = fresh(), *copy = fresh();
	struct zp_replay_session s;

	give_up(r, 1, 5, 10);
	IS(all_missing(r), 0, "what was given up is not missing, too");
	OK(zp_replay_put(copy, zp_replay_at(r, 0)) == ZP_OK,
	    "a session of which nothing was shown can be taken over");
	OK(see(copy, 1, 5, 10) == ZP_REPLAY_LATE,
	    "a body that was given up is shown when it comes whole");
	OK(see(copy, 1, 5, 10) == ZP_REPLAY_AGAIN, "and once only");
	s = *zp_replay_at(r, 0);
	s.sid[0] = 9;
	s.announced = s.told_to = s.next - 1;
	OK(zp_replay_put(copy, &s) == ZP_ERR_FORMAT,
	    "a session that is to begin where nothing was sent is refused");
	s.first = s.next = s.announced = s.told_to = 0;
	OK(zp_replay_put(copy, &s) == ZP_ERR_FORMAT,
	    "a session without anything in it is refused");
	see(r, 1, 6, 11);
	give_up(r, 1, 9, 12);
	IS(all_missing(r), 2, "what lies before it is missing");
	IS(all_missing(r), 0, "and told once");
	see(r, 1, 10, 13);
	IS(all_missing(r), 0, "also when a later one has come");
	OK(see(r, 1, 9, 12) == ZP_REPLAY_LATE &&
		see(r, 1, 8, 11) == ZP_REPLAY_LATE,
	    "all of them may come after all");
	see(r, 1, 12, 14);
	give_up(r, 1, 11, 13);
	IS(all_missing(r), 0, "one between others is not missing either");
	give_up(r, 1, 10, 13);
	OK(see(r, 1, 10, 13) == ZP_REPLAY_AGAIN,
	    "what was shown cannot be given up");
	zp_replay_free(r);
	zp_replay_free(copy);
}

/* The verdict and floor that looking through all of a list gives. */
struct model {
	struct {
		uint64_t session, latest;
	} s[ZP_REPLAY_SESSIONS];
	size_t n;
	uint64_t floor;
};

static bool
model_takes(struct model *m, uint64_t session, uint64_t time)
{
	size_t out = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->s[i].session == session) {
			if (m->s[i].latest < time)
				m->s[i].latest = time;
			return true;
		}
	if (m->floor > 0 && time <= m->floor)
		return false;
	if (m->n < ZP_REPLAY_SESSIONS) {
		out = m->n++;
	} else {
		for (size_t i = 1; i < m->n; i++)
			if (m->s[i].latest < m->s[out].latest)
				out = i;
		if (m->s[out].latest > m->floor)
			m->floor = m->s[out].latest;
	}
	m->s[out].session = session;
	m->s[out].latest = time;
	return true;
}

static void
test_many(void)
{
	static struct model m;
	struct zp_replay *r = fresh();
	uint64_t seed = (uint64_t)time(NULL) << 20 | 1, x = seed;
	uint64_t seq[20000] = {0};
	bool same = true;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < 20000; i++) {
		/* Distinct times, for the most part rising; some old sids. */
		uint64_t when = (i + next_random(&x) % 3000) * 20000 + i + 1;
		uint64_t id = next_random(&x) % 4 ? i : next_random(&x) % 20000;
		bool took = see(r, id, seq[id]++, when) != ZP_REPLAY_TOO_OLD;
		same = same && took == model_takes(&m, id, when) &&
		    zp_replay_floor(r) == m.floor;
	}
	OK(same, "of 20000 sessions the same are kept as by looking at all");
	zp_replay_free(r);
}

static void
test_ahead(void)
{
	struct zp_replay *r = fresh();
	const uint64_t today = 1800000000000, far = UINT64_MAX - 10000;
	bool good = true;

	zp_replay_today(r, today);
	for (uint64_t i = 0; i < 10000; i++)
		see(r, i, 0, far + i);
	OK(zp_replay_floor(r) < today,
	    "sessions dated far ahead do not raise the floor to their time");
	for (uint64_t i = 0; i < 5000; i++)
		good = good && see(r, 20000 + i, 0, today + i) == ZP_REPLAY_NEW;
	OK(good, "whoever says something now is heard after them");
	OK(zp_replay_floor(r) <= today + 5000, "at the floor of such times");
	OK(see(r, 50000, 0, far) == ZP_REPLAY_TOO_OLD,
	    "no more of them are taken in");
	OK(see(r, 50001, 0, today + 6000) == ZP_REPLAY_NEW,
	    "while what is dated a little ahead is");
	zp_replay_free(r);

	/* Once such a date has come, a replay of it would look like new. */
	r = fresh();
	zp_replay_keep(r);
	zp_replay_today(r, today);
	OK(see(r, 1, 0, today + ZP_REPLAY_AHEAD_MS) == ZP_REPLAY_NEW &&
		see(r, 1, 1, today + ZP_REPLAY_AHEAD_MS + 1) == ZP_REPLAY_AHEAD,
	    "a note dated further ahead than a day is in no file");
	zp_replay_today(r, today + 1);
	OK(see(r, 1, 1, today + ZP_REPLAY_AHEAD_MS + 1) == ZP_REPLAY_NEW,
	    "before it is a day ahead");
	zp_replay_free(r);

	/* A session that was evicted is back: what it said then is not new. */
	r = fresh();
	zp_replay_established(r, true);
	for (uint64_t i = 0; i < 10; i++)
		see(r, 1, i, today + i);
	for (uint64_t i = 0; i < ZP_REPLAY_SESSIONS; i++)
		see(r, 100 + i, 0, today + 100 + i);
	OK(see(r, 1, 10, today + 5000) == ZP_REPLAY_NEW,
	    "who was forgotten is heard again");
	OK(see(r, 1, 9, today + 9) == ZP_REPLAY_TOO_OLD,
	    "and a replay of what it said before is refused");
	zp_replay_free(r);
}

static void
test_put(void)
{
	struct zp_replay *r = fresh(), *copy = fresh();
	struct zp_replay_session s;

	see(r, 1, 0, 10);
	see(r, 1, 3, 13);
	see(r, 2, 5, 20);
	for (size_t i = 0; i < zp_replay_count(r); i++)
		OK(zp_replay_put(copy, zp_replay_at(r, i)) == ZP_OK,
		    "a session can be taken over");
	OK(see(copy, 1, 3, 13) == ZP_REPLAY_AGAIN &&
		see(copy, 1, 2, 12) == ZP_REPLAY_NEW &&
		see(copy, 2, 5, 20) == ZP_REPLAY_AGAIN,
	    "and the copy knows what the first one knew");
	IS(all_missing(copy), 1, "what was not reported is reported by it");
	OK(zp_replay_put(copy, zp_replay_at(r, 0)) == ZP_ERR_EXISTS,
	    "twice the same is refused");
	s = *zp_replay_at(r, 0);
	s.sid[0] = 9;
	s.first = s.next;
	OK(zp_replay_put(copy, &s) == ZP_ERR_FORMAT,
	    "a session that ends before it begins is refused");
	s.first = 0;
	s.seen = 2;
	OK(zp_replay_put(copy, &s) == ZP_ERR_FORMAT,
	    "so is one whose last number never came");
	s.seen = 1;
	s.next = UINT64_MAX;
	OK(zp_replay_put(copy, &s) == ZP_ERR_FORMAT,
	    "so is one beyond the last number");
	zp_replay_clear(copy);
	IS(zp_replay_count(copy), 0, "clear leaves nothing");
	OK(see(copy, 1, 3, 13) == ZP_REPLAY_NEW, "so that all is new again");
	zp_replay_free(r);
	zp_replay_free(copy);
	zp_replay_free(NULL);
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 1;
	test_order();
	test_window();
	test_holes();
	test_start();
	test_restored();
	test_eviction();
	test_patience();
	test_shuffle();
	test_given_up();
	test_many();
	test_ahead();
	test_put();
	return tap_done();
}
