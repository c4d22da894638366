// SPDX-License-Identifier: Apache-2.0
/*
 * The shield, frame by frame: what passes untouched, and what it takes to be asked for a cookie. Cookies are test_shield_cookie's,
 * damaged frames test_shield_damaged's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/nstime.h"
#include "build_packet.h"
#include "run_prog.h"
#include "shield_desk.h"

/* So many at once, and no more for as long as a test takes. */
static struct hf_shield_rate burst_of(unsigned int tokens)
{
	return (struct hf_shield_rate){ .span_ns = 3600 * NSTIME_S, .burst_ns = tokens * 3600 * NSTIME_S };
}

/* ---- what it leaves alone ---- */

static void pass_untouched(const struct packet_bytes *packet)
{
	static const struct hf_shield_count none;
	struct hf_shield_count counts;

	assert_int_equal(desk_judge(packet->data, packet->len), XDP_PASS);
	counts = shield_counts(&desk.shield);
	assert_memory_equal(&counts, &none, sizeof(none));
}

static void test_ordinary(void **state)
{
	static const char *const ends[][2] = { { "198.51.100.2", SHIELD_OWN4 }, { "2001:db8:2::2", SHIELD_OWN6 } };
	struct packet_bytes packet;

	(void)state;
	desk.shield.set->demand = 1;
	for (int i = 0; i < 2; i++) {
		for (int tags = 0; tags < 3; tags++) {
			const char *src = ends[i][0], *dst = ends[i][1];

			packet_ip_vlan(&packet, src, dst, tags);
			packet_tcp(&packet, 500, 500);
			pass_untouched(&packet);
			packet_ip_vlan(&packet, src, dst, tags);
			packet_esp(&packet, 0x1000);
			packet_fill(&packet, 100, 0);
			pass_untouched(&packet);
			packet_ip_vlan(&packet, src, dst, tags);
			packet_icmp(&packet, i ? 128 : 8, 0);
			pass_untouched(&packet);
			/* DNS; ESP in UDP; a keepalive. */
			packet_ip_vlan(&packet, src, dst, tags);
			packet_udp(&packet, 500, 53);
			packet_fill(&packet, 200, 0);
			pass_untouched(&packet);
			packet_ip_vlan(&packet, src, dst, tags);
			packet_udp(&packet, 4500, 4500);
			packet_fill(&packet, 200, 1);
			pass_untouched(&packet);
			packet_ip_vlan(&packet, src, dst, tags);
			packet_udp(&packet, 4500, 4500);
			packet_data(&packet, "\xff", 1);
			pass_untouched(&packet);
			/* To another host, which this one may forward it to. */
			packet_ip_vlan(&packet, src, i ? "2001:db8:1::2" : "192.0.2.2", tags);
			packet_udp(&packet, 500, 500);
			packet_ike(&packet, 0x20, 200);
			packet_fill(&packet, 172, 0);
			pass_untouched(&packet);
			/* The first fragment and a later one. */
			for (int more = 0; more < 2; more++) {
				packet_ip_vlan(&packet, src, dst, tags);
				packet_fragment(&packet, more ? 0 : 185, more);
				packet_udp(&packet, 500, 500);
				packet_ike(&packet, 0x20, 200);
				packet_fill(&packet, 172, 0);
				pass_untouched(&packet);
			}
		}
	}
	packet_raw(&packet, 0x0806);
	packet_fill(&packet, 46, 0);
	pass_untouched(&packet);
}

/* A message that names a responder's SPI, and an answer to what this host began. */
static void test_known(void **state)
{
	const struct question question = { .src = "2001:db8:2::2" };
	struct asked asked;

	(void)state;
	desk.shield.set->demand = 1;
	question_write(&asked, &question);
	asked.frame[asked.ike + 15] = 1;
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_PASS);
	asked.frame[asked.ike + 18] = 37;
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_PASS);
	assert_int_equal(shield_counts(&desk.shield).known, 2);
	question_write(&asked, &question);
	asked.frame[asked.ike + 19] = 0x20;
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_PASS);
	assert_int_equal(shield_counts(&desk.shield).responses, 1);
	assert_int_equal(shield_counts(&desk.shield).init, 0);
}

