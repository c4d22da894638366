// SPDX-License-Identifier: Apache-2.0
/*
 * What somebody probably meant: the known word nearest to a mistyped one.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/*
 * suggest_nearest is the name that differs from `word` by the fewest inserted, removed, changed or swapped
 * letters, if these are few for a word of its length; else NULL.
 */
const char *suggest_nearest(const char *word, const char *const names[], size_t count);

#endif
