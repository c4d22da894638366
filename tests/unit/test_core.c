// SPDX-License-Identifier: Apache-2.0
/*
 * Peer life, fed with facts and read by its orders. Each test tells one story.
 */
#include <errno.h>

#include "core_room.h"

static void packets(struct room *room, const struct hf_pair *pair)
{
	room_tell(room, (struct core_event){ .type = EVENT_FLOW_MISS, .pair = *pair });
}

/* The next drawn order must be of this type. */
static const struct action *expect(struct room *room, enum action_type type)
{
	if (room->next >= room->count)
		fail_msg("no more orders, wanted type %d", type);
	assert_int_equal(room->drawn[room->next].type, type);
	return &room->drawn[room->next++];
}

static const struct action *expect_gate(struct room *room, enum hf_verdict verdict)
{
	const struct action *action = expect(room, ACTION_GATE);

	assert_true(action->gate.present);
	assert_int_equal(action->gate.value.verdict, verdict);
	return action;
}

static const struct action *expect_drain(struct room *room, enum drain_how how, bool close)
{
	const struct action *action = expect(room, ACTION_DRAIN);

	assert_int_equal(action->drain.how, how);
	assert_int_equal(action->drain.close, close);
	return action;
}

static void expect_end(const struct room *room)
{
	if (room->next != room->count)
		fail_msg("unexpected order of type %d", room->drawn[room->next].type);
}

static void answer(struct room *room, const struct action *to, struct core_event event)
{
	event.peer = to->peer;
	event.pair = to->pair;
	room_tell(room, event);
}

static void drained(struct room *room, const struct action *to, bool empty)
{
	answer(room, to, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = empty } });
}

static enum peer_state state_of(const struct room *room, const struct hf_pair *pair)
{
	struct peer_view view;

	assert_true(core_find(room->core, &view, pair));
	return view.state;
}

/* Up to the order to install. */
static struct action negotiate(struct room *room, const struct hf_pair *pair)
{
	struct action to;

	packets(room, pair);
	expect_gate(room, HF_VERDICT_HOLD);
	to = *expect(room, ACTION_LOOKUP);
	expect_end(room);
	answer(room, &to, (struct core_event){ .type = EVENT_KEY });
	expect(room, ACTION_NEGOTIATE);
	expect_end(room);
	answer(room, &to, room_child(false));
	return *expect(room, ACTION_SA_ADD);
}

static struct action secure(struct room *room, const struct hf_pair *pair)
{
	struct action to = negotiate(room, pair);

	answer(room, &to, room_added());
	drained(room, &to, true);
	answer(room, &to, (struct core_event){ .type = EVENT_POLICY_SET });
	drained(room, &to, true);
	assert_int_equal(state_of(room, pair), PEER_SECURE);
	return to;
}

/* DESIGN 7: SAs, held packets, out-policy, the rest, verdict, in-policy. */
static void first_packet_to_secure(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to = negotiate(room, &pair);
	const struct action *action;

	assert_int_equal(to.sa.child.spi_out_be, 0x2222);
	assert_int_equal(to.sa.child.key_in[0], 0x5a);
	assert_int_equal(to.reqid & 0xfff00000u, REQID);
	expect_end(room);

	answer(room, &to, room_added());
	action = expect_gate(room, HF_VERDICT_HOLD);
	assert_true(action->gate.handoff);
	assert_true(action->gate.value.handoff_until_ns > room->now);
	expect_drain(room, DRAIN_SEALED, false);
	expect_end(room);

	drained(room, &to, true);
	assert_false(expect(room, ACTION_POLICY_SET)->policy.in);
	expect_end(room);

	answer(room, &to, (struct core_event){ .type = EVENT_POLICY_SET });
	assert_true(expect_gate(room, HF_VERDICT_SECURE)->gate.handoff);
	expect_drain(room, DRAIN_SEALED, false);
	expect_end(room);

	drained(room, &to, true);
	action = expect_gate(room, HF_VERDICT_SECURE);
	assert_true(action->gate.handoff); /* strays of other processors keep their order, too */
	assert_int_equal(action->gate.value.flags & HF_GATE_IN_CLEAR, 0);
	expect_drain(room, DRAIN_SEALED, true);
	assert_true(expect(room, ACTION_POLICY_SET)->policy.in);
	expect_end(room);
}

