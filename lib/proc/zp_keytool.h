#ifndef ZP_KEYTOOL_H
#define ZP_KEYTOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zp_err.h"
#include "proc/zp_opt.h"
#include "store/zp_keyfile.h"
#include "store/zp_path.h"

/* What zpinc-key's subcommands have in common. */

#define ZP_KEYTOOL "zpinc-key"

/* Where something new goes. */
struct zp_keytool_to {
	const char *output; /* as asked for; NULL: where -k or -i finds it */
	bool force; /* over an existing file, or to a terminal */
	bool to_stdout;
	bool is_default; /* was put where -k NAME finds it */
	char path[ZP_PATH_MAX];
};

/*
 * Settles the path and refuses what must not be written to, before anybody
 * has typed a passphrase.  name: for the default place.  Said already.
 */
ZP_CHECKED enum zp_err
zp_keytool_place(
    struct zp_keytool_to *to, enum zp_path_kind kind, const char *name);

/* Writes secret text there, and says where it is; what: "the key of ...". */
ZP_CHECKED enum zp_err
zp_keytool_put(const struct zp_keytool_to *to, const void *text, size_t len,
    const char *what);

/* May a secret be written to stdout?  Not to a terminal.  Said already. */
ZP_CHECKED enum zp_err
zp_keytool_stdout(bool force);

/* Flushes stdout; says so if that fails. */
ZP_CHECKED enum zp_err
zp_keytool_flush(void);

/* No operand is expected.  Said already. */
ZP_CHECKED enum zp_err
zp_keytool_no_operands(const struct zp_opts *o);

/* A subcommand's options up to the first operand: its switch. */
struct zp_keytool_command {
	const char *usage;
	const struct zp_opt *table;
	size_t n;
	/* Takes an option; ZP_ERR_USAGE if its value makes no sense. */
	enum zp_err (*take)(void *arg, int id, const char *value);
};

/*
 * Reads options.  False: the tool ends with *status (help was printed, or
 * something said).
 */
bool
zp_keytool_options(const struct zp_keytool_command *c, struct zp_opts *o,
    int argc, char **argv, void *arg, enum zp_exit *status);

#endif
