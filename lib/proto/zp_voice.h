#ifndef ZP_VOICE_H
#define ZP_VOICE_H

#include "proto/zp_machine_impl.h"

/* Hellos going out: answers, repetitions, the beat, tokens, SEND. */

ZP_CHECKED enum zp_err
zp_voice_init(struct zp_machine *m);

/* ANSWER: a hello soon, and frequent ones again after it. */
void
zp_voice_answer(struct zp_machine *m);

/* Sets m->send where a timer is due. */
void
zp_voice_timers(struct zp_machine *m);

/* SEND, if the step wants it and a token is left. */
enum zp_err
zp_voice_send(struct zp_machine *m);

/* SEND with LEAVE, tokens or not. */
enum zp_err
zp_voice_leave(struct zp_machine *m);

/* When we sent the hello of this seq, if that may still prove life. */
bool
zp_voice_sent_at(const struct zp_machine *m, uint64_t seq, uint64_t *when);

#endif
