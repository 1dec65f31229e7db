#ifndef ZP_RELAYOPT_H
#define ZP_RELAYOPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/zp_err.h"
#include "proc/zp_opt.h"
#include "proc/zp_relays.h"
#include "proc/zp_url.h"

/* The relays that a command line names: URLs, or two commands. */
struct zp_relayopt {
	const char *sub, *pub; /* as given to --sub, --pub; NULL: not given */
	struct zp_url *url[ZP_RELAYS_MAX]; /* NULL: two commands */
	char *state[ZP_RELAYS_MAX]; /* of an MQTT session, or NULL */
	struct zp_relay relay[ZP_RELAYS_MAX]; /* points into these */
	size_t n;
};

/*
 * After the options: what --sub and --pub (set already) and the operands
 * say; environment: without any of them $ZPINC_URL is taken, if it is set.
 * n == 0 afterwards: there is no relay.  ZP_ERR_USAGE: said on stderr.
 */
ZP_CHECKED enum zp_err
zp_relayopt_take(struct zp_relayopt *r, const char *tool,
    const struct zp_opts *o, bool environment);

/* For who needs the names alone: wipes URLs, which may hold passwords. */
void
zp_relayopt_wipe(struct zp_relayopt *r);

/* Also after a failure. */
void
zp_relayopt_free(struct zp_relayopt *r);

#endif
