#include "mles/zp_mles_outbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ZP_MLES_OUTBOX_RELAYS <= 32, "a bit of each");

struct frame {
	struct frame *after;
	uint64_t number; /* 1, 2, ... in the order of add() */
	uint64_t since, shown_at; /* shown_at: if shown */
	struct zp_mles_outgoing out; /* pointers to the two below */
	uint32_t given, shown; /* a bit for each relay */
	char *line;
	uint8_t *text;
};

struct relay {
	bool live;
	uint64_t last; /* number of the frame that was given last */
};

struct zp_mles_outbox {
	struct frame *first, **end;
	struct frame *out; /* taken off the list, for who still reads it */
	struct relay relay[ZP_MLES_OUTBOX_RELAYS];
	size_t relays;
	size_t texts, bytes; /* in the list */
	uint64_t numbers;
	bool ended;
};

static void
free_frame(struct frame *f)
{
	if (f == NULL)
		return;
	if (f->text != NULL)
		sodium_memzero(f->text, f->out.text_len);
	free(f->text);
	free(f->line);
	free(f);
}

struct zp_mles_outbox *
zp_mles_outbox_new(size_t relays)
{
	struct zp_mles_outbox *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->end = &o->first;
	o->relays =
	    relays < ZP_MLES_OUTBOX_RELAYS ? relays : ZP_MLES_OUTBOX_RELAYS;
	return o;
}

/* Takes the frame at *at off the list; it is freed by the next call. */
static void
take_off(struct zp_mles_outbox *o, struct frame **at)
{
	struct frame *f = *at;

	*at = f->after;
	if (o->end == &f->after)
		o->end = at;
	if (f->out.tag != 0)
		o->texts--;
	o->bytes -= f->out.len;
	free_frame(o->out);
	o->out = f;
}

void
zp_mles_outbox_free(struct zp_mles_outbox *o)
{
	if (o == NULL)
		return;
	while (o->first != NULL)
		take_off(o, &o->first);
	free_frame(o->out);
	free(o);
}

bool
zp_mles_outbox_room(const struct zp_mles_outbox *o)
{
	return o->texts < ZP_MLES_OUTBOX_MAX && o->bytes < ZP_MLES_OUTBOX_BYTES;
}

enum zp_err
zp_mles_outbox_add(
    struct zp_mles_outbox *o, uint64_t now, const struct zp_mles_outgoing *out)
{
	struct frame *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return ZP_ERR_MEMORY;
	f->out = *out;
	f->line = malloc(out->len + 1);
	if (out->text != NULL)
		f->text = malloc(out->text_len + 1);
	if (f->line == NULL || (out->text != NULL && f->text == NULL)) {
		free_frame(f);
		return ZP_ERR_MEMORY;
	}
	memcpy(f->line, out->line, out->len);
	if (f->text != NULL)
		memcpy(f->text, out->text, out->text_len);
	f->out.line = f->line;
	f->out.text = f->text;
	f->number = ++o->numbers;
	f->since = now;
	if (out->tag != 0)
		o->texts++;
	o->bytes += out->len;
	*o->end = f;
	o->end = &f->after;
	return ZP_OK;
}

static uint32_t
bit_of(size_t i)
{
	return 1U << i;
}

void
zp_mles_outbox_relay(struct zp_mles_outbox *o, size_t i, bool live)
{
	struct relay *r = &o->relay[i];

	if (live && !r->live) {
		/* All that it has not shown, from the oldest on. */
		r->last = 0;
		for (struct frame *f = o->first; f != NULL; f = f->after)
			f->given &= ~bit_of(i);
	}
	r->live = live;
}

static bool
is_stale(const struct frame *f, uint64_t now)
{
	return f->out.tag == 0 && now - f->since > ZP_MLES_OUTBOX_FRESH;
}

/* Has everybody got it who can?  Presence that nobody gets is dropped. */
static void
drop_presence(struct zp_mles_outbox *o, uint64_t now)
{
	struct frame **at = &o->first;

	while (*at != NULL) {
		struct frame *f = *at;
		bool all = true;
		for (size_t i = 0; i < o->relays; i++)
			all = all && (f->given & bit_of(i)) != 0;
		if (f->out.tag == 0 && (all || is_stale(f, now)))
			take_off(o, at);
		else
			at = &f->after;
	}
}

bool
zp_mles_outbox_next(struct zp_mles_outbox *o, uint64_t now, size_t i,
    const char **line, size_t *len)
{
	struct relay *r = &o->relay[i];

	drop_presence(o, now);
	for (struct frame *f = o->first; f != NULL && r->live; f = f->after) {
		if (f->number <= r->last || (f->shown & bit_of(i)) != 0)
			continue;
		r->last = f->number;
		f->given |= bit_of(i);
		*line = f->line;
		*len = f->out.len;
		return true;
	}
	return false;
}

bool
zp_mles_outbox_unsaid(const struct zp_mles_outbox *o, size_t i)
{
	for (const struct frame *f = o->first; f != NULL; f = f->after)
		if (o->relay[i].live && f->number > o->relay[i].last &&
		    (f->shown & bit_of(i)) == 0)
			return true;
	return false;
}

bool
zp_mles_outbox_shown(struct zp_mles_outbox *o, uint64_t now, size_t i,
    const char *record, size_t len, const struct zp_mles_outgoing **out,
    bool *first)
{
	struct frame *f = o->first;

	while (f != NULL &&
	    (f->out.len != len + 1 || memcmp(f->line, record, len) != 0))
		f = f->after;
	if (f == NULL)
		return false;
	*out = &f->out;
	*first = f->shown == 0;
	if (f->shown == 0)
		f->shown_at = now;
	f->shown |= bit_of(i);
	return true;
}

/* Every relay that can be heard has it, or one has and others had time. */
static bool
is_settled(const struct zp_mles_outbox *o, const struct frame *f, uint64_t now)
{
	if (o->ended)
		return true;
	if (f->shown == 0)
		return false;
	for (size_t i = 0; i < o->relays; i++)
		if (o->relay[i].live && (f->shown & bit_of(i)) == 0)
			return now - f->shown_at >= ZP_MLES_OUTBOX_OTHERS;
	return true;
}

bool
zp_mles_outbox_settled(
    struct zp_mles_outbox *o, uint64_t now, struct zp_mles_settled *s)
{
	for (struct frame **at = &o->first; *at != NULL; at = &(*at)->after) {
		const struct frame *f = *at;
		if (f->out.tag == 0 || !is_settled(o, f, now))
			continue;
		*s = (struct zp_mles_settled){.tag = f->out.tag,
		    .secret = f->out.secret,
		    .shown = f->shown != 0};
		take_off(o, at);
		return true;
	}
	return false;
}

size_t
zp_mles_outbox_pending(const struct zp_mles_outbox *o)
{
	return o->texts;
}

void
zp_mles_outbox_end(struct zp_mles_outbox *o)
{
	o->ended = true;
}
