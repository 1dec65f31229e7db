#include "proc/zp_presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/zp_pseudo.h"
#include "crypt/zp_seal.h"
#include "crypt/zp_secret.h"
#include "proc/zp_budget.h"
#include "proc/zp_opt.h"

/* Complaints anybody with the password can cause: each so often, ... */
#define COMPLAINTS 64
#define COMPLAINT_MS 600000

/* ... all of them, and the file's rewriting for a new pin. */
#define TELL_MOST 32
#define TELL_EVERY 10000
#define PIN_MOST 256
#define PIN_EVERY 100

struct complaint {
	uint8_t p[ZP_PSEUDONYM_LEN];
	enum zp_presence_kind kind;
	enum zp_err err;
	uint64_t at; /* 0: free */
};

struct zp_presence {
	struct zp_presence_config c;
	uint8_t rp[ZP_PSEUDONYM_LEN];
	struct zp_machine *machine;
	struct zp_sealer *sealer; /* of hellos; a session is in the payload */
	struct zp_opener *opener;
	uint8_t *random; /* a step's, in secret memory */

	/* Whose key is in which slot of the opener. */
	uint8_t slot_id[ZP_OPENER_KEYS][ZP_CONV_ID_LEN];
	bool slot_used[ZP_OPENER_KEYS];

	uint64_t now; /* ticks of the step in hand */
	enum zp_err failed; /* from within a report */

	char *line;
	size_t line_cap, line_len;
	bool line_ready;

	struct complaint told[COMPLAINTS];
	struct zp_budget tell, pin;
};

/* ---- words --------------------------------------------------------------- */

static const char *
name_of(char to[static ZP_SAY_NAME], const struct zp_member *m)
{
	return zp_say_uid(to, m != NULL ? m->uid : "somebody");
}

const char *
zp_presence_names(
    char to[static ZP_PRESENCE_TEXT], const struct zp_member *members, size_t n)
{
	/* Room for ", and 1023 more" behind the last name. */
	const size_t most = ZP_PRESENCE_TEXT - 32;
	char name[ZP_SAY_NAME];
	size_t len = 0;

	to[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const char *join = i == 0 ? "" : i + 1 == n ? " and " : ", ";
		zp_say_uid(name, members[i].uid);
		if (len + strlen(join) + strlen(name) >= most) {
			snprintf(to + len, ZP_PRESENCE_TEXT - len,
			    ", and %zu more", n - i);
			break;
		}
		len += (size_t)snprintf(
		    to + len, ZP_PRESENCE_TEXT - len, "%s%s", join, name);
	}
	return to;
}

/* What follows a member's name, or NULL. */
static const char *
blame_text(enum zp_err err)
{
	if (err == ZP_ERR_TIMEOUT)
		return " did not answer";
	if (err == ZP_ERR_POINT)
		return "'s point is invalid";
	if (err == ZP_ERR_TAG)
		return "'s tag is wrong";
	return " showed two different values in one handshake";
}

static const char *
member_text(const struct zp_presence_event *ev)
{
	switch (ev->kind) {
	case ZP_PRESENCE_ONLINE:
		return " is here";
	case ZP_PRESENCE_OFFLINE:
		return " is not heard any more";
	case ZP_PRESENCE_LEFT:
		return " left";
	case ZP_PRESENCE_BLAMED:
		return blame_text(ev->err);
	case ZP_PRESENCE_PINNED:
		return ": seen for the first time: identity pinned";
	case ZP_PRESENCE_LATE:
		return " has the conversation already: too late";
	case ZP_PRESENCE_CURRENT:
	case ZP_PRESENCE_END:
	case ZP_PRESENCE_KEY:
	case ZP_PRESENCE_KEY_GONE:
	case ZP_PRESENCE_FAILED:
	case ZP_PRESENCE_REFUSED:
	case ZP_PRESENCE_IMPOSTOR:
	case ZP_PRESENCE_SESSION:
	case ZP_PRESENCE_SETTLED:
		break;
	}
	return NULL;
}

