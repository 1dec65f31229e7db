#include "proc/zp_opt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zp_text.h"

/* Ids of the options every tool has; above any tool's own. */
enum { ID_HELP = 1000, ID_VERSION };

void
zp_opt_init(struct zp_opts *o, const char *tool, int argc, char **argv,
    const struct zp_opt *table, size_t n)
{
	size_t l = 0, i;

	memset(o, 0, sizeof(*o));
	o->tool = tool;
	o->argc = argc;
	o->argv = argv;
	o->table = table;
	o->n = n < ZP_OPT_MOST ? n : ZP_OPT_MOST;
	o->letters[l++] = '+'; /* stop at the first operand */
	o->letters[l++] = ':'; /* tell a missing argument from no option */
	for (i = 0; i < o->n; i++) {
		int takes = table[i].arg ? required_argument : no_argument;
		o->longs[i] =
		    (struct option){table[i].name, takes, NULL, table[i].id};
		if (table[i].letter == '\0')
			continue;
		o->letters[l++] = table[i].letter;
		if (table[i].arg)
			o->letters[l++] = ':';
	}
	o->letters[l++] = 'h';
	o->letters[l++] = 'V';
	o->longs[i++] = (struct option){"help", no_argument, NULL, ID_HELP};
	o->longs[i] = (struct option){"version", no_argument, NULL, ID_VERSION};
	optind = 1;
	opterr = 0;
}

enum zp_exit
zp_opt_status(int id)
{
	if (id == ZP_OPT_HELP)
		return ZP_EXIT_OK;
	return id == ZP_OPT_FAILED ? ZP_EXIT_IO : ZP_EXIT_USAGE;
}

/* What was printed is out: a full disk is told, as everywhere. */
static int
printed(const char *tool)
{
	char buf[ZP_SAY_NAME];

	if (fflush(stdout) == 0 && !ferror(stdout))
		return ZP_OPT_HELP;
	zp_say(tool, "standard output: %s", zp_say_err(buf, ZP_ERR_IO));
	return ZP_OPT_FAILED;
}

static int
print_help(const struct zp_opts *o, const char *usage)
{
	printf("usage: %s\n", usage);
	for (size_t i = 0; i < o->n; i++) {
		const struct zp_opt *t = &o->table[i];
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", t->name,
		    t->arg ? " " : "", t->arg ? t->arg : "");
		if (t->letter)
			printf("  -%c, %-24s %s\n", t->letter, left, t->help);
		else
			printf("      %-24s %s\n", left, t->help);
	}
	printf("  -h, %-24s %s\n", "--help", "this text");
	printf("  -V, %-24s %s\n", "--version", "the version");
	printf("The manual has the rest: man %s\n", o->tool);
	return printed(o->tool);
}

/* How many long options begin with what stands in a word up to its `=`. */
static size_t
fitting(const struct zp_opts *o, const char *word, bool *exactly)
{
	const size_t len = strcspn(word, "=");
	size_t n = 0;

	*exactly = false;
	for (const struct option *l = o->longs; l->name != NULL; l++)
		if (strncmp(l->name, word, len) == 0) {
			*exactly = *exactly || l->name[len] == '\0';
			n++;
		}
	return n;
}

/* What is wrong with an option that getopt_long() does not take. */
static const char *
trouble(const struct zp_opts *o, const char *word, int what)
{
	bool exactly;

	if (what == ':')
		return "needs a value";
	if (strncmp(word, "--", 2) != 0)
		return "no such option";
	const size_t n = fitting(o, word + 2, &exactly);
	if (n > 1 && !exactly)
		return "short for more than one option";
	return n > 0 ? "takes no value" : "no such option";
}

/* How long the tool's name is in its usage, with that of its command. */
static int
words_of(const char *usage)
{
	int n = 0;

	while (usage[n] != '\0' &&
	    (usage[n] != ' ' || (usage[n + 1] >= 'a' && usage[n + 1] <= 'z')))
		n++;
	return n;
}

static int
complain(const struct zp_opts *o, const char *usage, int what)
{
	char name[ZP_SAY_NAME];
	const char *word = o->argv[optind - 1];
	char letter[3] = {'-', (char)optopt, '\0'};

	/* A bad letter may stand inside a cluster; a bad name never does. */
	if (optopt > 0 && optopt < 256 && strncmp(word, "--", 2) != 0)
		word = letter;
	zp_say(
	    o->tool, "%s: %s", zp_say_name(name, word), trouble(o, word, what));
	zp_hint("%.*s --help lists the options", words_of(usage), usage);
	return ZP_OPT_BAD;
}

/* Is this an option of ours, and nothing else? */
static bool
is_option(const struct zp_opts *o, const char *word)
{
	bool exactly;

	if (word[0] != '-' || word[1] == '\0')
		return false;
	if (word[1] == '-')
		return fitting(o, word + 2, &exactly) > 0 && exactly;
	return word[2] == '\0' && word[1] != ':' &&
	    strchr(o->letters + 1, word[1]) != NULL;
}