static void more_packets_change_nothing_while_under_way(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to = negotiate(room, &pair);

	packets(room, &pair);
	expect_end(room);
	answer(room, &to, room_added());
	packets(room, &pair);
	expect_end(room);
}

static void sender_faster_than_release_is_bounded(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to = negotiate(room, &pair);
	struct core_counts counts;
	int rounds = 0;

	answer(room, &to, room_added());
	while (state_of(room, &pair) == PEER_HANDOFF && rounds++ < 100) {
		drained(room, &to, false);
		if (room->count && room->drawn[0].type == ACTION_POLICY_SET)
			answer(room, &to, (struct core_event){ .type = EVENT_POLICY_SET });
	}
	assert_int_equal(state_of(room, &pair), PEER_SECURE);
	core_count(room->core, &counts);
	assert_true(counts.handoffs_cut > 0);
}

/* The in-policy waits until the peer is seen to seal where clear packets may still be on their way. */
static void in_policy_last_for_private_or_clear(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);
	struct action to = secure(room, &pair);
	const struct action *action;

	assert_true(expect_gate(room, HF_VERDICT_SECURE)->gate.value.flags & HF_GATE_IN_CLEAR);
	expect_drain(room, DRAIN_SEALED, true);
	expect_end(room);
	room_pass(room, 5 * NSTIME_MS);
	action = expect(room, ACTION_CHECK_SEALS);
	assert_int_equal(action->spi_in_be, 0x1111);
	expect_end(room);
	answer(room, &to, (struct core_event){ .type = EVENT_SEALS, .seals = false });
	expect_end(room);
	room_pass(room, 20 * NSTIME_MS);
	expect(room, ACTION_CHECK_SEALS);
	answer(room, &to, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	assert_int_equal(expect_gate(room, HF_VERDICT_SECURE)->gate.value.flags, 0);
	assert_true(expect(room, ACTION_POLICY_SET)->policy.in);
	expect_end(room);
	/* What is left to look at is whether the peer lives. */
	room_pass(room, 10 * NSTIME_S);
	expect_end(room);
}

/* Strays keep their place until the handoff ends, whatever else the gate learns meanwhile. */
static void a_handoff_keeps_its_end(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);
	struct action to = secure(room, &pair);
	uint64_t end = expect_gate(room, HF_VERDICT_SECURE)->gate.value.handoff_until_ns;
	const struct action *action;

	assert_true(end > room->now + 25 * NSTIME_MS);
	room_pass(room, 25 * NSTIME_MS);
	answer(room, &to, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	action = expect_gate(room, HF_VERDICT_SECURE);
	assert_true(action->gate.handoff);
	assert_int_equal(action->gate.value.handoff_until_ns, end);

	/* Once it is over, a gate that is shown again says nothing of it. */
	room_pass(room, NSTIME_S);
	answer(room, &to, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	action = expect_gate(room, HF_VERDICT_SECURE);
	assert_false(action->gate.handoff);
	assert_int_equal(action->gate.value.handoff_until_ns, 0);
}

/* A responder whose SAs stand both at once seals when the initiator does, or when that has had a lot of time. */
static void responder_waits_for_the_initiator(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 9);
	struct core_event up = room_child(true);
	struct action to;

	up.pair = pair;
	room_tell(room, up);
	to = *expect(room, ACTION_SA_ADD);
	expect_end(room);
	answer(room, &to, room_added());
	expect_end(room);
	room_pass(room, 5 * NSTIME_MS);
	expect(room, ACTION_CHECK_SEALS);
	answer(room, &to, (struct core_event){ .type = EVENT_SEALS, .seals = false });
	expect_end(room);
	assert_int_equal(state_of(room, &pair), PEER_INSTALL);
	room_pass(room, 6 * NSTIME_S);
	expect(room, ACTION_CHECK_SEALS);
	answer(room, &to, (struct core_event){ .type = EVENT_SEALS, .seals = false });
	expect_gate(room, HF_VERDICT_HOLD);
	expect_drain(room, DRAIN_SEALED, false);
	assert_int_equal(state_of(room, &pair), PEER_HANDOFF);
}

static void refuses_a_child_of_clear_and_block(void **state)
{
	struct room *room = *state;
	struct core_event up = room_child(true);

	up.pair = room_pair(200, 1);
	room_tell(room, up);
	expect(room, ACTION_CHILD_GONE);
	expect_end(room);
	up.pair = room_pair(4, 1);
	room_tell(room, up);
	expect(room, ACTION_CHILD_GONE);
	expect_end(room);
}

