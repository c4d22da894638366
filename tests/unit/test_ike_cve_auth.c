// SPDX-License-Identifier: Apache-2.0
/*
 * Whom the engine believes, after what others believed: missing and foreign keys, identities that do not fit, EAP, oversized
 * identities and certificates, malformed octets behind a good seal, fragments, refused exchanges. See test_ike_cve.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"

static struct duo duo;
static struct raw raw;
static uint8_t memory[IKE_MESSAGE_MAX];

/* No one is up, and the attempt ends; nothing stays. */
static void assert_nobody(void)
{
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups + duo.host[1].ups, 0);
	assert_int_equal(duo.host[0].child_ups + duo.host[1].child_ups, 0);
	duo_pass(&duo, 120 * NSTIME_S);
	assert_int_equal(duo.host[0].ups + duo.host[1].ups, 0);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

/* ---- CVE-2022-4967: a valid key of somebody else ---- */

/* Under the name of the key, and under one that says nothing of it. */
static const struct ike_identity names[] = { { 0 }, { ID_FQDN, { (const uint8_t *)"b.example", 9 } } };

static void test_cve_2022_4967_other_key_at_responder(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		/* The key is good, and the host even knows it, but not for this address: it is its own. */
		duo.host[1].answer.spki[0] = sign_key_spki(duo.host[1].key);
		duo.host[0].answer.own = names[i];
		duo_connect(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo.host[1].reason, IKE_AUTH_FAILED);
		assert_nobody();
	}
}

static void test_cve_2022_4967_other_key_at_initiator(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		duo.host[0].answer.spki[0] = sign_key_spki(duo.host[0].key);
		duo.host[1].answer.own = names[i];
		duo_connect(&duo, 0);
		duo_run(&duo);
		/* The responder believes until the initiator is seen not to: that is RFC 7296's order. */
		assert_int_equal(duo.host[0].ups, 0);
		assert_int_equal(duo.host[0].child_ups, 0);
		duo_pass(&duo, 120 * NSTIME_S);
		assert_int_equal(duo.host[0].ups, 0);
		hostile_empty(&duo, 0);
		assert_true(duo_counts(&duo, 0).auth_failed > 0);
		duo_end(&duo);
	}
}

