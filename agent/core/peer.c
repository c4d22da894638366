// SPDX-License-Identifier: Apache-2.0
/*
 * What a peer does next. One function per fact, one switch that calls them; what the gate shows is gate.c's
 * matrix, how long a failure lasts is backoff.c's. The order in which SAs, policies and packets change hands is
 * DESIGN 7's, measured: SAs first, held packets through them, then the out-policy, the in-policy last.
 */
#include "core/peer.h"

#include <errno.h>

#include "base/nstime.h"
#include "base/secret.h"
#include "core/internal.h"

/* Discovery is local or one round of DNS; after this the attempt has failed. */
#define LOOKUP_NS (5 * NSTIME_S)

/* IKEV2 1.1: 0.5 + 1 + 2 + 4 s where clear is the way out, a minute where nothing passes anyway. */
#define NEGOTIATE_OPEN_NS (7500 * NSTIME_MS)
#define NEGOTIATE_CLOSED_NS (60 * NSTIME_S)

/*
 * A responder seals when it has seen ESP from the initiator, or a round trip after its answer, which is not known
 * here: 200 ms covers a continent. The looks at the SA's counter double from 5 ms.
 */
#define SEALS_FIRST_NS (5 * NSTIME_MS)
#define SEALS_RESPONDER_NS (200 * NSTIME_MS)
#define SEALS_MOST_NS (5 * NSTIME_S)

/*
 * Drains of one step of a handoff, 128 packets each at most: 1,024 packets, some 20 ms of one peer's at the others' cost. A
 * sender that is faster than this loses the order, not packets.
 */
#define HANDOFF_DRAINS_MAX 8

/*
 * ESP queues behind held packets for this long at most: several times what the drains above take, on an emulated machine
 * too. An agent that dies in a handoff delays its pair no longer.
 */
#define HANDOFF_NS (200 * NSTIME_MS)

/* The peer's old SA is kept while packets sealed with it may be on their way (strongSwan does the same). */
#define REPLACED_SA_NS (5 * NSTIME_S)

/* Failures in a row are remembered this long after the last one ended, so that the next one counts on. */
#define IDLE_NS (900 * NSTIME_S)

static void enter(struct peer *peer, enum peer_state state, uint64_t now)
{
	peer->state = state;
	peer->since_ns = now;
}

static bool is_closed_group(const struct peer *peer)
{
	return peer->group == HF_GROUP_PRIVATE || peer->sticky;
}

/* ---- orders ---- */

static void order_gate(struct core *core, struct peer *peer, enum gate_show shown, uint64_t handoff_until)
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
	if (shown == GATE_SECURE && !peer->peer_seals && !is_closed_group(peer))
		action->gate.value.flags |= HF_GATE_IN_CLEAR;
}

/* The gate follows the state; what would be the group's own answer needs no entry. */
static void show_gate(struct core *core, struct peer *peer)
{
	order_gate(core, peer, gate_show(peer->state, peer->group, peer->sticky), 0);
}

static void order_drain(struct core *core, const struct peer *peer, enum drain_how how, bool close)
{
	struct action *action = core_emit(core, peer, ACTION_DRAIN);

	action->drain.how = how;
	action->drain.tunnel = peer->tunnel;
	action->drain.close = close;
	action->drain.policy_later = peer->state == PEER_HANDOFF && peer->step == HANDOFF_HELD;
}

/* What waits goes as the peer's failure was decided, CLEAR or DENIED. */
static void drain_failed(struct core *core, const struct peer *peer)
{
	order_drain(core, peer, peer->state == PEER_CLEAR ? DRAIN_CLEAR : DRAIN_DENY, true);
}

/* What waits goes as a group says that wants no SAs. */
static void drain_by_group(struct core *core, const struct peer *peer)
{
	order_drain(core, peer, peer->group == HF_GROUP_BLOCK ? DRAIN_DENY : DRAIN_CLEAR, true);
}

static struct action *order_policy(struct core *core, const struct peer *peer, bool in)
{
	struct action *action = core_emit(core, peer, ACTION_POLICY_SET);

	action->policy.in = in;
	action->policy.tunnel = peer->tunnel;
	return action;
}

/*
 * Where clear packets may still come it waits until the peer is known to seal. Not in tunnel mode: without a policy
 * the kernel accepts nothing that was in a tunnel, so there it stands from the beginning and at first lets both in.
 */
static void order_in_policy(struct core *core, struct peer *peer)
{
	bool required = is_closed_group(peer) || peer->peer_seals;

	if (required || peer->tunnel)
		order_policy(core, peer, true)->policy.optional = !required;
}

static void order_policies_gone(struct core *core, const struct peer *peer)
{
	for (int in = 0; in < 2; in++)
		core_emit(core, peer, ACTION_POLICY_DEL)->policy.in = in;
}

