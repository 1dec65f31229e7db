#include "proto/zp_outbox_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/zp_be.h"
#include "crypt/zp_seal.h"
#include "crypt/zp_secret.h"

/* Where a body is sealed: it grows, and a body has a mebibyte at most. */
#define SEAL_CAP (64u << 10)
#define RESTORE_MOST (8u << 20)
/* How often who is back is given the time of ZP_OUTBOX_STUCK_MS once more. */
#define RETURNS 4

static size_t
kind_index(enum zp_kind kind)
{
	return kind == ZP_KIND_MESSAGE;
}

/* ---- the list of bodies -------------------------------------------------- */

static struct zp_outitem **
bucket_of(
    struct zp_outbox *o, const uint8_t *sid, enum zp_kind kind, uint64_t seq)
{
	uint64_t h = zp_be64(sid) + seq * 2 + kind_index(kind);

	return &o->bucket[h % ZP_OUTBOX_BUCKETS];
}

struct zp_outitem *
zp_outbox_find(
    struct zp_outbox *o, const uint8_t *sid, enum zp_kind kind, uint64_t seq)
{
	struct zp_outitem *it = *bucket_of(o, sid, kind, seq);

	while (it != NULL &&
	    (it->seq != seq || it->kind != kind ||
		memcmp(it->sid, sid, ZP_SID_LEN) != 0))
		it = it->chain;
	return it;
}

void
zp_outbox_land(struct zp_outbox *o, struct zp_outline *l)
{
	if (l->flying)
		o->flying--;
	l->flying = false;
	if (o->flying == 0)
		o->flying_notes = false;
}

static void
drop_lines(struct zp_outbox *o, struct zp_outitem *it)
{
	for (size_t i = 0; i < it->n; i++) {
		zp_outbox_land(o, &it->line[i]);
		o->fresh -= it->line[i].had == 0;
	}
	o->bytes -= it->text_len;
	free(it->text);
	free(it->line);
	it->text = NULL;
	it->line = NULL;
	it->n = it->text_len = 0;
}

static void
free_item(struct zp_outitem *it)
{
	if (it->body != NULL)
		zp_secret_wipe(it->body, it->body_len);
	free(it->body);
	free(it->text);
	free(it->line);
	zp_audience_drop(it->to);
	free(it);
}

void
zp_outbox_remove(struct zp_outbox *o, struct zp_outitem *it)
{
	struct zp_outitem **at = bucket_of(o, it->sid, it->kind, it->seq);

	while (*at != it)
		at = &(*at)->chain;
	*at = it->chain;
	for (size_t r = 0; r < o->c.relays; r++)
		if (o->hint[r] == it)
			o->hint[r] = it->next;
	if (o->flight == it)
		o->flight = it->next;
	*(it->prev != NULL ? &it->prev->next : &o->head) = it->next;
	*(it->next != NULL ? &it->next->prev : &o->tail) = it->prev;
	drop_lines(o, it);
	o->bytes -= it->body_len;
	free_item(it);
}

static void
append(struct zp_outbox *o, struct zp_outitem *it)
{
	struct zp_outitem **at = bucket_of(o, it->sid, it->kind, it->seq);

	it->chain = *at;
	*at = it;
	it->prev = o->tail;
	*(o->tail != NULL ? &o->tail->next : &o->head) = it;
	o->tail = it;
	for (size_t r = 0; r < o->c.relays; r++)
		if (o->hint[r] == NULL)
			o->hint[r] = it;
	if (o->flight == NULL)
		o->flight = it;
	o->pending[kind_index(it->kind)]++;
	o->bytes += it->body_len;
}

/* ---- conversations ------------------------------------------------------- */

static void
drop_audience(struct zp_outbox *o, struct zp_audience *a)
{
	struct zp_audience **at = &o->audiences;

	while (*at != NULL && *at != a)
		at = &(*at)->next;
	if (*at != NULL)
		*at = a->next;
	zp_audience_drop(a);
}

static struct zp_audience *
audience_of(struct zp_outbox *o, const uint8_t *id)
{
	for (struct zp_audience *a = o->audiences; a != NULL; a = a->next)
		if (memcmp(a->id, id, ZP_CONV_ID_LEN) == 0)
			return a;
	return NULL;
}

