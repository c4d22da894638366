// SPDX-License-Identifier: Apache-2.0
/* Writes packets front to back. See build_packet.h. */
#include "build_packet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define PROTO_FRAGMENT 44

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* Every length field follows what is added. */
static uint8_t *grow(struct packet_bytes *packet, size_t len)
{
	uint8_t *at = packet->data + packet->len;

	assert(packet->len + len <= sizeof(packet->data));
	memset(at, 0, len);
	packet->len += len;
	if (packet->family == AF_INET)
		put16(packet->data + packet->l3 + 2, (uint32_t)(packet->len - packet->l3));
	if (packet->family == AF_INET6)
		put16(packet->data + packet->l3 + 4, (uint32_t)(packet->len - packet->l3 - 40));
	if (packet->udp)
		put16(packet->data + packet->udp + 4, (uint32_t)(packet->len - packet->udp));
	return at;
}

void packet_raw(struct packet_bytes *packet, uint16_t ethertype)
{
	memset(packet, 0, sizeof(*packet));
	put16(grow(packet, 14) + 12, ethertype);
	packet->l3 = packet->len;
}

static void put_ipv4(struct packet_bytes *packet, const char *src, const char *dst)
{
	uint8_t *ip = grow(packet, 20);

	packet->family = AF_INET;
	ip[0] = 0x45;
	put16(ip + 2, 20);
	ip[8] = 64;
	assert(inet_pton(AF_INET, src, ip + 12) == 1 && inet_pton(AF_INET, dst, ip + 16) == 1);
	packet->next_header = packet->l3 + 9;
}

static void put_ipv6(struct packet_bytes *packet, const char *src, const char *dst)
{
	uint8_t *ip = grow(packet, 40);

	packet->family = AF_INET6;
	ip[0] = 0x60;
	ip[6] = 59; /* no next header, until one is added */
	ip[7] = 64;
	assert(inet_pton(AF_INET6, src, ip + 8) == 1 && inet_pton(AF_INET6, dst, ip + 24) == 1);
	packet->next_header = packet->l3 + 6;
}

void packet_ip_vlan(struct packet_bytes *packet, const char *src, const char *dst, int tags)
{
	uint16_t proto = strchr(src, ':') ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;

	packet_raw(packet, tags ? ETHERTYPE_VLAN : proto);
	while (tags--)
		put16(grow(packet, 4) + 2, tags ? ETHERTYPE_VLAN : proto);
	packet->l3 = packet->len;
	if (proto == ETHERTYPE_IPV6)
		put_ipv6(packet, src, dst);
	else
		put_ipv4(packet, src, dst);
	packet->l4 = packet->len;
}

void packet_ip(struct packet_bytes *packet, const char *src, const char *dst)
{
	packet_ip_vlan(packet, src, dst, 0);
}

static uint8_t *header(struct packet_bytes *packet, uint8_t proto, size_t len)
{
	packet->data[packet->next_header] = proto;
	packet->l4 = packet->len;
	return grow(packet, len);
}

void packet_udp(struct packet_bytes *packet, uint16_t sport, uint16_t dport)
{
	uint8_t *udp = header(packet, IPPROTO_UDP, 8);

	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, 8);
	packet->udp = packet->l4;
}

void packet_tcp(struct packet_bytes *packet, uint16_t sport, uint16_t dport)
{
	uint8_t *tcp = header(packet, IPPROTO_TCP, 20);

	put16(tcp, sport);
	put16(tcp + 2, dport);
	tcp[12] = 0x50;
}

void packet_icmp(struct packet_bytes *packet, uint8_t type, uint8_t code)
{
	uint8_t *icmp = header(packet, packet->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, 8);

	icmp[0] = type;
	icmp[1] = code;
}

void packet_esp(struct packet_bytes *packet, uint32_t spi)
{
	put32(header(packet, IPPROTO_ESP, 8), spi);
	packet_fill(packet, 32, 7);
}

void packet_proto(struct packet_bytes *packet, uint8_t proto)
{
	header(packet, proto, 0);
}

void packet_extension(struct packet_bytes *packet, uint8_t proto)
{
	uint8_t *extension = header(packet, proto, 8);

	extension[0] = 59;
	packet->next_header = (size_t)(extension - packet->data);
}

void packet_fragment(struct packet_bytes *packet, uint16_t offset, int more)
{
	uint8_t *fragment;

	if (packet->family == AF_INET) {
		put16(packet->data + packet->l3 + 6, offset / 8 | (more ? 0x2000 : 0));
		return;
	}
	packet_extension(packet, PROTO_FRAGMENT);
	fragment = packet->data + packet->l4;
	put16(fragment + 2, offset | (more ? 1 : 0));
	put32(fragment + 4, 0x1234);
}

void packet_data(struct packet_bytes *packet, const void *data, size_t len)
{
	memcpy(grow(packet, len), data, len);
}

void packet_fill(struct packet_bytes *packet, size_t len, uint8_t seed)
{
	uint8_t *at = grow(packet, len);

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(seed + i);
}

void packet_ike(struct packet_bytes *packet, uint8_t version, uint32_t length)
{
	uint8_t *ike = grow(packet, 28);

	ike[0] = 1;
	ike[16] = 33;
	ike[17] = version;
	ike[18] = 34;
	put32(ike + 24, length);
}

void packet_hops(struct packet_bytes *packet, uint8_t hops)
{
	packet->data[packet->l3 + (packet->family == AF_INET ? 8 : 7)] = hops;
}

void packet_simple(struct packet_bytes *packet, const char *src, const char *dst, size_t len)
{
	packet_ip(packet, src, dst);
	packet_udp(packet, 40000, 7);
	packet_fill(packet, len, 0);
}
