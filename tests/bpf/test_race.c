// SPDX-License-Identifier: Apache-2.0
/*
 * Several senders at once, to the same peer and to different ones, while an agent takes off what they hold and closes
 * queues under their hands. Whatever the interleaving: each packet is taken once, displaced or dropped, by the counters;
 * what one sender sent to one peer comes in its order; no slot and no queue is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_prog.h"

#define SENDERS 3
#define PEERS 6
#define PACKETS_MAX 4000
#define TIME_NS 2000000000u

struct stamp {
	uint32_t sender, n;
};

/* What the agent does while packets come in. */
enum agent {
	AGENT_SERVES,	/* empties and closes queues */
	AGENT_SLEEPS,	/* until all have sent */
	AGENT_SNATCHES, /* takes the only packet of a queue that is full with one, and never closes it */
};

struct scene {
	struct run run;
	const char *name;
	int peers;
	uint32_t packets; /* of each sender, at most PACKETS_MAX */
	atomic_int senders_left;
	atomic_uint stolen, dropped;
	uint8_t seen[SENDERS][PACKETS_MAX];
	int64_t last[SENDERS][PEERS];
	unsigned int taken, closed, disorder, wrong_pair, twice;
};

struct sender {
	struct scene *scene;
	uint32_t id;
};

static int peer_of(const struct scene *scene, uint32_t sender, uint32_t n)
{
	return (int)((n / 7 + sender) % (uint32_t)scene->peers);
}

static void *send_packets(void *arg)
{
	struct sender *sender = arg;
	struct scene *scene = sender->scene;
	uint64_t end = run_now_ns() + TIME_NS;
	struct packet_bytes packet;
	char remote[20];

	for (uint32_t n = 0; n < scene->packets && run_now_ns() < end; n++) {
		struct stamp stamp = { sender->id, n };
		int action;

		snprintf(remote, sizeof(remote), "198.51.100.%d", peer_of(scene, sender->id, n));
		packet_ip(&packet, LOCAL4, remote);
		packet_udp(&packet, 40000, 7);
		packet_data(&packet, &stamp, sizeof(stamp));
		action = run_packet(&scene->run, &packet, NULL);
		if (run_is_stolen(&scene->run, action))
			atomic_fetch_add(&scene->stolen, 1);
		else if (run_is_drop(action))
			atomic_fetch_add(&scene->dropped, 1);
		if (n % 32 == 31) /* the agent's turn, where there are fewer CPUs than threads */
			sched_yield();
	}
	atomic_fetch_sub(&scene->senders_left, 1);
	return NULL;
}

static void on_taken(struct scene *scene, const struct hf_queue *queue, const struct hf_slot_head *head,
		     const uint8_t *data)
{
	struct stamp stamp;
	int peer;

	memcpy(&stamp, data + 28, sizeof(stamp));
	scene->taken++;
	if (stamp.sender >= SENDERS || stamp.n >= PACKETS_MAX) {
		scene->wrong_pair++;
		return;
	}
	peer = peer_of(scene, stamp.sender, stamp.n);
	if (memcmp(&queue->pair, &head->pair, sizeof(head->pair)) || head->pair.remote.octet[15] != peer)
		scene->wrong_pair++;
	if (scene->seen[stamp.sender][stamp.n]++)
		scene->twice++;
	if (scene->last[stamp.sender][peer] > stamp.n)
		scene->disorder++;
	scene->last[stamp.sender][peer] = stamp.n;
}