static void
event_text(char to[static ZP_PRESENCE_TEXT], const struct zp_presence_event *ev)
{
	char name[ZP_SAY_NAME];
	const size_t cap = ZP_PRESENCE_TEXT;
	const char *text = member_text(ev);
	size_t n;

	to[0] = '\0';
	name_of(name, ev->member);
	if (text != NULL) {
		snprintf(to, cap, "%s%s", name, text);
	} else if (ev->kind == ZP_PRESENCE_CURRENT) {
		zp_presence_names(to, ev->conv->members, ev->conv->n);
	} else if (ev->kind == ZP_PRESENCE_END) {
		snprintf(
		    to, cap, "the conversation has ended: nobody else is here");
	} else if (ev->kind == ZP_PRESENCE_FAILED) {
		snprintf(to, cap, "the handshake was given up: %s",
		    zp_err_text(ev->err));
	} else if (ev->kind == ZP_PRESENCE_REFUSED) {
		snprintf(
		    to, cap, "%s is refused: %s", name, zp_err_text(ev->err));
	} else if (ev->kind == ZP_PRESENCE_IMPOSTOR) {
		n = (size_t)snprintf(to, cap, "somebody else speaks as us");
		snprintf(to + n, cap - n, "%s",
		    ev->err ? ", with another identity"
			    : ": we begin a new session");
	}
}

/* Why there is no (newer) conversation: "bob does not hear carol". */
static const char *
reason_text(
    char to[static ZP_PRESENCE_TEXT], const struct zp_machine_reason *reason)
{
	char a[ZP_SAY_NAME], b[ZP_SAY_NAME];
	const char *text = "";

	name_of(a, reason->a);
	switch (reason->kind) {
	case ZP_REASON_NOBODY:
		return strcpy(to, "nobody else is here");
	case ZP_REASON_NO_ANSWER:
		text = " does not hear us";
		break;
	case ZP_REASON_DEAF:
		snprintf(to, ZP_PRESENCE_TEXT, "%s does not hear %s", a,
		    name_of(b, reason->b));
		return to;
	case ZP_REASON_HELD:
		text = " is ignored for a while";
		break;
	case ZP_REASON_SETTLING:
		return strcpy(to, "more may come");
	case ZP_REASON_FEW:
		return strcpy(to, "too few members are here");
	case ZP_REASON_MISSING:
		zp_say_uid(a, reason->uid);
		text = " is not here";
		break;
	case ZP_REASON_FULL:
		return strcpy(to, "more members are here than may be in");
	case ZP_REASON_NO_SHARE:
	case ZP_REASON_NO_MIX:
	case ZP_REASON_NO_TAG:
		text = " has not answered yet";
		break;
	}
	snprintf(to, ZP_PRESENCE_TEXT, "%s%s", a, text);
	return to;
}

/* The higher, the more it explains; each hides all of lower ranks but 2. */
static unsigned
rank(enum zp_machine_reason_kind kind)
{
	switch (kind) {
	case ZP_REASON_NO_SHARE:
	case ZP_REASON_NO_MIX:
	case ZP_REASON_NO_TAG:
	case ZP_REASON_DEAF:
	case ZP_REASON_NO_ANSWER:
	case ZP_REASON_HELD:
	case ZP_REASON_MISSING:
		return 2;
	case ZP_REASON_FULL:
	case ZP_REASON_FEW:
	case ZP_REASON_NOBODY:
		return 1;
	case ZP_REASON_SETTLING:
		return 0;
	}
	return 0;
}

static void
few_text(char to[static ZP_PRESENCE_TEXT], const struct zp_presence *p)
{
	snprintf(to, ZP_PRESENCE_TEXT,
	    "only %zu of at least %zu members are here",
	    zp_machine_view_size(p->machine), p->c.min_members);
}

