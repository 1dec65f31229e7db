#ifndef ZP_OPT_H
#define ZP_OPT_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * Command lines: options first, then operands, as POSIX has it; long names
 * for all.  Needs no libsodium, so transports use it too.
 */

struct zp_opt {
	int id; /* above 0, unique within the tool */
	char letter; /* '\0': only the long name */
	const char *name; /* long name */
	const char *arg; /* what it takes, for the help; NULL: nothing */
	const char *help;
};

#define ZP_OPT_MOST 48

struct zp_opts {
	const char *tool;
	int argc;
	char **argv;
	const struct zp_opt *table;
	size_t n;
	char letters[2 * ZP_OPT_MOST + 8];
	struct option longs[ZP_OPT_MOST + 3];
};

#define ZP_OPT_END (-1)
#define ZP_OPT_BAD (-2) /* said already; exit with ZP_EXIT_USAGE */
#define ZP_OPT_HELP (-3) /* help or version was printed; exit with 0 */
#define ZP_OPT_FAILED (-4) /* it could not be; said, exit with ZP_EXIT_IO */

/* The exit status for what zp_opt_next() ended with, if not ZP_OPT_END. */
enum zp_exit
zp_opt_status(int id);

/* table: n <= ZP_OPT_MOST entries, borrowed.  -h and -V come by themselves. */
void
zp_opt_init(struct zp_opts *o, const char *tool, int argc, char **argv,
    const struct zp_opt *table, size_t n);

/*
 * The next option's id with its argument in *arg, or one of the four
 * above.  usage: lines behind "usage: " in the help.
 */
int
zp_opt_next(struct zp_opts *o, const char *usage, const char **arg);

/* Operands: how many, and the i-th.  After ZP_OPT_END. */
int
zp_opt_operands(const struct zp_opts *o);
char *
zp_opt_operand(const struct zp_opts *o, int i);

/* A whole decimal number from least to most; ZP_ERR_USAGE. */
ZP_CHECKED enum zp_err
zp_opt_number(const char *s, uint64_t least, uint64_t most, uint64_t *value);

/* Seconds (also 0.5), or with s, m, h, d, w behind; milliseconds out. */
ZP_CHECKED enum zp_err
zp_opt_duration(const char *s, uint64_t *ms);

/*
 * One line on stderr, "tool: ...", in one write.  Not for bytes that others
 * wrote: make those safe with zp_say_name() first.
 */
void
zp_say(const char *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A second line that helps: "hint: ...". */
void
zp_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ZP_SAY_NAME 128

/* A name, path or text of others made safe for stderr, cut to fit. */
const char *
zp_say_name(char to[static ZP_SAY_NAME], const char *s);

/* A user's name: one word, so that no other name or text is made of it. */
const char *
zp_say_uid(char to[static ZP_SAY_NAME], const char *uid);

/*
 * What an error says, with errno's text where it is the system's.
 * Returns a pointer to buf or to a constant.
 */
const char *
zp_say_err(char buf[static ZP_SAY_NAME], enum zp_err err);

/* "tool: subject: what the error says", with both of these.  Returns err. */
enum zp_err
zp_say_fail(const char *tool, const char *subject, enum zp_err err);

#endif
