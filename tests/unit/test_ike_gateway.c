// SPDX-License-Identifier: Apache-2.0
/*
 * A host behind a gateway: the Child SAs of an IKE SA with the gateway are tunnels for that host, through rekeys of either end, and never
 * anything else. The gateway's end is an engine that takes the host's address for its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike_hostile.h"

static struct duo duo;
static struct hf_addr host;

static struct handle connect_through(void)
{
	const struct ike_connect connect = {
		.path = duo_path(&duo, 0), .behind = host, .tag = 42, .initial_contact = true
	};
	struct handle handle = ike_connect(duo.host[0].ike, &connect, duo.now);

	duo_drain(&duo, 0);
	return handle;
}

/* As far as the gateway's half-open SA, which is then that of the host. */
static struct sa *half_way(void)
{
	struct sa *sa;

	host = addr_from_v4(__builtin_bswap32(0x0a090702));
	duo_start(&duo, NULL);
	connect_through();
	duo_deliver(&duo, 0);
	sa = hostile_only(&duo, 1);
	sa->path.local = host;
	return sa;
}

static void expect_tunnels(unsigned int count)
{
	struct ike_view view;
	uint32_t place = 0;

	assert_int_equal(duo_sending(&duo, 0), 1);
	assert_int_equal(duo.host[0].child_ups, count);
	for (unsigned int i = 0; i < 2; i++)
		for (size_t k = 0; k < duo.host[i].kid_count; k++)
			assert_true(duo.host[i].kids[k].keys.tunnel);
	assert_true(duo_agree(&duo));
	assert_true(ike_after(duo.host[0].ike, &view, &place));
	assert_true(view.established);
	assert_true(addr_equal(&view.path.remote, &duo.host[1].addr));
	assert_true(addr_equal(&view.pair.remote, &host));
	assert_true(addr_equal(&view.pair.local, &duo.host[0].addr));
}

/* The newest Child SA gets a successor. */
static void rekey_child_by(unsigned int i)
{
	ike_rekey_child(duo.host[i].ike, duo.host[i].kids[duo.host[i].kid_count - 1].handle, duo.now);
	duo_drain(&duo, i);
	duo_run(&duo);
}

static void test_tunnels_for_the_host(void **state)
{
	const struct sa *gateway = half_way();

	(void)state;
	duo_run(&duo);
	assert_int_equal(duo.host[0].ups, 1);
	assert_true(addr_equal(&duo.host[0].last_up.pair.remote, &host));
	assert_true(addr_equal(&duo.host[0].last_up.path.remote, &duo.host[1].addr));
	assert_int_equal(gateway->state, SA_ESTABLISHED);
	expect_tunnels(1);

	/* By us, by the gateway, and again under a new IKE SA of either. */
	rekey_child_by(0);
	expect_tunnels(2);
	rekey_child_by(1);
	expect_tunnels(3);
	for (unsigned int i = 0; i < 2; i++) {
		ike_rekey(duo.host[i].ike, duo.host[i].sa, duo.now);
		duo_drain(&duo, i);
		duo_run(&duo);
		assert_int_equal(duo.host[0].replaced, i + 1);
		rekey_child_by(i);
		expect_tunnels(4 + i);
	}

	/* It is of the pair with the host, not of one with the gateway. */
	ike_close_pair(duo.host[0].ike, &(struct hf_pair){ duo.host[0].addr, duo.host[1].addr }, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].downs, 0);
	ike_close_pair(duo.host[0].ike, &(struct hf_pair){ duo.host[0].addr, host }, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].downs, 1);
	duo_end(&duo);
}

/* A gateway that heard so of one host would drop what it has for others. */
static void test_no_initial_contact(void **state)
{
	const struct sa *sa;
	struct chain chain;

	(void)state;
	half_way();
	duo_deliver(&duo, 0);
	sa = hostile_only(&duo, 1);
	assert_true(hostile_open(&duo, sa, &chain));
	assert_true(chain_has(&chain, SLOT_TSI));
	assert_null(chain_notify(&chain, NOTIFY_INITIAL_CONTACT));
	assert_null(chain_notify(&chain, NOTIFY_USE_TRANSPORT_MODE));
	duo_run(&duo);
	duo_end(&duo);
}

/* One that answers for itself, not for the host, has nothing that we want. */
static void test_a_gateway_for_nobody(void **state)
{
	(void)state;
	half_way();
	hostile_only(&duo, 1)->path.local = duo.host[1].addr;
	duo_run(&duo);
	assert_int_equal(duo.host[0].child_ups, 0);
	assert_int_equal(duo.host[0].downs, 1);
	duo_end(&duo);
}

/* A gateway asks for more, or for less, than the one host's packets in a tunnel. */
static void test_no_other_traffic(void **state)
{
	static uint8_t memory[2000];
	static const uint8_t nonce[32] = { 7 };

	(void)state;
	/* 0: its own address. 1: the host in transport mode, which becomes a tunnel all the same. */
	for (int what = 0; what < 2; what++) {
		struct message message;
		struct sa *sa;

		half_way();
		duo_run(&duo);
		sa = hostile_only(&duo, 0);
		message_start_inside(&message, memory, sizeof(memory));
		message_notify(&message, PROTOCOL_ESP, NOTIFY_REKEY_SA,
			       view_of(&duo.host[0].kids[0].keys.spi_out_be, 4), VIEW_NONE);
		if (what)
			message_notify(&message, PROTOCOL_NONE, NOTIFY_USE_TRANSPORT_MODE, VIEW_NONE, VIEW_NONE);
		child_write_spi(&message, &duo.host[0].ike->offer_child, NULL, 0x11223344);
		message_nonce(&message, VIEW_OF(nonce));
		ts_write(&message, PAYLOAD_TSI, what ? &host : &duo.host[1].addr);
		ts_write(&message, PAYLOAD_TSR, &duo.host[0].addr);
		hostile_message(&duo, 0, sa, EXCHANGE_CREATE_CHILD_SA, false, &message);
		if (what == 0) {
			assert_true(hostile_answered(&duo, sa, NOTIFY_TS_UNACCEPTABLE));
			assert_int_equal(duo.host[0].child_ups, 1);
		} else {
			assert_int_equal(duo.host[0].child_ups, 2);
			assert_true(duo.host[0].kids[1].keys.tunnel);
			assert_false(hostile_answered(&duo, sa, NOTIFY_USE_TRANSPORT_MODE));
		}
		duo_end(&duo);
	}
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tunnels_for_the_host),
		cmocka_unit_test(test_no_initial_contact),
		cmocka_unit_test(test_a_gateway_for_nobody),
		cmocka_unit_test(test_no_other_traffic),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
