#ifndef ZP_MLES_SEEN_H
#define ZP_MLES_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mles/zp_mles_frame.h"
#include "mles/zp_mles_text.h"

/*
 * What was received lately, to tell repetitions.  MlesTalk knows two sorts:
 * the same frame again (a history, a replay, a reflection), and the same
 * text again under the same name and time (an app that sends its queue
 * anew).  The last few thousand of each are kept; the format has no numbers
 * by which older ones could be told.
 */
struct zp_mles_seen;

enum zp_mles_again {
	ZP_MLES_FRESH,
	ZP_MLES_DUPLICATE, /* this very frame */
	ZP_MLES_OTHER_NAME, /* this very frame, under another name before */
	ZP_MLES_RESENT, /* the same text, name and time in another frame */
};

/* The key is random, so that nobody can aim.  NULL without memory. */
struct zp_mles_seen *
zp_mles_seen_new(const uint8_t key[static 32]);

/* The same with a key drawn here. */
struct zp_mles_seen *
zp_mles_seen_random(void);
void
zp_mles_seen_free(struct zp_mles_seen *s);

/*
 * Looks a frame up and remembers it.  `message` as on the wire (at least
 * ZP_MLES_NONCE_LEN bytes), f what it says.  Partial texts, presence and
 * pieces of files are never taken for resent.
 */
enum zp_mles_again
zp_mles_seen_check(struct zp_mles_seen *s, const struct zp_mles_name *from,
    const uint8_t *message, const struct zp_mles_frame *f);

/*
 * Remembers a frame of our own, whose echo is then a duplicate; as check().
 */
void
zp_mles_seen_own(struct zp_mles_seen *s, const struct zp_mles_name *me,
    const uint8_t *message, const struct zp_mles_frame *f);

/* Would others take this text of ours for one sent again? */
bool
zp_mles_seen_text(struct zp_mles_seen *s, const struct zp_mles_name *me,
    const struct zp_mles_frame *f);

#endif
