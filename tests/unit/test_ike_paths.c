// SPDX-License-Identifier: Apache-2.0
/*
 * Every suite and every way of proving who one is, two engines against each other: methods and kinds of keys, key
 * exchanges, ciphers, INVALID_KE_PAYLOAD, IKE_INTERMEDIATE, fragments, NAT; and what the caller may do late or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike_hostile.h"
#include "kat.h"
#include "kem_standin.h"

static struct duo duo;
static json_t *vectors;

static int setup(void **state)
{
	vectors = kat_load("crypto.json");
	return hostile_setup(state);
}

static int teardown(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static void assert_up(void)
{
	assert_true(duo_agree(&duo));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo_counts(&duo, i).established, 1);
		assert_int_equal(duo_sending(&duo, i), 1);
		assert_int_equal(duo_counts(&duo, i).bad_icv, 0);
		assert_int_equal(duo_counts(&duo, i).bad_syntax, 0);
		assert_int_equal(duo_counts(&duo, i).outputs_lost, 0);
	}
}

/* Up, both SAs rekeyed by each side, closed; nothing stays. */
static void whole_life(void)
{
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_up();
	for (unsigned int i = 0; i < 2; i++) {
		duo_pass(&duo, 40 * NSTIME_S); /* not within the rate of requests */
		ike_rekey_child(duo.host[i].ike, duo.host[i].kids[0].handle, duo.now);
		duo_drain(&duo, i);
		duo_run(&duo);
		duo_pass(&duo, 10 * NSTIME_S);
		assert_up();
		ike_rekey(duo.host[i].ike, duo.host[i].sa, duo.now);
		duo_drain(&duo, i);
		duo_run(&duo);
		assert_up();
		assert_int_equal(duo.host[i].replaced, i + 1);
	}
	ike_close(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	duo_run(&duo);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

/* ---- who ---- */

static struct sign_key *own_keys[2];

static void use_keys(struct ike_options *options, unsigned int i)
{
	options->key = own_keys[i];
}

static void test_kinds_of_keys(void **state)
{
	static const char *const ids[] = { "key-ed", "key-p256", "key-p384", "key-rsa" };
	struct err err = ERR_NONE;

	(void)state;
	for (size_t k = 0; k < 4; k++) {
		const json_t *entry = kat_entry(vectors, ids[k]);

		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(sign_key_parse(&own_keys[i], kat_hex(entry, "pkcs8"), ids[k], &err), 0);
		duo_start(&duo, use_keys);
		for (unsigned int i = 0; i < 2; i++)
			duo.host[i].answer.spki[0] = sign_key_spki(own_keys[!i]);
		whole_life();
		for (unsigned int i = 0; i < 2; i++)
			sign_key_free(own_keys[i]);
	}
}

/* Several keys are acceptable while one is rolled over; the one that verified is told. */
static void test_several_keys(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		struct view own = sign_key_spki(duo.host[i].key), peers = sign_key_spki(duo.host[!i].key);

		duo.host[i].answer = (struct ike_answer){ .keys = 3, .spki = { own, own, peers } };
	}
	whole_life();
}

static void test_psk(void **state)
{
	(void)state;
	for (unsigned int wrong = 0; wrong < 2; wrong++) {
		duo_start(&duo, NULL);
		duo.host[0].answer = (struct ike_answer){ .psk = view_of("secret of both", 14) };
		duo.host[1].answer = (struct ike_answer){ .psk = view_of("secret of both", 14 - wrong) };
		if (!wrong) {
			whole_life();
			continue;
		}
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, 120 * NSTIME_S);
		assert_int_equal(duo.host[0].ups + duo.host[1].ups, 0);
		assert_int_equal(duo.host[0].downs, 1);
		assert_int_equal(duo.host[0].notify, NOTIFY_AUTHENTICATION_FAILED);
		hostile_empty(&duo, 0);
		hostile_empty(&duo, 1);
		duo_end(&duo);
	}
}

