// SPDX-License-Identifier: Apache-2.0
/*
 * Rekeys and Deletes that meet (RFC 7296 2.8.1, 2.8.2, 2.25): the rows R of docs/COLLISIONS.md, each written out by the
 * order in which its messages arrive; and then all pairs of orders in both orders of delivery.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"

static struct duo duo;

enum order { REKEY_CHILD, REKEY_SA, DELETE_CHILD, DELETE_SA, ORDERS };

static void order(unsigned int i, enum order what)
{
	struct duo_host *host = &duo.host[i];

	switch (what) {
	case REKEY_CHILD:
		ike_rekey_child(host->ike, host->kids[0].handle, duo.now);
		break;
	case REKEY_SA:
		ike_rekey(host->ike, host->sa, duo.now);
		break;
	case DELETE_CHILD:
		ike_close_child(host->ike, host->kids[0].handle, duo.now);
		break;
	default:
		ike_close(host->ike, host->sa, duo.now);
	}
	duo_drain(&duo, i);
}

/* Both give their order; the requests are on the wire, host 0's first. */
static void both(enum order first, enum order second)
{
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	order(0, first);
	order(1, second);
	assert_int_equal(duo.wire_count, 2);
}

/* Delivers host 1's request to host 0 and looks at the answer, which stays on the wire as its last. */
static struct chain answer_of_0(void)
{
	struct sa copy = *hostile_only(&duo, 0);
	struct chain chain;

	duo_deliver(&duo, 1);
	assert_int_equal(duo.wire_count, 2);
	assert_true(duo.wire[1].octets[19] & FLAG_RESPONSE);
	assert_true(hostile_open(&duo, &copy, &chain));
	return chain;
}

static void assert_settled(unsigned int children)
{
	duo_run(&duo);
	duo_pass(&duo, IKE_REPLACED_LIFE + 30 * NSTIME_S);
	assert_true(duo_agree(&duo));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo_counts(&duo, i).established, 1);
		assert_int_equal(duo_counts(&duo, i).sas, 1);
		assert_int_equal(duo_counts(&duo, i).children, children);
		assert_int_equal(duo_sending(&duo, i), children);
		assert_int_equal(duo.host[i].downs, 0);
		assert_int_equal(duo_counts(&duo, i).outputs_lost, 0);
		assert_int_equal(pool_count(&duo.host[i].ike->works), 0);
	}
	duo_end(&duo);
}

static void assert_gone(void)
{
	duo_run(&duo);
	duo_pass(&duo, 60 * NSTIME_S);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo.host[i].downs, 1);
		hostile_empty(&duo, i);
	}
	duo_end(&duo);
}

/* Child rekey, child rekey: both are made, one stays: not the one with the lowest nonce. */
static void test_child_rekey_both(void **state)
{
	bool seen[2] = { false, false };

	(void)state;
	for (unsigned int seed = 0; seed < 16; seed++) {
		const struct kid *kid;
		unsigned int creator;

		duo_start(&duo, NULL);
		duo.host[0].random += seed * 1000;
		duo_connect(&duo, 0);
		duo_run(&duo);
		order(0, REKEY_CHILD);
		order(1, REKEY_CHILD);
		duo_run(&duo);
		duo_pass(&duo, 10 * NSTIME_S);
		assert_int_equal(duo.host[0].child_ups, 3);
		assert_int_equal(duo.host[1].child_ups, 3);
		assert_int_equal(duo_counts(&duo, 0).collisions, 1);
		assert_int_equal(duo_counts(&duo, 1).collisions, 1);
		kid = pool_at(&duo.host[0].ike->kids, pool_first(&duo.host[0].ike->kids));
		creator = kid->mine ? 0 : 1;
		seen[creator] = true;
		assert_settled(1);
	}
	assert_true(seen[0] && seen[1]);
}

/* Child rekey, child rekey, and host 0's kernel refuses its own: the other is not forgotten. `late`: host 1 hears of its own
 * before, after that, or after its end. */
