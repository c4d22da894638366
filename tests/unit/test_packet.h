// SPDX-License-Identifier: Apache-2.0
/*
 * Packets for the tests of the packet files, built octet by octet, and sums computed another way than the code
 * under test does: 64 bits wide over a written-out pseudo header, reduced by division.
 */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/packet.h"

#define TEST_TCP 6
#define TEST_UDP 17
#define TEST_ICMP 1
#define TEST_ICMP6 58
#define TEST_SCTP 132

/* 192.0.2.1 -> 198.51.100.7 and 2001:db8::1 -> 2001:db8::2. */
static const uint8_t V4_SRC[4] = { 192, 0, 2, 1 }, V4_DST[4] = { 198, 51, 100, 7 };
static const uint8_t V6_SRC[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };
static const uint8_t V6_DST[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 2 };

__attribute__((unused)) static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static inline unsigned int be16(const uint8_t *at)
{
	return at[0] * 256u + at[1];
}

static inline void set16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value / 256);
	at[1] = (uint8_t)value;
}

static inline uint32_t be32(const uint8_t *at)
{
	return (uint32_t)be16(at) * 65536 + be16(at + 2);
}

/* build_ip puts an IP header in front of `l4` octets that the caller has put behind it; returns the length. */
__attribute__((unused)) static size_t build_ip(uint8_t *out, bool v4, uint8_t proto, size_t l4)
{
	memset(out, 0, v4 ? 20 : 40);
	if (v4) {
		out[0] = 0x45;
		out[1] = 0x28;
		set16(out + 2, (unsigned int)(20 + l4));
		set16(out + 4, 0xfffe); /* so that IDs wrap in the third segment */
		out[6] = 0x40;
		out[8] = 63;
		out[9] = proto;
		memcpy(out + 12, V4_SRC, 4);
		memcpy(out + 16, V4_DST, 4);
		return 20 + l4;
	}
	out[0] = 0x62;
	out[1] = 0x8a; /* class 0x28, flow label 0xabcde */
	out[2] = 0xbc;
	out[3] = 0xde;
	set16(out + 4, (unsigned int)l4);
	out[6] = proto;
	out[7] = 63;
	memcpy(out + 8, V6_SRC, 16);
	memcpy(out + 24, V6_DST, 16);
	return 40 + l4;
}

static inline void fill(uint8_t *at, size_t len, uint32_t seed)
{
	while (len--)
		*at++ = (uint8_t)(random_next(&seed) >> 8);
}

/* A TCP packet with 12 octets of options; its checksum field is rubbish. */
__attribute__((unused)) static size_t build_tcp(uint8_t *out, bool v4, uint8_t flags, size_t payload)
{
	uint8_t *tcp = out + (v4 ? 20 : 40);

	memset(tcp, 1, 32);
	set16(tcp, 40000);
	set16(tcp + 2, 443);
	memcpy(tcp + 4, "\xff\xff\xff\x00\x01\x02\x03\x04", 8);
	tcp[12] = 8 << 4;
	tcp[13] = flags;
	fill(tcp + 32, payload, 77);
	return build_ip(out, v4, TEST_TCP, 32 + payload);
}

__attribute__((unused)) static size_t build_udp(uint8_t *out, bool v4, size_t payload)
{
	uint8_t *udp = out + (v4 ? 20 : 40);

	set16(udp, 40000);
	set16(udp + 2, 53);
	set16(udp + 4, (unsigned int)(8 + payload));
	set16(udp + 6, 0x1234);
	fill(udp + 8, payload, 99);
	return build_ip(out, v4, TEST_UDP, 8 + payload);
}

/* ---- the slow routine ---- */

static inline uint64_t slow_words(const uint8_t *data, size_t len)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += (uint64_t)data[i] << (i % 2 ? 0 : 8);
	return sum;
}

/* All octets with the checksum among them must come to 0 modulo 65535 (RFC 1071). */
__attribute__((unused)) static bool slow_header_ok(const uint8_t *v4_packet)
{
	return slow_words(v4_packet, (v4_packet[0] & 15) * 4u) % 65535 == 0;
}

__attribute__((unused)) static bool slow_upper_ok(const uint8_t *packet, uint8_t proto, size_t l4_at, size_t l4_len)
{
	bool v4 = packet[0] >> 4 == 4;
	uint8_t pseudo[40] = { 0 };

	memcpy(pseudo, packet + (v4 ? 12 : 8), v4 ? 8 : 32);
	if (v4) {
		pseudo[9] = proto;
		set16(pseudo + 10, (unsigned int)l4_len);
	} else {
		pseudo[33] = (uint8_t)(l4_len >> 16);
		set16(pseudo + 34, (unsigned int)(l4_len & 0xffff));
		pseudo[39] = proto;
	}
	return (slow_words(pseudo, v4 ? 12 : 40) + slow_words(packet + l4_at, l4_len)) % 65535 == 0;
}

#endif
