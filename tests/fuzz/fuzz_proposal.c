// SPDX-License-Identifier: Apache-2.0
/*
 * A peer's SA payload against offers of ours; the first octet chooses the offer, the second is the group hinted at. What is
 * chosen must be in both, and when the answer that we write for it goes back to who made the payload, he must take it and get the same
 * suite.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/proposal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* clang-format off */
static const struct {
	struct offer offer;
	size_t spi_len;
} offers[] = {
	{ { 2, {
		{ PROTOCOL_IKE, 9, {
			{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 },
			{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_512, 0 },
			{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_P256, 0 }, { TRANSFORM_KE, KE_MODP2048, 0 },
			{ TRANSFORM_ADDKE1, KE_MLKEM768, 0 }, { TRANSFORM_ADDKE1, KE_NONE, 0 } } },
		{ PROTOCOL_IKE, 5, {
			{ TRANSFORM_ENCR, ENCR_AES_CBC, 256 }, { TRANSFORM_ENCR, ENCR_AES_CBC, 128 },
			{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 }, { TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0 },
			{ TRANSFORM_KE, KE_P256, 0 } } } } }, 0 },
	{ { 1, {
		{ PROTOCOL_ESP, 5, {
			{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 },
			{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 },
			{ TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 } } } } }, 4 },
	{ { 1, {
		{ PROTOCOL_ESP, 7, {
			{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 },
			{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_P256, 0 }, { TRANSFORM_KE, KE_NONE, 0 },
			{ TRANSFORM_ADDKE1, KE_P256, 0 } } } } }, 4 },
	{ { 1, {
		{ PROTOCOL_IKE, 5, {
			{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
			{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_MLKEM768, 0 },
			{ TRANSFORM_ADDKE1, KE_MLKEM768, 0 } } } } }, 8 },
};
/* clang-format on */

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* One side has it, or leaves the type out and means its ID 0. */
static bool has(const struct transform *list, size_t count, uint8_t type, uint16_t id, uint16_t bits)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		any |= list[i].type == type;
		if (list[i].type == type && list[i].id == id && list[i].bits == bits)
			return true;
	}
	return !any && id == 0 && bits == 0;
}

static void demand_all(const struct suite *suite, const struct transform *list, size_t count)
{
	demand(has(list, count, TRANSFORM_ENCR, suite->encr, suite->encr_bits));
	demand(suite->protocol == PROTOCOL_IKE ? has(list, count, TRANSFORM_PRF, suite->prf, 0)
					       : has(list, count, TRANSFORM_ESN, suite->esn, 0));
	demand(has(list, count, TRANSFORM_INTEG, suite->integ, 0));
	demand(has(list, count, TRANSFORM_KE, suite->ke, 0));
	demand(has(list, count, TRANSFORM_ADDKE1, suite->addke, 0));
	for (uint8_t type = TRANSFORM_ADDKE1 + 1; type <= TRANSFORM_ADDKE7; type++)
		demand(has(list, count, type, KE_NONE, 0));
}

/* The usable transforms of the peer's proposal `number`, as he would have them in an offer of his own. */
static size_t theirs_of(struct transform *list, size_t max, struct view body, uint8_t number)
{
	struct proposal_reader proposals;
	struct proposal proposal;
	size_t count = 0;

	proposal_reader_init(&proposals, body);
	while (proposal_read(&proposal, &proposals)) {
		struct transform_reader transforms;
		struct transform transform;
		bool usable;

		if (proposal.number != number)
			continue;
		transform_reader_init(&transforms, &proposal);
		while (transform_read(&transform, &usable, &transforms))
			if (usable && count < max)
				list[count++] = transform;
	}
	return count;
}

static bool suite_equal(const struct suite *a, const struct suite *b)
{
	return a->protocol == b->protocol && a->encr == b->encr && a->encr_bits == b->encr_bits && a->prf == b->prf &&
	       a->integ == b->integ && a->ke == b->ke && a->addke == b->addke && a->esn == b->esn &&
	       a->types == b->types;
}

/* The answer goes back to a peer that made one offer of what we chose from. */
static void check_answer(const struct suite *suite, const struct transform *theirs, size_t count, size_t spi_len)
{
	struct offer offer = { .count = 1, .proposals = { { .protocol = suite->protocol, .count = count } } };
	struct suite answer = *suite, accepted;
	uint8_t memory[512];
	struct message message;
	struct chain chain;
	struct view spi;

	if (count > OFFER_TRANSFORMS_MAX)
		return;
	memcpy(offer.proposals[0].transforms, theirs, count * sizeof(*theirs));
	answer.number = 1;
	message_start_inside(&message, memory, sizeof(memory));
	proposal_write_choice(&message, &answer, view_of("\xff\xee\xdd\xcc\xbb\xaa\x99\x88", spi_len));
	demand(chain_parse(&chain, message.first, message_finish(&message), true) == 0);
	demand(proposal_accept(&accepted, &spi, chain.payload[SLOT_SA], &offer, spi_len) == 0);
	demand(spi.len == spi_len && suite_equal(suite, &accepted));
}

static void check_choice(struct view body, size_t which, uint16_t hint)
{
	static struct transform theirs[255];
	const struct offer *ours = &offers[which].offer;
	struct suite suite, accepted;
	struct view spi;
	size_t count;
	int rc = proposal_choose(&suite, &spi, body, ours, hint, offers[which].spi_len);
	int taken = proposal_accept(&accepted, &spi, body, ours, offers[which].spi_len);

	demand(taken == 0 || taken == NOTIFY_NO_PROPOSAL_CHOSEN || taken == NOTIFY_INVALID_SYNTAX);
	if (taken == 0) {
		const struct offer_proposal *proposal = &ours->proposals[accepted.number - 1];

		demand_all(&accepted, proposal->transforms, proposal->count);
		demand(!accepted.addke || accepted.ke != accepted.addke);
	}
	if (rc) {
		demand(rc == NOTIFY_NO_PROPOSAL_CHOSEN || rc == NOTIFY_INVALID_SYNTAX);
		return;
	}
	demand(taken != NOTIFY_INVALID_SYNTAX);
	demand((suite.encr == ENCR_AES_CBC) == (suite.integ != INTEG_NONE));
	demand(!suite.addke || suite.ke != suite.addke);
	count = theirs_of(theirs, sizeof(theirs) / sizeof(theirs[0]), body, suite.number);
	demand_all(&suite, theirs, count);
	demand(proposal_offers(ours, TRANSFORM_ENCR, suite.encr));
	check_answer(&suite, theirs, count, offers[which].spi_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy;

	if (len < 2)
		return 0;
	/* A copy of exactly this size, so that the sanitizer sees the octet behind it. */
	copy = malloc(len - 2 ? len - 2 : 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 2, len - 2);
	check_choice(view_of(copy, len - 2), data[0] % (sizeof(offers) / sizeof(offers[0])), data[1]);
	free(copy);
	return 0;
}
