#ifndef ZP_VEC_H
#define ZP_VEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reader of tests/vectors/NAME.txt.  Cases are separated by blank lines; a
 * case is lines `name = value` and, before them, lines with '#' that say why
 * the case is there.
 *
 *	struct vec v;
 *	uint8_t key[32];
 *
 *	vec_open(&v, "keys");
 *	while (vec_next(&v)) {
 *		vec_hex(&v, "key", key, sizeof(key));
 *		OK(..., vec_reason(&v));
 *	}
 *	vec_close(&v);
 *
 * A missing file, a missing name and a value of another form end the program:
 * vectors that cannot be read are no test.
 */
struct vec {
	const char *name;
	char *text; /* the whole file; lines end with NUL once read */
	char *at; /* what is not read yet */
	char *reason; /* of this case, lines joined by blanks */
	size_t fields;
	char *names[80], *values[80];
};

#define VEC_FIELDS (sizeof(((struct vec *)0)->names) / sizeof(char *))

static _Noreturn inline void
vec_die(const struct vec *v, const char *name, const char *why)
{
	printf("Bail out! tests/vectors/%s.txt: %s: %s (%s)\n", v->name, name,
	    why, v->reason && *v->reason ? v->reason : "no case");
	exit(EXIT_FAILURE);
}

static inline void
vec_open(struct vec *v, const char *name)
{
	const char *root = getenv("ZP_ROOT");
	char path[4096];
	long len;
	FILE *f;

	memset(v, 0, sizeof(*v));
	v->name = name;
	snprintf(path, sizeof(path), "%s/tests/vectors/%s.txt",
	    root ? root : ".", name);
	f = fopen(path, "rb");
	if (!f)
		vec_die(v, path, "cannot be opened");
	if (fseek(f, 0, SEEK_END) || (len = ftell(f)) < 0 ||
	    fseek(f, 0, SEEK_SET))
		vec_die(v, path, "has no length");
	v->text = malloc((size_t)len + 1);
	if (!v->text || fread(v->text, 1, (size_t)len, f) != (size_t)len)
		vec_die(v, path, "cannot be read");
	v->text[len] = '\0';
	v->at = v->text;
	fclose(f);
}

static inline void
vec_close(struct vec *v)
{
	free(v->text);
	free(v->reason);
	memset(v, 0, sizeof(*v));
}

/* The next line, ended by NUL, or NULL at the end of the file. */
static inline char *
vec_line(struct vec *v)
{
	char *line = v->at, *end;

	if (!*line)
		return NULL;
	end = strchr(line, '\n');
	if (!end) {
		v->at = line + strlen(line);
	} else {
		*end = '\0';
		v->at = end + 1;
	}
	return line;
}

static inline void
vec_say(struct vec *v, const char *line)
{
	size_t have = v->reason ? strlen(v->reason) : 0;
	char *grown = realloc(v->reason, have + strlen(line) + 2);

	if (!grown)
		vec_die(v, "memory", "none");
	v->reason = grown;
	sprintf(grown + have, "%s%s", have ? " " : "", line);
}

static inline void
vec_field(struct vec *v, char *line)
{
	char *eq = strstr(line, " =");

	if (!eq || v->fields == VEC_FIELDS)
		vec_die(v, line, "is no field, or one too many");
	*eq = '\0';
	v->names[v->fields] = line;
	v->values[v->fields++] = eq[2] == ' ' ? eq + 3 : eq + 2;
}

/* Reads the next case; false after the last. */
static inline bool
vec_next(struct vec *v)
{
	char *line;

	v->fields = 0;
	free(v->reason);
	v->reason = NULL;
	while ((line = vec_line(v))) {
		if (*line == '#') {
			vec_say(v, line[1] ? line + 2 : "");
		} else if (*line) {
			vec_field(v, line);
		} else if (v->fields) {
			return true;
		} else { /* the head of the file */
			free(v->reason);
			v->reason = NULL;
		}
	}
	return v->fields > 0;
}

/* Why the case is there: the name of a test, for instance. */
static inline const char *
vec_reason(const struct vec *v)
{
	return v->reason ? v->reason : "";
}

static inline const char *
vec_find(const struct vec *v, const char *name)
{
	for (size_t i = 0; i < v->fields; i++)
		if (strcmp(v->names[i], name) == 0)
			return v->values[i];
	return NULL;
}

static inline bool
vec_has(const struct vec *v, const char *name)
{
	return vec_find(v, name) != NULL;
}

/* A value as text, valid until vec_close(). */
static inline const char *
vec_text(const struct vec *v, const char *name)
{
	const char *value = vec_find(v, name);

	if (!value)
		vec_die(v, name, "is missing");
	return value;
}

static inline uint64_t
vec_num(const struct vec *v, const char *name)
{
	const char *value = vec_text(v, name);
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (!*value || *end)
		vec_die(v, name, "is no number");
	return n;
}

static inline int
vec_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* A hex value of at most cap bytes; returns how many there were. */
static inline size_t
vec_bytes(const struct vec *v, const char *name, void *out, size_t cap)
{
	const char *value = vec_text(v, name);
	size_t len = strlen(value) / 2;
	unsigned char *to = out;

	if (strlen(value) % 2 || len > cap)
		vec_die(v, name, "has too many digits, or an odd number");
	for (size_t i = 0; i < len; i++) {
		int high = vec_digit(value[2 * i]);
		int low = vec_digit(value[2 * i + 1]);

		if (high < 0 || low < 0)
			vec_die(v, name, "is no hex");
		to[i] = (unsigned char)(high << 4 | low);
	}
	return len;
}

/* A hex value of exactly len bytes. */
static inline void
vec_hex(const struct vec *v, const char *name, void *out, size_t len)
{
	if (vec_bytes(v, name, out, len) != len)
		vec_die(v, name, "has too few digits");
}

/* A hex value in fresh memory, for the caller to free(). */
static inline uint8_t *
vec_alloc(const struct vec *v, const char *name, size_t *len)
{
	size_t cap = strlen(vec_text(v, name)) / 2;
	uint8_t *out = malloc(cap + 1);

	if (!out)
		vec_die(v, name, "takes more memory than there is");
	*len = vec_bytes(v, name, out, cap);
	return out;
}

#endif