/* The right key under an identity that is not its own. */
static void test_cve_2022_4967_other_identity(void **state)
{
	static const uint8_t other_address[4] = { 10, 9, 0, 77 }, other_key[32] = { 1, 2, 3 };
	static const struct ike_identity lies[] = {
		{ ID_IPV4_ADDR, { other_address, 4 } }, { ID_IPV4_ADDR, { other_address, 3 } },
		{ ID_IPV6_ADDR, { other_key, 16 } },	{ ID_KEY_ID, { other_key, 32 } },
		{ ID_KEY_ID, { other_key, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		duo_start(&duo, NULL);
		duo.host[0].answer.own = lies[i];
		duo_connect(&duo, 0);
		assert_nobody();
	}
}

static size_t id_len(uint8_t type)
{
	return type == ID_NULL ? 0 : type == ID_IPV6_ADDR ? 16 : 4;
}

/* CVE-2023-38711: each type of identity against each type that is demanded. */
static void test_cve_2023_38711_identity_types(void **state)
{
	static const uint8_t types[] = { ID_IPV4_ADDR, ID_FQDN, 3, ID_IPV6_ADDR, 9, 10, ID_KEY_ID, 12, ID_NULL, 0xff };
	static const uint8_t octets[16] = { 10, 9, 0, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		for (size_t j = 0; j < sizeof(types); j++) {
			struct ike_identity own = { types[i], view_of(octets, id_len(types[i])) };
			struct ike_identity wanted = { types[j], view_of(octets, id_len(types[j])) };

			duo_start(&duo, NULL);
			duo.host[0].answer.own = own;
			duo.host[1].answer.peer = wanted;
			duo_connect(&duo, 0);
			duo_run(&duo);
			if (duo.host[1].ups != (i == j))
				fail_msg("%u against %u", types[i], types[j]);
			duo_end(&duo);
		}
	}
}

/* CVE-2015-4171: nothing that says who we are before the caller said whom to expect. */
static void test_cve_2015_4171_not_before_the_answer(void **state)
{
	(void)state;
	hostile_reach(&duo, SA_KEY_AWAITED);
	duo_pass(&duo, 3 * NSTIME_S);
	for (size_t i = 0; i < duo.wire_count; i++)
		assert_int_equal(duo.wire[i].octets[18], EXCHANGE_IKE_SA_INIT);
	assert_int_equal(duo_counts(&duo, 1).responded, 0);
	assert_int_equal(duo.host[1].asks, 0);
	duo_release_answer(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 1);
	duo_end(&duo);
}

/* ---- CVE-2024-2357: we have nothing to prove ourselves with ---- */

static void no_own_key(struct ike_options *options, unsigned int i)
{
	if (i == 1)
		options->key = NULL;
}

static void test_cve_2024_2357_no_own_key_at_responder(void **state)
{
	(void)state;
	duo_start(&duo, no_own_key);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 0);
	assert_int_equal(duo.host[1].reason, IKE_OUR_TROUBLE);
	assert_int_equal(duo_sending(&duo, 1), 0);
	duo_pass(&duo, 120 * NSTIME_S);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

static void test_cve_2024_2357_no_own_key_at_initiator(void **state)
{
	(void)state;
	duo_start(&duo, no_own_key);
	duo_connect(&duo, 1);
	assert_nobody();
}

static void test_cve_2024_2357_no_key_for_the_peer(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		duo.host[i].answer = (struct ike_answer){ 0 };
		duo_connect(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo.host[i].reason, IKE_NO_KEY);
		assert_nobody();
	}
}

/* ---- IKE_AUTH requests written by hand ---- */

/* Plain text of an IKE_AUTH request without ID and AUTH. */
static void write_child(struct message *message, const struct sa *sa)
{
	message_notify(message, PROTOCOL_NONE, NOTIFY_USE_TRANSPORT_MODE, VIEW_NONE, VIEW_NONE);
	child_write_spi(message, &duo.host[1].ike->offer_child, NULL, 0x11223344);
	child_write_ts(message, sa, false);
}

static void send_auth(struct message *message, uint16_t expected)
{
	unsigned int at = 1;
	struct sa *sa = hostile_sa(&duo, at, SA_HALF_OPEN);
	struct sa copy = *sa;

	write_child(message, sa);
	/* Keys may be derived only now; the candidate at the other end has the same. */
	hostile_message(&duo, at, sa, EXCHANGE_IKE_AUTH, false, message);
	assert_int_equal(duo.host[at].ups, 0);
	assert_int_equal(duo.host[at].child_ups, 0);
	if (expected) {
		copy.have_keys = false;
		assert_int_equal(duo.wire_count, 1);
		assert_true(hostile_answered(&duo, &copy, expected));
		hostile_empty(&duo, at);
	}
	duo_end(&duo);
}

/* No EAP: neither asked for by leaving AUTH out, nor as a payload, nor beside an AUTH that proves nothing. */
static void test_cve_2021_45079_eap(void **state)
{
	static const uint8_t eap_success[4] = { 3, 1, 0, 4 }, zeros[80];

	(void)state;
	for (unsigned int with = 0; with < 4; with++) {
		struct message message;

		hostile_reach(&duo, SA_HALF_OPEN);
		message_start_inside(&message, memory, sizeof(memory));
		message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of("a", 1));
		if (with & 1) {
			payload_open(&message, PAYLOAD_EAP);
			write_octets(&message.out, eap_success, sizeof(eap_success));
			payload_close(&message);
		}
		if (with & 2)
			message_auth(&message, IKE_AUTH_PSK, view_of(zeros, 32));
		if (with & 2) {
			send_auth(&message, 0);
			continue;
		}
		send_auth(&message, NOTIFY_AUTHENTICATION_FAILED);
	}
}

/* Methods that are not spoken, and AUTH payloads of no length: refused before the caller is asked, or by the check. */
static void test_cve_2013_2944_empty_and_foreign_auth(void **state)
{
	static const uint8_t zeros[512];
	static const size_t lens[] = { 0, 1, 16, 32, 64, 65, 256, 512 };

	(void)state;
	for (unsigned int method = 0; method < 20; method++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			bool spoken = method == IKE_AUTH_PSK || method == IKE_AUTH_NULL || method == IKE_AUTH_SIGNATURE;
			struct message message;

			hostile_reach(&duo, SA_HALF_OPEN);
			message_start_inside(&message, memory, sizeof(memory));
			message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of("a", 1));
			message_auth(&message, (uint8_t)method, view_of(zeros, lens[i]));
			if (spoken && lens[i] == 0)
				send_auth(&message, 0);
			else
				send_auth(&message, NOTIFY_AUTHENTICATION_FAILED);
		}
	}
}

/* Identities and certificates of 521 octets and far more, from somebody who proved nothing. */
static void test_cve_2025_9242_long_identity(void **state)
{
	static const size_t lens[] = {
		0, 255, 256, 257, 519, 520, 521, 1024, 2047, 2048, 2049, 4096, 8192, 8193, 15000
	};
	static const uint8_t zeros[16000];

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (unsigned int what = 0; what < 4; what++) {
			struct message message;

			hostile_reach(&duo, SA_HALF_OPEN);
			message_start_inside(&message, memory, sizeof(memory));
			message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of(zeros, what == 0 ? lens[i] : 1));
			if (what == 1)
				message_cert(&message, view_of(zeros, lens[i]));
			if (what == 2)
				message_id(&message, PAYLOAD_IDR, ID_FQDN, view_of(zeros, lens[i]));
			message_auth(&message, IKE_AUTH_SIGNATURE, view_of(zeros, what == 3 ? lens[i] : 72));
			send_auth(&message, 0);
		}
	}
}

