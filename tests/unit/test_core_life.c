// SPDX-License-Identifier: Apache-2.0
/*
 * A peer's later life in the core: what is remembered of it, whether it is heard, whether anybody uses its SAs, what an
 * earlier agent left. Each test tells one story.
 */
#include <errno.h>

#include "core_room.h"

#define LOOK (15 * NSTIME_S)

static void look(struct room *room, const struct hf_pair *pair, uint64_t in, uint64_t out)
{
	room_pass(room, LOOK);
	room_order(room, ACTION_CHECK_LIFE);
	room_tell_of(room, pair, (struct core_event){ .type = EVENT_LIFE, .life = { in, out } });
}

/* ---- sticky ---- */

static void once_reached_is_never_clear_again(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_secure(room, &pair, true);
	assert_true(room_view(room, &pair).sticky);
	room_no_order(room, ACTION_STICK); /* clear packets of before may still come in */
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	room_order(room, ACTION_STICK);
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.group, HF_GROUP_PRIVATE);

	/* All IKE is dropped from now on: the whole minute of a closed group, then denied. */
	room_miss(room, &pair, true);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY });
	room_pass(room, 59 * NSTIME_S);
	assert_int_equal(room_view(room, &pair).state, PEER_NEGOTIATE);
	room_pass(room, 2 * NSTIME_S);
	assert_int_equal(room_verdict(room), HF_VERDICT_BLOCK);
	assert_int_equal(room_order(room, ACTION_DRAIN)->drain.how, DRAIN_DENY);
}

/* The SAs went before the peer was known to seal: sticky all the same, and ordered before the gate changes. */
static void proof_outlives_its_sas(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_secure(room, &pair, true);
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0x1111, .hard = true } });
	assert_int_equal(room->drawn[0].type, ACTION_STICK);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(room_verdict(room), HF_VERDICT_BLOCK);
}

static void without_proof_nothing_sticks(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_secure(room, &pair, false);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_SEALS, .seals = true });
	room_no_order(room, ACTION_STICK);
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0x1111, .hard = true } });
	room_no_order(room, ACTION_STICK);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(room_verdict(room), HF_VERDICT_CLEAR);
}

/* From the store, in both groups that it raises; and only as long as the store says so. */
static void the_store_makes_sticky(void **state)
{
	struct room *room = *state;

	for (uint8_t net = 1; net <= 2; net++) {
		struct hf_pair pair = room_pair(net, 9);

		room_miss(room, &pair, true);
		assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
		room_order(room, ACTION_LOOKUP);
		room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
		assert_int_equal(room_verdict(room), HF_VERDICT_BLOCK);
		room_pass(room, 3 * NSTIME_S);
		assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
		room_miss(room, &pair, false);
		if (net == 1) { /* clear-or-private: goes as the group says */
			assert_int_equal(room_order(room, ACTION_DRAIN)->drain.how, DRAIN_CLEAR);
			continue;
		}
		room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
		assert_int_equal(room_verdict(room), HF_VERDICT_CLEAR);
	}
}

static void a_proof_of_no_key_ends_it(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_miss(room, &pair, true);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NO_KEY });
	assert_int_equal(room_verdict(room), HF_VERDICT_CLEAR);
}

/* The store was damaged: who has a key may have been known. */
static void a_key_may_say_sticky(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_miss(room, &pair, false);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY, .sticky = true });
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.group, HF_GROUP_PRIVATE);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	assert_int_equal(room_verdict(room), HF_VERDICT_BLOCK);
}

/* Discovery's answer was forged: this failure is not in clear, and the next attempt begins anew. */
static void a_forged_answer_opens_nothing(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_miss(room, &pair, false);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED, .sticky = true });
	assert_int_equal(room_verdict(room), HF_VERDICT_BLOCK);
	room_pass(room, 1000 * NSTIME_S);
	room_miss(room, &pair, false);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(room_verdict(room), HF_VERDICT_CLEAR);
}

