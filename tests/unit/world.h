#ifndef ZP_TEST_WORLD_H
#define ZP_TEST_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/zp_secret.h"
#include "proc/zp_presence.h"
#include "tap.h"

/*
 * A few presences of one channel in one process, a relay that loses nothing,
 * and time that passes when it is told to.
 */

#define WORLD_MOST 4

struct person {
	struct zp_presence *p;
	struct zp_known *known;
	char said[8192]; /* what was reported, "; " between */
	unsigned online, current, settled, late, keys, gone;
};

static struct {
	struct person who[WORLD_MOST];
	size_t n;
	struct zp_key *key;
	struct zp_presence_now now;
	char dir[64];
	bool quiet; /* the relay drops everything */
} world;

static inline void
need(bool good)
{
	if (good)
		return;
	printf("Bail out! the test itself is broken\n");
	fflush(stdout);
	_exit(1);
}

static inline void
world_event(void *arg, const struct zp_presence_event *ev)
{
	struct person *who = arg;
	size_t len = strlen(who->said);

	who->online += ev->kind == ZP_PRESENCE_ONLINE;
	who->current += ev->kind == ZP_PRESENCE_CURRENT;
	who->settled += ev->kind == ZP_PRESENCE_SETTLED;
	who->late += ev->kind == ZP_PRESENCE_LATE;
	who->keys += ev->kind == ZP_PRESENCE_KEY;
	who->gone += ev->kind == ZP_PRESENCE_KEY_GONE;
	snprintf(who->said + len, sizeof(who->said) - len, "%s; ", ev->text);
}

static inline void
world_begin(void)
{
	static unsigned char raw[ZP_KEY_LEN] = {1, 2, 3};

	need(zp_secret_init() == ZP_OK);
	snprintf(world.dir, sizeof(world.dir), "/tmp/zp-world-XXXXXX");
	need(mkdtemp(world.dir) != NULL);
	need(zp_key_load(&world.key, raw, "ops", ZP_WORK_RANDOM) == ZP_OK);
	world.now.ticks = 1000000;
	world.now.wall = 1767225600000;
}

/* Their own list of known identities, which lasts until the end. */
static inline struct zp_known *
world_known(const char *name)
{
	char path[128];
	struct zp_fault fault;
	struct zp_known *known;

	snprintf(path, sizeof(path), "%s/%s", world.dir, name);
	need(zp_known_open(&known, path, true, &fault) == ZP_OK);
	return known;
}

/* Adds somebody; c: what differs from the usual. */
static inline struct person *
world_add(const char *uid, struct zp_presence_config c)
{
	struct person *who = &world.who[world.n++];

	need(world.n <= WORLD_MOST);
	memset(who, 0, sizeof(*who));
	who->known = world_known(uid);
	c.key = world.key;
	c.uid = uid;
	c.known = who->known;
	c.event = world_event;
	c.arg = who;
	need(zp_presence_new(&who->p, &c) == ZP_OK);
	need(zp_presence_start(who->p, &world.now) == ZP_OK);
	return who;
}

static inline enum zp_presence_what
world_hear(struct person *who, const char *line, size_t len,
    struct zp_presence_got *got)
{
	struct zp_record rec;
	size_t from = 0;

	need(zp_record_find(line, len, &from, false, &rec));
	enum zp_err err = zp_presence_record(who->p, &world.now, &rec, got);
	need(err == ZP_OK || err == ZP_ERR_ENDED);
	return got->what;
}

/* Whoever has something to say says it to all, themselves included. */
static inline bool
world_relay(void)
{
	struct zp_presence_got got;
	bool any = false;
	const char *line;
	size_t len;

	for (size_t i = 0; i < world.n; i++) {
		char copy[8192];
		if (!zp_presence_line(world.who[i].p, &line, &len))
			continue;
		any = true;
		need(len <= sizeof(copy));
		memcpy(copy, line, len);
		for (size_t j = 0; j < world.n && !world.quiet; j++)
			need(world_hear(&world.who[j], copy, len, &got) ==
			    ZP_PRESENCE_HELLO);
	}
	return any;
}

/* Lets time pass, at most ms, in steps as deadlines have it. */
static inline void
world_run(uint64_t ms)
{
	const uint64_t end = world.now.ticks + ms;

	for (;;) {
		uint64_t next = end;
		while (world_relay())
			;
		for (size_t i = 0; i < world.n; i++) {
			uint64_t t = zp_presence_deadline(world.who[i].p);
			next = t < next ? t : next;
		}
		if (next > world.now.ticks) {
			world.now.wall += next - world.now.ticks;
			world.now.ticks = next;
		}
		for (size_t i = 0; i < world.n; i++) {
			enum zp_err err =
			    zp_presence_tick(world.who[i].p, &world.now);
			need(err == ZP_OK || err == ZP_ERR_ENDED);
		}
		if (world.now.ticks >= end && !world_relay())
			return;
	}
}

/* Everybody goes, without a word; lists of known identities stay. */
static inline void
world_clear(void)
{
	for (size_t i = 0; i < world.n; i++) {
		zp_presence_free(world.who[i].p);
		zp_known_free(world.who[i].known);
	}
	world.n = 0;
	/* Nobody remembers anybody, and tokens are there again. */
	world.now.ticks += 600000;
	world.now.wall += 600000;
}

static inline void
world_end(void)
{
	char command[128];

	world_clear();
	zp_key_free(world.key);
	snprintf(command, sizeof(command), "rm -r '%s'", world.dir);
	need(system(command) == 0);
}

static inline struct zp_machine *
machine_of(const struct person *who)
{
	return zp_presence_machine(who->p);
}

static inline bool
said(const struct person *who, const char *text)
{
	return strstr(who->said, text) != NULL;
}

#endif
