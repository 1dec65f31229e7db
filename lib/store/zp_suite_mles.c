#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_b64.h"
#include "base/zp_text.h"
#include "crypt/zp_scratch.h"
#include "mles/zp_mles_file.h"
#include "mles/zp_mles_notes.h"
#include "mles/zp_mles_record.h"
#include "mles/zp_mles_seen.h"
#include "store/zp_keyfile.h"
#include "store/zp_suite.h"

/* The MlesTalk suite, zpinc-mles(7): notes and files. */

static const char *const warning[] = {
    "a key of suite mles: for talking to MlesTalk, not for secrets",
    "whoever sees a message can try passwords, and each try is cheap",
    "a relay can put another sender on a message, and play old ones again",
    "members' keys are not confirmed; zpinc-mles(7) has all of it",
    NULL,
};

/* ---- keys ---- */

static bool
is_name(const char *name, size_t len)
{
	struct zp_mles_name n;

	if (len == 0 || zp_mles_text_name(&n, name, len) != ZP_OK ||
	    zp_mles_text_blocks(&n) || !zp_text_is_utf8(name, len))
		return false;
	/* As in zp_text_is_name(): no controls. */
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)name[i], d = (uint8_t)name[i + 1];
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && d >= 0x80 && d < 0xa0))
			return false;
	}
	return true;
}

/* Keeps the channel's name as typed beside the key. */
static enum zp_err
keep_channel(struct zp_keyfile *kf, const char *channel)
{
	kf->channel = strdup(channel);
	if (kf->channel != NULL)
		return ZP_OK;
	zp_mles_key_free(kf->mles);
	kf->mles = NULL;
	return ZP_ERR_MEMORY;
}

static enum zp_err
derive(struct zp_keyfile *kf, const uint8_t *password, size_t len,
    const char *channel, unsigned work)
{
	/* The format takes an empty one; we do not. */
	if (len == 0)
		return ZP_ERR_PASSWORD;
	if (work != ZP_MLES_WORK)
		return ZP_ERR_USAGE;
	if (!is_name(channel, strlen(channel)))
		return ZP_ERR_NAME;
	enum zp_err err = zp_mles_key_derive(&kf->mles, password, len, channel);
	return err ? err : keep_channel(kf, channel);
}

static enum zp_err
load(struct zp_keyfile *kf, const uint8_t *raw, const char *channel,
    unsigned work)
{
	if (work != ZP_MLES_WORK)
		return ZP_ERR_USAGE;
	if (!is_name(channel, strlen(channel)))
		return ZP_ERR_NAME;
	enum zp_err err = zp_mles_key_load(&kf->mles, raw, channel);
	return err ? err : keep_channel(kf, channel);
}

static void
free_key(struct zp_keyfile *kf)
{
	zp_mles_key_free(kf->mles);
	free(kf->channel);
}

static const uint8_t *
raw_of(const struct zp_keyfile *kf)
{
	return zp_mles_key_raw(kf->mles);
}

static unsigned
work_of(const struct zp_keyfile *kf)
{
	(void)kf;
	return ZP_MLES_WORK;
}

/* ---- pseudonyms ---- */

_Static_assert(ZP_SUITE_TOPIC_MAX > (ZP_MLES_BOX_MAX + 2) / 3 * 4,
    "an encrypted name in base64");

/* Standard base64 with padding, as on the Mles wire; or as in a record. */
static void
put_box(char *to, const struct zp_mles_box *box, bool record)
{
	size_t n = ZP_B64_CHARS((size_t)box->len);

	zp_b64_write(to, box->bytes, box->len);
	for (size_t i = 0; i < n && !record; i++)
		if (to[i] == '-' || to[i] == '_')
			to[i] = to[i] == '-' ? '+' : '/';
	while (!record && n % 4 != 0)
		to[n++] = '=';
	to[n] = '\0';
}

