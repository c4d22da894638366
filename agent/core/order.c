// SPDX-License-Identifier: Apache-2.0
/*
 * What a peer orders: gate entries, drains, policies and SAs as actions, filled from its state. What the gate shows is
 * gate.c's matrix; when to order what is peer.c's.
 */
#include "core/internal.h"

void order_gate(struct core *core, struct peer *peer, enum gate_show shown, uint64_t handoff_until)
{
	static const enum hf_verdict verdicts[] = {
		[GATE_HOLD] = HF_VERDICT_HOLD,
		[GATE_CLEAR] = HF_VERDICT_CLEAR,
		[GATE_SECURE] = HF_VERDICT_SECURE,
		[GATE_BLOCK] = HF_VERDICT_BLOCK,
	};
	struct action *action;

	if (shown == GATE_NONE && peer->shown == GATE_NONE)
		return;
	peer->shown = shown;
	peer->handoff_until_ns = handoff_until;
	action = core_emit(core, peer, ACTION_GATE);
	if (shown == GATE_NONE)
		return;
	action->gate.present = true;
	action->gate.handoff = handoff_until != 0;
	action->gate.value = (struct hf_gate){
		.verdict = verdicts[shown],
		.group = peer->sticky ? HF_GROUP_PRIVATE : peer->group,
		.until_ns = peer->until_ns,
		.handoff_until_ns = handoff_until,
	};
	if (shown == GATE_SECURE && !peer->peer_seals && !peer_is_closed(peer))
		action->gate.value.flags |= HF_GATE_IN_CLEAR;
	if (peer->encap && (shown == GATE_HOLD || shown == GATE_SECURE))
		action->gate.value.flags |= HF_GATE_UDP_ENCAP;
	if (!addr_is_none(&peer->gateway) && (shown == GATE_HOLD || shown == GATE_SECURE))
		action->gate.value.flags |= HF_GATE_GATEWAY;
}

/* The gate follows the state; what would be the group's own answer needs no entry. */
void order_gate_shown(struct core *core, struct peer *peer)
{
	order_gate(core, peer, gate_show(peer->state, peer->group, peer->sticky), 0);
}

/* The same state in another light: a handoff that is under way keeps its end, or what waits would be overtaken. */
void order_gate_again(struct core *core, struct peer *peer, uint64_t now)
{
	order_gate(core, peer, gate_show(peer->state, peer->group, peer->sticky),
		   now < peer->handoff_until_ns ? peer->handoff_until_ns : 0);
}

void order_drain(struct core *core, const struct peer *peer, enum drain_how how, bool close)
{
	struct action *action = core_emit(core, peer, ACTION_DRAIN);

	action->drain.how = how;
	action->drain.tunnel = peer->tunnel;
	action->drain.close = close;
	action->drain.policy_later = peer->state == PEER_HANDOFF && peer->step == HANDOFF_HELD;
}

/* What waits goes as the peer's failure was decided, CLEAR or DENIED. */
void order_drain_failed(struct core *core, const struct peer *peer)
{
	order_drain(core, peer, peer->state == PEER_CLEAR ? DRAIN_CLEAR : DRAIN_DENY, true);
}

/* What waits goes as a group says that wants no SAs. */
void order_drain_by_group(struct core *core, const struct peer *peer)
{
	order_drain(core, peer, peer->group == HF_GROUP_BLOCK ? DRAIN_DENY : DRAIN_CLEAR, true);
}

struct action *order_policy(struct core *core, struct peer *peer, bool in)
{
	struct action *action = core_emit(core, peer, ACTION_POLICY_SET);

	action->policy.in = in;
	action->policy.tunnel = peer->tunnel;
	peer->has_policies = true;
	return action;
}

/*
 * Where clear packets may still come it waits until the peer is known to seal. Not in tunnel mode: without a policy
 * the kernel accepts nothing that was in a tunnel, so there it stands from the beginning and at first lets both in.
 */
void order_in_policy(struct core *core, struct peer *peer)
{
	bool required = peer_is_closed(peer) || peer->peer_seals;

	if (required || peer->tunnel)
		order_policy(core, peer, true)->policy.optional = !required;
}

void order_policies_gone(struct core *core, const struct peer *peer)
{
	for (int in = 0; in < 2; in++)
		core_emit(core, peer, ACTION_POLICY_DEL)->policy.in = in;
}

void order_sa_gone(struct core *core, const struct peer *peer, const struct peer_child *child, bool in, bool out)
{
	struct action *action;

	if (!in && !out)
		return;
	action = core_emit(core, peer, ACTION_SA_DEL);
	action->sa.child.spi_in_be = child->spi_in_be;
	action->sa.child.spi_out_be = child->spi_out_be;
	action->sa.in = in;
	action->sa.out = out;
}

void order_sa(struct core *core, const struct peer *peer, const struct child *child, bool in, bool out)
{
	struct action *action = core_emit(core, peer, ACTION_SA_ADD);

	action->sa.child = *child;
	action->sa.in = in;
	action->sa.out = out;
}

void order_sa_move(struct core *core, const struct peer *peer, const struct peer_child *known,
		   const struct child *child)
{
	struct action *action;

	if (!known->in && !known->out)
		return;
	action = core_emit(core, peer, ACTION_SA_MOVE);
	action->sa.child = *child;
	action->sa.child.tunnel = peer->tunnel;
	action->sa.in = known->in;
	action->sa.out = known->out;
}

/* It may use any of them: one at a look. */
void order_check_seals(struct core *core, const struct peer *peer)
{
	if (peer->child_count)
		core_emit(core, peer, ACTION_CHECK_SEALS)->spi_in_be =
			peer->children[peer->looks % peer->child_count].spi_in_be;
}

void order_check_life(struct core *core, const struct peer *peer)
{
	struct action *action = core_emit(core, peer, ACTION_CHECK_LIFE);

	for (unsigned int i = 0; i < peer->child_count; i++) {
		if (peer->children[i].in)
			action->life.in_be[i] = peer->children[i].spi_in_be;
		if (peer->children[i].out)
			action->life.out_be[i] = peer->children[i].spi_out_be;
	}
}
