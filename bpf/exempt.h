/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is never held nor dropped, whatever the group: without it there is no address, no neighbour, no key
 * exchange. Each rule is as narrow as the protocol allows, because whatever passes here passes in clear.
 * Asked only when a packet would otherwise not pass.
 */
#ifndef HF_EXEMPT_H
#define HF_EXEMPT_H

#include "gate_maps.h"
#include "parse.h"

#define PORT_DNS 53
#define PORT_DHCP_SERVER 67
#define PORT_DHCP_CLIENT 68
#define PORT_IKE 500
#define PORT_DHCPV6_CLIENT 546
#define PORT_DHCPV6_SERVER 547
#define PORT_IKE_NATT 4500

#define IKE_HEADER_LEN 28

#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_PKT_TOOBIG 2
#define ND_FIRST 133 /* router solicitation, RFC 4861 */
#define ND_LAST 137  /* redirect */
#define ND_HOP_LIMIT 255

struct ports {
	__u16 local, remote;
};

static __always_inline bool load_ports(struct __sk_buff *skb, const struct packet *packet, struct ports *ports,
				       bool out)
{
	__be16 port[2];

	if (packet->fragment || load(skb, packet->l4, port, sizeof(port)) < 0)
		return false;
	ports->local = bpf_ntohs(port[out ? 0 : 1]);
	ports->remote = bpf_ntohs(port[out ? 1 : 0]);
	return true;
}

static __always_inline bool is_link_local(const struct hf_addr *addr)
{
	return addr->octet[0] == 0xfe && addr->octet[1] >> 6 == 2;
}

/*
 * Multicast, broadcast, loopback, and peers with link-local addresses: hosts of one link, below any security association.
 * A link-local address of our own is not enough: any program may bind one and send to a global address.
 */
static __always_inline bool is_link_scope(const struct packet *packet, bool out)
{
	const __u8 *remote = packet->pair.remote.octet, *local = packet->pair.local.octet;

	if (packet->v4) {
		__u32 word = bpf_ntohl(*(const __u32 *)(remote + 12)), own = bpf_ntohl(*(const __u32 *)(local + 12));

		return word >> 28 == 0xe || word == 0xffffffff || word >> 24 == 127 ||
		       (!out && (own >> 28 == 0xe || own == 0xffffffff));
	}
	return remote[0] == 0xff || is_link_local(&packet->pair.remote) || (!out && local[0] == 0xff);
}

static __always_inline bool is_dhcp(const struct packet *packet, const struct ports *ports)
{
	if (packet->v4)
		return (ports->local == PORT_DHCP_CLIENT && ports->remote == PORT_DHCP_SERVER) ||
		       (ports->local == PORT_DHCP_SERVER &&
			(ports->remote == PORT_DHCP_CLIENT || ports->remote == PORT_DHCP_SERVER));
	return (ports->local == PORT_DHCPV6_CLIENT && ports->remote == PORT_DHCPV6_SERVER) ||
	       (ports->local == PORT_DHCPV6_SERVER && ports->remote == PORT_DHCPV6_CLIENT);
}

/*
 * Leaving: from our IKE port, and shaped like IKE (RFC 7296 3.1: version 1 or 2, length equal to the datagram's;
 * on 4500 behind the non-ESP marker of RFC 3948, or a keepalive). Ports alone would let anything
 * that binds one of them out in clear. ESP in UDP is a matter of the gate (HF_GATE_UDP_ENCAP).
 */
static __always_inline bool is_ike_out(struct __sk_buff *skb, const struct packet *packet, const struct ports *ports)
{
	__u32 offset = packet->l4 + 8, marker = 0, length;
	__be16 udp_len_be;
	__u32 udp_len;
	__u8 version, octet;

	if (ports->local != PORT_IKE && ports->local != PORT_IKE_NATT)
		return false;
	if (load(skb, packet->l4 + 4, &udp_len_be, sizeof(udp_len_be)) < 0)
		return false;
	udp_len = bpf_ntohs(udp_len_be);
	if (ports->local == PORT_IKE_NATT) {
		if (udp_len == 9) /* keepalive, RFC 3948 2.3 */
			return load(skb, offset, &octet, 1) == 0 && octet == 0xff;
		if (load(skb, offset, &marker, sizeof(marker)) < 0 || marker)
			return false;
		offset += 4;
		udp_len -= 4;
	}
	if (load(skb, offset + 17, &version, 1) < 0 || load(skb, offset + 24, &length, sizeof(length)) < 0)
		return false;
	length = bpf_ntohl(length);
	return (version >> 4 == 1 || version >> 4 == 2) && length >= IKE_HEADER_LEN && length <= 0xffff &&
	       length + 8 == udp_len;
}

