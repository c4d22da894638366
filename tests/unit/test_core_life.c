// SPDX-License-Identifier: Apache-2.0
/*
 * A peer's later life in the core: what is remembered of it, whether it is heard, whether anybody uses its SAs, what an
 * earlier agent left. Each test tells one story.
 */
#include <errno.h>

#include "core_room.h"

#define LOOK (15 * NSTIME_S)

/* The n-th order of a type in what was drawn, NULL when there are fewer. */
static const struct action *drawn(const struct room *room, enum action_type type, unsigned int n)
{
	for (size_t i = 0; i < room->count; i++)
		if (room->drawn[i].type == type && n-- == 0)
			return &room->drawn[i];
	return NULL;
}

static const struct action *order(const struct room *room, enum action_type type)
{
	const struct action *action = drawn(room, type, 0);

	if (!action)
		fail_msg("no order of type %d", type);
	return action;
}

static void no_order(const struct room *room, enum action_type type)
{
	if (drawn(room, type, 0))
		fail_msg("an order of type %d", type);
}

static enum hf_verdict verdict(const struct room *room)
{
	const struct action *action = order(room, ACTION_GATE);

	return action->gate.present ? action->gate.value.verdict : 0;
}

static void tell(struct room *room, const struct hf_pair *pair, struct core_event event)
{
	event.pair = *pair;
	room_tell(room, event);
}

static void miss(struct room *room, const struct hf_pair *pair, bool sticky)
{
	tell(room, pair, (struct core_event){ .type = EVENT_FLOW_MISS, .sticky = sticky });
}

static struct peer_view view_of_peer(const struct room *room, const struct hf_pair *pair)
{
	struct peer_view view = { 0 };

	assert_true(core_find(room->core, &view, pair));
	return view;
}

