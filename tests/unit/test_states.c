#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "crypt/zp_secret.h"
#include "store/zp_known.h"
#include "store/zp_readstate.h"
#include "store/zp_sendstate.h"
#include "tap.h"
#include "tempdir.h"

/*
 * What senders, readers and pins keep on disk: read back, damaged, written by
 * two processes at once, and by processes killed at any moment.
 */

static struct zp_sigctx
ctx_of(uint8_t channel, uint8_t sender, uint8_t conversation)
{
	struct zp_sigctx c;

	memset(c.rp, channel, sizeof(c.rp));
	memset(c.p, sender, sizeof(c.p));
	memset(c.keyid, conversation, sizeof(c.keyid));
	return c;
}

/* Reads a file, changes one byte, writes it back. */
static void
flip(const char *path, long at)
{
	FILE *f = fopen(path, "r+");

	if (f == NULL || fseek(f, at, SEEK_SET) != 0)
		exit(1);
	int c = getc(f);
	fseek(f, at, SEEK_SET);
	putc(c ^ 1, f);
	fclose(f);
}

static long
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void
pause_ms(long tenths)
{
	struct timespec t = {.tv_nsec = tenths * 100000};

	nanosleep(&t, NULL);
}

/* ---- senders ---- */

static void
test_send(void)
{
	struct zp_sendstate *s = NULL, *t = NULL;
	struct zp_sigctx ctx = ctx_of(1, 2, 0);
	struct zp_fault fault;
	uint8_t sid[ZP_SID_LEN], sid2[ZP_SID_LEN];
	uint64_t first = 99;

	OK(zp_sendstate_open(&s, "s", &ctx, sid, &fault) == ZP_OK,
	    "a sender's state is made when it is not there");
	OK(zp_sendstate_reserve(s, 3, &first, &fault) == ZP_OK && first == 0,
	    "numbers begin at 0");
	OK(zp_sendstate_open(&t, "s", &ctx, sid2, &fault) == ZP_OK &&
		memcmp(sid, sid2, sizeof(sid)) == 0,
	    "another run goes on with the same session");
	OK(zp_sendstate_reserve(t, 1, &first, &fault) == ZP_OK && first == 3,
	    "and with the next number");
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_OK && first == 4,
	    "two processes at once take turns");
	unlink("s");
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_OK && first == 5,
	    "a file deleted meanwhile starts nothing anew");
	zp_sendstate_free(t);
	unlink("s");
	OK(zp_sendstate_open(&t, "s", &ctx, sid2, &fault) == ZP_OK &&
		memcmp(sid, sid2, sizeof(sid)) != 0,
	    "without its file a new run is a new session");
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_ERR_CORRUPT,
	    "which the old one does not take for its own");
	zp_sendstate_free(s);
	zp_sendstate_free(t);
	zp_sendstate_free(NULL);
}

static void
test_send_bound(void)
{
	struct zp_sendstate *s = NULL;
	struct zp_sigctx ctx = ctx_of(1, 3, 0);
	struct zp_fault fault;
	uint8_t sid[ZP_SID_LEN];

	OK(zp_sendstate_open(&s, "s", &ctx, sid, &fault) == ZP_ERR_USAGE &&
		strstr(fault.what, "sender") != NULL,
	    "another sender cannot use it");
	ctx = ctx_of(2, 2, 0);
	OK(zp_sendstate_open(&s, "s", &ctx, sid, &fault) == ZP_ERR_USAGE &&
		strstr(fault.what, "channel") != NULL,
	    "nor another channel");
	ctx = ctx_of(1, 2, 9);
	OK(zp_sendstate_open(&s, "s", &ctx, sid, &fault) == ZP_ERR_USAGE &&
		strstr(fault.what, "conversation") != NULL,
	    "nor a conversation");
	ctx = ctx_of(1, 2, 0);
	bool refused = true;
	for (long i = size_of("s") - 1; i >= 0; i--) {
		flip("s", i);
		refused = refused &&
		    zp_sendstate_open(&s, "s", &ctx, sid, &fault) != ZP_OK;
		flip("s", i);
	}
	OK(refused, "a state with any bit changed is refused");
	for (long i = size_of("s") - 1; i >= 0; i--) {
		if (truncate("s", i) != 0)
			exit(1);
		refused = refused &&
		    zp_sendstate_open(&s, "s", &ctx, sid, &fault) ==
			ZP_ERR_CORRUPT;
	}
	OK(refused, "so is one cut anywhere, down to nothing");
	OK(size_of("s") == 0, "and it is left as it is");
	unlink("s");
	unlink("s.lock");
}

