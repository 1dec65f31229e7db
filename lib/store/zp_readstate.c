#include "store/zp_readstate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/zp_lines.h"
#include "store/zp_path.h"

/* `session`, P, sid, kind, nine numbers, what is missing far behind;
   `channel`, RP and a number. */
#define LINE_MAX_CHARS \
	(8 + 65 + 23 + 4 + 9 * 21 + (1 + 2 * ZP_REPLAY_HOLES) * 21 + 1)
#define CHANNEL_LINES_MAX ((size_t)LINE_MAX_CHARS * (ZP_REPLAY_SESSIONS + 1))
#define FILE_MAX (256 + CHANNEL_LINES_MAX * ZP_READSTATE_CHANNELS)

struct channel {
	uint8_t rp[ZP_PSEUDONYM_LEN];
	struct zp_replay *replay;
};

struct zp_readstate {
	char path[ZP_PATH_MAX];
	struct zp_file_stamp stamp;
	struct channel channels[ZP_READSTATE_CHANNELS];
	size_t n;
	int lock;
	bool begun;
	uint64_t since; /* when the batch began */
};

static enum zp_err
find_or_add(struct zp_readstate *s, const uint8_t *rp, struct zp_replay **r)
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->channels[i].rp, rp, ZP_PSEUDONYM_LEN) == 0) {
			*r = s->channels[i].replay;
			return ZP_OK;
		}
	if (s->n == ZP_READSTATE_CHANNELS)
		return ZP_ERR_FULL;
	struct channel *c = &s->channels[s->n];
	enum zp_err err = zp_replay_new(&c->replay);
	if (err)
		return err;
	zp_replay_keep(c->replay);
	memcpy(c->rp, rp, ZP_PSEUDONYM_LEN);
	s->n++;
	*r = c->replay;
	return ZP_OK;
}

/* ---- the file ---- */

/* At the end of a session's line, if there are any. */
static bool
parse_holes(struct zp_line *line, struct zp_replay_session *s)
{
	if (!zp_line_number(line, &s->sure))
		return false;
	while (!zp_line_end(line)) {
		struct zp_replay_hole *h = &s->holes[s->n_holes++];
		if (s->n_holes > ZP_REPLAY_HOLES ||
		    !zp_line_number(line, &h->from) ||
		    !zp_line_number(line, &h->to))
			return false;
	}
	return true;
}

static bool
parse_session(struct zp_line *line, struct zp_replay_session *s)
{
	uint64_t kind = 0;

	if (!zp_line_topic(line, s->p) ||
	    !zp_line_bytes(line, s->sid, sizeof(s->sid)) ||
	    !zp_line_number(line, &kind) || kind > UINT8_MAX ||
	    !zp_line_number(line, &s->first) ||
	    !zp_line_number(line, &s->next) ||
	    !zp_line_number(line, &s->seen) ||
	    !zp_line_number(line, &s->told) ||
	    !zp_line_number(line, &s->lost) ||
	    !zp_line_number(line, &s->announced) ||
	    !zp_line_number(line, &s->told_to) ||
	    !zp_line_number(line, &s->latest) ||
	    !zp_line_number(line, &s->before))
		return false;
	s->kind = (uint8_t)kind;
	return zp_line_end(line) || parse_holes(line, s);
}

/* A line `channel RP FLOOR`; *r is that channel's, emptied. */
static enum zp_err
parse_channel(
    struct zp_readstate *s, struct zp_line *line, struct zp_replay **r)
{
	uint8_t rp[ZP_PSEUDONYM_LEN];
	uint64_t floor;

	if (!zp_line_topic(line, rp) || !zp_line_number(line, &floor) ||
	    !zp_line_end(line))
		return ZP_ERR_CORRUPT;
	enum zp_err err = find_or_add(s, rp, r);
	if (err)
		return err;
	zp_replay_clear(*r);
	zp_replay_set_floor(*r, floor);
	zp_replay_established(*r, true);
	return ZP_OK;
}

