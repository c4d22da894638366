// SPDX-License-Identifier: Apache-2.0
/*
 * What the shield answers, and what a cookie is good for: the same as the engine's, for its sender and its request, in time, and in
 * its place. No answer is longer than its question, which desk_judge looks at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/nstime.h"
#include "run_prog.h"
#include "shield_desk.h"

#define SLOT HF_COOKIE_SLOT_NS
#define FORMS (2 * 3 * 9 * 2 * 3) /* of a question */

/* Every form a question can have: what comes back is the model's answer, and with its cookie the question passes. */
static void test_answers(void **state)
{
	static const char *const sources[] = { "198.51.100.2", "2001:db8:2::2" };
	struct question question = { 0 };
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	desk.shield.set->demand = 1;
	for (unsigned int i = 0; i < FORMS; i++) {
		question = (struct question){ .src = sources[i % 2],
					      .tags = i / 2 % 3,
					      .words = i / 6 % 9,
					      .encap = i / 54 % 2,
					      .ni_len = (const unsigned int[]){ 16, 37, 256 }[i / 108],
					      .port = (uint16_t)(500 + 7919 * i),
					      .spi = 0x0101010101010101ull * (i + 1),
					      .more = i };
		assert_int_equal(desk_ask(&question), XDP_TX);
		question.cookie = desk_cookie(&question, cookie);
		assert_int_equal(desk_ask(&question), XDP_PASS);
	}
	assert_int_equal(shield_counts(&desk.shield).cookies_good, FORMS);
	assert_int_equal(shield_counts(&desk.shield).answer_failed, 0);
	desk_check_sum();
}

/* In a dispatcher the answers are the same, in frames that keep their length. */
static void test_answers_as_guest(void **state)
{
	desk.shield.as_guest = true;
	test_answers(state);
}

/* What the engine demanded, the shield believes, and the other way round. */
static void test_same_as_engine(void **state)
{
	struct question question = { .src = "2001:db8:2::2", .ni_len = 41 };
	uint8_t cookie[COOKIE_LEN];
	struct asked asked;

	(void)state;
	desk.shield.set->demand = 1;
	for (int rotations = 0; rotations < 300; rotations++) {
		question.cookie = VIEW_NONE;
		question.spi = 1 + (uint64_t)rotations;
		question_write(&asked, &question);
		desk_cookie(&question, cookie);
		assert_int_equal(cookie_check(VIEW_OF(cookie), &desk.shield.jar, &asked.path, asked.spi_i, asked.ni,
					      run_now_ns()),
				 0);
		assert_int_equal(
			cookie_make(cookie, &desk.shield.jar, &asked.path, asked.spi_i, asked.ni, run_now_ns()), 0);
		question.cookie = VIEW_OF(cookie);
		assert_int_equal(desk_ask(&question), XDP_PASS);
		shield_rotate(&desk.shield);
	}
}

/* A cookie brought by another address, port, SPI or nonce, or changed in any bit, counts as none. */
static void test_cookie_of_another(void **state)
{
	const struct question mine = { .src = "198.51.100.2", .port = 700, .spi = 77, .ni_seed = 5 };
	struct question question = mine;
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	desk.shield.set->demand = 1;
	desk_cookie(&mine, cookie);
	question.cookie = VIEW_OF(cookie);
	assert_int_equal(desk_ask(&question), XDP_PASS);
	question.encap = true; /* the port of ours does not count: NAT is found out in between */
	assert_int_equal(desk_ask(&question), XDP_PASS);
	for (int i = 0; i < 6; i++) {
		question = mine;
		question.cookie = VIEW_OF(cookie);
		question.src = i == 0 ? "198.51.100.3" : i == 1 ? "2001:db8::c633:6402" : mine.src;
		question.port += i == 2;
		question.spi += i == 3;
		question.ni_seed += i == 4;
		question.ni_len = i == 5 ? 33 : 0;
		assert_int_equal(desk_ask(&question), XDP_TX);
	}
	assert_int_equal(shield_counts(&desk.shield).cookies_bad, 6);
	question = mine;
	question.cookie = VIEW_OF(cookie);
	for (size_t bit = 0; bit < 8 * COOKIE_LEN; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(desk_ask(&question), XDP_TX);
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 1; len <= COOKIE_LEN; len++) {
		question.cookie = view_of(cookie, len);
		assert_int_equal(desk_ask(&question), len == COOKIE_LEN ? XDP_PASS : XDP_TX);
	}
}

