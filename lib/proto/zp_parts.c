#include "proto/zp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_secret.h"

#define NO_LAST UINT64_MAX

/* One part that waits. */
struct part {
	uint32_t number;
	size_t len;
	uint8_t data[];
};

/* A body that is incomplete, or waits for its turn. */
struct entry {
	bool used, dead; /* dead: given up; swallows its remaining parts */
	struct zp_body body;
	/* Those that wait, ascending, count of them from `from` on: a search
	 * finds the place of each, whatever order they come in. */
	struct part **part;
	size_t from, count, cap, bytes;
	uint64_t next; /* number of the part to give out next */
	uint64_t last; /* number of the last part, once known */
	uint64_t age;
};

struct zp_parts {
	bool stream;
	void (*report)(void *, const struct zp_body *, enum zp_err, bool);
	void *arg;
	uint64_t age;
	size_t used; /* entries in use */
	struct entry entry[ZP_PARTS_BODIES];
	struct entry *current; /* streaming: whose turn it is */
	bool ended;
	/* A body of one part goes straight through. */
	bool direct;
	struct zp_body one;
	struct zp_piece piece;
	struct entry *finished; /* given out whole: to be freed */
	uint8_t *joined;
	size_t joined_len;
};

enum zp_err
zp_parts_new(struct zp_parts **parts, bool stream,
    void (*report)(void *, const struct zp_body *, enum zp_err, bool),
    void *arg)
{
	struct zp_parts *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return ZP_ERR_MEMORY;
	ps->stream = stream;
	ps->report = report;
	ps->arg = arg;
	*parts = ps;
	return ZP_OK;
}

static void
part_free(struct part *p)
{
	zp_secret_wipe(p->data, p->len);
	free(p);
}

static void
entry_clear(struct entry *e)
{
	for (size_t i = 0; i < e->count; i++)
		part_free(e->part[e->from + i]);
	free(e->part);
	e->part = NULL;
	e->from = e->count = e->cap = e->bytes = 0;
}

static void
joined_free(struct zp_parts *ps)
{
	if (ps->joined != NULL)
		zp_secret_wipe(ps->joined, ps->joined_len);
	free(ps->joined);
	ps->joined = NULL;
	ps->joined_len = 0;
}

void
zp_parts_free(struct zp_parts *ps)
{
	if (ps == NULL)
		return;
	for (size_t i = 0; i < ZP_PARTS_BODIES; i++)
		entry_clear(&ps->entry[i]);
	joined_free(ps);
	free(ps);
}

static void
body_of(struct zp_body *b, const struct zp_opened *op)
{
	const struct zp_payload *p = &op->payload;

	b->kind = (enum zp_kind)p->kind;
	b->first = 0;
	b->slot = op->slot;
	memcpy(b->p, op->p, sizeof(b->p));
	memcpy(b->uid, op->uid, sizeof(b->uid));
	memcpy(b->sid, p->sid, sizeof(b->sid));
	b->seq = p->seq;
	b->time = p->time;
	b->is_signed = p->idkey != NULL;
	if (p->idkey != NULL)
		memcpy(b->idkey, p->idkey, sizeof(b->idkey));
	else
		memset(b->idkey, 0, sizeof(b->idkey));
}

/*
 * A sender restored from a backup gives one name to two bodies.  Their times
 * differ, so that a relay cannot make one of them out of parts of both.
 */
static bool
same_body(const struct zp_body *a, const struct zp_body *b)
{
	return a->seq == b->seq && a->time == b->time && a->kind == b->kind &&
	    a->slot == b->slot && memcmp(a->sid, b->sid, sizeof(a->sid)) == 0 &&
	    memcmp(a->p, b->p, sizeof(a->p)) == 0;
}

/* Gives a body up; its place stays, so that late parts are not a new one. */
static void
give_up(struct zp_parts *ps, struct entry *e, enum zp_err why)
{
	if (!e->dead && ps->report != NULL)
		ps->report(ps->arg, &e->body, why, ps->stream && e->next > 0);
	entry_clear(e);
	e->dead = true;
	if (ps->current == e)
		ps->current = NULL;
}

/* A free place, or that of the oldest: first of the dead, then of all. */
static struct entry *
take_place(struct zp_parts *ps)
{
	struct entry *best = NULL;

	for (size_t i = 0; i < ZP_PARTS_BODIES; i++) {
		struct entry *e = &ps->entry[i];
		if (!e->used)
			return e;
		if (best == NULL || e->dead > best->dead ||
		    (e->dead == best->dead && e->age < best->age))
			best = e;
	}
	give_up(ps, best, ZP_ERR_CUT);
	return best;
}

static struct entry *
find_entry(struct zp_parts *ps, const struct zp_body *b)
{
	for (size_t i = 0; ps->used > 0 && i < ZP_PARTS_BODIES; i++)
		if (ps->entry[i].used && same_body(&ps->entry[i].body, b))
			return &ps->entry[i];
	return NULL;
}

