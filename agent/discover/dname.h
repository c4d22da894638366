// SPDX-License-Identifier: Apache-2.0
/*
 * Domain names (RFC 1035 3.1): wire form without compression, as records carry them, and the text that people and libunbound write. What a
 * label may not show as itself is \DDD in text, so any octets survive the way there and back.
 */
#ifndef DISCOVER_DNAME_H
#define DISCOVER_DNAME_H

#include "base/addr.h"
#include "base/bytes.h"

#define DNAME_WIRE_MAX 255  /* RFC 1035 2.3.4, with the root's octet */
#define DNAME_TEXT_MAX 1010 /* every octet as \DDD, a dot behind each label, NUL */

/* dname_read takes a name off the reader, which fails when it is cut off, too long or compressed. The view is its wire form. */
struct view dname_read(struct reader *reader);

/* dname_format writes the text of a name that dname_read gave, with the dot at its end: "." is the root. Returns `out`. */
const char *dname_format(char out[DNAME_TEXT_MAX], struct view name);

/* dname_parse makes the wire form of a text, with or without the last dot. -EINVAL: empty label, too long, or a bad \DDD. */
int dname_parse(uint8_t out[DNAME_WIRE_MAX], size_t *len, const char *text);

/* dname_equal compares wire forms without regard to the case of ASCII letters (RFC 4343). */
bool dname_equal(struct view a, struct view b);

/* dname_reverse writes the name below in-addr.arpa or ip6.arpa that belongs to an address (RFC 1035 3.5, RFC 3596 2.5). Returns `out`. */
#define DNAME_REVERSE_MAX 74
const char *dname_reverse(char out[DNAME_REVERSE_MAX], const struct hf_addr *addr);

#endif
