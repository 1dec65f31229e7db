#include "fuzz.h"
#include "proc/zp_opt.h"

/* Numbers and durations: within bounds, and as the C library reads them. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), safe[ZP_SAY_NAME];
	uint64_t v = 0, ms = 0;

	MUST(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	if (zp_opt_number(text, 3, 1000000, &v) == ZP_OK)
		MUST(v >= 3 && v <= 1000000 && v == strtoull(text, NULL, 10));
	if (zp_opt_duration(text, &ms) == ZP_OK) {
		double factor[] = {1, 1, 60, 3600, 86400, 604800};
		char last = text[strlen(text) - 1];
		const char *unit = strchr("0smhdw", last);
		double whole =
		    1000 * factor[unit != NULL ? unit - "0smhdw" : 0];
		double want = strtod(text, NULL) * whole, got = (double)ms;
		/* Thousandths of a unit count, and no less. */
		MUST(got <= want * 1.000001 + 1);
		MUST(got >= want * .999999 - whole / 1000 - 1);
	}
	const char *said = zp_say_name(safe, text);
	MUST(strlen(said) < ZP_SAY_NAME);
	for (const char *c = said; *c != '\0'; c++)
		MUST(*c == '\t' || ((unsigned char)*c >= ' ' && *c != 127));
	free(text);
	return 0;
}
