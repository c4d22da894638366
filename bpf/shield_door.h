/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clear text at the door: what TC ingress would drop because the pair must be sealed, or may not speak at all, is dropped before the kernel
 * has made a packet of it. Only where the driver runs the program: there nothing comes by that ESP carried in. A generic XDP program sees
 * decrypted packets again (tunnel mode; with GRO for ESP any), and cannot tell them from clear ones.
 *
 * TC ingress stands behind and judges whatever is doubtful here: fragments, options, VLANs, and all that might be exempt by more than
 * its addresses. What is dropped here would be dropped there.
 */
#ifndef HF_SHIELD_DOOR_H
#define HF_SHIELD_DOOR_H

#include "admit.h"
#include "shield_frame.h"

static __always_inline bool is_port(__be16 have, __u16 port)
{
	return have == bpf_htons(port);
}

/* Nothing of what is let in for its upper layer's sake: IKE, ESP in UDP, DNS, DHCP, neighbour discovery, a router's word about ESP. */
static __always_inline bool is_plain(const struct packet *packet, const __u8 *upper)
{
	__be16 from = *(const __be16 *)upper, to = *(const __be16 *)(upper + 2);

	switch (packet->proto) {
	case IPPROTO_TCP:
		return !is_port(from, PORT_DNS);
	case IPPROTO_UDP:
		return !is_port(to, PORT_IKE) && !is_port(to, PORT_IKE_NATT) && !is_port(from, PORT_DNS) &&
		       !is_port(from, PORT_DHCP_SERVER) && !is_port(from, PORT_DHCP_CLIENT) &&
		       !is_port(from, PORT_DHCPV6_SERVER) && !is_port(from, PORT_DHCPV6_CLIENT);
	case IPPROTO_ICMP:
		return packet->v4 && *upper == ICMP_ECHO_REQUEST;
	case PROTO_ICMPV6:
		return !packet->v4 && *upper == ICMPV6_ECHO_REQUEST;
	default:
		return false;
	}
}

static __always_inline bool read_plain(const struct xdp_md *ctx, struct packet *packet)
{
	const __u8 *data = (const __u8 *)(long)ctx->data, *end = (const __u8 *)(long)ctx->data_end;
	const __u8 *ip = data + ETH_HLEN;
	__be16 proto;

	if (ip + sizeof(struct ipv4_header) + 4 > end)
		return false;
	proto = *(const __be16 *)(data + 12);
	packet->l3 = ETH_HLEN;
	if (proto == bpf_htons(ETH_P_IP)) {
		const struct ipv4_header *header = (const struct ipv4_header *)ip;

		return header->version_ihl == IPV4_PLAIN && !(header->frag_off & bpf_htons(IPV4_FRAGMENT)) &&
		       read_ipv4(packet, header, false) == PARSED_IP && is_plain(packet, ip + sizeof(*header));
	}
	if (proto != bpf_htons(ETH_P_IPV6) || ip + sizeof(struct ipv6_header) + 4 > end)
		return false;
	return read_ipv6(packet, (const struct ipv6_header *)ip, false) == PARSED_IP &&
	       is_plain(packet, ip + sizeof(struct ipv6_header));
}

static __always_inline bool is_stopped(const struct xdp_md *ctx)
{
	const struct hf_gate *gate;
	struct packet packet;
	struct hf_gate copy;
	enum admit admit;

	if (!read_plain(ctx, &packet))
		return false;
	gate = gate_find(&packet.pair, &copy);
	admit = admit_pair(&packet.pair, gate);
	if (admit == ADMIT || is_exempt_pair(&packet, bpf_map_lookup_elem(&hf_exempt, &packet.pair.remote), false))
		return false;
	SHIELD_COUNT(clear_dropped);
	admit_refused(admit, ctx->ingress_ifindex, &packet.pair, gate);
	return true;
}

#endif
