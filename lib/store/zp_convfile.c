#include "store/zp_convfile.h"

#include <sodium.h>
#include <string.h>

#include "crypt/zp_pseudo.h"
#include "crypt/zp_secret.h"
#include "store/zp_keyfile.h"
#include "store/zp_lines.h"

struct zp_convfile *
zp_convfile_new(size_t n)
{
	if (n < 2 || n > ZP_CONVFILE_MEMBERS)
		return NULL;
	struct zp_convfile *c =
	    zp_secret_new(sizeof(*c) + n * sizeof(c->members[0]));
	if (c != NULL)
		c->n = n;
	return c;
}

void
zp_convfile_free(struct zp_convfile *c)
{
	zp_secret_free(c);
}

/* A line `word NUMBER`. */
static enum zp_err
read_number(struct zp_lines *l, const char *word, const char *what,
    uint64_t *to, struct zp_fault *fault)
{
	struct zp_line line;
	enum zp_err err = zp_lines_want(l, &line, word, what, fault);

	if (!err && (!zp_line_number(&line, to) || !zp_line_end(&line)))
		err = zp_fault_set(fault, ZP_ERR_FORMAT, l->number, what);
	return err;
}

/* A line `word BASE64URL`. */
static enum zp_err
read_bytes(struct zp_lines *l, const char *word, const char *what, uint8_t *to,
    size_t n, struct zp_fault *fault)
{
	struct zp_line line;
	enum zp_err err = zp_lines_want(l, &line, word, what, fault);

	if (!err && (!zp_line_bytes(&line, to, n) || !zp_line_end(&line)))
		err = zp_fault_set(fault, ZP_ERR_FORMAT, l->number, what);
	return err;
}

/* Everything above the members; n and me are checked by the caller. */
static enum zp_err
read_head(struct zp_lines *l, struct zp_convfile *c, uint64_t *me, uint64_t *n,
    struct zp_fault *fault)
{
	struct zp_line line;
	enum zp_err err = zp_suite_read(l, &c->suite, fault);

	if (!err)
		err = zp_lines_want(l, &line, "channel",
		    "a `channel` line belongs here", fault);
	if (!err && !zp_line_name(&line, c->channel))
		err = zp_fault_set(
		    fault, ZP_ERR_FORMAT, l->number, "no channel's name");
	if (!err)
		err = read_bytes(l, "amac", "`amac` and 32 bytes belong here",
		    c->amac, sizeof(c->amac), fault);
	if (!err)
		err = read_bytes(l, "aenc", "`aenc` and 32 bytes belong here",
		    c->aenc, sizeof(c->aenc), fault);
	if (!err)
		err = read_bytes(l, "id", "`id` and 16 bytes belong here",
		    c->id, sizeof(c->id), fault);
	if (!err)
		err = read_bytes(l, "key", "`key` and 32 bytes belong here",
		    c->key, sizeof(c->key), fault);
	if (!err)
		err = read_number(l, "time", "`time` and a number belong here",
		    &c->time, fault);
	if (!err)
		err = read_number(
		    l, "me", "`me` and a number belong here", me, fault);
	if (!err)
		err = read_number(l, "members",
		    "`members` and a number belong here", n, fault);
	return err;
}

/* The word for a member without identity. */
static const char none[] = "-";

static enum zp_err
read_member(struct zp_lines *l, const struct zp_convfile *c,
    struct zp_convfile_member *m, struct zp_fault *fault)
{
	struct zp_line line;
	char uid[ZP_NAME_MAX + 1];
	enum zp_err err = zp_lines_want(
	    l, &line, "member", "a `member` line belongs here", fault);

	if (err)
		return err;
	if (!zp_line_topic(&line, m->p) ||
	    !zp_line_bytes(&line, m->sid, sizeof(m->sid)) ||
	    (!zp_line_is(&line, none) &&
		!zp_line_bytes(&line, m->idkey, sizeof(m->idkey))) ||
	    !zp_line_name(&line, m->uid))
		return zp_fault_set(
		    fault, ZP_ERR_FORMAT, l->number, "no member's line");
	if (zp_pseudo_open(uid, c->amac, c->aenc, m->p) != ZP_OK ||
	    strcmp(uid, m->uid) != 0)
		return zp_fault_set(fault, ZP_ERR_CORRUPT, l->number,
		    "the pseudonym is not this member's");
	return ZP_OK;
}

