// SPDX-License-Identifier: Apache-2.0
/*
 * packet_parse and packet_complete: known packets of both families, extension headers, every truncation, and
 * mutated bytes in buffers of exactly their length, so that a sanitizer build sees any step beyond.
 */
#include "test_packet.h"

static void parses_ipv4(void **state)
{
	uint8_t data[256];
	struct packet p;
	size_t len = build_udp(data, true, 20);

	(void)state;
	assert_int_equal(packet_parse(&p, data, len + 9), 0);
	assert_true(p.v4 && p.df && !p.fragment);
	assert_int_equal(p.len, len);
	assert_int_equal(p.l4_offset, 20);
	assert_int_equal(p.unfragmentable, 20);
	assert_int_equal(p.proto, TEST_UDP);
	assert_int_equal(p.hop_limit, 63);
	assert_int_equal(p.tos, 0x28);
	assert_memory_equal(p.src.octet + 12, V4_SRC, 4);
	assert_memory_equal(p.dst.octet + 12, V4_DST, 4);
	assert_int_equal(p.src.octet[10], 0xff);

	set16(data + 6, 0x2000 | 185);
	assert_int_equal(packet_parse(&p, data, len), 0);
	assert_true(p.fragment && p.more_fragments && !p.df);
	assert_int_equal(p.fragment_offset, 1480);
	assert_int_equal(p.fragment_id, 0xfffe);
}

static void parses_ipv6(void **state)
{
	uint8_t data[256];
	struct packet p;
	size_t len = build_tcp(data, false, 2, 0);

	(void)state;
	assert_int_equal(packet_parse(&p, data, len), 0);
	assert_false(p.v4 || p.df || p.fragment);
	assert_int_equal(p.l4_offset, 40);
	assert_int_equal(p.unfragmentable, 40);
	assert_int_equal(p.proto, TEST_TCP);
	assert_int_equal(p.tos, 0x28);
	assert_int_equal(p.hop_limit, 63);
	assert_memory_equal(p.src.octet, V6_SRC, 16);
	assert_memory_equal(p.dst.octet, V6_DST, 16);
}

/* IPv6, Hop-by-Hop (16 octets), Fragment, Destination Options, UDP. */
static size_t build_extended(uint8_t *out, unsigned int offset, bool more)
{
	size_t l4 = 16 + 8 + 8 + 8 + 40;

	build_ip(out, false, 0, l4);
	memset(out + 40, 0, l4);
	out[40] = 44;
	out[41] = 1;
	out[56] = 60;
	set16(out + 58, offset | more);
	memcpy(out + 60, "\x11\x22\x33\x44", 4);
	out[64] = TEST_UDP;
	return 40 + l4;
}

static void walks_extension_headers(void **state)
{
	uint8_t data[256];
	struct packet p;
	size_t len = build_extended(data, 0, true);

	(void)state;
	assert_int_equal(packet_parse(&p, data, len), 0);
	assert_int_equal(p.proto, TEST_UDP);
	assert_int_equal(p.l4_offset, 72);
	assert_int_equal(p.unfragmentable, 56);
	assert_true(p.fragment && p.more_fragments);
	assert_int_equal(p.fragment_offset, 0);
	assert_int_equal(p.fragment_id, 0x11223344);

	/* Behind the Fragment header of a later fragment there is only payload. */
	len = build_extended(data, 1448, false);
	assert_int_equal(packet_parse(&p, data, len), 0);
	assert_int_equal(p.proto, 60);
	assert_int_equal(p.l4_offset, 64);
	assert_int_equal(p.fragment_offset, 1448);
	assert_true(p.fragment && !p.more_fragments);
}

