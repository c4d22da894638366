// SPDX-License-Identifier: Apache-2.0
/*
 * A file of keys in the form of Wireshark's ikev2_decryption_table, which the agent writes when it is told to, for
 * `holdfast decode --keys`.
 */
#ifndef CLI_DECODE_KEYS_H
#define CLI_DECODE_KEYS_H

#include "base/bytes.h"
#include "base/err.h"
#include "ike/wire.h"

/*
 * decode_keys_open opens the SK or SKF payload of a message with the keys that the file has for its SPIs; of several generations the one
 * that fits. `out` has room for the message. Negative errno with a reason in err.
 */
int decode_keys_open(uint8_t *out, struct view *plain, struct view message, const struct chain *chain, const char *name,
		     struct err *err);

#endif
