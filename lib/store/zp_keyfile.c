#include "store/zp_keyfile.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_cursor.h"
#include "crypt/zp_secret.h"
#include "store/zp_lines.h"

#define EXPORT_PREFIX "zpkey1."
#define EXPORT_CHECK 4
#define EXPORT_BYTES_MAX (2 + ZP_KEY_LEN + ZP_SUITE_NAME_MAX + EXPORT_CHECK)

_Static_assert(ZP_KEY_LEN == ZP_MLES_KEY_LEN, "keys are kept alike");

/* What a channel key file says, whatever its suite; in secret memory. */
struct fields {
	enum zp_suite suite;
	char channel[ZP_SUITE_NAME_MAX + 1];
	size_t channel_len;
	unsigned work;
	uint8_t key[ZP_KEY_LEN];
};

static enum zp_err
bad_line(const struct zp_lines *l, const char *what, struct zp_fault *fault)
{
	return zp_fault_set(fault, ZP_ERR_FORMAT, l->number, what);
}

/* `work`: the log2 of scrypt's N, or `random`. */
static bool
read_work(struct zp_line *line, unsigned *work)
{
	uint64_t n = 0;

	if (zp_line_is(line, "random"))
		*work = ZP_WORK_RANDOM;
	else if (zp_line_number(line, &n) && n >= ZP_WORK_LEAST &&
	    n <= ZP_WORK_MAX)
		*work = (unsigned)n;
	else
		return false;
	return zp_line_end(line);
}

/* The lines below the first. */
static enum zp_err
read_fields(struct zp_lines *l, struct fields *f, struct zp_fault *fault)
{
	struct zp_line line;
	enum zp_err err = zp_suite_read(l, &f->suite, fault);

	if (!err)
		err = zp_lines_want(l, &line, "channel",
		    "a `channel` line belongs here", fault);
	if (!err &&
	    (!zp_line_text(
		 &line, f->channel, sizeof(f->channel), &f->channel_len) ||
		!zp_suite_ops(f->suite)->is_name(f->channel, f->channel_len)))
		err = bad_line(l, "no channel's name", fault);
	if (!err)
		err = zp_lines_want(
		    l, &line, "work", "a `work` line belongs here", fault);
	if (!err && !read_work(&line, &f->work))
		err = bad_line(l, "work is 15 to 22, or random", fault);
	if (!err)
		err = zp_lines_want(
		    l, &line, "key", "a `key` line belongs here", fault);
	if (!err &&
	    (!zp_line_bytes(&line, f->key, sizeof(f->key)) ||
		!zp_line_end(&line)))
		err = bad_line(l, "the key is damaged", fault);
	return err ? err : zp_lines_finish(l, fault);
}

static enum zp_err
build(struct zp_keyfile *kf, const struct fields *f, struct zp_fault *fault)
{
	kf->kind = ZP_KEYFILE_CHANNEL;
	kf->suite = f->suite;
	enum zp_err err =
	    zp_suite_ops(f->suite)->load(kf, f->key, f->channel, f->work);
	return err == ZP_ERR_USAGE ? zp_fault_set(fault, ZP_ERR_FORMAT, 0,
					 "a work that its suite does not have")
				   : err;
}

static enum zp_err
parse_channel(
    struct zp_keyfile *kf, const char *text, size_t len, struct zp_fault *fault)
{
	struct fields *f = zp_secret_new(sizeof(*f));
	struct zp_lines l;

	if (f == NULL)
		return ZP_ERR_MEMORY;
	zp_lines_init(&l, text, len);
	enum zp_err err = zp_lines_magic(&l, "zpinc-key", fault);
	if (!err)
		err = read_fields(&l, f, fault);
	if (!err)
		err = build(kf, f, fault);
	zp_secret_free(f);
	return err;
}

/* The first word of the first line that is no comment. */
static bool
begins_with(const char *text, size_t len, const char *word)
{
	struct zp_lines l;
	struct zp_line line;

	zp_lines_init(&l, text, len);
	return zp_lines_next(&l, &line) && zp_line_is(&line, word);
}

