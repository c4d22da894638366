// SPDX-License-Identifier: Apache-2.0
/*
 * What decides in the core beside the peer's own life: how a group's hosts are made secure, what anybody can send, what a NAT does.
 */
#include <errno.h>

#include "core_room.h"

/* ---- how a group's hosts are made secure ---- */

/* IKE begins at once and asks for the key itself; what discovery says comes during the negotiation, and counts as it does before one. */
static void probing_always_asks_no_key_first(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 1), other = room_pair(3, 1);

	room->policy.ways[HF_GROUP_PRIVATE_OR_CLEAR].probe_always = true;
	core_set_policy(room->core, &room->policy, room->now);
	room_miss(room, &pair, false);
	room_order(room, ACTION_NEGOTIATE);
	room_no_order(room, ACTION_LOOKUP);
	assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY });
	room_no_order(room, ACTION_NEGOTIATE);
	assert_int_equal(room_view(room, &pair).state, PEER_NEGOTIATE);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NO_KEY });
	assert_int_equal(room_verdict(room), HF_VERDICT_CLEAR);
	assert_int_equal(room_view(room, &pair).failure, FAILURE_NO_KEY);
	room_miss(room, &other, false); /* another group */
	room_order(room, ACTION_LOOKUP);
	room_no_order(room, ACTION_NEGOTIATE);
}

/* Proof is wanted from now on: SAs without one end, others go on. */
static void a_group_that_wants_proof_again(void **state)
{
	struct room *room = *state;
	struct hf_pair proved = room_pair(2, 1), anybody = room_pair(2, 2), elsewhere = room_pair(3, 1);
	struct peer_view view;

	room->policy.ways[HF_GROUP_PRIVATE_OR_CLEAR].auth_any = true;
	room->policy.ways[HF_GROUP_PRIVATE].auth_any = true;
	core_set_policy(room->core, &room->policy, room->now);
	room_secure(room, &proved, true);
	room_secure(room, &anybody, false);
	room_secure(room, &elsewhere, false);
	room->policy.ways[HF_GROUP_PRIVATE_OR_CLEAR].auth_any = false;
	core_set_policy(room->core, &room->policy, room->now);
	room_pass(room, 0);
	room_order(room, ACTION_ABANDON);
	room_order(room, ACTION_SA_DEL);
	assert_false(core_find(room->core, &view, &anybody));
	assert_int_equal(room_view(room, &proved).state, PEER_SECURE);
	assert_int_equal(room_view(room, &elsewhere).state, PEER_SECURE);
}

/* ---- a host behind a gateway ---- */

static const struct hf_addr nobody;

static bool is_through(const struct room *room, const struct hf_pair *pair, const struct hf_addr *gateway)
{
	struct peer_view view = room_view(room, pair);

	return addr_equal(&view.gateway, gateway);
}

static void allow_gateways(struct room *room, bool allowed)
{
	room->policy.ways[HF_GROUP_PRIVATE].gateways = allowed;
	core_set_policy(room->core, &room->policy, room->now);
}

/* From the first packet to the Child SA's order. */
static const struct action *ask_gateway(struct room *room, const struct hf_pair *pair, const struct hf_addr *gateway)
{
	struct core_event up = room_child(false);

	room_miss(room, pair, false);
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_KEY, .gateway = *gateway });
	assert_true(addr_equal(&room_order(room, ACTION_NEGOTIATE)->gateway, gateway));
	up.gateway = *gateway;
	up.up.child.tunnel = true;
	room_tell_of(room, pair, up);
	return room_order(room, ACTION_SA_ADD);
}

