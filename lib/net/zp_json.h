#ifndef ZP_JSON_H
#define ZP_JSON_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Looks for a member of an object at the top level of JSON text (RFC 8259).
 * It validates nothing and understands no more than it must to not be led
 * astray: members of inner objects and what stands in strings do not count.
 * The first of that name wins.  True: *value is where the value begins (a
 * string with its quotes, escapes as they came), *n how long it is.
 */
bool
zp_json_member(const char *json, size_t len, const char *name,
    const char **value, size_t *n);

/*
 * A string without escapes and NUL, copied with a NUL behind.  False: no such
 * member, no such string, or longer than cap - 1.
 */
bool
zp_json_string(
    const char *json, size_t len, const char *name, char *to, size_t cap);

#endif
