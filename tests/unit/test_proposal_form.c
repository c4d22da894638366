// SPDX-License-Identifier: Apache-2.0
/*
 * SA payloads whose form or numbers are wrong. Tests named after a CVE are rows of the table of known faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ike/proposal.h"
#include "sa_text.h"

/* clang-format off */
static const struct offer esp_offer = { 1, {
	{ PROTOCOL_ESP, 5, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 },
		{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 },
		{ TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 } } } } };
/* clang-format on */

static int choose_ike(const char *text)
{
	struct suite suite;

	return sa_choose(&suite, sa_text(text), &sa_ike_offer, KE_NONE, 0);
}

static int accept_ike(const char *text)
{
	struct suite suite;

	return sa_accept(&suite, sa_text(text), &sa_ike_offer, 0);
}

/* ---- the table of known faults --------------------------------------------------------------- */

/* Every ID of every type: chosen only when it is the one we offered. 1025 was somebody's own number for a group. */
static void test_cve_2014_9221_every_id(void **state)
{
	(void)state;
	for (unsigned int id = 0; id <= 0xffff; id++) {
		struct suite suite = { .ke = 0xeeee };
		char text[64];

		snprintf(text, sizeof(text), "1i0 E20/256 P5 K%u", id);
		assert_int_equal(sa_choose(&suite, sa_text(text), &sa_ike_offer, (uint16_t)id, 0),
				 id == 31 || id == 19 || id == 14 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
		assert_int_equal(suite.ke, id == 31 || id == 19 || id == 14 ? id : 0xeeee);
		snprintf(text, sizeof(text), "1i0 E20/256 P%u K31", id);
		assert_int_equal(choose_ike(text), id == 5 || id == 7 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
		snprintf(text, sizeof(text), "1i0 E%u/256 P5 K31", id);
		assert_int_equal(choose_ike(text), id == 20 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
		snprintf(text, sizeof(text), "1i0 E20/256 P5 K31 A%u", id);
		assert_int_equal(choose_ike(text), id == 0 || id == 36 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
		snprintf(text, sizeof(text), "1i0 E12/256 P5 I%u K31", id);
		assert_int_equal(choose_ike(text), id == 12 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
	}
}

/* Each mandatory transform missing; each type twice is a choice in an offer and wrong in an answer. */
static void test_cve_2016_5391_mandatory_transforms(void **state)
{
	struct suite suite;

	(void)state;
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31"), 0);
	assert_int_equal(choose_ike("1i0 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1e4 S0"), &esp_offer, 0, 4), NOTIFY_NO_PROPOSAL_CHOSEN);

	assert_int_equal(accept_ike("1i0 E20/256 P5 K31 A0"), 0);
	assert_int_equal(accept_ike("1i0 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 E20/256 P5 P5 K31 K31"), 0);
	assert_int_equal(accept_ike("1i0 E20/256 E20/256 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 E28 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 P7 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 K31 K19 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 K31 A36 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
}

/* Every ENCR with key lengths that should not be. */
static void test_cve_2024_3652_key_lengths(void **state)
{
	static const unsigned int bits[] = { 0, 1, 64, 127, 128, 129, 192, 255, 256, 257, 512, 32768, 65535 };

	(void)state;
	for (unsigned int id = 0; id <= 0xffff; id += id < 64 ? 1 : 251) {
		for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
			char text[64];

			snprintf(text, sizeof(text), "1i0 E%u/%u P5 K31", id, bits[i]);
			assert_int_equal(choose_ike(text), id == 20 && bits[i] == 256 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
			snprintf(text, sizeof(text), "1i0 E%u/%u P5 I12 K31", id, bits[i]);
			assert_int_equal(choose_ike(text), id == 12 && (bits[i] == 256 || bits[i] == 128)
								   ? 0
								   : NOTIFY_NO_PROPOSAL_CHOSEN);
		}
	}
	assert_int_equal(choose_ike("1i0 E20 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);     /* GCM has one (RFC 5282 7.4) */
	assert_int_equal(choose_ike("1i0 E28/256 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN); /* ChaCha20 not (RFC 7634 4) */
	assert_int_equal(choose_ike("1i0 E28/0 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5/256 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 A0/1"), NOTIFY_NO_PROPOSAL_CHOSEN);
}

/* Attributes in the long form: unusable when they fit, malformed when they do not (CVE row of racoon2, issue 27). */
static void test_racoon2_27_attributes(void **state)
{
	struct suite suite;
	struct view body;
	uint8_t *at;

	(void)state;
	assert_int_equal(choose_ike("1i0 E20:2 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20:0 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20:1000 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256/256 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256:4 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20:2 E28:0 E20/256 P5 K31"), &sa_ike_offer, 0, 0), 0);
	/* Transform 1's attribute is at 16: type, then value or length. */
	for (unsigned int type = 0; type <= 0xffff; type++) {
		int expected = NOTIFY_NO_PROPOSAL_CHOSEN;

		body = sa_text("1i0 E20/256 P5 K31");
		at = (uint8_t *)body.at;
		at[16] = (uint8_t)(type >> 8);
		at[17] = (uint8_t)type;
		if (type == 0x800e)
			expected = 0;
		else if (type < 0x8000) /* 256 octets of value that are not there */
			expected = NOTIFY_INVALID_SYNTAX;
		assert_int_equal(sa_choose(&suite, body, &sa_ike_offer, 0, 0), expected);
	}
	for (unsigned int length = 0; length <= 0xffff; length++) {
		body = sa_text("1i0 E20:2 P5 K31");
		at = (uint8_t *)body.at;
		at[18] = (uint8_t)(length >> 8);
		at[19] = (uint8_t)length;
		/* 2 fits; 0 leaves an odd tail of two octets. */
		assert_int_equal(sa_choose(&suite, body, &sa_ike_offer, 0, 0),
				 length == 2 ? NOTIFY_NO_PROPOSAL_CHOSEN : NOTIFY_INVALID_SYNTAX);
	}
}

/* ---- form ------------------------------------------------------------------------------------ */

/* Every length, count and last-substruc field one up and one down, and cut at every octet. */
static void test_vpp_1918_form(void **state)
{
	static const char *const text = "1i0 E20/256 P5 K31, 2i0 E12/256 P5 I12 K31";
	/* Offsets in it of: last substruc, length (low octet), count; of the proposals and of the transforms. */
	static const size_t lasts[] = { 0, 36 }, lengths[] = { 3, 39 }, counts[] = { 7, 43 };
	static const size_t transform_lasts[] = { 8, 20, 28, 44, 56, 64, 72 };
	struct view body = sa_text(text);
	uint8_t *at = (uint8_t *)body.at;
	struct suite suite;

	(void)state;
	assert_int_equal(sa_choose(&suite, body, &sa_ike_offer, 0, 0), 0);
	for (size_t len = 0; len <= body.len + 1; len++)
		assert_int_equal(sa_choose(&suite, view_of(at, len), &sa_ike_offer, 0, 0),
				 len == body.len ? 0 : NOTIFY_INVALID_SYNTAX);
	for (size_t i = 0; i < 256 * 2; i++) {
		size_t where[] = { lasts[i & 1], lengths[i & 1], counts[i & 1] };

		for (size_t j = 0; j < 3; j++) {
			uint8_t was = at[where[j]];

			at[where[j]] = (uint8_t)(i >> 1);
			assert_int_equal(sa_choose(&suite, body, &sa_ike_offer, 0, 0),
					 (uint8_t)(i >> 1) == was ? 0 : NOTIFY_INVALID_SYNTAX);
			at[where[j]] = was;
		}
	}
	for (size_t i = 0; i < sizeof(transform_lasts) / sizeof(transform_lasts[0]); i++) {
		for (unsigned int value = 0; value < 256; value++) {
			size_t where[] = { transform_lasts[i], transform_lasts[i] + 3 };

			for (size_t j = 0; j < 2; j++) {
				uint8_t was = at[where[j]];

				at[where[j]] = (uint8_t)value;
				assert_int_equal(sa_choose(&suite, body, &sa_ike_offer, 0, 0),
						 value == was ? 0 : NOTIFY_INVALID_SYNTAX);
				at[where[j]] = was;
			}
		}
	}
}

/* Octets behind the last transform, counted by the proposal, and a proposal that says it has no transforms. */
static void test_trailing(void **state)
{
	uint8_t octets[128];
	struct view body = sa_text("1i0 E20/256 P5 K31");
	struct suite suite;

	(void)state;
	memset(octets, 0, sizeof(octets));
	memcpy(octets, body.at, body.len);
	for (size_t more = 1; more <= 12; more++) {
		octets[3] = (uint8_t)(body.len + more);
		assert_int_equal(sa_choose(&suite, view_of(octets, body.len + more), &sa_ike_offer, 0, 0),
				 NOTIFY_INVALID_SYNTAX);
	}
	octets[3] = (uint8_t)body.len;
	octets[7] = 0;
	assert_int_equal(sa_choose(&suite, view_of(octets, body.len), &sa_ike_offer, 0, 0), NOTIFY_INVALID_SYNTAX);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(choose_ike("0i0 E20/256 P5 K31"), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(choose_ike("2i0 E20/256 P5 K31"), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31, 1i0 E20/256 P5 K31"), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31, 3i0 E20/256 P5 K31"), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(choose_ike("1i0 E3 P2 K2, 2i0 E3 P2 K2, 3i0 E20/256 P5 K31"), 0);
}

/* 255 proposals are read, more have no number. */
static void test_many(void **state)
{
	static uint8_t memory[300 * 36];
	struct view one = sa_text("1i0 E3 P5 K31");
	uint8_t copy[64];
	struct suite suite;

	(void)state;
	memcpy(copy, one.at, one.len);
	for (unsigned int count = 254; count <= 257; count++) {
		for (unsigned int i = 0; i < count; i++) {
			memcpy(memory + i * one.len, copy, one.len);
			memory[i * one.len] = i + 1 < count ? 2 : 0;
			memory[i * one.len + 4] = (uint8_t)(i + 1);
		}
		assert_int_equal(sa_choose(&suite, view_of(memory, count * one.len), &sa_ike_offer, 0, 0),
				 count <= 255 ? NOTIFY_NO_PROPOSAL_CHOSEN : NOTIFY_INVALID_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2014_9221_every_id),
		cmocka_unit_test(test_cve_2016_5391_mandatory_transforms),
		cmocka_unit_test(test_cve_2024_3652_key_lengths),
		cmocka_unit_test(test_racoon2_27_attributes),
		cmocka_unit_test(test_vpp_1918_form),
		cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
