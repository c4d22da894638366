// SPDX-License-Identifier: Apache-2.0
/*
 * An IKE message as a tree for people and programs. Octets that came from outside are in it as hexadecimal digits, or escaped to
 * printable ASCII; nothing else of a peer's is text.
 */
#ifndef CLI_DECODE_H
#define CLI_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "ike/wire.h"

/*
 * decode_message makes the tree of a whole message, from SPIi on. The result is never NULL and belongs to the caller; it ends before what
 * is malformed, about which `err` says what, at which octet. -EBADMSG then.
 */
int decode_message(json_t **out, struct view message, struct err *err);

/*
 * decode_chain appends the payloads from `next` on to the array `out`. `at`: the octet of the message (or of the plain text) that `payloads` starts with.
 */
int decode_chain(json_t *out, uint8_t next, struct view payloads, size_t at, struct err *err);

/* decode_payload adds what the body of a payload says to the object `out`. false: its form is wrong. */
bool decode_payload(json_t *out, uint8_t type, struct view body);

/* decode_octets is { "octets": 4, "hex": "c0000201" }. */
json_t *decode_octets(struct view octets);

#endif
