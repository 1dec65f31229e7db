/*
 * The forbidden, tried from inside: each case confines a process of its own
 * and looks at how that ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#endif

#include "proc/zp_confine.h"
#include "tap.h"
#include "tmp.h"

/* A child's exit status that says all was as it should be. */
#define GOOD 40
#define BAD 41

static char dir[] = "/tmp/zp_confine.XXXXXX";

static void
put_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, "secret\n", 7) != 7)
		printf("# cannot write %s\n", path);
	close(fd);
}

/* Can it be opened? */
static bool
opens(const char *path, int mode)
{
	int fd = open(path, mode, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool
denied(const char *path, int mode)
{
	return !opens(path, mode) && errno == EACCES;
}

/* Runs body in a child and returns its wait status. */
static int
in_child(bool (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body() ? GOOD : BAD);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static bool
went_well(bool (*body)(void))
{
	int s = in_child(body);

	if (WIFEXITED(s) && WEXITSTATUS(s) == GOOD)
		return true;
	printf("# %s %d\n", WIFEXITED(s) ? "status" : "signal",
	    WIFEXITED(s) ? WEXITSTATUS(s) : WTERMSIG(s));
	return false;
}

/* ---- early ------------------------------------------------------------- */

static bool
early(void)
{
	return zp_confine_early() == ZP_OK;
}

static bool
no_core(void)
{
	struct rlimit r;

	return early() && getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0;
}

static void
as_nobody(void)
{
	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		_exit(BAD);
}

#ifdef __linux__
static bool
not_dumpable(void)
{
	return early() && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* Shells hand over input as /dev/fd/N, children are found by /proc/self. */
static bool
still_knows_itself(void)
{
	char link[PATH_MAX];

	as_nobody();
	if (!early() || readlink("/proc/self/exe", link, sizeof(link)) <= 0)
		return false;
	int fd[2];
	if (pipe(fd) != 0 || write(fd[1], "x", 1) != 1)
		return false;
	snprintf(link, sizeof(link), "/dev/fd/%d", fd[0]);
	int again = open(link, O_RDONLY);
	return again >= 0 && read(again, link, 1) == 1 && link[0] == 'x';
}

/* A process of the same user tries to look into an early one. */
static bool
no_peeking(void)
{
	char path[64];
	int go[2], fd;
	char c = 0;

	as_nobody();
	if (pipe(go) != 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		if (!early() || write(go[1], "x", 1) != 1)
			_exit(BAD);
		pause();
		_exit(GOOD);
	}
	if (read(go[0], &c, 1) != 1)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY);
	bool good = fd < 0 && ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0 &&
	    errno == EPERM;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return good;
}
#endif

static void
test_early(void)
{
	OK(went_well(no_core), "an early process dumps no core");
#ifdef __linux__
	if (zp_confine_has_calls())
		OK(went_well(not_dumpable), "an early process is not dumpable");
	else
		tap_skip("an early process is not dumpable",
		    "no seccomp, or a build for tests");
	OK(went_well(still_knows_itself),
	    "an early process still opens /dev/fd and finds its program");
	if (zp_confine_has_calls())
		OK(went_well(no_peeking),
		    "its user's other processes cannot attach or read it");
	else
		tap_skip("its user's other processes cannot attach or read it",
		    "no seccomp, or a build for tests");
#endif
}

/* ---- keyed ------------------------------------------------------------- */

static bool
keyed(unsigned flags)
{
	const char *dirs[] = {tmp_path(dir, "state"), NULL};

	return zp_confine_early() == ZP_OK &&
	    zp_confine_keyed("test_confine", true, flags, dirs) == ZP_OK;
}

/* What another process, with all files, takes for local time. */
static bool
ask_hour(char to[static 32], time_t when)
{
	int fd[2], status;
	struct tm tm;

	if (pipe(fd) != 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		bool good = localtime_r(&when, &tm) != NULL &&
		    strftime(to, 32, "%Y-%m-%d %H:%M", &tm) > 0 &&
		    write(fd[1], to, 32) == 32;
		_exit(good ? 0 : 1);
	}
	return pid > 0 && read(fd[0], to, 32) == 32 &&
	    waitpid(pid, &status, 0) == pid && status == 0;
}

static bool
same_hour(void)
{
	char want[32] = "", got[32] = "";
	time_t when = 1781000000; /* June 2026: summer, in half of the world */
	struct tm tm;

	unsetenv("TZ");
	return ask_hour(want, when) && keyed(ZP_CONFINE_LOCALTIME) &&
	    localtime_r(&when, &tm) != NULL &&
	    strftime(got, sizeof(got), "%Y-%m-%d %H:%M", &tm) > 0 &&
	    strcmp(want, got) == 0;
}

static bool
works(void)
{
	unsigned char buf[32];
	struct timespec now;
	struct tm tm;
	time_t zero = 0;
	int fd[2], files[2];

	setenv("TZ", "Europe/Helsinki", 1);
	if (pipe(fd) != 0 || pipe(files) != 0 || !keyed(ZP_CONFINE_LOCALTIME))
		return false;
	struct pollfd p = {fd[0], POLLIN, 0};
	bool good = write(fd[1], "abc", 3) == 3 && poll(&p, 1, 1000) == 1 &&
	    read(fd[0], buf, 3) == 3 && isatty(fd[0]) == 0;
	FILE *f = fdopen(files[1], "w");
	good = good && f != NULL && fprintf(f, "x") == 1 && fclose(f) == 0;
	void *secret = sodium_malloc(100000);
	good = good && secret != NULL && sodium_mprotect_readonly(secret) == 0;
	sodium_free(secret);
	randombytes_buf(buf, sizeof(buf));
	void *big = malloc(32 << 20);
	good = good && big != NULL && (big = realloc(big, 64 << 20)) != NULL;
	free(big);
	/* Helsinki was two hours ahead in 1970: its file has been read. */
	good = good && localtime_r(&zero, &tm) != NULL && tm.tm_hour == 2;
	now.tv_sec = 0;
	now.tv_nsec = 1000;
	return good && nanosleep(&now, NULL) == 0 &&
	    clock_gettime(CLOCK_BOOTTIME, &now) == 0 && raise(0) == 0;
}

static bool
aborts(void)
{
	if (keyed(0))
		abort();
	return false;
}

static bool
makes_socket(void)
{
	return keyed(0) && socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool
connects(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && keyed(0) &&
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

static bool
sends(void)
{
	int fd[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0 && keyed(0) &&
	    send(fd[0], "x", 1, 0) == 1;
}

static bool
execs(void)
{
	return keyed(ZP_CONFINE_FILES | ZP_CONFINE_THREADS) &&
	    execl("/bin/true", "true", (char *)NULL) == 0;
}

static bool
forks(void)
{
	return keyed(ZP_CONFINE_FILES) && fork() >= 0;
}

static bool
forks_with_threads(void)
{
	return keyed(ZP_CONFINE_THREADS) && fork() >= 0;
}

static bool
kills(void)
{
	return keyed(0) && kill(getppid(), 0) == 0;
}

static void *
thread(void *arg)
{
	*(int *)arg = 7;
	return arg;
}

static bool
makes_thread(void)
{
	pthread_t t;
	int n = 0;

	return pthread_create(&t, NULL, thread, &n) == 0 &&
	    pthread_join(t, NULL) == 0 && n == 7;
}

static bool
threads_allowed(void)
{
	return keyed(ZP_CONFINE_THREADS) && makes_thread();
}

static bool
threads_forbidden(void)
{
	return keyed(0) && makes_thread();
}

static bool
opens_nothing(void)
{
	struct stat st;

	return keyed(0) && denied(tmp_path(dir, "key"), O_RDONLY) &&
	    denied("/etc/passwd", O_RDONLY) &&
	    denied(tmp_path(dir, "new"), O_WRONLY | O_CREAT) &&
	    stat(tmp_path(dir, "key"), &st) != 0 &&
	    unlink(tmp_path(dir, "key")) != 0 &&
	    rename(tmp_path(dir, "key"), tmp_path(dir, "new")) != 0 &&
	    chmod(tmp_path(dir, "key"), 0644) != 0 && chdir("/") != 0;
}

static bool
maps_no_code(void)
{
	int code = PROT_READ | PROT_EXEC;
	void *p;

	if (!keyed(0))
		return false;
	if (mmap(NULL, 4096, code, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		return false;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p != MAP_FAILED && mprotect(p, 4096, code) != 0;
}

static bool
own_files(void)
{
	char got[8];
	int fd;

	if (!keyed(ZP_CONFINE_FILES))
		return false;
	fd = open(tmp_path(dir, "state/new"), O_RDWR | O_CREAT | O_EXCL, 0600);
	bool good = fd >= 0 && flock(fd, LOCK_EX) == 0 &&
	    write(fd, "state", 5) == 5 && fsync(fd) == 0 &&
	    link(tmp_path(dir, "state/new"), tmp_path(dir, "state/other")) ==
		0 &&
	    unlink(tmp_path(dir, "state/other")) == 0 &&
	    rename(tmp_path(dir, "state/new"), tmp_path(dir, "state/seen")) ==
		0 &&
	    pread(fd, got, 5, 0) == 5 && ftruncate(fd, 0) == 0;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return good && fcntl(fd, F_SETLK, &lock) == 0 &&
	    opens(tmp_path(dir, "state/seen"), O_RDONLY) &&
	    unlink(tmp_path(dir, "state/seen")) == 0;
}

static bool
others_files(void)
{
	return keyed(ZP_CONFINE_FILES) && denied("/etc/passwd", O_RDONLY) &&
	    denied(tmp_path(dir, "out/key"), O_RDONLY) &&
	    denied("/tmp/zp_confine.new", O_WRONLY | O_CREAT) &&
	    denied("/proc/self/maps", O_RDONLY);
}

/* A link in the state's directory that leads out of it. */
static bool
linked_files(void)
{
	return keyed(ZP_CONFINE_FILES) &&
	    denied(tmp_path(dir, "state/link"), O_RDONLY) &&
	    symlink("/etc/passwd", tmp_path(dir, "state/more")) != 0;
}

static void
killed(bool (*body)(void), const char *name)
{
	int s = in_child(body);

	if (!OK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSYS, name))
		printf("# wait status %#x\n", (unsigned)s);
}

#ifdef __linux__
static bool
traces(void)
{
	return keyed(0) && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool
reads_others(void)
{
	char c = 0, d = 0;
	struct iovec a = {&c, 1}, b = {&d, 1};

	return keyed(0) && process_vm_readv(getppid(), &a, 1, &b, 1, 0) >= 0;
}

static bool
makes_ring(void)
{
	return keyed(0) && syscall(425, 4, NULL) >= 0;
}

static bool
becomes_dumpable(void)
{
	return keyed(0) && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool
unknown_call(void)
{
	return keyed(0) && syscall(511) == -1 && errno == ENOSYS;
}

static bool
pushes_input(void)
{
	return keyed(0) &&
	    syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x") < 0 &&
	    errno == EPERM;
}

#ifdef __x86_64__
static bool
other_numbers(void)
{
	return keyed(0) && syscall(0x40000000 + SYS_getpid) >= 0;
}

/* The 32-bit entry: 20 is getpid there, and writev for 64 bits. */
static bool
other_entry(void)
{
	long r;

	if (!keyed(0))
		return false;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	return r > 0;
}
#endif

static void
test_keyed_linux(void)
{
	killed(traces, "ptrace kills a keyed process");
	killed(reads_others, "reading another's memory kills a keyed process");
	killed(makes_ring, "io_uring kills a keyed process");
	OK(WEXITSTATUS(in_child(becomes_dumpable)) == BAD,
	    "a keyed process cannot become dumpable again");
	OK(went_well(unknown_call), "a system call nobody knows is refused");
	OK(went_well(pushes_input), "a keyed process cannot type for the user");
#ifdef __x86_64__
	killed(other_numbers, "calls by the numbers of x32 kill");
	killed(other_entry, "calls by the 32-bit entry kill");
#endif
}
#endif

static void
test_keyed(void)
{
	int s;

	if (!zp_confine_has_calls()) {
		tap_skip("what a keyed process may call",
		    "no seccomp, or a build for tests");
		return;
	}
	OK(went_well(works), "a keyed process goes on reading and computing");
	OK(went_well(same_hour),
	    "the system's local time is known without files");
	s = in_child(aborts);
	OK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT,
	    "a keyed process can still abort");
	killed(makes_socket, "socket() kills a keyed process");
	killed(connects, "connect() on an inherited socket kills it");
	killed(sends, "send() on an inherited socket kills it");
	killed(execs, "execve() kills it, whatever the flags");
	killed(forks, "fork() kills it");
	killed(forks_with_threads, "fork() kills it even with threads allowed");
	killed(kills, "a signal to another process kills it");
	killed(threads_forbidden, "a thread kills it unless allowed");
	OK(went_well(threads_allowed), "threads work when allowed");
	OK(went_well(opens_nothing),
	    "it can open, stat, make, move and remove no file");
	OK(opens(tmp_path(dir, "key"), O_RDONLY),
	    "and the file is still there");
	OK(went_well(maps_no_code), "it can make no memory executable");
#ifdef __linux__
	test_keyed_linux();
#endif
	if (!zp_confine_has_paths()) {
		tap_skip("where a process with files has them",
		    "no Landlock, or a build for tests");
		return;
	}
	OK(went_well(own_files), "with files, it locks and replaces its own");
	OK(went_well(others_files), "with files, it opens none elsewhere");
	OK(went_well(linked_files), "with files, it follows no link out");
}

/* ---- transports -------------------------------------------------------- */

static bool
transport(const struct zp_confine_paths *paths)
{
	return zp_confine_transport("test_confine", true, paths) == ZP_OK;
}

static bool
apart(void)
{
	const char *write[] = {tmp_path(dir, "relay"), NULL};
	const char *read[] = {tmp_path(dir, "netrc"), NULL};
	const struct zp_confine_paths p = {
	    .read = read, .write = write, .system = true, .apart = true};

	return transport(&p);
}

static bool
no_key_files(void)
{
	return apart() && denied(tmp_path(dir, "key"), O_RDONLY) &&
	    denied(tmp_path(dir, "hidden"), O_RDONLY) &&
	    denied(tmp_path(dir, "new"), O_WRONLY | O_CREAT) &&
	    denied(tmp_path(dir, "out/key"), O_RDONLY) &&
	    unlink(tmp_path(dir, "key")) != 0;
}

static bool
what_it_needs(void)
{
	return apart() && opens(tmp_path(dir, "netrc"), O_RDONLY) &&
	    denied(tmp_path(dir, "netrc"), O_RDWR) &&
	    opens(tmp_path(dir, "relay/a.zp"), O_RDWR | O_CREAT) &&
	    rename(tmp_path(dir, "relay/a.zp"), tmp_path(dir, "relay/b.zp")) ==
	    0 &&
	    unlink(tmp_path(dir, "relay/b.zp")) == 0 &&
	    opens("/etc/passwd", O_RDONLY) && denied("/etc/passwd", O_RDWR) &&
	    opens("/dev/null", O_WRONLY) && opens("/dev/urandom", O_RDONLY);
}

/* The limits hold for the programs it becomes. */
static bool
programs(void)
{
	char command[PATH_MAX + 64];

	snprintf(command, sizeof(command),
	    "cat %s 2>/dev/null && exit 41; read x <%s && exit 40",
	    tmp_path(dir, "key"), tmp_path(dir, "netrc"));
	if (apart())
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return false;
}

static bool
inherited(void)
{
	char c;
	int fd = open(tmp_path(dir, "key"), O_RDONLY);

	return fd >= 0 && apart() && read(fd, &c, 1) == 1;
}

static int
bind_loopback(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 ? -2 : bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static bool
no_listening(void)
{
	return apart() && bind_loopback() == -1 && errno == EACCES;
}

static bool
no_signals(void)
{
	return apart() && kill(getppid(), 0) != 0 && errno == EPERM;
}

/* Behind one of these a daemon would run programs for us. */
static bool
no_unix_socket(void)
{
	int pair[2];

	return apart() && socket(AF_UNIX, SOCK_STREAM, 0) == -1 &&
	    errno == EACCES && socket(AF_INET, SOCK_STREAM, 0) >= 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
}

#ifdef __linux__
/* A process whose limits are lowered ends as surely as by a signal. */
static bool
no_limits(void)
{
	uint64_t limit[2]; /* now, and at most */

	return apart() &&
	    syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, limit) == -1 &&
	    errno == EPERM &&
	    syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, limit) == 0 &&
	    syscall(SYS_prlimit64, 0, RLIMIT_CORE, limit, NULL) == 0;
}

/* An access list gives a file another mode, too: here 0644. */
static bool
no_lists(void)
{
	static const char name[] = "system.posix_acl_access";
	static const unsigned char list[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255,
	    255, 255, 4, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255,
	    255, 255};
	const char *key = tmp_path(dir, "key");

	return apart() && setxattr(key, name, list, sizeof(list), 0) == -1 &&
	    errno == EPERM &&
	    lsetxattr(key, name, list, sizeof(list), 0) == -1 &&
	    errno == EPERM && removexattr(key, name) == -1 && errno == EPERM &&
	    lremovexattr(key, name) == -1 && errno == EPERM &&
	    syscall(463 /* setxattrat */, 0, 0, 0, 0, 0, 0) == -1 &&
	    errno == EPERM &&
	    syscall(466 /* removexattrat */, 0, 0, 0, 0) == -1 &&
	    errno == EPERM;
}
#endif

/* Both ends of a pair of datagrams reach whom they like, too. */
static bool
no_unix_pair(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), pair[2];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", tmp_path(dir, "daemon"));
	unlink(a.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    !apart())
		return false;
	for (int type = 1; type <= 10; type++) /* SOCK_PACKET */
		if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0 &&
		    sendto(pair[0], "run", 3, 0, (struct sockaddr *)&a,
			sizeof(a)) == 3 &&
		    recv(fd, &a, 3, MSG_DONTWAIT) == 3)
			return false;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0;
}

static bool
no_modes(void)
{
	int fd;

	if (!apart() || chmod(tmp_path(dir, "key"), 0644) != -1 ||
	    errno != EPERM)
		return false;
	fd = open(tmp_path(dir, "relay/m.zp"), O_WRONLY | O_CREAT, 0600);
	return fd >= 0 && fchmod(fd, 0640) == 0;
}

static bool
hides(void)
{
	const char *all[] = {"/", NULL};
	const char *hide[] = {tmp_path(dir, "key"), tmp_path(dir, "out"),
	    tmp_path(dir, "missing"), NULL};
	const struct zp_confine_paths p = {.write = all, .hide = hide};

	return transport(&p) && denied(tmp_path(dir, "key"), O_RDONLY) &&
	    denied(tmp_path(dir, "out/key"), O_RDONLY) &&
	    denied(tmp_path(dir, "out/deep/key"), O_RDONLY) &&
	    denied(tmp_path(dir, "hidden"), O_RDONLY) &&
	    opens(tmp_path(dir, "netrc"), O_RDWR) &&
	    opens(tmp_path(dir, "relay/c.zp"), O_RDWR | O_CREAT) &&
	    opens("/etc/passwd", O_RDONLY) && bind_loopback() == 0;
}

/* A key below a directory that is allowed as a whole. */
static bool
hides_within(void)
{
	const char *read[] = {dir, NULL};
	const char *hide[] = {tmp_path(dir, "out/deep"), NULL};
	const struct zp_confine_paths p = {
	    .read = read, .hide = hide, .system = true};

	return transport(&p) &&
	    denied(tmp_path(dir, "out/deep/key"), O_RDONLY) &&
	    opens(tmp_path(dir, "out/key"), O_RDONLY) &&
	    opens(tmp_path(dir, "key"), O_RDONLY);
}

static long
landlock_abi(void)
{
#ifdef __linux__
	return syscall(444, NULL, 0, 1);
#else
	return -1;
#endif
}

static void
test_transport(void)
{
	if (!zp_confine_has_paths() || !zp_confine_has_calls()) {
		tap_skip("what a transport may open",
		    "no Landlock or seccomp, or a build for tests");
		return;
	}
	OK(went_well(no_key_files),
	    "a transport cannot open key files by name");
	OK(went_well(what_it_needs), "a transport opens what it needs");
	OK(went_well(programs), "what a transport starts cannot either");
	OK(went_well(inherited), "descriptors that are open stay usable");
	OK(went_well(hides), "a command opens everything but what is hidden");
	OK(went_well(hides_within), "what is hidden stays so in allowed trees");
	OK(went_well(no_unix_socket), "a transport makes no Unix socket");
	OK(went_well(no_unix_pair), "nor a pair that reaches others");
	OK(went_well(no_modes), "nor does it change the modes of key files");
#ifdef __linux__
	OK(went_well(no_lists), "nor by an access list");
	OK(went_well(no_limits), "nor the limits of other processes");
#endif
	if (landlock_abi() >= 4)
		OK(went_well(no_listening), "a transport cannot listen");
	else
		tap_skip("a transport cannot listen", "needs Landlock ABI 4");
	if (landlock_abi() >= 6)
		OK(went_well(no_signals), "a transport cannot signal others");
	else
		tap_skip(
		    "a transport cannot signal others", "needs Landlock ABI 6");
}

/* ---- what is told ------------------------------------------------------ */

/* Confines, and returns what was written to stderr meanwhile. */
static const char *
stderr_of(bool must, unsigned flags, enum zp_err *err)
{
	static char text[512];
	const char *dirs[] = {tmp_path(dir, "state"), NULL};
	int fd[2];

	if (pipe(fd) != 0 || dup2(fd[1], 2) < 0)
		return "no pipe";
	close(fd[1]);
	*err = zp_confine_keyed("tool", must, flags, dirs);
	close(2);
	ssize_t n = read(fd[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static bool
told_or_held(void)
{
	bool has = zp_confine_has_calls();
	enum zp_err err;
	const char *text = stderr_of(true, 0, &err);

	if (has)
		return err == ZP_OK && *text == '\0';
	return err == ZP_ERR_CONFINE && strncmp(text, "tool: ", 6) == 0;
}

#ifdef __linux__
/* An older kernel: no Landlock and, if so told, no seccomp to come. */
static bool
older_kernel(bool seccomp)
{
#define IF(test, k, error)                             \
	BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
	struct sock_filter ins[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					offsetof(struct seccomp_data, nr)),
	    IF(BPF_JEQ, 444, ENOSYS),
	    IF(BPF_JEQ, seccomp ? 444 : SYS_seccomp, ENOSYS),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
	    IF(BPF_JEQ, seccomp ? 0xffff : PR_SET_SECCOMP, EINVAL),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
#undef IF
	struct sock_fprog prog = {sizeof(ins) / sizeof(*ins), ins};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0;
}

static bool
warns(bool seccomp, unsigned flags, const char *want)
{
	enum zp_err err;
	const char *text;

	if (!older_kernel(seccomp))
		return false;
	text = stderr_of(false, flags, &err);
	return err == ZP_OK && strcmp(text, want) == 0;
}

static bool
warns_of_landlock(void)
{
	return warns(true, ZP_CONFINE_FILES,
	    "tool: warning: this kernel lacks Landlock; less confined\n");
}

static bool
warns_of_nothing(void)
{
	return warns(true, 0, "") && denied("/etc/passwd", O_RDONLY);
}

static bool
warns_of_both(void)
{
	return warns(false, ZP_CONFINE_FILES,
	    "tool: warning: this kernel lacks seccomp and Landlock; "
	    "less confined\n");
}

static bool
fails(void)
{
	enum zp_err err;
	const char *text;

	if (!older_kernel(false))
		return false;
	text = stderr_of(true, 0, &err);
	return err == ZP_ERR_CONFINE &&
	    strcmp(text, "tool: --confine: this kernel lacks seccomp\n") == 0;
}

static bool
transport_fails(void)
{
	const struct zp_confine_paths none = {.system = true};

	return older_kernel(true) &&
	    zp_confine_transport(NULL, true, &none) == ZP_ERR_CONFINE &&
	    zp_confine_transport(NULL, false, &none) == ZP_OK;
}

static void
test_older(void)
{
	OK(went_well(warns_of_landlock),
	    "without Landlock, files earn a warning");
	OK(went_well(warns_of_nothing), "without files it is not missed");
	OK(went_well(warns_of_both), "one warning names all that is missing");
	OK(went_well(fails), "--confine makes the lack of seccomp fatal");
	OK(went_well(transport_fails), "and that of Landlock for transports");
}
#endif

int
main(void)
{
	if (sodium_init() < 0 || mkdtemp(dir) == NULL)
		return EXIT_FAILURE;
	mkdir(tmp_path(dir, "out"), 0755);
	mkdir(tmp_path(dir, "out/deep"), 0755);
	mkdir(tmp_path(dir, "relay"), 0755);
	mkdir(tmp_path(dir, "state"), 0755);
	put_file(tmp_path(dir, "key"));
	put_file(tmp_path(dir, "netrc"));
	put_file(tmp_path(dir, "out/key"));
	put_file(tmp_path(dir, "out/deep/key"));
	if (symlink("/etc/passwd", tmp_path(dir, "state/link")) != 0 ||
	    symlink(tmp_path(dir, "key"), tmp_path(dir, "hidden")) != 0)
		return EXIT_FAILURE;

	test_early();
	test_keyed();
	test_transport();
	OK(went_well(told_or_held), "--confine holds or fails, saying why");
#ifdef __linux__
	if (zp_confine_has_calls() && zp_confine_has_paths())
		test_older();
	else
		tap_skip("what older kernels get", "this one is older");
#endif

	char command[PATH_MAX];
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		return EXIT_FAILURE;
	return tap_done();
}
