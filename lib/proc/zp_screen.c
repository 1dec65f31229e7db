#include "proc/zp_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define COLUMNS 80 /* where a terminal does not say */
#define PROMPT "> "
#define SAID_MOST 65536 /* taken in at a time */
/* Among what is said: the foot is not where it was; look at the terminal. */
#define LOST '\0'
#define LOOK '\1'

/* How the terminal was, and how we have it. */
struct zp_screen_modes {
	struct termios usual, keys;
};

/*
 * Is the terminal still set for our keys?  Where we were stopped, or went to
 * the background, a shell has set it for what it runs, or for itself: to read
 * keys as well, but Enter is another then.
 */
static bool
has_keys(const struct termios *keys)
{
	const tcflag_t local = ICANON | ECHO | ISIG | IEXTEN;
	struct termios now;

	return tcgetattr(STDIN_FILENO, &now) != 0 ||
	    (now.c_iflag == keys->c_iflag &&
		(now.c_lflag & local) == (keys->c_lflag & local) &&
		now.c_cc[VSUSP] == keys->c_cc[VSUSP]);
}

/* ---- the parent's half --------------------------------------------------- */

static bool
is_one_terminal(void)
{
	const char *term = getenv("TERM");
	struct stat st[3];

	if (term == NULL || *term == '\0' || strcmp(term, "dumb") == 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (!isatty(i) || fstat(i, &st[i]) != 0 ||
		    st[i].st_rdev != st[0].st_rdev)
			return false;
	return true;
}

/* A full pipe loses what is said rather than hold us up. */
static bool
make_pipe(struct zp_screen_tty *t)
{
	if (pipe(t->said) != 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (fcntl(t->said[i], F_SETFL, O_NONBLOCK) != 0 ||
		    fcntl(t->said[i], F_SETFD, FD_CLOEXEC) != 0)
			return false;
	t->err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return t->err >= 0;
}

/*
 * Keys one by one and not shown, but for ^C.  ^Z would leave a terminal to
 * the shell that does not echo, and a member that answers nobody.
 */
static bool
set_keys(struct zp_screen_modes *m)
{
	struct termios keys = m->usual;

	keys.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ECHONL | IEXTEN);
	keys.c_iflag &= (tcflag_t)~IXON;
	keys.c_cc[VSUSP] = keys.c_cc[VQUIT] = _POSIX_VDISABLE;
	keys.c_cc[VMIN] = 1;
	keys.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &keys) != 0)
		return false;
	/* What cannot be had is not asked for again. */
	if (tcgetattr(STDIN_FILENO, &m->keys) != 0)
		m->keys = keys;
	return true;
}

static bool
take_modes(struct zp_screen_tty *t)
{
	t->modes = calloc(1, sizeof(*t->modes));
	return t->modes != NULL &&
	    tcgetattr(STDIN_FILENO, &t->modes->usual) == 0 &&
	    set_keys(t->modes);
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
zp_screen_take(struct zp_screen_tty *t)
{
	*t = (struct zp_screen_tty){.said = {-1, -1}, .err = -1};
	if (!is_one_terminal())
		return;
	t->on = make_pipe(t) && take_modes(t);
	if (t->on && dup2(t->said[1], STDERR_FILENO) < 0) {
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->modes->usual);
		t->on = false;
	}
	if (t->on)
		return;
	free(t->modes);
	t->modes = NULL;
	shut(&t->said[0]);
	shut(&t->said[1]);
	shut(&t->err);
}

static bool
in_foreground(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void
zp_screen_keep(const struct zp_screen_tty *t)
{
	if (!t->on || has_keys(&t->modes->keys) || !in_foreground())
		return;
	/*
	 * The child may have missed that the terminal was not ours: it is told
	 * before it can draw, lest it does so twice, and woken after.
	 */
	(void)!write(t->said[1], &(const char){LOST}, 1);
	(void)!set_keys(t->modes);
	(void)!write(t->said[1], &(const char){LOOK}, 1);
}

/*
 * From the background as well, since not every shell puts back what a job
 * changed; SIGTTOU would stop us, who are to end.  What a shell has set is its
 * own.
 */
static void
set_usual(const struct zp_screen_modes *m)
{
	sigset_t set, was;

	if (!has_keys(&m->keys) && !in_foreground())
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &was);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &m->usual);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