static enum zp_err
parse(struct zp_readstate *s, struct zp_lines *l)
{
	struct zp_line line;
	struct zp_replay *r = NULL;
	enum zp_err err = ZP_OK;

	while (!err && zp_lines_next(l, &line)) {
		struct zp_replay_session one = {0};
		if (zp_line_is(&line, "channel"))
			err = parse_channel(s, &line, &r);
		else if (r == NULL || !zp_line_is(&line, "session") ||
		    !parse_session(&line, &one))
			err = ZP_ERR_CORRUPT;
		else
			err = zp_replay_put(r, &one);
	}
	if (err == ZP_ERR_MEMORY)
		return err;
	return err || l->bad != NULL ? ZP_ERR_CORRUPT : ZP_OK;
}

/* The whole text, its check included. */
static enum zp_err
parse_text(struct zp_readstate *s, const char *text, size_t len,
    struct zp_fault *fault)
{
	struct zp_lines l;

	zp_lines_init(&l, text, len);
	enum zp_err err = zp_lines_magic(&l, "zpinc-read", fault);
	if (err == ZP_ERR_VERSION)
		return err;
	if (err)
		return zp_fault_set(
		    fault, ZP_ERR_CORRUPT, 0, "not a state file of zpinc-open");
	if (!zp_lines_checked(text, &len))
		return zp_fault_set(fault, ZP_ERR_CORRUPT, 0,
		    "damaged, and with it the memory of what was shown");
	zp_lines_init(&l, text, len);
	err = zp_lines_magic(&l, "zpinc-read", fault);
	if (!err)
		err = parse(s, &l);
	if (err == ZP_ERR_CORRUPT)
		zp_fault_set(fault, err, l.number, "no line of a state file");
	return err;
}

/* Takes over what the file says.  A file that has gone changes nothing. */
static enum zp_err
load(struct zp_readstate *s, struct zp_fault *fault)
{
	struct zp_file_stamp stamp;
	char *text = NULL;
	size_t len = 0;
	enum zp_err err = zp_file_stamp(s->path, &stamp);

	if (err || zp_file_stamp_same(&stamp, &s->stamp))
		return err;
	err = zp_file_read_state(s->path, FILE_MAX, &text, &len, fault);
	if (err == ZP_ERR_NOT_FOUND)
		return ZP_OK;
	if (err == ZP_ERR_TOO_LONG)
		return zp_fault_set(fault, ZP_ERR_CORRUPT, 0, "too long");
	if (err)
		return err;
	for (size_t i = 0; i < s->n; i++)
		zp_replay_clear(s->channels[i].replay);
	err = parse_text(s, text, len, fault);
	free(text);
	if (!err)
		s->stamp = stamp;
	return err;
}

static void
put_holes(struct zp_writer *w, const struct zp_replay_session *s)
{
	zp_lines_put(w, " ");
	zp_lines_put_number(w, s->sure);
	for (size_t i = 0; i < s->n_holes; i++) {
		zp_lines_put(w, " ");
		zp_lines_put_number(w, s->holes[i].from);
		zp_lines_put(w, " ");
		zp_lines_put_number(w, s->holes[i].to);
	}
}

static void
put_session(struct zp_writer *w, const struct zp_replay_session *s)
{
	const uint64_t numbers[] = {s->kind, s->first, s->next, s->seen,
	    s->told, s->lost, s->announced, s->told_to, s->latest, s->before};

	zp_lines_put(w, "session ");
	zp_lines_put_topic(w, s->p);
	zp_lines_put(w, " ");
	zp_lines_put_bytes(w, s->sid, sizeof(s->sid));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		zp_lines_put(w, " ");
		zp_lines_put_number(w, numbers[i]);
	}
	if (s->sure > 0 || s->n_holes > 0)
		put_holes(w, s);
	zp_lines_put(w, "\n");
}

