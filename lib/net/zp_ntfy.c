#include "net/zp_ntfy.h"

#include <string.h>

#include "base/zp_text.h"
#include "net/zp_json.h"

bool
zp_ntfy_message(const char *json, size_t len, char id[static ZP_SSE_ID_MAX + 1])
{
	char kind[16];

	if (!zp_json_string(json, len, "event", kind, sizeof(kind)) ||
	    strcmp(kind, "message") != 0)
		return false;
	if (!zp_json_string(json, len, "id", id, ZP_SSE_ID_MAX + 1) ||
	    !zp_text_is_word(id))
		id[0] = '\0';
	return true;
}

/* FNV-1a, 64 bits.  Who makes two alike could as well send neither. */
static uint64_t
mark_of(const char *id)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *id != '\0'; id++)
		h = (h ^ (unsigned char)*id) * 0x100000001b3u;
	return h;
}

bool
zp_ntfy_note(struct zp_ntfy_seen *s, const char *id)
{
	size_t kept = s->n < ZP_NTFY_SEEN ? s->n : ZP_NTFY_SEEN;
	uint64_t mark = mark_of(id);

	for (size_t i = 0; i < kept; i++)
		if (s->marks[i] == mark)
			return false;
	s->marks[s->n++ % ZP_NTFY_SEEN] = mark;
	return true;
}