/* What earlier conversations' members have said holds in this one, too. */
static void
inherit(const struct zp_outbox *o, struct zp_audience *a)
{
	uint64_t had;

	for (const struct zp_audience *b = o->audiences; b != NULL; b = b->next)
		for (size_t i = 0; i < b->n; i++)
			zp_audience_heard(a, b->members[i].m.mid,
			    b->members[i].seen, b->members[i].heard,
			    b->members[i].moved, &had);
}

/* ---- new and free -------------------------------------------------------- */

static enum zp_err
make_session(struct zp_outbox *o, struct zp_session **s, enum zp_kind kind,
    const uint8_t *key, const uint8_t *keyid, uint64_t first)
{
	struct zp_session_params params = {
	    .kind = kind, .max_record = o->c.max_record, .first = first};
	struct zp_sigctx ctx;
	struct zp_sealer *sealer;
	struct zp_session *made;

	memset(&ctx, 0, sizeof(ctx));
	memcpy(ctx.rp, o->c.rp, sizeof(ctx.rp));
	memcpy(ctx.p, o->c.p, sizeof(ctx.p));
	if (keyid != NULL)
		memcpy(ctx.keyid, keyid, sizeof(ctx.keyid));
	memcpy(params.sid, o->sid, sizeof(params.sid));
	enum zp_err err = zp_sealer_new(&sealer, key, &ctx, o->c.id);
	if (!err)
		err = zp_session_new(&made, sealer, &params);
	if (err)
		return err;
	zp_session_free(*s);
	*s = made;
	return ZP_OK;
}

enum zp_err
zp_outbox_new(struct zp_outbox **outbox, const struct zp_outbox_config *config,
    const uint8_t sid[static ZP_SID_LEN])
{
	if (config->relays < 1 || config->relays > ZP_OUTBOX_RELAYS)
		return ZP_ERR_USAGE;
	struct zp_outbox *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return ZP_ERR_MEMORY;
	o->c = *config;
	o->window = ZP_OUTBOX_WINDOW_NOTES;
	o->easy = ZP_OUTBOX_WINDOW_MOST;
	o->due = o->ask_due = UINT64_MAX;
	memcpy(o->sid, sid, sizeof(o->sid));
	enum zp_err err = zp_out_init(&o->sealed, -1, SEAL_CAP);
	if (!err)
		err = make_session(
		    o, &o->notes, ZP_KIND_NOTE, o->c.msgkey, NULL, 0);
	if (err) {
		zp_outbox_free(o);
		return err;
	}
	*outbox = o;
	return ZP_OK;
}

void
zp_outbox_free(struct zp_outbox *o)
{
	if (o == NULL)
		return;
	while (o->head != NULL) {
		struct zp_outitem *it = o->head;
		o->head = it->next;
		free_item(it);
	}
	while (o->audiences != NULL)
		drop_audience(o, o->audiences);
	zp_session_free(o->notes);
	zp_session_free(o->messages);
	zp_out_free(&o->sealed);
	free(o);
}

/* ---- settling ------------------------------------------------------------ */

static void
tell(struct zp_outbox *o, const struct zp_outitem *it, enum zp_outbox_kind kind)
{
	struct zp_outbox_event ev = {.kind = kind,
	    .what = it->kind,
	    .seq = it->seq,
	    .time = it->time,
	    .tag = it->tag};

	memcpy(ev.sid, it->sid, sizeof(ev.sid));
	if (it->to != NULL) {
		ev.members = it->to->members;
		ev.n = it->to->n;
	}
	if (o->c.event != NULL)
		o->c.event(o->c.arg, &ev);
}

static void
settle(struct zp_outbox *o, struct zp_outitem *it, enum zp_outbox_kind kind)
{
	if (it->done)
		return;
	it->done = true;
	o->pending[kind_index(it->kind)]--;
	if (o->pending[1] == 0) {
		o->ask_due = UINT64_MAX;
		o->asks = 0;
	}
	if (!it->told)
		tell(o, it, kind);
	it->told = true;
}

