/*
 * Links over TLS that share a context, as those of zpinc-redis to the nodes
 * of a cluster do.  The server's certificate is for "localhost" alone, so
 * that 127.0.0.1 is another host.
 */
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/tap.h"
#include "net/zp_stream.h"

static uint16_t port;
static char ca[] = "/tmp/zp_stream.XXXXXX";

/* A certificate for one name, signed with its own key. */
static X509 *
make_cert(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509V3_CTX ctx;
	X509_EXTENSION *san;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	san = X509V3_EXT_conf_nid(
	    NULL, &ctx, NID_subject_alt_name, "DNS:localhost");
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, san, -1);
	X509_EXTENSION_free(san);
	return X509_sign(cert, key, EVP_sha256()) > 0 ? cert : NULL;
}

static bool
write_cert(const X509 *cert)
{
	int fd = mkstemp(ca);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	return f != NULL && PEM_write_X509(f, cert) == 1 && fclose(f) == 0;
}

/* Shakes hands, and tells what name it was asked for. */
static void
serve_one(SSL_CTX *ctx, int fd, int names)
{
	SSL *ssl = SSL_new(ctx);
	const char *name;
	char c;

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		_exit(1);
	(void)SSL_accept(ssl);
	name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	dprintf(names, "%s\n", name != NULL ? name : "-");
	/* The client may still be at it. */
	while (read(fd, &c, 1) > 0)
		;
	_exit(0);
}

/* Each by itself: who comes first depends on what "localhost" is besides. */
static void
serve(SSL_CTX *ctx, int listener, int names)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(1);
		if (fork() == 0)
			serve_one(ctx, fd, names);
		close(fd);
	}
}

static int
listen_loopback(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 8) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return -1;
	port = ntohs(a.sin_port);
	return fd;
}

static pid_t
start_server(FILE **names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_cert(key);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int fd[2], listener = listen_loopback();
	pid_t pid;

	if (cert == NULL || ctx == NULL || listener < 0 || !write_cert(cert) ||
	    pipe(fd) != 0 || SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		return -1;
	pid = fork();
	if (pid == 0)
		serve(ctx, listener, fd[1]);
	close(listener);
	close(fd[1]);
	SSL_CTX_free(ctx);
	X509_free(cert);
	EVP_PKEY_free(key);
	*names = fdopen(fd[0], "r");
	return pid;
}

/* Until it is open or has failed. */
static void
finish(struct zp_stream *s)
{
	while (
	    s->state == ZP_STREAM_CONNECTING || s->state == ZP_STREAM_SHAKING) {
		int wait_ms = 10000;
		struct pollfd p = {.fd = s->fd};
		p.events = zp_stream_events(s, true, false, 0, &wait_ms);
		if (poll(&p, 1, wait_ms) <= 0)
			return;
		zp_stream_step(s, p.revents, 0);
	}
}

/* Opens two links, and only then lets one of them, then the other, go on. */
static void
open_two(struct zp_stream *first, const char *a, struct zp_stream *second,
    const char *b, struct zp_tls *tls)
{
	zp_stream_open(first, a, port, tls, 0);
	zp_stream_open(second, b, port, tls, 0);
	finish(first);
	finish(second);
}

/* Of two links, one asked by name and one did not. */
static bool
asked_once(FILE *names)
{
	char name[64] = "";
	int n = 0;

	for (int i = 0; i < 2; i++) {
		if (fgets(name, sizeof(name), names) == NULL)
			return false;
		n += strcmp(name, "localhost\n") == 0 ? 1
		    : strcmp(name, "-\n") == 0	      ? 16
						      : 256;
	}
	return n == 1 + 16;
}

static void
test_two(FILE *names)
{
	const struct zp_tls_files files = {.cafile = ca};
	struct zp_stream good, bad;
	struct zp_tls *tls = NULL;
	char why[ZP_TLS_WHY];

	zp_stream_init(&good);
	zp_stream_init(&bad);
	IS(zp_tls_new(&tls, &files, "rediss", "rediss", "first.example", why),
	    ZP_OK, "there is a context for several links");
	open_two(&good, "localhost", &bad, "127.0.0.1", tls);
	OK(good.state == ZP_STREAM_OPEN,
	    "a link expects its host, though one to another was begun since");
	OK(bad.state == ZP_STREAM_FAILED && bad.refused,
	    "the other one is refused");
	OK(asked_once(names), "the one asks by name, and no address is one");

	open_two(&bad, "127.0.0.1", &good, "localhost", tls);
	OK(bad.state == ZP_STREAM_FAILED && bad.refused,
	    "a certificate for another link's host is not taken");
	OK(good.state == ZP_STREAM_OPEN, "that link is open");
	zp_stream_close(&good);
	zp_stream_close(&bad);
	zp_tls_free(tls);
}

int
main(void)
{
	FILE *names = NULL;
	pid_t pid = start_server(&names);

	if (pid < 0 || names == NULL)
		return EXIT_FAILURE;
	signal(SIGPIPE, SIG_IGN);
	alarm(60); /* rather than wait for a name that does not come */
	test_two(names);
	fclose(names);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(ca);
	return tap_done();
}
