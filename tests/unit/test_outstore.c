#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

#include "store/zp_outstore.h"
#include "tap.h"
#include "tempdir.h"

/*
 * Notes on their way, on disk: there again after any end of the process, in
 * order, and gone once they were seen.
 */

static struct zp_outstore *s;
static bool disk_fails;

/* In front of the C library's. */
int
fdatasync(int fd)
{
	if (!disk_fails)
		return fsync(fd);
	errno = EIO;
	return -1;
}

static enum zp_err
reopen(void)
{
	struct zp_fault fault;

	zp_outstore_free(s);
	s = NULL;
	return zp_outstore_open(&s, "notes", &fault);
}

static enum zp_err
add(uint64_t seq, const char *lines)
{
	struct zp_outstore_note note = {
	    .seq = seq, .time = 1000 + seq, .lines = lines};

	memset(note.sid, 's', sizeof(note.sid));
	note.len = strlen(lines);
	return zp_outstore_add(s, &note);
}

static enum zp_err
strike(uint64_t seq)
{
	uint8_t sid[ZP_SID_LEN];

	memset(sid, 's', sizeof(sid));
	return zp_outstore_remove(s, sid, seq);
}

/* The numbers that are kept, as digits, in order. */
static const char *
kept(void)
{
	static char text[64];
	size_t n = 0;

	for (; n + 1 < sizeof(text) && zp_outstore_at(s, n) != NULL; n++)
		text[n] = (char)('0' + zp_outstore_at(s, n)->seq % 10);
	text[n] = '\0';
	return text;
}

static long
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void
keeping(void)
{
	struct stat st;

	OK(reopen() == ZP_OK && zp_outstore_at(s, 0) == NULL,
	    "a new file holds nothing");
	OK(stat("notes", &st) == 0 && (st.st_mode & 0777) == 0600,
	    "and is for its owner alone");
	OK(add(0, "zero\n") == ZP_OK && add(1, "one\nof two\n") == ZP_OK &&
		add(2, "two\n") == ZP_OK && zp_outstore_sync(s) == ZP_OK,
	    "notes are kept");
	OK(reopen() == ZP_OK && strcmp(kept(), "012") == 0,
	    "and there again, in order");
	const struct zp_outstore_note *n = zp_outstore_at(s, 1);
	OK(n->time == 1001 && n->len == 11 && n->sid[0] == 's' &&
		memcmp(n->lines, "one\nof two\n", 11) == 0,
	    "byte for byte, with name and time");
	OK(strike(1) == ZP_OK && strcmp(kept(), "02") == 0,
	    "what was seen is not kept");
	OK(strike(1) == ZP_OK && strike(7) == ZP_OK,
	    "to strike out what is not there is no error");
	OK(reopen() == ZP_OK && strcmp(kept(), "02") == 0,
	    "nor is it there again later");
	OK(strike(0) == ZP_OK && strike(2) == ZP_OK && reopen() == ZP_OK &&
		size_of("notes") < 20,
	    "and nothing of it stays in the file");
}

static void
one_process(void)
{
	struct zp_outstore *other = NULL;
	struct zp_fault fault;

	OK(reopen() == ZP_OK, "one process has the file");
	IS(zp_outstore_open(&other, "notes", &fault), ZP_ERR_LOCKED,
	    "another may not");
	OK(other == NULL, "and gets nothing");
}

/* Every end that a crash may leave behind. */
static void
torn(void)
{
	char text[512];
	bool good = true;

	OK(reopen() == ZP_OK && add(0, "zero\n") == ZP_OK, "of two notes");
	const long first = size_of("notes") + 1;
	OK(add(1, "one\n") == ZP_OK, "the second is torn");
	FILE *f = fopen("notes", "r");
	size_t len = f != NULL ? fread(text, 1, sizeof(text), f) : 0;
	if (f != NULL)
		fclose(f);
	for (size_t cut = (size_t)first; cut < len; cut++) {
		zp_outstore_free(s);
		s = NULL;
		tempdir_put("notes", text, cut, 0600);
		good = good && reopen() == ZP_OK && strcmp(kept(), "0") == 0 &&
		    add(5, "five\n") == ZP_OK && reopen() == ZP_OK &&
		    strcmp(kept(), "05") == 0;
	}
	OK(good, "it is passed over, wherever that is");
	zp_outstore_free(s);
	s = NULL;
	tempdir_put("notes", "zpinc-no", 8, 0600);
	OK(reopen() == ZP_OK && zp_outstore_at(s, 0) == NULL,
	    "a file that was just being made is empty");
}

static void
put_file(const char *text, unsigned mode)
{
	zp_outstore_free(s);
	s = NULL;
	tempdir_put("notes", text, strlen(text), mode);
}

