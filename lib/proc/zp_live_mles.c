#include "proc/zp_live_mles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_b64.h"
#include "base/zp_text.h"
#include "crypt/zp_secret.h"

/* Told once at the start, as it holds whatever comes later. */
#define WARNING                                                             \
	"suite mles: a relay can put another name on a message or play it " \
	"again, and nobody's key is confirmed: zpinc-mles(7)"
/* A message so short is none: zpinc-mles takes it for who joins. */
#define JOIN "AA\n"
#define TICK_MS 1000

/* ---- start --------------------------------------------------------------- */

/* What all our records begin with, and behind it that of a join. */
static enum zp_err
make_head(struct zp_live_member *m)
{
	const struct zp_mles_box *rp = zp_mles_state_rp(m->state);
	const struct zp_mles_box *p = zp_mles_state_p(m->state);

	m->head_len = zp_mles_record_len(rp->len, p->len, 0);
	m->head = malloc(m->head_len + sizeof(JOIN));
	if (m->head == NULL)
		return ZP_ERR_MEMORY;
	zp_mles_record_write(m->head, rp, p, m->uid.bytes, 0);
	memcpy(m->head + m->head_len, JOIN, sizeof(JOIN));
	return ZP_OK;
}

static enum zp_err
open_all(struct zp_live *l)
{
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_live_member *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return zp_live_fail(l, "starting", ZP_ERR_MEMORY);
	l->mles = m;
	m->alarms = ZP_LIVE_ALARMS;
	enum zp_err err =
	    zp_mles_text_name(&m->uid, l->c->uid, strlen(l->c->uid));
	zp_secret_random(random, sizeof(random));
	if (!err)
		err = zp_mles_state_new(&m->state, l->c->mles, &m->uid, random);
	zp_secret_wipe(random, sizeof(random));
	if (err)
		return zp_live_fail(l, l->c->uid, err);
	m->outbox = zp_mles_outbox_new(l->c->n);
	m->files = zp_mles_files_new();
	err = make_head(m);
	if (err || m->outbox == NULL || m->files == NULL)
		return zp_live_fail(l, "starting", ZP_ERR_MEMORY);
	return ZP_OK;
}

static void
close_all(struct zp_live *l)
{
	struct zp_live_member *m = l->mles;

	if (m == NULL)
		return;
	zp_mles_state_free(m->state);
	zp_mles_outbox_free(m->outbox);
	zp_mles_files_free(m->files);
	zp_mles_record_free(&m->raw);
	free(m->head);
	free(m);
	l->mles = NULL;
}

/* There is nothing that this suite could keep in a file. */
static void
dirs_of(const struct zp_live *l, char one[static ZP_PATH_MAX],
    const char *dirs[static 2])
{
	(void)l;
	(void)one;
	(void)dirs;
}

static enum zp_err
join(struct zp_live *l)
{
	zp_say(l->c->tool, WARNING);
	return ZP_OK;
}

static enum zp_err
nothing(struct zp_live *l)
{
	(void)l;
	return ZP_OK;
}

/* ---- what goes ----------------------------------------------------------- */

/* A frame that was made, as a record line, to all relays. */
static enum zp_err
post(struct zp_live *l, const struct zp_mles_sent *sent, uint64_t tag,
    const char *text, size_t len)
{
	struct zp_live_member *m = l->mles;
	const size_t enc = ZP_B64_CHARS(sent->len);
	char *line = malloc(m->head_len + enc + 1);

	if (line == NULL)
		return ZP_ERR_MEMORY;
	memcpy(line, m->head, m->head_len);
	zp_b64_write(line + m->head_len, sent->message, sent->len);
	line[m->head_len + enc] = '\n';
	const struct zp_mles_outgoing out = {.line = line,
	    .len = m->head_len + enc + 1,
	    .tag = tag,
	    .secret = sent->use != ZP_MLES_PASSWORD,
	    .time = l->now.wall,
	    .text = l->c->echo ? text : NULL,
	    .text_len = len};
	enum zp_err err = zp_mles_outbox_add(m->outbox, l->now.ticks, &out);
	free(line);
	m->said = true;
	return err;
}

static enum zp_err
presence(struct zp_live *l, bool last)
{
	struct zp_live_member *m = l->mles;
	const int64_t now = (int64_t)l->now.ticks, wall = (int64_t)l->now.wall;
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_mles_sent sent;

	zp_secret_random(random, sizeof(random));
	enum zp_err err = last
	    ? zp_mles_state_farewell(m->state, now, wall, random, &sent)
	    : zp_mles_state_presence(m->state, now, wall, random, &sent);
	zp_secret_wipe(random, sizeof(random));
	return err ? err : post(l, &sent, 0, NULL, 0);
}

/* Says why a line cannot go; the others do. */
static enum zp_err
refuse(struct zp_live *l, const char *why)
{
	zp_say(l->c->tool, "line %" PRIu64 ": %s: not sent", l->lines, why);
	l->status = ZP_EXIT_IO;
	return ZP_OK;
}

