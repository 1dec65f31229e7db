#include "proc/zp_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/zp_text.h"
#include "proc/zp_opt.h"

#ifndef _GNU_SOURCE
extern char **environ;
#endif

/* How often a stop looks whether a child has ended. */
#define LOOK_MS 5
/* What a command's pipeline gets to end after the shell that made it. */
#define SETTLE_MS 200
/* Lines a second that a child can put on our stderr. */
#define LINES_A_SECOND 20
#define KEEP_MAX 64

void
zp_child_init(struct zp_child *c)
{
	memset(c, 0, sizeof(*c));
	c->in = c->out = c->err = -1;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
zp_child_close(struct zp_child *c)
{
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
}

/* ---- finding ----------------------------------------------------------- */

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* Directory (dlen bytes) and name joined, if that is a program. */
static bool
try_dir(
    char path[static PATH_MAX], const char *dir, size_t dlen, const char *name)
{
	char full[PATH_MAX];
	int n;

	if (dlen == 0) {
		dir = "."; /* as PATH has it */
		dlen = 1;
	}
	if (dlen >= sizeof(full))
		return false;
	n = snprintf(full, sizeof(full), "%.*s/%s", (int)dlen, dir, name);
	if (n < 0 || (size_t)n >= sizeof(full) || !is_program(full))
		return false;
	memcpy(path, full, (size_t)n + 1);
	return true;
}

static bool
try_beside(char path[static PATH_MAX], const char *argv0, const char *name)
{
	char self[PATH_MAX];
	const char *slash;
#ifdef __linux__
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		argv0 = self;
	}
#else
	(void)self;
#endif
	slash = strrchr(argv0, '/');
	if (slash == NULL)
		return false; /* it came by PATH, which is next */
	size_t dlen = slash == argv0 ? 1 : (size_t)(slash - argv0);
	return try_dir(path, argv0, dlen, name);
}

static bool
try_path(char path[static PATH_MAX], const char *name)
{
	const char *p = getenv("PATH");

	while (p != NULL) {
		size_t n = strcspn(p, ":");
		if (try_dir(path, p, n, name))
			return true;
		p = p[n] == ':' ? p + n + 1 : NULL;
	}
	return false;
}

static bool
is_scheme(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= 32 && *s >= 'a' && *s <= 'z' &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == n;
}

static bool
try_scheme(char path[static PATH_MAX], const char *argv0, const char *scheme)
{
	char name[64];

	snprintf(name, sizeof(name), "zpinc-%s", scheme);
	return try_beside(path, argv0, name) || try_path(path, name);
}

enum zp_err
zp_child_find(const char *argv0, const char *scheme, char path[static PATH_MAX])
{
	static const struct {
		const char *scheme, *program;
	} also[] = {{"https", "http"}, {"ntfy", "http"}, {"ntfys", "http"},
	    {"mqtts", "mqtt"}, {"rediss", "redis"}, {"mles+ws", "mles"}};

	if (!is_scheme(scheme))
		return ZP_ERR_FORMAT;
	if (try_scheme(path, argv0, scheme))
		return ZP_OK;
	for (size_t i = 0; i < sizeof(also) / sizeof(*also); i++)
		if (strcmp(also[i].scheme, scheme) == 0 &&
		    try_scheme(path, argv0, also[i].program))
			return ZP_OK;
	return ZP_ERR_NOT_FOUND;
}

/* ---- environment ------------------------------------------------------- */

/* What a transport can need; a `*` stands for any rest. */
static const char *const wanted[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG",
    "LANGUAGE", "LC_*", "TZ", "TZDIR", "TMPDIR", "LD_LIBRARY_PATH",
    "XDG_STATE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
    "OPENSSL_CONF", "NETRC", "http_proxy", "https_proxy", "all_proxy",
    "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES",
#ifdef ZP_SANITIZED
    "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
    "LLVM_PROFILE_FILE", "GCOV_*",
#endif
    NULL};

/*
 * What a command of the user's must not have: where credentials lie, and our
 * own, which start() sets anew.
 */
static const char *const unwanted[] = {
    "CREDENTIALS_DIRECTORY", "ZPINC_*", NULL};

static bool
is_listed(const char *const *list, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (; *list != NULL; list++) {
		size_t l = strlen(*list);
		bool any = (*list)[l - 1] == '*';
		if (any ? n >= l - 1 && strncmp(entry, *list, l - 1) == 0
			: n == l && strncmp(entry, *list, l) == 0)
			return true;
	}
	return false;
}

