// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast init` and `holdfast directory` as an operator types them: the way from nothing to a signed directory, and for each mistake the one line that is read.
 * Skipped when the binary is not built.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "signed_directory.h"

#define OUT_MAX 16384

static char binary[512];
static char out[OUT_MAX], errors[OUT_MAX];
static int code;

static void read_back(const char *name, char *into)
{
	FILE *file = fopen(in_folder(name), "r");
	size_t len;

	assert_non_null(file);
	len = fread(into, 1, OUT_MAX - 1, file);
	into[len] = '\0';
	fclose(file);
}

/* Runs `holdfast ARGUMENTS` in the test's folder; $A and $B are keys. */
static void run(const char *arguments)
{
	char command[2048];
	int status;

	if (access(binary, X_OK) < 0) {
		printf("skip: %s is not built\n", binary);
		skip();
	}
	snprintf(command, sizeof(command), "cd '%s'; A='%s'; B='%s'; '%s' %s >out 2>err </dev/null", folder, KEY_A,
		 KEY_B, binary, arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	code = WEXITSTATUS(status);
	read_back("out", out);
	read_back("err", errors);
}

static void run_well(const char *arguments)
{
	run(arguments);
	if (code != 0)
		fail_msg("%s: %s", arguments, errors);
	assert_string_equal(errors, "");
}

static void shell(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd '%s' && %s", folder, command);
	assert_int_equal(system(line), 0);
}

static json_t *answer(const char *arguments)
{
	json_error_t error;
	json_t *json;

	run_well(arguments);
	json = json_loads(out, 0, &error);
	if (!json)
		fail_msg("%s: no JSON (%s): %s", arguments, error.text, out);
	return json;
}

static void expect_narrow(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > 80)
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* ---- init ---------------------------------------------------------------------------------------- */

static void test_init(void **state)
{
	static char first[OUT_MAX], second[OUT_MAX];
	struct stat status;
	json_t *json;
	char key[128];

	(void)state;
	json = answer("init --dir $PWD/etc --json");
	assert_true(json_is_true(json_object_get(json, "made")));
	snprintf(key, sizeof(key), "%s", json_string_value(json_object_get(json, "key")));
	assert_int_equal(strncmp(key, "ed25519:", 8), 0);
	assert_non_null(strstr(json_string_value(json_object_get(json, "line")), key));
	json_decref(json);
	assert_int_equal(stat(in_folder("etc/key.pem"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	read_back("etc/key.pem", first);
	/* OpenSSL reads it, and finds the same public key. */
	shell("openssl pkey -in etc/key.pem -pubout -outform DER | tail -c 32 | base64 >spki");
	read_back("spki", second);
	second[strcspn(second, "\n")] = '\0';
	assert_string_equal(second, key + 8);
	/* What is there stays, whatever it is. */
	shell("echo '# mine' >etc/holdfast.conf; echo 192.0.2.0/24 >etc/policies/private");
	json = answer("init --dir $PWD/etc --json");
	assert_true(json_is_false(json_object_get(json, "made")));
	assert_string_equal(json_string_value(json_object_get(json, "key")), key);
	json_decref(json);
	read_back("etc/key.pem", second);
	assert_string_equal(first, second);
	read_back("etc/holdfast.conf", second);
	assert_string_equal(second, "# mine\n");
	read_back("etc/policies/private", second);
	assert_string_equal(second, "192.0.2.0/24\n");
	shell("echo nonsense >etc/key.pem");
	run("init --dir $PWD/etc");
	assert_int_equal(code, 1);
	read_back("etc/key.pem", second);
	assert_string_equal(second, "nonsense\n");
}

/* The example is a configuration that the agent reads. */
static void test_init_example(void **state)
{
	(void)state;
	run_well("init --dir $PWD/example");
	run_well("policy test 192.0.2.7 --config example/holdfast.conf --socket $PWD/none");
}

/* ---- directory ----------------------------------------------------------------------------------- */

static void test_way_of_a_directory(void **state)
{
	json_t *json, *hosts;

	(void)state;
	shell("rm -f pub sec fleet fleet.minisig; minisign -G -W -p pub -s sec >/dev/null");
	run_well("directory add fleet 192.0.2.7,2001:db8::7 $A name=db.example");
	run_well("directory add fleet 192.0.2.8 $A $B name=web.example until=2099-12-31");
	shell("echo '192.0.2.9 " KEY_B " # by hand' >>fleet");
	json = answer("directory sign fleet --key sec --days 3 --json");
	assert_int_equal(json_integer_value(json_object_get(json, "serial")), 2);
	json_decref(json);
	shell("minisign -V -q -p pub -m fleet");
	json = answer("directory check fleet --key pub --json");
	assert_int_equal(json_integer_value(json_object_get(json, "hosts")), 3);
	assert_int_equal(json_integer_value(json_object_get(json, "serial")), 2);
	assert_true(json_is_string(json_object_get(json, "signed_by")));
	json_decref(json);
	run_well("directory check fleet --key $(tail -n 1 pub)");
	assert_non_null(strstr(out, "good, by key"));
	expect_narrow(out);
	json = answer("directory show fleet --json");
	hosts = json_object_get(json, "hosts");
	assert_int_equal(json_array_size(hosts), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(hosts, 1), "until")), "2099-12-31");
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(json_array_get(hosts, 0), "addresses"), 1)),
		"2001:db8::7");
	json_decref(json);
	run_well("directory show fleet");
	expect_narrow(out);
	/* By name and by address; the comment of another line stays. */
	run_well("directory remove fleet WEB.example");
	run_well("directory remove fleet 2001:db8::7");
	read_back("fleet", out);
	assert_null(strstr(out, "web.example"));
	assert_null(strstr(out, "db.example"));
	assert_non_null(strstr(out, "# by hand"));
	/* Unsigned now. */
	run("directory check fleet --key pub");
	assert_int_equal(code, 1);
	assert_non_null(strstr(errors, "fleet.minisig: the signature is wrong"));
	run_well("directory sign fleet --key sec");
	run_well("directory check fleet --key pub");
	run("directory check fleet --key etc/nothing --json");
	assert_int_equal(code, 1);
	assert_non_null(strstr(out, "\"error\": \"etc/nothing: cannot be read"));
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *arguments;
		int code;
		const char *message;
	} cases[] = {
		{ "init now", 2, "init takes no words behind it; see holdfast help init" },
		{ "init --dir etc", 2, "--dir etc is not an absolute path: start it with /; see holdfast help init" },
		{ "init --dir /proc/holdfast", 1,
		  "/proc/holdfast: cannot be made (No such file or directory): use sudo, or another --dir" },
		{ "init --dir /nowhere/at/all", 1,
		  "/nowhere/at/all: cannot be made (No such file or directory): use sudo, or another --dir" },
		{ "init --drr /x", 2, "init has no option --drr: did you mean --dir?; see holdfast help init" },
		{ "directory", 2,
		  "directory needs to know what to do: show, check, add, remove or sign; see holdfast help directory" },
		{ "directory sgin fleet", 2,
		  "directory cannot \"sgin\": did you mean sign?; see holdfast help directory" },
		{ "directory encrypt fleet", 2,
		  "directory cannot \"encrypt\": it can show, check, add, remove and sign; see holdfast help directory" },
		{ "directory show", 2, "directory show takes one file; see holdfast help directory" },
		{ "directory check a b", 2, "directory check takes one file; see holdfast help directory" },
		{ "directory show nothing", 1,
		  "nothing: cannot be read (No such file or directory): correct the path or its permissions" },
		{ "directory show .", 1, ".: is not a plain file: correct the path" },
		{ "directory show list", 1,
		  "list:1: this is not a directory: its first line must be \"holdfast-directory 1\"" },
		{ "directory check old", 1, "old: it expired at 2026-01-02T00:00:00Z: sign a new one" },
		{ "directory check old --key nonsense", 1,
		  "nonsense: cannot be read (No such file or directory): correct the path or its permissions" },
		{ "directory check old --key list", 1,
		  "list: \"192.0.2.1\" is not a minisign public key: copy the line that begins with RW from the .pub file" },
		{ "directory check old --key pub", 1,
		  "old.minisig: cannot be read (No such file or directory): correct the path or its permissions" },
		{ "directory add old 192.0.2.1", 2,
		  "directory add takes a file and a host's line: ADDRESS[,ADDRESS] KEY [name=NAME]; see holdfast help "
		  "directory" },
		{ "directory add old 192.0.2.1 name=a", 1,
		  "old:8: the host has no key: write KIND:BASE64 behind its address, as `holdfast init` prints it there" },
		{ "directory add old 192.0.2.7 $B", 1,
		  "old:8: 192.0.2.7/32 is already on line 7: a host has one line, with all its keys" },
		{ "directory add old 192.0.2.8 $B name=db", 1,
		  "old:8: the name db is already on line 7: a host has one line, with all its addresses" },
		{ "directory add old 198.51.100.1 $B", 1,
		  "old:8: 198.51.100.1 lies outside the directory's scope: widen the scope or remove it" },
		{ "directory add old 192.0.2.8 '#' $B", 1,
		  "the host's line has a newline or a # in it: it must be one line without a comment" },
		{ "directory add old db.example $B", 1, "old:8: \"db.example\" is not an IPv4 or IPv6 address" },
		{ "directory add old 192.0.2.8 ed25519:AAAA", 1,
		  "old:8: key ed25519:AAAA: ed25519: is followed by 3 octets and must be by 32: copy the whole key" },
		{ "directory add nowhere/fleet 192.0.2.8 $B", 1,
		  "nowhere/fleet.new: cannot be written (No such file or directory): make room or correct the permissions" },
		{ "directory remove old", 2,
		  "directory remove takes a file and a host's name or address; see holdfast help directory" },
		{ "directory remove old web", 1,
		  "old: no host has the name or the address \"web\": `holdfast directory show` lists them" },
		{ "directory sign old", 2,
		  "directory sign takes one file and --key FILE, a minisign secret key; see holdfast help directory" },
		{ "directory sign old --key", 2, "--key needs a value; see holdfast help directory" },
		{ "directory sign old --key sec --days 0", 2,
		  "--days 0 is none: give 1 to 14; see holdfast help directory" },
		{ "directory sign old --key sec --days 1w", 2,
		  "--days 1w is none: give 1 to 14; see holdfast help directory" },
		{ "directory sign old --key pub", 1,
		  "pub: this is not a minisign secret key: give the .key file that minisign -G made" },
		{ "directory sign highest --key sec", 1,
		  "highest: the serial cannot be raised: sign with a new key and begin at 1" },
	};
	static const char old[] = "holdfast-directory 1\nid old\nserial 1\nissued 2026-01-01T00:00:00Z\n"
				  "expires 2026-01-02T00:00:00Z\nscope 192.0.2.0/24\n192.0.2.7 " KEY_A " name=db\n";
	static const char highest[] =
		"holdfast-directory 1\nid old\nserial 18446744073709551615\nissued 2026-01-01T00:00:00Z\n"
		"expires 2026-01-02T00:00:00Z\nscope ::/0\n";
	static char after[OUT_MAX];
	char expected[512];

	(void)state;
	shell("rm -f pub sec; minisign -G -W -p pub -s sec >/dev/null; echo 192.0.2.1 >list");
	write_octets_to(in_folder("old"), view_of(old, sizeof(old) - 1));
	write_octets_to(in_folder("highest"), view_of(highest, sizeof(highest) - 1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(cases[i].arguments);
		snprintf(expected, sizeof(expected), "holdfast: %s\n", cases[i].message);
		assert_string_equal(errors, expected);
		assert_string_equal(out, "");
		assert_int_equal(code, cases[i].code);
	}
	/* None of them changed the file. */
	read_back("old", after);
	assert_string_equal(after, old);
}

static void test_help(void **state)
{
	(void)state;
	run_well("init --help");
	expect_narrow(out);
	assert_non_null(strstr(out, "Examples:"));
	run_well("directory --help");
	expect_narrow(out);
	assert_non_null(strstr(out, "Examples:"));
	run_well("help");
	expect_narrow(out);
}

static int start(void **state)
{
	const char *build = getenv("HF_BUILD");
	char *whole = realpath(build ? build : "build", NULL);

	snprintf(binary, sizeof(binary), "%s/holdfast", whole ? whole : "");
	free(whole);
	return make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_example),
		cmocka_unit_test(test_way_of_a_directory),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, start, remove_folder);
}
