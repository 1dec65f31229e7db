#ifndef ZP_QUEUE_H
#define ZP_QUEUE_H

#include "net/zp_transport.h"

/*
 * Records on their way out, in order: at the head what is sent and not yet
 * acknowledged, then what is not sent.  Acknowledgements may come in any
 * order.  After zp_queue_rewind() everything in it is to be sent again, still
 * in order.
 */
struct zp_queue {
	struct zp_item *head, *tail;
	struct zp_item *unsent; /* the first that is not sent */
	size_t count, bytes;
	uint64_t numbered; /* records so far */
};

/* What it holds before stdin is no longer read: then one record more. */
#define ZP_QUEUE_BYTES (4u << 20)
#define ZP_QUEUE_COUNT 16384u

void
zp_queue_init(struct zp_queue *q);
void
zp_queue_free(struct zp_queue *q);
bool
zp_queue_has_room(const struct zp_queue *q);

/* Copies the record; ZP_ERR_MEMORY. */
ZP_CHECKED enum zp_err
zp_queue_put(struct zp_queue *q, const struct zp_record *rec, bool live);

/* The first unsent one counts as sent. */
void
zp_queue_sent(struct zp_queue *q);

/* It was the last to be sent, and is not. */
void
zp_queue_unsend(struct zp_queue *q, struct zp_item *item);

/* Removes and frees an item, wherever it is. */
void
zp_queue_remove(struct zp_queue *q, struct zp_item *item);

/* Nothing counts as sent. */
void
zp_queue_rewind(struct zp_queue *q);

#endif
