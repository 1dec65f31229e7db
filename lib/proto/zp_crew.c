#include "proto/zp_crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum turn { IDLE, WORK, QUIT };

struct zp_crew {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under the mutex; all else belongs to whose turn it is. */
	enum turn turn;
	struct zp_session *session;
	struct zp_session_place place;
	const uint8_t *data;
	size_t n;
	enum zp_err err;
	struct zp_out out; /* gathers */
};

/* n parts from a place on. */
static enum zp_err
seal(struct zp_session *s, const struct zp_session_place *place,
    const uint8_t *data, size_t n, struct zp_out *out)
{
	enum zp_err err = ZP_OK;

	zp_session_at(s, place);
	size_t room = zp_session_room(s);
	zp_session_expect(s, n);
	for (; n > 0 && !err; n--, data += room)
		err = zp_session_part(s, data, room, false, out);
	/* No nonce is kept over a wait. */
	zp_session_expect(s, 0);
	return err;
}

static void *
help(void *arg)
{
	struct zp_crew *c = arg;

	pthread_mutex_lock(&c->mutex);
	for (;;) {
		while (c->turn == IDLE)
			pthread_cond_wait(&c->changed, &c->mutex);
		if (c->turn == QUIT)
			break;
		pthread_mutex_unlock(&c->mutex);
		c->err = seal(c->session, &c->place, c->data, c->n, &c->out);
		pthread_mutex_lock(&c->mutex);
		c->turn = IDLE;
		pthread_cond_signal(&c->changed);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

static void
set_turn(struct zp_crew *c, enum turn turn)
{
	pthread_mutex_lock(&c->mutex);
	c->turn = turn;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

static void
wait_idle(struct zp_crew *c)
{
	pthread_mutex_lock(&c->mutex);
	while (c->turn != IDLE)
		pthread_cond_wait(&c->changed, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
}

enum zp_err
zp_crew_new(struct zp_crew **crew, struct zp_session *helper)
{
	struct zp_crew *c = calloc(1, sizeof(*c));

	if (c == NULL || sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    zp_out_init(&c->out, -1, 65536) != ZP_OK) {
		zp_session_free(helper);
		free(c);
		return ZP_ERR_MEMORY;
	}
	c->session = helper;
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->changed, NULL);
	if (pthread_create(&c->thread, NULL, help, c) != 0) {
		zp_session_free(helper);
		zp_out_free(&c->out);
		free(c);
		return ZP_ERR_MEMORY;
	}
	*crew = c;
	return ZP_OK;
}

void
zp_crew_free(struct zp_crew *c)
{
	if (c == NULL)
		return;
	set_turn(c, QUIT);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mutex);
	zp_session_free(c->session);
	zp_out_free(&c->out);
	free(c);
}

enum zp_err
zp_crew_seal(struct zp_crew *c, struct zp_session *own, const uint8_t *data,
    size_t n, struct zp_out *out)
{
	struct zp_session_place place = zp_session_place(own);
	size_t half = n / 2;

	c->place = place;
	c->place.part += half;
	c->data = data + half * zp_session_room(own);
	c->n = n - half;
	set_turn(c, WORK);
	enum zp_err err = seal(own, &place, data, half, out);
	wait_idle(c);
	if (!err)
		err = c->err;
	if (!err)
		err = zp_out_put(out, c->out.data, c->out.len);
	c->out.len = 0;
	place.part += n;
	zp_session_at(own, &place);
	return err;
}
