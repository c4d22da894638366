// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine does by the clock and by itself: retransmission, giving up, one request at a time, lifetimes, signs of life, retries;
 * crash tokens; and a caller who answers late, never, or with bad news (RFC 7296 2.1 to 2.4, 2.25,
 * RFC 6290).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike_hostile.h"

static struct duo duo;

static void up(void)
{
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 1);
}

/* Lets host i alone with its timers until it has nothing more to send; every datagram must be `first`, octet for octet. */
static unsigned int alone(unsigned int i, uint64_t *last, uint64_t limit)
{
	static struct duo_datagram first;
	uint64_t end = duo.now + limit;
	unsigned int copies = (unsigned int)duo.wire_count;

	assert_true(duo.wire_count > 0);
	first = duo.wire[0];
	duo.wire_count = 0;
	while (ike_deadline(duo.host[i].ike) <= end && !duo.host[i].downs) {
		duo.now = ike_deadline(duo.host[i].ike);
		ike_expire(duo.host[i].ike, duo.now);
		duo_drain(&duo, i);
		for (size_t k = 0; k < duo.wire_count; k++) {
			assert_int_equal(duo.wire[k].len, first.len);
			assert_memory_equal(duo.wire[k].octets, first.octets, first.len);
			copies++;
		}
		duo.wire_count = 0;
	}
	*last = duo.now;
	return copies;
}

/* 0.5 + 1 + 2 + 4 s when the caller goes on in clear, 63.5 s otherwise; one tenth more or less. */
static void test_give_up_times(void **state)
{
	(void)state;
	for (unsigned int fail_open = 0; fail_open < 2; fail_open++) {
		struct ike_connect connect;
		uint64_t begin, end;

		duo_start(&duo, NULL);
		begin = duo.now;
		connect = (struct ike_connect){ .path = duo_path(&duo, 0), .tag = 5, .fail_open = fail_open };
		ike_connect(duo.host[0].ike, &connect, duo.now);
		duo_drain(&duo, 0);
		assert_int_equal(alone(0, &end, 200 * NSTIME_S), fail_open ? IKE_TRIES_SHORT : IKE_TRIES);
		assert_int_equal(duo.host[0].downs, 1);
		assert_int_equal(duo.host[0].reason, IKE_TIMEOUT);
		assert_true(end - begin >= (fail_open ? 6700 : 57000) * NSTIME_MS);
		assert_true(end - begin <= (fail_open ? 8300 : 70000) * NSTIME_MS);
		hostile_empty(&duo, 0);
		duo_end(&duo);
	}
}

/* Every kind of request is sent again as it was, and the SA goes when nobody answers. */
static void test_retransmission(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < 5; kind++) {
		struct duo_host *host = &duo.host[0];
		uint64_t end;

		up();
		switch (kind) {
		case 0:
			ike_rekey_child(host->ike, host->kids[0].handle, duo.now);
			break;
		case 1:
			ike_rekey(host->ike, host->sa, duo.now);
			break;
		case 2:
			ike_close_child(host->ike, host->kids[0].handle, duo.now);
			break;
		case 3:
			ike_probe(host->ike, host->sa, duo.now);
			break;
		default:
			ike_close(host->ike, host->sa, duo.now);
		}
		duo_drain(&duo, 0);
		assert_int_equal(alone(0, &end, 200 * NSTIME_S), IKE_TRIES);
		assert_int_equal(host->reason, kind == 4 ? IKE_CLOSED : IKE_TIMEOUT);
		hostile_empty(&duo, 0);
		duo_end(&duo);
	}
}

/* The responder never repeats by itself; asked again it says the same; asked otherwise it says nothing. */
static void test_answered_again(void **state)
{
	struct duo_datagram request, answer;
	struct sa *sa;

	(void)state;
	up();
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	request = duo.wire[0];
	duo_deliver(&duo, 0);
	answer = duo.wire[0];
	duo.wire_count = 0;
	for (unsigned int i = 0; i < 3; i++) {
		duo.wire[duo.wire_count++] = request;
		duo_deliver(&duo, 0);
		assert_int_equal(duo.wire_count, 1);
		assert_int_equal(duo.wire[0].len, answer.len);
		assert_memory_equal(duo.wire[0].octets, answer.octets, answer.len);
		duo.wire_count = 0;
	}
	assert_int_equal(duo_counts(&duo, 1).answered_again, 3);
	/* The same number on another request, sealed well: no retransmission. */
	sa = hostile_only(&duo, 1);
	hostile_send(&duo, 1, sa, EXCHANGE_INFORMATIONAL, false, sa->recv_mid - 1, PAYLOAD_VENDOR,
		     view_of("\0\0\0\4", 4));
	assert_int_equal(duo.wire_count, 0);
	duo_end(&duo);
}

