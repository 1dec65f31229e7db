/*
 * Runs commands by turns and compares them with the first: medians, spread,
 * and the ratio of each round, so that what slows the machine for a while
 * slows both sides.
 *
 *	harness [-n ROUNDS] [-i FILE] [-o FILE] [-u UNIT=AMOUNT] [-s] [-t]
 *		[-v NAME] WHAT NAME COMMAND [NAME COMMAND]...
 *
 * -n: rounds (21).  -i: stdin of every run (/dev/null).  -o: its stdout
 * (/dev/null).  -u: what a run does, for throughput: lines=1000000.  -s: the
 * commands are for the shell; else they are split at blanks and no shell is
 * timed.  -t: by processor time, in user and kernel, which another process
 * on the machine does not count in; else by the clock.  -v: the command of
 * this name is compared with each of the others, too.  A command that fails
 * ends it all: a benchmark of failures would look fast.  A NAME may end in
 * its aim, as in `zpinc-seal <= 1.3'.
 *
 * A line for each command: name, median in ms, its quartiles, median ratio to
 * the first with its quartiles, ratio of the least times (for busy machines),
 * peak memory in MiB, throughput.  These ratios are of times.
 *
 * If $ZP_BENCH_TSV names a file, each ratio is added to it, as the README in
 * this folder says.  There a ratio is of throughput if there is a -u.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef _GNU_SOURCE
extern char **environ;
#endif

#define COMMANDS 16
#define WORDS 64

struct command {
	char *name, *aim; /* aim: "" if none */
	char *words[WORDS + 1];
	double *ms, *ratio, *sorted;
	long peak; /* KiB */
};

static struct {
	size_t rounds, n;
	const char *in, *out;
	char unit[32];
	double amount;
	bool shell, cpu;
	const char *what, *versus;
	FILE *table;
	struct command commands[COMMANDS];
} h = {.rounds = 21, .in = "/dev/null", .out = "/dev/null"};

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "harness: %s: %s\n", what, why);
	exit(1);
}

static void *
need(void *p)
{
	if (p == NULL)
		fail("memory", "none left");
	return p;
}

static void
split(struct command *c, char *text)
{
	size_t n = 0;
	char *rest = text;

	if (h.shell) {
		c->words[n++] = need(strdup("/bin/sh"));
		c->words[n++] = need(strdup("-c"));
		c->words[n++] = text;
		rest = NULL;
	}
	while (rest != NULL && n < WORDS) {
		char *word = strsep(&rest, " ");
		if (*word != '\0')
			c->words[n++] = word;
	}
	c->words[n] = NULL;
	if (n == 0 || rest != NULL)
		fail(c->name, "no command, or too long");
}

/* One run, in ms. */
static double
run(struct command *c)
{
	posix_spawn_file_actions_t files;
	struct timespec a, b;
	struct rusage use;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, h.in, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
	    &files, 1, h.out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	clock_gettime(CLOCK_MONOTONIC, &a);
	int error =
	    posix_spawnp(&pid, c->words[0], &files, NULL, c->words, environ);
	if (error != 0)
		fail(c->words[0], strerror(error));
	while (wait4(pid, &status, 0, &use) < 0)
		if (errno != EINTR)
			fail(c->name, strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &b);
	posix_spawn_file_actions_destroy(&files);
	if (status != 0)
		fail(c->name, "failed");
	if (use.ru_maxrss > c->peak)
		c->peak = use.ru_maxrss;
	if (h.cpu)
		return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) *
		    1e3 +
		    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
	return (double)(b.tv_sec - a.tv_sec) * 1e3 +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value below which a share of the sorted values lies. */
static double
share(const double *sorted, double q)
{
	return sorted[(size_t)(q * (double)(h.rounds - 1) + 0.5)];
}

/* Each round's time of c as a ratio to b's, sorted. */
static void
ratios(struct command *c, const struct command *b)
{
	for (size_t r = 0; r < h.rounds; r++)
		c->ratio[r] = c->ms[r] / b->ms[r];
	qsort(c->ratio, h.rounds, sizeof(*c->ratio), by_value);
}

/* A line of the table, after ratios(). */
static void
put_row(const struct command *c, const struct command *b)
{
	double median = share(c->ratio, 0.5), ms = share(c->sorted, 0.5);
	double low = share(c->ratio, 0.25), high = share(c->ratio, 0.75);
	bool rate = h.amount > 0;

	if (h.table == NULL)
		return;
	fprintf(h.table, "%s\t%s\t%s\t%.4f\t%.4f\t%.4f\t%zu\t%s\t%s\t", c->name,
	    h.what, b->name, rate ? 1 / median : median, rate ? 1 / high : low,
	    rate ? 1 / low : high, h.rounds, rate ? "rate" : "time",
	    b == h.commands ? c->aim : "");
	if (rate)
		fprintf(h.table, "%.6g\t%s/s", h.amount / ms * 1e3, h.unit);
	else
		fprintf(h.table, "%.6g\tms", ms);
	fprintf(h.table, "\t%.1f\n", (double)c->peak / 1024);
}

