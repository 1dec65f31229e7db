#ifndef ZP_PASS_H
#define ZP_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "crypt/zp_key.h"

/*
 * Passphrases, and other lines that are secrets: from a file, from stdin if
 * that is no terminal, or from the terminal.  The first line counts, up to
 * its line feed, less one carriage return before that; bytes as they are.
 * What is wrong is said on stderr.
 */
#define ZP_PASS_LINE_MAX 2048

struct zp_pass {
	size_t len; /* at least 1 */
	size_t max; /* ZP_PASSWORD_MAX, or of other lines ZP_PASS_LINE_MAX */
	bool made; /* by us: it has been shown */
	uint8_t bytes[ZP_PASS_LINE_MAX + 3]; /* a NUL behind */
}; /* in secret memory */

/*
 * A passphrase: from passfile, if not NULL; from stdin; from the terminal,
 * twice, where nothing typed means that one is made and shown.
 * ZP_ERR_PASSWORD: empty, too long, not repeated; errors of zp_file_read();
 * ZP_ERR_IO.  The caller frees *pass.
 */
ZP_CHECKED enum zp_err
zp_pass_get(const char *tool, const char *passfile, struct zp_pass **pass);

/* One line, asked for once; nothing is made of an empty one. */
ZP_CHECKED enum zp_err
zp_pass_line(const char *tool, const char *prompt, struct zp_pass **line);

void
zp_pass_free(struct zp_pass *pass);

#endif