/* SAs and tunnels end there, the gate knows, and all is of the pair. */
static void a_gateway_in_front(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1), other = room_pair(3, 2);
	struct hf_addr gateway = room_pair(0, 7).remote;
	struct core_event up = room_child(false);

	allow_gateways(room, true);
	assert_true(addr_equal(&ask_gateway(room, &pair, &gateway)->gateway, &gateway));
	assert_true(core_has_gateway(room->core, &gateway));
	room_tell_of(room, &pair, room_added());
	assert_true(
		room_drawn(room, ACTION_POLICY_SET, 0)->policy.in); /* nothing that was in a tunnel comes in without */
	assert_true(addr_equal(&room_order(room, ACTION_POLICY_SET)->gateway, &gateway));
	assert_true(addr_equal(&room_order(room, ACTION_DRAIN)->gateway, &gateway));
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags, HF_GATE_GATEWAY);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_POLICY_SET });
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags, HF_GATE_GATEWAY);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	assert_int_equal(room_verdict(room), HF_VERDICT_SECURE);
	assert_true(is_through(room, &pair, &gateway));

	/* A successor ends there too, or it is none. */
	up.up.child = (struct child){ .spi_in_be = 0x3333, .spi_out_be = 0x4444, .tunnel = true };
	room_tell_of(room, &pair, up);
	room_no_order(room, ACTION_SA_ADD);
	assert_int_equal(room_order(room, ACTION_CHILD_GONE)->spi_in_be, 0x3333);
	up.gateway = gateway;
	room_tell_of(room, &pair, up);
	assert_true(addr_equal(&room_order(room, ACTION_SA_ADD)->gateway, &gateway));

	/* When all are down the next ones may end elsewhere. */
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_true(addr_equal(&room_order(room, ACTION_SA_DEL)->gateway, &gateway));
	assert_false(core_has_gateway(room->core, &gateway));
	room_secure(room, &pair, false);
	assert_true(is_through(room, &pair, &nobody));
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags & HF_GATE_GATEWAY, 0);
	room_secure(room, &other, false);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags & HF_GATE_GATEWAY, 0);
}

/* What policy does not allow any more ends with the reload: the whole way, or one gateway that is blocked. */
static void a_gateway_that_policy_forbids(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1), direct = room_pair(3, 2);
	struct hf_addr gateway = room_pair(0, 7).remote;
	struct peer_view view;

	for (int what = 0; what < 2; what++) {
		allow_gateways(room, true);
		ask_gateway(room, &pair, &gateway);
		room_install(room, &pair);
		if (!what)
			room_secure(room, &direct, false);
		if (what) {
			room_rule(room, "10.0.0.7/32", HF_GROUP_BLOCK);
			assert_int_equal(policy_finish(&room->policy, NULL), 0);
		}
		allow_gateways(room, what);
		room_pass(room, 0);
		room_order(room, ACTION_ABANDON);
		assert_true(addr_equal(&room_order(room, ACTION_SA_DEL)->gateway, &gateway));
		assert_false(core_find(room->core, &view, &pair));
		assert_int_equal(room_view(room, &direct).state, PEER_SECURE);
	}
}

/* Whom to ask is not known before discovery has said it, also where IKE may begin with anybody. */
static void a_gateway_is_looked_for_first(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct hf_addr gateway = room_pair(0, 7).remote;

	room->policy.ways[HF_GROUP_PRIVATE].probe_always = true;
	allow_gateways(room, true);
	room_miss(room, &pair, false);
	room_order(room, ACTION_LOOKUP);
	room_no_order(room, ACTION_NEGOTIATE);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY, .gateway = gateway });
	assert_true(addr_equal(&room_order(room, ACTION_NEGOTIATE)->gateway, &gateway));
}

/* An earlier agent's. */
static void a_gateway_is_adopted(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event adopt = { .type = EVENT_ADOPT, .gateway = room_pair(0, 7).remote };

	allow_gateways(room, true);
	adopt.adopt.spi_in_be = 0x1111;
	adopt.adopt.spi_out_be = 0x2222;
	adopt.adopt.tunnel = adopt.adopt.in_policy = true;
	room_tell_of(room, &pair, adopt);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags, HF_GATE_GATEWAY);
	assert_true(addr_equal(&room_order(room, ACTION_DRAIN)->gateway, &adopt.gateway));
	assert_true(is_through(room, &pair, &adopt.gateway));
}

/* ---- SAs that only the peer has ---- */

static void unreadable(struct room *room, const struct hf_pair *pair)
{
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_UNREADABLE });
}

