#include "store/zp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "crypt/zp_secret.h"
#include "store/zp_lines.h"
#include "store/zp_path.h"
#include "tap.h"
#include "tempdir.h"

static bool
holds(const char *path, const char *text)
{
	struct zp_file_data d;

	if (zp_file_read(path, 100000, &d, NULL) != ZP_OK)
		return false;
	bool same = d.len == strlen(text) && memcmp(d.data, text, d.len) == 0;
	zp_secret_free(d.data);
	return same;
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
test_write(void)
{
	umask(0);
	OK(zp_file_write("a", "one", 3, ZP_FILE_NEW) == ZP_OK &&
		holds("a", "one"),
	    "a new file is written");
	IS(mode_of("a"), 0600, "for us alone, whatever the umask");
	OK(zp_file_write("a", "two", 3, ZP_FILE_NEW) == ZP_ERR_EXISTS &&
		holds("a", "one"),
	    "a file that exists stays as it is");
	chmod("a", 0644);
	OK(zp_file_write("a", "two", 3, ZP_FILE_REPLACE) == ZP_OK &&
		holds("a", "two") && mode_of("a") == 0600,
	    "unless it is to be replaced, mode and all");
	IS(symlink("nowhere", "dangling"), 0, "# a link to nothing");
	OK(zp_file_write("dangling", "x", 1, ZP_FILE_NEW) == ZP_ERR_EXISTS,
	    "a link to nothing counts as existing");
	IS(symlink("a", "link"), 0, "# a link to a file");
	struct stat st;
	OK(zp_file_write("link", "three", 5, ZP_FILE_REPLACE) == ZP_OK &&
		holds("a", "three") && lstat("link", &st) == 0 &&
		S_ISLNK(st.st_mode),
	    "replacing through a link keeps the link");
	OK(zp_file_write("/dev/null", "x", 1, ZP_FILE_REPLACE) == ZP_ERR_IO &&
		stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode),
	    "a device is never replaced");
	OK(zp_file_write(".", "x", 1, ZP_FILE_REPLACE) == ZP_ERR_IO &&
		errno == EISDIR,
	    "nor is a folder");
	OK(zp_file_write("no/such", "x", 1, ZP_FILE_NEW) == ZP_ERR_IO &&
		errno == ENOENT,
	    "without its folder there is no file");
	OK(zp_file_write_locked("a", "four", 4) == ZP_OK && holds("a", "four"),
	    "a state file is replaced");
	tempdir_put("a.tmp", "left behind", 11, 0644);
	OK(zp_file_write_locked("a", "five", 4) == ZP_OK && holds("a", "five"),
	    "also over what a killed writer left");
	IS(tempdir_count(), 3, "no temporary file is left anywhere");
}

static void
test_full(void)
{
	static char big[100000];
	struct rlimit old, tight;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 5000;
	setrlimit(RLIMIT_FSIZE, &tight);
	OK(zp_file_write("full", big, sizeof(big), ZP_FILE_NEW) == ZP_ERR_IO &&
		errno == EFBIG && access("full", F_OK) != 0,
	    "where there is no room, there is no file");
	OK(zp_file_write("a", big, sizeof(big), ZP_FILE_REPLACE) == ZP_ERR_IO &&
		errno == EFBIG && holds("a", "five"),
	    "and an old one stays as it was");
	OK(zp_file_write_locked("a", big, sizeof(big)) == ZP_ERR_IO &&
		holds("a", "five"),
	    "a state file, too");
	setrlimit(RLIMIT_FSIZE, &old);
	IS(tempdir_count(), 3, "and nothing else is left behind");
}

static void
test_read(void)
{
	struct zp_file_data d;
	struct zp_fault fault;
	static const unsigned wide[] = {
	    0640, 0604, 0620, 0602, 0660, 0610, 0601, 0777};
	bool refused = true;

	tempdir_put("m", "secret", 6, 0600);
	for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++) {
		chmod("m", wide[i]);
		refused = refused &&
		    zp_file_read("m", 100, &d, &fault) == ZP_ERR_MODE &&
		    fault.mode == wide[i];
	}
	OK(refused, "what others may read, write or run is no private file");
	chmod("m", 0400);
	OK(holds("m", "secret"), "read-only for us is fine");
	OK(zp_file_read("m", 5, &d, &fault) == ZP_ERR_TOO_LONG,
	    "a file over the limit is refused");
	OK(zp_file_read("none", 5, &d, &fault) == ZP_ERR_NOT_FOUND,
	    "no file is told as such");
	OK(zp_file_read(".", 5, &d, &fault) == ZP_ERR_IO && errno == EISDIR,
	    "a folder is no file");
	OK(zp_file_read("/dev/zero", 5, &d, &fault) == ZP_ERR_FORMAT,
	    "nor is a device, which might have no end");
	char *text;
	size_t len;
	chmod("m", 0644);
	OK(zp_file_read_state("m", 100, &text, &len, &fault) == ZP_OK &&
		len == 6 && strcmp(text, "secret") == 0,
	    "what is no secret others may read");
	free(text);
	chmod("m", 0664);
	OK(zp_file_read_state("m", 100, &text, &len, &fault) == ZP_ERR_MODE,
	    "but not write");
	unlink("m");
}

