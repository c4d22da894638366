/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finding IKE in a frame. What is no IKE message to this host, or no packet that the kernel would deliver, is not the
 * shield's business: it passes, and the kernel treats it as ever. That goes for fragments, too: whether one is of an IKE_SA_INIT request
 * cannot be told, and a request that had to be cut comes to the engine whole, which has thresholds of its own.
 *
 * Two ways: the usual frame is read where it lies and passes after a few comparisons; whatever that leaves open is copied, header
 * by header, with helpers that check every bound (5.18).
 */
#ifndef HF_SHIELD_FRAME_H
#define HF_SHIELD_FRAME_H

#include "exempt.h"
#include "shield_maps.h"

#define MARKER_LEN 4
#define UDP_LEN 8

#define IPV4_PLAIN 0x45 /* version and length of a header without options */
#define IPV4_DF 0x4000
#define IPV4_FRAGMENT 0x3fff /* more of them, or not the first */

/* Offsets are from the frame's first octet. */
struct frame {
	struct hf_addr src, dst;
	__u32 l3;      /* IP header */
	__u32 l4;      /* UDP header */
	__u32 ike;     /* IKE header */
	__u32 ike_len; /* octets of the IKE message */
	__u16 port;    /* the sender's */
	bool v4;
	bool marker; /* port 4500: the non-ESP marker of RFC 3948 stands before it */
};

struct udp_header {
	__be16 source, dest, len, check;
};

struct ike_header {
	__u64 spi_i, spi_r;
	__u8 next, version, exchange, flags;
	__be32 mid, length;
} __attribute__((packed, aligned(4))); /* 28 octets, not 32 */

#define LOAD(ctx, offset, to) (bpf_xdp_load_bytes(ctx, offset, to, sizeof(*(to))) == 0)

/* What a first look at a frame makes of it. */
enum glance {
	GLANCE_IKE, /* maybe: to be looked at header by header */
	GLANCE_ESP, /* with or without UDP around it */
	GLANCE_OTHER,
};

static __always_inline enum glance glance_udp(const __u8 *udp, __be32 *spi)
{
	__be16 port = *(const __be16 *)(udp + 2);

	if (port == bpf_htons(PORT_IKE))
		return GLANCE_IKE;
	if (port != bpf_htons(PORT_IKE_NATT))
		return GLANCE_OTHER;
	*spi = *(const __be32 *)(udp + UDP_LEN);
	return *spi ? GLANCE_ESP : GLANCE_IKE;
}

/* Nearly everything is surely no IKE message. `spi` is that of ESP. */
static __always_inline enum glance glance(const struct xdp_md *ctx, __be32 *spi)
{
	const __u8 *data = (const __u8 *)(long)ctx->data, *end = (const __u8 *)(long)ctx->data_end, *upper;
	__be16 proto;
	__u8 next;

	if (data + ETH_HLEN > end)
		return GLANCE_OTHER;
	proto = *(const __be16 *)(data + 12);
	if (proto == bpf_htons(ETH_P_IP)) {
		upper = data + ETH_HLEN + sizeof(struct ipv4_header);
		if (upper > end)
			return GLANCE_IKE;
		next = data[ETH_HLEN + 9];
		if (data[ETH_HLEN] != IPV4_PLAIN)
			return next == IPPROTO_UDP ? GLANCE_IKE : GLANCE_OTHER;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		upper = data + ETH_HLEN + sizeof(struct ipv6_header);
		if (upper > end)
			return GLANCE_IKE;
		next = data[ETH_HLEN + 6];
		if (is_extension(next))
			return GLANCE_IKE;
	} else {
		return is_vlan(proto) ? GLANCE_IKE : GLANCE_OTHER;
	}
	if (next != IPPROTO_UDP && next != IPPROTO_ESP)
		return GLANCE_OTHER;
	if (upper + UDP_LEN + MARKER_LEN > end)
		return next == IPPROTO_UDP ? GLANCE_IKE : GLANCE_OTHER;
	if (next == IPPROTO_UDP)
		return glance_udp(upper, spi);
	*spi = *(const __be32 *)upper;
	return GLANCE_ESP;
}

/* The type of what the link header carries, and where it begins. 0 when that cannot be read. */
static __always_inline __be16 skip_link(struct xdp_md *ctx, __u32 *l3)
{
	__be16 proto;

	if (!LOAD(ctx, 12, &proto))
		return 0;
	*l3 = ETH_HLEN;
	for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(proto); i++) {
		if (!LOAD(ctx, *l3 + 2, &proto))
			return 0;
		*l3 += 4;
	}
	return proto;
}

