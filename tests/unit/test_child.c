#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proc/zp_child.h"
#include "tap.h"
#include "tmp.h"

static char dir[] = "/tmp/zp_child.XXXXXX";

static void
put_script(const char *name, const char *text, mode_t mode)
{
	int fd = open(tmp_path(dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0700);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 ||
	    fchmod(fd, mode) != 0)
		printf("# cannot write %s\n", name);
	close(fd);
}

/* Reads to the end of file; what was read, in a static buffer. */
static const char *
all_of(int fd)
{
	static char buf[65536];
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return buf;
}

/* Waits until a child has ended by itself. */
static int
ended(struct zp_child *c)
{
	const struct timespec ms = {0, 1000000};
	int status = -1;

	for (int i = 0; i < 10000 && !zp_child_ended(c, &status); i++)
		nanosleep(&ms, NULL);
	return status;
}

/* What a command prints. */
static const char *
output_of(const char *command)
{
	struct zp_child c;
	const struct zp_child_plan plan = {.command = command,
	    .in = ZP_CHILD_NULL,
	    .out = ZP_CHILD_PIPE,
	    .err = STDERR_FILENO,
	    .url = "file:x",
	    .topic = "zT",
	    .live = "zL"};

	zp_child_init(&c);
	if (zp_child_start(&c, &plan) != ZP_OK)
		return "does not start";
	const char *out = all_of(c.out);
	ended(&c);
	zp_child_close(&c);
	return out;
}

static void
test_find(void)
{
	char path[PATH_MAX], want[PATH_MAX], old[PATH_MAX];

	snprintf(old, sizeof(old), "%s", getenv("PATH"));
	setenv("PATH", dir, 1);
	put_script("zpinc-zptest", "#!/bin/sh\nexit 7\n", 0700);
	put_script("zpinc-mqtt", "#!/bin/sh\nexit 8\n", 0700);
	put_script("zpinc-plain", "#!/bin/sh\n", 0600);
	mkdir(tmp_path(dir, "zpinc-folder"), 0700);
	IS(zp_child_find("t", "zptest", path), ZP_OK, "a scheme's is on PATH");
	OK(strcmp(path, tmp_path(dir, "zpinc-zptest")) == 0,
	    "and its path is told");
	OK(zp_child_find("t", "mqtts", path) == ZP_OK &&
		strcmp(path, tmp_path(dir, "zpinc-mqtt")) == 0,
	    "mqtts is spoken by zpinc-mqtt");
	IS(zp_child_find("t", "nosuch", path), ZP_ERR_NOT_FOUND,
	    "an unknown scheme is not found");
	IS(zp_child_find("t", "folder", path), ZP_ERR_NOT_FOUND,
	    "a directory is no program");
	IS(zp_child_find("t", "plain", path), ZP_ERR_NOT_FOUND,
	    "a file that cannot run is no program");
	IS(zp_child_find("t", "../zptest", path), ZP_ERR_FORMAT,
	    "a scheme cannot lead elsewhere");
	IS(zp_child_find("t", "", path), ZP_ERR_FORMAT, "no scheme is empty");

	/* Beside this very program, before PATH. */
	ssize_t n = readlink("/proc/self/exe", want, sizeof(want) - 16);
	if (n > 0) {
		want[n] = '\0';
		snprintf(strrchr(want, '/'), 16, "/zpinc-mqtt");
		put_script("zpinc-mqtt", "", 0600);
		int fd = open(want, O_WRONLY | O_CREAT | O_EXCL, 0700);
		const char *name = "beside the running program is looked first";
		if (fd >= 0)
			OK(zp_child_find("t", "mqtt", path) == ZP_OK &&
				strcmp(path, want) == 0,
			    name);
		else
			tap_skip(name, "its directory is not ours");
		if (fd >= 0)
			unlink(want);
		close(fd);
	}
	setenv("PATH", old, 1);
}