static void
test_send_end(void)
{
	struct zp_sendstate *s = NULL;
	struct zp_sigctx ctx = ctx_of(1, 2, 0);
	struct zp_fault fault;
	uint8_t sid[ZP_SID_LEN];
	uint64_t first;

	OK(zp_sendstate_open(&s, "s", &ctx, sid, &fault) == ZP_OK, "# begin");
	OK(zp_sendstate_reserve(s, ZP_SEQ_MAX, &first, &fault) == ZP_OK,
	    "a session has 2^64 - 2 numbers");
	OK(zp_sendstate_reserve(s, 2, &first, &fault) == ZP_ERR_ENDED,
	    "none beyond them is given out");
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_OK &&
		first == ZP_SEQ_MAX,
	    "the last one is");
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_ERR_ENDED &&
		zp_sendstate_reserve(s, UINT64_MAX, &first, &fault) ==
		    ZP_ERR_ENDED,
	    "and then it has ended");
	zp_sendstate_free(s);
	unlink("s");
	unlink("s.lock");
}

static void
test_send_full(void)
{
	struct zp_sendstate *s = NULL;
	struct zp_sigctx ctx = ctx_of(1, 2, 0);
	struct zp_fault fault;
	uint8_t sid[ZP_SID_LEN];
	uint64_t first = 77;
	struct rlimit old, none;

	OK(zp_sendstate_open(&s, "s", &ctx, sid, &fault) == ZP_OK &&
		zp_sendstate_reserve(s, 5, &first, &fault) == ZP_OK,
	    "# five numbers");
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &none);
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_ERR_IO &&
		errno == EFBIG && first == 0,
	    "a number that cannot be written down is not given out");
	setrlimit(RLIMIT_FSIZE, &old);
	OK(zp_sendstate_reserve(s, 1, &first, &fault) == ZP_OK && first == 5,
	    "and none is lost by that");
	zp_sendstate_free(s);
	unlink("s");
	unlink("s.lock");
}

/* Takes numbers until it is killed, and tells each one by the pipe. */
static _Noreturn void
sender(int fd)
{
	struct zp_sendstate *s = NULL;
	struct zp_sigctx ctx = ctx_of(1, 2, 0);
	uint8_t sid[ZP_SID_LEN];
	uint64_t first;

	if (zp_sendstate_open(&s, "s", &ctx, sid, NULL) != ZP_OK)
		_exit(1);
	for (;;)
		if (zp_sendstate_reserve(s, 1, &first, NULL) != ZP_OK ||
		    write(fd, &first, sizeof(first)) != sizeof(first))
			_exit(2);
}

static void
test_send_killed(void)
{
	static bool used[1000000];
	int p[2];
	uint64_t n, count = 0, top = 0, kills = 0;
	bool unique = true, alive = true;

	IS(pipe(p), 0, "# a pipe");
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	for (int round = 0; round < 30 || (count < 40 && round < 999);
	     round++) {
		pid_t a = fork();
		if (a == 0)
			sender(p[1]);
		pid_t b = fork();
		if (b == 0)
			sender(p[1]);
		int status;
		pause_ms(20 + 7 * (round % 20) + round / 10);
		kill(a, SIGKILL);
		kills += 2;
		pause_ms(5 + round % 9);
		kill(b, SIGKILL);
		waitpid(a, &status, 0);
		alive = alive && WIFSIGNALED(status);
		waitpid(b, &status, 0);
		alive = alive && WIFSIGNALED(status);
		while (read(p[0], &n, sizeof(n)) == sizeof(n)) {
			unique = unique && n < 1000000 && !used[n];
			used[n < 1000000 ? n : 0] = true;
			top = n > top ? n : top;
			count++;
		}
	}
	close(p[0]);
	close(p[1]);
	printf("# %llu numbers, the highest %llu\n", (unsigned long long)count,
	    (unsigned long long)top);
	OK(count >= 40, "two senders at once, killed again and again, get on");
	OK(alive, "none of them finds a state it cannot read");
	OK(unique, "no number is used twice");
	OK(top < count + kills, "a kill costs at most the number in hand");
	unlink("s");
	unlink("s.lock");
	unlink("s.tmp");
}

/* ---- readers ---- */

static struct zp_replay_name
record(uint64_t seq)
{
	struct zp_replay_name n = {.kind = 1, .seq = seq, .time = 1000 + seq};

