#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/zp_conv.h"
#include "proc/zp_live_impl.h"
#include "proto/zp_format.h"

/* ---- JSON ---------------------------------------------------------------- */

/* Gathering needs memory alone; its failure ends the program elsewhere. */
static void
put(struct zp_live *l, const char *text)
{
	if (zp_out_put(&l->out, text, strlen(text)) != ZP_OK)
		l->failed = ZP_ERR_MEMORY;
}

static void
put_string(struct zp_live *l, const char *text)
{
	if (zp_format_json_string(&l->out, text) != ZP_OK)
		l->failed = ZP_ERR_MEMORY;
}

/* False unless --json. */
static bool
begin(struct zp_live *l, const char *event)
{
	if (!l->c->json)
		return false;
	put(l, "{\"event\":");
	put_string(l, event);
	return true;
}

static void
field(struct zp_live *l, const char *name, const char *value)
{
	put(l, ",\"");
	put(l, name);
	put(l, "\":");
	put_string(l, value);
}

static void
number(struct zp_live *l, const char *name, uint64_t value)
{
	char text[64];

	snprintf(text, sizeof(text), ",\"%s\":%" PRIu64, name, value);
	put(l, text);
}

static void
end(struct zp_live *l)
{
	number(l, "ms", l->now.wall);
	put(l, "}\n");
}

bool
zp_live_json(struct zp_live *l, const char *event)
{
	return begin(l, event);
}

void
zp_live_json_text(struct zp_live *l, const char *name, const char *value)
{
	field(l, name, value);
}

void
zp_live_json_number(struct zp_live *l, const char *name, uint64_t value)
{
	number(l, name, value);
}

void
zp_live_json_flag(struct zp_live *l, const char *name, bool value)
{
	put(l, ",\"");
	put(l, name);
	put(l, value ? "\":true" : "\":false");
}

void
zp_live_json_end(struct zp_live *l)
{
	end(l);
}

static void
hex(struct zp_live *l, const char *name, const uint8_t *data, size_t n)
{
	char text[2 * ZP_SID_LEN + 1];

	field(l, name, zp_format_hex(text, data, n));
}

static void
event_of(struct zp_live *l, const char *event, const struct zp_member *m)
{
	if (!begin(l, event))
		return;
	field(l, "uid", m->uid);
	hex(l, "sid", m->who.sid, ZP_SID_LEN);
	end(l);
}

/* ---- members and conversations ------------------------------------------- */

static bool
is_in(const struct zp_member *m, const struct zp_member *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(list[i].mid, m->mid, sizeof(m->mid)) == 0)
			return true;
	return false;
}

/* Who is in now that was not, and the reverse.  True if anybody. */
static bool
tell_changes(struct zp_live *l, const struct zp_member *members, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < l->n_members; i++)
		if (!is_in(&l->members[i], members, n)) {
			event_of(l, "leave", &l->members[i]);
			any = true;
		}
	for (size_t i = 0; i < n; i++)
		if (!is_in(&members[i], l->members, l->n_members)) {
			event_of(l, "join", &members[i]);
			any = true;
		}
	return any;
}

static void
keep_members(struct zp_live *l, const struct zp_member *members, size_t n)
{
	struct zp_member *kept = NULL;

	if (n > 0) {
		kept = malloc(n * sizeof(*kept));
		if (kept == NULL) {
			l->failed = ZP_ERR_MEMORY;
			return;
		}
		memcpy(kept, members, n * sizeof(*kept));
	}
	free(l->members);
	l->members = kept;
	l->n_members = n;
}

static bool
all_signed(const struct zp_machine_conv *conv)
{
	static const uint8_t none[ZP_IDKEY_LEN];

	for (size_t i = 0; i < conv->n; i++)
		if (memcmp(conv->members[i].who.idkey, none, sizeof(none)) == 0)
			return false;
	return true;
}

static void
json_conversation(
    struct zp_live *l, const struct zp_machine_conv *conv, const char *safety)
{
	if (!begin(l, "conversation"))
		return;
	hex(l, "id", conv->keys->id, ZP_CONV_ID_LEN);
	put(l, ",\"members\":[");
	for (size_t i = 0; i < conv->n; i++) {
		put(l, i > 0 ? "," : "");
		put_string(l, conv->members[i].uid);
	}
	put(l, "]");
	field(l, "safety", safety);
	end(l);
}