static void order_sas_gone(struct core *core, const struct peer *peer, uint32_t spi_in_be, uint32_t spi_out_be)
{
	struct action *action;

	if (!spi_in_be && !spi_out_be)
		return;
	action = core_emit(core, peer, ACTION_SA_DEL);
	action->child.spi_in_be = spi_in_be;
	action->child.spi_out_be = spi_out_be;
}

static void drop_old_sas(struct core *core, struct peer *peer)
{
	order_sas_gone(core, peer, peer->old_spi_in_be, peer->old_spi_out_be);
	peer->old_spi_in_be = 0;
	peer->old_spi_out_be = 0;
}

/* Takes away what protects the pair. The caller has closed the gate before: what comes now must not pass in clear. */
static void unprotect(struct core *core, struct peer *peer)
{
	if (!peer->child.spi_in_be)
		return;
	order_policies_gone(core, peer);
	order_sas_gone(core, peer, peer->child.spi_in_be, peer->child.spi_out_be);
	drop_old_sas(core, peer);
	secret_wipe(&peer->child, sizeof(peer->child));
	peer->peer_seals = false;
	peer->rekeying = false;
}

/* ---- beginnings and ends ---- */

void peer_start(struct core *core, struct peer *peer, uint64_t now)
{
	enter(peer, PEER_LOOKUP, now);
	peer->until_ns = 0;
	peer->responder = false;
	show_gate(core, peer);
	core_emit(core, peer, ACTION_LOOKUP);
	core_timer(core, peer, nstime_add(now, LOOKUP_NS));
}

static void fail(struct core *core, struct peer *peer, enum failure failure, uint64_t now)
{
	enum peer_state state = failure_state(peer->group, peer->sticky);

	peer->failure = failure;
	peer->failures++;
	core->counts.failures[failure]++;
	enter(peer, state, now);
	peer->until_ns = nstime_add(now, backoff_span(failure, state, peer->failures));
	core_timer(core, peer, peer->until_ns);
	order_gate(core, peer, gate_show(state, peer->group, peer->sticky), nstime_add(now, HANDOFF_NS));
	unprotect(core, peer);
	drain_failed(core, peer);
}

void peer_remove(struct core *core, struct peer *peer)
{
	core_emit(core, peer, ACTION_ABANDON);
	unprotect(core, peer);
	order_gate(core, peer, GATE_NONE, 0);
	core_forget(core, peer);
}

/* ---- facts ---- */

/* The policy changed while the packet was on its way: it goes as the group says, and there is nothing to remember. */
static void let_pass(struct core *core, struct peer *peer)
{
	drain_by_group(core, peer);
	if (!timer_is_set(&peer->timer))
		core_forget(core, peer);
}

static void on_packets(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	bool ended = peer->until_ns && now >= peer->until_ns;

	switch (peer->state) {
	case PEER_CLEAR:
	case PEER_DENIED:
		if (!ended) {
			drain_failed(core, peer);
			return;
		}
		break;
	case PEER_SECURE:
		if (event->type == EVENT_STRAY)
			order_policy(core, peer, false); /* gone, or raced with: setting it again is harmless */
		order_drain(core, peer, DRAIN_SEALED, true);
		return;
	case PEER_IDLE:
		break;
	default:
		return; /* they wait, as they should */
	}
	if (event->error)
		fail(core, peer, FAILURE_FOREIGN, now);
	else if (group_wants_sas(peer->group) || peer->sticky)
		peer_start(core, peer, now);
	else
		let_pass(core, peer);
}

static void on_key(struct core *core, struct peer *peer, uint64_t now)
{
	if (peer->state != PEER_LOOKUP)
		return;
	enter(peer, PEER_NEGOTIATE, now);
	core_emit(core, peer, ACTION_NEGOTIATE);
	core_timer(core, peer, nstime_add(now, is_closed_group(peer) ? NEGOTIATE_CLOSED_NS : NEGOTIATE_OPEN_NS));
}

static void on_failure(struct core *core, struct peer *peer, enum failure failure, uint64_t now)
{
	if (peer->state == PEER_LOOKUP || peer->state == PEER_NEGOTIATE)
		fail(core, peer, failure, now);
	peer->rekeying = false;
}

static void install(struct core *core, struct peer *peer, const struct child *child)
{
	struct action *action = core_emit(core, peer, ACTION_SA_ADD);

	peer->child = *child;
	peer->tunnel = child->tunnel;
	action->child = *child;
}

