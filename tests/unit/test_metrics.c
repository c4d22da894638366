// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics: every number of the status has one, the text keeps Prometheus' rules, the dashboard asks only for what is there; and the
 * server that hands them out: where it listens, what it answers, how many it lets in.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "base/own.h"
#include "control/exporter.h"
#include "control/metrics.h"
#include "control/status.h"
#include "core/limits.h"

#define NAMES_MAX 256

static char folder[64], path[96];
static struct event_base *base;

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-metrics-XXXXXX");
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

/* ---- the text -------------------------------------------------------------------------------- */

/* Every number another one, from 1,000,001 on. `next` goes on counting. */
static void number(json_t *json, json_int_t *next)
{
	const char *key;
	json_t *value;

	json_object_foreach(json, key, value) {
		if (json_is_integer(value))
			json_integer_set(value, ++*next);
		number(value, next);
	}
}

/* A status that says everything, each number in it its own. */
static json_t *full_status(json_int_t *last)
{
	static const char *const interfaces[] = { "eth0", "wlan0" };
	struct status status = { .pid = 7, .kernel = "6.1 \"x\\y\"", .attach = "tcx", .interfaces = interfaces };
	json_t *json;

	status.interface_count = 2;
	status.keying.present = true;
	status.keying.key = "";
	status.shield.present = true;
	status.keying.directory_expires_s = 9;
	json = status_json(&status);
	assert_non_null(json);
	*last = 1000000;
	number(json, last);
	return json;
}

static char *text_of(const json_t *status)
{
	struct evbuffer *out = evbuffer_new();
	char *text;

	assert_int_equal(metrics_write(out, status), 0);
	evbuffer_add(out, "", 1);
	text = strdup((const char *)evbuffer_pullup(out, -1));
	evbuffer_free(out);
	return text;
}

/* Where a number is the value of a series, not a part of another number or of a label. */
static const char *find_value(const char *text, json_int_t number)
{
	char line[32];

	snprintf(line, sizeof(line), " %lld\n", (long long)number);
	return strstr(text, line);
}

/* A number of the status that is no metric would be one that nobody can watch. */
static void test_complete(void **state)
{
	json_int_t last;
	json_t *status = full_status(&last);
	OWN_FREE char *text = text_of(status);
	json_int_t pid = json_integer_value(json_object_get(status, "pid"));

	(void)state;
	assert_in_range(last, 1000120, 1001000);
	for (json_int_t i = 1000001; i <= last; i++) {
		const char *at = find_value(text, i);

		if (i == pid) {
			assert_null(at);
			continue;
		}
		if (!at)
			fail_msg("number %lld of the status is no metric", (long long)(i - 1000000));
		/* A histogram's count is also its last bucket. */
		if (find_value(at + 1, i) && !strstr(at - 60, "le=\"+Inf\""))
			fail_msg("number %lld of the status is two metrics", (long long)(i - 1000000));
	}
	assert_non_null(strstr(text, "\nholdfast_interfaces 2\n"));
	assert_non_null(strstr(text, "kernel=\"6.1 \\\"x\\\\y\\\"\",attach=\"tcx\"} 1\n"));
	json_decref(status);
}

static bool ends(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The series of a histogram belong to the name without its end. */
static void strip_histogram(char *name)
{
	static const char *const parts[] = { "_bucket", "_sum", "_count" };

	for (size_t i = 0; i < 3; i++)
		if (ends(name, parts[i]))
			name[strlen(name) - strlen(parts[i])] = '\0';
}

/*
 * HELP and TYPE once before the series of a name, which stand together; no series twice; counters and only they end in _total; no
 * colon or capital in a name.
 */
static void test_format(void **state)
{
	char seen[NAMES_MAX][96], name[96] = "", type[16] = "", series[512][128];
	json_int_t last;
	json_t *status = full_status(&last);
	OWN_FREE char *text = text_of(status);
	size_t names = 0, count = 0;
	char *rest = text, *line;

	(void)state;
	while ((line = strsep(&rest, "\n")) != NULL && *line) {
		char this[96];

		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line, "# HELP %95s", name), 1);
			assert_true(ends(line, "."));
			for (size_t i = 0; i < names; i++)
				assert_string_not_equal(seen[i], name);
			assert_true(names < NAMES_MAX);
			strcpy(seen[names++], name);
			line = strsep(&rest, "\n");
			assert_int_equal(sscanf(line, "# TYPE %95s %15s", this, type), 2);
			assert_string_equal(this, name);
			continue;
		}
		assert_int_equal(sscanf(line, "%95[^{ ]", this), 1);
		strip_histogram(this);
		assert_string_equal(this, name);
		assert_true(strncmp(this, "holdfast_", 9) == 0);
		for (const char *at = this; *at; at++)
			assert_true(islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_');
		assert_int_equal(strcmp(type, "counter") == 0, ends(this, "_total"));
		*strrchr(line, ' ') = '\0';
		for (size_t i = 0; i < count; i++)
			assert_string_not_equal(series[i], line);
		assert_true(count < 512 && strlen(line) < 128);
		strcpy(series[count++], line);
	}
	assert_in_range(names, 40, NAMES_MAX);
	json_decref(status);
}