/* Room for one part more behind the last. */
static enum zp_err
make_room(struct entry *e)
{
	if (e->from + e->count < e->cap)
		return ZP_OK;
	if (e->from > e->cap / 2) {
		memmove(
		    e->part, e->part + e->from, e->count * sizeof(*e->part));
		e->from = 0;
		return ZP_OK;
	}
	size_t cap = e->cap > 0 ? e->cap * 2 : 16;
	struct part **more = realloc(e->part, cap * sizeof(*more));
	if (more == NULL)
		return ZP_ERR_MEMORY;
	e->part = more;
	e->cap = cap;
	return ZP_OK;
}

/* Where in e->part this number is, or belongs. */
static size_t
place_of(const struct entry *e, uint32_t number)
{
	size_t low = e->from, high = e->from + e->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (e->part[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Puts a part into its place. */
static enum zp_err
insert(struct entry *e, const struct zp_payload *p)
{
	enum zp_err err = make_room(e);

	if (err)
		return err;
	size_t at = place_of(e, p->part), end = e->from + e->count;
	if (at < end && e->part[at]->number == p->part)
		return ZP_ERR_REPLAY;
	struct part *part = malloc(sizeof(*part) + p->body_len);
	if (part == NULL)
		return ZP_ERR_MEMORY;
	part->number = p->part;
	part->len = p->body_len;
	if (p->body_len > 0)
		memcpy(part->data, p->body, p->body_len);
	memmove(e->part + at + 1, e->part + at, (end - at) * sizeof(*e->part));
	e->part[at] = part;
	e->count++;
	e->bytes += part->len;
	return ZP_OK;
}

/* Does the part fit what is known of its body? */
static bool
consistent(
    const struct entry *e, const struct zp_body *b, const struct zp_payload *p)
{
	bool is_last = (p->flags & ZP_FLAG_LAST) != 0;

	if (b->is_signed != e->body.is_signed ||
	    memcmp(b->idkey, e->body.idkey, sizeof(b->idkey)) != 0)
		return false;
	if (e->last != NO_LAST &&
	    (p->part > e->last || (is_last && p->part != e->last)))
		return false;
	if (is_last && e->count > 0 &&
	    e->part[e->from + e->count - 1]->number > p->part)
		return false;
	return true;
}

/* A message's first part begins with `first`, which is not above its seq. */
static bool
lead_ok(const struct zp_payload *p)
{
	return p->kind != ZP_KIND_MESSAGE || p->part != 0 ||
	    (p->body_len >= 8 && zp_be64(p->body) <= p->seq);
}

static enum zp_err
add_to(struct zp_parts *ps, struct entry *e, const struct zp_body *b,
    const struct zp_payload *p)
{
	if (e->dead)
		return ZP_OK;
	if (p->part < e->next)
		return ZP_ERR_REPLAY;
	if (!consistent(e, b, p)) {
		give_up(ps, e, ZP_ERR_FORMAT);
		return ZP_ERR_FORMAT;
	}
	/* `first` is no part of the body. */
	size_t lead = p->kind == ZP_KIND_MESSAGE ? 8 : 0;
	if (e->bytes + p->body_len > ZP_PARTS_BODY_MAX + lead ||
	    e->count >= ZP_PARTS_COUNT_MAX) {
		give_up(ps, e, ps->stream ? ZP_ERR_CUT : ZP_ERR_TOO_LONG);
		return ZP_OK;
	}
	enum zp_err err = insert(e, p);
	if (err)
		return err;
	if (p->flags & ZP_FLAG_LAST)
		e->last = p->part;
	if (p->part == 0 && p->kind == ZP_KIND_MESSAGE)
		e->body.first = zp_be64(p->body);
	return ZP_OK;
}

/* A single record that needs no table. */
static void
pass_through(struct zp_parts *ps, const struct zp_opened *op)
{
	const struct zp_payload *p = &op->payload;
	size_t lead = p->kind == ZP_KIND_MESSAGE ? 8 : 0;

	body_of(&ps->one, op);
	if (lead > 0)
		ps->one.first = zp_be64(p->body);
	ps->piece = (struct zp_piece){.body = &ps->one,
	    .data = p->body + lead,
	    .len = p->body_len - lead,
	    .begins = true,
	    .ends = true};
	ps->direct = true;
}

enum zp_err
zp_parts_add(struct zp_parts *ps, const struct zp_opened *op)
{
	const struct zp_payload *p = &op->payload;
	struct zp_body b;

	if (!lead_ok(p))
		return ZP_ERR_FORMAT;
	bool single = p->part == 0 && (p->flags & ZP_FLAG_LAST) &&
	    (!ps->stream || ps->current == NULL);
	if (single && ps->used == 0) {
		pass_through(ps, op);
		return ZP_OK;
	}
	body_of(&b, op);
	struct entry *e = find_entry(ps, &b);
	if (e == NULL && single) {
		pass_through(ps, op);
		return ZP_OK;
	}
	if (e == NULL) {
		e = take_place(ps);
		ps->used += !e->used;
		*e = (struct entry){
		    .used = true, .body = b, .last = NO_LAST, .age = ++ps->age};
	}
	return add_to(ps, e, &b, p);
}

static bool
is_whole(const struct entry *e)
{
	return e->used && !e->dead && e->last != NO_LAST &&
	    e->count == e->last - e->next + 1;
}

/* Joins all parts of a whole body. */
static bool
give_whole(struct zp_parts *ps, struct entry *e, struct zp_piece *piece)
{
	size_t at = 0, lead = e->body.kind == ZP_KIND_MESSAGE ? 8 : 0;

	ps->joined = malloc(e->bytes ? e->bytes : 1);
	if (ps->joined == NULL) {
		give_up(ps, e, ZP_ERR_MEMORY);
		return false;
	}
	ps->joined_len = e->bytes ? e->bytes : 1;
	for (size_t i = 0; i < e->count; i++) {
		const struct part *p = e->part[e->from + i];
		memcpy(ps->joined + at, p->data, p->len);
		at += p->len;
	}
	*piece = (struct zp_piece){.body = &e->body,
	    .data = ps->joined + lead,
	    .len = at - lead,
	    .begins = true,
	    .ends = true};
	ps->finished = e;
	return true;
}

/* The next part in order of the body whose turn it is. */
static bool
give_part(struct zp_parts *ps, struct entry *e, struct zp_piece *piece)
{
	if (e->count == 0 || e->part[e->from]->number != e->next)
		return false;
	struct part *p = e->part[e->from];
	size_t lead = e->body.kind == ZP_KIND_MESSAGE && p->number == 0 ? 8 : 0;
	ps->joined = malloc(p->len ? p->len : 1);
	if (ps->joined == NULL) {
		give_up(ps, e, ZP_ERR_MEMORY);
		return false;
	}
	ps->joined_len = p->len ? p->len : 1;
	memcpy(ps->joined, p->data, p->len);
	*piece = (struct zp_piece){.body = &e->body,
	    .data = ps->joined + lead,
	    .len = p->len - lead,
	    .begins = p->number == 0,
	    .ends = p->number == e->last};
	e->from++;
	e->count--;
	e->bytes -= p->len;
	e->next++;
	part_free(p);
	if (piece->ends) {
		ps->finished = e;
		ps->current = NULL;
	}
	return true;
}

/*
 * Whose turn is next: the oldest with its first part here.  While another
 * is current it keeps its turn, unless its own session has gone on and
 * finished a later body: then its parts were lost.
 */
static void
choose(struct zp_parts *ps)
{
	struct entry *c = ps->current;

	for (size_t i = 0; c != NULL && i < ZP_PARTS_BODIES; i++) {
		struct entry *e = &ps->entry[i];
		if (e != c && is_whole(e) && e->body.seq > c->body.seq &&
		    memcmp(e->body.sid, c->body.sid, ZP_SID_LEN) == 0 &&
		    memcmp(e->body.p, c->body.p, ZP_PSEUDONYM_LEN) == 0) {
			give_up(ps, c, ZP_ERR_CUT);
			c = NULL;
		}
	}
	for (size_t i = 0; ps->current == NULL && i < ZP_PARTS_BODIES; i++) {
		struct entry *e = &ps->entry[i];
		if (e->used && !e->dead && e->count > 0 &&
		    e->part[e->from]->number == 0 &&
		    (!ps->ended || is_whole(e)) &&
		    (c == NULL || e->age < c->age))
			c = e;
	}
	ps->current = c;
}

bool
zp_parts_next(struct zp_parts *ps, struct zp_piece *piece)
{
	joined_free(ps);
	if (ps->finished != NULL) {
		entry_clear(ps->finished);
		ps->finished->used = false;
		ps->used--;
		ps->finished = NULL;
	}
	if (ps->direct) {
		ps->direct = false;
		*piece = ps->piece;
		return true;
	}
	if (ps->used == 0)
		return false;
	if (ps->stream) {
		choose(ps);
		return ps->current != NULL && give_part(ps, ps->current, piece);
	}
	for (size_t i = 0; i < ZP_PARTS_BODIES; i++)
		if (is_whole(&ps->entry[i]))
			return give_whole(ps, &ps->entry[i], piece);
	return false;
}

void
zp_parts_end(struct zp_parts *ps)
{
	ps->ended = true;
	for (size_t i = 0; i < ZP_PARTS_BODIES; i++) {
		struct entry *e = &ps->entry[i];
		if (e->used && !e->dead && !is_whole(e))
			give_up(ps, e, ZP_ERR_CUT);
	}
}
