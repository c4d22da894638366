// SPDX-License-Identifier: Apache-2.0
/*
 * Queues: one event each, told again when the ring was full; closed, opened again and recycled for another pair; ESP
 * that waits behind them during a handoff.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>

#include "hold_peer.h"

/* ---- events ------------------------------------------------------------------------------------- */

static void test_one_event_per_queue(void **state)
{
	struct hf_count count;

	(void)state;
	peer_open(NULL);
	for (int peer = 0; peer < 5; peer++)
		for (uint32_t n = 0; n < 20; n++) {
			peer_numbered(peer, n, 60);
			peer_send_held();
		}
	assert_int_equal(run_events(&peer_run), 5);
	count = run_counts(&peer_run);
	assert_int_equal(count.events, 5);
	assert_int_equal(count.events_lost, 0);
}

static void test_full_ring_reports_again(void **state)
{
	struct hf_count count;
	int lost;

	(void)state;
	peer_open(&(struct run_sizes){ .ring_bytes = 4096, .queues = 256 });
	for (int peer = 0; peer < 200; peer++) {
		peer_numbered(peer, 0, 60);
		peer_send_held();
	}
	count = run_counts(&peer_run);
	lost = (int)count.events_lost;
	assert_in_range(lost, 100, 199);
	assert_int_equal(count.events + count.events_lost, 200);
	assert_int_equal(run_events(&peer_run), 200 - lost);
	for (int peer = 200 - lost; peer < 200; peer++) {
		peer_numbered(peer, 1, 60);
		peer_send_held();
		run_events(&peer_run);
	}
	assert_int_equal(peer_run.events, 200);
	peer_numbered(199, 2, 60);
	peer_send_held();
	assert_int_equal(run_events(&peer_run), 0);
}

static void test_stray_is_reported_as_such(void **state)
{
	struct hf_pair pair = peer_pair(1);
	struct hf_count count;

	(void)state;
	peer_open(NULL);
	run_verdict(&peer_run, &pair, &(struct hf_gate){ .verdict = HF_VERDICT_SECURE, .group = HF_GROUP_PRIVATE });
	peer_numbered(1, 0, 60);
	peer_send_held();
	assert_int_equal(run_events(&peer_run), 1);
	assert_int_equal(peer_run.event.type, HF_EVENT_STRAY);
	count = run_counts(&peer_run);
	assert_int_equal(count.held_stray, 1);
	assert_int_equal(run_fates(&count), 1);
}

/* ---- closing and opening again ------------------------------------------------------------------ */

static void test_closed_queue_is_looked_up_anew(void **state)
{
	struct hf_slot_head head;
	uint32_t first, second;

	(void)state;
	peer_open(NULL);
	peer_numbered(1, 0, 60);
	peer_send_held();
	first = peer_queue(1);
	assert_false(run_queue_close(&peer_run, first)); /* not empty: the pair only left hf_hold */
	assert_int_equal(run_events(&peer_run), 1);
	peer_numbered(1, 1, 60);
	peer_send_held();
	second = peer_queue(1);
	assert_int_not_equal(first, second);
	assert_int_equal(run_events(&peer_run), 1); /* a new queue is reported of its own */
	assert_true(run_take(&peer_run, first, &head, NULL));
	assert_true(run_queue_close(&peer_run, first));
	assert_int_equal(peer_queue(1), second);
	assert_int_equal(peer_run.queue[first].owner, 0);
	assert_true(peer_run.queue[first].state & HF_QUEUE_CLOSED);
}

/* An agent that died between closing a queue and removing it from hf_hold: nothing goes into the closed queue. */
static void test_closed_queue_takes_nothing(void **state)
{
	struct hf_slot_head head;
	struct hf_count count;
	uint32_t queue;

	(void)state;
	peer_open(NULL);
	peer_numbered(1, 0, 60);
	peer_send_held();
	queue = peer_queue(1);
	assert_true(run_take(&peer_run, queue, &head, NULL));
	peer_run.queue[queue].state |= HF_QUEUE_CLOSED;
	peer_send_dropped();
	assert_int_equal((uint32_t)peer_run.queue[queue].state, 1);
	count = run_counts(&peer_run);
	assert_int_equal(count.drop_race, 1);
	assert_int_equal(run_slots_used(&peer_run), 0);
}

/* hf_hold still names a queue that belongs to another pair by now. */
static void test_recycled_queue_takes_only_its_pair(void **state)
{
	struct hf_pair pair = peer_pair(1);
	struct hf_hold hold;
	uint64_t before;

	(void)state;
	peer_open(NULL);
	peer_numbered(2, 0, 60);
	peer_send_held();
	hold.queue = peer_queue(2);
	before = peer_run.queue[hold.queue].state;
	hold.opening = (uint32_t)(before >> 32);
	assert_int_equal(bpf_map_update_elem(peer_run.hold, &pair, &hold, BPF_ANY), 0);
	peer_numbered(1, 0, 60);
	peer_send_dropped();
	assert_int_equal(peer_run.queue[hold.queue].state, before);
	assert_int_equal(run_slots_used(&peer_run), 1);
}

/*
 * A program is still about to queue into what it found in hf_hold, while another has opened that queue anew for the same pair
 * and is about to give it back, because it was not the first: a packet in it would be lost.
 */
