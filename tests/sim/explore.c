// SPDX-License-Identifier: Apache-2.0
/*
 * Every order in which the messages of a collision can come (cases.c), with losses, doubles and timers that come early, for the first
 * twelve messages; then the rest in order. Two orders that differ only in which of two hosts came first lead to the same state, so a state
 * is gone on from once; how many ways lead through it is counted.
 *
 *   explore [--deep] [PATTERN]     as TAP; `make check` runs it without --deep
 *   explore --case N --path 0,2,1  one way, with every step: what a failure names
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/kem_standin.h"
#include "base/siphash.h"
#include "cases.h"
#include "ike/proposal.h"
#include "snapshot.h"

#define DEPTH_MAX 12 /* messages whose order is open */
#define STEPS_MAX 64 /* with the kernel's answers, losses and timers between them */
#define CHOICES_MAX 64
#define TICK_LIMIT (20 * NSTIME_S)

/* ---- states that were seen ---- */

struct seen {
	uint64_t key; /* 0 = free */
	double ways;  /* from it to an end: may be many */
};

struct memory {
	struct seen *slots;
	size_t count, max;
};

static struct seen *slot_of(struct memory *memory, uint64_t key)
{
	size_t at = key & (memory->max - 1);

	while (memory->slots[at].key && memory->slots[at].key != key)
		at = (at + 1) & (memory->max - 1);
	return &memory->slots[at];
}

