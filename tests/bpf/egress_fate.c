// SPDX-License-Identifier: Apache-2.0
/* Tells the fate of packets at egress. See egress_fate.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "egress_fate.h"

static const char *const fate_names[] = { "by policy", "clear", "ESP",	   "exempt",
					  "held",      "stray", "blocked", "something else" };

void fate_drain(struct run *run, const struct hf_pair *pair)
{
	struct hf_slot_head head;
	int queue = run_queue(run, pair);

	if (queue < 0)
		return;
	while (run_take(run, (uint32_t)queue, &head, NULL))
		;
	assert_true(run_queue_close(run, (uint32_t)queue));
}

/* The fate by action, counter and event together; they must agree, and exactly one counter moves. */
static enum fate fate_of(struct run *run, const struct packet_bytes *packet)
{
	struct hf_count a = run_counts(run), b;
	int action = run_packet(run, packet, NULL);
	unsigned int events = run_events(run);

	b = run_counts(run);
	assert_int_equal(run_fates(&b) - run_fates(&a), 1);
	if (b.out_by_policy != a.out_by_policy && run_is_pass(action) && !events)
		return FATE_POLICY;
	if (b.out_clear != a.out_clear && run_is_pass(action) && !events)
		return FATE_CLEAR;
	if (b.out_esp != a.out_esp && run_is_pass(action) && !events)
		return FATE_ESP;
	if (b.out_exempt != a.out_exempt && run_is_pass(action) && !events)
		return FATE_EXEMPT;
	if (b.held != a.held && run_is_stolen(run, action) && events == 1)
		return run->event.type == HF_EVENT_STRAY && b.held_stray != a.held_stray       ? FATE_STRAY
		       : run->event.type == HF_EVENT_FLOW_MISS && b.held_stray == a.held_stray ? FATE_HELD
											       : FATE_OTHER;
	if (b.drop_block != a.drop_block && run_is_drop(action) && events == 1 && run->event.type == HF_EVENT_DENIED)
		return FATE_BLOCKED;
	return FATE_OTHER;
}

void fate_expect(struct run *run, const struct packet_bytes *packet, enum fate fate, const char *what)
{
	enum fate seen = fate_of(run, packet);

	if (seen != fate)
		fail_msg("%s: %s, expected %s", what, fate_names[seen], fate_names[fate]);
}
