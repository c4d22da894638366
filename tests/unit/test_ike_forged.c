// SPDX-License-Identifier: Apache-2.0
/*
 * An initiator among forgers: cookies, errors and answers that nobody proved, before and after the real one. Only time ends an attempt,
 * and the real peer gets through (RFC 7296 2.4, 2.6, 2.21.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"

static struct duo duo;

/* What an initiator gets as an IKE_SA_INIT response to the request on the wire's place `n`. */
static struct view forge(size_t n, const uint8_t spi_r[SPI_LEN], uint16_t type, struct view data)
{
	static uint8_t memory[256];
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_SA_INIT, .flags = FLAG_RESPONSE };
	struct message message;

	memcpy(header.spi_i, duo.wire[n].octets, SPI_LEN);
	if (spi_r)
		memcpy(header.spi_r, spi_r, SPI_LEN);
	message_start(&message, memory, sizeof(memory), &header);
	message_notify(&message, PROTOCOL_NONE, type, VIEW_NONE, data);
	return message_finish(&message);
}

/* At most three rounds; each retry is the request as it was, with the cookie in front. */
static void test_cookie_flood_at_initiator(void **state)
{
	uint8_t cookie[65] = { 0 };
	unsigned int sent = 0;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	for (unsigned int i = 0; i < 10; i++) {
		const struct duo_datagram *first = &duo.wire[0], *again;

		cookie[0]++;
		duo_inject(&duo, 0, forge(0, NULL, NOTIFY_COOKIE, view_of(cookie, 20)));
		if (duo.wire_count == sent + 1)
			continue;
		sent++;
		again = &duo.wire[sent];
		assert_memory_equal(again->octets, first->octets, 16);
		assert_int_equal(again->octets[16], PAYLOAD_NOTIFY);
		assert_int_equal(again->octets[HEADER_LEN], first->octets[16]);
		assert_memory_equal(again->octets + HEADER_LEN + 8, cookie, 20);
		assert_int_equal(again->len, first->len + 28);
		assert_memory_equal(again->octets + HEADER_LEN + 28, first->octets + HEADER_LEN,
				    first->len - HEADER_LEN);
	}
	assert_int_equal(sent, IKE_COOKIE_ROUNDS);
	/* One said again is one. */
	duo_end(&duo);
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	for (unsigned int i = 0; i < 5; i++)
		duo_inject(&duo, 0, forge(0, NULL, NOTIFY_COOKIE, view_of("the same", 8)));
	assert_int_equal(duo.wire_count, 2);
	/* Cookies of no length, or too long, are none. */
	duo.wire_count = 1;
	duo_inject(&duo, 0, forge(0, NULL, NOTIFY_COOKIE, VIEW_NONE));
	duo_inject(&duo, 0, forge(0, NULL, NOTIFY_COOKIE, view_of(cookie, 65)));
	assert_int_equal(duo.wire_count, 1);
	duo_end(&duo);
}

/* ---- forged answers to the initiator ---- */

static uint8_t *payload_of(uint8_t *message, uint8_t type)
{
	uint8_t *at = message + HEADER_LEN, next = message[16];

	while (next != type) {
		next = at[0];
		at += (size_t)at[2] << 8 | at[3];
	}
	return at;
}

/* The answer of a responder who cannot prove himself, made of the peer's. */
static struct view another(const struct duo_datagram *answer, unsigned int number)
{
	static uint8_t octets[DUO_DATAGRAM];

	memcpy(octets, answer->octets, answer->len);
	octets[8] = 0x80;
	octets[9] = (uint8_t)(number >> 8);
	octets[10] = (uint8_t)number;
	payload_of(octets, PAYLOAD_KE)[9] ^= 0x55;
	return view_of(octets, answer->len);
}

