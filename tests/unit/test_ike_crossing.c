// SPDX-License-Identifier: Apache-2.0
/*
 * Both ends start at once, or one comes back: the rows of docs/PROTOCOL.md's table of crossing initiations, each written out by the order in
 * which its messages arrive (U1 to U11; U12 is the kernel's side). No RFC says which SA stays; these tests say what we do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"

static struct duo duo;

/* The wire's first datagram of that sender and exchange, request or response; as many as there are stay in order. */
static size_t find(unsigned int from, uint8_t exchange, bool response)
{
	for (size_t i = 0; i < duo.wire_count; i++) {
		const struct duo_datagram *datagram = &duo.wire[i];

		if (datagram->from == from && datagram->octets[18] == exchange &&
		    !(datagram->octets[19] & FLAG_RESPONSE) == !response)
			return i;
	}
	fail_msg("host %u has sent no such message", from);
	return 0;
}

static void deliver(unsigned int from, uint8_t exchange, bool response)
{
	duo_deliver(&duo, find(from, exchange, response));
}

static void both_start(void)
{
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_connect(&duo, 1);
}

/* One SA is left, one child sends at each end, nobody was told of a failure. */
static void assert_one(void)
{
	duo_run(&duo);
	duo_pass(&duo, 60 * NSTIME_S);
	assert_true(duo_agree(&duo));
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo_sending(&duo, i), 1);
		assert_int_equal(duo_counts(&duo, i).sas, 1);
		assert_int_equal(duo_counts(&duo, i).established, 1);
		assert_int_equal(duo_counts(&duo, i).down[IKE_TIMEOUT], 0);
		assert_int_equal(duo_counts(&duo, i).down[IKE_AUTH_FAILED], 0);
		assert_int_equal(duo_counts(&duo, i).outputs_lost, 0);
	}
	assert_memory_equal(hostile_only(&duo, 0)->spi_i, hostile_only(&duo, 1)->spi_i, SPI_LEN);
	duo_end(&duo);
}

/* U1: a request of the peer while we wait for the answer to ours: answered, and ours goes on. */
static void test_u1_request_while_waiting(void **state)
{
	(void)state;
	both_start();
	deliver(1, EXCHANGE_IKE_SA_INIT, false);
	assert_int_equal(duo_counts(&duo, 0).half_open, 1);
	assert_int_equal(hostile_sa(&duo, 0, SA_INIT_SENT)->request.kind, REQUEST_INIT);
	find(0, EXCHANGE_IKE_SA_INIT, true);
	assert_false(hostile_sa(&duo, 0, SA_INIT_SENT)->superseded);
	assert_one();
}

/* U2: theirs is authenticated while ours is under way: it stands, ours is superseded. U3: ours is finished when its answer comes. */
static void test_u2_u3_theirs_first(void **state)
{
	(void)state;
	both_start();
	deliver(1, EXCHANGE_IKE_SA_INIT, false);
	deliver(0, EXCHANGE_IKE_SA_INIT, true);
	deliver(0, EXCHANGE_IKE_SA_INIT, false);
	deliver(1, EXCHANGE_IKE_SA_INIT, true);
	/* Host 0 has sent its IKE_AUTH; host 1's comes first. */
	deliver(1, EXCHANGE_IKE_AUTH, false);
	assert_int_equal(duo.host[0].ups, 1);
	assert_true(hostile_sa(&duo, 0, SA_INIT_SENT)->superseded);
	assert_int_equal(duo_sending(&duo, 0), 1);
	deliver(0, EXCHANGE_IKE_AUTH, false);
	deliver(1, EXCHANGE_IKE_AUTH, true);
	assert_int_equal(duo.host[0].ups, 2);
	assert_one();
}

