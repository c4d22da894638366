/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wireparse: from captured bytes to what the wire judge counts, one packet at a time. Ethernet, VLAN,
 * cooked and raw captures; IPv4 and IPv6 with extension headers; fragments. Reads never pass the
 * captured length: what is cut short is called truncated.
 */
#ifndef HF_LAB_WIREPARSE_H
#define HF_LAB_WIREPARSE_H

#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One packet is of one kind; `marker` is counted beside it, whatever the kind. */
enum kind { KIND_CLEAR, KIND_ESP, KIND_UDPESP, KIND_IKE, KIND_ND, KIND_ARP, KIND_OTHER, KIND_MAX };

static const char *const kind_names[KIND_MAX] = { "clear", "esp", "udpesp", "ike", "nd", "arp", "other" };

struct packet {
	enum kind kind;
	bool marker, truncated, espdup;
	uint8_t src[16], dst[16];
	uint8_t proto;
	uint32_t spi, seq, len;
	uint16_t sport, dport;
	int64_t mono_ns;
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void parse_udp(struct packet *k, const uint8_t *p, size_t len)
{
	bool natt;

	if (len < 8) {
		k->truncated = true;
		return;
	}
	k->sport = get16(p);
	k->dport = get16(p + 2);
	natt = k->sport == 4500 || k->dport == 4500;
	if (k->sport == 500 || k->dport == 500)
		k->kind = KIND_IKE;
	if (!natt)
		return;
	/* RFC 3948: four zero bytes mean IKE, a single 0xff a keep-alive, anything else is an SPI. */
	k->kind = KIND_IKE;
	if (len >= 16 && get32(p + 8)) {
		k->kind = KIND_UDPESP;
		k->spi = get32(p + 8);
		k->seq = get32(p + 12);
	}
}

/* From the transport header on; later fragments have none and are counted by protocol only. */
static inline void parse_transport(struct packet *k, const uint8_t *p, size_t len, bool first)
{
	k->kind = KIND_CLEAR;
	switch (k->proto) {
	case IPPROTO_ESP:
		k->kind = KIND_ESP;
		if (first && len >= 8) {
			k->spi = get32(p);
			k->seq = get32(p + 4);
		} else if (first) {
			k->truncated = true;
		}
		return;
	case IPPROTO_UDP:
		if (first)
			parse_udp(k, p, len);
		return;
	case IPPROTO_TCP:
		if (first && len >= 4) {
			k->sport = get16(p);
			k->dport = get16(p + 2);
		}
		return;
	case IPPROTO_IGMP:
		k->kind = KIND_ND;
		return;
	case IPPROTO_ICMPV6:
		/* ND 133 to 137, multicast listener discovery 130 to 132 and 143. */
		if (first && len >= 1 && ((p[0] >= 130 && p[0] <= 137) || p[0] == 143))
			k->kind = KIND_ND;
		return;
	default:
		return;
	}
}

static inline void parse_ip4(struct packet *k, const uint8_t *p, size_t len)
{
	size_t header;

	if (len < 20 || p[0] >> 4 != 4 || (header = (size_t)(p[0] & 15) * 4) < 20 || header > len) {
		k->truncated = true;
		return;
	}
	for (int i = 0; i < 2; i++) {
		uint8_t *to = i ? k->dst : k->src;

		to[10] = to[11] = 0xff;
		memcpy(to + 12, p + 12 + 4 * i, 4);
	}
	k->proto = p[9];
	parse_transport(k, p + header, len - header, !(get16(p + 6) & 0x1fff));
}

static inline void parse_ip6(struct packet *k, const uint8_t *p, size_t len)
{
	bool first = true;
	size_t at = 40;

	if (len < 40 || p[0] >> 4 != 6) {
		k->truncated = true;
		return;
	}
	memcpy(k->src, p + 8, 16);
	memcpy(k->dst, p + 24, 16);
	k->proto = p[6];
	while (first) {
		bool fragment = k->proto == IPPROTO_FRAGMENT;

		if (k->proto != IPPROTO_HOPOPTS && k->proto != IPPROTO_ROUTING && k->proto != IPPROTO_DSTOPTS &&
		    k->proto != IPPROTO_AH && !fragment)
			break;
		if (at + 8 > len) {
			k->truncated = true;
			return;
		}
		if (fragment && get16(p + at + 2) & 0xfff8)
			first = false;
		size_t step = fragment		       ? 8
			      : k->proto == IPPROTO_AH ? ((size_t)p[at + 1] + 2) * 4
						       : ((size_t)p[at + 1] + 1) * 8;
		k->proto = p[at];
		at += step;
	}
	if (at > len) {
		k->truncated = true;
		at = len;
	}
	parse_transport(k, p + at, len - at, first);
}

/* False: a kind of capture that is not known. */
static inline bool packet_parse(struct packet *k, int link, const uint8_t *p, size_t len)
{
	uint16_t type = 0;
	size_t at = 0;

	k->kind = KIND_OTHER;
	switch (link) {
	case DLT_EN10MB:
		at = 14;
		break;
	case DLT_LINUX_SLL:
		at = 16;
		break;
	case DLT_LINUX_SLL2:
		at = 20;
		break;
	case DLT_RAW:
		at = 0;
		break;
	default:
		return false;
	}
	if (len < at || !len) {
		k->truncated = true;
		return true;
	}
	if (link == DLT_RAW)
		type = p[0] >> 4 == 6 ? 0x86dd : 0x0800;
	else
		type = get16(p + (link == DLT_LINUX_SLL2 ? 0 : at - 2));
	for (; (type == 0x8100 || type == 0x88a8) && at + 4 <= len; at += 4)
		type = get16(p + at + 2);
	if (type == 0x0800)
		parse_ip4(k, p + at, len - at);
	else if (type == 0x86dd)
		parse_ip6(k, p + at, len - at);
	else if (type == 0x0806)
		k->kind = KIND_ARP;
	return true;
}

#endif
