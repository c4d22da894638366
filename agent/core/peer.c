// SPDX-License-Identifier: Apache-2.0
/*
 * What a peer does next. One function per fact, one switch that calls them; what the gate shows is gate.c's
 * matrix, how long a failure lasts is backoff.c's. The order in which SAs, policies and packets change hands is
 * DESIGN 7's, measured: SAs first, held packets through them, then the out-policy, the in-policy last.
 */
#include "core/peer.h"

#include <errno.h>
#include <string.h>

#include "base/nstime.h"
#include "core/internal.h"

/* Discovery is local or one round of DNS; after this the attempt has failed. */
#define LOOKUP_NS (5 * NSTIME_S)

/* As the engine asks (docs/PROTOCOL.md, timers): 0.5 + 1 + 2 + 4 s where clear is the way out, a minute where nothing passes anyway. */
#define NEGOTIATE_OPEN_NS (7500 * NSTIME_MS)
#define NEGOTIATE_CLOSED_NS (60 * NSTIME_S)

/* A responder seals when the initiator did, or is known to read (CHILD_USE), or then: what it cannot read yet is lost. */
#define SEALS_RESPONDER_NS (5 * NSTIME_S)

/* Failures in a row are remembered this long after the last one ended, so that the next one counts on. */
#define IDLE_NS (900 * NSTIME_S)

void peer_enter(struct peer *peer, enum peer_state state, uint64_t now)
{
	peer->state = state;
	peer->since_ns = now;
}

bool peer_is_closed(const struct peer *peer)
{
	return peer->group == HF_GROUP_PRIVATE || peer->sticky;
}

/* Takes away what protects the pair. The caller has closed the gate before: what comes now must not pass in clear. */
static void unprotect(struct core *core, struct peer *peer)
{
	if (!peer->child_count && !peer->has_policies)
		return;
	order_policies_gone(core, peer);
	brood_clear(core, peer);
	peer->peer_seals = false;
	peer->has_policies = peer->encap = false;
}

/* ---- beginnings and ends ---- */

/* While the first SAs are being made, clear packets of before may still come in; then it is over with them. */
void peer_stick(struct core *core, struct peer *peer)
{
	if (!peer->proved || peer->sticky)
		return;
	peer->sticky = true;
	core_emit(core, peer, ACTION_STICK);
}

/* `gateway`: whom to ask in the peer's place; NULL = itself. */
static void negotiate(struct core *core, struct peer *peer, const struct hf_addr *gateway, uint64_t now)
{
	peer_enter(peer, PEER_NEGOTIATE, now);
	core_emit(core, peer, ACTION_NEGOTIATE)->gateway = gateway ? *gateway : (struct hf_addr){ 0 };
	core_timer(core, peer, nstime_add(now, peer_is_closed(peer) ? NEGOTIATE_CLOSED_NS : NEGOTIATE_OPEN_NS));
}

/*
 * Where IKE may begin with anybody it asks for the key itself, while its first exchange is under way. Not where the answer may be
 * that another is to be asked.
 */
void peer_start(struct core *core, struct peer *peer, uint64_t now)
{
	peer_stick(core, peer);
	peer_enter(peer, PEER_LOOKUP, now);
	peer->until_ns = 0;
	peer->responder = false;
	order_gate_shown(core, peer);
	if (core->ways[peer->group].probe_always && !core->ways[peer->group].gateways) {
		negotiate(core, peer, NULL, now);
		return;
	}
	core_emit(core, peer, ACTION_LOOKUP);
	core_timer(core, peer, nstime_add(now, LOOKUP_NS));
}

void peer_fail(struct core *core, struct peer *peer, enum failure failure, uint64_t now)
{
	enum peer_state state;

	peer_stick(core, peer);
	state = failure_state(peer->group, peer->sticky);
	peer->failure = failure;
	peer->failures++;
	core->counts.failures[failure]++;
	peer_enter(peer, state, now);
	peer->until_ns = nstime_add(now, backoff_span(failure, state, peer->failures));
	core_timer(core, peer, peer->until_ns);
	order_gate(core, peer, gate_show(state, peer->group, peer->sticky), nstime_add(now, HANDOFF_NS));
	unprotect(core, peer);
	order_drain_failed(core, peer);
}

/* The gate closes before the policies go: between them packets wait instead of leaving in clear. */
static void start_over(struct core *core, struct peer *peer, uint64_t now)
{
	peer_start(core, peer, now);
	unprotect(core, peer);
}

/*
 * The gate holds from here on, or the group's answer does. What the peer still sends is read until it has heard that the SAs
 * go (CHILD_DOWN); an adopted one has nobody to tell.
 */