/* U4: INITIAL_CONTACT removes what is old, never what crosses it, and nothing of its own. */
static void test_u4_initial_contact(void **state)
{
	(void)state;
	for (unsigned int old = 0; old < 2; old++) {
		struct ike_connect connect;
		struct handle before;

		duo_start(&duo, NULL);
		duo_connect(&duo, 1);
		duo_run(&duo);
		before = duo.host[1].sa;
		if (old)
			duo_pass(&duo, 20 * NSTIME_S);
		duo_restart(&duo, 0);
		connect = (struct ike_connect){ .path = duo_path(&duo, 0), .initial_contact = true };
		ike_connect(duo.host[0].ike, &connect, duo.now);
		duo_drain(&duo, 0);
		/* The old ones go before the new ones are answered: what is sent meanwhile nobody could open. */
		duo.host[1].hold_install = true;
		duo_run(&duo);
		assert_int_equal(duo.host[1].waiting_count, 1);
		assert_int_equal(duo.host[1].child_downs, old);
		duo_release_install(&duo, 1);
		duo_run(&duo);
		assert_int_equal(duo_counts(&duo, 1).down[IKE_PEER_RESTARTED], old);
		assert_int_equal(pool_get(&duo.host[1].ike->sas, before) == NULL, old);
		duo_pass(&duo, 100 * NSTIME_S);
		/* The young one is the peer's by another way: it has forgotten it, and says so when asked. */
		if (old)
			assert_int_equal(duo_counts(&duo, 1).established, 1);
		duo_end(&duo);
	}
}

/*
 * U4: a host that has got an SA of the peer's making since it began does not say that it has none, however late its request is read. It has
 * asked some times by then, so that it still waits for an answer.
 */
static void test_u4_not_alone(void **state)
{
	uint8_t late[DUO_DATAGRAM];

	(void)state;
	for (unsigned int seed = 0; seed < 8; seed++) {
		struct ike_connect connect;
		size_t len = 0;

		duo_start(&duo, NULL);
		duo.host[0].random += seed * 1000;
		connect = (struct ike_connect){ .path = duo_path(&duo, 0), .initial_contact = true };
		ike_connect(duo.host[0].ike, &connect, duo.now);
		for (unsigned int sent = 0; sent < 6; sent++) {
			if (sent)
				duo.now = ike_deadline(duo.host[0].ike);
			ike_expire(duo.host[0].ike, duo.now);
			duo_drain(&duo, 0);
			len = duo.wire[0].len;
			memcpy(late, duo.wire[0].octets, len);
			duo_drop(&duo, 0);
		}
		connect = (struct ike_connect){ .path = duo_path(&duo, 1), .initial_contact = true };
		ike_connect(duo.host[1].ike, &connect, duo.now);
		duo_drain(&duo, 1);
		duo_run(&duo);
		assert_int_equal(duo_counts(&duo, 0).established, 1);
		duo_pass(&duo, IKE_INITIAL_CONTACT_AGE + NSTIME_S);
		duo_inject(&duo, 1, view_of(late, len));
		duo_run(&duo);
		assert_int_equal(duo_counts(&duo, 1).responded, 1);
		assert_int_equal(duo_counts(&duo, 1).down[IKE_PEER_RESTARTED], 0);
		assert_one();
	}
}

/* U5: ours is refused while theirs is up: a lost crossing, no failure. */
static void test_u5_refused_while_theirs_is_up(void **state)
{
	struct sa *candidate;
	struct message message;
	uint8_t memory[64];

	(void)state;
	both_start();
	deliver(1, EXCHANGE_IKE_SA_INIT, false);
	deliver(0, EXCHANGE_IKE_SA_INIT, true);
	deliver(0, EXCHANGE_IKE_SA_INIT, false);
	deliver(1, EXCHANGE_IKE_SA_INIT, true);
	deliver(1, EXCHANGE_IKE_AUTH, false);
	assert_int_equal(duo.host[0].ups, 1);
	candidate = hostile_sa(&duo, 0, SA_AUTH_SENT);
	message_start_inside(&message, memory, sizeof(memory));
	message_notify(&message, PROTOCOL_NONE, NOTIFY_AUTHENTICATION_FAILED, VIEW_NONE, VIEW_NONE);
	duo_drop(&duo, find(0, EXCHANGE_IKE_AUTH, false));
	hostile_message(&duo, 0, candidate, EXCHANGE_IKE_AUTH, true, &message);
	duo_run(&duo);
	duo_pass(&duo, 60 * NSTIME_S);
	assert_int_equal(duo_counts(&duo, 0).down[IKE_AUTH_FAILED], 0);
	assert_int_equal(duo_counts(&duo, 0).down[IKE_SUPERSEDED], 1);
	assert_int_equal(duo_sending(&duo, 0), 1);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
}

