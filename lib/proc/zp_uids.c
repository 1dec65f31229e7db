#include "proc/zp_uids.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_text.h"
#include "proc/zp_opt.h"

static enum zp_err
add(struct zp_uids *u, const char *s, size_t len)
{
	char **more = realloc(u->uid, (u->n + 1) * sizeof(*more));

	if (more == NULL)
		return ZP_ERR_MEMORY;
	u->uid = more;
	u->uid[u->n] = strndup(s, len);
	if (u->uid[u->n] == NULL)
		return ZP_ERR_MEMORY;
	u->n++;
	return ZP_OK;
}

enum zp_err
zp_uids_take(struct zp_uids *u, const char *tool, const char *list, size_t most)
{
	char name[ZP_SAY_NAME];

	while (*list != '\0') {
		const size_t len = strcspn(list, ",");
		if (u->n == most) {
			zp_say(tool, "-m: more than %zu members", most);
			return ZP_ERR_USAGE;
		}
		if (add(u, list, len) != ZP_OK)
			return zp_say_fail(tool, "-m", ZP_ERR_MEMORY);
		if (!zp_text_is_name(list, len)) {
			zp_say(tool, "-m: %s: %s",
			    zp_say_uid(name, u->uid[u->n - 1]),
			    zp_err_text(ZP_ERR_NAME));
			return ZP_ERR_USAGE;
		}
		list += len + (list[len] == ',');
	}
	if (u->n > 0)
		return ZP_OK;
	zp_say(tool, "-m: with whom?");
	return ZP_ERR_USAGE;
}

void
zp_uids_free(struct zp_uids *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->uid[i]);
	free(u->uid);
	*u = (struct zp_uids){0};
}
