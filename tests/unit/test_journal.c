// SPDX-License-Identifier: Apache-2.0
/*
 * The journal: order, repeated steps, what is forgotten first, and the latest of all. It is bounded whatever is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "daemon/journal.h"

static const uint8_t seed[SIPHASH_KEY] = { 7 };

static struct hf_pair pair_of(uint32_t number)
{
	return (struct hf_pair){ .local = addr_from_v4(0x0100000a), .remote = addr_from_v4(number) };
}

static void expect_step(const struct journal_pair *pair, uint32_t index, const char *text, uint32_t times,
			uint64_t first, uint64_t last)
{
	const struct journal_step *step = journal_step(pair, index);

	assert_non_null(step);
	assert_string_equal(step->text, text);
	assert_int_equal(step->times, times);
	assert_int_equal(step->first_ns, first);
	assert_int_equal(step->last_ns, last);
}

static void test_order(void **state)
{
	struct journal *journal = journal_new(4, seed);
	const struct hf_pair pair = pair_of(1), other = pair_of(2);

	(void)state;
	assert_null(journal_find(journal, &pair));
	for (int i = 0; i < JOURNAL_STEPS + 3; i++)
		journal_write(journal, &pair, "step", (uint64_t)(100 + i), "number %d", i);
	assert_null(journal_find(journal, &other));
	assert_int_equal(journal_find(journal, &pair)->count, JOURNAL_STEPS);
	expect_step(journal_find(journal, &pair), 0, "number 3", 1, 103, 103);
	expect_step(journal_find(journal, &pair), JOURNAL_STEPS - 1, "number 18", 1, 118, 118);
	assert_null(journal_step(journal_find(journal, &pair), JOURNAL_STEPS));
	journal_free(journal);
}

/* Somebody who is refused for days does not push out why. */
static void test_repeated(void **state)
{
	struct journal *journal = journal_new(4, seed);
	const struct hf_pair pair = pair_of(1);
	const struct journal_pair *found;

	(void)state;
	journal_write(journal, &pair, "failed", 1, "timeout");
	for (uint64_t i = 0; i < 1000; i++) {
		journal_write(journal, &pair, "held", 10 + 2 * i, "wait");
		journal_write(journal, &pair, "dropped", 11 + 2 * i, "1 packet");
	}
	found = journal_find(journal, &pair);
	assert_int_equal(found->count, 3);
	expect_step(found, 0, "timeout", 1, 1, 1);
	expect_step(found, 1, "wait", 1000, 10, 2008);
	expect_step(found, 2, "1 packet", 1000, 11, 2009);
	/* Another word with the same text is another step. */
	journal_write(journal, &pair, "clear", 3000, "1 packet");
	assert_int_equal(journal_find(journal, &pair)->count, 4);
	journal_free(journal);
}

static void test_forgets_the_quietest(void **state)
{
	struct journal *journal = journal_new(3, seed);
	struct hf_pair pair;

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		pair = pair_of(i);
		journal_write(journal, &pair, "a", i, "first");
	}
	pair = pair_of(1);
	strcpy(journal_facts(journal, &pair)->name, "one");
	pair = pair_of(4);
	journal_write(journal, &pair, "a", 9, "new");
	pair = pair_of(2);
	assert_null(journal_find(journal, &pair));
	pair = pair_of(1);
	assert_string_equal(journal_find(journal, &pair)->facts.name, "one");
	pair = pair_of(3);
	assert_non_null(journal_find(journal, &pair));
	/* Who comes back begins anew. */
	pair = pair_of(2);
	assert_string_equal(journal_facts(journal, &pair)->name, "");
	assert_int_equal(journal_find(journal, &pair)->count, 0);
	journal_free(journal);
}

static void test_recent(void **state)
{
	struct journal *journal = journal_new(4, seed);
	const struct hf_pair pair = pair_of(1);

	(void)state;
	assert_int_equal(journal_last(journal), 0);
	assert_null(journal_at(journal, 0));
	assert_null(journal_at(journal, 1));
	for (int i = 1; i <= JOURNAL_RECENT + 5; i++)
		journal_write(journal, &pair, "step", (uint64_t)i, "%d", i);
	assert_int_equal(journal_last(journal), JOURNAL_RECENT + 5);
	assert_null(journal_at(journal, 5));
	assert_string_equal(journal_at(journal, 6)->text, "6");
	assert_string_equal(journal_at(journal, JOURNAL_RECENT + 5)->what, "step");
	assert_null(journal_at(journal, JOURNAL_RECENT + 6));
	/* The newest step once more is no news. */
	journal_write(journal, &pair, "step", 9999, "%d", JOURNAL_RECENT + 5);
	assert_int_equal(journal_last(journal), JOURNAL_RECENT + 5);
	journal_free(journal);
}

static void test_long_text(void **state)
{
	struct journal *journal = journal_new(4, seed);
	const struct hf_pair pair = pair_of(1);
	char text[3 * JOURNAL_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	journal_write(journal, &pair, "a", 1, "%s", text);
	journal_write(journal, &pair, "a", 2, "%s", text);
	assert_int_equal(strlen(journal_step(journal_find(journal, &pair), 0)->text), JOURNAL_TEXT_MAX - 1);
	assert_int_equal(journal_step(journal_find(journal, &pair), 0)->times, 2);
	journal_free(journal);
	/* None: it takes what comes, and knows nothing. */
	journal_write(NULL, &pair, "a", 1, "b");
	assert_null(journal_find(NULL, &pair));
	assert_null(journal_facts(NULL, &pair));
	assert_int_equal(journal_last(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_forgets_the_quietest),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
