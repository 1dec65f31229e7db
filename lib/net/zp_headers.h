#ifndef ZP_HEADERS_H
#define ZP_HEADERS_H

#include <stddef.h>

#include "base/zp_err.h"

/* Of a file with headers for HTTP requests, tokens among them. */
#define ZP_HEADERS_MAX 65536

/*
 * Hands over every line `Name: value` of it, but for empty lines and those
 * that begin with `#`; `add` returns an error to end it.  Only the owner may
 * be able to read the file.  ZP_ERR_MODE, ZP_ERR_IO with errno,
 * ZP_ERR_TOO_LONG, ZP_ERR_MEMORY; ZP_ERR_FORMAT with the *line that is no
 * header.
 */
ZP_CHECKED enum zp_err
zp_headers_read(const char *path, size_t *line,
    enum zp_err (*add)(void *arg, const char *header), void *arg);

#endif
