#include "net/zp_dirread.h"
#include "net/zp_dirwrite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define TOPIC "zAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEEP 10
#define WRITER "0123456789abcdef"

static char folder[64], path[128];

/* What a reader got: the numbers of the records, in order. */
struct got {
	int n[4096];
	size_t count;
};

static void
on_record(void *arg, const struct zp_record *rec)
{
	struct got *g = arg;

	if (g->count < sizeof(g->n) / sizeof(*g->n))
		g->n[g->count++] = atoi(rec->enc);
}

static void
read_all(struct zp_dirread *r, struct got *g)
{
	if (!zp_dirread_attached(r) && zp_dirread_attach(r) != ZP_OK)
		return;
	if (zp_dirread_scan(r) != ZP_OK)
		OK(false, "a folder is scanned");
	while (zp_dirread_step(r, on_record, g))
		;
}

/* Exactly from, from + 1, ..., to - 1? */
static bool
is_range(const struct got *g, int from, int to)
{
	bool good = g->count == (size_t)(to - from);

	for (size_t i = 0; good && i < g->count; i++)
		good = g->n[i] == from + (int)i;
	if (!good) {
		printf("# want %d to %d, got", from, to - 1);
		for (size_t i = 0; i < g->count && i < 60; i++)
			printf(" %d", g->n[i]);
		printf("\n");
	}
	return good;
}

static int
line_of(char *to, size_t cap, int number)
{
	return snprintf(to, cap, "zp1.%s.%s.%08dAAAAAAAAAAAAAAAAAAAAAAAA\n",
	    TOPIC, TOPIC, number);
}

static enum zp_err
append(struct zp_dirwrite *w, int number, int64_t now)
{
	char line[256];
	struct iovec iov = {line, 0};

	iov.iov_len = (size_t)line_of(line, sizeof(line), number);
	return zp_dirwrite_append(w, WRITER, &iov, 1, now);
}

static void
append_range(struct zp_dirwrite *w, int from, int to, int64_t now)
{
	for (int i = from; i < to; i++)
		if (append(w, i, now) != ZP_OK)
			OK(false, "a record is appended");
}

/* Bytes straight into a file, as anybody may put them. */
static void
raw(const char *name, int flags, const char *text)
{
	char p[256];

	snprintf(p, sizeof(p), "%s/%s", folder, name);
	int fd = open(p, O_WRONLY | O_CREAT | flags, 0666);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		OK(false, "the test writes a file");
	close(fd);
}

static void
clean(void)
{
	char p[512];
	struct dirent *e;
	DIR *d = opendir(folder);

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		snprintf(p, sizeof(p), "%s/%s", folder, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove(p);
	}
	closedir(d);
	rmdir(folder);
}

