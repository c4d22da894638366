// SPDX-License-Identifier: Apache-2.0
/*
 * The engine against itself, the straight ways: set-up by each method of authentication, retransmission, rekeying and
 * closing from either side, NAT, restarts. What goes wrong is in test_ike_cve.c and in the simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "ike/internal.h"
#include "ike_duo.h"

static struct duo duo;

static void assert_up(unsigned int sending)
{
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo_sending(&duo, i), sending);
		assert_int_equal(duo_counts(&duo, i).established, 1);
		assert_int_equal(duo_counts(&duo, i).outputs_lost, 0);
		assert_int_equal(duo_counts(&duo, i).bad_syntax, 0);
		assert_int_equal(duo_counts(&duo, i).bad_icv, 0);
	}
	assert_true(duo_agree(&duo));
}

/* Nothing of a finished conversation stays: blocks are those of the last response. */
static void assert_empty(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ike_counts counts = duo_counts(&duo, i);

		assert_int_equal(counts.sas, 0);
		assert_int_equal(counts.children, 0);
		assert_int_equal(counts.half_open, 0);
		assert_int_equal(counts.blocks, 0);
		assert_int_equal(counts.established, 0);
	}
}

static void test_set_up(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_up(1);
	assert_int_equal(duo.sent[0], 2);
	assert_int_equal(duo.sent[1], 2);
	assert_int_equal(duo.host[0].ups, 1);
	assert_int_equal(duo.host[1].ups, 1);
	assert_int_equal(duo.host[1].last_ask.ask.id.type, 11);
	ike_close(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].reason, IKE_CLOSED);
	assert_int_equal(duo.host[1].reason, IKE_CLOSED_BY_PEER);
	assert_empty();
	duo_end(&duo);
}

static void test_rekey_child(void **state)
{
	(void)state;
	for (unsigned int by = 0; by < 2; by++) {
		uint32_t before;

		duo_start(&duo, NULL);
		duo_connect(&duo, 0);
		duo_run(&duo);
		before = duo.host[0].kids[0].keys.spi_in_be;
		ike_rekey_child(duo.host[by].ike, duo.host[by].kids[0].handle, duo.now);
		duo_drain(&duo, by);
		duo_run(&duo);
		assert_up(1);
		duo_pass(&duo, 6 * NSTIME_S);
		assert_up(1);
		assert_int_equal(duo.host[0].kid_count, 1);
		assert_int_equal(duo.host[1].kid_count, 1);
		assert_int_not_equal(duo.host[0].kids[0].keys.spi_in_be, before);
		duo_end(&duo);
	}
}

static void test_rekey_sa(void **state)
{
	(void)state;
	for (unsigned int by = 0; by < 2; by++) {
		duo_start(&duo, NULL);
		duo_connect(&duo, 0);
		duo_run(&duo);
		ike_rekey(duo.host[by].ike, duo.host[by].sa, duo.now);
		duo_drain(&duo, by);
		duo_run(&duo);
		assert_up(1);
		assert_int_equal(duo.host[0].replaced, 1);
		assert_int_equal(duo.host[1].replaced, 1);
		assert_int_equal(duo_counts(&duo, 0).sas, 1);
		assert_int_equal(duo_counts(&duo, 1).sas, 1);
		/* The new SA works in both directions. */
		ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
		duo_drain(&duo, 0);
		duo_run(&duo);
		ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
		duo_drain(&duo, 1);
		duo_run(&duo);
		assert_up(1);
		duo_end(&duo);
	}
}

/* The peer's first message on the new IKE SA overtakes the answer that made it: no crash token for an SA that is to live (RFC 6290 9.2). */
static void test_rekey_overtaken(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	ike_rekey(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_deliver(&duo, 0);
	ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.wire_count, 2);
	duo_deliver(&duo, 1);
	assert_int_equal(duo.wire_count, 1);
	duo_pass(&duo, 6 * NSTIME_S);
	duo_run(&duo);
	duo_pass(&duo, 6 * NSTIME_S);
	assert_up(1);
	duo_end(&duo);
}

static void test_crossing(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_connect(&duo, 1);
	duo_run(&duo);
	assert_true(duo_agree(&duo));
	duo_pass(&duo, 10 * NSTIME_S);
	assert_up(1);
	assert_int_equal(duo_counts(&duo, 0).sas, 1);
	duo_end(&duo);
}

/* `rekey`: the caller wants a successor of the one that was supplanted; it has one. */
static void supplant(bool rekey)
{
	uint32_t first;
	struct sa *sa;

	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	first = duo.host[1].kids[0].keys.spi_in_be;
	sa = pool_get(&duo.host[0].ike->sas, duo.host[0].sa);
	sa->wants |= WANT_NEW_KID;
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[1].kid_count, 2);
	assert_int_equal(duo_sending(&duo, 1), 1);
	assert_true(duo_agree(&duo));
	if (rekey) {
		ike_rekey_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
		duo_drain(&duo, 1);
		assert_int_equal(duo.wire_count, 0);
	}
	duo_pass(&duo, IKE_REPLACED_LIFE + 10 * NSTIME_S);
	assert_up(1);
	assert_int_equal(duo.host[0].kid_count, 1);
	assert_int_equal(duo.host[1].kid_count, 1);
	assert_int_not_equal(duo.host[1].kids[0].keys.spi_in_be, first);
	duo_end(&duo);
}