const char *
zp_presence_why(char to[static ZP_PRESENCE_TEXT], const struct zp_presence *p)
{
	struct zp_machine_reason r[16];
	char one[ZP_PRESENCE_TEXT];
	size_t n = zp_machine_reasons(p->machine, r, 16), len = 0, left = 0;
	unsigned best = 0;

	to[0] = '\0';
	for (size_t i = 0; i < n && i < 16; i++)
		if (rank(r[i].kind) > best)
			best = rank(r[i].kind);
	for (size_t i = 0; i < n && i < 16; i++) {
		if (rank(r[i].kind) < best)
			continue;
		if (r[i].kind == ZP_REASON_FEW && p->c.min_members > 2)
			few_text(one, p);
		else
			reason_text(one, &r[i]);
		if (len + strlen(one) + 32 >= ZP_PRESENCE_TEXT) {
			left++;
			continue;
		}
		len += (size_t)snprintf(to + len, ZP_PRESENCE_TEXT - len,
		    "%s%s", len > 0 ? "; " : "", one);
	}
	if (n > 16)
		left += n - 16;
	if (left > 0)
		snprintf(
		    to + len, ZP_PRESENCE_TEXT - len, "; and %zu more", left);
	return to;
}

/* ---- what happens -------------------------------------------------------- */

/* Told lately, or too many others were? */
static bool
told_already(struct zp_presence *p, const struct zp_presence_event *ev)
{
	static const uint8_t none[ZP_PSEUDONYM_LEN];
	const uint8_t *who = ev->member != NULL ? ev->member->who.p : none;
	struct complaint *oldest = &p->told[0];

	for (size_t i = 0; i < COMPLAINTS; i++) {
		struct complaint *c = &p->told[i];
		if (c->at != 0 && p->now - c->at < COMPLAINT_MS &&
		    c->kind == ev->kind && c->err == ev->err &&
		    memcmp(c->p, who, sizeof(c->p)) == 0)
			return true;
		if (c->at < oldest->at)
			oldest = c;
	}
	if (!zp_budget_spend(&p->tell, p->now, TELL_MOST, TELL_EVERY))
		return true;
	memcpy(oldest->p, who, sizeof(oldest->p));
	oldest->kind = ev->kind;
	oldest->err = ev->err;
	oldest->at = p->now > 0 ? p->now : 1;
	return false;
}

/* Can anybody with the password cause it at will? */
static bool
is_cheap(const struct zp_presence_event *ev)
{
	return ev->kind == ZP_PRESENCE_REFUSED ||
	    ev->kind == ZP_PRESENCE_IMPOSTOR ||
	    (ev->kind == ZP_PRESENCE_BLAMED && ev->err == ZP_ERR_EXISTS);
}

static bool
is_trouble(enum zp_presence_kind kind)
{
	return kind == ZP_PRESENCE_FAILED || kind == ZP_PRESENCE_BLAMED ||
	    kind == ZP_PRESENCE_REFUSED || kind == ZP_PRESENCE_IMPOSTOR ||
	    kind == ZP_PRESENCE_LATE;
}

static void
tell(struct zp_presence *p, struct zp_presence_event *ev, bool unproved)
{
	char text[ZP_PRESENCE_TEXT];

	if (p->c.event == NULL || (is_cheap(ev) && told_already(p, ev)))
		return;
	event_text(text, ev);
	if (unproved)
		text[0] = '\0';
	ev->text = text;
	ev->trouble = is_trouble(ev->kind);
	p->c.event(p->c.arg, ev);
}

