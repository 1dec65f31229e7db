#include "fuzz.h"
#include "net/zp_httpurl.h"

/*
 * From a relay's URL to those of its topics: each has the topic, and nothing
 * but the URL's own text around it.  First byte: what it is for, and what
 * stands behind.
 */

#define TOPIC "zAbCd-_9"

static void
look(const char *made, const struct zp_url *url, bool tls)
{
	const char *host = made + (tls ? 8 : 7);

	MUST(strncmp(made, tls ? "https://" : "http://", tls ? 8 : 7) == 0);
	host += *host == '[';
	MUST(strncmp(host, url->host, strlen(url->host)) == 0);
	MUST(strstr(host + strlen(url->host), TOPIC) != NULL);
	MUST(strpbrk(made, "{}") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct zp_url *url;
	char *text, *made = NULL;

	if (len < 1)
		return 0;
	uint8_t how = data[0];
	text = malloc(len);
	MUST(text != NULL);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (zp_url_parse(&url, text) == ZP_OK) {
		enum zp_err err = zp_httpurl_make(&made, url,
		    (how & 4) != 0 ? "https" : "http",
		    (enum zp_httpurl_use)(how % 3), TOPIC, sizeof(TOPIC) - 1,
		    (how & 8) != 0 ? "/sse" : "",
		    (how & 16) != 0 ? "since=all" : "");
		MUST(err == ZP_OK || err == ZP_ERR_FORMAT);
		if (err == ZP_OK) {
			look(made, url, (how & 4) != 0);
			MUST((how & 16) == 0 || strstr(made, "since=all"));
			zp_url_wipe(made);
		}
		zp_url_free(url);
	}
	free(text);
	return 0;
}
