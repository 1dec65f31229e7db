#ifndef ZP_PHASE_H
#define ZP_PHASE_H

#include "proto/zp_machine_impl.h"

/* Views and runs: the rows UPDATE to ABANDON of zpinc(7)'s table. */

/* V and its id anew; then what follows from them. */
void
zp_phase_update(struct zp_machine *m);

/* The settle, run, rekey and fixed timers, where due. */
void
zp_phase_timers(struct zp_machine *m);

/* The run is wiped; the view is forgotten. */
void
zp_phase_reset(struct zp_machine *m);

/* There is no current conversation any more. */
void
zp_phase_end_conv(struct zp_machine *m);

/* A heard session is not near, a pair is open, or the view is new. */
bool
zp_phase_unsettled(const struct zp_machine *m);

/* A run is under way. */
static inline bool
zp_phase_running(const struct zp_machine *m)
{
	return m->phase == ZP_PHASE_SHARE || m->phase == ZP_PHASE_MIX ||
	    m->phase == ZP_PHASE_CONFIRM;
}

/* Shows our view, and this value (a flag of the hello) with it. */
bool
zp_phase_shows(const struct zp_machine *m, size_t place, uint8_t flag);

/* Notes what its last hello shows. */
void
zp_phase_note(struct zp_machine *m, size_t place);

/* Fixed: the users or members asked for are not all here. */
bool
zp_phase_incomplete(const struct zp_machine *m);

#endif
