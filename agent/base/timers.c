// SPDX-License-Identifier: Apache-2.0
/*
 * Timer heap, see timers.h. The children of heap[i] are heap[2i+1] and heap[2i+2], and each timer knows
 * its place, which is what makes moving one cheap.
 */
#include "base/timers.h"

#include <errno.h>

size_t timers_memory(uint32_t max)
{
	return max * sizeof(struct timer *);
}

void timers_init(struct timers *timers, void *memory, uint32_t max)
{
	*timers = (struct timers){ .heap = memory, .max = max };
}

static void place(struct timers *timers, struct timer *timer, uint32_t index)
{
	timers->heap[index] = timer;
	timer->position = index + 1;
}

/* Moves the timer from the hole at `index` towards the root until its parent is not later. */
static void sift_up(struct timers *timers, struct timer *timer, uint32_t index)
{
	while (index > 0) {
		uint32_t parent = (index - 1) / 2;

		if (timers->heap[parent]->when <= timer->when)
			break;
		place(timers, timers->heap[parent], index);
		index = parent;
	}
	place(timers, timer, index);
}

/* Moves the timer from the hole at `index` towards the leaves until no child is earlier. */
static void sift_down(struct timers *timers, struct timer *timer, uint32_t index)
{
	for (;;) {
		uint32_t child = 2 * index + 1;

		if (child >= timers->count)
			break;
		if (child + 1 < timers->count && timers->heap[child + 1]->when < timers->heap[child]->when)
			child++;
		if (timers->heap[child]->when >= timer->when)
			break;
		place(timers, timers->heap[child], index);
		index = child;
	}
	place(timers, timer, index);
}

int timers_set(struct timers *timers, struct timer *timer, uint64_t when)
{
	uint64_t before = timer->when;

	if (when == NSTIME_NEVER) {
		timers_cancel(timers, timer);
		return 0;
	}
	if (!timer_is_set(timer)) {
		if (timers->count == timers->max)
			return -ENOBUFS;
		timer->when = when;
		sift_up(timers, timer, timers->count++);
		return 0;
	}
	timer->when = when;
	if (when < before)
		sift_up(timers, timer, timer->position - 1);
	else
		sift_down(timers, timer, timer->position - 1);
	return 0;
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
	uint32_t index = timer->position - 1;
	struct timer *last;

	if (!timer_is_set(timer))
		return;
	timer->position = 0;
	last = timers->heap[--timers->count];
	if (last == timer)
		return;
	/* The last timer fills the hole; it may belong above or below it. */
	if (last->when < timer->when)
		sift_up(timers, last, index);
	else
		sift_down(timers, last, index);
}

uint64_t timers_next(const struct timers *timers)
{
	return timers->count ? timers->heap[0]->when : NSTIME_NEVER;
}

struct timer *timers_pop_expired(struct timers *timers, uint64_t now)
{
	struct timer *timer;

	if (!timers->count || timers->heap[0]->when > now)
		return NULL;
	timer = timers->heap[0];
	timers_cancel(timers, timer);
	return timer;
}