static void test_child_rekey_both_and_refused(void **state)
{
	(void)state;
	for (unsigned int late = 0; late < 3; late++) {
		both(REKEY_CHILD, REKEY_CHILD);
		duo_deliver(&duo, 1);
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire_count, 2);
		if (!late) {
			duo_deliver(&duo, 0);
			duo.host[0].install_error = -EEXIST;
			duo_deliver(&duo, 0);
		} else {
			duo.host[0].install_error = -EEXIST;
			duo_deliver(&duo, 1);
		}
		duo.host[0].install_error = 0;
		if (late == 2)
			duo_deliver(&duo, 1); /* the Delete of what was refused */
		duo_run(&duo);
		assert_int_equal(duo_sending(&duo, 0), 1);
		assert_int_equal(duo_sending(&duo, 1), 1);
		assert_true(duo_agree(&duo));
		assert_settled(1);
	}
}

/* Child rekey, and the peer has finished its own and deletes the old one; then it does not know what ours is about. */
static void test_child_rekey_and_late_delete(void **state)
{
	struct duo_datagram mine;
	struct chain chain;
	struct sa *sa;

	(void)state;
	both(REKEY_CHILD, REKEY_CHILD);
	mine = duo.wire[0];
	duo_deliver(&duo, 1); /* theirs: answered */
	duo_deliver(&duo, 1); /* their answer: done, Delete follows */
	duo_drop(&duo, 0);
	assert_int_equal(duo.wire_count, 1);
	sa = hostile_only(&duo, 0);
	duo_deliver(&duo, 0);
	assert_true(hostile_open(&duo, sa, &chain));
	assert_int_equal(chain.delete_count, 1);
	duo_deliver(&duo, 0);
	duo.wire[duo.wire_count++] = mine;
	duo_deliver(&duo, 0);
	assert_true(hostile_open(&duo, sa, &chain));
	assert_non_null(chain_notify(&chain, NOTIFY_CHILD_SA_NOT_FOUND));
	assert_settled(1);
}

/*
 * Rekey of what is not there: CHILD_SA_NOT_FOUND with the SPI. Who gets it drops what it had and makes a new one; of a Child SA that the other
 * end asked for as well, once that has said anything more.
 */
static void test_child_not_found(void **state)
{
	(void)state;
	for (unsigned int theirs = 0; theirs < 2; theirs++) {
		const struct notify *notify;
		struct chain chain;
		struct sa *sa;
		uint32_t spi_be;

		duo_start(&duo, NULL);
		duo_connect(&duo, 0);
		duo_run(&duo);
		if (theirs) {
			order(1, REKEY_CHILD);
			duo_run(&duo);
			duo_pass(&duo, 10 * NSTIME_S);
		}
		sa = hostile_only(&duo, 1);
		spi_be = duo.host[0].kids[0].keys.spi_in_be;
		/* Host 1 loses its Child SA and tells nobody. */
		order(1, DELETE_CHILD);
		duo_drop(&duo, 0);
		kid_remove(duo.host[1].ike, kid_at(duo.host[1].ike, sa->kids));
		send_done(duo.host[1].ike, sa);
		sa->send_mid--;
		duo_drain(&duo, 1);
		order(0, REKEY_CHILD);
		duo_deliver(&duo, 0);
		assert_true(hostile_open(&duo, sa, &chain));
		notify = chain_notify(&chain, NOTIFY_CHILD_SA_NOT_FOUND);
		assert_non_null(notify);
		assert_int_equal(notify->protocol, PROTOCOL_ESP);
		assert_true(view_equal(notify->spi, view_of(&spi_be, 4)));
		duo_deliver(&duo, 0);
		assert_int_equal(duo.host[0].kid_count, 0);
		assert_settled(1);
	}
}

/*
 * A new order about a child whose maker has not heard our answer yet: it waits until the maker has. Asked at once, the maker would say that
 * there is no such child, and make it a moment later.
 */
static void test_child_not_known_yet(void **state)
{
	(void)state;
	for (unsigned int close = 0; close < 2; close++) {
		struct duo_kid *fresh = &duo.host[1].kids[1];

		duo_start(&duo, NULL);
		duo_connect(&duo, 0);
		duo_run(&duo);
		order(0, REKEY_CHILD);
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire_count, 1); /* the answer */
		assert_int_equal(duo.host[1].kid_count, 2);
		if (close)
			ike_close_child(duo.host[1].ike, fresh->handle, duo.now);
		else
			ike_rekey_child(duo.host[1].ike, fresh->handle, duo.now);
		duo_drain(&duo, 1);
		assert_int_equal(duo.wire_count, 1);
		assert_settled(!close);
	}
}

