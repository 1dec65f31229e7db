#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zp_b64.h"
#include "crypt/zp_commit.h"
#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"
#include "fuzz.h"

void *
fuzz_copy(const void *data, size_t len)
{
	void *to = malloc(len + (len == 0));

	MUST(to != NULL);
	if (len > 0)
		memcpy(to, data, len);
	return to;
}

uint64_t
fuzz_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

const uint8_t *
fuzz_rest(struct zp_cursor *c, size_t *len)
{
	*len = c->left;
	return zp_cursor_take(c, c->left);
}

/* ---- a channel ---------------------------------------------------------- */

struct zp_opener *
fuzz_opener(const struct fuzz_world *w)
{
	struct zp_opener *o;
	unsigned slot;

	MUST(zp_opener_new(
		 &o, zp_key_amac(w->key), zp_key_aenc(w->key), "ops") == ZP_OK);
	MUST(zp_opener_add(o, zp_key_msgkey(w->key), NULL, NULL, 0, &slot) ==
	    ZP_OK);
	MUST(zp_opener_add(o, w->record_key, w->keyid,
		 (const uint8_t(*)[ZP_PSEUDONYM_LEN])w->p, 2, &slot) == ZP_OK);
	return o;
}

const struct fuzz_world *
fuzz_world(void)
{
	static struct fuzz_world w;
	static const char *const names[] = {"alice", "bob", "carol"};
	uint8_t raw[ZP_KEY_LEN];

	if (w.key != NULL)
		return &w;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)i;
	memset(w.record_key, 7, sizeof(w.record_key));
	memset(w.keyid, 9, sizeof(w.keyid));
	MUST(zp_secret_init() == ZP_OK);
	MUST(zp_key_load(&w.key, raw, "ops", 18) == ZP_OK);
	MUST(zp_identity_load(&w.id, raw) == ZP_OK);
	for (size_t i = 0; i < 3; i++)
		MUST(
		    zp_pseudo_make(w.p[i], zp_key_amac(w.key),
			zp_key_aenc(w.key), ZP_PSEUDO_USER, names[i]) == ZP_OK);
	return &w;
}

char *
fuzz_seal(const struct fuzz_world *w, bool message, const uint8_t *rp,
    const uint8_t *p, const uint8_t nonce[static ZP_NONCE_LEN],
    const uint8_t *payload, size_t len)
{
	size_t enc_len = ZP_ENC_OVERHEAD + len;
	uint8_t *enc = malloc(enc_len);
	char *line = malloc(ZP_RECORD_HEAD + ZP_B64_CHARS(enc_len) + 1);
	char *at = line;
	struct zp_commit c;
	crypto_generichash_blake2b_state base;

	MUST(enc != NULL && line != NULL);
	zp_commit_base(
	    &base, message ? w->record_key : zp_key_msgkey(w->key), rp, p);
	zp_commit_nonce(&c, &base, nonce);
	memcpy(enc, nonce, ZP_NONCE_LEN);
	memcpy(enc + ZP_NONCE_LEN, c.out + 32, ZP_COM_LEN);
	crypto_secretbox_easy(
	    enc + ZP_NONCE_LEN + ZP_COM_LEN, payload, len, nonce, c.out);
	memcpy(at, "zp1.", ZP_PREFIX_LEN);
	at += ZP_PREFIX_LEN;
	zp_record_topic(at, rp);
	at += ZP_TOPIC_LEN;
	*at++ = '.';
	zp_record_topic(at, p);
	at += ZP_TOPIC_LEN;
	*at++ = '.';
	zp_b64_write(at, enc, enc_len);
	at[ZP_B64_CHARS(enc_len)] = '\0';
	free(enc);
	return line;
}

/* ---- files -------------------------------------------------------------- */

static char folder[PATH_MAX];

static void
remove_folder(void)
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(folder);
}

const char *
fuzz_file(const char *name, const void *data, size_t len)
{
	static char path[PATH_MAX + 64];

	if (folder[0] == '\0') {
		struct stat st;
		snprintf(folder, sizeof(folder), "%s/zp-fuzz-XXXXXX",
		    stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp");
		MUST(mkdtemp(folder) != NULL);
		atexit(remove_folder);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	MUST(len == 0 || write(fd, data, len) == (ssize_t)len);
	close(fd);
	return path;
}

static int sink = -1;

int
fuzz_sink(void)
{
	if (sink < 0)
		sink = memfd_create("sink", MFD_CLOEXEC);
	MUST(sink >= 0 && ftruncate(sink, 0) == 0);
	MUST(lseek(sink, 0, SEEK_SET) == 0);
	return sink;
}

char *
fuzz_sunk(size_t *len)
{
	off_t end = lseek(sink, 0, SEEK_END);
	char *text = malloc((size_t)end + 1);

	MUST(text != NULL);
	MUST(pread(sink, text, (size_t)end, 0) == end);
	text[end] = '\0';
	*len = (size_t)end;
	return text;
}
