// SPDX-License-Identifier: Apache-2.0
/*
 * Pools of equal objects, see pool.h. Every object is always in exactly one of two doubly linked lists,
 * free or used, so that taking a given index is as cheap as taking any.
 */
#include "base/pool.h"

#include <assert.h>
#include <string.h>

static size_t slots_memory(uint32_t max)
{
	size_t size = max * sizeof(struct pool_slot), align = _Alignof(max_align_t);

	return (size + align - 1) / align * align;
}

size_t pool_memory(uint32_t max, size_t object_size)
{
	return slots_memory(max) + max * object_size;
}

static void append(struct pool *pool, struct pool_list *list, uint32_t index)
{
	struct pool_slot *slot = &pool->slots[index];

	slot->next = POOL_NONE;
	slot->prev = list->last;
	if (list->last == POOL_NONE)
		list->first = index;
	else
		pool->slots[list->last].next = index;
	list->last = index;
}

static void remove_from(struct pool *pool, struct pool_list *list, uint32_t index)
{
	const struct pool_slot *slot = &pool->slots[index];

	if (slot->prev == POOL_NONE)
		list->first = slot->next;
	else
		pool->slots[slot->prev].next = slot->next;
	if (slot->next == POOL_NONE)
		list->last = slot->prev;
	else
		pool->slots[slot->next].prev = slot->prev;
}

void pool_init(struct pool *pool, void *memory, uint32_t max, size_t object_size)
{
	assert(max < POOL_NONE);
	*pool = (struct pool){
		.slots = memory,
		.objects = (uint8_t *)memory + slots_memory(max),
		.object_size = object_size,
		.max = max,
		.free = { POOL_NONE, POOL_NONE },
		.used = { POOL_NONE, POOL_NONE },
	};
	for (uint32_t index = 0; index < max; index++) {
		pool->slots[index] = (struct pool_slot){ .generation = 1 };
		append(pool, &pool->free, index);
	}
}

static void *object_at(const struct pool *pool, uint32_t index)
{
	return pool->objects + index * pool->object_size;
}

struct handle pool_take_at(struct pool *pool, uint32_t index)
{
	if (index >= pool->max || pool->slots[index].used)
		return HANDLE_NONE;
	remove_from(pool, &pool->free, index);
	append(pool, &pool->used, index);
	pool->slots[index].used = true;
	pool->count++;
	memset(object_at(pool, index), 0, pool->object_size);
	return (struct handle){ index, pool->slots[index].generation };
}

struct handle pool_take(struct pool *pool)
{
	return pool_take_at(pool, pool->free.first);
}

void pool_put(struct pool *pool, struct handle handle)
{
	struct pool_slot *slot;

	if (!pool_get(pool, handle))
		return;
	slot = &pool->slots[handle.index];
	remove_from(pool, &pool->used, handle.index);
	append(pool, &pool->free, handle.index);
	slot->used = false;
	if (++slot->generation == 0)
		slot->generation = 1;
	pool->count--;
}

void *pool_get(const struct pool *pool, struct handle handle)
{
	void *object = pool_at(pool, handle.index);

	if (!object || pool->slots[handle.index].generation != handle.generation)
		return NULL;
	return object;
}

void *pool_at(const struct pool *pool, uint32_t index)
{
	if (index >= pool->max || !pool->slots[index].used)
		return NULL;
	return object_at(pool, index);
}

struct handle pool_handle(const struct pool *pool, const void *object)
{
	size_t offset = (size_t)((const uint8_t *)object - pool->objects);
	uint32_t index = (uint32_t)(offset / pool->object_size);

	assert(offset % pool->object_size == 0 && index < pool->max && pool->slots[index].used);
	return (struct handle){ index, pool->slots[index].generation };
}

uint32_t pool_count(const struct pool *pool)
{
	return pool->count;
}

uint32_t pool_first(const struct pool *pool)
{
	return pool->used.first;
}

uint32_t pool_next(const struct pool *pool, uint32_t index)
{
	return pool->slots[index].next;
}