/* Arriving: what is for the IKE ports goes to whoever speaks IKE here, and to the kernel's decapsulation. */
static __always_inline bool is_ike_in(const struct ports *ports)
{
	return ports->local == PORT_IKE || ports->local == PORT_IKE_NATT;
}

static __always_inline bool is_neighbour_discovery(struct __sk_buff *skb, const struct packet *packet)
{
	__u8 type;

	return !packet->v4 && packet->proto == PROTO_ICMPV6 && !packet->fragment && packet->hops == ND_HOP_LIMIT &&
	       load(skb, packet->l4, &type, 1) == 0 && type >= ND_FIRST && type <= ND_LAST;
}

/*
 * Arriving: a router's word that our ESP, or ESP in UDP, does not fit the path. Without it a protected pair can stall for
 * good. The packet that is quoted begins with an IP header without options, as our ESP does.
 */
static __always_inline bool is_esp_too_big(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 quoted = packet->l4 + 8;
	__be16 port;
	__u8 type[2], proto;

	if (packet->fragment || load(skb, packet->l4, type, sizeof(type)) < 0)
		return false;
	if (packet->v4 ? packet->proto != IPPROTO_ICMP || type[0] != ICMP_DEST_UNREACH || type[1] != ICMP_FRAG_NEEDED
		       : packet->proto != PROTO_ICMPV6 || type[0] != ICMPV6_PKT_TOOBIG)
		return false;
	if (load(skb, quoted + (packet->v4 ? 9 : 6), &proto, 1) < 0)
		return false;
	if (proto == IPPROTO_ESP)
		return true;
	return proto == IPPROTO_UDP && load(skb, quoted + (packet->v4 ? 20 : 40), &port, sizeof(port)) == 0 &&
	       port == bpf_htons(PORT_IKE_NATT);
}

/* By its addresses alone. `remote`: what hf_exempt says of the remote one. */
static __always_inline bool is_exempt_pair(const struct packet *packet, const struct hf_exempt *remote, bool out)
{
	const struct hf_exempt *own;

	if (is_link_scope(packet, out) || (remote && remote->flags & (HF_EXEMPT_OWN | HF_EXEMPT_BROADCAST)))
		return true;
	if (out)
		return false;
	own = bpf_map_lookup_elem(&hf_exempt, &packet->pair.local);
	return own && own->flags & HF_EXEMPT_BROADCAST;
}

/* is_exempt needs packet_find_upper to have run. */
static __always_inline bool is_exempt(struct __sk_buff *skb, const struct packet *packet, bool out)
{
	const struct hf_exempt *exempt = bpf_map_lookup_elem(&hf_exempt, &packet->pair.remote);
	struct ports ports;

	if (is_exempt_pair(packet, exempt, out) || is_neighbour_discovery(skb, packet))
		return true;
	if (packet->proto != IPPROTO_UDP && packet->proto != IPPROTO_TCP)
		return !out && is_esp_too_big(skb, packet);
	if (!load_ports(skb, packet, &ports, out))
		return false;
	if (exempt && exempt->flags & HF_EXEMPT_RESOLVER && ports.remote == PORT_DNS)
		return true;
	if (packet->proto != IPPROTO_UDP)
		return false;
	return is_dhcp(packet, &ports) || (out ? is_ike_out(skb, packet, &ports) : is_ike_in(&ports));
}

/* is_udp_encap is true for ESP in UDP (RFC 3948): from or to the NAT-T port, with an SPI where the marker would be. */
static __always_inline bool is_udp_encap(struct __sk_buff *skb, const struct packet *packet, bool out)
{
	struct ports ports;
	__be32 spi;

	return packet->proto == IPPROTO_UDP && load_ports(skb, packet, &ports, out) && ports.local == PORT_IKE_NATT &&
	       load(skb, packet->l4 + 8, &spi, sizeof(spi)) == 0 && bpf_ntohl(spi) > 255;
}

#endif
