// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes that are no proper packet: cut off at every length, mutated, with absurd headers. Whatever comes, the programs
 * return one of their actions, count the packet exactly once, and let nothing pass in clear that they cannot read while
 * something is protected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "run_prog.h"

#define MUTATIONS 20000
#define SEED 20240229u
#define ETH_LEN 14 /* the kernel runs no frame without an Ethernet header */

static struct run egress, ingress;

static int open_runs(void **state)
{
	static const char *const remotes[] = { REMOTE4, REMOTE6 };

	(void)state;
	run_open_egress(&egress, NULL);
	run_open_ingress(&ingress, NULL);
	for (int i = 0; i < 2; i++) {
		struct run *run = i ? &ingress : &egress;

		run_rule(run, "0.0.0.0/0", HF_GROUP_PRIVATE);
		run_rule(run, "::/0", HF_GROUP_PRIVATE);
		run_exempt(run, remotes[0], HF_EXEMPT_RESOLVER);
		run->config->flags = HF_CONFIG_STRICT;
	}
	return 0;
}

static int close_runs(void **state)
{
	(void)state;
	run_close(&egress);
	run_close(&ingress);
	return 0;
}

/* Newer kernels do not even run a program on a frame that ends within its IP header, unless a VLAN tag hides that. */
static bool is_refused(const uint8_t *data, size_t len)
{
	return (data[12] == 0x08 && data[13] == 0x00 && len < ETH_LEN + 20) ||
	       (data[12] == 0x86 && data[13] == 0xdd && len < ETH_LEN + 40) || len == ETH_LEN;
}

/* Runs one frame; the invariants of every frame are checked here. Returns the action. */
static int run_checked(struct run *run, const uint8_t *data, size_t len, const char *what)
{
	struct hf_count a = run_counts(run), b;
	int action = run_bytes(run, data, len, NULL);

	if (action == -EINVAL - 1000 && is_refused(data, len))
		return TC_ACT_SHOT;
	b = run_counts(run);
	if (!run_is_pass(action) && !run_is_drop(action) && !run_is_stolen(run, action))
		fail_msg("%s: action %d at %zu octets", what, action, len);
	if (run_fates(&b) - run_fates(&a) != 1)
		fail_msg("%s: %llu fates at %zu octets", what, (unsigned long long)(run_fates(&b) - run_fates(&a)),
			 len);
	if (b.out_by_policy != a.out_by_policy || b.in_pass != a.in_pass || b.out_clear != a.out_clear)
		fail_msg("%s: passed as allowed at %zu octets", what, len);
	if (b.malformed_passed != a.malformed_passed && run->config->flags & HF_CONFIG_STRICT)
		fail_msg("%s: passed unread at %zu octets", what, len);
	run_events(run);
	return action;
}

/* Empties everything that is held, so that a long test does not only see full queues. */
static void drain_all(struct run *run)
{
	struct hf_slot_head head;

	for (uint32_t i = 0; i < run->size.queues; i++) {
		if (!run->queue[i].owner)
			continue;
		while (run_take(run, i, &head, NULL))
			;
		assert_true(run_queue_close(run, i));
	}
	assert_int_equal(run_slots_used(run), 0);
}

/* ---- a collection of packets -------------------------------------------------------------------- */

static size_t build(struct packet_bytes *packet, int which)
{
	switch (which) {
	case 0:
		packet_simple(packet, LOCAL4, REMOTE4, 20);
		break;
	case 1:
		packet_simple(packet, LOCAL6, REMOTE6, 20);
		break;
	case 2:
		packet_ip_vlan(packet, LOCAL4, REMOTE4, 2);
		packet_tcp(packet, 1, 53);
		break;
	case 3:
		packet_ip(packet, LOCAL6, REMOTE6);
		packet_extension(packet, 0);
		packet_fragment(packet, 0, 1);
		packet_extension(packet, 60);
		packet_udp(packet, 500, 500);
		packet_ike(packet, 0x20, 28);
		break;
	case 4:
		packet_ip(packet, LOCAL4, REMOTE4);
		packet_udp(packet, 4500, 4500);
		packet_data(packet, "\0\0\0\0", 4);
		packet_ike(packet, 0x20, 28);
		break;
	case 5:
		packet_ip(packet, LOCAL6, REMOTE6);
		packet_icmp(packet, 135, 0);
		packet_hops(packet, 255);
		packet_fill(packet, 24, 0);
		break;
	case 6:
		packet_ip(packet, LOCAL4, REMOTE4);
		packet_icmp(packet, 3, 4);
		packet_fill(packet, 9, 0);
		packet_data(packet, "\x32", 1);
		break;
	case 7:
		packet_ip_vlan(packet, LOCAL6, REMOTE6, 1);
		packet_udp(packet, 546, 547);
		break;
	default:
		return 0;
	}
	return packet->len;
}