/* The offset where the IPv4 packet ends when it is UDP, whole, and all there; else 0. */
static __always_inline __u32 frame_ipv4(struct xdp_md *ctx, struct frame *frame)
{
	struct ipv4_header ip;
	__u32 header_len, len;

	if (!LOAD(ctx, frame->l3, &ip))
		return 0;
	header_len = (ip.version_ihl & 0xf) * 4;
	len = bpf_ntohs(ip.tot_len);
	if (ip.version_ihl >> 4 != 4 || header_len < sizeof(ip) || len < header_len || ip.protocol != IPPROTO_UDP ||
	    ip.frag_off & bpf_htons(IPV4_FRAGMENT))
		return 0;
	addr_set_v4(&frame->src, ip.saddr);
	addr_set_v4(&frame->dst, ip.daddr);
	frame->v4 = true;
	frame->l4 = frame->l3 + header_len;
	return frame->l3 + len;
}

/* Extension headers that carry nothing a shield must know: options, and routes that have come to their end. */
static __always_inline bool skip_extensions(struct xdp_md *ctx, struct frame *frame, __u8 proto)
{
	frame->l4 = frame->l3 + sizeof(struct ipv6_header);
	for (int i = 0; i < IPV6_EXTENSIONS_MAX && proto != IPPROTO_UDP; i++) {
		struct {
			__u8 next, len, type, left;
		} header;

		if ((proto != IPPROTO_HOPOPTS && proto != PROTO_DSTOPTS && proto != IPPROTO_ROUTING) ||
		    !LOAD(ctx, frame->l4, &header) || (proto == IPPROTO_ROUTING && header.left))
			return false;
		proto = header.next;
		frame->l4 += (header.len + 1) * 8;
	}
	return proto == IPPROTO_UDP;
}

static __always_inline __u32 frame_ipv6(struct xdp_md *ctx, struct frame *frame)
{
	struct ipv6_header ip;

	if (!LOAD(ctx, frame->l3, &ip) || ip.version_class >> 4 != 6 || !skip_extensions(ctx, frame, ip.nexthdr))
		return 0;
	addr_copy(&frame->src, &ip.saddr);
	addr_copy(&frame->dst, &ip.daddr);
	/* On the wire a v4-mapped address is nobody's (RFC 4942 2.2), and would be taken for an IPv4 sender. */
	if (addr_is_v4_mapped(&frame->src) || addr_is_v4_mapped(&frame->dst))
		return 0;
	frame->v4 = false;
	return frame->l3 + sizeof(ip) + bpf_ntohs(ip.payload_len);
}

static __always_inline bool is_own(const struct hf_addr *addr)
{
	const struct hf_exempt *exempt = bpf_map_lookup_elem(&hf_exempt, addr);

	return exempt && exempt->flags & HF_EXEMPT_OWN;
}

/* frame_find is true when the frame carries a datagram to the IKE ports of this host that is no ESP and no keepalive. */
static __always_inline bool frame_find(struct xdp_md *ctx, struct frame *frame)
{
	__be16 proto = skip_link(ctx, &frame->l3);
	struct udp_header udp;
	__be32 marker;
	__u32 end = 0, len;

	if (proto == bpf_htons(ETH_P_IP))
		end = frame_ipv4(ctx, frame);
	else if (proto == bpf_htons(ETH_P_IPV6))
		end = frame_ipv6(ctx, frame);
	if (!end || end > bpf_xdp_get_buff_len(ctx) || !LOAD(ctx, frame->l4, &udp))
		return false;
	len = bpf_ntohs(udp.len);
	if (len < UDP_LEN || frame->l4 + len > end)
		return false;
	frame->port = bpf_ntohs(udp.source);
	frame->ike = frame->l4 + UDP_LEN;
	frame->ike_len = len - UDP_LEN;
	frame->marker = udp.dest == bpf_htons(PORT_IKE_NATT);
	if (frame->marker) {
		if (frame->ike_len < MARKER_LEN || !LOAD(ctx, frame->ike, &marker) || marker)
			return false;
		frame->ike += MARKER_LEN;
		frame->ike_len -= MARKER_LEN;
	} else if (udp.dest != bpf_htons(PORT_IKE)) {
		return false;
	}
	return is_own(&frame->dst);
}

#endif
