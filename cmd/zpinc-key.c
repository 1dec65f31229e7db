/*
 * zpinc-key: makes and shows keys and identities.
 */
#include <stdio.h>
#include <string.h>

#include "crypt/zp_secret.h"
#include "proc/zp_confine.h"
#include "proc/zp_keymake.h"
#include "proc/zp_keyshow.h"
#include "proc/zp_keytool.h"
#include "proc/zp_keytrust.h"
#include "proc/zp_load.h"
#include "proc/zp_opt.h"

#define TOOL "zpinc-key"

static const struct {
	const char *name, *what;
	enum zp_exit (*run)(int argc, char **argv);
} commands[] = {
    {"new", "make a channel's key", zp_keymake_new},
    {"passphrase", "make a strong passphrase", zp_keymake_passphrase},
    {"topic", "print what to subscribe to", zp_keyshow_topic},
    {"show", "print what is not secret of a key", zp_keyshow_show},
    {"export", "print a key as one line", zp_keyshow_export},
    {"import", "make a key file of such a line", zp_keymake_import},
    {"identity", "make an identity to sign with", zp_keymake_identity},
    {"public", "print its public half", zp_keyshow_public},
    {"trust", "list, pin or forget others' identities", zp_keytrust},
};

#define N (sizeof(commands) / sizeof(*commands))

static enum zp_exit
help(void)
{
	printf("usage: %s COMMAND [OPTION...]\n", TOOL);
	for (size_t i = 0; i < N; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].what);
	printf("%s COMMAND --help lists its options; man %s has the rest\n",
	    TOOL, TOOL);
	return zp_err_status(zp_keytool_flush());
}

static enum zp_exit
version(void)
{
	printf("%s %s\n", TOOL, ZP_VERSION);
	return zp_err_status(zp_keytool_flush());
}

static enum zp_exit
dispatch(int argc, char **argv)
{
	char name[ZP_SAY_NAME];
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		return help();
	if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
		return version();
	for (size_t i = 0; i < N; i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (*word == '\0')
		zp_say(TOOL, "which command?");
	else
		zp_say(TOOL, "%s: no such command", zp_say_name(name, word));
	zp_hint("%s --help lists them", TOOL);
	return ZP_EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	if (zp_load_stdio(TOOL) != ZP_OK)
		return ZP_EXIT_IO;
	if (zp_secret_init() != ZP_OK || zp_confine_early() != ZP_OK) {
		zp_say(TOOL, "cannot begin to keep secrets");
		return ZP_EXIT_IO;
	}
	return (int)dispatch(argc, argv);
}
