#include "store/zp_outstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_cursor.h"
#include "base/zp_io.h"
#include "store/zp_lines.h"

#define MAGIC "zpinc-notes"
/* Written anew when more than this is struck out, and more than is kept. */
#define GARBAGE (1u << 20)
#define HEAD_MAX 160

struct note {
	struct zp_outstore_note n;
	char *text;
	size_t cost; /* bytes in the file */
};

struct zp_outstore {
	char *path;
	int lock, fd;
	struct note *notes;
	size_t n, cap;
	size_t bytes; /* of what is kept */
	size_t garbage; /* of what is struck out */
	bool unsynced;
	bool torn; /* a write failed: the file is to be written anew */
};

static enum zp_err
rewrite(struct zp_outstore *s);

/* Appends in one write, so that a crash tears at most the end. */
static enum zp_err
append(struct zp_outstore *s, const char *entry, size_t len)
{
	if (s->torn)
		return rewrite(s); /* which has it */
	enum zp_err err = zp_io_write_all(s->fd, entry, len);
	s->torn = err != ZP_OK;
	s->unsynced = true;
	return err;
}

static void
drop(struct zp_outstore *s, size_t i)
{
	free(s->notes[i].text);
	s->bytes -= s->notes[i].cost;
	s->garbage += s->notes[i].cost;
	s->n--;
	memmove(
	    &s->notes[i], &s->notes[i + 1], (s->n - i) * sizeof(s->notes[0]));
}

void
zp_outstore_free(struct zp_outstore *s)
{
	if (s == NULL)
		return;
	while (s->n > 0)
		drop(s, s->n - 1);
	free(s->notes);
	if (s->fd >= 0)
		close(s->fd);
	if (s->lock >= 0)
		zp_file_unlock(s->lock);
	free(s->path);
	free(s);
}

static enum zp_err
keep(struct zp_outstore *s, const struct zp_outstore_note *note, size_t head)
{
	if (s->n >= ZP_OUTSTORE_MOST ||
	    s->bytes + note->len + head > ZP_OUTSTORE_BYTES)
		return ZP_ERR_FULL;
	if (s->n == s->cap) {
		size_t cap = s->cap > 0 ? 2 * s->cap : 64;
		struct note *more = realloc(s->notes, cap * sizeof(*more));
		if (more == NULL)
			return ZP_ERR_MEMORY;
		s->notes = more;
		s->cap = cap;
	}
	struct note *n = &s->notes[s->n];
	n->text = malloc(note->len);
	if (n->text == NULL)
		return ZP_ERR_MEMORY;
	memcpy(n->text, note->lines, note->len);
	n->n = *note;
	n->n.lines = n->text;
	n->cost = note->len + head;
	s->bytes += n->cost;
	s->n++;
	return ZP_OK;
}

/* "+ SID SEQ TIME LEN\n" or "- SID SEQ\n"; the length. */
static size_t
put_head(char to[static HEAD_MAX], char sign, const uint8_t *sid, uint64_t seq,
    const struct zp_outstore_note *note)
{
	struct zp_writer w;
	const char start[3] = {sign, ' ', '\0'};

	zp_writer_init(&w, to, HEAD_MAX);
	zp_lines_put(&w, start);
	zp_lines_put_bytes(&w, sid, ZP_SID_LEN);
	zp_lines_put(&w, " ");
	zp_lines_put_number(&w, seq);
	if (note != NULL) {
		zp_lines_put(&w, " ");
		zp_lines_put_number(&w, note->time);
		zp_lines_put(&w, " ");
		zp_lines_put_number(&w, note->len);
	}
	zp_lines_put(&w, "\n");
	return w.len;
}

/* ---- reading ------------------------------------------------------------- */

static size_t
find(const struct zp_outstore *s, const uint8_t *sid, uint64_t seq)
{
	size_t i = 0;

	while (i < s->n &&
	    (s->notes[i].n.seq != seq ||
		memcmp(s->notes[i].n.sid, sid, ZP_SID_LEN) != 0))
		i++;
	return i;
}

/* One entry at text; *used its bytes, 0 if its end is not there. */
static enum zp_err
read_entry(struct zp_outstore *s, const char *text, size_t len, size_t *used)
{
	const char *nl = memchr(text, '\n', len);
	struct zp_outstore_note note = {.len = 0};
	struct zp_line line;
	uint64_t size = 0;

	*used = 0;
	if (nl == NULL)
		return ZP_OK;
	size_t head = (size_t)(nl - text) + 1;
	line = (struct zp_line){text, head - 1};
	bool adds = zp_line_is(&line, "+");
	if ((!adds && !zp_line_is(&line, "-")) ||
	    !zp_line_bytes(&line, note.sid, sizeof(note.sid)) ||
	    !zp_line_number(&line, &note.seq) ||
	    (adds &&
		(!zp_line_number(&line, &note.time) ||
		    !zp_line_number(&line, &size))) ||
	    !zp_line_end(&line) || size > ZP_OUTSTORE_BYTES)
		return ZP_ERR_CORRUPT;
	if (!adds) {
		size_t i = find(s, note.sid, note.seq);
		if (i < s->n)
			drop(s, i);
		*used = head;
		return ZP_OK;
	}
	if (size > len - head)
		return ZP_OK;
	note.lines = text + head;
	note.len = (size_t)size;
	*used = head + note.len;
	if (size == 0 || note.lines[size - 1] != '\n')
		return ZP_ERR_CORRUPT;
	return keep(s, &note, head);
}

