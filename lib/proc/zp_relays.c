#include "proc/zp_relays.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/zp_io.h"
#include "base/zp_signal.h"
#include "proc/zp_child.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "store/zp_path.h"
#include "store/zp_suite.h"

/* "TOPIC LIVE\n" or "TOPIC\n" from the child, and a NUL. */
#define TOPICS_MAX (2 * ZP_SUITE_TOPIC_MAX + 2)
/* A command that publishes gets so long to do it after its input ended. */
#define PUBLISH_WITHIN 2000

/* Pauses before one is started again (ms); who ran for so long was good. */
#define PAUSE_FIRST 200
#define PAUSE_MOST 30000
#define PAUSE_GOOD 5000
#define PAUSE_FULL 50 /* looked at again, whether the pipe has room */

/* When a process is to be started again. */
struct again {
	uint64_t at; /* ticks; 0: it runs, or never */
	uint64_t began;
	unsigned pause; /* the last one, ms */
};

/* Pipes of one relay: [0] is read, [1] written. */
struct pipes {
	int up[2]; /* from its transport to the child */
	int down[2]; /* from the child to its transport */
};

struct relays {
	const struct zp_relays_config *c;
	struct pipes pipes[ZP_RELAYS_MAX];
	int control[2], gone[2];
	struct zp_child keyed;
	/* Of a URL the transport is first; of commands sub, then pub. */
	struct zp_child child[2 * ZP_RELAYS_MAX];
	struct again again[2 * ZP_RELAYS_MAX];
	char down[ZP_RELAYS_MAX][ZP_CHILD_HOW]; /* to be told to the child */
	char topics[TOPICS_MAX];
	const char *live; /* in topics, behind the first one; or NULL */
	sigset_t wake; /* signals that end a wait */
};

/* ---- descriptors --------------------------------------------------------- */

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static enum zp_err
make_pipe(int fd[2])
{
	if (pipe(fd) != 0) {
		fd[0] = fd[1] = -1;
		return ZP_ERR_IO;
	}
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd[1], F_SETFD, FD_CLOEXEC) != 0)
		return ZP_ERR_IO;
	return ZP_OK;
}

static enum zp_err
make_pipes(struct relays *r)
{
	enum zp_err err = make_pipe(r->control);

	if (!err)
		err = make_pipe(r->gone);
	for (size_t i = 0; i < r->c->n && !err; i++) {
		err = make_pipe(r->pipes[i].up);
		if (!err)
			err = make_pipe(r->pipes[i].down);
	}
	return err;
}

static void
shut_all(struct relays *r)
{
	for (int j = 0; j < 2; j++) {
		shut(&r->control[j]);
		shut(&r->gone[j]);
		for (size_t i = 0; i < r->c->n; i++) {
			shut(&r->pipes[i].up[j]);
			shut(&r->pipes[i].down[j]);
		}
	}
}

/* ---- the keyed child ----------------------------------------------------- */

static int
keyed_body(void *arg)
{
	struct relays *r = arg;
	struct zp_relays_child child = {
	    .n = r->c->n, .control = r->control[1], .gone = r->gone[0]};

	for (size_t i = 0; i < r->c->n; i++) {
		child.in[i] = r->pipes[i].up[0];
		child.out[i] = r->pipes[i].down[1];
	}
	return r->c->body(r->c->arg, &child);
}

static enum zp_err
fork_keyed(struct relays *r)
{
	int keep[2 * ZP_RELAYS_MAX + 3];
	size_t n = 0;

	keep[n++] = r->control[1];
	keep[n++] = r->gone[0];
	if (r->c->keep > 0)
		keep[n++] = r->c->keep;
	for (size_t i = 0; i < r->c->n; i++) {
		keep[n++] = r->pipes[i].up[0];
		keep[n++] = r->pipes[i].down[1];
	}
	enum zp_err err = zp_child_fork(&r->keyed, keep, n, keyed_body, r);
	if (err)
		return err;
	shut(&r->control[1]);
	shut(&r->gone[0]);
	for (size_t i = 0; i < r->c->n; i++) {
		shut(&r->pipes[i].up[0]);
		shut(&r->pipes[i].down[1]);
	}
	return ZP_OK;
}

enum zp_err
zp_relays_begin(
    struct zp_relays_child *child, const char *topic, const char *live)
{
	char line[TOPICS_MAX];
	int n = snprintf(line, sizeof(line), "%s%s%s\n", topic,
	    live != NULL ? " " : "", live != NULL ? live : "");

	if (n < 0 || (size_t)n >= sizeof(line))
		return ZP_ERR_TOO_LONG;
	return zp_io_write_all(child->control, line, (size_t)n);
}