void
zp_screen_give(struct zp_screen_tty *t)
{
	char text[4096];
	ssize_t n;

	if (!t->on)
		return;
	set_usual(t->modes);
	free(t->modes);
	t->modes = NULL;
	(void)!dup2(t->err, STDERR_FILENO);
	shut(&t->err);
	shut(&t->said[1]);
	while ((n = read(t->said[0], text, sizeof(text))) > 0)
		if (zp_io_write_all(STDERR_FILENO, text, (size_t)n) != ZP_OK)
			break;
	shut(&t->said[0]);
	t->on = false;
}

/* ---- the child's half ---------------------------------------------------- */

enum escape { NO_ESCAPE, ESCAPE, SEQUENCE };

struct zp_screen {
	int said;
	struct termios keys; /* as the parent has set the terminal */
	struct zp_out heard; /* of what was said, not drawn yet */
	struct zp_out frame;
	size_t at; /* of it, written */
	bool drawn; /* the foot is on the screen */
	bool typed; /* since it was */
	enum escape escape;
	bool keep; /* lines that were entered stay on the screen */
	struct zp_out kept; /* those not drawn yet */
	enum zp_err failed; /* to keep one */
	size_t columns;
	char status[ZP_SCREEN_STATUS];
};

enum zp_err
zp_screen_new(struct zp_screen **screen, int said, bool keep)
{
	struct zp_screen *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ZP_ERR_MEMORY;
	s->said = said;
	(void)tcgetattr(STDIN_FILENO, &s->keys);
	s->keep = keep;
	enum zp_err err = zp_out_init(&s->frame, -1, 8192);
	if (!err)
		err = zp_out_init(&s->kept, -1, 1024);
	if (!err)
		err = zp_out_init(&s->heard, -1, 1024);
	if (err) {
		zp_screen_free(s);
		return err;
	}
	*screen = s;
	return ZP_OK;
}

void
zp_screen_free(struct zp_screen *s)
{
	if (s == NULL)
		return;
	zp_out_free(&s->frame);
	zp_out_free(&s->kept);
	zp_out_free(&s->heard);
	free(s);
}

int
zp_screen_said(const struct zp_screen *s)
{
	return s->said;
}

struct zp_out *
zp_screen_frame(struct zp_screen *s, size_t **at)
{
	*at = &s->at;
	return &s->frame;
}

/* ---- keys ---------------------------------------------------------------- */

static size_t
line_begin(const struct zp_in *in)
{
	size_t at = in->end;

	while (at > in->start && in->data[at - 1] != '\n')
		at--;
	return at;
}

/* One character less, however many bytes it has. */
static void
take_back(struct zp_in *in, size_t begin)
{
	while (in->end > begin && (in->data[in->end - 1] & 0xc0) == 0x80)
		in->end--;
	if (in->end > begin)
		in->end--;
}

static void
take_back_word(struct zp_in *in, size_t begin)
{
	while (in->end > begin && in->data[in->end - 1] == ' ')
		take_back(in, begin);
	while (in->end > begin && in->data[in->end - 1] != ' ')
		take_back(in, begin);
}

/* Keys that move the cursor and the like are passed over. */
static bool
is_escape(struct zp_screen *s, char c)
{
	switch (s->escape) {
	case NO_ESCAPE:
		if (c == '\033')
			s->escape = ESCAPE;
		return c == '\033';
	case ESCAPE:
		s->escape = c == '[' || c == 'O' ? SEQUENCE : NO_ESCAPE;
		return true;
	case SEQUENCE:
		if (c >= '@' && c <= '~')
			s->escape = NO_ESCAPE;
		return true;
	}
	return false;
}

