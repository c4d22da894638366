// SPDX-License-Identifier: Apache-2.0
/*
 * The core's book-keeping: peers by pair and by handle, their timers, the queue of actions. What a peer does is in
 * peer.c. Memory is taken once, at start; a full pool is a normal answer.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "core/internal.h"
#include "core/limits.h"

/* How many peers are looked at for one that may make room: bounded per packet event. */
#define EVICT_LOOK 64

/* The default age limit of held packets (limits.h): an attempt older than this has nothing left to send. */
#define EVICT_ATTEMPT_NS (LIMIT_HOLD_AGE_SECONDS * NSTIME_S)

static size_t aligned(size_t octets)
{
	return (octets + 63) / 64 * 64;
}

size_t core_memory(const struct core_options *options)
{
	return aligned(sizeof(struct core)) + aligned(pool_memory(options->peers_max, sizeof(struct peer))) +
	       aligned(table_memory(options->peers_max)) + aligned(timers_memory(options->peers_max));
}

struct core *core_init(void *memory, const struct core_options *options, const struct policy *policy)
{
	uint32_t max = options->peers_max;
	uint8_t *at = memory;
	struct core *core = memory;

	memset(core, 0, sizeof(*core));
	at += aligned(sizeof(*core));
	pool_init(&core->peers, at, max, sizeof(struct peer));
	at += aligned(pool_memory(max, sizeof(struct peer)));
	table_init(&core->by_pair, at, max, options->table_seed);
	at += aligned(table_memory(max));
	timers_init(&core->timers, at, max);
	core->policy = policy;
	memcpy(core->ways, policy->ways, sizeof(core->ways));
	core->reqid_base = options->reqid_base;
	core->counts.peers_max = max;
	return core;
}

static struct action *queue_action(struct core *core, enum action_type type, const struct hf_pair *pair)
{
	struct action *action;

	/* Our own contract: the caller draws after each event. */
	assert(core->action_count < CORE_ACTIONS_MAX);
	action = &core->actions[(core->action_first + core->action_count++) % CORE_ACTIONS_MAX];
	memset(action, 0, sizeof(*action));
	action->type = type;
	action->pair = *pair;
	return action;
}

struct action *core_emit(struct core *core, const struct peer *peer, enum action_type type)
{
	struct action *action = queue_action(core, type, &peer->pair);

	action->peer = pool_handle(&core->peers, peer);
	action->reqid = core->reqid_base + action->peer.index;
	action->gateway = peer->gateway;
	return action;
}

bool core_next(struct core *core, struct action *out)
{
	struct action *action;

	if (!core->action_count)
		return false;
	action = &core->actions[core->action_first];
	*out = *action;
	secret_wipe(action, sizeof(*action));
	core->action_first = (core->action_first + 1) % CORE_ACTIONS_MAX;
	core->action_count--;
	return true;
}

void core_timer(struct core *core, struct peer *peer, uint64_t when)
{
	/* As many places as peers, one timer each: it cannot be full. */
	int error = timers_set(&core->timers, &peer->timer, when);

	assert(error == 0);
	(void)error;
}

void core_forget(struct core *core, struct peer *peer)
{
	timers_cancel(&core->timers, &peer->timer);
	table_del(&core->by_pair, &peer->pair);
	pool_put(&core->peers, pool_handle(&core->peers, peer));
}

static struct peer *find(const struct core *core, const struct hf_pair *pair)
{
	uint32_t index;

	return table_find(&core->by_pair, pair, &index) ? pool_at(&core->peers, index) : NULL;
}

/*
 * A remembered failure is worth less than a new pair, and so is an attempt that goes on after what was held for it is too
 * old to be sent.
 */
static bool may_go(const struct peer *peer, uint64_t now)
{
	switch (peer->state) {
	case PEER_IDLE:
	case PEER_CLEAR:
	case PEER_DENIED:
		return true;
	case PEER_LOOKUP:
	case PEER_NEGOTIATE:
		return now >= nstime_add(peer->since_ns, EVICT_ATTEMPT_NS);
	default:
		return false;
	}
}