void
zp_relays_end(struct zp_relays_child *child)
{
	char none;

	for (size_t i = 0; i < child->n; i++) {
		shut(&child->in[i]);
		shut(&child->out[i]);
	}
	shut(&child->control);
	while (child->gone >= 0 && read(child->gone, &none, 1) < 0 &&
	    errno == EINTR)
		;
	shut(&child->gone);
}

/* ---- transports ---------------------------------------------------------- */

/* Where a transport may write, and the paths of its plan. */
struct places {
	const char *write[3];
	char writer[ZP_PATH_MAX];
	struct zp_confine_paths paths;
};

/*
 * Rules name what is there, so what is to be written to is made before: else
 * its transport would have to be let write in the folder above, which may be
 * the user's home.
 */
static void
make_place(const struct zp_relay *relay)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	int fd = -1;

	if (relay->path != NULL && relay->made == ZP_RELAYS_FOLDER)
		(void)mkdir(relay->path, 0777);
	if (relay->path != NULL && relay->made == ZP_RELAYS_FILE)
		fd = open(relay->path, flags, 0600);
	shut(&fd);
}

static bool
is_root(const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) != NULL && strcmp(real, "/") == 0;
}

/*
 * A transport may need to read files of any name (certificates, .netrc), but
 * none of those that are hidden.  Who could write wherever the user can would
 * have these as well, at the next login: by a line in .bashrc.
 */
static void
plan_places(
    struct places *p, const struct relays *r, const struct zp_relay *relay)
{
	static const char *const all[] = {"/", NULL};
	size_t n = 0;

	if (zp_path_state(p->writer, "writer", false) == ZP_OK)
		p->write[n++] = p->writer;
	if (relay->path != NULL && !is_root(relay->path))
		p->write[n++] = relay->path;
	p->write[n] = NULL;
	p->paths = (struct zp_confine_paths){.read = all,
	    .write = p->write,
	    .hide = r->c->hide,
	    .system = true, /* /dev/null, and its like */
	    .apart = true};
}

static enum zp_err
find_program(const struct zp_relays_config *config,
    const struct zp_relay *relay, char program[static PATH_MAX])
{
	char name[ZP_SAY_NAME];
	enum zp_err err = zp_child_find(config->argv0, relay->scheme, program);

	if (err)
		zp_say(config->tool, "%s: there is no transport zpinc-%s",
		    relay->name, zp_say_name(name, relay->scheme));
	return err;
}

static enum zp_err
start_url(struct relays *r, size_t i)
{
	const struct zp_relay *relay = &r->c->relay[i];
	char program[PATH_MAX];
	struct places places;
	const char *argv[] = {program, "-", r->topics, r->live, NULL};
	struct zp_child_plan plan = {.argv = argv,
	    .in = r->pipes[i].down[0],
	    .out = r->pipes[i].up[1],
	    .err = ZP_CHILD_PIPE,
	    .url = relay->url,
	    .status = r->c->restart,
	    .paths = &places.paths,
	    .tool = r->c->tool,
	    .must = r->c->must};
	enum zp_err err = find_program(r->c, relay, program);

	if (err)
		return err;
	make_place(relay);
	plan_places(&places, r, relay);
	return zp_child_start(&r->child[2 * i], &plan);
}

/* The one that subscribes, or the one that publishes. */
static enum zp_err
start_command(struct relays *r, size_t i, bool publishes)
{
	const struct zp_relay *relay = &r->c->relay[i];
	const struct zp_child_plan plan = {
	    .command = publishes ? relay->pub : relay->sub,
	    .in = publishes ? r->pipes[i].down[0] : ZP_CHILD_NULL,
	    .out = publishes ? ZP_CHILD_NULL : r->pipes[i].up[1],
	    .err = ZP_CHILD_PIPE,
	    .topic = r->topics,
	    .live = r->live != NULL ? r->live : r->topics};

	return zp_child_start(&r->child[2 * i + publishes], &plan);
}

/* Child j: of a URL there is only the even one. */
static enum zp_err
start_child(struct relays *r, size_t j)
{
	const bool url = r->c->relay[j / 2].url != NULL;
	enum zp_err err = ZP_OK;

	r->again[j].at = 0;
	r->again[j].began = zp_load_ticks();
	if (!url)
		err = start_command(r, j / 2, j % 2 == 1);
	else if (j % 2 == 0)
		err = start_url(r, j / 2);
	return err;
}

static enum zp_err
start_relays(struct relays *r)
{
	char buf[ZP_SAY_NAME];
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < r->c->n && !err; i++) {
		err = start_child(r, 2 * i);
		if (!err)
			err = start_child(r, 2 * i + 1);
		if (err && err != ZP_ERR_NOT_FOUND)
			zp_say(r->c->tool, "%s: %s", r->c->relay[i].name,
			    zp_say_err(buf, err));
		if (!r->c->restart) {
			shut(&r->pipes[i].up[1]);
			shut(&r->pipes[i].down[0]);
		}
	}
	return err;
}

