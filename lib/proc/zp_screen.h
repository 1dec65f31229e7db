#ifndef ZP_SCREEN_H
#define ZP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zp_err.h"
#include "base/zp_io.h"

/*
 * A terminal that is typed at and written to at a time: at its foot a line
 * that says how things are, and below it the line being typed.  What comes is
 * written above both, so nothing is ever written into what is typed.
 *
 * Two halves, since the process that shows and reads is confined: the parent
 * sets the terminal and puts it back, the child draws.  What either says on
 * standard error goes through a pipe to the child, which writes it above the
 * foot like everything else.
 */

/* ---- the parent's half --------------------------------------------------- */

struct zp_screen_modes;

struct zp_screen_tty {
	bool on;
	int said[2]; /* what is said on standard error */
	int err; /* the standard error that was */
	struct zp_screen_modes *modes;
};

/*
 * Takes the terminal, if standard input, output and error are one that can
 * move its cursor; else on is false and nothing has changed.
 */
void
zp_screen_take(struct zp_screen_tty *tty);

/*
 * To be called now and then: whoever was stopped finds the terminal as a shell
 * left it.  Where we are in the foreground takes it again, and has the child
 * draw anew.
 */
void
zp_screen_keep(const struct zp_screen_tty *tty);

/* Puts it back as it was, and says what the child did not. */
void
zp_screen_give(struct zp_screen_tty *tty);

/* ---- the child's half ---------------------------------------------------- */

struct zp_screen;

#define ZP_SCREEN_STATUS 512

/*
 * said: tty.said[0].  keep: a line that was entered stays on the screen,
 * above the foot.  ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_screen_new(struct zp_screen **s, int said, bool keep);
void
zp_screen_free(struct zp_screen *s);

/* What poll() is to wait for, besides the keys. */
int
zp_screen_said(const struct zp_screen *s);

/*
 * Keys: the bytes of `in` from `from` on are what was typed.  What is left
 * there are whole lines, and behind them the one that is being typed.  Enter
 * ends a line, Backspace, ^W and ^U take back, ^D on an empty line is the end
 * of the input (in->eof).
 */
void
zp_screen_type(struct zp_screen *s, struct zp_in *in, size_t from);

/* Forgets the line being typed. */
void
zp_screen_forget(struct zp_screen *s, struct zp_in *in);

/*
 * Takes `text` and what was said meanwhile to be written above the foot, and
 * draws that anew if anything changed; NULL for a status: no foot any more, as
 * while the terminal is not as zp_screen_take() left it.
 * Does nothing while the frame before is still being written.
 */
ZP_CHECKED enum zp_err
zp_screen_draw(struct zp_screen *s, struct zp_out *text, const char *status,
    const struct zp_in *in);

/* What is to be written, and how much of it was. */
struct zp_out *
zp_screen_frame(struct zp_screen *s, size_t **at);

#endif
