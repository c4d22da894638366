// SPDX-License-Identifier: Apache-2.0
/*
 * Carrying out the core's orders, one after the other, each at once: a netlink message, a map write, packets on their
 * way. Answers go back into the core before the next order is drawn, so that one chain of orders for a
 * pair (install, release, policy, verdict) runs without a turn of the loop in between.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/nstime.h"
#include "base/secret.h"
#include "daemon/internal.h"

/* The core's HANDOFF_NS and a tick more; it only bounds how long ESP pays for a map lookup. */
#define HANDOFF_LINGER_NS (220 * NSTIME_MS)

/* Replay window, inbound (RFC 4303 3.4.3): several receive queues reorder, and a handoff holds ESP back for 128 packets. */
#define REPLAY_WINDOW 256

/* What the gate shows from now on, and why. Not what is too short to be seen: HOLD comes with every attempt. */
static void write_gate(struct agent *agent, const struct action *action)
{
	struct peer_view peer = { .failures = 0 };
	uint64_t now = agent_now(), left = nstime_until(action->gate.value.until_ns, now) / NSTIME_MS;
	const char *reason;

	core_find(agent->core, &peer, &action->pair);
	reason = peer.failures ? failure_name(peer.failure) : "decided";
	switch (action->gate.present ? action->gate.value.verdict : 0) {
	case HF_VERDICT_SECURE:
		journal_write(agent->journal, &action->pair, "secure", now, "the gate lets ESP pass and nothing clear");
		break;
	case HF_VERDICT_CLEAR:
		journal_write(agent->journal, &action->pair, "clear", now, "in clear for %llu s: %s",
			      (unsigned long long)(left + 999) / 1000, reason);
		break;
	case HF_VERDICT_BLOCK:
		journal_write(agent->journal, &action->pair, "denied", now, "nothing passes for %llu s: %s",
			      (unsigned long long)(left + 999) / 1000, reason);
		break;
	default:
		break;
	}
}

static void write_drained(struct agent *agent, const struct action *action, const struct dataplane_drained *drained)
{
	static const char *const how[] = {
		[DRAIN_SEALED] = "sent, sealed",
		[DRAIN_CLEAR] = "sent in clear",
		[DRAIN_DENY] = "dropped, their senders told",
	};

	if (drained->packets)
		journal_write(agent->journal, &action->pair, action->drain.how == DRAIN_DENY ? "dropped" : "released",
			      agent_now(), "%u waiting packet%s %s", drained->packets, drained->packets == 1 ? "" : "s",
			      how[action->drain.how]);
}

static void answer(struct agent *agent, const struct action *action, struct core_event *event)
{
	event->peer = action->peer;
	event->pair = action->pair;
	core_take(agent->core, event, agent_now());
}

static enum sa_algorithm algorithm(enum child_algorithm child)
{
	switch (child) {
	case CHILD_AES_GCM_16_128:
		return SA_AES_GCM_16_128;
	case CHILD_CHACHA20_POLY1305:
		return SA_CHACHA20_POLY1305;
	case CHILD_AES_GCM_16_256:
		break;
	}
	return SA_AES_GCM_16_256;
}

/* Where the SAs of the order's pair end. */
static const struct hf_addr *far_end(const struct action *action)
{
	return addr_is_none(&action->gateway) ? &action->pair.remote : &action->gateway;
}

/* One direction of the order's Child SA, without its key. */
static struct sa one_way(const struct action *action, bool inbound)
{
	const struct child *child = &action->sa.child;
	struct sa sa = {
		.src = inbound ? *far_end(action) : action->pair.local,
		.dst = inbound ? action->pair.local : *far_end(action),
		.spi_be = inbound ? child->spi_in_be : child->spi_out_be,
		.reqid = action->reqid,
		.mode = child->tunnel ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
		.algorithm = algorithm(child->algorithm),
		.inbound = inbound,
		.esn = child->esn,
		.replay_window = inbound ? REPLAY_WINDOW : 0,
	};

	if (inbound && !addr_is_none(&action->gateway))
		sa.behind = action->pair.remote;
	if (child->encap) {
		sa.encap_sport_be = htons(inbound ? child->encap_remote : child->encap_local);
		sa.encap_dport_be = htons(inbound ? child->encap_local : child->encap_remote);
	}
	return sa;
}

static int add_sa(struct agent *agent, const struct action *action, bool inbound, struct err *err)
{
	const struct child *child = &action->sa.child;
	struct sa sa = one_way(action, inbound);
	int error;

	memcpy(sa.key, inbound ? child->key_in : child->key_out, sizeof(sa.key));
	error = xfrm_state_add(agent->nl, &sa, err);
	secret_wipe(&sa, sizeof(sa));
	return error;
}