static void
tell_conversation(struct zp_live *l, const struct zp_presence_event *ev)
{
	const struct zp_machine_conv *conv = ev->conv;
	char safety[ZP_CONV_SAFETY_TEXT_LEN + 1], names[ZP_PRESENCE_TEXT];
	bool changed = tell_changes(l, conv->members, conv->n);

	keep_members(l, conv->members, conv->n);
	zp_conv_safety_text(conv->keys->safety, safety);
	json_conversation(l, conv, safety);
	if (!changed && !l->c->verbose)
		return;
	zp_presence_names(names, conv->members, conv->n);
	zp_say(l->c->tool, "conversation: %s", names);
	/* Where everybody signs, identities are compared once instead. */
	if (!all_signed(conv) || l->c->verbose)
		zp_say(l->c->tool, "safety number: %s", safety);
}

static void
tell_end(struct zp_live *l, const struct zp_presence_event *ev)
{
	tell_changes(l, NULL, 0);
	keep_members(l, NULL, 0);
	if (begin(l, "alone"))
		end(l);
	zp_say(l->c->tool, "%s", ev->text);
}

static void
tell_refused(struct zp_live *l, const struct zp_presence_event *ev)
{
	if (!begin(l, "refused"))
		return;
	if (ev->member != NULL)
		field(l, "uid", ev->member->uid);
	field(l, "why", ev->text);
	end(l);
}

static void
offline(struct zp_live *l, const struct zp_presence_event *ev, bool said)
{
	/* Who never was online here is not offline now. */
	if (ev->text[0] == '\0' || !begin(l, "offline"))
		return;
	field(l, "uid", ev->member->uid);
	hex(l, "sid", ev->member->who.sid, ZP_SID_LEN);
	put(l, said ? ",\"left\":true" : ",\"left\":false");
	end(l);
}

/* It left: what its last hello says that it has is told first. */
static void
settle_left(struct zp_live *l, const uint8_t mid[static ZP_GROUP_MID_LEN])
{
	struct zp_machine_peer peer;

	if (zp_machine_find(zp_presence_machine(l->presence), mid, &peer))
		zp_outbox_heard(l->outbox, l->now.ticks, mid, peer.seen_ours,
		    peer.acks_sent_at);
	zp_outbox_left(l->outbox, l->now.ticks, mid);
}

/* Lines are sealed to this conversation from now on. */
static enum zp_err
begin_conversation(struct zp_live *l, const struct zp_machine_conv *conv)
{
	l->conversed = true;
	l->current_since = l->now.ticks;
	/* What went before is not to it, which a hello says soon. */
	l->unseen = true;
	zp_machine_set_messages(zp_presence_machine(l->presence),
	    zp_outbox_count(l->outbox, ZP_KIND_MESSAGE));
	return zp_outbox_current(l->outbox, l->now.ticks, conv);
}

/* What keys and sessions mean for what is sent and shown. */
static void
act_on(struct zp_live *l, const struct zp_presence_event *ev)
{
	enum zp_err err = ZP_OK;

	if (ev->kind == ZP_PRESENCE_CURRENT) {
		err = begin_conversation(l, ev->conv);
	} else if (ev->kind == ZP_PRESENCE_END) {
		l->current_since = 0;
		err = zp_outbox_current(l->outbox, l->now.ticks, NULL);
	} else if (ev->kind == ZP_PRESENCE_KEY) {
		zp_order_key(l->order, ev->conv->members, ev->conv->n);
	} else if (ev->kind == ZP_PRESENCE_KEY_GONE) {
		zp_order_gone(l->order, l->now.ticks, ev->conv->keys->id);
		err =
		    zp_outbox_gone(l->outbox, l->now.ticks, ev->conv->keys->id);
	} else if (ev->kind == ZP_PRESENCE_LEFT) {
		settle_left(l, ev->member->mid);
	} else if (ev->kind == ZP_PRESENCE_SESSION) {
		memcpy(l->sid, ev->member->who.sid, sizeof(l->sid));
		err = zp_outbox_session(l->outbox, l->now.ticks, l->sid);
	}
	if (err)
		l->failed = err;
}

void
zp_live_event(void *arg, const struct zp_presence_event *ev)
{
	struct zp_live *l = arg;

	switch (ev->kind) {
	case ZP_PRESENCE_CURRENT:
		tell_conversation(l, ev);
		break;
	case ZP_PRESENCE_END:
		tell_end(l, ev);
		break;
	case ZP_PRESENCE_ONLINE:
		event_of(l, "online", ev->member);
		break;
	case ZP_PRESENCE_OFFLINE:
	case ZP_PRESENCE_LEFT:
		offline(l, ev, ev->kind == ZP_PRESENCE_LEFT);
		break;
	case ZP_PRESENCE_REFUSED:
	case ZP_PRESENCE_IMPOSTOR:
		tell_refused(l, ev);
		break;
	case ZP_PRESENCE_KEY:
	case ZP_PRESENCE_KEY_GONE:
	case ZP_PRESENCE_FAILED:
	case ZP_PRESENCE_BLAMED:
	case ZP_PRESENCE_PINNED:
	case ZP_PRESENCE_SESSION:
	case ZP_PRESENCE_LATE:
	case ZP_PRESENCE_SETTLED:
		break;
	}
	if (ev->text[0] != '\0' && ev->kind != ZP_PRESENCE_CURRENT &&
	    ev->kind != ZP_PRESENCE_END)
		zp_say(l->c->tool, "%s", ev->text);
	act_on(l, ev);
}

