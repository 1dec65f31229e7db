/*
 * What a run leaves in memory.  A child process computes all secrets of one
 * member's run on its own and sends them masked, so that this process has
 * them from the run alone; then the run's structs, and once the whole process
 * image, are searched for them after every step.
 *
 * The source file is taken in whole: the struct is nobody else's business.
 */
#include "../../lib/crypt/zp_group.c"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define LEN ZP_GROUP_ELEMENT_LEN
#define OPS zp_group_ristretto
#define N_MAX 3
#define MASK 0xa5

enum name { RANDOM, Y, NY, GEN, GHASH, K, ISK, PRK, CONFIRM, RECORD, NAMES };

static const char *const name[NAMES] = {"random bytes", "y", "n y",
    "the generator", "the generator's hash", "K", "ISK", "prk",
    "the confirm key", "the record key"};

/* From the child; masked secrets of member 0, everybody's public values. */
struct facts {
	uint8_t secret[NAMES][64];
	size_t len[NAMES];
	uint8_t z[N_MAX][LEN], x[N_MAX][LEN], tag[N_MAX][ZP_GROUP_TAG_LEN];
};

static struct facts facts;
static struct zp_group_member list[N_MAX];
static struct zp_group_setup setup;
static uint8_t msgkey[ZP_KEY_LEN];

static void
need(bool good)
{
	if (good)
		return;
	printf("Bail out! the test itself is broken\n");
	_exit(1);
}

static void
make_setup(size_t n)
{
	memset(list, 0, sizeof(list));
	for (size_t i = 0; i < n; i++)
		list[i].sid[0] = (uint8_t)i;
	setup.msgkey = msgkey;
	setup.m = list;
	setup.n = n;
	setup.me = 0;
	zp_group_view_id(setup.rp, list, n, setup.view);
}

/* ---- the child ---------------------------------------------------------- */

static void
keep(struct facts *f, enum name which, const void *data, size_t len)
{
	const uint8_t *b = data;

	f->len[which] = len;
	for (size_t i = 0; i < len; i++)
		f->secret[which][i] = b[i] ^ MASK;
}

/* Everything from the scalars, as nobody in the protocol could. */
static void
make_elements(struct facts *f, size_t n, uint8_t y[N_MAX][LEN],
    const uint8_t g[LEN], uint8_t k[LEN])
{
	uint8_t sum[LEN] = {0}, product[LEN], difference[LEN];

	for (size_t i = 0; i < n; i++)
		need(crypto_scalarmult_ristretto255(f->z[i], y[i], g) == 0);
	for (size_t i = 0; i < n && n > 2; i++) {
		need(crypto_core_ristretto255_sub(difference, f->z[(i + 1) % n],
			 f->z[(i + n - 1) % n]) == 0 &&
		    crypto_scalarmult_ristretto255(f->x[i], y[i], difference) ==
			0);
		crypto_core_ristretto255_scalar_mul(
		    product, y[i], y[(i + 1) % n]);
		crypto_core_ristretto255_scalar_add(sum, sum, product);
	}
	if (n == 2)
		crypto_core_ristretto255_scalar_mul(sum, y[0], y[1]);
	need(crypto_scalarmult_ristretto255(k, sum, g) == 0);
}

/* The run's own struct serves as scratch, with K put in from outside. */
static void
make_keys(struct facts *f, size_t n, const uint8_t k[LEN], const uint8_t g[LEN])
{
	struct zp_group_run *run = run_new(&setup);
	uint8_t prk[32];

	need(run != NULL);
	for (size_t i = 0; i < n; i++) {
		memcpy(run->slot[i].z, f->z[i], LEN);
		memcpy(run->slot[i].x, f->x[i], LEN);
	}
	zp_cpace_isk_begin(&run->s->hash, n == 2 ? ZP_CPACE_DSI : DSI_GROUP,
	    run->view, sizeof(run->view), k);
	transcript(run, &run->s->hash);
	crypto_hash_sha512_final(&run->s->hash, run->s->wide);
	keep(f, ISK, run->s->wide, 64);
	zp_hash(prk, 32, run->s->wide, 64, "zpinc1-isk", run->view, 32);
	keep(f, PRK, prk, 32);
	memcpy(run->s->k, k, LEN);
	derive(run);
	keep(f, CONFIRM, run->s->confirm, 32);
	keep(f, RECORD, run->s->conv.key, 32);
	keep(f, K, k, LEN);
	keep(f, GEN, g, LEN);
	for (size_t i = 0; i < n; i++)
		make_tag(run, i, f->tag[i]);
}