static bool
topic(const struct zp_keyfile *kf, bool live, bool record,
    char to[static ZP_SUITE_TOPIC_MAX])
{
	if (live)
		return false;
	put_box(to, zp_mles_key_rp(kf->mles), record);
	return true;
}

static enum zp_err
pseudonym(const struct zp_keyfile *kf, const char *uid,
    char to[static ZP_SUITE_TOPIC_MAX])
{
	struct zp_mles_name name;
	struct zp_mles_box box;
	enum zp_err err = zp_mles_text_name(&name, uid, strlen(uid));

	if (err)
		return err;
	zp_mles_key_box(kf->mles, &box, &name);
	put_box(to, &box, false);
	return ZP_OK;
}

/* ---- sealing ---- */

struct zp_speaker {
	struct zp_mles_notes *notes;
	const char *file; /* a media type: bodies in parts are files */
	uint64_t time; /* of the body that has begun */
	uint8_t *data; /* a file so far, cap bytes */
	size_t len, cap;
};

static void
hush(struct zp_speaker *s)
{
	if (s == NULL)
		return;
	zp_mles_notes_free(s->notes);
	if (s->data != NULL)
		sodium_memzero(s->data, s->cap);
	free(s->data);
	free(s);
}

static enum zp_err
speak(struct zp_speaker **to, const struct zp_speaking *how)
{
	struct zp_mles_name uid;
	enum zp_err err = zp_mles_text_name(&uid, how->uid, strlen(how->uid));

	if (err)
		return err;
	struct zp_speaker *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ZP_ERR_MEMORY;
	s->file = how->file;
	err = zp_mles_notes_new(&s->notes, how->kf->mles, &uid);
	if (err)
		hush(s);
	else
		*to = s;
	return err;
}

static enum zp_err
expect(struct zp_speaker *s, uint64_t n, struct zp_fault *fault)
{
	/* Nothing is numbered, and nonces are drawn one by one. */
	(void)s;
	(void)n;
	(void)fault;
	return ZP_OK;
}

static enum zp_err
body(struct zp_speaker *s, uint64_t time, const void *data, size_t len,
    struct zp_out *out)
{
	const char *line;
	size_t n;
	enum zp_err err =
	    zp_mles_notes_text(s->notes, (int64_t)time, data, len, &line, &n);

	return err ? err : zp_out_put(out, line, n);
}

static size_t
room(const struct zp_speaker *s)
{
	(void)s;
	return ZP_MLES_BODY_MAX;
}

static void
begin(struct zp_speaker *s, uint64_t time)
{
	s->time = time;
	s->len = 0;
}

static enum zp_err
gather(struct zp_speaker *s, const void *data, size_t len)
{
	if (len > ZP_MLES_FILE_MAX - s->len)
		return ZP_ERR_TOO_LONG;
	if (len > s->cap - s->len) {
		size_t cap = s->cap * 2 + len;
		uint8_t *more = malloc(cap);
		if (more == NULL)
			return ZP_ERR_MEMORY;
		if (s->data != NULL) {
			memcpy(more, s->data, s->len);
			sodium_memzero(s->data, s->cap);
		}
		free(s->data);
		s->data = more;
		s->cap = cap;
	}
	if (len > 0)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	return ZP_OK;
}

static enum zp_err
put_file(struct zp_speaker *s, struct zp_out *out)
{
	char piece[ZP_MLES_PIECE_DIGITS + ZP_MLES_PIECE_LEN], *url;
	uint32_t start = zp_mles_notes_start();
	const char *line;
	size_t url_len, n;
	uint16_t flags;
	enum zp_err err =
	    zp_mles_file_url(&url, &url_len, s->file, s->data, s->len);

	if (err)
		return err;
	size_t pieces = zp_mles_file_pieces(url_len);
	for (size_t i = 0; i < pieces && !err; i++) {
		size_t len =
		    zp_mles_file_piece(piece, &flags, url, url_len, i, start);
		err = zp_mles_notes_frame(
		    s->notes, (int64_t)s->time, flags, piece, len, &line, &n);
		if (!err)
			err = zp_out_put(out, line, n);
	}
	sodium_memzero(url, url_len);
	free(url);
	return err;
}