/* IKE_SA_INIT again is answered again; another request with the same SPI is another. */
static void test_init_again(void **state)
{
	struct hf_addr from = addr_from_v4(__builtin_bswap32(0x0a010203));
	struct view init;

	(void)state;
	duo_start(&duo, NULL);
	init = hostile_init(&duo, 1, KE_X25519, VIEW_NONE);
	hostile_from(&duo, 1, &from, init);
	hostile_from(&duo, 1, &from, init);
	assert_int_equal(duo.wire_count, 2);
	assert_memory_equal(duo.wire[0].octets, duo.wire[1].octets, duo.wire[0].len);
	assert_int_equal(duo_counts(&duo, 1).half_open, 1);
	hostile_from(&duo, 1, &duo.host[0].addr, init);
	assert_int_equal(duo_counts(&duo, 1).half_open, 2);
	duo_end(&duo);
}

/* Two orders at once: one request at a time, both done in the end. */
static void test_window(void **state)
{
	(void)state;
	up();
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	ike_rekey(duo.host[0].ike, duo.host[0].sa, duo.now);
	ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	assert_int_equal(duo.wire_count, 1);
	for (unsigned int i = 0; duo.wire_count && i < 100; i++) {
		unsigned int requests = 0;

		for (size_t k = 0; k < duo.wire_count; k++)
			requests += duo.wire[k].from == 0 && !(duo.wire[k].octets[19] & FLAG_RESPONSE);
		assert_true(requests <= 1);
		duo_deliver(&duo, 0);
	}
	duo_pass(&duo, 10 * NSTIME_S);
	assert_int_equal(duo.host[0].child_ups, 2);
	assert_int_equal(duo.host[0].replaced, 1);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
}

/* ---- lifetimes ---- */

static void short_lives(struct ike_options *options, unsigned int i)
{
	(void)i;
	options->child_life_ns = 100 * NSTIME_S;
	options->sa_life_ns = 400 * NSTIME_S;
}

static void test_lifetimes(void **state)
{
	(void)state;
	duo_start(&duo, short_lives);
	duo_connect(&duo, 0);
	duo_run(&duo);
	for (unsigned int minute = 1; minute <= 60; minute++) {
		duo_pass(&duo, 60 * NSTIME_S);
		assert_true(duo_agree(&duo));
		assert_int_equal(duo_sending(&duo, 0), 1);
		assert_int_equal(duo_sending(&duo, 1), 1);
	}
	/* An hour: some 36 Child SAs and 9 IKE SAs. */
	assert_true(duo.host[0].child_ups >= 25 && duo.host[0].child_ups <= 60);
	assert_true(duo.host[0].replaced >= 6 && duo.host[0].replaced <= 14);
	assert_int_equal(duo.host[0].downs + duo.host[1].downs, 0);
	duo_end(&duo);
}

/* ---- signs of life ---- */

static void test_probe(void **state)
{
	struct ike_counts counts;

	(void)state;
	up();
	for (unsigned int i = 0; i < 2; i++) {
		ike_probe(duo.host[i].ike, duo.host[i].sa, duo.now);
		duo_drain(&duo, i);
		assert_int_equal(duo.wire_count, 1);
		duo_run(&duo);
		assert_int_equal(duo.host[i].downs, 0);
	}
	counts = duo_counts(&duo, 0);
	assert_int_equal(counts.retransmits, 0);
	duo_end(&duo);
}

/* ---- TEMPORARY_FAILURE (RFC 7296 2.25) ---- */

/* Host 1 refuses each rekey for want of room; host 0 asks again, and after three minutes has enough. */
static void test_temporary_failure(void **state)
{
	unsigned int refused = 0;
	uint64_t begin;

	(void)state;
	up();
	begin = duo.now;
	duo.host[1].install_error = -28;
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].child_ups, 1);
	assert_int_equal(duo.host[1].child_ups, 2);
	assert_int_equal(duo.host[1].child_downs, 1);
	while (!duo.host[0].downs && duo.now < begin + 3600 * NSTIME_S) {
		duo_pass(&duo, NSTIME_S);
		refused++;
	}
	assert_int_equal(duo.host[0].reason, IKE_REFUSED);
	assert_int_equal(duo.host[0].notify, NOTIFY_TEMPORARY_FAILURE);
	assert_true(duo.now - begin > 90 * NSTIME_S && duo.now - begin < 900 * NSTIME_S);
	hostile_empty(&duo, 0);
	hostile_empty(&duo, 1);
	duo_end(&duo);
	/* Only once: the next try is between 5 and 15 s later and ends it. */
	up();
	duo.host[1].install_error = -28;
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	duo.host[1].install_error = 0;
	duo_pass(&duo, 4900 * NSTIME_MS);
	assert_int_equal(duo.host[0].child_ups, 1);
	duo_pass(&duo, 11 * NSTIME_S);
	assert_int_equal(duo.host[0].child_ups, 2);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
}