static void
child(size_t n, int to)
{
	static struct facts f;
	uint8_t wide[64], y[N_MAX][LEN], ny[LEN] = {0}, g[LEN], k[LEN];
	struct zp_group_run *run;

	for (size_t i = 0; i < n; i++) {
		randombytes_buf(wide, sizeof(wide));
		crypto_core_ristretto255_scalar_reduce(y[i], wide);
		if (i == 0)
			keep(&f, RANDOM, wide, sizeof(wide));
	}
	keep(&f, Y, y[0], LEN);
	ny[0] = (uint8_t)n;
	crypto_core_ristretto255_scalar_mul(ny, ny, y[0]);
	keep(&f, NY, ny, LEN);
	run = run_new(&setup);
	need(run != NULL);
	generator(run, &setup);
	memcpy(g, run->s->g, LEN);
	keep(&f, GHASH, run->s->wide, 64);
	make_elements(&f, n, y, g, k);
	make_keys(&f, n, k, g);
	need(write(to, &f, sizeof(f)) == (ssize_t)sizeof(f));
	_exit(0);
}

static void
ask_child(size_t n)
{
	int fd[2], status;
	pid_t pid;

	make_setup(n);
	fflush(stdout);
	need(pipe(fd) == 0);
	pid = fork();
	need(pid >= 0);
	if (pid == 0)
		child(n, fd[1]);
	close(fd[1]);
	need(read(fd[0], &facts, sizeof(facts)) == (ssize_t)sizeof(facts));
	close(fd[0]);
	need(waitpid(pid, &status, 0) == pid && status == 0);
}

/* ---- searching ---------------------------------------------------------- */

/* Any 16 bytes in a row of it, at either end. */
static bool
found(enum name which, const uint8_t *mem, size_t len)
{
	const uint8_t *head = facts.secret[which];
	const uint8_t *tail = head + facts.len[which] - 16;

	for (size_t at = 0; at + 16 <= len; at++)
		for (int end = 0; end < 2; end++) {
			const uint8_t *want = end ? tail : head;
			size_t i = 0;

			while (i < 16 && (mem[at + i] ^ MASK) == want[i])
				i++;
			if (i == 16)
				return true;
		}
	return false;
}

static unsigned
set(enum name which)
{
	return 1U << which;
}

/* Which of all names lie in memory. */
static unsigned
search(const void *mem, size_t len)
{
	unsigned all = 0;

	for (unsigned i = 0; i < NAMES; i++)
		if (found((enum name)i, mem, len))
			all |= 1U << i;
	return all;
}

static unsigned
search_run(const struct zp_group_run *run)
{
	return search(run->s, sizeof(*run->s)) |
	    search(run, sizeof(*run) + run->n * sizeof(run->slot[0]));
}

static void
tell(unsigned got)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (got >> i & 1)
			printf("# there is %s\n", name[i]);
}

#define HOLDS(got, want, sentence)                 \
	do {                                       \
		unsigned got_ = (got);             \
		if (!OK(got_ == (want), sentence)) \
			tell(got_);                \
	} while (0)

#ifndef ZP_SANITIZED
static uint8_t chunk[65536];

/* What lies anywhere in this process, but for where we read it into. */
static unsigned
search_range(int mem, uint64_t from, uint64_t to)
{
	unsigned all = 0;
	uint64_t self = (uint64_t)(uintptr_t)chunk;

	while (from < to) {
		size_t want = to - from < sizeof(chunk) ? (size_t)(to - from)
							: sizeof(chunk);
		ssize_t got;

		if (from < self + sizeof(chunk) && self < from + want) {
			if (from < self) {
				want = (size_t)(self - from);
			} else {
				from = self + sizeof(chunk);
				continue;
			}
		}
		got = pread(mem, chunk, want, (off_t)from);
		if (got <= 0) /* a guard page */
			return all;
		all |= search(chunk, (size_t)got);
		if (from + (size_t)got >= to)
			break;
		/* What straddles two chunks is seen in the second. */
		from += got > 64 ? (size_t)got - 63 : (size_t)got;
	}
	return all;
}

