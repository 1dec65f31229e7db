#include "store/zp_sendstate.h"

#include <stdlib.h>
#include <string.h>

#include "crypt/zp_secret.h"
#include "store/zp_lines.h"
#include "store/zp_path.h"

#define TEXT_MAX 1024

/* What the file says. */
struct content {
	struct zp_sigctx ctx;
	uint8_t sid[ZP_SID_LEN];
	uint64_t next;
};

struct zp_sendstate {
	char path[ZP_PATH_MAX];
	struct content known; /* as we saw or wrote it last */
};

/* The file's lines; the check has been cut off. */
static bool
parse(struct zp_lines *l, struct content *c)
{
	struct zp_line line;

	return zp_lines_next(l, &line) && zp_line_is(&line, "topic") &&
	    zp_line_topic(&line, c->ctx.rp) && zp_line_end(&line) &&
	    zp_lines_next(l, &line) && zp_line_is(&line, "sender") &&
	    zp_line_topic(&line, c->ctx.p) && zp_line_end(&line) &&
	    zp_lines_next(l, &line) && zp_line_is(&line, "conversation") &&
	    zp_line_bytes(&line, c->ctx.keyid, ZP_KEYID_LEN) &&
	    zp_line_end(&line) && zp_lines_next(l, &line) &&
	    zp_line_is(&line, "sid") &&
	    zp_line_bytes(&line, c->sid, ZP_SID_LEN) && zp_line_end(&line) &&
	    zp_lines_next(l, &line) && zp_line_is(&line, "next") &&
	    zp_line_number(&line, &c->next) && zp_line_end(&line) &&
	    !zp_lines_next(l, &line) && l->bad == NULL;
}

/* Reads it, whosever it is. */
static enum zp_err
load(const char *path, struct content *c, struct zp_fault *fault)
{
	struct zp_lines l;
	char *text = NULL;
	size_t len = 0;
	enum zp_err err =
	    zp_file_read_state(path, TEXT_MAX, &text, &len, fault);

	if (err == ZP_ERR_TOO_LONG)
		return zp_fault_set(
		    fault, ZP_ERR_CORRUPT, 0, "not a state file of zpinc-seal");
	if (err)
		return err;
	zp_lines_init(&l, text, len);
	err = zp_lines_magic(&l, "zpinc-send", fault);
	if (err == ZP_ERR_FORMAT)
		err = zp_fault_set(
		    fault, ZP_ERR_CORRUPT, 0, "not a state file of zpinc-seal");
	if (!err && zp_lines_checked(text, &len)) {
		zp_lines_init(&l, text, len);
		err = zp_lines_magic(&l, "zpinc-send", fault);
		if (!err && !parse(&l, c))
			err = zp_fault_set(fault, ZP_ERR_CORRUPT, l.number,
			    "damaged, and with it the numbers in use");
	} else if (!err) {
		err = zp_fault_set(fault, ZP_ERR_CORRUPT, 0,
		    "damaged, and with it the numbers in use");
	}
	free(text);
	return err;
}

static enum zp_err
save(const char *path, const struct content *c)
{
	char text[TEXT_MAX];
	struct zp_writer w;

	zp_writer_init(&w, text, sizeof(text));
	zp_lines_put(&w, "zpinc-send 1\ntopic ");
	zp_lines_put_topic(&w, c->ctx.rp);
	zp_lines_put(&w, "\nsender ");
	zp_lines_put_topic(&w, c->ctx.p);
	zp_lines_put(&w, "\nconversation ");
	zp_lines_put_bytes(&w, c->ctx.keyid, ZP_KEYID_LEN);
	zp_lines_put(&w, "\nsid ");
	zp_lines_put_bytes(&w, c->sid, ZP_SID_LEN);
	zp_lines_put(&w, "\nnext ");
	zp_lines_put_number(&w, c->next);
	zp_lines_put(&w, "\n");
	zp_lines_put_check(&w);
	return w.bad ? ZP_ERR_TOO_LONG
		     : zp_file_write_locked(path, text, w.len);
}