/* ---- a caller with bad news, late, or silent ---- */

static void test_install_fails(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		duo.host[i].install_error = -12;
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, 100 * NSTIME_S);
		assert_int_equal(duo_sending(&duo, 0) + duo_sending(&duo, 1), 0);
		assert_int_equal(duo.host[0].downs, 1);
		assert_int_equal(duo.host[1].downs, 1);
		hostile_empty(&duo, 0);
		hostile_empty(&duo, 1);
		duo_end(&duo);
	}
	/* Of a rekey, at who started it: the old one stays. */
	up();
	duo.host[0].install_error = -12;
	ike_rekey_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	duo.host[0].install_error = 0;
	duo_pass(&duo, 60 * NSTIME_S);
	assert_int_equal(duo.host[0].downs, 0);
	assert_int_equal(duo_sending(&duo, 0), 1);
	assert_int_equal(duo_sending(&duo, 1), 1);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
}

/* While the responder waits for its kernel, IKE_AUTH is not answered, and not done twice. */
static void test_install_late(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo.host[1].hold_install = true;
	duo_connect(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 5 * NSTIME_S);
	assert_int_equal(duo.host[0].ups, 0);
	assert_int_equal(duo.host[1].child_ups, 1);
	duo_release_install(&duo, 1);
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 1);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
	/* Never: it ends with the half-open SA's time. */
	duo_start(&duo, NULL);
	duo.host[1].hold_install = true;
	duo_connect(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 40 * NSTIME_S);
	duo.host[1].hold_install = false;
	duo_release_install(&duo, 1); /* stale by now: does nothing */
	assert_int_equal(duo.host[1].reason, IKE_TIMEOUT);
	duo_pass(&duo, 200 * NSTIME_S);
	assert_true(duo_agree(&duo));
	duo_end(&duo);
}

static void test_answer_late(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		duo.host[i].hold_answer = true;
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, 6 * NSTIME_S);
		assert_int_equal(duo.host[0].ups, 0);
		duo_release_answer(&duo, i);
		duo_run(&duo);
		assert_int_equal(duo.host[0].ups, 1);
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

static void test_answer_never(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		duo_start(&duo, NULL);
		duo.host[i].hold_answer = true;
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, 400 * NSTIME_S);
		assert_int_equal(duo.host[0].ups + duo.host[1].ups, 0);
		assert_int_equal(duo.host[0].downs, 1);
		hostile_empty(&duo, 0);
		hostile_empty(&duo, 1);
		duo_release_answer(&duo, i);
		hostile_empty(&duo, i);
		duo_end(&duo);
	}
}

/* ike_close and ike_forget in each state: DOWN once, for what the caller knows; nothing stays here, and in time not there. */
static void test_close_in_each_state(void **state)
{
	(void)state;
	for (unsigned int forget = 0; forget < 2; forget++) {
		for (unsigned int s = 0; s < SA_STATES; s++) {
			unsigned int at = hostile_reach(&duo, s);
			struct handle handle = s >= SA_KEY_ASKED && s <= SA_INSTALLING ? duo.host[at].asked
					       : s < SA_KEY_ASKED && at == 0	       ? duo.host[at].asked
										       : duo.host[at].sa;

			if (s == SA_HALF_OPEN) {
				/* Nobody knows its handle yet. */
				duo_end(&duo);
				continue;
			}
			if (forget)
				ike_forget(duo.host[at].ike, handle, duo.now);
			else
				ike_close(duo.host[at].ike, handle, duo.now);
			duo_drain(&duo, at);
			duo.host[0].hold_answer = duo.host[1].hold_answer = duo.host[1].hold_install = false;
			duo.host[1].waiting_count = 0;
			duo_run(&duo);
			duo_pass(&duo, 100 * NSTIME_S);
			assert_true(forget || duo_agree(&duo));
			if (at == 0) {
				assert_int_equal(duo.host[at].downs, 1);
				hostile_empty(&duo, at);
			} else {
				/* The initiator came again. */
				assert_int_equal(duo.host[at].ups,
						 duo_counts(&duo, at).established + (s == SA_INSTALLING));
			}
			duo_end(&duo);
		}
	}
}