/* A test's driver has no IKE; what a status does not say, nobody claims to be 0. */
static void test_absent(void **state)
{
	struct status status = { .kernel = "6.1" };
	json_t *json = status_json(&status);
	OWN_FREE char *text = text_of(json);

	(void)state;
	assert_non_null(strstr(text, "\nholdfast_peers{state=\"secure\"} 0\n"));
	assert_null(strstr(text, "holdfast_ike"));
	assert_null(strstr(text, "holdfast_directory"));
	json_decref(json);
}

static void test_lifetimes(void **state)
{
	struct status status = { .keying = { .present = true, .key = "" } };
	OWN_FREE char *text = NULL;
	json_t *json;

	(void)state;
	status_lifetime(&status.keying.lifetimes, 0);
	status_lifetime(&status.keying.lifetimes, 60);
	status_lifetime(&status.keying.lifetimes, 61);
	status_lifetime(&status.keying.lifetimes, 90000);
	json = status_json(&status);
	text = text_of(json);
	assert_non_null(strstr(text, "_lifetime_seconds_bucket{le=\"60\"} 2\n"));
	assert_non_null(strstr(text, "_lifetime_seconds_bucket{le=\"600\"} 3\n"));
	assert_non_null(strstr(text, "_lifetime_seconds_bucket{le=\"86400\"} 3\n"));
	assert_non_null(strstr(text, "_lifetime_seconds_bucket{le=\"+Inf\"} 4\n"));
	assert_non_null(strstr(text, "_lifetime_seconds_sum 90121\n"));
	assert_non_null(strstr(text, "_lifetime_seconds_count 4\n"));
	json_decref(json);
}

/* ---- dashboard and rules --------------------------------------------------------------------- */

/* Every name in `asked` that begins with holdfast_ is a series of `text`. Returns how many names it asks for. */
static size_t names_exist(const char *asked, const char *text, const char *file)
{
	size_t count = 0;

	for (const char *at = asked; (at = strstr(at, "holdfast_")) != NULL; count++) {
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
		char begin[128];
		bool there;

		snprintf(begin, sizeof(begin), "\n%.*s{", (int)len, at);
		there = strstr(text, begin) != NULL;
		begin[len + 1] = ' ';
		if (!there && !strstr(text, begin))
			fail_msg("%s asks for %.*s, which is not exported", file, (int)len, at);
		at += len;
	}
	return count;
}

static char *read_file(const char *name)
{
	const char *root = getenv("HF_SRC");
	char file[512];
	OWN_FREE char *text = calloc(1, 1 << 20);
	FILE *in;

	snprintf(file, sizeof(file), "%s/%s", root ? root : ".", name);
	in = fopen(file, "re");
	if (!in)
		fail_msg("%s: cannot be read", file);
	assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
	fclose(in);
	return TAKE(text);
}

/* Each "expr" of the panels, wherever it is. */
static size_t walk_dashboard(const json_t *json, const char *text)
{
	const json_t *value;
	const char *key;
	size_t index, count = 0;

	json_array_foreach(json, index, value)
		count += walk_dashboard(value, text);
	json_object_foreach((json_t *)json, key, value) {
		if (strcmp(key, "expr") == 0) {
			size_t names = names_exist(json_string_value(value), text, "the dashboard");

			assert_true(names > 0);
			count += names;
		}
		count += walk_dashboard(value, text);
	}
	return count;
}

static void test_dashboard(void **state)
{
	json_int_t last;
	json_t *status = full_status(&last), *dashboard;
	OWN_FREE char *text = text_of(status), *source = read_file("dist/grafana/holdfast.json");
	OWN_FREE char *rules = read_file("dist/prometheus/holdfast.rules.yml");
	json_error_t error;

	(void)state;
	dashboard = json_loads(source, JSON_REJECT_DUPLICATES, &error);
	if (!dashboard)
		fail_msg("dist/grafana/holdfast.json:%d: %s", error.line, error.text);
	assert_in_range(walk_dashboard(dashboard, text), 20, 1000);
	assert_in_range(names_exist(rules, text, "the rules"), 8, 1000);
	json_decref(dashboard);
	json_decref(status);
}

/* ---- the server ------------------------------------------------------------------------------ */

static json_t *source(void *arg)
{
	struct status status = { .kernel = "6.1", .uptime_s = 77 };

	assert_string_equal(arg, "argument");
	return status_json(&status);
}