static void refuses_what_is_no_packet(void **state)
{
	uint8_t data[256];
	struct packet p = { .len = 4711 };
	size_t len, i;

	(void)state;
	len = build_udp(data, true, 20);
	for (i = 0; i < len; i++)
		assert_int_equal(packet_parse(&p, data, i), -EINVAL);
	data[0] = 0x44;
	assert_int_equal(packet_parse(&p, data, len), -EINVAL);
	data[0] = 0x4f;
	assert_int_equal(packet_parse(&p, data, len), -EINVAL);
	data[0] = 0x55;
	assert_int_equal(packet_parse(&p, data, len), -EINVAL);
	data[0] = 0x45;
	set16(data + 2, 19);
	assert_int_equal(packet_parse(&p, data, len), -EINVAL);

	len = build_extended(data, 0, true);
	for (i = 0; i < len; i++)
		assert_int_equal(packet_parse(&p, data, i), -EINVAL);
	data[41] = 200; /* Hop-by-Hop longer than the packet */
	assert_int_equal(packet_parse(&p, data, len), -EINVAL);
	build_extended(data, 0, true);
	data[56] = 44; /* a second Fragment header */
	data[64] = TEST_UDP;
	assert_int_equal(packet_parse(&p, data, len), -EINVAL);
	assert_int_equal(p.len, 4711);
}

static void completes_known_udp(void **state)
{
	/* 10.0.0.1:4660 -> 10.0.0.2:53, "hi"; the sums were computed outside this program. */
	static const uint8_t whole[] = { 0x45, 0,  0, 30, 0, 1,	   0,	 0, 64, 17, 0x66, 0xcc, 10,   0,   0,
					 1,    10, 0, 0,  2, 0x12, 0x34, 0, 53, 0,  10,	  0x71, 0x05, 'h', 'i' };
	uint8_t data[sizeof(whole)];

	(void)state;
	memcpy(data, whole, sizeof(whole));
	set16(data + 10, 0xdead);
	set16(data + 26, 0x141e); /* the pseudo header's sum only, as caught at egress */
	assert_int_equal(packet_complete(data, sizeof(data)), 0);
	assert_true(slow_header_ok(data));
	assert_true(slow_upper_ok(data, TEST_UDP, 20, 10));
	assert_memory_equal(data, whole, sizeof(whole));
}

static void completes_every_protocol(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 1399, 1400, 60000 };
	static uint8_t data[66000];
	size_t i, len, at;
	int v4;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (v4 = 0; v4 <= 1; v4++) {
			at = v4 ? 20 : 40;
			len = build_tcp(data, v4, 0x18, sizes[i]);
			assert_int_equal(packet_complete(data, len), 0);
			assert_true(slow_upper_ok(data, TEST_TCP, at, len - at));
			assert_true(!v4 || slow_header_ok(data));
			len = build_udp(data, v4, sizes[i]);
			assert_int_equal(packet_complete(data, len), 0);
			assert_true(slow_upper_ok(data, TEST_UDP, at, len - at));
		}
		fill(data + 40, 8 + sizes[i], 5);
		len = build_ip(data, false, TEST_ICMP6, 8 + sizes[i]);
		assert_int_equal(packet_complete(data, len), 0);
		assert_true(slow_upper_ok(data, TEST_ICMP6, 40, len - 40));
	}
}

/* RFC 3720 B.4: the CRC32c of 32 octets of zero is aa 36 91 8a; SCTP carries it in this order (RFC 9260 appendix A). */
static void completes_sctp(void **state)
{
	uint8_t data[72] = { 0 };
	size_t len = build_ip(data, true, TEST_SCTP, 32);

	(void)state;
	memset(data + 28, 0xee, 4);
	assert_int_equal(packet_complete(data, len), 0);
	assert_memory_equal(data + 28, "\xaa\x36\x91\x8a", 4);
}

static void udp_zero_sums(void **state)
{
	uint8_t data[64];
	size_t len = build_udp(data, true, 2);
	unsigned int sum;

	(void)state;
	/* No checksum is a choice in IPv4 (RFC 768) and impossible in IPv6 (RFC 8200 8.1). */
	set16(data + 26, 0);
	assert_int_equal(packet_complete(data, len), 0);
	assert_int_equal(be16(data + 26), 0);
	len = build_udp(data, false, 2);
	set16(data + 46, 0);
	assert_int_equal(packet_complete(data, len), 0);
	assert_int_not_equal(be16(data + 46), 0);
	assert_true(slow_upper_ok(data, TEST_UDP, 40, len - 40));

	/* With this payload the sum comes out as 0, which must be sent as ffff. */
	len = build_udp(data, true, 2);
	set16(data + 28, 0);
	assert_int_equal(packet_complete(data, len), 0);
	sum = be16(data + 26);
	set16(data + 28, sum);
	assert_int_equal(packet_complete(data, len), 0);
	assert_int_equal(be16(data + 26), 0xffff);
}

