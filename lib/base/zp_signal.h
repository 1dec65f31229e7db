#ifndef ZP_SIGNAL_H
#define ZP_SIGNAL_H

#include <signal.h>

/*
 * Makes TERM, INT and HUP something to wait for: they are blocked, but for
 * ppoll() under *wake, which they interrupt (EINTR) and nothing else.  Those
 * that were ignored from the start (nohup, background jobs) stay ignored.
 */
void
zp_signal_catch(sigset_t *wake);

#endif
