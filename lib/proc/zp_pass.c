#include "proc/zp_pass.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypt/zp_secret.h"
#include "crypt/zp_words.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"
#include "proc/zp_tty.h"
#include "store/zp_file.h"

/* A passphrase file may hold more than its first line. */
#define FILE_MAX 65536
#define TRIES 3

void
zp_pass_free(struct zp_pass *pass)
{
	zp_secret_free(pass);
}

static enum zp_err
complain(const char *tool, enum zp_err err, const char *what)
{
	char buf[ZP_SAY_NAME];

	if (err == ZP_ERR_PASSWORD)
		zp_say(tool, "%s", what);
	else
		zp_say(tool, "%s: %s", what, zp_say_err(buf, err));
	return err;
}

/* The first line of what was read. */
static enum zp_err
first_line(struct zp_pass *p, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	const uint8_t *lf = len > 0 ? memchr(data, '\n', len) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - bytes) : len;

	if (lf != NULL && n > 0 && bytes[n - 1] == '\r')
		n--;
	if (n == 0 || n > p->max)
		return ZP_ERR_PASSWORD;
	memmove(p->bytes, data, n);
	memset(p->bytes + n, 0, sizeof(p->bytes) - n);
	p->len = n;
	return ZP_OK;
}

static enum zp_err
from_file(const char *tool, const char *path, struct zp_pass *p)
{
	struct zp_file_data d;
	struct zp_fault fault = {0};
	enum zp_err err = zp_file_read(path, FILE_MAX, &d, &fault);

	if (err) {
		zp_load_say(tool, path, err, &fault);
		return err;
	}
	err = first_line(p, d.data, d.len);
	zp_secret_free(d.data);
	if (err)
		zp_fault_set(&fault, err, 1, "empty, or over 1024 bytes");
	if (err)
		zp_load_say(tool, path, err, &fault);
	return err;
}

/* Reads no further than the line goes, as far as blocks allow. */
static enum zp_err
from_stdin(const char *tool, struct zp_pass *p)
{
	size_t have = 0;
	ssize_t n = 1;

	while (have < p->max + 2 && memchr(p->bytes, '\n', have) == NULL) {
		n = read(STDIN_FILENO, p->bytes + have, p->max + 2 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	if (n < 0)
		return complain(tool, ZP_ERR_IO, "standard input");
	if (first_line(p, p->bytes, have) == ZP_OK)
		return ZP_OK;
	const char *what = have <= p->max ? p->max == ZP_PASSWORD_MAX
		? "standard input: no passphrase in its first line"
		: "standard input: no key in its first line"
	    : p->max == ZP_PASSWORD_MAX
	    ? "standard input: over 1024 bytes in its first line"
	    : "standard input: over 2048 bytes in its first line";
	return complain(tool, ZP_ERR_PASSWORD, what);
}

/* Makes one and shows it. */
static enum zp_err
make(struct zp_tty *tty, struct zp_pass *p)
{
	char line[64];
	enum zp_err err = zp_words_make((char *)p->bytes, ZP_WORDS_DEFAULT);

	if (err)
		return err;
	p->len = strlen((const char *)p->bytes);
	p->made = true;
	snprintf(line, sizeof(line), "  (%d bits; the group needs it)\n",
	    ZP_WORDS_DEFAULT * ZP_WORDS_BITS);
	err = zp_tty_show(tty, "The passphrase is:\n    ");
	if (!err)
		err = zp_tty_show(tty, (const char *)p->bytes);
	return err ? err : zp_tty_show(tty, line);
}

/* A line in p->bytes; a NUL behind. */
static enum zp_err
ask(struct zp_tty *tty, const char *prompt, struct zp_pass *p)
{
	enum zp_err err =
	    zp_tty_ask(tty, prompt, p->bytes, p->max + 2, &p->len);

	if (!err)
		p->bytes[p->len] = 0;
	return err == ZP_ERR_TOO_LONG || (!err && p->len > p->max)
	    ? ZP_ERR_PASSWORD
	    : err;
}

/* Twice the same, or nothing at all. */
static enum zp_err
ask_twice(struct zp_tty *tty, struct zp_pass *p, struct zp_pass *again)
{
	for (int i = 0; i < TRIES; i++) {
		enum zp_err err =
		    ask(tty, "Passphrase (Enter alone: one is made): ", p);
		if (!err && p->len == 0)
			return make(tty, p);
		if (!err)
			err = ask(tty, "The same again: ", again);
		if (err)
			return err;
		if (p->len == again->len &&
		    sodium_memcmp(p->bytes, again->bytes, p->len) == 0)
			return ZP_OK;
		err = zp_tty_show(tty, "They differ.\n");
		if (err)
			return err;
	}
	return ZP_ERR_PASSWORD;
}

static enum zp_err
from_terminal(const char *tool, struct zp_pass *p)
{
	struct zp_tty *tty;
	struct zp_pass *again = zp_secret_new(sizeof(*again));

	if (again == NULL)
		return complain(tool, ZP_ERR_MEMORY, "passphrase");
	again->max = p->max;
	enum zp_err err = zp_tty_open(&tty, true);
	if (err) {
		zp_pass_free(again);
		return complain(tool, err, "/dev/tty");
	}
	err = ask_twice(tty, p, again);
	zp_tty_close(tty);
	zp_pass_free(again);
	if (err == ZP_ERR_NOT_FOUND)
		err = ZP_ERR_PASSWORD;
	return err ? complain(tool, err,
			 err == ZP_ERR_PASSWORD ? "no passphrase was given"
						: "/dev/tty")
		   : ZP_OK;
}

/* Takes p over: to the caller, or away. */
static enum zp_err
hand_out(struct zp_pass **to, struct zp_pass *p, enum zp_err err)
{
	if (err)
		zp_pass_free(p);
	else
		*to = p;
	return err;
}

enum zp_err
zp_pass_get(const char *tool, const char *passfile, struct zp_pass **pass)
{
	struct zp_pass *p = zp_secret_new(sizeof(*p));
	enum zp_err err;

	if (p == NULL)
		return complain(tool, ZP_ERR_MEMORY, "passphrase");
	p->max = ZP_PASSWORD_MAX;
	if (passfile != NULL)
		err = from_file(tool, passfile, p);
	else if (isatty(STDIN_FILENO))
		err = from_terminal(tool, p);
	else
		err = from_stdin(tool, p);
	return hand_out(pass, p, err);
}

enum zp_err
zp_pass_line(const char *tool, const char *prompt, struct zp_pass **line)
{
	struct zp_tty *tty;
	struct zp_pass *p = zp_secret_new(sizeof(*p));

	if (p == NULL)
		return complain(tool, ZP_ERR_MEMORY, "standard input");
	p->max = ZP_PASS_LINE_MAX;
	if (!isatty(STDIN_FILENO))
		return hand_out(line, p, from_stdin(tool, p));
	enum zp_err err = zp_tty_open(&tty, true);
	if (!err) {
		err = ask(tty, prompt, p);
		zp_tty_close(tty);
	}
	if (err == ZP_ERR_NOT_FOUND || (!err && p->len == 0))
		err = ZP_ERR_PASSWORD;
	if (err)
		complain(tool, err,
		    err == ZP_ERR_PASSWORD ? "nothing was typed" : "/dev/tty");
	return hand_out(line, p, err);
}