static long
lines_in(const char *file)
{
	long n = 0;
	int c;
	FILE *f = fopen(file, "r");

	if (f == NULL)
		return -1;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void
begin(struct zp_dirwrite *w, struct zp_dirread *r, struct got *g,
    const char *cursor)
{
	clean();
	g->count = 0;
	if (zp_dirwrite_init(w, folder, KEEP, false) != ZP_OK ||
	    zp_dirread_init(r, folder, false, cursor) != ZP_OK)
		exit(EXIT_FAILURE);
}

static void
end(struct zp_dirwrite *w, struct zp_dirread *r)
{
	zp_dirwrite_free(w);
	zp_dirread_free(r);
}

static void
test_trim(void)
{
	struct zp_dirwrite w;
	struct zp_dirread r;
	struct got g;

	begin(&w, &r, &g, NULL);
	append_range(&w, 0, 25, 1000);
	OK(zp_dirwrite_trim(&w, 1000) < INT64_MAX && lines_in(path) == 25,
	    "what was just written is not trimmed");
	read_all(&r, &g);
	OK(is_range(&g, 0, 25), "a reader has all");
	append_range(&w, 25, 30, 10500);
	zp_dirwrite_trim(&w, 11500);
	IS(lines_in(path), KEEP, "ten seconds later the newest remain");
	read_all(&r, &g);
	OK(is_range(&g, 0, 30),
	    "the reader goes on in the trimmed file, nothing twice");
	OK(zp_dirwrite_trim(&w, 11500) == INT64_MAX,
	    "a file that is small is left alone");
	append_range(&w, 30, 60, 30000);
	zp_dirwrite_trim(&w, 50000);
	append_range(&w, 60, 90, 70000);
	zp_dirwrite_trim(&w, 90000);
	g.count = 0;
	read_all(&r, &g);
	OK(g.count == 40 && g.n[0] == 30 && g.n[29] == 59 && g.n[30] == 80,
	    "a reader two trims behind reads the file it has open to its "
	    "end, then the newest");
	end(&w, &r);
}

static void
test_burst(void)
{
	struct zp_dirwrite w;
	struct zp_dirread r;
	struct got g;

	begin(&w, &r, &g, NULL);
	/* 200 a second for 16 s, read every 8 s: a reader that is slow. */
	for (int i = 0; i < 3200; i++) {
		int64_t now = 1000 + i * 5;
		append_range(&w, i, i + 1, now);
		zp_dirwrite_trim(&w, now);
		if (i % 1600 == 1599)
			read_all(&r, &g);
	}
	OK(is_range(&g, 0, 3200), "a burst outlives a slow reader, in order");
	zp_dirwrite_trim(&w, 40000);
	IS(lines_in(path), KEEP, "and is trimmed when it is over");
	end(&w, &r);
}

static void
test_cursor(void)
{
	struct zp_dirwrite w;
	struct zp_dirread r;
	struct got g;
	char cursor[4096];
	size_t n;

	begin(&w, &r, &g, NULL);
	append_range(&w, 0, 5, 1000);
	read_all(&r, &g);
	n = zp_dirread_cursor(&r, cursor, sizeof(cursor) - 1);
	cursor[n] = '\0';
	zp_dirread_free(&r);
	append_range(&w, 5, 8, 1000);
	if (zp_dirread_init(&r, folder, false, cursor) != ZP_OK)
		exit(EXIT_FAILURE);
	g.count = 0;
	read_all(&r, &g);
	OK(is_range(&g, 5, 8), "a cursor resumes behind the last record");
	zp_dirread_free(&r);
	append_range(&w, 8, 40, 1000);
	zp_dirwrite_trim(&w, 20000);
	append_range(&w, 40, 45, 20000);
	if (zp_dirread_init(&r, folder, false, cursor) != ZP_OK)
		exit(EXIT_FAILURE);
	g.count = 0;
	read_all(&r, &g);
	OK(is_range(&g, 30, 45), "if the file was trimmed, it is read anew");
	OK(zp_dirread_cursor(&r, cursor, 5) == 0,
	    "an entry that does not fit is left out whole");
	zp_dirread_free(&r);
	static const char *const bad[] = {"", ",", "x", "x:", "x:1",
	    "x:1:", "../../etc/passwd:1:0", WRITER ":99999999999999999999999:0",
	    WRITER ":-5:1", WRITER ":3:zz", ",,,:::,,", WRITER ":9000000:0",
	    "a:1:1,a:1:1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		g.count = 0;
		if (zp_dirread_init(&r, folder, false, bad[i]) != ZP_OK)
			exit(EXIT_FAILURE);
		read_all(&r, &g);
		OK(is_range(&g, 30, 45), "a cursor that is none loses nothing");
		zp_dirread_free(&r);
	}
	if (zp_dirread_init(&r, folder, true, NULL) != ZP_OK)
		exit(EXIT_FAILURE);
	g.count = 0;
	read_all(&r, &g);
	IS(g.count, 0, "a live topic begins at its end");
	append_range(&w, 45, 47, 20000);
	read_all(&r, &g);
	OK(is_range(&g, 45, 47), "and goes on from there");
	end(&w, &r);
}

static void
test_torn(void)
{
	struct zp_dirwrite w, w2;
	struct zp_dirread r;
	struct got g;
	char line[256];
	int n;

	begin(&w, &r, &g, NULL);
	append_range(&w, 0, 2, 1000);
	n = line_of(line, sizeof(line), 2);
	line[n - 10] = '\0'; /* the writer dies within a record */
	raw(WRITER ".zp", O_APPEND, line);
	read_all(&r, &g);
	OK(is_range(&g, 0, 2), "half a record is not handed over");
	append_range(&w, 3, 4, 1000);
	g.count = 0;
	read_all(&r, &g);
	OK(g.count == 2 && g.n[1] == 3,
	    "who writes on begins a new line, and readers find it");
	zp_dirwrite_free(&w);
	raw(WRITER ".zp", O_APPEND, line);
	if (zp_dirwrite_init(&w, folder, KEEP, false) != ZP_OK)
		exit(EXIT_FAILURE);
	append_range(&w, 5, 6, 1000);
	g.count = 0;
	read_all(&r, &g);
	OK(g.count == 2 && g.n[1] == 5, "a new process does so too");
	IS(lines_in(path), 6, "so that a whole record is always a line");
	if (zp_dirwrite_init(&w2, folder, KEEP, false) != ZP_OK)
		exit(EXIT_FAILURE);
	append_range(&w2, 7, 8, 1000);
	snprintf(line, sizeof(line), "%s/" WRITER "-1.zp", folder);
	IS(lines_in(line), 1, "a second process takes the next number");
	g.count = 0;
	read_all(&r, &g);
	OK(is_range(&g, 7, 8), "and is read");
	zp_dirwrite_free(&w2);
	end(&w, &r);
}

static void
test_replaced(void)
{
	struct zp_dirwrite w;
	struct zp_dirread r;
	struct got g;
	char to[512], line[256];

	begin(&w, &r, &g, NULL);
	append_range(&w, 0, 6, 1000);
	read_all(&r, &g);
	/* As rsync does: a copy under another name, then a rename. */
	snprintf(to, sizeof(to), "cp %s %s/.x; mv %s/.x %s", path, folder,
	    folder, path);
	OK(system(to) == 0, "a copy takes the name");
	read_all(&r, &g);
	OK(is_range(&g, 0, 6), "of a copy nothing is read twice");
	append_range(&w, 6, 8, 1000);
	read_all(&r, &g);
	OK(is_range(&g, 0, 8), "the writer moves to the file of that name");
	OK(truncate(path, 300) == 0, "somebody cuts the file");
	read_all(&r, &g);
	g.count = 0;
	append_range(&w, 8, 9, 1000);
	read_all(&r, &g);
	OK(g.count >= 1 && g.n[g.count - 1] == 8,
	    "what is written after a cut is read");
	unlink(path);
	append_range(&w, 9, 10, 1000);
	g.count = 0;
	read_all(&r, &g);
	OK(is_range(&g, 9, 10), "a file that was removed is made again");
	/* The same inode, other and longer contents. */
	int fd = open(path, O_WRONLY | O_TRUNC);
	for (int i = 20; i < 24; i++) {
		int n = line_of(line, sizeof(line), i);
		if (write(fd, line, (size_t)n) != n)
			OK(false, "the test writes");
	}
	close(fd);
	g.count = 0;
	read_all(&r, &g);
	OK(is_range(&g, 20, 24), "a file written over is read anew");
	clean();
	append_range(&w, 30, 31, 1000);
	g.count = 0;
	read_all(&r, &g);
	OK(is_range(&g, 30, 31), "a folder that was removed is made again");
	end(&w, &r);
}

static void
test_hostile(void)
{
	struct zp_dirwrite w;
	struct zp_dirread r;
	struct got g;
	char p[512], q[512];
	struct stat st;

	begin(&w, &r, &g, NULL);
	append_range(&w, 0, 1, 1000);
	zp_dirwrite_free(&w);
	snprintf(p, sizeof(p), "%s/fifo.zp", folder);
	OK(mkfifo(p, 0666) == 0, "a FIFO lies there");
	snprintf(p, sizeof(p), "%s/dir.zp", folder);
	OK(mkdir(p, 0777) == 0, "a folder lies there");
	snprintf(p, sizeof(p), "%s/link.zp", folder);
	OK(symlink("/etc/passwd", p) == 0, "a link lies there");
	snprintf(q, sizeof(q), "%s/zero.zp", folder);
	OK(symlink("/dev/zero", q) == 0, "a link to a device lies there");
	raw("no name.zp", 0, "zp1.x\n");
	raw(".hidden.zp", 0, "zp1.x\n");
	raw("garbage.zp", 0, "\x01\xff zp1. zp1.zp1.zp1....\n\n\nzp1.");
	read_all(&r, &g);
	OK(is_range(&g, 0, 1), "among garbage the record is found");
	IS(r.count, 2, "only plain files of a plain name are looked into");
	IS(r.trouble, 0, "and what else lies there is no trouble of ours");

	/* Our name is taken by things that must not be written to. */
	unlink(path);
	snprintf(p, sizeof(p), "%s/victim", folder);
	raw("victim", 0, "mine\n");
	OK(symlink(p, path) == 0, "a link has our name");
	snprintf(q, sizeof(q), "%s/" WRITER "-1.zp", folder);
	OK(link(p, q) == 0, "another name of a file has our next name");
	snprintf(q, sizeof(q), "%s/" WRITER "-2.zp", folder);
	OK(mkfifo(q, 0666) == 0, "a FIFO has the one behind");
	if (zp_dirwrite_init(&w, folder, KEEP, false) != ZP_OK)
		exit(EXIT_FAILURE);
	append_range(&w, 1, 2, 1000);
	OK(stat(p, &st) == 0 && st.st_size == 5, "none is written to");
	snprintf(q, sizeof(q), "%s/" WRITER "-3.zp", folder);
	IS(lines_in(q), 1, "the writer takes the first name that is good");
	zp_dirwrite_free(&w);
	snprintf(p, sizeof(p), "rm -r %s; ln -s /tmp %s", folder, folder);
	OK(system(p) == 0, "a link stands where the topic's folder was");
	zp_dirread_detach(&r);
	OK(zp_dirread_attach(&r) == ZP_ERR_IO, "it is not read through");
	if (zp_dirwrite_init(&w, folder, KEEP, false) != ZP_OK)
		exit(EXIT_FAILURE);
	OK(append(&w, 1, 1000) == ZP_ERR_IO && errno == ENOTDIR,
	    "and not written through");
	unlink(folder);
	end(&w, &r);
}

int
main(void)
{
	char root[] = "/tmp/zp_dir_XXXXXX";

	if (mkdtemp(root) == NULL)
		return EXIT_FAILURE;
	snprintf(folder, sizeof(folder), "%s/topic", root);
	snprintf(path, sizeof(path), "%s/" WRITER ".zp", folder);
	test_trim();
	test_burst();
	test_cursor();
	test_torn();
	test_replaced();
	test_hostile();
	clean();
	rmdir(root);
	return tap_done();
}
