// SPDX-License-Identifier: Apache-2.0
/*
 * A directory's text as an operator edits it: lines are kept as they were written, comments included. Every change is read again as a whole before it is
 * given back, so a file that was good stays good.
 */
#ifndef CLI_DIRECTORY_H
#define CLI_DIRECTORY_H

#include "base/bytes.h"
#include "base/err.h"

/* Texts are the caller's to free. `file` is for messages. */

/* directory_begin writes the head of a new directory: everywhere in scope, serial 1, for 14 days. */
char *directory_begin(const char *id, uint64_t now_s);

/* directory_add appends a host's line. */
int directory_add(char **out, struct view text, const char *line, const char *file, struct err *err);

/* directory_remove takes the line of a host out, by its name or one of its addresses; the line goes to *removed. */
int directory_remove(char **out, char **removed, struct view text, const char *who, const char *file, struct err *err);

/* directory_renew raises the serial by one and lets it live `days` from now. */
int directory_renew(char **out, struct view text, uint64_t now_s, unsigned int days, const char *file, struct err *err);

#endif
