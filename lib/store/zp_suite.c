#include "store/zp_suite.h"

#include "store/zp_lines.h"

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