static enum zp_err
send_body(struct zp_live *l, const char *line, size_t len, const char *body,
    size_t body_len)
{
	struct zp_live_member *m = l->mles;
	const bool note = l->mode == ZP_LIVE_NOTE;
	uint8_t random[ZP_MLES_STATE_RANDOM];
	struct zp_mles_sent sent;
	char buf[ZP_SAY_NAME];

	zp_secret_random(random, sizeof(random));
	enum zp_err err = zp_mles_state_send(m->state, (int64_t)l->now.ticks,
	    (int64_t)l->now.wall, ZP_MLES_FULL, body, body_len,
	    note ? ZP_MLES_NOTE : ZP_MLES_CAREFUL, random, &sent);
	zp_secret_wipe(random, sizeof(random));
	if (err == ZP_ERR_TOO_LONG)
		return refuse(l,
		    "too long for suite mles (65517 bytes, with 3 "
		    "for each that is percent-encoded)");
	/* What was to be secret stays so, whatever the state makes of it. */
	if (!err && !note && sent.use == ZP_MLES_PASSWORD)
		return refuse(l, "forward secrecy was lost just now");
	if (!err)
		err = post(l, &sent, l->lines, line, len);
	if (err)
		zp_say(l->c->tool, "line %" PRIu64 ": %s", l->lines,
		    zp_say_err(buf, err));
	l->progress = l->now.ticks;
	return err;
}

static enum zp_err
send_line(struct zp_live *l, const char *line, size_t len)
{
	size_t body_len = zp_mles_text_encoded_len(line, len);

	l->lines++;
	if (!zp_text_is_utf8(line, len))
		return refuse(l, "not text (UTF-8) for suite mles");
	char *body = malloc(body_len + 1);
	if (body == NULL)
		return ZP_ERR_MEMORY;
	zp_mles_text_encode(body, line, len);
	enum zp_err err = send_body(l, line, len, body, body_len);
	zp_secret_wipe(body, body_len + 1);
	free(body);
	zp_live_mles_reports(l);
	return err;
}

static enum zp_err
fill(struct zp_live *l, struct zp_live_link *link)
{
	struct zp_live_member *m = l->mles;
	const size_t i = (size_t)(link - l->link);
	enum zp_err err = ZP_OK;
	const char *line;
	size_t len;

	if (link->r->joins && !m->greeted[i]) {
		m->greeted[i] = true;
		err = zp_out_put(
		    &link->burst, m->head, m->head_len + sizeof(JOIN) - 1);
	}
	while (!err && link->burst.len < ZP_LIVE_BURST &&
	    zp_mles_outbox_next(m->outbox, l->now.ticks, i, &line, &len))
		err = zp_out_put(&link->burst, line, len);
	return err;
}

static bool
unsaid(const struct zp_live *l, const struct zp_live_link *link)
{
	return zp_mles_outbox_unsaid(l->mles->outbox, (size_t)(link - l->link));
}

/* ---- relays -------------------------------------------------------------- */

static void
relay(struct zp_live *l, struct zp_live_link *link)
{
	struct zp_live_member *m = l->mles;
	const size_t i = (size_t)(link - l->link);

	/* A transport that is started again asks again who we are. */
	if (!link->up)
		m->greeted[i] = false;
	zp_mles_outbox_relay(m->outbox, i, link->up && link->live);
}

/* We were away: others may have gone on without us. */
static enum zp_err
live(struct zp_live *l, struct zp_live_link *link)
{
	struct zp_live_member *m = l->mles;

	(void)link;
	if (m->live && m->fs != ZP_MLES_FS_ON)
		zp_mles_state_hello(m->state, (int64_t)l->now.ticks);
	return ZP_OK;
}

static enum zp_err
record(
    struct zp_live *l, struct zp_live_link *link, const struct zp_record *rec)
{
	struct zp_live_member *m = l->mles;
	const struct zp_mles_outgoing *out;
	bool first;

	if (zp_mles_outbox_shown(m->outbox, l->now.ticks,
		(size_t)(link - l->link), rec->line, rec->len, &out, &first)) {
		if (first && out->text != NULL)
			zp_live_mles_echo(l, out);
		return ZP_OK;
	}
	enum zp_err err = zp_mles_record_read(&m->raw, rec);
	if (err == ZP_ERR_MEMORY)
		return err;
	if (!err)
		return zp_live_mles_hear(l, link, rec);
	zp_reader_retry(&link->reader, rec);
	link->noise++;
	return ZP_OK;
}

/* ---- a turn -------------------------------------------------------------- */

/* The state hears of the end of the history, and of the relays' end. */
static void
set_live(struct zp_live *l)
{
	struct zp_live_member *m = l->mles;
	const int64_t now = (int64_t)l->now.ticks;
	const bool is = l->live_at != 0;

	if (m->live == is)
		return;
	m->live = is;
	zp_mles_state_live(m->state, is, now);
	/* Also with --notes: to read what the others say in a conversation. */
	if (is)
		zp_mles_state_hello(m->state, now);
}

