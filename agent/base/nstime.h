// SPDX-License-Identifier: Apache-2.0
/*
 * Time values. A time is a uint64_t of CLOCK_MONOTONIC nanoseconds that somebody above handed in; 0 = not
 * set, NSTIME_NEVER = no deadline. Nothing here reads a clock.
 */
#ifndef BASE_NSTIME_H
#define BASE_NSTIME_H

#include <stdint.h>

#define NSTIME_NEVER UINT64_MAX
#define NSTIME_US 1000ull
#define NSTIME_MS 1000000ull
#define NSTIME_S 1000000000ull

/* nstime_add is `time` + `span`, saturating at NSTIME_NEVER. */
static inline uint64_t nstime_add(uint64_t time, uint64_t span)
{
	return span > NSTIME_NEVER - time ? NSTIME_NEVER : time + span;
}

/* nstime_until is how long after `now` the deadline comes; 0 when it has passed. */
static inline uint64_t nstime_until(uint64_t deadline, uint64_t now)
{
	return deadline > now ? deadline - now : 0;
}

static inline uint64_t nstime_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