static void connect_and_answer(unsigned int forgery)
{
	static const uint8_t spi_r[SPI_LEN] = { 0x66, 1 }, group[2] = { 0, 31 }, other[2] = { 0, 19 }, no[2] = { 0, 2 };
	static struct duo_datagram answer;
	uint8_t octets[DUO_DATAGRAM];

	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	answer = duo.wire[0];
	duo_deliver(&duo, 0);
	/* The peer's answer is under way; the forger's comes first, several times. */
	for (unsigned int i = 0; i < 12; i++) {
		memcpy(octets, duo.wire[0].octets, duo.wire[0].len);
		switch (forgery) {
		case 0:
			duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_NO_PROPOSAL_CHOSEN, VIEW_NONE));
			break;
		case 1:
			duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_INVALID_SYNTAX, VIEW_NONE));
			break;
		case 2:
			duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_AUTHENTICATION_FAILED, VIEW_NONE));
			break;
		case 3: /* INVALID_KE_PAYLOAD: what we sent, what we never offered */
			duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_INVALID_KE_PAYLOAD, VIEW_OF(group)));
			duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_INVALID_KE_PAYLOAD, VIEW_OF(no)));
			duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_INVALID_KE_PAYLOAD, VIEW_NONE));
			break;
		case 4: /* a key of low order */
			octets[8] = (uint8_t)(0x80 + i);
			memset(payload_of(octets, PAYLOAD_KE) + 8, 0, 32);
			duo_inject(&duo, 0, view_of(octets, duo.wire[0].len));
			break;
		case 5: /* another responder, who cannot prove himself */
			duo_inject(&duo, 0, another(&duo.wire[0], i));
			break;
		case 6: /* a suite that was not offered */
			octets[8] = (uint8_t)(0x80 + i);
			payload_of(octets, PAYLOAD_SA)[4 + 8 + 7] ^= 1;
			duo_inject(&duo, 0, view_of(octets, duo.wire[0].len));
			break;
		case 7: /* once, to another group that we offered */
			if (i == 0)
				duo_inject(&duo, 0, forge(0, spi_r, NOTIFY_INVALID_KE_PAYLOAD, VIEW_OF(other)));
			break;
		default: /* a mirror: our own SPI, our own nonce and key */
			memcpy(octets, answer.octets, answer.len);
			memcpy(octets + 8, octets, SPI_LEN);
			octets[19] = FLAG_RESPONSE;
			duo_inject(&duo, 0, view_of(octets, answer.len));
			octets[8] ^= 1;
			duo_inject(&duo, 0, view_of(octets, answer.len));
		}
	}
}

static void test_forged_first_answer(void **state)
{
	(void)state;
	for (unsigned int forgery = 0; forgery < 9; forgery++) {
		connect_and_answer(forgery);
		assert_int_equal(duo.host[0].downs, 0);
		duo_run(&duo);
		/* Who took all places, ahead of the peer, has them until they were asked in vain. */
		if (forgery == 5)
			duo_pass(&duo, 5 * NSTIME_S);
		assert_int_equal(duo.host[0].ups, 1);
		assert_int_equal(duo.host[1].ups, 1);
		assert_int_equal(duo_counts(&duo, 0).sas, 1); /* no candidate is left */
		assert_true(duo_agree(&duo));
		duo_end(&duo);
	}
}

/* Forged COOKIE and INVALID_KE_PAYLOAD after the answer, while the caller looks the key up: what is signed stays what was sent. */
static void test_forged_second_answer(void **state)
{
	static const uint8_t other[2] = { 0, 19 };

	(void)state;
	for (unsigned int which = 0; which < 2; which++) {
		struct duo_datagram request;

		duo_start(&duo, NULL);
		duo.host[0].hold_answer = true;
		duo_connect(&duo, 0);
		request = duo.wire[0];
		duo_deliver(&duo, 0);
		duo_deliver(&duo, 0);
		duo.wire[duo.wire_count++] = request;
		duo_inject(&duo, 0,
			   which ? forge(0, NULL, NOTIFY_COOKIE, view_of("0123", 4))
				 : forge(0, NULL, NOTIFY_INVALID_KE_PAYLOAD, VIEW_OF(other)));
		duo.wire_count = 0;
		duo_release_answer(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo.host[0].ups, 1);
		assert_int_equal(duo_counts(&duo, 1).auth_failed, 0);
		duo_end(&duo);
	}
}

