// SPDX-License-Identifier: Apache-2.0
/*
 * Held packets: what is kept of them, in which order, how much at most, what happens when room runs out or the ring is
 * full, and when the agent closes a queue. Several senders at once: test_race.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "hold_peer.h"

/* ---- what is kept ------------------------------------------------------------------------------- */

static void test_everything_is_kept(void **state)
{
	const struct run_mark mark = { .mark = 0xabcdef01, .priority = 6, .gso_size = 700 };
	struct hf_pair pair = run_pair(LOCAL6, REMOTE6);
	uint64_t before = run_now_ns();
	uint8_t data[HF_SLOT_DATA];
	struct hf_slot_head head;
	uint32_t queue;

	(void)state;
	peer_open(NULL);
	packet_simple(&peer_packet, LOCAL6, REMOTE6, 1999);
	assert_true(run_is_stolen(&peer_run, run_packet(&peer_run, &peer_packet, &mark)));
	assert_int_equal(run_events(&peer_run), 1);
	assert_int_equal(peer_run.event.type, HF_EVENT_FLOW_MISS);
	assert_int_equal(peer_run.event.group, HF_GROUP_PRIVATE_OR_CLEAR);
	assert_memory_equal(&peer_run.event.pair, &pair, sizeof(pair));
	assert_int_equal(peer_run.event.ifindex, 1);
	queue = peer_run.event.queue;
	assert_int_equal(run_queue(&peer_run, &pair), queue);
	assert_memory_equal(&peer_run.queue[queue].pair, &pair, sizeof(pair));
	assert_int_equal(peer_run.queue[queue].bytes, peer_packet.len - peer_packet.l3);
	assert_in_range(peer_run.queue[queue].first_ns, before, run_now_ns());

	assert_true(run_take(&peer_run, queue, &head, data));
	assert_int_equal(head.owner, queue + 1);
	assert_int_equal(head.len, peer_packet.len - peer_packet.l3);
	assert_memory_equal(data, peer_packet.data + peer_packet.l3, head.len);
	assert_memory_equal(&head.pair, &pair, sizeof(pair));
	assert_int_equal(head.mark, mark.mark);
	assert_int_equal(head.priority, mark.priority);
	assert_int_equal(head.gso_size, mark.gso_size);
	assert_int_equal(head.held, HF_HELD_CLEAR);
	assert_int_equal(head.ifindex, 1);
	assert_in_range(head.time_ns, before, run_now_ns());
	assert_int_equal(peer_run.queue[queue].bytes, 0);
	assert_int_equal(run_slots_used(&peer_run), 0);
}

/* Every length around the edges of the two slot sizes, bytes compared. */
static void test_lengths(void **state)
{
	static const size_t lens[] = { 28, 29, 127, 128, 129, 1500, 2047, 2048, 2049, 3000, 3500 };
	static uint8_t data[HF_SLOT_BIG_DATA];
	struct hf_slot_head head;

	(void)state;
	peer_open(NULL);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		packet_simple(&peer_packet, LOCAL4, "198.51.0.1", lens[i] - 28);
		peer_send_held();
		assert_true(peer_run.queue[peer_queue(1)].slot[i % HF_QUEUE_SLOTS] != 0);
		assert_int_equal(!!(peer_run.queue[peer_queue(1)].slot[i] & HF_REF_BIG), lens[i] > HF_SLOT_DATA);
		assert_true(run_take(&peer_run, peer_queue(1), &head, data));
		assert_int_equal(head.len, lens[i]);
		assert_memory_equal(data, peer_packet.data + peer_packet.l3, lens[i]);
	}
	/* A header alone, in both families. */
	packet_ip(&peer_packet, LOCAL4, "198.51.0.1");
	peer_send_held();
	assert_true(run_take(&peer_run, peer_queue(1), &head, data));
	assert_int_equal(head.len, 20);
	packet_ip(&peer_packet, LOCAL6, REMOTE6);
	peer_send_held();
}

static void test_tagged_packet_is_kept_without_its_tag(void **state)
{
	struct hf_slot_head head;
	uint8_t data[HF_SLOT_DATA];

	(void)state;
	peer_open(NULL);
	packet_ip_vlan(&peer_packet, LOCAL4, "198.51.0.1", 2);
	packet_udp(&peer_packet, 1, 2);
	packet_fill(&peer_packet, 77, 3);
	peer_send_held();
	assert_true(run_take(&peer_run, peer_queue(1), &head, data));
	assert_int_equal(head.len, 20 + 8 + 77);
	assert_memory_equal(data, peer_packet.data + peer_packet.l3, head.len);
}

