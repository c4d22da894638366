// SPDX-License-Identifier: Apache-2.0
/*
 * The ICMP errors (RFC 792, RFC 1812 4.3, RFC 4443 2.4) that tell a local sender what became of its packet: from its
 * own address to its own address, so that they never leave the host and need no route. Only these
 * two kinds; who decides to send one, and how often, is release.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/packet_field.h"

#define ICMP_HEADER 8
#define V4_ERROR_MAX 576   /* RFC 1812 4.3.2.3 */
#define V6_ERROR_MAX 1280  /* RFC 4443 2.4 (c) */
#define QUOTED_UPPER_MIN 8 /* RFC 792: what a kernel needs to find the socket */

struct icmp_kind {
	uint8_t v4_type, v4_code;
	uint8_t v6_type, v6_code;
};

static const struct icmp_kind PROHIBITED = { 3, 13, 1, 1 }; /* RFC 1812 5.2.7.1, RFC 4443 3.1 */
static const struct icmp_kind TOO_BIG = { 3, 4, 2, 0 };	    /* RFC 1191 4, RFC 4443 3.2 */

static bool is_unicast(const struct packet *p, const struct hf_addr *addr)
{
	static const struct hf_addr any;

	if (!p->v4)
		return addr->octet[0] != 0xff && !addr_equal(addr, &any);
	/* 0/8, multicast 224/4 and broadcast; class E is nobody's address either. */
	return addr->octet[12] != 0 && addr->octet[12] < 224;
}

/* RFC 1122 3.2.2 and RFC 4443 2.4 (e): never about an ICMP error. */
static bool is_icmp_error(const struct packet *p, uint8_t type)
{
	if (p->v4)
		return p->proto == IPPROTO_ICMP && (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
	return p->proto == IPPROTO_ICMPV6 && (type < 128 || type == 137);
}

static bool may_report(const struct packet *p, const uint8_t *data, size_t len)
{
	if (p->fragment_offset || len < p->l4_offset + QUOTED_UPPER_MIN)
		return false;
	if (!is_unicast(p, &p->src) || !is_unicast(p, &p->dst))
		return false;
	return !is_icmp_error(p, data[p->l4_offset]);
}

static void put_v4_header(uint8_t *out, const struct packet *p)
{
	size_t addr_len;

	memset(out, 0, IPV4_HEADER);
	out[0] = 0x45;
	out[1] = 0xc0; /* RFC 1812 4.3.2.5: precedence 6 */
	out[8] = 64;
	out[9] = IPPROTO_ICMP;
	memcpy(out + 12, addr_octets(&p->src, &addr_len), 4);
	memcpy(out + 16, out + 12, 4);
}

static void put_v6_header(uint8_t *out, const struct packet *p)
{
	memset(out, 0, IPV6_HEADER);
	out[0] = 0x60;
	out[6] = IPPROTO_ICMPV6;
	out[7] = 64;
	memcpy(out + 8, p->src.octet, 16);
	memcpy(out + 24, p->src.octet, 16);
}

static int build(uint8_t *out, size_t out_max, const uint8_t *data, size_t len, const struct icmp_kind *kind,
		 uint32_t value)
{
	struct packet p, error;
	size_t header_len, quoted, total;

	if (packet_parse_head(&p, data, len))
		return -EINVAL;
	if (len > p.len)
		len = p.len;
	if (!may_report(&p, data, len))
		return -EINVAL;
	header_len = (p.v4 ? IPV4_HEADER : IPV6_HEADER) + ICMP_HEADER;
	quoted = (p.v4 ? V4_ERROR_MAX : V6_ERROR_MAX) - header_len;
	if (quoted > len)
		quoted = len;
	total = header_len + quoted;
	if (total > out_max || quoted < p.l4_offset + QUOTED_UPPER_MIN)
		return -EINVAL;

	error = (struct packet){ .v4 = p.v4, .src = p.src, .dst = p.src, .proto = IPPROTO_ICMPV6 };
	if (p.v4)
		put_v4_header(out, &p);
	else
		put_v6_header(out, &p);
	packet_set_length(out, total);
	out += header_len - ICMP_HEADER;
	out[0] = p.v4 ? kind->v4_type : kind->v6_type;
	out[1] = p.v4 ? kind->v4_code : kind->v6_code;
	field_put16(out + 2, 0);
	field_put32(out + 4, value);
	memcpy(out + ICMP_HEADER, data, quoted);
	if (p.v4)
		field_put16(out + 2, checksum_fold(checksum_add(0, out, ICMP_HEADER + quoted)));
	else
		checksum_upper(out + 2, &error, out, ICMP_HEADER + quoted);
	return (int)total;
}

int packet_icmp_prohibited(uint8_t *out, size_t out_max, const uint8_t *data, size_t len)
{
	return build(out, out_max, data, len, &PROHIBITED, 0);
}

int packet_icmp_too_big(uint8_t *out, size_t out_max, const uint8_t *data, size_t len, uint32_t mtu)
{
	/* RFC 1191 gives IPv4 16 bits, in the lower half of the word. */
	if (len && data[0] >> 4 == 4 && mtu > 0xffff)
		mtu = 0xffff;
	return build(out, out_max, data, len, &TOO_BIG, mtu);
}
