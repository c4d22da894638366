// SPDX-License-Identifier: Apache-2.0
/*
 * Shared by the packet files of this room only: fields in network byte order at any alignment, and the
 * two questions about headers that packet.h does not need to answer for others.
 */
#ifndef DATAPLANE_PACKET_FIELD_H
#define DATAPLANE_PACKET_FIELD_H

#include "dataplane/packet.h"

#define IPV4_HEADER 20 /* without options */
#define IPV6_HEADER 40
#define IPV6_FRAGMENT_HEADER 8
#define TCP_HEADER 20
#define UDP_HEADER 8

static inline uint16_t field_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t field_get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void field_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void field_put32(uint8_t *at, uint32_t value)
{
	field_put16(at, value >> 16);
	field_put16(at + 2, value);
}

/*
 * packet_parse_head is packet_parse for the first octets of a packet that may be longer: all headers must be
 * there, out->len is what the header says.
 */
int packet_parse_head(struct packet *out, const uint8_t *data, size_t len);

/*
 * packet_next_header finds the octet that names the header at `at`, which is `unfragmentable` of the parsed
 * IPv6 packet.
 */
size_t packet_next_header(const uint8_t *data, size_t at);

/* packet_set_length writes the IP header's length for a packet of `len` octets, and the IPv4 header checksum. */
void packet_set_length(uint8_t *data, size_t len);

#endif
