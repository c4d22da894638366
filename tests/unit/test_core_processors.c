// SPDX-License-Identifier: Apache-2.0
/*
 * SAs of single processors in the core (RFC 9611): when they are asked for, which processor gets which, that they stand beside the first one
 * and never without it. Each test tells one story.
 */
#include <errno.h>
#include <string.h>

#include "core_room.h"

#define LOOK (15 * NSTIME_S)
#define BUSY 4096 /* vigil.c: sent between two looks */

static uint64_t sent;

static void look(struct room *room, const struct hf_pair *pair, uint64_t more)
{
	sent += more;
	room_pass(room, LOOK);
	room_order(room, ACTION_CHECK_LIFE);
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_LIFE, .life = { sent, sent } });
}

/* A secured pair of a host with so many processors, after its first look. */
static struct hf_pair secured(struct room *room, uint32_t processors)
{
	struct hf_pair pair = room_pair(3, 1);

	core_set_processors(room->core, processors);
	room_secure(room, &pair, true);
	look(room, &pair, 0);
	return pair;
}

static struct core_event bound(uint32_t spi, uint32_t replaces, bool responder)
{
	struct core_event up = room_child(responder);

	up.up.child.spi_in_be = spi;
	up.up.child.spi_out_be = spi + 0x8000;
	up.up.child.bound = true;
	up.up.replaces_in_be = replaces;
	return up;
}

static void added(struct room *room, const struct hf_pair *pair, uint32_t spi, bool in, bool out, int error)
{
	room_tell_of(room, pair,
		     (struct core_event){ .type = EVENT_SA_ADDED, .error = error, .added = { spi, in, out } });
}

/* Made, and installed: for which processor, 1 + its number. */
static uint32_t take(struct room *room, const struct hf_pair *pair, uint32_t spi, uint32_t replaces)
{
	struct action order;

	room_tell_of(room, pair, bound(spi, replaces, false));
	order = *room_order(room, ACTION_SA_ADD);
	assert_true(order.sa.in);
	added(room, pair, spi, order.sa.in, order.sa.out, 0);
	assert_int_equal(order.sa.out, order.sa.processor != 0);
	return order.sa.processor;
}

/* Little is sent: nothing. Much: one for each processor, one after the other; the policy is set anew for each, so that it is found. */
static void busy_pair_gets_one_for_each(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 2);
	struct peer_view view;

	look(room, &pair, BUSY - 1);
	room_no_order(room, ACTION_FURTHER);
	look(room, &pair, BUSY);
	assert_int_equal(room_order(room, ACTION_FURTHER)->processor, 0);
	assert_int_equal(take(room, &pair, 0x5000, 0), 1);
	assert_false(room_order(room, ACTION_POLICY_SET)->policy.in);
	assert_int_equal(room_order(room, ACTION_FURTHER)->processor, 1);
	assert_int_equal(take(room, &pair, 0x5001, 0), 2);
	room_order(room, ACTION_POLICY_SET);
	room_no_order(room, ACTION_FURTHER);
	look(room, &pair, 0); /* others stand since the last one */
	look(room, &pair, 2 * BUSY);
	room_no_order(room, ACTION_FURTHER);
	view = room_view(room, &pair);
	assert_int_equal(view.spi_in_be, 0x1111);
	assert_int_equal(view.spi_out_be, 0x2222);
	assert_int_equal(view.processors[0].spi_out_be, 0xd000);
	assert_int_equal(view.processors[1].spi_in_be, 0x5001);
	assert_int_equal(view.processors[2].spi_out_be, 0);
}

/* No answer came: asked for again at the next look, as long as it is busy. */
static void asked_for_again_while_busy(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 2);

	look(room, &pair, BUSY);
	room_order(room, ACTION_FURTHER);
	look(room, &pair, BUSY);
	room_order(room, ACTION_FURTHER);
	look(room, &pair, BUSY - 1);
	room_no_order(room, ACTION_FURTHER);
}

/* Where nothing is spread all is as ever. */
static void nothing_without_processors(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 0);

	look(room, &pair, 10 * BUSY);
	room_no_order(room, ACTION_FURTHER);
}

/*
 * The peer asks for more than there are processors here: what is too many only receives. As responder the outbound one comes when the peer is known to
 * read.
 */
