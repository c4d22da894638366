// SPDX-License-Identifier: Apache-2.0
/*
 * The pair table against a naive model, its behaviour when full and when every key shares a bucket's
 * neighbourhood, and SipHash-2-4 against the vectors of its reference code.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/own.h"
#include "base/table.h"

#define KEYS 150
#define MAX 100

static const uint8_t seed[SIPHASH_KEY] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static uint32_t random_state;

static uint32_t random_below(uint32_t max)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % max;
}

static struct hf_pair pair_number(uint32_t number)
{
	struct hf_pair pair = { .local = addr_from_v4(0x0100000a), .remote = addr_from_v4(number) };

	return pair;
}

/* Keys 00..0f, input 00 01 02 ...: vectors_sip64 of the reference implementation, at lengths 0, 1, 8, 15, 63. */
static void test_siphash(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31 },  { 1, 0x74f839c593dc67fd },	{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 },
	};
	uint8_t key[SIPHASH_KEY], input[64];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	memcpy(key, input, sizeof(key));
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(siphash_of(key, input, vectors[i].len) == vectors[i].hash);
}

static void test_direction_matters(void **state)
{
	OWN_FREE void *memory = malloc(table_memory(4));
	struct hf_pair pair = pair_number(1), turned = { pair.remote, pair.local };
	struct table table;
	uint32_t value = 99;

	(void)state;
	table_init(&table, memory, 4, seed);
	assert_int_equal(table_put(&table, &pair, 5), 0);
	assert_false(table_find(&table, &turned, &value));
	assert_int_equal(value, 99);
	assert_true(table_find(&table, &pair, &value));
	assert_int_equal(value, 5);
	assert_true(table_find(&table, &pair, NULL));
}

static void test_full(void **state)
{
	OWN_FREE void *memory = malloc(table_memory(3));
	struct hf_pair pairs[4];
	struct table table;
	uint32_t value;

	(void)state;
	table_init(&table, memory, 3, seed);
	for (uint32_t i = 0; i < 4; i++) {
		pairs[i] = pair_number(i);
		assert_int_equal(table_put(&table, &pairs[i], i), i < 3 ? 0 : -ENOBUFS);
	}
	assert_int_equal(table_put(&table, &pairs[1], 77), 0);
	assert_true(table_del(&table, &pairs[0]));
	assert_false(table_del(&table, &pairs[0]));
	assert_int_equal(table_put(&table, &pairs[3], 3), 0);
	assert_true(table_find(&table, &pairs[1], &value));
	assert_int_equal(value, 77);
	assert_int_equal(table_count(&table), 3);
}

static void test_no_room(void **state)
{
	OWN_FREE void *memory = malloc(table_memory(0));
	struct hf_pair pair = pair_number(1);
	struct table table;

	(void)state;
	table_init(&table, memory, 0, seed);
	assert_int_equal(table_put(&table, &pair, 1), -ENOBUFS);
	assert_false(table_find(&table, &pair, NULL));
}

static void test_random(void **state)
{
	OWN_FREE void *memory = malloc(table_memory(MAX));
	int64_t model[KEYS];
	uint32_t count = 0;
	struct table table;

	(void)state;
	random_state = 2;
	for (int i = 0; i < KEYS; i++)
		model[i] = -1;
	table_init(&table, memory, MAX, seed);
	for (int step = 0; step < 300000; step++) {
		uint32_t key = random_below(KEYS), value = random_below(1u << 24);
		struct hf_pair pair = pair_number(key * 0x01000193);

		if (random_below(2)) {
			int rc = table_put(&table, &pair, value);

			assert_int_equal(rc, model[key] < 0 && count == MAX ? -ENOBUFS : 0);
			count += rc == 0 && model[key] < 0;
			model[key] = rc == 0 ? value : model[key];
		} else {
			assert_int_equal(table_del(&table, &pair), model[key] >= 0);
			count -= model[key] >= 0;
			model[key] = -1;
		}
		assert_int_equal(table_count(&table), count);
		key = random_below(KEYS);
		pair = pair_number(key * 0x01000193);
		assert_int_equal(table_find(&table, &pair, &value), model[key] >= 0);
		if (model[key] >= 0)
			assert_int_equal(value, model[key]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash), cmocka_unit_test(test_direction_matters),
		cmocka_unit_test(test_full),	cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
