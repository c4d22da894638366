// SPDX-License-Identifier: Apache-2.0
/*
 * See raw_chain.h.
 */
#include "raw_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void raw_clear(struct raw *raw)
{
	raw->len = 0;
	raw->first = PAYLOAD_NONE;
}

void raw_add(struct raw *raw, uint8_t type, uint8_t flags, const void *body, size_t len)
{
	uint8_t *at = raw->at + raw->len;
	size_t length = PAYLOAD_HEADER_LEN + len;

	assert_true(raw->len + length <= sizeof(raw->at));
	if (raw->len)
		raw->at[raw->next_at] = type;
	else
		raw->first = type;
	raw->next_at = raw->len;
	at[0] = PAYLOAD_NONE;
	at[1] = flags;
	at[2] = (uint8_t)(length >> 8);
	at[3] = (uint8_t)length;
	if (len)
		memcpy(at + PAYLOAD_HEADER_LEN, body, len);
	raw->len += length;
}

uint8_t *raw_copy(const void *octets, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, octets, len);
	return copy;
}

int raw_parse_octets(struct chain *chain, uint8_t first, const void *octets, size_t len, bool inside)
{
	static uint8_t *kept;

	free(kept);
	kept = raw_copy(octets, len);
	return chain_parse(chain, first, view_of(kept, len), inside);
}

int raw_parse(struct chain *chain, const struct raw *raw, bool inside)
{
	return raw_parse_octets(chain, raw->first, raw->at, raw->len, inside);
}
