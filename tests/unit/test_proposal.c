// SPDX-License-Identifier: Apache-2.0
/*
 * SA payloads: what is chosen from an offer, which answers are taken, and that both ends agree. The form of payloads and the table
 * of known faults are in test_proposal_form.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ike/proposal.h"
#include "sa_text.h"

/* clang-format off */
/* Of IKE_AUTH: without KE (RFC 7296 1.2). */
static const struct offer esp_offer = { 1, {
	{ PROTOCOL_ESP, 5, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, ENCR_AES_GCM_16, 128 },
		{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0 },
		{ TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 } } } } };

static const struct offer rekey_offer = { 1, {
	{ PROTOCOL_ESP, 6, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 },
		{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_P256, 0 }, { TRANSFORM_KE, KE_NONE, 0 } } } } };

static const struct offer pq_offer = { 1, {
	{ PROTOCOL_IKE, 5, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
		{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_KE, KE_MLKEM768, 0 },
		{ TRANSFORM_ADDKE1, KE_MLKEM768, 0 } } } } };
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

/* ---- choosing -------------------------------------------------------------------------------- */

static void test_choose(void **state)
{
	struct suite suite;

	(void)state;
	/* Our order counts, not the peer's. */
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E28 E20/256 P7 P5 K14 K19 K31"), &sa_ike_offer, 0, 0), 0);
	assert_int_equal(suite.encr, ENCR_AES_GCM_16);
	assert_int_equal(suite.encr_bits, 256);
	assert_int_equal(suite.prf, PRF_HMAC_SHA2_256);
	assert_int_equal(suite.integ, INTEG_NONE);
	assert_int_equal(suite.ke, KE_X25519);
	assert_int_equal(suite.addke, KE_NONE);
	assert_int_equal(suite.number, 1);
	assert_int_equal(suite.protocol, PROTOCOL_IKE);
	/* Of proposals, too: the peer has CBC first. */
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E12/256 P5 I12 K31, 2i0 E28 P7 K19"), &sa_ike_offer, 0, 0), 0);
	assert_int_equal(suite.number, 2);
	assert_int_equal(suite.encr, ENCR_CHACHA20_POLY1305);
	assert_int_equal(suite.encr_bits, 0);
	assert_int_equal(suite.prf, PRF_HMAC_SHA2_512);
	assert_int_equal(suite.ke, KE_P256);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E3 P2 I2 K2, 2i0 E12/128 E12/256 P5 I2 I12 K2 K19"),
				   &sa_ike_offer, 0, 0),
			 0);
	assert_int_equal(suite.encr, ENCR_AES_CBC);
	assert_int_equal(suite.encr_bits, 256);
	assert_int_equal(suite.integ, INTEG_HMAC_SHA2_256_128);
	assert_int_equal(choose_ike("1i0 E20/128 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1a0 E20/256 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1e0 E20/256 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
}

static void test_hint(void **state)
{
	static const char *const offer = "1i0 E20/256 P5 K31 K19 K14 K20";
	struct suite suite;

	(void)state;
	assert_int_equal(sa_choose(&suite, sa_text(offer), &sa_ike_offer, KE_MODP2048, 0), 0);
	assert_int_equal(suite.ke, KE_MODP2048);
	assert_int_equal(sa_choose(&suite, sa_text(offer), &sa_ike_offer, KE_P384, 0), 0); /* not ours */
	assert_int_equal(suite.ke, KE_X25519);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31"), &sa_ike_offer, KE_P256, 0),
			 0); /* not theirs */
	assert_int_equal(suite.ke, KE_X25519);
}

static void test_additional_ke(void **state)
{
	struct suite suite;

	(void)state;
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31 A0 A36"), &sa_ike_offer, 0, 0), 0);
	assert_int_equal(suite.addke, KE_MLKEM768);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31 A0 A37"), &sa_ike_offer, 0, 0), 0);
	assert_int_equal(suite.addke, KE_NONE);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 A37"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 A36 B36 B0 H37 H0"), 0);
	/* ADDKE2 to 7 that must be done. */
	for (const char *letter = "BCDFGH"; *letter; letter++) {
		char text[] = "1i0 E20/256 P5 K31 A36 B37";

		text[sizeof(text) - 4] = *letter;
		assert_int_equal(choose_ike(text), NOTIFY_NO_PROPOSAL_CHOSEN);
	}
	/* One that is required of us. */
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31"), &pq_offer, 0, 0), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31 A0"), &pq_offer, 0, 0),
			 NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31 A36"), &pq_offer, 0, 0), 0);
	/* The same method twice (RFC 9370 2.2.1). */
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K36 A36"), &pq_offer, 0, 0),
			 NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_accept(&suite, sa_text("1i0 E20/256 P5 K36 A36"), &pq_offer, 0), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_accept(&suite, sa_text("1i0 E20/256 P5 K31 A36"), &pq_offer, 0), 0);
}