static void test_null(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	for (unsigned int i = 0; i < 2; i++)
		duo.host[i].answer = (struct ike_answer){ .null = true };
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[1].last_up.up.auth, IKE_AUTH_NULL);
	assert_int_equal(duo.host[1].last_ask.ask.id.type, ID_NULL);
	assert_true(duo.host[1].last_ask.ask.null);
	duo_end(&duo);
	duo_start(&duo, NULL);
	for (unsigned int i = 0; i < 2; i++)
		duo.host[i].answer = (struct ike_answer){ .null = true };
	whole_life();
}

/* NULL only where the caller said so, on either side (RFC 7619 2). */
static void test_null_refused(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		duo.host[i].answer = (struct ike_answer){ .null = true };
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, 120 * NSTIME_S);
		assert_int_equal(duo.host[0].ups, 0);
		assert_int_equal(duo.host[1].ups, 0);
		duo_end(&duo);
	}
}

/* ---- what with ---- */

static struct ike_profile profiles[2];

static void use_profiles(struct ike_options *options, unsigned int i)
{
	options->profile = profiles[i];
}

static void test_key_exchanges(void **state)
{
	static const uint16_t groups[][2] = { { 31, 0 }, { 19, 0 }, { 20, 0 }, { 14, 0 } };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		profiles[0] = profiles[1] = (struct ike_profile){ .kex = groups[i] };
		duo_start(&duo, use_profiles);
		whole_life();
	}
}

/* The responder wants another group than the first of the offer: INVALID_KE_PAYLOAD and once more (RFC 7296 1.2). */
static void test_other_group(void **state)
{
	static const uint16_t all[] = { 31, 19, 14, 0 }, last[] = { 14, 0 }, none[] = { 20, 0 };

	(void)state;
	profiles[0] = (struct ike_profile){ .kex = all };
	profiles[1] = (struct ike_profile){ .kex = last };
	duo_start(&duo, use_profiles);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_up();
	assert_int_equal(duo.sent[0], 3);
	assert_int_equal(hostile_only(&duo, 0)->suite.ke, 14);
	duo_end(&duo);
	duo_start(&duo, use_profiles);
	whole_life();
	/* Nothing in common: refused, which nobody believes; the attempt ends by time. */
	profiles[1] = (struct ike_profile){ .kex = none };
	duo_start(&duo, use_profiles);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].downs, 0);
	duo_pass(&duo, 80 * NSTIME_S);
	assert_int_equal(duo.host[0].reason, IKE_TIMEOUT);
	assert_int_equal(duo.host[0].notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

/* A cookie first, then another group: the cookie stays in the second try, and a third request is all it takes (RFC 7296 2.6.1). */
static void test_cookie_and_other_group(void **state)
{
	static const uint16_t all[] = { 31, 19, 14, 0 }, last[] = { 19, 0 };

	(void)state;
	profiles[0] = (struct ike_profile){ .kex = all };
	profiles[1] = (struct ike_profile){ .kex = last };
	duo_start(&duo, use_profiles);
	duo.host[1].ike->options.cookie_half_open = 1;
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_up();
	assert_int_equal(duo.sent[0], 4);
	assert_int_equal(duo_counts(&duo, 1).cookies_sent, 1);
	assert_int_equal(duo_counts(&duo, 1).cookies_bad, 0);
	duo_end(&duo);
}

/* Each cipher and PRF of the profile, alone: what is not first is no worse. */
static void leave_only(struct offer *offer, uint16_t encr, uint16_t bits, uint16_t prf)
{
	for (size_t p = 0; p < offer->count; p++) {
		struct offer_proposal *proposal = &offer->proposals[p];
		size_t kept = 0;
		bool has = false;

		for (size_t i = 0; i < proposal->count; i++) {
			const struct transform *at = &proposal->transforms[i];

			if (at->type == TRANSFORM_ENCR && (at->id != encr || at->bits != bits))
				continue;
			if (at->type == TRANSFORM_PRF && prf && at->id != prf)
				continue;
			has |= at->type == TRANSFORM_ENCR;
			proposal->transforms[kept++] = *at;
		}
		proposal->count = kept;
		if (!has) {
			memmove(proposal, proposal + 1, (offer->count - p - 1) * sizeof(*proposal));
			offer->count--;
			p--;
		}
	}
}

static void test_ciphers(void **state)
{
	static const struct {
		uint16_t encr, bits, prf;
	} rows[] = { { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256 },
		     { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_512 },
		     { ENCR_CHACHA20_POLY1305, 0, PRF_HMAC_SHA2_256 },
		     { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256 },
		     { ENCR_AES_CBC, 128, PRF_HMAC_SHA2_512 } };

	(void)state;
	profiles[0] = profiles[1] = (struct ike_profile){ .cbc = true };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		duo_start(&duo, use_profiles);
		leave_only(&duo.host[1].ike->offer_init, rows[i].encr, rows[i].bits, rows[i].prf);
		leave_only(&duo.host[1].ike->offer_rekey, rows[i].encr, rows[i].bits, rows[i].prf);
		duo_connect(&duo, 0);
		duo_run(&duo);
		assert_int_equal(hostile_only(&duo, 0)->suite.encr, rows[i].encr);
		assert_int_equal(hostile_only(&duo, 0)->suite.encr_bits, rows[i].bits);
		assert_int_equal(hostile_only(&duo, 0)->suite.prf, rows[i].prf);
		duo_end(&duo);
		duo_start(&duo, use_profiles);
		leave_only(&duo.host[1].ike->offer_init, rows[i].encr, rows[i].bits, rows[i].prf);
		leave_only(&duo.host[1].ike->offer_rekey, rows[i].encr, rows[i].bits, rows[i].prf);
		whole_life();
	}
}