/* Looks on where the last search ended, so that no number of secured pairs hides what may go. */
static bool evict(struct core *core, uint64_t now)
{
	uint32_t index = pool_at(&core->peers, core->hand) ? core->hand : pool_first(&core->peers);

	for (unsigned int looked = 0; index != POOL_NONE && looked < EVICT_LOOK; looked++) {
		struct peer *peer = pool_at(&core->peers, index);

		core->hand = pool_next(&core->peers, index);
		if (may_go(peer, now)) {
			core->counts.evicted++;
			peer_remove(core, peer);
			return true;
		}
		index = core->hand != POOL_NONE ? core->hand : pool_first(&core->peers);
	}
	return false;
}

static struct peer *add(struct core *core, const struct hf_pair *pair, uint32_t index, bool may_evict, uint64_t now)
{
	struct handle handle = HANDLE_NONE;
	struct peer *peer;

	if (index != POOL_NONE)
		handle = pool_take_at(&core->peers, index);
	if (!handle.generation)
		handle = pool_take(&core->peers);
	if (!handle.generation && may_evict && evict(core, now))
		handle = pool_take(&core->peers);
	peer = pool_get(&core->peers, handle);
	if (!peer)
		return NULL;
	peer->pair = *pair;
	peer->group = policy_group(core->policy, &pair->remote);
	if (table_put(&core->by_pair, pair, handle.index) == 0)
		return peer;
	pool_put(&core->peers, handle);
	return NULL;
}

/* No room for the pair: what it holds is dropped and its senders are told, which is the closed answer. */
static void refuse(struct core *core, const struct hf_pair *pair)
{
	struct action *action = queue_action(core, ACTION_DRAIN, pair);

	core->counts.peers_full++;
	action->drain.how = DRAIN_DENY;
	action->drain.close = true;
}

static bool starts_peer(enum core_event_type type)
{
	return type == EVENT_FLOW_MISS || type == EVENT_STRAY || type == EVENT_UNREADABLE || type == EVENT_CHILD_UP ||
	       type == EVENT_ADOPT;
}

/* Those with this local address, or this remote one, go. */
static void let_go(struct core *core, const struct hf_addr *local, const struct hf_addr *remote)
{
	uint32_t index = pool_first(&core->peers);

	/* Many peers may be concerned: each goes by its own timer, so that the actions stay bounded. */
	while (index != POOL_NONE) {
		struct peer *peer = pool_at(&core->peers, index);

		index = pool_next(&core->peers, index);
		if (local ? addr_equal(&peer->pair.local, local) : addr_equal(&peer->pair.remote, remote)) {
			peer->leaving = true;
			core_timer(core, peer, 1);
		}
	}
}

/* A peer that a reload, a lost address or the operator has marked. False when it is gone afterwards. */
static bool settle(struct core *core, struct peer *peer, uint64_t now)
{
	struct handle handle = pool_handle(&core->peers, peer);

	if (peer->leaving) {
		peer_remove(core, peer);
	} else if (peer->regroup) {
		peer->regroup = false;
		peer_regroup(core, peer, policy_group(core->policy, &peer->pair.remote), now);
	}
	return pool_get(&core->peers, handle) != NULL;
}

void core_take(struct core *core, const struct core_event *event, uint64_t now)
{
	struct peer *peer = event->peer.generation ? pool_get(&core->peers, event->peer) : find(core, &event->pair);

	if (event->type == EVENT_LOCAL_GONE || event->type == EVENT_FORGET) {
		let_go(core, event->type == EVENT_LOCAL_GONE ? &event->pair.local : NULL, &event->pair.remote);
		return;
	}
	/* First what the reload means for it: no fact is judged by the old policy. */
	if (peer && (peer->regroup || peer->leaving) && !settle(core, peer, now))
		peer = NULL;
	if (!peer && (event->peer.generation || !starts_peer(event->type)))
		return; /* a late answer to a peer that is gone */
	/* Anybody can send ESP: it makes nothing be forgotten. */
	if (!peer)
		peer = add(core, &event->pair,
			   event->type == EVENT_ADOPT ? event->adopt.reqid - core->reqid_base : POOL_NONE,
			   event->type != EVENT_UNREADABLE, now);
	if (!peer && event->type == EVENT_UNREADABLE)
		return;
	if (!peer) {
		refuse(core, &event->pair);
		return;
	}
	if (event->type == EVENT_ADOPT) {
		peer_adopt(core, peer, event, now);
		return;
	}
	peer_event(core, peer, event, now);
}

