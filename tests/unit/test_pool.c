// SPDX-License-Identifier: Apache-2.0
/*
 * Pools: handles go stale, objects are zeroed, and 200,000 random steps agree with a naive model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/pool.h"

#define MAX 37

struct object {
	uint64_t a;
	uint8_t b[13];
};

static uint32_t random_state;

static uint32_t random_below(uint32_t max)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % max;
}

static bool is_none(struct handle handle)
{
	return handle.generation == 0;
}

static void test_handles(void **state)
{
	OWN_FREE void *memory = malloc(pool_memory(2, sizeof(struct object)));
	struct handle a, b, again;
	struct object *object;
	struct pool pool;

	(void)state;
	pool_init(&pool, memory, 2, sizeof(struct object));
	assert_null(pool_get(&pool, HANDLE_NONE));
	a = pool_take(&pool);
	b = pool_take(&pool);
	assert_int_equal(a.index, 0);
	assert_int_equal(b.index, 1);
	assert_true(is_none(pool_take(&pool)));
	object = pool_get(&pool, a);
	assert_non_null(object);
	object->a = 7;
	assert_int_equal(pool_handle(&pool, object).generation, a.generation);

	pool_put(&pool, a);
	assert_null(pool_get(&pool, a));
	assert_null(pool_at(&pool, 0));
	pool_put(&pool, a);
	assert_int_equal(pool_count(&pool), 1);

	again = pool_take(&pool);
	assert_int_equal(again.index, a.index);
	assert_int_not_equal(again.generation, a.generation);
	assert_null(pool_get(&pool, a));
	assert_int_equal(((struct object *)pool_get(&pool, again))->a, 0);
}

static void test_take_at(void **state)
{
	OWN_FREE void *memory = malloc(pool_memory(4, sizeof(struct object)));
	struct pool pool;

	(void)state;
	pool_init(&pool, memory, 4, sizeof(struct object));
	assert_int_equal(pool_take_at(&pool, 2).index, 2);
	assert_true(is_none(pool_take_at(&pool, 2)));
	assert_true(is_none(pool_take_at(&pool, 4)));
	assert_true(is_none(pool_take_at(&pool, POOL_NONE)));
	assert_int_equal(pool_take(&pool).index, 0);
	assert_int_equal(pool_take(&pool).index, 1);
	assert_int_equal(pool_take(&pool).index, 3);
	assert_true(is_none(pool_take(&pool)));
}

static void test_generation_skips_zero(void **state)
{
	OWN_FREE void *memory = malloc(pool_memory(1, sizeof(struct object)));
	struct pool pool;
	struct handle handle;

	(void)state;
	pool_init(&pool, memory, 1, sizeof(struct object));
	pool.slots[0].generation = UINT32_MAX;
	handle = pool_take(&pool);
	assert_int_equal(handle.generation, UINT32_MAX);
	pool_put(&pool, handle);
	assert_int_equal(pool_take(&pool).generation, 1);
}

static void test_no_room(void **state)
{
	OWN_FREE void *memory = malloc(pool_memory(0, sizeof(struct object)) + 1);
	struct pool pool;

	(void)state;
	pool_init(&pool, memory, 0, sizeof(struct object));
	assert_true(is_none(pool_take(&pool)));
	assert_int_equal(pool_first(&pool), POOL_NONE);
}

struct model {
	bool used;
	struct handle handle, stale;
	uint64_t value;
};

static void check(const struct pool *pool, const struct model model[MAX])
{
	uint32_t count = 0, walked = 0;

	for (uint32_t i = 0; i < MAX; i++) {
		struct object *object = pool_get(pool, model[i].handle);

		assert_ptr_equal(object, pool_at(pool, i));
		assert_int_equal(object != NULL, model[i].used);
		assert_null(pool_get(pool, model[i].stale));
		if (object)
			assert_int_equal(object->a, model[i].value);
		count += model[i].used;
	}
	for (uint32_t i = pool_first(pool); i != POOL_NONE; i = pool_next(pool, i)) {
		assert_true(model[i].used);
		assert_in_range(++walked, 1, MAX);
	}
	assert_int_equal(walked, count);
	assert_int_equal(pool_count(pool), count);
}

static void took(struct pool *pool, struct model model[MAX], struct handle handle)
{
	struct model *slot = &model[handle.index];
	struct object *object = pool_get(pool, handle);
	static const struct object zero;

	assert_false(slot->used);
	assert_memory_equal(object, &zero, sizeof(zero));
	slot->used = true;
	slot->handle = handle;
	slot->value = object->a = random_below(1u << 24);
	memset(object->b, 0xff, sizeof(object->b));
}

static void test_random(void **state)
{
	OWN_FREE void *memory = malloc(pool_memory(MAX, sizeof(struct object)));
	struct model model[MAX] = { 0 };
	struct pool pool;

	(void)state;
	random_state = 1;
	pool_init(&pool, memory, MAX, sizeof(struct object));
	for (int step = 0; step < 200000; step++) {
		uint32_t index = random_below(MAX), count = pool_count(&pool);
		struct handle handle;

		switch (random_below(3)) {
		case 0:
			handle = pool_take(&pool);
			assert_int_equal(is_none(handle), count == MAX);
			if (!is_none(handle))
				took(&pool, model, handle);
			break;
		case 1:
			handle = pool_take_at(&pool, index);
			assert_int_equal(is_none(handle), model[index].used);
			if (!is_none(handle))
				took(&pool, model, handle);
			break;
		default:
			pool_put(&pool, model[index].handle);
			if (model[index].used)
				model[index].stale = model[index].handle;
			model[index].used = false;
		}
		if (step % 16 == 0)
			check(&pool, model);
	}
	check(&pool, model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handles),
		cmocka_unit_test(test_take_at),
		cmocka_unit_test(test_generation_skips_zero),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