static enum zp_presence_kind
kind_of(enum zp_machine_event_kind kind)
{
	switch (kind) {
	case ZP_EVENT_ONLINE:
		return ZP_PRESENCE_ONLINE;
	case ZP_EVENT_OFFLINE:
		return ZP_PRESENCE_OFFLINE;
	case ZP_EVENT_LEFT:
		return ZP_PRESENCE_LEFT;
	case ZP_EVENT_CONVERSATION:
		return ZP_PRESENCE_CURRENT;
	case ZP_EVENT_CONVERSATION_END:
		return ZP_PRESENCE_END;
	case ZP_EVENT_KEY:
		return ZP_PRESENCE_KEY;
	case ZP_EVENT_KEY_GONE:
		return ZP_PRESENCE_KEY_GONE;
	case ZP_EVENT_ABANDONED:
		return ZP_PRESENCE_FAILED;
	case ZP_EVENT_SILENT:
	case ZP_EVENT_BAD_POINT:
	case ZP_EVENT_BAD_TAG:
	case ZP_EVENT_TWO_VALUES:
		return ZP_PRESENCE_BLAMED;
	case ZP_EVENT_REFUSED:
		return ZP_PRESENCE_REFUSED;
	case ZP_EVENT_IMPOSTOR:
		return ZP_PRESENCE_IMPOSTOR;
	case ZP_EVENT_SESSION:
		return ZP_PRESENCE_SESSION;
	case ZP_EVENT_LATE:
		return ZP_PRESENCE_LATE;
	case ZP_EVENT_SETTLED:
		return ZP_PRESENCE_SETTLED;
	}
	return ZP_PRESENCE_SETTLED;
}

/* A conversation's key goes into the opener. */
static enum zp_err
add_key(
    struct zp_presence *p, const struct zp_machine_conv *conv, unsigned *slot)
{
	uint8_t(*members)[ZP_PSEUDONYM_LEN] =
	    malloc(conv->n * sizeof(*members));
	enum zp_err err;

	if (members == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0; i < conv->n; i++)
		memcpy(members[i], conv->members[i].who.p, sizeof(*members));
	err = zp_opener_add(p->opener, conv->keys->key, conv->keys->id,
	    (const uint8_t(*)[ZP_PSEUDONYM_LEN])members, conv->n, slot);
	free(members);
	if (err)
		return err;
	memcpy(p->slot_id[*slot], conv->keys->id, ZP_CONV_ID_LEN);
	p->slot_used[*slot] = true;
	return ZP_OK;
}

/* The slot of a conversation; ZP_OPENER_KEYS: none. */
static unsigned
slot_of(const struct zp_presence *p, const struct zp_machine_conv *conv)
{
	unsigned i = 0;

	while (i < ZP_OPENER_KEYS &&
	    (!p->slot_used[i] ||
		memcmp(p->slot_id[i], conv->keys->id, ZP_CONV_ID_LEN) != 0))
		i++;
	return i;
}

static void
drop_slot(struct zp_presence *p, unsigned slot)
{
	zp_opener_remove(p->opener, slot);
	p->slot_used[slot] = false;
}

static void
report(void *arg, const struct zp_machine_event *from)
{
	struct zp_presence *p = arg;
	struct zp_presence_event ev = {.kind = kind_of(from->kind),
	    .err = from->err,
	    .member = from->member,
	    .conv = from->conv};
	const bool unproved = from->kind == ZP_EVENT_LEFT && from->unproved;

	if (p->c.hellos_only) {
		tell(p, &ev, unproved);
		return;
	}
	if (from->kind == ZP_EVENT_KEY) {
		enum zp_err err = add_key(p, from->conv, &ev.slot);
		if (err) {
			p->failed = err;
			return;
		}
	}
	if (from->kind == ZP_EVENT_KEY_GONE) {
		ev.slot = slot_of(p, from->conv);
		if (ev.slot == ZP_OPENER_KEYS)
			return;
		drop_slot(p, ev.slot);
	}
	tell(p, &ev, unproved);
}

/* ---- new and free -------------------------------------------------------- */

static enum zp_err
make_sealer(struct zp_presence *p, const struct zp_group_member *self)
{
	struct zp_sigctx ctx = {0};

	memcpy(ctx.rp, zp_key_rp(p->c.key, true), sizeof(ctx.rp));
	memcpy(ctx.p, self->p, sizeof(ctx.p));
	return zp_sealer_new(
	    &p->sealer, zp_key_msgkey(p->c.key), &ctx, p->c.id);
}

