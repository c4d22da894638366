// SPDX-License-Identifier: Apache-2.0
/*
 * Who this host is, for others: its public key, its addresses, its name, and the data of its IPSECKEY record. Found by looking, not by asking
 * an agent.
 */
#ifndef CLI_SELF_H
#define CLI_SELF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/crypto.h"
#include "discover/keytext.h"
#include "discover/record.h"
#include "holdfast/abi.h"

#define SELF_ADDRESSES_MAX 16
#define SELF_NAME_MAX 256

struct self {
	char host[SELF_NAME_MAX]; /* "" = none that others could use */
	char word[KEYTEXT_MAX];	  /* the public key, as pins and directories write it */
	char record[RECORD_TEXT_MAX];
	uint8_t spki[SPKI_MAX];
	size_t spki_len;
	struct hf_addr addresses[SELF_ADDRESSES_MAX]; /* that others reach us at: not loopback, not link-local */
	size_t count;
};

/* self_find reads the private key in `path`, and asks the kernel for the rest. crypto_init must have been called. */
int self_find(struct self *self, const char *path, struct err *err);

#endif