/* From a head of its own size to one with room for its members. */
static enum zp_err
read_members(struct zp_lines *l, struct zp_convfile **c,
    const struct zp_convfile *head, uint64_t me, uint64_t n,
    struct zp_fault *fault)
{
	enum zp_err err = ZP_OK;

	if (n < 2 || n > ZP_CONVFILE_MEMBERS || me < 1 || me > n)
		return zp_fault_set(fault, ZP_ERR_FORMAT, l->number,
		    "2 to 1024 members, and `me` one of them");
	struct zp_convfile *full = zp_convfile_new((size_t)n);
	if (full == NULL)
		return ZP_ERR_MEMORY;
	memcpy(full, head, sizeof(*full));
	full->n = (size_t)n;
	full->me = (size_t)me - 1;
	for (size_t i = 0; !err && i < full->n; i++)
		err = read_member(l, full, &full->members[i], fault);
	if (!err)
		err = zp_lines_finish(l, fault);
	if (err)
		zp_convfile_free(full);
	else
		*c = full;
	return err;
}

enum zp_err
zp_convfile_parse(struct zp_convfile **c, const char *text, size_t len,
    struct zp_fault *fault)
{
	struct zp_lines l;
	uint64_t me = 0, n = 0;
	struct zp_convfile *head = zp_secret_new(sizeof(*head));

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (head == NULL)
		return ZP_ERR_MEMORY;
	zp_lines_init(&l, text, len);
	enum zp_err err = zp_lines_magic(&l, "zpinc-conversation", fault);
	if (!err)
		err = read_head(&l, head, &me, &n, fault);
	if (!err && head->suite != ZP_SUITE_ZP1)
		err = zp_fault_set(fault, ZP_ERR_SUITE, 0,
		    "conversations of this suite are not kept in files");
	if (!err)
		err = read_members(&l, c, head, me, n, fault);
	zp_convfile_free(head);
	return err;
}

static void
put_head(struct zp_writer *w, const struct zp_convfile *c)
{
	zp_lines_put(w,
	    "# The key of one zpinc conversation.  Once it is deleted, nobody\n"
	    "# can read what was said.\n"
	    "zpinc-conversation 1\n"
	    "suite zp1\n"
	    "channel ");
	zp_lines_put_name(w, c->channel);
	zp_lines_put(w, "\namac ");
	zp_lines_put_bytes(w, c->amac, sizeof(c->amac));
	zp_lines_put(w, "\naenc ");
	zp_lines_put_bytes(w, c->aenc, sizeof(c->aenc));
	zp_lines_put(w, "\nid ");
	zp_lines_put_bytes(w, c->id, sizeof(c->id));
	zp_lines_put(w, "\nkey ");
	zp_lines_put_bytes(w, c->key, sizeof(c->key));
	zp_lines_put(w, "\ntime ");
	zp_lines_put_number(w, c->time);
	zp_lines_put(w, "\nme ");
	zp_lines_put_number(w, c->me + 1);
	zp_lines_put(w, "\nmembers ");
	zp_lines_put_number(w, c->n);
	zp_lines_put(w, "\n");
}

static void
put_member(struct zp_writer *w, const struct zp_convfile_member *m)
{
	zp_lines_put(w, "member ");
	zp_lines_put_topic(w, m->p);
	zp_lines_put(w, " ");
	zp_lines_put_bytes(w, m->sid, sizeof(m->sid));
	zp_lines_put(w, " ");
	if (sodium_is_zero(m->idkey, sizeof(m->idkey)))
		zp_lines_put(w, none);
	else
		zp_lines_put_bytes(w, m->idkey, sizeof(m->idkey));
	zp_lines_put(w, " ");
	zp_lines_put_name(w, m->uid);
	zp_lines_put(w, "\n");
}

enum zp_err
zp_convfile_save(
    const struct zp_convfile *c, const char *path, enum zp_file_how how)
{
	struct zp_writer w;
	size_t cap = ZP_CONVFILE_TEXT_MAX(c->n);
	void *text = zp_secret_new(cap);

	if (text == NULL)
		return ZP_ERR_MEMORY;
	zp_writer_init(&w, text, cap);
	put_head(&w, c);
	for (size_t i = 0; i < c->n; i++)
		put_member(&w, &c->members[i]);
	enum zp_err err =
	    w.bad ? ZP_ERR_TOO_LONG : zp_file_write(path, text, w.len, how);
	zp_secret_free(text);
	return err;
}