/* Begins what a packet to the peer would begin, and nothing else: no state but "nothing" is changed by what anybody can send. */
static void unreadable_esp_begins_anew(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1), open = room_pair(2, 1), answers = room_pair(1, 1);
	struct core_counts counts;

	unreadable(room, &pair);
	assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
	room_order(room, ACTION_LOOKUP);
	unreadable(room, &pair);
	assert_int_equal(room->count, 0);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY });
	unreadable(room, &pair);
	assert_int_equal(room->count, 0);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	unreadable(room, &pair);
	assert_int_equal(room->count, 0); /* denied, for a while */
	room_pass(room, 3 * NSTIME_S);
	unreadable(room, &pair);
	room_order(room, ACTION_LOOKUP);
	room_secure(room, &open, false);
	unreadable(room, &open);
	assert_int_equal(room->count, 0);

	/* A group that waits for the peer to begin: nothing is remembered. */
	unreadable(room, &answers);
	core_count(room->core, &counts);
	assert_int_equal(counts.peers, 2);
	room_tell_of(room, &answers, (struct core_event){ .type = EVENT_UNREADABLE, .sticky = true });
	room_order(room, ACTION_LOOKUP);
}

/* No remembered failure is forgotten for what anybody can send. */
static void unreadable_esp_takes_nobodys_room(void **state)
{
	struct room *room = *state;
	struct core_counts counts;
	struct hf_pair pair;

	for (uint8_t i = 0; i < PEERS; i++) {
		pair = room_pair(3, i);
		room_miss(room, &pair, false);
		room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NO_KEY });
	}
	pair = room_pair(3, 200);
	unreadable(room, &pair);
	assert_int_equal(room->count, 0);
	core_count(room->core, &counts);
	assert_int_equal(counts.evicted + counts.peers_full, 0);
	room_miss(room, &pair, false);
	room_order(room, ACTION_LOOKUP);
}

/* ---- behind a NAT ---- */

/* ESP in UDP must get past the gate from the handoff on; a new mapping is an order to the SAs that stand, and nothing else. */
static void a_nat_moves_its_mapping(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event up = room_child(false), moved = { .type = EVENT_CHILD_MOVED };
	const struct action *action;

	room_miss(room, &pair, false);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, 0);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY });
	up.up.child.encap = true;
	room_tell_of(room, &pair, up);
	room_tell_of(room, &pair, room_added());
	assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, HF_GATE_UDP_ENCAP);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_POLICY_SET });
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	assert_int_equal(room_verdict(room), HF_VERDICT_SECURE);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, HF_GATE_UDP_ENCAP);

	moved.up.child = up.up.child;
	moved.up.child.encap_remote = 40000;
	room_tell_of(room, &pair, moved);
	action = room_order(room, ACTION_SA_MOVE);
	assert_int_equal(room->count, 1);
	assert_true(action->sa.in && action->sa.out);
	assert_int_equal(action->sa.child.encap_remote, 40000);
	assert_int_equal(action->sa.child.spi_out_be, 0x2222);

	/* One that is not ours any more, and one of which only the inbound half stands. */
	moved.up.child.spi_in_be = 0x7777;
	room_tell_of(room, &pair, moved);
	assert_int_equal(room->count, 0);
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_CHILD_QUIET, .up = { .child = { .spi_in_be = 0x1111 } } });
	moved.up.child.spi_in_be = 0x1111;
	room_tell_of(room, &pair, moved);
	assert_true(room_order(room, ACTION_SA_MOVE)->sa.in && !room_order(room, ACTION_SA_MOVE)->sa.out);

	/* The next SAs are without a NAT. */
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	room_secure(room, &pair, false);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(probing_always_asks_no_key_first),
		STORY(a_group_that_wants_proof_again),
		STORY(unreadable_esp_begins_anew),
		STORY(unreadable_esp_takes_nobodys_room),
		STORY(a_nat_moves_its_mapping),
		STORY(a_gateway_in_front),
		STORY(a_gateway_that_policy_forbids),
		STORY(a_gateway_is_looked_for_first),
		STORY(a_gateway_is_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
