// SPDX-License-Identifier: Apache-2.0
/*
 * Writing for people, see print.h.
 */
#include "cli/print.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "holdfast/control.h"

#define TEXT_MAX 4096

static bool coloured;

bool print_is_screen(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void print_setup(void)
{
	const char *no_color = getenv("NO_COLOR");

	coloured = print_is_screen(STDOUT_FILENO) && !(no_color && *no_color);
}

static void begin(enum print_colour colour)
{
	static const char *const codes[] = {
		[PRINT_PLAIN] = "",	   [PRINT_BOLD] = "\033[1m", [PRINT_GOOD] = "\033[32m",
		[PRINT_WARN] = "\033[33m", [PRINT_BAD] = "\033[31m",
	};

	progress_clear();
	if (coloured)
		fputs(codes[colour], stdout);
}

static void end(enum print_colour colour)
{
	if (coloured && colour != PRINT_PLAIN)
		fputs("\033[0m", stdout);
}

static void put_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		putchar((c < ' ' && c != '\n') || c == 0x7f ? '?' : c);
	}
}

void print_text(enum print_colour colour, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	begin(colour);
	put_clean(text, strlen(text));
	end(colour);
}

/* Octets of `text` that fit into `room` columns, up to the last space; a word longer than that is not cut. */
static size_t fitting(const char *text, size_t room)
{
	size_t len = strlen(text), at;

	if (len <= room)
		return len;
	for (at = room; at > 0 && text[at] != ' '; at--)
		;
	return at ? at : strcspn(text, " ");
}

void print_item(enum print_colour colour, int column, const char *label, const char *format, ...)
{
	char text[TEXT_MAX];
	const char *rest = text;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	begin(colour);
	printf("  %-*s", column - 3, label);
	end(colour);
	do {
		size_t len = fitting(rest, (size_t)(PRINT_COLUMNS - column));

		putchar(' ');
		put_clean(rest, len);
		putchar('\n');
		rest += len + strspn(rest + len, " ");
		if (*rest)
			printf("%*s", column - 1, "");
	} while (*rest);
}

const char *print_span(char out[PRINT_SPAN_MAX], uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t at = 0;
	uint64_t more;

	while (at < 3 && seconds < units[at].seconds)
		at++;
	more = at < 3 ? seconds % units[at].seconds / units[at + 1].seconds : 0;
	if (more)
		snprintf(out, PRINT_SPAN_MAX, "%llu %s %llu %s", (unsigned long long)(seconds / units[at].seconds),
			 units[at].name, (unsigned long long)more, units[at + 1].name);
	else
		snprintf(out, PRINT_SPAN_MAX, "%llu %s", (unsigned long long)(seconds / units[at].seconds),
			 units[at].name);
	return out;
}

const char *print_octets(char out[PRINT_SPAN_MAX], uint64_t octets)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB" };
	double number = (double)octets;
	size_t unit = 0;

	while (number >= 999.5 && unit < 5) {
		number /= 1000;
		unit++;
	}
	snprintf(out, PRINT_SPAN_MAX, unit && number < 9.95 ? "%.1f %s" : "%.0f %s", number, units[unit]);
	return out;
}

const char *print_clock(char out[PRINT_SPAN_MAX], double seconds)
{
	time_t whole = (time_t)seconds, now = time(NULL);
	struct tm at, today;
	size_t used;

	localtime_r(&whole, &at);
	localtime_r(&now, &today);
	if (at.tm_yday == today.tm_yday && at.tm_year == today.tm_year) {
		used = strftime(out, PRINT_SPAN_MAX, "%H:%M:%S", &at);
		snprintf(out + used, PRINT_SPAN_MAX - used, ".%03d", (int)((seconds - (double)whole) * 1000));
	} else {
		strftime(out, PRINT_SPAN_MAX, "%m-%d %H:%M", &at);
	}
	return out;
}

void print_json(json_t *json)
{
	progress_clear();
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(13));
	putchar('\n');
	json_decref(json);
}

int cli_fail(const struct cli *cli, const struct err *err)
{
	progress_clear();
	if (cli->json)
		print_json(json_pack("{ss}", CONTROL_ERROR, err->text)
				   ?: json_pack("{ss}", CONTROL_ERROR, "the reason is not text"));
	else
		log_error("%s", err->text);
	return EXIT_FAILED;
}

int cli_usage(const char *command, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("%s; see holdfast help%s%s", text, command ? " " : "", command ? command : "");
	return EXIT_USAGE;
}
