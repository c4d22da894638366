/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a packet without knowing the link layer: everything is loaded relative to the network header,
 * which the kernel has set on every device, with or without an Ethernet header, at egress and at ingress.
 * Addresses first, because most packets are decided by them; upper layers only when they are asked for.
 */
#ifndef HF_PARSE_H
#define HF_PARSE_H

#include "common.h"

#define PROTO_ICMPV6 58
#define PROTO_DSTOPTS 60
#define PROTO_MOBILITY 135
#define PROTO_HIP 139
#define PROTO_SHIM6 140

#define IPV6_EXTENSIONS_MAX 8 /* more are nobody's traffic; the packet then counts as of an unknown protocol */

#define HEADERS_MAX 256 /* linear octets that are enough for every rule below */

enum parsed {
	PARSED_IP,
	PARSED_NOT_IP,
	PARSED_MALFORMED,
};

struct packet {
	struct hf_pair pair;
	__u32 l3;   /* IP header, relative to the network header (behind a VLAN tag that stands in the data) */
	__u32 l4;   /* upper-layer header, likewise; 0 = not looked for yet (IPv6 only) */
	__u32 len;  /* octets from the IP header on; 0 = larger than the header can say (BIG TCP) */
	__u8 proto; /* upper-layer protocol; for IPv6 the first next header until packet_find_upper */
	__u8 hops;
	bool v4;
	bool fragment; /* not the first one: there is no upper-layer header */
};

struct ipv4_header {
	__u8 version_ihl, tos;
	__be16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__sum16 check;
	__u8 saddr[4], daddr[4];
};

struct ipv6_header {
	__u8 version_class, class_flow, flow[2];
	__be16 payload_len;
	__u8 nexthdr, hop_limit;
	struct hf_addr saddr, daddr;
};

static __always_inline int load(struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes_relative(skb, offset, to, len, BPF_HDR_START_NET);
}

static __always_inline void addr_set_v4(struct hf_addr *addr, const __u8 v4[4])
{
	__u32 *word = (__u32 *)addr;

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	__builtin_memcpy(&word[3], v4, 4);
}

static __always_inline void addr_copy(struct hf_addr *to, const struct hf_addr *from)
{
	__u64 *x = (__u64 *)to;
	const __u64 *y = (const __u64 *)from;

	x[0] = y[0];
	x[1] = y[1];
}

static __always_inline bool addr_is_v4_mapped(const struct hf_addr *addr)
{
	const __u32 *word = (const __u32 *)addr;

	return word[0] == 0 && word[1] == 0 && word[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

#define VLAN_TAGS_MAX 2

/*
 * Most tags travel beside the packet (skb->vlan_tci) and are not seen here. Those that stand in the data follow the
 * Ethernet addresses. The network header points at the first of them (a VLAN device without reordering), behind them (a
 * VLAN in a VLAN, a packet socket since 6.2) or between them, and no field tells which: so its place is found
 * by what lies there. To guess from that alone would take an ARP packet, or an IPv4 packet of 2048 octets, for a tag.
 */
static __always_inline __be16 skip_vlan(struct __sk_buff *skb, __u32 *offset)
{
	__u32 network = VLAN_TAGS_MAX + 1, tags = 0;
	__be16 proto = skb->protocol;
	__u64 here, there;
	__be16 next;

	if (!is_vlan(proto) || load(skb, 0, &here, sizeof(here)) < 0)
		return proto;
	for (__u32 i = 0; i <= VLAN_TAGS_MAX; i++) {
		if (bpf_skb_load_bytes_relative(skb, ETH_HLEN + 4 * i, &there, sizeof(there), BPF_HDR_START_MAC) < 0)
			break;
		if (network > VLAN_TAGS_MAX && here == there)
			network = i;
	}
	for (; tags < VLAN_TAGS_MAX && is_vlan(proto); tags++) {
		if (bpf_skb_load_bytes_relative(skb, ETH_HLEN + 4 * tags + 2, &next, sizeof(next), BPF_HDR_START_MAC) <
		    0)
			return proto;
		proto = next;
	}
	if (network > tags)
		return skb->protocol;
	*offset += 4 * (tags - network);
	return proto;
}

/* Both take `ip` wherever it lies, in the packet or on the stack. */
static __always_inline enum parsed read_ipv4(struct packet *packet, const struct ipv4_header *ip, bool out)
{
	__u32 header_len = (ip->version_ihl & 0xf) * 4;

	packet->len = bpf_ntohs(ip->tot_len);
	if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip) || (packet->len && packet->len < header_len))
		return PARSED_MALFORMED;

	addr_set_v4(out ? &packet->pair.local : &packet->pair.remote, ip->saddr);
	addr_set_v4(out ? &packet->pair.remote : &packet->pair.local, ip->daddr);
	packet->proto = ip->protocol;
	packet->hops = ip->ttl;
	packet->l4 = packet->l3 + header_len;
	packet->fragment = ip->frag_off & bpf_htons(0x1fff);
	packet->v4 = true;
	return PARSED_IP;
}

static __always_inline enum parsed read_ipv6(struct packet *packet, const struct ipv6_header *ip, bool out)
{
	addr_copy(out ? &packet->pair.local : &packet->pair.remote, &ip->saddr);
	addr_copy(out ? &packet->pair.remote : &packet->pair.local, &ip->daddr);

	/* On the wire a v4-mapped address is nobody's (RFC 4942 2.2), and its pair would be an IPv4 pair's. */
	if (ip->version_class >> 4 != 6 || addr_is_v4_mapped(&packet->pair.local) ||
	    addr_is_v4_mapped(&packet->pair.remote))
		return PARSED_MALFORMED;

	packet->len = bpf_ntohs(ip->payload_len) + (__u32)sizeof(*ip);
	if (!ip->payload_len && ip->nexthdr != IPPROTO_NONE)
		packet->len = 0;
	packet->proto = ip->nexthdr;
	packet->hops = ip->hop_limit;
	packet->l4 = 0;
	packet->fragment = false;
	packet->v4 = false;
	return PARSED_IP;
}

