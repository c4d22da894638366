// SPDX-License-Identifier: Apache-2.0
/*
 * A directory from an https:// URL: a small server of the test's own (Python, a certificate of its own CA) counts what is asked, answers
 * conditionally, too long, not at all, or under a name its certificate does not have.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/own.h"
#include "discover/origin.h"
#include "signed_directory.h"

#define PATIENCE_S 30 /* only a broken test waits so long */

/* Serves its folder. /large is endless, /moved leads to plain http. Writes a line per answer to the file `log`. */
static const char server[] =
	"import http.server, os, ssl, hashlib, sys\n"
	"class H(http.server.BaseHTTPRequestHandler):\n"
	"    def log_message(self, *a): pass\n"
	"    def say(self, code):\n"
	"        open('log', 'a').write('%d %s\\n' % (code, self.path)); self.send_response(code)\n"
	"    def do_GET(self):\n"
	"        if self.path.startswith('/large'):\n"
	"            self.say(200); self.end_headers()\n"
	"            try:\n"
	"                for i in range(4000): self.wfile.write(b'x' * 10000)\n"
	"            except OSError: pass\n"
	"            return\n"
	"        if self.path.startswith('/moved'):\n"
	"            self.say(302); self.send_header('Location', 'http://127.0.0.1:1/'); self.end_headers(); return\n"
	"        try: body = open('.' + self.path, 'rb').read()\n"
	"        except OSError: self.say(404); self.end_headers(); return\n"
	"        tag = '\"' + hashlib.sha256(body).hexdigest() + '\"'\n"
	"        if self.headers.get('If-None-Match') == tag: self.say(304); self.end_headers(); return\n"
	"        self.say(200); self.send_header('ETag', tag); self.send_header('Content-Length', str(len(body)))\n"
	"        self.end_headers(); self.wfile.write(body)\n"
	"s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
	"c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('cert.pem', 'key.pem')\n"
	"s.socket = c.wrap_socket(s.socket, server_side=True)\n"
	"open('port.new', 'w').write(str(s.server_address[1])); os.rename('port.new', 'port')\n"
	"s.serve_forever()\n";

static pid_t server_pid;
static int port;

static void run(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd '%s' && %s", folder, command);
	if (system(line) != 0)
		fail_msg("failed: %s", command);
}

static int start_server(void **state)
{
	struct err err = ERR_NONE;
	FILE *file = NULL;

	if (crypto_init(&err) < 0 || make_folder(state) < 0)
		return -1;
	write_octets_to(in_folder("server.py"), view_of(server, sizeof(server) - 1));
	run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 "
	    "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 2>/dev/null");
	server_pid = fork();
	if (server_pid == 0) {
		if (chdir(folder) == 0)
			execlp("python3", "python3", "server.py", (char *)NULL);
		_exit(1);
	}
	for (int i = 0; i < 300 && !file; i++) {
		usleep(100000);
		file = fopen(in_folder("port"), "r");
	}
	if (!file || fscanf(file, "%d", &port) != 1)
		return -1;
	return fclose(file);
}

static int stop_server(void **state)
{
	kill(server_pid, SIGKILL);
	waitpid(server_pid, NULL, 0);
	return remove_folder(state);
}

/* ---- an origin under test ------------------------------------------------------------------------ */

struct brought {
	unsigned int count;
	size_t len, signature_len;
	char error[ERR_TEXT_MAX];
};

static void on_text(void *arg, struct view text, struct view signature, const struct err *err)
{
	struct brought *brought = arg;

	brought->count++;
	brought->len = text.len;
	brought->signature_len = signature.len;
	snprintf(brought->error, sizeof(brought->error), "%s", err ? err->text : "");
}

static void wait_for(struct event_base *base, const unsigned int *count, unsigned int wanted)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (*count < wanted) {
		const struct timeval slice = { .tv_usec = 50000 };

		assert_true(time(NULL) < end);
		event_base_loopexit(base, &slice);
		event_base_dispatch(base);
	}
}

static void fetch_from(struct brought *brought, const char *host, const char *path, const char *ca)
{
	struct event_base *base = event_base_new();
	struct origin_options options = { .ca = ca };
	struct origin *origin;
	struct err err = ERR_NONE;
	char url[128];

	*brought = (struct brought){ .count = 0 };
	snprintf(url, sizeof(url), "https://%s:%d%s", host, port, path);
	options.place = url;
	if (origin_open(&origin, &options, base, on_text, brought, &err) < 0)
		fail_msg("%s", err.text);
	origin_poll(origin, false);
	wait_for(base, &brought->count, 1);
	origin_close(origin);
	event_base_free(base);
}

static void assert_log(const char *expected)
{
	char log[512] = "";
	FILE *file;

	run("sort log >sorted");
	file = fopen(in_folder("sorted"), "r");
	assert_non_null(file);
	log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(log, expected);
	unlink(in_folder("log"));
}

