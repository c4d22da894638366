// SPDX-License-Identifier: Apache-2.0
/*
 * SAs whose peer has another key by now: no more at a time than there is room for, of which the operator hears, and an end for a peer that does not use its
 * next key. Two engines of ike_duo.h have the SAs; the agent is played by this file. The looks are a second apart, by the machine's own clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/addr.h"
#include "core/limits.h"
#include "daemon/negotiator_internal.h"
#include "ike_duo.h"

static struct event_base *base;
static struct duo duo;
static struct negotiator negotiator;
static struct renewals *renewals;
static struct ike_view sas; /* that stand */
static size_t begun, ended;

/* ---- the agent ---------------------------------------------------------------------------------- */

struct event_base *agent_base(const struct agent *agent)
{
	(void)agent;
	return base;
}

uint64_t agent_now(void)
{
	return duo.now;
}

void agent_event(struct agent *agent, const struct core_event *event)
{
	(void)agent;
	ended += event->type == EVENT_KEY_GONE && pair_equal(&event->pair, &sas.pair);
}

void negotiator_start(struct negotiator *arg, const struct hf_pair *pair, const struct hf_addr *gateway, bool probe)
{
	(void)arg;
	(void)gateway;
	(void)probe;
	begun += pair_equal(pair, &sas.pair);
}

void negotiator_settle(struct negotiator *arg)
{
	(void)arg;
	duo_drain(&duo, 0);
}

/* ---- tests -------------------------------------------------------------------------------------- */

static bool take(void *arg, const struct ike_view *view)
{
	(void)arg;
	sas = *view;
	return false;
}

static int set_up(void **state)
{
	const struct hf_pair *pair = &duo.host[0].last_up.pair;

	(void)state;
	base = event_base_new();
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	ike_each_of_pair(duo.host[0].ike, pair, take, NULL);
	negotiator.ike = duo.host[0].ike;
	begun = ended = 0;
	renewals = renewals_new(&negotiator);
	return base && renewals && sas.established ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	renewals_free(renewals);
	duo_end(&duo);
	event_base_free(base);
	return 0;
}

static bool begin(const struct hf_pair *pair)
{
	static const struct hf_addr no_gateway;

	return renewals_begin(renewals, pair, &no_gateway, sas.key, 60 * NSTIME_S);
}

/* One without SAs, which is over at the next look. */
static bool begin_nth(uint32_t n)
{
	const uint8_t octets[4] = { 203, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	const struct hf_pair pair = { .remote = addr_from_octets(octets, sizeof(octets)) };

	return begin(&pair);
}

static void look(void)
{
	event_base_loop(base, EVLOOP_ONCE);
}

static void test_room(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < LIMIT_RENEWALS; n++)
		assert_true(begin_nth(n));
	assert_true(begin(&sas.pair));
	assert_true(begin(&sas.pair)); /* that is under way */
	assert_int_equal(renewals_refused(renewals), 0);
	assert_false(begin_nth(0));
	assert_int_equal(renewals_refused(renewals), 1);
	look();
	assert_true(begin_nth(0));
	assert_int_equal(renewals_refused(renewals), 1);
	assert_int_equal(begun, 1);
}

static void test_end(void **state)
{
	(void)state;
	assert_true(begin(&sas.pair));
	duo.now += 59 * NSTIME_S;
	look();
	assert_int_equal(begun, 1);
	assert_int_equal(ended, 0);
	duo.now += 2 * NSTIME_S;
	look();
	assert_int_equal(ended, 1);
	duo_run(&duo);
	assert_int_equal(duo.host[1].downs, 1);
	assert_int_equal(begun, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