/* The maker says nothing more, and has it: the order is carried out all the same. */
static void test_child_not_known_silence(void **state)
{
	struct sa *sa;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	sa = hostile_only(&duo, 0);
	sa->wants |= WANT_NEW_KID; /* without a Delete behind it */
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[1].kid_count, 2);
	ike_rekey_child(duo.host[1].ike, duo.host[1].kids[1].handle, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.wire_count, 0);
	duo_pass(&duo, IKE_REPLACED_LIFE - NSTIME_S);
	assert_int_equal(duo.host[1].child_ups, 2);
	duo_pass(&duo, 2 * NSTIME_S);
	assert_int_equal(duo.host[1].child_ups, 3);
	assert_settled(1);
}

/* Host 0's request for a Child SA is answered, and the answer kept from it; then host 1's clock runs ahead. */
static struct duo_datagram answer_kept(void)
{
	struct duo_datagram answer;

	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	order(0, REKEY_CHILD);
	duo_deliver(&duo, 0);
	answer = duo.wire[0];
	duo_drop(&duo, 0);
	assert_int_equal(duo.host[1].kid_count, 2);
	duo.now += IKE_REPLACED_LIFE;
	ike_expire(duo.host[1].ike, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.wire_count, 0);
	assert_int_equal(duo.host[1].kid_count, 1); /* the old one did not wait longer */
	return answer;
}

static void order_fresh(bool close)
{
	if (close)
		ike_close_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
	else
		ike_rekey_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
	duo_drain(&duo, 1);
	assert_int_equal(duo.wire_count, 1);
	duo_deliver(&duo, 0);
}

/*
 * The order goes out too early by a clock that jumped, and the maker says that it has no such child. It stays, since the maker gets the answer
 * a moment later and makes it; and the order is carried out then.
 */
static void test_child_not_known_long(void **state)
{
	(void)state;
	for (unsigned int close = 0; close < 2; close++) {
		struct duo_datagram answer = answer_kept();
		struct chain chain;

		order_fresh(close);
		assert_int_equal(duo.wire_count, 1);
		assert_true(hostile_open(&duo, hostile_only(&duo, 1), &chain));
		assert_int_equal(chain.delete_count, 0);
		assert_int_equal(chain_notify(&chain, NOTIFY_CHILD_SA_NOT_FOUND) != NULL, !close);
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire_count, 0); /* not at once again */
		assert_int_equal(duo.host[1].kid_count, 1);
		duo.wire[duo.wire_count++] = answer;
		duo_run(&duo);
		assert_int_equal(duo.host[1].child_ups, 2);
		duo_pass(&duo, 2 * IKE_TEMPORARY_WAIT);
		assert_int_equal(duo.host[1].child_ups, close ? 2 : 3);
		assert_int_equal(duo_counts(&duo, 0).children, !close);
		assert_settled(!close);
	}
}

/* And when it never gets it, and says nothing: after eighteen times the IKE SA ends, and nobody waits for ever. */
static void test_child_not_known_ever(void **state)
{
	(void)state;
	for (unsigned int close = 0; close < 2; close++) {
		struct sa *sa;

		answer_kept();
		sa = hostile_only(&duo, 0);
		send_done(duo.host[0].ike, sa);
		work_free(duo.host[0].ike, &sa->work);
		order_fresh(close);
		duo_run(&duo);
		duo_pass(&duo, 60 * NSTIME_S);
		assert_int_equal(duo.host[1].downs, 0);
		duo_pass(&duo, 600 * NSTIME_S); /* a rekey is answered only every 30 s, by rate */
		assert_int_equal(duo.host[1].downs, 1);
		assert_int_equal(duo.host[1].reason, IKE_REFUSED);
		duo_end(&duo);
	}
}

/* Child delete, child rekey: TEMPORARY_FAILURE. */
static void test_child_delete_and_rekey(void **state)
{
	struct chain chain;

	(void)state;
	both(DELETE_CHILD, REKEY_CHILD);
	chain = answer_of_0();
	assert_non_null(chain_notify(&chain, NOTIFY_TEMPORARY_FAILURE));
	assert_settled(0);
}

/* Child delete, child delete: each answered without a Delete of its own. */
static void test_child_delete_both(void **state)
{
	struct chain chain;

	(void)state;
	both(DELETE_CHILD, DELETE_CHILD);
	chain = answer_of_0();
	assert_int_equal(chain.delete_count, 0);
	assert_settled(0);
}