static void forget_ends_all_pairs_of_an_address(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7), other = room_pair(2, 8);
	struct peer_view view;

	room_secure(room, &pair, true);
	room_secure(room, &other, true);
	room_tell(room, (struct core_event){ .type = EVENT_FORGET, .pair = { .remote = pair.remote } });
	room_pass(room, 1);
	room_order(room, ACTION_ABANDON);
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

	room_secure(room, &pair, true);
	room_secure(room, &other, true);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_false(room_order(room, ACTION_GATE)->gate.present);
	room_order(room, ACTION_POLICY_DEL);
	assert_true(room_order(room, ACTION_SA_DEL)->sa.in);
	assert_true(room_order(room, ACTION_SA_DEL)->sa.out);
	room_order(room, ACTION_ABANDON);
	assert_int_equal(room_view(room, &pair).state, PEER_IDLE);
	assert_int_equal(room_view(room, &other).state, PEER_SECURE);
	core_count(room->core, &counts);
	assert_int_equal(counts.closed_key, 1);
	room_miss(room, &pair, true);
	room_order(room, ACTION_LOOKUP);
}

/* It was reached securely once: whatever its group, it is not in clear because of that. */
static void a_withdrawn_key_opens_nothing(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(2, 7);

	room_secure(room, &pair, true);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
	assert_int_equal(room_order(room, ACTION_GATE)->gate.value.group, HF_GROUP_PRIVATE);
	room_miss(room, &pair, true);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LOOKUP_FAILED });
	assert_int_equal(room_verdict(room), HF_VERDICT_BLOCK);
}

/* SAs of a pair that nobody used still receive until the peer has heard: not with a withdrawn key. */
static void a_withdrawn_key_ends_what_is_left(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);

	room_secure(room, &pair, true);
	room_pass(room, 1300 * NSTIME_S);
	room_order(room, ACTION_CHECK_LIFE);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_LIFE });
	assert_int_equal(room_view(room, &pair).state, PEER_IDLE);
	assert_false(room_order(room, ACTION_SA_DEL)->sa.in);
	room_miss(room, &pair, true);
	room_order(room, ACTION_LOOKUP);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY_GONE });
	assert_true(room_order(room, ACTION_SA_DEL)->sa.in);
	room_no_order(room, ACTION_ABANDON);
	/* The attempt that is under way asks for the key of today. */
	assert_int_equal(room_view(room, &pair).state, PEER_LOOKUP);
}

/* ---- keys that come later ---- */

/* What failed because nobody knew a key does not stay so until its end: not in clear, and not denied. */
static void a_key_that_was_found_ends_a_failure(void **state)
{
	static const enum core_event_type reasons[] = { EVENT_LOOKUP_FAILED, EVENT_NO_KEY };
	struct room *room = *state;

	for (uint8_t i = 0; i < 4; i++) {
		struct hf_pair pair = room_pair(i & 1 ? 3 : 2, 7 + i);

		room_miss(room, &pair, false);
		room_tell_of(room, &pair, (struct core_event){ .type = reasons[i / 2] });
		assert_int_equal(room_view(room, &pair).state, i & 1 ? PEER_DENIED : PEER_CLEAR);
		room_tell_of(room, &pair, (struct core_event){ .type = EVENT_KEY_FOUND });
		/* Undecided again. */
		assert_false(room_order(room, ACTION_GATE)->gate.present);
		room_miss(room, &pair, false);
		room_order(room, ACTION_LOOKUP);
	}
}

