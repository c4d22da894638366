// SPDX-License-Identifier: Apache-2.0
/*
 * A world as it was, to come back to. An engine is one piece of memory that points only into itself, so a copy of it put back to
 * the same place is the engine as it was. What holds no state between calls is left out: buffers, outputs, memory never used.
 */
#ifndef SIM_SNAPSHOT_H
#define SIM_SNAPSHOT_H

#include "world.h"

#define SNAPSHOT_HOSTS 2
#define SNAPSHOT_RECORDS 48

struct snapshot {
	uint64_t now, event_number;
	unsigned int event_count;
	struct call call;
	struct host hosts[SNAPSHOT_HOSTS];
	struct record records[SNAPSHOT_HOSTS][SNAPSHOT_RECORDS];
	struct event *events;
	uint8_t *engines[SNAPSHOT_HOSTS];
	size_t events_max, engines_max[SNAPSHOT_HOSTS];
};

/* snapshot_take copies a world of two hosts in manual mode; the memory of `snapshot` (zeroed at first) is used again. */
void snapshot_take(struct snapshot *snapshot, const struct world *world);
/* snapshot_back makes the world what it was; any number of times. */
void snapshot_back(const struct snapshot *snapshot, struct world *world);
void snapshot_free(struct snapshot *snapshot);

#endif