/* Inbound first: what the peer seals from now on can be read (RFC 7296 2.8). */
static void sa_add(struct agent *agent, const struct action *action)
{
	struct core_event event = {
		.type = EVENT_SA_ADDED,
		.added = { .spi_in_be = action->sa.child.spi_in_be, .in = action->sa.in, .out = action->sa.out },
	};
	struct err err = ERR_NONE;

	if (!addr_is_none(&action->gateway))
		host_apply_gateway(agent, &action->gateway);
	if (action->sa.in)
		event.error = add_sa(agent, action, true, &err);
	if (event.error == 0 && action->sa.out) {
		event.error = add_sa(agent, action, false, &err);
		if (event.error < 0)
			xfrm_state_del(agent->nl, &action->pair.local, action->sa.child.spi_in_be, NULL);
	}
	if (event.error < 0) {
		log_error("%s", err.text);
		journal_write(agent->journal, &action->pair, "refused", agent_now(), "the kernel took no SA: %s",
			      strerror(-event.error));
	}
	answer(agent, action, &event);
	if (agent->keying->installed && action->sa.in)
		agent->keying->installed(agent->keying_arg, agent, &action->pair, action->sa.child.spi_in_be,
					 event.error);
}

static void sa_del(struct agent *agent, const struct action *action)
{
	if (action->sa.out)
		xfrm_state_del(agent->nl, far_end(action), action->sa.child.spi_out_be, NULL);
	if (action->sa.in)
		xfrm_state_del(agent->nl, &action->pair.local, action->sa.child.spi_in_be, NULL);
	if (!addr_is_none(&action->gateway))
		host_apply_gateway(agent, &action->gateway);
}

/* Outbound first: what is sent to the old mapping is lost, what comes from the new one is read all the same. */
static void sa_move(struct agent *agent, const struct action *action)
{
	struct core_event lost = {
		.type = EVENT_SA_EXPIRED,
		.expired = { .spi_be = action->sa.child.spi_in_be, .hard = true },
	};
	struct err err = ERR_NONE;
	int error = 0;

	for (int inbound = 0; inbound < 2 && !error; inbound++) {
		const struct sa sa = one_way(action, inbound);

		if (inbound ? action->sa.in : action->sa.out)
			error = xfrm_state_move(agent->nl, &sa, &err);
	}
	if (error < 0) {
		log_error("%s", err.text);
		answer(agent, action, &lost);
	}
}

static void policy_set(struct agent *agent, const struct action *action)
{
	enum sa_mode mode = action->policy.tunnel ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	enum policy_dir dir = action->policy.in ? POLICY_IN : POLICY_OUT;
	struct core_event event = { .type = EVENT_POLICY_SET };
	struct err err = ERR_NONE;

	if (mode == SA_MODE_TUNNEL)
		event.error = xfrm_policy_set_through(agent->nl, dir, &action->pair, &action->gateway, action->reqid,
						      action->policy.optional, &err);
	else
		event.error = xfrm_policy_set(agent->nl, dir, &action->pair, mode, action->reqid,
					      action->policy.optional, &err);
	if (event.error < 0)
		log_error("%s", err.text);
	answer(agent, action, &event);
}

static void policy_del(struct agent *agent, const struct action *action)
{
	xfrm_policy_del(agent->nl, action->policy.in ? POLICY_IN : POLICY_OUT, &action->pair, NULL);
}

static void gate(struct agent *agent, const struct action *action)
{
	char text[PAIR_TEXT_MAX];
	int error;

	write_gate(agent, action);
	if (!action->gate.present) {
		dataplane_gate_del(agent->dp, &action->pair);
		return;
	}
	/* Before the entry: the programs look at it first. */
	if (action->gate.handoff) {
		agent->handoff_end_ns = nstime_add(agent_now(), HANDOFF_LINGER_NS);
		dataplane_handoffs(agent->dp, true);
	}
	error = dataplane_gate_set(agent->dp, &action->pair, &action->gate.value);
	if (error < 0) {
		agent->gate_full++;
		log_error("%s: verdict %s cannot be written (%s): its group decides", pair_format(text, &action->pair),
			  verdict_name(action->gate.value.verdict), strerror(-error));
	}
}

static void drain(struct agent *agent, const struct action *action)
{
	static const enum dataplane_how how[] = {
		[DRAIN_SEALED] = DATAPLANE_SEALED,
		[DRAIN_CLEAR] = DATAPLANE_CLEAR,
		[DRAIN_DENY] = DATAPLANE_DENY,
	};
	struct dataplane_drain order = {
		.how = how[action->drain.how],
		.reqid = action->reqid,
		.tunnel = action->drain.tunnel,
		.gateway = action->gateway,
		.close = action->drain.close,
		.policy_later = action->drain.policy_later,
	};
	struct core_event event = { .type = EVENT_DRAINED };
	struct dataplane_drained drained = { 0 };
	struct err err = ERR_NONE;

	event.error = dataplane_drain(agent->dp, &action->pair, &order, agent_now(), &drained, &err);
	if (event.error < 0)
		log_error("%s", err.text);
	write_drained(agent, action, &drained);
	/* A kernel that refuses is not asked again. A queue whose next packet is not there yet is, in a handoff. */
	event.drained.empty = event.error < 0 || drained.empty;
	event.drained.none = drained.packets == 0;
	answer(agent, action, &event);
}