	memset(n.p, 1, sizeof(n.p));
	return n;
}

static const uint8_t rp[ZP_PSEUDONYM_LEN] = {1}, rp2[ZP_PSEUDONYM_LEN] = {2};

/* Checks and marks one record. */
static enum zp_replay_verdict
show(struct zp_replay *r, uint64_t seq)
{
	struct zp_replay_name n = record(seq);
	enum zp_replay_verdict v = zp_replay_check(r, &n);

	if ((v == ZP_REPLAY_NEW || v == ZP_REPLAY_LATE) &&
	    zp_replay_mark(r, &n, 0) != ZP_OK)
		exit(1);
	return v;
}

static bool
open_read(struct zp_readstate **s, const uint8_t *channel, struct zp_replay **r)
{
	return zp_readstate_open(s, "r", NULL) == ZP_OK &&
	    zp_readstate_channel(*s, channel, r) == ZP_OK;
}

static void
test_read(void)
{
	struct zp_readstate *s, *t;
	struct zp_replay *r, *r2, *q;
	struct zp_replay_gap gap;

	OK(open_read(&s, rp, &r) && size_of("r") == -1,
	    "a reader's state is empty at first, and no file");
	OK(zp_readstate_begin(s, 0, NULL) == ZP_OK &&
		show(r, 0) == ZP_REPLAY_NEW && show(r, 3) == ZP_REPLAY_NEW &&
		zp_readstate_end(s, NULL) == ZP_OK,
	    "a batch is shown and committed");
	OK(open_read(&t, rp, &q) && zp_readstate_begin(t, 0, NULL) == ZP_OK &&
		show(q, 3) == ZP_REPLAY_AGAIN && show(q, 1) == ZP_REPLAY_NEW,
	    "another run knows it");
	OK(zp_replay_gap(q, 0, 0, &gap) && gap.missing == 1,
	    "and what is missing");
	OK(zp_readstate_end(t, NULL) == ZP_OK &&
		zp_readstate_begin(s, 0, NULL) == ZP_OK &&
		show(r, 1) == ZP_REPLAY_AGAIN && show(r, 2) == ZP_REPLAY_LATE,
	    "the first run, still there, learns of it");
	OK(zp_readstate_channel(s, rp2, &r2) == ZP_OK &&
		show(r2, 0) == ZP_REPLAY_NEW &&
		zp_readstate_end(s, NULL) == ZP_OK,
	    "one file keeps several channels");
	OK(zp_readstate_begin(t, 0, NULL) == ZP_OK &&
		zp_readstate_channel(t, rp2, &r2) == ZP_OK &&
		show(r2, 0) == ZP_REPLAY_AGAIN &&
		show(q, 2) == ZP_REPLAY_AGAIN &&
		zp_readstate_end(t, NULL) == ZP_OK,
	    "apart from one another");
	struct zp_file_stamp a, b;
	OK(zp_file_stamp("r", &a) == ZP_OK &&
		zp_readstate_begin(t, 0, NULL) == ZP_OK &&
		zp_readstate_end(t, NULL) == ZP_OK &&
		zp_file_stamp("r", &b) == ZP_OK && zp_file_stamp_same(&a, &b),
	    "a batch without anything new writes nothing");
	OK(zp_readstate_begin(t, 5000, NULL) == ZP_OK &&
		zp_readstate_due(t, true, 5000) &&
		!zp_readstate_due(t, false, 5999) &&
		zp_readstate_due(t, false, 6000) &&
		zp_readstate_end(t, NULL) == ZP_OK &&
		!zp_readstate_due(t, true, 9999),
	    "a batch is due before a wait, and after a second");
	unlink("r");
	OK(zp_readstate_begin(t, 0, NULL) == ZP_OK &&
		show(q, 3) == ZP_REPLAY_AGAIN &&
		zp_readstate_end(t, NULL) == ZP_OK,
	    "a file deleted meanwhile makes nobody forget");
	zp_readstate_free(s);
	zp_readstate_free(t);
	zp_readstate_free(NULL);
	unlink("r");
}