static enum zp_err
part(struct zp_speaker *s, const void *data, size_t len, bool last,
    struct zp_out *out)
{
	if (s->file == NULL)
		return last ? body(s, s->time, data, len, out)
			    : ZP_ERR_TOO_LONG;
	enum zp_err err = gather(s, data, len);
	return err || !last ? err : put_file(s, out);
}

/* ---- opening ---- */

struct zp_listener {
	struct zp_listening how;
	struct zp_mles_seen *seen;
	struct zp_mles_files *files;
	struct zp_mles_raw raw;
	struct zp_mles_opened opened;
	struct zp_scratch plain; /* the opened plaintext */
	uint8_t sid[ZP_SID_LEN]; /* the frame's, zeros behind */
	char uid[ZP_MLES_NAME_MAX + 1];
	/* what is there to show */
	bool ready;
	size_t text_len; /* of a text, decoded where it lies */
	struct zp_mles_file file; /* or a file */
};

static void
deafen(struct zp_listener *l)
{
	if (l == NULL)
		return;
	zp_mles_seen_free(l->seen);
	zp_mles_files_free(l->files);
	zp_mles_record_free(&l->raw);
	zp_mles_file_free(&l->file);
	zp_scratch_free(&l->plain);
	free(l);
}

static enum zp_err
listen_to(struct zp_listener **to, const struct zp_listening *how)
{
	struct zp_listener *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ZP_ERR_MEMORY;
	l->how = *how;
	l->seen = zp_mles_seen_random();
	l->files = zp_mles_files_new();
	if (l->seen == NULL || l->files == NULL) {
		deafen(l);
		return ZP_ERR_MEMORY;
	}
	*to = l;
	return ZP_OK;
}

static bool
is_ours(const struct zp_listener *l, const struct zp_record *rec)
{
	char rp[ZP_SUITE_TOPIC_MAX];

	if (rec->prefix != ZP_PREFIX_ML1)
		return false;
	put_box(rp, zp_mles_key_rp(l->how.kf->mles), true);
	return strlen(rp) == rec->rp_len &&
	    memcmp(rp, rec->rp, rec->rp_len) == 0;
}

static enum zp_heard_what
what_is(const struct zp_mles_frame *f)
{
	if (f->flags & (ZP_MLES_PRESENCE | ZP_MLES_PRESENCE_ACK))
		return ZP_HEARD_NOTHING;
	if (f->flags & (ZP_MLES_FULL | ZP_MLES_DATA | ZP_MLES_MULTIPART))
		return ZP_HEARD_BODY;
	return ZP_HEARD_TYPING;
}

static enum zp_err
open_record(
    struct zp_listener *l, const struct zp_record *rec, struct zp_heard *h)
{
	struct zp_mles_key *key = l->how.kf->mles;
	struct zp_mles_layer *layer = zp_mles_key_layer(key);
	enum zp_err err = zp_mles_record_read(&l->raw, rec);

	if (!err)
		err = zp_scratch_need(&l->plain, l->raw.len);
	if (err)
		return err == ZP_ERR_MEMORY ? err : ZP_ERR_NOT_OURS;
	err = zp_mles_record_open(
	    &l->opened, l->plain.data, key, &layer, 1, &l->raw);
	if (err)
		return err;
	if (!zp_mles_text_uid(l->uid, &l->opened.uid))
		return ZP_ERR_FORGED;
	memset(l->sid, 0, sizeof(l->sid));
	memcpy(l->sid, l->opened.frame.sid, ZP_MLES_SID_LEN);
	*h = (struct zp_heard){.what = what_is(&l->opened.frame),
	    .uid = l->uid,
	    .time = (uint64_t)l->opened.frame.time};
	return ZP_OK;
}