/*
 * Options come first, as POSIX has it.  Who puts one behind an operand, as
 * GNU's tools allow, is told, rather than that it is no operand.
 */
static int
check_order(const struct zp_opts *o)
{
	char name[ZP_SAY_NAME];

	if (strcmp(o->argv[optind - 1], "--") == 0)
		return ZP_OPT_END;
	for (int i = optind; i < o->argc; i++)
		if (is_option(o, o->argv[i])) {
			zp_say(o->tool,
			    "%s: options go before all other arguments",
			    zp_say_name(name, o->argv[i]));
			return ZP_OPT_BAD;
		}
	return ZP_OPT_END;
}

int
zp_opt_next(struct zp_opts *o, const char *usage, const char **arg)
{
	int c = getopt_long(o->argc, o->argv, o->letters, o->longs, NULL);

	*arg = optarg;
	if (c == -1)
		return check_order(o);
	if (c == '?' || c == ':')
		return complain(o, usage, c);
	if (c == 'h' || c == ID_HELP)
		return print_help(o, usage);
	if (c == 'V' || c == ID_VERSION) {
		printf("%s %s\n", o->tool, ZP_VERSION);
		return printed(o->tool);
	}
	for (size_t i = 0; i < o->n; i++)
		if (o->table[i].id == c ||
		    (o->table[i].letter != '\0' && o->table[i].letter == c))
			return o->table[i].id;
	return ZP_OPT_BAD;
}

int
zp_opt_operands(const struct zp_opts *o)
{
	return o->argc - optind;
}

char *
zp_opt_operand(const struct zp_opts *o, int i)
{
	return o->argv[optind + i];
}

enum zp_err
zp_opt_number(const char *s, uint64_t least, uint64_t most, uint64_t *value)
{
	uint64_t v = 0;

	if (*s == '\0')
		return ZP_ERR_USAGE;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return ZP_ERR_USAGE;
		uint64_t digit = (uint64_t)(*s - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return ZP_ERR_USAGE;
		v = v * 10 + digit;
	}
	if (v < least || v > most)
		return ZP_ERR_USAGE;
	*value = v;
	return ZP_OK;
}

/* Milliseconds of a unit; 0 for what is none. */
static uint64_t
unit(const char *s)
{
	static const struct {
		char letter;
		uint64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000},
	    {'w', 604800000}};

	if (*s == '\0')
		return 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (s[0] == units[i].letter && s[1] == '\0')
			return units[i].ms;
	return 0;
}

enum zp_err
zp_opt_duration(const char *s, uint64_t *ms)
{
	uint64_t whole = 0, thousandths = 0, scale = 100;
	bool digits = false;

	for (; *s >= '0' && *s <= '9'; s++, digits = true) {
		if (whole > UINT32_MAX)
			return ZP_ERR_USAGE;
		whole = whole * 10 + (uint64_t)(*s - '0');
	}
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, digits = true) {
			thousandths += scale * (uint64_t)(*s - '0');
			scale /= 10;
		}
	uint64_t u = unit(s);
	if (!digits || u == 0 || whole > UINT32_MAX)
		return ZP_ERR_USAGE;
	*ms = whole * u + thousandths * u / 1000;
	return ZP_OK;
}

/* A line in one write, so that several processes' lines do not mix. */
__attribute__((format(printf, 2, 0))) static void
put_line(const char *head, const char *format, va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s: ", head);

	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
	if (m < 0)
		return;
	size_t len = (size_t)n + (size_t)m;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	/* When even stderr is gone there is nobody left to tell. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void
zp_say(const char *tool, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line(tool, format, ap);
	va_end(ap);
}

void
zp_hint(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line("hint", format, ap);
	va_end(ap);
}

static const char *
say_cut(char to[static ZP_SAY_NAME], const char *s, enum zp_text_style style)
{
	size_t n = strlen(s), used;
	size_t w = zp_text_escape(to, ZP_SAY_NAME - 4, s, n, style, &used);

	memcpy(to + w, used < n ? "..." : "", used < n ? 4 : 1);
	return to;
}

const char *
zp_say_name(char to[static ZP_SAY_NAME], const char *s)
{
	return say_cut(to, *s != '\0' ? s : "''", ZP_TEXT_LINE);
}

const char *
zp_say_uid(char to[static ZP_SAY_NAME], const char *uid)
{
	return say_cut(to, uid, ZP_TEXT_UID);
}

const char *
zp_say_err(char buf[static ZP_SAY_NAME], enum zp_err err)
{
	if (err != ZP_ERR_IO || errno == 0)
		return zp_err_text(err);
	snprintf(buf, ZP_SAY_NAME, "%s", strerror(errno));
	return buf;
}

enum zp_err
zp_say_fail(const char *tool, const char *subject, enum zp_err err)
{
	char buf[ZP_SAY_NAME], name[ZP_SAY_NAME];

	zp_say(
	    tool, "%s: %s", zp_say_name(name, subject), zp_say_err(buf, err));
	return err;
}
