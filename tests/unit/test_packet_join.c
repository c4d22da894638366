// SPDX-License-Identifier: Apache-2.0
/*
 * packet_join_add: datagrams cut as the kernel cuts them come together octet for octet; holes, overlaps,
 * strangers and overlong datagrams are refused without a trace.
 */
#include "test_packet.h"

static uint8_t whole[66000], fragment[2048];
static struct packet_join join;

/* One fragment of `whole`: payload octets [from, from + len), `more` to come. */
static size_t cut(bool v4, size_t whole_len, size_t from, size_t len)
{
	size_t header = v4 ? 20 : 40, all = whole_len - header;
	bool more = from + len < all;

	memcpy(fragment, whole, header);
	if (v4) {
		set16(fragment + 2, (unsigned int)(20 + len));
		set16(fragment + 6, (unsigned int)(from / 8) | (more ? 0x2000 : 0));
		memcpy(fragment + 20, whole + 20 + from, len);
		return 20 + len;
	}
	set16(fragment + 4, (unsigned int)(8 + len));
	fragment[6] = 44;
	fragment[40] = whole[6];
	fragment[41] = 0;
	set16(fragment + 42, (unsigned int)from | more);
	memcpy(fragment + 44, "\xca\xfe\xba\xbe", 4);
	memcpy(fragment + 48, whole + 40 + from, len);
	return 48 + len;
}

static void joins_what_was_cut(void **state)
{
	static const size_t payloads[] = { 1473, 3000, 60000, 65507 };
	size_t i, len, from, part, size;
	unsigned int count;
	int v4;

	(void)state;
	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		for (v4 = 0; v4 <= 1; v4++) {
			size = v4 ? 1480 : 1448;
			len = build_udp(whole, v4, payloads[i] > 65480 && !v4 ? 65480 : payloads[i]);
			whole[6] = v4 ? 0 : whole[6];
			assert_int_equal(packet_complete(whole, len), 0);
			part = len - (v4 ? 20 : 40);
			for (from = 0, count = 0; from + size < part; from += size, count++)
				assert_int_equal(packet_join_add(&join, fragment, cut(v4, len, from, size)),
						 PACKET_JOIN_MORE);
			assert_int_equal(packet_join_add(&join, fragment, cut(v4, len, from, part - from)),
					 PACKET_JOIN_WHOLE);
			assert_int_equal(join.fragments, count + 1);
			assert_int_equal(join.len, len);
			assert_memory_equal(join.data, whole, len);
			packet_join_clear(&join);
		}
}

/* The header in front of the Fragment header is not always the IPv6 header. */
static void unlinks_the_fragment_header(void **state)
{
	size_t len = build_udp(whole, false, 1600), first;

	(void)state;
	first = cut(false, len, 0, 800);
	memmove(fragment + 48, fragment + 40, first - 40);
	memcpy(fragment + 40, "\x2c\x00\x01\x04\x00\x00\x00\x00", 8);
	fragment[6] = 60;
	set16(fragment + 4, (unsigned int)(first - 32));
	assert_int_equal(packet_join_add(&join, fragment, first + 8), PACKET_JOIN_MORE);
	assert_int_equal(packet_join_add(&join, fragment, cut(false, len, 800, len - 40 - 800)), PACKET_JOIN_WHOLE);
	assert_int_equal(join.len, len + 8);
	assert_int_equal(join.data[6], 60);
	assert_int_equal(join.data[40], TEST_UDP);
	assert_int_equal(be16(join.data + 4), len - 32);
	assert_memory_equal(join.data + 48, whole + 40, len - 40);
	packet_join_clear(&join);
}

static void refused(size_t len)
{
	size_t before = join.len;
	unsigned int fragments = join.fragments;

	assert_int_equal(packet_join_add(&join, fragment, len), PACKET_JOIN_OTHER);
	assert_int_equal(join.len, before);
	assert_int_equal(join.fragments, fragments);
}

static void refuses_what_does_not_continue(void **state)
{
	size_t len, part;
	int v4;

	(void)state;
	for (v4 = 0; v4 <= 1; v4++) {
		len = build_udp(whole, v4, 4000);
		whole[6] = v4 ? 0 : whole[6];
		refused(cut(v4, len, 800, 800)); /* no beginning */
		memcpy(fragment, whole, 1400);
		refused(len);		       /* no fragment */
		refused(cut(v4, len, 0, 804)); /* not a multiple of 8, more to come */
		assert_int_equal(packet_join_add(&join, fragment, cut(v4, len, 0, 800)), PACKET_JOIN_MORE);
		/* From the start again: another datagram of the same identification. */
		assert_int_equal(packet_join_add(&join, fragment, cut(v4, len, 0, 800)), PACKET_JOIN_MORE);
		assert_int_equal(join.fragments, 1);
		refused(cut(v4, len, 792, 800));  /* overlap */
		refused(cut(v4, len, 1600, 800)); /* hole */
		part = cut(v4, len, 800, 800);
		fragment[v4 ? 5 : 47] ^= 1; /* another datagram */
		refused(part);
		part = cut(v4, len, 800, 800);
		fragment[v4 ? 15 : 23] ^= 1; /* another source */
		refused(part);
		part = cut(v4, len, 800, 800);
		refused(part - 1); /* truncated */
		assert_int_equal(packet_join_add(&join, fragment, part), PACKET_JOIN_MORE);
		packet_join_clear(&join);
		refused(part);
	}
}

/* The ping of death: a last fragment that would reach beyond what a length field can say. */
static void refuses_the_overlong(void **state)
{
	size_t len = build_udp(whole, true, 65000), from;

	(void)state;
	whole[6] = 0;
	for (from = 0; from < 64800; from += 1440)
		assert_int_equal(packet_join_add(&join, fragment, cut(true, len, from, 1440)), PACKET_JOIN_MORE);
	len = cut(true, len, 0, 1440);
	set16(fragment + 6, (unsigned int)(from / 8));
	refused(len);
	packet_join_clear(&join);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_what_was_cut),
		cmocka_unit_test(unlinks_the_fragment_header),
		cmocka_unit_test(refuses_what_does_not_continue),
		cmocka_unit_test(refuses_the_overlong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
