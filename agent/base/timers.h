// SPDX-License-Identifier: Apache-2.0
/*
 * Deadlines, embedded in the objects that wait: a binary heap of pointers in memory that the caller gives.
 * Setting, moving and cancelling are O(log n), asking for the next deadline is O(1). Nothing here reads a
 * clock; the caller says what time it is.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/nstime.h"

/* A zeroed timer is one that is not set. It must not move in memory while it is set. */
struct timer {
	uint64_t when;	   /* only meaningful while set */
	uint32_t position; /* in the heap: 0 = not set, else 1 + index */
	uint32_t tag;	   /* the owner's: which of its timers this is */
};

struct timers {
	struct timer **heap;
	uint32_t max, count;
};

/* TIMER_OWNER is the object whose member the timer is. */
#define TIMER_OWNER(timer, type, member) ((type *)((char *)(timer)-offsetof(type, member)))

/* timers_memory is how many octets timers_init needs for `max` timers that are set at the same time. */
size_t timers_memory(uint32_t max);

/* timers_init makes an empty heap in `memory`, aligned as malloc aligns. */
void timers_init(struct timers *timers, void *memory, uint32_t max);

/* timers_set sets or moves the timer; NSTIME_NEVER cancels it. -ENOBUFS when it is new and the heap is full. */
int timers_set(struct timers *timers, struct timer *timer, uint64_t when);

/* timers_cancel does nothing to a timer that is not set. */
void timers_cancel(struct timers *timers, struct timer *timer);

/* timers_next is the earliest deadline, NSTIME_NEVER when there is none. */
uint64_t timers_next(const struct timers *timers);

/*
 * timers_pop_expired takes the earliest timer whose time has come (when <= now) off the heap; NULL when there is none.
 * Called in a loop it gives them in the order of their deadlines.
 */
struct timer *timers_pop_expired(struct timers *timers, uint64_t now);

static inline bool timer_is_set(const struct timer *timer)
{
	return timer->position != 0;
}

#endif
