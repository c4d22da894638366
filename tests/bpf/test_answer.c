// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of DNS answers at ingress: which packets make one, what is in it, and what bounds them. Each case is beside one that
 * differs in a single field and makes none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "run_prog.h"

static struct run run;

static int open_run(void **state)
{
	(void)state;
	run_open_ingress(&run, &(struct run_sizes){ .ring_bytes = HF_RING_BYTES });
	run.config->flags = HF_CONFIG_ANSWERS;
	run_exempt(&run, LOCAL4, HF_EXEMPT_OWN);
	run_exempt(&run, LOCAL6, HF_EXEMPT_OWN);
	run_exempt(&run, REMOTE4, HF_EXEMPT_RESOLVER);
	run_exempt(&run, REMOTE6, HF_EXEMPT_RESOLVER);
	return 0;
}

static int close_run(void **state)
{
	(void)state;
	run_close(&run);
	return 0;
}

/* What a case changes of an answer that is copied. */
struct shape {
	const char *src, *dst;
	uint16_t sport;
	uint8_t flags, rcode, questions, answers;
	size_t body; /* octets behind the DNS header */
	bool tcp, extension, vlan;
};

static const struct shape good4 = { REMOTE4, LOCAL4, 53, 0x81, 0x80, 1, 1, 60, false, false, false };
static const struct shape good6 = { REMOTE6, LOCAL6, 53, 0x81, 0x80, 1, 1, 60, false, false, false };

static void build(struct packet_bytes *packet, const struct shape *shape)
{
	uint8_t head[12] = { 0x12, 0x34, shape->flags, shape->rcode, 0, shape->questions, 0, shape->answers };

	if (shape->vlan)
		packet_ip_vlan(packet, shape->src, shape->dst, 1);
	else
		packet_ip(packet, shape->src, shape->dst);
	if (shape->tcp)
		packet_tcp(packet, shape->sport, 40000);
	else
		packet_udp(packet, shape->sport, 40000);
	packet_data(packet, head, sizeof(head));
	packet_fill(packet, shape->body, 7);
}

static bool is_copied(const struct shape *shape)
{
	struct packet_bytes packet;
	unsigned int events;

	build(&packet, shape);
	assert_true(run_is_pass(run_packet(&run, &packet, NULL)));
	events = run_events(&run);
	assert_in_range(events, 0, 1);
	if (!events)
		return false;
	assert_int_equal(run.event.type, HF_EVENT_ANSWER);
	return true;
}

static void test_what_is_copied(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct packet_bytes packet;
	struct shape tagged = good6;

	(void)state;
	assert_true(is_copied(&good4));
	build(&packet, &good4);
	assert_int_equal(run.answer.len, 12 + 60);
	assert_int_equal(run.answer.whole, 12 + 60);
	assert_memory_equal(run.answer.data, packet.data + packet.len - 72, 72);
	assert_memory_equal(&run.answer.event.pair, &pair, sizeof(pair));

	pair = run_pair(LOCAL6, REMOTE6);
	assert_true(is_copied(&good6));
	assert_int_equal(run.answer.len, 12 + 60);
	assert_memory_equal(&run.answer.event.pair, &pair, sizeof(pair));
	tagged.vlan = true;
	assert_true(is_copied(&tagged));
}

static void test_lengths(void **state)
{
	static const size_t bodies[] = { 0, 1, 500, 1011, 1012, 1013, 1460, 3000 };
	struct shape shape = good4;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		size_t whole = 12 + bodies[i];

		shape.body = bodies[i];
		assert_true(is_copied(&shape));
		assert_int_equal(run.answer.whole, whole);
		assert_int_equal(run.answer.len, whole < HF_ANSWER_DATA ? whole : HF_ANSWER_DATA);
		/* What packet_fill writes. */
		for (size_t at = 12; at < run.answer.len; at++)
			assert_int_equal(run.answer.data[at], (uint8_t)(7 + at - 12));
	}
}

