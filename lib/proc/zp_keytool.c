#include "proc/zp_keytool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zp_io.h"
#include "proc/zp_load.h"

enum zp_err
zp_keytool_stdout(bool force)
{
	if (force || !isatty(STDOUT_FILENO))
		return ZP_OK;
	zp_say(ZP_KEYTOOL, "standard output is a terminal, and this is secret");
	zp_hint("-f shows it nevertheless");
	return ZP_ERR_USAGE;
}

static enum zp_err
refuse(const char *path, enum zp_err err, const char *hint)
{
	struct zp_fault fault = {0};

	zp_load_say(ZP_KEYTOOL, path, err, &fault);
	if (hint != NULL)
		zp_hint("%s", hint);
	return err;
}

/* There is no folder for keys, and none can be made. */
static enum zp_err
refuse_folder(enum zp_err err)
{
	char folder[ZP_PATH_MAX];
	const int why = errno;

	if (zp_path_config(folder) != ZP_OK)
		zp_say(ZP_KEYTOOL, "neither XDG_CONFIG_HOME nor HOME is set");
	else {
		errno = why;
		return refuse(folder, err, "-o FILE says where it is to go");
	}
	zp_hint("-o FILE says where it is to go");
	return err;
}

enum zp_err
zp_keytool_place(
    struct zp_keytool_to *to, enum zp_path_kind kind, const char *name)
{
	struct stat st;
	enum zp_err err = ZP_OK;

	if (to->output != NULL && strcmp(to->output, "-") == 0) {
		to->to_stdout = true;
		return zp_keytool_stdout(to->force);
	}
	if (to->output != NULL) {
		size_t n = strlen(to->output);
		if (n == 0) {
			zp_say(ZP_KEYTOOL, "-o: the name is empty");
			return ZP_ERR_USAGE;
		}
		if (n >= sizeof(to->path))
			return refuse("-o", ZP_ERR_TOO_LONG, NULL);
		memcpy(to->path, to->output, n + 1);
	} else {
		err = zp_path_make(to->path, kind, name);
		to->is_default = true;
	}
	if (err)
		return refuse_folder(err);
	if (!to->force && lstat(to->path, &st) == 0)
		return refuse(to->path, ZP_ERR_EXISTS,
		    "-f writes over it; -o FILE writes another");
	return ZP_OK;
}

/* How the new file is named on a command line. */
static void
say_use(const struct zp_keytool_to *to)
{
	char name[ZP_SAY_NAME];
	const char *base = strrchr(to->path, '/');
	const char *ending = strrchr(to->path, '.');
	char letter = ending != NULL && strcmp(ending, ".id") == 0 ? 'i' : 'k';

	if (to->is_default && base != NULL && ending > base + 1)
		zp_hint("use it as -%c %.*s", letter, (int)(ending - base - 1),
		    base + 1);
	else
		zp_hint("use it as -%c %s%s", letter, base == NULL ? "./" : "",
		    zp_say_name(name, to->path));
}

enum zp_err
zp_keytool_put(const struct zp_keytool_to *to, const void *text, size_t len,
    const char *what)
{
	char name[ZP_SAY_NAME];

	if (to->to_stdout) {
		enum zp_err err = zp_io_write_all(STDOUT_FILENO, text, len);
		return err ? refuse("standard output", err, NULL) : ZP_OK;
	}
	enum zp_err err = zp_file_write(
	    to->path, text, len, to->force ? ZP_FILE_REPLACE : ZP_FILE_NEW);
	if (err)
		return refuse(to->path, err, NULL);
	zp_say(ZP_KEYTOOL, "%s: %s", zp_say_name(name, to->path), what);
	say_use(to);
	return ZP_OK;
}

enum zp_err
zp_keytool_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return ZP_OK;
	return refuse("standard output", ZP_ERR_IO, NULL);
}

enum zp_err
zp_keytool_no_operands(const struct zp_opts *o)
{
	char name[ZP_SAY_NAME];

	if (zp_opt_operands(o) == 0)
		return ZP_OK;
	zp_say(ZP_KEYTOOL, "%s: what is this for?",
	    zp_say_name(name, zp_opt_operand(o, 0)));
	zp_hint("%s --help lists the commands", ZP_KEYTOOL);
	return ZP_ERR_USAGE;
}

static const char *
name_of(const struct zp_keytool_command *c, int id)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->table[i].id == id)
			return c->table[i].name;
	return "";
}

bool
zp_keytool_options(const struct zp_keytool_command *c, struct zp_opts *o,
    int argc, char **argv, void *arg, enum zp_exit *status)
{
	const char *value;
	char name[ZP_SAY_NAME];

	zp_opt_init(o, ZP_KEYTOOL, argc, argv, c->table, c->n);
	for (;;) {
		int id = zp_opt_next(o, c->usage, &value);
		if (id == ZP_OPT_END)
			return true;
		*status = zp_opt_status(id);
		if (id < 0)
			return false;
		if (c->take(arg, id, value) == ZP_OK)
			continue;
		zp_say(ZP_KEYTOOL, "--%s: %s%smakes no sense here",
		    name_of(c, id),
		    value != NULL ? zp_say_name(name, value) : "",
		    value != NULL ? " " : "");
		zp_hint("%s %s --help", ZP_KEYTOOL, argv[0]);
		return false;
	}
}