/*
 * Cut off anywhere. While the headers still promise more than there is, nothing can be held (the copy fails) and nothing
 * but an exempt packet passes.
 */
static void test_every_prefix(void **state)
{
	struct packet_bytes packet;

	(void)state;
	for (int which = 0; build(&packet, which); which++) {
		for (size_t len = ETH_LEN; len <= packet.len; len++) {
			run_checked(&egress, packet.data, len, "egress, prefix");
			run_checked(&ingress, packet.data, len, "ingress, prefix");
			drain_all(&egress);
		}
	}
}

static void test_cut_off_header_is_malformed(void **state)
{
	struct packet_bytes packet;
	struct hf_count count;

	(void)state;
	for (int v4 = 0; v4 < 2; v4++) {
		packet_ip_vlan(&packet, v4 ? LOCAL4 : LOCAL6, v4 ? REMOTE4 : REMOTE6, 1);
		packet_fill(&packet, 40, 0);
		for (size_t len = packet.l3; len < packet.l3 + (v4 ? 20 : 40); len++) {
			assert_true(run_is_drop(run_checked(&egress, packet.data, len, "egress")));
			assert_true(run_is_drop(run_checked(&ingress, packet.data, len, "ingress")));
		}
	}
	count = run_counts(&egress);
	assert_int_equal(count.drop_malformed, 60);
	count = run_counts(&ingress);
	assert_int_equal(count.in_drop_malformed, 60);
}