static enum zp_err
make_opener(struct zp_presence *p)
{
	unsigned slot;
	enum zp_err err = zp_opener_new(&p->opener, zp_key_amac(p->c.key),
	    zp_key_aenc(p->c.key), zp_key_channel(p->c.key));

	if (err)
		return err;
	return zp_opener_add(
	    p->opener, zp_key_msgkey(p->c.key), NULL, NULL, 0, &slot);
}

static enum zp_err
make_machine(struct zp_presence *p, struct zp_machine_config *mc)
{
	mc->msgkey = zp_key_msgkey(p->c.key);
	mc->ops = p->c.ops;
	mc->timing = p->c.timing;
	mc->max_members = p->c.max_members;
	mc->fixed = p->c.fixed;
	mc->min_members = p->c.min_members;
	mc->allowed = p->c.allowed;
	mc->allowed_count = p->c.allowed_count;
	mc->report = report;
	mc->arg = p;
	return zp_machine_new(&p->machine, mc);
}

static enum zp_err
fill(struct zp_presence *p)
{
	struct zp_machine_config mc = {0};
	size_t len = strnlen(p->c.uid, ZP_NAME_MAX + 1);
	const uint8_t *idkey = NULL;
	enum zp_err err;

	if (!zp_text_is_name(p->c.uid, len))
		return ZP_ERR_NAME;
	memcpy(mc.uid, p->c.uid, len + 1);
	memcpy(p->rp, zp_key_rp(p->c.key, false), sizeof(p->rp));
	memcpy(mc.rp, p->rp, sizeof(mc.rp));
	if (p->c.id != NULL) {
		idkey = zp_identity_public(p->c.id);
		memcpy(mc.self.idkey, idkey, sizeof(mc.self.idkey));
	}
	enum zp_trust trust = zp_known_check(p->c.known, p->rp, mc.uid, idkey);
	if (trust == ZP_TRUST_CHANGED || trust == ZP_TRUST_UNSIGNED)
		return zp_trust_err(trust);
	err = zp_pseudo_make(mc.self.p, zp_key_amac(p->c.key),
	    zp_key_aenc(p->c.key), ZP_PSEUDO_USER, mc.uid);
	if (err)
		return err;
	zp_secret_random(mc.self.sid, sizeof(mc.self.sid));
	p->random = zp_secret_new(ZP_MACHINE_RANDOM_LEN);
	if (p->random == NULL)
		return ZP_ERR_MEMORY;
	err = make_sealer(p, &mc.self);
	if (!err)
		err = make_opener(p);
	return err ? err : make_machine(p, &mc);
}

enum zp_err
zp_presence_new(
    struct zp_presence **presence, const struct zp_presence_config *config)
{
	struct zp_presence *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ZP_ERR_MEMORY;
	p->c = *config;
	enum zp_err err = fill(p);
	if (err) {
		zp_presence_free(p);
		return err;
	}
	*presence = p;
	return ZP_OK;
}

void
zp_presence_free(struct zp_presence *p)
{
	if (p == NULL)
		return;
	zp_machine_free(p->machine);
	zp_sealer_free(p->sealer);
	zp_opener_free(p->opener);
	zp_secret_free(p->random);
	free(p->line);
	free(p);
}

/* ---- steps --------------------------------------------------------------- */

static enum zp_err
seal_hello(struct zp_presence *p, const struct zp_machine_out *out,
    const struct zp_presence_now *now)
{
	struct zp_payload payload = {.kind = ZP_KIND_HELLO,
	    .flags = ZP_FLAG_LAST,
	    .seq = out->seq,
	    .time = p->c.no_time ? 0 : now->wall,
	    .body = out->body,
	    .body_len = out->len};
	size_t len = zp_sealer_line_len(p->sealer, out->len);
	enum zp_err err;

	memcpy(payload.sid, out->sid, sizeof(payload.sid));
	p->line_ready = false;
	if (len > p->line_cap) {
		char *line = realloc(p->line, len);
		if (line == NULL)
			return ZP_ERR_MEMORY;
		p->line = line;
		p->line_cap = len;
	}
	zp_sealer_expect(p->sealer, 1);
	err = zp_sealer_line(p->sealer, p->line, &payload);
	zp_sealer_expect(p->sealer, 0);
	if (err)
		return err;
	p->line_len = len;
	p->line_ready = true;
	return ZP_OK;
}