static void enlarge(struct memory *memory)
{
	struct memory old = *memory;

	memory->max = old.max ? old.max * 2 : 1 << 12;
	memory->slots = calloc(memory->max, sizeof(struct seen));
	if (!memory->slots)
		abort();
	for (size_t i = 0; i < old.max; i++)
		if (old.slots[i].key)
			*slot_of(memory, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

static void learn(struct memory *memory, uint64_t key, double ways)
{
	struct seen *slot;

	if (memory->count * 2 >= memory->max)
		enlarge(memory);
	slot = slot_of(memory, key);
	memory->count += !slot->key;
	*slot = (struct seen){ .key = key, .ways = ways };
}

/* ---- the search ---- */

enum step { STEP_DO, STEP_DROP, STEP_DOUBLE, STEP_TICK };

struct choice {
	enum step step;
	unsigned int event;
};

struct search {
	const struct collision *collision;
	struct world *world;
	struct memory memory;
	struct snapshot snapshots[STEPS_MAX];
	unsigned int path[STEPS_MAX];
	unsigned int faults_max;
	uint64_t history[2]; /* of what each host got, and when */
	uint64_t states, ends;
	char failure[900];
};

static uint64_t mix(uint64_t a, const void *octets, size_t len)
{
	uint8_t key[SIPHASH_KEY] = { 0 };

	memcpy(key, &a, sizeof(a));
	return siphash_of(key, octets, len);
}

static uint64_t hash_event(const struct event *event)
{
	uint64_t hash = mix(event->type * 16 + event->host, &event->handle, sizeof(event->handle));

	return event->datagram ? mix(hash, event->datagram->octets, event->datagram->len) : hash;
}

/* The state of a host follows from what it got; that of the world from its hosts and what is under way. */
static uint64_t key_of(const struct search *search, unsigned int depth, unsigned int faults)
{
	uint64_t parts[6] = { search->history[0], search->history[1], 0, depth, faults, search->world->now };

	for (unsigned int i = 0; i < search->world->event_count; i++)
		parts[2] += hash_event(&search->world->events[i]);
	return mix(1, parts, sizeof(parts)) | 1;
}

static bool is_first_of_its_kind(const struct world *world, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (hash_event(&world->events[i]) == hash_event(&world->events[n]))
			return false;
	return true;
}

static unsigned int choices_of(const struct search *search, struct choice choices[CHOICES_MAX])
{
	const struct world *world = search->world;
	unsigned int count = 0;

	for (unsigned int i = 0; i < world->event_count && count + 4 < CHOICES_MAX; i++) {
		bool datagram = world->events[i].type == EVENT_DATAGRAM;

		if (!is_first_of_its_kind(world, i))
			continue;
		choices[count++] = (struct choice){ STEP_DO, i };
		if (!datagram)
			continue;
		choices[count++] = (struct choice){ STEP_DROP, i };
		choices[count++] = (struct choice){ STEP_DOUBLE, i };
	}
	if (count)
		choices[count++] = (struct choice){ STEP_TICK, 0 };
	return count;
}

static void note_history(struct search *search, unsigned int host, uint64_t what)
{
	uint64_t parts[2] = { what, search->world->now };

	search->history[host] = mix(search->history[host], parts, sizeof(parts));
}

static void carry_out(struct search *search, const struct choice *choice)
{
	struct world *world = search->world;
	const struct event *event = &world->events[choice->event];

	switch (choice->step) {
	case STEP_DO:
	case STEP_DOUBLE:
		note_history(search, event->host, hash_event(event));
		case_do(world, search->collision, choice->event, choice->step == STEP_DOUBLE);
		return;
	case STEP_DROP:
		case_drop(world, choice->event);
		return;
	case STEP_TICK:
		case_tick(world, search->collision, world->now + TICK_LIMIT);
		note_history(search, 0, 7);
		note_history(search, 1, 7);
	}
}

static void complain(struct search *search, unsigned int steps)
{
	size_t len = (size_t)snprintf(search->failure, sizeof(search->failure), "%s: --case %u --path ",
				      search->world->failure, (unsigned int)(search->collision - collisions));

	for (unsigned int i = 0; i < steps && len < sizeof(search->failure); i++)
		len += (size_t)snprintf(search->failure + len, sizeof(search->failure) - len, "%s%u", i ? "," : "",
					search->path[i]);
}

static double explore(struct search *search, unsigned int steps, unsigned int depth, unsigned int faults)
{
	struct choice choices[CHOICES_MAX];
	uint64_t key = key_of(search, depth, faults), history[2];
	struct snapshot *snapshot = &search->snapshots[steps];
	unsigned int count;
	double ways = 0;

	if (search->memory.max && slot_of(&search->memory, key)->key)
		return slot_of(&search->memory, key)->ways;
	search->states++;
	count = depth < DEPTH_MAX && steps < STEPS_MAX - 1 ? choices_of(search, choices) : 0;
	if (!count) {
		search->ends++;
		case_finish(search->world, search->collision);
		if (search->world->failure[0])
			complain(search, steps);
		learn(&search->memory, key, 1);
		return 1;
	}
	snapshot_take(snapshot, search->world);
	memcpy(history, search->history, sizeof(history));
	for (unsigned int i = 0; i < count && !search->failure[0]; i++) {
		bool message = choices[i].step != STEP_TICK &&
			       search->world->events[choices[i].event].type == EVENT_DATAGRAM;

		struct datagram *mark = search->world->last;

		if (choices[i].step != STEP_DO && faults >= search->faults_max)
			continue;
		search->path[steps] = i;
		carry_out(search, &choices[i]);
		if (search->world->failure[0])
			complain(search, steps + 1);
		else
			ways += explore(search, steps + 1, depth + message, faults + (choices[i].step != STEP_DO));
		if (search->failure[0])
			break;
		snapshot_back(snapshot, search->world);
		memcpy(search->history, history, sizeof(history));
		net_forget(search->world, mark);
	}
	learn(&search->memory, key, ways);
	return ways;
}

/* ---- from outside ---- */

static bool run_case(unsigned int number, bool deep, unsigned int test)
{
	struct search *search = calloc(1, sizeof(*search));
	bool good;
	double ways;

	if (!search)
		abort();
	search->collision = &collisions[number];
	search->faults_max = deep ? search->collision->deep_faults : search->collision->faults;
	search->world = case_start(search->collision, false);
	ways = explore(search, 0, 0, 0);
	good = !search->failure[0];
	printf("%sok %u - %s: %.0f ways, up to %u faults each, %llu states, %llu ends\n", good ? "" : "not ", test,
	       search->collision->name, ways, search->faults_max, (unsigned long long)search->states,
	       (unsigned long long)search->ends);
	if (!good)
		printf("# %s\n", search->failure);
	fflush(stdout);
	for (unsigned int i = 0; i < STEPS_MAX; i++)
		snapshot_free(&search->snapshots[i]);
	free(search->memory.slots);
	world_end(search->world);
	free(search);
	return good;
}

static int run_path(unsigned int number, const char *path)
{
	struct search *search = calloc(1, sizeof(*search));

	if (!search || number >= collision_count)
		return 2;
	search->collision = &collisions[number];
	search->world = case_start(search->collision, true);
	for (char *end; *path && !search->world->failure[0]; path = *end ? end + 1 : end) {
		struct choice choices[CHOICES_MAX];
		unsigned int count, chosen = (unsigned int)strtoul(path, &end, 10);

		count = choices_of(search, choices);
		if (chosen >= count)
			break;
		if (choices[chosen].step == STEP_TICK)
			say(search->world, 0, "time passes");
		carry_out(search, &choices[chosen]);
	}
	if (!search->world->failure[0]) {
		say(search->world, 0, "---- the rest in order");
		case_finish(search->world, search->collision);
	}
	printf("%s\n", search->world->failure[0] ? search->world->failure : "all well");
	return search->world->failure[0] != 0;
}

int main(int argc, char **argv)
{
	bool deep = argc > 1 && !strcmp(argv[1], "--deep");
	const char *pattern = argc > 1 + deep ? argv[1 + deep] : "";
	unsigned int test = 0, failed = 0;
	struct err err = ERR_NONE;

	if (crypto_init(&err)) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	if (!kex_find(KE_MLKEM768))
		kex_stand_in(&kem_standin);
	if (argc == 5 && !strcmp(argv[1], "--case") && !strcmp(argv[3], "--path"))
		return run_path((unsigned int)strtoul(argv[2], NULL, 0), argv[4]);
	for (unsigned int i = 0; i < collision_count; i++)
		if (strstr(collisions[i].name, pattern))
			failed += !run_case(i, deep, ++test);
	printf("1..%u\n", test);
	return failed != 0;
}