void peer_close_idle(struct core *core, struct peer *peer, uint64_t now)
{
	core->counts.closed_idle++;
	peer_stick(core, peer);
	peer_enter(peer, PEER_IDLE, now);
	order_gate_shown(core, peer);
	order_policies_gone(core, peer);
	peer->has_policies = peer->peer_seals = peer->encap = false;
	peer_drop_adopted(core, peer);
	for (unsigned int i = 0; i < peer->child_count; i++) {
		order_sa_gone(core, peer, &peer->children[i], false, peer->children[i].out);
		peer->children[i].out = false;
	}
	core_emit(core, peer, ACTION_ABANDON);
	core_timer(core, peer, nstime_add(now, IDLE_NS));
}

void peer_remove(struct core *core, struct peer *peer)
{
	peer_stick(core, peer);
	core_emit(core, peer, ACTION_ABANDON);
	unprotect(core, peer);
	order_gate(core, peer, GATE_NONE, 0);
	core_forget(core, peer);
}

/* ---- facts ---- */

/* The policy changed while the packet was on its way: it goes as the group says, and there is nothing to remember. */
static void let_pass(struct core *core, struct peer *peer)
{
	order_drain_by_group(core, peer);
	if (!timer_is_set(&peer->timer))
		core_forget(core, peer);
}

static bool has_ended(const struct peer *peer, uint64_t now)
{
	return (peer->state == PEER_CLEAR || peer->state == PEER_DENIED) && peer->until_ns && now >= peer->until_ns;
}

/* The peer has SAs of which nothing is left here: new ones, as if a packet for it waited. Said by anybody, believed by nobody. */
static void on_unreadable(struct core *core, struct peer *peer, bool sticky, uint64_t now)
{
	if (peer->state != PEER_IDLE && !has_ended(peer, now))
		return;
	peer->sticky = sticky;
	peer->proved = false;
	if (group_wants_sas(peer->group) || sticky)
		peer_start(core, peer, now);
	else if (!timer_is_set(&peer->timer))
		core_forget(core, peer);
}

