// SPDX-License-Identifier: Apache-2.0
/*
 * What the log writes (caught through a pipe in stderr's place), how it limits itself, how it escapes
 * what strangers say; and secrets.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"

/* Runs `say` with stderr going into `out`. */
static void catch_stderr(char *out, size_t out_max, void (*say)(void))
{
	OWN_FD int kept = dup(STDERR_FILENO);
	int ends[2];
	ssize_t len;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	say();
	dup2(kept, STDERR_FILENO);
	len = read(ends[0], out, out_max - 1);
	close(ends[0]);
	out[len > 0 ? len : 0] = '\0';
}

static void say_levels(void)
{
	log_error("cannot %s", "attach");
	log_warn("slow");
	log_info("two\nlines\x1b[31m");
	log_debug("not said");
}

static void say_long(void)
{
	char text[2 * LOG_LINE_MAX];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
}

static void say_often(void)
{
	for (int i = 0; i < 10 * LOG_SITE_LINES; i++)
		log_info("again %d", i);
}

static void test_lines(void **state)
{
	char out[4 * LOG_LINE_MAX];

	(void)state;
	catch_stderr(out, sizeof(out), say_levels);
	assert_string_equal(out, "holdfast: cannot attach\n"
				 "holdfast: warning: slow\n"
				 "holdfast: two?lines?[31m\n");
	catch_stderr(out, sizeof(out), say_long);
	assert_int_equal(strlen(out), LOG_LINE_MAX - 1);
	assert_int_equal(out[LOG_LINE_MAX - 2], '\n');
	log_set_level(LOG_LEVEL_ERROR);
	catch_stderr(out, sizeof(out), say_levels);
	assert_string_equal(out, "holdfast: cannot attach\n");
	log_set_level(LOG_LEVEL_INFO);
}

static void test_limit_per_site(void **state)
{
	char out[8192];
	int lines = 0;

	(void)state;
	catch_stderr(out, sizeof(out), say_often);
	for (const char *at = out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, LOG_SITE_LINES);
}

static void test_limit_counts(void **state)
{
	struct log_site site = { 0 };
	uint64_t now = 5;
	uint32_t left_out = 1;

	(void)state;
	for (int i = 0; i < LOG_SITE_LINES; i++) {
		assert_true(log_site_admits(&site, now, &left_out));
		assert_int_equal(left_out, 0);
	}
	for (int i = 0; i < 7; i++)
		assert_false(log_site_admits(&site, now + LOG_SITE_SPAN_NS - 1, &left_out));
	assert_true(log_site_admits(&site, now + LOG_SITE_SPAN_NS, &left_out));
	assert_int_equal(left_out, 7);
	assert_true(log_site_admits(&site, now + LOG_SITE_SPAN_NS, &left_out));
	assert_int_equal(left_out, 0);
}

static void test_level_names(void **state)
{
	enum log_level level;

	(void)state;
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		assert_int_equal(log_level_parse(&level, log_level_name((enum log_level)i)), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_level_parse(&level, "loud"), -EINVAL);
	assert_string_equal(log_level_name((enum log_level)9), "?");
}

static void test_escape(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(log_escape(out, sizeof(out), "ab c", 4), "ab c");
	assert_string_equal(log_escape(out, sizeof(out), "a\n\\\x7f\xff", 5), "a\\x0a\\\\\\x7f\\xff");
	assert_string_equal(log_escape(out, sizeof(out), "", 0), "");
	assert_string_equal(log_escape(out, sizeof(out), "123456789012345", 15), "123456789012345");
	assert_string_equal(log_escape(out, sizeof(out), "1234567890123456", 16), "123456789012...");
	assert_string_equal(log_escape(out, 4, "\x01", 1), "...");
	assert_string_equal(log_escape(out, 4, "abc", 3), "abc");
	/* Never past the end, whatever the mixture. */
	for (unsigned int mix = 0; mix < 4096; mix++) {
		char guarded[13], in[12];

		for (int i = 0; i < 12; i++)
			in[i] = mix >> i & 1 ? '\n' : '\\';
		guarded[12] = 'G';
		log_escape(guarded, 12, in, sizeof(in));
		assert_int_equal(guarded[12], 'G');
		assert_true(strlen(guarded) < 12);
	}
}

static void test_secret(void **state)
{
	static const uint8_t long_octets[SECRET_MAX + 1];
	struct secret a = { 0 }, b = { 0 };

	(void)state;
	assert_true(secret_equal(&a, &b));
	assert_int_equal(secret_set(&a, "longer key", 10), 0);
	assert_int_equal(secret_set(&a, "key", 3), 0);
	assert_int_equal(secret_set(&b, "key", 3), 0);
	assert_true(secret_equal(&a, &b));
	assert_int_equal(secret_set(&b, "kez", 3), 0);
	assert_false(secret_equal(&a, &b));
	assert_int_equal(secret_set(&b, "key\0", 4), 0);
	assert_false(secret_equal(&a, &b));
	assert_int_equal(secret_set(&a, long_octets, sizeof(long_octets)), -EMSGSIZE);
	assert_int_equal(a.len, 3);
	secret_clear(&a);
	assert_int_equal(a.len, 0);
	assert_memory_equal(a.octets, long_octets, sizeof(a.octets));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	     cmocka_unit_test(test_limit_per_site),
		cmocka_unit_test(test_limit_counts), cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_escape),	     cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