/* Where nothing is protected, what cannot be read is somebody else's business. */
static void test_not_strict(void **state)
{
	struct packet_bytes packet;
	struct hf_count count;
	size_t len;

	(void)state;
	packet_ip_vlan(&packet, LOCAL4, REMOTE4, 1);
	len = packet.l3 + 10;
	egress.config->flags = 0;
	ingress.config->flags = 0;
	assert_true(run_is_pass(run_checked(&egress, packet.data, len, "egress")));
	assert_true(run_is_pass(run_checked(&ingress, packet.data, len, "ingress")));
	count = run_counts(&egress);
	assert_int_equal(count.malformed_passed, 1);
	egress.config->abi_version = 0; /* no agent ever said what is protected */
	assert_true(run_is_drop(run_checked(&egress, packet.data, len, "egress")));
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void test_mutations(void **state)
{
	struct packet_bytes packet;
	uint32_t seed = SEED;
	int kinds = 0;

	(void)state;
	while (build(&packet, kinds))
		kinds++;
	for (int i = 0; i < MUTATIONS; i++) {
		size_t len = build(&packet, (int)(next_random(&seed) % (uint32_t)kinds));
		uint32_t changes = 1 + next_random(&seed) % 6;

		while (changes--)
			packet.data[12 + next_random(&seed) % (len - 12)] = (uint8_t)next_random(&seed);
		if (next_random(&seed) % 4 == 0)
			len = ETH_LEN + next_random(&seed) % (uint32_t)(len - ETH_LEN + 1);
		egress.config->flags = ingress.config->flags = next_random(&seed) & HF_CONFIG_STRICT;
		run_checked(&egress, packet.data, len, "egress, mutation");
		run_checked(&ingress, packet.data, len, "ingress, mutation");
		if (i % 256 == 255)
			drain_all(&egress);
	}
	drain_all(&egress);
}

/* ---- headers that say nonsense ------------------------------------------------------------------ */

static void test_ipv4_lengths(void **state)
{
	struct packet_bytes packet;
	struct hf_count count;

	(void)state;
	for (int ihl = 0; ihl < 16; ihl++) {
		for (int version = 3; version <= 6; version++) {
			bool good = version == 4 && ihl >= 5;
			struct hf_count before = run_counts(&egress);

			packet_simple(&packet, LOCAL4, REMOTE4, 60);
			packet.data[packet.l3] = (uint8_t)(version << 4 | ihl);
			run_checked(&egress, packet.data, packet.len, "header length");
			count = run_counts(&egress);
			assert_int_equal(count.drop_malformed - before.drop_malformed, !good);
			assert_int_equal(count.held - before.held, good);
		}
	}
	for (uint8_t total = 1; total < 20; total++) {
		packet_simple(&packet, LOCAL4, REMOTE4, 60);
		packet.data[packet.l3 + 3] = total;
		assert_true(run_is_drop(run_checked(&egress, packet.data, packet.len, "total length")));
		assert_true(run_is_drop(run_checked(&ingress, packet.data, packet.len, "total length")));
	}
}

/* A v4-mapped address on the wire would be an IPv4 pair's key: it must not borrow that pair's verdict. */
static void test_v4_mapped(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct hf_gate clear = { .verdict = HF_VERDICT_CLEAR };
	static const char *const addrs[][2] = {
		{ "::ffff:192.0.2.1", "::ffff:198.51.100.2" },
		{ LOCAL6, "::ffff:198.51.100.2" },
		{ "::ffff:192.0.2.1", REMOTE6 },
	};
	struct packet_bytes packet;

	(void)state;
	run_verdict(&egress, &pair, &clear);
	run_verdict(&ingress, &pair, &clear);
	for (int i = 0; i < 3; i++) {
		packet_simple(&packet, addrs[i][0], addrs[i][1], 20);
		assert_true(run_is_drop(run_checked(&egress, packet.data, packet.len, "mapped")));
		packet_simple(&packet, addrs[i][1], addrs[i][0], 20);
		assert_true(run_is_drop(run_checked(&ingress, packet.data, packet.len, "mapped")));
	}
}

/*
 * Chains of 0 to 12 extension headers before ESP, which passes when it is found, and before UDP, which is held always:
 * a chain longer than the programs walk is of an unknown protocol.
 */
static void test_extension_chains(void **state)
{
	static const uint8_t kinds[] = { 0, 60, 43, 135, 139, 140 };
	struct packet_bytes packet;

	(void)state;
	for (int count = 0; count <= 12; count++) {
		for (int esp = 0; esp < 2; esp++) {
			int action;

			packet_ip(&packet, LOCAL6, REMOTE6);
			for (int i = 0; i < count; i++)
				packet_extension(&packet, kinds[i % 6]);
			if (esp)
				packet_esp(&packet, 0x1000);
			else
				packet_udp(&packet, 1, 2);
			action = run_checked(&egress, packet.data, packet.len, "chain");
			assert_int_equal(run_is_pass(action), esp && count <= 8);
			assert_int_equal(run_is_stolen(&egress, action), !(esp && count <= 8));
			action = run_checked(&ingress, packet.data, packet.len, "chain");
			assert_int_equal(run_is_pass(action), esp && count <= 8);
		}
	}
}

/* Extension headers of all lengths, also such that point far behind the end. */
static void test_extension_lengths(void **state)
{
	struct packet_bytes packet;

	(void)state;
	for (int len = 0; len < 256; len++) {
		packet_ip(&packet, LOCAL6, REMOTE6);
		packet_extension(&packet, 60);
		packet.data[packet.l4 + 1] = (uint8_t)len;
		packet_fill(&packet, 600, 0);
		/* What lies there is no ESP that anybody said: only the first header's word counts. */
		assert_true(run_is_stolen(&egress, run_checked(&egress, packet.data, packet.len, "length")));
		drain_all(&egress);
	}
}

/* No next header and no payload: 40 octets that are a whole packet. */
static void test_no_next_header(void **state)
{
	struct packet_bytes packet;

	(void)state;
	packet_ip(&packet, LOCAL6, REMOTE6);
	assert_true(run_is_stolen(&egress, run_checked(&egress, packet.data, packet.len, "bare")));
	packet.data[packet.next_header] = IPPROTO_UDP; /* that is a length of BIG TCP */
	assert_true(run_is_drop(run_checked(&egress, packet.data, packet.len, "jumbo")));
}

/*
 * Frames that the fast way does not trust, because their first octet could be an IP header's, meet the same fate as
 * others.
 */
static void test_doubtful_frames(void **state)
{
	static const uint8_t first[] = { 0x00, 0x40, 0x45, 0x4f, 0x60, 0x6f, 0x02, 0xff };
	struct hf_pair pairs[] = { run_pair(LOCAL6, REMOTE6), run_pair(LOCAL4, REMOTE4) };
	struct packet_bytes packet;

	(void)state;
	for (size_t i = 0; i < sizeof(first); i++) {
		for (int v4 = 0; v4 < 2; v4++) {
			packet_simple(&packet, v4 ? LOCAL4 : LOCAL6, v4 ? REMOTE4 : REMOTE6, 50);
			packet.data[0] = first[i];
			assert_true(run_is_stolen(&egress, run_checked(&egress, packet.data, packet.len, "doubtful")));
			assert_int_equal(run_queue(&egress, &pairs[v4]), egress.event.queue);
			assert_memory_equal(&egress.event.pair, &pairs[v4], sizeof(pairs[v4]));
			drain_all(&egress);
		}
	}
}

static void test_vlan_depth(void **state)
{
	struct packet_bytes packet;

	(void)state;
	packet_ip_vlan(&packet, LOCAL4, REMOTE4, 3);
	packet_udp(&packet, 1, 2);
	assert_true(run_is_drop(run_checked(&egress, packet.data, packet.len, "three tags")));
	assert_true(run_is_drop(run_checked(&ingress, packet.data, packet.len, "three tags")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_runs, close_runs)
	const struct CMUnitTest tests[] = {
		TEST(test_every_prefix),     TEST(test_cut_off_header_is_malformed),
		TEST(test_not_strict),	     TEST(test_mutations),
		TEST(test_ipv4_lengths),     TEST(test_v4_mapped),
		TEST(test_extension_chains), TEST(test_extension_lengths),
		TEST(test_no_next_header),   TEST(test_doubtful_frames),
		TEST(test_vlan_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
