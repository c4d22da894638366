// SPDX-License-Identifier: Apache-2.0
/*
 * What an earlier agent left. A pair whose SAs and out-policy all stand goes on without a packet lost. Anything less
 * is an attempt that was cut off: its pieces go, its held packets are still there and start a new one. And, in the
 * middle of life, what is left of our own pairs when somebody else emptied the kernel's tables.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/internal.h"

/* One pair's pieces, by reqid. */
struct found {
	uint32_t reqid;
	struct hf_pair pair;
	struct hf_addr outer; /* remote end of its SAs: the pair's, or a gateway's */
	bool out_policy, in_policy;
	bool tunnel, encap;
	bool barred;			  /* its way through a gateway is not allowed any more */
	uint32_t spi_out_be;		  /* that the kernel sends with */
	uint32_t spi_in_be[CORE_ADOPTED]; /* newest first: a rekey was under way, or their maker lived but seconds */
	unsigned int in_count;
};

struct search {
	struct agent *agent;
	struct found *found;
	size_t count, max;
	bool full;
	bool excess; /* of whole pairs, SAs that nobody needs any more */
};

static struct found *find(struct search *search, uint32_t reqid)
{
	for (size_t i = search->count; i-- > 0;)
		if (search->found[i].reqid == reqid)
			return &search->found[i];
	if (search->count == search->max) {
		search->full = true;
		return NULL;
	}
	search->found[search->count] = (struct found){ .reqid = reqid };
	return &search->found[search->count++];
}

static void on_policy(void *arg, enum policy_dir dir, const struct hf_pair *pair, const struct hf_pair *outer,
		      uint32_t reqid, enum sa_mode mode)
{
	struct found *found = find(arg, reqid);

	if (!found)
		return;
	found->pair = *pair;
	found->outer = mode == SA_MODE_TUNNEL ? outer->remote : pair->remote;
	found->tunnel = mode == SA_MODE_TUNNEL;
	found->out_policy |= dir == POLICY_OUT;
	found->in_policy |= dir == POLICY_IN;
}

/*
 * The kernel lists the newest first, and of several outbound ones sends with the newest: the others are through. The peer may send
 * with any, but has gone over to a new one long before there are as many newer ones.
 */
static void take_spi(struct search *search, struct found *found, bool inbound, uint32_t spi_be)
{
	if (!inbound && !found->spi_out_be)
		found->spi_out_be = spi_be;
	else if (inbound && found->in_count < CORE_ADOPTED)
		found->spi_in_be[found->in_count++] = spi_be;
	else
		search->excess = true;
}

static bool is_taken(const struct found *found, uint32_t spi_be, const struct hf_addr *dst)
{
	if (addr_equal(dst, &found->outer))
		return spi_be == found->spi_out_be;
	for (unsigned int i = 0; i < found->in_count; i++)
		if (spi_be == found->spi_in_be[i])
			return true;
	return false;
}

static void on_state(void *arg, const struct hf_addr *src, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid,
		     enum sa_mode mode, bool larval, bool encap)
{
	struct found *found = find(arg, reqid);

	(void)mode;
	if (!found || larval)
		return;
	found->encap |= encap;
	if (addr_equal(dst, &found->outer) || addr_equal(src, &found->outer))
		take_spi(arg, found, addr_equal(src, &found->outer), spi_be);
}

static bool is_barred(const struct agent *agent, const struct found *found)
{
	const struct policy *policy = &agent->config.policy;

	return !addr_equal(&found->outer, &found->pair.remote) &&
	       !policy_allows_gateway(policy, policy_group(policy, &found->pair.remote), &found->outer);
}

static bool is_whole(const struct found *found)
{
	return found->out_policy && found->in_count && found->spi_out_be && !found->barred;
}

/*
 * SAs without a policy do not tell which end is ours, and need not: whatever is not of a whole pair goes, or it would
 * stand beside the SAs of the next pair that gets this reqid. Of a whole one goes what nobody needs.
 */
static void drop_piece(void *arg, const struct hf_addr *src, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid,
		       enum sa_mode mode, bool larval, bool encap)
{
	struct search *search = arg;
	const struct found *found = find(search, reqid);

	(void)src;
	(void)mode;
	(void)encap;
	if (found && (!is_whole(found) || (!larval && !is_taken(found, spi_be, dst))))
		xfrm_state_del(search->agent->nl, dst, spi_be, NULL);
}

/* The gate is closed by now. Policies first: one without its SAs would only make the kernel ask for some. */
static unsigned int remove_pieces(struct search *search)
{
	const struct netlink_found states = { .state = drop_piece };
	unsigned int removed = 0;

	for (size_t i = 0; i < search->count; i++) {
		const struct found *found = &search->found[i];

		if (is_whole(found))
			continue;
		xfrm_policy_del(search->agent->nl, POLICY_OUT, &found->pair, NULL);
		xfrm_policy_del(search->agent->nl, POLICY_IN, &found->pair, NULL);
		removed++;
	}
	if (removed || search->excess)
		xfrm_find_ours(search->agent->nl, &states, search, NULL);
	return removed;
}