static void
test_read_damaged(void)
{
	struct zp_readstate *s;
	struct zp_replay *r;
	struct zp_fault fault;
	bool refused = true;

	OK(open_read(&s, rp, &r) && zp_readstate_begin(s, 0, NULL) == ZP_OK &&
		show(r, 0) == ZP_REPLAY_NEW &&
		zp_readstate_end(s, NULL) == ZP_OK,
	    "# a state");
	zp_readstate_free(s);
	for (long i = size_of("r") - 1; i >= 0; i--) {
		flip("r", i);
		refused =
		    refused && zp_readstate_open(&s, "r", &fault) != ZP_OK;
		flip("r", i);
	}
	OK(refused, "a reader's state with any bit changed is refused");
	for (long i = size_of("r") - 1; i >= 0; i--) {
		if (truncate("r", i) != 0)
			exit(1);
		refused = refused &&
		    zp_readstate_open(&s, "r", &fault) == ZP_ERR_CORRUPT;
	}
	OK(refused, "so is one cut anywhere");
	struct zp_sendstate *w;
	struct zp_sigctx ctx = ctx_of(1, 2, 0);
	uint8_t sid[ZP_SID_LEN];
	unlink("r");
	OK(zp_sendstate_open(&w, "r", &ctx, sid, &fault) == ZP_OK &&
		zp_readstate_open(&s, "r", &fault) == ZP_ERR_CORRUPT &&
		strstr(fault.what, "zpinc-open") != NULL,
	    "a sender's state is no reader's");
	zp_sendstate_free(w);
	unlink("r");
	unlink("r.lock");
}

static void
test_read_full(void)
{
	struct zp_readstate *s;
	struct zp_replay *r;
	struct rlimit old, none;

	OK(open_read(&s, rp, &r) && zp_readstate_begin(s, 0, NULL) == ZP_OK &&
		show(r, 0) == ZP_REPLAY_NEW,
	    "# a batch");
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &none);
	OK(zp_readstate_end(s, NULL) == ZP_ERR_IO && errno == EFBIG &&
		size_of("r") == -1,
	    "what cannot be committed is an error, and no file");
	setrlimit(RLIMIT_FSIZE, &old);
	OK(zp_readstate_begin(s, 0, NULL) == ZP_OK &&
		zp_readstate_end(s, NULL) == ZP_OK && size_of("r") > 0,
	    "and is committed with the next batch");
	zp_readstate_free(s);
	unlink("r");
	unlink("r.lock");
}

/* The largest state a channel may have, and how it is read and written. */
static void
test_read_large(void)
{
	struct zp_readstate *s, *t;
	struct zp_replay *r, *q;

	OK(open_read(&s, rp, &r) && zp_readstate_begin(s, 0, NULL) == ZP_OK,
	    "# a batch");
	struct zp_replay_name n = record(0);
	for (uint64_t i = 0; i < ZP_REPLAY_SESSIONS + 100; i++) {
		memcpy(n.sid, &i, sizeof(i));
		n.time = 1000000000000 + i;
		if (zp_replay_mark(r, &n, 0) != ZP_OK)
			exit(1);
	}
	OK(zp_readstate_end(s, NULL) == ZP_OK && size_of("r") < 1200000,
	    "a full table fits into 1.2 MB");
	OK(open_read(&t, rp, &q) && zp_replay_count(q) == ZP_REPLAY_SESSIONS &&
		zp_replay_floor(q) == zp_replay_floor(r) &&
		zp_replay_floor(q) == 1000000000099,
	    "and comes back with all sessions and its floor");
	zp_readstate_free(s);
	zp_readstate_free(t);
	unlink("r");
	unlink("r.lock");
}

#define RECORDS 400
#define BATCH 10

/*
 * Reads a history of RECORDS in batches and "prints" each new record into
 * `out`, as zpinc-open does: output first, then the state.
 */
static _Noreturn void
reader(void)
{
	struct zp_readstate *s;
	struct zp_replay *r;
	int out = open("out", O_WRONLY | O_APPEND | O_CREAT, 0600);

	if (out < 0 || !open_read(&s, rp, &r))
		_exit(1);
	for (uint64_t i = 0; i < RECORDS; i += BATCH) {
		uint64_t shown[BATCH];
		size_t n = 0;
		if (zp_readstate_begin(s, 0, NULL) != ZP_OK)
			_exit(2);
		for (uint64_t j = i; j < i + BATCH; j++)
			if (show(r, j) == ZP_REPLAY_NEW)
				shown[n++] = j;
		if (write(out, shown, n * sizeof(*shown)) !=
		    (ssize_t)(n * sizeof(*shown)))
			_exit(3);
		if (zp_readstate_end(s, NULL) != ZP_OK)
			_exit(4);
	}
	_exit(0);
}

