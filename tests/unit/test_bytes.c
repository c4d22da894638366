// SPDX-License-Identifier: Apache-2.0
/*
 * Readers and writers of base/bytes: values on the wire, every bound by one octet, and failure that stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static void test_read_values(void **state)
{
	static const uint8_t octets[] = { 0x01, 0x82, 0x03, 0xff, 0x05, 0x06, 0x87, 0xaa, 0xbb, 0xcc };
	struct reader reader;
	uint8_t copy[2];
	struct view view;

	(void)state;
	reader_init(&reader, VIEW_OF(octets));
	assert_int_equal(reader_left(&reader), 10);
	assert_int_equal(read_u8(&reader), 0x01);
	assert_int_equal(read_u16(&reader), 0x8203);
	assert_int_equal(read_u32(&reader), 0xff050687u);
	read_copy(&reader, copy, 2);
	assert_memory_equal(copy, "\xaa\xbb", 2);
	assert_false(reader_done(&reader));
	view = read_rest(&reader);
	assert_int_equal(view.len, 1);
	assert_ptr_equal(view.at, octets + 9);
	assert_true(reader_done(&reader));
	/* Nothing is left, and taking nothing is fine. */
	assert_int_equal(read_view(&reader, 0).len, 0);
	assert_int_equal(read_rest(&reader).len, 0);
	assert_true(reader_done(&reader));
}

/* Reads `want` octets by each function from a heap block of `have`, so that ASan sees a step outside. */
static void read_one(size_t want, size_t have)
{
	uint8_t *octets = malloc(have + !have);
	uint8_t copy[4] = { 9, 9, 9, 9 };
	struct reader reader;
	bool fits = want <= have;

	memset(octets, 0x11, have + !have);
	reader_init(&reader, view_of(octets, have));
	if (want == 1)
		assert_int_equal(read_u8(&reader), fits ? 0x11 : 0);
	if (want == 2)
		assert_int_equal(read_u16(&reader), fits ? 0x1111 : 0);
	if (want == 4)
		assert_int_equal(read_u32(&reader), fits ? 0x11111111 : 0);
	if (want == 3)
		read_view(&reader, 3);
	assert_int_equal(reader.failed, !fits);
	reader_init(&reader, view_of(octets, have));
	read_copy(&reader, copy, want);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(copy[i], i >= want ? 9 : fits ? 0x11 : 0);
	reader_init(&reader, view_of(octets, have));
	assert_int_equal(read_view(&reader, want).len, fits ? want : 0);
	assert_int_equal(reader_done(&reader), want == have);
	free(octets);
}

static void test_read_bounds(void **state)
{
	(void)state;
	for (size_t want = 0; want <= 4; want++)
		for (size_t have = 0; have <= 5; have++)
			read_one(want, have);
}

static void test_read_failure_stays(void **state)
{
	static const uint8_t octets[3] = { 1, 2, 3 };
	struct reader reader;
	uint8_t copy[3] = { 7, 7, 7 };

	(void)state;
	reader_init(&reader, VIEW_OF(octets));
	assert_int_equal(read_u32(&reader), 0);
	assert_true(reader.failed);
	/* There are three octets, but who asked for four gets none. */
	assert_int_equal(read_u8(&reader), 0);
	assert_int_equal(read_u16(&reader), 0);
	assert_int_equal(reader_left(&reader), 0);
	assert_int_equal(read_rest(&reader).len, 0);
	assert_null(read_view(&reader, 0).at);
	read_copy(&reader, copy, 3);
	assert_memory_equal(copy, "\0\0\0", 3);
	assert_false(reader_done(&reader));

	/* The largest length there is must not wrap around the end. */
	reader_init(&reader, VIEW_OF(octets));
	assert_int_equal(read_view(&reader, SIZE_MAX).len, 0);
	assert_true(reader.failed);
	reader_init(&reader, VIEW_NONE);
	assert_true(reader_done(&reader));
	assert_int_equal(read_u8(&reader), 0);
	assert_false(reader_done(&reader));
}

static void test_write_values(void **state)
{
	static const uint8_t expect[] = { 0x7f, 0x82, 0x03, 0xff, 0x05, 0x06, 0x87, 'a', 'b', 0, 0, 0, 'v', 0x44 };
	uint8_t memory[14];
	struct writer writer;
	uint8_t *space;

	(void)state;
	memset(memory, 0x55, sizeof(memory));
	writer_init(&writer, memory, sizeof(memory));
	write_u8(&writer, 0x01);
	write_u16(&writer, 0);
	write_u32(&writer, 0);
	write_octets(&writer, "ab", 2);
	write_zeros(&writer, 3);
	write_view(&writer, view_of("v", 1));
	space = write_space(&writer, 1);
	assert_ptr_equal(space, memory + 13);
	*space = 0x44;
	put_u8(&writer, 0, 0x7f);
	put_u16(&writer, 1, 0x8203);
	put_u32(&writer, 3, 0xff050687u);
	write_view(&writer, VIEW_NONE);
	write_zeros(&writer, 0);
	assert_true(view_equal(writer_view(&writer), VIEW_OF(expect)));
}