static void private_failure_denies_and_tells(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to;

	packets(room, &pair);
	to = room->drawn[1];
	answer(room, &to, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_true(expect_gate(room, HF_VERDICT_BLOCK)->gate.value.until_ns > room->now);
	expect_drain(room, DRAIN_DENY, true);
	expect_end(room);
	packets(room, &pair);
	expect_drain(room, DRAIN_DENY, true);
	expect_end(room);

	/* After the memory ends the next packet is a new attempt. */
	room_pass(room, 3 * NSTIME_S);
	assert_false(expect(room, ACTION_GATE)->gate.present);
	expect_end(room);
	packets(room, &pair);
	expect_gate(room, HF_VERDICT_HOLD);
	expect(room, ACTION_LOOKUP);
}

static void open_failure_goes_clear_in_order(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);
	const struct action *gate;
	struct action to;

	packets(room, &pair);
	to = room->drawn[1];
	answer(room, &to, (struct core_event){ .type = EVENT_NO_KEY });
	gate = expect_gate(room, HF_VERDICT_CLEAR);
	assert_int_equal(gate->gate.value.until_ns, room->now + 900 * NSTIME_S);
	assert_true(gate->gate.handoff); /* newer packets queue behind those that are released */
	expect_drain(room, DRAIN_CLEAR, true);
	expect_end(room);
}

static void silence_ends_by_the_clock(void **state)
{
	struct room *room = *state;
	struct hf_pair open = room_pair(2, 7), closed = room_pair(3, 7);
	struct action to;

	packets(room, &open);
	to = room->drawn[1];
	answer(room, &to, (struct core_event){ .type = EVENT_KEY });
	packets(room, &closed);
	to = room->drawn[1];
	answer(room, &to, (struct core_event){ .type = EVENT_KEY });
	room_pass(room, 7 * NSTIME_S);
	expect_end(room);
	room_pass(room, NSTIME_S);
	expect(room, ACTION_ABANDON);
	expect_gate(room, HF_VERDICT_CLEAR);
	expect_drain(room, DRAIN_CLEAR, true);
	expect_end(room);
	assert_int_equal(state_of(room, &closed), PEER_NEGOTIATE);
	room_pass(room, 60 * NSTIME_S);
	assert_int_equal(state_of(room, &closed), PEER_DENIED);
}

static void late_answers_do_nothing(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to = negotiate(room, &pair);

	room_tell(room, (struct core_event){ .type = EVENT_LOCAL_GONE, .pair = pair });
	room_pass(room, 1);
	assert_false(core_find(room->core, &(struct peer_view){ 0 }, &pair));
	answer(room, &to, room_added());
	expect_end(room);
	answer(room, &to, room_child(false));
	expect_end(room);
}

/* The gate closes first, then policies and SAs go; the attempt starts anew. */
static void lost_sa_closes_before_it_opens(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	secure(room, &pair);
	room_tell(room, (struct core_event){ .type = EVENT_SA_EXPIRED,
					     .pair = pair,
					     .expired = { .spi_be = 0x2222, .hard = true } });
	expect_gate(room, HF_VERDICT_HOLD);
	expect(room, ACTION_LOOKUP);
	expect(room, ACTION_POLICY_DEL);
	expect(room, ACTION_POLICY_DEL);
	expect(room, ACTION_SA_DEL);
	expect(room, ACTION_CHILD_GONE);
	expect_end(room);
}

