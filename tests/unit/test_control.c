// SPDX-License-Identifier: Apache-2.0
/*
 * The operator's socket on a loop of its own: requests, nonsense, limits, and who holds the path; and the answers
 * that are made for it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/nstime.h"
#include "base/own.h"
#include "control/answer.h"
#include "control/control.h"
#include "control/status.h"
#include "core/limits.h"
#include "holdfast/control.h"

#define OUT_MAX 65536

static char folder[64], path[96];
static struct event_base *base;
static int requests;

/* Echoes {"n": 5} as {"got": 5}; "big" asks for an answer of that many octets. */
static json_t *handle(void *arg, const json_t *request)
{
	json_int_t big = json_integer_value(json_object_get(request, "big"));

	requests++;
	assert_string_equal(arg, "argument");
	if (big) {
		OWN_FREE char *text = malloc((size_t)big + 1);

		memset(text, 'b', (size_t)big);
		text[big] = '\0';
		return json_pack("{ss}", "text", text);
	}
	if (json_object_get(request, "fail"))
		return NULL;
	return json_pack("{sO}", "got", json_object_get(request, "n") ?: json_null());
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-control-XXXXXX");
	base = event_base_new();
	return mkdtemp(folder) && base ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	event_base_free(base);
	libevent_global_shutdown();
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct control *open_control(void)
{
	struct err err = ERR_NONE;
	struct control *control;

	requests = 0;
	snprintf(path, sizeof(path), "%s/run/control.sock", folder);
	assert_int_equal(control_open(&control, base, path, handle, "argument", &err), 0);
	assert_string_equal(err.text, "");
	return control;
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void turn(void)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Sends, lets the loop turn, and returns what came back; "EOF" at its end when the connection ended. */
static const char *ask(int fd, const char *text)
{
	static char out[OUT_MAX];
	size_t used = 0;
	ssize_t len;

	if (*text)
		assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	for (int i = 0; i < 20; i++) {
		turn();
		while ((len = recv(fd, out + used, sizeof(out) - 8 - used, 0)) > 0)
			used += (size_t)len;
		if (len == 0) {
			used += (size_t)sprintf(out + used, "EOF");
			break;
		}
	}
	out[used] = '\0';
	return out;
}

static void test_requests(void **state)
{
	struct control *control = open_control();
	OWN_FD int fd = dial();

	(void)state;
	assert_string_equal(ask(fd, "{\"n\": 5}\n"), "{\"got\":5}\n");
	assert_string_equal(ask(fd, "{\"n\": 1}\n{\"n\": 2}\n{\"n\""), "{\"got\":1}\n{\"got\":2}\n");
	assert_string_equal(ask(fd, ": 3}\r\n"), "{\"got\":3}\n");
	assert_string_equal(ask(fd, "{\"fail\": 1}\n"), "{\"error\":\"out of memory\"}\n");
	assert_int_equal(requests, 5);
	control_close(control);
}

static void test_nonsense(void **state)
{
	static const char *const lines[] = { "\n", "hello\n", "{\n", "{\"a\":1,\"a\":2}\n", "\xff\xfe\n", "{}{}\n" };
	struct control *control = open_control();
	OWN_FD int fd = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_non_null(strstr(ask(fd, lines[i]), "{\"error\":\"the request is not JSON ("));
	assert_non_null(strstr(ask(fd, "[1]\n"), "but not an object"));
	assert_int_equal(requests, 0);
	assert_string_equal(ask(fd, "{\"n\":1}\n"), "{\"got\":1}\n");
	control_close(control);
}

static void test_half_closed(void **state)
{
	struct control *control = open_control();
	OWN_FD int fd = dial();

	(void)state;
	assert_int_equal(send(fd, "{\"n\":7}\n", 8, 0), 8);
	shutdown(fd, SHUT_WR);
	assert_string_equal(ask(fd, ""), "{\"got\":7}\nEOF");
	control_close(control);
}

static void test_long_line(void **state)
{
	OWN_FREE char *line = malloc(LIMIT_CONTROL_LINE + 1);
	struct control *control = open_control();
	OWN_FD int fd = dial();

	(void)state;
	memset(line, 'x', LIMIT_CONTROL_LINE);
	line[LIMIT_CONTROL_LINE] = '\0';
	assert_string_equal(ask(fd, line), "{\"error\":\"the request is longer than a line may be: send less\"}\nEOF");
	control_close(control);
}

/* A client that asks and never reads is cut off; others go on. */
static void test_unread(void **state)
{
	struct control *control = open_control();
	OWN_FD int greedy = dial(), other = dial();
	char request[64];
	int asked = 0;

	(void)state;
	snprintf(request, sizeof(request), "{\"big\": %d}\n", LIMIT_CONTROL_UNREAD / 4);
	while (asked < 50 && send(greedy, request, strlen(request), MSG_NOSIGNAL) > 0) {
		turn();
		asked++;
	}
	assert_in_range(requests, 4, 8);
	assert_string_equal(ask(other, "{\"n\":1}\n"), "{\"got\":1}\n");
	control_close(control);
}

static void test_clients(void **state)
{
	struct control *control = open_control();
	int fds[LIMIT_CONTROL_CLIENTS], more;

	(void)state;
	for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
		fds[i] = dial();
		turn();
	}
	more = dial();
	assert_string_equal(ask(more, ""), "{\"error\":\"too many clients are connected: try again later\"}\nEOF");
	close(more);
	assert_string_equal(ask(fds[3], "{\"n\":1}\n"), "{\"got\":1}\n");
	close(fds[0]);
	turn();
	more = dial();
	assert_string_equal(ask(more, "{\"n\":2}\n"), "{\"got\":2}\n");
	close(more);
	for (int i = 1; i < LIMIT_CONTROL_CLIENTS; i++)
		close(fds[i]);
	control_close(control);
}

static void test_path(void **state)
{
	struct control *control = open_control(), *second = NULL;
	char expected[256];
	struct err err = ERR_NONE;
	struct stat status;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(control_open(&second, base, path, handle, NULL, &err), -EADDRINUSE);
	snprintf(expected, sizeof(expected), "%s: an agent answers there already (pid %d): stop it first", path,
		 getpid());
	assert_string_equal(err.text, expected);
	assert_null(second);
	control_close(control);
	assert_int_equal(stat(path, &status), -1);
}

static void test_dead_agent(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct control *control;

	(void)state;
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	control = open_control();
	control_close(control);
}

static void test_foreign_file(void **state)
{
	struct control *control = NULL;
	struct err err = ERR_NONE;
	char expected[256];

	(void)state;
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(control_open(&control, base, path, handle, NULL, &err), -EEXIST);
	snprintf(expected, sizeof(expected),
		 "%s: there is something that is not a socket: remove it, or set control_socket to another path", path);
	assert_string_equal(err.text, expected);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);

	err = ERR_NONE;
	assert_int_equal(control_open(&control, base, "/nonexistent/a/b.sock", handle, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent/a: cannot be made (No such file or directory): make it, or set "
				      "control_socket to another path");
}

/* An agent that is slow to end does not take its successor's socket away. */
static void test_successor(void **state)
{
	struct control *old = open_control(), *young;

	(void)state;
	unlink(path);
	young = open_control();
	control_close(old);
	assert_int_equal(access(path, F_OK), 0);
	control_close(young);
	assert_int_equal(access(path, F_OK), -1);
}

/* Asks as another user and group; true when there was an answer, false when it was turned away. */
static bool stranger_is_served(gid_t gid, gid_t more)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char out[256] = "";
		int fd;

		if (setgroups(1, &more) < 0 || setgid(gid) < 0 || setuid(65534) < 0)
			_exit(3);
		fd = dial();
		fcntl(fd, F_SETFL, 0);
		if (send(fd, "{\"n\":1}\n", 8, MSG_NOSIGNAL) < 0 && errno != EPIPE)
			_exit(4);
		if (recv(fd, out, sizeof(out) - 1, 0) <= 0)
			_exit(5);
		_exit(strcmp(out, "{\"got\":1}\n") == 0 ? 0 : strstr(out, "only root") ? 1 : 6);
	}
	while (waitpid(child, &status, WNOHANG) == 0)
		turn();
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status) == 0;
}