/* Behind a good seal: each truncation of a real IKE_AUTH request, each octet of it changed, and noise. */
static void test_openiked_78fb605_behind_the_seal(void **state)
{
	static uint8_t plain[2048];
	uint64_t noise = 1;
	uint8_t type;
	size_t len;
	uint8_t first;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_deliver(&duo, 0);
	duo_deliver(&duo, 0);
	hostile_without(&raw, &type, &duo, hostile_sa(&duo, 1, SA_HALF_OPEN), 1000);
	len = raw.len;
	first = raw.first;
	assert_true(len < sizeof(plain));
	duo_end(&duo);
	for (size_t i = 0; i < 2 * len + 200; i++) {
		unsigned int at = hostile_reach(&duo, SA_HALF_OPEN);
		size_t take = i < len ? i : len;

		memcpy(plain, raw.at, len);
		if (i >= len && i < 2 * len) {
			plain[i - len] ^= (uint8_t)(1 + i % 255);
		} else if (i >= 2 * len) {
			for (size_t k = 0; k < len; k++) {
				noise = noise * 6364136223846793005ull + 1442695040888963407ull;
				plain[k] = (uint8_t)(noise >> 56);
			}
			first = (uint8_t)(PAYLOAD_SA + i % 16);
		}
		hostile_send(&duo, at, hostile_sa(&duo, at, SA_HALF_OPEN), EXCHANGE_IKE_AUTH, false, 1, first,
			     view_of(plain, take));
		/* A changed octet in a notify or behind the selectors' end harms nobody; nothing else brings an SA up. */
		if (i < len || i >= 2 * len)
			assert_int_equal(duo.host[at].ups, 0);
		duo_end(&duo);
	}
}

