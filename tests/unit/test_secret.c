/*
 * Memory of secrets: small blocks share one of libsodium's, so what that
 * promises has to hold for each of them.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypt/zp_secret.h"
#include "tap.h"

#define BLOCKS 100
#define BIG 100000

/* A repeatable choice, the same in every run. */
static unsigned
choose(unsigned *state, unsigned below)
{
	*state = *state * 1103515245U + 12345U;
	return (*state >> 16) % below;
}

static bool
all_are(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* Blocks of all sizes come and go; each keeps its own contents. */
static bool
juggle(unsigned seed)
{
	uint8_t *p[BLOCKS] = {NULL};
	size_t n[BLOCKS] = {0};
	bool good = true;

	for (unsigned i = 0; i < 5000; i++) {
		unsigned at = choose(&seed, BLOCKS);
		uint8_t mark = (uint8_t)(at + 1);
		if (p[at] != NULL) {
			good = good && all_are(p[at], n[at], mark);
			zp_secret_free(p[at]);
			p[at] = NULL;
			continue;
		}
		n[at] = 1 + choose(&seed, choose(&seed, 20) == 0 ? 12000 : 400);
		p[at] = zp_secret_new(n[at]);
		good = good && p[at] != NULL && (uintptr_t)p[at] % 64 == 0 &&
		    all_are(p[at], n[at], 0);
		if (!good)
			break;
		memset(p[at], mark, n[at]);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		zp_secret_free(p[i]);
	return good;
}

static void *
juggle_thread(void *arg)
{
	return juggle(*(const unsigned *)arg) ? arg : NULL;
}

static bool
threads(void)
{
	static unsigned seeds[4] = {1, 2, 3, 4};
	pthread_t t[4];
	bool good = true;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, juggle_thread, &seeds[i]) != 0)
			exit(1);
	for (int i = 0; i < 4; i++) {
		void *result = NULL;
		pthread_join(t[i], &result);
		good = good && result != NULL;
	}
	return good;
}

enum fault { TOO_FAR, TOO_FAR_BIG, TWICE, NONE };

/* A child that does it; did it live to tell? */
static bool
survives(enum fault fault)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit none = {0, 0};
		size_t n = fault == TOO_FAR_BIG ? BIG : 64;
		uint8_t *volatile p = zp_secret_new(n);
		uint8_t *volatile other = zp_secret_new(64);

		setrlimit(RLIMIT_CORE, &none);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(0);
		if (fault == TOO_FAR || fault == TOO_FAR_BIG)
			p[(n + 63) / 64 * 64] ^= 1;
		zp_secret_free(p);
		if (fault == TWICE)
			zp_secret_free(p);
		zp_secret_free(other);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(1);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#if defined(__linux__) && !defined(ZP_SANITIZED)

/* The mapping that an address lies in, and those around it. */
struct mapping {
	bool found, dont_dump, locked, guarded;
};

static struct mapping
find_mapping(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], rights[8], before[8] = "";
	unsigned long from, to, end = 0, last = 0;
	struct mapping m = {0};
	bool here = false;

	if (f == NULL)
		return m;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3) {
			if (here)
				m.guarded = m.guarded && from == end &&
				    memcmp(rights, "---", 3) == 0;
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
			if (here) {
				m.found = true;
				m.guarded = last == from &&
				    memcmp(before, "---", 3) == 0;
				end = to;
			}
			last = to;
			memcpy(before, rights, sizeof(before));
		} else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			m.dont_dump = strstr(line, " dd") != NULL;
			m.locked = strstr(line, " lo") != NULL;
		}
	}
	fclose(f);
	return m;
}

static void
test_mapping(void)
{
	struct rlimit limit;
	uint8_t *p = zp_secret_new(32);
	struct mapping m = find_mapping(p);

	OK(m.found && m.dont_dump, "a small block is left out of core dumps");
	OK(m.found && m.guarded,
	    "what small blocks share lies between pages nobody may touch");
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= 65536)
		OK(m.locked, "a small block is never written to swap");
	else
		tap_skip("a small block is never written to swap",
		    "no memory may be locked here");
	memset(p, 0x5a, 32);
	zp_secret_free(p);
	/* It stays mapped, so that a look at it is allowed. */
	OK(all_are(p, 32, 0), "a small block is wiped when it is freed");
}

#else

static void
test_mapping(void)
{
	tap_skip("what small blocks share is guarded and wiped",
	    "here every block has pages of its own");
}

#endif

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 1;
	OK(juggle(7), "blocks are zero and aligned, and do not overlap");
	OK(threads(), "threads may ask for blocks at the same time");
	test_mapping();
	OK(survives(NONE), "(the tests below can fail)");
	OK(!survives(TOO_FAR),
	    "a byte written behind a small block ends the process");
	OK(!survives(TOO_FAR_BIG),
	    "a byte written behind a large block ends the process");
	OK(!survives(TWICE), "a block freed twice ends the process");
	return tap_done();
}
