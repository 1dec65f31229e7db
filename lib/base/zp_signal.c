#include "base/zp_signal.h"

#include <stddef.h>

static const int ends[] = {SIGTERM, SIGINT, SIGHUP};

#define ENDS (sizeof(ends) / sizeof(*ends))

static void
on_signal(int sig)
{
	(void)sig; /* it interrupts the wait, which is all it is for */
}

void
zp_signal_catch(sigset_t *wake)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct sigaction was;
	sigset_t set;

	sigemptyset(&act.sa_mask);
	sigemptyset(&set);
	for (size_t i = 0; i < ENDS; i++) {
		if (sigaction(ends[i], NULL, &was) == 0 &&
		    was.sa_handler == SIG_IGN)
			continue;
		sigaction(ends[i], &act, NULL);
		sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, wake);
	for (size_t i = 0; i < ENDS; i++)
		sigdelset(wake, ends[i]);
}

bool
zp_signal_waits(void)
{
	sigset_t set;

	if (sigpending(&set) != 0)
		return false;
	for (size_t i = 0; i < ENDS; i++)
		if (sigismember(&set, ends[i]) == 1)
			return true;
	return false;
}