/* A peer that makes a further Child SA without REKEY_SA (Libreswan after a crossing) gets it; the old one sends no more and goes. */
static void test_supplanted_child(void **state)
{
	(void)state;
	supplant(false);
	supplant(true);
}

/* A peer that rekeys and never deletes what it replaced: we switch by ourselves. */
static void test_rekey_without_delete(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	duo_deliver(&duo, 0); /* request */
	duo_deliver(&duo, 0); /* response: now the Delete is under way, and lost for ever */
	assert_int_equal(duo.wire_count, 1);
	duo_drop(&duo, 0);
	duo_restart(&duo, 0);
	duo_pass(&duo, IKE_REPLACED_LIFE + 10 * NSTIME_S);
	assert_int_equal(duo.host[1].kid_count, 1);
	assert_int_equal(duo_sending(&duo, 1), 1);
	duo_end(&duo);
}

/* ---- a host's next key ---- */

static struct sign_key *make_next_key(void)
{
	uint8_t seed[ED25519_SEED_LEN];
	char pem[ED25519_PEM_MAX];
	struct err err = ERR_NONE;
	struct sign_key *key;

	memset(seed, 0x77, sizeof(seed));
	ed25519_pem(pem, seed);
	assert_int_equal(sign_key_parse(&key, view_of(pem, strlen(pem)), "next key", &err), 0);
	return key;
}

struct pair_count {
	unsigned int sas;
	uint8_t key[4][SHA256_LEN];
	struct handle sa[4];
};

static bool count_pair(void *arg, const struct ike_view *view)
{
	struct pair_count *count = arg;

	assert_true(view->established && count->sas < 4);
	memcpy(count->key[count->sas], view->key, SHA256_LEN);
	count->sa[count->sas++] = view->sa;
	return true;
}

static struct pair_count of_pair(unsigned int i)
{
	const struct hf_pair pair = { .local = duo.host[i].addr, .remote = duo.host[!i].addr };
	struct pair_count count = { .sas = 0 };

	ike_each_of_pair(duo.host[i].ike, &pair, count_pair, &count);
	return count;
}

/*
 * What stands goes on when a host has another key, and that is the only one it proves from then on, as initiator and as responder: with
 * peers that accept the last one only it has no new SA.
 */
static void test_next_key(void **state)
{
	struct sign_key *next = make_next_key();
	struct view last_spki, next_spki = sign_key_spki(next);

	(void)state;
	for (unsigned int starter = 0; starter < 2; starter++) {
		struct pair_count count;

		duo_start(&duo, NULL);
		last_spki = duo.host[0].answer.spki[0];
		duo_connect(&duo, 0);
		duo_run(&duo);
		assert_int_equal(of_pair(0).sas, 1);
		assert_int_equal(ike_use_key(duo.host[1].ike, next), 0);
		duo_pass(&duo, 20 * NSTIME_S);
		assert_int_equal(of_pair(0).sas, 1);
		/* The last key is wanted: */
		duo_connect(&duo, starter);
		duo_run(&duo);
		duo_pass(&duo, 120 * NSTIME_S);
		assert_int_equal(of_pair(0).sas, 1);
		assert_int_equal(of_pair(1).sas, 1);
		/* And now the next: */
		duo.host[0].answer.spki[0] = next_spki;
		duo_connect(&duo, starter);
		duo_run(&duo);
		duo_pass(&duo, 20 * NSTIME_S);
		count = of_pair(0);
		assert_int_equal(count.sas, 2);
		assert_memory_not_equal(count.key[0], count.key[1], SHA256_LEN);
		assert_int_equal(duo_sending(&duo, 0), 2);
		/* The newest is the first: the other goes, and the pair stays. */
		ike_close(duo.host[0].ike, count.sa[1], duo.now);
		duo_drain(&duo, 0);
		duo_run(&duo);
		assert_int_equal(of_pair(0).sas, 1);
		assert_int_equal(of_pair(1).sas, 1);
		assert_memory_equal(of_pair(0).key[0], count.key[0], SHA256_LEN);
		assert_int_equal(duo_sending(&duo, 0), 1);
		assert_true(duo_agree(&duo));
		duo.host[0].answer.spki[0] = last_spki;
		duo_end(&duo);
	}
	sign_key_free(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_up),
		cmocka_unit_test(test_rekey_child),
		cmocka_unit_test(test_rekey_overtaken),
		cmocka_unit_test(test_rekey_sa),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_supplanted_child),
		cmocka_unit_test(test_rekey_without_delete),
		cmocka_unit_test(test_next_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
