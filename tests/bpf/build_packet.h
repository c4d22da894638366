// SPDX-License-Identifier: Apache-2.0
/*
 * Packets for the BPF tests, written front to back: link header, IP header, extension headers, upper layer. Lengths and
 * next-header fields are filled in as the packet grows, so that a test says only what it is about.
 */
#ifndef BPF_BUILD_PACKET_H
#define BPF_BUILD_PACKET_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_BYTES_MAX 3600 /* what BPF_PROG_TEST_RUN takes with pages of 4 KB */

struct packet_bytes {
	uint8_t data[PACKET_BYTES_MAX];
	size_t len;
	size_t l3;	    /* offset of the IP header */
	size_t next_header; /* offset of the field that names the next header */
	size_t l4;	    /* offset of the last header added */
	size_t udp;	    /* offset of a UDP header whose length grows, 0 = none */
	int family;	    /* AF_INET, AF_INET6 */
};

/* packet_ip starts anew: Ethernet and an IP header, IPv4 or IPv6 by the form of the addresses. */
void packet_ip(struct packet_bytes *packet, const char *src, const char *dst);

/* packet_ip_vlan is the same with `tags` 802.1Q tags in the data. */
void packet_ip_vlan(struct packet_bytes *packet, const char *src, const char *dst, int tags);

/* packet_raw starts a frame of another protocol. */
void packet_raw(struct packet_bytes *packet, uint16_t ethertype);

void packet_udp(struct packet_bytes *packet, uint16_t sport, uint16_t dport);
void packet_tcp(struct packet_bytes *packet, uint16_t sport, uint16_t dport);
void packet_icmp(struct packet_bytes *packet, uint8_t type, uint8_t code); /* ICMPv6 in IPv6 */
void packet_esp(struct packet_bytes *packet, uint32_t spi);

/* packet_proto names an upper-layer protocol whose header the test writes itself. */
void packet_proto(struct packet_bytes *packet, uint8_t proto);

/* packet_extension adds an IPv6 extension header of 8 octets; packet_fragment a fragment header, or IPv4's fields. */
void packet_extension(struct packet_bytes *packet, uint8_t proto);
void packet_fragment(struct packet_bytes *packet, uint16_t offset, int more);

/* packet_data adds octets; packet_fill adds `len` octets that count up from `seed`. */
void packet_data(struct packet_bytes *packet, const void *data, size_t len);
void packet_fill(struct packet_bytes *packet, size_t len, uint8_t seed);

/* An IKE header (RFC 7296 3.1) of 28 octets whose length says `length`. */
void packet_ike(struct packet_bytes *packet, uint8_t version, uint32_t length);

void packet_hops(struct packet_bytes *packet, uint8_t hops);

/* packet_simple is a UDP datagram from a port nobody cares about, with `len` octets. */
void packet_simple(struct packet_bytes *packet, const char *src, const char *dst, size_t len);

#endif
