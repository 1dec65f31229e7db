#include "proc/zp_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/zp_io.h"

/* How soon a signal is looked at: short enough to feel immediate. */
#define POLL_MS 100

struct zp_tty {
	int fd;
	bool quiet;
	struct termios usual;
	sigset_t before; /* the caller's signal mask */
};

/*
 * Signals that end or stop a process at a terminal.  They are blocked while
 * the terminal is quiet and looked for with sigpending(): so there is no
 * handler, and nothing global that one would have to know.
 */
static void
watched(sigset_t *set)
{
	static const int signals[] = {
	    SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGALRM};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(set, signals[i]);
}

static enum zp_err
hush(struct zp_tty *t)
{
	struct termios quiet = t->usual;
	sigset_t set;

	watched(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!t->quiet)
		return ZP_OK;
	quiet.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK | ECHONL);
	if (tcsetattr(t->fd, TCSAFLUSH, &quiet) != 0) {
		int why = errno;
		sigprocmask(SIG_SETMASK, &t->before, NULL);
		errno = why;
		return ZP_ERR_IO;
	}
	return ZP_OK;
}

static void
restore(struct zp_tty *t)
{
	if (t->quiet)
		tcsetattr(t->fd, TCSADRAIN, &t->usual);
	sigprocmask(SIG_SETMASK, &t->before, NULL);
}

enum zp_err
zp_tty_open(struct zp_tty **tty, bool quiet)
{
	struct zp_tty *t = calloc(1, sizeof(*t));
	enum zp_err err = ZP_OK;

	if (t == NULL)
		return ZP_ERR_MEMORY;
	t->quiet = quiet;
	t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	sigprocmask(SIG_SETMASK, NULL, &t->before);
	if (t->fd < 0 || tcgetattr(t->fd, &t->usual) != 0)
		err = ZP_ERR_IO;
	if (!err)
		err = hush(t);
	if (err) {
		int why = errno;
		if (t->fd >= 0)
			close(t->fd);
		free(t);
		errno = why;
		return err;
	}
	*tty = t;
	return ZP_OK;
}

void
zp_tty_close(struct zp_tty *tty)
{
	if (tty == NULL)
		return;
	restore(tty);
	close(tty->fd);
	free(tty);
}

enum zp_err
zp_tty_show(struct zp_tty *tty, const char *text)
{
	return zp_io_write_all(tty->fd, text, strlen(text));
}

/*
 * Has one of them come?  Then the terminal is put back and the signal let
 * through; if we are still there afterwards (stopped and continued, or it
 * is ignored), *again says that the question has to be asked anew.
 */
static enum zp_err
let_signals_in(struct zp_tty *t, bool *again)
{
	sigset_t pending, set;

	watched(&set);
	*again = false;
	if (sigpending(&pending) != 0)
		return ZP_ERR_IO;
	for (int s = 1; s < NSIG; s++)
		if (sigismember(&set, s) == 1 && sigismember(&pending, s) == 1)
			*again = true;
	if (!*again)
		return ZP_OK;
	restore(t);
	return hush(t);
}

/* Waits until the terminal has a line; asks anew after every interruption. */
static enum zp_err
wait_for_line(struct zp_tty *t, const char *prompt)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	bool again;

	for (;;) {
		int n = poll(&p, 1, POLL_MS);
		if (n < 0 && errno != EINTR)
			return ZP_ERR_IO;
		enum zp_err err = let_signals_in(t, &again);
		if (err)
			return err;
		if (again && (err = zp_tty_show(t, prompt)) != ZP_OK)
			return err;
		if (n > 0 && !again)
			return ZP_OK;
	}
}

/* The rest of a line that is too long. */
static enum zp_err
skip_line(struct zp_tty *t, uint8_t *to, size_t cap)
{
	ssize_t n;

	do
		n = read(t->fd, to, cap);
	while ((n < 0 && errno == EINTR) || (n > 0 && to[n - 1] != '\n'));
	return n < 0 ? ZP_ERR_IO : ZP_ERR_TOO_LONG;
}

enum zp_err
zp_tty_ask(struct zp_tty *tty, const char *prompt, uint8_t *to, size_t cap,
    size_t *len)
{
	enum zp_err err = zp_tty_show(tty, prompt);
	size_t have = 0;

	while (!err) {
		err = wait_for_line(tty, prompt);
		if (err)
			break;
		ssize_t n = read(tty->fd, to + have, cap - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? ZP_ERR_IO : ZP_ERR_NOT_FOUND;
			break;
		}
		have += (size_t)n;
		if (to[have - 1] == '\n')
			break;
		if (have == cap)
			err = skip_line(tty, to, cap);
	}
	if (tty->quiet && zp_tty_show(tty, "\n") != ZP_OK && !err)
		err = ZP_ERR_IO;
	if (err)
		return err;
	*len = have - 1;
	return ZP_OK;
}
