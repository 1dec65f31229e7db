#include "fuzz.h"
#include "proc/zp_url.h"

/*
 * URLs: no password in what is meant for messages, nothing decoded that is
 * not within the text.
 */

static void
look(const struct zp_url *u, const char *text)
{
	MUST(strcmp(u->text, text) == 0);
	MUST(u->scheme[0] != '\0' && strlen(u->text) <= ZP_URL_MAX);
	MUST(u->path != NULL && u->safe != NULL);
	MUST(u->user == NULL || strlen(u->user) < strlen(text));
	MUST(u->host == NULL || strlen(u->host) < strlen(text));
	if (u->password != NULL && u->password[0] != '\0') {
		MUST(zp_url_has_password(text));
		/* Found only where the text has it again. */
		const char *colon = strchr(strstr(text, "//"), ':');
		MUST(colon != NULL);
		const char *at = strchr(u->safe, '@');
		MUST(at == NULL || strlen(u->safe) < strlen(text));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), *found;
	struct zp_url *u, *again;

	MUST(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	if (zp_url_parse(&u, text) == ZP_OK) {
		look(u, text);
		/* What is shown is a URL, too, without a password. */
		if (zp_url_parse(&again, u->safe) == ZP_OK) {
			MUST(again->password == NULL && again->query == NULL);
			zp_url_free(again);
		}
		zp_url_free(u);
	}
	if (text[0] != '@' && zp_url_find(&found, text, NULL) == ZP_OK) {
		MUST(!zp_url_has_password(found));
		zp_url_wipe(found);
	}
	size_t before = strlen(text);
	if (zp_url_decode(text) == ZP_OK)
		MUST(strlen(text) <= before);
	free(text);
	return 0;
}