static void test_child_ciphers(void **state)
{
	static const struct {
		uint16_t encr, bits;
		enum child_algorithm algorithm;
	} rows[] = { { ENCR_AES_GCM_16, 256, CHILD_AES_GCM_16_256 },
		     { ENCR_AES_GCM_16, 128, CHILD_AES_GCM_16_128 },
		     { ENCR_CHACHA20_POLY1305, 0, CHILD_CHACHA20_POLY1305 } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		duo_start(&duo, NULL);
		leave_only(&duo.host[1].ike->offer_child, rows[i].encr, rows[i].bits, 0);
		leave_only(&duo.host[1].ike->offer_child_rekey, rows[i].encr, rows[i].bits, 0);
		duo_connect(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo.host[0].kids[0].keys.algorithm, rows[i].algorithm);
		assert_true(duo.host[0].kids[0].keys.esn);
		assert_false(duo.host[0].kids[0].keys.tunnel);
		duo_end(&duo);
		duo_start(&duo, NULL);
		leave_only(&duo.host[1].ike->offer_child, rows[i].encr, rows[i].bits, 0);
		leave_only(&duo.host[1].ike->offer_child_rekey, rows[i].encr, rows[i].bits, 0);
		whole_life();
	}
}

/* Child SAs rekeyed without a key exchange, and with one that must be. */
static void test_perfect_forward_secrecy(void **state)
{
	(void)state;
	profiles[0] = profiles[1] = (struct ike_profile){ .child_pfs_required = true };
	duo_start(&duo, use_profiles);
	whole_life();
	duo_start(&duo, NULL);
	/* A peer that has none in its offer. */
	for (unsigned int i = 0; i < 2; i++) {
		struct offer_proposal *proposal = &duo.host[1].ike->offer_child_rekey.proposals[0];
		size_t kept = 0;

		for (size_t k = 0; k < proposal->count; k++)
			if (proposal->transforms[k].type != TRANSFORM_KE || proposal->transforms[k].id == KE_NONE)
				proposal->transforms[kept++] = proposal->transforms[k];
		proposal->count = kept;
	}
	duo_connect(&duo, 0);
	duo_run(&duo);
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 10 * NSTIME_S);
	assert_up();
	assert_int_equal(duo.host[0].child_ups, 2);
	duo_end(&duo);
}