static void soft_limit_rekeys_under_the_standing_policy(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to = secure(room, &pair);
	struct core_event soft = { .type = EVENT_SA_EXPIRED, .pair = pair, .expired = { .spi_be = 0x2222 } };
	struct core_event up = room_child(false);
	struct action gone;

	room_tell(room, soft);
	assert_int_equal(expect(room, ACTION_REKEY)->spi_in_be, 0x1111);
	expect_end(room);
	/* The responder of a rekey reads with the new SA before it sends with it. */
	up.up.child.spi_in_be = 0x3333;
	up.up.child.spi_out_be = 0x4444;
	up.up.out = false;
	answer(room, &to, up);
	assert_false(expect(room, ACTION_SA_ADD)->sa.out);
	answer(room, &to, (struct core_event){ .type = EVENT_SA_ADDED, .added = { .spi_in_be = 0x3333, .in = true } });
	expect_end(room);
	up.type = EVENT_CHILD_USE;
	answer(room, &to, up);
	assert_false(expect(room, ACTION_SA_ADD)->sa.in);
	answer(room, &to, (struct core_event){ .type = EVENT_SA_ADDED, .added = { .spi_in_be = 0x3333, .out = true } });
	expect_end(room);
	/* Then the old one stops sending, and goes. */
	up = room_child(false);
	up.type = EVENT_CHILD_QUIET;
	answer(room, &to, up);
	gone = *expect(room, ACTION_SA_DEL);
	assert_true(gone.sa.out && !gone.sa.in && gone.sa.child.spi_out_be == 0x2222);
	up.type = EVENT_CHILD_DOWN;
	answer(room, &to, up);
	gone = *expect(room, ACTION_SA_DEL);
	assert_true(gone.sa.in && !gone.sa.out && gone.sa.child.spi_in_be == 0x1111);
	expect_end(room);
	assert_int_equal(state_of(room, &pair), PEER_SECURE);
}

/* The last Child SA went by agreement: the gate closes, what protected goes, the next packet starts anew. */
static void last_child_down_waits_for_the_next_packet(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct action to = secure(room, &pair);
	struct core_event down = room_child(false);

	down.type = EVENT_CHILD_DOWN;
	answer(room, &to, down);
	assert_false(expect(room, ACTION_GATE)->gate.present);
	expect(room, ACTION_POLICY_DEL);
	expect(room, ACTION_POLICY_DEL);
	expect(room, ACTION_SA_DEL);
	expect_end(room);
	assert_int_equal(state_of(room, &pair), PEER_IDLE);
	packets(room, &pair);
	expect_gate(room, HF_VERDICT_HOLD);
	expect(room, ACTION_LOOKUP);
	expect_end(room);
}

/* Both started: the second Child SA joins the first; a third that nobody asked for is refused. */
static void crossing_children_stand_side_by_side(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 9);
	struct core_event up = room_child(true);
	struct action to;

	up.pair = pair;
	room_tell(room, up);
	to = *expect(room, ACTION_SA_ADD);
	up.up.responder = false;
	up.up.child.spi_in_be = 0x3333;
	room_tell(room, up);
	assert_int_equal(expect(room, ACTION_SA_ADD)->sa.child.spi_in_be, 0x3333);
	answer(room, &to, room_added());
	/* The peer answered ours, so it has SAs: no waiting for its ESP. */
	expect_gate(room, HF_VERDICT_HOLD);
	expect_drain(room, DRAIN_SEALED, false);
	expect_end(room);
	up.up.child.spi_in_be = 0x5555;
	up.up.child.tunnel = true;
	room_tell(room, up);
	assert_int_equal(expect(room, ACTION_CHILD_GONE)->spi_in_be, 0x5555);
	expect_end(room);
}

static void foreign_source_is_not_negotiated_for(void **state)
{
	struct room *room = *state;
	struct hf_pair open = room_pair(2, 7), closed = room_pair(3, 7);

	room_tell(room, (struct core_event){ .type = EVENT_FLOW_MISS, .pair = open, .error = -EADDRNOTAVAIL });
	expect_gate(room, HF_VERDICT_CLEAR);
	expect_drain(room, DRAIN_CLEAR, true);
	expect_end(room);
	room_tell(room, (struct core_event){ .type = EVENT_FLOW_MISS, .pair = closed, .error = -EADDRNOTAVAIL });
	expect_gate(room, HF_VERDICT_BLOCK);
	expect_drain(room, DRAIN_DENY, true);
	expect_end(room);
}

/* A full pool forgets remembered failures first, and never a pair that is secure or on its way. */
static void full_pool_is_a_normal_answer(void **state)
{
	struct room *room = *state;
	struct hf_pair kept = room_pair(3, 1), failed = room_pair(2, 2), pair;
	struct core_counts counts;

	secure(room, &kept);
	room_tell(room, (struct core_event){ .type = EVENT_FLOW_MISS, .pair = failed, .error = -EADDRNOTAVAIL });
	for (uint8_t i = 3; i <= PEERS; i++) {
		pair = room_pair(3, i);
		packets(room, &pair);
	}
	pair = room_pair(3, 100);
	packets(room, &pair);
	assert_false(core_find(room->core, &(struct peer_view){ 0 }, &failed));
	assert_int_equal(state_of(room, &pair), PEER_LOOKUP);
	pair = room_pair(3, 101);
	packets(room, &pair);
	expect_drain(room, DRAIN_DENY, true);
	expect_end(room);
	assert_int_equal(state_of(room, &kept), PEER_SECURE);
	core_count(room->core, &counts);
	assert_int_equal(counts.peers_full, 1);
	assert_int_equal(counts.evicted, 1);
}