/* ---- relays, waiting, modes ---------------------------------------------- */

void
zp_live_tell_relay(
    struct zp_live *l, struct zp_live_link *link, const char *reason)
{
	if (begin(l, "relay")) {
		field(l, "relay", link->r->name);
		field(l, "state", reason != NULL ? "down" : "up");
		if (reason != NULL)
			field(l, "why", reason);
		end(l);
	}
	if (reason != NULL)
		zp_say(l->c->tool, "%s: down: %s", link->r->name, reason);
	else
		zp_say(l->c->tool, "%s: up", link->r->name);
}

void
zp_live_tell_wait(struct zp_live *l, const char *why)
{
	if (begin(l, "waiting")) {
		field(l, "why", why);
		end(l);
	}
	zp_say(l->c->tool, "lines wait: %s", why);
}

void
zp_live_tell_mode(struct zp_live *l, enum zp_live_mode mode)
{
	const bool notes = mode == ZP_LIVE_NOTE;

	if (begin(l, "sending")) {
		field(l, "as", notes ? "notes" : "messages");
		end(l);
	}
	if (!notes)
		zp_say(l->c->tool,
		    "lines are messages now: only the members "
		    "of the conversation can read them");
	else if (l->c->notes == ZP_LIVE_ALWAYS)
		zp_say(l->c->tool,
		    "lines are notes (--notes): whoever has the "
		    "key can read them, also later");
	else
		zp_say(l->c->tool, "%s", l->ops->notes);
}

/* ---- a terminal's foot --------------------------------------------------- */

size_t
zp_live_status_add(char *to, size_t len, const char *text)
{
	if (len < ZP_SCREEN_STATUS)
		len += (size_t)snprintf(
		    to + len, ZP_SCREEN_STATUS - len, "%s", text);
	return len < ZP_SCREEN_STATUS ? len : ZP_SCREEN_STATUS - 1;
}

/* Who answers us and is not in the conversation, or all if there is none. */
static size_t
add_others(const struct zp_live *l, char *to, size_t len)
{
	const struct zp_machine *m = zp_presence_machine(l->presence);
	struct zp_machine_peer peer;
	const char *comma = "; here: ";
	char name[ZP_SAY_NAME];

	for (size_t i = 0; i < zp_machine_places(m); i++) {
		if (!zp_machine_peer(m, i, &peer) || !peer.near ||
		    (l->current_since != 0 && peer.in_conv))
			continue;
		len = zp_live_status_add(to, len, comma);
		len = zp_live_status_add(
		    to, len, zp_say_uid(name, peer.member->uid));
		comma = ", ";
	}
	return len;
}

size_t
zp_live_who(const struct zp_live *l, char *to, size_t len)
{
	char names[ZP_PRESENCE_TEXT];

	if (l->current_since != 0) {
		len = zp_live_status_add(to, len, ": ");
		len = zp_live_status_add(to, len,
		    zp_presence_names(names, l->members, l->n_members));
	}
	return add_others(l, to, len);
}

static size_t
add_relays(const struct zp_live *l, char *to, size_t len)
{
	size_t up = 0;
	char text[64];

	for (size_t i = 0; i < l->c->n; i++)
		up += l->link[i].up;
	if (l->c->n == 1)
		return zp_live_status_add(
		    to, len, up > 0 ? "; relay up" : "; relay DOWN");
	snprintf(text, sizeof(text), "; %zu of %zu relays up", up, l->c->n);
	return zp_live_status_add(to, len, text);
}

void
zp_live_tell_status(const struct zp_live *l, char to[static ZP_SCREEN_STATUS])
{
	char text[64];
	size_t len = 0;

	to[0] = '\0';
	if (l->mode == ZP_LIVE_NOTE)
		len =
		    zp_live_status_add(to, len, "notes, for all with the key");
	else if (l->mode == ZP_LIVE_MESSAGE)
		len = zp_live_status_add(to, len, "conversation");
	else
		len = zp_live_status_add(to, len, "lines wait");
	len = l->ops->who(l, to, len);
	len = add_relays(l, to, len);
	size_t n = l->ops->pending(l);
	if (n > 0) {
		snprintf(text, sizeof(text), "; %zu on the way", n);
		zp_live_status_add(to, len, text);
	}
}

