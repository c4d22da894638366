// SPDX-License-Identifier: Apache-2.0
/*
 * The timer heap against a naive model: set, move, cancel and expire in any order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/timers.h"

#define COUNT 60
#define MAX 50

static uint32_t random_state;

static uint32_t random_below(uint32_t max)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % max;
}

static void test_order(void **state)
{
	static const uint64_t when[] = { 50, 10, 40, 10, 30, 20, 0 };
	struct timer timer[7] = { 0 };
	struct timer *heap[7];
	struct timers timers;
	uint64_t last = 0;

	(void)state;
	timers_init(&timers, heap, 7);
	assert_true(timers_next(&timers) == NSTIME_NEVER);
	for (int i = 0; i < 7; i++)
		assert_int_equal(timers_set(&timers, &timer[i], when[i]), 0);
	for (int i = 0; i < 7; i++) {
		struct timer *next;

		assert_true(timers_next(&timers) >= last);
		last = timers_next(&timers);
		assert_true(last == 0 || timers_pop_expired(&timers, last - 1) == NULL);
		next = timers_pop_expired(&timers, last);
		assert_non_null(next);
		assert_int_equal(next->when, last);
		assert_false(timer_is_set(next));
	}
	assert_null(timers_pop_expired(&timers, NSTIME_NEVER));
}

static void test_full_and_never(void **state)
{
	struct timer a = { 0 }, b = { 0 };
	struct timer *heap[1];
	struct timers timers;

	(void)state;
	timers_init(&timers, heap, 1);
	assert_int_equal(timers_set(&timers, &a, 5), 0);
	assert_int_equal(timers_set(&timers, &b, 6), -ENOBUFS);
	assert_false(timer_is_set(&b));
	assert_int_equal(timers_set(&timers, &a, 7), 0);
	assert_int_equal(timers_next(&timers), 7);
	assert_int_equal(timers_set(&timers, &a, NSTIME_NEVER), 0);
	assert_false(timer_is_set(&a));
	assert_int_equal(timers_set(&timers, &b, NSTIME_NEVER), 0);
	assert_true(timers_next(&timers) == NSTIME_NEVER);
	timers_cancel(&timers, &a);
}

static void test_owner(void **state)
{
	struct object {
		int before;
		struct timer retry, expire;
	} object = { .expire.tag = 2 };

	(void)state;
	assert_ptr_equal(TIMER_OWNER(&object.expire, struct object, expire), &object);
	assert_ptr_equal(TIMER_OWNER(&object.retry, struct object, retry), &object);
}

static uint64_t model_next(const uint64_t model[COUNT])
{
	uint64_t next = NSTIME_NEVER;

	for (int i = 0; i < COUNT; i++)
		next = nstime_min(next, model[i]);
	return next;
}

static void test_random(void **state)
{
	OWN_FREE void *memory = malloc(timers_memory(MAX));
	struct timer timer[COUNT] = { 0 };
	uint64_t model[COUNT], now = 0;
	struct timers timers;
	uint32_t set = 0;

	(void)state;
	random_state = 3;
	timers_init(&timers, memory, MAX);
	for (int i = 0; i < COUNT; i++)
		model[i] = NSTIME_NEVER;
	for (int step = 0; step < 300000; step++) {
		uint32_t i = random_below(COUNT);
		struct timer *expired;

		switch (random_below(8)) {
		case 0:
			timers_cancel(&timers, &timer[i]);
			set -= model[i] != NSTIME_NEVER;
			model[i] = NSTIME_NEVER;
			break;
		case 1:
			now += random_below(40);
			while ((expired = timers_pop_expired(&timers, now)) != NULL) {
				i = (uint32_t)(expired - timer);
				assert_true(model[i] <= now && model[i] == model_next(model));
				model[i] = NSTIME_NEVER;
				set--;
			}
			break;
		default: {
			uint64_t when = now + random_below(1000);
			int rc = timers_set(&timers, &timer[i], when);

			assert_int_equal(rc, model[i] == NSTIME_NEVER && set == MAX ? -ENOBUFS : 0);
			set += rc == 0 && model[i] == NSTIME_NEVER;
			model[i] = rc == 0 ? when : model[i];
		}
		}
		assert_true(timers_next(&timers) == model_next(model));
		assert_int_equal(timers.count, set);
		assert_int_equal(timer_is_set(&timer[i]), model[i] != NSTIME_NEVER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_full_and_never),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
