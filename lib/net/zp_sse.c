#include "net/zp_sse.h"

#include <stdlib.h>
#include <string.h>

void
zp_sse_init(struct zp_sse *s, size_t max)
{
	*s = (struct zp_sse){.max = max, .retry = -1};
	strcpy(s->type, "message");
}

void
zp_sse_free(struct zp_sse *s)
{
	free(s->data);
	free(s->line);
	s->data = s->line = NULL;
	s->data_cap = s->line_cap = 0;
}

/* The event under way is forgotten. */
static void
clear(struct zp_sse *s)
{
	s->data_len = 0;
	s->has_data = s->too_long = false;
	strcpy(s->type, "message");
}

void
zp_sse_restart(struct zp_sse *s)
{
	clear(s);
	s->line_len = 0;
	s->line_long = s->skip_lf = s->begun = s->lines = false;
	strcpy(s->id, s->last_id);
}

/* A line is its data and a field name. */
#define FIELD_MAX 64

/* Appends what fits into max, growing; false in *all if that is not all. */
static enum zp_err
append(char **buf, size_t *have, size_t *cap, size_t max, const char *bytes,
    size_t n, bool *all)
{
	*all = n <= max - *have;
	if (!*all)
		n = max - *have;
	if (n > *cap - *have) {
		size_t want = *cap ? *cap * 2 : 512;
		if (want < *have + n)
			want = *have + n;
		char *grown = realloc(*buf, want);
		if (grown == NULL)
			return ZP_ERR_MEMORY;
		*buf = grown;
		*cap = want;
	}
	if (n > 0)
		memcpy(*buf + *have, bytes, n);
	*have += n;
	return ZP_OK;
}

/* Data beyond max makes the event too long. */
static enum zp_err
append_data(struct zp_sse *s, const char *bytes, size_t n)
{
	bool all = true;
	enum zp_err err = append(
	    &s->data, &s->data_len, &s->data_cap, s->max, bytes, n, &all);

	s->too_long |= !all;
	return err;
}

/* Of a line beyond its bounds the beginning is kept. */
static enum zp_err
append_line(struct zp_sse *s, const char *bytes, size_t n)
{
	bool all = true;
	enum zp_err err = append(&s->line, &s->line_len, &s->line_cap,
	    s->max + FIELD_MAX, bytes, n, &all);

	s->line_long |= !all;
	return err;
}

/* Digits only, else ignored. */
static void
set_retry(struct zp_sse *s, const char *v, size_t n)
{
	long ms = 0;

	if (n == 0 || n > 8)
		return;
	for (size_t i = 0; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return;
		ms = ms * 10 + (v[i] - '0');
	}
	s->retry = ms;
}

static bool
is_field(const char *line, size_t n, const char *name)
{
	return n == strlen(name) && memcmp(line, name, n) == 0;
}

/* A line that is neither empty nor a comment. */
static enum zp_err
take_field(struct zp_sse *s, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon != NULL ? (size_t)(colon - line) : len;
	const char *v = colon != NULL ? colon + 1 : line + len;
	size_t n = (size_t)(line + len - v);

	if (n > 0 && *v == ' ') {
		v++;
		n--;
	}
	if (is_field(line, name, "data")) {
		enum zp_err err = ZP_OK;
		if (s->has_data)
			err = append_data(s, "\n", 1);
		s->has_data = true;
		return err ? err : append_data(s, v, n);
	}
	if (is_field(line, name, "event") && n <= ZP_SSE_TYPE_MAX) {
		memcpy(s->type, v, n);
		s->type[n] = '\0';
	} else if (is_field(line, name, "id") && n <= ZP_SSE_ID_MAX &&
	    memchr(v, '\0', n) == NULL) {
		memcpy(s->id, v, n);
		s->id[n] = '\0';
	} else if (is_field(line, name, "retry")) {
		set_retry(s, v, n);
	}
	return ZP_OK;
}

/* A line of a stream that is lines and nothing else. */
static void
take_plain(struct zp_sse *s, const char *line, size_t len, bool cut,
    void (*on_event)(void *arg, const struct zp_sse_event *event), void *arg)
{
	struct zp_sse_event event = {
	    .data = line, .len = len, .type = "message", .id = s->last_id};

	if (len > 0 && len <= s->max && !cut)
		on_event(arg, &event);
}

static enum zp_err
take_line(struct zp_sse *s,
    void (*on_event)(void *arg, const struct zp_sse_event *event), void *arg)
{
	const char *line = s->line;
	size_t len = s->line_len;
	bool cut = s->line_long;

	s->line_len = 0;
	s->line_long = false;
	if (!s->begun && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		len -= 3;
	}
	s->begun = true;
	if (s->lines) {
		take_plain(s, line, len, cut, on_event, arg);
		return ZP_OK;
	}
	if (cut) {
		/* Half an id would be another one; comments may be long. */
		s->too_long |= len >= 5 && memcmp(line, "data:", 5) == 0;
		return ZP_OK;
	}
	if (len > 0)
		return line[0] == ':' ? ZP_OK : take_field(s, line, len);
	strcpy(s->last_id, s->id);
	if (s->has_data && !s->too_long) {
		struct zp_sse_event event = {
		    .data = s->data != NULL ? s->data : "",
		    .len = s->data_len,
		    .type = s->type[0] != '\0' ? s->type : "message",
		    .id = s->last_id,
		};
		on_event(arg, &event);
	}
	clear(s);
	return ZP_OK;
}

enum zp_err
zp_sse_feed(struct zp_sse *s, const char *bytes, size_t len,
    void (*on_event)(void *arg, const struct zp_sse_event *event), void *arg)
{
	enum zp_err err = ZP_OK;

	while (len > 0 && !err) {
		/* CR, LF and CRLF end a line, CRLF only once. */
		if (s->skip_lf && *bytes == '\n') {
			s->skip_lf = false;
			bytes++;
			len--;
			continue;
		}
		s->skip_lf = false;
		size_t n = 0;
		while (n < len && bytes[n] != '\n' && bytes[n] != '\r')
			n++;
		if (n > 0)
			err = append_line(s, bytes, n);
		if (n == len || err)
			return err;
		s->skip_lf = bytes[n] == '\r';
		bytes += n + 1;
		len -= n + 1;
		err = take_line(s, on_event, arg);
	}
	return err;
}