/* No candidate is more than another, and they do not pile up. */
static void test_candidates_are_bounded(void **state)
{
	(void)state;
	connect_and_answer(5);
	assert_int_equal(duo_counts(&duo, 0).sas, 1 + IKE_CANDIDATES_MAX);
	duo.wire_count = 0;
	duo_pass(&duo, 300 * NSTIME_S);
	duo.wire_count = 0;
	assert_int_equal(duo_counts(&duo, 0).sas, 1);
	duo_end(&duo);
}

/* Time goes on; what host 0 says is lost, but for what was on the wire before. */
static void wait_unheard(uint64_t span)
{
	size_t kept = duo.wire_count;

	duo.now += span;
	for (unsigned int i = 0; i < 8 && ike_deadline(duo.host[0].ike) <= duo.now; i++)
		ike_expire(duo.host[0].ike, duo.now);
	duo_drain(&duo, 0);
	duo.wire_count = kept;
}

/* Many more answers than there are places, while the peer's first is being proven: it keeps its place for 3 s. */
static void test_flood_after_the_answer(void **state)
{
	struct duo_datagram answer;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_deliver(&duo, 0);
	answer = duo.wire[0];
	duo_deliver(&duo, 0);
	for (unsigned int i = 0; i < 300; i++) {
		duo.wire_count = 1; /* IKE_AUTH for the peer */
		duo_inject(&duo, 0, another(&answer, i));
		duo.wire_count = 1;
		assert_true(duo_counts(&duo, 0).sas <= 1 + IKE_CANDIDATES_MAX);
		wait_unheard(NSTIME_S / 100);
	}
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 1);
	assert_int_equal(duo_counts(&duo, 0).sas, 1);
	duo_end(&duo);
}

static void fail_all(struct sa *attempt)
{
	struct ike *ike = duo.host[0].ike;

	for (struct sa *at = sa_find(ike, attempt->spi_i), *next; at; at = next) {
		next = sa_at(ike, at->sibling);
		if (at->mother)
			sa_drop(ike, at, IKE_AUTH_FAILED, duo.now);
	}
}

/*
 * The peer is not heard for 20 s, a forger is, all the time; each of its answers leads nowhere, at once or not: few are followed up, and
 * the peer is asked again. Then it gets through.
 */
static void test_flood_of_answers(void **state)
{
	(void)state;
	for (unsigned int at_once = 0; at_once < 2; at_once++) {
		struct duo_datagram answer;
		struct sa *attempt;

		duo_start(&duo, NULL);
		attempt = pool_get(&duo.host[0].ike->sas, duo_connect(&duo, 0));
		duo_deliver(&duo, 0);
		answer = duo.wire[0];
		duo.wire_count = 0;
		for (unsigned int i = 0; i < 200; i++) {
			duo_inject(&duo, 0, another(&answer, i));
			duo.wire_count = 0;
			assert_true(duo_counts(&duo, 0).sas <= 1 + IKE_CANDIDATES_MAX);
			if (at_once)
				fail_all(attempt);
			wait_unheard(NSTIME_S / 10);
		}
		assert_in_range(sa_work(duo.host[0].ike, attempt)->followed, 2 * IKE_CANDIDATES_MAX,
				IKE_CANDIDATES_MAX + 20);
		assert_in_range(attempt->request.tries, 4, IKE_TRIES);
		duo_pass(&duo, 20 * NSTIME_S);
		assert_int_equal(duo.host[0].ups, 1);
		assert_int_equal(duo_counts(&duo, 0).sas, 1);
		duo_end(&duo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookie_flood_at_initiator), cmocka_unit_test(test_forged_first_answer),
		cmocka_unit_test(test_forged_second_answer),	  cmocka_unit_test(test_candidates_are_bounded),
		cmocka_unit_test(test_flood_after_the_answer),	  cmocka_unit_test(test_flood_of_answers),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