static void test_order(void **state)
{
	struct hf_slot_head head;
	uint8_t data[HF_SLOT_DATA];
	uint32_t next = 0;

	(void)state;
	peer_open(NULL);
	for (uint32_t n = 0; n < 300; n++) {
		peer_numbered(1, n, 50);
		peer_send_held();
		if (n % 3 == 2) /* two of three leave at once, so that the ring of places comes round */
			for (int i = 0; i < 2; i++, next++) {
				assert_true(run_take(&peer_run, peer_queue(1), &head, data));
				assert_int_equal(peer_number(data), next);
			}
	}
	while (run_take(&peer_run, peer_queue(1), &head, data))
		assert_int_equal(peer_number(data), next++);
	assert_int_equal(next, 300);
	assert_int_equal(peer_run.queue[peer_queue(1)].bytes, 0);
	assert_int_equal(run_slots_used(&peer_run), 0);
}

/* ---- limits ------------------------------------------------------------------------------------- */

static void test_pair_limit_keeps_the_first_and_the_latest(void **state)
{
	struct hf_slot_head head;
	uint8_t data[HF_SLOT_DATA];
	struct hf_count count;

	(void)state;
	peer_open(NULL);
	for (uint32_t n = 0; n < 200; n++) {
		peer_numbered(1, n, 100);
		peer_send_held();
	}
	assert_int_equal(run_slots_used(&peer_run), HF_QUEUE_SLOTS);
	count = run_counts(&peer_run);
	assert_int_equal(count.held, 200);
	assert_int_equal(count.drop_pair_full, 200 - HF_QUEUE_SLOTS);
	for (uint32_t n = 0; n < HF_QUEUE_SLOTS - 1; n++) {
		assert_true(run_take(&peer_run, peer_queue(1), &head, data));
		assert_int_equal(peer_number(data), n);
	}
	assert_true(run_take(&peer_run, peer_queue(1), &head, data));
	assert_int_equal(peer_number(data), 199);
	assert_false(run_take(&peer_run, peer_queue(1), &head, data));
	assert_int_equal(peer_run.queue[peer_queue(1)].bytes, 0);
}

static void test_pair_limit_of_octets(void **state)
{
	struct hf_slot_head head;
	uint8_t data[HF_SLOT_DATA];
	struct hf_count count;
	uint32_t kept = HF_QUEUE_BYTES / 1500, bytes = 0, last = 0, taken = 0;

	(void)state;
	peer_open(NULL);
	for (uint32_t n = 0; n < kept + 10; n++) {
		peer_numbered(1, n, 1500 - 28);
		peer_send_held();
	}
	count = run_counts(&peer_run);
	assert_int_equal(count.held, kept + 10);
	assert_int_equal(count.drop_pair_full, 10);
	assert_int_equal(peer_run.queue[peer_queue(1)].bytes, kept * 1500);
	for (; run_take(&peer_run, peer_queue(1), &head, data); taken++) {
		bytes += head.len;
		last = peer_number(data);
		assert_true(taken == kept - 1 || last == taken);
	}
	assert_int_equal(taken, kept);
	assert_int_equal(last, kept + 9);
	assert_true(bytes <= HF_QUEUE_BYTES);
}

static void test_slots_run_out(void **state)
{
	struct hf_slot_head head;
	struct hf_count count;

	(void)state;
	peer_open(&(struct run_sizes){ .slots = 16 });
	for (int peer = 0; peer < 16; peer++) {
		peer_numbered(peer, 0, 60);
		peer_send_held();
	}
	peer_numbered(16, 0, 60);
	peer_send_dropped();
	count = run_counts(&peer_run);
	assert_int_equal(count.drop_slots_full, 1);
	assert_int_equal(run_fates(&count), 17);
	assert_true(run_take(&peer_run, peer_queue(3), &head, NULL));
	peer_send_held(); /* the one place that is free is found */
}

static void test_big_slots_run_out(void **state)
{
	struct hf_count count;

	(void)state;
	peer_open(&(struct run_sizes){ .slots_big = 2 });
	for (int i = 0; i < 3; i++) {
		peer_numbered(i, 0, 3000);
		if (i < 2)
			peer_send_held();
		else
			peer_send_dropped();
	}
	peer_numbered(3, 0, 100);
	peer_send_held(); /* small ones have their own room */
	count = run_counts(&peer_run);
	assert_int_equal(count.drop_slots_full, 1);
	assert_int_equal(count.held, 3);
}

static void test_queues_run_out(void **state)
{
	struct hf_count count;

	(void)state;
	peer_open(&(struct run_sizes){ .queues = 8 });
	for (int peer = 0; peer < 8; peer++) {
		peer_numbered(peer, 0, 60);
		peer_send_held();
	}
	peer_numbered(8, 0, 60);
	peer_send_dropped();
	count = run_counts(&peer_run);
	assert_int_equal(count.drop_queues_full, 1);
	assert_int_equal(run_slots_used(&peer_run), 8); /* what it took on the way is free again */
}

static void test_hold_map_full(void **state)
{
	struct hf_count count;
	int in_use = 0;

	(void)state;
	peer_open(&(struct run_sizes){ .queues = 16, .holds = 4 });
	for (int peer = 0; peer < 8; peer++) {
		peer_numbered(peer, 0, 60);
		run_packet(&peer_run, &peer_packet, NULL);
	}
	count = run_counts(&peer_run);
	assert_int_equal(count.held + count.drop_queues_full, 8);
	assert_int_equal(run_slots_used(&peer_run), count.held);
	for (uint32_t i = 0; i < peer_run.size.queues; i++)
		in_use += peer_run.queue[i].owner != 0;
	assert_int_equal(in_use, count.held);
}

