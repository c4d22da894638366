// SPDX-License-Identifier: Apache-2.0
/*
 * What arrives: every cell of the ingress side of the verdict table, and what is let in whatever the verdict, beside
 * packets that only nearly are that. That decrypted packets are known needs SAs: scenarios do it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <stdio.h>

#include "run_prog.h"
#include "shield_run.h"

enum fate {
	FATE_PASS,
	FATE_ESP,
	FATE_EXEMPT,
	FATE_MUST_SEAL, /* dropped: clear from a pair that must seal */
	FATE_BLOCKED,
	FATE_OTHER,
};

static const char *const fate_names[] = { "pass", "ESP", "exempt", "must seal", "blocked", "something else" };

static struct run run;
static struct shield shield; /* its door, on the same maps: see test_door.c */

static int open_run(void **state)
{
	(void)state;
	run_open_ingress(&run, NULL);
	shield_open_beside(&shield, &run);
	return 0;
}

static int close_run(void **state)
{
	(void)state;
	shield_close(&shield);
	run_close(&run);
	return 0;
}

static enum fate fate_of(const struct packet_bytes *packet)
{
	struct hf_count a = run_counts(&run), b;
	int action = run_packet(&run, packet, NULL);

	b = run_counts(&run);
	assert_int_equal(run_fates(&b) - run_fates(&a), 1);
	/* Nothing else that arrives can make an event, but for ESP of a pair that has no SA. */
	if (run_events(&run))
		assert_true(run.event.type == HF_EVENT_CLEAR && b.in_drop_clear != a.in_drop_clear);
	if (b.in_pass != a.in_pass && run_is_pass(action))
		return FATE_PASS;
	if (b.in_esp != a.in_esp && run_is_pass(action))
		return FATE_ESP;
	if (b.in_exempt != a.in_exempt && run_is_pass(action))
		return FATE_EXEMPT;
	if (b.in_drop_clear != a.in_drop_clear && run_is_drop(action))
		return FATE_MUST_SEAL;
	if (b.in_drop_block != a.in_drop_block && run_is_drop(action))
		return FATE_BLOCKED;
	return FATE_OTHER;
}

static bool is_dropped(enum fate fate)
{
	return fate == FATE_MUST_SEAL || fate == FATE_BLOCKED;
}

/* True when the door drops it as clear. */
static bool is_stopped(const struct packet_bytes *packet)
{
	uint64_t before = shield_counts(&shield).clear_dropped;
	struct hf_count a = run_counts(&run), b;
	bool stopped = shield_run_driver(&shield, packet->data, packet->len) == XDP_DROP;

	b = run_counts(&run);
	stopped = stopped && shield_counts(&shield).clear_dropped == before + 1;
	assert_int_equal(b.in_drop_clear + b.in_drop_block, a.in_drop_clear + a.in_drop_block + stopped);
	if (run_events(&run))
		assert_true(run.event.type == HF_EVENT_CLEAR && b.in_drop_clear != a.in_drop_clear);
	return stopped;
}

/* Whatever the door drops, ingress would. */
static void expect(const struct packet_bytes *packet, enum fate fate, const char *what)
{
	bool stopped = is_stopped(packet);
	enum fate seen = fate_of(packet);

	if (seen != fate)
		fail_msg("%s: %s, expected %s", what, fate_names[seen], fate_names[fate]);
	if (stopped && !is_dropped(fate))
		fail_msg("%s: dropped at the door", what);
}

/* ---- the table --------------------------------------------------------------------------------- */

static const enum fate by_group[HF_GROUP_COUNT] = {
	[HF_GROUP_CLEAR] = FATE_PASS,
	[HF_GROUP_CLEAR_OR_PRIVATE] = FATE_PASS,
	[HF_GROUP_PRIVATE_OR_CLEAR] = FATE_PASS,
	[HF_GROUP_PRIVATE] = FATE_MUST_SEAL,
	[HF_GROUP_BLOCK] = FATE_BLOCKED,
};

