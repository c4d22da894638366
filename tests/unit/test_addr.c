// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes, pairs and the names of groups and verdicts; and error texts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"

static void test_addr_text(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0", "192.0.2.1",	  "255.255.255.255", "::",
		"::1",	   "2001:db8::1", "fe80::ffff:1",    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	};
	char out[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct hf_addr addr;

		assert_int_equal(addr_parse(&addr, texts[i], NULL), 0);
		assert_string_equal(addr_format(out, &addr), texts[i]);
		assert_int_equal(addr_is_v4(&addr), strchr(texts[i], ':') == NULL);
		assert_int_equal(addr_family(&addr), strchr(texts[i], ':') ? AF_INET6 : AF_INET);
	}
}

static void test_addr_refused(void **state)
{
	static const char *const texts[] = { "",	  "192.0.2",	  "192.0.2.1.", "192.0.2.256",
					     "1:2:3",	  "fe80::1%eth0", "host",	"192.0.2.1/32",
					     " 192.0.2.1" };
	struct hf_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = ERR_NONE;

		memset(&addr, 0x5a, sizeof(addr));
		assert_int_equal(addr_parse(&addr, texts[i], &err), -EINVAL);
		assert_int_equal(addr.octet[0], 0x5a);
		assert_non_null(strstr(err.text, "is not an IPv4 or IPv6 address"));
	}
}

