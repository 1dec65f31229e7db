#ifndef ZP_NTFY_H
#define ZP_NTFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/zp_sse.h"

/*
 * What ntfy sends to who subscribes (its documentation, "Subscribe via API"):
 * an object of JSON for each event, as the data of Server-Sent Events at
 * TOPIC/sse, as a line at TOPIC/json.
 */

/*
 * Is it a message?  Then id is its id, or "" if it has none that could stand
 * in a URL and be told as a cursor.
 */
bool
zp_ntfy_message(
    const char *json, size_t len, char id[static ZP_SSE_ID_MAX + 1]);

/*
 * The ids of the last messages.  Who resumes behind an id that ntfy no longer
 * knows is given all that it keeps, also what came before.
 */
#define ZP_NTFY_SEEN 4096

struct zp_ntfy_seen {
	uint64_t marks[ZP_NTFY_SEEN];
	size_t n; /* noted so far */
};

/* Notes an id.  False: it is among those noted last. */
bool
zp_ntfy_note(struct zp_ntfy_seen *s, const char *id);

#endif
