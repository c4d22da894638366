// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_FOLLOWUP_KE (RFC 9370 2.2.4) between two of our engines, with a stand-in for ML-KEM: rekeys with an additional key exchange, what a responder
 * forgets or does not know, what comes in between, and both at once (docs/COLLISIONS.md R17).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"
#include "kem_standin.h"

static struct duo duo;
static struct raw raw;

enum what { CHILD, SA, WHATS };

static const uint16_t mlkem[] = { KE_MLKEM768, 0 }, none[] = { 0 };
static bool plain[2]; /* hosts without additional key exchange */

static void change(struct ike_options *options, unsigned int i)
{
	options->profile.add_kex = plain[i] ? none : mlkem;
	options->fragment_size = 4000; /* a datagram is a message */
}

static void up(void)
{
	kex_stand_in(&kem_standin);
	duo_start(&duo, change);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo_sending(&duo, 0), 1);
}

static void down(void)
{
	duo_end(&duo);
	kex_stand_in(NULL);
	plain[0] = plain[1] = false;
}

static void order(unsigned int i, enum what what)
{
	if (what == CHILD)
		ike_rekey_child(duo.host[i].ike, duo.host[i].kids[0].handle, duo.now);
	else
		ike_rekey(duo.host[i].ike, duo.host[i].sa, duo.now);
	duo_drain(&duo, i);
}

static uint8_t exchange_of(const struct duo_datagram *datagram)
{
	return datagram->octets[18];
}

/* Host 0 rekeys: until its second request is on the wire, alone. */
static struct sa *until_followup(enum what what)
{
	struct sa *sa;

	up();
	sa = hostile_only(&duo, 0);
	order(0, what);
	assert_int_equal(exchange_of(&duo.wire[0]), EXCHANGE_CREATE_CHILD_SA);
	duo_deliver(&duo, 0);
	duo_deliver(&duo, 0);
	assert_int_equal(duo.wire_count, 1);
	assert_int_equal(exchange_of(&duo.wire[0]), EXCHANGE_IKE_FOLLOWUP_KE);
	/* Nothing is made yet. */
	assert_int_equal(duo_counts(&duo, 1).sas, 1);
	assert_int_equal(duo_counts(&duo, 1).children, 1);
	assert_int_equal(duo.host[1].child_ups, 1);
	return sa;
}

static void assert_settled(void)
{
	duo_run(&duo);
	duo_pass(&duo, IKE_REPLACED_LIFE + 30 * NSTIME_S);
	assert_true(duo_agree(&duo));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo_counts(&duo, i).established, 1);
		assert_int_equal(duo_counts(&duo, i).sas, 1);
		assert_int_equal(duo_counts(&duo, i).children, 1);
		assert_int_equal(duo_sending(&duo, i), 1);
		assert_int_equal(duo.host[i].downs, 0);
		assert_int_equal(pool_count(&duo.host[i].ike->works), 0);
		ike_probe(duo.host[i].ike, duo.host[i].sa, duo.now);
		duo_drain(&duo, i);
		duo_run(&duo);
		assert_int_equal(hostile_only(&duo, i)->request.kind, REQUEST_NONE);
	}
	down();
}

/* Both kinds, either side first, with the responder's answer lost once. */
static void test_rekey(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		for (unsigned int lost = 0; lost < 2; lost++) {
			until_followup(what);
			duo_deliver(&duo, 0);
			assert_int_equal(exchange_of(&duo.wire[0]), EXCHANGE_IKE_FOLLOWUP_KE);
			if (lost) {
				duo_drop(&duo, 0);
				duo_pass(&duo, NSTIME_S);
				assert_int_equal(duo_counts(&duo, 1).answered_again, 1);
			}
			duo_run(&duo);
			duo_pass(&duo, 10 * NSTIME_S);
			order(1, what);
			duo_run(&duo);
			assert_int_equal(duo.host[0].child_ups, what == CHILD ? 3 : 1);
			assert_int_equal(duo.host[1].replaced, what == CHILD ? 0 : 2);
			assert_settled();
		}
	}
}

/* One of the two has none: rekeys go as they always did. */
static void test_one_side(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		for (unsigned int without = 0; without < 2; without++) {
			plain[without] = true;
			up();
			order(0, what);
			for (unsigned int n = 0; duo.wire_count; n++) {
				assert_int_not_equal(exchange_of(&duo.wire[0]), EXCHANGE_IKE_FOLLOWUP_KE);
				duo_deliver(&duo, 0);
			}
			assert_settled();
		}
	}
}