/* U6: both are up: the nonces choose; who made the loser deletes it after 1 to 2 s, and nobody else does. */
static void test_u6_both_up(void **state)
{
	bool seen[2] = { false, false };

	(void)state;
	/* Other nonces, until each of the two lost once. */
	for (unsigned int seed = 0; seed < 16; seed++) {
		const struct sa *mine, *theirs;
		unsigned int loser;

		duo_start(&duo, NULL);
		duo.host[0].random += seed * 1000;
		duo_connect(&duo, 0);
		duo_connect(&duo, 1);
		duo_run(&duo);
		assert_int_equal(duo_counts(&duo, 0).established, 2);
		assert_int_equal(duo_counts(&duo, 1).established, 2);
		assert_int_equal(duo_sending(&duo, 0), 1);
		assert_int_equal(duo_sending(&duo, 1), 1);
		assert_true(duo_agree(&duo));
		mine = hostile_only(&duo, 0);
		theirs = pool_at(&duo.host[0].ike->sas,
				 pool_next(&duo.host[0].ike->sas, pool_first(&duo.host[0].ike->sas)));
		if (!mine->initiator) {
			const struct sa *other = mine;

			mine = theirs;
			theirs = other;
		}
		loser = memcmp(mine->low_nonce, theirs->low_nonce, NONCE_LEN) < 0 ? 0 : 1;
		assert_int_equal(mine->loser, loser == 0);
		assert_int_equal(theirs->loser, loser == 1);
		seen[loser] = true;
		duo_pass(&duo, 400 * NSTIME_MS);
		assert_int_equal(duo_counts(&duo, 0).established, 2);
		duo_pass(&duo, 2 * NSTIME_S);
		assert_int_equal(duo_counts(&duo, 0).established, 1);
		/* Only the creator sent a Delete. */
		assert_int_equal(duo.host[loser].reason, IKE_SUPERSEDED);
		assert_int_equal(duo.host[!loser].reason, IKE_SUPERSEDED);
		assert_one();
	}
	assert_true(seen[0] && seen[1]);
}

/* Time passes, and only what is_lost names is lost. */
static void pass_without(uint64_t span, bool (*is_lost)(const struct duo_datagram *datagram))
{
	uint64_t end = duo.now + span;

	while (duo.now < end) {
		duo.now += NSTIME_S;
		for (unsigned int i = 0; i < 2; i++) {
			ike_expire(duo.host[i].ike, duo.now);
			duo_drain(&duo, i);
		}
		while (duo.wire_count) {
			if (is_lost(&duo.wire[0]))
				duo_drop(&duo, 0);
			else
				duo_deliver(&duo, 0);
		}
	}
}

static bool all_is_lost(const struct duo_datagram *datagram)
{
	(void)datagram;
	return true;
}

static bool nothing_is_lost(const struct duo_datagram *datagram)
{
	(void)datagram;
	return false;
}

/* Both are up; says who made the loser. */
static unsigned int cross(unsigned int seed)
{
	duo_start(&duo, NULL);
	duo.host[0].random += seed * 1000;
	duo_connect(&duo, 0);
	duo_connect(&duo, 1);
	duo_run(&duo);
	duo_pass(&duo, 100 * NSTIME_MS);
	return hostile_only(&duo, 0)->loser == hostile_only(&duo, 0)->initiator ? 0 : 1;
}

/* U6: the loser's creator does not come: the other end keeps it, receive-only, for 70 s, and deletes it, also when nobody answers. */
static void test_u6_no_delete(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 4; seed++) {
		for (unsigned int answers = 0; answers < 2; answers++) {
			unsigned int creator = cross(seed);
			struct sa *loser = hostile_only(&duo, creator);

			if (!loser->loser)
				loser = pool_at(&duo.host[creator].ike->sas, pool_next(&duo.host[creator].ike->sas, 0));
			/* As one of another make may. */
			loser->drop_ns = NSTIME_NEVER;
			pass_without(65 * NSTIME_S, nothing_is_lost);
			assert_int_equal(duo_counts(&duo, creator).established, 2);
			assert_int_equal(duo_counts(&duo, !creator).established, 2);
			assert_int_equal(duo_sending(&duo, !creator), 1);
			pass_without(75 * NSTIME_S, answers ? nothing_is_lost : all_is_lost);
			assert_int_equal(duo_counts(&duo, creator).established, answers ? 1 : 2);
			assert_int_equal(duo_counts(&duo, !creator).established, 1);
			assert_int_equal(duo.host[!creator].reason, IKE_SUPERSEDED);
			assert_int_equal(duo_sending(&duo, !creator), 1);
			duo_end(&duo);
		}
	}
}

