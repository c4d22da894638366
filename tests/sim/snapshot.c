// SPDX-License-Identifier: Apache-2.0
/* See snapshot.h. */
#include "snapshot.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

struct part {
	uint8_t *at;
	size_t len;
};

/* The parts of an engine's memory that hold state while nothing is in its output queue and no message is in pieces. */
static size_t parts_of(struct part parts[4], const struct ike *ike)
{
	uint8_t *base = (uint8_t *)ike, *pieces = ike->reassemblies.objects,
		*end = (uint8_t *)(ike->blocks.all + ike->blocks.fresh);
	uint8_t *rest = pieces + ike->reassemblies.max * ike->reassemblies.object_size;
	size_t total = 0;

	assert(!ike->output_count && !pool_count(&ike->reassemblies));
	assert(pieces > base + sizeof(*ike) && end >= rest);
	parts[0] = (struct part){ base, offsetof(struct ike, outputs) };
	parts[1] = (struct part){ base + offsetof(struct ike, output_first),
				  offsetof(struct ike, in_plain) - offsetof(struct ike, output_first) };
	parts[2] = (struct part){ base + sizeof(*ike), (size_t)(pieces - base) - sizeof(*ike) };
	parts[3] = (struct part){ rest, (size_t)(end - rest) };
	for (size_t i = 0; i < 4; i++)
		total += parts[i].len;
	return total;
}

static void *grow(void *memory, size_t *max, size_t wanted)
{
	if (wanted <= *max)
		return memory;
	*max = wanted * 2;
	memory = realloc(memory, *max);
	if (!memory)
		abort();
	return memory;
}

void snapshot_take(struct snapshot *snapshot, const struct world *world)
{
	struct part parts[4];

	snapshot->now = world->now;
	snapshot->event_number = world->event_number;
	snapshot->event_count = world->event_count;
	snapshot->call = world->call;
	snapshot->events = grow(snapshot->events, &snapshot->events_max, world->event_count * sizeof(struct event));
	if (world->event_count)
		memcpy(snapshot->events, world->events, world->event_count * sizeof(struct event));
	for (unsigned int i = 0; i < SNAPSHOT_HOSTS; i++) {
		uint8_t *to;

		assert(world->hosts[i].created <= SNAPSHOT_RECORDS);
		snapshot->hosts[i] = world->hosts[i];
		memcpy(snapshot->records[i], world->records[i], sizeof(snapshot->records[i]));
		snapshot->engines[i] =
			grow(snapshot->engines[i], &snapshot->engines_max[i], parts_of(parts, world->hosts[i].ike));
		to = snapshot->engines[i];
		for (size_t part = 0; part < 4; to += parts[part++].len)
			memcpy(to, parts[part].at, parts[part].len);
	}
}

void snapshot_back(const struct snapshot *snapshot, struct world *world)
{
	struct part parts[4];

	world->now = snapshot->now;
	world->event_number = snapshot->event_number;
	world->event_count = snapshot->event_count;
	world->call = snapshot->call;
	if (snapshot->event_count)
		memcpy(world->events, snapshot->events, snapshot->event_count * sizeof(struct event));
	for (unsigned int i = 0; i < SNAPSHOT_HOSTS; i++) {
		const uint8_t *from = snapshot->engines[i];
		struct ike *ike = snapshot->hosts[i].ike;

		/* The first parts first: they say how long the last one is. */
		ike->output_count = 0;
		memcpy(ike, from, offsetof(struct ike, outputs));
		parts_of(parts, ike);
		for (size_t part = 0; part < 4; from += parts[part++].len)
			memcpy(parts[part].at, from, parts[part].len);
		world->hosts[i] = snapshot->hosts[i];
		memcpy(world->records[i], snapshot->records[i], sizeof(snapshot->records[i]));
	}
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->events);
	for (unsigned int i = 0; i < SNAPSHOT_HOSTS; i++)
		free(snapshot->engines[i]);
	memset(snapshot, 0, sizeof(*snapshot));
}
