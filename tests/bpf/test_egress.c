// SPDX-License-Identifier: Apache-2.0
/*
 * What leaves: every cell of the verdict table (docs/DESIGN.md, gate), other links than Ethernet's, and what the agent is
 * told of a packet that was denied. What passes whatever the verdict: test_exempt.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>

#include "egress_fate.h"

static struct run run;

static int open_run(void **state)
{
	(void)state;
	run_open_egress(&run, NULL);
	return 0;
}

static int open_run_tcx(void **state)
{
	(void)state;
	run_open_egress(&run, &(struct run_sizes){ .tcx = true });
	return 0;
}

static int close_run(void **state)
{
	(void)state;
	run_close(&run);
	return 0;
}

/* ---- the table --------------------------------------------------------------------------------- */

static const enum fate absent[HF_GROUP_COUNT] = {
	[HF_GROUP_CLEAR] = FATE_POLICY,		 [HF_GROUP_CLEAR_OR_PRIVATE] = FATE_POLICY,
	[HF_GROUP_PRIVATE_OR_CLEAR] = FATE_HELD, [HF_GROUP_PRIVATE] = FATE_HELD,
	[HF_GROUP_BLOCK] = FATE_BLOCKED,
};

enum time_left {
	TIME_UNLIMITED,
	TIME_LEFT,
	TIME_OVER,
};

static void expect_cell(enum hf_verdict verdict, enum time_left left, enum hf_group prefix_group,
			enum hf_group gate_group, bool v4)
{
	const char *local = v4 ? LOCAL4 : LOCAL6, *remote = v4 ? REMOTE4 : REMOTE6;
	struct hf_pair pair = run_pair(local, remote);
	struct hf_gate gate = { .verdict = verdict, .group = gate_group };
	bool ends = verdict == HF_VERDICT_CLEAR || verdict == HF_VERDICT_BLOCK;
	struct packet_bytes packet;
	enum fate fate;
	char what[100];

	if (left != TIME_UNLIMITED)
		gate.until_ns = left == TIME_LEFT ? run_now_ns() + 60000000000u : 1;
	run_rule(&run, v4 ? "198.51.100.0/24" : "2001:db8:2::/48", prefix_group);
	if (verdict)
		run_verdict(&run, &pair, &gate);
	else
		run_verdict_remove(&run, &pair);
	snprintf(what, sizeof(what), "IPv%d, verdict %d, time %d, prefix group %d, gate group %d", v4 ? 4 : 6, verdict,
		 left, prefix_group, gate_group);

	if (!verdict || (ends && left == TIME_OVER))
		fate = absent[prefix_group];
	else if (verdict == HF_VERDICT_HOLD)
		fate = FATE_HELD;
	else if (verdict == HF_VERDICT_CLEAR)
		fate = FATE_CLEAR;
	else
		fate = verdict == HF_VERDICT_SECURE ? FATE_STRAY : FATE_BLOCKED;
	packet_simple(&packet, local, remote, 100);
	fate_expect(&run, &packet, fate, what);
	fate_drain(&run, &pair);
}

static void test_every_cell(void **state)
{
	(void)state;
	for (int verdict = 0; verdict <= HF_VERDICT_BLOCK; verdict++)
		for (int left = TIME_UNLIMITED; left <= (verdict ? TIME_OVER : TIME_UNLIMITED); left++)
			for (int group = 0; group < HF_GROUP_COUNT * HF_GROUP_COUNT * 2; group++)
				expect_cell(verdict, left, group / 2 % HF_GROUP_COUNT, group / 2 / HF_GROUP_COUNT,
					    group % 2);
}

/* A value that no agent writes must not open anything. */
static void test_unknown_values_are_closed(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct packet_bytes packet;

	(void)state;
	packet_simple(&packet, LOCAL4, REMOTE4, 10);
	run_verdict(&run, &pair, &(struct hf_gate){ .verdict = 77 });
	fate_expect(&run, &packet, FATE_BLOCKED, "unknown verdict");
	run_verdict_remove(&run, &pair);
	run_rule(&run, "198.51.100.0/24", 77);
	fate_expect(&run, &packet, FATE_BLOCKED, "unknown group");
}

/* An element that was given to another pair between lookup and load: its verdict is not this pair's. test_race has the race. */
static void test_another_pairs_verdict(void **state)
{
	static const enum hf_verdict verdicts[] = { HF_VERDICT_CLEAR, HF_VERDICT_SECURE, HF_VERDICT_BLOCK };
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4), other = run_pair(LOCAL4, "198.51.100.3");
	struct packet_bytes packet;

	(void)state;
	packet_simple(&packet, LOCAL4, REMOTE4, 10);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct hf_gate gate = { .verdict = verdicts[i], .mark = hf_pair_mark(&other) };

		assert_int_equal(bpf_map_update_elem(run.gate, &pair, &gate, BPF_ANY), 0);
		fate_expect(&run, &packet, FATE_HELD, "a verdict with another pair's mark");
		fate_drain(&run, &pair);
	}
}

/* Before the agent wrote its default prefixes nothing is known to be allowed. */
static void test_empty_policy_is_closed(void **state)
{
	static const char *const defaults[] = { "0.0.0.0/0", "::/0" };
	struct packet_bytes packet;
	struct hf_prefix key;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(prefix_parse(&key, defaults[i], NULL), 0);
		assert_int_equal(bpf_map_delete_elem(run.policy, &key), 0);
	}
	packet_simple(&packet, LOCAL4, REMOTE4, 10);
	fate_expect(&run, &packet, FATE_BLOCKED, "no rule at all");
}