/* Counts what is in `out`: never shown, and shown again. */
static void
count_shown(uint64_t *missing, uint64_t *again)
{
	static unsigned seen[RECORDS];
	FILE *f = fopen("out", "r");
	uint64_t n;

	memset(seen, 0, sizeof(seen));
	*missing = *again = 0;
	while (f != NULL && fread(&n, sizeof(n), 1, f) == 1 && n < RECORDS)
		seen[n]++;
	if (f != NULL)
		fclose(f);
	for (size_t i = 0; i < RECORDS; i++) {
		*missing += seen[i] == 0;
		*again += seen[i] > 1 ? seen[i] - 1 : 0;
	}
}

static void
test_read_together(void)
{
	uint64_t missing, again;
	pid_t pids[3];
	bool good = true;
	int status;

	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			reader();
	}
	for (int i = 0; i < 3; i++) {
		waitpid(pids[i], &status, 0);
		good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	count_shown(&missing, &again);
	OK(good && missing == 0 && again == 0,
	    "three readers at once show each record exactly once");
	unlink("r");
	unlink("out");
}

static void
test_read_killed(void)
{
	uint64_t missing = 1, again = 0, kills = 0;
	int status = 0;
	bool readable = true;

	while (kills < 2000) {
		pid_t pid = fork();
		if (pid == 0)
			reader();
		/* Longer and longer, so that a slow disk gets on, too. */
		pause_ms(5 + 3 * (long)(kills % 13) + (long)kills / 8);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		readable = readable &&
		    (WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		if (!WIFSIGNALED(status))
			break;
		kills++;
	}
	count_shown(&missing, &again);
	printf("# %llu kills, %llu shown again\n", (unsigned long long)kills,
	    (unsigned long long)again);
	OK(kills > 0 && readable,
	    "a reader killed again and again finds its state in order");
	IS(missing, 0, "no record is lost by that");
	OK(again <= kills * BATCH,
	    "and a kill shows one batch again, not more");
	unlink("r");
	unlink("r.lock");
	unlink("r.tmp");
	unlink("out");
}

/* ---- pins ---- */

static const uint8_t alice_key[ZP_IDKEY_LEN] = {1},
		     mallory_key[ZP_IDKEY_LEN] = {2};

static void
test_known(void)
{
	struct zp_known *k, *m;
	struct zp_fault fault;
	enum zp_trust t;

	OK(zp_known_open(&k, "known", true, &fault) == ZP_OK &&
		zp_known_count(k) == 0 && size_of("known") == -1,
	    "nobody is known at first, and there is no file");
	OK(zp_known_open(&m, "known", false, &fault) == ZP_OK, "# another");
	OK(zp_known_check(k, rp, "alice", NULL) == ZP_TRUST_ANONYMOUS,
	    "who does not sign is anonymous");
	OK(zp_known_check(m, rp, "alice", alice_key) == ZP_TRUST_UNKNOWN,
	    "who signs is unknown, if nobody new is to be trusted");
	OK(zp_known_meet(k, rp, "alice", alice_key, 5, &t, &fault) == ZP_OK &&
		t == ZP_TRUST_NEW,
	    "or else new, and pinned");
	OK(zp_known_check(k, rp, "alice", alice_key) == ZP_TRUST_KNOWN,
	    "and from then on known");
	OK(zp_known_check(k, rp, "alice", mallory_key) == ZP_TRUST_CHANGED,
	    "another identity is a change");
	OK(zp_known_check(k, rp, "alice", NULL) == ZP_TRUST_UNSIGNED,
	    "and no signature is refused, too");
	OK(zp_known_check(k, rp2, "alice", mallory_key) == ZP_TRUST_NEW,
	    "another channel's alice is somebody else");
	OK(zp_known_check(m, rp, "alice", alice_key) == ZP_TRUST_UNKNOWN &&
		zp_known_refresh(m, &fault) == ZP_OK &&
		zp_known_check(m, rp, "alice", alice_key) == ZP_TRUST_KNOWN,
	    "another process learns of it with its next refresh");
	OK(zp_known_forget(m, rp, "alice", &fault) == ZP_OK &&
		zp_known_pin(m, rp, "alice", mallory_key, 6, &fault) == ZP_OK,
	    "# another process pins another identity");
	OK(zp_known_meet(k, rp, "alice", alice_key, 7, &t, &fault) == ZP_OK &&
		t == ZP_TRUST_KNOWN,
	    "what was read last counts until it is read again");
	OK(zp_known_forget(k, rp, "bob", &fault) == ZP_ERR_NOT_FOUND &&
		zp_known_meet(k, rp, "alice", alice_key, 7, &t, &fault) ==
		    ZP_OK &&
		t == ZP_TRUST_CHANGED,
	    "and every change begins with reading");
	OK(zp_known_pin(k, rp, "alice", alice_key, 8, &fault) ==
		    ZP_ERR_CHANGED &&
		zp_known_pin(k, rp, "alice", mallory_key, 8, &fault) == ZP_OK,
	    "a pin is not replaced, only repeated");
	OK(zp_known_pin(k, rp, "a\nb", alice_key, 8, &fault) == ZP_ERR_NAME,
	    "what is no name is not pinned");
	OK(zp_trust_err(ZP_TRUST_NEW) == ZP_OK &&
		zp_trust_err(ZP_TRUST_CHANGED) == ZP_ERR_CHANGED,
	    "what is refused has its error");
	zp_known_free(k);
	zp_known_free(m);
	zp_known_free(NULL);
}

/* Two see an unknown user at once, each with another identity. */
static void
test_known_race(void)
{
	struct zp_known *k = NULL, *m = NULL;
	struct zp_fault fault;
	enum zp_trust t;

	OK(zp_known_open(&k, "known", true, &fault) == ZP_OK &&
		zp_known_open(&m, "known", true, &fault) == ZP_OK,
	    "# two");
	OK(zp_known_meet(k, rp, "eve", alice_key, 1, &t, &fault) == ZP_OK &&
		t == ZP_TRUST_NEW &&
		zp_known_meet(m, rp, "eve", mallory_key, 1, &t, &fault) ==
		    ZP_OK &&
		t == ZP_TRUST_CHANGED,
	    "of two identities at the same time, one is pinned");
	OK(zp_known_meet(k, rp, "dan", alice_key, 1, &t, &fault) == ZP_OK &&
		t == ZP_TRUST_NEW &&
		zp_known_meet(m, rp, "dan", alice_key, 1, &t, &fault) ==
		    ZP_OK &&
		t == ZP_TRUST_KNOWN,
	    "of twice the same, the second is known");
	zp_known_free(k);
	zp_known_free(m);
	unlink("known");
}

static void
put_known(const char *body, unsigned mode)
{
	char text[1024];

	snprintf(text, sizeof(text), "zpinc-known 1\n%s", body);
	tempdir_put("known", text, strlen(text), mode);
}

#define TOPIC "zAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define IDKEY "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
test_known_damaged(void)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *name;
	} cases[] = {
	    {"", 1, "a file without its end"},
	    {"pin " TOPIC " " IDKEY " 5 alice\n", 2, "one cut after a line"},
	    {"pin " TOPIC " " IDKEY " 5 alice\npin zAQ", 3,
		"one cut in a line"},
	    {"end\npin " TOPIC " " IDKEY " 5 alice\n", 3,
		"a pin behind the end"},
	    {"pin " TOPIC " " IDKEY " x alice\nend\n", 2, "a bad time"},
	    {"pin " TOPIC " AAAA 5 alice\nend\n", 2, "a short identity"},
	    {"pin " TOPIC " " IDKEY " 5 a\\x0ab\nend\n", 2, "a bad name"},
	    {"pin " TOPIC " " IDKEY " 5 alice\npin " TOPIC " " IDKEY
	     " 6 alice\nend\n",
		3, "two pins of one user"},
	};
	struct zp_known *k;
	struct zp_fault fault;
	char name[128];

	put_known("pin " TOPIC " " IDKEY " 5 al\\x20\nend\n", 0600);
	OK(zp_known_open(&k, "known", true, &fault) == ZP_OK &&
		zp_known_count(k) == 1 &&
		strcmp(zp_known_at(k, 0)->uid, "al ") == 0 &&
		zp_known_at(k, 0)->time == 5,
	    "the form in the manual loads");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zp_known *bad = NULL;
		put_known(cases[i].text, 0600);
		snprintf(name, sizeof(name), "%s is refused, with its line",
		    cases[i].name);
		enum zp_err err = zp_known_open(&bad, "known", true, &fault);
		if (!OK(err == ZP_ERR_CORRUPT && fault.line == cases[i].line,
			name))
			printf("# error %d, line %u\n", err, fault.line);
	}
	OK(zp_known_refresh(k, &fault) == ZP_ERR_CORRUPT &&
		zp_known_count(k) == 1,
	    "a file that breaks while it is in use is told, and not believed");
	zp_known_free(k);
	put_known("end\n", 0666);
	OK(zp_known_open(&k, "known", true, &fault) == ZP_ERR_MODE,
	    "a file that others can write is refused");
	unlink("known");
	OK(mkdir("known", 0700) == 0 &&
		zp_known_open(&k, "known", true, &fault) == ZP_ERR_IO,
	    "one that cannot be read is told");
	rmdir("known");
}