/* U6: the loser's creator dies before it deletes it. What it left goes, whichever of the two its next life replaces. */
static void test_u6_creator_dies(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 8; seed++) {
		for (unsigned int silent = 0; silent < 2; silent++) {
			unsigned int creator = cross(seed);

			if (silent) /* no secret outlived it: it cannot say that it forgot */
				memset(duo.host[creator].options.crash_secret, 0, 32);
			duo_restart(&duo, creator);
			duo_connect(&duo, creator);
			duo_run(&duo);
			ike_probe(duo.host[!creator].ike, duo.host[!creator].sa, duo.now);
			duo_drain(&duo, !creator);
			duo_run(&duo);
			pass_without(150 * NSTIME_S, nothing_is_lost);
			for (unsigned int i = 0; i < 2; i++) {
				assert_int_equal(duo_counts(&duo, i).established, 1);
				assert_int_equal(duo_sending(&duo, i), 1);
				assert_int_equal(duo.host[i].kid_count, 1);
			}
			assert_true(duo_agree(&duo));
			duo_end(&duo);
		}
	}
}

/* U7: one is authenticated, the other is not: the first stays, whatever the nonces say. */
static void test_u7_authenticated_wins(void **state)
{
	(void)state;
	for (unsigned int named = 0; named < 2; named++) {
		for (unsigned int seed = 0; seed < 4; seed++) {
			duo_start(&duo, NULL);
			duo.host[0].random += seed * 1000;
			/* Both take either; as initiator one of them has no name to give. */
			for (unsigned int i = 0; i < 2; i++)
				duo.host[i].answer.null = true;
			duo.host[!named].answer.keys = 0;
			duo_connect(&duo, !named);
			duo.host[!named].answer.keys = 1;
			duo_connect(&duo, named);
			duo_run(&duo);
			duo_pass(&duo, 20 * NSTIME_S);
			for (unsigned int i = 0; i < 2; i++) {
				assert_int_equal(duo_counts(&duo, i).sas, 1);
				assert_int_equal(hostile_only(&duo, i)->auth, IKE_AUTH_SIGNATURE);
				assert_int_equal(duo_sending(&duo, i), 1);
			}
			assert_true(duo_agree(&duo));
			duo_end(&duo);
		}
	}
}

/* U8, U9: theirs is up, ours was never answered: it is not sent again, goes after 30 s, and is no failure. */
static void test_u8_u9_mine_never_answered(void **state)
{
	unsigned int sent;

	(void)state;
	both_start();
	duo_drop(&duo, find(0, EXCHANGE_IKE_SA_INIT, false));
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 1);
	sent = duo.sent[0];
	for (unsigned int i = 0; i < 31; i++) {
		duo.now += NSTIME_S;
		ike_expire(duo.host[0].ike, duo.now);
		duo_drain(&duo, 0);
	}
	assert_int_equal(duo.sent[0], sent);
	assert_int_equal(duo.host[0].downs, 1);
	assert_int_equal(duo.host[0].reason, IKE_SUPERSEDED);
	assert_int_equal(duo_counts(&duo, 0).sas, 1);
	assert_int_equal(duo_sending(&duo, 0), 1);
	duo_end(&duo);
}