static enum zp_err
read_all(
    struct zp_outstore *s, const char *text, size_t len, struct zp_fault *fault)
{
	struct zp_lines lines;
	const char *nl = memchr(text, '\n', len);
	size_t at, used;

	/* A file that was being made. */
	if (nl == NULL)
		return ZP_OK;
	at = (size_t)(nl - text) + 1;
	zp_lines_init(&lines, text, at);
	enum zp_err err = zp_lines_magic(&lines, MAGIC, fault);
	while (!err && at < len) {
		err = read_entry(s, text + at, len - at, &used);
		if (err)
			zp_fault_set(fault, err, 0, NULL);
		if (used == 0)
			break; /* torn: the process died over it */
		at += used;
	}
	return err;
}

/* ---- writing ------------------------------------------------------------- */

/* The whole file anew; then it is open for appending. */
static enum zp_err
rewrite(struct zp_outstore *s)
{
	struct zp_out text;
	char head[HEAD_MAX];
	enum zp_err err = zp_out_init(&text, -1, s->bytes + 4096);

	if (err)
		return err;
	err = zp_out_put(&text, MAGIC " 1\n", sizeof(MAGIC " 1\n") - 1);
	for (size_t i = 0; i < s->n && !err; i++) {
		const struct zp_outstore_note *n = &s->notes[i].n;
		err = zp_out_put(
		    &text, head, put_head(head, '+', n->sid, n->seq, n));
		if (!err)
			err = zp_out_put(&text, n->lines, n->len);
	}
	if (!err)
		err = zp_file_write_locked(s->path, text.data, text.len);
	zp_out_free(&text);
	if (err)
		return err;
	int fd = open(s->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ZP_ERR_IO;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->garbage = 0;
	s->unsynced = s->torn = false;
	return ZP_OK;
}

enum zp_err
zp_outstore_open(
    struct zp_outstore **store, const char *path, struct zp_fault *fault)
{
	struct zp_outstore *s = calloc(1, sizeof(*s));
	char *text = NULL;
	size_t len = 0;

	if (s == NULL)
		return ZP_ERR_MEMORY;
	s->lock = s->fd = -1;
	s->path = strdup(path);
	enum zp_err err = s->path != NULL ? ZP_OK : ZP_ERR_MEMORY;
	if (!err)
		err = zp_file_lock(path, 0, &s->lock, fault);
	if (!err)
		err = zp_file_read_state(
		    path, 2 * ZP_OUTSTORE_BYTES, &text, &len, fault);
	if (err == ZP_ERR_NOT_FOUND)
		err = ZP_OK;
	else if (!err)
		err = read_all(s, text, len, fault);
	free(text);
	if (!err)
		err = rewrite(s);
	if (err) {
		zp_outstore_free(s);
		return err;
	}
	*store = s;
	return ZP_OK;
}

const struct zp_outstore_note *
zp_outstore_at(const struct zp_outstore *s, size_t i)
{
	return i < s->n ? &s->notes[i].n : NULL;
}

enum zp_err
zp_outstore_add(struct zp_outstore *s, const struct zp_outstore_note *note)
{
	char head[HEAD_MAX];
	size_t n = put_head(head, '+', note->sid, note->seq, note);
	char *entry = malloc(n + note->len);

	if (entry == NULL)
		return ZP_ERR_MEMORY;
	enum zp_err err = keep(s, note, n);
	if (!err) {
		memcpy(entry, head, n);
		memcpy(entry + n, note->lines, note->len);
		err = append(s, entry, n + note->len);
	}
	free(entry);
	return err;
}

enum zp_err
zp_outstore_remove(
    struct zp_outstore *s, const uint8_t sid[static ZP_SID_LEN], uint64_t seq)
{
	size_t i = find(s, sid, seq);
	char head[HEAD_MAX];

	if (i == s->n)
		return ZP_OK;
	drop(s, i);
	if (s->garbage > GARBAGE && s->garbage > s->bytes)
		return rewrite(s);
	size_t n = put_head(head, '-', sid, seq, NULL);
	s->garbage += n;
	return append(s, head, n);
}

enum zp_err
zp_outstore_sync(struct zp_outstore *s)
{
	if (!s->unsynced)
		return ZP_OK;
	if (s->torn)
		return rewrite(s);
	if (fdatasync(s->fd) != 0 && errno != EINVAL) {
		/* Asked again, the system would say that all is well. */
		s->torn = true;
		return ZP_ERR_IO;
	}
	s->unsynced = false;
	return ZP_OK;
}