/* ---- starting again ------------------------------------------------------ */

static void
plan_again(struct relays *r, size_t j, int status)
{
	struct again *a = &r->again[j];
	const uint64_t now = zp_load_ticks();

	zp_child_how(r->down[j / 2], status);
	/* Arguments that make no sense will not make more later. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == ZP_EXIT_USAGE)
		return;
	if (now - a->began >= PAUSE_GOOD)
		a->pause = 0;
	a->pause = a->pause == 0	? PAUSE_FIRST
	    : a->pause < PAUSE_MOST / 2 ? 2 * a->pause
					: PAUSE_MOST;
	a->at = now + a->pause;
}

/*
 * The keyed child hears it by the relay's own pipe, in its turn.  False: the
 * pipe is full, of what the transport left there.
 */
static bool
tell(struct relays *r, size_t i, const char *line, size_t len)
{
	struct pollfd p = {.fd = r->pipes[i].up[1], .events = POLLOUT};

	if (poll(&p, 1, 0) <= 0)
		return false;
	(void)!write(p.fd, line, len);
	return true;
}

/* That a transport has ended. */
static bool
tell_ended(struct relays *r, size_t i)
{
	char line[ZP_CHILD_HOW + 16];

	if (r->down[i][0] == '\0')
		return true;
	int n = snprintf(line, sizeof(line), "\n#ended %s\n", r->down[i]);
	if (n > 0 && !tell(r, i, line, (size_t)n))
		return false;
	r->down[i][0] = '\0';
	return true;
}

/*
 * And that there will be another process: commands, and some transports, do
 * not say themselves that they are up.  Not while the other command of two is
 * missing.
 */
static bool
tell_again(struct relays *r, size_t j)
{
	static const char line[] = "\n#again\n";

	if (r->c->relay[j / 2].url == NULL && r->child[j ^ 1].pid == 0)
		return true;
	return tell(r, j / 2, line, sizeof(line) - 1);
}

static void
start_again(struct relays *r)
{
	char buf[ZP_SAY_NAME];
	const uint64_t now = zp_load_ticks();

	for (size_t j = 0; j < 2 * r->c->n; j++) {
		struct again *a = &r->again[j];
		const bool told = tell_ended(r, j / 2);
		if (a->at == 0 || now < a->at)
			continue;
		/* Else its `#up' could come before the other's end. */
		if (!told || !tell_again(r, j)) {
			a->at = now + PAUSE_FULL;
			continue;
		}
		enum zp_err err = start_child(r, j);
		if (!err)
			continue;
		zp_say(r->c->tool, "%s: %s", r->c->relay[j / 2].name,
		    zp_say_err(buf, err));
		snprintf(r->down[j / 2], sizeof(*r->down), "%s",
		    "it cannot be started");
		a->at = now + PAUSE_MOST;
	}
}

/* ms until the next one is due, at most a second. */
static uint64_t
until_again(const struct relays *r)
{
	const uint64_t now = zp_load_ticks();
	uint64_t ms = 1000;

	for (size_t j = 0; j < 2 * r->c->n; j++)
		if (r->again[j].at != 0 && r->again[j].at < now + ms)
			ms = r->again[j].at > now ? r->again[j].at - now : 0;
	return ms;
}

/* ---- the loop ------------------------------------------------------------ */

static bool
readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Passes on what they say, and tells how they ended. */
static void
look_after(struct relays *r)
{
	char how[ZP_CHILD_HOW];
	int status;

	for (size_t i = 0; i < 2 * r->c->n; i++) {
		struct zp_child *c = &r->child[i];
		if (readable(c->err))
			zp_child_tell(c, r->c->tool);
		if (!zp_child_ended(c, &status))
			continue;
		while (readable(c->err))
			zp_child_tell(c, r->c->tool);
		zp_child_close(c);
		if (r->c->restart)
			plan_again(r, i, status);
		else if (status != 0)
			zp_say(r->c->tool, "%s: %s", r->c->relay[i / 2].name,
			    zp_child_how(how, status));
	}
}

/*
 * Waits for whatever comes, at most a second: a transport's end is to be
 * seen even if something it started holds its pipes open.  False: a signal.
 */
static bool
wait_for(struct relays *r)
{
	const uint64_t ms = until_again(r);
	const struct timespec t = {
	    (time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	struct pollfd fds[2 * ZP_RELAYS_MAX + 1];
	size_t n = 0;

	fds[n++] = (struct pollfd){.fd = r->control[0], .events = POLLIN};
	for (size_t i = 0; i < 2 * r->c->n; i++)
		fds[n++] =
		    (struct pollfd){.fd = r->child[i].err, .events = POLLIN};
	return ppoll(fds, (nfds_t)n, &t, &r->wake) >= 0 || errno != EINTR;
}

/*
 * Reads what the child tells: its topics, a line, then the end.  False at the
 * end.  *len: bytes of topics read so far.
 */
static bool
hear_child(struct relays *r, size_t *len)
{
	char more[TOPICS_MAX];
	ssize_t n;

	if (!readable(r->control[0]))
		return true;
	n = read(r->control[0], more, sizeof(more));
	if (n <= 0)
		return n < 0 && errno == EINTR;
	if ((size_t)n >= TOPICS_MAX - *len)
		return false; /* that is not what it tells */
	memcpy(r->topics + *len, more, (size_t)n);
	*len += (size_t)n;
	return true;
}

/* Takes the line apart, once it is whole. */
static bool
know_topics(struct relays *r, size_t len)
{
	if (len == 0 || r->topics[len - 1] != '\n')
		return false;
	r->topics[len - 1] = '\0';
	char *blank = strchr(r->topics, ' ');
	if (blank != NULL) {
		*blank = '\0';
		r->live = blank + 1;
	}
	return true;
}

/* Until the child wants no more of the transports, or has ended. */
static enum zp_err
attend(struct relays *r)
{
	size_t len = 0;
	bool started = false;
	enum zp_err err;

	while (hear_child(r, &len)) {
		if (!started && know_topics(r, len)) {
			started = true;
			err = start_relays(r);
			if (err)
				return err;
		}
		look_after(r);
		if (r->c->restart && started)
			start_again(r);
		if (r->c->now_and_then != NULL)
			r->c->now_and_then(r->c->arg);
		if (!wait_for(r))
			kill(r->keyed.pid, SIGTERM);
	}
	return ZP_OK;
}

/* ---- the end ------------------------------------------------------------- */

/* Commands that publish end by themselves once they have done it. */
static void
await_publishers(struct relays *r)
{
	const struct timespec nap = {0, 5000000};
	const uint64_t end = zp_load_ticks() + PUBLISH_WITHIN;
	bool left = true;

	while (left && zp_load_ticks() < end) {
		look_after(r);
		left = false;
		for (size_t i = 0; i < r->c->n; i++)
			left = left || r->child[2 * i + 1].pid != 0;
		if (left)
			nanosleep(&nap, NULL);
	}
}

static void
stop_relays(struct relays *r)
{
	struct zp_child *all[2 * ZP_RELAYS_MAX];
	const size_t n = 2 * r->c->n;

	for (size_t i = 0; i < r->c->n; i++) {
		shut(&r->pipes[i].up[1]);
		shut(&r->pipes[i].down[0]);
	}
	await_publishers(r);
	for (size_t i = 0; i < n; i++)
		all[i] = &r->child[i];
	zp_child_stop(all, n, ZP_CHILD_GRACE);
	shut(&r->gone[1]);
}

static int
outcome(struct relays *r)
{
	char how[ZP_CHILD_HOW];
	int status = 0;

	while (waitpid(r->keyed.pid, &status, 0) < 0)
		if (errno != EINTR)
			return ZP_EXIT_IO;
	r->keyed.pid = 0;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	zp_say(r->c->tool, "the process with the keys was %s",
	    zp_child_how(how, status));
	return ZP_EXIT_IO;
}

/* One that is not there is told before anything begins. */
static enum zp_err
find_programs(const struct zp_relays_config *config)
{
	char program[PATH_MAX];
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < config->n && !err; i++)
		if (config->relay[i].url != NULL)
			err = find_program(config, &config->relay[i], program);
	return err;
}

int
zp_relays_run(const struct zp_relays_config *config)
{
	struct relays *r;
	char buf[ZP_SAY_NAME];
	int status = ZP_EXIT_IO;

	if (find_programs(config) != ZP_OK)
		return ZP_EXIT_IO;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ZP_EXIT_IO;
	r->c = config;
	memset(r->pipes, 0xff, sizeof(r->pipes)); /* -1 */
	memset(r->control, 0xff, sizeof(r->control));
	memset(r->gone, 0xff, sizeof(r->gone));
	for (size_t i = 0; i < 2 * ZP_RELAYS_MAX; i++)
		zp_child_init(&r->child[i]);
	zp_child_init(&r->keyed);
	zp_signal_catch(&r->wake);
	enum zp_err err = make_pipes(r);
	if (!err)
		err = fork_keyed(r);
	if (err) {
		zp_say(config->tool, "starting: %s", zp_say_err(buf, err));
	} else {
		err = attend(r);
		if (err)
			kill(r->keyed.pid, SIGTERM);
		stop_relays(r);
		status = outcome(r);
	}
	shut_all(r);
	free(r);
	return err ? ZP_EXIT_IO : status;
}