/* From a Child SA to SECURE; whoever made it. */
static void install(struct room *room, const struct hf_pair *pair)
{
	tell(room, pair, room_added());
	if (view_of_peer(room, pair).state == PEER_INSTALL)
		tell(room, pair, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	tell(room, pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	tell(room, pair, (struct core_event){ .type = EVENT_POLICY_SET });
	tell(room, pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	assert_int_equal(view_of_peer(room, pair).state, PEER_SECURE);
}

static void secure(struct room *room, const struct hf_pair *pair, bool proved)
{
	struct core_event up = room_child(false);

	miss(room, pair, false);
	tell(room, pair, (struct core_event){ .type = EVENT_KEY });
	up.up.proved = proved;
	tell(room, pair, up);
	install(room, pair);
}

static void look(struct room *room, const struct hf_pair *pair, uint64_t in, uint64_t out)
{
	room_pass(room, LOOK);
	order(room, ACTION_CHECK_LIFE);
	tell(room, pair, (struct core_event){ .type = EVENT_LIFE, .life = { in, out } });
}

/* ---- sticky ---- */

static void once_reached_is_never_clear_again(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	secure(room, &pair, true);
	assert_true(view_of_peer(room, &pair).sticky);
	no_order(room, ACTION_STICK); /* clear packets of before may still come in */
	tell(room, &pair, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	order(room, ACTION_STICK);
	tell(room, &pair, (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	assert_int_equal(verdict(room), HF_VERDICT_HOLD);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.group, HF_GROUP_PRIVATE);

	/* All IKE is dropped from now on: the whole minute of a closed group, then denied. */
	miss(room, &pair, true);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY });
	room_pass(room, 59 * NSTIME_S);
	assert_int_equal(view_of_peer(room, &pair).state, PEER_NEGOTIATE);
	room_pass(room, 2 * NSTIME_S);
	assert_int_equal(verdict(room), HF_VERDICT_BLOCK);
	assert_int_equal(order(room, ACTION_DRAIN)->drain.how, DRAIN_DENY);
}

/* The SAs went before the peer was known to seal: sticky all the same, and ordered before the gate changes. */
static void proof_outlives_its_sas(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	secure(room, &pair, true);
	tell(room, &pair,
	     (struct core_event){ .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0x1111, .hard = true } });
	assert_int_equal(room->drawn[0].type, ACTION_STICK);
	tell(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(verdict(room), HF_VERDICT_BLOCK);
}

static void without_proof_nothing_sticks(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	secure(room, &pair, false);
	tell(room, &pair, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	no_order(room, ACTION_STICK);
	tell(room, &pair,
	     (struct core_event){ .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0x1111, .hard = true } });
	no_order(room, ACTION_STICK);
	tell(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(verdict(room), HF_VERDICT_CLEAR);
}

/* From the store, in both groups that it raises; and only as long as the store says so. */
static void the_store_makes_sticky(void **state)
{
	struct room *room = *state;

	for (uint8_t net = 1; net <= 2; net++) {
		struct hf_pair pair = room_pair(net, 9);

		miss(room, &pair, true);
		assert_int_equal(verdict(room), HF_VERDICT_HOLD);
		order(room, ACTION_LOOKUP);
		tell(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
		assert_int_equal(verdict(room), HF_VERDICT_BLOCK);
		room_pass(room, 3 * NSTIME_S);
		assert_int_equal(verdict(room), HF_VERDICT_HOLD);
		miss(room, &pair, false);
		if (net == 1) { /* clear-or-private: goes as the group says */
			assert_int_equal(order(room, ACTION_DRAIN)->drain.how, DRAIN_CLEAR);
			continue;
		}
		tell(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
		assert_int_equal(verdict(room), HF_VERDICT_CLEAR);
	}
}

static void a_proof_of_no_key_ends_it(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	miss(room, &pair, true);
	tell(room, &pair, (struct core_event){ .type = EVENT_NO_KEY });
	assert_int_equal(verdict(room), HF_VERDICT_CLEAR);
}

/* The store was damaged: who has a key may have been known. */
static void a_key_may_say_sticky(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	miss(room, &pair, false);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY, .sticky = true });
	assert_int_equal(order(room, ACTION_GATE)->gate.value.group, HF_GROUP_PRIVATE);
	tell(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	assert_int_equal(verdict(room), HF_VERDICT_BLOCK);
}

static void forget_ends_all_pairs_of_an_address(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7), other = room_pair(2, 8);
	struct peer_view view;

	secure(room, &pair, true);
	secure(room, &other, true);
	room_tell(room, (struct core_event){ .type = EVENT_FORGET, .pair = { .remote = pair.remote } });
	room_pass(room, 1);
	order(room, ACTION_ABANDON);
	assert_false(core_find(room->core, &view, &pair));
	assert_true(core_find(room->core, &view, &other));
}

/* ---- withdrawn keys ---- */

/* Closed in both directions at once, by the group's own answer; the next packet begins anew. */
static void a_withdrawn_key_ends_its_sas(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7), other = room_pair(3, 8);
	struct core_counts counts;

	secure(room, &pair, true);
	secure(room, &other, true);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_false(order(room, ACTION_GATE)->gate.present);
	order(room, ACTION_POLICY_DEL);
	assert_true(order(room, ACTION_SA_DEL)->sa.in);
	assert_true(order(room, ACTION_SA_DEL)->sa.out);
	order(room, ACTION_ABANDON);
	assert_int_equal(view_of_peer(room, &pair).state, PEER_IDLE);
	assert_int_equal(view_of_peer(room, &other).state, PEER_SECURE);
	core_count(room->core, &counts);
	assert_int_equal(counts.closed_key, 1);
	miss(room, &pair, true);
	order(room, ACTION_LOOKUP);
}

/* It was reached securely once: whatever its group, it is not in clear because of that. */
static void a_withdrawn_key_opens_nothing(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	secure(room, &pair, true);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_int_equal(verdict(room), HF_VERDICT_HOLD);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.group, HF_GROUP_PRIVATE);
	miss(room, &pair, true);
	tell(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(verdict(room), HF_VERDICT_BLOCK);
}

/* SAs of a pair that nobody used still receive until the peer has heard: not with a withdrawn key. */
static void a_withdrawn_key_ends_what_is_left(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);

	secure(room, &pair, true);
	room_pass(room, 1300 * NSTIME_S);
	order(room, ACTION_CHECK_LIFE);
	tell(room, &pair, (struct core_event){ .type = EVENT_LIFE });
	assert_int_equal(view_of_peer(room, &pair).state, PEER_IDLE);
	assert_false(order(room, ACTION_SA_DEL)->sa.in);
	miss(room, &pair, true);
	order(room, ACTION_LOOKUP);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_true(order(room, ACTION_SA_DEL)->sa.in);
	no_order(room, ACTION_ABANDON);
	/* The attempt that is under way asks for the key of today. */
	assert_int_equal(view_of_peer(room, &pair).state, PEER_LOOKUP);
}

/* ---- liveness ---- */

static void a_silent_peer_is_asked(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct core_counts counts;

	secure(room, &pair, true);
	look(room, &pair, 0, 1); /* the first look only learns */
	look(room, &pair, 0, 5);
	no_order(room, ACTION_PROBE);
	look(room, &pair, 0, 9);
	order(room, ACTION_PROBE);
	core_count(room->core, &counts);
	assert_int_equal(counts.probes, 1);
	/* It is not there: its Child SA goes down, the next packet begins anew. */
	tell(room, &pair, (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	miss(room, &pair, true);
	order(room, ACTION_LOOKUP);
}

static void who_is_heard_or_not_spoken_to_is_not_asked(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);

	secure(room, &pair, true);
	look(room, &pair, 0, 1);
	for (uint64_t i = 1; i < 10; i++) {
		look(room, &pair, i / 2, i); /* heard every other time */
		no_order(room, ACTION_PROBE);
	}
	for (uint64_t i = 1; i < 10; i++) {
		look(room, &pair, 4, 9);
		no_order(room, ACTION_PROBE);
	}
	for (uint64_t i = 1; i < 10; i++) {
		look(room, &pair, 4 + i, 9);
		no_order(room, ACTION_PROBE);
	}
}

/* ---- idle ---- */

static void unused_sas_go(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	int looks = 0;

	secure(room, &pair, true);
	look(room, &pair, 3, 3);
	while (!drawn(room, ACTION_ABANDON, 0) && looks++ < 100)
		look(room, &pair, 3, 3);
	assert_in_range(looks, 75, 80); /* 20 minutes */
	assert_false(order(room, ACTION_GATE)->gate.present);
	assert_true(order(room, ACTION_SA_DEL)->sa.out);
	assert_false(order(room, ACTION_SA_DEL)->sa.in); /* until the peer has heard */
	assert_int_equal(view_of_peer(room, &pair).state, PEER_IDLE);
	/* A packet at this very moment begins anew; the old SA's end does not disturb it. */
	miss(room, &pair, true);
	order(room, ACTION_LOOKUP);
	tell(room, &pair, (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	assert_true(order(room, ACTION_SA_DEL)->sa.in);
	assert_int_equal(view_of_peer(room, &pair).state, PEER_LOOKUP);
}

static void used_sas_are_rekeyed_and_unused_are_not(void **state)
{
	struct room *room = *state;
	struct hf_pair used = room_pair(3, 7);
	struct core_event soft = { .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0x2222 } };

	secure(room, &used, true);
	for (uint64_t i = 0; i < 100; i++)
		look(room, &used, i, i);
	tell(room, &used, soft);
	order(room, ACTION_REKEY);
	room->now += 1201 * NSTIME_S; /* the looks did not come to it */
	tell(room, &used, soft);
	no_order(room, ACTION_REKEY);
	order(room, ACTION_ABANDON);
}

/* ---- an earlier agent's SAs ---- */

static void adopt(struct room *room, const struct hf_pair *pair, uint32_t spi_in, uint32_t spi_out)
{
	struct core_event event = { .type = EVENT_ADOPT, .pair = *pair };

	event.adopt.spi_in_be = spi_in;
	event.adopt.spi_out_be = spi_out;
	event.adopt.in_policy = true;
	event.adopt.reqid = REQID + pair->remote.octet[15];
	room_tell(room, event);
}

static void adopted_sas_get_successors_one_after_the_other(void **state)
{
	struct room *room = *state;
	unsigned int refreshed = 0;

	for (uint8_t i = 0; i < PEERS; i++) {
		struct hf_pair pair = room_pair(3, i);

		adopt(room, &pair, 0x1111, 0x2222);
	}
	for (int ms = 0; ms < 1300; ms += 20) {
		unsigned int now = 0;

		room_pass(room, 20 * NSTIME_MS);
		while (drawn(room, ACTION_REKEY, now))
			now++;
		assert_true(now <= 1); /* 50 a second */
		refreshed += now;
	}
	assert_int_equal(refreshed, PEERS);
}

static void adopted_sas_go_when_the_successor_was_there_a_while(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event up = room_child(false), added = room_added();

	adopt(room, &pair, 0x1111, 0x2222);
	adopt(room, &pair, 0x1112, 0); /* a rekey had begun */
	room_pass(room, 1100 * NSTIME_MS);
	order(room, ACTION_REKEY);
	up.up.child.spi_in_be = 0x3333;
	tell(room, &pair, up);
	added.added.spi_in_be = 0x3333;
	tell(room, &pair, added);
	room_pass(room, 4 * NSTIME_S);
	no_order(room, ACTION_SA_DEL);
	room_pass(room, 2 * NSTIME_S);
	assert_non_null(drawn(room, ACTION_SA_DEL, 1));
	assert_null(drawn(room, ACTION_SA_DEL, 2));
	no_order(room, ACTION_REKEY);
	assert_int_equal(view_of_peer(room, &pair).state, PEER_SECURE);
	room_pass(room, 200 * NSTIME_S);
	no_order(room, ACTION_REKEY);
}

/* No successor: they go on while the peer is heard, and are tried again; when it is not heard either, it starts over. */
static void adopted_sas_without_successor(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);

	adopt(room, &pair, 0x1111, 0x2222);
	room_pass(room, 1100 * NSTIME_MS);
	order(room, ACTION_REKEY);
	tell(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	assert_int_equal(view_of_peer(room, &pair).state, PEER_SECURE);
	look(room, &pair, 1, 1);
	look(room, &pair, 1, 2);
	look(room, &pair, 1, 3); /* silent: the successor's handshake is the question */
	no_order(room, ACTION_PROBE);
	room_pass(room, 1);
	order(room, ACTION_REKEY);
	tell(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	assert_int_equal(verdict(room), HF_VERDICT_HOLD);
	order(room, ACTION_LOOKUP);
}

/* ---- how a group's hosts are made secure ---- */

/* IKE begins at once and asks for the key itself; what discovery says comes during the negotiation, and counts as it does before one. */
static void probing_always_asks_no_key_first(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 1), other = room_pair(3, 1);

	room->policy.ways[HF_GROUP_PRIVATE_OR_CLEAR].probe_always = true;
	core_set_policy(room->core, &room->policy, room->now);
	miss(room, &pair, false);
	order(room, ACTION_NEGOTIATE);
	no_order(room, ACTION_LOOKUP);
	assert_int_equal(verdict(room), HF_VERDICT_HOLD);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY });
	no_order(room, ACTION_NEGOTIATE);
	assert_int_equal(view_of_peer(room, &pair).state, PEER_NEGOTIATE);
	tell(room, &pair, (struct core_event){ .type = EVENT_NO_KEY });
	assert_int_equal(verdict(room), HF_VERDICT_CLEAR);
	assert_int_equal(view_of_peer(room, &pair).failure, FAILURE_NO_KEY);
	miss(room, &other, false); /* another group */
	order(room, ACTION_LOOKUP);
	no_order(room, ACTION_NEGOTIATE);
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
	secure(room, &proved, true);
	secure(room, &anybody, false);
	secure(room, &elsewhere, false);
	room->policy.ways[HF_GROUP_PRIVATE_OR_CLEAR].auth_any = false;
	core_set_policy(room->core, &room->policy, room->now);
	room_pass(room, 0);
	order(room, ACTION_ABANDON);
	order(room, ACTION_SA_DEL);
	assert_false(core_find(room->core, &view, &anybody));
	assert_int_equal(view_of_peer(room, &proved).state, PEER_SECURE);
	assert_int_equal(view_of_peer(room, &elsewhere).state, PEER_SECURE);
}

/* ---- SAs that only the peer has ---- */

static void unreadable(struct room *room, const struct hf_pair *pair)
{
	tell(room, pair, (struct core_event){ .type = EVENT_UNREADABLE });
}

/* Begins what a packet to the peer would begin, and nothing else: no state but "nothing" is changed by what anybody can send. */
static void unreadable_esp_begins_anew(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1), open = room_pair(2, 1), answers = room_pair(1, 1);
	struct core_counts counts;

	unreadable(room, &pair);
	assert_int_equal(verdict(room), HF_VERDICT_HOLD);
	order(room, ACTION_LOOKUP);
	unreadable(room, &pair);
	assert_int_equal(room->count, 0);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY });
	unreadable(room, &pair);
	assert_int_equal(room->count, 0);
	tell(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	unreadable(room, &pair);
	assert_int_equal(room->count, 0); /* denied, for a while */
	room_pass(room, 3 * NSTIME_S);
	unreadable(room, &pair);
	order(room, ACTION_LOOKUP);
	secure(room, &open, false);
	unreadable(room, &open);
	assert_int_equal(room->count, 0);

	/* A group that waits for the peer to begin: nothing is remembered. */
	unreadable(room, &answers);
	core_count(room->core, &counts);
	assert_int_equal(counts.peers, 2);
	tell(room, &answers, (struct core_event){ .type = EVENT_UNREADABLE, .sticky = true });
	order(room, ACTION_LOOKUP);
}

