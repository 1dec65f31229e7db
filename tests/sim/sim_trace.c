#include "sim.h"
#include "wire/zp_hello.h"

static const char *const event_name[] = {
    [ZP_EVENT_ONLINE] = "online",
    [ZP_EVENT_OFFLINE] = "offline",
    [ZP_EVENT_LEFT] = "left",
    [ZP_EVENT_CONVERSATION] = "conversation",
    [ZP_EVENT_CONVERSATION_END] = "conversation ends",
    [ZP_EVENT_KEY] = "key",
    [ZP_EVENT_KEY_GONE] = "key gone",
    [ZP_EVENT_ABANDONED] = "abandoned",
    [ZP_EVENT_SILENT] = "silent",
    [ZP_EVENT_BAD_POINT] = "bad point",
    [ZP_EVENT_BAD_TAG] = "bad tag",
    [ZP_EVENT_TWO_VALUES] = "two values",
    [ZP_EVENT_REFUSED] = "refused",
    [ZP_EVENT_IMPOSTOR] = "impostor",
    [ZP_EVENT_SESSION] = "new session",
    [ZP_EVENT_LATE] = "late",
    [ZP_EVENT_SETTLED] = "settled",
};

void
sim_trace_event(const struct sim_node *n, const struct zp_machine_event *ev)
{
	printf("%9.3f %s   %s", (double)n->w->now / 1000, n->uid,
	    event_name[ev->kind]);
	if (ev->member != NULL)
		printf(" %s/%02x%02x", ev->member->uid, ev->member->who.sid[0],
		    ev->member->who.sid[1]);
	if (ev->conv != NULL) {
		printf(" %02x%02x of", ev->conv->keys->id[0],
		    ev->conv->keys->id[1]);
		for (size_t i = 0; i < ev->conv->n; i++)
			printf(" %s", ev->conv->members[i].uid);
	}
	if (ev->err != ZP_OK)
		printf(" (%s)", zp_err_text(ev->err));
	printf("\n");
}

static void
name_of(const struct sim_node *n, const uint8_t *mid)
{
	struct zp_machine_peer p;

	if (zp_machine_find(n->m, mid, &p))
		printf(" %s/%02x", p.member->uid, p.member->who.sid[0]);
	else
		printf(" ?");
}

void
sim_trace_hello(const struct sim_node *n, const uint8_t *body, size_t len)
{
	struct zp_hello h;
	struct zp_hello_entry e;

	if (zp_hello_parse(&h, body, len, ZP_HELLO_ENTRIES_MAX) != ZP_OK)
		return;
	printf("%9.3f %s/%02x says gen %u", (double)n->w->now / 1000, n->uid,
	    n->self.sid[0], (unsigned)h.gen);
	if ((h.flags & ZP_HELLO_Z) != 0)
		printf(" view %02x%02x", h.view[0], h.view[1]);
	printf("%s%s%s%s%s, hears", h.flags & ZP_HELLO_Z ? " Z" : "",
	    h.flags & ZP_HELLO_X ? " X" : "",
	    h.flags & ZP_HELLO_TAG ? " TAG" : "",
	    h.flags & ZP_HELLO_DONE ? " DONE" : "",
	    h.flags & ZP_HELLO_LEAVE ? " LEAVE" : "");
	for (uint16_t i = 0; i < h.count; i++) {
		zp_hello_entry(&h, i, &e);
		name_of(n, e.mid);
	}
	printf("\n");
}
