// SPDX-License-Identifier: Apache-2.0
/*
 * The journal, see journal.h.
 */
#include "daemon/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "base/table.h"

/*
 * How far back a step is looked for that happens again. A sender that is refused every second makes the same two or three
 * steps each time: they must not push out how it came to that.
 */
#define REPEAT_LOOK 4

struct journal {
	struct pool pairs;
	struct table by_pair;
	void *pool_memory, *table_memory;
	uint32_t newest, oldest;
	uint64_t last;
	struct journal_recent recent[JOURNAL_RECENT];
};

struct journal *journal_new(uint32_t pairs_max, const uint8_t seed[SIPHASH_KEY])
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return NULL;
	journal->pool_memory = calloc(1, pool_memory(pairs_max, sizeof(struct journal_pair)));
	journal->table_memory = calloc(1, table_memory(pairs_max));
	journal->newest = journal->oldest = POOL_NONE;
	if (!journal->pool_memory || !journal->table_memory) {
		journal_free(journal);
		return NULL;
	}
	pool_init(&journal->pairs, journal->pool_memory, pairs_max, sizeof(struct journal_pair));
	table_init(&journal->by_pair, journal->table_memory, pairs_max, seed);
	return journal;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	free(journal->pool_memory);
	free(journal->table_memory);
	free(journal);
}

/* ---- pairs, in the order they were written about ---- */

static void unlink_pair(struct journal *journal, struct journal_pair *pair)
{
	struct journal_pair *newer = pool_at(&journal->pairs, pair->newer);
	struct journal_pair *older = pool_at(&journal->pairs, pair->older);

	*(newer ? &newer->older : &journal->newest) = pair->older;
	*(older ? &older->newer : &journal->oldest) = pair->newer;
}

static void link_newest(struct journal *journal, struct journal_pair *pair, uint32_t index)
{
	struct journal_pair *second = pool_at(&journal->pairs, journal->newest);

	pair->newer = POOL_NONE;
	pair->older = journal->newest;
	*(second ? &second->newer : &journal->oldest) = index;
	journal->newest = index;
}

static struct handle take_pair(struct journal *journal)
{
	struct journal_pair *oldest = pool_at(&journal->pairs, journal->oldest);
	struct handle handle = pool_take(&journal->pairs);

	if (handle.generation || !oldest)
		return handle;
	unlink_pair(journal, oldest);
	table_del(&journal->by_pair, &oldest->pair);
	pool_put(&journal->pairs, pool_handle(&journal->pairs, oldest));
	return pool_take(&journal->pairs);
}

static struct journal_pair *touch(struct journal *journal, const struct hf_pair *key)
{
	struct journal_pair *pair;
	struct handle handle;
	uint32_t index;

	if (table_find(&journal->by_pair, key, &index)) {
		pair = pool_at(&journal->pairs, index);
		unlink_pair(journal, pair);
		link_newest(journal, pair, index);
		return pair;
	}
	handle = take_pair(journal);
	pair = pool_get(&journal->pairs, handle);
	/* The table has as many places as the pool. */
	if (!pair || table_put(&journal->by_pair, key, handle.index) < 0)
		return NULL;
	pair->pair = *key;
	link_newest(journal, pair, handle.index);
	return pair;
}

struct journal_facts *journal_facts(struct journal *journal, const struct hf_pair *key)
{
	struct journal_pair *pair = journal ? touch(journal, key) : NULL;

	return pair ? &pair->facts : NULL;
}

const struct journal_pair *journal_find(const struct journal *journal, const struct hf_pair *key)
{
	uint32_t index;

	return journal && table_find(&journal->by_pair, key, &index) ? pool_at(&journal->pairs, index) : NULL;
}

/* ---- steps ---- */

const struct journal_step *journal_step(const struct journal_pair *pair, uint32_t index)
{
	return index < pair->count ? &pair->steps[(pair->first + index) % JOURNAL_STEPS] : NULL;
}

static struct journal_step *find_repeated(struct journal_pair *pair, const char *what, const char *text)
{
	for (uint32_t back = 1; back <= REPEAT_LOOK && back <= pair->count; back++) {
		struct journal_step *step = &pair->steps[(pair->first + pair->count - back) % JOURNAL_STEPS];

		if (strcmp(step->what, what) == 0 && strcmp(step->text, text) == 0)
			return step;
	}
	return NULL;
}

/* False when it only is the newest step once more. */
static bool add_step(struct journal_pair *pair, const char *what, const char *text, uint64_t now)
{
	struct journal_step *step = find_repeated(pair, what, text);

	if (step) {
		step->times++;
		step->last_ns = now;
		return step != journal_step(pair, pair->count - 1);
	}
	if (pair->count == JOURNAL_STEPS)
		pair->first = (pair->first + 1) % JOURNAL_STEPS;
	else
		pair->count++;
	step = &pair->steps[(pair->first + pair->count - 1) % JOURNAL_STEPS];
	*step = (struct journal_step){ .first_ns = now, .last_ns = now, .times = 1, .what = what };
	strcpy(step->text, text);
	return true;
}

void journal_write(struct journal *journal, const struct hf_pair *key, const char *what, uint64_t now,
		   const char *format, ...)
{
	struct journal_recent *recent;
	struct journal_pair *pair;
	char text[JOURNAL_TEXT_MAX];
	va_list args;

	if (!journal)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pair = touch(journal, key);
	if (pair && !add_step(pair, what, text, now))
		return;
	journal->last++;
	recent = &journal->recent[journal->last % JOURNAL_RECENT];
	*recent = (struct journal_recent){ .number = journal->last, .time_ns = now, .pair = *key, .what = what };
	strcpy(recent->text, text);
}

uint64_t journal_last(const struct journal *journal)
{
	return journal ? journal->last : 0;
}

const struct journal_recent *journal_at(const struct journal *journal, uint64_t number)
{
	const struct journal_recent *recent = journal ? &journal->recent[number % JOURNAL_RECENT] : NULL;

	return recent && number && recent->number == number ? recent : NULL;
}
