// SPDX-License-Identifier: Apache-2.0
/*
 * Points of time as files of this room have them, in UTC and one spelling: YYYY-MM-DD for days, YYYY-MM-DDTHH:MM:SSZ for moments. Seconds are those of
 * time(2). Arithmetic only; the clock is read in discover.c.
 */
#ifndef DISCOVER_STAMP_H
#define DISCOVER_STAMP_H

#include "base/bytes.h"

#define STAMP_TEXT_MAX sizeof("9999-12-31T23:59:59Z")

/* stamp_parse reads a moment between 1970 and 9999. -EINVAL for another spelling or no such moment. */
int stamp_parse(uint64_t *seconds, struct view text);

/* stamp_parse_day gives the first second after that day: the day itself is included. */
int stamp_parse_day(uint64_t *end, struct view text);

/* stamp_format writes a moment, stamp_format_day the day it is in. Both return `out`. */
const char *stamp_format(char out[STAMP_TEXT_MAX], uint64_t seconds);
const char *stamp_format_day(char out[STAMP_TEXT_MAX], uint64_t seconds);

#endif