static enum fate expected(const struct hf_gate *gate, bool over, enum hf_group prefix_group)
{
	switch (gate->verdict) {
	case HF_VERDICT_HOLD:
		return by_group[gate->group];
	case HF_VERDICT_CLEAR:
		return over ? by_group[prefix_group] : FATE_PASS;
	case HF_VERDICT_SECURE:
		return gate->flags & HF_GATE_IN_CLEAR ? FATE_PASS : FATE_MUST_SEAL;
	case HF_VERDICT_BLOCK:
		return over ? by_group[prefix_group] : FATE_BLOCKED;
	}
	return by_group[prefix_group];
}

static void expect_cell(const struct hf_gate *gate, bool over, enum hf_group prefix_group, bool v4)
{
	const char *local = v4 ? LOCAL4 : LOCAL6, *remote = v4 ? REMOTE4 : REMOTE6;
	struct hf_pair pair = run_pair(local, remote);
	struct packet_bytes packet;
	char what[120];

	run_rule(&run, v4 ? "198.51.100.0/24" : "2001:db8:2::/48", prefix_group);
	if (gate->verdict)
		run_verdict(&run, &pair, gate);
	else
		run_verdict_remove(&run, &pair);
	packet_simple(&packet, remote, local, 100);
	snprintf(what, sizeof(what), "IPv%d, verdict %d, group %d, flags %u, over %d, prefix group %d", v4 ? 4 : 6,
		 gate->verdict, gate->group, gate->flags, over, prefix_group);
	expect(&packet, expected(gate, over, prefix_group), what);
	if (is_stopped(&packet) != is_dropped(expected(gate, over, prefix_group)))
		fail_msg("%s: the door decides otherwise", what);
}

static void test_every_cell(void **state)
{
	(void)state;
	for (int verdict = 0; verdict <= HF_VERDICT_BLOCK; verdict++) {
		for (int i = 0; i < HF_GROUP_COUNT * HF_GROUP_COUNT * 12; i++) {
			int over = i / 4 % 3; /* no end, one ahead, one that lies behind */
			struct hf_gate gate = {
				.verdict = verdict,
				.group = i / 12 % HF_GROUP_COUNT,
				.flags = i & 2 ? HF_GATE_IN_CLEAR : 0,
				.until_ns = over == 2 ? 1
					    : over    ? run_now_ns() + 60000000000u
						      : 0,
			};

			expect_cell(&gate, over == 2, i / 12 / HF_GROUP_COUNT, i & 1);
		}
	}
}

/* See test_egress.c. */
static void test_another_pairs_verdict(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4), other = run_pair(LOCAL4, "198.51.100.3");
	struct hf_gate gate = { .verdict = HF_VERDICT_CLEAR, .mark = hf_pair_mark(&other) };
	struct packet_bytes packet;

	(void)state;
	packet_simple(&packet, REMOTE4, LOCAL4, 10);
	assert_int_equal(bpf_map_update_elem(run.gate, &pair, &gate, BPF_ANY), 0);
	expect(&packet, FATE_MUST_SEAL, "a verdict with another pair's mark");
}

static void test_unknown_values_are_closed(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct packet_bytes packet;

	(void)state;
	packet_simple(&packet, REMOTE4, LOCAL4, 10);
	run_verdict(&run, &pair, &(struct hf_gate){ .verdict = 99 });
	expect(&packet, FATE_BLOCKED, "unknown verdict");
	run_verdict_remove(&run, &pair);
	run_rule(&run, "198.51.100.0/24", 99);
	expect(&packet, FATE_BLOCKED, "unknown group");
}

/* ---- let in whatever the verdict ---------------------------------------------------------------- */

static void private_all(void)
{
	run_rule(&run, "0.0.0.0/0", HF_GROUP_PRIVATE);
	run_rule(&run, "::/0", HF_GROUP_PRIVATE);
}

static void expect_ports(uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport,
			 enum fate fate, const char *what)
{
	struct packet_bytes packet;