/* The same between IPv6 addresses, with one of each kind of identity. */
static void test_ipv6(void **state)
{
	static const uint8_t base[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };

	(void)state;
	duo_start(&duo, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(&duo.host[i].addr, base, sizeof(base));
		((uint8_t *)&duo.host[i].addr)[7] = (uint8_t)i;
	}
	duo.host[0].answer.own = (struct ike_identity){ ID_IPV6_ADDR, view_of(&duo.host[0].addr, 16) };
	duo.host[1].answer.peer = duo.host[0].answer.own;
	duo.host[1].answer.own = (struct ike_identity){ ID_FQDN, view_of("b.example", 9) };
	duo.host[0].answer.peer = duo.host[1].answer.own;
	whole_life();
}

/* The initiator knows the responder by its address only, and says so (IDr): then that is who answers; another address nobody answers for. */
static void test_asked_by_address(void **state)
{
	static const uint8_t elsewhere[4] = { 192, 0, 2, 77 };
	size_t len;

	(void)state;
	duo_start(&duo, NULL);
	duo.host[0].answer.peer =
		(struct ike_identity){ ID_IPV4_ADDR, view_of(addr_octets(&duo.host[1].addr, &len), 4) };
	whole_life();
	duo_start(&duo, NULL);
	duo.host[0].answer.peer = (struct ike_identity){ ID_IPV4_ADDR, VIEW_OF(elsewhere) };
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 0);
	duo_end(&duo);
}

/* ---- IKE_INTERMEDIATE (RFC 9242, 9370) ---- */

static void test_intermediate(void **state)
{
	static const uint16_t mlkem[] = { KE_MLKEM768, 0 };

	(void)state;
	kex_stand_in(&kem_standin);
	for (unsigned int required = 0; required < 2; required++) {
		profiles[0] = profiles[1] = (struct ike_profile){ .add_kex = mlkem, .add_kex_required = required };
		duo_start(&duo, use_profiles);
		whole_life();
	}
	/* A wrong ciphertext is noticed by the next message only, and the attempt goes on (FIPS 203 6.3). */
	duo_start(&duo, use_profiles);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_up();
	duo_end(&duo);
	kex_stand_in(NULL);
}

/* One of the two has no additional key exchange: NONE where that is allowed, nothing where it is required. */
static void test_intermediate_one_side(void **state)
{
	static const uint16_t mlkem[] = { KE_MLKEM768, 0 }, none[] = { 0 };

	(void)state;
	kex_stand_in(&kem_standin);
	for (unsigned int with = 0; with < 2; with++) {
		for (unsigned int required = 0; required < 2; required++) {
			profiles[with] = (struct ike_profile){ .add_kex = mlkem, .add_kex_required = required };
			profiles[!with] = (struct ike_profile){ .add_kex = none };
			duo_start(&duo, use_profiles);
			duo_connect(&duo, 0);
			duo_run(&duo);
			assert_int_equal(duo.host[0].ups, !required);
			assert_int_equal(duo.host[1].ups, !required);
			duo_end(&duo);
		}
	}
	kex_stand_in(NULL);
}

/* A request of IKE_INTERMEDIATE again, after the keys changed: the same response, octet for octet (RFC 9370 2.2.2). */
static void test_intermediate_again(void **state)
{
	static struct duo_datagram requests[4], answers[4];
	size_t asked, answered;

	(void)state;
	kex_stand_in(&kem_standin);
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_deliver(&duo, 0);
	duo_deliver(&duo, 0);
	for (asked = 0; asked < duo.wire_count; asked++)
		requests[asked] = duo.wire[asked];
	for (size_t i = 0; i < asked; i++)
		duo_deliver(&duo, 0);
	for (answered = 0; answered < duo.wire_count; answered++)
		answers[answered] = duo.wire[answered];
	assert_true(asked && answered);
	duo.wire_count = 0;
	for (size_t i = 0; i < asked; i++)
		duo.wire[duo.wire_count++] = requests[i];
	for (size_t i = 0; i < asked; i++)
		duo_deliver(&duo, 0);
	assert_int_equal(duo.wire_count, answered);
	for (size_t i = 0; i < answered; i++) {
		assert_int_equal(duo.wire[i].len, answers[i].len);
		assert_memory_equal(duo.wire[i].octets, answers[i].octets, answers[i].len);
	}
	duo_run(&duo);
	assert_up();
	duo_end(&duo);
	kex_stand_in(NULL);
}

