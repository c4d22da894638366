// SPDX-License-Identifier: Apache-2.0
/*
 * packet_segment against what Linux's own segmentation does: payload complete and in order, sequence
 * numbers, flags, IDs, lengths, and sums that an independent routine finds right.
 */
#include "test_packet.h"

static uint8_t whole[66000];

struct seen {
	bool v4;
	uint8_t proto, flags;
	size_t header_len, gso_size, total;
	size_t offset; /* payload so far */
	unsigned int count;
	unsigned int stop_at;
};

static void check_tcp(const struct seen *seen, const uint8_t *tcp, bool last)
{
	uint8_t flags = seen->flags;

	if (!last)
		flags &= 0xf6; /* no FIN, no PSH */
	if (seen->count)
		flags &= 0x7f; /* no CWR */
	assert_int_equal(tcp[13], flags);
	assert_int_equal(be32(tcp + 4), (uint32_t)(0xffffff00 + seen->offset));
	assert_int_equal(be32(tcp + 8), 0x01020304);
	assert_memory_equal(tcp + 14, whole + (seen->v4 ? 20 : 40) + 14, 2);
}

static int check_segment(void *arg, uint8_t *segment, size_t len)
{
	struct seen *seen = arg;
	size_t l4 = seen->v4 ? 20 : 40, payload = len - seen->header_len;
	bool last = seen->offset + payload == seen->total;

	assert_true(last ? payload <= seen->gso_size : payload == seen->gso_size);
	assert_memory_equal(segment + seen->header_len, whole + seen->header_len + seen->offset, payload);
	if (seen->v4) {
		assert_int_equal(be16(segment + 2), len);
		assert_int_equal(be16(segment + 4), (0xfffe + seen->count) & 0xffff);
		assert_int_equal(segment[6], 0x40);
		assert_true(slow_header_ok(segment));
	} else {
		assert_int_equal(be16(segment + 4), len - 40);
		assert_memory_equal(segment, whole, 4);
	}
	assert_true(slow_upper_ok(segment, seen->proto, l4, len - l4));
	if (seen->proto == TEST_TCP)
		check_tcp(seen, segment + l4, last);
	else
		assert_int_equal(be16(segment + l4 + 4), len - l4);
	seen->offset += payload;
	seen->count++;
	return seen->count == seen->stop_at ? -ECANCELED : 0;
}

static void cut(bool v4, uint8_t proto, uint8_t flags, size_t payload, size_t gso_size)
{
	struct seen seen = { .v4 = v4, .proto = proto, .flags = flags, .gso_size = gso_size, .total = payload };
	size_t len = proto == TEST_TCP ? build_tcp(whole, v4, flags, payload) : build_udp(whole, v4, payload);

	seen.header_len = len - payload;
	assert_int_equal(packet_segment(whole, len, (uint32_t)gso_size, check_segment, &seen),
			 payload ? (payload + gso_size - 1) / gso_size : 1);
	assert_int_equal(seen.offset, payload);
}

static void cuts_like_the_kernel(void **state)
{
	static const size_t payloads[] = { 0, 1, 1448, 1449, 2896, 10000, 65226 - 52 };
	static const size_t sizes[] = { 1, 536, 1447, 1448, 65535 };
	size_t i, k;
	int v4;

	(void)state;
	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			for (v4 = 0; v4 <= 1; v4++) {
				if (sizes[k] == 1 && payloads[i] > 3000)
					continue;
				cut(v4, TEST_TCP, 0x10, payloads[i], sizes[k]);
				cut(v4, TEST_TCP, 0xd9, payloads[i], sizes[k]);
				cut(v4, TEST_UDP, 0, payloads[i], sizes[k]);
			}
}

static int check_extended(void *arg, uint8_t *segment, size_t len)
{
	/* Destination Options stay, UDP lies 8 octets further back. */
	assert_memory_equal(segment + 40, whole + 40, 8);
	assert_int_equal(segment[6], 60);
	assert_int_equal(be16(segment + 4), len - 40);
	assert_int_equal(be16(segment + 52), len - 48);
	assert_true(slow_upper_ok(segment, TEST_UDP, 48, len - 48));
	*(size_t *)arg += len - 56;
	return 0;
}

static void keeps_extension_headers(void **state)
{
	size_t len = build_udp(whole, false, 250), payload = 0;

	(void)state;
	memmove(whole + 48, whole + 40, len - 40);
	memcpy(whole + 40, "\x11\x00\x01\x04\x00\x00\x00\x00", 8);
	whole[6] = 60;
	set16(whole + 4, (unsigned int)(len - 32));
	assert_int_equal(packet_segment(whole, len + 8, 100, check_extended, &payload), 3);
	assert_int_equal(payload, 250);
}

static void ends_when_told(void **state)
{
	struct seen seen = {
		.v4 = true, .proto = TEST_UDP, .gso_size = 10, .total = 100, .header_len = 28, .stop_at = 4
	};
	size_t len = build_udp(whole, true, 100);

	(void)state;
	assert_int_equal(packet_segment(whole, len, 10, check_segment, &seen), -ECANCELED);
	assert_int_equal(seen.count, 4);
}

static int never(void *arg, uint8_t *segment, size_t len)
{
	(void)arg;
	(void)segment;
	(void)len;
	fail();
	return 0;
}

static void refuses_the_rest(void **state)
{
	size_t len;

	(void)state;
	len = build_ip(whole, true, TEST_ICMP, 100);
	assert_int_equal(packet_segment(whole, len, 50, never, NULL), -EPROTONOSUPPORT);
	len = build_tcp(whole, true, 0, 100);
	assert_int_equal(packet_segment(whole, len, 0, never, NULL), -EINVAL);
	assert_int_equal(packet_segment(whole, len - 1, 50, never, NULL), -EINVAL);
	whole[32] = 4 << 4; /* data offset below the header */
	assert_int_equal(packet_segment(whole, len, 50, never, NULL), -EINVAL);
	whole[32] = 15 << 4;
	set16(whole + 2, 20 + 59); /* data offset beyond the packet */
	assert_int_equal(packet_segment(whole, len, 50, never, NULL), -EINVAL);
	len = build_udp(whole, true, 100);
	whole[6] = 0x20;
	assert_int_equal(packet_segment(whole, len, 50, never, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_like_the_kernel),
		cmocka_unit_test(keeps_extension_headers),
		cmocka_unit_test(ends_when_told),
		cmocka_unit_test(refuses_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
