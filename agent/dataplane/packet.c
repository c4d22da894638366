// SPDX-License-Identifier: Apache-2.0
/*
 * Reading IP headers (RFC 791, RFC 8200 4) and completing a packet's checksums. Cutting, joining and
 * ICMP errors have their own files. The bytes come from the host's own stack, but raw sockets let anybody
 * with the right to open one write them, so nothing here believes a length.
 */
#include <errno.h>
#include <netinet/in.h>

#include "dataplane/checksum.h"
#include "dataplane/packet_field.h"

#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET 0x1fff

static int parse_v4(struct packet *p, const uint8_t *data, size_t len)
{
	size_t header_len;
	uint16_t frag;

	if (len < IPV4_HEADER)
		return -EINVAL;
	header_len = (data[0] & 0x0fu) * 4u;
	p->len = field_get16(data + 2);
	if (header_len < IPV4_HEADER || header_len > len || p->len < header_len)
		return -EINVAL;
	frag = field_get16(data + 6);
	p->v4 = true;
	p->src = addr_from_octets(data + 12, 4);
	p->dst = addr_from_octets(data + 16, 4);
	p->l4_offset = header_len;
	p->unfragmentable = header_len;
	p->proto = data[9];
	p->hop_limit = data[8];
	p->tos = data[1];
	p->df = frag & IPV4_DF;
	p->more_fragments = frag & IPV4_MF;
	p->fragment_offset = (uint16_t)((frag & IPV4_OFFSET) * 8);
	p->fragment = p->more_fragments || p->fragment_offset;
	p->fragment_id = field_get16(data + 4);
	return 0;
}

/*
 * AH and everything that is not an extension header counts as the upper layer. Behind the Fragment
 * header of a non-first fragment there are no headers, only payload.
 */
static int walk_v6(struct packet *p, const uint8_t *data, size_t len)
{
	size_t at = IPV6_HEADER;
	uint8_t next = data[6];

	for (;;) {
		size_t header_len;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			break;
		if (len - at < 8 || (p->fragment && next == IPPROTO_FRAGMENT))
			return -EINVAL;
		header_len = next == IPPROTO_FRAGMENT ? IPV6_FRAGMENT_HEADER : data[at + 1] * 8u + 8u;
		if (len - at < header_len)
			return -EINVAL;
		if (next == IPPROTO_FRAGMENT) {
			uint16_t frag = field_get16(data + at + 2);

			p->fragment = true;
			p->fragment_offset = frag & 0xfff8;
			p->more_fragments = frag & 1;
			p->fragment_id = field_get32(data + at + 4);
			p->unfragmentable = at;
		}
		next = data[at];
		at += header_len;
		if (p->fragment_offset)
			break;
	}
	p->proto = next;
	p->l4_offset = at;
	if (!p->fragment)
		p->unfragmentable = at;
	return 0;
}

static int parse_v6(struct packet *p, const uint8_t *data, size_t len)
{
	if (len < IPV6_HEADER)
		return -EINVAL;
	p->len = IPV6_HEADER + (size_t)field_get16(data + 4);
	p->src = addr_from_octets(data + 8, 16);
	p->dst = addr_from_octets(data + 24, 16);
	p->tos = (uint8_t)(field_get16(data) >> 4);
	p->hop_limit = data[7];
	return walk_v6(p, data, len < p->len ? len : p->len);
}

int packet_parse_head(struct packet *out, const uint8_t *data, size_t len)
{
	struct packet p = { 0 };
	int err = -EINVAL;

	if (len && data[0] >> 4 == 4)
		err = parse_v4(&p, data, len);
	else if (len && data[0] >> 4 == 6)
		err = parse_v6(&p, data, len);
	if (!err)
		*out = p;
	return err;
}

int packet_parse(struct packet *out, const uint8_t *data, size_t len)
{
	struct packet p;
	int err = packet_parse_head(&p, data, len);

	if (err)
		return err;
	if (p.len > len)
		return -EINVAL;
	*out = p;
	return 0;
}

size_t packet_next_header(const uint8_t *data, size_t at)
{
	size_t names = 6, header = IPV6_HEADER;

	while (header < at) {
		names = header;
		header += data[header + 1] * 8u + 8u;
	}
	return names;
}

void packet_set_length(uint8_t *data, size_t len)
{
	size_t header_len = (data[0] & 0x0fu) * 4u;

	if (data[0] >> 4 == 6) {
		field_put16(data + 4, (uint32_t)(len - IPV6_HEADER));
		return;
	}
	field_put16(data + 2, (uint32_t)len);
	field_put16(data + 10, 0);
	field_put16(data + 10, checksum_fold(checksum_add(0, data, header_len)));
}

/* With segments left the sum covers an address that is not in the header's place; such packets keep their sum. */
static bool is_routed(const uint8_t *data, const struct packet *p)
{
	size_t at = IPV6_HEADER;
	uint8_t next = data[6];

	while (!p->v4 && at < p->l4_offset) {
		if (next == IPPROTO_ROUTING && data[at + 3])
			return true;
		next = data[at];
		at += data[at + 1] * 8u + 8u;
	}
	return false;
}

static void complete_upper(uint8_t *data, const struct packet *p)
{
	uint8_t *l4 = data + p->l4_offset;
	size_t len = p->len - p->l4_offset;

	switch (p->proto) {
	case IPPROTO_TCP:
		if (len >= TCP_HEADER)
			checksum_upper(l4 + 16, p, l4, len);
		return;
	case IPPROTO_UDP:
		if (len < UDP_HEADER || (p->v4 && !field_get16(l4 + 6)))
			return;
		/* A raw socket may have put more behind the datagram than its length says. */
		if (field_get16(l4 + 4) >= UDP_HEADER && field_get16(l4 + 4) <= len)
			checksum_upper(l4 + 6, p, l4, field_get16(l4 + 4));
		return;
	case IPPROTO_ICMPV6:
		if (!p->v4 && len >= 4)
			checksum_upper(l4 + 2, p, l4, len);
		return;
	case IPPROTO_SCTP:
		if (len >= 12)
			checksum_sctp(l4, len);
		return;
	}
}

int packet_complete(uint8_t *data, size_t len)
{
	struct packet p;
	int err = packet_parse(&p, data, len);

	if (err)
		return err;
	if (!p.fragment && !is_routed(data, &p))
		complete_upper(data, &p);
	if (p.v4)
		packet_set_length(data, p.len);
	return 0;
}
