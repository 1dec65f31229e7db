#include "base/zp_signal.h"

#include <stddef.h>

static void
on_signal(int sig)
{
	(void)sig; /* it interrupts the wait, which is all it is for */
}

void
zp_signal_catch(sigset_t *wake)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction act = {.sa_handler = on_signal};
	struct sigaction was;
	sigset_t set;

	sigemptyset(&act.sa_mask);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (sigaction(ends[i], NULL, &was) == 0 &&
		    was.sa_handler == SIG_IGN)
			continue;
		sigaction(ends[i], &act, NULL);
		sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, wake);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigdelset(wake, ends[i]);
}