static void test_strangers(void **state)
{
	struct control *control;

	(void)state;
	if (geteuid() != 0)
		skip();
	control = open_control();
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chown(path, 0, 4711), 0);
	/* A careless chmod does not let everybody in. */
	assert_int_equal(chmod(path, 0666), 0);
	assert_false(stranger_is_served(65534, 65534));
	assert_true(stranger_is_served(4711, 65534));
	assert_true(stranger_is_served(65534, 4711));
	assert_int_equal(chmod(path, 0606), 0);
	assert_false(stranger_is_served(65534, 65534));
	control_close(control);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void expect_json(json_t *got, const char *expected)
{
	OWN_FREE char *text = json_dumps(got, JSON_COMPACT);

	assert_string_equal(text, expected);
	json_decref(got);
}

static void test_answers(void **state)
{
	struct policy_entry storage[2];
	struct answer_pair pair = { .known = true, .gated = true };
	const struct answer_clock clock = { .now = 10 * NSTIME_S, .wall_ns = 1700000010 * NSTIME_S };
	struct hf_addr addr;
	struct policy policy;

	(void)state;
	expect_json(answer_error("no %s", "way"), "{\"error\":\"no way\"}");
	expect_json(answer_error("%s", "\xff"), "{\"error\":\"the reason is not text\"}");
	policy_init(&policy, storage, 2, HF_GROUP_CLEAR);
	assert_int_equal(policy_add_line(&policy, HF_GROUP_PRIVATE, "192.0.2.0/24", "/p/private", 3, NULL), 0);
	assert_int_equal(policy_finish(&policy, NULL), 0);

	addr_parse(&addr, "203.0.113.9", NULL);
	expect_json(answer_policy_test(&policy, &addr, NULL, 0, &clock),
		    "{\"address\":\"203.0.113.9\",\"group\":\"clear\",\"pairs\":[]}");
	addr_parse(&addr, "192.0.2.9", NULL);
	pair.pair.remote = addr;
	addr_parse(&pair.pair.local, "192.0.2.1", NULL);
	pair.peer.state = PEER_DENIED;
	pair.peer.failures = 2;
	pair.peer.failure = FAILURE_NO_KEY;
	pair.peer.since_ns = 5 * NSTIME_S;
	pair.gate.verdict = HF_VERDICT_BLOCK;
	pair.gate.group = HF_GROUP_PRIVATE;
	pair.gate.until_ns = 70 * NSTIME_S + 1;
	expect_json(answer_policy_test(&policy, &addr, &pair, 1, &clock),
		    "{\"address\":\"192.0.2.9\",\"group\":\"private\",\"prefix\":\"192.0.2.0/24\",\"file\":"
		    "\"/p/private\",\"line\":3,\"pairs\":[{\"local\":\"192.0.2.1\",\"remote\":\"192.0.2.9\",\"state\":"
		    "\"denied\",\"since\":5,\"failures\":2,\"failure\":\"the peer has no key\",\"verdict\":\"block\","
		    "\"verdict_group\":\"private\",\"seconds_left\":61}]}");
	pair.known = false;
	pair.gate.until_ns = 0;
	expect_json(answer_policy_test(&policy, &addr, &pair, 1, &clock),
		    "{\"address\":\"192.0.2.9\",\"group\":\"private\",\"prefix\":\"192.0.2.0/24\",\"file\":"
		    "\"/p/private\",\"line\":3,\"pairs\":[{\"local\":\"192.0.2.1\",\"remote\":\"192.0.2.9\","
		    "\"verdict\":\"block\",\"verdict_group\":\"private\",\"seconds_left\":null}]}");
}

