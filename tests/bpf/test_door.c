// SPDX-License-Identifier: Apache-2.0
/*
 * What the shield's program does beside IKE: clear text at the door, and ESP over processors. That the door drops nothing that ingress would
 * let in is asked by every test of test_ingress.c; here are the packets it must leave alone, its reports, and frames
 * at random. PACKETS in the environment says how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "run_prog.h"
#include "shield_run.h"

#define PACKETS 300000
#define SEED 20261201u

static struct run run;
static struct shield shield;

static int open_both(void **state)
{
	(void)state;
	run_open_ingress(&run, NULL);
	shield_open_beside(&shield, &run);
	return 0;
}

static int close_both(void **state)
{
	(void)state;
	shield_close(&shield);
	run_close(&run);
	return 0;
}

static int judge(const struct packet_bytes *packet)
{
	return shield_run_driver(&shield, packet->data, packet->len);
}

static int judge_generic(const struct packet_bytes *packet)
{
	uint8_t out[FRAME_MAX];
	size_t len;

	return shield_run(&shield, packet->data, packet->len, out, &len);
}

/* ---- clear text -------------------------------------------------------------------------------- */

static int all_private(void **state)
{
	(void)state;
	run_rule(&run, "0.0.0.0/0", HF_GROUP_PRIVATE);
	run_rule(&run, "::/0", HF_GROUP_PRIVATE);
	return 0;
}

/* The usual packets, both families. */
static void plain(struct packet_bytes *packet, unsigned int which)
{
	packet_ip(packet, which & 1 ? REMOTE6 : REMOTE4, which & 1 ? LOCAL6 : LOCAL4);
	switch (which >> 1) {
	case 0:
		packet_tcp(packet, 40000, 443);
		break;
	case 1:
		packet_udp(packet, 40000, 53);
		break;
	default:
		packet_icmp(packet, which & 1 ? 128 : 8, 0);
	}
	packet_fill(packet, 40, 1);
}

#define PLAINS 6

static void test_stopped(void **state)
{
	struct packet_bytes packet;

	(void)state;
	for (unsigned int which = 0; which < PLAINS; which++) {
		plain(&packet, which);
		assert_int_equal(judge(&packet), XDP_DROP);
		/* On the kernel's own packet it may be what ESP carried. */
		assert_int_equal(judge_generic(&packet), XDP_PASS);
	}
}

/* What ingress has to look at more closely, whatever becomes of it there. */
static void test_left_to_ingress(void **state)
{
	static const uint16_t from[] = { 53, 67, 68, 546, 547 }, to[] = { 500, 4500 };
	struct packet_bytes packet;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *src = v6 ? REMOTE6 : REMOTE4, *dst = v6 ? LOCAL6 : LOCAL4;

		for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
			packet_ip(&packet, src, dst);
			packet_udp(&packet, from[i], 40000);
			packet_fill(&packet, 40, 0);
			assert_int_equal(judge(&packet), XDP_PASS);
		}
		for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
			packet_ip(&packet, src, dst);
			packet_udp(&packet, 40000, to[i]);
			packet_fill(&packet, 40, 0xf0);
			assert_int_equal(judge(&packet), XDP_PASS);
		}
		packet_ip(&packet, src, dst);
		packet_tcp(&packet, 53, 40000);
		packet_fill(&packet, 40, 0);
		assert_int_equal(judge(&packet), XDP_PASS);
		packet_ip(&packet, src, dst);
		packet_icmp(&packet, v6 ? 2 : 3, 4);
		packet_fill(&packet, 60, 0);
		assert_int_equal(judge(&packet), XDP_PASS);
		packet_ip(&packet, src, dst);
		packet_proto(&packet, IPPROTO_AH);
		packet_fill(&packet, 60, 0);
		assert_int_equal(judge(&packet), XDP_PASS);
		for (int more = 0; more < 2; more++) {
			packet_ip(&packet, src, dst);
			packet_fragment(&packet, more ? 0 : 185, more);
			packet_udp(&packet, 40000, 40001);
			packet_fill(&packet, 60, 0);
			assert_int_equal(judge(&packet), XDP_PASS);
		}
		packet_ip_vlan(&packet, src, dst, 1);
		packet_udp(&packet, 40000, 40001);
		packet_fill(&packet, 60, 0);
		assert_int_equal(judge(&packet), XDP_PASS);
	}
	packet_raw(&packet, 0x0806);
	packet_fill(&packet, 46, 0);
	assert_int_equal(judge(&packet), XDP_PASS);
}