/* ---- fragments (RFC 7383) ---- */

static void pieces(struct ike_options *options, unsigned int i)
{
	options->fragment_size = 576;
	use_keys(options, i);
}

/* A big key, both ways in pieces, in the wrong order and each twice. */
static void test_fragments(void **state)
{
	static const char *const ids[] = { "key-rsa", "key-ed" };
	struct err err = ERR_NONE;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(sign_key_parse(&own_keys[i], kat_hex(kat_entry(vectors, ids[k]), "pkcs8"), "k",
							&err),
					 0);
		duo_start(&duo, pieces);
		for (unsigned int i = 0; i < 2; i++)
			duo.host[i].answer.spki[0] = sign_key_spki(own_keys[!i]);
		duo_connect(&duo, 0);
		duo_deliver(&duo, 0);
		duo_deliver(&duo, 0);
		assert_true(duo.wire_count == 1 || k == 0);
		for (unsigned int i = 0; duo.wire_count && i < 100; i++) {
			assert_true(duo.wire[duo.wire_count - 1].len <= 576 - 28);
			duo.wire[duo.wire_count] = duo.wire[duo.wire_count - 1];
			duo.wire_count++;
			duo_deliver(&duo, duo.wire_count - 1);
			duo_deliver(&duo, duo.wire_count - 1);
		}
		assert_int_equal(duo.host[0].ups, 1);
		assert_int_equal(duo.host[1].ups, 1);
		assert_true(duo_agree(&duo));
		duo_end(&duo);
		for (unsigned int i = 0; i < 2; i++)
			sign_key_free(own_keys[i]);
	}
}

/* ---- what the caller ends ---- */

/* While our request is under way the end of the SA waits, but nothing new comes of it: its key may have been withdrawn. */
static void test_nothing_new_after_close(void **state)
{
	unsigned int ups;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 40 * NSTIME_S);
	ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.wire_count, 1);
	duo_drop(&duo, 0);
	ike_close(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo_counts(&duo, 1).established, 1);
	ups = duo.host[1].child_ups;
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[1].child_ups, ups);
	duo_pass(&duo, 120 * NSTIME_S);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

/* All are seen, with the key that was proved, in as many turns as the caller likes, though some go meanwhile. */
static void test_walk(void **state)
{
	uint8_t key[SHA256_LEN];
	struct ike_view view;
	uint32_t place = 0;
	struct view spki;

	(void)state;
	duo_start(&duo, NULL);
	spki = sign_key_spki(duo.host[0].key);
	assert_int_equal(hash_sha256(key, &spki, 1), 0);
	assert_false(ike_after(duo.host[1].ike, &view, &place));
	for (uint8_t i = 1; i <= 3; i++) {
		duo.host[0].addr.octet[15] = i;
		duo_connect(&duo, 0);
		duo_run(&duo);
	}
	place = 0;
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(ike_after(duo.host[1].ike, &view, &place));
		assert_true(view.established);
		assert_memory_equal(view.key, key, sizeof(key));
		ike_forget(duo.host[1].ike, view.sa, duo.now);
		duo_drain(&duo, 1);
	}
	assert_false(ike_after(duo.host[1].ike, &view, &place));
	assert_int_equal(duo_counts(&duo, 1).sas, 0);
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_keys),
		cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_psk),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_null_refused),
		cmocka_unit_test(test_key_exchanges),
		cmocka_unit_test(test_other_group),
		cmocka_unit_test(test_cookie_and_other_group),
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_child_ciphers),
		cmocka_unit_test(test_perfect_forward_secrecy),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_asked_by_address),
		cmocka_unit_test(test_intermediate),
		cmocka_unit_test(test_intermediate_one_side),
		cmocka_unit_test(test_intermediate_again),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_nothing_new_after_close),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
