// SPDX-License-Identifier: Apache-2.0
/*
 * Joining the fragments of a datagram that the local stack cut before it was held: transport mode ESP
 * seals whole datagrams (RFC 4303 3.1.1). Fragments come in the order of their offsets and are never
 * rearranged; anything that does not continue what is there is refused, so nothing can overlap.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/packet_field.h"

void packet_join_clear(struct packet_join *join)
{
	join->len = 0;
	join->fragments = 0;
}

static bool same_datagram(const struct packet *a, const struct packet *b)
{
	return a->v4 == b->v4 && a->fragment_id == b->fragment_id && addr_equal(&a->src, &b->src) &&
	       addr_equal(&a->dst, &b->dst) && (!a->v4 || a->proto == b->proto);
}

/* The headers that stay: in IPv6 the header in front of the Fragment header names what comes behind it. */
static void put_headers(struct packet_join *join, const struct packet *p, const uint8_t *data)
{
	memcpy(join->data, data, p->unfragmentable);
	if (p->v4)
		field_put16(join->data + 6, p->df ? 0x4000 : 0);
	else
		join->data[packet_next_header(data, p->unfragmentable)] = data[p->unfragmentable];
	join->first = *p;
	join->len = p->unfragmentable;
}

enum packet_join_result packet_join_add(struct packet_join *join, const uint8_t *data, size_t len)
{
	struct packet p;
	size_t payload_at, payload, have, len_max;

	if (packet_parse(&p, data, len) || !p.fragment)
		return PACKET_JOIN_OTHER;
	payload_at = p.unfragmentable + (p.v4 ? 0 : IPV6_FRAGMENT_HEADER);
	payload = p.len - payload_at;
	if (p.more_fragments && (!payload || payload % 8))
		return PACKET_JOIN_OTHER;
	/* The same identification from the start again: another datagram, and what was gathered will never be whole. */
	if (p.fragment_offset == 0 && join->len && same_datagram(&join->first, &p))
		packet_join_clear(join);
	have = join->len ? join->len - join->first.unfragmentable : 0;
	if (p.fragment_offset != have || (join->len && !same_datagram(&join->first, &p)))
		return PACKET_JOIN_OTHER;
	/* What the length field can say: all of an IPv4 packet, an IPv6 packet behind its first header. */
	len_max = p.v4 ? PACKET_MAX : sizeof(join->data);
	if ((join->len ? join->len : p.unfragmentable) + payload > len_max)
		return PACKET_JOIN_OTHER;

	if (!join->len)
		put_headers(join, &p, data);
	memcpy(join->data + join->len, data + payload_at, payload);
	join->len += payload;
	join->fragments++;
	if (p.more_fragments)
		return PACKET_JOIN_MORE;
	packet_set_length(join->data, join->len);
	return PACKET_JOIN_WHOLE;
}
