// SPDX-License-Identifier: Apache-2.0
/*
 * The policy table: policy file lines, conflicts, and longest prefix match against a naive search.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/policy.h"

#define MAX 64

static struct policy_entry storage[MAX];

static uint32_t random_state;

static uint32_t random_below(uint32_t max)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % max;
}

static struct hf_addr address(const char *text)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	return addr;
}

static enum hf_group group_of(const struct policy *policy, const char *text)
{
	struct hf_addr addr = address(text);

	return policy_group(policy, &addr);
}

static void add(struct policy *policy, enum hf_group group, const char *line, unsigned int number)
{
	struct err err = ERR_NONE;
	int rc = policy_add_line(policy, group, line, group_name(group), number, &err);

	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
}

static void test_lines(void **state)
{
	struct policy policy;

	(void)state;
	policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
	add(&policy, HF_GROUP_PRIVATE, "", 1);
	add(&policy, HF_GROUP_PRIVATE, "# a comment", 2);
	add(&policy, HF_GROUP_PRIVATE, "  \t # another\n", 3);
	assert_int_equal(policy.count, 0);
	add(&policy, HF_GROUP_PRIVATE, "192.0.2.0/24\r\n", 4);
	add(&policy, HF_GROUP_PRIVATE, " \t2001:db8::/32 # the office", 5);
	add(&policy, HF_GROUP_PRIVATE, "198.51.100.7#one host", 6);
	assert_int_equal(policy_finish(&policy, NULL), 0);
	assert_int_equal(policy.count, 3);
	assert_int_equal(group_of(&policy, "192.0.2.255"), HF_GROUP_PRIVATE);
	assert_int_equal(group_of(&policy, "192.0.3.0"), HF_GROUP_CLEAR);
	assert_int_equal(group_of(&policy, "198.51.100.7"), HF_GROUP_PRIVATE);
	assert_int_equal(group_of(&policy, "198.51.100.6"), HF_GROUP_CLEAR);
	assert_int_equal(group_of(&policy, "2001:db8:ffff::1"), HF_GROUP_PRIVATE);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{ "192.0.2.0/33", "private:9: \"192.0.2.0/33\": the prefix length must be 0 to 32" },
		{ "192.0.2.1/24",
		  "private:9: \"192.0.2.1/24\" has bits set behind its /24: write the network address" },
		{ "2001:db8::/129", "private:9: \"2001:db8::/129\": the prefix length must be 0 to 128" },
		{ "::ffff:192.0.2.0/120",
		  "private:9: \"::ffff:192.0.2.0/120\" is a v4-mapped address: write it as IPv4" },
		{ "example.com", "private:9: \"example.com\" is not an IPv4 or IPv6 address" },
		{ "10.0.0.0/", "private:9: \"10.0.0.0/\": the prefix length must be 0 to 32" },
		{ "10.0.0.0/8 tcp 0 22", "private:9: there is more than one word: protocols and ports are not told "
					 "apart, write one address or prefix per line" },
		{ "10.0.0.0/8 10.0.0.0/8", "private:9: there is more than one word: protocols and ports are not told "
					   "apart, write one address or prefix per line" },
		{ "2001:db8:0000:0000:0000:0000:0000:0001:0000:0000:0000:0000:0000/64",
		  "private:9: this is not a prefix: write one address or prefix per line" },
	};
	struct policy policy;

	(void)state;
	policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;

		assert_int_equal(policy_add_line(&policy, HF_GROUP_PRIVATE, cases[i].line, "private", 9, &err),
				 -EINVAL);
		assert_string_equal(err.text, cases[i].message);
	}
	assert_int_equal(policy.count, 0);
}

static void test_conflict(void **state)
{
	struct err err = ERR_NONE;
	struct policy policy;

	(void)state;
	policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
	add(&policy, HF_GROUP_PRIVATE, "10.0.0.0/8", 4);
	add(&policy, HF_GROUP_CLEAR, "10.0.0.0/9", 1);
	add(&policy, HF_GROUP_BLOCK, "10.0.0.0/8", 2);
	assert_int_equal(policy_finish(&policy, &err), -EINVAL);
	assert_string_equal(err.text, "private:4: 10.0.0.0/8 is in group private, but block:2 puts it into block: "
				      "remove one of the two lines");
}

static void test_merge_and_full(void **state)
{
	struct err err = ERR_NONE;
	struct hf_addr addr = address("10.1.1.1");
	struct policy policy;

	(void)state;
	policy_init(&policy, storage, 3, HF_GROUP_CLEAR);
	add(&policy, HF_GROUP_PRIVATE, "10.0.0.0/8", 7);
	add(&policy, HF_GROUP_PRIVATE, "10.0.0.0/8", 3);
	add(&policy, HF_GROUP_PRIVATE, "10.0.0.0/16", 5);
	assert_int_equal(policy_add_line(&policy, HF_GROUP_BLOCK, "::/0", "block", 1, &err), -ENOSPC);
	assert_string_equal(err.text,
			    "block:1: more than 3 prefixes in all policy files: join some into shorter prefixes");
	assert_int_equal(policy_finish(&policy, NULL), 0);
	assert_int_equal(policy.count, 2);
	assert_int_equal(policy_find(&policy, &addr)->line, 3);
}

static void test_families_never_meet(void **state)
{
	struct policy policy;

	(void)state;
	policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
	add(&policy, HF_GROUP_PRIVATE, "::/0", 1);
	assert_int_equal(policy_finish(&policy, NULL), 0);
	assert_int_equal(group_of(&policy, "192.0.2.1"), HF_GROUP_CLEAR);
	assert_int_equal(group_of(&policy, "::1"), HF_GROUP_PRIVATE);
	assert_int_equal(group_of(&policy, "ffff::"), HF_GROUP_PRIVATE);

	policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
	add(&policy, HF_GROUP_PRIVATE, "0.0.0.0/0", 1);
	add(&policy, HF_GROUP_BLOCK, "::/1", 2);
	assert_int_equal(policy_finish(&policy, NULL), 0);
	assert_int_equal(group_of(&policy, "192.0.2.1"), HF_GROUP_PRIVATE);
	assert_int_equal(group_of(&policy, "::1"), HF_GROUP_BLOCK);
	assert_int_equal(group_of(&policy, "8000::"), HF_GROUP_CLEAR);
}

static void test_strict(void **state)
{
	struct policy policy;

	(void)state;
	for (int group = 0; group < HF_GROUP_COUNT; group++) {
		bool strict = group >= HF_GROUP_PRIVATE_OR_CLEAR;

		policy_init(&policy, storage, MAX, (enum hf_group)group);
		assert_int_equal(policy_is_strict(&policy), strict);
		policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
		add(&policy, HF_GROUP_CLEAR, "10.0.0.0/8", 1);
		add(&policy, (enum hf_group)group, "10.0.0.0/9", 1);
		assert_int_equal(policy_finish(&policy, NULL), 0);
		assert_int_equal(policy_is_strict(&policy), strict);
	}
}

/* Few distinct bits, so that random prefixes nest and random addresses hit them. */
static struct hf_addr random_address(bool v4)
{
	static const uint8_t octets[] = { 0x00, 0x80, 0xff };
	struct hf_addr addr;
	uint8_t bytes[16];