static void
test_pipes(void)
{
	const char *const argv[] = {"/bin/cat", NULL};
	const struct zp_child_plan plan = {.argv = argv,
	    .in = ZP_CHILD_PIPE,
	    .out = ZP_CHILD_PIPE,
	    .err = STDERR_FILENO};
	struct zp_child c;

	zp_child_init(&c);
	IS(zp_child_start(&c, &plan), ZP_OK, "a program starts");
	OK((fcntl(c.in, F_GETFD) & FD_CLOEXEC) != 0 &&
		(fcntl(c.out, F_GETFD) & FD_CLOEXEC) != 0,
	    "our ends of its pipes are not inherited");
	OK(write(c.in, "there and back\n", 15) == 15, "it takes what we write");
	close(c.in);
	c.in = -1;
	OK(strcmp(all_of(c.out), "there and back\n") == 0, "and answers");
	IS(ended(&c), 0, "it ends with status 0");
	IS(waitpid(-1, NULL, WNOHANG), -1, "and is no zombie");
	zp_child_close(&c);

	/* The same pipe serves one child after another. */
	int fd[2];
	if (pipe(fd) != 0)
		return;
	struct zp_child_plan same = {
	    .in = ZP_CHILD_NULL, .out = fd[1], .err = STDERR_FILENO};
	for (int i = 0; i < 2; i++) {
		same.command = i == 0 ? "echo one" : "echo two";
		if (zp_child_start(&c, &same) == ZP_OK)
			ended(&c);
	}
	close(fd[1]);
	OK(strcmp(all_of(fd[0]), "one\ntwo\n") == 0,
	    "a pipe of ours goes from child to child");
	close(fd[0]);
}

static void
test_failures(void)
{
	const char *const missing[] = {"/nonexistent/zpinc-x", NULL};
	const char *const shellless[] = {tmp_path(dir, "noexec"), NULL};
	struct zp_child_plan plan = {.argv = missing,
	    .in = ZP_CHILD_PIPE,
	    .out = ZP_CHILD_PIPE,
	    .err = ZP_CHILD_PIPE};
	struct zp_child c;
	int before = dup(0), after;

	close(before);
	zp_child_init(&c);
	errno = 0;
	IS(zp_child_start(&c, &plan), ZP_ERR_IO, "a missing program fails");
	IS(errno, ENOENT, "and errno says why");
	put_script("noexec", "text", 0600);
	plan.argv = shellless;
	IS(zp_child_start(&c, &plan), ZP_ERR_IO, "so does one that cannot run");
	IS(errno, EACCES, "and errno says why");
	IS(waitpid(-1, NULL, WNOHANG), -1, "no zombie is left");
	after = dup(0);
	close(after);
	IS(after, before, "no descriptor is left open");
	IS(c.pid, 0, "the child's struct is as it was");
}

static void
test_environment(void)
{
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
	setenv("ZPINC_UID", "alice", 1);
	setenv("SECRET_TOKEN", "s3cret", 1);
	setenv("LC_TIME", "C", 1);
	setenv("https_proxy", "http://proxy:1", 1);
	OK(strcmp(output_of("echo $ZPINC_URL $ZPINC_TOPIC $ZPINC_LIVE"),
	       "file:x zT zL\n") == 0,
	    "URL and topics are in the environment");
	OK(strcmp(output_of("echo \"$CREDENTIALS_DIRECTORY$ZPINC_UID\""),
	       "\n") == 0,
	    "a command does not learn where credentials lie");
	OK(strcmp(output_of("echo $SECRET_TOKEN"), "s3cret\n") == 0,
	    "a command keeps the rest of the user's environment");

	const char *const argv[] = {"/usr/bin/env", NULL};
	const struct zp_child_plan plan = {.argv = argv,
	    .in = ZP_CHILD_NULL,
	    .out = ZP_CHILD_PIPE,
	    .err = STDERR_FILENO,
	    .url = "redis://h"};
	struct zp_child c;
	if (zp_child_start(&c, &plan) != ZP_OK)
		return;
	const char *out = all_of(c.out);
	ended(&c);
	zp_child_close(&c);
	OK(strstr(out, "ZPINC_URL=redis://h\n") != NULL &&
		strstr(out, "PATH=") != NULL && strstr(out, "LC_TIME=C\n") &&
		strstr(out, "https_proxy=http://proxy:1\n"),
	    "a transport gets its URL, PATH, locale and proxies");
	OK(strstr(out, "SECRET") == NULL && strstr(out, "CREDENT") == NULL &&
		strstr(out, "ZPINC_UID") == NULL,
	    "a transport gets nothing else");
}