/* No remembered failure is forgotten for what anybody can send. */
static void unreadable_esp_takes_nobodys_room(void **state)
{
	struct room *room = *state;
	struct core_counts counts;
	struct hf_pair pair;

	for (uint8_t i = 0; i < PEERS; i++) {
		pair = room_pair(3, i);
		miss(room, &pair, false);
		tell(room, &pair, (struct core_event){ .type = EVENT_NO_KEY });
	}
	pair = room_pair(3, 200);
	unreadable(room, &pair);
	assert_int_equal(room->count, 0);
	core_count(room->core, &counts);
	assert_int_equal(counts.evicted + counts.peers_full, 0);
	miss(room, &pair, false);
	order(room, ACTION_LOOKUP);
}

/* ---- behind a NAT ---- */

/* ESP in UDP must get past the gate from the handoff on; a new mapping is an order to the SAs that stand, and nothing else. */
static void a_nat_moves_its_mapping(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event up = room_child(false), moved = { .type = EVENT_CHILD_MOVED };
	const struct action *action;

	miss(room, &pair, false);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, 0);
	tell(room, &pair, (struct core_event){ .type = EVENT_KEY });
	up.up.child.encap = true;
	tell(room, &pair, up);
	tell(room, &pair, room_added());
	assert_int_equal(verdict(room), HF_VERDICT_HOLD);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, HF_GATE_UDP_ENCAP);
	tell(room, &pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	tell(room, &pair, (struct core_event){ .type = EVENT_POLICY_SET });
	tell(room, &pair, (struct core_event){ .type = EVENT_DRAINED, .drained = { .empty = true } });
	assert_int_equal(verdict(room), HF_VERDICT_SECURE);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, HF_GATE_UDP_ENCAP);

	moved.up.child = up.up.child;
	moved.up.child.encap_remote = 40000;
	tell(room, &pair, moved);
	action = order(room, ACTION_SA_MOVE);
	assert_int_equal(room->count, 1);
	assert_true(action->sa.in && action->sa.out);
	assert_int_equal(action->sa.child.encap_remote, 40000);
	assert_int_equal(action->sa.child.spi_out_be, 0x2222);

	/* One that is not ours any more, and one of which only the inbound half stands. */
	moved.up.child.spi_in_be = 0x7777;
	tell(room, &pair, moved);
	assert_int_equal(room->count, 0);
	tell(room, &pair, (struct core_event){ .type = EVENT_CHILD_QUIET, .up = { .child = { .spi_in_be = 0x1111 } } });
	moved.up.child.spi_in_be = 0x1111;
	tell(room, &pair, moved);
	assert_true(order(room, ACTION_SA_MOVE)->sa.in && !order(room, ACTION_SA_MOVE)->sa.out);

	/* The next SAs are without a NAT. */
	tell(room, &pair, (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	secure(room, &pair, false);
	assert_int_equal(order(room, ACTION_GATE)->gate.value.flags & HF_GATE_UDP_ENCAP, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(once_reached_is_never_clear_again),
		STORY(proof_outlives_its_sas),
		STORY(without_proof_nothing_sticks),
		STORY(the_store_makes_sticky),
		STORY(a_proof_of_no_key_ends_it),
		STORY(a_key_may_say_sticky),
		STORY(forget_ends_all_pairs_of_an_address),
		STORY(a_silent_peer_is_asked),
		STORY(who_is_heard_or_not_spoken_to_is_not_asked),
		STORY(a_withdrawn_key_ends_its_sas),
		STORY(a_withdrawn_key_opens_nothing),
		STORY(a_withdrawn_key_ends_what_is_left),
		STORY(unused_sas_go),
		STORY(used_sas_are_rekeyed_and_unused_are_not),
		STORY(adopted_sas_get_successors_one_after_the_other),
		STORY(adopted_sas_go_when_the_successor_was_there_a_while),
		STORY(adopted_sas_without_successor),
		STORY(probing_always_asks_no_key_first),
		STORY(a_group_that_wants_proof_again),
		STORY(unreadable_esp_begins_anew),
		STORY(unreadable_esp_takes_nobodys_room),
		STORY(a_nat_moves_its_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