/*
 * What dead peers hold lies together where it was taken. A search that starts there must still find what is free
 * elsewhere, or the dead delay the living.
 */
static void test_dead_peers_do_not_hide_free_room(void **state)
{
	struct hf_count count;

	(void)state;
	peer_open(&(struct run_sizes){ .slots = 4096, .queues = 4096 });
	for (uint32_t i = 0; i < 2048; i++) {
		peer_run.slot[i].head.owner = 1;
		peer_run.queue[i].owner = 1;
	}
	for (int peer = 0; peer < 1000; peer++) {
		peer_numbered(peer, 0, 60);
		peer_send_held();
	}
	count = run_counts(&peer_run);
	assert_int_equal(count.held, 1000);
}

/* What strangers provoke (SYN-ACK, RST, echo reply) finds half of the room; the rest is for what begins here. */
static void test_replies_leave_half_of_the_room(void **state)
{
	struct hf_count count;
	char remote[32];

	(void)state;
	peer_open(&(struct run_sizes){ .slots = 64, .queues = 64 });
	for (int peer = 0; peer < 64; peer++) {
		snprintf(remote, sizeof(remote), "10.3.1.%d", peer + 1);
		packet_ip(&peer_packet, LOCAL4, remote);
		if (peer % 2) {
			packet_tcp(&peer_packet, 80, 1024);
			peer_packet.data[peer_packet.l4 + 13] = peer % 4 == 1 ? 0x12 : 0x04; /* SYN ACK, RST */
		} else {
			packet_icmp(&peer_packet, 0, 0);
		}
		run_packet(&peer_run, &peer_packet, NULL);
	}
	count = run_counts(&peer_run);
	assert_in_range(count.held, 20, 33);
	for (int peer = 0; peer < 31; peer++) {
		snprintf(remote, sizeof(remote), "10.3.2.%d", peer + 1);
		packet_ip(&peer_packet, LOCAL4, remote);
		if (peer % 2) {
			packet_tcp(&peer_packet, 1024, 80);
			peer_packet.data[peer_packet.l4 + 13] = 0x02; /* SYN */
		} else {
			packet_icmp(&peer_packet, 8, 0);
		}
		run_packet(&peer_run, &peer_packet, NULL);
	}
	/* A search looks at 64 random places of 64: one may find nothing though something is free. */
	assert_true(run_counts(&peer_run).held >= count.held + 25);
}

/* The header of BIG TCP (RFC 2675) says 0, and IPv4's too (Linux 6.3): it fits no slot. */
static void test_big_tcp_is_refused(void **state)
{
	struct hf_count count;

	(void)state;
	peer_open(NULL);
	for (int v4 = 0; v4 < 2; v4++) {
		packet_ip(&peer_packet, v4 ? LOCAL4 : LOCAL6, v4 ? REMOTE4 : REMOTE6);
		packet_tcp(&peer_packet, 1, 2);
		packet_fill(&peer_packet, 100, 0);
		memset(peer_packet.data + peer_packet.l3 + (v4 ? 2 : 4), 0, 2);
		peer_send_dropped();
	}
	count = run_counts(&peer_run);
	assert_int_equal(count.drop_too_big, 2);
	assert_int_equal(run_slots_used(&peer_run), 0);
}

/* A header that promises more than there is: nothing behind the end is copied. */
static void test_length_beyond_the_end(void **state)
{
	struct hf_count count;

	(void)state;
	peer_open(NULL);
	packet_simple(&peer_packet, LOCAL4, REMOTE4, 100);
	peer_packet.data[peer_packet.l3 + 2] = 0xff;
	peer_send_dropped();
	peer_packet.data[peer_packet.l3 + 2] = 0x00;
	peer_packet.data[peer_packet.l3 + 3] = 129; /* one octet */
	peer_send_dropped();
	count = run_counts(&peer_run);
	assert_int_equal(count.drop_copy, 2);
	assert_int_equal(run_slots_used(&peer_run), 0);
	assert_int_equal(run_events(&peer_run), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, peer_close)
	const struct CMUnitTest tests[] = {
		TEST(test_everything_is_kept),
		TEST(test_lengths),
		TEST(test_tagged_packet_is_kept_without_its_tag),
		TEST(test_order),
		TEST(test_pair_limit_keeps_the_first_and_the_latest),
		TEST(test_pair_limit_of_octets),
		TEST(test_slots_run_out),
		TEST(test_big_slots_run_out),
		TEST(test_queues_run_out),
		TEST(test_hold_map_full),
		TEST(test_dead_peers_do_not_hide_free_room),
		TEST(test_replies_leave_half_of_the_room),
		TEST(test_big_tcp_is_refused),
		TEST(test_length_beyond_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