static void test_esp(void **state)
{
	struct suite suite;

	(void)state;
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/128 S0 S1"), &esp_offer, 0, 4), 0);
	assert_int_equal(suite.encr_bits, 128);
	assert_true(suite.esn);
	assert_int_equal(suite.ke, KE_NONE);
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E28 S0"), &esp_offer, 0, 4), 0);
	assert_false(suite.esn);
	/* DEVIATION: no ESN transform is ESN 0, and the answer has none either. */
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256"), &esp_offer, 0, 4), 0);
	assert_false(suite.esn);
	assert_int_equal(suite.types, 1 << TRANSFORM_ENCR);
	/* No KE in IKE_AUTH; NONE is none. */
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256 S0 K0"), &esp_offer, 0, 4), 0);
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256 S0 K31"), &esp_offer, 0, 4), NOTIFY_NO_PROPOSAL_CHOSEN);
	/* Rekey: with and without. */
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256 S0 K0 K19"), &rekey_offer, 0, 4), 0);
	assert_int_equal(suite.ke, KE_P256);
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256 S0"), &rekey_offer, 0, 4), 0);
	assert_int_equal(suite.ke, KE_NONE);
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256 S0 K2"), &rekey_offer, 0, 4),
			 NOTIFY_NO_PROPOSAL_CHOSEN);
	/* A PRF means nothing here. */
	assert_int_equal(sa_choose(&suite, sa_text("1e4 E20/256 S0 P5"), &esp_offer, 0, 4), NOTIFY_NO_PROPOSAL_CHOSEN);
	/* AH beside ESP. */
	assert_int_equal(sa_choose(&suite, sa_text("1a4 I12 S0, 2e4 E20/256 S0"), &esp_offer, 0, 4), 0);
	assert_int_equal(suite.number, 2);
}

static void test_spi(void **state)
{
	static const uint8_t spis[][4] = { { 0, 0, 0, 0 }, { 0, 0, 0, 1 }, { 0, 0, 0, 255 }, { 0, 0, 1, 0 } };
	struct view body, spi = VIEW_NONE;
	struct suite suite;
	uint8_t *at;

	(void)state;
	for (size_t len = 0; len <= 9; len++) {
		char text[] = "1e0 E20/256 S0";

		text[2] = (char)('0' + len);
		assert_int_equal(sa_choose(&suite, sa_text(text), &esp_offer, 0, 4),
				 len == 4 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
	}
	assert_int_equal(sa_choose(&suite, sa_text("1i8 E20/256 P5 K31"), &sa_ike_offer, 0, 8), 0);
	assert_int_equal(sa_choose(&suite, sa_text("1i8 E20/256 P5 K31"), &sa_ike_offer, 0, 0),
			 NOTIFY_NO_PROPOSAL_CHOSEN);
	for (size_t i = 0; i < sizeof(spis) / sizeof(spis[0]); i++) {
		body = sa_text("1e4 E20/256 S0");
		at = (uint8_t *)body.at;
		memcpy(at + 8, spis[i], 4);
		assert_int_equal(proposal_choose(&suite, &spi, body, &esp_offer, 0, 4),
				 i == 3 ? 0 : NOTIFY_NO_PROPOSAL_CHOSEN);
	}
	assert_true(view_equal(spi, VIEW_OF(spis[3])));
	body = sa_text("1i8 E20/256 P5 K31");
	memset((uint8_t *)body.at + 8, 0, 8);
	assert_int_equal(proposal_choose(&suite, &spi, body, &sa_ike_offer, 0, 8), NOTIFY_NO_PROPOSAL_CHOSEN);
}

/* RFC 7296 3.3: an AEAD has no INTEG or NONE, others have one. */
static void test_aead_and_integ(void **state)
{
	struct suite suite;

	(void)state;
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 I0 K31"), &sa_ike_offer, 0, 0), 0);
	assert_true(suite.types & 1 << TRANSFORM_INTEG);
	assert_int_equal(choose_ike("1i0 E20/256 P5 I12 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E12/256 P5 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E12/256 P5 I0 K31"), NOTIFY_NO_PROPOSAL_CHOSEN);
	/* Mixed where it must not be: the CBC half makes sense. */
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 E12/256 P5 I12 K31"), &sa_ike_offer, 0, 0), 0);
	assert_int_equal(suite.encr, ENCR_AES_CBC);
	assert_int_equal(accept_ike("1i0 E20/256 P5 I0 K31 A0"), 0);
	assert_int_equal(accept_ike("1i0 E20/256 P5 I12 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
}

/* Offers of ours that make no sense lead to no SA that makes none. */
static void test_own_nonsense(void **state)
{
	/* clang-format off */
	static const struct offer mixed = { 1, { { PROTOCOL_IKE, 5, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ENCR, ENCR_AES_CBC, 256 },
		{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 }, { TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0 },
		{ TRANSFORM_KE, KE_X25519, 0 } } } } };
	static const struct offer no_prf = { 1, { { PROTOCOL_IKE, 2, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_KE, KE_X25519, 0 } } } } };
	static const struct offer addke2 = { 1, { { PROTOCOL_IKE, 4, {
		{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
		{ TRANSFORM_KE, KE_X25519, 0 }, { TRANSFORM_ADDKE1 + 1, KE_MLKEM768, 0 } } } } };
	/* clang-format on */
	struct suite suite;

	(void)state;
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 I12 K31"), &mixed, 0, 0), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 K31"), &no_prf, 0, 0), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31"), &no_prf, 0, 0), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31 B36"), &addke2, 0, 0),
			 NOTIFY_NO_PROPOSAL_CHOSEN);
}