static void
report(struct command *c, int width)
{
	memcpy(c->sorted, c->ms, h.rounds * sizeof(*c->ms));
	qsort(c->sorted, h.rounds, sizeof(*c->sorted), by_value);
	ratios(c, &h.commands[0]);
	put_row(c, &h.commands[0]);
	double ms = share(c->sorted, 0.5);
	printf("%-*s %10.3f ms (%.3f to %.3f)  %6.3f times (%.3f to %.3f)"
	       "  least %.3f  %6.1f MiB",
	    width, c->name, ms, share(c->sorted, 0.25), share(c->sorted, 0.75),
	    share(c->ratio, 0.5), share(c->ratio, 0.25), share(c->ratio, 0.75),
	    c->sorted[0] / h.commands[0].sorted[0], (double)c->peak / 1024);
	if (h.amount > 0)
		printf("  %.0f %s/s", h.amount / ms * 1e3, h.unit);
	printf("\n");
}

/* What -v names, beside all others. */
static void
compare(void)
{
	for (size_t i = 1; i < h.n; i++) {
		struct command *c = &h.commands[i];
		if (h.versus == NULL || strcmp(c->name, h.versus) != 0)
			continue;
		for (size_t j = 1; j < h.n; j++) {
			if (j == i)
				continue;
			ratios(c, &h.commands[j]);
			put_row(c, &h.commands[j]);
		}
	}
}

/* "zpinc-seal <= 1.3": the name ends before the blank. */
static void
set_name(struct command *c, const char *text)
{
	c->name = need(strdup(text));
	char *at = strpbrk(c->name, "<>");
	c->aim = at != NULL ? at : c->name + strlen(c->name);
	if (at == NULL)
		return;
	c->aim = need(strdup(at));
	while (at > c->name && at[-1] == ' ')
		at--;
	*at = '\0';
}

static void
options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "+n:i:o:u:stv:")) != -1) {
		char *end = NULL;
		if (o == 'n')
			h.rounds = strtoul(optarg, &end, 10);
		else if (o == 'i')
			h.in = optarg;
		else if (o == 'o')
			h.out = optarg;
		else if (o == 's')
			h.shell = true;
		else if (o == 't')
			h.cpu = true;
		else if (o == 'v')
			h.versus = optarg;
		else if (o == 'u' && strchr(optarg, '=') != NULL) {
			size_t n = strcspn(optarg, "=");
			snprintf(
			    h.unit, sizeof(h.unit), "%.*s", (int)n, optarg);
			h.amount = strtod(optarg + n + 1, &end);
		} else
			exit(2);
		if (end != NULL && *end != '\0')
			fail(optarg, "no number");
	}
	if (optind < argc)
		h.what = argv[optind++];
	for (int i = optind; i + 1 < argc && h.n < COMMANDS; i += 2) {
		struct command *c = &h.commands[h.n++];
		set_name(c, argv[i]);
		split(c, argv[i + 1]);
		c->ms = need(calloc(h.rounds, sizeof(*c->ms)));
		c->ratio = need(calloc(h.rounds, sizeof(*c->ratio)));
		c->sorted = need(calloc(h.rounds, sizeof(*c->sorted)));
	}
	if (h.rounds < 1 || h.n == 0)
		fail("usage", "[-n ROUNDS] [-s] WHAT NAME COMMAND...");
}

int
main(int argc, char **argv)
{
	int width = 0;
	const char *table = getenv("ZP_BENCH_TSV");

	options(argc, argv);
	if (table != NULL && (h.table = fopen(table, "a")) == NULL)
		fail(table, strerror(errno));
	for (size_t i = 0; i < h.n; i++) {
		int n = (int)strlen(h.commands[i].name);
		width = n > width ? n : width;
		run(&h.commands[i]); /* into the caches */
	}
	for (size_t r = 0; r < h.rounds; r++)
		for (size_t i = 0; i < h.n; i++)
			h.commands[i].ms[r] = run(&h.commands[i]);
	for (size_t i = 0; i < h.n; i++)
		report(&h.commands[i], width);
	compare();
	bool good = fflush(stdout) == 0;
	if (h.table != NULL && fclose(h.table) != 0)
		good = false;
	return good ? 0 : 1;
}