static unsigned
search_process(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY);
	unsigned long long from, to;
	unsigned all = 0;
	char line[512], mode[5];

	need(maps != NULL && mem >= 0);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) == 3 &&
		    mode[0] == 'r' && mode[1] == 'w')
			all |= search_range(mem, from, to);
	fclose(maps);
	close(mem);
	memset(chunk, 0, sizeof(chunk));
	return all;
}
#endif

/* ---- the cases ---------------------------------------------------------- */

static struct zp_group_run *
start_run(void)
{
	uint8_t *random = zp_secret_new(ZP_GROUP_RANDOM_LEN);
	struct zp_group_run *run;

	need(random != NULL);
	for (size_t i = 0; i < ZP_GROUP_RANDOM_LEN; i++)
		random[i] = facts.secret[RANDOM][i] ^ MASK;
	need(OPS.start(&setup, random, &run) == ZP_OK);
	OK(search(random, ZP_GROUP_RANDOM_LEN) == 0,
	    "start wipes the random bytes");
	zp_secret_free(random);
	return run;
}

static void
put_all(struct zp_group_run *run, bool mixes)
{
	for (size_t i = 1; i < run->n; i++)
		need((mixes ? OPS.put_mix(run, i, facts.x[i])
			    : OPS.put_share(run, i, facts.z[i])) == ZP_OK);
}

static void
walk(size_t n)
{
	struct zp_group_run *run;
	unsigned after_key = set(CONFIRM) | set(RECORD);

	printf("# %zu members\n", n);
	ask_child(n);
	run = start_run();
	HOLDS(search_run(run), set(Y), "a run begins with y alone");
#ifndef ZP_SANITIZED
	HOLDS(search_process(), set(Y), "the process too");
#endif
	put_all(run, false);
	need(OPS.check(run) == ZP_OK);
	if (n > 2) {
		need(OPS.mix(run) == ZP_OK);
		put_all(run, true);
	}
	HOLDS(search_run(run), set(Y), "before the key there is y alone");
	need(OPS.key(run) == ZP_OK);
	HOLDS(search_run(run), after_key,
	    "after it there are the conversation's keys alone");
#ifndef ZP_SANITIZED
	HOLDS(search_process(), after_key, "so it is with the whole process");
#endif
	for (size_t i = 1; i < n; i++)
		need(OPS.verify(run, i, facts.tag[i]) == ZP_OK);
	OK(OPS.confirmed(run), "the keys searched for are the run's");
	HOLDS(search_run(run), after_key, "confirming adds nothing");
	OPS.free(run);
#ifndef ZP_SANITIZED
	HOLDS(search_process(), 0, "a freed run leaves nothing in the process");
#endif
}

enum way { BAD_SHARE, EQUAL_SHARES, BAD_MIX, WRONG_MIX, WAYS };

static void
abandon(enum way way, const char *sentence)
{
	static const uint8_t zero[LEN];
	struct zp_group_run *run = start_run();

	need(OPS.put_share(run, 1, facts.z[1]) == ZP_OK);
	need(OPS.put_share(run, 2,
		 way == BAD_SHARE	   ? zero
		     : way == EQUAL_SHARES ? facts.z[1]
					   : facts.z[2]) == ZP_OK);
	if (way < BAD_MIX) {
		need(OPS.check(run) ==
		    (way == BAD_SHARE ? ZP_ERR_POINT : ZP_ERR_EQUAL));
	} else {
		need(OPS.check(run) == ZP_OK && OPS.mix(run) == ZP_OK &&
		    OPS.put_mix(run, 1, facts.x[1]) == ZP_OK &&
		    OPS.put_mix(run, 2, way == BAD_MIX ? zero : facts.x[1]) ==
			ZP_OK &&
		    OPS.key(run) ==
			(way == BAD_MIX ? ZP_ERR_POINT : ZP_ERR_SUM));
	}
	HOLDS(search_run(run), 0, sentence);
#ifndef ZP_SANITIZED
	HOLDS(search_process(), 0, "so it is with the whole process");
#endif
	OPS.free(run);
}

int
main(void)
{
	need(zp_secret_init() == ZP_OK);
	randombytes_buf(msgkey, sizeof(msgkey));
	walk(2);
	walk(3);
	abandon(BAD_SHARE, "a run with a bad share holds no secret");
	abandon(EQUAL_SHARES, "a run with equal shares holds no secret");
	abandon(BAD_MIX, "a run with a bad mix holds no secret");
	abandon(WRONG_MIX, "a run with a wrong mix holds no secret");
	return tap_done();
}