/* ---- delivery ------------------------------------------------------------ */

/* Names of those who have it, or who lack it; how many. */
static size_t
names_of(char to[static ZP_PRESENCE_TEXT], const struct zp_outbox_event *ev,
    bool have)
{
	struct zp_member *m = calloc(ev->n > 0 ? ev->n : 1, sizeof(*m));
	size_t n = 0;

	to[0] = '\0';
	if (m == NULL)
		return 0;
	for (size_t i = 0; i < ev->n; i++)
		if ((ev->members[i].seen > ev->seq) == have)
			m[n++] = ev->members[i].m;
	zp_presence_names(to, m, n);
	free(m);
	return n;
}

static void
put_names(struct zp_live *l, const char *name, const struct zp_outbox_event *ev,
    bool have)
{
	const char *comma = "";

	put(l, ",\"");
	put(l, name);
	put(l, "\":[");
	for (size_t i = 0; i < ev->n; i++)
		if ((ev->members[i].seen > ev->seq) == have) {
			put(l, comma);
			put_string(l, ev->members[i].m.uid);
			comma = ",";
		}
	put(l, "]");
}

void
zp_live_tell_lost(struct zp_live *l)
{
	if (l->lost_to == 0)
		return;
	if (l->lost_from == l->lost_to)
		zp_say(l->c->tool, "line %" PRIu64 ": not delivered to %s",
		    l->lost_from, l->lost_names);
	else
		zp_say(l->c->tool,
		    "lines %" PRIu64 " to %" PRIu64 ": not delivered to %s",
		    l->lost_from, l->lost_to, l->lost_names);
	l->lost_to = 0;
}

/* One behind the other, and to the same, in one line. */
static void
say_lost(struct zp_live *l, uint64_t line, const char *names)
{
	if (l->lost_to == 0 || line != l->lost_to + 1 ||
	    strcmp(names, l->lost_names) != 0) {
		zp_live_tell_lost(l);
		l->lost_from = line;
		snprintf(l->lost_names, sizeof(l->lost_names), "%s", names);
	}
	l->lost_to = line;
}

void
zp_live_tell_settled(struct zp_live *l, const struct zp_outbox_event *ev)
{
	const bool good = ev->kind == ZP_OUTBOX_DELIVERED;
	const bool note = ev->what == ZP_KIND_NOTE;
	char names[ZP_PRESENCE_TEXT];

	if (begin(l, good ? "delivered" : "undelivered")) {
		field(l, "kind", note ? "note" : "message");
		hex(l, "sid", ev->sid, ZP_SID_LEN);
		number(l, "seq", ev->seq);
		if (ev->tag > 0)
			number(l, "line", ev->tag);
		if (!note) {
			put_names(l, "to", ev, true);
			put_names(l, "not", ev, false);
		}
		end(l);
	}
	names_of(names, ev, false);
	if (good && names[0] == '\0')
		return;
	if (!good) {
		l->undelivered++;
		l->status = ZP_EXIT_IO;
	}
	if (!note)
		memcpy(l->nobody, names, sizeof(l->nobody));
	/* What is left at the end is told in one line then. */
	if (l->end >= ZP_LIVE_LEAVING && !good)
		return;
	if (note)
		zp_say(l->c->tool, "line %" PRIu64 ": no relay has shown it",
		    ev->tag);
	else
		say_lost(l, ev->tag, names);
}

void
zp_live_tell_gap(struct zp_live *l, const char *uid, enum zp_kind kind,
    uint64_t missing, const char *holder)
{
	char name[ZP_SAY_NAME], other[ZP_SAY_NAME];
	const char *what = kind == ZP_KIND_NOTE ? "note" : "message";

	if (begin(l, "gap")) {
		field(l, "kind", what);
		field(l, "uid", uid);
		number(l, "missing", missing);
		if (holder[0] != '\0')
			field(l, "held_by", holder);
		end(l);
	}
	/* Of notes the inbox has said it. */
	if (kind == ZP_KIND_NOTE)
		return;
	zp_say_uid(name, uid);
	if (holder[0] != '\0')
		zp_say(l->c->tool,
		    "%" PRIu64 " %s%s of %s %s missing here; %s has them",
		    missing, what, missing == 1 ? "" : "s", name,
		    missing == 1 ? "is" : "are", zp_say_uid(other, holder));
	else
		zp_say(l->c->tool, "%" PRIu64 " %s%s of %s %s missing here",
		    missing, what, missing == 1 ? "" : "s", name,
		    missing == 1 ? "is" : "are");
}