static bool
add_own(char **to, const char *name, const char *value)
{
	if (value == NULL)
		return true;
	size_t n = strlen(name) + strlen(value) + 2;
	*to = malloc(n);
	if (*to == NULL)
		return false;
	snprintf(*to, n, "%s=%s", name, value);
	return true;
}

/*
 * The environment for a child.  Its first entries are ours, `own` of them,
 * to be freed.
 */
static char **
make_env(const struct zp_child_plan *plan, size_t *own)
{
	size_t n = 0, have = 0;
	char *ours[4] = {NULL, NULL, NULL, NULL};

	while (environ != NULL && environ[have] != NULL)
		have++;
	char **env = calloc(have + 5, sizeof(*env));
	if (env == NULL || !add_own(&ours[0], "ZPINC_URL", plan->url) ||
	    !add_own(&ours[1], "ZPINC_TOPIC", plan->topic) ||
	    !add_own(&ours[2], "ZPINC_LIVE", plan->live) ||
	    !add_own(&ours[3], "ZPINC_STATUS", plan->status ? "1" : NULL)) {
		for (size_t i = 0; i < 4; i++)
			free(ours[i]);
		free(env);
		return NULL;
	}
	for (size_t i = 0; i < 4; i++)
		if (ours[i] != NULL)
			env[n++] = ours[i];
	*own = n;
	for (size_t i = 0; i < have; i++)
		if (plan->command != NULL ? !is_listed(unwanted, environ[i])
					  : is_listed(wanted, environ[i]))
			env[n++] = environ[i];
	return env;
}

static void
free_env(char **env, size_t own)
{
	for (size_t i = 0; i < own; i++)
		free(env[i]);
	free(env);
}

/* ---- starting ---------------------------------------------------------- */

/* Both ends of the child's descriptors, before the fork. */
struct ends {
	int theirs[3];
	bool made[3]; /* theirs was made here */
	int ours[3];
	int report[2]; /* the child's failure comes by it */
};

static void
close_theirs(struct ends *e)
{
	for (int i = 0; i < 3; i++)
		if (e->made[i])
			close_fd(&e->theirs[i]);
	close_fd(&e->report[1]);
}

static void
close_ends(struct ends *e)
{
	close_theirs(e);
	for (int i = 0; i < 3; i++)
		close_fd(&e->ours[i]);
	close_fd(&e->report[0]);
}

/* A pipe that no other child inherits. */
static enum zp_err
make_pipe(int *reader, int *writer)
{
	int fd[2];

#ifdef __linux__
	if (pipe2(fd, O_CLOEXEC) != 0)
		return ZP_ERR_IO;
#else
	if (pipe(fd) != 0)
		return ZP_ERR_IO;
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd[1], F_SETFD, FD_CLOEXEC) != 0) {
		close(fd[0]);
		close(fd[1]);
		return ZP_ERR_IO;
	}
#endif
	*reader = fd[0];
	*writer = fd[1];
	return ZP_OK;
}

static enum zp_err
make_end(struct ends *e, int i, int want)
{
	if (want >= 0) {
		e->theirs[i] = want;
		return ZP_OK;
	}
	e->made[i] = true;
	if (want == ZP_CHILD_NULL) {
		int mode = i == 0 ? O_RDONLY : O_WRONLY;
		e->theirs[i] = open("/dev/null", mode | O_CLOEXEC);
		return e->theirs[i] < 0 ? ZP_ERR_IO : ZP_OK;
	}
	if (i == 0)
		return make_pipe(&e->theirs[0], &e->ours[0]);
	return make_pipe(&e->ours[i], &e->theirs[i]);
}

static enum zp_err
make_ends(struct ends *e, const struct zp_child_plan *plan)
{
	enum zp_err err;

	memset(e, 0, sizeof(*e));
	for (int i = 0; i < 3; i++)
		e->theirs[i] = e->ours[i] = -1;
	e->report[0] = e->report[1] = -1;
	err = make_pipe(&e->report[0], &e->report[1]);
	if (err == ZP_OK)
		err = make_end(e, 0, plan->in);
	if (err == ZP_OK)
		err = make_end(e, 1, plan->out);
	if (err == ZP_OK)
		err = make_end(e, 2, plan->err);
	return err;
}

static void
close_from(int first, int last)
{
#if defined(__linux__) && defined(SYS_close_range)
	if (syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0)
		return;
#endif
	long most = sysconf(_SC_OPEN_MAX);
	if (most < 0 || most > 65536)
		most = 65536;
	for (int fd = first; fd <= last && fd < most; fd++)
		close(fd);
}

