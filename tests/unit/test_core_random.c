// SPDX-License-Identifier: Apache-2.0
/*
 * Random facts at a small core, and what must hold at every instant: the gate is never open where the group is
 * closed, and what protects a pair is never taken away before its gate was closed.
 */
#include <errno.h>
#include <stdlib.h>

#include "core_room.h"

struct shadow {
	bool policy, sas;
	enum hf_verdict verdict; /* 0 = none */
	enum hf_group group;
	bool sticky; /* ordered to be: the gate is never open for it, and nothing goes in clear */
};

static void watch_orders(struct room *room, struct shadow *shadow)
{
	for (size_t i = 0; i < room->count; i++) {
		const struct action *action = &room->drawn[i];
		const uint8_t *remote = action->pair.remote.octet;
		struct shadow *of = &shadow[remote[13] % 16 * 16 + remote[15] % 16];
		enum hf_group group = policy_group(&room->policy, &action->pair.remote);

		switch (action->type) {
		case ACTION_GATE:
			of->verdict = action->gate.present ? action->gate.value.verdict : 0;
			if (group == HF_GROUP_PRIVATE || of->sticky)
				assert_int_not_equal(of->verdict, HF_VERDICT_CLEAR);
			break;
		case ACTION_POLICY_SET:
			of->policy |= !action->policy.in;
			break;
		case ACTION_POLICY_DEL:
			/* Clear by then, the packets would be on the wire: the gate must hold, block or be the group's. */
			assert_true(of->verdict != HF_VERDICT_SECURE);
			if (!action->policy.in)
				of->policy = false;
			break;
		case ACTION_STICK:
			of->sticky = true;
			break;
		case ACTION_DRAIN:
			if (group == HF_GROUP_PRIVATE || of->sticky)
				assert_int_not_equal(action->drain.how, DRAIN_CLEAR);
			break;
		default:
			break;
		}
	}
}

/* What is remembered of a peer is told as the store would. */
static struct core_event random_fact(const struct shadow *shadow, unsigned int *seed)
{
	static const enum core_event_type types[] = {
		EVENT_FLOW_MISS,   EVENT_FLOW_MISS,	EVENT_STRAY,
		EVENT_KEY,	   EVENT_NO_KEY,	EVENT_KEY,
		EVENT_CHILD_UP,	   EVENT_CHILD_UP,	EVENT_SA_ADDED,
		EVENT_SA_ADDED,	   EVENT_POLICY_SET,	EVENT_DRAINED,
		EVENT_DRAINED,	   EVENT_SEALS,		EVENT_SA_EXPIRED,
		EVENT_POLICY_GONE, EVENT_LOOKUP_FAILED, EVENT_NEGOTIATION_FAILED,
		EVENT_CHILD_USE,   EVENT_CHILD_QUIET,	EVENT_CHILD_DOWN,
		EVENT_LIFE,	   EVENT_KEY_GONE,	EVENT_ASKED,
		EVENT_KEY_FOUND,
	};
	struct core_event event = { .type = types[rand_r(seed) % (sizeof(types) / sizeof(types[0]))] };
	struct hf_pair pair = room_pair((uint8_t)(2 + rand_r(seed) % 2), (uint8_t)(rand_r(seed) % 12));

	event.pair = pair;
	event.sticky = shadow[pair.remote.octet[13] % 16 * 16 + pair.remote.octet[15] % 16].sticky;
	switch (event.type) {
	case EVENT_CHILD_UP:
	case EVENT_CHILD_USE:
	case EVENT_CHILD_QUIET:
	case EVENT_CHILD_DOWN: {
		enum core_event_type type = event.type;

		bool sticky = event.sticky;

		event = room_child(rand_r(seed) % 2);
		event.type = type;
		event.sticky = sticky;
		event.pair = pair;
		event.up.out = rand_r(seed) % 4;
		event.up.proved = rand_r(seed) % 64 == 0;
		event.up.child.spi_in_be = 0x1111 + (uint32_t)rand_r(seed) % 3;
		break;
	}
	case EVENT_DRAINED:
		event.drained.empty = rand_r(seed) % 4;
		break;
	case EVENT_LIFE:
		event.life.in = (uint64_t)rand_r(seed) % 2;
		event.life.out = (uint64_t)rand_r(seed) % 2;
		break;
	case EVENT_SEALS:
		event.seals = rand_r(seed) % 2;
		break;
	case EVENT_SA_EXPIRED:
		event.expired.spi_be = rand_r(seed) % 2 ? 0x1111 : 0x2222;
		event.expired.hard = rand_r(seed) % 2;
		break;
	case EVENT_SA_ADDED:
		event = room_added();
		event.pair = pair;
		event.added.spi_in_be = 0x1111 + (uint32_t)rand_r(seed) % 3;
		event.error = rand_r(seed) % 5 ? 0 : -ENOMEM;
		break;
	case EVENT_POLICY_SET:
		event.error = rand_r(seed) % 5 ? 0 : -ENOMEM;
		break;
	default:
		break;
	}
	return event;
}

static void random_facts_never_open_what_is_closed(void **state)
{
	struct room *room = *state;
	struct shadow shadow[256] = { 0 };
	unsigned int seed = 20041;
	struct core_counts counts;

	for (int i = 0; i < 200000; i++) {
		room_tell(room, random_fact(shadow, &seed));
		watch_orders(room, shadow);
		if (rand_r(&seed) % 8 == 0) {
			room_pass(room, (uint64_t)(rand_r(&seed) % 4000) * NSTIME_MS);
			watch_orders(room, shadow);
		}
	}
	core_count(room->core, &counts);
	assert_true(counts.secured > 100); /* the walk got somewhere */
	assert_true(counts.peers <= PEERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(random_facts_never_open_what_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
