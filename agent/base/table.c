// SPDX-License-Identifier: Apache-2.0
/*
 * Pair table, see table.h. As many buckets as entries, rounded up to a power of two: chains are one long on
 * average when the table is full.
 */
#include "base/table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"

static uint32_t bucket_count(uint32_t max)
{
	uint32_t count = 1;

	while (count < max)
		count *= 2;
	return count;
}

size_t table_memory(uint32_t max)
{
	return max * sizeof(struct table_entry) + bucket_count(max) * sizeof(uint32_t);
}

void table_init(struct table *table, void *memory, uint32_t max, const uint8_t seed[SIPHASH_KEY])
{
	assert(max <= 1u << 30);
	*table = (struct table){
		.entries = memory,
		.buckets = (uint32_t *)((struct table_entry *)memory + max),
		.max = max,
		.mask = bucket_count(max) - 1,
		.free = max ? 1 : 0,
	};
	memcpy(table->seed, seed, sizeof(table->seed));
	memset(table->buckets, 0, bucket_count(max) * sizeof(uint32_t));
	for (uint32_t index = 0; index < max; index++)
		table->entries[index].next = index + 1 < max ? index + 2 : 0;
}

static uint32_t *bucket_of(const struct table *table, const struct hf_pair *pair)
{
	return &table->buckets[siphash_of(table->seed, pair, sizeof(*pair)) & table->mask];
}

/* Points at the link that leads to the pair's entry, or at the link 0 that ends its chain. */
static uint32_t *link_to(const struct table *table, const struct hf_pair *pair)
{
	uint32_t *link = bucket_of(table, pair);

	while (*link && !pair_equal(&table->entries[*link - 1].pair, pair))
		link = &table->entries[*link - 1].next;
	return link;
}

bool table_find(const struct table *table, const struct hf_pair *pair, uint32_t *value)
{
	uint32_t link = *link_to(table, pair);

	if (link && value)
		*value = table->entries[link - 1].value;
	return link != 0;
}

int table_put(struct table *table, const struct hf_pair *pair, uint32_t value)
{
	uint32_t *link = link_to(table, pair);

	if (!*link) {
		struct table_entry *entry;

		if (!table->free)
			return -ENOBUFS;
		*link = table->free;
		entry = &table->entries[*link - 1];
		table->free = entry->next;
		entry->pair = *pair;
		entry->next = 0;
		table->count++;
	}
	table->entries[*link - 1].value = value;
	return 0;
}

bool table_del(struct table *table, const struct hf_pair *pair)
{
	uint32_t *link = link_to(table, pair);
	struct table_entry *entry;
	uint32_t freed = *link;

	if (!freed)
		return false;
	entry = &table->entries[freed - 1];
	*link = entry->next;
	entry->next = table->free;
	table->free = freed;
	table->count--;
	return true;
}

uint32_t table_count(const struct table *table)
{
	return table->count;
}
