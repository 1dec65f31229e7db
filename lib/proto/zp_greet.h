#ifndef ZP_GREET_H
#define ZP_GREET_H

#include "proto/zp_machine_impl.h"

/*
 * A hello came.  What is wrong with it is reported, never returned;
 * ZP_ERR_MEMORY alone is.
 */
enum zp_err
zp_greet_hello(struct zp_machine *m, const struct zp_machine_hello *in);

#endif
