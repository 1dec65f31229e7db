#include "store/zp_suite.h"

#include <string.h>

#include "store/zp_lines.h"

static const struct zp_suite_ops *const all[] = {&zp_suite_zp1, &zp_suite_mles};

const struct zp_suite_ops *
zp_suite_ops(enum zp_suite suite)
{
	return all[suite];
}

enum zp_err
zp_suite_parse(const char *word, enum zp_suite *suite)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(word, all[i]->word) == 0) {
			*suite = all[i]->suite;
			return ZP_OK;
		}
	return ZP_ERR_USAGE;
}

enum zp_err
zp_suite_read(struct zp_lines *l, enum zp_suite *suite, struct zp_fault *fault)
{
	struct zp_line line;
	size_t i = 0;
	enum zp_err err = zp_lines_want(
	    l, &line, "suite", "a `suite` line belongs here", fault);

	if (err)
		return err;
	while (
	    i < sizeof(all) / sizeof(*all) && !zp_line_is(&line, all[i]->word))
		i++;
	if (i == sizeof(all) / sizeof(*all))
		return zp_fault_set(fault, ZP_ERR_SUITE, l->number,
		    "a suite that this version does not know");
	*suite = all[i]->suite;
	return zp_line_end(&line)
	    ? ZP_OK
	    : zp_fault_set(fault, ZP_ERR_FORMAT, l->number,
		  "something behind the suite");
}
