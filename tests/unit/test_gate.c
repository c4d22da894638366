// SPDX-License-Identifier: Apache-2.0
/*
 * The gate matrix cell by cell, written out a second time from DESIGN 4 and 5, and what a failure leads to.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/addr.h"

#include "base/nstime.h"
#include "core/backoff.h"
#include "core/gate.h"

struct cell {
	enum peer_state state;
	enum hf_group group;
	bool sticky;
	enum gate_show want;
};

#define C HF_GROUP_CLEAR
#define CP HF_GROUP_CLEAR_OR_PRIVATE
#define PC HF_GROUP_PRIVATE_OR_CLEAR
#define P HF_GROUP_PRIVATE
#define B HF_GROUP_BLOCK

/* Undecided states hold what DESIGN 4 holds; a sticky pair is as private in every state. */
static const struct cell cells[] = {
	{ PEER_IDLE, C, false, GATE_NONE },	  { PEER_IDLE, CP, false, GATE_NONE },
	{ PEER_IDLE, PC, false, GATE_NONE },	  { PEER_IDLE, P, false, GATE_NONE },
	{ PEER_IDLE, B, false, GATE_NONE },	  { PEER_IDLE, C, true, GATE_NONE },
	{ PEER_IDLE, CP, true, GATE_HOLD },	  { PEER_IDLE, PC, true, GATE_HOLD },
	{ PEER_IDLE, P, true, GATE_NONE },	  { PEER_IDLE, B, true, GATE_NONE },
	{ PEER_LOOKUP, C, false, GATE_NONE },	  { PEER_LOOKUP, CP, false, GATE_NONE },
	{ PEER_LOOKUP, PC, false, GATE_HOLD },	  { PEER_LOOKUP, P, false, GATE_HOLD },
	{ PEER_LOOKUP, B, false, GATE_NONE },	  { PEER_LOOKUP, C, true, GATE_NONE },
	{ PEER_LOOKUP, CP, true, GATE_HOLD },	  { PEER_LOOKUP, PC, true, GATE_HOLD },
	{ PEER_LOOKUP, P, true, GATE_HOLD },	  { PEER_LOOKUP, B, true, GATE_NONE },
	{ PEER_NEGOTIATE, C, false, GATE_NONE },  { PEER_NEGOTIATE, CP, false, GATE_NONE },
	{ PEER_NEGOTIATE, PC, false, GATE_HOLD }, { PEER_NEGOTIATE, P, false, GATE_HOLD },
	{ PEER_NEGOTIATE, B, false, GATE_NONE },  { PEER_NEGOTIATE, C, true, GATE_NONE },
	{ PEER_NEGOTIATE, CP, true, GATE_HOLD },  { PEER_NEGOTIATE, PC, true, GATE_HOLD },
	{ PEER_NEGOTIATE, P, true, GATE_HOLD },	  { PEER_NEGOTIATE, B, true, GATE_NONE },
	{ PEER_INSTALL, C, false, GATE_NONE },	  { PEER_INSTALL, CP, false, GATE_HOLD },
	{ PEER_INSTALL, PC, false, GATE_HOLD },	  { PEER_INSTALL, P, false, GATE_HOLD },
	{ PEER_INSTALL, B, false, GATE_NONE },	  { PEER_INSTALL, C, true, GATE_NONE },
	{ PEER_INSTALL, CP, true, GATE_HOLD },	  { PEER_INSTALL, PC, true, GATE_HOLD },
	{ PEER_INSTALL, P, true, GATE_HOLD },	  { PEER_INSTALL, B, true, GATE_NONE },
	{ PEER_HANDOFF, C, false, GATE_NONE },	  { PEER_HANDOFF, CP, false, GATE_HOLD },
	{ PEER_HANDOFF, PC, false, GATE_HOLD },	  { PEER_HANDOFF, P, false, GATE_HOLD },
	{ PEER_HANDOFF, B, false, GATE_NONE },	  { PEER_HANDOFF, C, true, GATE_NONE },
	{ PEER_HANDOFF, CP, true, GATE_HOLD },	  { PEER_HANDOFF, PC, true, GATE_HOLD },
	{ PEER_HANDOFF, P, true, GATE_HOLD },	  { PEER_HANDOFF, B, true, GATE_NONE },
	{ PEER_SECURE, C, false, GATE_NONE },	  { PEER_SECURE, CP, false, GATE_SECURE },
	{ PEER_SECURE, PC, false, GATE_SECURE },  { PEER_SECURE, P, false, GATE_SECURE },
	{ PEER_SECURE, B, false, GATE_NONE },	  { PEER_SECURE, C, true, GATE_NONE },
	{ PEER_SECURE, CP, true, GATE_SECURE },	  { PEER_SECURE, PC, true, GATE_SECURE },
	{ PEER_SECURE, P, true, GATE_SECURE },	  { PEER_SECURE, B, true, GATE_NONE },
	{ PEER_CLEAR, C, false, GATE_NONE },	  { PEER_CLEAR, CP, false, GATE_NONE },
	{ PEER_CLEAR, PC, false, GATE_CLEAR },	  { PEER_CLEAR, P, false, GATE_BLOCK },
	{ PEER_CLEAR, B, false, GATE_NONE },	  { PEER_CLEAR, C, true, GATE_NONE },
	{ PEER_CLEAR, CP, true, GATE_BLOCK },	  { PEER_CLEAR, PC, true, GATE_BLOCK },
	{ PEER_CLEAR, P, true, GATE_BLOCK },	  { PEER_CLEAR, B, true, GATE_NONE },
	{ PEER_DENIED, C, false, GATE_NONE },	  { PEER_DENIED, CP, false, GATE_NONE },
	{ PEER_DENIED, PC, false, GATE_BLOCK },	  { PEER_DENIED, P, false, GATE_BLOCK },
	{ PEER_DENIED, B, false, GATE_NONE },	  { PEER_DENIED, C, true, GATE_NONE },
	{ PEER_DENIED, CP, true, GATE_BLOCK },	  { PEER_DENIED, PC, true, GATE_BLOCK },
	{ PEER_DENIED, P, true, GATE_BLOCK },	  { PEER_DENIED, B, true, GATE_NONE },
};