static void test_other_opening_takes_nothing(void **state)
{
	struct hf_pair pair = peer_pair(1);
	struct hf_hold hold;
	uint64_t before;

	(void)state;
	peer_open(NULL);
	peer_numbered(1, 0, 60);
	peer_send_held();
	assert_int_equal(bpf_map_lookup_elem(peer_run.hold, &pair, &hold), 0);
	before = peer_run.queue[hold.queue].state;
	assert_int_equal(hold.opening, before >> 32);
	hold.opening--;
	assert_int_equal(bpf_map_update_elem(peer_run.hold, &pair, &hold, BPF_EXIST), 0);
	peer_numbered(1, 1, 60);
	peer_send_dropped();
	assert_int_equal(peer_run.queue[hold.queue].state, before);
	assert_int_equal(run_slots_used(&peer_run), 1);
	hold.opening++;
	assert_int_equal(bpf_map_update_elem(peer_run.hold, &pair, &hold, BPF_EXIST), 0);
	peer_send_held();
}

/* Each opening has a number of its own, which a compare and exchange of an earlier one can never match. */
static void test_openings_are_counted(void **state)
{
	struct hf_slot_head head;
	uint64_t before = 0, opened;
	uint32_t queue;

	(void)state;
	peer_open(&(struct run_sizes){ .queues = 1 });
	for (int peer = 0; peer < 20; peer++) {
		peer_numbered(peer, 0, 60);
		peer_send_held();
		queue = peer_queue(peer);
		opened = peer_run.queue[queue].state & ~HF_QUEUE_COUNT;
		assert_true(opened > before && !(opened & HF_QUEUE_CLOSED));
		before = opened;
		assert_true(run_take(&peer_run, queue, &head, NULL));
		assert_true(run_queue_close(&peer_run, queue));
		assert_int_equal(run_events(&peer_run), 1);
	}
	/* The last number there is: the next opening does not look closed. */
	peer_run.queue[0].state = HF_QUEUE_CLOSED | 0x7fffffff00000005ull;
	peer_numbered(50, 0, 60);
	peer_send_held();
	assert_int_equal(peer_run.queue[0].state, 1);
}

/* ---- handoff ------------------------------------------------------------------------------------ */

/* Sends one packet of the pair; true when it was queued, false when it passed. */
static bool queues_behind(bool esp)
{
	int action;

	packet_ip(&peer_packet, LOCAL4, "198.51.0.1");
	if (esp)
		packet_esp(&peer_packet, 0x1000);
	else
		packet_udp(&peer_packet, 1, 2);
	action = run_packet(&peer_run, &peer_packet, NULL);
	assert_true(run_is_pass(action) || run_is_stolen(&peer_run, action));
	return !run_is_pass(action);
}

static void test_handoff(void **state)
{
	struct hf_pair pair = peer_pair(1);
	struct hf_gate secure = { .verdict = HF_VERDICT_SECURE, .group = HF_GROUP_PRIVATE };
	struct hf_slot_head head;
	struct hf_count count;

	(void)state;
	peer_open(NULL);
	peer_numbered(1, 0, 60);
	peer_send_held();
	peer_run.config->handoffs = 1;
	secure.handoff_until_ns = run_now_ns() + 60000000000u;
	run_verdict(&peer_run, &pair, &secure);
	assert_true(queues_behind(true));

	peer_run.config->handoffs = 0;
	assert_false(queues_behind(true)); /* nobody said that there is a handoff */
	peer_run.config->handoffs = 1;
	secure.handoff_until_ns = 1;
	run_verdict(&peer_run, &pair, &secure);
	assert_false(queues_behind(true)); /* the agent died in it */
	secure.handoff_until_ns = run_now_ns() + 60000000000u;
	run_verdict(&peer_run, &pair, &secure);

	assert_true(run_take(&peer_run, peer_queue(1), &head, NULL));
	assert_int_equal(head.held, HF_HELD_CLEAR);
	assert_true(run_take(&peer_run, peer_queue(1), &head, NULL));
	assert_int_equal(head.held, HF_HELD_SEALED);
	assert_false(queues_behind(true)); /* the queue is empty: no more to wait for */
	count = run_counts(&peer_run);
	assert_int_equal(count.held_sealed, 1);
	assert_int_equal(count.out_esp, 3);
	assert_int_equal(run_fates(&count), 5);
}

/* The same when the pair is let go in clear. */
static void test_handoff_in_clear(void **state)
{
	struct hf_pair pair = peer_pair(1);
	struct hf_gate clear = { .verdict = HF_VERDICT_CLEAR, .group = HF_GROUP_PRIVATE_OR_CLEAR };
	struct hf_slot_head head;

	(void)state;
	peer_open(NULL);
	peer_numbered(1, 0, 60);
	peer_send_held();
	peer_run.config->handoffs = 1;
	clear.handoff_until_ns = run_now_ns() + 60000000000u;
	run_verdict(&peer_run, &pair, &clear);
	assert_true(queues_behind(false));
	while (run_take(&peer_run, peer_queue(1), &head, NULL))
		assert_int_equal(head.held, HF_HELD_CLEAR);
	assert_false(queues_behind(false));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, peer_close)
	const struct CMUnitTest tests[] = {
		TEST(test_one_event_per_queue),
		TEST(test_full_ring_reports_again),
		TEST(test_stray_is_reported_as_such),
		TEST(test_closed_queue_is_looked_up_anew),
		TEST(test_closed_queue_takes_nothing),
		TEST(test_recycled_queue_takes_only_its_pair),
		TEST(test_other_opening_takes_nothing),
		TEST(test_openings_are_counted),
		TEST(test_handoff),
		TEST(test_handoff_in_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
