/*
 * What handshakes leave in memory.  A child process makes conversations
 * among three presences of its own; its parent is told the random bytes of
 * every run as they are drawn, masked, computes from them all secrets of all
 * members, and searches the whole of the child's memory for them: after a
 * conversation was made, after its key was replaced and has gone, in the
 * middle of a run, and after everybody has left.
 *
 * The source file is taken in whole: the parent needs what a run hides.
 */
#include "../../lib/crypt/zp_group.c"

#include <fcntl.h>
#include <sys/wait.h>

#include "crypt/zp_hash.h"
#include "world.h"

#define LEN ZP_GROUP_ELEMENT_LEN
#define N 3
#define RUNS 3
#define MASK 0xa5
#define PAUSE SIZE_MAX /* for a member's number: nothing comes until we say */

enum name { RANDOM, Y, NY, GEN, GHASH, K, ISK, PRK, CONFIRM, RECORD, NAMES };

static const char *const name[NAMES] = {"random bytes", "y", "n y",
    "the generator", "the generator's hash", "K", "ISK", "prk", "a confirm key",
    "a record key"};

/* What a member's run begins with; random is masked. */
struct begun {
	uint8_t rp[ZP_PSEUDONYM_LEN];
	uint8_t view[ZP_GROUP_VIEW_LEN];
	struct zp_group_member m[N];
	size_t me;
	uint8_t random[ZP_GROUP_RANDOM_LEN];
};

/* ---- the child ---------------------------------------------------------- */

static int to_parent, from_parent;

/* Tells the parent before the run begins, and keeps nothing. */
static enum zp_err
told_start(const struct zp_group_setup *setup,
    uint8_t random[static ZP_GROUP_RANDOM_LEN], struct zp_group_run **run)
{
	static unsigned starts;
	struct begun b;

	need(setup->n == N);
	world.quiet = ++starts > 2 * N;
	memcpy(b.rp, setup->rp, sizeof(b.rp));
	memcpy(b.view, setup->view, sizeof(b.view));
	memcpy(b.m, setup->m, sizeof(b.m));
	b.me = setup->me;
	for (size_t i = 0; i < ZP_GROUP_RANDOM_LEN; i++)
		b.random[i] = random[i] ^ MASK;
	need(write(to_parent, &b, sizeof(b)) == (ssize_t)sizeof(b));
	return zp_group_ristretto.start(setup, random, run);
}

/* The parent has a look meanwhile. */
static void
pause_for_search(void)
{
	static const struct begun pause = {.me = PAUSE};
	char go;

	need(write(to_parent, &pause, sizeof(pause)) == (ssize_t)sizeof(pause));
	need(read(from_parent, &go, 1) == 1);
}

/* Each member's third run begins, and none hears of the others' shares. */
static void
begin_a_run(void)
{
	unsigned running = 0;

	need(zp_presence_rekey(world.who[0].p, &world.now) == ZP_OK);
	for (unsigned i = 0; i < 200 && running < N; i++) {
		world_run(100);
		running = 0;
		for (size_t j = 0; j < N; j++)
			running += zp_machine_phase(machine_of(
				       &world.who[j])) == ZP_PHASE_SHARE;
	}
	need(running == N);
}

static void
child(void)
{
	static struct zp_group_ops ops;
	struct zp_presence_config c = {.ops = &ops};

	ops = zp_group_ristretto;
	ops.start = told_start;
	world_begin();
	world_add("alice", c);
	world_add("bob", c);
	world_add("carol", c);
	for (unsigned i = 0; i < 1000 && world.who[0].current < 1; i++)
		world_run(100);
	world_run(1000);
	pause_for_search();
	need(zp_presence_rekey(world.who[0].p, &world.now) == ZP_OK);
	for (unsigned i = 0; i < 2000 && world.who[2].gone < 1; i++)
		world_run(100);
	world_run(30000);
	need(world.who[0].gone == 1 && world.who[1].gone == 1);
	pause_for_search();
	begin_a_run();
	pause_for_search();
	for (size_t i = 0; i < N; i++)
		need(zp_presence_stop(world.who[i].p, &world.now) == ZP_OK);
	pause_for_search();
	world_end();
	exit(0);
}

/* ---- the parent --------------------------------------------------------- */