static void test_conditional(void **state)
{
	struct event_base *base = event_base_new();
	struct brought brought = { .count = 0 };
	struct origin_options options = { .ca = in_folder("cert.pem") };
	struct origin *origin;
	struct err err = ERR_NONE;
	char url[128];

	(void)state;
	write_octets_to(in_folder("dir"), view_of("hello", 5));
	write_octets_to(in_folder("dir.minisig"), view_of("signed", 6));
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/dir", port);
	options.place = url;
	assert_int_equal(origin_open(&origin, &options, base, on_text, &brought, &err), 0);
	unlink(in_folder("log"));
	origin_poll(origin, false);
	wait_for(base, &brought.count, 1);
	assert_string_equal(brought.error, "");
	assert_int_equal(brought.len, 5);
	assert_int_equal(brought.signature_len, 6);
	assert_log("200 /dir\n200 /dir.minisig\n");
	/* Not due for an hour. */
	origin_poll(origin, false);
	assert_int_equal(brought.count, 1);
	/* Asked again: unchanged, and what we have is brought again. */
	origin_poll(origin, true);
	wait_for(base, &brought.count, 2);
	assert_int_equal(brought.len, 5);
	assert_log("304 /dir\n304 /dir.minisig\n");
	write_octets_to(in_folder("dir"), view_of("hello, again", 12));
	origin_poll(origin, true);
	wait_for(base, &brought.count, 3);
	assert_int_equal(brought.len, 12);
	assert_log("200 /dir\n304 /dir.minisig\n");
	/* Closed in the middle of a fetch. */
	origin_poll(origin, true);
	origin_close(origin);
	event_base_free(base);
	assert_int_equal(brought.count, 3);
}

static void test_refused(void **state)
{
	static const struct {
		const char *host, *path, *message;
		bool own_ca;
	} cases[] = {
		{ "127.0.0.1", "/nowhere", "/nowhere: cannot be fetched (the server answered 404)", true },
		{ "127.0.0.1", "/large", "/large: cannot be fetched (it is larger than 8388608 octets)", true },
		{ "127.0.0.1", "/moved", "/moved: cannot be fetched (Protocol \"http\" not supported or disabled",
		  true },
		/* A CA that nobody trusts, and a name that the certificate does not have. */
		{ "127.0.0.1", "/dir", "/dir: cannot be fetched (SSL certificate problem: ", false },
		{ "localhost", "/dir", "/dir: cannot be fetched (SSL: no alternative certificate subject name matches",
		  true },
	};
	struct brought brought;

	(void)state;
	write_octets_to(in_folder("dir"), view_of("hello", 5));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fetch_from(&brought, cases[i].host, cases[i].path, cases[i].own_ca ? in_folder("cert.pem") : NULL);
		if (!strstr(brought.error, cases[i].message))
			fail_msg("\"%s\" instead of \"%s\"", brought.error, cases[i].message);
		assert_int_equal(brought.len, 0);
	}
}

static void test_places(void **state)
{
	static const char *const places[] = { "dir", "http://127.0.0.1/dir", "ftp://127.0.0.1/dir", "" };
	struct event_base *base = event_base_new();
	char expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct origin_options options = { .place = places[i] };
		struct origin *origin;
		struct err err = ERR_NONE;

		assert_true(origin_open(&origin, &options, base, on_text, NULL, &err) < 0);
		snprintf(expected, sizeof(expected),
			 "directory = %s is neither an absolute path nor an https:// URL: correct it", places[i]);
		assert_string_equal(err.text, expected);
	}
	event_base_free(base);
}

/* ---- through the room's face --------------------------------------------------------------------- */

struct heard {
	unsigned int changes;
	enum discover_outcome outcome;
};

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	(void)question;
	(void)addr;
	((struct heard *)arg)->outcome = answer->outcome;
}

static void on_change(void *arg)
{
	((struct heard *)arg)->changes++;
}

static void test_face(void **state)
{
	static char memory[4096], signature[MINISIGN_FILE_MAX];
	uint64_t now_s = (uint64_t)time(NULL);
	const struct facts facts = { "test.example",	     1, now_s - 60, now_s + 7 * DAY, "192.0.2.0/24", NULL,
				     "192.0.2.1 " KEY_A "\n" };
	struct view text = directory_text(memory, sizeof(memory), &facts);
	struct event_base *base = event_base_new();
	struct discover_options options;
	struct discover *discover;
	struct heard heard = { 0 };
	struct err err = ERR_NONE;
	struct hf_addr addr;
	char url[128], key[64];

	(void)state;
	write_octets_to(in_folder("fleet"), text);
	write_octets_to(in_folder("fleet.minisig"), signature_of(signature, 1, text));
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/fleet", port);
	options = (struct discover_options){ .directory = url,
					     .directory_key = public_key(key, 1),
					     .directory_ca = in_folder("cert.pem"),
					     .state_dir = folder };
	if (discover_open(&discover, &options, base, on_answer, on_change, &heard, &err) < 0)
		fail_msg("%s", err.text);
	wait_for(base, &heard.changes, 1);
	assert_null(discover_problem(discover, 0));
	assert_int_equal(addr_parse(&addr, "192.0.2.1", NULL), 0);
	discover_ask(discover, 1, &addr);
	assert_int_equal(heard.outcome, DISCOVER_KEYS);
	discover_close(discover);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditional),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_face),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