static void test_longest_prefix_wins(void **state)
{
	struct packet_bytes packet;

	(void)state;
	run_rule(&run, "198.51.100.0/24", HF_GROUP_BLOCK);
	run_rule(&run, "198.51.100.2/32", HF_GROUP_CLEAR);
	packet_simple(&packet, LOCAL4, REMOTE4, 10);
	fate_expect(&run, &packet, FATE_POLICY, "host route in a blocked net");
	packet_simple(&packet, LOCAL4, "198.51.100.3", 10);
	fate_expect(&run, &packet, FATE_BLOCKED, "its neighbour");
	packet_simple(&packet, LOCAL6, "::1.2.3.4", 10);
	fate_expect(&run, &packet, FATE_POLICY, "an IPv6 address that only looks like IPv4");
}

/* The pair is local and remote: another local address has no part in its verdict. */
static void test_verdict_is_of_the_pair(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct packet_bytes packet;

	(void)state;
	run_rule(&run, "0.0.0.0/0", HF_GROUP_BLOCK);
	run_verdict(&run, &pair, &(struct hf_gate){ .verdict = HF_VERDICT_CLEAR });
	packet_simple(&packet, LOCAL4, REMOTE4, 10);
	fate_expect(&run, &packet, FATE_CLEAR, "the pair");
	packet_simple(&packet, "192.0.2.9", REMOTE4, 10);
	fate_expect(&run, &packet, FATE_BLOCKED, "another local address");
	packet_simple(&packet, REMOTE4, LOCAL4, 10);
	fate_expect(&run, &packet, FATE_BLOCKED, "the other direction");
}

static void block_all(void)
{
	run_rule(&run, "0.0.0.0/0", HF_GROUP_BLOCK);
	run_rule(&run, "::/0", HF_GROUP_BLOCK);
}

/* ---- other links ------------------------------------------------------------------------------- */

static void test_not_ip(void **state)
{
	struct hf_count count;
	struct packet_bytes packet;

	(void)state;
	block_all();
	packet_raw(&packet, 0x0806);
	packet_fill(&packet, 28, 0);
	assert_true(run_is_pass(run_packet(&run, &packet, NULL)));
	count = run_counts(&run);
	assert_int_equal(count.out_not_ip, 1);
	assert_int_equal(run_fates(&count), 1);
}

static void test_vlan_in_data(void **state)
{
	struct packet_bytes packet;

	(void)state;
	block_all();
	for (int tags = 1; tags <= 2; tags++) {
		for (int v4 = 0; v4 < 2; v4++) {
			const char *local = v4 ? LOCAL4 : LOCAL6, *remote = v4 ? REMOTE4 : REMOTE6;
			struct hf_pair pair = run_pair(local, remote);

			packet_ip_vlan(&packet, local, remote, tags);
			packet_udp(&packet, 40000, 7);
			packet_fill(&packet, 100, 0);
			fate_expect(&run, &packet, FATE_BLOCKED, "tagged");
			assert_memory_equal(&run.denied.event.pair, &pair, sizeof(pair));
			run_verdict(&run, &pair, &(struct hf_gate){ .verdict = HF_VERDICT_CLEAR });
			fate_expect(&run, &packet, FATE_CLEAR, "tagged, allowed");
			run_verdict_remove(&run, &pair);
		}
	}
}

/* ---- denial ------------------------------------------------------------------------------------ */

static void test_denied_carries_the_head(void **state)
{
	struct packet_bytes packet;

	(void)state;
	block_all();
	packet_simple(&packet, LOCAL6, REMOTE6, 300);
	assert_true(run_is_drop(run_packet(&run, &packet, &(struct run_mark){ .mark = 0x55 })));
	assert_int_equal(run_events(&run), 1);
	assert_int_equal(run.denied.event.type, HF_EVENT_DENIED);
	assert_int_equal(run.denied.event.group, HF_GROUP_BLOCK);
	assert_int_equal(run.denied.mark, 0x55);
	assert_int_equal(run.denied.len, HF_EVENT_HEAD);
	assert_memory_equal(run.denied.head, packet.data + packet.l3, HF_EVENT_HEAD);

	packet_simple(&packet, LOCAL4, REMOTE4, 1);
	assert_true(run_is_drop(run_packet(&run, &packet, NULL)));
	assert_int_equal(run_events(&run), 1);
	assert_int_equal(run.denied.len, 29);
	assert_memory_equal(run.denied.head, packet.data + packet.l3, 29);
}

/* A sender that ignores errors gets a thousand a second, and no more of the ring. */
static void test_denied_has_a_budget(void **state)
{
	struct packet_bytes packet;
	uint64_t start = run_now_ns(), seconds;
	unsigned int events = 0;
	struct hf_count count;

	(void)state;
	block_all();
	packet_simple(&packet, LOCAL4, REMOTE4, 1);
	for (int i = 0; i < 5000; i++) {
		assert_true(run_is_drop(run_packet(&run, &packet, NULL)));
		events += run_events(&run);
	}
	seconds = (run_now_ns() - start) / 1000000000 + 2;
	count = run_counts(&run);
	assert_int_equal(count.drop_block, 5000);
	assert_int_equal(count.events, events);
	assert_in_range(events, HF_DENIED_PER_SECOND, HF_DENIED_PER_SECOND * seconds);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_run, close_run)
	const struct CMUnitTest tests[] = {
		TEST(test_every_cell),
		cmocka_unit_test_setup_teardown(test_every_cell, open_run_tcx, close_run),
		TEST(test_unknown_values_are_closed),
		TEST(test_another_pairs_verdict),
		TEST(test_empty_policy_is_closed),
		TEST(test_longest_prefix_wins),
		TEST(test_verdict_is_of_the_pair),
		TEST(test_not_ip),
		TEST(test_vlan_in_data),
		TEST(test_denied_carries_the_head),
		TEST(test_denied_has_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