/* Numbers of one session must not go out under another's name. */
static enum zp_err
check_owner(const struct zp_sigctx *ours, const struct zp_sigctx *file,
    struct zp_fault *fault)
{
	const char *what = NULL;

	if (memcmp(ours->rp, file->rp, sizeof(ours->rp)) != 0)
		what = "belongs to another channel or key";
	else if (memcmp(ours->p, file->p, sizeof(ours->p)) != 0)
		what = "belongs to another sender";
	else if (memcmp(ours->keyid, file->keyid, sizeof(ours->keyid)) != 0)
		what = "belongs to another conversation, or to notes";
	return what ? zp_fault_set(fault, ZP_ERR_USAGE, 0, what) : ZP_OK;
}

/* Under the lock: what the file says, or a new session if there is none. */
static enum zp_err
load_or_begin(
    struct zp_sendstate *s, const struct zp_sigctx *ctx, struct zp_fault *fault)
{
	enum zp_err err = load(s->path, &s->known, fault);

	if (!err)
		return check_owner(ctx, &s->known.ctx, fault);
	if (err != ZP_ERR_NOT_FOUND)
		return err;
	s->known.ctx = *ctx;
	s->known.next = 0;
	zp_secret_random(s->known.sid, sizeof(s->known.sid));
	return save(s->path, &s->known);
}

enum zp_err
zp_sendstate_open(struct zp_sendstate **s, const char *path,
    const struct zp_sigctx *ctx, uint8_t sid[static ZP_SID_LEN],
    struct zp_fault *fault)
{
	int lock;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (strlen(path) >= ZP_PATH_MAX)
		return ZP_ERR_TOO_LONG;
	struct zp_sendstate *n = calloc(1, sizeof(*n));
	if (n == NULL)
		return ZP_ERR_MEMORY;
	memcpy(n->path, path, strlen(path) + 1);
	enum zp_err err = zp_file_lock(path, ZP_FILE_WAIT_MS, &lock, fault);
	if (!err) {
		err = load_or_begin(n, ctx, fault);
		zp_file_unlock(lock);
	}
	if (err) {
		free(n);
		return err;
	}
	memcpy(sid, n->known.sid, ZP_SID_LEN);
	*s = n;
	return ZP_OK;
}

void
zp_sendstate_free(struct zp_sendstate *s)
{
	free(s);
}

/* Under the lock: how far the session is, whoever moved it. */
static enum zp_err
catch_up(struct zp_sendstate *s, struct zp_fault *fault)
{
	struct content now = {0};
	enum zp_err err = load(s->path, &now, fault);

	if (err == ZP_ERR_NOT_FOUND)
		return ZP_OK; /* deleted: written again, from here on */
	if (!err)
		err = check_owner(&s->known.ctx, &now.ctx, fault);
	if (!err && memcmp(now.sid, s->known.sid, ZP_SID_LEN) != 0)
		err = zp_fault_set(fault, ZP_ERR_CORRUPT, 0,
		    "another session was put in its place");
	if (!err && now.next > s->known.next)
		s->known.next = now.next;
	return err;
}

enum zp_err
zp_sendstate_reserve(
    struct zp_sendstate *s, uint64_t n, uint64_t *first, struct zp_fault *fault)
{
	int lock;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (n == 0)
		return ZP_ERR_USAGE;
	enum zp_err err = zp_file_lock(s->path, ZP_FILE_WAIT_MS, &lock, fault);
	if (err)
		return err;
	err = catch_up(s, fault);
	struct content after = s->known;
	if (!err &&
	    (after.next > ZP_SEQ_MAX || n - 1 > ZP_SEQ_MAX - after.next))
		err = ZP_ERR_ENDED;
	after.next += n;
	if (!err)
		err = save(s->path, &after);
	zp_file_unlock(lock);
	if (err)
		return err;
	*first = s->known.next;
	s->known.next = after.next;
	return ZP_OK;
}