static uint8_t *
begin(struct zp_presence *p, const struct zp_presence_now *now)
{
	p->now = now->ticks;
	p->failed = ZP_OK;
	zp_secret_random(p->random, ZP_MACHINE_RANDOM_LEN);
	return p->random;
}

static enum zp_err
finish(
    struct zp_presence *p, const struct zp_presence_now *now, enum zp_err err)
{
	struct zp_machine_out out;

	zp_secret_wipe(p->random, ZP_MACHINE_RANDOM_LEN);
	if (zp_machine_out(p->machine, &out)) {
		enum zp_err sealed = seal_hello(p, &out, now);
		if (!err)
			err = sealed;
	}
	return err ? err : p->failed;
}

enum zp_err
zp_presence_start(struct zp_presence *p, const struct zp_presence_now *now)
{
	struct zp_fault fault = {0};
	enum zp_err err = ZP_OK;

	if (p->c.id != NULL)
		err = zp_known_pin(p->c.known, p->rp, p->c.uid,
		    zp_identity_public(p->c.id), now->wall, &fault);
	if (err)
		return err;
	uint8_t *random = begin(p, now);
	return finish(p, now, zp_machine_start(p->machine, now->ticks, random));
}

/* What the identity behind a hello is worth; pins it if it is new. */
static enum zp_err
judge(struct zp_presence *p, const struct zp_presence_now *now,
    const struct zp_machine_hello *in, const uint8_t *idkey)
{
	const struct zp_group_member *self = &zp_machine_self(p->machine)->who;
	struct zp_member member = {.who = in->from};
	struct zp_fault fault = {0};
	enum zp_trust trust;

	/* An echo, or an impostor, which the machine tells apart. */
	if (zp_group_order(self, &in->from) == 0)
		return ZP_OK;
	trust = zp_known_check(p->c.known, p->rp, in->uid, idkey);
	if (trust != ZP_TRUST_NEW)
		return zp_trust_err(trust);
	if (!zp_budget_spend(&p->pin, now->ticks, PIN_MOST, PIN_EVERY))
		return ZP_ERR_FULL;
	enum zp_err err = zp_known_meet(
	    p->c.known, p->rp, in->uid, idkey, now->wall, &trust, &fault);
	if (err)
		return err;
	if (trust == ZP_TRUST_NEW) {
		struct zp_presence_event ev = {
		    .kind = ZP_PRESENCE_PINNED, .member = &member};
		memcpy(member.uid, in->uid, sizeof(member.uid));
		tell(p, &ev, false);
	}
	return zp_trust_err(trust);
}

static enum zp_err
take_hello(struct zp_presence *p, const struct zp_presence_now *now,
    const struct zp_opened *opened, struct zp_presence_got *got)
{
	const struct zp_payload *payload = &opened->payload;
	struct zp_machine_hello in = {.seq = payload->seq,
	    .body = payload->body,
	    .len = payload->body_len};

	/* A hello has one part. */
	if (payload->part != 0 || (payload->flags & ZP_FLAG_LAST) == 0) {
		got->what = ZP_PRESENCE_BAD;
		got->err = ZP_ERR_FORMAT;
		return ZP_OK;
	}
	got->what = ZP_PRESENCE_HELLO;
	memcpy(in.from.p, opened->p, sizeof(in.from.p));
	memcpy(in.from.sid, payload->sid, sizeof(in.from.sid));
	if (payload->idkey != NULL)
		memcpy(in.from.idkey, payload->idkey, sizeof(in.from.idkey));
	memcpy(in.uid, opened->uid, sizeof(in.uid));
	uint8_t *random = begin(p, now);
	in.verdict = judge(p, now, &in, payload->idkey);
	return finish(
	    p, now, zp_machine_hello(p->machine, now->ticks, random, &in));
}

