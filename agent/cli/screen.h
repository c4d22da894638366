// SPDX-License-Identifier: Apache-2.0
/*
 * The terminal as a screen of rows: its own page, so that what stood there is back afterwards. One at a time.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>

#include "cli/print.h"

/* screen_open takes the terminal: no echo, no cursor, and signals that would end the program only ask for that. */
void screen_open(void);

/* screen_close gives it back as it was. */
void screen_close(void);

/* screen_begin starts a drawing from the top; screen_end clears what is left of the one before. */
void screen_begin(void);
void screen_end(void);

/* screen_row writes the next row, cut at 80 columns or the terminal's width; rows that do not fit are left out. */
__attribute__((format(printf, 2, 3))) void screen_row(enum print_colour colour, const char *format, ...);

/* screen_left is how many rows there still are. */
int screen_left(void);

/* screen_wait waits for a key or a signal, `ms` at most. False: q was pressed, or a signal asks for the end. */
bool screen_wait(int ms);

#endif