static void
test_known_full(void)
{
	struct zp_known *k;
	struct zp_fault fault;
	struct rlimit old, none;
	enum zp_trust t = ZP_TRUST_KNOWN;

	OK(zp_known_open(&k, "known", true, &fault) == ZP_OK &&
		zp_known_meet(k, rp, "alice", alice_key, 1, &t, &fault) ==
		    ZP_OK,
	    "# one pin");
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &none);
	OK(zp_known_meet(k, rp, "bob", alice_key, 1, &t, &fault) == ZP_ERR_IO &&
		errno == EFBIG && zp_known_count(k) == 1 &&
		zp_known_check(k, rp, "bob", alice_key) == ZP_TRUST_NEW,
	    "a pin that cannot be written is an error, and no pin");
	OK(zp_known_forget(k, rp, "alice", &fault) == ZP_ERR_IO &&
		zp_known_check(k, rp, "alice", alice_key) == ZP_TRUST_KNOWN,
	    "nor is one forgotten that stays in the file");
	setrlimit(RLIMIT_FSIZE, &old);
	zp_known_free(k);
	unlink("known");
	unlink("known.lock");
}

static void
need(bool good)
{
	if (!good)
		abort();
}

/* Many at once are written once, and by then nobody else can come between. */
static void
test_known_later(void)
{
	struct zp_known *k, *m;
	struct zp_fault fault;
	struct stat st;
	enum zp_trust t = ZP_TRUST_KNOWN, u = ZP_TRUST_KNOWN;
	char uid[32];
	int lock;

	need(zp_known_open(&k, "known", true, &fault) == ZP_OK &&
	    zp_known_open(&m, "known", true, &fault) == ZP_OK);
	for (int i = 0; i < 50; i++) {
		snprintf(uid, sizeof(uid), "user %d", i);
		need(zp_known_meet_now(k, rp, uid, alice_key, 1, &t, &fault) ==
		    ZP_OK);
	}
	OK(t == ZP_TRUST_NEW && stat("known", &st) != 0,
	    "those who are met now are not written one by one");
	OK(zp_known_check(k, rp, uid, alice_key) == ZP_TRUST_KNOWN &&
		zp_known_check(k, rp, uid, mallory_key) == ZP_TRUST_CHANGED,
	    "and are known at once");
	OK(zp_file_lock("known", 10, &lock, NULL) == ZP_ERR_LOCKED,
	    "nobody else can pin them meanwhile");
	OK(zp_known_settle(k) == ZP_OK &&
		zp_known_refresh(m, &fault) == ZP_OK && zp_known_count(m) == 50,
	    "once settled all are in the file");
	OK(zp_known_meet_now(k, rp, "bob", alice_key, 1, &t, &fault) == ZP_OK &&
		zp_known_meet(k, rp, "eve", alice_key, 1, &t, &fault) ==
		    ZP_OK &&
		zp_known_meet_now(m, rp, "bob", mallory_key, 1, &u, &fault) ==
		    ZP_OK &&
		u == ZP_TRUST_CHANGED && zp_known_settle(m) == ZP_OK,
	    "who is pinned at once settles those before");
	OK(zp_known_meet_now(k, rp, "dan", alice_key, 1, &t, &fault) == ZP_OK &&
		zp_known_forget(k, rp, "dan", &fault) == ZP_OK,
	    "and so does who is forgotten");
	need(
	    zp_known_meet_now(k, rp, "fay", alice_key, 1, &t, &fault) == ZP_OK);
	zp_known_free(k);
	OK(zp_known_refresh(m, &fault) == ZP_OK &&
		zp_known_check(m, rp, "fay", alice_key) == ZP_TRUST_NEW &&
		zp_file_lock("known", 10, &lock, NULL) == ZP_OK,
	    "what is not settled is not pinned, and leaves no lock");
	zp_file_unlock(lock);
	zp_known_free(m);
	unlink("known");
	unlink("known.lock");
}