	packet_ip(&packet, src, dst);
	if (proto == IPPROTO_TCP)
		packet_tcp(&packet, sport, dport);
	else
		packet_udp(&packet, sport, dport);
	packet_fill(&packet, 40, 1);
	expect(&packet, fate, what);
}

static void test_esp(void **state)
{
	struct packet_bytes packet;

	(void)state;
	run_rule(&run, "0.0.0.0/0", HF_GROUP_BLOCK);
	run_rule(&run, "::/0", HF_GROUP_BLOCK);
	packet_ip(&packet, REMOTE4, LOCAL4);
	packet_esp(&packet, 0x1000);
	expect(&packet, FATE_ESP, "ESP");
	packet_ip(&packet, REMOTE6, LOCAL6);
	packet_extension(&packet, 0);
	packet_esp(&packet, 0x1000);
	expect(&packet, FATE_ESP, "ESP behind hop-by-hop options");
	packet_ip(&packet, REMOTE4, LOCAL4);
	packet_proto(&packet, IPPROTO_AH);
	packet_fill(&packet, 30, 1);
	expect(&packet, FATE_BLOCKED, "AH");
}

static unsigned int events_of_esp(const char *src, const char *dst)
{
	struct packet_bytes packet;

	packet_ip(&packet, src, dst);
	packet_esp(&packet, 0x1000);
	assert_true(run_is_pass(run_packet(&run, &packet, NULL)));
	return run_events(&run);
}

/* ESP that nothing here can open is told where this host would begin: of own addresses, groups that want SAs, pairs without verdict. */
static void test_unreadable(void **state)
{
	static const unsigned int told[HF_GROUP_COUNT] = {
		[HF_GROUP_PRIVATE_OR_CLEAR] = 1,
		[HF_GROUP_PRIVATE] = 1,
	};
	struct hf_gate gate = { .group = HF_GROUP_PRIVATE };
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);

	(void)state;
	private_all();
	assert_int_equal(events_of_esp(REMOTE4, LOCAL4), 0); /* not to this host */
	run_exempt(&run, LOCAL4, HF_EXEMPT_OWN);
	run_exempt(&run, LOCAL6, HF_EXEMPT_OWN);
	assert_int_equal(events_of_esp(REMOTE6, LOCAL6), 1);
	for (enum hf_group group = HF_GROUP_CLEAR; group < HF_GROUP_COUNT; group++) {
		run_rule(&run, "0.0.0.0/0", group);
		assert_int_equal(events_of_esp(REMOTE4, LOCAL4), told[group]);
	}
	assert_int_equal(run.event.type, HF_EVENT_UNREADABLE);
	run_rule(&run, "0.0.0.0/0", HF_GROUP_PRIVATE);
	for (enum hf_verdict verdict = HF_VERDICT_HOLD; verdict <= HF_VERDICT_BLOCK; verdict++) {
		gate.verdict = verdict;
		run_verdict(&run, &pair, &gate);
		assert_int_equal(events_of_esp(REMOTE4, LOCAL4), 0);
	}
}

static void test_unreadable_has_a_budget(void **state)
{
	uint64_t start = run_now_ns(), seconds;
	unsigned int events = 0;

	(void)state;
	private_all();
	run_exempt(&run, LOCAL4, HF_EXEMPT_OWN);
	for (int i = 0; i < 2000; i++)
		events += events_of_esp(REMOTE4, LOCAL4);
	seconds = (run_now_ns() - start) / 1000000000 + 2;
	assert_in_range(events, HF_UNREADABLE_PER_SECOND, HF_UNREADABLE_PER_SECOND * seconds);
}

