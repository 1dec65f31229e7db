#ifndef ZP_TEMPDIR_H
#define ZP_TEMPDIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh folder to work in, removed when the test ends. */

static char tempdir_path[256];

static inline void
tempdir_remove(void)
{
	DIR *d = opendir(tempdir_path);
	const struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(tempdir_path);
}

static inline void
tempdir_enter(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(tempdir_path, sizeof(tempdir_path), "%s/zp-test-XXXXXX",
	    base != NULL ? base : "/tmp");
	if (mkdtemp(tempdir_path) == NULL || chdir(tempdir_path) != 0) {
		printf("Bail out! no folder to work in\n");
		exit(1);
	}
	atexit(tempdir_remove);
}

/* How many files are here, dot files included. */
static inline int
tempdir_count(void)
{
	DIR *d = opendir(".");
	const struct dirent *e;
	int n = 0;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		n +=
		    strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* A file with these contents and mode. */
static inline void
tempdir_put(const char *name, const char *text, size_t len, unsigned mode)
{
	FILE *f = fopen(name, "w");

	if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0 ||
	    chmod(name, mode) != 0) {
		printf("Bail out! cannot write %s\n", name);
		exit(1);
	}
}

#endif