static void
put_channel(struct zp_writer *w, const struct channel *c)
{
	zp_lines_put(w, "channel ");
	zp_lines_put_topic(w, c->rp);
	zp_lines_put(w, " ");
	zp_lines_put_number(w, zp_replay_floor(c->replay));
	zp_lines_put(w, "\n");
	for (size_t i = 0; i < zp_replay_count(c->replay); i++)
		put_session(w, zp_replay_at(c->replay, i));
}

static enum zp_err
save(struct zp_readstate *s)
{
	struct zp_writer w;
	size_t cap = 256;

	for (size_t i = 0; i < s->n; i++)
		cap += (zp_replay_count(s->channels[i].replay) + 1) *
		    LINE_MAX_CHARS;
	char *text = malloc(cap);
	if (text == NULL)
		return ZP_ERR_MEMORY;
	zp_writer_init(&w, text, cap);
	zp_lines_put(&w, "zpinc-read 1\n");
	for (size_t i = 0; i < s->n; i++)
		put_channel(&w, &s->channels[i]);
	zp_lines_put_check(&w);
	enum zp_err err = w.bad ? ZP_ERR_TOO_LONG
				: zp_file_write_locked(s->path, text, w.len);
	free(text);
	if (!err)
		err = zp_file_stamp(s->path, &s->stamp);
	return err;
}

/* ---- what others call ---- */

enum zp_err
zp_readstate_open(
    struct zp_readstate **s, const char *path, struct zp_fault *fault)
{
	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (strlen(path) >= ZP_PATH_MAX)
		return ZP_ERR_TOO_LONG;
	struct zp_readstate *n = calloc(1, sizeof(*n));
	if (n == NULL)
		return ZP_ERR_MEMORY;
	n->lock = -1;
	memcpy(n->path, path, strlen(path) + 1);
	enum zp_err err = zp_file_plain(path, fault);
	if (!err)
		err = load(n, fault);
	if (err)
		zp_readstate_free(n);
	else
		*s = n;
	return err;
}

void
zp_readstate_free(struct zp_readstate *s)
{
	if (s == NULL)
		return;
	if (s->begun)
		zp_file_unlock(s->lock);
	for (size_t i = 0; i < s->n; i++)
		zp_replay_free(s->channels[i].replay);
	free(s);
}

enum zp_err
zp_readstate_channel(struct zp_readstate *s,
    const uint8_t rp[static ZP_PSEUDONYM_LEN], struct zp_replay **r)
{
	return find_or_add(s, rp, r);
}

enum zp_err
zp_readstate_begin(struct zp_readstate *s, uint64_t now, struct zp_fault *fault)
{
	zp_fault_set(fault, ZP_OK, 0, NULL);
	enum zp_err err =
	    zp_file_lock(s->path, ZP_FILE_WAIT_MS, &s->lock, fault);
	if (err)
		return err;
	err = load(s, fault);
	if (err) {
		zp_file_unlock(s->lock);
		return err;
	}
	s->begun = true;
	s->since = now;
	return ZP_OK;
}

bool
zp_readstate_begun(const struct zp_readstate *s)
{
	return s->begun;
}

bool
zp_readstate_due(const struct zp_readstate *s, bool about_to_wait, uint64_t now)
{
	return s->begun &&
	    (about_to_wait || now - s->since >= ZP_READSTATE_BATCH_MS);
}

enum zp_err
zp_readstate_end(struct zp_readstate *s, struct zp_fault *fault)
{
	enum zp_err err = ZP_OK;
	bool dirty = false;

	zp_fault_set(fault, ZP_OK, 0, NULL);
	if (!s->begun)
		return ZP_OK;
	for (size_t i = 0; i < s->n; i++)
		dirty = dirty || zp_replay_dirty(s->channels[i].replay);
	if (dirty)
		err = save(s);
	for (size_t i = 0; dirty && !err && i < s->n; i++)
		zp_replay_saved(s->channels[i].replay);
	s->begun = false;
	zp_file_unlock(s->lock);
	return err;
}
