#ifndef ZP_BE_H
#define ZP_BE_H

#include <stdint.h>

/* Big-endian integers at any alignment. */

static inline uint16_t
zp_be16(const uint8_t b[static 2])
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t
zp_be32(const uint8_t b[static 4])
{
	return (uint32_t)zp_be16(b) << 16 | zp_be16(b + 2);
}

static inline uint64_t
zp_be64(const uint8_t b[static 8])
{
	return (uint64_t)zp_be32(b) << 32 | zp_be32(b + 4);
}

static inline void
zp_be16_put(uint8_t b[static 2], uint16_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void
zp_be32_put(uint8_t b[static 4], uint32_t v)
{
	zp_be16_put(b, (uint16_t)(v >> 16));
	zp_be16_put(b + 2, (uint16_t)v);
}

static inline void
zp_be64_put(uint8_t b[static 8], uint64_t v)
{
	zp_be32_put(b, (uint32_t)(v >> 32));
	zp_be32_put(b + 4, (uint32_t)v);
}

#endif
