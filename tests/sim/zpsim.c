#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/tap.h"
#include "crypt/zp_secret.h"
#include "sim_scene.h"

/*
 * zpsim				the tests of `make check`, as TAP
 * zpsim -f N				the same with N times as many runs
 * zpsim -x SCENE [-n N] [-r RUNS] [-s SEED] [-t] [-o FILE]
 *	one scene; -t traces it, -o writes every step for the reference
 */

struct tally {
	size_t runs, failed, abandoned, odd;
	double *time, *records, *bytes;
	size_t memory;
	uint64_t first_failed;
	const char *why;
};

static int
ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
at(double *v, size_t n, double p)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), ascending);
	size_t i = (size_t)(p * (double)n);
	return v[i < n ? i : n - 1];
}

static struct tally
play(const struct sim_scene *scene, size_t n, size_t runs, uint64_t seed,
    struct sim_world *w)
{
	struct tally t = {.runs = runs};
	size_t good = 0;

	t.time = calloc(runs, sizeof(double));
	t.records = calloc(runs, sizeof(double));
	t.bytes = calloc(runs, sizeof(double));
	for (size_t i = 0; i < runs; i++) {
		struct sim_result r = scene->run(w, seed + i, n);
		t.abandoned += r.abandoned;
		t.odd += r.odd;
		if (r.memory > t.memory)
			t.memory = r.memory;
		if (!r.ok) {
			if (t.failed++ == 0) {
				t.first_failed = seed + i;
				t.why = r.why;
			}
			continue;
		}
		t.time[good] = (double)r.time / 1000;
		t.bytes[good] = r.bytes;
		t.records[good++] = r.records;
	}
	return t;
}

static void
tell(const struct sim_scene *scene, size_t n, struct tally *t)
{
	size_t good = t->runs - t->failed;

	printf("# %-12s n=%2zu ok=%zu fail=%zu time med=%.1f p99=%.1f "
	       "max=%.1f s | records/n med=%.1f max=%.1f | bytes/n med=%.0f "
	       "memory=%zu abandon=%zu odd=%zu\n",
	    scene->name, n, good, t->failed, at(t->time, good, .5),
	    at(t->time, good, .99), at(t->time, good, 1),
	    at(t->records, good, .5), at(t->records, good, 1),
	    at(t->bytes, good, .5), t->memory, t->abandoned, t->odd);
	if (t->failed > 0)
		printf("# seed %" PRIu64 ": %s; see it with\n"
		       "# make sim SCENE=%s N=%zu SEED=%" PRIu64 "\n",
		    t->first_failed, t->why, scene->name, n, t->first_failed);
	free(t->time);
	free(t->records);
	free(t->bytes);
	fflush(stdout);
}

struct plan {
	const char *scene;
	size_t n, runs;
	double records; /* median a member at most; 0: not looked at */
	double median, worst; /* s at most */
};

/* Runs for `make check`; the bounds on figures are those of zpinc(7). */
static const struct plan plans[] = {
    {"storm", 2, 100, 4.0, 3, 4},
    {"storm", 5, 100, 6.2, 4, 5},
    {"storm", 20, 10, 6.2, 4, 5},
    {"slow-storm", 5, 40, 13, 16, 20},
    {"lossy-storm", 5, 100, 16, 30, 150},
    {"join", 5, 100, 4.6, 3, 4},
    {"join", 20, 10, 4.6, 4, 4},
    {"lossy-join", 5, 100, 16, 30, 150},
    {"leave", 5, 100, 3.9, 3, 4},
    {"leave", 20, 10, 3.9, 4, 4},
    {"crash", 5, 60, 3.5, 90, 95},
    {"restart", 5, 100, 8, 9, 15},
    /* Half of the pairs were parted. */
    {"heal", 2, 100, 0, 10, 40},
    {"heal", 5, 100, 0, 10, 40},
    {"rekey", 5, 40, 7, 1, 20},
    {"chaos", 2, 400, 0, 16, 578},
    {"chaos", 3, 400, 0, 16, 578},
    {"chaos", 6, 100, 0, 16, 578},
    {"wild", 3, 300, 0, 30, 578},
    {"wild", 7, 60, 0, 60, 578},
    {"real", 4, 20, 0, 60, 578},
    {"cut", 3, 20, 0, 60, 578},
    {"hide", 8, 10, 0, 60, 578},
    {"replay", 4, 40, 0, 30, 578},
    {"rogues", 5, 252, 0, 120, 578},
    {"rogues", 4, 126, 0, 120, 578},
    {"retained", 4, 40, 0, 6, 15},
    {"flapper", 4, 40, 0, 0, 0},
    {"talk", 3, 40, 0, 60, 578},
    {"talk", 8, 10, 0, 100, 578},
    {"fixed", 3, 120, 0, 30, 300},
    {"mixed", 3, 20, 0, 5, 8},
    {"in-turn", 6, 60, 0, 5, 8},
    {"at-once", 6, 60, 0, 5, 8},
    {"at-once", 2, 60, 0, 5, 8},
    {"thrown-back", 3, 60, 0, 5, 8},
    {"crowd", 3, 20, 0, 5, 8},
};

static void
check(const struct plan *p, size_t factor)
{
	struct sim_world w = {0};
	const struct sim_scene *scene = sim_scene_find(p->scene);
	struct tally t = play(scene, p->n, p->runs * factor, 1, &w);
	size_t good = t.runs - t.failed;
	char name[160];
	bool fine = t.failed == 0 && good > 0 &&
	    at(t.time, good, .5) <= p->median &&
	    at(t.time, good, 1) <= p->worst &&
	    (p->records == 0 || at(t.records, good, .5) <= p->records);

	snprintf(name, sizeof(name), "%s: %zu members, %zu runs", scene->what,
	    p->n, t.runs);
	tell(scene, p->n, &t);
	OK(fine, name);
}

static int
usage(void)
{
	fprintf(stderr,
	    "usage: zpsim [-f FACTOR] | zpsim -x SCENE [-n N] "
	    "[-r RUNS] [-s SEED] [-t] [-o FILE]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	const struct sim_scene *scene = NULL;
	size_t n = 3, runs = 1, factor = 1;
	uint64_t seed = 1;
	struct sim_world w = {0};
	int opt;

	if (zp_secret_init() != ZP_OK)
		return 5;
	while ((opt = getopt(argc, argv, "f:x:n:r:s:to:")) != -1) {
		switch (opt) {
		case 'f':
			factor = strtoul(optarg, NULL, 10);
			break;
		case 'x':
			scene = sim_scene_find(optarg);
			if (scene == NULL)
				return usage();
			break;
		case 'n':
			n = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			runs = strtoul(optarg, NULL, 10);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 't':
			w.trace = true;
			break;
		case 'o':
			w.schedule = fopen(optarg, "w");
			if (w.schedule == NULL)
				return 5;
			break;
		default:
			return usage();
		}
	}
	if (scene != NULL) {
		struct tally t = play(scene, n, runs, seed, &w);
		int status = t.failed > 0;
		tell(scene, n, &t);
		return status;
	}
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		check(&plans[i], factor);
	return tap_done();
}