static void test_what_is_not(void **state)
{
	struct shape shape;

	(void)state;
#define NOT(field, value, why)                      \
	do {                                        \
		for (int v6 = 0; v6 < 2; v6++) {    \
			shape = v6 ? good6 : good4; \
			shape.field = value;        \
			if (is_copied(&shape))      \
				fail_msg(why);      \
		}                                   \
	} while (0)
	NOT(sport, 54, "from another port");
	NOT(flags, 0x01, "a question");
	NOT(rcode, 0x83, "NXDOMAIN");
	NOT(rcode, 0x82, "SERVFAIL");
	NOT(questions, 0, "no question");
	NOT(questions, 2, "two questions");
	NOT(answers, 0, "no answer");
	NOT(tcp, true, "TCP");
	shape = good4;
	shape.src = "198.51.100.3";
	assert_false(is_copied(&shape)); /* no resolver */
	shape = good4;
	shape.dst = "192.0.2.9";
	assert_false(is_copied(&shape)); /* for somebody behind us */
	shape = good6;
	shape.src = "2001:db8:2::3";
	assert_false(is_copied(&shape));
	run.config->flags = 0;
	assert_false(is_copied(&good4));
	run.config->flags = HF_CONFIG_ANSWERS;
	assert_true(is_copied(&good4));
}

/* A datagram that says it is longer than the packet, or too short for DNS, gives no copy and no harm. */
static void test_lies_about_length(void **state)
{
	static const uint16_t lens[] = { 0, 7, 8, 19, 200, 65535 };
	struct packet_bytes packet;

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		build(&packet, &good4);
		packet.data[packet.l4 + 4] = (uint8_t)(lens[i] >> 8);
		packet.data[packet.l4 + 5] = (uint8_t)lens[i];
		assert_true(run_is_pass(run_packet(&run, &packet, NULL)));
		assert_int_equal(run_events(&run), 0);
	}
	build(&packet, &good4);
	packet_fragment(&packet, 100, 1);
	assert_true(run_is_pass(run_packet(&run, &packet, NULL)));
	assert_int_equal(run_events(&run), 0);
}

/* A resolver whose prefix is private is heard all the same, as its answers are let in. */
static void test_whatever_the_group(void **state)
{
	(void)state;
	for (enum hf_group group = HF_GROUP_CLEAR; group < HF_GROUP_COUNT; group++) {
		run_rule(&run, "0.0.0.0/0", group);
		run_rule(&run, "::/0", group);
		assert_true(is_copied(&good4));
		assert_true(is_copied(&good6));
	}
}

static void test_budget(void **state)
{
	uint64_t start = run_now_ns(), seconds;
	struct hf_count before = run_counts(&run), after;
	struct packet_bytes packet;

	(void)state;
	build(&packet, &good4);
	for (int i = 0; i < 3000; i++) {
		run_packet(&run, &packet, NULL);
		if (i % 64 == 0)
			run_events(&run);
	}
	run_events(&run);
	seconds = (run_now_ns() - start) / 1000000000 + 2;
	after = run_counts(&run);
	assert_int_equal(after.answers - before.answers + after.answers_lost - before.answers_lost, 3000);
	assert_int_equal(after.answers - before.answers, run.events);
	assert_in_range(run.events, 1, HF_ANSWERS_PER_SECOND * seconds);
	assert_int_equal(after.events_lost, before.events_lost);
}

/* An agent that does not read: answers leave three quarters of the ring to what packets wait for. */
static void test_pressure(void **state)
{
	struct packet_bytes packet;
	struct hf_count count;

	(void)state;
	build(&packet, &good4);
	for (int i = 0; i < 2000; i++)
		run_packet(&run, &packet, NULL);
	count = run_counts(&run);
	assert_in_range(count.answers * sizeof(struct hf_event_answer), 1,
			HF_RING_BYTES / 4 + 2 * sizeof(struct hf_event_answer));
	assert_true(count.answers_lost > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_run, close_run)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_copied),     TEST(test_lengths), TEST(test_what_is_not), TEST(test_lies_about_length),
		TEST(test_whatever_the_group), TEST(test_budget),  TEST(test_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
