#ifndef ZP_TTY_H
#define ZP_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"

/*
 * Questions to the person at the controlling terminal, wherever stdin and
 * stdout go.  However the process ends or is stopped by a signal, the
 * terminal echoes again.
 */
struct zp_tty;

/* quiet: what is typed is not shown.  ZP_ERR_IO if there is no terminal. */
ZP_CHECKED enum zp_err
zp_tty_open(struct zp_tty **tty, bool quiet);

/* Puts the terminal back as it was. */
void
zp_tty_close(struct zp_tty *tty);

/*
 * Asks for a line: at most cap bytes, without its line feed, in `to` (secret
 * memory, if it is one).  ZP_ERR_TOO_LONG for a longer one, ZP_ERR_NOT_FOUND
 * at end of file, ZP_ERR_IO.
 */
ZP_CHECKED enum zp_err
zp_tty_ask(struct zp_tty *tty, const char *prompt, uint8_t *to, size_t cap,
    size_t *len);

/* Shows text as it is. */
ZP_CHECKED enum zp_err
zp_tty_show(struct zp_tty *tty, const char *text);

#endif
