// SPDX-License-Identifier: Apache-2.0
/*
 * A hash table from pair to a 32-bit value (a pool index, as a rule) in memory that the caller gives. Chained
 * by index, so that deletions leave nothing behind; hashed with a secret seed, because the keys are
 * addresses that strangers choose. Nothing grows: a full table says so.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "holdfast/abi.h"

struct table_entry {
	struct hf_pair pair;
	uint32_t value;
	uint32_t next; /* in its bucket or in the free list: 0 = end, else 1 + index */
};

struct table {
	struct table_entry *entries;
	uint32_t *buckets; /* 0 = empty, else 1 + index of the first entry */
	uint32_t max, count;
	uint32_t mask; /* number of buckets - 1 */
	uint32_t free; /* 0 = full, else 1 + index */
	uint8_t seed[SIPHASH_KEY];
};

/* table_memory is how many octets table_init needs for `max` pairs (at most 2^30). */
size_t table_memory(uint32_t max);

/* table_init makes an empty table in `memory`, aligned as malloc aligns. `seed` must be unpredictable. */
void table_init(struct table *table, void *memory, uint32_t max, const uint8_t seed[SIPHASH_KEY]);

/* table_find sets *value, or returns false when the pair is not there. `value` may be NULL. */
bool table_find(const struct table *table, const struct hf_pair *pair, uint32_t *value);

/* table_put adds the pair or changes its value. -ENOBUFS when it is new and the table is full. */
int table_put(struct table *table, const struct hf_pair *pair, uint32_t value);

/* table_del removes the pair and says whether it was there. */
bool table_del(struct table *table, const struct hf_pair *pair);

/* table_count is the number of pairs. */
uint32_t table_count(const struct table *table);

#endif