static void
test_isolation(void)
{
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */
	int high = fcntl(leak, F_DUPFD, 200);

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigset_t block;
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	/* ls itself opens the directory: descriptor 3. */
	OK(strcmp(output_of("echo $(ls /proc/self/fd)"), "0 1 2 3\n") == 0,
	    "a child inherits no descriptor beyond the first three");
	unsigned long long ign = 0, blk = 0, ours = 0;
	const char *out = output_of(
	    "sed -n 's/^Sig\\(Blk\\|Ign\\):\t/0x/p' /proc/self/status");
	char *rest = NULL;
	blk = strtoull(out, &rest, 16);
	ign = strtoull(rest, NULL, 16);
	ours = 1ULL << (SIGPIPE - 1) | 1ULL << (SIGXFSZ - 1) |
	    1ULL << (SIGTERM - 1);
	OK(strstr(out, "\n0x") != NULL && blk == 0 && (ign & ours) == 0,
	    "a child finds the signals we ignore or block at their default");
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	OK(strcmp(output_of("exec 2>/dev/null; read x </dev/tty || echo none"),
	       "none\n") == 0,
	    "a child has no terminal to read from");
	OK(strcmp(output_of("yes | head -n 1"), "y\n") == 0,
	    "a child's pipelines end");
	close(leak);
	close(high);
}

