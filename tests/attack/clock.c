/*
 * For LD_PRELOAD: the time of day is what $CLOCK says, in seconds since
 * 1970, as after a battery failed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	const char *at = getenv("CLOCK");

	if (clock == CLOCK_REALTIME && at != NULL) {
		*ts = (struct timespec){.tv_sec = (time_t)atoll(at)};
		return 0;
	}
	long rc = syscall(SYS_clock_gettime, clock, ts);
	return (int)rc;
}
