#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/zp_dirread.h"
#include "net/zp_transport.h"

/*
 * A folder that others write to as they please, and a reader of it.  Two
 * bytes are a step: what happens, to which file and how much; then, for
 * some, bytes.  What is only ever appended is read whole: the file "own.zp"
 * gets numbered records that must come in order, each once.
 */

#define NAMES 5
static const char *const names[NAMES] = {
    "a.zp", "b.zp", "zzzz.zp", ".hidden.zp", "no-suffix"};
static char folder[256];

struct run {
	struct zp_dirread r;
	unsigned put, come; /* of own.zp */
	size_t others;
};

static char *
own_line(unsigned n)
{
	static char line[256];
	char zeros[64];

	memset(zeros, 'A', 63);
	zeros[63] = '\0';
	snprintf(line, sizeof(line),
	    "zp1.z%s.z%s.ownownown%08uAAAAAAAAAAAAAAAAAAA\n", zeros, zeros, n);
	return line;
}

static void
on_record(void *arg, const struct zp_record *rec)
{
	struct run *run = arg;
	const char *line = own_line(run->come);

	MUST(rec->len >= 4 && rec->line[2] == '1');
	if (rec->len == strlen(line) - 1 &&
	    memcmp(rec->line, line, rec->len) == 0 && run->come < run->put)
		run->come++;
	else
		run->others++;
}

static void
write_to(const char *name, int flags, const void *data, size_t len)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return; /* a link, or a pipe */
	MUST(write(fd, data, len) == (ssize_t)len);
	close(fd);
}

static void
empty_folder(void)
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	MUST(d != NULL);
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

/* Replaced by a new file, by a link, or away. */
static void
replace(const char *name, unsigned how, const void *data, size_t len)
{
	char path[512], to[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(to, sizeof(to), "%s/%s", folder, "own.zp");
	(void)unlink(path);
	if (how % 3 == 1)
		MUST(symlink(to, path) == 0);
	else if (how % 3 == 2)
		MUST(mkfifo(path, 0600) == 0);
	else
		write_to(name, O_TRUNC, data, len);
}

static void
read_all(struct run *run)
{
	unsigned steps = 0;

	MUST(zp_dirread_scan(&run->r) == ZP_OK);
	while (zp_dirread_step(&run->r, on_record, run))
		MUST(++steps < 10000);
}

/* On from where we were, as another process would. */
static void
resume(struct run *run)
{
	static char cursor[ZP_CURSOR_MAX + 1];
	size_t n = zp_dirread_cursor(&run->r, cursor, ZP_CURSOR_MAX);

	MUST(n <= ZP_CURSOR_MAX);
	cursor[n] = '\0';
	zp_dirread_free(&run->r);
	MUST(zp_dirread_init(&run->r, folder, false, cursor) == ZP_OK);
	MUST(zp_dirread_attach(&run->r) == ZP_OK);
}

static void
step(struct run *run, struct zp_cursor *c)
{
	uint8_t what = zp_cursor_u8(c), much = zp_cursor_u8(c);
	const char *name = names[(what >> 3) % NAMES];
	size_t n = much < c->left ? much : c->left;
	const uint8_t *data = (what & 7) < 4 ? zp_cursor_take(c, n) : NULL;

	switch (what & 7) {
	case 0:
	case 1:
		write_to(name, O_APPEND | O_NOFOLLOW | O_NONBLOCK, data, n);
		break;
	case 2:
		replace(name, 0, data, n);
		break;
	case 3:
		replace(name, much, data, n);
		break;
	case 4:
		write_to("own.zp", O_APPEND, own_line(run->put),
		    strlen(own_line(run->put)));
		run->put++;
		break;
	case 5:
		(void)zp_dirread_mark(&run->r, name, (much & 1) != 0);
		break;
	case 6:
		resume(run);
		break;
	default:
		read_all(run);
		break;
	}
}

static void
remove_folder(void)
{
	empty_folder();
	rmdir(folder);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run run = {.put = 0};
	struct zp_cursor c;

	if (memmem(data, len, "own", 3) != NULL)
		return 0; /* else others could write what is numbered */
	if (folder[0] == '\0') {
		struct stat st;
		snprintf(folder, sizeof(folder), "%s/zp-dir-XXXXXX",
		    stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp");
		MUST(mkdtemp(folder) != NULL);
		atexit(remove_folder);
	}
	empty_folder();
	MUST(zp_dirread_init(&run.r, folder, false, NULL) == ZP_OK);
	MUST(zp_dirread_attach(&run.r) == ZP_OK);
	zp_cursor_init(&c, data, len);
	for (int i = 0; i < 200 && c.left >= 2; i++)
		step(&run, &c);
	read_all(&run);
	MUST(run.come == run.put);
	zp_dirread_free(&run.r);
	return 0;
}