static uint64_t second_begins(void)
{
	uint64_t second = run_now_ns() / 1000000000u, now;

	do
		now = run_now_ns();
	while (now / 1000000000u == second);
	return now;
}

/* Said of a pair that something was decided of, so many times a second; whoever invents addresses is not worth an event. */
static void test_reports(void **state)
{
	struct hf_pair pair = run_pair(LOCAL4, REMOTE4);
	struct packet_bytes packet;

	(void)state;
	plain(&packet, 0);
	run_events(&run);
	assert_int_equal(judge(&packet), XDP_DROP);
	assert_int_equal(run_packet(&run, &packet, NULL), TC_ACT_SHOT);
	assert_int_equal(run_events(&run), 0);
	run_verdict(&run, &pair, &(struct hf_gate){ .verdict = HF_VERDICT_SECURE, .group = HF_GROUP_PRIVATE });
	second_begins();
	assert_int_equal(judge(&packet), XDP_DROP);
	assert_int_equal(run_events(&run), 1);
	assert_int_equal(run.event.type, HF_EVENT_CLEAR);
	assert_memory_equal(&run.event.pair, &pair, sizeof(pair));
	assert_int_equal(run_packet(&run, &packet, NULL), TC_ACT_SHOT);
	assert_int_equal(run_events(&run), 1);
	second_begins();
	for (int i = 0; i < 200; i++)
		judge(&packet);
	assert_in_range(run_events(&run), 1, 2 * HF_CLEAR_PER_SECOND);
	run_verdict_remove(&run, &pair);
}

/* ---- at random --------------------------------------------------------------------------------- */

static uint32_t dice(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void draw_gate(uint32_t *seed)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct hf_pair pair = run_pair(v6 ? LOCAL6 : LOCAL4, v6 ? REMOTE6 : REMOTE4);
		struct hf_gate gate = {
			.verdict = dice(seed) % (HF_VERDICT_BLOCK + 1),
			.group = dice(seed) % HF_GROUP_COUNT,
			.flags = dice(seed) % 8,
		};

		if (gate.verdict)
			run_verdict(&run, &pair, &gate);
		else
			run_verdict_remove(&run, &pair);
		run_rule(&run, v6 ? "::/0" : "0.0.0.0/0", dice(seed) % HF_GROUP_COUNT);
		run_exempt(&run, v6 ? REMOTE6 : REMOTE4, dice(seed) % 4 ? 0 : dice(seed) % 16);
		run_exempt(&run, v6 ? LOCAL6 : LOCAL4, dice(seed) % 4 ? HF_EXEMPT_OWN : dice(seed) % 16);
	}
}

static void draw_frame(struct packet_bytes *packet, uint32_t *seed)
{
	static const uint8_t protos[] = { 1, 6, 17, 50, 51, 58, 0, 44, 60, 43 };

	plain(packet, dice(seed) % PLAINS);
	for (uint32_t i = dice(seed) % 4; i > 0; i--) {
		size_t at = 12 + dice(seed) % 48;

		packet->data[at % packet->len] = (uint8_t)dice(seed);
	}
	if (dice(seed) % 4 == 0)
		packet->data[packet->next_header] = protos[dice(seed) % sizeof(protos)];
	if (dice(seed) % 8 == 0)
		packet->len = 14 + dice(seed) % (packet->len - 14);
}

static void test_random(void **state)
{
	const char *text = getenv("PACKETS");
	unsigned long packets = text ? strtoul(text, NULL, 10) : PACKETS, stopped = 0, left = 0;
	uint32_t seed = SEED;

	(void)state;
	shield.set->version = 0; /* no orders: IKE passes, so that what is dropped is dropped as clear */
	for (unsigned long i = 0; i < packets; i++) {
		struct packet_bytes packet;
		uint32_t drawn = seed;
		bool door;

		if (i % 16 == 0)
			draw_gate(&seed);
		draw_frame(&packet, &seed);
		door = judge(&packet) == XDP_DROP;
		if (run_is_drop(run_packet(&run, &packet, NULL))) {
			stopped += door;
			left += !door;
		} else if (door) {
			fail_msg("seed %u: dropped at the door, let in by ingress", drawn);
		}
		run_events(&run);
	}
	print_message("stopped at the door %lu, at ingress %lu of %lu\n", stopped, left, packets);
	assert_true(stopped > packets / 20);
	assert_true(left > packets / 100);
	shield.set->version = HF_SHIELD_VERSION;
}