/* In the order of deciding, as many at a time as are asked for. */
static void test_policy_list(void **state)
{
	struct policy_entry storage[3];
	struct policy policy;

	(void)state;
	policy_init(&policy, storage, 3, HF_GROUP_BLOCK);
	expect_json(answer_policy_list(&policy, 0, 2),
		    "{\"default\":\"block\",\"groups\":{\"clear\":0,\"clear-or-private\":0,\"private-or-clear\":0,"
		    "\"private\":0,\"block\":0},\"prefixes\":[],\"next\":null,\"total\":0}");
	assert_int_equal(policy_add_line(&policy, HF_GROUP_PRIVATE, "192.0.2.0/24", "/p/private", 3, NULL), 0);
	assert_int_equal(policy_add_line(&policy, HF_GROUP_CLEAR, "192.0.2.7", "/p/clear", 9, NULL), 0);
	assert_int_equal(policy_add_line(&policy, HF_GROUP_PRIVATE, "2001:db8::/32", "/p/private", 4, NULL), 0);
	assert_int_equal(policy_finish(&policy, NULL), 0);
	expect_json(answer_policy_list(&policy, 0, 2),
		    "{\"default\":\"block\",\"groups\":{\"clear\":1,\"clear-or-private\":0,\"private-or-clear\":0,"
		    "\"private\":2,\"block\":0},\"prefixes\":["
		    "{\"prefix\":\"192.0.2.7/32\",\"group\":\"clear\",\"line\":9,\"file\":\"/p/clear\"},"
		    "{\"prefix\":\"192.0.2.0/24\",\"group\":\"private\",\"line\":3,\"file\":\"/p/private\"}],"
		    "\"next\":2,\"total\":3}");
	expect_json(answer_policy_list(&policy, 2, 2),
		    "{\"default\":\"block\",\"groups\":{\"clear\":1,\"clear-or-private\":0,\"private-or-clear\":0,"
		    "\"private\":2,\"block\":0},\"prefixes\":["
		    "{\"prefix\":\"2001:db8::/32\",\"group\":\"private\",\"line\":4,\"file\":\"/p/private\"}],"
		    "\"next\":null,\"total\":3}");
	expect_json(answer_policy_list(&policy, 77, 2),
		    "{\"default\":\"block\",\"groups\":{\"clear\":1,\"clear-or-private\":0,\"private-or-clear\":0,"
		    "\"private\":2,\"block\":0},\"prefixes\":[],\"next\":null,\"total\":3}");
}