static void test_ike(void **state)
{
	(void)state;
	private_all();
	expect_ports(IPPROTO_UDP, REMOTE4, 500, LOCAL4, 500, FATE_EXEMPT, "to 500");
	expect_ports(IPPROTO_UDP, REMOTE4, 1024, LOCAL4, 4500, FATE_EXEMPT, "to 4500 through a NAT");
	expect_ports(IPPROTO_UDP, REMOTE6, 500, LOCAL6, 500, FATE_EXEMPT, "to 500, IPv6");
	expect_ports(IPPROTO_UDP, REMOTE4, 500, LOCAL4, 501, FATE_MUST_SEAL, "from 500 only");
	expect_ports(IPPROTO_UDP, REMOTE4, 4500, LOCAL4, 30000, FATE_MUST_SEAL, "from 4500 only");
	expect_ports(IPPROTO_TCP, REMOTE4, 500, LOCAL4, 500, FATE_MUST_SEAL, "TCP to 500");
}

static void test_dhcp_and_dns(void **state)
{
	(void)state;
	private_all();
	run_exempt(&run, REMOTE4, HF_EXEMPT_RESOLVER);
	expect_ports(IPPROTO_UDP, REMOTE4, 67, LOCAL4, 68, FATE_EXEMPT, "DHCP answer");
	expect_ports(IPPROTO_UDP, "0.0.0.0", 68, LOCAL4, 67, FATE_EXEMPT, "DHCP request");
	expect_ports(IPPROTO_UDP, REMOTE4, 68, LOCAL4, 68, FATE_MUST_SEAL, "client to client");
	expect_ports(IPPROTO_UDP, REMOTE6, 547, LOCAL6, 546, FATE_EXEMPT, "DHCPv6 answer");
	expect_ports(IPPROTO_UDP, REMOTE4, 53, LOCAL4, 40000, FATE_EXEMPT, "DNS answer");
	expect_ports(IPPROTO_TCP, REMOTE4, 53, LOCAL4, 40000, FATE_EXEMPT, "DNS answer over TCP");
	expect_ports(IPPROTO_UDP, REMOTE4, 54, LOCAL4, 40000, FATE_MUST_SEAL, "from 54");
	expect_ports(IPPROTO_UDP, REMOTE4, 40000, LOCAL4, 53, FATE_MUST_SEAL, "to our port 53");
	expect_ports(IPPROTO_UDP, "198.51.100.3", 53, LOCAL4, 40000, FATE_MUST_SEAL, "no resolver");
}

static void test_scopes(void **state)
{
	static const struct {
		const char *src, *dst;
		enum fate fate;
	} cases[] = {
		{ REMOTE4, "224.0.0.1", FATE_EXEMPT },	 { REMOTE4, "255.255.255.255", FATE_EXEMPT },
		{ REMOTE4, "192.0.2.255", FATE_EXEMPT }, { REMOTE4, "192.0.2.254", FATE_MUST_SEAL },
		{ REMOTE6, "ff02::1", FATE_EXEMPT },	 { "fe80::1", LOCAL6, FATE_EXEMPT },
		{ "fe80::1", "fe80::2", FATE_EXEMPT },	 { REMOTE6, "fe80::2", FATE_MUST_SEAL },
		{ "fec0::1", LOCAL6, FATE_MUST_SEAL },
	};
	struct packet_bytes packet;

	(void)state;
	private_all();
	run_exempt(&run, "192.0.2.255", HF_EXEMPT_BROADCAST);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		packet_simple(&packet, cases[i].src, cases[i].dst, 10);
		expect(&packet, cases[i].fate, cases[i].dst);
	}
}

static void test_neighbour_discovery(void **state)
{
	struct packet_bytes packet;

	(void)state;
	private_all();
	for (int type = 132; type <= 138; type++) {
		for (int hops = 254; hops <= 255; hops++) {
			bool nd = type >= 133 && type <= 137 && hops == 255;

			packet_ip(&packet, REMOTE6, LOCAL6);
			packet_icmp(&packet, (uint8_t)type, 0);
			packet_hops(&packet, (uint8_t)hops);
			expect(&packet, nd ? FATE_EXEMPT : FATE_MUST_SEAL, "ND");
		}
	}
}