/*
 * Messages stay until all before them are settled: sealed anew for somebody
 * who came back, they must follow one another without a gap.
 */
static void
sweep(struct zp_outbox *o)
{
	bool blocked = false;

	for (struct zp_outitem *it = o->head, *next; it != NULL; it = next) {
		next = it->next;
		if (it->kind == ZP_KIND_MESSAGE && !it->done)
			blocked = true;
		if (it->done && (it->kind == ZP_KIND_NOTE || !blocked))
			zp_outbox_remove(o, it);
	}
	for (struct zp_audience *a = o->audiences, *next; a != NULL; a = next) {
		next = a->next;
		if (a != o->current && a->users == 1)
			drop_audience(o, a);
	}
}

/* Have its members all it needs? */
static void
judge_message(struct zp_outbox *o, struct zp_outitem *it)
{
	bool any;

	if (!it->done && zp_audience_has(it->to, it->seq, &any))
		settle(
		    o, it, any ? ZP_OUTBOX_DELIVERED : ZP_OUTBOX_UNDELIVERED);
}

/* Shown by one relay, and by all that are live, or tried often enough. */
bool
zp_outbox_judge_note(struct zp_outbox *o, struct zp_outitem *it)
{
	uint16_t shown = UINT16_MAX;

	for (size_t i = 0; i < it->n; i++)
		shown &= it->line[i].shown;
	if (shown == 0 || it->n == 0 || it->done)
		return it->done;
	if ((o->live & ~shown) == 0 || it->tries >= ZP_OUTBOX_AGAIN)
		settle(o, it, ZP_OUTBOX_DELIVERED);
	return it->done;
}

/*
 * Somebody has the messages [from, to) now.  Receipts come often and each is
 * about few, so the others are not looked at; else who holds receipts back
 * and repeats one would make us count all that waits for each time.
 */
static void
judge_some(struct zp_outbox *o, uint64_t from, uint64_t to)
{
	const struct zp_outitem *first = o->head;

	while (first != NULL && first->kind == ZP_KIND_NOTE)
		first = first->next;
	if (first == NULL)
		return;
	if (from < first->seq)
		from = first->seq;
	if (to > o->next[1])
		to = o->next[1];
	for (uint64_t seq = from; seq < to; seq++) {
		struct zp_outitem *it =
		    zp_outbox_find(o, o->sid, ZP_KIND_MESSAGE, seq);
		if (it != NULL)
			judge_message(o, it);
	}
	if (first->done)
		sweep(o);
}

void
zp_outbox_judge(struct zp_outbox *o)
{
	for (struct zp_outitem *it = o->head; it != NULL; it = it->next) {
		if (it->kind == ZP_KIND_NOTE)
			zp_outbox_judge_note(o, it);
		else
			judge_message(o, it);
	}
	sweep(o);
}

/* From it on, the first message that is not settled. */
static struct zp_outitem *
next_message(struct zp_outitem *it)
{
	while (it != NULL && (it->kind == ZP_KIND_NOTE || it->done))
		it = it->next;
	return it;
}

/* Not one by one: to sweep is to look at all of them. */
void
zp_outbox_make_room(struct zp_outbox *o, uint64_t now)
{
	struct zp_outitem *it = NULL;
	size_t n = 0;

	if (o->bytes >= ZP_OUTBOX_BYTES)
		it = next_message(o->head);
	for (; it != NULL && n < ZP_OUTBOX_BYTES / 16;
	     it = next_message(it->next)) {
		if (it->began == 0 || now - it->began < ZP_OUTBOX_STUCK_MS ||
		    !zp_audience_stuck(
			it->to, it->seq, it->began + ZP_OUTBOX_STUCK_MS))
			break;
		n += it->text_len + it->body_len;
		settle(o, it, ZP_OUTBOX_UNDELIVERED);
	}
	if (n > 0)
		sweep(o);
}

/* ---- sealing ------------------------------------------------------------- */