static void peers_own_are_taken(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 2);
	struct core_event up = bound(0x5000, 0, true);

	up.up.out = false;
	room_tell_of(room, &pair, up);
	assert_false(room_order(room, ACTION_SA_ADD)->sa.out);
	added(room, &pair, 0x5000, true, false, 0);
	room_no_order(room, ACTION_POLICY_SET);
	assert_int_equal(take(room, &pair, 0x5001, 0), 2);
	assert_int_equal(take(room, &pair, 0x5002, 0), 0);
	room_no_order(room, ACTION_POLICY_SET);
	up.type = EVENT_CHILD_USE;
	room_tell_of(room, &pair, up);
	assert_int_equal(room_order(room, ACTION_SA_ADD)->sa.processor, 1);
	assert_true(room_order(room, ACTION_SA_ADD)->sa.out);
	added(room, &pair, 0x5000, false, true, 0);
	room_order(room, ACTION_POLICY_SET);
	up.up.child.spi_in_be = 0x5002;
	room_tell_of(room, &pair, up);
	room_no_order(room, ACTION_SA_ADD);
}

/* A successor has its processor from the one it replaces, whatever is free. */
static void rekey_keeps_the_processor(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 3);

	assert_int_equal(take(room, &pair, 0x5000, 0), 1);
	assert_int_equal(take(room, &pair, 0x5001, 0), 2);
	assert_int_equal(take(room, &pair, 0x5002, 0x5001), 2);
	room_order(room, ACTION_POLICY_SET);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_CHILD_DOWN, .up.child.spi_in_be = 0x5001 });
	room_order(room, ACTION_SA_DEL);
	assert_int_equal(room_view(room, &pair).processors[1].spi_in_be, 0x5002);
	assert_int_equal(take(room, &pair, 0x5003, 0), 3);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_CHILD_DOWN, .up.child.spi_in_be = 0x5000 });
	assert_int_equal(room_view(room, &pair).state, PEER_SECURE);
	assert_int_equal(take(room, &pair, 0x5004, 0), 1);
}

/* The first one is the one of all processors that have none: without it the others go as well, and the gate closes before. */
static void never_without_the_first(void **state)
{
	static const enum core_event_type ends[] = { EVENT_CHILD_DOWN, EVENT_SA_EXPIRED };
	struct room *room = *state;

	for (uint8_t i = 0; i < 2; i++) {
		struct core_event end = { .type = ends[i] };
		struct hf_pair pair = secured(room, 2);
		unsigned int gone = 0;

		if (ends[i] == EVENT_CHILD_DOWN)
			end.up.child.spi_in_be = 0x1111;
		else
			end.expired.spi_be = 0x2222, end.expired.hard = true;
		take(room, &pair, 0x5000, 0);
		take(room, &pair, 0x5001, 0);
		room_tell_of(room, &pair, end);
		while (room_drawn(room, ACTION_CHILD_GONE, gone))
			gone++;
		assert_int_equal(gone, 2 + i); /* the expired one itself, too */
		assert_non_null(room_drawn(room, ACTION_SA_DEL, 2));
		assert_int_not_equal(room_view(room, &pair).state, PEER_SECURE);
		assert_int_equal(room_view(room, &pair).processors[0].spi_out_be, 0);
		room_tell_of(room, &pair, (struct core_event){ .type = EVENT_FORGET });
		room_pass(room, 1);
	}
}

/* One of a processor goes alone, whatever ends it. */
static void each_ends_alone(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 2);

	take(room, &pair, 0x5000, 0);
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0xd000, .hard = true } });
	assert_int_equal(room_order(room, ACTION_CHILD_GONE)->spi_in_be, 0x5000);
	assert_int_equal(room_view(room, &pair).state, PEER_SECURE);
	room_tell_of(room, &pair, bound(0x5001, 0, false));
	added(room, &pair, 0x5001, true, true, -ENOMEM);
	room_no_order(room, ACTION_SA_DEL);
	assert_int_equal(room_view(room, &pair).state, PEER_SECURE);
	assert_int_equal(room_view(room, &pair).spi_out_be, 0x2222);
}

/* One that comes where nothing stands is not taken for the first. */
static void not_as_the_first(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);

	core_set_processors(room->core, 2);
	room_tell_of(room, &pair, bound(0x5000, 0, true));
	assert_int_equal(room_order(room, ACTION_CHILD_GONE)->spi_in_be, 0x5000);
	room_no_order(room, ACTION_SA_ADD);
}