static void expect_too_big(bool v4, uint8_t type, uint8_t code, uint8_t quoted, enum fate fate)
{
	struct packet_bytes packet;

	packet_ip(&packet, v4 ? REMOTE4 : REMOTE6, v4 ? LOCAL4 : LOCAL6);
	packet_icmp(&packet, type, code);
	packet_fill(&packet, v4 ? 9 : 6, 0);
	packet_data(&packet, &quoted, 1);
	packet_fill(&packet, 40, 0);
	expect(&packet, fate, "an error about a packet of ours");
}

/* A router's word about our ESP keeps a protected pair alive; its word about anything else in clear is not believed. */
static void test_path_mtu(void **state)
{
	(void)state;
	private_all();
	expect_too_big(true, 3, 4, IPPROTO_ESP, FATE_EXEMPT);
	expect_too_big(true, 3, 4, IPPROTO_TCP, FATE_MUST_SEAL);
	expect_too_big(true, 3, 1, IPPROTO_ESP, FATE_MUST_SEAL);
	expect_too_big(true, 5, 4, IPPROTO_ESP, FATE_MUST_SEAL);
	expect_too_big(false, 2, 0, IPPROTO_ESP, FATE_EXEMPT);
	expect_too_big(false, 2, 0, IPPROTO_TCP, FATE_MUST_SEAL);
	expect_too_big(false, 1, 0, IPPROTO_ESP, FATE_MUST_SEAL);
}

static void test_fragments(void **state)
{
	struct packet_bytes packet;

	(void)state;
	private_all();
	for (int v4 = 0; v4 < 2; v4++) {
		for (int later = 0; later < 2; later++) {
			packet_ip(&packet, v4 ? REMOTE4 : REMOTE6, v4 ? LOCAL4 : LOCAL6);
			packet_fragment(&packet, later ? 1200 : 0, !later);
			packet_udp(&packet, 500, 500);
			packet_fill(&packet, 64, 0);
			expect(&packet, later ? FATE_MUST_SEAL : FATE_EXEMPT, "a fragment of IKE");
		}
	}
}

static void test_other_links(void **state)
{
	struct packet_bytes packet;
	struct hf_count count;

	(void)state;
	private_all();
	packet_raw(&packet, 0x0806);
	packet_fill(&packet, 28, 0);
	assert_true(run_is_pass(run_packet(&run, &packet, NULL)));
	count = run_counts(&run);
	assert_int_equal(count.in_not_ip, 1);
	packet_ip_vlan(&packet, REMOTE6, LOCAL6, 1);
	packet_udp(&packet, 7, 7);
	expect(&packet, FATE_MUST_SEAL, "tagged");
}

/* Strangers cannot make anything grow by sending: no queue, no slot, no map entry, no event. */
/* Ingress has no maps to hold anything in. */
static void test_strangers_leave_no_trace(void **state)
{
	struct packet_bytes packet;
	struct hf_pair key;
	char remote[20];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		run_rule(&run, "0.0.0.0/0", i % HF_GROUP_COUNT);
		snprintf(remote, sizeof(remote), "203.0.%d.%d", i >> 8, i & 255);
		packet_simple(&packet, remote, LOCAL4, 10);
		run_packet(&run, &packet, NULL);
		shield_run_driver(&shield, packet.data, packet.len);
	}
	assert_null(bpf_object__find_map_by_name(run.object, "hf_slot"));
	assert_int_equal(run_events(&run), 0);
	assert_int_not_equal(bpf_map_get_next_key(run.gate, NULL, &key), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_run, close_run)
	const struct CMUnitTest tests[] = {
		TEST(test_every_cell),
		TEST(test_unknown_values_are_closed),
		TEST(test_another_pairs_verdict),
		TEST(test_esp),
		TEST(test_ike),
		TEST(test_dhcp_and_dns),
		TEST(test_scopes),
		TEST(test_neighbour_discovery),
		TEST(test_path_mtu),
		TEST(test_fragments),
		TEST(test_other_links),
		TEST(test_unreadable),
		TEST(test_unreadable_has_a_budget),
		TEST(test_strangers_leave_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
