// SPDX-License-Identifier: Apache-2.0
/*
 * This host's key file: what is refused and in which words, what is only complained about; and the secret that outlives the agent.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "daemon/hostkey.h"

static char folder[64], path[96];

static int set_up(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-hostkey-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	return crypto_init(&err);
}

static int clean_up(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void write_key(const void *text, size_t len, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void write_good(mode_t mode)
{
	static const uint8_t seed[ED25519_SEED_LEN] = { 1, 2, 3 };
	char pem[ED25519_PEM_MAX];

	ed25519_pem(pem, seed);
	write_key(pem, strlen(pem), mode);
}

static void expect_refused(int error, const char *message)
{
	char problem[ERR_TEXT_MAX] = "";
	struct sign_key *key = NULL;
	struct err err = ERR_NONE;

	assert_int_equal(hostkey_load(&key, problem, path, true, &err), error);
	assert_null(key);
	assert_string_equal(problem, "");
	assert_memory_equal(err.text, path, strlen(path));
	if (!strstr(err.text, message))
		fail_msg("\"%s\" is not in: %s", message, err.text);
}

static void test_refused(void **state)
{
	static char large[70000];

	(void)state;
	expect_refused(-ENOENT, "cannot be read (No such file or directory): it must hold this host's private key, see "
				"`holdfast init`");
	write_key("hello\n", 6, 0600);
	expect_refused(-EINVAL, "not a private key that can be read");
	write_key("", 0, 0600);
	expect_refused(-EINVAL, "not a private key that can be read");
	memset(large, 'A', sizeof(large));
	write_key(large, sizeof(large), 0600);
	expect_refused(-EFBIG, "cannot be read (File too large)");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_refused(-EISDIR, "cannot be read (Is a directory)");
	rmdir(path);
}

static void test_missing_default(void **state)
{
	char problem[ERR_TEXT_MAX] = "";
	struct sign_key *key = NULL;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(hostkey_load(&key, problem, path, false, &err), 0);
	assert_null(key);
	assert_non_null(strstr(problem, "this host has no key ("));
}

static void test_mode(void **state)
{
	static const mode_t modes[] = { 0600, 0400, 0640, 0604, 0666 };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char problem[ERR_TEXT_MAX] = "";
		struct sign_key *key = NULL;
		struct err err = ERR_NONE;

		write_good(modes[i]);
		assert_int_equal(hostkey_load(&key, problem, path, true, &err), 0);
		assert_int_equal(sign_key_kind(key), SIGN_ED25519);
		if (modes[i] & 077)
			assert_non_null(strstr(problem, "may read this host's private key (mode 0"));
		else
			assert_string_equal(problem, "");
		sign_key_free(key);
		unlink(path);
	}
}

/* Two agents of one host, one after the other, have the same; what was cut short is made anew. */
static void test_crash_secret(void **state)
{
	uint8_t first[32], second[32], third[32];
	struct stat status;
	char file[96];

	(void)state;
	hostkey_crash_secret(first, folder);
	hostkey_crash_secret(second, folder);
	assert_memory_equal(first, second, 32);
	snprintf(file, sizeof(file), "%s/crash-secret", folder);
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(truncate(file, 31), 0);
	hostkey_crash_secret(third, folder);
	assert_memory_not_equal(first, third, 32);
	hostkey_crash_secret(second, folder);
	assert_memory_equal(second, third, 32);
	/* A folder that is not there costs the memory, not the start. */
	hostkey_crash_secret(second, "/nonexistent");
	assert_memory_not_equal(second, third, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_missing_default),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_crash_secret),
	};

	return cmocka_run_group_tests_name("hostkey", tests, set_up, clean_up);
}