static int by_age(const void *a, const void *b)
{
	const struct hf_queue *x = *(struct hf_queue *const *)a, *y = *(struct hf_queue *const *)b;

	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

/*
 * A queue that somebody is just opening counts nothing yet, and one that was closed is not the agent's any more: both
 * are left alone, or two would own it.
 */
static bool is_served(struct hf_queue *queue, bool all)
{
	uint64_t state = __atomic_load_n(&queue->state, __ATOMIC_SEQ_CST);

	if (!__atomic_load_n(&queue->owner, __ATOMIC_SEQ_CST) || state & HF_QUEUE_CLOSED)
		return false;
	return all || state & HF_QUEUE_COUNT;
}

/*
 * One round of the agent. Queues of one pair are emptied in the order in which they were opened: the pair got the
 * next one only after it had lost the one before.
 */
static void serve_queues(struct scene *scene, bool all)
{
	struct run *run = &scene->run;
	struct hf_queue *open[64];
	uint8_t data[HF_SLOT_DATA];
	struct hf_slot_head head;
	size_t count = 0;

	for (uint32_t i = 0; i < run->size.queues; i++)
		if (is_served(&run->queue[i], all))
			open[count++] = &run->queue[i];
	qsort(open, count, sizeof(open[0]), by_age);
	for (size_t i = 0; i < count; i++) {
		uint32_t index = (uint32_t)(open[i] - run->queue);

		do {
			while (run_take(run, index, &head, data))
				on_taken(scene, open[i], &head, data);
		} while (!run_queue_close(run, index));
		scene->closed++;
	}
}

/*
 * The queue counts as full with a single packet in it, so that each packet displaces the one before at the moment at
 * which the agent takes it: whoever gets it, nobody may leave a packet at a place that was passed.
 */
static void snatch(struct scene *scene, struct hf_queue **full)
{
	struct run *run = &scene->run;
	struct hf_slot_head head;
	uint8_t data[HF_SLOT_DATA];

	for (uint32_t i = 0; i < run->size.queues && !*full; i++) {
		if (is_served(&run->queue[i], false)) {
			*full = &run->queue[i];
			__atomic_fetch_add(&(*full)->bytes, HF_QUEUE_BYTES, __ATOMIC_SEQ_CST);
		}
	}
	for (int i = 0; i < 100000 && *full; i++)
		if (run_take(run, (uint32_t)(*full - run->queue), &head, data))
			on_taken(scene, *full, &head, data);
}

static void act(struct scene *scene, enum agent agent)
{
	struct hf_queue *full = NULL;

	while (atomic_load(&scene->senders_left)) {
		if (agent == AGENT_SERVES)
			serve_queues(scene, false);
		if (agent == AGENT_SNATCHES)
			snatch(scene, &full);
		run_events(&scene->run);
		sched_yield();
	}
	if (full)
		__atomic_fetch_sub(&full->bytes, HF_QUEUE_BYTES, __ATOMIC_SEQ_CST);
}

/* Where a sum is wrong, all sums tell more than the one: who lost what. */
static void print_state(const struct scene *scene)
{
	struct hf_count count = run_counts(&scene->run);

	print_message(
		"%s: %u stolen, %u dropped, %u taken, %u queues closed; %u twice, %u of a wrong pair, %u in disorder; "
		"held %llu, drop_pair_full %llu, drop_slots_full %llu, drop_queues_full %llu, drop_race %llu, "
		"events %llu, events_lost %llu, slots in use %u\n",
		scene->name, atomic_load(&scene->stolen), atomic_load(&scene->dropped), scene->taken, scene->closed,
		scene->twice, scene->wrong_pair, scene->disorder, count.held, count.drop_pair_full,
		count.drop_slots_full, count.drop_queues_full, count.drop_race, count.events, count.events_lost,
		run_slots_used(&scene->run));
}

static void print_queue(const struct hf_queue *queue, uint32_t index)
{
	print_message("queue %u: owner %u, state %016llx, taken %u, bytes %d, to ...%u; places in use:", index,
		      queue->owner, queue->state, queue->taken, (int)queue->bytes, queue->pair.remote.octet[15]);
	for (int place = 0; place < HF_QUEUE_SLOTS; place++)
		if (queue->slot[place])
			print_message(" %d", place);
	print_message("\n");
}

static bool is_free(const struct hf_queue *queue)
{
	bool empty = true;

	for (int place = 0; place < HF_QUEUE_SLOTS; place++)
		empty = empty && !queue->slot[place];
	return empty && !queue->owner && !queue->bytes;
}

/* Says which sum of which scene is wrong, and all that is known with it. */
static void expect_sum(const struct scene *scene, const char *what, uint64_t is, uint64_t wanted)
{
	if (is == wanted)
		return;
	print_state(scene);
	fail_msg("%s: %s: %llu, expected %llu", scene->name, what, (unsigned long long)is, (unsigned long long)wanted);
}

/* Everything adds up, and everything is free again. */
static void check_sums(const struct scene *scene)
{
	struct hf_count count = run_counts(&scene->run);
	unsigned int stolen = atomic_load(&scene->stolen), dropped = atomic_load(&scene->dropped), busy = 0;

	for (uint32_t i = 0; i < scene->run.size.queues; i++) {
		if (is_free(&scene->run.queue[i]))
			continue;
		print_queue(&scene->run.queue[i], i);
		busy++;
	}
	expect_sum(scene, "queues that are not free", busy, 0);
	expect_sum(scene, "slots that are not free", run_slots_used(&scene->run), 0);
	expect_sum(scene, "held, as the senders saw it", count.held, stolen);
	expect_sum(scene, "packets with a fate", run_fates(&count), stolen + dropped);
	expect_sum(scene, "taken and displaced", scene->taken + count.drop_pair_full, count.held);
	expect_sum(scene, "taken twice", scene->twice, 0);
	expect_sum(scene, "of a wrong pair", scene->wrong_pair, 0);
	expect_sum(scene, "out of order", scene->disorder, 0);
	if (scene->run.size.queues > PEERS)
		expect_sum(scene, "dropped for want of a queue", count.drop_queues_full, 0);
}

static void run_round(struct scene *scene, enum agent agent)
{
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	memset(scene->seen, 0, sizeof(scene->seen));
	memset(scene->last, 0xff, sizeof(scene->last));
	atomic_store(&scene->senders_left, SENDERS);
	for (uint32_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ scene, i };
		assert_int_equal(pthread_create(&threads[i], NULL, send_packets, &senders[i]), 0);
	}
	act(scene, agent);
	for (uint32_t i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	serve_queues(scene, true);
}

/* `packets` of each sender in each round; everything must be free again after each. */
static void race(const char *name, int peers, const struct run_sizes *size, enum agent agent, uint32_t packets,
		 int rounds)
{
	static struct scene scene;
	uint64_t end = run_now_ns() + TIME_NS;

	memset(&scene, 0, sizeof(scene));
	scene.name = name;
	scene.peers = peers;
	scene.packets = packets;
	run_open_egress(&scene.run, size);
	run_rule(&scene.run, "0.0.0.0/0", HF_GROUP_PRIVATE);
	for (int round = 0; round < rounds && run_now_ns() < end; round++) {
		run_round(&scene, agent);
		check_sums(&scene);
	}
	print_state(&scene);
	run_close(&scene.run);
}

static void test_one_peer(void **state)
{
	(void)state;
	race("one peer", 1, NULL, AGENT_SERVES, PACKETS_MAX, 1);
}

static void test_several_peers(void **state)
{
	(void)state;
	race("several peers", PEERS, NULL, AGENT_SERVES, PACKETS_MAX, 1);
}

/* Nobody takes anything off: the queue is full and all senders displace one another's newest packet. */
static void test_full_queue(void **state)
{
	(void)state;
	race("full queue", 1, NULL, AGENT_SLEEPS, PACKETS_MAX, 1);
}

static void test_displaced_while_taken(void **state)
{
	(void)state;
	/* Fewer packets than places: a packet left behind is not displaced by the next time round. */
	race("displaced while taken", 1, NULL, AGENT_SNATCHES, (HF_QUEUE_SLOTS - 1) / SENDERS, 500);
}

/* Hardly any room: searches fail, queues change hands all the time. */
static void test_little_room(void **state)
{
	(void)state;
	race("little room", PEERS, &(struct run_sizes){ .slots = 8, .queues = 4 }, AGENT_SERVES, PACKETS_MAX, 1);
}

/* One pair is denied whatever its entry says or lacks, and its element of the map goes to a pair that may pass, and back. */
static void *swap_elements(void *arg)
{
	struct scene *scene = arg;
	struct hf_pair denied = run_pair(LOCAL4, REMOTE4), allowed = run_pair(LOCAL4, "198.51.100.3");

	while (atomic_load(&scene->senders_left)) {
		run_verdict(&scene->run, &denied, &(struct hf_gate){ .verdict = HF_VERDICT_BLOCK });
		run_verdict_remove(&scene->run, &denied);
		run_verdict(&scene->run, &allowed, &(struct hf_gate){ .verdict = HF_VERDICT_CLEAR });
		run_verdict_remove(&scene->run, &allowed);
	}
	return NULL;
}

static void test_elements_change_hands(void **state)
{
	static struct scene scene;
	struct packet_bytes packet;
	struct hf_count count;
	uint64_t end = run_now_ns() + TIME_NS;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet.data, .repeat = 100000);
	pthread_t writer;

	(void)state;
	memset(&scene, 0, sizeof(scene));
	atomic_store(&scene.senders_left, 1);
	run_open_egress(&scene.run, NULL);
	run_rule(&scene.run, "0.0.0.0/0", HF_GROUP_BLOCK);
	packet_simple(&packet, LOCAL4, REMOTE4, 10);
	opts.data_size_in = packet.len;
	assert_int_equal(pthread_create(&writer, NULL, swap_elements, &scene), 0);
	while (run_now_ns() < end)
		assert_int_equal(bpf_prog_test_run_opts(scene.run.prog, &opts), 0);
	atomic_store(&scene.senders_left, 0);
	pthread_join(writer, NULL);
	count = run_counts(&scene.run);
	print_message("elements change hands: %llu blocked, %llu held, %llu in clear\n",
		      (unsigned long long)count.drop_block, (unsigned long long)(count.held + count.drop_slots_full),
		      (unsigned long long)count.out_clear);
	assert_int_equal(count.out_clear, 0);
	assert_true(count.drop_block > 0);
	run_close(&scene.run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_peer),    cmocka_unit_test(test_several_peers),
		cmocka_unit_test(test_full_queue),  cmocka_unit_test(test_displaced_while_taken),
		cmocka_unit_test(test_little_room), cmocka_unit_test(test_elements_change_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
