#ifndef ZP_TMP_H
#define ZP_TMP_H

#include <limits.h>
#include <stdio.h>

/* The path of a file in the test's folder; static, four at a time. */
static inline const char *
tmp_path(const char *folder, const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *p = paths[next++ % 4];

	snprintf(p, PATH_MAX, "%s/%s", folder, name);
	return p;
}

#endif