static enum zp_again
again(struct zp_listener *l)
{
	switch (zp_mles_seen_check(
	    l->seen, &l->opened.uid, l->raw.message, &l->opened.frame)) {
	case ZP_MLES_FRESH:
		break;
	case ZP_MLES_DUPLICATE:
	case ZP_MLES_RESENT:
		return ZP_AGAIN_SHOWN;
	case ZP_MLES_OTHER_NAME:
		return ZP_AGAIN_RELABELLED;
	}
	return ZP_AGAIN_NEW;
}

static void
lost(const struct zp_listener *l, enum zp_err why)
{
	l->how.lost(
	    l->how.arg, l->uid, (uint64_t)l->opened.frame.time, why, false);
}

static enum zp_err
add(struct zp_listener *l, uint64_t now)
{
	struct zp_mles_frame *f = &l->opened.frame;
	bool done = true, cut = false;

	(void)now;
	zp_mles_file_free(&l->file);
	l->ready = false;
	if (!zp_mles_files_is_piece(f)) {
		uint8_t *text = l->plain.data + (f->body - l->plain.data);
		l->text_len = zp_mles_text_decode(text, text, f->body_len);
		l->ready = true;
		return ZP_OK;
	}
	enum zp_err err = zp_mles_files_take(
	    l->files, &l->opened.uid, f, &l->file, &done, &cut);
	if (err == ZP_ERR_MEMORY)
		return err;
	/* Of a file that is lost already, only the last piece is told. */
	if (err ? err != ZP_ERR_CUT || (f->flags & ZP_MLES_LAST) != 0 : cut)
		lost(l, err ? err : ZP_ERR_CUT);
	l->ready = !err && done;
	return ZP_OK;
}

static bool
next(struct zp_listener *l, struct zp_piece_shown *to)
{
	const struct zp_mles_frame *f = &l->opened.frame;
	bool is_file = l->file.data != NULL;

	if (!l->ready)
		return false;
	l->ready = false;
	to->what = (struct zp_shown){.kind = ZP_KIND_NOTE,
	    .channel = zp_keyfile_channel(l->how.kf),
	    .uid = l->uid,
	    .time = (uint64_t)f->time,
	    .sid = l->sid,
	    .data = is_file ? l->file.data : f->body,
	    .len = is_file ? l->file.len : l->text_len,
	    .type = is_file ? l->file.type : NULL,
	    .partial = what_is(f) == ZP_HEARD_TYPING};
	to->begins = to->ends = true;
	to->restored = false;
	return true;
}

static enum zp_err
shown(struct zp_listener *l, uint64_t now)
{
	(void)l;
	(void)now;
	return ZP_OK;
}

static void
end(struct zp_listener *l, uint64_t now)
{
	struct zp_mles_name from;

	(void)now;
	while (zp_mles_files_left(l->files, &from)) {
		if (zp_mles_text_uid(l->uid, &from))
			l->how.lost(l->how.arg, l->uid, 0, ZP_ERR_CUT, false);
	}
}

const struct zp_suite_ops zp_suite_mles = {
    .suite = ZP_SUITE_MLES,
    .word = "mles",
    .code = 2,
    .can = ZP_SUITE_FILES,
    .work = ZP_MLES_WORK,
    .warning = warning,
    .derive = derive,
    .load = load,
    .free = free_key,
    .raw = raw_of,
    .get_work = work_of,
    .is_name = is_name,
    .topic = topic,
    .pseudonym = pseudonym,
    .speak = speak,
    .hush = hush,
    .expect = expect,
    .body = body,
    .room = room,
    .begin = begin,
    .part = part,
    .listen = listen_to,
    .deafen = deafen,
    .open = open_record,
    .is_ours = is_ours,
    .again = again,
    .add = add,
    .next = next,
    .shown = shown,
    .end = end,
};