static void
test_credentials(void)
{
	struct zp_file_data d;
	char path[512];

	if (geteuid() != 0) {
		printf("ok %d # SKIP needs root\n", ++tap_count);
		return;
	}
	tempdir_put("c.key", "x", 1, 0440);
	snprintf(path, sizeof(path), "%s/c.key", tempdir_path);
	OK(zp_file_read(path, 9, &d, NULL) == ZP_ERR_MODE,
	    "a group may not read a key file");
	setenv("CREDENTIALS_DIRECTORY", tempdir_path, 1);
	OK(holds(path, "x"), "unless it is root's, handed over by systemd");
	chmod("c.key", 0444);
	OK(zp_file_read(path, 9, &d, NULL) == ZP_ERR_MODE,
	    "and even then not everybody");
	chmod("c.key", 0440);
	if (chown("c.key", 12345, (gid_t)-1) == 0)
		OK(zp_file_read(path, 9, &d, NULL) == ZP_ERR_MODE,
		    "and only root's");
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink("c.key");
}

/* A child with an open pipe: what it writes there can be read as a file. */
static void
test_pipe(void)
{
	int p[2];
	char name[64], text[9001];

	memset(text, 'x', sizeof(text));
	text[9000] = '\0';
	IS(pipe(p), 0, "# a pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(p[0]);
		_exit(write(p[1], text, 9000) == 9000 ? 0 : 1);
	}
	close(p[1]);
	snprintf(name, sizeof(name), "/dev/fd/%d", p[0]);
	OK(holds(name, text), "a pipe is read to its end, however long");
	close(p[0]);
	waitpid(pid, NULL, 0);
}

static void
test_lock(void)
{
	int lock = -1, other = -1, up[2], down[2];
	char c = 0;

	OK(pipe(up) == 0 && pipe(down) == 0, "# two pipes");
	pid_t pid = fork();
	if (pid == 0) {
		if (zp_file_lock("l", 1000, &lock, NULL) != ZP_OK ||
		    write(up[1], "x", 1) != 1)
			_exit(1);
		_exit(read(down[0], &c, 1) == 1 ? 0 : 1);
	}
	IS(read(up[0], &c, 1), 1, "# another process has the lock");
	OK(zp_file_lock("l", 30, &other, NULL) == ZP_ERR_LOCKED,
	    "a lock in other hands is waited for, but not for ever");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	OK(zp_file_lock("l", 1000, &other, NULL) == ZP_OK,
	    "a lock goes with the process that was killed");
	zp_file_unlock(other);
	OK(zp_file_lock("no/such", 10, &other, NULL) == ZP_ERR_IO,
	    "without its folder there is no lock");
	OK(mkfifo("fifo", 0600) == 0 &&
		zp_file_lock("fifo", 10, &other, NULL) == ZP_ERR_FORMAT &&
		access("fifo.lock", F_OK) != 0 &&
		zp_file_lock("", 10, &other, NULL) == ZP_ERR_USAGE &&
		access(".lock", F_OK) != 0,
	    "nor of what is no file, and none is left beside that");
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
	unlink("l.lock");
}

/* Kills a writer at any moment: the file is always one of the two. */
static void
test_killed(void)
{
	static char one[20000], two[20000];
	bool whole = true;

	memset(one, '1', sizeof(one) - 1);
	memset(two, '2', sizeof(two) - 1);
	OK(zp_file_write_locked("k", one, sizeof(one) - 1) == ZP_OK, "# begin");
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();
		if (pid == 0)
			for (;;)
				if (zp_file_write_locked(
					"k", one, sizeof(one) - 1) != ZP_OK ||
				    zp_file_write_locked(
					"k", two, sizeof(two) - 1) != ZP_OK)
					_exit(1);
		struct timespec t = {.tv_nsec = 100000L * (i % 37 + 3)};
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		whole = whole && (holds("k", one) || holds("k", two));
	}
	OK(whole, "a killed writer leaves the old file or the new one");
	unlink("k");
	unlink("k.tmp");
}

