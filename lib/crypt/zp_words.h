#ifndef ZP_WORDS_H
#define ZP_WORDS_H

#include <stddef.h>

#include "base/zp_err.h"

/*
 * Random words that can be said, heard and typed: five letters each,
 * consonant vowel consonant vowel consonant, 16 bits a word; joined by `-`.
 */

#define ZP_WORDS_BITS 16 /* of each */
#define ZP_WORDS_DEFAULT 5 /* 80 bits */
#define ZP_WORDS_LEAST 2
#define ZP_WORDS_MAX 32

/* Characters of n words with the NUL behind. */
#define ZP_WORDS_LEN(n) ((size_t)(n)*6)

/*
 * Writes n words, 1 to ZP_WORDS_MAX, and a NUL.  `to` lies in secret memory
 * if they are a passphrase.  ZP_ERR_MEMORY.
 */
ZP_CHECKED enum zp_err
zp_words_make(char *to, size_t n);

#endif