/* Signals as a program expects to find them. */
static void
default_signals(void)
{
	static const int ours[] = {SIGPIPE, SIGXFSZ, SIGCHLD, SIGTERM, SIGINT,
	    SIGALRM, SIGUSR1, SIGUSR2, SIGWINCH};
	sigset_t none;

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		signal(ours[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Whoever dies by SIGKILL cannot stop its children. */
static void
die_with(pid_t parent)
{
#ifdef __linux__
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0 &&
	    getppid() != parent)
		_exit(ZP_EXIT_IO);
#else
	(void)parent;
#endif
}

/* Descriptors 0 to 2 as planned, 3 the report, and no other. */
static bool
arrange(const struct ends *e)
{
	int from[4] = {e->theirs[0], e->theirs[1], e->theirs[2], e->report[1]};

	/* Out of the way first: one may stand where another goes. */
	for (int i = 0; i < 4; i++) {
		from[i] = fcntl(from[i], F_DUPFD, 10);
		if (from[i] < 0)
			return false;
	}
	for (int i = 0; i < 4; i++)
		if (dup2(from[i], i) < 0)
			return false;
	close_from(4, INT_MAX);
	return fcntl(3, F_SETFD, FD_CLOEXEC) == 0;
}

struct failure {
	enum zp_err err;
	int error;
};

/* In the child.  Returns only by failing; report: where to say so. */
static struct failure
become(const struct zp_child_plan *plan, const struct ends *e, char **env,
    pid_t parent, int *report)
{
	struct failure f = {ZP_ERR_IO, 0};
	const char *shell[] = {"/bin/sh", "-c", plan->command, NULL};
	const char *const *argv = plan->command ? shell : plan->argv;
	char **args;

	die_with(parent);
	default_signals();
	if (setsid() >= 0 && arrange(e)) {
		*report = 3;
		f.err = ZP_OK;
		if (plan->paths != NULL)
			f.err = zp_confine_transport(
			    plan->tool, plan->must, plan->paths);
		if (f.err == ZP_OK) {
			/* execve() changes none of it. */
			memcpy(&args, &argv, sizeof(args));
			execve(argv[0], args, env);
			f.err = ZP_ERR_IO;
		}
	}
	f.error = errno;
	return f;
}

/* How it went in the child: nothing comes once its program runs. */
static enum zp_err
hear(int fd)
{
	struct failure f;
	ssize_t n;

	do
		n = read(fd, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return ZP_OK;
	if (n != (ssize_t)sizeof(f))
		return ZP_ERR_IO;
	errno = f.error;
	return f.err;
}

static void
reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static enum zp_err
start(struct zp_child *c, const struct zp_child_plan *plan, struct ends *e,
    char **env)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return ZP_ERR_IO;
	if (pid == 0) {
		int report = e->report[1];
		struct failure f = become(plan, e, env, parent, &report);
		/* If even this fails, the parent sees an early end. */
		(void)!write(report, &f, sizeof(f));
		_exit(ZP_EXIT_IO);
	}
	close_theirs(e);
	enum zp_err err = hear(e->report[0]);
	if (err != ZP_OK) {
		int error = errno;
		reap(pid);
		errno = error;
		return err;
	}
	close_fd(&e->report[0]);
	zp_child_init(c);
	c->pid = pid;
	c->in = e->ours[0];
	c->out = e->ours[1];
	c->err = e->ours[2];
	c->group = true;
	c->shell = plan->command != NULL;
	return ZP_OK;
}

enum zp_err
zp_child_start(struct zp_child *c, const struct zp_child_plan *plan)
{
	struct ends e;
	size_t own = 0;
	char **env = make_env(plan, &own);

	if (env == NULL)
		return ZP_ERR_MEMORY;
	enum zp_err err = make_ends(&e, plan);
	if (err == ZP_OK)
		err = start(c, plan, &e, env);
	if (err != ZP_OK) {
		int error = errno;
		close_ends(&e);
		errno = error;
	}
	free_env(env, own);
	return err;
}

static int
by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Closes all but 0 to 2 and the n of `keep`. */
static void
close_others(const int *keep, size_t n)
{
	int sorted[KEEP_MAX];
	int next = 3;

	if (n > 0) {
		memcpy(sorted, keep, n * sizeof(*keep));
		qsort(sorted, n, sizeof(*sorted), by_number);
	}
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] > next)
			close_from(next, sorted[i] - 1);
		if (sorted[i] >= next)
			next = sorted[i] + 1;
	}
	close_from(next, INT_MAX);
}

