#include "proc/zp_status.h"

#include <string.h>

void
zp_status_init(struct zp_status *s)
{
	memset(s, 0, sizeof(*s));
}

/* A newline: the line is whole.  True if it was a status line. */
static bool
end_line(struct zp_status *s)
{
	bool ours = s->inside && s->ours;

	if (ours && s->len > 0 && s->line[s->len - 1] == '\r')
		s->len--;
	s->line[s->len] = '\0';
	s->inside = false;
	s->ours = false;
	return ours;
}

bool
zp_status_next(struct zp_status *s, const char **at, const char *end)
{
	while (*at < end) {
		const char c = *(*at)++;
		if (c == '\n') {
			if (end_line(s))
				return true;
		} else if (!s->inside) {
			s->inside = true;
			s->ours = c == '#';
			s->len = 0;
		} else if (s->ours) {
			if (s->len < sizeof(s->line) - 1)
				s->line[s->len++] = c;
		} else {
			/* Somebody else's line, maybe a long one. */
			const char *nl = memchr(*at, '\n', (size_t)(end - *at));
			*at = nl != NULL ? nl : end;
		}
	}
	return false;
}

const char *
zp_status_is(const struct zp_status *s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(s->line, word, n) != 0)
		return NULL;
	if (s->line[n] == '\0')
		return s->line + n;
	return s->line[n] == ' ' ? s->line + n + 1 : NULL;
}
