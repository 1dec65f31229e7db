#include "net/zp_backoff.h"
#include "net/zp_outq.h"
#include "net/zp_queue.h"
#include "net/zp_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tap.h"

#define TOPIC "zAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
put(struct zp_queue *q, const char *enc)
{
	char line[256];
	struct zp_record rec;
	size_t from = 0;

	snprintf(line, sizeof(line), "zp1.%s.%s.%s\n", TOPIC, TOPIC, enc);
	if (!zp_record_find(line, strlen(line), &from, false, &rec) ||
	    zp_queue_put(q, &rec, false) != ZP_OK)
		OK(false, "a record is put");
	/* The queue must have its own copy. */
	memset(line, 'x', sizeof(line));
}

/* The next unsent record's ENC. */
static bool
next_is(const struct zp_queue *q, const char *enc)
{
	const struct zp_record *r = &q->unsent->rec;

	return r->enc_len == strlen(enc) &&
	    memcmp(r->enc, enc, r->enc_len) == 0 && r->line[r->len] == '\n' &&
	    memcmp(r->rp, TOPIC, r->rp_len) == 0;
}

static void
test_queue(void)
{
	struct zp_queue q;
	struct zp_item *first, *second;

	zp_queue_init(&q);
	put(&q, "a1");
	put(&q, "b2");
	put(&q, "c3");
	OK(next_is(&q, "a1"), "records come out in order");
	first = q.unsent;
	zp_queue_sent(&q);
	second = q.unsent;
	zp_queue_sent(&q);
	OK(next_is(&q, "c3"), "what is sent is not offered again");
	zp_queue_remove(&q, second);
	zp_queue_rewind(&q);
	OK(next_is(&q, "a1") && !first->sent,
	    "after a rewind what was not acknowledged comes again");
	zp_queue_sent(&q);
	OK(next_is(&q, "c3"), "and what was acknowledged does not");
	zp_queue_unsend(&q, first);
	OK(next_is(&q, "a1"), "one may be given back");
	IS(q.unsent->number, 1, "a record keeps its number");
	zp_queue_remove(&q, q.unsent);
	OK(next_is(&q, "c3"), "an unsent one may be removed");
	IS(q.count, 1, "they are counted");
	zp_queue_remove(&q, q.unsent);
	OK(q.head == NULL && q.tail == NULL && q.unsent == NULL && q.bytes == 0,
	    "an empty queue is empty");
	zp_queue_rewind(&q);
	put(&q, "d4");
	OK(next_is(&q, "d4") && q.unsent->number == 4, "and numbers go on");
	while (zp_queue_has_room(&q))
		put(&q, "e5");
	OK(q.count <= ZP_QUEUE_COUNT, "it is full some time");
	zp_queue_free(&q);
}

static void
test_backoff(void)
{
	struct zp_backoff b;
	unsigned last = 0, ms = 0;
	bool grows = true;

	zp_backoff_init(&b, 200, 30000);
	IS(zp_backoff_next(&b, 0), 200, "the first pause is short");
	for (int i = 0; i < 100; i++, last = ms) {
		ms = zp_backoff_next(&b, 0);
		grows = grows && ms >= last && ms <= 30000;
	}
	OK(grows && ms == 30000, "pauses grow up to a limit");
	ms = zp_backoff_next(&b, UINT32_MAX);
	OK(ms >= 15000 && ms <= 15001, "jitter takes off up to a half");
	zp_backoff_reset(&b);
	IS(zp_backoff_next(&b, 0), 200, "success begins anew");
}

static void
test_scan(void)
{
	static const char torn[] = "zp1." TOPIC "." TOPIC ".AAAA"
				   "zp1." TOPIC "." TOPIC ".BBBB\n";
	struct zp_record rec;
	size_t from = 0;

	OK(zp_record_find(torn, sizeof(torn) - 1, &from, false, &rec) &&
		zp_scan_torn(&rec, torn + sizeof(torn) - 1),
	    "a torn record is seen by the next one's mark");
	from = zp_record_retry(torn, &rec);
	OK(zp_record_find(torn, sizeof(torn) - 1, &from, false, &rec) &&
		rec.enc_len == 4 && memcmp(rec.enc, "BBBB", 4) == 0 &&
		!zp_scan_torn(&rec, torn + sizeof(torn) - 1),
	    "the next one is found whole");
}

static void
test_outq(void)
{
	int fds[2];
	struct zp_outq q;
	char block[4096], back[4096];
	size_t put_bytes = 0, got = 0;
	bool same = true;

	memset(block, 'x', sizeof(block));
	if (pipe(fds) != 0)
		exit(EXIT_FAILURE);
	zp_outq_init(&q, fds[1]);
	/* A pipe holds 64 KiB: all of this only fits if nothing waits. */
	for (int i = 0; i < 100; i++) {
		memset(block, 'a' + i % 26, sizeof(block));
		OK(zp_outq_put(&q, block, sizeof(block)) == ZP_OK,
		    "what the reader does not take is kept");
		put_bytes += sizeof(block);
		zp_outq_write(&q);
	}
	OK(zp_outq_len(&q) > 0 && q.error == 0, "a full pipe is no error");
	while (got < put_bytes) {
		ssize_t n = read(fds[0], back, sizeof(back));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++, got++)
			same = same &&
			    back[i] == (char)('a' + got / sizeof(block) % 26);
		zp_outq_write(&q);
	}
	OK(same && got == put_bytes, "all comes, in order");
	close(fds[0]);
	OK(zp_outq_put(&q, "x", 1) == ZP_OK, "a closed pipe is seen late");
	zp_outq_write(&q);
	IS(q.error, EPIPE, "but it is seen");
	OK(zp_outq_put(&q, "x", 1) == ZP_OK && zp_outq_len(&q) == 0,
	    "and nothing is kept for it");
	zp_outq_free(&q);
	close(fds[1]);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_queue();
	test_backoff();
	test_scan();
	test_outq();
	return tap_done();
}
