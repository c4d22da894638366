// SPDX-License-Identifier: Apache-2.0
/*
 * Nearest words: typing errors find their word, other words find none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/suggest.h"

static const char *const words[] = { "run", "status", "policy", "doctor", "unload", "help", "version" };

static const char *nearest(const char *word)
{
	return suggest_nearest(word, words, sizeof(words) / sizeof(words[0]));
}

static void test_near(void **state)
{
	(void)state;
	assert_string_equal(nearest("stauts"), "status");
	assert_string_equal(nearest("statsu"), "status");
	assert_string_equal(nearest("state"), "status");
	assert_string_equal(nearest("docter"), "doctor");
	assert_string_equal(nearest("unlaod"), "unload");
	assert_string_equal(nearest("hlep"), "help");
	assert_string_equal(nearest("rnu"), "run");
	assert_string_equal(nearest("policies"), "policy");
}

static void test_far(void **state)
{
	(void)state;
	assert_null(nearest(""));
	assert_null(nearest("x"));
	assert_null(nearest("encrypt"));
	assert_null(nearest("a-word-that-is-longer-than-any-word-could-ever-be"));
	assert_null(suggest_nearest("run", words, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_near), cmocka_unit_test(test_far) };

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