/* Its group wanted no proof, and wants one now. */
static bool lacks_proof(const struct core *core, const struct policy *policy, const struct peer *peer)
{
	return core->ways[peer->group].auth_any && !policy->ways[peer->group].auth_any && peer->child_count &&
	       !peer->proved && !peer->sticky;
}

/* It is reached through a gateway, which the new policy does not allow. */
static bool lacks_way(const struct policy *policy, const struct peer *peer)
{
	enum hf_group group = policy_group(policy, &peer->pair.remote);

	return peer->child_count && !addr_is_none(&peer->gateway) &&
	       !policy_allows_gateway(policy, group, &peer->gateway);
}

void core_set_policy(struct core *core, const struct policy *policy, uint64_t now)
{
	core->policy = policy;
	for (uint32_t index = pool_first(&core->peers); index != POOL_NONE; index = pool_next(&core->peers, index)) {
		struct peer *peer = pool_at(&core->peers, index);

		peer->regroup = policy_group(policy, &peer->pair.remote) != peer->group;
		peer->leaving |= lacks_proof(core, policy, peer) || lacks_way(policy, peer);
		if (peer->regroup || peer->leaving)
			core_timer(core, peer, now);
	}
	memcpy(core->ways, policy->ways, sizeof(core->ways));
}

void core_expire(struct core *core, uint64_t now)
{
	for (int i = 0; i < CORE_EXPIRE_MAX; i++) {
		struct timer *timer = timers_pop_expired(&core->timers, now);
		struct peer *peer;

		if (!timer)
			return;
		peer = TIMER_OWNER(timer, struct peer, timer);
		if (peer->leaving || peer->regroup)
			settle(core, peer, now);
		else
			peer_expire(core, peer, now);
	}
}

uint64_t core_deadline(const struct core *core)
{
	return timers_next(&core->timers);
}

void core_count(const struct core *core, struct core_counts *out)
{
	*out = core->counts;
	out->peers = pool_count(&core->peers);
	memset(out->by_state, 0, sizeof(out->by_state));
	for (uint32_t index = pool_first(&core->peers); index != POOL_NONE; index = pool_next(&core->peers, index)) {
		const struct peer *peer = pool_at(&core->peers, index);

		out->by_state[peer->state]++;
	}
}

static struct peer_view view(const struct core *core, const struct peer *peer)
{
	const struct peer_child *sending = peer_sending(peer);

	return (struct peer_view){
		.pair = peer->pair,
		.state = peer->state,
		.group = peer->group,
		.failure = peer->failure,
		.failures = peer->failures,
		.since_ns = peer->since_ns,
		.until_ns = peer->until_ns,
		.reqid = core->reqid_base + pool_handle(&core->peers, peer).index,
		.spi_in_be = sending ? sending->spi_in_be : 0,
		.spi_out_be = sending ? sending->spi_out_be : 0,
		.gateway = peer->gateway,
		.peer_seals = peer->peer_seals,
		.sticky = peer->sticky || peer->proved,
		.orphaned = peer_is_orphaned(peer),
	};
}

bool core_has_gateway(const struct core *core, const struct hf_addr *addr)
{
	for (uint32_t index = pool_first(&core->peers); index != POOL_NONE; index = pool_next(&core->peers, index)) {
		const struct peer *peer = pool_at(&core->peers, index);

		if (peer->child_count && addr_equal(&peer->gateway, addr))
			return true;
	}
	return false;
}

bool core_pair_of(const struct core *core, struct hf_pair *out, uint32_t reqid)
{
	const struct peer *peer = pool_at(&core->peers, reqid - core->reqid_base);

	if (!peer)
		return false;
	*out = peer->pair;
	return true;
}

bool core_find(const struct core *core, struct peer_view *out, const struct hf_pair *pair)
{
	const struct peer *peer = find(core, pair);

	if (!peer)
		return false;
	*out = view(core, peer);
	return true;
}

void core_each(const struct core *core, bool (*see)(void *arg, const struct peer_view *view), void *arg)
{
	uint32_t index = pool_first(&core->peers);

	for (; index != POOL_NONE; index = pool_next(&core->peers, index)) {
		struct peer_view each = view(core, pool_at(&core->peers, index));

		if (!see(arg, &each))
			return;
	}
}