static void check_seals(struct agent *agent, const struct action *action)
{
	struct core_event event = { .type = EVENT_SEALS };
	struct sa_counters counters;
	struct err err = ERR_NONE;

	event.error = xfrm_state_counters(agent->nl, &counters, &action->pair.local, action->spi_in_be, &err);
	if (event.error == 0)
		event.seals = counters.packets > 0;
	answer(agent, action, &event);
}

static void check_life(struct agent *agent, const struct action *action)
{
	struct core_event event = { .type = EVENT_LIFE };
	struct sa_counters counters;

	for (unsigned int i = 0; i < CORE_CHILDREN && event.error == 0; i++) {
		if (action->life.in_be[i]) {
			event.error = xfrm_state_counters(agent->nl, &counters, &action->pair.local,
							  action->life.in_be[i], NULL);
			event.life.in += event.error ? 0 : counters.packets;
		}
		if (action->life.out_be[i] && event.error == 0) {
			event.error = xfrm_state_counters(agent->nl, &counters, far_end(action), action->life.out_be[i],
							  NULL);
			event.life.out += event.error ? 0 : counters.packets;
		}
	}
	answer(agent, action, &event);
}

/* The address's own rule: it holds for pairs without an entry, and when no agent lives. */
static void stick(struct agent *agent, const struct action *action)
{
	const struct dataplane_rule rule = { { .prefix_len = 128, .addr = action->pair.remote }, HF_GROUP_PRIVATE };
	char text[ADDR_TEXT_MAX];
	int error = 0;

	if (group_is_raised(policy_group(&agent->config.policy, &action->pair.remote)))
		error = dataplane_policy_put(agent->dp, &rule);
	if (error < 0 && !agent->trie_full) {
		log_error("%s: cannot be given a rule of its own (%s): its pairs are closed when a packet comes",
			  addr_format(text, &action->pair.remote), strerror(-error));
		agent->trie_full = true;
	}
}

static void perform(struct agent *agent, const struct action *action)
{
	switch (action->type) {
	case ACTION_LOOKUP:
		agent->keying->lookup(agent->keying_arg, agent, action->peer, &action->pair);
		break;
	case ACTION_NEGOTIATE:
		agent->keying->negotiate(agent->keying_arg, agent, action->peer, &action->pair, &action->gateway);
		break;
	case ACTION_ABANDON:
		agent->keying->abandon(agent->keying_arg, agent, action->peer, &action->pair);
		break;
	case ACTION_REKEY:
		if (agent->keying->rekey)
			agent->keying->rekey(agent->keying_arg, agent, &action->pair, action->spi_in_be);
		break;
	case ACTION_CHILD_GONE:
		if (agent->keying->gone)
			agent->keying->gone(agent->keying_arg, agent, &action->pair, action->spi_in_be);
		break;
	case ACTION_SA_ADD:
		sa_add(agent, action);
		break;
	case ACTION_SA_DEL:
		sa_del(agent, action);
		break;
	case ACTION_SA_MOVE:
		sa_move(agent, action);
		break;
	case ACTION_POLICY_SET:
		policy_set(agent, action);
		break;
	case ACTION_POLICY_DEL:
		policy_del(agent, action);
		break;
	case ACTION_GATE:
		gate(agent, action);
		break;
	case ACTION_DRAIN:
		drain(agent, action);
		break;
	case ACTION_CHECK_SEALS:
		check_seals(agent, action);
		break;
	case ACTION_CHECK_LIFE:
		check_life(agent, action);
		break;
	case ACTION_PROBE:
		if (agent->keying->probe)
			agent->keying->probe(agent->keying_arg, agent, &action->pair, action->probe_soon);
		break;
	case ACTION_STICK:
		stick(agent, action);
		break;
	}
}

void agent_perform(struct agent *agent)
{
	struct action action;

	/* An order may lead to an event right away (agent_event): its orders are drawn by the loop that is under way. */
	if (agent->performing)
		return;
	agent->performing = true;
	while (core_next(agent->core, &action)) {
		perform(agent, &action);
		if (action.type == ACTION_SA_ADD)
			secret_wipe(&action.sa.child, sizeof(action.sa.child));
	}
	agent->performing = false;
}