/* Peers that never answer hold the pool only while what they hold may still be sent. */
static void silent_peers_make_room(void **state)
{
	struct room *room = *state;
	struct hf_pair pair;

	for (uint8_t i = 1; i <= PEERS; i++) {
		struct action to;

		pair = room_pair(3, i);
		packets(room, &pair);
		to = room->drawn[1];
		answer(room, &to, (struct core_event){ .type = EVENT_KEY });
	}
	pair = room_pair(3, 100);
	packets(room, &pair);
	expect_drain(room, DRAIN_DENY, true);
	expect_end(room);
	room_pass(room, 11 * NSTIME_S);
	expect_end(room);
	packets(room, &pair);
	expect(room, ACTION_ABANDON);
	assert_false(expect(room, ACTION_GATE)->gate.present);
	expect_gate(room, HF_VERDICT_HOLD);
	expect(room, ACTION_LOOKUP);
	expect_end(room);
}

static void adopts_what_stands(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct core_event event = { .type = EVENT_ADOPT, .pair = pair };
	struct peer_view view;

	event.adopt.spi_in_be = 0x1111;
	event.adopt.spi_out_be = 0x2222;
	event.adopt.in_policy = true;
	event.adopt.reqid = REQID + 5;
	room_tell(room, event);
	expect_gate(room, HF_VERDICT_SECURE);
	expect_drain(room, DRAIN_SEALED, true);
	expect_end(room);
	assert_true(core_find(room->core, &view, &pair));
	assert_int_equal(view.reqid, REQID + 5);
}

static void reload_moves_only_what_changed(void **state)
{
	struct room *room = *state;
	struct hf_pair secured = room_pair(3, 7), denied = room_pair(2, 7), other = room_pair(3, 8);
	struct policy_entry entries[4];
	struct policy fresh;
	struct action to;

	secure(room, &secured);
	room_tell(room, (struct core_event){ .type = EVENT_FLOW_MISS, .pair = denied, .error = -EADDRNOTAVAIL });
	packets(room, &other);
	to = room->drawn[1];
	policy_init(&fresh, entries, 4, HF_GROUP_CLEAR);
	room->policy = fresh;
	room->policy.entries = room->entries;
	room->policy.max = 8;
	room_rule(room, "10.2.0.0/16", HF_GROUP_PRIVATE_OR_CLEAR); /* as before */
	room_rule(room, "10.3.0.7/32", HF_GROUP_PRIVATE_OR_CLEAR);
	assert_int_equal(policy_finish(&room->policy, NULL), 0);
	core_set_policy(room->core, &room->policy, room->now);
	room_pass(room, 1);
	/* 10.3.0.7 stays secured; 10.3.0.8 is clear now: what it holds goes, and it is forgotten. */
	assert_int_equal(state_of(room, &secured), PEER_SECURE);
	assert_int_equal(state_of(room, &denied), PEER_CLEAR);
	assert_false(core_find(room->core, &(struct peer_view){ 0 }, &other));
	answer(room, &to, (struct core_event){ .type = EVENT_KEY });
	expect_end(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(first_packet_to_secure),
		STORY(more_packets_change_nothing_while_under_way),
		STORY(sender_faster_than_release_is_bounded),
		STORY(in_policy_last_for_private_or_clear),
		STORY(a_handoff_keeps_its_end),
		STORY(responder_waits_for_the_initiator),
		STORY(refuses_a_child_of_clear_and_block),
		STORY(private_failure_denies_and_tells),
		STORY(open_failure_goes_clear_in_order),
		STORY(silence_ends_by_the_clock),
		STORY(late_answers_do_nothing),
		STORY(lost_sa_closes_before_it_opens),
		STORY(soft_limit_rekeys_under_the_standing_policy),
		STORY(last_child_down_waits_for_the_next_packet),
		STORY(crossing_children_stand_side_by_side),
		STORY(foreign_source_is_not_negotiated_for),
		STORY(full_pool_is_a_normal_answer),
		STORY(silent_peers_make_room),
		STORY(adopts_what_stands),
		STORY(reload_moves_only_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