/* Only what is known of a pair is said, with times of the wall clock. */
static void test_pair(void **state)
{
	const struct answer_clock clock = { .now = 10 * NSTIME_S, .wall_ns = 1700000010 * NSTIME_S };
	const struct answer_step steps[] = {
		{ .first_ns = 9 * NSTIME_S, .last_ns = 9500 * NSTIME_MS, .times = 3, .what = "held", .text = "why" }
	};
	struct answer_pair pair = { .known = true };
	json_t *json;

	(void)state;
	addr_parse(&pair.pair.local, "192.0.2.1", NULL);
	addr_parse(&pair.pair.remote, "2001:db8::9", NULL);
	pair.peer.state = PEER_SECURE;
	pair.peer.since_ns = 4 * NSTIME_S;
	json = answer_pair_json(&pair, &clock);
	expect_json(json, "{\"local\":\"192.0.2.1\",\"remote\":\"2001:db8::9\",\"state\":\"secure\",\"since\":6,"
			  "\"failures\":0}");
	pair.peer.spi_in_be = htonl(0xabc);
	pair.peer.spi_out_be = htonl(0x12345678);
	pair.sent = (struct answer_use){ true, 7, 1400 };
	pair.source = "pin";
	pair.name = "b";
	pair.key = "0011223344556677";
	pair.suite = "";
	pair.steps = steps;
	pair.step_count = 1;
	json = answer_pair_json(&pair, &clock);
	assert_string_equal(json_string_value(json_object_get(json, "spi_in")), "00000abc");
	assert_string_equal(json_string_value(json_object_get(json, "spi_out")), "12345678");
	assert_string_equal(json_string_value(json_object_get(json, "key_source")), "pin");
	assert_null(json_object_get(json, "suite"));
	assert_null(json_object_get(json, "received"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "sent"), "bytes")), 1400);
	expect_json(json_incref(json_array_get(json_object_get(json, "events"), 0)),
		    "{\"time\":1700000009.0,\"event\":\"held\",\"text\":\"why\",\"times\":3,\"last\":1700000009.5}");
	json_decref(json);
}