/* ---- ESP over processors ----------------------------------------------------------------------- */

#define SPIS 64

static void esp(struct packet_bytes *packet, uint32_t spi, bool v6, bool encap)
{
	uint8_t spi_be[4] = { (uint8_t)(spi >> 24), (uint8_t)(spi >> 16), (uint8_t)(spi >> 8), (uint8_t)spi };

	packet_ip(packet, v6 ? REMOTE6 : REMOTE4, v6 ? LOCAL6 : LOCAL4);
	if (encap) {
		packet_udp(packet, 4500, 4500);
		packet_data(packet, spi_be, sizeof(spi_be));
	} else {
		packet_esp(packet, spi);
	}
	packet_fill(packet, 80, 3);
}

static int close_spread(void **state)
{
	(void)state;
	shield.set->spread = 0;
	return 0;
}

static void test_spread(void **state)
{
	uint32_t cpus[2] = { 0, 1 }, queue = 64;
	unsigned int away = 0;
	struct packet_bytes packet;

	(void)state;
	if (libbpf_num_possible_cpus() < 2) {
		print_message("skipped: this kernel has one processor\n");
		skip();
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bpf_map_update_elem(shield.cpus, &cpus[i], &queue, BPF_ANY), 0);
		shield.set->spread_cpu[i] = cpus[i];
	}
	esp(&packet, 0x1000, false, false);
	assert_int_equal(judge(&packet), XDP_PASS);
	shield.set->spread = 2;
	for (uint32_t spi = 1; spi <= SPIS; spi++)
		for (int form = 0; form < 4; form++) {
			esp(&packet, spi * 0x01234567, form & 1, form & 2);
			assert_int_equal(judge(&packet), XDP_REDIRECT);
			assert_int_equal(judge_generic(&packet), XDP_PASS);
		}
	assert_int_equal(shield_counts(&shield).esp_spread, SPIS * 4);
	/* One processor less: its SAs' packets pass where they are, the others' do not notice, and both by their SPI alone. */
	assert_int_equal(bpf_map_delete_elem(shield.cpus, &cpus[1]), 0);
	for (uint32_t spi = 1; spi <= SPIS; spi++) {
		int first = 0;

		for (int form = 0; form < 4; form++) {
			esp(&packet, spi * 0x01234567, form & 1, form & 2);
			if (form == 0)
				first = judge(&packet);
			assert_int_equal(judge(&packet), first);
		}
		away += first == XDP_REDIRECT;
	}
	assert_in_range(away, SPIS / 4, SPIS * 3 / 4);
}

/* Nothing but ESP is handed on. */
static void test_not_spread(void **state)
{
	struct packet_bytes packet;

	(void)state;
	run_rule(&run, "0.0.0.0/0", HF_GROUP_CLEAR);
	run_rule(&run, "::/0", HF_GROUP_CLEAR);
	shield.set->spread = 2;
	for (unsigned int which = 0; which < PLAINS; which++) {
		plain(&packet, which);
		assert_int_equal(judge(&packet), XDP_PASS);
	}
	packet_ip(&packet, REMOTE4, LOCAL4);
	packet_udp(&packet, 4500, 4500);
	packet_data(&packet, "\xff", 1);
	assert_int_equal(judge(&packet), XDP_PASS);
	/* A list that is longer than it can be. */
	shield.set->spread = HF_SHIELD_SPREAD_MAX + 1;
	esp(&packet, 0x1000, false, false);
	assert_int_equal(judge(&packet), XDP_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_stopped, all_private),
		cmocka_unit_test_setup(test_left_to_ingress, all_private),
		cmocka_unit_test_setup(test_reports, all_private),
		cmocka_unit_test_teardown(test_spread, close_spread),
		cmocka_unit_test_teardown(test_not_spread, close_spread),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, open_both, close_both);
}
