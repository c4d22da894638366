// SPDX-License-Identifier: Apache-2.0
/*
 * A fixed number of equal objects in memory that the caller gives. Taking, returning and looking up are O(1)
 * and never allocate; a full pool is a normal answer. An object is named by a handle: its index and a generation
 * that changes whenever the object is returned, so that a late answer for a dead object is recognised by
 * one comparison.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

/* Generation is never 0 for an object that lives or lived: HANDLE_NONE names nothing. */
struct handle {
	uint32_t index;
	uint32_t generation;
};

#define HANDLE_NONE ((struct handle){ 0, 0 })

/* Book-keeping of one object, kept beside the objects so that these may have any size. */
struct pool_slot {
	uint32_t generation;
	uint32_t next, prev; /* in the list of free or of used objects, POOL_NONE = end */
	bool used;
};

struct pool_list {
	uint32_t first, last;
};

struct pool {
	uint8_t *objects;
	struct pool_slot *slots;
	size_t object_size; /* octets from one object to the next */
	uint32_t max, count;
	struct pool_list free, used;
};

/* pool_memory is how many octets pool_init needs for `max` objects (fewer than POOL_NONE). */
size_t pool_memory(uint32_t max, size_t object_size);

/* pool_init makes an empty pool in `memory`, aligned as malloc aligns, which must outlive the pool. */
void pool_init(struct pool *pool, void *memory, uint32_t max, size_t object_size);

/*
 * pool_take takes the object that has been free longest, zeroed. HANDLE_NONE when the pool is full. The longest
 * free one, so that an index is not reused while somebody outside may still use it as a name.
 */
struct handle pool_take(struct pool *pool);

/* pool_take_at takes the object at `index`, zeroed. HANDLE_NONE when it is in use or out of range. */
struct handle pool_take_at(struct pool *pool, uint32_t index);

/* pool_put returns the object; its handles are stale from then on. A stale handle does nothing. */
void pool_put(struct pool *pool, struct handle handle);

/* pool_get is the object, valid until pool_put, or NULL when the handle is stale. */
void *pool_get(const struct pool *pool, struct handle handle);

/* pool_at is the object at `index` if it is in use, else NULL. */
void *pool_at(const struct pool *pool, uint32_t index);

/* pool_handle is the handle of an object in use. `object` must come from this pool. */
struct handle pool_handle(const struct pool *pool, const void *object);

/* pool_count is the number of objects in use. */
uint32_t pool_count(const struct pool *pool);

/*
 * pool_first and pool_next walk the indices of the objects in use in the order they were taken; POOL_NONE ends the
 * walk. Ask for the next index before returning the current object.
 */
uint32_t pool_first(const struct pool *pool);
uint32_t pool_next(const struct pool *pool, uint32_t index);

#endif
