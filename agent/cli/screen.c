// SPDX-License-Identifier: Apache-2.0
/*
 * The terminal as a screen, see screen.h. The sequences are those of ECMA-48 that every terminal of the last thirty years knows, and
 * xterm's second page.
 */
#include "cli/screen.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

#define ROW_MAX 512

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

#define ENDING (sizeof(ending) / sizeof(ending[0]))

static volatile sig_atomic_t asked_to_end;

static struct {
	struct termios before;
	bool has_keys;
	int rows, columns, row;
	struct sigaction actions[ENDING], resized;
} screen;

static void on_end(int number)
{
	(void)number;
	asked_to_end = 1;
}

static void on_resize(int number)
{
	(void)number; /* poll() returns, that is all */
}

static void catch_signals(void)
{
	struct sigaction end = { .sa_handler = on_end }, resize = { .sa_handler = on_resize };

	for (size_t i = 0; i < ENDING; i++)
		sigaction(ending[i], &end, &screen.actions[i]);
	sigaction(SIGWINCH, &resize, &screen.resized);
}

void screen_open(void)
{
	struct termios quiet;

	asked_to_end = 0;
	catch_signals();
	screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
	if (screen.has_keys) {
		quiet = screen.before;
		quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		quiet.c_cc[VMIN] = 1;
		quiet.c_cc[VTIME] = 0;
		/* Stopped, the program could not give the page back. */
		quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
		tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
	}
	fputs(ENTER, stdout);
	fflush(stdout);
}

void screen_close(void)
{
	fputs(LEAVE, stdout);
	fflush(stdout);
	if (screen.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
	for (size_t i = 0; i < ENDING; i++)
		sigaction(ending[i], &screen.actions[i], NULL);
	sigaction(SIGWINCH, &screen.resized, NULL);
}

void screen_begin(void)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen.rows = size.ws_row ? size.ws_row : 24;
	screen.columns = size.ws_col && size.ws_col < PRINT_COLUMNS ? size.ws_col : PRINT_COLUMNS;
	screen.row = 0;
}

void screen_row(enum print_colour colour, const char *format, ...)
{
	char text[ROW_MAX];
	va_list args;

	if (screen.row == screen.rows)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	screen.row++;
	/* No newlines: one on the last row would move all others up. */
	printf("\033[%d;1H", screen.row);
	print_text(colour, "%.*s", screen.columns, text);
	/* Cleared only where something may be left: behind a full row the cursor is still on its last character. */
	if (strlen(text) < (size_t)screen.columns)
		fputs("\033[K", stdout);
}

void screen_end(void)
{
	if (screen.row < screen.rows)
		printf("\033[%d;1H\033[J", screen.row + 1);
	fflush(stdout);
}

int screen_left(void)
{
	return screen.rows - screen.row;
}

static bool wants_end(void)
{
	char key = 0;

	if (read(STDIN_FILENO, &key, 1) <= 0) {
		screen.has_keys = false; /* the terminal has no more of them */
		return false;
	}
	return key == 'q' || key == 'Q';
}

bool screen_wait(int ms)
{
	struct pollfd keys = { .fd = screen.has_keys ? STDIN_FILENO : -1, .events = POLLIN };
	int ready = asked_to_end ? 0 : poll(&keys, 1, ms);

	if (ready > 0 && wants_end())
		return false;
	return !asked_to_end && !ferror(stdout);
}
