#ifndef ZP_SUITE_H
#define ZP_SUITE_H

/* Which protocol a key is for; the word in key files. */
enum zp_suite {
	ZP_SUITE_ZP1, /* "zp1": zpinc(7) */
	ZP_SUITE_MLES, /* "mles": the MlesTalk suite */
};

#endif