/* Every counter arrives under its own name: each gets another value. */
static void test_status(void **state)
{
	static const char *const interfaces[] = { "eth0", "wlan0" };
	struct status status = { .pid = 7,
				 .uptime_s = 90,
				 .kernel = "6.12",
				 .attach = "tcx",
				 .interfaces = interfaces,
				 .interface_count = 2,
				 .prefixes = { 1, 2, 3, 4, 5 },
				 .fallback = HF_GROUP_PRIVATE,
				 .slots = { 3, 100 },
				 .gate_full = 9 };
	json_t *json, *packets, *released, *value;
	json_int_t last = 0;
	const char *name;

	(void)state;
	for (size_t i = 0; i < sizeof(status.packets) / 8; i++)
		((__u64 *)&status.packets)[i] = 1000 + i;
	for (size_t i = 0; i < sizeof(status.released) / 8; i++)
		((__u64 *)&status.released)[i] = 2000 + i;
	status.core.by_state[PEER_SECURE] = 6;
	json = status_json(&status);
	assert_non_null(json);
	packets = json_object_get(json, "packets");
	released = json_object_get(json, "released");
	assert_int_equal(json_object_size(packets), sizeof(status.packets) / 8);
	assert_int_equal(json_object_size(released), sizeof(status.released) / 8);
	json_object_foreach(packets, name, value) {
		assert_true(json_integer_value(value) > last);
		last = json_integer_value(value);
	}
	assert_int_equal(json_integer_value(json_object_get(packets, "held_stray")), status.packets.held_stray);
	assert_int_equal(json_integer_value(json_object_get(released, "told_sender")), status.released.told_sender);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "policies"), "private")), 4);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json, "policies"), "default")),
			    "private");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "peers"), "secure")), 6);
	assert_true(json_is_null(json_object_get(json, "config")));
	assert_int_equal(json_array_size(json_object_get(json, "interfaces")), 2);
	assert_int_equal(json_array_size(json_object_get(json, "problems")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "limits")), 7);
	/* A driver of a test has no IKE: nothing is said of it. */
	assert_null(json_object_get(json, "ike"));
	json_decref(json);

	status.keying = (struct status_keying){ .present = true, .key = "", .ike = { .established = 4 }, .pinned = 9 };
	status.keying.renewals_full = 3;
	json = status_json(&status);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "ike"), "renewals_full")), 3);
	assert_int_equal(json_array_size(json_object_get(json, "limits")), 8);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "ike"), "established")), 4);
	assert_true(json_is_null(json_object_get(json_object_get(json, "ike"), "key")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "discovery"), "pinned")), 9);
	assert_true(json_is_null(json_object_get(json_object_get(json, "discovery"), "directory_expires")));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),     cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_half_closed),  cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_unread),	     cmocka_unit_test(test_clients),
		cmocka_unit_test(test_path),	     cmocka_unit_test(test_dead_agent),
		cmocka_unit_test(test_foreign_file), cmocka_unit_test(test_successor),
		cmocka_unit_test(test_strangers),    cmocka_unit_test(test_answers),
		cmocka_unit_test(test_policy_list),  cmocka_unit_test(test_pair),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests_name("control", tests, make_folder, remove_folder);
}
