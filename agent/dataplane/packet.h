// SPDX-License-Identifier: Apache-2.0
/*
 * Held packets as bytes: reading, completing, cutting and joining them, and the ICMP errors that tell a
 * local sender about them. Pure functions on IPv4 and IPv6 packets from the IP header on; never read
 * past `len`, whatever the bytes say. No descriptors here: release.c sends.
 */
#ifndef DATAPLANE_PACKET_H
#define DATAPLANE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define PACKET_MAX 65535

/* What a packet is. */
struct packet {
	bool v4;
	struct hf_addr src, dst;
	size_t len;		  /* total length by its header, <= the bytes given */
	size_t l4_offset;	  /* first octet behind the IP header and extension headers */
	uint8_t proto;		  /* upper-layer protocol */
	uint8_t hop_limit;	  /* TTL or hop limit */
	uint8_t tos;		  /* TOS or traffic class */
	bool df;		  /* IPv4 Don't Fragment */
	bool fragment;		  /* any fragment, first included */
	uint16_t fragment_offset; /* octets */
	bool more_fragments;
	uint32_t fragment_id;
	size_t unfragmentable; /* IPv6: octets before the Fragment header; IPv4: header length */
};

/* packet_parse reads the headers. -EINVAL for bytes that are no whole IP packet. */
int packet_parse(struct packet *out, const uint8_t *data, size_t len);

/*
 * packet_complete computes the TCP, UDP, ICMPv6 or SCTP checksum of a whole packet anew (most packets caught
 * on their way out carry only the pseudo header's sum) and the IPv4 header checksum. Other protocols, fragments, and
 * IPv4 UDP with checksum 0 (RFC 768: none) are left as they are.
 */
int packet_complete(uint8_t *data, size_t len);

/*
 * packet_segment cuts a GSO packet (TCP or UDP_SEGMENT) into packets with `gso_size` octets of payload each, all
 * checksums, lengths, sequence numbers, flags and IPv4 IDs as the kernel's own segmentation would set them, and hands each to
 * `emit` in order; a negative return of emit ends the walk and is returned. Returns the number of segments.
 * -EPROTONOSUPPORT when the packet is neither TCP nor UDP.
 */
int packet_segment(const uint8_t *data, size_t len, uint32_t gso_size,
		   int (*emit)(void *arg, uint8_t *segment, size_t segment_len), void *arg);

/*
 * packet_icmp_prohibited and packet_icmp_too_big build, from the first octets of a packet of ours that will not
 * be sent, the whole ICMP or ICMPv6 error packet (IP header included) that its local sender understands: from its own
 * address to its own address, "communication administratively prohibited" (RFC 1812 5.2.7.1 code 13, RFC 4443 3.1 code 1),
 * or "fragmentation needed" / "packet too big" with `mtu`. Return the length written to `out` (capacity `out_max`), or -EINVAL when
 * no error may be sent about the packet (RFC 1122 3.2.2: it is itself an ICMP error, a non-first fragment, multicast…).
 */
int packet_icmp_prohibited(uint8_t *out, size_t out_max, const uint8_t *data, size_t len);
int packet_icmp_too_big(uint8_t *out, size_t out_max, const uint8_t *data, size_t len, uint32_t mtu);

/* Joins the fragments of one datagram that were held one after the other. */
struct packet_join {
	size_t len; /* octets of the datagram gathered so far, headers included; 0 = nothing */
	unsigned int fragments;
	struct packet first;
	uint8_t data[PACKET_MAX + 1];
};

enum packet_join_result {
	PACKET_JOIN_MORE,  /* taken, datagram not whole yet */
	PACKET_JOIN_WHOLE, /* `data`, `len` is the whole datagram, without fragment header */
	PACKET_JOIN_OTHER, /* not the continuation of what is gathered: nothing taken */
};

/* packet_join_add takes fragments in order of their offsets, as a local stack sends them. */
enum packet_join_result packet_join_add(struct packet_join *join, const uint8_t *data, size_t len);
void packet_join_clear(struct packet_join *join);

#endif
