/*
 * The limit that zpinc-http is measured by: each line of stdin by POST, with
 * one easy handle of libcurl's, on a connection that it keeps.
 *
 *	easy_handle URL
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

static size_t
ignore(char *data, size_t one, size_t n, void *arg)
{
	(void)data;
	(void)one;
	(void)arg;
	return n;
}

int
main(int argc, char **argv)
{
	CURL *e = curl_easy_init();
	struct curl_slist *h =
	    curl_slist_append(NULL, "Content-Type: text/plain");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (argc != 2 || e == NULL || h == NULL)
		return 2;
	curl_easy_setopt(e, CURLOPT_URL, argv[1]);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, h);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ignore);
	while ((n = getline(&line, &cap, stdin)) > 0) {
		long status = 0;
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, line);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)n - 1);
		if (curl_easy_perform(e) != CURLE_OK ||
		    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status) !=
			CURLE_OK ||
		    status / 100 != 2)
			return 1;
	}
	curl_easy_cleanup(e);
	curl_slist_free_all(h);
	free(line);
	return 0;
}