	for (int i = 0; i < 16; i++)
		bytes[i] = octets[random_below(3)];
	addr = addr_from_octets(bytes, v4 ? 4 : 16);
	return addr;
}

static const struct policy_entry *naive_find(const struct policy *policy, const struct hf_addr *addr)
{
	const struct policy_entry *best = NULL;

	for (size_t i = 0; i < policy->count; i++) {
		const struct policy_entry *entry = &policy->entries[i];

		if (addr_is_v4(&entry->prefix.addr) != addr_is_v4(addr) || !prefix_contains(&entry->prefix, addr))
			continue;
		if (!best || entry->prefix.prefix_len > best->prefix.prefix_len)
			best = entry;
	}
	return best;
}

static void test_random(void **state)
{
	int hits = 0;

	(void)state;
	random_state = 4;
	for (int round = 0; round < 500; round++) {
		struct policy policy;

		policy_init(&policy, storage, MAX, HF_GROUP_CLEAR);
		while (policy.count < MAX) {
			struct policy_entry entry = { .group = HF_GROUP_PRIVATE, .file = "f", .line = 1 };
			bool v4 = random_below(2);

			entry.prefix.addr = random_address(v4);
			entry.prefix.prefix_len = v4 ? 96 + random_below(33) : random_below(129);
			for (uint32_t bit = entry.prefix.prefix_len; bit < 128; bit++)
				entry.prefix.addr.octet[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
			assert_int_equal(policy_add(&policy, &entry, NULL), 0);
		}
		assert_int_equal(policy_finish(&policy, NULL), 0);
		for (int i = 0; i < 100; i++) {
			struct hf_addr addr = random_address(random_below(2));
			const struct policy_entry *found = policy_find(&policy, &addr);

			assert_ptr_equal(found, naive_find(&policy, &addr));
			hits += found != NULL;
		}
	}
	assert_in_range(hits, 10000, 45000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_merge_and_full),
		cmocka_unit_test(test_families_never_meet),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