static enum zp_err
work(struct zp_live *l)
{
	struct zp_live_member *m = l->mles;
	const int64_t now = (int64_t)l->now.ticks;
	enum zp_err err = ZP_OK;

	if (l->end >= ZP_LIVE_SHOWING)
		return ZP_OK;
	set_live(l);
	if (l->now.ticks - m->ticked >= TICK_MS) {
		m->ticked = l->now.ticks;
		zp_mles_state_tick(m->state, now, ZP_MLES_SILENT);
	}
	if (m->live && zp_mles_state_due(m->state) <= now)
		err = presence(l, false);
	zp_live_mles_reports(l);
	zp_live_mles_settle(l);
	return err;
}

/* May forward secrecy that was lost be back at once? */
static bool
is_coming_back(const struct zp_live *l)
{
	return l->mles->lost_at != 0 && l->c->notes != ZP_LIVE_FALLBACK &&
	    l->now.ticks - l->mles->lost_at < ZP_LIVE_LOST &&
	    zp_live_mles_company(l);
}

static uint64_t
deadline(const struct zp_live *l)
{
	const struct zp_live_member *m = l->mles;
	const int64_t due = zp_mles_state_due(m->state);
	uint64_t at = m->ticked + TICK_MS;

	if (m->live && due < (int64_t)at)
		at = (uint64_t)due;
	if (is_coming_back(l))
		at = zp_live_least(at, m->lost_at + ZP_LIVE_LOST);
	return at;
}

/* ---- lines --------------------------------------------------------------- */

/*
 * MlesTalk's clients take part in a handshake only when somebody types there:
 * a line that waits for one may wait for ever, so it does so only if it was
 * asked to.
 */
static enum zp_live_mode
mode(const struct zp_live *l)
{
	const enum zp_live_notes notes = l->c->notes;

	/* A sid is taken from the history, so nothing goes before it. */
	if (!l->mles->live)
		return ZP_LIVE_WAIT;
	if (notes == ZP_LIVE_ALWAYS)
		return ZP_LIVE_NOTE;
	if (zp_mles_state_fs(l->mles->state) == ZP_MLES_FS_ON)
		return ZP_LIVE_MESSAGE;
	if (notes == ZP_LIVE_NEVER || is_coming_back(l))
		return ZP_LIVE_WAIT;
	return ZP_LIVE_NOTE;
}

static void
why(const struct zp_live *l, char to[static ZP_PRESENCE_TEXT])
{
	const char *text;

	if (l->mode != ZP_LIVE_WAIT)
		text = ZP_LIVE_SLOW;
	else if (!zp_live_any_up(l))
		text = "no relay can be reached";
	else if (!l->mles->live)
		text = "the relay's history is still coming";
	else if (!zp_live_mles_company(l))
		text = "nobody else is here (--require-fs)";
	else if (l->c->notes == ZP_LIVE_NEVER)
		text = "there is no forward secrecy (--require-fs); MlesTalk's "
		       "clients take part only when somebody types there";
	else
		text = "forward secrecy was lost just now";
	memcpy(to, text, strlen(text) + 1);
}

static bool
room(const struct zp_live *l)
{
	return zp_mles_outbox_room(l->mles->outbox);
}

/* Nonces are drawn one by one. */
static void
expect(struct zp_live *l, size_t n)
{
	(void)l;
	(void)n;
}

/* ---- the end ------------------------------------------------------------- */

static size_t
pending(const struct zp_live *l)
{
	return zp_mles_outbox_pending(l->mles->outbox);
}

static void
give_up(struct zp_live *l)
{
	zp_mles_outbox_end(l->mles->outbox);
	zp_live_mles_settle(l);
	if (l->undelivered > 0)
		zp_say(l->c->tool, "%zu line%s no relay has shown",
		    l->undelivered, l->undelivered == 1 ? "" : "s");
}

static enum zp_err
leave(struct zp_live *l)
{
	return l->mles->live && l->mles->said ? presence(l, true) : ZP_OK;
}

static enum zp_exit
finish(struct zp_live *l, bool good)
{
	if (l->mles == NULL)
		return ZP_EXIT_OK;
	if (good)
		zp_live_mles_left(l);
	return l->mles->status;
}

const struct zp_live_ops zp_live_mles = {
    .open = open_all,
    .close = close_all,
    .dirs = dirs_of,
    .join = join,
    .last = nothing,
    .leave = leave,
    .begin = nothing,
    .work = work,
    .ready = nothing,
    .shown = nothing,
    .deadline = deadline,
    .record = record,
    .relay = relay,
    .live = live,
    .fill = fill,
    .unsaid = unsaid,
    .mode = mode,
    .why = why,
    .room = room,
    .expect = expect,
    .send = send_line,
    .notes = "there is no forward secrecy: lines are notes, which whoever has "
	     "the key can read, also later",
    .who = zp_live_mles_who,
    .pending = pending,
    .give_up = give_up,
    .finish = finish,
};