enum zp_err
zp_child_fork(struct zp_child *c, const int *keep, size_t n,
    int (*body)(void *arg), void *arg)
{
	pid_t parent = getpid();

	if (n > KEEP_MAX)
		return ZP_ERR_FULL;
	fflush(NULL); /* or both would write it */
	pid_t pid = fork();
	if (pid < 0)
		return ZP_ERR_IO;
	if (pid == 0) {
		die_with(parent);
		close_others(keep, n);
		exit(body(arg));
	}
	zp_child_init(c);
	c->pid = pid;
	return ZP_OK;
}

/* ---- what it says ------------------------------------------------------ */

static void
tell_line(struct zp_child *c, const char *tool)
{
	char safe[ZP_CHILD_LINE + 64];
	struct timespec now;
	size_t used;

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return;
	if (now.tv_sec != c->second) {
		c->second = now.tv_sec;
		c->told = 0;
	}
	if (c->told >= LINES_A_SECOND)
		return;
	if (++c->told == LINES_A_SECOND) {
		zp_say(tool, "too many messages of a transport; some dropped");
		return;
	}
	size_t w = zp_text_escape(
	    safe, sizeof(safe) - 1, c->line, c->len, ZP_TEXT_LINE, &used);
	safe[w] = '\0';
	zp_say(tool, "%s%s", safe, c->cut || used < c->len ? "..." : "");
}

static void
tell_bytes(struct zp_child *c, const char *tool, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (b[i] == '\n') {
			if (c->len > 0)
				tell_line(c, tool);
			c->len = 0;
			c->cut = false;
		} else if (c->len < sizeof(c->line)) {
			c->line[c->len++] = b[i];
		} else {
			c->cut = true;
		}
	}
}

void
zp_child_tell(struct zp_child *c, const char *tool)
{
	char block[4096];
	ssize_t n;

	if (c->err < 0)
		return;
	n = read(c->err, block, sizeof(block));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		tell_bytes(c, tool, block, (size_t)n);
		return;
	}
	tell_bytes(c, tool, "\n", 1);
	close_fd(&c->err);
}

/* ---- ending ------------------------------------------------------------ */

/* Ended, but not reaped: so long its number is nobody else's. */
static bool
is_over(pid_t pid)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		return errno == ECHILD;
	return info.si_pid == pid;
}

static void
signal_to(const struct zp_child *c, int sig)
{
	kill(c->group ? -c->pid : c->pid, sig);
}

/* Of a child that is over: kills what it left, and reaps it. */
static int
collect(struct zp_child *c)
{
	int status = 0;

	if (c->group)
		signal_to(c, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	return status;
}

bool
zp_child_ended(struct zp_child *c, int *status)
{
	if (c->pid == 0 || !is_over(c->pid))
		return false;
	*status = collect(c);
	return true;
}

const char *
zp_child_how(char buf[static ZP_CHILD_HOW], int status)
{
	if (WIFEXITED(status))
		snprintf(
		    buf, ZP_CHILD_HOW, "exit status %d", WEXITSTATUS(status));
	else
		snprintf(buf, ZP_CHILD_HOW, "killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return buf;
}

static void
nap(unsigned ms)
{
	const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return INT64_MAX / 2;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Is one still running? */
static bool
any_left(struct zp_child *const *children, size_t n, bool *shell)
{
	bool left = false;

	for (size_t i = 0; i < n; i++) {
		if (children[i]->pid == 0)
			continue;
		*shell = *shell || children[i]->shell;
		left = left || !is_over(children[i]->pid);
	}
	return left;
}

void
zp_child_stop(struct zp_child *const *children, size_t n, unsigned ms)
{
	int64_t end = now_ms() + ms;
	bool shell = false;

	for (size_t i = 0; i < n; i++) {
		if (children[i]->pid == 0)
			continue;
		signal_to(children[i], SIGTERM);
		signal_to(
		    children[i], SIGCONT); /* or a stopped one sleeps on */
	}
	while (any_left(children, n, &shell) && now_ms() < end)
		nap(LOOK_MS);
	if (shell && now_ms() + SETTLE_MS < end)
		nap(SETTLE_MS);
	for (size_t i = 0; i < n; i++) {
		if (children[i]->pid != 0) {
			signal_to(children[i], SIGKILL);
			collect(children[i]);
		}
		zp_child_close(children[i]);
	}
}
