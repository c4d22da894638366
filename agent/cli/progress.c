// SPDX-License-Identifier: Apache-2.0
/*
 * Progress, see progress.h.
 */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/print.h"

static bool shown, is_quiet;

void progress_quiet(bool quiet)
{
	is_quiet = quiet;
}

void progress_show(const char *format, ...)
{
	char text[PRINT_COLUMNS];
	va_list args;

	if (is_quiet || !print_is_screen(STDERR_FILENO))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	fprintf(stderr, "\r%s\033[K", text);
	shown = true;
}

void progress_clear(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
