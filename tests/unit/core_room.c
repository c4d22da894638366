// SPDX-License-Identifier: Apache-2.0
/*
 * A small core for tests, see core_room.h.
 */
#include "core_room.h"

#include <stdlib.h>

struct hf_pair room_pair(uint8_t net, uint8_t host)
{
	uint8_t local[4] = { 10, 9, 0, 1 }, remote[4] = { 10, net, 0, host };

	return (struct hf_pair){ addr_from_octets(local, 4), addr_from_octets(remote, 4) };
}

void room_rule(struct room *room, const char *prefix, enum hf_group group)
{
	struct policy_entry entry = { .group = group, .file = "test", .line = 1 };

	assert_int_equal(prefix_parse(&entry.prefix, prefix, NULL), 0);
	assert_int_equal(policy_add(&room->policy, &entry, NULL), 0);
}

int room_set_up(void **state)
{
	struct core_options options = { .peers_max = PEERS, .reqid_base = REQID, .table_seed = { 1, 2, 3 } };
	struct room *room = calloc(1, sizeof(*room));

	policy_init(&room->policy, room->entries, 8, HF_GROUP_CLEAR);
	room_rule(room, "10.1.0.0/16", HF_GROUP_CLEAR_OR_PRIVATE);
	room_rule(room, "10.2.0.0/16", HF_GROUP_PRIVATE_OR_CLEAR);
	room_rule(room, "10.3.0.0/16", HF_GROUP_PRIVATE);
	room_rule(room, "10.4.0.0/16", HF_GROUP_BLOCK);
	assert_int_equal(policy_finish(&room->policy, NULL), 0);
	room->memory = calloc(1, core_memory(&options));
	room->core = core_init(room->memory, &options, &room->policy);
	room->now = NSTIME_S;
	*state = room;
	return 0;
}

int room_tear_down(void **state)
{
	struct room *room = *state;

	free(room->memory);
	free(room);
	return 0;
}

static void draw(struct room *room)
{
	room->count = 0;
	room->next = 0;
	while (room->count < DRAWN_MAX && core_next(room->core, &room->drawn[room->count]))
		room->count++;
	assert_true(room->count < DRAWN_MAX);
}

void room_tell(struct room *room, struct core_event event)
{
	core_take(room->core, &event, room->now);
	draw(room);
}

void room_pass(struct room *room, uint64_t span)
{
	room->now += span;
	core_expire(room->core, room->now);
	draw(room);
}

struct core_event room_child(bool responder)
{
	struct core_event event = { .type = EVENT_CHILD_UP, .up = { .responder = responder, .in = true, .out = true } };

	event.up.child.spi_in_be = 0x1111;
	event.up.child.spi_out_be = 0x2222;
	event.up.child.key_in[0] = 0x5a;
	return event;
}

struct core_event room_added(void)
{
	return (struct core_event){ .type = EVENT_SA_ADDED, .added = { .spi_in_be = 0x1111, .in = true, .out = true } };
}

/* The n-th order of a type in what was drawn, NULL when there are fewer. */
const struct action *room_drawn(const struct room *room, enum action_type type, unsigned int n)
{
	for (size_t i = 0; i < room->count; i++)
		if (room->drawn[i].type == type && n-- == 0)
			return &room->drawn[i];
	return NULL;
}

const struct action *room_order(const struct room *room, enum action_type type)
{
	const struct action *action = room_drawn(room, type, 0);

	if (!action)
		fail_msg("no order of type %d", type);
	return action;
}

void room_no_order(const struct room *room, enum action_type type)
{
	if (room_drawn(room, type, 0))
		fail_msg("an order of type %d", type);
}

enum hf_verdict room_verdict(const struct room *room)
{
	const struct action *action = room_order(room, ACTION_GATE);

	return action->gate.present ? action->gate.value.verdict : 0;
}

void room_tell_of(struct room *room, const struct hf_pair *pair, struct core_event event)
{
	event.pair = *pair;
	room_tell(room, event);
}

void room_miss(struct room *room, const struct hf_pair *pair, bool sticky)
{
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_FLOW_MISS, .sticky = sticky });
}

struct peer_view room_view(const struct room *room, const struct hf_pair *pair)
{
	struct peer_view view = { 0 };

	assert_true(core_find(room->core, &view, pair));
	return view;
}

/* From a Child SA to SECURE; whoever made it. */
void room_install(struct room *room, const struct hf_pair *pair)
{
	room_tell_of(room, pair, room_added());
	if (room_view(room, pair).state == PEER_INSTALL)
		room_tell_of(room, pair, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_POLICY_SET });
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	assert_int_equal(room_view(room, pair).state, PEER_SECURE);
}

void room_secure(struct room *room, const struct hf_pair *pair, bool proved)
{
	struct core_event up = room_child(false);

	room_miss(room, pair, false);
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_KEY });
	up.up.proved = proved;
	room_tell_of(room, pair, up);
	room_install(room, pair);
}
