// SPDX-License-Identifier: Apache-2.0
/*
 * The responder of a pair's first SAs in the core: it installs what it reads with, and sends with them when the initiator is known
 * to read.
 */
#include "core_room.h"

static const struct action *order(const struct room *room, enum action_type type)
{
	for (size_t i = 0; i < room->count; i++)
		if (room->drawn[i].type == type)
			return &room->drawn[i];
	fail_msg("no order of type %d", type);
	return NULL;
}

static void tell(struct room *room, const struct hf_pair *pair, struct core_event event)
{
	event.pair = *pair;
	room_tell(room, event);
}

static enum peer_state state_of(const struct room *room, const struct hf_pair *pair)
{
	struct peer_view view = { 0 };

	assert_true(core_find(room->core, &view, pair));
	return view.state;
}

/* It waits for as long as that takes. Meanwhile nothing leaves in clear, not even where it did until now. */
static void a_responder_waits_for_a_reader(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(1, 9);
	struct core_event up = room_child(true), added = room_added();
	struct action to;

	up.up.out = false;
	tell(room, &pair, up);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.verdict, HF_VERDICT_HOLD);
	to = *order(room, ACTION_SA_ADD);
	assert_false(to.sa.out);
	added.added.out = false;
	added.peer = to.peer;
	tell(room, &pair, added);
	room_pass(room, 20 * NSTIME_S);
	assert_int_equal(room->count, 0);
	assert_int_equal(state_of(room, &pair), PEER_INSTALL);

	up.type = EVENT_CHILD_USE;
	tell(room, &pair, up);
	to = *order(room, ACTION_SA_ADD);
	assert_true(to.sa.out && !to.sa.in);
	added.added.in = false;
	added.added.out = true;
	tell(room, &pair, added);
	assert_int_equal(order(room, ACTION_DRAIN)->drain.how, DRAIN_SEALED);
	assert_int_equal(state_of(room, &pair), PEER_HANDOFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_responder_waits_for_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
