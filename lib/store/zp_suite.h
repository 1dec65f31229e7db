#ifndef ZP_SUITE_H
#define ZP_SUITE_H

#include "base/zp_err.h"

/* Which protocol a key is for; the word in key files. */
enum zp_suite {
	ZP_SUITE_ZP1, /* "zp1": zpinc(7) */
	ZP_SUITE_MLES, /* "mles": the MlesTalk suite */
};

/* Its word, and the reverse: ZP_ERR_USAGE. */
const char *
zp_suite_text(enum zp_suite suite);
ZP_CHECKED enum zp_err
zp_suite_parse(const char *word, enum zp_suite *suite);

struct zp_lines;
struct zp_fault;

/* Reads the `suite` line of a key file.  ZP_ERR_SUITE, ZP_ERR_FORMAT. */
ZP_CHECKED enum zp_err
zp_suite_read(struct zp_lines *l, enum zp_suite *suite, struct zp_fault *fault);

#endif