/*
 * The usual frame, Ethernet and IP, read where it lies: that costs a tenth of a helper call. The kernel does not tell a
 * program where the IP header is, so the frame must look the part, and must not be one of a device
 * without link header, which begins with the IP version: a stranger's addresses could imitate the rest. What is
 * doubtful is left to the slow way.
 */
static __always_inline bool parse_in_place(struct __sk_buff *skb, struct packet *packet, __be16 proto, bool out)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end;
	const __u8 *ip = data + ETH_HLEN;

	if (proto == bpf_htons(ETH_P_IP)) {
		if (ip + sizeof(struct ipv4_header) > end || data[0] >> 4 == 4 ||
		    *(const __be16 *)(data + 12) != proto ||
		    read_ipv4(packet, (const struct ipv4_header *)ip, out) != PARSED_IP)
			return false;
	} else {
		if (ip + sizeof(struct ipv6_header) > end || data[0] >> 4 == 6 ||
		    *(const __be16 *)(data + 12) != proto ||
		    read_ipv6(packet, (const struct ipv6_header *)ip, out) != PARSED_IP)
			return false;
	}
	return ETH_HLEN + packet->len <= skb->len;
}

/* Makes headers linear that a driver left in page fragments, which no relative load reads. False when there was nothing to do. */
static __always_inline bool pull_headers(struct __sk_buff *skb)
{
	/* 64 bits: the verifier refuses 32-bit arithmetic on pointers, which it takes both for. */
	__u64 linear = (const __u8 *)(long)skb->data_end - (const __u8 *)(long)skb->data;

	return linear < skb->len && linear < HEADERS_MAX &&
	       bpf_skb_pull_data(skb, skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX) == 0;
}

static __always_inline bool load_header(struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	return load(skb, offset, to, len) == 0 || (pull_headers(skb) && load(skb, offset, to, len) == 0);
}

static __always_inline enum parsed parse_ipv4(struct __sk_buff *skb, struct packet *packet, bool out)
{
	struct ipv4_header ip;

	if (!load_header(skb, packet->l3, &ip, sizeof(ip)))
		return PARSED_MALFORMED;
	return read_ipv4(packet, &ip, out);
}

static __always_inline enum parsed parse_ipv6(struct __sk_buff *skb, struct packet *packet, bool out)
{
	struct ipv6_header ip;

	if (!load_header(skb, packet->l3, &ip, sizeof(ip)))
		return PARSED_MALFORMED;
	return read_ipv6(packet, &ip, out);
}

/* packet_parse reads the IP header. `out`: the packet leaves this host, so its source is the local address. */
static __always_inline enum parsed packet_parse(struct __sk_buff *skb, struct packet *packet, bool out)
{
	__be16 proto = skb->protocol;

	packet->l3 = 0;
	if ((proto == bpf_htons(ETH_P_IP) || proto == bpf_htons(ETH_P_IPV6)) && parse_in_place(skb, packet, proto, out))
		return PARSED_IP;
	if (is_vlan(proto))
		proto = skip_vlan(skb, &packet->l3);
	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(skb, packet, out);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(skb, packet, out);
	return is_vlan(proto) ? PARSED_MALFORMED : PARSED_NOT_IP;
}

static __always_inline bool is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == PROTO_DSTOPTS || proto == PROTO_MOBILITY || proto == PROTO_HIP || proto == PROTO_SHIM6 ||
	       proto == IPPROTO_AH;
}

/*
 * packet_find_upper walks IPv6 extension headers (RFC 8200 4) to the upper-layer protocol and its header. When
 * the chain is cut off or too long, proto is left at an extension header, which no rule below knows.
 */
static __always_inline void packet_find_upper(struct __sk_buff *skb, struct packet *packet)
{
	__u32 offset = packet->l3 + sizeof(struct ipv6_header);

	pull_headers(skb);
	if (packet->l4)
		return;
	for (int i = 0; i < IPV6_EXTENSIONS_MAX && is_extension(packet->proto); i++) {
		struct {
			__u8 next, len;
			__be16 frag_off;
		} header;

		if (load(skb, offset, &header, sizeof(header)) < 0)
			break;
		if (packet->proto == IPPROTO_FRAGMENT) {
			offset += 8;
			packet->fragment = header.frag_off & bpf_htons(0xfff8);
		} else if (packet->proto == IPPROTO_AH) {
			offset += (header.len + 2) * 4;
		} else {
			offset += (header.len + 1) * 8;
		}
		packet->proto = header.next;
		if (packet->fragment)
			break;
	}
	packet->l4 = offset;
}

#define TCP_FLAGS_AT 13
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128

/*
 * packet_is_reply is true for what another host may have provoked: TCP that acknowledges or resets, ICMP that is no echo
 * request. UDP does not tell. Needs packet_find_upper.
 */
static __always_inline bool packet_is_reply(struct __sk_buff *skb, const struct packet *packet)
{
	bool tcp = packet->proto == IPPROTO_TCP;
	__u8 octet;

	if (packet->fragment || (!tcp && packet->proto != IPPROTO_ICMP && packet->proto != PROTO_ICMPV6))
		return false;
	if (load(skb, packet->l4 + (tcp ? TCP_FLAGS_AT : 0), &octet, 1) < 0)
		return true;
	return tcp ? octet & (TCP_ACK | TCP_RST) : octet != (packet->v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST);
}

#endif
