// SPDX-License-Identifier: Apache-2.0
/*
 * Handoffs under a processor that has no time: an order that may be lost is counted, a packet that a program has counted and
 * not put down yet is waited for. Each test tells one story.
 */
#include "core_room.h"

static void tell(struct room *room, struct core_event event)
{
	event.pair = room_pair(3, 7);
	room_tell(room, event);
}

static void drained(struct room *room, bool empty, bool none)
{
	tell(room, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = empty, .none = none } });
}

static enum peer_state state_of(const struct room *room)
{
	struct hf_pair pair = room_pair(3, 7);
	struct peer_view view;

	assert_true(core_find(room->core, &view, &pair));
	return view.state;
}

static uint64_t cuts(const struct room *room)
{
	struct core_counts counts;

	core_count(room->core, &counts);
	return counts.handoffs_cut;
}

/* Up to the first drain, before the out-policy. */
static void begin(struct room *room)
{
	tell(room, (struct core_event){ .type = EVENT_FLOW_MISS });
	tell(room, (struct core_event){ .type = EVENT_KEY });
	tell(room, room_child(false));
	tell(room, room_added());
	assert_int_equal(state_of(room), PEER_HANDOFF);
}

/* ESP waited for what was held as long as the gate said, which was not long enough. */
static void an_agent_without_processor_time_says_so(void **state)
{
	struct room *room = *state;

	begin(room);
	room_pass(room, NSTIME_S); /* until now everything is held: nothing can overtake */
	drained(room, true, false);
	tell(room, (struct core_event){ .type = EVENT_POLICY_SET });
	assert_int_equal(cuts(room), 0);
	room_pass(room, NSTIME_S);
	drained(room, true, false);
	assert_int_equal(state_of(room), PEER_SECURE);
	assert_int_equal(cuts(room), 1);
}

/* In a handoff it is asked for again, and a bounded number of times; once secure, the sweep comes back to it. */
static void what_is_not_there_yet_is_waited_for(void **state)
{
	struct room *room = *state;

	begin(room);
	drained(room, false, true);
	assert_int_equal(room->count, 1);
	assert_int_equal(room->drawn[0].type, ACTION_DRAIN);
	drained(room, true, false);
	tell(room, (struct core_event){ .type = EVENT_POLICY_SET });
	for (int i = 0; i < 100 && state_of(room) == PEER_HANDOFF; i++)
		drained(room, false, true);
	assert_int_equal(state_of(room), PEER_SECURE);
	assert_int_equal(cuts(room), 1);
	drained(room, false, true);
	assert_int_equal(room->count, 0);
}

static void end(struct room *room, bool sent)
{
	drained(room, true, !sent);
	tell(room, (struct core_event){ .type = EVENT_POLICY_SET });
	drained(room, true, true);
	assert_int_equal(state_of(room), PEER_SECURE);
}

/* The peer waits with what it has until it knows that we read: ESP says so, or a message. */
static void who_has_nothing_to_send_says_that_it_reads(void **state)
{
	struct room *room = *state;

	tell(room, (struct core_event){ .type = EVENT_UNREADABLE });
	tell(room, (struct core_event){ .type = EVENT_KEY });
	tell(room, room_child(false));
	tell(room, room_added());
	end(room, false);
	assert_false(room_order(room, ACTION_PROBE)->probe_soon);
}

static void who_has_sent_says_nothing_more(void **state)
{
	struct room *room = *state;

	begin(room);
	end(room, true);
	room_no_order(room, ACTION_PROBE);
}

static void who_did_not_begin_says_nothing(void **state)
{
	struct room *room = *state;

	tell(room, room_child(true));
	tell(room, room_added());
	tell(room, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	assert_int_equal(state_of(room), PEER_HANDOFF);
	end(room, false);
	room_no_order(room, ACTION_PROBE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(an_agent_without_processor_time_says_so),
		STORY(what_is_not_there_yet_is_waited_for),
		STORY(who_has_nothing_to_send_says_that_it_reads),
		STORY(who_has_sent_says_nothing_more),
		STORY(who_did_not_begin_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
