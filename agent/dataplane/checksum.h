// SPDX-License-Identifier: Apache-2.0
/*
 * The Internet checksum (RFC 1071) with the pseudo headers of RFC 9293, RFC 768 and RFC 8200 8.1, and SCTP's
 * CRC32c (RFC 9260 appendix A). A held packet is summed once in its life, so plain loops do.
 */
#ifndef DATAPLANE_CHECKSUM_H
#define DATAPLANE_CHECKSUM_H

#include "dataplane/packet.h"

/* checksum_add adds octets that start at an even offset of what is summed. */
uint32_t checksum_add(uint32_t sum, const uint8_t *data, size_t len);

/* checksum_fold makes of a sum what a header carries. */
uint16_t checksum_fold(uint32_t sum);

/*
 * checksum_upper writes to `field`, which lies in `l4`, the checksum of an upper-layer packet of `len`
 * octets with the pseudo header of `packet` (addresses and protocol). UDP's computed 0 becomes 0xffff.
 */
void checksum_upper(uint8_t *field, const struct packet *packet, const uint8_t *l4, size_t len);

/* checksum_sctp writes the CRC32c of an SCTP packet of at least 12 octets. */
void checksum_sctp(uint8_t *l4, size_t len);

#endif
