#ifndef ZP_CONVFILE_H
#define ZP_CONVFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zp_err.h"
#include "base/zp_text.h"
#include "crypt/zp_identity.h"
#include "crypt/zp_key.h"
#include "store/zp_file.h"
#include "store/zp_suite.h"

/*
 * The key of one conversation as a file, zpinc-key(5): what zpinc-handshake
 * leaves for zpinc-seal and zpinc-open.  Deleting it is what forward secrecy
 * means.
 */

#define ZP_CONVFILE_MEMBERS 1024
/* Characters of the file, at most. */
#define ZP_CONVFILE_TEXT_MAX(n) (1024 + 320 * (n))

struct zp_convfile_member {
	uint8_t p[ZP_PSEUDONYM_LEN];
	uint8_t sid[ZP_SID_LEN];
	uint8_t idkey[ZP_IDKEY_LEN]; /* zero: none */
	char uid[ZP_NAME_MAX + 1];
};

/* Lies in secret memory, members included. */
struct zp_convfile {
	enum zp_suite suite;
	char channel[ZP_NAME_MAX + 1];
	uint8_t amac[ZP_KEY_LEN], aenc[ZP_KEY_LEN]; /* the channel's */
	uint8_t id[ZP_KEYID_LEN]; /* the conversation's */
	uint8_t key[ZP_KEY_LEN]; /* opens and seals its records */
	uint64_t time; /* when it was made, ms since 1970 */
	size_t me; /* which member we are */
	size_t n;
	struct zp_convfile_member members[];
};

/* Room for n members, 2 to ZP_CONVFILE_MEMBERS, zeroed, n set; NULL. */
struct zp_convfile *
zp_convfile_new(size_t n);
void
zp_convfile_free(struct zp_convfile *c);

/*
 * Reads its text; the caller frees *c.  ZP_ERR_FORMAT, ZP_ERR_VERSION,
 * ZP_ERR_SUITE with fault->line; ZP_ERR_CORRUPT if a member's pseudonym is
 * not its uid's; ZP_ERR_MEMORY.  zp_keyfile_load() reads the file.
 */
ZP_CHECKED enum zp_err
zp_convfile_parse(struct zp_convfile **c, const char *text, size_t len,
    struct zp_fault *fault);

/* Writes it as zp_file_write() does. */
ZP_CHECKED enum zp_err
zp_convfile_save(
    const struct zp_convfile *c, const char *path, enum zp_file_how how);

#endif