static void leaves_the_rest_alone(void **state)
{
	uint8_t data[256], before[256];
	size_t len = build_udp(data, true, 100);

	(void)state;
	/* A fragment's sum spans other fragments; the IP header's is its own. */
	set16(data + 6, 0x2000);
	memcpy(before, data, len);
	assert_int_equal(packet_complete(data, len), 0);
	assert_memory_equal(data + 20, before + 20, len - 20);
	assert_true(slow_header_ok(data));

	len = build_ip(data, true, 47, 100);
	memcpy(before, data, len);
	assert_int_equal(packet_complete(data, len), 0);
	assert_memory_equal(data + 20, before + 20, len - 20);

	/* A UDP length beyond the packet: somebody's raw socket, not ours to judge. */
	len = build_udp(data, false, 10);
	set16(data + 44, 19);
	memcpy(before, data, len);
	assert_int_equal(packet_complete(data, len), 0);
	assert_memory_equal(data, before, len);

	/* Routing header with a segment left: the sum covers the final destination, which is elsewhere. */
	build_ip(data, false, 43, 24 + 18);
	memset(data + 40, 0, 24);
	data[40] = TEST_UDP;
	data[41] = 2;
	data[43] = 1;
	set16(data + 68, 18);
	memcpy(before, data, 82);
	assert_int_equal(packet_complete(data, 82), 0);
	assert_memory_equal(data, before, 82);
	data[43] = 0;
	assert_int_equal(packet_complete(data, 82), 0);
	assert_true(slow_upper_ok(data, TEST_UDP, 64, 18));
}

static int ignore(void *arg, uint8_t *segment, size_t len)
{
	*(size_t *)arg += segment[len - 1];
	return 0;
}

/* Everything at once on a heap copy of exactly `len` octets. */
static void try_all(const uint8_t *data, size_t len)
{
	static struct packet_join join;
	uint8_t *copy = malloc(len ? len : 1), icmp[1280];
	struct packet p;
	size_t sum = 0;

	assert_non_null(copy);
	memcpy(copy, data, len);
	packet_parse(&p, copy, len);
	packet_icmp_prohibited(icmp, sizeof(icmp), copy, len);
	packet_icmp_too_big(icmp, sizeof(icmp), copy, len, 1400);
	packet_segment(copy, len, 7, ignore, &sum);
	if (packet_join_add(&join, copy, len) == PACKET_JOIN_WHOLE)
		packet_join_clear(&join);
	packet_complete(copy, len);
	free(copy);
}

static void survives_mutation(void **state)
{
	static const uint8_t nexts[] = { 0, 43, 44, 60, 6, 17, 58, 132 };
	uint8_t data[256], mutated[256];
	uint32_t seed = 0x13572468;
	size_t len, cut;
	int kind, round, flips;

	(void)state;
	for (kind = 0; kind < 6; kind++) {
		len = kind < 2	 ? build_tcp(data, kind, 0x98, 60)
		      : kind < 4 ? build_udp(data, kind & 1, 60)
				 : build_extended(data, kind == 4 ? 0 : 96, true);
		for (cut = 0; cut <= len; cut++)
			try_all(data, cut);
		for (round = 0; round < 20000; round++) {
			memcpy(mutated, data, len);
			for (flips = 1 + (int)(random_next(&seed) % 4); flips; flips--)
				mutated[random_next(&seed) % len] = (uint8_t)random_next(&seed);
			if (kind & 1 && round % 2)
				mutated[6] = nexts[random_next(&seed) % sizeof(nexts)];
			try_all(mutated, round % 3 ? len : random_next(&seed) % (len + 1));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_ipv4),
		cmocka_unit_test(parses_ipv6),
		cmocka_unit_test(walks_extension_headers),
		cmocka_unit_test(refuses_what_is_no_packet),
		cmocka_unit_test(completes_known_udp),
		cmocka_unit_test(completes_every_protocol),
		cmocka_unit_test(completes_sctp),
		cmocka_unit_test(udp_zero_sums),
		cmocka_unit_test(leaves_the_rest_alone),
		cmocka_unit_test(survives_mutation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
