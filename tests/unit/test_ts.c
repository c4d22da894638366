// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic selectors: form, and whether they say our pair of hosts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/own.h"
#include "ike/ts.h"
#include "raw_chain.h"

static struct hf_addr address(const char *text)
{
	struct hf_addr addr;
	struct err err;

	assert_int_equal(addr_parse(&addr, text, &err), 0);
	return addr;
}

/* ---- payloads by hand ------------------------------------------------------------------------ */

static uint8_t memory[8192];
static struct writer out;

static void begin(uint8_t count)
{
	writer_init(&out, memory, sizeof(memory));
	write_u8(&out, count);
	write_octets(&out, "\xff\xff\xff", 3); /* RESERVED */
}

/* `start` and `end` as text; what a selector of another type or length would be, the tests spoil. */
static void add_ports(const char *start, const char *end, uint8_t protocol, uint16_t port_start, uint16_t port_end)
{
	struct hf_addr a = address(start), b = address(end);
	size_t len;

	addr_octets(&a, &len);
	write_u8(&out, len == 4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
	write_u8(&out, protocol);
	write_u16(&out, (uint16_t)(8 + 2 * len));
	write_u16(&out, port_start);
	write_u16(&out, port_end);
	write_octets(&out, addr_octets(&a, &len), len);
	write_octets(&out, addr_octets(&b, &len), len);
}

static void add(const char *start, const char *end)
{
	add_ports(start, end, 0, 0, 65535);
}

static int ask(int (*ask_it)(struct view body, const struct hf_addr *addr), const char *text)
{
	OWN_FREE uint8_t *copy = raw_copy(memory, out.len);
	struct hf_addr addr = address(text);

	return ask_it(view_of(copy, out.len), &addr);
}

static int single(struct hf_addr *addr)
{
	OWN_FREE uint8_t *copy = raw_copy(memory, out.len);

	return ts_single(addr, view_of(copy, out.len));
}

/* ---- meaning --------------------------------------------------------------------------------- */

static void test_covers(void **state)
{
	(void)state;
	begin(1);
	add("192.0.2.0", "192.0.2.255");
	assert_int_equal(ask(ts_covers, "192.0.2.0"), 0);
	assert_int_equal(ask(ts_covers, "192.0.2.77"), 0);
	assert_int_equal(ask(ts_covers, "192.0.2.255"), 0);
	assert_int_equal(ask(ts_covers, "192.0.3.0"), NOTIFY_TS_UNACCEPTABLE);
	assert_int_equal(ask(ts_covers, "192.0.1.255"), NOTIFY_TS_UNACCEPTABLE);
	assert_int_equal(ask(ts_covers, "2001:db8::1"), NOTIFY_TS_UNACCEPTABLE);
	begin(1);
	add("0.0.0.0", "255.255.255.255");
	assert_int_equal(ask(ts_covers, "198.51.100.1"), 0);
	begin(1);
	add("2001:db8::", "2001:db8::ffff");
	assert_int_equal(ask(ts_covers, "2001:db8::1"), 0);
	assert_int_equal(ask(ts_covers, "2001:db8::1:0"), NOTIFY_TS_UNACCEPTABLE);
	/* All of IPv6 is not IPv4, although addresses are kept v4-mapped. */
	begin(1);
	add("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_int_equal(ask(ts_covers, "2001:db8::1"), 0);
	assert_int_equal(ask(ts_covers, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
}

/* The first selector may be the packet that started it all (RFC 7296 2.9); any one that covers us will do. */
static void test_one_of_many(void **state)
{
	(void)state;
	begin(3);
	add_ports("192.0.2.1", "192.0.2.1", 17, 4000, 4000);
	add("198.51.100.0", "198.51.100.255");
	add("192.0.2.1", "192.0.2.1");
	assert_int_equal(ask(ts_covers, "192.0.2.1"), 0);
	assert_int_equal(ask(ts_covers, "198.51.100.9"), 0);
	assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
	/* Two halves are no whole. */
	begin(2);
	add_ports("192.0.2.1", "192.0.2.1", 0, 0, 32767);
	add_ports("192.0.2.1", "192.0.2.1", 0, 32768, 65535);
	assert_int_equal(ask(ts_covers, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
}

static void test_all_traffic_or_nothing(void **state)
{
	static const struct {
		uint8_t protocol;
		uint16_t start, end;
		int rc;
	} cases[] = {
		{ 0, 0, 65535, 0 },
		{ 6, 0, 65535, NOTIFY_TS_UNACCEPTABLE },
		{ 0, 1, 65535, NOTIFY_TS_UNACCEPTABLE },
		{ 0, 0, 65534, NOTIFY_TS_UNACCEPTABLE },
		{ 0, 0, 0, NOTIFY_TS_UNACCEPTABLE },
		{ 0, 65535, 0, NOTIFY_TS_UNACCEPTABLE }, /* OPAQUE */
		{ 0, 65535, 65535, NOTIFY_TS_UNACCEPTABLE },
		{ 0, 2, 1, NOTIFY_INVALID_SYNTAX },
		{ 0, 65535, 1, NOTIFY_INVALID_SYNTAX },
	};
	struct hf_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(1);
		add_ports("192.0.2.1", "192.0.2.1", cases[i].protocol, cases[i].start, cases[i].end);
		assert_int_equal(ask(ts_covers, "192.0.2.1"), cases[i].rc);
		assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), cases[i].rc);
		assert_int_equal(single(&addr), cases[i].rc);
	}
}

static void test_exactly_and_single(void **state)
{
	struct hf_addr addr, v4 = address("192.0.2.1"), v6 = address("2001:db8::1");

	(void)state;
	begin(1);
	add("192.0.2.1", "192.0.2.1");
	assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), 0);
	assert_int_equal(ask(ts_is_exactly, "192.0.2.2"), NOTIFY_TS_UNACCEPTABLE);
	assert_int_equal(single(&addr), 0);
	assert_true(addr_equal(&addr, &v4));
	begin(1);
	add("2001:db8::1", "2001:db8::1");
	assert_int_equal(ask(ts_is_exactly, "2001:db8::1"), 0);
	assert_int_equal(single(&addr), 0);
	assert_true(addr_equal(&addr, &v6));
	begin(1);
	add("192.0.2.1", "192.0.2.2");
	assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
	memset(&addr, 0xee, sizeof(addr));
	assert_int_equal(single(&addr), NOTIFY_TS_UNACCEPTABLE);
	assert_int_equal(addr.octet[0], 0xee);
	begin(2);
	add("192.0.2.1", "192.0.2.1");
	add("192.0.2.1", "192.0.2.1");
	assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
	/* A v4-mapped address in an IPv6 selector would come back as IPv4. */
	begin(1);
	add("2001:db8::1", "2001:db8::1");
	memcpy(memory + 12, v4.octet, 16);
	memcpy(memory + 28, v4.octet, 16);
	assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
	assert_int_equal(ask(ts_covers, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
	assert_int_equal(single(&addr), NOTIFY_TS_UNACCEPTABLE);
}

static void test_write(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1" };
	static const uint8_t expected[] = { 0, 0, 0,	24,   1,   0, 0, 0, 7,	 0, 0, 16,
					    0, 0, 0xff, 0xff, 192, 0, 2, 1, 192, 0, 2, 1 };
	uint8_t written[64];
	struct message message;
	struct chain chain;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct hf_addr addr = address(texts[i]);

		message_start_inside(&message, written, sizeof(written));
		ts_write(&message, PAYLOAD_TSR, &addr);
		if (i == 0)
			assert_true(view_equal(message_finish(&message), VIEW_OF(expected)));
		assert_int_equal(chain_parse(&chain, message.first, message_finish(&message), true), 0);
		assert_int_equal(ts_is_exactly(chain.payload[SLOT_TSR], &addr), 0);
		assert_int_equal(ts_covers(chain.payload[SLOT_TSR], &addr), 0);
	}
}

/* ---- form ------------------------------------------------------------------------------------ */

static void expect_malformed(void)
{
	struct hf_addr addr;

	assert_int_equal(ask(ts_covers, "192.0.2.1"), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(single(&addr), NOTIFY_INVALID_SYNTAX);
}

/* Every count against 0 to 66 selectors that are there. */
static void test_cve_2023_23009_count(void **state)
{
	(void)state;
	for (unsigned int there = 0; there <= TS_LIST_MAX + 2; there++) {
		for (unsigned int count = 0; count < 256; count++) {
			begin((uint8_t)count);
			for (unsigned int i = 0; i < there; i++)
				add("192.0.2.1", "192.0.2.1");
			if (count == there && count >= 1 && count <= TS_LIST_MAX)
				assert_int_equal(ask(ts_covers, "192.0.2.1"), 0);
			else
				expect_malformed();
		}
	}
}

/* Every length field, and cut at every octet, with the bad selector last and first. */
static void test_cve_2023_23009_length(void **state)
{
	(void)state;
	for (size_t where = 0; where < 2; where++) {
		for (unsigned int length = 0; length <= 0x1ff; length++) {
			begin(2);
			add("192.0.2.1", "192.0.2.1");
			add("192.0.2.1", "192.0.2.1");
			put_u16(&out, 4 + 16 * where + 2, (uint16_t)length);
			if (length == 16)
				assert_int_equal(ask(ts_covers, "192.0.2.1"), 0);
			else
				expect_malformed();
		}
	}
	/* An octet too many, and addresses of the other family, where the length is what is there. */
	begin(1);
	add("192.0.2.1", "192.0.2.1");
	write_u8(&out, 0);
	put_u16(&out, 6, 17);
	expect_malformed();
	begin(1);
	add("192.0.2.1", "192.0.2.1");
	put_u8(&out, 4, TS_IPV6_ADDR_RANGE);
	expect_malformed();
	begin(1);
	add("2001:db8::1", "2001:db8::1");
	put_u8(&out, 4, TS_IPV4_ADDR_RANGE);
	expect_malformed();
	begin(2);
	add("192.0.2.1", "192.0.2.1");
	add("2001:db8::1", "2001:db8::1");
	for (size_t len = out.len; len-- > 0;) {
		out.len = len;
		expect_malformed();
	}
}

static void test_cve_2023_23009_range(void **state)
{
	(void)state;
	begin(1);
	add("192.0.2.2", "192.0.2.1");
	expect_malformed();
	begin(2);
	add("192.0.2.1", "192.0.2.1");
	add("2001:db8::2", "2001:db8::1");
	expect_malformed();
}

/* Types that we do not know are skipped when they fit: a security label (RFC 9478) has no addresses. */
static void test_cve_2023_23009_unknown_type(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		bool known = type == TS_IPV4_ADDR_RANGE || type == TS_IPV6_ADDR_RANGE;

		begin(2);
		write_u8(&out, (uint8_t)type);
		write_u8(&out, 0);
		write_u16(&out, 9);
		write_octets(&out, "label", 5);
		add("192.0.2.1", "192.0.2.1");
		if (known) {
			expect_malformed();
			continue;
		}
		assert_int_equal(ask(ts_covers, "192.0.2.1"), 0);
		assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
		for (uint16_t length = 0; length < 4; length++) {
			put_u16(&out, 6, length);
			expect_malformed();
		}
		put_u16(&out, 6, 0xffff);
		expect_malformed();
		/* Alone it covers nothing. */
		begin(1);
		write_u8(&out, (uint8_t)type);
		write_u8(&out, 0);
		write_u16(&out, 4);
		assert_int_equal(ask(ts_covers, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
		assert_int_equal(ask(ts_is_exactly, "192.0.2.1"), NOTIFY_TS_UNACCEPTABLE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_one_of_many),
		cmocka_unit_test(test_all_traffic_or_nothing),
		cmocka_unit_test(test_exactly_and_single),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_cve_2023_23009_count),
		cmocka_unit_test(test_cve_2023_23009_length),
		cmocka_unit_test(test_cve_2023_23009_range),
		cmocka_unit_test(test_cve_2023_23009_unknown_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
