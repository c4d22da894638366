// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast watch` on a terminal and elsewhere: the built binary runs on a pseudo terminal beside an agent of cardboard. What it draws
 * is read as a terminal would, as far as a row's number and its text go. Skipped when the binary is not built.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include "cardboard.h"

#define OUT_MAX 262144
#define SECONDS 20

static char folder[64], socket_path[96], binary[512];
static pid_t agent;

/* All that came from the terminal so far. */
static char out[OUT_MAX];
static size_t used;

/* The watch that runs, and our end of its terminal. */
static pid_t watcher;
static int terminal;
static struct termios before;

static void begin(const char *const environment[], const char *word, int rows, int columns)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
	int inside;

	if (access(binary, X_OK) < 0) {
		printf("skip: %s is not built\n", binary);
		skip();
	}
	used = 0;
	*out = '\0';
	assert_int_equal(openpty(&terminal, &inside, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(inside, &before), 0);
	watcher = fork();
	if (watcher == 0) {
		login_tty(inside);
		close(terminal);
		unsetenv("NO_COLOR");
		setenv("TERM", "xterm", 1);
		for (size_t i = 0; environment && environment[i]; i++)
			putenv((char *)(uintptr_t)environment[i]);
		if (word)
			execl(binary, "holdfast", "watch", word, "--socket", socket_path, NULL);
		else
			execl(binary, "holdfast", "watch", "--socket", socket_path, NULL);
		_exit(99);
	}
	/* Kept open here too: what the terminal is set to can be asked when the watch has ended. */
	assert_true(watcher > 0);
	close(STDIN_FILENO);
	assert_int_equal(dup2(inside, STDIN_FILENO), STDIN_FILENO);
	close(inside);
}

/* Reads until `text` is there. */
static void expect(const char *text)
{
	struct pollfd ready = { .fd = terminal, .events = POLLIN };

	while (!strstr(out, text)) {
		ssize_t got = 0;

		if (poll(&ready, 1, SECONDS * 1000) == 1 && used < OUT_MAX - 1)
			got = read(terminal, out + used, OUT_MAX - 1 - used);
		if (got <= 0)
			fail_msg("'%s' did not come; there is: %s", text, out);
		used += (size_t)got;
		out[used] = '\0';
	}
}

/* Waits for the end; returns the exit code. The page and the cursor are back, and the terminal is as it was. */
static int end(void)
{
	struct termios after;
	int status = -1;

	expect("\033[?25h\033[?1049l");
	assert_int_equal(waitpid(watcher, &status, 0), watcher);
	assert_true(WIFEXITED(status));
	assert_int_equal(tcgetattr(STDIN_FILENO, &after), 0);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_memory_equal(after.c_cc, before.c_cc, sizeof(before.c_cc));
	close(terminal);
	return WEXITSTATUS(status);
}

/* Takes the sequences out of what was drawn, each row on a line of its own. */
static void flatten(char *into)
{
	for (const char *at = out; *at;) {
		size_t len = *at == '\033' ? strcspn(at, "HJKhlm") + 1 : 0;

		if (!len)
			*into++ = *at++;
		else if (at[len - 1] == 'H')
			*into++ = '\n';
		at += len;
	}
	*into = '\0';
}

static void expect_rows(int columns)
{
	static char flat[OUT_MAX];

	flatten(flat);
	assert_null(strchr(flat, '\a'));
	for (char *line = strtok(flat, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) > (size_t)columns)
			fail_msg("%zu columns: %s", strlen(line), line);
}

static int set_up(void **state)
{
	const char *build = getenv("HF_BUILD");

	(void)state;
	snprintf(binary, sizeof(binary), "%s/holdfast", build ? build : "build");
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-watch-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/sock", folder);
	agent = cardboard_start(socket_path);
	return agent > 0 ? 0 : -1;
}

static int clean_up(void **state)
{
	(void)state;
	cardboard_stop(agent);
	unlink(socket_path);
	return rmdir(folder);
}

/* What is on it, in colour, no wider than 80 columns; q ends it. */
static void test_screen(void **state)
{
	(void)state;
	begin(NULL, NULL, 24, 132);
	expect("q ends this");
	assert_non_null(strstr(out, "\033[?1049h"));
	assert_non_null(strstr(out, "pid 4242, running for 1 d 2 h"));
	assert_non_null(strstr(out, "pairs       17 secure"));
	assert_non_null(strstr(out, "waiting     3 of 16384 packets"));
	assert_non_null(strstr(out, "limit hold_slots: 9 packets dropped"));
	assert_non_null(strstr(out, "\033[31mproblem: interface ?[31mred? refused"));
	assert_non_null(strstr(out, "\033[32m"));
	assert_non_null(strstr(out, "192.0.2.7 secure: SAs in 00000001"));
	assert_non_null(strstr(out, "2001:db8:1111:2222:3333:4444:5555:6666 failed: no ?[2J"));
	expect_rows(80);
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(end(), 0);
}

