#include "net/zp_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zp_tls {
	SSL_CTX *ctx;
	char *name; /* for the server name indication; NULL: an address */
	long verdict; /* on the last certificate that was looked at */
	unsigned long error; /* why the last handshake failed; 0: unknown */
};

/* The last entry of the error queue, which is the one nearest to the cause,
 * or the system's. */
static void
take_error(char why[static ZP_TLS_WHY], const char *what, unsigned long before)
{
	unsigned long last = ERR_peek_last_error();
	unsigned long code = last != 0 ? last : before;
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	/* "system lib" says nothing; what the system said is in the queue. */
	for (unsigned long c; (c = ERR_get_error()) != 0;)
		if (ERR_SYSTEM_ERROR(c))
			reason = strerror(ERR_GET_REASON(c));
	if (reason == NULL)
		reason = "failed";
	if (what != NULL)
		snprintf(why, ZP_TLS_WHY, "%s: %s", what, reason);
	else
		snprintf(why, ZP_TLS_WHY, "TLS: %s", reason);
	ERR_clear_error();
}

static struct zp_tls *
tls_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0);
}

static int
on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct zp_tls *tls = tls_of(ssl);

	if (!good && tls->verdict == X509_V_OK)
		tls->verdict = X509_STORE_CTX_get_error(store);
	return good;
}

/* Libraries set callbacks of their own, which see less or forgive more. */
static int
verify(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_verify_cb(store, on_verify);
	return X509_verify_cert(store);
}

/*
 * The name is set here because libraries that are given an address would
 * indicate that, or nothing.
 */
static void
on_info(const SSL *ssl, int where, int ret)
{
	struct zp_tls *tls = tls_of(ssl);

	/* libmosquitto empties the queue before it says that it failed. */
	if ((where & SSL_CB_EXIT) && ret <= 0)
		tls->error = ERR_peek_last_error();
	if (!(where & SSL_CB_HANDSHAKE_START))
		return;
	tls->verdict = X509_V_OK;
	tls->error = 0;
	/* OpenSSL's callback has const where its setters have not. */
	(void)SSL_set_tlsext_host_name((SSL *)(uintptr_t)ssl, tls->name);
}

static enum zp_err
load_files(
    SSL_CTX *ctx, const struct zp_tls_files *files, char why[static ZP_TLS_WHY])
{
	const char *key = files->key != NULL ? files->key : files->cert;
	const char *failed = NULL;

	if (files->cafile != NULL) {
		if (SSL_CTX_load_verify_file(ctx, files->cafile) != 1)
			failed = files->cafile;
	} else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
		failed = "the system's certificates";
	}
	if (failed == NULL && files->cert != NULL &&
	    SSL_CTX_use_certificate_chain_file(ctx, files->cert) != 1)
		failed = files->cert;
	if (failed == NULL && files->cert != NULL &&
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		failed = key;
	if (failed == NULL)
		return ZP_OK;
	take_error(why, failed, 0);
	return ZP_ERR_IO;
}

/* A key with a passphrase is refused: nobody is there to be asked. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return 0;
}

void
zp_tls_take(struct zp_tls_files *files, int id, const char *file)
{
	if (id == ZP_TLS_CAFILE)
		files->cafile = file;
	else if (id == ZP_TLS_CERT)
		files->cert = file;
	else
		files->key = file;
}

static void
configure(struct zp_tls *t)
{
	SSL_CTX_set_ex_data(t->ctx, 0, t);
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(t->ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_cert_verify_callback(t->ctx, verify, NULL);
	SSL_CTX_set_info_callback(t->ctx, on_info);
	SSL_CTX_set_default_passwd_cb(t->ctx, no_passphrase);
}

enum zp_err
zp_tls_new(struct zp_tls **tls, const struct zp_tls_files *files,
    const char *scheme, const char *secure, const char *host,
    char why[static ZP_TLS_WHY])
{
	enum zp_err err = ZP_ERR_MEMORY;

	if (files->key != NULL && files->cert == NULL) {
		snprintf(why, ZP_TLS_WHY, "--key goes with --cert");
		return ZP_ERR_USAGE;
	}
	if (strcmp(scheme, secure) != 0) {
		if (files->cafile == NULL && files->cert == NULL)
			return ZP_OK;
		snprintf(why, ZP_TLS_WHY,
		    "there is no TLS with %s:, only with %s:", scheme, secure);
		return ZP_ERR_USAGE;
	}
	snprintf(why, ZP_TLS_WHY, "%s", zp_err_text(ZP_ERR_MEMORY));
	struct zp_tls *t = calloc(1, sizeof(*t));
	if (t != NULL)
		t->ctx = SSL_CTX_new(TLS_client_method());
	if (t != NULL && t->ctx != NULL) {
		configure(t);
		err = load_files(t->ctx, files, why);
		if (!err && !zp_tls_expect(t, host))
			err = ZP_ERR_MEMORY;
	}
	if (err)
		zp_tls_free(t);
	else
		*tls = t;
	return err;
}

void
zp_tls_free(struct zp_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls->name);
	free(tls);
}

bool
zp_tls_expect(struct zp_tls *tls, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(tls->ctx);
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
	bool is_address = address != NULL;
	bool ok;

	ASN1_OCTET_STRING_free(address);
	ERR_clear_error();
	free(tls->name);
	tls->name = NULL;
	/* What was expected before must be gone, whichever kind it was. */
	ok = X509_VERIFY_PARAM_set1_host(param, NULL, 0) == 1 &&
	    X509_VERIFY_PARAM_set1_ip(param, NULL, 0) == 1;
	if (ok && is_address) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	} else if (ok) {
		X509_VERIFY_PARAM_set_hostflags(
		    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		tls->name = strdup(host);
		ok = tls->name != NULL &&
		    X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
	}
	tls->verdict = X509_V_OK;
	return ok;
}

struct ssl_ctx_st *
zp_tls_context(struct zp_tls *tls)
{
	return tls->ctx;
}

bool
zp_tls_refused(const struct zp_tls *tls)
{
	return tls->verdict != X509_V_OK;
}

void
zp_tls_why(struct zp_tls *tls, char why[static ZP_TLS_WHY])
{
	if (tls->verdict == X509_V_OK) {
		take_error(why, NULL, tls->error);
		return;
	}
	snprintf(why, ZP_TLS_WHY, "the server's certificate is refused: %s",
	    X509_verify_cert_error_string(tls->verdict));
	ERR_clear_error();
}
