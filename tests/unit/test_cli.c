// SPDX-License-Identifier: Apache-2.0
/*
 * The program as an operator sees it: the built binary is run, and where an agent is needed one that answers from
 * a fixed struct listens on a socket of its own. Nothing here lets a real agent start: that would attach to this machine.
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

#include "base/own.h"
#include "cardboard.h"
#include "cli/print.h"

#define OUT_MAX 65536

static char folder[64], binary[512];

/* What the last run wrote, stdout and stderr apart, and its exit code. */
static char out[OUT_MAX], errors[OUT_MAX];
static int code;

static void read_back(const char *name, char *into)
{
	char path[128];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(into, 1, OUT_MAX - 1, file);
	into[len] = '\0';
	fclose(file);
}

/* Runs `holdfast ARGUMENTS`; $D in them is the test's folder. */
static void run(const char *arguments)
{
	char command[1024];
	int status;

	if (access(binary, X_OK) < 0) {
		printf("skip: %s is not built\n", binary);
		skip();
	}
	snprintf(command, sizeof(command), "D='%s'; '%s' %s >\"$D/out\" 2>\"$D/err\" </dev/null", folder, binary,
		 arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	code = WEXITSTATUS(status);
	read_back("out", out);
	read_back("err", errors);
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int set_up(void **state)
{
	const char *build = getenv("HF_BUILD");
	char text[256];

	(void)state;
	snprintf(binary, sizeof(binary), "%s/holdfast", build ? build : "build");
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-cli-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(text, sizeof(text), "%s/policies", folder);
	if (mkdir(text, 0755) < 0)
		return -1;
	write_file("policies/private", "# office\n192.0.2.0/24\n");
	snprintf(text, sizeof(text), "[agent]\npolicies = %s/policies\ncontrol_socket = %s/control.sock\n", folder,
		 folder);
	write_file("holdfast.conf", text);
	return 0;
}

static int clean_up(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void expect_narrow(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > PRINT_COLUMNS)
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* ---- the command line ------------------------------------------------------------------------ */

static void test_wrong_usage(void **state)
{
	static const struct {
		const char *arguments, *message;
	} cases[] = {
		{ "stauts", "holdfast: there is no command \"stauts\": did you mean status?; see holdfast help\n" },
		{ "encrypt", "holdfast: there is no command \"encrypt\"; see holdfast help\n" },
		{ "help nonsense", "holdfast: there is no command \"nonsense\"; see holdfast help\n" },
		{ "help run status", "holdfast: help takes one command; see holdfast help\n" },
		{ "status --jsn",
		  "holdfast: status has no option --jsn: did you mean --json?; see holdfast help status\n" },
		{ "status --force", "holdfast: status has no option --force; see holdfast help status\n" },
		{ "status now", "holdfast: status takes no words behind it; see holdfast help status\n" },
		{ "run --json", "holdfast: run has no option --json; see holdfast help run\n" },
		{ "run --config", "holdfast: --config needs a value; see holdfast help run\n" },
		{ "run now", "holdfast: run takes no words behind it; see holdfast help run\n" },
		{ "policy", "holdfast: policy needs to know what to do: list or test; see holdfast help policy\n" },
		{ "policy tset", "holdfast: policy cannot \"tset\": did you mean test?; see holdfast help policy\n" },
		{ "policy list ::1", "holdfast: policy list takes no words behind it; see holdfast help policy\n" },
		{ "policy test", "holdfast: policy test takes one address; see holdfast help policy\n" },
		{ "policy test ::1 ::2", "holdfast: policy test takes one address; see holdfast help policy\n" },
		{ "policy test host", "holdfast: \"host\" is not an IPv4 or IPv6 address; see holdfast help policy\n" },
		{ "peers host", "holdfast: \"host\" is not an IPv4 or IPv6 address; see holdfast help peers\n" },
		{ "peers ::1 ::2", "holdfast: peers takes one address, or none; see holdfast help peers\n" },
		{ "explain", "holdfast: explain takes one address; see holdfast help explain\n" },
		{ "explain 192.0.2.300",
		  "holdfast: \"192.0.2.300\" is not an IPv4 or IPv6 address; see holdfast help explain\n" },
		{ "explain ::1 ::2", "holdfast: explain takes one address; see holdfast help explain\n" },
		{ "explain ::1 --force", "holdfast: explain has no option --force; see holdfast help explain\n" },
		{ "watch ::1 ::2", "holdfast: watch takes one address, or none; see holdfast help watch\n" },
		{ "watch it", "holdfast: \"it\" is not an IPv4 or IPv6 address; see holdfast help watch\n" },
		{ "connect", "holdfast: connect takes one address; see holdfast help connect\n" },
		{ "connect 192.0.2.0/24",
		  "holdfast: \"192.0.2.0/24\" is not an IPv4 or IPv6 address; see holdfast help connect\n" },
		{ "forget", "holdfast: forget takes one address; see holdfast help forget\n" },
		{ "forget ::1 ::2", "holdfast: forget takes one address; see holdfast help forget\n" },
		{ "forget all", "holdfast: \"all\" is not an IPv4 or IPv6 address; see holdfast help forget\n" },
		{ "conect ::1",
		  "holdfast: there is no command \"conect\": did you mean connect?; see holdfast help\n" },
		{ "doctor please", "holdfast: doctor takes no words behind it; see holdfast help doctor\n" },
		{ "unload all", "holdfast: unload takes no words behind it; see holdfast help unload\n" },
		{ "version 2", "holdfast: version takes no words behind it; see holdfast help version\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(cases[i].arguments);
		assert_string_equal(errors, cases[i].message);
		assert_string_equal(out, "");
		assert_int_equal(code, 2);
	}
	run("");
	assert_int_equal(code, 2);
	assert_non_null(strstr(out, "holdfast COMMAND"));
}

static void test_help(void **state)
{
	static const char *const commands[] = { "run",	  "status", "peers",  "explain", "watch", "connect", "forget",
						"policy", "doctor", "decode", "unload",	 "help",  "version" };
	char arguments[64];

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		OWN_FREE char *first = NULL;

		snprintf(arguments, sizeof(arguments), "%s --help", commands[i]);
		run(arguments);
		assert_int_equal(code, 0);
		assert_non_null(strstr(out, "Examples:\n  "));
		expect_narrow(out);
		first = strdup(out);
		snprintf(arguments, sizeof(arguments), "help %s", commands[i]);
		run(arguments);
		assert_string_equal(out, first);
	}
	run("--help");
	assert_int_equal(code, 0);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_non_null(strstr(out, commands[i]));
	expect_narrow(out);
}

static void test_version(void **state)
{
	(void)state;
	run("--version");
	assert_int_equal(code, 0);
	assert_string_equal(out, "holdfast " HF_VERSION "\n");
	run("version --json");
	assert_non_null(strstr(out, "\"version\": \"" HF_VERSION "\""));
}

/* ---- without an agent ------------------------------------------------------------------------ */

static void test_no_agent(void **state)
{
	(void)state;
	run("status --config $D/holdfast.conf");
	assert_int_equal(code, 1);
	assert_non_null(strstr(errors, "/control.sock: no agent answers (No such file or directory): start one with"));
	run("status --json --socket $D/none.sock");
	assert_int_equal(code, 1);
	assert_non_null(strstr(out, "\"error\": \""));
	assert_string_equal(errors, "");
}

static void test_policy_from_files(void **state)
{
	(void)state;
	run("policy test 192.0.2.7 --config $D/holdfast.conf");
	assert_int_equal(code, 0);
	assert_non_null(strstr(out, "192.0.2.7: private\n"));
	assert_non_null(strstr(out, "192.0.2.0/24, "));
	assert_non_null(strstr(out, "/policies/private:2\n"));
	assert_non_null(strstr(out, "the policy files; no agent is running\n"));
	run("policy test 2001:db8::1 --json --config $D/holdfast.conf");
	assert_non_null(strstr(out, "\"group\": \"clear\""));
	assert_non_null(strstr(out, "\"source\": \"files\""));
	run("policy list --config $D/holdfast.conf");
	assert_int_equal(code, 0);
	assert_non_null(strstr(out, "\nprivate           192.0.2.0/24                             private:2\n"));
	assert_non_null(strstr(out, "\nclear             all else                                 [policy] default\n"));
	assert_non_null(strstr(out, "  asked     the policy files; no agent is running\n"));
	expect_narrow(out);
	run("policy list --json --config $D/holdfast.conf");
	assert_non_null(strstr(out, "\"prefix\": \"192.0.2.0/24\""));
	assert_non_null(strstr(out, "\"source\": \"files\""));
	write_file("bad.conf", "[agent]\nlog_level = loud\n");
	run("policy test 192.0.2.7 --config $D/bad.conf --socket $D/none.sock");
	assert_int_equal(code, 1);
	assert_non_null(strstr(errors, "/bad.conf:2: log_level = loud is none: give error, warn, info or debug\n"));
}

static void test_run_refuses(void **state)
{
	(void)state;
	write_file("bad.conf", "[agent]\ninterfaces = zz9none\npolicies = /nonexistent\n");
	run("run --config $D/bad.conf");
	assert_int_equal(code, 1);
	assert_non_null(strstr(errors, "/bad.conf:3: /nonexistent: no such folder: create it or correct the path\n"));
	run("run --config $D/none.conf");
	assert_int_equal(code, 1);
	assert_non_null(strstr(errors, "/none.conf: cannot be read (No such file or directory)"));
	write_file("bad.conf", "[agent]\ninterfaces = zz9none\n");
	run("run --config $D/bad.conf");
	assert_int_equal(code, 1);
	assert_non_null(strstr(errors, "/bad.conf:2: there is no interface \"zz9none\""));
}

static void test_doctor(void **state)
{
	json_t *json, *check;
	bool failed = false;
	size_t index;

	(void)state;
	run("doctor --json --config $D/holdfast.conf");
	json = json_loads(out, 0, NULL);
	assert_non_null(json);
	assert_true(json_array_size(json_object_get(json, "checks")) > 15);
	json_array_foreach(json_object_get(json, "checks"), index, check) {
		bool ok = json_is_true(json_object_get(check, "ok"));

		failed |= !ok && json_is_true(json_object_get(check, "needed"));
		assert_int_equal(ok, json_object_get(check, "advice") == NULL);
		assert_int_equal(ok, json_object_get(check, "cost") == NULL);
	}
	assert_int_equal(code, failed);
	assert_int_equal(json_is_true(json_object_get(json, "ok")), !failed);
	json_decref(json);

	write_file("bad.conf", "[agent]\nlog_level = loud\n");
	run("doctor --config $D/bad.conf");
	assert_int_equal(code, 1);
	assert_non_null(strstr(out, "missing  configuration ("));
	assert_non_null(strstr(out, "/bad.conf:2:"));
	assert_non_null(strstr(out, "to do: correct the line\n"));
}

/* ---- with an agent --------------------------------------------------------------------------- */

static void expect_status(void)
{
	assert_int_equal(code, 0);
	assert_non_null(strstr(out, "holdfast " HF_VERSION ", pid 4242, running for 1 d 2 h\n"));
	assert_non_null(strstr(out, "\n  kernel       6.12.107, attached with tcx\n"));
	assert_non_null(strstr(out, "\n  prefixes     3 private, 7 private-or-clear; all else clear\n"));
	assert_non_null(strstr(out, "\n  pairs        17 secure\n"));
	assert_non_null(strstr(out, "\n  waiting      3 of 16384 packets\n"));
	assert_non_null(strstr(out, "\n  sealed       12345 out\n"));
	assert_non_null(strstr(out, "\n  dropped      9 no slot\n"));
	assert_non_null(strstr(out, "hold_slots         9 packets dropped: every slot was taken\n"));
	assert_non_null(strstr(out, "interface ?[31mred? refused\n"));
	/* What is zero is not shown. */
	assert_null(strstr(out, "released"));
	assert_null(strstr(out, " 0 "));
	assert_null(strchr(out, '\033'));
	expect_narrow(out);
}

static void test_with_agent(void **state)
{
	char path[128];
	pid_t agent;

	(void)state;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	agent = cardboard_start(path);
	run("status --config $D/holdfast.conf");
	expect_status();
	run("status --json --config $D/holdfast.conf");
	assert_int_equal(code, 0);
	/* The second question: it counts on. */
	assert_non_null(strstr(out, "\"out_esp\": 13345"));
	run("unload --config $D/holdfast.conf");
	assert_int_equal(code, 1);
	assert_string_equal(errors,
			    "holdfast: an agent is running (pid 4242) and would lose its maps: stop it first, or "
			    "use --force\n");
	/* An agent that answers with an error must not look like no agent. */
	run("policy test 192.0.2.7 --config $D/holdfast.conf");
	assert_int_equal(code, 1);
	assert_string_equal(errors, "holdfast: not today\n");
	cardboard_stop(agent);
	run("policy test 192.0.2.7 --config $D/holdfast.conf");
	assert_int_equal(code, 0);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void test_spans(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0 s" },	  { 59, "59 s" },	  { 60, "1 min" },  { 61, "1 min 1 s" },
		{ 3600, "1 h" },  { 8000, "2 h 13 min" }, { 86400, "1 d" }, { 90000, "1 d 1 h" },
		{ 86459, "1 d" }, { 31536000, "365 d" },
	};
	char text[PRINT_SPAN_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(print_span(text, cases[i].seconds), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_usage),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_no_agent),
		cmocka_unit_test(test_policy_from_files),
		cmocka_unit_test(test_run_refuses),
		cmocka_unit_test(test_doctor),
		cmocka_unit_test(test_with_agent),
		cmocka_unit_test(test_spans),
	};

	return cmocka_run_group_tests_name("cli", tests, set_up, clean_up);
}
