/*
 * A program of somebody else's, which knows zpinc.h and nothing else:
 *
 *	example seal KEY UID	a body on stdin, records on stdout
 *	example open KEY	records on stdin, "uid: body" on stdout
 */
#include <stdio.h>
#include <string.h>
#include <zpinc.h>

static int
put(void *arg, const char *record, size_t len)
{
	return fwrite(record, 1, len + 1, arg) != len + 1;
}

static int
take(void *arg, const struct zpinc_note *note)
{
	fprintf(arg, "%s%s: ", note->uid, note->idkey ? " (signed)" : "");
	fwrite(note->body, 1, note->len, arg);
	fputc('\n', arg);
	return 0;
}

static int
fail(const char *what, int error)
{
	fprintf(stderr, "example: %s: %s\n", what, zpinc_strerror(error));
	return 1;
}

int
main(int argc, char **argv)
{
	static char text[1 << 22];
	struct zpinc_key *key;
	struct zpinc_sender *sender;
	struct zpinc_reader *reader;
	int error;

	if (argc < 3)
		return 2;
	error = zpinc_init();
	if (!error)
		error = zpinc_key_load(&key, argv[2]);
	if (error)
		return fail(argv[2], error);
	size_t len = fread(text, 1, sizeof(text), stdin);
	if (strcmp(argv[1], "seal") == 0 && argc > 3) {
		error = zpinc_sender_new(
		    &sender, key, argv[3], argc > 4 ? argv[4] : NULL, 0);
		if (error)
			return fail(argv[3], error);
		error = zpinc_seal(sender, text, len, zpinc_now(), put, stdout);
		zpinc_sender_free(sender);
	} else {
		error = zpinc_reader_new(&reader, key);
		if (error)
			return fail("reader", error);
		error = zpinc_open(reader, text, len, take, stdout);
		zpinc_reader_free(reader);
	}
	zpinc_key_free(key);
	if (error)
		return fail(argv[1], error);
	return fflush(stdout) != 0;
}
