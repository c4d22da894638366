// SPDX-License-Identifier: Apache-2.0
/*
 * Base64 (RFC 4648 4), one canonical form only: padding present, unused bits zero, nothing between the characters. So that
 * what was signed or compared as text is the same octets for everybody.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/bytes.h"

/* Characters that `len` octets become, without a closing NUL. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* base64_decode: *len: room in, octets out. -EBADMSG: not canonical base64, -EMSGSIZE: no room. Outputs untouched then. */
int base64_decode(uint8_t *out, size_t *len, struct view text);

/* base64_encode writes BASE64_LEN(octets.len) characters and a NUL, and returns `out`. */
const char *base64_encode(char *out, struct view octets);

#endif
