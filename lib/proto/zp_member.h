#ifndef ZP_MEMBER_H
#define ZP_MEMBER_H

#include <stdint.h>

#include "base/zp_text.h"
#include "crypt/zp_group.h"

/* One member as reports and lists name it: a session, its id, its user. */
struct zp_member {
	struct zp_group_member who;
	uint8_t mid[ZP_GROUP_MID_LEN];
	char uid[ZP_NAME_MAX + 1]; /* with NUL */
};

#endif
