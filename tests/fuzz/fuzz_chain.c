// SPDX-License-Identifier: Apache-2.0
/*
 * An IKE message in clear: header, chain, bodies, traffic selectors. The first octet says whether the rest is a message or the
 * content of an SK payload, which begins with the type of its first payload. What could be read is written again
 * and must come back the same.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/ts.h"
#include "ike/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct view whole;

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* Borrowed octets lie in the input. */
static void check_view(struct view view)
{
	if (view.len)
		demand(view.at >= whole.at && view.len <= whole.len &&
		       (size_t)(view.at - whole.at) <= whole.len - view.len);
}

static void check_lists(const struct chain *chain)
{
	demand(chain->notify_count <= CHAIN_NOTIFIES_MAX && chain->delete_count <= CHAIN_DELETES_MAX);
	for (size_t i = 0; i < chain->notify_count; i++) {
		check_view(chain->notifies[i].spi);
		check_view(chain->notifies[i].data);
		demand(chain_notify(chain, chain->notifies[i].type));
	}
	for (size_t i = 0; i < chain->delete_count; i++) {
		const struct delete *delete = &chain->deletes[i];

		check_view(delete->spis);
		demand(delete->spis.len == (size_t) delete->count * delete->spi_len);
		demand(delete->protocol != PROTOCOL_ESP || delete->spi_len == 4);
	}
	if (chain_error(chain))
		demand(chain_error(chain)->type <= NOTIFY_ERROR_LAST);
}

/* Writes the one payload that `write` has opened and closed, and reads it back. */
static struct view again(struct message *message, struct chain *chain, enum slot slot)
{
	demand(chain_parse(chain, message->first, message_finish(message), true) == 0);
	demand(chain_has(chain, slot));
	return chain->payload[slot];
}

static void check_bodies(const struct chain *chain)
{
	static uint8_t memory[70000];
	struct message message;
	struct ke ke, ke2;
	struct id id, id2;
	struct auth auth, auth2;
	struct chain second;
	struct view value;

	message_start_inside(&message, memory, sizeof(memory));
	if (chain_has(chain, SLOT_KE) && !ke_parse(&ke, chain->payload[SLOT_KE])) {
		message_ke(&message, ke.group, ke.data);
		demand(!ke_parse(&ke2, again(&message, &second, SLOT_KE)));
		demand(ke.group == ke2.group && view_equal(ke.data, ke2.data));
	}
	message_start_inside(&message, memory, sizeof(memory));
	if (chain_has(chain, SLOT_IDI) && !id_parse(&id, chain->payload[SLOT_IDI])) {
		demand(id.body.len == id.data.len + 4 && id.data.len <= 2048);
		message_id(&message, PAYLOAD_IDI, id.type, id.data);
		demand(!id_parse(&id2, again(&message, &second, SLOT_IDI)));
		demand(id.type == id2.type && view_equal(id.data, id2.data));
	}
	message_start_inside(&message, memory, sizeof(memory));
	if (chain_has(chain, SLOT_AUTH) && !auth_parse(&auth, chain->payload[SLOT_AUTH])) {
		message_auth(&message, auth.method, auth.data);
		demand(!auth_parse(&auth2, again(&message, &second, SLOT_AUTH)));
		demand(auth.method == auth2.method && view_equal(auth.data, auth2.data));
	}
	if (chain_has(chain, SLOT_NONCE) && !nonce_parse(&value, chain->payload[SLOT_NONCE]))
		demand(value.len >= 16 && value.len <= 256);
	if (chain_has(chain, SLOT_CERT) && !cert_parse(&value, chain->payload[SLOT_CERT]))
		demand(value.len >= 1 && value.len <= 8192);
}

static void check_selectors(struct view body)
{
	struct hf_addr single, other = { { 0x20, 1, 0xd, 0xb8 } };
	int covers_other = ts_covers(body, &other), rc = ts_single(&single, body);

	/* Form is one question, whoever asks. */
	demand((covers_other == NOTIFY_INVALID_SYNTAX) == (rc == NOTIFY_INVALID_SYNTAX));
	if (rc)
		return;
	demand(ts_covers(body, &single) == 0);
	demand(ts_is_exactly(body, &single) == 0);
	demand(memcmp(&single, &other, sizeof(single)) == 0 || covers_other);
}

static void check_chain(uint8_t next, struct view payloads, bool inside)
{
	struct chain chain;
	int rc = chain_parse(&chain, next, payloads, inside);

	check_lists(&chain);
	demand((rc == NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD) <= (chain.unsupported != 0));
	demand(!inside || !chain.sk_type);
	if (rc)
		return;
	for (int slot = 0; slot < SLOTS; slot++)
		if (chain_has(&chain, (enum slot)slot))
			check_view(chain.payload[slot]);
	check_bodies(&chain);
	if (chain_has(&chain, SLOT_TSI))
		check_selectors(chain.payload[SLOT_TSI]);
	if (chain_has(&chain, SLOT_TSR))
		check_selectors(chain.payload[SLOT_TSR]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct header header;
	uint8_t *copy;

	if (len < 2)
		return 0;
	/* A copy of exactly this size, so that the sanitizer sees the octet behind it. */
	copy = malloc(len - 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, len - 1);
	whole = view_of(copy, len - 1);
	if (data[0] & 1) {
		check_chain(copy[0], view_of(copy + 1, len - 2), true);
	} else {
		/* The length field is too hard a guess. */
		for (size_t i = 0; i < 4 && whole.len >= HEADER_LEN; i++)
			copy[24 + i] = (uint8_t)(whole.len >> (24 - 8 * i));
		if (header_parse(&header, whole) == 0)
			check_chain(header.next, view_of(copy + HEADER_LEN, whole.len - HEADER_LEN), false);
	}
	free(copy);
	return 0;
}
