// SPDX-License-Identifier: Apache-2.0
/*
 * One step of what happened to a pair, as a line with its time. Used by all commands that tell steps.
 */
#ifndef CLI_EVENT_LINE_H
#define CLI_EVENT_LINE_H

#include <jansson.h>

#include "cli/print.h"

/* event_line_show writes "  HH:MM:SS.mmm  [whom] event: text", coloured by what it means. `whom` may be "". */
void event_line_show(const json_t *event, const char *whom);

/* event_line_colour is that of a kind of step. */
enum print_colour event_line_colour(const char *event);

#endif
