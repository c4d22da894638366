// SPDX-License-Identifier: Apache-2.0
/*
 * A line on the terminal for what takes more than a second, and nothing anywhere else: it is not part of an answer.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

/* progress_show replaces the line, when stderr is a terminal that can do that and nobody asked for quiet. */
__attribute__((format(printf, 1, 2))) void progress_show(const char *format, ...);

/* progress_clear takes it away again, before anything else is written. */
void progress_clear(void);

/* progress_quiet is for who draws on the terminal himself. */
void progress_quiet(bool quiet);

#endif