/* All that one run's members have had, as needles. */
struct run {
	uint8_t view[ZP_GROUP_VIEW_LEN];
	uint8_t wide[N][ZP_GROUP_RANDOM_LEN], y[N][LEN], ny[N][LEN];
	uint8_t g[LEN], ghash[64], k[LEN], isk[64], prk[32];
	uint8_t confirm[32], record[32];
	size_t members; /* heard of */
};

static struct run runs[RUNS];
static size_t n_runs;
static uint8_t msgkey[ZP_KEY_LEN];

/* Everything but the scalars, from the scalars, as nobody could. */
static void
compute(struct run *r, const struct begun *b)
{
	struct zp_group_setup setup = {
	    .msgkey = msgkey, .m = b->m, .n = N, .me = 0};
	uint8_t sum[LEN] = {0}, product[LEN], difference[LEN];

	memcpy(setup.rp, b->rp, sizeof(setup.rp));
	memcpy(setup.view, b->view, sizeof(setup.view));
	struct zp_group_run *run = run_new(&setup);
	need(run != NULL);
	generator(run, &setup);
	memcpy(r->g, run->s->g, LEN);
	memcpy(r->ghash, run->s->wide, 64);
	for (size_t i = 0; i < N; i++)
		need(crypto_scalarmult_ristretto255(
			 run->slot[i].z, r->y[i], r->g) == 0);
	for (size_t i = 0; i < N; i++) {
		need(crypto_core_ristretto255_sub(difference,
			 run->slot[(i + 1) % N].z,
			 run->slot[(i + N - 1) % N].z) == 0);
		need(crypto_scalarmult_ristretto255(
			 run->slot[i].x, r->y[i], difference) == 0);
		crypto_core_ristretto255_scalar_mul(
		    product, r->y[i], r->y[(i + 1) % N]);
		crypto_core_ristretto255_scalar_add(sum, sum, product);
	}
	need(crypto_scalarmult_ristretto255(r->k, sum, r->g) == 0);
	zp_cpace_isk_begin(
	    &run->s->hash, DSI_GROUP, run->view, sizeof(run->view), r->k);
	transcript(run, &run->s->hash);
	crypto_hash_sha512_final(&run->s->hash, run->s->wide);
	memcpy(r->isk, run->s->wide, 64);
	zp_hash(r->prk, 32, r->isk, 64, "zpinc1-isk", run->view, 32);
	memcpy(run->s->k, r->k, LEN);
	derive(run);
	memcpy(r->confirm, run->s->confirm, 32);
	memcpy(r->record, run->s->conv.key, 32);
}

static void
learn(const struct begun *b)
{
	struct run *r = NULL;
	uint8_t n[LEN] = {N};

	for (size_t i = 0; i < n_runs; i++)
		if (memcmp(runs[i].view, b->view, sizeof(b->view)) == 0)
			r = &runs[i];
	if (r == NULL) {
		need(n_runs < RUNS);
		r = &runs[n_runs++];
		memcpy(r->view, b->view, sizeof(b->view));
	}
	for (size_t i = 0; i < ZP_GROUP_RANDOM_LEN; i++)
		r->wide[b->me][i] = b->random[i] ^ MASK;
	crypto_core_ristretto255_scalar_reduce(r->y[b->me], r->wide[b->me]);
	crypto_core_ristretto255_scalar_mul(r->ny[b->me], n, r->y[b->me]);
	if (++r->members == N)
		compute(r, b);
}

/* All that the child tells until it waits for us. */
static void
hear_child(int from)
{
	struct begun b;

	for (;;) {
		need(read(from, &b, sizeof(b)) == (ssize_t)sizeof(b));
		if (b.me == PAUSE)
			return;
		learn(&b);
	}
}

struct needle {
	const uint8_t *data;
	size_t len;
	unsigned bit;
};

static size_t
needles(const struct run *r, struct needle *to)
{
	struct needle *at = to;

	for (size_t i = 0; i < N; i++) {
		*at++ = (struct needle){r->wide[i], 64, 1U << RANDOM};
		*at++ = (struct needle){r->y[i], LEN, 1U << Y};
		*at++ = (struct needle){r->ny[i], LEN, 1U << NY};
	}
	*at++ = (struct needle){r->g, LEN, 1U << GEN};
	*at++ = (struct needle){r->ghash, 64, 1U << GHASH};
	*at++ = (struct needle){r->k, LEN, 1U << K};
	*at++ = (struct needle){r->isk, 64, 1U << ISK};
	*at++ = (struct needle){r->prk, 32, 1U << PRK};
	*at++ = (struct needle){r->confirm, 32, 1U << CONFIRM};
	*at++ = (struct needle){r->record, 32, 1U << RECORD};
	return (size_t)(at - to);
}

