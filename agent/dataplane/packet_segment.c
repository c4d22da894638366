// SPDX-License-Identifier: Apache-2.0
/*
 * Cutting GSO packets as Linux does (tcp_gso_segment, __udp_gso_segment, inet_gso_segment): the stack
 * handed one large packet to the device, raw sockets cannot ask for that, so the agent cuts. Does
 * not cut by path MTU: `gso_size` is what the sender's stack had chosen.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/packet_field.h"

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

struct cut {
	struct packet packet; /* of the whole; len is the current segment's */
	size_t header_len;    /* octets in front of the payload */
	uint16_t ip_id;
	uint32_t seq;
	uint8_t flags;
};

static int start_cut(struct cut *cut, const uint8_t *data, size_t len)
{
	const struct packet *p = &cut->packet;
	const uint8_t *l4;
	size_t l4_len, l4_header = UDP_HEADER;
	int err = packet_parse(&cut->packet, data, len);

	if (err)
		return err;
	if (p->fragment)
		return -EINVAL;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return -EPROTONOSUPPORT;
	l4 = data + p->l4_offset;
	l4_len = p->len - p->l4_offset;
	if (p->proto == IPPROTO_TCP) {
		if (l4_len < TCP_HEADER)
			return -EINVAL;
		l4_header = (l4[12] >> 4) * 4u;
		if (l4_header < TCP_HEADER)
			return -EINVAL;
		cut->seq = field_get32(l4 + 4);
		cut->flags = l4[13];
	}
	if (l4_len < l4_header)
		return -EINVAL;
	cut->header_len = p->l4_offset + l4_header;
	cut->ip_id = field_get16(data + 4);
	return 0;
}

/* PSH and FIN belong to the last octet, CWR answers one congestion event: RFC 9293 3.9, RFC 3168 6.1.2. */
static void fix_tcp(const struct cut *cut, uint8_t *l4, size_t offset, bool last)
{
	uint8_t flags = cut->flags;

	if (!last)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (offset)
		flags &= (uint8_t)~TCP_CWR;
	l4[13] = flags;
	field_put32(l4 + 4, cut->seq + (uint32_t)offset);
	checksum_upper(l4 + 16, &cut->packet, l4, cut->packet.len - cut->packet.l4_offset);
}

static void fix_udp(const struct cut *cut, uint8_t *l4)
{
	size_t l4_len = cut->packet.len - cut->packet.l4_offset;

	field_put16(l4 + 4, (uint32_t)l4_len);
	checksum_upper(l4 + 6, &cut->packet, l4, l4_len);
}

int packet_segment(const uint8_t *data, size_t len, uint32_t gso_size,
		   int (*emit)(void *arg, uint8_t *segment, size_t segment_len), void *arg)
{
	uint8_t segment[PACKET_MAX + IPV6_HEADER];
	struct cut cut = { 0 };
	size_t total, offset = 0;
	int err, count = 0;

	err = start_cut(&cut, data, len);
	if (err)
		return err;
	if (!gso_size)
		return -EINVAL;
	total = cut.packet.len - cut.header_len;
	do {
		size_t part = total - offset < gso_size ? total - offset : gso_size;
		bool last = offset + part == total;

		cut.packet.len = cut.header_len + part;
		memcpy(segment, data, cut.header_len);
		memcpy(segment + cut.header_len, data + cut.header_len + offset, part);
		if (cut.packet.v4)
			field_put16(segment + 4, cut.ip_id + (uint32_t)count);
		packet_set_length(segment, cut.packet.len);
		if (cut.packet.proto == IPPROTO_TCP)
			fix_tcp(&cut, segment + cut.packet.l4_offset, offset, last);
		else
			fix_udp(&cut, segment + cut.packet.l4_offset);
		err = emit(arg, segment, cut.packet.len);
		if (err < 0)
			return err;
		offset += part;
		count++;
	} while (offset < total);
	return count;
}
