#include "store/zp_suite.h"

#include <string.h>

#include "store/zp_lines.h"

const char *
zp_suite_text(enum zp_suite suite)
{
	switch (suite) {
	case ZP_SUITE_ZP1:
		return "zp1";
	case ZP_SUITE_MLES:
		return "mles";
	}
	return "";
}

enum zp_err
zp_suite_parse(const char *word, enum zp_suite *suite)
{
	static const enum zp_suite all[] = {ZP_SUITE_ZP1, ZP_SUITE_MLES};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(word, zp_suite_text(all[i])) == 0) {
			*suite = all[i];
			return ZP_OK;
		}
	return ZP_ERR_USAGE;
}

enum zp_err
zp_suite_read(struct zp_lines *l, enum zp_suite *suite, struct zp_fault *fault)
{
	struct zp_line line;
	enum zp_err err = zp_lines_want(
	    l, &line, "suite", "a `suite` line belongs here", fault);

	if (err)
		return err;
	if (zp_line_is(&line, "zp1"))
		*suite = ZP_SUITE_ZP1;
	else if (zp_line_is(&line, "mles"))
		*suite = ZP_SUITE_MLES;
	else
		return zp_fault_set(fault, ZP_ERR_SUITE, l->number,
		    "a suite that this version does not know");
	return zp_line_end(&line)
	    ? ZP_OK
	    : zp_fault_set(fault, ZP_ERR_FORMAT, l->number,
		  "something behind the suite");
}