/* A peer that did not answer does so no sooner for it, and what is under way or stands is left alone. */
static void a_key_that_was_found_changes_nothing_else(void **state)
{
	struct room *room = *state;
	struct hf_pair refused = room_pair(2, 7), secure = room_pair(3, 8), asking = room_pair(3, 9),
		       unknown = room_pair(3, 10);
	struct peer_view view;

	room_miss(room, &refused, false);
	room_tell_of(room, &refused, (struct core_event){ .type = EVENT_KEY });
	room_tell_of(room, &refused, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	room_secure(room, &secure, true);
	room_miss(room, &asking, false);
	room_tell_of(room, &refused, (struct core_event){ .type = EVENT_KEY_FOUND });
	assert_int_equal(room->count, 0);
	room_tell_of(room, &secure, (struct core_event){ .type = EVENT_KEY_FOUND });
	assert_int_equal(room->count, 0);
	room_tell_of(room, &asking, (struct core_event){ .type = EVENT_KEY_FOUND });
	assert_int_equal(room->count, 0);
	room_tell_of(room, &unknown, (struct core_event){ .type = EVENT_KEY_FOUND });
	assert_false(core_find(room->core, &view, &unknown));
	assert_int_equal(room_view(room, &refused).state, PEER_CLEAR);
	assert_int_equal(room_view(room, &asking).state, PEER_LOOKUP);
}

/* ---- liveness ---- */

static void a_silent_peer_is_asked(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	struct core_counts counts;

	room_secure(room, &pair, true);
	look(room, &pair, 0, 1); /* the first look only learns */
	look(room, &pair, 0, 5);
	room_no_order(room, ACTION_PROBE);
	look(room, &pair, 0, 9);
	assert_true(room_order(room, ACTION_PROBE)->probe_soon);
	core_count(room->core, &counts);
	assert_int_equal(counts.probes, 1);
	/* It is not there: its Child SA goes down, the next packet begins anew. */
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	room_miss(room, &pair, true);
	room_order(room, ACTION_LOOKUP);
}

static void who_is_heard_or_not_spoken_to_is_not_asked(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);

	room_secure(room, &pair, true);
	look(room, &pair, 0, 1);
	for (uint64_t i = 1; i < 10; i++) {
		look(room, &pair, i / 2, i); /* heard every other time */
		room_no_order(room, ACTION_PROBE);
	}
	for (uint64_t i = 1; i < 10; i++) {
		look(room, &pair, 4, 9);
		room_no_order(room, ACTION_PROBE);
	}
	for (uint64_t i = 1; i < 10; i++) {
		look(room, &pair, 4 + i, 9);
		room_no_order(room, ACTION_PROBE);
	}
}

/* ---- idle ---- */

static void unused_sas_go(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 7);
	int looks = 0;

	room_secure(room, &pair, true);
	look(room, &pair, 3, 3);
	while (!room_drawn(room, ACTION_ABANDON, 0) && looks++ < 100)
		look(room, &pair, 3, 3);
	assert_in_range(looks, 75, 80); /* 20 minutes */
	assert_false(room_order(room, ACTION_GATE)->gate.present);
	assert_true(room_order(room, ACTION_SA_DEL)->sa.out);
	assert_false(room_order(room, ACTION_SA_DEL)->sa.in); /* until the peer has heard */
	assert_int_equal(room_view(room, &pair).state, PEER_IDLE);
	/* A packet at this very moment begins anew; the old SA's end does not disturb it. */
	room_miss(room, &pair, true);
	room_order(room, ACTION_LOOKUP);
	room_tell_of(room, &pair,
		     (struct core_event){ .type = EVENT_CHILD_DOWN, .up = { .child = { .spi_in_be = 0x1111 } } });
	assert_true(room_order(room, ACTION_SA_DEL)->sa.in);
	assert_int_equal(room_view(room, &pair).state, PEER_LOOKUP);
}

static void used_sas_are_rekeyed_and_unused_are_not(void **state)
{
	struct room *room = *state;
	struct hf_pair used = room_pair(3, 7);
	struct core_event soft = { .type = EVENT_SA_EXPIRED, .expired = { .spi_be = 0x2222 } };

	room_secure(room, &used, true);
	for (uint64_t i = 0; i < 100; i++)
		look(room, &used, i, i);
	room_tell_of(room, &used, soft);
	room_order(room, ACTION_REKEY);
	room->now += 1201 * NSTIME_S; /* the looks did not come to it */
	room_tell_of(room, &used, soft);
	room_no_order(room, ACTION_REKEY);
	room_order(room, ACTION_ABANDON);
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
		while (room_drawn(room, ACTION_REKEY, now))
			now++;
		assert_true(now <= 1); /* 50 a second */
		refreshed += now;
	}
	assert_int_equal(refreshed, PEERS);
}