static void on_packets(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	bool ended = has_ended(peer, now);

	if (peer->state == PEER_IDLE || ended) {
		peer->sticky = event->sticky;
		peer->proved = false;
	}
	switch (peer->state) {
	case PEER_CLEAR:
	case PEER_DENIED:
		if (!ended) {
			order_drain_failed(core, peer);
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
		peer_fail(core, peer, FAILURE_FOREIGN, now);
	else if (group_wants_sas(peer->group) || peer->sticky)
		peer_start(core, peer, now);
	else
		let_pass(core, peer);
}

static bool is_undecided(const struct peer *peer)
{
	return peer->state == PEER_LOOKUP || peer->state == PEER_NEGOTIATE;
}

static void on_key(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	if (!is_undecided(peer))
		return;
	if (event->sticky && !peer->sticky) {
		peer->sticky = true;
		order_gate_shown(core, peer);
	}
	if (peer->state == PEER_LOOKUP)
		negotiate(core, peer, &event->gateway, now);
}

/* Nobody can prove that without the right to: what was remembered of its keys is over. */
static void on_no_key(struct core *core, struct peer *peer, bool sticky, uint64_t now)
{
	if (!is_undecided(peer))
		return;
	peer->sticky = sticky;
	peer->proved = false;
	peer_fail(core, peer, FAILURE_NO_KEY, now);
}

static void on_failure(struct core *core, struct peer *peer, enum failure failure, uint64_t now)
{
	if (is_undecided(peer))
		peer_fail(core, peer, failure, now);
}

static void refuse_child(struct core *core, const struct peer *peer, uint32_t spi_in_be)
{
	core_emit(core, peer, ACTION_CHILD_GONE)->spi_in_be = spi_in_be;
}

static bool is_protected(const struct peer *peer)
{
	return peer->state == PEER_INSTALL || peer->state == PEER_HANDOFF || peer->state == PEER_SECURE;
}

/* One policy and one gate entry serve all SAs of a pair. */
static bool is_alike(const struct peer *peer, const struct core_event *event)
{
	return event->up.child.tunnel == peer->tunnel && addr_equal(&event->gateway, &peer->gateway);
}

static void on_child_up(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	const struct child *child = &event->up.child;
	bool responder = event->up.responder, further = is_protected(peer);

	if (brood_find(peer, child->spi_in_be))
		return;
	if ((responder ? !group_answers(peer->group) : peer->state != PEER_NEGOTIATE && !further) ||
	    peer->child_count == CORE_CHILDREN || (further && !is_alike(peer, event))) {
		refuse_child(core, peer, child->spi_in_be);
		return;
	}
	if (!further) {
		brood_clear(core, peer); /* of SAs that were closed a moment ago */
		peer->gateway = event->gateway;
		peer->sticky |= event->sticky;
	}
	peer->proved |= event->up.proved;
	peer->children[peer->child_count++] = (struct peer_child){
		.spi_in_be = child->spi_in_be,
		.spi_out_be = child->spi_out_be,
	};
	vigil_changed(peer);
	if (!further) {
		peer->responder = responder;
		peer->tunnel = child->tunnel;
		peer->encap = child->encap;
		peer->peer_seals = false;
		peer->looks = 0;
		peer->until_ns = 0;
		peer_enter(peer, PEER_INSTALL, now);
		core_timer(core, peer, NSTIME_NEVER);
		/* Where packets passed until now: what answers the peer's first ESP in clear is lost there. */
		if (peer->group == HF_GROUP_CLEAR_OR_PRIVATE)
			order_gate_shown(core, peer);
	} else if (!responder) {
		peer->responder = false; /* both started: the peer has this one's SAs already */
	}
	if (child->encap && !peer->encap) {
		peer->encap = true; /* the peer is behind a NAT since */
		order_gate_again(core, peer, now);
	}
	order_sa(core, peer, child, event->up.in, event->up.out);
}

/* How often it failed in a row is remembered for a while. */
static void forget_failure(struct core *core, struct peer *peer, uint64_t now)
{
	peer_enter(peer, PEER_IDLE, now);
	peer->until_ns = 0;
	order_gate_shown(core, peer);
	core_timer(core, peer, nstime_add(now, IDLE_NS));
}

/* Nothing stands any more, without a failure of the peer's. The next packet starts anew. */
static void rest(struct core *core, struct peer *peer, uint64_t now)
{
	peer_stick(core, peer);
	peer_enter(peer, PEER_IDLE, now);
	order_gate_shown(core, peer);
	unprotect(core, peer);
	core_timer(core, peer, nstime_add(now, IDLE_NS));
}

/* The last one may have been closed by the peer, or nobody needed it. */
static void on_child_down(struct core *core, struct peer *peer, uint32_t spi_in_be, uint64_t now)
{
	struct peer_child *child = brood_find(peer, spi_in_be);

	if (!child)
		return;
	if (peer->child_count > 1 || !is_protected(peer)) {
		brood_remove(core, peer, child);
		return;
	}
	rest(core, peer, now);
}

/* What failed for want of a key is forgotten; the next packet starts anew. Other failures stand. */
static void on_key_found(struct core *core, struct peer *peer, uint64_t now)
{
	if ((peer->state != PEER_CLEAR && peer->state != PEER_DENIED) ||
	    (peer->failure != FAILURE_LOOKUP && peer->failure != FAILURE_NO_KEY))
		return;
	forget_failure(core, peer, now);
}

/* Whoever has that key may not send or read one packet more: unlike with unused SAs, the inbound ones go at once as well. */
static void on_key_gone(struct core *core, struct peer *peer, uint64_t now)
{
	if (!is_protected(peer)) {
		brood_clear(core, peer);
		return;
	}
	core->counts.closed_key++;
	rest(core, peer, now);
	core_emit(core, peer, ACTION_ABANDON);
}

static void on_sa_added(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	struct peer_child *child = brood_find(peer, event->added.spi_in_be);

	if (!child)
		return;
	if (event->error) {
		child->in = child->out = false;
		brood_remove(core, peer, child);
		if (peer->state == PEER_INSTALL && !peer->child_count)
			peer_fail(core, peer, FAILURE_KERNEL, now);
		else if (!peer->child_count)
			start_over(core, peer, now);
		return;
	}
	child->in |= event->added.in;
	child->out |= event->added.out;
	vigil_changed(peer);
	if (peer->state == PEER_SECURE) {
		if (brood_has_adopted(peer) && !child->adopted && child->out)
			vigil_replaced(core, peer, now);
		return;
	}
	if (peer->state != PEER_INSTALL || !child->out)
		return;
	if (peer->tunnel)
		order_in_policy(core, peer);
	if (peer->responder && event->added.in) /* the outbound one alone: the initiator reads */
		vigil_seals(core, peer, now);
	else
		handoff_start(core, peer, now);
}

static void on_seals(struct core *core, struct peer *peer, bool seals, uint64_t now)
{
	if (seals)
		peer->peer_seals = true;
	if (peer->state == PEER_INSTALL) {
		if (seals || now >= nstime_add(peer->since_ns, SEALS_RESPONDER_NS))
			handoff_start(core, peer, now);
		else
			vigil_seals(core, peer, now);
		return;
	}
	if (peer->state != PEER_SECURE)
		return;
	if (!seals) {
		vigil_seals(core, peer, now);
		return;
	}
	vigil_sealed(core, peer);
	peer_stick(core, peer);
	order_gate_again(core, peer, now);
	order_in_policy(core, peer);
}

static void on_expired(struct core *core, struct peer *peer, uint32_t spi_be, bool hard, uint64_t now)
{
	struct peer_child *child = peer->children, *end = peer->children + peer->child_count;
	uint32_t spi_in_be;

	while (child < end && child->spi_in_be != spi_be && child->spi_out_be != spi_be)
		child++;
	if (peer->state != PEER_SECURE || child == end)
		return;
	if (!hard) {
		if (vigil_is_idle(peer, now))
			peer_close_idle(core, peer, now);
		else
			core_emit(core, peer, ACTION_REKEY)->spi_in_be = child->spi_in_be;
		return;
	}
	spi_in_be = child->spi_in_be;
	if (peer->child_count > 1) {
		brood_remove(core, peer, child);
	} else {
		start_over(core, peer, now);
	}
	refuse_child(core, peer, spi_in_be);
}

/* An earlier agent's SAs could not be replaced. They go on as long as the peer is heard. */
static void on_no_successor(struct core *core, struct peer *peer, uint64_t now)
{
	if (peer_is_orphaned(peer) && peer->vigil.silent)
		start_over(core, peer, now);
}

void peer_event(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	switch (event->type) {
	case EVENT_FLOW_MISS:
	case EVENT_STRAY:
		on_packets(core, peer, event, now);
		break;
	case EVENT_UNREADABLE:
		on_unreadable(core, peer, event->sticky, now);
		break;
	case EVENT_KEY:
		on_key(core, peer, event, now);
		break;
	case EVENT_NO_KEY:
		on_no_key(core, peer, event->sticky, now);
		break;
	case EVENT_LOOKUP_FAILED:
		peer->sticky |= event->sticky && is_undecided(peer);
		on_failure(core, peer, FAILURE_LOOKUP, now);
		break;
	case EVENT_CHILD_UP:
		on_child_up(core, peer, event, now);
		break;
	case EVENT_CHILD_USE:
		brood_use(core, peer, &event->up.child);
		break;
	case EVENT_CHILD_MOVED:
		brood_move(core, peer, &event->up.child);
		break;
	case EVENT_CHILD_QUIET:
		brood_quiet(core, peer, event->up.child.spi_in_be);
		break;
	case EVENT_CHILD_DOWN:
		on_child_down(core, peer, event->up.child.spi_in_be, now);
		break;
	case EVENT_NEGOTIATION_FAILED:
		if (peer->state == PEER_SECURE)
			on_no_successor(core, peer, now);
		else
			on_failure(core, peer, FAILURE_NEGOTIATION, now);
		break;
	case EVENT_SA_ADDED:
		on_sa_added(core, peer, event, now);
		break;
	case EVENT_POLICY_SET:
		handoff_policy_set(core, peer, event->error, now);
		break;
	case EVENT_DRAINED:
		handoff_drained(core, peer, event->drained.empty, event->drained.none, now);
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
	case EVENT_LIFE:
		vigil_on_life(core, peer, event, now);
		break;
	case EVENT_KEY_GONE:
		on_key_gone(core, peer, now);
		break;
	case EVENT_KEY_FOUND:
		on_key_found(core, peer, now);
		break;
	case EVENT_ASKED:
		vigil_asked(core, peer, now);
		break;
	case EVENT_LOCAL_GONE: /* core.c */
	case EVENT_FORGET:
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
		peer_fail(core, peer, FAILURE_LOOKUP, now);
		break;
	case PEER_NEGOTIATE:
		core_emit(core, peer, ACTION_ABANDON);
		peer_fail(core, peer, FAILURE_NEGOTIATION, now);
		break;
	case PEER_INSTALL:
		order_check_seals(core, peer);
		break;
	case PEER_SECURE:
		vigil_expire(core, peer, now);
		break;
	case PEER_CLEAR:
	case PEER_DENIED:
		forget_failure(core, peer, now);
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
	brood_adopt(peer, event);
	if (peer->state == PEER_SECURE)
		return;
	peer->has_policies = true;
	peer->gateway = event->gateway;
	peer->tunnel = event->adopt.tunnel;
	peer->encap = event->adopt.encap;
	peer->peer_seals = event->adopt.in_policy;
	peer->sticky = event->sticky;
	peer_enter(peer, PEER_SECURE, now);
	vigil_start(core, peer, now);
	vigil_adopted(core, peer, now);
	order_gate_shown(core, peer);
	order_drain(core, peer, DRAIN_SEALED, true);
	if (!peer->peer_seals)
		vigil_seals(core, peer, now);
}

void peer_regroup(struct core *core, struct peer *peer, enum hf_group group, uint64_t now)
{
	peer->group = group;
	if (is_protected(peer) && group_answers(group)) {
		order_gate_again(core, peer, now);
		if (!peer->peer_seals)
			vigil_seals(core, peer, now);
		return;
	}
	if (group_wants_sas(group)) {
		core_emit(core, peer, ACTION_ABANDON);
		start_over(core, peer, now);
		return;
	}
	order_drain_by_group(core, peer);
	peer_remove(core, peer);
}
