#ifndef ZP_MEMBER_H
#define ZP_MEMBER_H

#include <stdint.h>

#include "crypt/zp_group.h"

#define ZP_MEMBER_UID_MAX 31

/* One member as reports and lists name it: a session, its id, its user. */
struct zp_member {
	struct zp_group_member who;
	uint8_t mid[ZP_GROUP_MID_LEN];
	char uid[ZP_MEMBER_UID_MAX + 1]; /* with NUL */
};

#endif