/* Unknown payload types behind the seal of an established SA: skipped, or with the critical bit named and refused. */
static void test_cve_2015_3991_unknown_payloads(void **state)
{
	unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
	struct sa *sa = hostile_only(&duo, at);

	(void)state;
	for (unsigned int type = 1; type < 256; type++) {
		if (type >= PAYLOAD_SA && type <= PAYLOAD_SKF)
			continue;
		for (unsigned int critical = 0; critical < 2; critical++) {
			struct chain chain;
			const struct notify *notify;

			duo.now += NSTIME_S;
			raw_clear(&raw);
			raw_add(&raw, (uint8_t)type, critical ? 0x80 : 0, "abcd", 4);
			hostile_raw(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, &raw);
			assert_true(hostile_open(&duo, sa, &chain));
			notify = chain_notify(&chain, NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
			assert_int_equal(notify != NULL, critical);
			if (notify) {
				assert_int_equal(notify->data.len, 1);
				assert_int_equal(notify->data.at[0], type);
			}
			duo.wire_count = 0;
			assert_int_equal(sa->state, SA_ESTABLISHED);
		}
	}
	duo_end(&duo);
}

/* ---- CVE-2023-30570: the SPI of an exchange that was refused ---- */

static void test_cve_2023_30570_spi_after_refusal(void **state)
{
	static const uint8_t spis[][SPI_LEN] = { { 0 }, { 1 }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

	(void)state;
	for (unsigned int how = 0; how < 3; how++) {
		struct view init;
		uint8_t message[300] = { 0 };

		duo_start(&duo, NULL);
		if (how == 2)
			duo.host[1].ike->options.cookie_half_open = 1;
		if (how == 1) {
			static const uint16_t other[] = { KE_P256, 0 };
			struct offer *offer = &duo.host[1].ike->offer_init;

			/* The responder wants another group. */
			for (size_t i = 0; i < offer->proposals[0].count; i++)
				if (offer->proposals[0].transforms[i].type == TRANSFORM_KE)
					offer->proposals[0].transforms[i].id = other[0];
		}
		init = hostile_init(&duo, 7, KE_X25519, VIEW_NONE);
		memcpy(message, init.at, SPI_LEN);
		if (how == 0)
			duo.host[1].ike->offer_init.proposals[0].protocol = PROTOCOL_ESP;
		hostile_from(&duo, 1, &duo.host[0].addr, init);
		assert_int_equal(duo.wire_count, 1);
		assert_int_equal(duo_counts(&duo, 1).sas, 0);
		for (size_t i = 0; i < 3; i++) {
			memcpy(message + 8, spis[i], SPI_LEN);
			message[16] = PAYLOAD_SK;
			message[17] = 0x20;
			message[18] = EXCHANGE_IKE_AUTH;
			message[19] = FLAG_INITIATOR;
			message[23] = 1;
			message[26] = sizeof(message) >> 8;
			message[27] = (uint8_t)sizeof(message);
			message[30] = (sizeof(message) - HEADER_LEN) >> 8;
			message[31] = (uint8_t)(sizeof(message) - HEADER_LEN);
			hostile_from(&duo, 1, &duo.host[0].addr, VIEW_OF(message));
			assert_int_equal(duo_counts(&duo, 1).sas, 0);
		}
		hostile_empty(&duo, 1);
		duo_end(&duo);
	}
}

/* ---- bad key exchange values (CVE-2015-3240, CVE-2023-41913; RFC 6989 2) ---- */

static void write_create(struct message *message, const struct sa *sa, uint16_t group, struct view value, bool of_sa)
{
	static const uint8_t nonce[NONCE_LEN] = { 3 }, spi[SPI_LEN] = { 8, 8 };

	message_start_inside(message, memory, sizeof(memory));
	if (of_sa) {
		proposal_write(message, &duo.host[0].ike->offer_rekey, VIEW_OF(spi));
	} else {
		message_notify(message, PROTOCOL_ESP, NOTIFY_REKEY_SA, view_of(&duo.host[0].kids[0].keys.spi_out_be, 4),
			       VIEW_NONE);
		child_write_spi(message, &duo.host[0].ike->offer_child_rekey, NULL, 0x11223344);
	}
	message_nonce(message, VIEW_OF(nonce));
	message_ke(message, group, value);
	if (!of_sa)
		child_write_ts(message, sa, false);
}

static void test_cve_2015_3240_bad_values_in_create(void **state)
{
	static const struct {
		uint16_t group;
		size_t len;
	} bad[] = { { KE_X25519, 32 },	  { KE_X25519, 31 },	{ KE_X25519, 0 }, { KE_X25519, 33 },
		    { KE_P256, 64 },	  { KE_P256, 65 },	{ KE_P256, 1 },	  { KE_MODP2048, 256 },
		    { KE_MODP2048, 255 }, { KE_MODP2048, 8000 } };
	static const uint8_t zeros[8000];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (unsigned int of_sa = 0; of_sa < 2; of_sa++) {
			unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
			struct sa *sa = hostile_only(&duo, at), copy = *sa;
			struct message message;

			write_create(&message, sa, bad[i].group, view_of(zeros, bad[i].len), of_sa);
			hostile_message(&duo, at, sa, EXCHANGE_CREATE_CHILD_SA, false, &message);
			/* RFC 6989 2.5: INVALID_SYNTAX, and the IKE SA goes; or another group is asked for. */
			if (hostile_answered(&duo, &copy, NOTIFY_INVALID_SYNTAX))
				hostile_empty(&duo, at);
			else
				assert_true(hostile_answered(&duo, &copy, NOTIFY_INVALID_KE_PAYLOAD));
			assert_int_equal(duo.host[at].child_ups, 1);
			assert_int_equal(duo.host[at].replaced, 0);
			duo_end(&duo);
		}
	}
}

/* ---- a Child SA that is refused leaves no IKE SA (Libreswan 2133) ---- */

static void test_libreswan_2133_refused_child(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	/* The responder has no ESP suite in common. */
	duo.host[1].ike->offer_child.proposals[0].count = 0;
	duo_connect(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 10 * NSTIME_S);
	assert_int_equal(duo.host[0].child_ups + duo.host[1].child_ups, 0);
	assert_int_equal(duo.host[0].reason, IKE_REFUSED);
	assert_int_equal(duo.host[0].notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2022_4967_other_key_at_responder),
		cmocka_unit_test(test_cve_2022_4967_other_key_at_initiator),
		cmocka_unit_test(test_cve_2022_4967_other_identity),
		cmocka_unit_test(test_cve_2023_38711_identity_types),
		cmocka_unit_test(test_cve_2015_4171_not_before_the_answer),
		cmocka_unit_test(test_cve_2024_2357_no_own_key_at_responder),
		cmocka_unit_test(test_cve_2024_2357_no_own_key_at_initiator),
		cmocka_unit_test(test_cve_2024_2357_no_key_for_the_peer),
		cmocka_unit_test(test_cve_2021_45079_eap),
		cmocka_unit_test(test_cve_2013_2944_empty_and_foreign_auth),
		cmocka_unit_test(test_cve_2025_9242_long_identity),
		cmocka_unit_test(test_openiked_78fb605_behind_the_seal),
		cmocka_unit_test(test_cve_2015_3991_unknown_payloads),
		cmocka_unit_test(test_cve_2023_30570_spi_after_refusal),
		cmocka_unit_test(test_cve_2015_3240_bad_values_in_create),
		cmocka_unit_test(test_libreswan_2133_refused_child),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