/* ---- crash tokens (RFC 6290) ---- */

/* A Child SA that the peer has replaced when the order comes to close it: what takes its place is sent with once the peer deletes it. */
static void test_close_replaced(void **state)
{
	(void)state;
	for (unsigned int soon = 0; soon < 2; soon++) {
		up();
		ike_rekey_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
		duo_drain(&duo, 1);
		duo_deliver(&duo, 0);
		if (!soon)
			duo_deliver(&duo, 0);
		ike_close_child(duo.host[0].ike, duo.host[0].kids[0].handle, duo.now);
		duo_drain(&duo, 0);
		duo_run(&duo);
		duo_pass(&duo, IKE_REPLACED_LIFE + 30 * NSTIME_S);
		for (unsigned int i = 0; i < 2; i++) {
			assert_int_equal(duo_counts(&duo, i).children, 1);
			assert_int_equal(duo_sending(&duo, i), 1);
		}
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

static void test_crash_token(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		up();
		duo_restart(&duo, i);
		ike_probe(duo.host[!i].ike, duo.host[!i].sa, duo.now);
		duo_drain(&duo, !i);
		duo_run(&duo);
		assert_int_equal(duo.host[!i].reason, IKE_PEER_RESTARTED);
		hostile_empty(&duo, !i);
		duo_end(&duo);
		/* With another secret the token is another's: only silence ends the SA. */
		up();
		memset(duo.host[i].options.crash_secret, 0x77, 32);
		duo_restart(&duo, i);
		ike_probe(duo.host[!i].ike, duo.host[!i].sa, duo.now);
		duo_drain(&duo, !i);
		duo_run(&duo);
		assert_int_equal(duo.host[!i].downs, 0);
		duo_pass(&duo, 200 * NSTIME_S);
		assert_int_equal(duo.host[!i].reason, IKE_TIMEOUT);
		duo_end(&duo);
	}
}

static bool survivors;

static bool survives(void *arg, const struct hf_pair *pair)
{
	(void)arg;
	assert_true(addr_equal(&pair->remote, &duo.host[0].addr) || addr_equal(&pair->remote, &duo.host[1].addr));
	return survivors;
}

/* While Child SAs of before the restart are in use, their IKE SA is not said to be gone; the question is asked again. */
static void test_token_waits_for_survivors(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		up();
		duo.host[i].options.host.survives = survives;
		survivors = true;
		duo_restart(&duo, i);
		ike_probe(duo.host[!i].ike, duo.host[!i].sa, duo.now);
		duo_drain(&duo, !i);
		duo_run(&duo);
		duo_pass(&duo, 3 * NSTIME_S);
		assert_int_equal(duo.host[!i].downs, 0);
		survivors = false;
		duo_pass(&duo, 10 * NSTIME_S);
		assert_int_equal(duo.host[!i].reason, IKE_PEER_RESTARTED);
		hostile_empty(&duo, !i);
		duo_end(&duo);
	}
}

/* Nobody gets the token of an SA that lives, whatever the flags and the exchange say (RFC 6290 9.2). */
static void test_no_token_for_the_living(void **state)
{
	(void)state;
	up();
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int flags = 0; flags < 0x40; flags += 8) {
			uint8_t octets[HEADER_LEN + 200] = { 0 };
			const struct sa *sa = hostile_only(&duo, i);

			memcpy(octets, sa->spi_i, SPI_LEN);
			memcpy(octets + 8, sa->spi_r, SPI_LEN);
			octets[17] = 0x20;
			octets[18] = EXCHANGE_INFORMATIONAL;
			octets[19] = (uint8_t)flags;
			octets[27] = sizeof(octets);
			duo_inject(&duo, i, VIEW_OF(octets));
			assert_int_equal(duo.wire_count, 0);
		}
	}
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_give_up_times),
		cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_answered_again),
		cmocka_unit_test(test_init_again),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_temporary_failure),
		cmocka_unit_test(test_install_fails),
		cmocka_unit_test(test_install_late),
		cmocka_unit_test(test_answer_late),
		cmocka_unit_test(test_answer_never),
		cmocka_unit_test(test_close_in_each_state),
		cmocka_unit_test(test_close_replaced),
		cmocka_unit_test(test_crash_token),
		cmocka_unit_test(test_token_waits_for_survivors),
		cmocka_unit_test(test_no_token_for_the_living),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