static void shows_what_the_table_says(void **state)
{
	(void)state;
	assert_int_equal(sizeof(cells) / sizeof(cells[0]), PEER_STATES * HF_GROUP_COUNT * 2);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		const struct cell *cell = &cells[i];

		if (gate_show(cell->state, cell->group, cell->sticky) != cell->want)
			fail_msg("%s, group %s%s", peer_state_name(cell->state), group_name(cell->group),
				 cell->sticky ? ", sticky" : "");
	}
}

static void never_clear_where_it_must_not(void **state)
{
	(void)state;
	for (int peer = 0; peer < PEER_STATES; peer++) {
		assert_int_not_equal(gate_show(peer, P, false), GATE_CLEAR);
		for (int group = CP; group <= P; group++)
			assert_int_not_equal(gate_show(peer, group, true), GATE_CLEAR);
	}
}

static void failure_is_closed_for_private_and_sticky(void **state)
{
	(void)state;
	assert_int_equal(failure_state(P, false), PEER_DENIED);
	assert_int_equal(failure_state(P, true), PEER_DENIED);
	assert_int_equal(failure_state(PC, false), PEER_CLEAR);
	assert_int_equal(failure_state(PC, true), PEER_DENIED);
	assert_int_equal(failure_state(CP, false), PEER_CLEAR);
	assert_int_equal(failure_state(CP, true), PEER_DENIED);
}

static void remembers_failures_as_long_as_documented(void **state)
{
	(void)state;
	assert_int_equal(backoff_span(FAILURE_NEGOTIATION, PEER_CLEAR, 1), 60 * NSTIME_S);
	assert_int_equal(backoff_span(FAILURE_NEGOTIATION, PEER_CLEAR, 2), 120 * NSTIME_S);
	assert_int_equal(backoff_span(FAILURE_NEGOTIATION, PEER_CLEAR, 5), 900 * NSTIME_S);
	assert_int_equal(backoff_span(FAILURE_NEGOTIATION, PEER_CLEAR, 4000000000u), 900 * NSTIME_S);
	assert_int_equal(backoff_span(FAILURE_NO_KEY, PEER_CLEAR, 1), 900 * NSTIME_S);
	assert_int_equal(backoff_span(FAILURE_LOOKUP, PEER_DENIED, 1), 2 * NSTIME_S);
	assert_int_equal(backoff_span(FAILURE_LOOKUP, PEER_DENIED, 9), 30 * NSTIME_S);
}

static void starts_and_answers_by_group(void **state)
{
	(void)state;
	assert_false(group_wants_sas(C) || group_wants_sas(CP) || group_wants_sas(B));
	assert_true(group_wants_sas(PC) && group_wants_sas(P));
	assert_false(group_answers(C) || group_answers(B));
	assert_true(group_answers(CP) && group_answers(PC) && group_answers(P));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_what_the_table_says),
		cmocka_unit_test(never_clear_where_it_must_not),
		cmocka_unit_test(failure_is_closed_for_private_and_sticky),
		cmocka_unit_test(remembers_failures_as_long_as_documented),
		cmocka_unit_test(starts_and_answers_by_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