/* Entries of pairs that were not adopted: their group decides again, which is never more open than they were asked for. */
static bool drop_gate(void *arg, const struct hf_pair *pair, const struct hf_gate *gate)
{
	struct agent *agent = arg;
	struct peer_view view;

	(void)gate;
	if (!core_find(agent->core, &view, pair))
		dataplane_gate_del(agent->dp, pair);
	return true;
}

int agent_adopt(struct agent *agent, struct err *err)
{
	const struct netlink_found policies = { .policy = on_policy }, states = { .state = on_state };
	struct search search = { .agent = agent, .max = agent->config.limits.peers };
	OWN_FREE struct found *memory = calloc(search.max, sizeof(*memory));
	unsigned int adopted = 0, removed;
	int error;

	if (!memory)
		return err_set(err, -ENOMEM, "no memory to adopt %zu pairs", search.max);
	search.found = memory;
	/* Policies first: they say which end of a state is the remote one. */
	error = xfrm_find_ours(agent->nl, &policies, &search, err);
	if (error == 0)
		error = xfrm_find_ours(agent->nl, &states, &search, err);
	if (error < 0)
		return error;

	for (size_t i = 0; i < search.count; i++) {
		struct found *found = &search.found[i];
		struct core_event event = { .type = EVENT_ADOPT, .pair = found->pair };

		found->barred = is_barred(agent, found);
		if (!is_whole(found))
			continue;
		event.adopt.spi_in_be = found->spi_in_be[0];
		event.adopt.spi_out_be = found->spi_out_be;
		event.adopt.tunnel = found->tunnel;
		event.adopt.encap = found->encap;
		event.adopt.in_policy = found->in_policy;
		event.adopt.reqid = found->reqid;
		if (!addr_equal(&found->outer, &found->pair.remote))
			event.gateway = found->outer;
		agent_event(agent, &event);
		host_apply_gateway(agent, &event.gateway);
		event.adopt.spi_out_be = 0;
		for (unsigned int at = 1; at < found->in_count; at++) {
			event.adopt.spi_in_be = found->spi_in_be[at];
			agent_event(agent, &event);
		}
		adopted++;
	}
	/* The gate closes before the pieces go. */
	dataplane_gate_each(agent->dp, drop_gate, agent);
	removed = remove_pieces(&search);
	if (search.full)
		log_error(
			"more pairs stand in the kernel than [limits] peers allows: raise it, or run `holdfast unload`");
	if (adopted || removed)
		log_info("adopted %u secured pairs of an earlier agent, removed the pieces of %u", adopted, removed);
	return 0;
}

/* ---- what somebody else removed ---- */

/* search->found is indexed by peer here: the reqid's offset. */
static struct found *place(struct search *search, uint32_t reqid)
{
	uint32_t index = reqid - NETLINK_REQID_BASE;

	return index < search->max ? &search->found[index] : NULL;
}

static void see_policy(void *arg, enum policy_dir dir, const struct hf_pair *pair, const struct hf_pair *outer,
		       uint32_t reqid, enum sa_mode mode)
{
	struct found *found = place(arg, reqid);

	(void)pair;
	(void)outer;
	(void)mode;
	if (!found)
		return;
	found->out_policy |= dir == POLICY_OUT;
	found->in_policy |= dir == POLICY_IN;
}

static void see_state(void *arg, const struct hf_addr *src, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid,
		      enum sa_mode mode, bool larval, bool encap)
{
	struct search *search = arg;
	struct found *found = place(search, reqid);
	struct peer_view view;

	(void)src;
	(void)mode;
	(void)encap;
	if (!found || larval || !core_pair_of(search->agent->core, &found->pair, reqid) ||
	    !core_find(search->agent->core, &view, &found->pair))
		return;
	if (spi_be == view.spi_out_be &&
	    addr_equal(dst, addr_is_none(&view.gateway) ? &found->pair.remote : &view.gateway))
		found->spi_out_be = spi_be;
	if (spi_be == view.spi_in_be && addr_equal(dst, &found->pair.local))
		found->in_count = 1;
}

static bool mend(void *arg, const struct peer_view *view)
{
	struct search *search = arg;
	const struct found *found = place(search, view->reqid);
	struct core_event event = { .type = EVENT_POLICY_GONE, .pair = view->pair };

	if (view->state != PEER_SECURE || !found)
		return true;
	if (!found->spi_out_be || !found->in_count) {
		event.type = EVENT_SA_EXPIRED;
		event.expired.spi_be = view->spi_out_be;
		event.expired.hard = true;
	} else if (found->out_policy && found->in_policy) {
		return true;
	}
	/* Neither ends a peer, so the walk over them may go on. */
	agent_event(search->agent, &event);
	return true;
}

int agent_recheck(struct agent *agent, struct err *err)
{
	const struct netlink_found all = { .policy = see_policy, .state = see_state };
	struct search search = { .agent = agent, .max = agent->config.limits.peers };
	OWN_FREE struct found *memory = calloc(search.max, sizeof(*memory));
	int error;

	if (!memory)
		return err_set(err, -ENOMEM, "no memory to look for %zu pairs", search.max);
	search.found = memory;
	error = xfrm_find_ours(agent->nl, &all, &search, err);
	if (error < 0)
		return error;
	core_each(agent->core, mend, &search);
	return 0;
}
