#include "proto/zp_crew.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

struct crew {
	size_t room, most; /* bytes of a part, and of a batch */
	/* Under `input`, which is held while reading. */
	pthread_mutex_t input;
	struct zp_in *in;
	struct zp_session_place place; /* the next part's */
	uint64_t taken; /* batches */
	bool over;
	/* Under `output`, which is held while writing. */
	pthread_mutex_t output;
	pthread_cond_t changed;
	struct zp_out *out;
	uint64_t written; /* batches, and so whose turn it is */
	enum zp_err err;
	int error; /* errno */
	bool reading;
};

/* One of the two, and the batch it has. */
struct worker {
	struct crew *crew;
	struct zp_session *session;
	struct zp_in in;
	struct zp_out out; /* gathers */
	struct zp_session_place place;
	uint64_t turn;
	size_t parts;
};

/* Ends the work of both; the first reason counts.  Holding `output`. */
static void
give_up(struct crew *c, enum zp_err err, bool reading)
{
	if (c->err == ZP_OK) {
		c->err = err;
		c->error = errno;
		c->reading = reading;
	}
	pthread_cond_broadcast(&c->changed);
}

/* Waits until n batches are written, or there is an error. */
static enum zp_err
wait_written(struct crew *c, uint64_t n)
{
	while (c->written != n && c->err == ZP_OK)
		pthread_cond_wait(&c->changed, &c->output);
	return c->err;
}

/*
 * Reads until a part is there that is not the last, and what else is ready.
 * Before a read that may wait, all that was read before is written: who fails
 * there must not have to wait, too.  Holding `input`.
 */
static enum zp_err
gather(struct crew *c)
{
	enum zp_err err = ZP_OK;

	while (!err && !c->in->eof && zp_in_len(c->in) <= c->most) {
		if (!zp_in_ready(c->in)) {
			if (zp_in_len(c->in) > c->room)
				break;
			pthread_mutex_lock(&c->output);
			err = wait_written(c, c->taken);
			pthread_mutex_unlock(&c->output);
			if (err)
				return err;
		}
		err = zp_in_fill_wait(c->in);
	}
	if (err) {
		pthread_mutex_lock(&c->output);
		give_up(c, err, true);
		pthread_mutex_unlock(&c->output);
	}
	return err;
}

/* The first n bytes read become the worker's. */
static enum zp_err
exchange(struct worker *w, size_t n)
{
	struct crew *c = w->crew;
	enum zp_err err = zp_in_move(&w->in, c->in, n);

	if (err) {
		pthread_mutex_lock(&c->output);
		give_up(c, err, false);
		pthread_mutex_unlock(&c->output);
	}
	return err;
}

/* The next batch; false: there is none, or no use in one. */
static bool
take(struct worker *w)
{
	struct crew *c = w->crew;
	size_t n = 0;

	pthread_mutex_lock(&c->input);
	/*
	 * Reading goes into this worker's own memory, which is in its
	 * processor's cache: into the other one's it takes twice as long.
	 */
	if (!c->over && exchange(w, 0) == ZP_OK && gather(c) == ZP_OK) {
		size_t len = zp_in_len(c->in);
		n = len > c->most ? c->most / c->room
		    : len > 0	  ? (len - 1) / c->room
				  : 0;
	}
	bool good = n > 0 && exchange(w, n * c->room) == ZP_OK;
	c->over = !good;
	if (good) {
		w->parts = n;
		w->turn = c->taken++;
		w->place = c->place;
		c->place.part += n;
	}
	pthread_mutex_unlock(&c->input);
	return good;
}

static enum zp_err
seal(struct worker *w)
{
	struct zp_session *s = w->session;
	size_t room = w->crew->room;
	enum zp_err err = ZP_OK;

	w->out.len = 0;
	zp_session_at(s, &w->place);
	zp_session_expect(s, w->parts);
	for (; w->parts > 0 && !err; w->parts--) {
		err =
		    zp_session_part(s, zp_in_at(&w->in), room, false, &w->out);
		w->in.start += room;
	}
	/* No nonce is kept over a wait. */
	zp_session_expect(s, 0);
	return err;
}

static enum zp_err
put(struct worker *w, enum zp_err err)
{
	struct crew *c = w->crew;

	pthread_mutex_lock(&c->output);
	/* What was sealed before an error goes out, as with one thread. */
	enum zp_err before = wait_written(c, w->turn);
	if (!before && w->out.len > 0) {
		enum zp_err bad = zp_out_put(c->out, w->out.data, w->out.len);
		if (!bad)
			bad = zp_out_flush(c->out);
		err = bad ? bad : err;
	}
	if (!before && err)
		give_up(c, err, false);
	if (!before && !err) {
		c->written++;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->output);
	return before ? before : err;
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	while (take(w) && put(w, seal(w)) == ZP_OK)
		;
	return NULL;
}

static enum zp_err
begin(struct worker *w, struct crew *c, struct zp_session *session)
{
	size_t block = c->in->block;
	enum zp_err err;

	w->crew = c;
	w->session = session;
	err = zp_in_init(&w->in, -1, block, block);
	return err ? err : zp_out_init(&w->out, -1, c->most + c->most / 2);
}

static void
end(struct worker *w)
{
	zp_in_free(&w->in);
	zp_out_free(&w->out);
}

enum zp_err
zp_crew_stream(struct zp_session *own, struct zp_session *helper,
    struct zp_in *in, struct zp_out *out, size_t batch, bool *reading)
{
	struct crew c = {.room = zp_session_room(own),
	    .most = batch,
	    .input = PTHREAD_MUTEX_INITIALIZER,
	    .in = in,
	    .place = zp_session_place(own),
	    .output = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER,
	    .out = out};
	struct worker first = {0}, second = {0};
	pthread_t thread;

	*reading = false;
	enum zp_err err = begin(&first, &c, own);
	bool two = !err && helper != NULL &&
	    sysconf(_SC_NPROCESSORS_ONLN) > 1 &&
	    begin(&second, &c, helper) == ZP_OK &&
	    pthread_create(&thread, NULL, work, &second) == 0;
	if (!err) {
		work(&first);
		if (two)
			pthread_join(thread, NULL);
		err = c.err;
		*reading = c.reading;
		zp_session_at(own, &c.place);
	}
	end(&first);
	end(&second);
	pthread_cond_destroy(&c.changed);
	pthread_mutex_destroy(&c.input);
	pthread_mutex_destroy(&c.output);
	errno = c.error;
	return err;
}
