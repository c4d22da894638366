// SPDX-License-Identifier: Apache-2.0
/*
 * What the tests of sealed messages share: keys for every cipher of the room, a header, and opening a datagram from
 * its first octet, as the engine does.
 */
#ifndef UNIT_SEALING_H
#define UNIT_SEALING_H

#include "ike/seal.h"

#define SEALING_CIPHERS 4

/* sealing_keymat is a set of different keys for the cipher number `index`. */
struct keymat sealing_keymat(unsigned int index);

/* sealing_header is that of an INFORMATIONAL request with a few octets in every field. */
struct header sealing_header(void);

/* sealing_fill writes octets that tell where they stood. */
void sealing_fill(uint8_t *out, size_t len, unsigned int seed);

/* sealing_parse reads header and outer chain. 0, or what they said. */
int sealing_parse(struct header *header, struct chain *chain, struct view datagram);

/* sealing_open does that and opens it. */
int sealing_open(uint8_t *out, struct view *plain, struct chain *chain, struct view datagram,
		 const struct keymat *keymat, bool by_initiator);

#endif