static void on_child_up(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	bool responder = event->up.responder;

	if (responder ? !group_answers(peer->group) : peer->state != PEER_NEGOTIATE && !peer->rekeying)
		return;
	if (peer->state == PEER_INSTALL || peer->state == PEER_HANDOFF)
		return; /* one at a time; the engine's collision tables decide which survives */
	if (peer->state == PEER_SECURE) {
		drop_old_sas(core, peer);
		peer->old_spi_in_be = peer->child.spi_in_be;
		peer->old_spi_out_be = peer->child.spi_out_be;
		peer->rekeying = false;
		install(core, peer, &event->up.child);
		return;
	}
	peer->responder = responder;
	peer->peer_seals = false;
	peer->looks = 0;
	peer->until_ns = 0;
	enter(peer, PEER_INSTALL, now);
	core_timer(core, peer, NSTIME_NEVER);
	install(core, peer, &event->up.child);
}

static void look_later(struct core *core, struct peer *peer, uint64_t now)
{
	unsigned int doublings = peer->looks < 16 ? peer->looks : 16;

	peer->looks++;
	core_timer(core, peer, nstime_add(now, nstime_min(SEALS_FIRST_NS << doublings, SEALS_MOST_NS)));
}

static void start_handoff(struct core *core, struct peer *peer, uint64_t now)
{
	enter(peer, PEER_HANDOFF, now);
	core_timer(core, peer, NSTIME_NEVER);
	peer->step = HANDOFF_HELD;
	peer->drains = 0;
	order_gate(core, peer, gate_show(PEER_HANDOFF, peer->group, peer->sticky), nstime_add(now, HANDOFF_NS));
	order_drain(core, peer, DRAIN_SEALED, false);
}

static void on_sa_added(struct core *core, struct peer *peer, int error, uint64_t now)
{
	secret_wipe(peer->child.key_in, sizeof(peer->child.key_in));
	secret_wipe(peer->child.key_out, sizeof(peer->child.key_out));
	if (peer->state == PEER_SECURE) {
		if (error) { /* the old SAs still stand */
			peer->child.spi_in_be = peer->old_spi_in_be;
			peer->child.spi_out_be = peer->old_spi_out_be;
			peer->old_spi_in_be = 0;
			peer->old_spi_out_be = 0;
		} else if (peer->old_spi_in_be) {
			core_timer(core, peer, nstime_add(now, REPLACED_SA_NS));
		}
		return;
	}
	if (peer->state != PEER_INSTALL)
		return;
	if (error) {
		fail(core, peer, FAILURE_KERNEL, now);
		return;
	}
	if (peer->tunnel)
		order_in_policy(core, peer);
	if (peer->responder)
		look_later(core, peer, now);
	else
		start_handoff(core, peer, now);
}

static void finish_handoff(struct core *core, struct peer *peer, uint64_t now)
{
	enter(peer, PEER_SECURE, now);
	peer->failures = 0;
	core->counts.secured++;
	/* A stray of another processor may still come: what is sealed goes on waiting for it a while. */
	order_gate(core, peer, GATE_SECURE, nstime_add(now, HANDOFF_NS));
	order_drain(core, peer, DRAIN_SEALED, true);
	/* Nothing flows in clear where everything was held: the in-policy can stand at once. */
	order_in_policy(core, peer);
	if (!peer->peer_seals)
		look_later(core, peer, now);
}

static void on_drained(struct core *core, struct peer *peer, bool empty, uint64_t now)
{
	if (peer->state != PEER_HANDOFF) {
		if (empty)
			return;
		if (peer->state == PEER_SECURE)
			order_drain(core, peer, DRAIN_SEALED, true);
		else if (peer->state == PEER_CLEAR || peer->state == PEER_DENIED)
			drain_failed(core, peer);
		return;
	}
	if (!empty && ++peer->drains < HANDOFF_DRAINS_MAX) {
		order_drain(core, peer, DRAIN_SEALED, false);
		return;
	}
	if (!empty)
		core->counts.handoffs_cut++;
	if (peer->step == HANDOFF_HELD) {
		peer->step = HANDOFF_POLICY;
		peer->drains = 0;
		order_policy(core, peer, false);
	} else if (peer->step == HANDOFF_REST) {
		finish_handoff(core, peer, now);
	}
}

static void on_policy_set(struct core *core, struct peer *peer, int error, uint64_t now)
{
	if (peer->state == PEER_HANDOFF && peer->step == HANDOFF_POLICY) {
		if (error) {
			fail(core, peer, FAILURE_KERNEL, now);
			return;
		}
		peer->step = HANDOFF_REST;
		order_gate(core, peer, GATE_SECURE, nstime_add(now, HANDOFF_NS));
		order_drain(core, peer, DRAIN_SEALED, false);
	}
}

static void on_seals(struct core *core, struct peer *peer, bool seals, uint64_t now)
{
	if (seals)
		peer->peer_seals = true;
	if (peer->state == PEER_INSTALL) {
		if (seals || now >= nstime_add(peer->since_ns, SEALS_RESPONDER_NS))
			start_handoff(core, peer, now);
		else
			look_later(core, peer, now);
		return;
	}
	if (peer->state != PEER_SECURE)
		return;
	if (!seals) {
		look_later(core, peer, now);
		return;
	}
	show_gate(core, peer);
	order_in_policy(core, peer);
}