/* A peer that asks after what died with the earlier agent has an answer as soon as there is a successor: it comes first, and once. */
static void who_asks_after_adopted_sas_is_next(void **state)
{
	struct room *room = *state;
	const struct core_event asked = { .type = EVENT_ASKED };
	struct hf_pair pairs[PEERS];

	for (uint8_t i = 0; i < PEERS; i++) {
		pairs[i] = room_pair(3, i);
		adopt(room, &pairs[i], 0x1111, 0x2222);
		assert_true(room_view(room, &pairs[i]).orphaned);
	}
	room_pass(room, 100 * NSTIME_MS);
	room_no_order(room, ACTION_REKEY);
	room_tell_of(room, &pairs[7], asked);
	room_tell_of(room, &pairs[6], asked);
	room_pass(room, 1);
	assert_true(pair_equal(&room_order(room, ACTION_REKEY)->pair, &pairs[7]));
	assert_null(room_drawn(room, ACTION_REKEY, 1));
	room_tell_of(room, &pairs[7], asked);
	room_pass(room, 19 * NSTIME_MS);
	room_no_order(room, ACTION_REKEY);
	room_pass(room, NSTIME_MS);
	assert_true(pair_equal(&room_order(room, ACTION_REKEY)->pair, &pairs[6]));
	room_pass(room, 800 * NSTIME_MS);
	room_no_order(room, ACTION_REKEY);
}

/* It is an orphan's question only. */
static void who_asks_after_what_lives_changes_nothing(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1), other = room_pair(3, 2);
	struct core_event up = room_child(false), added = room_added();

	room_secure(room, &pair, true);
	assert_false(room_view(room, &pair).orphaned);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_ASKED });
	room_pass(room, NSTIME_S);
	room_no_order(room, ACTION_REKEY);
	adopt(room, &other, 0x1112, 0x2223);
	up.up.child.spi_in_be = 0x3333;
	room_tell_of(room, &other, up);
	added.added.spi_in_be = 0x3333;
	room_tell_of(room, &other, added);
	assert_false(room_view(room, &other).orphaned);
	room_tell_of(room, &other, (struct core_event){ .type = EVENT_ASKED });
	room_pass(room, 200 * NSTIME_S);
	room_no_order(room, ACTION_REKEY);
}

static void adopted_sas_go_when_the_successor_was_there_a_while(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event up = room_child(false), added = room_added();

	adopt(room, &pair, 0x1111, 0x2222);
	adopt(room, &pair, 0x1112, 0); /* a rekey had begun */
	room_pass(room, 1100 * NSTIME_MS);
	room_order(room, ACTION_REKEY);
	up.up.child.spi_in_be = 0x3333;
	room_tell_of(room, &pair, up);
	added.added.spi_in_be = 0x3333;
	room_tell_of(room, &pair, added);
	room_pass(room, 4 * NSTIME_S);
	room_no_order(room, ACTION_SA_DEL);
	room_pass(room, 2 * NSTIME_S);
	assert_non_null(room_drawn(room, ACTION_SA_DEL, 1));
	assert_null(room_drawn(room, ACTION_SA_DEL, 2));
	room_no_order(room, ACTION_REKEY);
	assert_int_equal(room_view(room, &pair).state, PEER_SECURE);
	room_pass(room, 200 * NSTIME_S);
	room_no_order(room, ACTION_REKEY);
}

static void successor(struct room *room, const struct hf_pair *pair, uint32_t spi_in)
{
	struct core_event up = room_child(false), added = room_added();

	up.up.child.spi_in_be = added.added.spi_in_be = spi_in;
	room_tell_of(room, pair, up);
	room_tell_of(room, pair, added);
	assert_false(room_view(room, pair).orphaned);
}

