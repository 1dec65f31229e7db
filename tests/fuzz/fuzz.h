#ifndef ZP_FUZZ_H
#define ZP_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zp_cursor.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "crypt/zp_open.h"

/*
 * A fuzz target is one file fuzz_NAME.c with this function, for libFuzzer
 * (make fuzz) and for the replay of its corpus (make check).  It must take
 * any input, give the same result each time, and free what it made.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What must hold whatever the input; else that input is a finding. */
#define MUST(good)                                                       \
	do {                                                             \
		if (!(good)) {                                           \
			printf("# %s:%d: does not hold: %s\n", __FILE__, \
			    __LINE__, #good);                            \
			fflush(stdout);                                  \
			abort();                                         \
		}                                                        \
	} while (0)

/* A copy that ends where its memory ends, so that no overrun goes unseen. */
void *
fuzz_copy(const void *data, size_t len);

/* The next of 64 random-looking bits. */
uint64_t
fuzz_random(uint64_t *state);

/* The rest of a cursor. */
const uint8_t *
fuzz_rest(struct zp_cursor *c, size_t *len);

/*
 * A channel whose keys are known to the fuzzer, so that what is sealed here
 * gets past the box: raw key 00 01 02 ..., channel "ops", and a conversation
 * of alice and bob.
 */
struct fuzz_world {
	struct zp_key *key;
	struct zp_identity *id;
	uint8_t record_key[32], keyid[ZP_KEYID_LEN];
	uint8_t p[3][ZP_PSEUDONYM_LEN]; /* alice, bob, carol */
};

/* Made once for the whole process. */
const struct fuzz_world *
fuzz_world(void);

/* A new opener of notes, hellos and the conversation, to be freed. */
struct zp_opener *
fuzz_opener(const struct fuzz_world *w);

/*
 * Seals any bytes as the payload of a record, well formed or not; a line
 * without newline, NUL ended, to be freed.
 */
char *
fuzz_seal(const struct fuzz_world *w, bool message, const uint8_t *rp,
    const uint8_t *p, const uint8_t nonce[static ZP_NONCE_LEN],
    const uint8_t *payload, size_t len);

/* A file with these contents in a folder in memory; its path. */
const char *
fuzz_file(const char *name, const void *data, size_t len);

/* An empty file in memory to write to, the same one each time. */
int
fuzz_sink(void);

/* What was written to it, to be freed; NUL ended. */
char *
fuzz_sunk(size_t *len);

#endif
