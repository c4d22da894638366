// SPDX-License-Identifier: Apache-2.0
/*
 * Reassembly of fragments whose ICV was verified (RFC 7383 2.6). Every step costs the same however many fragments came
 * before and in whatever order: a fragment is appended to the store, and put in its place once, at the end (CVE-2016-10396).
 * The bounds are those of seal.h and the store's; whose fragments are taken at all is the caller's choice.
 */
#include <errno.h>
#include <string.h>

#include "ike/seal.h"

static bool is_valid(const struct fragment *fragment)
{
	return fragment->number && fragment->number <= fragment->total && fragment->total <= SEAL_FRAGMENTS_MAX;
}

/* Whether the fragment belongs to another message, or to a sending of this one in smaller pieces. */
static bool starts_anew(const struct reassembly *reassembly, uint32_t mid, const struct fragment *fragment)
{
	return !reassembly->total || reassembly->mid != mid || fragment->total > reassembly->total;
}

bool reassembly_wants(const struct reassembly *reassembly, uint32_t mid, const struct fragment *fragment)
{
	if (!is_valid(fragment))
		return false;
	if (starts_anew(reassembly, mid, fragment))
		return true;
	return fragment->total == reassembly->total && !(reassembly->seen & 1u << (fragment->number - 1));
}

int reassembly_add(struct reassembly *reassembly, uint8_t *store, size_t max, uint32_t mid,
		   const struct fragment *fragment, uint8_t inner, struct view content)
{
	const unsigned int index = fragment->number - 1u;

	if (!reassembly_wants(reassembly, mid, fragment))
		return 0;
	if (starts_anew(reassembly, mid, fragment))
		*reassembly = (struct reassembly){ .mid = mid, .total = fragment->total };
	if (content.len > UINT16_MAX || reassembly->used > max || content.len > max - reassembly->used) {
		*reassembly = (struct reassembly){ 0 };
		return -EMSGSIZE;
	}
	if (content.len)
		memcpy(store + reassembly->used, content.at, content.len);
	reassembly->at[index] = reassembly->used;
	reassembly->len[index] = (uint16_t)content.len;
	reassembly->used += (uint32_t)content.len;
	reassembly->seen |= 1u << index;
	reassembly->have++;
	if (!index)
		reassembly->first = inner;
	return reassembly->have == reassembly->total;
}

struct view reassembly_join(const struct reassembly *reassembly, uint8_t *out, const uint8_t *store)
{
	struct writer writer;
	unsigned int i;

	writer_init(&writer, out, reassembly->used);
	for (i = 0; i < reassembly->total; i++)
		write_octets(&writer, store + reassembly->at[i], reassembly->len[i]);
	return writer_view(&writer);
}