/* The peer's agent died as well, and the successor with it: another one is made, and only then the adopted ones go. */
static void adopted_sas_stay_when_the_successor_does_not_last(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event down = { .type = EVENT_CHILD_DOWN };

	adopt(room, &pair, 0x1111, 0x2222);
	room_pass(room, 1100 * NSTIME_MS);
	room_order(room, ACTION_REKEY);
	successor(room, &pair, 0x3333);
	down.up.child.spi_in_be = 0x3333;
	room_tell_of(room, &pair, down);
	assert_true(room_view(room, &pair).orphaned);
	room_pass(room, 6 * NSTIME_S);
	room_no_order(room, ACTION_SA_DEL);
	room_order(room, ACTION_REKEY);
	successor(room, &pair, 0x3334);
	room_pass(room, 6 * NSTIME_S);
	room_order(room, ACTION_SA_DEL);
	room_no_order(room, ACTION_REKEY);
}

/* Agents that died one after the other, each before it could take away what it had adopted, leave many. */
static void adopted_sas_leave_room_for_successors(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);
	struct core_event up = room_child(false), added = room_added();

	for (uint32_t i = 0; i < 2 * CORE_CHILDREN; i++)
		adopt(room, &pair, 0x1111 + i, i ? 0 : 0x2222);
	room_pass(room, 1100 * NSTIME_MS);
	room_order(room, ACTION_REKEY);
	for (uint32_t i = 0; i < CORE_CHILDREN - CORE_ADOPTED; i++) {
		up.up.child.spi_in_be = added.added.spi_in_be = 0x3333 + i;
		room_tell_of(room, &pair, up);
		room_no_order(room, ACTION_CHILD_GONE);
		room_order(room, ACTION_SA_ADD);
		room_tell_of(room, &pair, added);
	}
	assert_false(room_view(room, &pair).orphaned);
}

/* No successor: they go on while the peer is heard, and are tried again; when it is not heard either, it starts over. */
static void adopted_sas_without_successor(void **state)
{
	struct room *room = *state;
	struct hf_pair pair = room_pair(3, 1);

	adopt(room, &pair, 0x1111, 0x2222);
	room_pass(room, 1100 * NSTIME_MS);
	room_order(room, ACTION_REKEY);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	assert_int_equal(room_view(room, &pair).state, PEER_SECURE);
	look(room, &pair, 1, 1);
	look(room, &pair, 1, 2);
	look(room, &pair, 1, 3); /* silent: the successor's handshake is the question */
	room_no_order(room, ACTION_PROBE);
	room_pass(room, 1);
	room_order(room, ACTION_REKEY);
	room_tell_of(room, &pair, (struct core_event){ .type = EVENT_NEGOTIATION_FAILED });
	assert_int_equal(room_verdict(room), HF_VERDICT_HOLD);
	room_order(room, ACTION_LOOKUP);
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
		STORY(a_forged_answer_opens_nothing),
		STORY(forget_ends_all_pairs_of_an_address),
		STORY(a_silent_peer_is_asked),
		STORY(who_is_heard_or_not_spoken_to_is_not_asked),
		STORY(a_withdrawn_key_ends_its_sas),
		STORY(a_withdrawn_key_opens_nothing),
		STORY(a_withdrawn_key_ends_what_is_left),
		STORY(a_key_that_was_found_ends_a_failure),
		STORY(a_key_that_was_found_changes_nothing_else),
		STORY(unused_sas_go),
		STORY(used_sas_are_rekeyed_and_unused_are_not),
		STORY(adopted_sas_get_successors_one_after_the_other),
		STORY(who_asks_after_adopted_sas_is_next),
		STORY(who_asks_after_what_lives_changes_nothing),
		STORY(adopted_sas_go_when_the_successor_was_there_a_while),
		STORY(adopted_sas_stay_when_the_successor_does_not_last),
		STORY(adopted_sas_leave_room_for_successors),
		STORY(adopted_sas_without_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