/* All that were met now are forgotten if they cannot be written. */
static void
test_known_later_full(void)
{
	struct zp_known *k;
	struct zp_fault fault;
	struct rlimit old, none;
	enum zp_trust t = ZP_TRUST_KNOWN;

	need(zp_known_open(&k, "known", true, &fault) == ZP_OK);
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &none);
	OK(zp_known_meet_now(k, rp, "bob", alice_key, 1, &t, &fault) == ZP_OK &&
		zp_known_settle(k) == ZP_ERR_IO && zp_known_count(k) == 0 &&
		zp_known_check(k, rp, "bob", alice_key) == ZP_TRUST_NEW,
	    "what cannot be settled is not pinned");
	setrlimit(RLIMIT_FSIZE, &old);
	zp_known_free(k);
	unlink("known");
	unlink("known.lock");
}

#define PINS 60

static _Noreturn void
pinner(int who)
{
	struct zp_known *k;
	enum zp_trust t;
	char uid[32];

	if (zp_known_open(&k, "known", true, NULL) != ZP_OK)
		_exit(1);
	for (int i = 0; i < PINS; i++) {
		snprintf(uid, sizeof(uid), "user %d of %d", i, who);
		if (zp_known_meet(k, rp, uid, alice_key, 9, &t, NULL) != ZP_OK)
			_exit(2);
	}
	_exit(0);
}

