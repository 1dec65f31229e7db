#include "store/zp_known.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"
#include "store/zp_lines.h"
#include "store/zp_path.h"

/* Characters of an entry's line, and of what stands around them all. */
#define LINE_MAX_CHARS                                                    \
	(5 + ZP_TOPIC_LEN + 1 + (ZP_IDKEY_LEN * 4 + 2) / 3 + 1 + 20 + 1 + \
	    ZP_LINES_NAME_MAX + 1)
#define FRAME_MAX_CHARS 512
#define FILE_MAX (FRAME_MAX_CHARS + (size_t)ZP_KNOWN_MAX * LINE_MAX_CHARS)
#define TEXT_PREFIX "zpid1."

struct zp_known {
	char path[ZP_PATH_MAX];
	bool by_default; /* its folder is ours to make */
	bool pin_new;
	/* Between zp_known_meet_now() and zp_known_settle(): */
	bool held, changed;
	int lock;
	struct zp_file_stamp stamp;
	size_t n, cap;
	struct zp_known_entry *entries;
	/* Index of an entry plus one; 0: none.  A power of two of them. */
	uint32_t *slots;
	size_t n_slots;
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

const char *
zp_trust_text(enum zp_trust trust)
{
	switch (trust) {
	case ZP_TRUST_KNOWN:
		return "known";
	case ZP_TRUST_NEW:
		return "new";
	case ZP_TRUST_ANONYMOUS:
		return "anonymous";
	case ZP_TRUST_CHANGED:
		return "CHANGED";
	case ZP_TRUST_UNSIGNED:
		return "UNSIGNED";
	case ZP_TRUST_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

enum zp_err
zp_trust_err(enum zp_trust trust)
{
	switch (trust) {
	case ZP_TRUST_KNOWN:
	case ZP_TRUST_NEW:
	case ZP_TRUST_ANONYMOUS:
		return ZP_OK;
	case ZP_TRUST_CHANGED:
		return ZP_ERR_CHANGED;
	case ZP_TRUST_UNSIGNED:
		return ZP_ERR_UNSIGNED;
	case ZP_TRUST_UNKNOWN:
		return ZP_ERR_UNKNOWN;
	}
	return ZP_ERR_UNKNOWN;
}

/* ---- the table ---- */

/* Keyed, since members choose names: nobody can make all of them collide. */
static size_t
slot_of(const struct zp_known *k, const uint8_t *rp, const char *uid)
{
	uint8_t name[ZP_PSEUDONYM_LEN + ZP_NAME_MAX];
	uint8_t hash[crypto_shorthash_BYTES];
	size_t len = strnlen(uid, ZP_NAME_MAX);
	uint64_t v;

	memcpy(name, rp, ZP_PSEUDONYM_LEN);
	memcpy(name + ZP_PSEUDONYM_LEN, uid, len);
	crypto_shorthash(hash, name, ZP_PSEUDONYM_LEN + len, k->hash_key);
	memcpy(&v, hash, sizeof(v));
	return (size_t)v & (k->n_slots - 1);
}

/* The slot that holds an entry, or the free one where it would go. */
static uint32_t *
find_slot(const struct zp_known *k, const uint8_t *rp, const char *uid)
{
	size_t i = slot_of(k, rp, uid);

	while (k->slots[i] != 0) {
		const struct zp_known_entry *e = &k->entries[k->slots[i] - 1];
		if (memcmp(e->rp, rp, ZP_PSEUDONYM_LEN) == 0 &&
		    strcmp(e->uid, uid) == 0)
			break;
		i = (i + 1) & (k->n_slots - 1);
	}
	return &k->slots[i];
}

static struct zp_known_entry *
find(const struct zp_known *k, const uint8_t *rp, const char *uid)
{
	if (k->n_slots == 0)
		return NULL;
	uint32_t at = *find_slot(k, rp, uid);
	return at != 0 ? &k->entries[at - 1] : NULL;
}

/* Puts all entries into slots for `want` of them. */
static enum zp_err
index_all(struct zp_known *k, size_t want)
{
	size_t n = 64;

	while (n < want * 2)
		n *= 2;
	uint32_t *slots = calloc(n, sizeof(*slots));
	if (slots == NULL)
		return ZP_ERR_MEMORY;
	free(k->slots);
	k->slots = slots;
	k->n_slots = n;
	for (size_t i = 0; i < k->n; i++) {
		const struct zp_known_entry *e = &k->entries[i];
		*find_slot(k, e->rp, e->uid) = (uint32_t)i + 1;
	}
	return ZP_OK;
}

/* ZP_ERR_EXISTS if that user has an entry. */
static enum zp_err
add(struct zp_known *k, const struct zp_known_entry *e)
{
	enum zp_err err = ZP_OK;

	if (find(k, e->rp, e->uid) != NULL)
		return ZP_ERR_EXISTS;
	if (k->n == ZP_KNOWN_MAX)
		return ZP_ERR_FULL;
	if (k->entries == NULL || k->n == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 32;
		struct zp_known_entry *more =
		    realloc(k->entries, cap * sizeof(*more));
		if (more == NULL)
			return ZP_ERR_MEMORY;
		k->entries = more;
		k->cap = cap;
	}
	if (k->n_slots < (k->n + 1) * 2)
		err = index_all(k, k->n + 1);
	if (err)
		return err;
	k->entries[k->n] = *e;
	*find_slot(k, e->rp, e->uid) = (uint32_t)++k->n;
	return ZP_OK;
}

static void
clear(struct zp_known *k)
{
	free(k->entries);
	free(k->slots);
	k->entries = NULL;
	k->slots = NULL;
	k->n = k->cap = k->n_slots = 0;
}

/* ---- the file ---- */

static bool
parse_pin(struct zp_line *line, struct zp_known_entry *e)
{
	return zp_line_is(line, "pin") && zp_line_topic(line, e->rp) &&
	    zp_line_bytes(line, e->idkey, sizeof(e->idkey)) &&
	    zp_line_number(line, &e->time) && zp_line_name(line, e->uid);
}

/* The lines into the empty table k. */
static enum zp_err
parse(struct zp_known *k, struct zp_lines *l, struct zp_fault *fault)
{
	struct zp_line line;
	enum zp_err err = zp_lines_magic(l, "zpinc-known", fault);

	if (err == ZP_ERR_FORMAT)
		return zp_fault_set(fault, ZP_ERR_CORRUPT, l->number,
		    "not a file of known identities");
	while (!err && zp_lines_next(l, &line)) {
		struct zp_known_entry e = {0};
		if (zp_line_is(&line, "end")) {
			err = zp_lines_finish(l, fault);
			return err ? ZP_ERR_CORRUPT : ZP_OK;
		}
		if (!parse_pin(&line, &e))
			return zp_fault_set(fault, ZP_ERR_CORRUPT, l->number,
			    "no line of a pinned identity");
		err = add(k, &e);
		if (err == ZP_ERR_EXISTS)
			return zp_fault_set(fault, ZP_ERR_CORRUPT, l->number,
			    "a second identity for one user");
	}
	if (err)
		return err;
	return zp_fault_set(fault, ZP_ERR_CORRUPT, l->number,
	    l->bad != NULL ? l->bad : "cut off: the `end` line is missing");
}

/* Reads the file anew; what k held stays on failure. */
static enum zp_err
reload(struct zp_known *k, struct zp_fault *fault)
{
	static const struct zp_file_stamp none;
	struct zp_known fresh = *k;
	struct zp_lines l;
	char *text = NULL;
	size_t len = 0;
	enum zp_err err = zp_file_stamp(k->path, &fresh.stamp);

	fresh.entries = NULL;
	fresh.slots = NULL;
	fresh.n = fresh.cap = fresh.n_slots = 0;
	if (!err && zp_file_stamp_same(&fresh.stamp, &none))
		err = ZP_ERR_NOT_FOUND;
	if (!err)
		err = zp_file_read_state(k->path, FILE_MAX, &text, &len, fault);
	if (err == ZP_ERR_TOO_LONG)
		return zp_fault_set(fault, ZP_ERR_CORRUPT, 0, "too long");
	if (!err) {
		zp_lines_init(&l, text, len);
		err = parse(&fresh, &l, fault);
		free(text);
	} else if (err == ZP_ERR_NOT_FOUND) {
		fresh.stamp = (struct zp_file_stamp){0};
		err = ZP_OK;
	}
	if (err) {
		clear(&fresh);
		return err;
	}
	struct zp_known old = *k;
	*k = fresh;
	clear(&old);
	return ZP_OK;
}

enum zp_err
zp_known_refresh(struct zp_known *k, struct zp_fault *fault)
{
	struct zp_file_stamp stamp;
	enum zp_err err = zp_file_stamp(k->path, &stamp);

	zp_fault_set(fault, ZP_OK, 0, NULL);
	/* Nobody else changes it while it is locked. */
	if (k->held)
		return ZP_OK;
	if (err || zp_file_stamp_same(&stamp, &k->stamp))
		return err;
	return reload(k, fault);
}

static enum zp_err
save(struct zp_known *k)
{
	struct zp_writer w;
	size_t cap = FRAME_MAX_CHARS + k->n * LINE_MAX_CHARS;
	char *text = malloc(cap);

	if (text == NULL)
		return ZP_ERR_MEMORY;
	zp_writer_init(&w, text, cap);
	zp_lines_put(&w,
	    "# Identities seen: topic, identity, when (ms since 1970), user.\n"
	    "# zpinc-key trust lists, pins and forgets them.\n"
	    "zpinc-known 1\n");
	for (size_t i = 0; i < k->n; i++) {
		const struct zp_known_entry *e = &k->entries[i];
		zp_lines_put(&w, "pin ");
		zp_lines_put_topic(&w, e->rp);
		zp_lines_put(&w, " ");
		zp_lines_put_bytes(&w, e->idkey, sizeof(e->idkey));
		zp_lines_put(&w, " ");
		zp_lines_put_number(&w, e->time);
		zp_lines_put(&w, " ");
		zp_lines_put_name(&w, e->uid);
		zp_lines_put(&w, "\n");
	}
	zp_lines_put(&w, "end\n");
	enum zp_err err = w.bad ? ZP_ERR_TOO_LONG
				: zp_file_write_locked(k->path, text, w.len);
	free(text);
	return err ? err : zp_file_stamp(k->path, &k->stamp);
}

/* Locks, and reads what others did meanwhile. */
static enum zp_err
begin_change(struct zp_known *k, int *lock, struct zp_fault *fault)
{
	char path[ZP_PATH_MAX];
	enum zp_err err = ZP_OK;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (k->by_default)
		err = zp_path_state(path, "known", true);
	if (!err)
		err = zp_file_lock(k->path, ZP_FILE_WAIT_MS, lock, fault);
	if (err)
		return err;
	err = zp_known_refresh(k, fault);
	if (err)
		zp_file_unlock(*lock);
	return err;
}

/*
 * Writes what was changed.  If it cannot be written, the file as it is
 * counts: no pin is believed that is not there.
 */
static enum zp_err
end_change(struct zp_known *k, enum zp_err err, int lock)
{
	if (!err)
		err = save(k);
	if (err) {
		int why = errno;
		k->stamp = (struct zp_file_stamp){.ino = UINT64_MAX};
		/* A failure here comes back with the next refresh. */
		if (reload(k, NULL) != ZP_OK)
			k->stamp.size = UINT64_MAX;
		errno = why;
	}
	zp_file_unlock(lock);
	return err;
}

/* ---- what others call ---- */

/*
 * The default's folder is made now, since a confined process cannot do it
 * later.  Where it cannot be made, there is nothing in it to be read either.
 */
static enum zp_err
set_path(struct zp_known *k, const char *path, struct zp_fault *fault)
{
	enum zp_err err = ZP_ERR_IO;

	if (path == NULL && k->pin_new)
		err = zp_path_state(k->path, "known", true);
	if (path == NULL && err == ZP_ERR_IO)
		err = zp_path_state(k->path, "known", false);
	if (path == NULL && err == ZP_ERR_NOT_FOUND)
		return zp_fault_set(
		    fault, err, 0, "neither XDG_STATE_HOME nor HOME is set");
	if (path == NULL)
		return err;
	if (strlen(path) >= sizeof(k->path))
		return ZP_ERR_TOO_LONG;
	memcpy(k->path, path, strlen(path) + 1);
	return ZP_OK;
}

enum zp_err
zp_known_open(
    struct zp_known **k, const char *path, bool pin_new, struct zp_fault *fault)
{
	enum zp_err err;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	struct zp_known *n = calloc(1, sizeof(*n));
	if (n == NULL)
		return ZP_ERR_MEMORY;
	n->pin_new = pin_new;
	n->by_default = path == NULL;
	zp_secret_random(n->hash_key, sizeof(n->hash_key));
	err = set_path(n, path, fault);
	if (!err)
		err = reload(n, fault);
	if (err)
		zp_known_free(n);
	else
		*k = n;
	return err;
}

void
zp_known_free(struct zp_known *k)
{
	if (k == NULL)
		return;
	/* Not settled: nobody was told. */
	if (k->held)
		zp_file_unlock(k->lock);
	clear(k);
	free(k);
}

const char *
zp_known_path(const struct zp_known *k)
{
	return k->path;
}

enum zp_trust
zp_known_check(const struct zp_known *k,
    const uint8_t rp[static ZP_PSEUDONYM_LEN], const char *uid,
    const uint8_t *idkey)
{
	const struct zp_known_entry *e = find(k, rp, uid);

	if (e == NULL && idkey == NULL)
		return ZP_TRUST_ANONYMOUS;
	if (e == NULL)
		return k->pin_new ? ZP_TRUST_NEW : ZP_TRUST_UNKNOWN;
	if (idkey == NULL)
		return ZP_TRUST_UNSIGNED;
	return memcmp(e->idkey, idkey, ZP_IDKEY_LEN) == 0 ? ZP_TRUST_KNOWN
							  : ZP_TRUST_CHANGED;
}

static enum zp_err
make_entry(struct zp_known_entry *e, const uint8_t *rp, const char *uid,
    const uint8_t *idkey, uint64_t now)
{
	size_t len = strnlen(uid, ZP_NAME_MAX + 1);

	if (!zp_text_is_name(uid, len))
		return ZP_ERR_NAME;
	memset(e, 0, sizeof(*e));
	memcpy(e->rp, rp, sizeof(e->rp));
	memcpy(e->idkey, idkey, sizeof(e->idkey));
	memcpy(e->uid, uid, len);
	e->time = now;
	return ZP_OK;
}

enum zp_err
zp_known_settle(struct zp_known *k)
{
	enum zp_err err = ZP_OK;

	if (!k->held)
		return ZP_OK;
	if (k->changed)
		err = end_change(k, ZP_OK, k->lock);
	else
		zp_file_unlock(k->lock);
	k->held = k->changed = false;
	return err;
}

/* Into the table, under the lock, which stays.  *added: it was not there. */
static enum zp_err
pin_held(struct zp_known *k, const struct zp_known_entry *e, bool *added,
    struct zp_fault *fault)
{
	enum zp_err err = ZP_OK;

	*added = false;
	if (!k->held)
		err = begin_change(k, &k->lock, fault);
	if (err)
		return err;
	k->held = true;
	const struct zp_known_entry *old = find(k, e->rp, e->uid);
	if (old != NULL)
		return memcmp(old->idkey, e->idkey, ZP_IDKEY_LEN) == 0
		    ? ZP_OK
		    : ZP_ERR_CHANGED;
	err = add(k, e);
	*added = err == ZP_OK;
	k->changed = k->changed || *added;
	return err;
}

static enum zp_err
pin(struct zp_known *k, const struct zp_known_entry *e, bool *added,
    struct zp_fault *fault)
{
	enum zp_err err = pin_held(k, e, added, fault);
	enum zp_err settled = zp_known_settle(k);

	if (settled)
		*added = false;
	return err ? err : settled;
}

enum zp_err
zp_known_pin(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, const uint8_t idkey[static ZP_IDKEY_LEN], uint64_t now,
    struct zp_fault *fault)
{
	struct zp_known_entry e;
	bool added;
	enum zp_err err = make_entry(&e, rp, uid, idkey, now);

	return err ? err : pin(k, &e, &added, fault);
}

static enum zp_err
meet(struct zp_known *k, const uint8_t *rp, const char *uid,
    const uint8_t *idkey, uint64_t now, enum zp_trust *trust,
    struct zp_fault *fault, bool at_once)
{
	enum zp_trust t = zp_known_check(k, rp, uid, idkey);
	struct zp_known_entry e;
	bool added = false;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (t == ZP_TRUST_NEW) {
		enum zp_err err = make_entry(&e, rp, uid, idkey, now);
		if (!err)
			err = (at_once ? pin : pin_held)(k, &e, &added, fault);
		if (err && err != ZP_ERR_CHANGED)
			return err;
		/* Another process may have been first. */
		if (!added)
			t = zp_known_check(k, rp, uid, idkey);
	}
	*trust = t;
	return ZP_OK;
}

enum zp_err
zp_known_meet(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, const uint8_t *idkey, uint64_t now, enum zp_trust *trust,
    struct zp_fault *fault)
{
	return meet(k, rp, uid, idkey, now, trust, fault, true);
}

enum zp_err
zp_known_meet_now(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, const uint8_t *idkey, uint64_t now, enum zp_trust *trust,
    struct zp_fault *fault)
{
	return meet(k, rp, uid, idkey, now, trust, fault, false);
}

enum zp_err
zp_known_forget(struct zp_known *k, const uint8_t rp[static ZP_PSEUDONYM_LEN],
    const char *uid, struct zp_fault *fault)
{
	int lock;
	enum zp_err err = zp_known_settle(k);

	if (!err)
		err = begin_change(k, &lock, fault);
	if (err)
		return err;
	struct zp_known_entry *e = find(k, rp, uid);
	if (e == NULL) {
		zp_file_unlock(lock);
		return ZP_ERR_NOT_FOUND;
	}
	size_t at = (size_t)(e - k->entries);
	memmove(e, e + 1, (k->n - at - 1) * sizeof(*e));
	k->n--;
	return end_change(k, index_all(k, k->n + 1), lock);
}

size_t
zp_known_count(const struct zp_known *k)
{
	return k->n;
}

const struct zp_known_entry *
zp_known_at(const struct zp_known *k, size_t i)
{
	return &k->entries[i];
}

void
zp_known_text(
    char to[static ZP_KNOWN_TEXT], const uint8_t idkey[static ZP_IDKEY_LEN])
{
	struct zp_writer w;

	zp_writer_init(&w, to, ZP_KNOWN_TEXT);
	zp_lines_put(&w, TEXT_PREFIX);
	zp_lines_put_bytes(&w, idkey, ZP_IDKEY_LEN);
	zp_writer_u8(&w, 0);
}

enum zp_err
zp_known_parse(uint8_t idkey[static ZP_IDKEY_LEN], const char *text)
{
	uint8_t key[ZP_IDKEY_LEN];
	size_t prefix = strlen(TEXT_PREFIX);

	if (strncmp(text, TEXT_PREFIX, prefix) != 0)
		return ZP_ERR_FORMAT;
	struct zp_line line = {text + prefix, strlen(text + prefix)};
	if (!zp_line_bytes(&line, key, sizeof(key)) || !zp_line_end(&line) ||
	    !crypto_core_ed25519_is_valid_point(key))
		return ZP_ERR_FORMAT;
	memcpy(idkey, key, sizeof(key));
	return ZP_OK;
}