/* The second status makes a rate of the first: 1000 packets in about a second. */
static void test_rates(void **state)
{
	const char *at;

	(void)state;
	begin(NULL, NULL, 24, 80);
	expect("per second           -");
	do {
		used = 0;
		*out = '\0';
		expect("q ends this");
		at = strstr(out, "per second");
		assert_non_null(at);
	} while (strtol(at + strlen("per second"), NULL, 10) == 0);
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(end(), 0);
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGQUIT };

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		begin(NULL, NULL, 24, 80);
		expect("q ends this");
		assert_int_equal(kill(watcher, signals[i]), 0);
		assert_int_equal(end(), 0);
	}
	/* ^C, as the terminal makes a signal of it. */
	begin(NULL, NULL, 24, 80);
	expect("q ends this");
	assert_int_equal(write(terminal, "\003", 1), 1);
	assert_int_equal(end(), 0);
}

static void test_no_colour(void **state)
{
	static const char *const environment[] = { "NO_COLOR=1", NULL };
	static const char *const codes[] = { "\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m", NULL };

	(void)state;
	begin(environment, NULL, 24, 80);
	expect("q ends this");
	for (const char *const *code = codes; *code; code++)
		assert_null(strstr(out, *code));
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(end(), 0);
}

/* A small terminal gets what fits; a change of size is seen at once. */
static void test_small(void **state)
{
	const struct winsize larger = { .ws_row = 30, .ws_col = 80 };

	(void)state;
	begin(NULL, NULL, 5, 40);
	expect("per second");
	assert_null(strstr(out, "Latest"));
	assert_null(strstr(out, "\033[6;1H"));
	expect_rows(40);
	assert_int_equal(ioctl(terminal, TIOCSWINSZ, &larger), 0);
	expect("\033[30;1Hq ends this");
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(end(), 0);
}

/* Of one address: its pairs and its steps. */
static void test_one_address(void **state)
{
	(void)state;
	begin(NULL, "192.0.2.7", 24, 80);
	expect("q ends this");
	assert_non_null(strstr(out, "192.0.2.1 -> 192.0.2.7: secure for 1 min 1 s"));
	assert_non_null(strstr(out, " secure: SAs in 00000001"));
	assert_null(strstr(out, "2001:db8"));
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(end(), 0);
}

/* The agent goes while it is watched, and another one comes. */
static void test_agent_away(void **state)
{
	(void)state;
	begin(NULL, NULL, 24, 80);
	expect("q ends this");
	cardboard_stop(agent);
	expect("the agent has ended; waiting for another");
	unlink(socket_path);
	agent = cardboard_start(socket_path);
	used = 0;
	*out = '\0';
	expect("pairs ");
	for (;;) {
		used = 0;
		*out = '\0';
		expect("q ends this");
		if (!strstr(out, "the agent has ended"))
			break;
	}
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(end(), 0);
}

/* On a terminal that can do nothing, and where there is none: the lines, without any sequence. */
static void test_lines(void **state)
{
	static const char *const dumb[] = { "TERM=dumb", NULL };
	char command[768], text[4096];
	size_t len;
	FILE *pipe;
	int status;

	(void)state;
	begin(dumb, NULL, 24, 80);
	expect("192.0.2.7 secure: SAs in 00000001");
	assert_null(strchr(out, '\033'));
	kill(watcher, SIGTERM);
	assert_int_equal(waitpid(watcher, &status, 0), watcher);
	close(terminal);
	snprintf(command, sizeof(command), "TERM=xterm timeout 5 '%s' watch --socket '%s' | head -n 2", binary,
		 socket_path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(text, 1, sizeof(text) - 1, pipe);
	text[len] = '\0';
	pclose(pipe);
	assert_non_null(strstr(text, "192.0.2.7 held: a first packet\n"));
	assert_null(strchr(text, '\033'));
}

/* No agent at the beginning: one line, and nothing was drawn. */
static void test_no_agent(void **state)
{
	char right[sizeof(socket_path)];
	int status;

	(void)state;
	strcpy(right, socket_path);
	strcat(socket_path, "-none");
	begin(NULL, NULL, 24, 80);
	expect("-none: no agent answers");
	assert_int_equal(waitpid(watcher, &status, 0), watcher);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_null(strstr(out, "\033[?1049h"));
	close(terminal);
	strcpy(socket_path, right);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_screen),	   cmocka_unit_test(test_rates), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_no_colour),  cmocka_unit_test(test_small), cmocka_unit_test(test_one_address),
		cmocka_unit_test(test_agent_away), cmocka_unit_test(test_lines), cmocka_unit_test(test_no_agent),
	};

	return cmocka_run_group_tests_name("watch", tests, set_up, clean_up);
}