static void
damaged(void)
{
	const char *sid = "73737373737373737373737373737373";
	char text[256], before[256];

	put_file("zpinc-notes 2\n", 0600);
	IS(reopen(), ZP_ERR_VERSION, "another version is not touched");
	put_file("something else\n", 0600);
	OK(reopen() != ZP_OK && size_of("notes") == 15,
	    "nor is a file of another kind");
	snprintf(text, sizeof(text), "zpinc-notes 1\n* %s 1\n", sid);
	put_file(text, 0600);
	IS(reopen(), ZP_ERR_CORRUPT, "a line that makes no sense is told");
	snprintf(text, sizeof(text), "zpinc-notes 1\n+ %s 1 0 3\nabc", sid);
	put_file(text, 0600);
	IS(reopen(), ZP_ERR_CORRUPT, "so is a note that is no lines");
	snprintf(text, sizeof(text),
	    "zpinc-notes 1\n+ %s 1 0 99999999999999999\nabc\n", sid);
	put_file(text, 0600);
	IS(reopen(), ZP_ERR_CORRUPT, "and a length beyond all limits");
	FILE *f = fopen("notes", "r");
	size_t n = f != NULL ? fread(before, 1, sizeof(before), f) : 0;
	if (f != NULL)
		fclose(f);
	OK(n == strlen(text) && memcmp(before, text, n) == 0,
	    "and the file stays as it was, for whoever can mend it");
	put_file("zpinc-notes 1\n", 0600);
	unlink("notes");
	(void)!symlink("elsewhere", "notes");
	tempdir_put("elsewhere", "zpinc-notes 1\n", 14, 0600);
	OK(reopen() != ZP_OK, "a symbolic link is not followed");
	unlink("notes");
	unlink("elsewhere");
}

/* Struck out notes do not fill the disk. */
static void
rewriting(void)
{
	static char big[200001];
	long most = 0;
	bool good = reopen() == ZP_OK;

	memset(big, 'x', sizeof(big) - 2);
	big[sizeof(big) - 2] = '\n';
	for (uint64_t i = 10; i < 60 && good; i++) {
		good = add(i, big) == ZP_OK && (i == 10 || strike(i) == ZP_OK);
		if (size_of("notes") > most)
			most = size_of("notes");
	}
	OK(good && most < 2000000,
	    "a file of ten megabytes that went never has two");
	OK(reopen() == ZP_OK && strcmp(kept(), "0") == 0 &&
		zp_outstore_at(s, 0)->len == sizeof(big) - 1,
	    "and what was not seen yet is in it");
	OK(strike(10) == ZP_OK, "until it is");
}

/* A disk that is full for a while. */
static void
full(void)
{
	struct rlimit was, low;
	long size;

	OK(reopen() == ZP_OK && add(1, "one\n") == ZP_OK, "with one note kept");
	size = size_of("notes");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	low = was;
	low.rlim_cur = (rlim_t)size + 5;
	setrlimit(RLIMIT_FSIZE, &low);
	IS(add(2, "two\n"), ZP_ERR_IO, "no room for another is told");
	setrlimit(RLIMIT_FSIZE, &was);
	OK(add(3, "three\n") == ZP_OK, "with room again the next is kept");
	OK(reopen() == ZP_OK && strcmp(kept(), "123") == 0,
	    "and with it the one before, which is still on its way");
}

/* Killed at any moment, it has what was added before. */
static void
killed(void)
{
	bool good = true;

	zp_outstore_free(s);
	s = NULL;
	unlink("notes");
	for (int round = 0; round < 20 && good; round++) {
		int told[2];
		if (pipe(told) != 0)
			exit(1);
		pid_t pid = fork();
		if (pid == 0) {
			good = reopen() == ZP_OK;
			for (uint64_t i = 0; good; i++) {
				good = add(i, "a note\n") == ZP_OK &&
				    (i % 3 != 0 || i == 0 ||
					strike(i - 1) == ZP_OK) &&
				    write(told[1], &i, sizeof(i)) == sizeof(i);
			}
			_exit(1);
		}
		close(told[1]);
		uint64_t last = 0;
		for (int i = 0; i < 5 + 7 * round; i++)
			good = good &&
			    read(told[0], &last, sizeof(last)) == sizeof(last);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(told[0], &last, sizeof(last)) == sizeof(last))
			;
		close(told[0]);
		/* All up to `last` are there that were not struck out. */
		good = good && reopen() == ZP_OK;
		size_t at = 0;
		for (uint64_t i = 0; i + 1 <= last && good; i++) {
			if (i % 3 == 2)
				continue;
			const struct zp_outstore_note *n =
			    zp_outstore_at(s, at++);
			good = n != NULL && n->seq == i;
		}
		zp_outstore_free(s);
		s = NULL;
		unlink("notes");
	}
	OK(good, "killed at any moment, what was added is there");
}

/* The system says so once, and forgets what it could not write. */
static void
unsynced(void)
{
	struct stat before, after;

	unlink("notes");
	OK(reopen() == ZP_OK && add(3, "three\n") == ZP_OK, "# a note");
	int old = open("notes", O_RDONLY); /* whose number stays in use */
	disk_fails = true;
	IS(zp_outstore_sync(s), ZP_ERR_IO, "a disk that fails is told");
	OK(zp_outstore_sync(s) == ZP_OK && fstat(old, &before) == 0 &&
		stat("notes", &after) == 0 && before.st_ino != after.st_ino,
	    "and helped by writing all anew");
	disk_fails = false;
	OK(zp_outstore_sync(s) == ZP_OK && stat("notes", &before) == 0 &&
		before.st_ino == after.st_ino,
	    "once is enough");
	close(old);
	OK(reopen() == ZP_OK && strcmp(kept(), "3") == 0,
	    "and the note is there");
}

int
main(void)
{
	tempdir_enter();
	keeping();
	one_process();
	torn();
	damaged();
	rewriting();
	full();
	unsynced();
	killed();
	zp_outstore_free(s);
	return tap_done();
}