/* Something about a Child SA, IKE rekey: TEMPORARY_FAILURE, and it is tried again. */
static void test_child_and_sa_rekey(void **state)
{
	static const enum order ours[] = { REKEY_CHILD, DELETE_CHILD };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct chain chain;

		both(ours[i], REKEY_SA);
		chain = answer_of_0();
		assert_non_null(chain_notify(&chain, NOTIFY_TEMPORARY_FAILURE));
		duo_run(&duo);
		duo_pass(&duo, 60 * NSTIME_S);
		assert_int_equal(duo.host[0].replaced, 1);
		assert_int_equal(duo.host[1].replaced, 1);
		assert_settled(i == 0);
	}
}

/* IKE rekey, IKE rekey: the one with the lowest nonce goes, the other has the Child SA. */
static void test_sa_rekey_both(void **state)
{
	bool seen[2] = { false, false };

	(void)state;
	for (unsigned int seed = 0; seed < 16; seed++) {
		duo_start(&duo, NULL);
		duo.host[0].random += seed * 1000;
		duo_connect(&duo, 0);
		duo_run(&duo);
		order(0, REKEY_SA);
		order(1, REKEY_SA);
		duo_run(&duo);
		duo_pass(&duo, 40 * NSTIME_S);
		assert_int_equal(duo_counts(&duo, 0).collisions, 1);
		assert_int_equal(duo_counts(&duo, 1).collisions, 1);
		seen[hostile_only(&duo, 0)->initiator] = true;
		assert_int_equal(duo.host[0].replaced, 1);
		assert_int_equal(duo.host[1].replaced, 1);
		/* It works, both ways. */
		ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
		order(1, REKEY_CHILD);
		assert_settled(1);
	}
	assert_true(seen[0] && seen[1]);
}

/* IKE rekey that the peer never saw, while it finished its own and deletes the old SA: empty, and theirs is adopted. */
static void test_sa_rekey_and_delete_of_old(void **state)
{
	struct chain chain;
	struct sa copy;
	size_t n = 0;

	(void)state;
	both(REKEY_SA, REKEY_SA);
	duo_deliver(&duo, 1); /* theirs: answered */
	duo_drop(&duo, 0);    /* ours is lost */
	duo_deliver(&duo, 0); /* their answer: Delete of the old SA follows */
	copy = *hostile_only(&duo, 0);
	while (n < duo.wire_count && memcmp(duo.wire[n].octets + 8, copy.spi_r, SPI_LEN))
		n++;
	duo_deliver(&duo, n);
	assert_true(hostile_open(&duo, &copy, &chain));
	assert_int_equal(chain.delete_count + chain.notify_count, 0);
	assert_int_equal(duo.host[0].replaced, 1);
	assert_int_equal(duo_counts(&duo, 0).retransmits, 0);
	assert_settled(1);
}

/* IKE rekey, child rekey: TEMPORARY_FAILURE. */
static void test_sa_rekey_and_child_rekey(void **state)
{
	struct chain chain;

	(void)state;
	both(REKEY_SA, REKEY_CHILD);
	chain = answer_of_0();
	assert_non_null(chain_notify(&chain, NOTIFY_TEMPORARY_FAILURE));
	assert_settled(1);
}

/* IKE rekey, child delete: done, and not moved. */
static void test_sa_rekey_and_child_delete(void **state)
{
	struct chain chain;

	(void)state;
	both(REKEY_SA, DELETE_CHILD);
	chain = answer_of_0();
	assert_int_equal(chain.delete_count, 1);
	assert_int_equal(duo.host[0].child_downs, 1);
	assert_settled(0);
}

/* IKE rekey, IKE delete: done, the rekey is forgotten. */
static void test_sa_rekey_and_sa_delete(void **state)
{
	struct chain chain;

	(void)state;
	both(REKEY_SA, DELETE_SA);
	chain = answer_of_0();
	assert_int_equal(chain.notify_count, 0);
	assert_int_equal(duo.host[0].reason, IKE_CLOSED_BY_PEER);
	assert_gone();
}

/* IKE delete, IKE or child rekey: TEMPORARY_FAILURE. IKE delete, IKE delete: done. */
static void test_sa_delete_and_others(void **state)
{
	struct chain chain;

	(void)state;
	both(DELETE_SA, REKEY_SA);
	chain = answer_of_0();
	assert_non_null(chain_notify(&chain, NOTIFY_TEMPORARY_FAILURE));
	assert_gone();
	both(DELETE_SA, REKEY_CHILD);
	chain = answer_of_0();
	assert_non_null(chain_notify(&chain, NOTIFY_TEMPORARY_FAILURE));
	assert_gone();
	both(DELETE_SA, DELETE_SA);
	chain = answer_of_0();
	assert_int_equal(chain.notify_count, 0);
	assert_gone();
}