static void
find_conversation(struct zp_presence *p, struct zp_presence_got *got)
{
	const unsigned slot = got->opened.slot;
	const struct zp_machine_conv *conv;

	for (size_t i = 0; p->slot_used[slot] &&
	     (conv = zp_machine_key(p->machine, i)) != NULL;
	     i++) {
		if (slot_of(p, conv) != slot)
			continue;
		got->conv = conv;
		for (size_t j = 0; j < conv->n && got->sender == NULL; j++)
			if (memcmp(conv->members[j].who.p, got->opened.p,
				ZP_PSEUDONYM_LEN) == 0)
				got->sender = &conv->members[j];
		return;
	}
}

/* Not under the live topic, so no hello. */
static bool
is_elsewhere(const struct zp_presence *p, const struct zp_record *rec)
{
	return rec->prefix != ZP_PREFIX_ZP1 || rec->rp_len != ZP_TOPIC_LEN ||
	    memcmp(rec->rp, zp_key_topic(p->c.key, true), ZP_TOPIC_LEN) != 0;
}

enum zp_err
zp_presence_record(struct zp_presence *p, const struct zp_presence_now *now,
    const struct zp_record *rec, struct zp_presence_got *got)
{
	*got = (struct zp_presence_got){.what = ZP_PRESENCE_NOISE};
	if (p->c.hellos_only && is_elsewhere(p, rec))
		return ZP_OK;
	got->err = zp_opener_open(p->opener, rec, &got->opened);
	if (got->err == ZP_ERR_MEMORY)
		return got->err;
	if (got->err == ZP_ERR_NOT_OURS)
		return ZP_OK;
	if (got->err) {
		got->what = ZP_PRESENCE_BAD;
		return ZP_OK;
	}
	switch (got->opened.payload.kind) {
	case ZP_KIND_HELLO:
		return take_hello(p, now, &got->opened, got);
	case ZP_KIND_MESSAGE:
		find_conversation(p, got);
		got->what = ZP_PRESENCE_BODY;
		return ZP_OK;
	case ZP_KIND_NOTE:
		got->what = ZP_PRESENCE_BODY;
		return ZP_OK;
	default:
		got->what = ZP_PRESENCE_OTHER;
		return ZP_OK;
	}
}

enum zp_err
zp_presence_tick(struct zp_presence *p, const struct zp_presence_now *now)
{
	uint8_t *random = begin(p, now);

	return finish(p, now, zp_machine_tick(p->machine, now->ticks, random));
}

enum zp_err
zp_presence_rekey(struct zp_presence *p, const struct zp_presence_now *now)
{
	uint8_t *random = begin(p, now);

	return finish(p, now, zp_machine_rekey(p->machine, now->ticks, random));
}

enum zp_err
zp_presence_announce(struct zp_presence *p, const struct zp_presence_now *now)
{
	uint8_t *random = begin(p, now);

	return finish(
	    p, now, zp_machine_announce(p->machine, now->ticks, random));
}

enum zp_err
zp_presence_stop(struct zp_presence *p, const struct zp_presence_now *now)
{
	p->now = now->ticks;
	p->failed = ZP_OK;
	zp_machine_stop(p->machine, now->ticks);
	for (unsigned i = 0; i < ZP_OPENER_KEYS; i++)
		if (p->slot_used[i])
			drop_slot(p, i);
	return finish(p, now, ZP_OK);
}

uint64_t
zp_presence_deadline(const struct zp_presence *p)
{
	return zp_machine_deadline(p->machine);
}

bool
zp_presence_line(struct zp_presence *p, const char **line, size_t *len)
{
	if (!p->line_ready)
		return false;
	p->line_ready = false;
	*line = p->line;
	*len = p->line_len;
	return true;
}

/* ---- what is behind ------------------------------------------------------ */

struct zp_machine *
zp_presence_machine(struct zp_presence *p)
{
	return p->machine;
}