/* It counts only where RFC 7296 2.6 puts it: as the first payload. */
static void test_cookie_elsewhere(void **state)
{
	struct question question = { .src = "2001:db8:2::2" };
	uint8_t cookie[COOKIE_LEN], aside[20];
	struct asked asked;
	uint8_t *first;

	(void)state;
	desk.shield.set->demand = 1;
	question.cookie = desk_cookie(&question, cookie);
	question_write(&asked, &question);
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_PASS);
	/* SA, N(COOKIE), KE, Ni */
	first = asked.frame + asked.ike + 28;
	memcpy(aside, first, sizeof(aside));
	memmove(first, first + sizeof(aside), 84);
	memcpy(first + 84, aside, sizeof(aside));
	asked.frame[asked.ike + 16] = 33;
	first[0] = 41;
	first[84] = 34;
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_TX);
}

/* A sum of 0 would say that there is none (RFC 768), which IPv6 forbids: one question in 65,536. */
static void test_sum_of_zero(void **state)
{
	static uint8_t answer[FRAME_MAX];
	struct question question = { .src = "2001:db8:2::2" };
	struct asked asked;
	size_t len;

	(void)state;
	desk.shield.set->demand = 1;
	desk.model.due = true;
	do {
		question.spi++;
		question_write(&asked, &question);
		assert_int_equal(model_judge(&desk.model, asked.frame, asked.len, run_now_ns(), answer, &len), XDP_TX);
	} while (answer[asked.l4 + 6] != 0xff || answer[asked.l4 + 7] != 0xff);
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_TX);
}

static void test_cookie_in_time(void **state)
{
	struct question question = { .spi = 99 };
	uint8_t cookie[COOKIE_LEN];
	struct asked asked;
	uint64_t now;

	(void)state;
	desk.shield.set->demand = 1;
	question_write(&asked, &question);
	question.cookie = VIEW_OF(cookie);
	now = run_now_ns();
	if (SLOT - now % SLOT < NSTIME_S / 2) { /* nothing may change under way */
		nanosleep(&(struct timespec){ .tv_nsec = 600000000 }, NULL);
		now = run_now_ns();
	}
	for (int slots = -4; slots <= 2; slots++) {
		uint64_t when = now + (uint64_t)(int64_t)slots * SLOT;

		assert_int_equal(cookie_make(cookie, &desk.shield.jar, &asked.path, asked.spi_i, asked.ni, when), 0);
		assert_int_equal(desk_ask(&question), slots == 0 || slots == -1 ? XDP_PASS : XDP_TX);
	}
	question.cookie = VIEW_NONE;
	desk_cookie(&question, cookie);
	question.cookie = VIEW_OF(cookie);
	assert_int_equal(desk_ask(&question), XDP_PASS);
	shield_rotate(&desk.shield);
	assert_int_equal(desk_ask(&question), XDP_PASS);
	shield_rotate(&desk.shield);
	assert_int_equal(desk_ask(&question), XDP_TX);
}

/* Nobody can have sent it from there: an answer would go astray. */
static void test_unanswerable(void **state)
{
	static const char *const nobody[] = { "0.0.0.0",   "0.1.2.3", "127.0.0.1", "224.0.0.251", "255.255.255.255",
					      SHIELD_OWN4, "::",      "::1",	   "ff02::1",	  SHIELD_OWN6 };
	struct question question = { 0 };
	struct asked asked;

	(void)state;
	desk.shield.set->demand = 1;
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		question.src = nobody[i];
		assert_int_equal(desk_ask(&question), XDP_DROP);
	}
	question.src = NULL;
	for (int side = 0; side < 2; side++) {
		question_write(&asked, &question);
		asked.frame[6 * side] |= 1;
		assert_int_equal(desk_judge(asked.frame, asked.len), XDP_DROP);
	}
	question_write(&asked, &question);
	memset(asked.frame + asked.l4, 0, 2);
	assert_int_equal(desk_judge(asked.frame, asked.len), XDP_DROP);
	assert_int_equal(shield_counts(&desk.shield).cookies_sent, 0);
	desk_check_sum();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_answers, desk_clear),
		cmocka_unit_test_setup(test_answers_as_guest, desk_clear),
		cmocka_unit_test_setup(test_same_as_engine, desk_clear),
		cmocka_unit_test_setup(test_cookie_of_another, desk_clear),
		cmocka_unit_test_setup(test_cookie_elsewhere, desk_clear),
		cmocka_unit_test_setup(test_sum_of_zero, desk_clear),
		cmocka_unit_test_setup(test_cookie_in_time, desk_clear),
		cmocka_unit_test_setup(test_unanswerable, desk_clear),
	};

	return cmocka_run_group_tests(tests, desk_open, desk_close);
}