/* The second secret is in the keys: with another one at one end (a KEM rejects in silence) the ends do not agree. */
static void test_secret_counts(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		struct sa *sa = until_followup(what);
		uint8_t body[4 + 1088];
		struct chain chain;

		duo_deliver(&duo, 0);
		assert_true(hostile_open(&duo, sa, &chain));
		assert_int_equal(chain.payload[SLOT_KE].len, sizeof(body));
		memcpy(body, chain.payload[SLOT_KE].at, sizeof(body));
		body[sizeof(body) - 1] ^= 1;
		duo.wire_count = 0;
		raw_clear(&raw);
		raw_add(&raw, PAYLOAD_KE, 0, body, sizeof(body));
		hostile_raw(&duo, 0, sa, EXCHANGE_IKE_FOLLOWUP_KE, true, &raw);
		if (what == CHILD) {
			assert_int_equal(duo.host[0].child_ups, 2);
			assert_false(duo_agree(&duo));
		} else {
			assert_int_equal(duo.host[0].replaced, 1);
			duo.wire_count = 0;
			ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
			duo_drain(&duo, 0);
			duo_run(&duo);
			assert_true(duo_counts(&duo, 1).bad_icv > 0);
		}
		down();
	}
}

/* The second request does not come for too long, and comes then: forgotten, and begun anew. */
static void test_forgotten(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		struct sa *sa = until_followup(what);
		struct duo_datagram late = duo.wire[0];
		struct chain chain;

		duo_drop(&duo, 0);
		assert_int_equal(pool_count(&duo.host[1].ike->works), 1);
		duo.now += IKE_FOLLOWUP_LIFE - 1;
		ike_expire(duo.host[1].ike, duo.now);
		assert_int_equal(pool_count(&duo.host[1].ike->works), 1);
		duo.now += 1;
		ike_expire(duo.host[1].ike, duo.now);
		duo_drain(&duo, 1);
		assert_int_equal(pool_count(&duo.host[1].ike->works), 0);
		duo.wire[duo.wire_count++] = late;
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire_count, 1);
		assert_true(hostile_open(&duo, sa, &chain));
		assert_non_null(chain_notify(&chain, NOTIFY_STATE_NOT_FOUND));
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire_count, 0);
		assert_int_equal(pool_count(&duo.host[0].ike->works), 0);
		duo_pass(&duo, 2 * IKE_TEMPORARY_WAIT);
		assert_int_equal(duo.host[0].child_ups + duo.host[0].replaced, 2);
		assert_settled();
	}
}

static void send_second(const struct sa *sa, uint16_t group, size_t len, struct view link)
{
	uint8_t body[4 + 1184] = { (uint8_t)(group >> 8), (uint8_t)group }, notify[4 + 64] = { 0, 0, 0x40, 0x39 };

	memcpy(notify + 4, link.at, link.len);
	raw_clear(&raw);
	raw_add(&raw, PAYLOAD_KE, 0, body, 4 + len);
	if (link.len)
		raw_add(&raw, PAYLOAD_NOTIFY, 0, notify, 4 + link.len);
	hostile_raw(&duo, 1, sa, EXCHANGE_IKE_FOLLOWUP_KE, false, &raw);
}

/* Another link, none, or one of nobody's: not found, and the right one goes on. */
static void test_links(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		struct sa *sa;

		until_followup(what);
		sa = hostile_only(&duo, 1);
		for (unsigned int n = 0; n < 4; n++) {
			static const uint8_t other[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
			struct duo_datagram right = duo.wire[0];

			send_second(sa, KE_MLKEM768, 1184, view_of(other, n == 3 ? 0 : 7 + n));
			assert_true(hostile_answered(&duo, sa, NOTIFY_STATE_NOT_FOUND));
			assert_int_equal(pool_count(&duo.host[1].ike->works), 1);
			assert_int_equal(duo.wire_count, 1);
			assert_memory_equal(right.octets, duo.wire[0].octets, right.len);
			sa->recv_mid--; /* it was taken for host 0's, which comes with the same number */
		}
		duo_run(&duo);
		assert_int_equal(duo.host[1].child_ups + duo.host[1].replaced, 2);
		assert_settled();
	}
	/* Without any request before it. */
	up();
	send_second(hostile_only(&duo, 1), KE_MLKEM768, 1184, view_of("nobody's", 8));
	assert_true(hostile_answered(&duo, hostile_only(&duo, 1), NOTIFY_STATE_NOT_FOUND));
	assert_int_equal(duo.host[1].downs, 0);
	down();
}

/* A key exchange that was not agreed on, or no key: INVALID_SYNTAX, which ends the IKE SA (RFC 6989 2.5). */
static void test_bad_keys(void **state)
{
	static const struct {
		uint16_t group;
		size_t len;
	} bad[] = { { KE_X25519, 32 }, { KE_MLKEM768, 1183 }, { KE_MLKEM768, 0 }, { KE_P256, 64 } };

	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			struct work *work;
			uint8_t link[8];
			struct sa *sa;

			until_followup(what);
			sa = hostile_only(&duo, 1);
			work = sa_peer_work(duo.host[1].ike, sa);
			blob_view(duo.host[1].ike, &work->link, link, sizeof(link));
			send_second(sa, bad[i].group, bad[i].len, VIEW_OF(link));
			assert_int_equal(duo.host[1].downs, 1);
			assert_int_equal(duo.host[1].reason, IKE_BROKEN);
			hostile_empty(&duo, 1);
			down();
		}
	}
}

