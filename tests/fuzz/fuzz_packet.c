// SPDX-License-Identifier: Apache-2.0
/*
 * All functions of packet.h on arbitrary bytes. The first two octets choose GSO size and MTU, so that a
 * corpus stays readable as packets. What comes out of joining and cutting must be packets again.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int check_segment(void *arg, uint8_t *segment, size_t len)
{
	struct packet packet;

	(void)arg;
	if (packet_parse(&packet, segment, len) || packet.len != len)
		abort();
	return 0;
}

/* The input as consecutive fragments: a 16-bit length in front of each. */
static void join_all(const uint8_t *data, size_t len)
{
	static struct packet_join join;
	struct packet packet;

	packet_join_clear(&join);
	while (len > 2) {
		size_t part = (size_t)data[0] << 8 | data[1];

		data += 2;
		len -= 2;
		if (part > len)
			part = len;
		if (packet_join_add(&join, data, part) == PACKET_JOIN_WHOLE) {
			if (packet_parse(&packet, join.data, join.len) || packet.len != join.len ||
			    packet_complete(join.data, join.len))
				abort();
			packet_join_clear(&join);
		}
		data += part;
		len -= part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t icmp[1280], *copy;
	struct packet packet;
	uint32_t gso_size, mtu;

	if (len < 2)
		return 0;
	gso_size = 1 + data[0] * 8u;
	mtu = 68 + data[1] * 6u;
	data += 2;
	len -= 2;
	join_all(data, len);

	/* A copy of exactly this size, so that the sanitizer sees the octet behind it. */
	copy = malloc(len ? len : 1);
	if (!copy)
		return 0;
	memcpy(copy, data, len);
	packet_parse(&packet, copy, len);
	packet_segment(copy, len, gso_size, check_segment, NULL);
	packet_icmp_prohibited(icmp, sizeof(icmp), copy, len);
	packet_icmp_too_big(icmp, sizeof(icmp), copy, len, mtu);
	if (!packet_complete(copy, len) && packet_parse(&packet, copy, len))
		abort();
	free(copy);
	return 0;
}
