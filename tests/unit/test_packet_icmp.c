// SPDX-License-Identifier: Apache-2.0
/*
 * The ICMP errors for local senders: every field, the sums, the quote, and the packets about which no
 * error may be sent.
 */
#include "test_packet.h"

static uint8_t out[1280], packet[4096];

static void says_prohibited(void **state)
{
	size_t len = build_tcp(packet, true, 2, 0);

	(void)state;
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, len), 28 + len);
	assert_int_equal(be16(out + 2), 28 + len);
	assert_int_equal(out[9], TEST_ICMP);
	assert_memory_equal(out + 12, V4_SRC, 4);
	assert_memory_equal(out + 16, V4_SRC, 4);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 13);
	assert_memory_equal(out + 28, packet, len);
	assert_true(slow_header_ok(out));
	assert_int_equal(slow_words(out + 20, 8 + len) % 65535, 0);

	len = build_tcp(packet, false, 2, 0);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, len), 48 + len);
	assert_int_equal(be16(out + 4), 8 + len);
	assert_int_equal(out[6], TEST_ICMP6);
	assert_memory_equal(out + 8, V6_SRC, 16);
	assert_memory_equal(out + 24, V6_SRC, 16);
	assert_int_equal(out[40], 1);
	assert_int_equal(out[41], 1);
	assert_memory_equal(out + 48, packet, len);
	assert_true(slow_upper_ok(out, TEST_ICMP6, 40, 8 + len));
}

static void says_too_big(void **state)
{
	size_t len = build_udp(packet, true, 1400);

	(void)state;
	assert_int_equal(packet_icmp_too_big(out, sizeof(out), packet, len, 1400), 576);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 4);
	assert_int_equal(be32(out + 24), 1400);
	assert_int_equal(slow_words(out + 20, 556) % 65535, 0);
	assert_true(packet_icmp_too_big(out, sizeof(out), packet, len, 70000) > 0);
	assert_int_equal(be32(out + 24), 0xffff);

	len = build_udp(packet, false, 1400);
	assert_int_equal(packet_icmp_too_big(out, sizeof(out), packet, len, 70000), 1280);
	assert_int_equal(out[40], 2);
	assert_int_equal(out[41], 0);
	assert_int_equal(be32(out + 44), 70000);
	assert_true(slow_upper_ok(out, TEST_ICMP6, 40, 1240));
}

/* The egress program reports 128 octets; eight of the upper layer find the socket. */
static void quotes_a_head(void **state)
{
	(void)state;
	build_tcp(packet, true, 2, 1000);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, 128), 156);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, 28), 56);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, 27), -EINVAL);
	assert_int_equal(packet_icmp_prohibited(out, 155, packet, 128), -EINVAL);
	build_tcp(packet, false, 2, 1000);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, 48), 96);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, 47), -EINVAL);
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, 0), -EINVAL);
}

static void silent(size_t len)
{
	assert_int_equal(packet_icmp_prohibited(out, sizeof(out), packet, len), -EINVAL);
	assert_int_equal(packet_icmp_too_big(out, sizeof(out), packet, len, 1400), -EINVAL);
}

static void is_silent_where_it_must(void **state)
{
	static const uint8_t errors[] = { 3, 4, 5, 11, 12 }, errors6[] = { 1, 2, 3, 4, 127, 137 };
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(errors); i++) {
		packet[20] = errors[i];
		silent(build_ip(packet, true, TEST_ICMP, 40));
	}
	packet[20] = 8;
	assert_true(packet_icmp_prohibited(out, sizeof(out), packet, build_ip(packet, true, TEST_ICMP, 40)) > 0);
	for (i = 0; i < sizeof(errors6); i++) {
		packet[40] = errors6[i];
		silent(build_ip(packet, false, TEST_ICMP6, 40));
	}
	packet[40] = 128;
	assert_true(packet_icmp_prohibited(out, sizeof(out), packet, build_ip(packet, false, TEST_ICMP6, 40)) > 0);

	len = build_udp(packet, true, 40);
	packet[16] = 224;
	silent(len);
	packet[16] = 255;
	silent(len);
	packet[16] = 198;
	packet[12] = 0;
	silent(len);
	packet[12] = 192;
	set16(packet + 6, 185); /* a later fragment has no ports */
	silent(len);
	set16(packet + 6, 0x2000);
	assert_true(packet_icmp_prohibited(out, sizeof(out), packet, len) > 0);
	len = build_udp(packet, false, 40);
	packet[24] = 0xff;
	silent(len);
	packet[24] = 0x20;
	memset(packet + 8, 0, 16);
	silent(len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_prohibited),
		cmocka_unit_test(says_too_big),
		cmocka_unit_test(quotes_a_head),
		cmocka_unit_test(is_silent_where_it_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
