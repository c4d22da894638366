// SPDX-License-Identifier: Apache-2.0
/*
 * Steps as lines, see event_line.h.
 */
#include "cli/event_line.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/print.h"

#define COLUMN 16

enum print_colour event_line_colour(const char *event)
{
	static const struct {
		const char *event;
		enum print_colour colour;
	} colours[] = {
		{ "secure", PRINT_GOOD },  { "proved", PRINT_GOOD }, { "failed", PRINT_BAD },
		{ "denied", PRINT_BAD },   { "refused", PRINT_BAD }, { "dropped", PRINT_BAD },
		{ "unknown", PRINT_WARN }, { "no key", PRINT_WARN }, { "clear", PRINT_WARN },
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(colours[i].event, event) == 0)
			return colours[i].colour;
	return PRINT_PLAIN;
}

void event_line_show(const json_t *event, const char *whom)
{
	const char *what = client_text(event, "event");
	char at[PRINT_SPAN_MAX], last[PRINT_SPAN_MAX], again[PRINT_SPAN_MAX + 48] = "";
	long long times = client_number(event, "times");

	if (times > 1)
		snprintf(again, sizeof(again), " (%lld times, last at %s)", times,
			 print_clock(last, json_real_value(json_object_get(event, "last"))));
	print_item(event_line_colour(what), COLUMN, print_clock(at, json_real_value(json_object_get(event, "time"))),
		   "%s%s%s: %s%s", whom, *whom ? " " : "", what, client_text(event, "text"), again);
}
