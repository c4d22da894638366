// SPDX-License-Identifier: Apache-2.0
/*
 * Writing for people: at most 80 columns, colour only on a terminal that wants it, and no control character of
 * anybody else's.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINT_COLUMNS 80
#define PRINT_SPAN_MAX 32

enum print_colour {
	PRINT_PLAIN,
	PRINT_BOLD,
	PRINT_GOOD,
	PRINT_WARN,
	PRINT_BAD,
};

/* print_setup decides about colour: stdout is a terminal, NO_COLOR (no-color.org) is not set, TERM is not dumb. */
void print_setup(void);

/* print_is_screen is true when that is a terminal on which one can move about. */
bool print_is_screen(int fd);

/* print_text writes to stdout. Control characters in what was formatted become '?', except newlines in `format` itself. */
__attribute__((format(printf, 2, 3))) void print_text(enum print_colour colour, const char *format, ...);

/*
 * print_item writes "  LABEL  text" with the text from column `column` on, wrapped at 80 columns between words. An empty
 * label continues the item above.
 */
__attribute__((format(printf, 4, 5))) void print_item(enum print_colour colour, int column, const char *label,
						      const char *format, ...);

/* print_span writes seconds as people say them, two units at most: "45 s", "2 h 13 min", "3 d". Returns `out`. */
const char *print_span(char out[PRINT_SPAN_MAX], uint64_t seconds);

/* print_octets writes a number of octets as people say it: "999 B", "1.2 KB", "34 MB". Returns `out`. */
const char *print_octets(char out[PRINT_SPAN_MAX], uint64_t octets);

/* print_clock writes seconds since 1970 as the local time of day, to the millisecond; with the day when that is not today. */
const char *print_clock(char out[PRINT_SPAN_MAX], double seconds);

/* print_json writes one object, indented, and gives it back to jansson. */
void print_json(json_t *json);

#endif