/* The answer promises no additional key exchange that was agreed on, or brings none. */
static void test_bad_answers(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		for (unsigned int without = 0; without < 8; without++) {
			struct sa *sa;
			uint8_t left_out;
			bool more;

			up();
			sa = hostile_only(&duo, 0);
			order(0, what);
			duo_deliver(&duo, 0);
			more = hostile_without(&raw, &left_out, &duo, sa, without);
			duo.wire_count = 0;
			hostile_raw(&duo, 0, sa, EXCHANGE_CREATE_CHILD_SA, true, &raw);
			if (more && left_out == PAYLOAD_NOTIFY && what == SA) {
				assert_int_equal(exchange_of(&duo.wire[0]), EXCHANGE_INFORMATIONAL);
				assert_int_equal(hostile_only(&duo, 0)->state, SA_CLOSING);
			}
			if (!more)
				assert_int_equal(exchange_of(&duo.wire[0]), EXCHANGE_IKE_FOLLOWUP_KE);
			down();
		}
		until_followup(what);
		raw_clear(&raw);
		hostile_raw(&duo, 0, hostile_only(&duo, 0), EXCHANGE_IKE_FOLLOWUP_KE, true, &raw);
		assert_int_equal(hostile_only(&duo, 0)->state, SA_CLOSING);
		down();
	}
}

/* An initiator that lost its way begins anew with its next request: the old one is forgotten, nothing leaks. */
static void test_abandoned(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		for (enum what then = 0; then < WHATS; then++) {
			struct sa *sa = until_followup(what);

			duo.wire_count = 0;
			send_done(duo.host[0].ike, sa);
			work_free(duo.host[0].ike, &sa->work);
			sa->send_mid--;
			order(0, then);
			duo_run(&duo);
			assert_int_equal(duo.host[0].child_ups + duo.host[0].replaced, 2);
			assert_settled();
		}
	}
}

/* What comes in between: a question is answered and the rekey goes on; a Delete of the Child SA or of the IKE SA has its way. */
static void test_between(void **state)
{
	(void)state;
	for (enum what what = 0; what < WHATS; what++) {
		for (unsigned int order_of_1 = 0; order_of_1 < 4; order_of_1++) {
			struct duo_host *host = &duo.host[1];

			until_followup(what);
			if (order_of_1 == 0)
				ike_probe(host->ike, host->sa, duo.now);
			else if (order_of_1 == 1)
				ike_close_child(host->ike, host->kids[0].handle, duo.now);
			else if (order_of_1 == 2)
				ike_close(host->ike, host->sa, duo.now);
			else
				ike_rekey_child(host->ike, host->kids[0].handle, duo.now);
			duo_drain(&duo, 1);
			while (duo.wire_count)
				duo_deliver(&duo, duo.wire_count - 1);
			duo_pass(&duo, IKE_REPLACED_LIFE + 30 * NSTIME_S);
			assert_true(duo_agree(&duo));
			for (unsigned int i = 0; i < 2; i++) {
				assert_int_equal(pool_count(&duo.host[i].ike->works), 0);
				assert_int_equal(duo_counts(&duo, i).established, order_of_1 != 2);
				assert_int_equal(duo.host[i].downs, order_of_1 == 2);
				assert_int_equal(duo_sending(&duo, i),
						 order_of_1 == 2 || (order_of_1 == 1 && what == SA) ? 0 : 1);
			}
			down();
		}
	}
}

/*
 * The Child SA is closed while the answer of its rekey waits for the kernel: the Delete is left to who made the new one, which says with it that
 * he has it. Without an additional key exchange as well.
 */
static void test_closed_while_rekeyed(void **state)
{
	(void)state;
	for (unsigned int without = 0; without < 2; without++) {
		plain[0] = without;
		up();
		duo.host[1].hold_install = true;
		order(0, CHILD);
		duo_run(&duo);
		assert_int_equal(duo.host[1].waiting_count, 1);
		/* Nothing else is taken before that answer. */
		send_second(hostile_only(&duo, 1), KE_MLKEM768, 1184, view_of("another", 7));
		assert_int_equal(duo.wire_count, 0);
		ike_close_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
		duo_drain(&duo, 1);
		assert_int_equal(duo.wire_count, 0);
		duo.host[1].hold_install = false;
		duo_release_install(&duo, 1);
		while (duo.wire_count)
			duo_deliver(&duo, duo.wire_count - 1);
		assert_settled();
	}
}

/* Both at once, in every order of the first eight deliveries: one after the other, and both ends hold the same. */
static void test_both(void **state)
{
	(void)state;
	for (unsigned int pair = 0; pair < WHATS * WHATS; pair++) {
		for (unsigned int bits = 0; bits < 256; bits++) {
			up();
			order(0, pair / WHATS);
			order(1, pair % WHATS);
			for (unsigned int step = 0; duo.wire_count && step < 200; step++) {
				unsigned int from = step < 8 ? bits >> step & 1 : 0;
				size_t n = 0;

				while (n < duo.wire_count && duo.wire[n].from != from)
					n++;
				duo_deliver(&duo, n < duo.wire_count ? n : 0);
			}
			duo_pass(&duo, 60 * NSTIME_S);
			assert_int_equal(duo_counts(&duo, 0).collisions, 0);
			assert_settled();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_one_side),
		cmocka_unit_test(test_secret_counts),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_closed_while_rekeyed),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