/* Seconds that stopping a command takes. */
static double
time_to_stop(const char *command, unsigned ms, bool *gone)
{
	const struct zp_child_plan plan = {.command = command,
	    .in = ZP_CHILD_PIPE,
	    .out = ZP_CHILD_PIPE,
	    .err = STDERR_FILENO};
	struct zp_child c, idle, *both[] = {&c, &idle};
	struct timespec a, b;
	char ready;

	zp_child_init(&idle);
	if (zp_child_start(&c, &plan) != ZP_OK || read(c.out, &ready, 1) != 1)
		return 1e9;
	int out = dup(c.out);
	clock_gettime(CLOCK_MONOTONIC, &a);
	zp_child_stop(both, 2, ms);
	clock_gettime(CLOCK_MONOTONIC, &b);
	/* The pipe ends when nobody holds it any more, grandchildren too. */
	struct pollfd p = {out, POLLIN, 0};
	*gone = poll(&p, 1, 5000) == 1 && read(out, &ready, 1) == 0 &&
	    waitpid(-1, NULL, WNOHANG) == -1 && c.pid == 0 && c.in == -1;
	close(out);
	return (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void
test_stop(void)
{
	bool gone = false;

	double quick = time_to_stop("echo; exec sleep 1000", 60000, &gone);
	OK(gone && quick < 30, "SIGTERM ends a child long before SIGKILL");
	double stubborn = time_to_stop(
	    "trap '' TERM; echo; while :; do sleep 1; done", 300, &gone);
	OK(gone && stubborn >= 0.3, "SIGKILL ends who ignores SIGTERM, later");
	time_to_stop("sleep 1000 | { echo; sleep 1000; }", 2000, &gone);
	OK(gone, "a pipeline goes with its shell");
	time_to_stop("(trap '' TERM; echo; sleep 1000) & wait", 2000, &gone);
	OK(gone, "so does what the shell left in the background");
	time_to_stop("echo; kill -STOP $$", 2000, &gone);
	OK(gone, "a stopped child is ended too");
}

static int
fork_body(void *arg)
{
	int *fd = arg;

	/* fd[1] is kept; fd[0] and fd[2] must be closed. */
	bool good = fcntl(fd[0], F_GETFD) < 0 && fcntl(fd[2], F_GETFD) < 0 &&
	    write(fd[1], "kept", 4) == 4;
	return good ? 9 : 10;
}

static void
test_fork(void)
{
	int fd[3];
	struct zp_child c;
	char how[ZP_CHILD_HOW];

	if (pipe(fd) != 0)
		return;
	fd[2] = fcntl(fd[0], F_DUPFD, 300);
	IS(zp_child_fork(&c, &fd[1], 1, fork_body, fd), ZP_OK, "we can fork");
	close(fd[1]);
	OK(strcmp(all_of(fd[0]), "kept") == 0,
	    "the fork keeps what it is told");
	int status = ended(&c);
	OK(WIFEXITED(status) && WEXITSTATUS(status) == 9,
	    "it closes all else, and its status is the body's");
	OK(strcmp(zp_child_how(how, status), "exit status 9") == 0,
	    "its end can be told");
	close(fd[0]);
	close(fd[2]);
}

/* What zp_child_tell() makes of a command's stderr. */
static const char *
told(const char *command)
{
	const struct zp_child_plan plan = {.command = command,
	    .in = ZP_CHILD_NULL,
	    .out = ZP_CHILD_NULL,
	    .err = ZP_CHILD_PIPE};
	struct zp_child c;
	int fd[2], err = dup(2);

	if (zp_child_start(&c, &plan) != ZP_OK || pipe(fd) != 0)
		return "does not start";
	dup2(fd[1], 2);
	while (c.err >= 0)
		zp_child_tell(&c, "tool");
	dup2(err, 2);
	close(fd[1]);
	close(err);
	const char *text = all_of(fd[0]);
	close(fd[0]);
	ended(&c);
	return text;
}

static void
test_tell(void)
{
	OK(strcmp(told("printf 'one\\ntwo' >&2"), "tool: one\ntool: two\n") ==
		0,
	    "a child's messages are passed on, line by line");
	OK(strcmp(told("printf 'a\\033[2Jb\\r\\n' >&2"),
	       "tool: a\\x1b[2Jb\\x0d\n") == 0,
	    "without control sequences");
	const char *flood = told("yes x | head -n 100000 >&2");
	OK(strlen(flood) < 4000 && strstr(flood, "dropped") != NULL,
	    "a flood of messages is cut");
	const char *line = told("head -c 100000 /dev/zero | tr '\\0' y >&2");
	OK(strlen(line) < 600 && strstr(line, "yyy...\n") != NULL,
	    "a line without end is cut");
}

static void
test_confined(void)
{
	const char *hide[] = {tmp_path(dir, "key"), NULL};
	const char *all[] = {"/", NULL};
	const struct zp_confine_paths paths = {.write = all, .hide = hide};
	char command[PATH_MAX + 64];
	struct zp_child c;
	struct zp_child_plan plan = {.in = ZP_CHILD_NULL,
	    .out = ZP_CHILD_PIPE,
	    .err = ZP_CHILD_NULL,
	    .paths = &paths,
	    .tool = "test_child",
	    .must = true};

	snprintf(command, sizeof(command), "cat %s || echo none",
	    tmp_path(dir, "key"));
	plan.command = command;
	put_script("key", "secret\n", 0600);
	if (!zp_confine_has_paths()) {
		IS(zp_child_start(&c, &plan), ZP_ERR_CONFINE,
		    "--confine starts no child that cannot be confined");
		tap_skip("a child cannot read a key",
		    "no Landlock, or a build for tests");
		return;
	}
	IS(zp_child_start(&c, &plan), ZP_OK, "a confined child starts");
	OK(strcmp(all_of(c.out), "none\n") == 0, "it cannot read a key");
	ended(&c);
	zp_child_close(&c);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return EXIT_FAILURE;
	test_find();
	test_pipes();
	test_failures();
	test_environment();
	test_isolation();
	test_stop();
	test_fork();
	test_tell();
	test_confined();

	char command[PATH_MAX];
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		return EXIT_FAILURE;
	return tap_done();
}