/* U11: the same key comes again: taken, and the old SA is asked at once whether it lives. */
static void test_u11_peer_came_back(void **state)
{
	(void)state;
	for (unsigned int forgot = 0; forgot < 3; forgot++) {
		duo_start(&duo, NULL);
		duo_connect(&duo, forgot == 2 ? 1 : 0);
		duo_run(&duo);
		duo_pass(&duo, 60 * NSTIME_S);
		if (forgot) {
			/* No secret outlived it: it cannot say that it forgot. */
			memset(duo.host[0].options.crash_secret, 0, 32);
			duo_restart(&duo, 0);
		}
		duo_connect(&duo, 0);
		for (unsigned int i = 0; i < 4; i++)
			duo_deliver(&duo, 0);
		assert_int_equal(duo.host[1].ups, 2);
		assert_true(hostile_only(&duo, 1)->request.kind == REQUEST_PROBE);
		duo_run(&duo);
		/* As who waits for the new one's first packet does. */
		ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
		duo_drain(&duo, 1);
		duo_run(&duo);
		duo_pass(&duo, 12 * NSTIME_S);
		assert_int_equal(duo_counts(&duo, 1).established, 1);
		assert_int_equal(duo_counts(&duo, 0).established, 1);
		assert_int_equal(duo_sending(&duo, 1), 1);
		assert_int_equal(duo_sending(&duo, 0), 1);
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

/*
 * U11: the peer dies as soon as it has the SA that we made, and its next life makes one at once. By the nonces ours could win, of which
 * nothing is left there; neither may we stop sending with theirs, nor may it stay for nobody to delete.
 */
static void test_u11_peer_came_back_at_once(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 8; seed++) {
		duo_start(&duo, NULL);
		duo.host[0].random += seed * 1000;
		duo_connect(&duo, 1);
		duo_run(&duo);
		duo_pass(&duo, NSTIME_S);
		memset(duo.host[0].options.crash_secret, 0, 32);
		duo_restart(&duo, 0);
		duo_connect(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo_counts(&duo, 1).collisions, 0);
		assert_true(duo_sending(&duo, 1) == 2); /* the core sends with the newer */
		ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
		duo_drain(&duo, 1);
		duo_run(&duo);
		pass_without(15 * NSTIME_S, nothing_is_lost);
		for (unsigned int i = 0; i < 2; i++) {
			assert_int_equal(duo_counts(&duo, i).established, 1);
			assert_int_equal(duo_sending(&duo, i), 1);
		}
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

/*
 * U11, and our answer to the new IKE_AUTH is lost for a while: the peer goes on with the old one's Child SA, but the IKE SA that it was
 * of died with its last life. It stands until the peer has the new one.
 */
static void test_u11_answer_is_lost(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 60 * NSTIME_S);
	memset(duo.host[0].options.crash_secret, 0, 32);
	duo_restart(&duo, 0);
	duo_connect(&duo, 0);
	for (unsigned int i = 0; i < 3; i++)
		duo_deliver(&duo, 0);
	assert_int_equal(duo.host[1].ups, 2);
	for (unsigned int i = 0; i < 12; i++) {
		while (duo.wire_count)
			duo_drop(&duo, 0);
		duo.now += NSTIME_S;
		for (unsigned int h = 0; h < 2; h++) {
			ike_expire(duo.host[h].ike, duo.now);
			duo_drain(&duo, h);
		}
	}
	assert_int_equal(duo_counts(&duo, 1).established, 2);
	duo_run(&duo);
	duo_pass(&duo, NSTIME_S);
	ike_probe(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	duo_run(&duo);
	duo_pass(&duo, 20 * NSTIME_S);
	assert_int_equal(duo_counts(&duo, 1).established, 1);
	assert_int_equal(duo_counts(&duo, 0).established, 1);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
}

/* All orders in which the eight messages can come, each side's own in theirs: always one SA in the end. */
static void test_every_order(void **state)
{
	(void)state;
	for (unsigned int order = 0; order < 256; order++) {
		both_start();
		for (unsigned int step = 0; duo.wire_count && step < 100; step++) {
			/* The next bit says whose oldest message comes first. */
			unsigned int from = step < 8 ? order >> step & 1 : 0;
			size_t n = 0;

			while (n < duo.wire_count && duo.wire[n].from != from)
				n++;
			duo_deliver(&duo, n < duo.wire_count ? n : 0);
		}
		assert_one();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u1_request_while_waiting),
		cmocka_unit_test(test_u2_u3_theirs_first),
		cmocka_unit_test(test_u4_initial_contact),
		cmocka_unit_test(test_u4_not_alone),
		cmocka_unit_test(test_u5_refused_while_theirs_is_up),
		cmocka_unit_test(test_u6_both_up),
		cmocka_unit_test(test_u6_no_delete),
		cmocka_unit_test(test_u6_creator_dies),
		cmocka_unit_test(test_u7_authenticated_wins),
		cmocka_unit_test(test_u8_u9_mine_never_answered),
		cmocka_unit_test(test_u11_peer_came_back),
		cmocka_unit_test(test_u11_peer_came_back_at_once),
		cmocka_unit_test(test_u11_answer_is_lost),
		cmocka_unit_test(test_every_order),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
