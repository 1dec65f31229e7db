#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * crash N COMMAND...	runs it and kills it (SIGKILL) when it is about to make
 *			its N-th system call; 0: never, then its last output
 *			on descriptor 9 is the number of calls
 *
 * Exits as it did; 137 if it was killed; 77 if it may not be traced.
 */

static int
child(char **argv)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	execvp(argv[0], argv);
	_exit(127);
}

/* Goes on until the next stop; false when it has ended. */
static int
go_on(pid_t pid, int sig, int *status)
{
	return ptrace(PTRACE_SYSCALL, pid, NULL, sig) == 0 &&
	    waitpid(pid, status, 0) == pid && WIFSTOPPED(*status);
}

static unsigned long
follow(pid_t pid, unsigned long kill_at, int *status)
{
	unsigned long calls = 0;
	int sig = 0, entering = 1, begun = 0;

	while (go_on(pid, sig, status)) {
		int stop = WSTOPSIG(*status);
		sig = 0;
		if (stop == (SIGTRAP | 0x80)) {
			/* Calls count from the program's first. */
			calls += entering && begun;
			if (entering && begun && calls == kill_at) {
				kill(pid, SIGKILL);
				waitpid(pid, status, 0);
				break;
			}
			entering = !entering;
		} else if (stop == SIGTRAP) {
			begun = 1; /* execve() is done, and will return */
			entering = 0;
		} else {
			sig = stop;
		}
	}
	return calls;
}

int
main(int argc, char **argv)
{
	int status;

	if (argc < 3)
		return 2;
	pid_t pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0)
		return child(argv + 2);
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 77;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		(void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0)
		return 77;
	unsigned long at = strtoul(argv[1], NULL, 10);
	unsigned long calls = follow(pid, at, &status);
	if (at == 0)
		dprintf(9, "%lu\n", calls);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