/* In the line that begins there; true if it ended it. */
static bool
key(struct zp_in *in, size_t begin, char c)
{
	switch (c) {
	case 0x7f:
	case '\b':
		take_back(in, begin);
		break;
	case 'W' & 0x1f:
		take_back_word(in, begin);
		break;
	case 'U' & 0x1f:
		in->end = begin;
		break;
	case 'D' & 0x1f:
		in->eof = in->eof || in->end == begin;
		break;
	case '\r':
	case '\n':
		in->data[in->end++] = '\n';
		return true;
	default:
		if ((unsigned char)c >= ' ' || c == '\t')
			in->data[in->end++] = c;
	}
	return false;
}

void
zp_screen_forget(struct zp_screen *s, struct zp_in *in)
{
	in->end = line_begin(in);
	s->typed = true;
}

/* ---- drawing ------------------------------------------------------------- */

/* Columns of a character: 2 for those of East Asia, and pictures. */
static size_t
width_of(unsigned c)
{
	static const unsigned wide[][2] = {{0x1100, 0x115f}, {0x2e80, 0x303e},
	    {0x3041, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
	    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6},
	    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
	    {0x20000, 0x3fffd}};
	static const unsigned none[][2] = {
	    {0x300, 0x36f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (c >= none[i][0] && c <= none[i][1])
			return 0;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (c >= wide[i][0] && c <= wide[i][1])
			return 2;
	return 1;
}

/* The character at p, n bytes of it; bytes that are none count as one. */
static unsigned
char_at(const char *p, size_t len, size_t *n)
{
	const unsigned char c = (unsigned char)*p;
	const size_t want = c < 0x80 ? 1
	    : (c & 0xe0) == 0xc0     ? 2
	    : (c & 0xf0) == 0xe0     ? 3
	    : (c & 0xf8) == 0xf0     ? 4
				     : 1;
	unsigned code = want == 1 ? c : c & (0xffu >> (want + 1));

	*n = 1;
	if (want > len)
		return '?';
	for (size_t i = 1; i < want; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return '?';
		code = code << 6 | ((unsigned char)p[i] & 0x3fu);
	}
	*n = want;
	return code;
}

static size_t
columns_of(const char *p, size_t len)
{
	size_t columns = 0, n;

	for (; len > 0; p += n, len -= n)
		columns += width_of(char_at(p, len, &n));
	return columns;
}

/* As a terminal may see it. */
static enum zp_err
put_char(struct zp_out *o, const char *p, size_t len, size_t *n, size_t *width)
{
	unsigned c = char_at(p, len, n);

	*width = width_of(c);
	if (c == '\t')
		return zp_out_put(o, " ", 1);
	/* Half a character, or a control: while it is typed, no more. */
	if (c < ' ' || (c >= 0x7f && c < 0xa0) || (*n == 1 && *p < 0))
		return zp_out_put(o, "?", 1);
	return zp_out_put(o, p, *n);
}

static enum zp_err
put_line(struct zp_out *o, const char *p, size_t len, size_t room)
{
	enum zp_err err = ZP_OK;
	size_t n, width;

	for (; len > 0 && !err; p += n, len -= n) {
		width = width_of(char_at(p, len, &n));
		if (width > room)
			break;
		err = put_char(o, p, len, &n, &width);
		room -= width;
	}
	return err;
}

static enum zp_err
put(struct zp_out *o, const char *text)
{
	return zp_out_put(o, text, strlen(text));
}

/*
 * What was entered stays above the foot, as any terminal leaves it there;
 * whoever talks wants to see both sides.
 */
static void
keep_line(struct zp_screen *s, const struct zp_in *in, size_t begin)
{
	if (!s->keep || s->failed)
		return;
	s->failed = put(&s->kept, PROMPT);
	if (!s->failed)
		s->failed = put_line(
		    &s->kept, in->data + begin, in->end - 1 - begin, SIZE_MAX);
	if (!s->failed)
		s->failed = put(&s->kept, "\n");
}

void
zp_screen_type(struct zp_screen *s, struct zp_in *in, size_t from)
{
	const size_t to = in->end;

	/* A key leaves a byte at most: it is written where it was read. */
	in->end = from;
	size_t begin = line_begin(in);
	for (size_t i = from; i < to && !in->eof; i++) {
		if (is_escape(s, in->data[i]) || !key(in, begin, in->data[i]))
			continue;
		keep_line(s, in, begin);
		begin = in->end;
	}
	s->typed = true;
}

/* The status in reverse, below it the end of what is typed. */
static enum zp_err
put_foot(struct zp_screen *s, const char *status, const struct zp_in *in)
{
	struct zp_out *o = &s->frame;
	const size_t begin = line_begin(in), room = s->columns - 1;
	const char *p = in->data + begin;
	size_t len = in->end - begin, n;

	enum zp_err err = put(o, "\033[7m");
	if (!err)
		err = put_line(o, status, strlen(status), room);
	if (!err)
		err = put(o, "\033[0m\r\n" PROMPT);
	if (len > 4 * room) { /* what cannot be seen is not looked at */
		p += len - 4 * room;
		len = 4 * room;
		while (len > 0 && (*p & 0xc0) == 0x80) {
			p++;
			len--;
		}
	}
	size_t columns = columns_of(p, len);
	while (columns + strlen(PROMPT) > room && len > 0) {
		columns -= width_of(char_at(p, len, &n));
		p += n;
		len -= n;
	}
	return err ? err : put_line(o, p, len, room);
}

static size_t
columns_now(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 8)
		return COLUMNS;
	return w.ws_col;
}

/* What was said since, if anything. */
static enum zp_err
take_said(struct zp_screen *s)
{
	char text[4096];
	enum zp_err err = ZP_OK;
	ssize_t n;

	while (!err && s->heard.len < SAID_MOST &&
	    (n = read(s->said, text, sizeof(text))) > 0) {
		size_t len = 0;
		for (ssize_t i = 0; i < n; i++) {
			s->drawn = s->drawn && text[i] != LOST;
			if (text[i] != LOST && text[i] != LOOK)
				text[len++] = text[i];
		}
		err = zp_out_put(&s->heard, text, len);
	}
	return err;
}

/* What goes above the foot. */
static enum zp_err
put_news(struct zp_screen *s, struct zp_out *text)
{
	struct zp_out *news[] = {&s->heard, &s->kept, text};
	struct zp_out *o = &s->frame;
	const size_t before = o->len;
	enum zp_err err = ZP_OK;

	for (size_t i = 0; i < sizeof(news) / sizeof(*news) && !err; i++) {
		err = zp_out_put(o, news[i]->data, news[i]->len);
		news[i]->len = 0;
	}
	if (!err && o->len > before && o->data[o->len - 1] != '\n')
		err = put(o, "\r\n");
	return err;
}

enum zp_err
zp_screen_draw(struct zp_screen *s, struct zp_out *text, const char *status,
    const struct zp_in *in)
{
	/* Up to the status, and nothing from there on. */
	static const char wipe[] = "\r\033[A\033[J";
	struct zp_out *o = &s->frame;
	const size_t columns = columns_now();

	if (s->at < o->len)
		return ZP_OK;
	s->at = o->len = 0;
	enum zp_err err = take_said(s);
	if (err)
		return err;
	if (s->failed)
		return s->failed;
	/* Above the cursor there is now what others have written. */
	if (!has_keys(&s->keys)) {
		s->drawn = false;
		status = NULL;
	}
	const bool news = s->heard.len > 0 || text->len > 0 || s->kept.len > 0;
	if (!news && !s->typed && columns == s->columns &&
	    s->drawn == (status != NULL) &&
	    (status == NULL || strcmp(status, s->status) == 0))
		return ZP_OK;
	if (s->drawn)
		err = zp_out_put(o, wipe, sizeof(wipe) - 1);
	if (!err)
		err = put_news(s, text);
	s->columns = columns;
	s->typed = false;
	s->drawn = status != NULL;
	if (err || status == NULL)
		return err;
	snprintf(s->status, sizeof(s->status), "%s", status);
	return put_foot(s, status, in);
}