/* A file that is none of the kinds wanted: say what it seems to be. */
static enum zp_err
refuse(const char *text, size_t len, struct zp_fault *fault)
{
	static const char *const kinds[][2] = {
	    {"zpinc-identity", "an identity, not a key (that is for -i)"},
	    {"zpinc-key", "a channel key, not an identity (that is for -k)"},
	    {"zpinc-conversation", "a conversation key, not an identity"},
	    {"zpinc-known", "a file of known identities"},
	    {"zpinc-send", "a state file"},
	    {"zpinc-read", "a state file"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (begins_with(text, len, kinds[i][0]))
			return zp_fault_set(
			    fault, ZP_ERR_FORMAT, 0, kinds[i][1]);
	return zp_fault_set(
	    fault, ZP_ERR_FORMAT, 0, len == 0 ? "empty" : "not such a file");
}

enum zp_err
zp_keyfile_parse(struct zp_keyfile **kf, const char *text, size_t len,
    struct zp_fault *fault)
{
	enum zp_err err;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	struct zp_keyfile *k = calloc(1, sizeof(*k));
	if (k == NULL)
		return ZP_ERR_MEMORY;
	if (begins_with(text, len, "zpinc-key")) {
		err = parse_channel(k, text, len, fault);
	} else if (begins_with(text, len, "zpinc-conversation")) {
		k->kind = ZP_KEYFILE_CONVERSATION;
		err = zp_convfile_parse(&k->conv, text, len, fault);
		if (!err)
			k->suite = k->conv->suite;
	} else {
		err = refuse(text, len, fault);
	}
	if (err)
		zp_keyfile_free(k);
	else
		*kf = k;
	return err;
}

enum zp_err
zp_keyfile_load(
    struct zp_keyfile **kf, const char *path, struct zp_fault *fault)
{
	struct zp_file_data d;
	enum zp_err err = zp_file_read(path, ZP_KEYFILE_MAX, &d, fault);

	if (err)
		return err;
	err = zp_keyfile_parse(kf, d.data, d.len, fault);
	zp_secret_free(d.data);
	return err;
}

void
zp_keyfile_free(struct zp_keyfile *kf)
{
	if (kf == NULL)
		return;
	zp_suite_ops(kf->suite)->free(kf);
	zp_convfile_free(kf->conv);
	free(kf);
}

const struct zp_suite_ops *
zp_keyfile_ops(const struct zp_keyfile *kf)
{
	return zp_suite_ops(kf->suite);
}

enum zp_err
zp_keyfile_make(struct zp_keyfile **to, enum zp_suite suite,
    const uint8_t *password, size_t len, const char *channel, unsigned work)
{
	const struct zp_suite_ops *ops = zp_suite_ops(suite);
	struct zp_keyfile *kf = calloc(1, sizeof(*kf));

	if (kf == NULL)
		return ZP_ERR_MEMORY;
	kf->kind = ZP_KEYFILE_CHANNEL;
	kf->suite = suite;
	enum zp_err err = password != NULL
	    ? ops->derive(kf, password, len, channel, work)
	    : ops->random(kf, channel);
	if (err)
		zp_keyfile_free(kf);
	else
		*to = kf;
	return err;
}

const char *
zp_keyfile_channel(const struct zp_keyfile *kf)
{
	return kf->conv != NULL	  ? kf->conv->channel
	    : kf->channel != NULL ? kf->channel
				  : zp_key_channel(kf->key);
}

void
zp_keyfile_write(struct zp_writer *w, const struct zp_keyfile *kf)
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(kf);

	zp_lines_put(w,
	    "# A zpinc key.  Whoever has it reads and writes the channel.\n"
	    "zpinc-key 1\n"
	    "suite ");
	zp_lines_put(w, ops->word);
	zp_lines_put(w, "\nchannel ");
	zp_lines_put_name(w, zp_keyfile_channel(kf));
	zp_lines_put(w, "\nwork ");
	if (ops->get_work(kf) == ZP_WORK_RANDOM)
		zp_lines_put(w, "random");
	else
		zp_lines_put_number(w, ops->get_work(kf));
	zp_lines_put(w, "\nkey ");
	zp_lines_put_bytes(w, ops->raw(kf), ZP_KEY_LEN);
	zp_lines_put(w, "\n");
}

/* ---- one line of text ---- */

struct export
{
	uint8_t bytes[EXPORT_BYTES_MAX];
	uint8_t hash[crypto_hash_sha256_BYTES];
};

_Static_assert(sizeof(EXPORT_PREFIX) + (EXPORT_BYTES_MAX * 4 + 2) / 3 <=
	ZP_KEYFILE_EXPORT_MAX,
    "room for an exported key");

enum zp_err
zp_keyfile_export(
    const struct zp_keyfile *kf, char line[static ZP_KEYFILE_EXPORT_MAX])
{
	const struct zp_suite_ops *ops = zp_keyfile_ops(kf);
	const char *channel = zp_keyfile_channel(kf);
	struct export *x = zp_secret_new(sizeof(*x));
	struct zp_writer w;
	size_t prefix = strlen(EXPORT_PREFIX);

	if (x == NULL)
		return ZP_ERR_MEMORY;
	zp_writer_init(&w, x->bytes, sizeof(x->bytes));
	zp_writer_u8(&w, ops->code);
	zp_writer_u8(&w, (uint8_t)ops->get_work(kf));
	zp_writer_put(&w, ops->raw(kf), ZP_KEY_LEN);
	zp_writer_put(&w, channel, strlen(channel));
	crypto_hash_sha256(x->hash, w.data, w.len);
	zp_writer_put(&w, x->hash, EXPORT_CHECK);
	memcpy(line, EXPORT_PREFIX, prefix);
	sodium_bin2base64(line + prefix, ZP_KEYFILE_EXPORT_MAX - prefix, w.data,
	    w.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	zp_secret_free(x);
	return ZP_OK;
}

/* The suite with this code. */
static bool
suite_of(uint8_t code, enum zp_suite *suite)
{
	static const enum zp_suite all[] = {ZP_SUITE_ZP1, ZP_SUITE_MLES};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (zp_suite_ops(all[i])->code == code) {
			*suite = all[i];
			return true;
		}
	return false;
}

/* From the bytes of an exported line to the key. */
static enum zp_err
import_bytes(struct zp_keyfile *kf, struct export *x, size_t len)
{
	char channel[ZP_SUITE_NAME_MAX + 1] = {0};

	if (len < 2 + ZP_KEY_LEN + 1 + EXPORT_CHECK)
		return ZP_ERR_FORMAT;
	size_t body = len - EXPORT_CHECK, n = body - 2 - ZP_KEY_LEN;
	crypto_hash_sha256(x->hash, x->bytes, body);
	if (sodium_memcmp(x->hash, x->bytes + body, EXPORT_CHECK) != 0)
		return ZP_ERR_CORRUPT;
	if (!suite_of(x->bytes[0], &kf->suite))
		return ZP_ERR_SUITE;
	memcpy(channel, x->bytes + 2 + ZP_KEY_LEN, n);
	if (memchr(channel, '\0', n) != NULL)
		return ZP_ERR_FORMAT;
	enum zp_err err = zp_suite_ops(kf->suite)->load(
	    kf, x->bytes + 2, channel, x->bytes[1]);
	return err == ZP_ERR_USAGE || err == ZP_ERR_NAME ? ZP_ERR_FORMAT : err;
}

/* The part behind the prefix. */
static enum zp_err
import_text(struct zp_keyfile *kf, const char *text, size_t len)
{
	struct export *x = zp_secret_new(sizeof(*x));
	enum zp_err err = ZP_ERR_FORMAT;
	size_t got = 0;

	if (x == NULL)
		return ZP_ERR_MEMORY;
	if (zp_secret_read_b64(x->bytes, sizeof(x->bytes), text, len, &got))
		err = import_bytes(kf, x, got);
	zp_secret_free(x);
	return err;
}

enum zp_err
zp_keyfile_import(struct zp_keyfile **to, const char *line, size_t len)
{
	size_t prefix = strlen(EXPORT_PREFIX);

	if (len <= prefix || memcmp(line, EXPORT_PREFIX, 5) != 0)
		return ZP_ERR_FORMAT;
	if (memcmp(line, EXPORT_PREFIX, prefix) != 0)
		return line[5] >= '2' && line[5] <= '9' ? ZP_ERR_VERSION
							: ZP_ERR_FORMAT;
	struct zp_keyfile *kf = calloc(1, sizeof(*kf));
	if (kf == NULL)
		return ZP_ERR_MEMORY;
	kf->kind = ZP_KEYFILE_CHANNEL;
	enum zp_err err = import_text(kf, line + prefix, len - prefix);
	if (err)
		zp_keyfile_free(kf);
	else
		*to = kf;
	return err;
}

/* ---- identities ---- */

enum zp_err
zp_idfile_parse(struct zp_identity **id, const char *text, size_t len,
    struct zp_fault *fault)
{
	struct zp_lines l;
	struct zp_line line;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (!begins_with(text, len, "zpinc-identity"))
		return refuse(text, len, fault);
	uint8_t *seed = zp_secret_new(ZP_SEED_LEN);
	if (seed == NULL)
		return ZP_ERR_MEMORY;
	zp_lines_init(&l, text, len);
	enum zp_err err = zp_lines_magic(&l, "zpinc-identity", fault);
	if (!err)
		err = zp_lines_want(
		    &l, &line, "seed", "a `seed` line belongs here", fault);
	if (!err &&
	    (!zp_line_bytes(&line, seed, ZP_SEED_LEN) || !zp_line_end(&line)))
		err = bad_line(&l, "the seed is damaged", fault);
	if (!err)
		err = zp_lines_finish(&l, fault);
	if (!err)
		err = zp_identity_load(id, seed);
	zp_secret_free(seed);
	return err;
}

enum zp_err
zp_idfile_load(
    struct zp_identity **id, const char *path, struct zp_fault *fault)
{
	struct zp_file_data d;
	enum zp_err err = zp_file_read(path, ZP_KEYFILE_MAX, &d, fault);

	if (err)
		return err;
	err = zp_idfile_parse(id, d.data, d.len, fault);
	zp_secret_free(d.data);
	return err;
}

void
zp_idfile_write(struct zp_writer *w, const struct zp_identity *id)
{
	zp_lines_put(w,
	    "# A zpinc identity.  Whoever has it signs as you.\n"
	    "zpinc-identity 1\n"
	    "seed ");
	zp_lines_put_bytes(w, zp_identity_seed(id), ZP_SEED_LEN);
	zp_lines_put(w, "\n");
}
