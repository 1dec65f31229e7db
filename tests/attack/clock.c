/*
 * For LD_PRELOAD: the time of day is what $CLOCK says, in seconds since
 * 1970, as after a battery failed; the other clocks, and poll(2), go $SPEED
 * times as fast.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int
speed(void)
{
	const char *s = getenv("SPEED");

	return s != NULL && atoi(s) > 0 ? atoi(s) : 1;
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	const char *at = getenv("CLOCK");

	if (clock == CLOCK_REALTIME && at != NULL) {
		*ts = (struct timespec){.tv_sec = (time_t)atoll(at)};
		return 0;
	}
	long rc = syscall(SYS_clock_gettime, clock, ts);
	if (clock != CLOCK_REALTIME) {
		long long ms = ts->tv_sec * 1000LL + ts->tv_nsec / 1000000;
		ms *= speed();
		ts->tv_sec = ms / 1000;
		ts->tv_nsec = ms % 1000 * 1000000;
	}
	return (int)rc;
}

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	long long ms = timeout / speed();
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	return ppoll(fds, n, timeout < 0 ? NULL : &ts, NULL);
}
