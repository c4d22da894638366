// SPDX-License-Identifier: Apache-2.0
/*
 * Chains of IKEv2 payloads made by hand, for tests: what the writer of the program would never write. They are parsed in memory of
 * exactly their size, so that a sanitizer sees the octet behind.
 */
#ifndef RAW_CHAIN_H
#define RAW_CHAIN_H

#include "ike/wire.h"

struct raw {
	uint8_t at[70000];
	size_t len, next_at;
	uint8_t first;
};

void raw_clear(struct raw *raw);

/* raw_add appends a payload, its place in the chain included. */
void raw_add(struct raw *raw, uint8_t type, uint8_t flags, const void *body, size_t len);

/* raw_parse is chain_parse; raw_parse_octets of any octets. The chain's views are good until the next call. */
int raw_parse(struct chain *chain, const struct raw *raw, bool inside);
int raw_parse_octets(struct chain *chain, uint8_t first, const void *octets, size_t len, bool inside);

/* raw_copy copies to memory of exactly that size, for its caller to free. */
uint8_t *raw_copy(const void *octets, size_t len);

#endif