/* A proposal with something unknown is not chosen, the next one is (RFC 7296 3.3.6). */
static void test_unknown(void **state)
{
	struct suite suite;

	(void)state;
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 X13"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 X0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 X255"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(choose_ike("1i0 E20/256 P5 K31 S0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(sa_choose(&suite, sa_text("1i0 E20/256 P5 K31 X13, 2i0 E20/256 P5 K31"), &sa_ike_offer, 0, 0),
			 0);
	assert_int_equal(suite.number, 2);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void test_accept(void **state)
{
	struct suite suite;

	(void)state;
	assert_int_equal(sa_accept(&suite, sa_text("2i0 E12/128 P5 I12 K19"), &sa_ike_offer, 0), 0);
	assert_int_equal(suite.number, 2);
	assert_int_equal(suite.encr_bits, 128);
	assert_int_equal(suite.ke, KE_P256);
	/* What is of another proposal, or of none. */
	assert_int_equal(accept_ike("1i0 E12/128 P5 I12 K19"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("2i0 E20/256 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("0i0 E20/256 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("3i0 E20/256 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/128 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P2 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 K2 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 K31 A37"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1i0 E20/256 P5 K31 A0, 2i0 E12/128 P5 I12 K19"), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike("1e0 E20/256 P5 K31 A0"), NOTIFY_NO_PROPOSAL_CHOSEN);
	/* Leaving out what may be NONE is NONE. */
	assert_int_equal(accept_ike("1i0 E20/256 P5 K31"), 0);
	assert_int_equal(sa_accept(&suite, sa_text("1e4 E20/256 S1"), &rekey_offer, 4), 0);
	assert_true(suite.esn);
	assert_int_equal(suite.ke, KE_NONE);
	assert_int_equal(sa_accept(&suite, sa_text("1e8 E20/256 S1"), &rekey_offer, 4), NOTIFY_NO_PROPOSAL_CHOSEN);
	assert_int_equal(accept_ike(""), NOTIFY_INVALID_SYNTAX);
}

static void expect_same(const struct suite *a, const struct suite *b)
{
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->encr, b->encr);
	assert_int_equal(a->encr_bits, b->encr_bits);
	assert_int_equal(a->prf, b->prf);
	assert_int_equal(a->integ, b->integ);
	assert_int_equal(a->ke, b->ke);
	assert_int_equal(a->addke, b->addke);
	assert_int_equal(a->esn, b->esn);
	assert_int_equal(a->types, b->types);
}

/* An offer of `theirs`, chosen from by `ours`, answered, accepted. */
static void negotiate(const struct offer *theirs, const struct offer *ours, size_t spi_len)
{
	static const uint8_t spi_a[8] = "aaaaaaaa", spi_b[8] = "bbbbbbbb";
	uint8_t memory[1024], answer_memory[1024];
	struct suite chosen, accepted;
	struct message message;
	struct chain chain;
	struct view spi;

	message_start_inside(&message, memory, sizeof(memory));
	proposal_write(&message, theirs, view_of(spi_a, spi_len));
	assert_int_equal(chain_parse(&chain, message.first, message_finish(&message), true), 0);
	assert_int_equal(proposal_choose(&chosen, &spi, chain.payload[SLOT_SA], ours, KE_NONE, spi_len), 0);
	assert_true(view_equal(spi, view_of(spi_a, spi_len)));
	message_start_inside(&message, answer_memory, sizeof(answer_memory));
	proposal_write_choice(&message, &chosen, view_of(spi_b, spi_len));
	assert_int_equal(chain_parse(&chain, message.first, message_finish(&message), true), 0);
	assert_int_equal(proposal_accept(&accepted, &spi, chain.payload[SLOT_SA], theirs, spi_len), 0);
	assert_true(view_equal(spi, view_of(spi_b, spi_len)));
	expect_same(&chosen, &accepted);
}

static void test_both_ends(void **state)
{
	(void)state;
	negotiate(&sa_ike_offer, &sa_ike_offer, 0);
	negotiate(&sa_ike_offer, &sa_ike_offer, 8);
	negotiate(&esp_offer, &esp_offer, 4);
	negotiate(&rekey_offer, &esp_offer, 4);
	negotiate(&esp_offer, &rekey_offer, 4);
	negotiate(&pq_offer, &sa_ike_offer, 0);
	negotiate(&sa_ike_offer, &pq_offer, 0);
}

/* Octet by octet, as RFC 7296 3.3 draws them. */
static void test_written_octets(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		0, 0, 0, 44,     /* generic header */
		0, 0, 0, 40,     /* the last proposal */
		1, 3, 4, 3,      /* number, ESP, SPI size, transforms */
		1, 2, 3, 4,      /* SPI */
		3, 0, 0, 12,     /* more; ENCR */
		1, 0, 0, 20,     /* AES_GCM_16 */
		0x80, 14, 1, 0,  /* key length 256 */
		3, 0, 0, 8,      /* more; ESN */
		5, 0, 0, 1,
		0, 0, 0, 8,      /* the last; ESN */
		5, 0, 0, 0,
	};
	/* clang-format on */
	static const struct offer offer = {
		1,
		{ { PROTOCOL_ESP,
		    3,
		    { { TRANSFORM_ENCR, ENCR_AES_GCM_16, 256 }, { TRANSFORM_ESN, 1, 0 }, { TRANSFORM_ESN, 0, 0 } } } }
	};
	uint8_t memory[64];
	struct message message;

	(void)state;
	message_start_inside(&message, memory, sizeof(memory));
	proposal_write(&message, &offer, view_of("\1\2\3\4", 4));
	assert_true(view_equal(message_finish(&message), VIEW_OF(expected)));
}

static void test_offers_and_names(void **state)
{
	(void)state;
	assert_true(proposal_offers(&sa_ike_offer, TRANSFORM_KE, KE_MODP2048));
	assert_true(proposal_offers(&sa_ike_offer, TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128));
	assert_false(proposal_offers(&sa_ike_offer, TRANSFORM_KE, KE_P384));
	assert_false(proposal_offers(&sa_ike_offer, TRANSFORM_ESN, 0));
	assert_string_equal(transform_type_name(TRANSFORM_ENCR), "ENCR");
	assert_string_equal(transform_type_name(TRANSFORM_ADDKE7), "ADDKE7");
	assert_string_equal(transform_type_name(13), "?");
	assert_string_equal(transform_name(TRANSFORM_ENCR, ENCR_AES_GCM_16), "AES_GCM_16");
	assert_string_equal(transform_name(TRANSFORM_ADDKE1, KE_MLKEM768), "ML_KEM_768");
	assert_string_equal(transform_name(TRANSFORM_PRF, 0xffff), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_hint),
		cmocka_unit_test(test_additional_ke),
		cmocka_unit_test(test_esp),
		cmocka_unit_test(test_spi),
		cmocka_unit_test(test_aead_and_integ),
		cmocka_unit_test(test_own_nonsense),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_written_octets),
		cmocka_unit_test(test_offers_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
