// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of messages: chains of small blocks out of one pool, so that an SA holds as much as its messages are long and nothing
 * grows. A full pool is a normal answer.
 */
#include <errno.h>
#include <string.h>

#include "ike/internal.h"

static struct block *block_at(const struct ike *ike, uint32_t ref)
{
	return &ike->blocks.all[ref - 1];
}

static uint32_t block_take(struct ike *ike)
{
	uint32_t ref = ike->blocks.free;

	if (ref)
		ike->blocks.free = block_at(ike, ref)->next;
	else if (ike->blocks.fresh < ike->blocks.max)
		ref = ++ike->blocks.fresh;
	else
		return 0;
	ike->blocks.used++;
	block_at(ike, ref)->next = 0;
	return ref;
}

void blob_clear(struct ike *ike, struct blob *blob)
{
	uint32_t ref = blob->first;

	while (ref) {
		struct block *block = block_at(ike, ref);
		uint32_t next = block->next;

		/* Some hold a PSK, all hold what nobody else should see. */
		secret_wipe(block->octets, sizeof(block->octets));
		block->next = ike->blocks.free;
		ike->blocks.free = ref;
		ike->blocks.used--;
		ref = next;
	}
	*blob = (struct blob){ 0 };
}

int blob_append(struct ike *ike, struct blob *blob, struct view content)
{
	uint32_t at = blob->first, filled = blob->len % IKE_BLOCK;

	while (at && block_at(ike, at)->next)
		at = block_at(ike, at)->next;
	if (blob->len && !filled)
		filled = IKE_BLOCK;
	while (content.len) {
		size_t part;

		if (!at || filled == IKE_BLOCK) {
			uint32_t fresh = block_take(ike);

			if (!fresh) {
				blob_clear(ike, blob);
				return -ENOBUFS;
			}
			if (at)
				block_at(ike, at)->next = fresh;
			else
				blob->first = fresh;
			at = fresh;
			filled = 0;
		}
		part = IKE_BLOCK - filled < content.len ? IKE_BLOCK - filled : content.len;
		memcpy(block_at(ike, at)->octets + filled, content.at, part);
		filled += part;
		blob->len += part;
		content = view_of(content.at + part, content.len - part);
	}
	return 0;
}

int blob_set(struct ike *ike, struct blob *blob, struct view content)
{
	blob_clear(ike, blob);
	return blob_append(ike, blob, content);
}

struct view blob_view(const struct ike *ike, const struct blob *blob, uint8_t *memory, size_t max)
{
	uint32_t ref = blob->first;
	size_t done = 0;

	while (ref && done < blob->len && done < max) {
		const struct block *block = block_at(ike, ref);
		size_t part = blob->len - done < IKE_BLOCK ? blob->len - done : IKE_BLOCK;

		if (part > max - done)
			part = max - done;
		memcpy(memory + done, block->octets, part);
		done += part;
		ref = block->next;
	}
	return view_of(memory, done);
}
