// SPDX-License-Identifier: Apache-2.0
/*
 * Sums of 16-bit words and the Castagnoli CRC, see checksum.h. The kernel's own sums are not at hand here:
 * most packets were caught before the device would have completed them.
 */
#include <netinet/in.h>
#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/packet_field.h"

uint32_t checksum_add(uint32_t sum, const uint8_t *data, size_t len)
{
	size_t at;

	/* No carry is lost: 65,575 octets add less than 2^32 - 2^17, and every call starts below 2^17. */
	sum = (sum & 0xffff) + (sum >> 16);
	for (at = 0; at + 1 < len; at += 2)
		sum += field_get16(data + at);
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	return sum;
}

uint16_t checksum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

static uint32_t add_pseudo(const struct packet *packet, size_t len)
{
	size_t addr_len;
	const uint8_t *addr;
	uint32_t sum = (uint32_t)(len & 0xffff) + (uint32_t)(len >> 16) + packet->proto;

	/* A v4-mapped address in an IPv6 header is an IPv6 address: go by the packet, not by the address. */
	addr = packet->v4 ? addr_octets(&packet->src, &addr_len) : packet->src.octet;
	sum = checksum_add(sum, addr, packet->v4 ? 4 : 16);
	addr = packet->v4 ? addr_octets(&packet->dst, &addr_len) : packet->dst.octet;
	return checksum_add(sum, addr, packet->v4 ? 4 : 16);
}

void checksum_upper(uint8_t *field, const struct packet *packet, const uint8_t *l4, size_t len)
{
	uint16_t sum;

	field_put16(field, 0);
	sum = checksum_fold(checksum_add(add_pseudo(packet, len), l4, len));
	if (!sum && packet->proto == IPPROTO_UDP)
		sum = 0xffff;
	field_put16(field, sum);
}

void checksum_sctp(uint8_t *l4, size_t len)
{
	uint32_t crc = 0xffffffff;
	size_t at;
	int bit;

	memset(l4 + 8, 0, 4);
	for (at = 0; at < len; at++) {
		crc ^= l4[at];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	/* RFC 9260 appendix A: least significant octet first. */
	for (bit = 0; bit < 4; bit++)
		l4[8 + bit] = (uint8_t)(crc >> 8 * bit);
}