/* Until the agent has said what it wants, and when it is another version's. */
static void test_without_agent(void **state)
{
	const struct question question = { 0 };

	(void)state;
	for (uint32_t version = 0; version < 3; version++) {
		struct asked asked;
		uint8_t out[FRAME_MAX];
		size_t len;

		desk.shield.set->demand = 1;
		desk.shield.set->version = version;
		question_write(&asked, &question);
		assert_int_equal(shield_run(&desk.shield, asked.frame, asked.len, out, &len),
				 version == HF_SHIELD_VERSION ? XDP_TX : XDP_PASS);
	}
	desk.shield.set->version = HF_SHIELD_VERSION;
}

/* ---- rates ---- */

static void test_of_a_source(void **state)
{
	struct question question = { .src = "198.51.100.7" };

	(void)state;
	desk.shield.set->source = burst_of(3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(desk_ask(&question), XDP_PASS);
	desk.shield.set->demand = 0;
	assert_int_equal(shield_counts(&desk.shield).init_passed, 3);
	for (int i = 0; i < 3; i++) {
		uint8_t cookie[COOKIE_LEN];

		desk_cookie(&question, cookie);
	}
	/* Its neighbour is not meant, nor an IPv4 address that an IPv6 prefix looks like. */
	question.src = "198.51.100.8";
	assert_int_equal(desk_ask(&question), XDP_PASS);
	question.src = "2001:db8:9:1::1";
	for (int i = 0; i < 3; i++)
		assert_int_equal(desk_ask(&question), XDP_PASS);
	/* A /64 is one source, however many addresses it has. */
	question.src = "2001:db8:9:1:ffff::";
	desk_cookie(&question, (uint8_t[COOKIE_LEN]){ 0 });
	question.src = "2001:db8:9:2::1";
	assert_int_equal(desk_ask(&question), XDP_PASS);
	assert_int_equal(desk.shield.state->up_until_ns, 0);
	desk_check_sum();
}

static void test_of_a_site(void **state)
{
	struct question question = { 0 };
	char src[32];

	(void)state;
	desk.shield.set->site = burst_of(20);
	for (int family = 0; family < 2; family++) {
		for (int i = 0; i < 20; i++) {
			snprintf(src, sizeof(src), family ? "2001:db8:7:%d::1" : "198.51.100.%d", i + 1);
			question.src = src;
			assert_int_equal(desk_ask(&question), XDP_PASS);
		}
		question.src = family ? "2001:db8:7:ffff::1" : "198.51.100.200";
		desk_cookie(&question, (uint8_t[COOKIE_LEN]){ 0 });
		question.src = family ? "2001:db8:8::1" : "198.51.101.200";
		assert_int_equal(desk_ask(&question), XDP_PASS);
	}
	assert_int_equal(desk.shield.state->up_until_ns, 0);
}

/* Senders without number raise it for everybody; then nothing is remembered of them, and it comes down by itself. */
static void test_of_all(void **state)
{
	struct question question = { 0 };
	unsigned int sources, sites;
	char src[32];

	(void)state;
	desk.shield.set->all = burst_of(50);
	question.src = src;
	for (int i = 0; i < 50; i++) {
		snprintf(src, sizeof(src), "198.51.%d.1", i);
		assert_int_equal(desk_ask(&question), XDP_PASS);
	}
	snprintf(src, sizeof(src), "198.51.200.9");
	desk_cookie(&question, (uint8_t[COOKIE_LEN]){ 0 });
	assert_true(desk.shield.state->up_until_ns > run_now_ns());
	assert_int_equal(desk.shield.state->raised_by.octet[14], 200);
	sources = shield_entries(desk.shield.source);
	sites = shield_entries(desk.shield.site);
	for (int i = 0; i < 1000; i++) {
		snprintf(src, sizeof(src), "203.%d.%d.1", i / 250, i % 250);
		desk_cookie(&question, (uint8_t[COOKIE_LEN]){ 0 });
	}
	assert_int_equal(shield_entries(desk.shield.source), sources);
	assert_int_equal(shield_entries(desk.shield.site), sites);
	assert_int_equal(desk.shield.state->raised_by.octet[14], 200);
	/* 10 s after the last that was too many. */
	desk.shield.state->up_until_ns = run_now_ns() - 1;
	desk.shield.state->all_full_ns = 0;
	snprintf(src, sizeof(src), "198.51.201.1");
	assert_int_equal(desk_ask(&question), XDP_PASS);
	desk_check_sum();
}

/* Tokens come back with time. */
static void test_refill(void **state)
{
	const struct question question = { 0 };
	uint8_t cookie[COOKIE_LEN];
	struct hf_addr key;

	(void)state;
	desk.shield.set->source = burst_of(2);
	assert_int_equal(desk_ask(&question), XDP_PASS);
	assert_int_equal(desk_ask(&question), XDP_PASS);
	desk_cookie(&question, cookie);
	assert_int_equal(bpf_map_get_next_key(desk.shield.source, NULL, &key), 0);
	assert_int_equal(bpf_map_update_elem(desk.shield.source, &key,
					     &(struct hf_shield_bucket){ .full_ns = run_now_ns() + 3600 * NSTIME_S },
					     BPF_ANY),
			 0);
	assert_int_equal(desk_ask(&question), XDP_PASS);
	desk_cookie(&question, cookie);
}

/* Who has proved his address may still not have everything. */
static void test_proven(void **state)
{
	struct question question = { .src = "198.51.100.7" };
	uint8_t cookie[COOKIE_LEN];
	struct hf_shield_count counts;
	char src[32];

	(void)state;
	desk.shield.set->demand = 1;
	desk.shield.set->proven_source = burst_of(4);
	desk.shield.set->proven_site = burst_of(10);
	question.cookie = desk_cookie(&question, cookie);
	for (int i = 0; i < 4; i++)
		assert_int_equal(desk_ask(&question), XDP_PASS);
	for (int i = 0; i < 3; i++) {
		struct asked asked;
		uint8_t out[FRAME_MAX];
		size_t len;

		question_write(&asked, &question);
		assert_int_equal(shield_run(&desk.shield, asked.frame, asked.len, out, &len), XDP_DROP);
	}
	counts = shield_counts(&desk.shield);
	assert_int_equal(counts.cookies_good, 4);
	assert_int_equal(counts.proven_dropped, 3);
	question.src = src;
	for (int i = 0; i < 20; i++) {
		snprintf(src, sizeof(src), "198.51.100.%d", i + 10);
		question.cookie = VIEW_NONE;
		question.cookie = desk_cookie(&question, cookie);
		if (i < 3)
			assert_int_equal(desk_ask(&question), XDP_PASS);
	}
	desk_check_sum();
}

static void test_odd(void **state)
{
	const struct question question = { 0 };
	uint8_t out[FRAME_MAX];
	struct asked asked;
	size_t len;

	(void)state;
	desk.shield.set->odd = burst_of(5);
	for (int i = 0; i < 10; i++) {
		question_write(&asked, &question);
		if (i & 1)
			asked.frame[asked.ike + 17] = 0x30; /* version 3 */
		else
			asked.frame[asked.ike + 18] = 37; /* INFORMATIONAL of an SA that nobody has */
		assert_int_equal(shield_run(&desk.shield, asked.frame, asked.len, out, &len),
				 i < 5 ? XDP_PASS : XDP_DROP);
	}
	assert_int_equal(shield_counts(&desk.shield).odd_passed, 5);
	assert_int_equal(shield_counts(&desk.shield).odd_dropped, 5);
}

/* More senders than it can remember: each passes once, the maps stay what they are, and who was forgotten begins anew. */
static void test_more_than_fit(void **state)
{
	struct question question = { 0 };
	char src[32];

	(void)state;
	desk.shield.set->source = burst_of(1);
	question.src = src;
	for (unsigned int i = 0; i < 3 * HF_SHIELD_SOURCES; i++) {
		struct asked asked;
		uint8_t out[FRAME_MAX];
		size_t len;

		snprintf(src, sizeof(src), "2001:db8:%x:%x::1", i >> 8, i & 0xff);
		question_write(&asked, &question);
		assert_int_equal(shield_run(&desk.shield, asked.frame, asked.len, out, &len), XDP_PASS);
	}
	assert_in_range(shield_entries(desk.shield.source), HF_SHIELD_SOURCES / 2, HF_SHIELD_SOURCES);
	snprintf(src, sizeof(src), "2001:db8:ffff:1::1");
	assert_int_equal(desk_ask(&question), XDP_PASS);
	desk_cookie(&question, (uint8_t[COOKIE_LEN]){ 0 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ordinary, desk_clear),
		cmocka_unit_test_setup(test_known, desk_clear),
		cmocka_unit_test_setup(test_without_agent, desk_clear),
		cmocka_unit_test_setup(test_of_a_source, desk_clear),
		cmocka_unit_test_setup(test_of_a_site, desk_clear),
		cmocka_unit_test_setup(test_of_all, desk_clear),
		cmocka_unit_test_setup(test_refill, desk_clear),
		cmocka_unit_test_setup(test_proven, desk_clear),
		cmocka_unit_test_setup(test_odd, desk_clear),
		cmocka_unit_test_setup(test_more_than_fit, desk_clear),
	};

	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