static void test_write_bounds(void **state)
{
	(void)state;
	for (size_t max = 0; max <= 5; max++) {
		uint8_t *memory = malloc(max + !max);
		struct writer writer;

		for (int way = 0; way < 6; way++) {
			static const size_t wants[6] = { 1, 2, 4, 3, 3, 5 };

			writer_init(&writer, memory, max);
			switch (way) {
			case 0:
				write_u8(&writer, 1);
				break;
			case 1:
				write_u16(&writer, 1);
				break;
			case 2:
				write_u32(&writer, 1);
				break;
			case 3:
				write_octets(&writer, "abc", 3);
				break;
			case 4:
				write_zeros(&writer, 3);
				break;
			case 5:
				assert_int_equal(write_space(&writer, 5) != NULL, max >= 5);
				break;
			}
			assert_int_equal(writer.failed, wants[way] > max);
			assert_int_equal(writer_view(&writer).len, wants[way] > max ? 0 : wants[way]);
			assert_true(writer.len <= max);
		}
		free(memory);
	}
}

static void test_write_failure_stays(void **state)
{
	uint8_t memory[4] = { 0 };
	struct writer writer;

	(void)state;
	writer_init(&writer, memory, sizeof(memory));
	write_u8(&writer, 1);
	write_u32(&writer, 2);
	assert_true(writer.failed);
	write_u8(&writer, 3);
	assert_int_equal(writer.len, 1);
	assert_int_equal(memory[1], 0);
	assert_null(write_space(&writer, 0));
	assert_null(writer_view(&writer).at);
	writer_init(&writer, memory, sizeof(memory));
	assert_null(write_space(&writer, SIZE_MAX));
	assert_true(writer.failed);
}

static void test_put_bounds(void **state)
{
	uint8_t memory[8] = { 0 };
	struct writer writer;

	(void)state;
	for (size_t offset = 0; offset < 8; offset++) {
		writer_init(&writer, memory, sizeof(memory));
		write_zeros(&writer, 5);
		put_u8(&writer, offset, 1);
		assert_int_equal(writer.failed, offset > 4);
		writer_init(&writer, memory, sizeof(memory));
		write_zeros(&writer, 5);
		put_u16(&writer, offset, 1);
		assert_int_equal(writer.failed, offset > 3);
		writer_init(&writer, memory, sizeof(memory));
		write_zeros(&writer, 5);
		put_u32(&writer, offset, 1);
		assert_int_equal(writer.failed, offset > 1);
	}
	writer_init(&writer, memory, sizeof(memory));
	write_zeros(&writer, 5);
	put_u32(&writer, SIZE_MAX, 1);
	assert_true(writer.failed);
}

static void test_view_order(void **state)
{
	(void)state;
	assert_true(view_equal(view_of("abc", 3), view_of("abc", 3)));
	assert_false(view_equal(view_of("abc", 3), view_of("abd", 3)));
	assert_false(view_equal(view_of("abc", 3), view_of("abc", 2)));
	assert_true(view_equal(VIEW_NONE, view_of("x", 0)));
	assert_int_equal(view_compare(view_of("abc", 3), view_of("abc", 3)), 0);
	assert_true(view_compare(view_of("ab", 2), view_of("abc", 3)) < 0);
	assert_true(view_compare(view_of("abc", 3), view_of("ab", 2)) > 0);
	assert_true(view_compare(view_of("\xff", 1), view_of("\x01\x01", 2)) > 0);
	assert_true(view_compare(view_of("\x7f", 1), view_of("\x80", 1)) < 0);
	assert_true(view_compare(VIEW_NONE, view_of("a", 1)) < 0);
	assert_int_equal(view_compare(VIEW_NONE, VIEW_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_values),	   cmocka_unit_test(test_read_bounds),
		cmocka_unit_test(test_read_failure_stays), cmocka_unit_test(test_write_values),
		cmocka_unit_test(test_write_bounds),	   cmocka_unit_test(test_write_failure_stays),
		cmocka_unit_test(test_put_bounds),	   cmocka_unit_test(test_view_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