static struct exporter *open_exporter(void)
{
	struct err err = ERR_NONE;
	struct exporter *exporter;

	snprintf(path, sizeof(path), "%s/metrics.sock", folder);
	assert_int_equal(exporter_open(&exporter, base, path, source, "argument", &err), 0);
	return exporter;
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Sends, lets the loop turn for some hundredths of a second, and returns what came back; "EOF" at its end when the connection ended. */
static const char *ask(int fd, const char *text, int turns)
{
	const struct timeval turn = { .tv_usec = 10000 };
	static char out[65536];
	size_t used = 0;
	ssize_t len = -1;

	if (*text)
		send(fd, text, strlen(text), MSG_NOSIGNAL);
	for (int i = 0; i < turns && len != 0; i++) {
		event_base_loopexit(base, &turn);
		event_base_loop(base, 0);
		while ((len = recv(fd, out + used, sizeof(out) - 8 - used, 0)) > 0)
			used += (size_t)len;
	}
	used += len == 0 ? (size_t)sprintf(out + used, "EOF") : 0;
	out[used] = '\0';
	return out;
}

static const char *ask_once(const char *text)
{
	OWN_FD int fd = dial();

	return ask(fd, text, 300);
}

static void test_server(void **state)
{
	struct exporter *exporter = open_exporter();
	struct stat status;
	char big[8192];
	const char *out;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	out = ask_once("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(out, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(out, "Content-Type: " METRICS_TYPE "\r\n"));
	assert_non_null(strstr(out, "\nholdfast_uptime_seconds 77\n"));
	assert_true(ends(out, "EOF"));
	assert_non_null(strstr(ask_once("GET /metrics?x=1 HTTP/1.0\r\n\r\n"), "\nholdfast_uptime_seconds 77\n"));
	assert_non_null(strstr(ask_once("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), " 404 "));
	assert_non_null(strstr(ask_once("GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n"), " 404 "));
	assert_null(strstr(ask_once("POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"), "holdfast_"));
	assert_null(strstr(ask_once("nonsense\r\n\r\n"), "holdfast_"));
	memset(big, 'a', sizeof(big) - 1);
	memcpy(big, "GET /metrics?", 13);
	big[sizeof(big) - 1] = '\0';
	assert_null(strstr(ask_once(big), "holdfast_"));
	assert_non_null(strstr(ask_once("GET /metrics HTTP/1.1\r\n\r\n"), "\nholdfast_uptime_seconds 77\n"));
	exporter_close(exporter);
	assert_int_equal(access(path, F_OK), -1);
}

/* Who says nothing takes places, and gives them back; the one that waits is served then. */
static void test_clients(void **state)
{
	struct exporter *exporter = open_exporter();
	int silent[LIMIT_METRICS_CLIENTS];
	OWN_FD int late = -1;

	(void)state;
	for (int i = 0; i < LIMIT_METRICS_CLIENTS; i++)
		silent[i] = dial();
	ask(silent[0], "", 10);
	late = dial();
	assert_string_equal(ask(late, "GET /metrics HTTP/1.1\r\n\r\n", 10), "");
	close(silent[3]);
	silent[3] = -1;
	assert_non_null(strstr(ask(late, "", 300), "\nholdfast_uptime_seconds 77\n"));
	exporter_close(exporter);
	for (int i = 0; i < LIMIT_METRICS_CLIENTS; i++)
		close(silent[i]);
}

static void test_where(void **state)
{
	static const char *const good[] = { "127.0.0.1:9879", "127.9.9.9:1", "[::1]:65535", "/run/holdfast/metrics" };
	static const char *const bad[] = { "127.0.0.1",	   "127.0.0.1:0", "127.0.0.1:65536", "10.0.0.1:9879",
					   "0.0.0.0:9879", "[::]:9879",	  "[fe80::1]:9879",  "localhost:9879",
					   ":9879",	   "9879",	  "metrics.sock",    "[::ffff:127.0.0.1]:80" };
	struct exporter *exporter = NULL;
	char longest[128] = "/";

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(exporter_check(good[i], NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_NONE;

		assert_int_equal(exporter_check(bad[i], &err), -EINVAL);
		assert_true(strstr(err.text, bad[i]) && strstr(err.text, "give "));
		assert_true(exporter_open(&exporter, base, bad[i], source, NULL, &err) < 0);
	}
	memset(longest + 1, 'a', 107);
	assert_int_equal(exporter_check(longest, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),  cmocka_unit_test(test_format),    cmocka_unit_test(test_absent),
		cmocka_unit_test(test_lifetimes), cmocka_unit_test(test_server),    cmocka_unit_test(test_clients),
		cmocka_unit_test(test_where),	  cmocka_unit_test(test_dashboard),
	};

	return cmocka_run_group_tests_name("metrics", tests, make_folder, remove_folder);
}