/* NO_ADDITIONAL_SAS to a rekey (RFC 7815 peers): a fresh IKE SA first, then the old one goes. */
static void test_no_additional_sas(void **state)
{
	(void)state;
	for (unsigned int what = REKEY_CHILD; what <= REKEY_SA; what++) {
		struct message message;
		uint8_t memory[64];
		struct sa *sa;

		duo_start(&duo, NULL);
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, 60 * NSTIME_S);
		order(0, what);
		duo.wire_count = 0;
		sa = hostile_only(&duo, 0);
		message_start_inside(&message, memory, sizeof(memory));
		message_notify(&message, PROTOCOL_NONE, NOTIFY_NO_ADDITIONAL_SAS, VIEW_NONE, VIEW_NONE);
		hostile_message(&duo, 0, sa, EXCHANGE_CREATE_CHILD_SA, true, &message);
		/* What host 1 would have kept of that request, had it got it. */
		hostile_only(&duo, 1)->recv_mid++;
		assert_int_equal(duo_sending(&duo, 0), 1);
		duo_run(&duo);
		duo_pass(&duo, 60 * NSTIME_S);
		assert_int_equal(duo.host[0].ups, 2);
		assert_int_equal(duo_counts(&duo, 0).established, 1);
		assert_int_equal(duo_counts(&duo, 1).established, 1);
		assert_int_equal(duo_sending(&duo, 0), 1);
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

/* Each pair of orders, in every order of the first eight deliveries: both ends hold the same, and something, unless it was closed. */
static void test_every_pair(void **state)
{
	(void)state;
	for (unsigned int pair = 0; pair < ORDERS * ORDERS; pair++) {
		for (unsigned int bits = 0; bits < 64; bits++) {
			both(pair / ORDERS, pair % ORDERS);
			for (unsigned int step = 0; duo.wire_count && step < 100; step++) {
				unsigned int from = step < 6 ? bits >> step & 1 : 0;
				size_t n = 0;

				while (n < duo.wire_count && duo.wire[n].from != from)
					n++;
				duo_deliver(&duo, n < duo.wire_count ? n : 0);
			}
			duo_pass(&duo, 60 * NSTIME_S);
			assert_true(duo_agree(&duo));
			assert_int_equal(duo_counts(&duo, 0).established, duo_counts(&duo, 1).established);
			assert_int_equal(duo_counts(&duo, 0).children, duo_counts(&duo, 1).children);
			assert_int_equal(duo_sending(&duo, 0), duo_sending(&duo, 1));
			assert_true(duo_counts(&duo, 0).sas <= 1 && duo_counts(&duo, 1).sas <= 1);
			if (pair / ORDERS != DELETE_SA && pair % ORDERS != DELETE_SA)
				assert_int_equal(duo_counts(&duo, 0).established, 1);
			if (pair / ORDERS <= REKEY_SA && pair % ORDERS <= REKEY_SA)
				assert_int_equal(duo_sending(&duo, 0), 1);
			duo_end(&duo);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_rekey_both),
		cmocka_unit_test(test_child_rekey_both_and_refused),
		cmocka_unit_test(test_child_rekey_and_late_delete),
		cmocka_unit_test(test_child_not_found),
		cmocka_unit_test(test_child_not_known_yet),
		cmocka_unit_test(test_child_not_known_silence),
		cmocka_unit_test(test_child_not_known_long),
		cmocka_unit_test(test_child_not_known_ever),
		cmocka_unit_test(test_child_delete_and_rekey),
		cmocka_unit_test(test_child_delete_both),
		cmocka_unit_test(test_child_and_sa_rekey),
		cmocka_unit_test(test_sa_rekey_both),
		cmocka_unit_test(test_sa_rekey_and_delete_of_old),
		cmocka_unit_test(test_sa_rekey_and_child_rekey),
		cmocka_unit_test(test_sa_rekey_and_child_delete),
		cmocka_unit_test(test_sa_rekey_and_sa_delete),
		cmocka_unit_test(test_sa_delete_and_others),
		cmocka_unit_test(test_no_additional_sas),
		cmocka_unit_test(test_every_pair),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