static void
test_known_together(void)
{
	struct zp_known *k = NULL;
	pid_t pids[3];
	int status;
	bool good = true;

	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			pinner(i);
	}
	for (int i = 0; i < 3; i++) {
		waitpid(pids[i], &status, 0);
		good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	OK(good && zp_known_open(&k, "known", true, NULL) == ZP_OK &&
		zp_known_count(k) == 3 * PINS,
	    "three processes at once lose no pin");
	zp_known_free(k);
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();
		if (pid == 0)
			pinner(10 + i);
		pause_ms(5 + i);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		good = good && zp_known_open(&k, "known", true, NULL) == ZP_OK;
		if (good)
			zp_known_free(k);
	}
	OK(good, "a process killed while it pins leaves the file in order");
	unlink("known");
	unlink("known.lock");
	unlink("known.tmp");
}

/* More users than may be known; without files, since that is what it is. */
static void
test_known_many(void)
{
	size_t cap = 300 * (size_t)(ZP_KNOWN_MAX + 1);
	char *text = malloc(cap);
	size_t n = 0;
	struct zp_known *k = NULL;
	struct zp_fault fault;
	enum zp_trust t;

	if (text == NULL)
		exit(1);
	n += (size_t)snprintf(text, cap, "zpinc-known 1\n");
	for (int i = 0; i < ZP_KNOWN_MAX; i++)
		n += (size_t)snprintf(text + n, cap - n,
		    "pin %s %s 5 user %d\n", TOPIC, IDKEY, i);
	n += (size_t)snprintf(text + n, cap - n, "end\n");
	tempdir_put("known", text, n, 0600);
	free(text);
	OK(zp_known_open(&k, "known", true, &fault) == ZP_OK &&
		zp_known_count(k) == ZP_KNOWN_MAX,
	    "as many as 16,384 users can be known");
	uint8_t topic[ZP_PSEUDONYM_LEN];
	memcpy(topic, zp_known_at(k, 0)->rp, sizeof(topic));
	OK(zp_known_check(k, topic, "user 16383", alice_key) == ZP_TRUST_KNOWN,
	    "and the last is found");
	OK(zp_known_meet(k, topic, "one more", alice_key, 1, &t, &fault) ==
		ZP_ERR_FULL,
	    "one more is refused: nobody is forgotten for a newcomer");
	OK(zp_known_forget(k, topic, "user 7", &fault) == ZP_OK &&
		zp_known_meet(k, topic, "one more", alice_key, 1, &t, &fault) ==
		    ZP_OK &&
		t == ZP_TRUST_NEW,
	    "unless one is forgotten by hand");
	zp_known_free(k);
	unlink("known");
	unlink("known.lock");
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 1;
	signal(SIGXFSZ, SIG_IGN);
	tempdir_enter();
	test_send();
	test_send_bound();
	test_send_end();
	test_send_full();
	test_send_killed();
	test_read();
	test_read_damaged();
	test_read_full();
	test_read_large();
	test_read_together();
	test_read_killed();
	test_known();
	test_known_race();
	test_known_damaged();
	test_known_full();
	test_known_later();
	test_known_later_full();
	test_known_together();
	test_known_many();
	IS(tempdir_count(), 0, "nothing is left behind");
	return tap_done();
}
