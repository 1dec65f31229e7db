#ifndef ZP_TLS_H
#define ZP_TLS_H

#include <stdbool.h>

#include "base/zp_err.h"

/*
 * What transports that do TLS by OpenSSL share: a server is believed only
 * if its certificate is good for the name that was asked for and leads to a
 * certificate authority that this machine, or the user, trusts.  There is no
 * way to switch that off.
 */
struct ssl_ctx_st;
struct ssl_st;
struct zp_tls;

#define ZP_TLS_WHY 160

/* Files as PEM; NULL where there is none. */
struct zp_tls_files {
	const char *cafile; /* authorities; NULL: those of the system */
	const char *cert; /* our own certificate, with those above it */
	const char *key; /* its key; NULL: in the file `cert` */
};

/* Options that name these files, as rows of a table of options. */
enum { ZP_TLS_CAFILE = 800, ZP_TLS_CERT, ZP_TLS_KEY };

/* clang-format off */
#define ZP_TLS_OPTIONS \
	{ZP_TLS_CAFILE, '\0', "cafile", "FILE", \
	    "authorities to trust for TLS"}, \
	{ZP_TLS_CERT, '\0', "cert", "FILE", "our own certificate for TLS"}, \
	{ZP_TLS_KEY, '\0', "key", "FILE", "its key"}
/* clang-format on */

/* Keeps what such an option was given; not a copy. */
void
zp_tls_take(struct zp_tls_files *files, int id, const char *file);

/*
 * For a URL of this scheme and host, where `secure` is the scheme that has
 * TLS: sets *tls, freed by zp_tls_free(), and expects the host; with another
 * scheme *tls stays as it is, and files are ZP_ERR_USAGE, as is a key without
 * a certificate.  On failure `why` tells it: a file that cannot be read
 * (ZP_ERR_IO), say.
 */
ZP_CHECKED enum zp_err
zp_tls_new(struct zp_tls **tls, const struct zp_tls_files *files,
    const char *scheme, const char *secure, const char *host,
    char why[static ZP_TLS_WHY]);
void
zp_tls_free(struct zp_tls *tls);

/*
 * Whose certificate is expected of links made from now on: a host's name, or
 * an address.  It becomes the server name indication of RFC 6066 too, unless
 * it is an address.  False: no memory.
 */
bool
zp_tls_expect(struct zp_tls *tls, const char *host);

/* For SSL_new(), and libraries that take one; stays ours. */
struct ssl_ctx_st *
zp_tls_context(struct zp_tls *tls);

/* Was it the certificate that made the last link fail? */
bool
zp_tls_refused(const struct zp_tls *tls);

/*
 * Why the last link failed: what was wrong with the certificate, or what
 * OpenSSL's error queue says, which is emptied.
 */
void
zp_tls_why(struct zp_tls *tls, char why[static ZP_TLS_WHY]);

#endif
