#include "net/zp_queue.h"

#include <stdlib.h>
#include <string.h>

void
zp_queue_init(struct zp_queue *q)
{
	*q = (struct zp_queue){0};
}

void
zp_queue_free(struct zp_queue *q)
{
	while (q->head != NULL)
		zp_queue_remove(q, q->head);
}

bool
zp_queue_has_room(const struct zp_queue *q)
{
	return q->bytes < ZP_QUEUE_BYTES && q->count < ZP_QUEUE_COUNT;
}

/* The same record in other memory. */
static struct zp_record
moved(const struct zp_record *rec, const char *to)
{
	struct zp_record r = *rec;

	r.line = to;
	r.rp = to + (rec->rp - rec->line);
	r.p = to + (rec->p - rec->line);
	r.enc = to + (rec->enc - rec->line);
	return r;
}

enum zp_err
zp_queue_put(struct zp_queue *q, const struct zp_record *rec, bool live)
{
	struct zp_item *item = malloc(sizeof(*item) + rec->len + 1);
	char *line;

	if (item == NULL)
		return ZP_ERR_MEMORY;
	line = (char *)(item + 1);
	memcpy(line, rec->line, rec->len);
	line[rec->len] = '\n';
	*item = (struct zp_item){
	    .rec = moved(rec, line),
	    .live = live,
	    .number = ++q->numbered,
	    .prev = q->tail,
	};
	if (q->tail != NULL)
		q->tail->next = item;
	else
		q->head = item;
	q->tail = item;
	if (q->unsent == NULL)
		q->unsent = item;
	q->count++;
	q->bytes += rec->len;
	return ZP_OK;
}

void
zp_queue_sent(struct zp_queue *q)
{
	q->unsent->sent = true;
	q->unsent = q->unsent->next;
}

void
zp_queue_unsend(struct zp_queue *q, struct zp_item *item)
{
	item->sent = false;
	q->unsent = item;
}

void
zp_queue_remove(struct zp_queue *q, struct zp_item *item)
{
	if (item->prev != NULL)
		item->prev->next = item->next;
	else
		q->head = item->next;
	if (item->next != NULL)
		item->next->prev = item->prev;
	else
		q->tail = item->prev;
	if (q->unsent == item)
		q->unsent = item->next;
	q->count--;
	q->bytes -= item->rec.len;
	free(item);
}

void
zp_queue_rewind(struct zp_queue *q)
{
	for (struct zp_item *i = q->head; i != q->unsent; i = i->next)
		i->sent = false;
	q->unsent = q->head;
}
