// SPDX-License-Identifier: Apache-2.0
/*
 * The handoff: from "its SAs stand" to "the pair is secure", in the order that was measured (DESIGN 7): what was held goes out sealed, the
 * out-policy is set, what queued up meanwhile goes out, the gate says SECURE, the in-policy comes last.
 */
#include "base/nstime.h"
#include "core/internal.h"

/*
 * Drains of one step of a handoff, 128 packets each at most: 1,024 packets, some 20 ms of one peer's at the others' cost. A
 * sender that is faster than this loses the order, not packets.
 */
#define HANDOFF_DRAINS_MAX 8

void handoff_start(struct core *core, struct peer *peer, uint64_t now)
{
	peer_enter(peer, PEER_HANDOFF, now);
	core_timer(core, peer, NSTIME_NEVER);
	peer->step = HANDOFF_HELD;
	peer->drains = 0;
	peer->has_sent = false;
	order_gate(core, peer, gate_show(PEER_HANDOFF, peer->group, peer->sticky), nstime_add(now, HANDOFF_NS));
	order_drain(core, peer, DRAIN_SEALED, false);
}

static void finish_handoff(struct core *core, struct peer *peer, uint64_t now)
{
	peer_enter(peer, PEER_SECURE, now);
	peer->failures = 0;
	core->counts.secured++;
	vigil_start(core, peer, now);
	if (peer->peer_seals)
		peer_stick(core, peer);
	/* A stray of another processor may still come: what is sealed goes on waiting for it a while. */
	order_gate(core, peer, GATE_SECURE, nstime_add(now, HANDOFF_NS));
	order_drain(core, peer, DRAIN_SEALED, true);
	/* Nothing flows in clear where everything was held: the in-policy can stand at once. */
	order_in_policy(core, peer);
	if (!peer->peer_seals)
		vigil_seals(core, peer, now);
	/* It sends when it knows that we read, which any message says, and what it has may wait. */
	if (!peer->responder && !peer->has_sent)
		core_emit(core, peer, ACTION_PROBE);
}

/* Newer packets wait for older ones until handoff_until_ns at most: beyond it an agent that got no processor time lost the order. */
static bool was_cut(const struct peer *peer, bool empty, uint64_t now)
{
	return !empty || (peer->step == HANDOFF_REST && now >= peer->handoff_until_ns);
}

void handoff_drained(struct core *core, struct peer *peer, bool empty, bool none, uint64_t now)
{
	if (peer->state != PEER_HANDOFF) {
		if (empty || none)
			return;
		if (peer->state == PEER_SECURE)
			order_drain(core, peer, DRAIN_SEALED, true);
		else if (peer->state == PEER_CLEAR || peer->state == PEER_DENIED)
			order_drain_failed(core, peer);
		return;
	}
	peer->has_sent |= !none;
	if (!empty && ++peer->drains < HANDOFF_DRAINS_MAX) {
		order_drain(core, peer, DRAIN_SEALED, false);
		return;
	}
	if (was_cut(peer, empty, now))
		core->counts.handoffs_cut++;
	if (peer->step == HANDOFF_HELD) {
		peer->step = HANDOFF_POLICY;
		peer->drains = 0;
		order_policy(core, peer, false);
	} else if (peer->step == HANDOFF_REST) {
		finish_handoff(core, peer, now);
	}
}

void handoff_policy_set(struct core *core, struct peer *peer, int error, uint64_t now)
{
	if (peer->state == PEER_HANDOFF && peer->step == HANDOFF_POLICY) {
		if (error) {
			peer_fail(core, peer, FAILURE_KERNEL, now);
			return;
		}
		peer->step = HANDOFF_REST;
		order_gate(core, peer, GATE_SECURE, nstime_add(now, HANDOFF_NS));
		order_drain(core, peer, DRAIN_SEALED, false);
	}
}