static void
test_paths(void)
{
	char path[ZP_PATH_MAX], want[ZP_PATH_MAX];
	struct stat st;

	setenv("HOME", tempdir_path, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	OK(zp_path_find(path, ZP_PATH_KEY, "a/b") == ZP_OK &&
		strcmp(path, "a/b") == 0,
	    "with a slash it is a path");
	OK(zp_path_find(path, ZP_PATH_KEY, "ops") == ZP_ERR_NOT_FOUND,
	    "a name that is nowhere is not found");
	OK(zp_path_make(path, ZP_PATH_KEY, "ops") == ZP_OK &&
		stat(".config/zpinc", &st) == 0 && (st.st_mode & 07777) == 0700,
	    "the folder for keys is made, for us alone");
	snprintf(want, sizeof(want), "%s/.config/zpinc/ops.key", tempdir_path);
	OK(strcmp(path, want) == 0, "and a key goes there");
	tempdir_put(path, "x", 1, 0600);
	OK(zp_path_find(path, ZP_PATH_KEY, "ops") == ZP_OK &&
		strcmp(path, want) == 0,
	    "and is found there by its name");
	OK(zp_path_find(path, ZP_PATH_KEY, "ops.key") == ZP_OK &&
		strcmp(path, want) == 0,
	    "with or without its ending");
	OK(zp_path_find(path, ZP_PATH_IDENTITY, "ops") == ZP_ERR_NOT_FOUND,
	    "an identity is something else");
	tempdir_put("ops.key", "x", 1, 0600);
	setenv("CREDENTIALS_DIRECTORY", tempdir_path, 1);
	snprintf(want, sizeof(want), "%s/ops.key", tempdir_path);
	OK(zp_path_find(path, ZP_PATH_KEY, "ops") == ZP_OK &&
		strcmp(path, want) == 0,
	    "systemd's credentials come first");
	unsetenv("CREDENTIALS_DIRECTORY");
	OK(zp_path_make(path, ZP_PATH_KEY, "../a b/$(c)") == ZP_OK &&
		strcmp(strrchr(path, '/'), "/_._a_b___c_.key") == 0,
	    "a channel's name cannot leave the folder or need quoting");
	OK(zp_path_state(path, "known", false) == ZP_OK &&
		stat(".local", &st) != 0,
	    "looking for a state makes no folder");
	setenv("XDG_CONFIG_HOME", "relative", 1);
	OK(zp_path_make(path, ZP_PATH_KEY, "ops") == ZP_OK &&
		strstr(path, "relative") == NULL,
	    "a relative XDG folder is ignored, as its specification says");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("HOME");
	OK(zp_path_make(path, ZP_PATH_KEY, "ops") == ZP_ERR_NOT_FOUND,
	    "without a home there is no place");
	unlink(".config/zpinc/ops.key");
	rmdir(".config/zpinc");
	rmdir(".config");
	unlink("ops.key");
}

static bool
name_survives(const char *name)
{
	char text[256], back[ZP_NAME_MAX + 1];
	struct zp_writer w;

	zp_writer_init(&w, text, sizeof(text));
	zp_lines_put_name(&w, name);
	struct zp_line line = {text, w.len};
	return !w.bad && w.len <= ZP_LINES_NAME_MAX &&
	    zp_line_name(&line, back) && strcmp(back, name) == 0;
}

static void
test_lines(void)
{
	char name[ZP_NAME_MAX + 1];
	struct zp_lines l;
	struct zp_line line;
	uint64_t v;

	OK(name_survives("alice") && name_survives(" a  b ") &&
		name_survives("   ") && name_survives("#x\\x20") &&
		name_survives("\xe2\x80\xae"
			      "evil") &&
		name_survives("Zo\xc3\xab") &&
		name_survives("\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"
			      "\\\\\\\\\\\\\\\\\\"),
	    "every name comes back as it was written");
	static const char *const bad[] = {"", "\\", "\\q", "\\x4", "\\x4G",
	    "a\\x0a", "a\\x00", "12345678901234567890123456789012", "\\xff"};
	bool refused = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		line = (struct zp_line){bad[i], strlen(bad[i])};
		refused = refused && !zp_line_name(&line, name);
	}
	OK(refused, "what is no name is not taken for one");
	static const char text[] = "# c\r\n\r\n\nx 1\r\nlast";
	zp_lines_init(&l, text, sizeof(text) - 1);
	OK(zp_lines_next(&l, &line) && l.number == 4 &&
		zp_line_is(&line, "x") && zp_line_number(&line, &v) && v == 1 &&
		zp_line_end(&line),
	    "comments, blank lines and carriage returns are passed over");
	OK(zp_lines_next(&l, &line) && zp_line_is(&line, "last") &&
		!zp_lines_next(&l, &line) && l.bad == NULL,
	    "a last line needs no end");
	zp_lines_init(&l, "a\n\xff\n", 4);
	OK(zp_lines_next(&l, &line) && !zp_lines_next(&l, &line) &&
		l.bad != NULL && l.number == 2,
	    "bytes that are not UTF-8 are told with their line");
	zp_lines_init(&l, "a\0b\n", 4);
	OK(!zp_lines_next(&l, &line) && l.bad != NULL, "so are NUL bytes");
	static const char *const numbers[] = {
	    "", "-1", "+1", "01", "1x", "18446744073709551616", " 1"};
	refused = true;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		line = (struct zp_line){numbers[i], strlen(numbers[i])};
		refused = refused && !zp_line_number(&line, &v);
	}
	OK(refused, "a number has digits, and one way to be written");
	line = (struct zp_line){"18446744073709551615", 20};
	OK(zp_line_number(&line, &v) && v == UINT64_MAX, "up to 2^64 - 1");
}

int
main(void)
{
	if (zp_secret_init() != ZP_OK)
		return 1;
	tempdir_enter();
	test_write();
	test_full();
	test_read();
	test_credentials();
	test_pipe();
	test_lock();
	test_killed();
	test_paths();
	test_lines();
	return tap_done();
}