/* The record lines in text, as to be sent to every relay. */
static enum zp_err
cut_lines(struct zp_outbox *o, struct zp_outitem *it, char *text, size_t len)
{
	const uint16_t all = (uint16_t)((1u << o->c.relays) - 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	struct zp_outline *line = calloc(n > 0 ? n : 1, sizeof(*line));
	if (line == NULL)
		return ZP_ERR_MEMORY;
	for (size_t i = 0, at = 0; i < n; i++) {
		const char *nl = memchr(text + at, '\n', len - at);
		size_t end = (size_t)(nl - text) + 1;
		line[i].at = (uint32_t)at;
		line[i].len = (uint32_t)(end - at);
		line[i].want = all;
		at = end;
	}
	drop_lines(o, it);
	it->text = text;
	it->text_len = len;
	it->line = line;
	it->n = n;
	it->sent = 0;
	it->due = UINT64_MAX;
	it->tries = 0;
	o->bytes += len;
	o->fresh += n;
	return ZP_OK;
}

/* Seals a body in place of what it had. */
static enum zp_err
seal(struct zp_outbox *o, struct zp_session *s, struct zp_outitem *it,
    const void *body, size_t len)
{
	o->sealed.len = 0;
	enum zp_err err =
	    zp_session_body(s, it->seq, it->time, body, len, &o->sealed);
	if (err)
		return err;
	char *text = malloc(o->sealed.len);
	if (text == NULL)
		return ZP_ERR_MEMORY;
	memcpy(text, o->sealed.data, o->sealed.len);
	err = cut_lines(o, it, text, o->sealed.len);
	if (err)
		free(text);
	return err;
}

bool
zp_outbox_room(const struct zp_outbox *o)
{
	return o->bytes < ZP_OUTBOX_BYTES && o->fresh < ZP_OUTBOX_AHEAD;
}

const struct zp_member *
zp_outbox_blocker(const struct zp_outbox *o)
{
	const struct zp_outitem *it = next_message(o->head);

	if (o->bytes < ZP_OUTBOX_BYTES || it == NULL)
		return NULL;
	for (size_t i = 0; i < it->to->n; i++) {
		const struct zp_outbox_member *m = &it->to->members[i];
		if (!m->left && m->seen <= it->seq)
			return &m->m;
	}
	return NULL;
}

void
zp_outbox_expect(struct zp_outbox *o, size_t bodies)
{
	zp_session_expect(o->notes, bodies);
	if (o->messages != NULL)
		zp_session_expect(o->messages, bodies);
}

static enum zp_err
fill_item(
    struct zp_outbox *o, struct zp_outitem *it, const void *body, size_t len)
{
	if (it->kind == ZP_KIND_NOTE)
		return seal(o, o->notes, it, body, len);
	it->body = malloc(len > 0 ? len : 1);
	if (it->body == NULL)
		return ZP_ERR_MEMORY;
	if (len > 0)
		memcpy(it->body, body, len);
	it->body_len = len;
	return seal(o, o->messages, it, body, len);
}

enum zp_err
zp_outbox_add(struct zp_outbox *o, uint64_t now, enum zp_kind kind,
    uint64_t time, uint64_t tag, const void *body, size_t len, uint64_t *seq)
{
	uint64_t *next = &o->next[kind_index(kind)];

	if (kind == ZP_KIND_MESSAGE && o->current == NULL)
		return ZP_ERR_USAGE;
	if (*next > ZP_SEQ_MAX)
		return ZP_ERR_ENDED;
	struct zp_outitem *it = calloc(1, sizeof(*it));
	if (it == NULL)
		return ZP_ERR_MEMORY;
	it->kind = kind;
	it->seq = *next;
	it->time = time;
	it->tag = tag;
	memcpy(it->sid, o->sid, sizeof(it->sid));
	enum zp_err err = fill_item(o, it, body, len);
	if (err) {
		free_item(it);
		return err;
	}
	if (kind == ZP_KIND_MESSAGE) {
		it->to = o->current;
		it->to->users++;
	}
	if (o->flying == 0)
		o->moved = now;
	append(o, it);
	*seq = (*next)++;
	return ZP_OK;
}

bool
zp_outbox_note(const struct zp_outbox *o, const uint8_t sid[static ZP_SID_LEN],
    uint64_t seq, const char **lines, size_t *len)
{
	for (const struct zp_outitem *it = o->tail; it != NULL; it = it->prev) {
		if (it->kind != ZP_KIND_NOTE || it->seq != seq ||
		    memcmp(it->sid, sid, ZP_SID_LEN) != 0)
			continue;
		*lines = it->text;
		*len = it->text_len;
		return true;
	}
	return false;
}

enum zp_err
zp_outbox_restore(struct zp_outbox *o, uint64_t now,
    const uint8_t sid[static ZP_SID_LEN], uint64_t seq, uint64_t time,
    const char *lines, size_t len)
{
	if (len == 0 || lines[len - 1] != '\n' || len > RESTORE_MOST)
		return ZP_ERR_FORMAT;
	struct zp_outitem *it = calloc(1, sizeof(*it));
	char *text = malloc(len);
	if (it == NULL || text == NULL) {
		free(it);
		free(text);
		return ZP_ERR_MEMORY;
	}
	memcpy(text, lines, len);
	it->kind = ZP_KIND_NOTE;
	it->seq = seq;
	it->time = time;
	memcpy(it->sid, sid, sizeof(it->sid));
	enum zp_err err = cut_lines(o, it, text, len);
	if (err) {
		free(text);
		free(it);
		return err;
	}
	if (o->flying == 0)
		o->moved = now;
	append(o, it);
	return ZP_OK;
}

/* ---- sessions and keys --------------------------------------------------- */

enum zp_err
zp_outbox_session(
    struct zp_outbox *o, uint64_t now, const uint8_t sid[static ZP_SID_LEN])
{
	enum zp_err err = zp_outbox_current(o, now, NULL);

	for (struct zp_outitem *it = o->head; it != NULL; it = it->next)
		if (it->kind == ZP_KIND_MESSAGE)
			settle(o, it, ZP_OUTBOX_UNDELIVERED);
	sweep(o);
	memcpy(o->sid, sid, sizeof(o->sid));
	o->next[0] = o->next[1] = 0;
	return err
	    ? err
	    : make_session(o, &o->notes, ZP_KIND_NOTE, o->c.msgkey, NULL, 0);
}

/* The number from which on messages may go to this audience. */
static uint64_t
first_for(const struct zp_outbox *o, const struct zp_audience *a)
{
	uint64_t first = o->next[1];

	for (const struct zp_outitem *it = o->tail; it != NULL; it = it->prev) {
		if (it->kind != ZP_KIND_MESSAGE)
			continue;
		if (!zp_audience_covers(it->to, a))
			break;
		first = it->seq;
	}
	return first;
}

/*
 * A message whose key is gone: anew to the current conversation, or it waits
 * for the next, or that was all.
 */
static enum zp_err
move(struct zp_outbox *o, struct zp_outitem *it)
{
	if (it->seq < o->first || !zp_audience_covers(it->to, o->current)) {
		settle(o, it, ZP_OUTBOX_UNDELIVERED);
		return ZP_OK;
	}
	enum zp_err err = seal(o, o->messages, it, it->body, it->body_len);
	if (err)
		return err;
	/* Who is back is waited for as others were, but not time and again. */
	if (zp_audience_grew(it->to, o->current) && it->anew < RETURNS) {
		it->anew++;
		it->began = 0;
	}
	zp_audience_drop(it->to);
	it->to = o->current;
	it->to->users++;
	if (it->done)
		o->pending[1]++;
	it->done = false;
	return ZP_OK;
}

/*
 * Who died and is back has no key of before: what it lacks need not wait for
 * the others to wipe theirs, with all that was said since waiting behind it.
 * It gets all from `first` on, as it waits for all of them: of what only the
 * others still lack, and of what is done and kept, it may have shown some
 * before it died, but need not remember.
 */
static bool
is_for_returned(const struct zp_outbox *o, const struct zp_outitem *it)
{
	return it->to != o->current && it->seq >= o->first &&
	    zp_audience_covers(it->to, o->current) &&
	    zp_audience_returned(it->to, o->current, it->seq);
}

static enum zp_err
move_all(struct zp_outbox *o)
{
	for (struct zp_outitem *it = o->head; it != NULL; it = it->next) {
		if (it->kind != ZP_KIND_MESSAGE || o->current == NULL ||
		    (!it->to->gone && !is_for_returned(o, it)))
			continue;
		enum zp_err err = move(o, it);
		if (err)
			return err;
	}
	for (size_t r = 0; r < o->c.relays; r++)
		o->hint[r] = o->head;
	o->flight = o->head;
	zp_outbox_judge(o);
	return ZP_OK;
}

enum zp_err
zp_outbox_current(
    struct zp_outbox *o, uint64_t now, const struct zp_machine_conv *conv)
{
	struct zp_audience *a;

	(void)now;
	if (conv == NULL) {
		zp_session_free(o->messages);
		o->messages = NULL;
		o->current = NULL;
		return ZP_OK;
	}
	if (o->current != NULL &&
	    memcmp(o->current->id, conv->keys->id, ZP_CONV_ID_LEN) == 0)
		return ZP_OK;
	enum zp_err err = zp_audience_new(&a, conv);
	if (err)
		return err;
	uint64_t first = first_for(o, a);
	err = make_session(o, &o->messages, ZP_KIND_MESSAGE, conv->keys->key,
	    conv->keys->id, first);
	if (err) {
		zp_audience_drop(a);
		return err;
	}
	inherit(o, a);
	a->next = o->audiences;
	o->audiences = a;
	o->current = a;
	o->first = first;
	return move_all(o);
}

enum zp_err
zp_outbox_gone(struct zp_outbox *o, uint64_t now,
    const uint8_t conv[static ZP_CONV_ID_LEN])
{
	struct zp_audience *a = audience_of(o, conv);

	if (a == NULL)
		return ZP_OK;
	a->gone = true;
	if (a == o->current) {
		enum zp_err err = zp_outbox_current(o, now, NULL);
		if (err)
			return err;
	}
	return move_all(o);
}

/* ---- what members say -----------------------------------------------------
 */

void
zp_outbox_heard(struct zp_outbox *o, uint64_t now,
    const uint8_t mid[static ZP_GROUP_MID_LEN], uint64_t seen, uint64_t heard)
{
	const size_t before = o->pending[1];
	uint64_t from = UINT64_MAX, had;

	for (struct zp_audience *a = o->audiences; a != NULL; a = a->next)
		if (zp_audience_heard(a, mid, seen, heard, now, &had))
			from = zp_outbox_least(from, had);
	if (from < seen)
		judge_some(o, from, seen);
	zp_outbox_lost(o, now, mid, seen);
	/* Answers come: the rest is given as much time again. */
	if (o->pending[1] > 0 && o->pending[1] < before) {
		o->ask_due = now + ZP_OUTBOX_ASK_MS;
		o->asks = 0;
	}
}

void
zp_outbox_left(struct zp_outbox *o, uint64_t now,
    const uint8_t mid[static ZP_GROUP_MID_LEN])
{
	bool any = false;

	(void)now;
	for (struct zp_audience *a = o->audiences; a != NULL; a = a->next)
		any |= zp_audience_left(a, mid);
	if (any)
		zp_outbox_judge(o);
}

/* ---- the end, and figures ------------------------------------------------ */

uint64_t
zp_outbox_count(const struct zp_outbox *o, enum zp_kind kind)
{
	return o->next[kind_index(kind)];
}

size_t
zp_outbox_pending(const struct zp_outbox *o, enum zp_kind kind)
{
	return o->pending[kind_index(kind)];
}

void
zp_outbox_end(struct zp_outbox *o, uint64_t now)
{
	(void)now;
	for (struct zp_outitem *it = o->head; it != NULL; it = it->next) {
		uint16_t shown = UINT16_MAX;
		for (size_t i = 0; i < it->n; i++)
			shown &= it->line[i].shown;
		bool good = it->kind == ZP_KIND_NOTE && it->n > 0 && shown != 0;
		settle(
		    o, it, good ? ZP_OUTBOX_DELIVERED : ZP_OUTBOX_UNDELIVERED);
	}
	sweep(o);
}