static void on_expired(struct core *core, struct peer *peer, uint32_t spi_be, bool hard, uint64_t now)
{
	if (peer->state != PEER_SECURE || (spi_be != peer->child.spi_in_be && spi_be != peer->child.spi_out_be))
		return;
	if (!hard) {
		if (!peer->rekeying)
			core_emit(core, peer, ACTION_NEGOTIATE);
		peer->rekeying = true;
		return;
	}
	/* The gate closes before the policies go: between them packets wait instead of leaving in clear. */
	peer_start(core, peer, now);
	unprotect(core, peer);
}

void peer_event(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	switch (event->type) {
	case EVENT_FLOW_MISS:
	case EVENT_STRAY:
		on_packets(core, peer, event, now);
		break;
	case EVENT_KEY:
		on_key(core, peer, now);
		break;
	case EVENT_NO_KEY:
		on_failure(core, peer, FAILURE_NO_KEY, now);
		break;
	case EVENT_LOOKUP_FAILED:
		on_failure(core, peer, FAILURE_LOOKUP, now);
		break;
	case EVENT_CHILD_UP:
		on_child_up(core, peer, event, now);
		break;
	case EVENT_NEGOTIATION_FAILED:
		on_failure(core, peer, FAILURE_NEGOTIATION, now);
		break;
	case EVENT_SA_ADDED:
		on_sa_added(core, peer, event->error, now);
		break;
	case EVENT_POLICY_SET:
		on_policy_set(core, peer, event->error, now);
		break;
	case EVENT_DRAINED:
		on_drained(core, peer, event->drained.empty, now);
		break;
	case EVENT_SEALS:
		on_seals(core, peer, event->seals, now);
		break;
	case EVENT_SA_EXPIRED:
		on_expired(core, peer, event->expired.spi_be, event->expired.hard, now);
		break;
	case EVENT_POLICY_GONE:
		if (peer->state == PEER_SECURE) {
			order_policy(core, peer, false);
			order_in_policy(core, peer);
		}
		break;
	case EVENT_LOCAL_GONE: /* core.c */
	case EVENT_ADOPT:
		break;
	}
}

/* ---- time ---- */

void peer_expire(struct core *core, struct peer *peer, uint64_t now)
{
	switch (peer->state) {
	case PEER_LOOKUP:
		core_emit(core, peer, ACTION_ABANDON);
		fail(core, peer, FAILURE_LOOKUP, now);
		break;
	case PEER_NEGOTIATE:
		core_emit(core, peer, ACTION_ABANDON);
		fail(core, peer, FAILURE_NEGOTIATION, now);
		break;
	case PEER_INSTALL:
	case PEER_SECURE:
		if (peer->old_spi_in_be)
			drop_old_sas(core, peer);
		if (!peer->peer_seals)
			core_emit(core, peer, ACTION_CHECK_SEALS)->spi_in_be = peer->child.spi_in_be;
		break;
	case PEER_CLEAR:
	case PEER_DENIED:
		enter(peer, PEER_IDLE, now);
		peer->until_ns = 0;
		show_gate(core, peer);
		core_timer(core, peer, nstime_add(now, IDLE_NS));
		break;
	case PEER_IDLE:
		peer_remove(core, peer);
		break;
	case PEER_HANDOFF: /* answered at once, never timed */
	case PEER_STATES:
		break;
	}
}

void peer_adopt(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	peer->child.spi_in_be = event->adopt.spi_in_be;
	peer->child.spi_out_be = event->adopt.spi_out_be;
	peer->tunnel = event->adopt.tunnel;
	peer->peer_seals = event->adopt.in_policy;
	enter(peer, PEER_SECURE, now);
	show_gate(core, peer);
	order_drain(core, peer, DRAIN_SEALED, true);
	if (!peer->peer_seals)
		look_later(core, peer, now);
}

void peer_regroup(struct core *core, struct peer *peer, enum hf_group group, uint64_t now)
{
	bool secured = peer->state == PEER_HANDOFF || peer->state == PEER_SECURE || peer->state == PEER_INSTALL;

	peer->group = group;
	if (secured && group_answers(group)) {
		show_gate(core, peer);
		if (!peer->peer_seals)
			look_later(core, peer, now);
		return;
	}
	if (group_wants_sas(group)) {
		core_emit(core, peer, ACTION_ABANDON);
		peer_start(core, peer, now);
		unprotect(core, peer);
		return;
	}
	drain_by_group(core, peer);
	peer_remove(core, peer);
}