static void test_addr_octets(void **state)
{
	static const uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	static const struct hf_addr zero;
	struct hf_addr addr = addr_from_v4(htonl(0xc0000201));
	const uint8_t *octets;
	size_t len;

	(void)state;
	octets = addr_octets(&addr, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(octets, "\xc0\x00\x02\x01", 4);
	assert_int_equal(addr_v4(&addr), htonl(0xc0000201));
	addr = addr_from_octets(v6, sizeof(v6));
	octets = addr_octets(&addr, &len);
	assert_int_equal(len, 16);
	assert_memory_equal(octets, v6, 16);
	addr = addr_from_octets(v6, 6);
	assert_true(addr_equal(&addr, &zero));
}

static void test_prefix_text(void **state)
{
	static const struct {
		const char *in, *out;
		uint32_t len;
	} cases[] = {
		{ "0.0.0.0/0", "0.0.0.0/0", 96 },
		{ "10.0.0.0/8", "10.0.0.0/8", 104 },
		{ "192.0.2.1", "192.0.2.1/32", 128 },
		{ "192.0.2.128/25", "192.0.2.128/25", 121 },
		{ "::/0", "::/0", 0 },
		{ "2001:db8::/32", "2001:db8::/32", 32 },
		{ "2001:db8::1", "2001:db8::1/128", 128 },
	};
	char out[PREFIX_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hf_prefix prefix;

		assert_int_equal(prefix_parse(&prefix, cases[i].in, NULL), 0);
		assert_int_equal(prefix.prefix_len, cases[i].len);
		assert_string_equal(prefix_format(out, &prefix), cases[i].out);
	}
}

static void test_prefix_refused(void **state)
{
	static const char *const texts[] = {
		"10.0.0.0/33",	  "10.0.0.1/8",	    "10.0.0.0/-1",   "10.0.0.0/08x", "10.0.0.0/ 8", "10.0.0.0/0008",
		"2001:db8::/129", "2001:db8::1/32", "::ffff:0:0/96", "/8",	     "10/8",	    "10.0.0.0/8/8"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct hf_prefix prefix = { .prefix_len = 77 };
		struct err err = ERR_NONE;

		assert_int_equal(prefix_parse(&prefix, texts[i], &err), -EINVAL);
		assert_int_equal(prefix.prefix_len, 77);
		assert_true(strlen(err.text) > 10);
	}
}

static bool contains(const char *prefix_text, const char *addr_text)
{
	struct hf_prefix prefix;
	struct hf_addr addr;

	assert_int_equal(prefix_parse(&prefix, prefix_text, NULL), 0);
	assert_int_equal(addr_parse(&addr, addr_text, NULL), 0);
	return prefix_contains(&prefix, &addr);
}

static void test_prefix_contains(void **state)
{
	(void)state;
	assert_true(contains("10.0.0.0/8", "10.255.255.255"));
	assert_false(contains("10.0.0.0/8", "11.0.0.0"));
	assert_true(contains("10.0.0.0/9", "10.127.255.255"));
	assert_false(contains("10.0.0.0/9", "10.128.0.0"));
	assert_true(contains("192.0.2.1", "192.0.2.1"));
	assert_false(contains("192.0.2.1", "192.0.2.0"));
	assert_false(contains("0.0.0.0/0", "2001:db8::1"));
	assert_true(contains("2001:db8::/33", "2001:db8:7fff::"));
	assert_false(contains("2001:db8::/33", "2001:db8:8000::"));
}

static void test_pairs(void **state)
{
	struct hf_pair pair = { .local = addr_from_v4(htonl(0xc0000201)), .remote = addr_from_v4(htonl(0xc0000202)) };
	struct hf_pair turned = { .local = pair.remote, .remote = pair.local };
	char out[PAIR_TEXT_MAX];

	(void)state;
	assert_true(pair_equal(&pair, &pair));
	assert_false(pair_equal(&pair, &turned));
	assert_string_equal(pair_format(out, &pair), "192.0.2.1 -> 192.0.2.2");
	assert_true(addr_compare(&pair.local, &pair.remote) < 0);
	assert_true(addr_compare(&pair.remote, &pair.local) > 0);
}

static void test_names(void **state)
{
	enum hf_group group;

	(void)state;
	for (int i = 0; i < HF_GROUP_COUNT; i++) {
		assert_int_equal(group_parse(&group, group_name((enum hf_group)i)), 0);
		assert_int_equal(group, i);
	}
	assert_int_equal(group_parse(&group, "Private"), -EINVAL);
	assert_int_equal(group_parse(&group, ""), -EINVAL);
	assert_string_equal(group_name(HF_GROUP_COUNT), "?");
	assert_string_equal(verdict_name(HF_VERDICT_HOLD), "hold");
	assert_string_equal(verdict_name(HF_VERDICT_CLEAR), "clear");
	assert_string_equal(verdict_name(HF_VERDICT_SECURE), "secure");
	assert_string_equal(verdict_name(HF_VERDICT_BLOCK), "block");
	assert_string_equal(verdict_name((enum hf_verdict)0), "none");
}

static void test_hosts(void **state)
{
	static const char *const hosts[] = { "1.2.3.4",	      "10.0.0.1",    "126.1.1.1", "169.253.0.1",
					     "223.255.255.1", "2001:db8::1", "fd00::1" },
				 *const none[] = { "0.0.0.0",	      "0.1.2.3",   "127.0.0.1", "127.9.9.9",
						   "169.254.1.1",     "224.0.0.9", "239.1.1.1", "240.0.0.1",
						   "255.255.255.255", "::",	   "::1",	"fe80::1",
						   "febf::1",	      "ff02::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct hf_addr addr;

		assert_int_equal(addr_parse(&addr, hosts[i], NULL), 0);
		if (!addr_is_host(&addr) || addr_is_none(&addr))
			fail_msg("%s", hosts[i]);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct hf_addr addr;

		assert_int_equal(addr_parse(&addr, none[i], NULL), 0);
		if (addr_is_host(&addr))
			fail_msg("%s", none[i]);
		assert_int_equal(addr_is_none(&addr), strcmp(none[i], "::") == 0);
	}
}

static void test_err(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(err_set(&err, -EPERM, "no %s", "right"), -EPERM);
	assert_int_equal(err_set(&err, -EINVAL, "second"), -EINVAL);
	assert_string_equal(err.text, "no right");
	err_prefix(&err, "file:%d", 3);
	assert_string_equal(err.text, "file:3: no right");
	assert_int_equal(err_set(NULL, -EIO, "unheard"), -EIO);
	err_prefix(NULL, "unheard");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_text),      cmocka_unit_test(test_addr_refused),
		cmocka_unit_test(test_addr_octets),    cmocka_unit_test(test_prefix_text),
		cmocka_unit_test(test_prefix_refused), cmocka_unit_test(test_prefix_contains),
		cmocka_unit_test(test_pairs),	       cmocka_unit_test(test_names),
		cmocka_unit_test(test_hosts),	       cmocka_unit_test(test_err),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