/* Sixteen bytes in a row of it, at either end. */
static unsigned
search(const struct run *r, const uint8_t *mem, size_t len)
{
	struct needle list[3 * N + NAMES];
	size_t n = needles(r, list);
	unsigned got = 0;

	for (size_t i = 0; i < n; i++)
		if (memmem(mem, len, list[i].data, 16) != NULL ||
		    memmem(mem, len, list[i].data + list[i].len - 16, 16) !=
			NULL)
			got |= list[i].bit;
	return got;
}

static uint8_t chunk[1 << 20];

static void
search_range(int mem, uint64_t from, uint64_t to, unsigned got[RUNS])
{
	while (from < to) {
		size_t want = to - from < sizeof(chunk) ? (size_t)(to - from)
							: sizeof(chunk);
		ssize_t n = pread(mem, chunk, want, (off_t)from);
		if (n <= 0) /* a guard page */
			return;
		for (size_t i = 0; i < n_runs; i++)
			got[i] |= search(&runs[i], chunk, (size_t)n);
		if (from + (size_t)n >= to)
			return;
		/* What straddles two chunks is seen in the second. */
		from += n > 64 ? (size_t)n - 63 : (size_t)n;
	}
}

/* What of each run lies anywhere in the child. */
static void
search_child(pid_t pid, unsigned got[RUNS])
{
	char path[64], line[512], mode[5];
	unsigned long long from, to;

	memset(got, 0, RUNS * sizeof(*got));
	snprintf(path, sizeof(path), "/proc/%ld/maps", (long)pid);
	FILE *maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%ld/mem", (long)pid);
	int mem = open(path, O_RDONLY);
	need(maps != NULL && mem >= 0);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) == 3 &&
		    mode[0] == 'r' && mode[1] == 'w')
			search_range(mem, from, to, got);
	fclose(maps);
	close(mem);
}

static void
holds(unsigned got, unsigned want, const char *sentence)
{
	if (OK(got == want, sentence))
		return;
	for (unsigned i = 0; i < NAMES; i++)
		if (((got ^ want) >> i & 1) != 0)
			printf("# %s %s\n", name[i],
			    got >> i & 1 ? "is there" : "is missing");
}

static void
watch(pid_t pid, int from, int to)
{
	unsigned got[RUNS];

	hear_child(from);
	search_child(pid, got);
	holds(got[0], 1U << RECORD,
	    "a conversation's record key is all that is left of its run");
	need(write(to, "", 1) == 1);

	hear_child(from);
	search_child(pid, got);
	holds(got[0], 0, "a replaced conversation leaves nothing");
	holds(got[1], 1U << RECORD, "of the new one there is the record key");
	need(write(to, "", 1) == 1);

	hear_child(from);
	search_child(pid, got);
	holds(got[1], 1U << RECORD, "a new run changes nothing in that");
	holds(got[2], 1U << Y, "a run that has begun holds y alone");
	need(write(to, "", 1) == 1);

	hear_child(from);
	search_child(pid, got);
	holds(got[0] | got[1] | got[2], 0,
	    "who has left holds no secret of any run");
	need(write(to, "", 1) == 1);
}

int
main(void)
{
	static const unsigned char raw[ZP_KEY_LEN] = {1, 2, 3};
	struct zp_key *key;
	int up[2], down[2], status;

#ifdef ZP_SANITIZED
	tap_skip("memory of handshakes", "sanitizers keep copies");
	return tap_done();
#endif
	need(pipe(up) == 0 && pipe(down) == 0);
	pid_t pid = fork();
	need(pid >= 0);
	if (pid == 0) {
		to_parent = up[1];
		from_parent = down[0];
		close(up[0]);
		close(down[1]);
		child();
	}
	close(up[1]);
	close(down[0]);
	need(zp_secret_init() == ZP_OK);
	need(zp_key_load(&key, raw, "ops", ZP_WORK_RANDOM) == ZP_OK);
	memcpy(msgkey, zp_key_msgkey(key), sizeof(msgkey));
	zp_key_free(key);
	watch(pid, up[0], down[1]);
	need(waitpid(pid, &status, 0) == pid);
	IS(status, 0, "the handshakes went as they should");
	return tap_done();
}
