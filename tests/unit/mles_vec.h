#ifndef ZP_MLES_VEC_H
#define ZP_MLES_VEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reader of tests/vectors/mles.txt: cases of a kind and a name, with fields.
 * A missing file, field or digit ends the test at once.
 */

#define MLES_FIELDS 32

struct mles_case {
	char text[32768];
	char *kind, *name;
	char *key[MLES_FIELDS], *value[MLES_FIELDS];
	size_t n;
};

static inline void
mles_die(const char *what, const char *which)
{
	printf("Bail out! %s: %s\n", what, which);
	exit(2);
}

static inline FILE *
mles_vectors(void)
{
	char path[4096];
	const char *root = getenv("ZP_ROOT");

	snprintf(path, sizeof(path), "%s/tests/vectors/mles.txt",
	    root != NULL ? root : ".");
	FILE *f = fopen(path, "r");
	if (f == NULL)
		mles_die("cannot read", path);
	return f;
}

/* Reads the next case; false at the end of the file. */
static inline bool
mles_next(FILE *f, struct mles_case *c)
{
	size_t at = 0;

	c->kind = NULL;
	c->n = 0;
	while (fgets(c->text + at, (int)(sizeof(c->text) - at), f) != NULL) {
		char *line = c->text + at, *end = strchr(line, '\n');
		if (end == NULL)
			mles_die("line too long", line);
		*end = 0;
		if (*line == '#')
			continue;
		if (*line == 0 && c->kind != NULL)
			return true;
		if (*line == 0)
			continue;
		char *space = strchr(line, ' ');
		if (space == NULL)
			mles_die("no value", line);
		*space++ = 0;
		at += (size_t)(end - line) + 1;
		if (strcmp(line, "=") == 0) {
			c->kind = space;
			c->name = strchr(space, ' ');
			*c->name++ = 0;
			continue;
		}
		if (c->n == MLES_FIELDS)
			mles_die("too many fields", c->name);
		c->key[c->n] = line;
		c->value[c->n++] = space;
	}
	return c->kind != NULL;
}

/* A copy that stays when the next case is read. */
static inline void
mles_copy(struct mles_case *to, const struct mles_case *from)
{
	*to = *from;
	to->kind = to->text + (from->kind - from->text);
	to->name = to->text + (from->name - from->text);
	for (size_t i = 0; i < from->n; i++) {
		to->key[i] = to->text + (from->key[i] - from->text);
		to->value[i] = to->text + (from->value[i] - from->text);
	}
}

static inline const char *
mles_text(const struct mles_case *c, const char *key)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->key[i], key) == 0)
			return c->value[i];
	mles_die("no such field", key);
	return NULL;
}

static inline long long
mles_number(const struct mles_case *c, const char *key)
{
	return strtoll(mles_text(c, key), NULL, 10);
}

/* Bytes of a hex field; at most cap. */
static inline size_t
mles_bytes(const struct mles_case *c, const char *key, uint8_t *to, size_t cap)
{
	const char *s = mles_text(c, key);
	size_t n = strlen(s) / 2;

	if (n > cap)
		mles_die("field too long", key);
	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;
		if (sscanf(s + 2 * i, "%2x", &v) != 1)
			mles_die("not hex", key);
		to[i] = (uint8_t)v;
	}
	return n;
}

#endif