static void adopt(struct room *room, const struct hf_pair *pair, uint32_t in, uint32_t out, uint32_t processor)
{
	struct core_event event = { .type = EVENT_ADOPT, .adopt = { .in_policy = true, .reqid = REQID } };

	event.adopt.spi_in_be = in;
	event.adopt.spi_out_be = out;
	event.adopt.processor = processor;
	room_tell_of(room, pair, event);
}

/*
 * An earlier agent's go on until there is a successor of the first one. The peer may give them up then, so that nothing more is sent with those of
 * processors; they receive for 5 s more.
 */
static void adopted_ones_stay(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event up = room_child(false);

	core_set_processors(room->core, 2);
	adopt(room, &pair, 0x1111, 0x2222, 0);
	adopt(room, &pair, 0x5000, 0xd000, 1);
	adopt(room, &pair, 0x5001, 0xd001, 2);
	adopt(room, &pair, 0x1112, 0, 0);
	assert_int_equal(room_view(room, &pair).spi_out_be, 0x2222);
	assert_int_equal(room_view(room, &pair).processors[1].spi_out_be, 0xd001);
	assert_true(room_view(room, &pair).orphaned);
	room_pass(room, 1100 * NSTIME_MS);
	assert_int_equal(room_order(room, ACTION_REKEY)->spi_in_be, 0x1111);
	up.up.child.spi_in_be = 0x3333;
	room_tell_of(room, &pair, up);
	added(room, &pair, 0x3333, true, true, 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(room_drawn(room, ACTION_SA_DEL, i)->sa.child.spi_out_be, 0xd000 + i);
		assert_false(room_drawn(room, ACTION_SA_DEL, i)->sa.in);
	}
	assert_null(room_drawn(room, ACTION_SA_DEL, 2));
	assert_false(room_order(room, ACTION_POLICY_SET)->policy.in);
	assert_false(room_view(room, &pair).orphaned);
	assert_int_equal(take(room, &pair, 0x6000, 0), 1);
	room_pass(room, 6 * NSTIME_S);
	assert_non_null(room_drawn(room, ACTION_SA_DEL, 3));
	assert_null(room_drawn(room, ACTION_SA_DEL, 4));
	assert_int_equal(room_view(room, &pair).processors[0].spi_in_be, 0x6000);
	assert_int_equal(room_view(room, &pair).processors[1].spi_out_be, 0);
	assert_int_equal(room_view(room, &pair).state, PEER_SECURE);
}

/* A rekey of the first one touches no other; one of another IKE SA ends their use, whoever made it. */
static void another_first_one(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 2);
	struct core_event up = room_child(false);

	take(room, &pair, 0x5000, 0);
	up.up.child.spi_in_be = 0x3333;
	up.up.replaces_in_be = 0x1111;
	room_tell_of(room, &pair, up);
	added(room, &pair, 0x3333, true, true, 0);
	room_no_order(room, ACTION_SA_DEL);
	room_no_order(room, ACTION_POLICY_SET);
	up = room_child(true);
	up.up.child.spi_in_be = 0x3334;
	up.up.out = false;
	room_tell_of(room, &pair, up);
	added(room, &pair, 0x3334, true, false, 0);
	room_no_order(room, ACTION_SA_DEL);
	added(room, &pair, 0x3334, false, true, 0);
	assert_int_equal(room_order(room, ACTION_SA_DEL)->sa.child.spi_in_be, 0x5000);
	assert_false(room_order(room, ACTION_SA_DEL)->sa.in);
	room_order(room, ACTION_POLICY_SET);
	assert_int_equal(take(room, &pair, 0x5001, 0), 1);
}

/* What lost a crossing gives its processor up to what won. */
static void loser_gives_its_processor_up(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = secured(room, 2);

	assert_int_equal(take(room, &pair, 0x5000, 0), 1);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_CHILD_QUIET, .up.child.spi_in_be = 0x5000 });
	assert_int_equal(room_view(room, &pair).processors[0].spi_out_be, 0);
	assert_int_equal(take(room, &pair, 0x5001, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(busy_pair_gets_one_for_each),
		STORY(asked_for_again_while_busy),
		STORY(nothing_without_processors),
		STORY(peers_own_are_taken),
		STORY(rekey_keeps_the_processor),
		STORY(never_without_the_first),
		STORY(each_ends_alone),
		STORY(not_as_the_first),
		STORY(adopted_ones_stay),
		STORY(loser_gives_its_processor_up),
		STORY(another_first_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
