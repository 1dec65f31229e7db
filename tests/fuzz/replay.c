#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/tap.h"
#include "fuzz.h"

/*
 * Gives a target all inputs of its corpus, without libFuzzer: files and
 * folders named, or tests/fuzz/corpus/NAME.  -v names each before it runs.
 */

static bool verbose;
static char latest[PATH_MAX];

/* The sanitizers' reports go where stderr was. */
__attribute__((weak)) void
__sanitizer_set_report_fd(void *fd); /* NOLINT(cert-dcl51-cpp) */

/* Targets say on stderr what is wrong with their input. */
static void
hush(void)
{
	int real = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (real < 0 || null < 0)
		exit(1);
	if (__sanitizer_set_report_fd != NULL)
		__sanitizer_set_report_fd((void *)(intptr_t)real);
	dup2(null, STDERR_FILENO);
	close(null);
}

static size_t
run_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	size_t len = (size_t)st.st_size;
	uint8_t *data = malloc(len + (len == 0));
	if (data == NULL || read(fd, data, len) != st.st_size)
		exit(1);
	close(fd);
	snprintf(latest, sizeof(latest), "%s", path);
	if (verbose)
		printf("# %s\n", path);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 1;
}

static size_t
run_folder(const char *path)
{
	struct dirent **list;
	char file[PATH_MAX];
	size_t done = 0;
	int n = scandir(path, &list, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.')
			done += run_file(file);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return done;
}

static size_t
run(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return run_folder(path);
	return run_file(path);
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];
	const char *root = getenv("ZP_ROOT");
	char path[PATH_MAX], what[PATH_MAX + 64];
	size_t done = 0;
	int i = 1;

	verbose = argc > i && strcmp(argv[i], "-v") == 0;
	i += verbose;
	hush();
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
	    root != NULL ? root : ".",
	    strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
	if (i == argc)
		done += run(path);
	for (; i < argc; i++)
		done += run(argv[i]);
	snprintf(what, sizeof(what), "%s takes %zu inputs of its corpus", name,
	    done);
	OK(done > 0, what);
	return tap_done();
}
