// SPDX-License-Identifier: Apache-2.0
/*
 * What an earlier agent left. A pair whose SAs and out-policy all stand goes on without a packet lost. Anything less
 * is an attempt that was cut off: its pieces go, its held packets are still there and start a new one.
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
	bool out_policy, in_policy;
	bool tunnel;
	uint32_t spi_in_be, spi_out_be;
};

struct search {
	struct found *found;
	size_t count, max;
	bool full;
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

static void on_policy(void *arg, enum policy_dir dir, const struct hf_pair *pair, uint32_t reqid, enum sa_mode mode)
{
	struct found *found = find(arg, reqid);

	if (!found)
		return;
	found->pair = *pair;
	found->tunnel = mode == SA_MODE_TUNNEL;
	found->out_policy |= dir == POLICY_OUT;
	found->in_policy |= dir == POLICY_IN;
}

static void on_state(void *arg, const struct hf_addr *src, const struct hf_addr *dst, uint32_t spi_be, uint32_t reqid,
		     enum sa_mode mode, bool larval)
{
	struct found *found = find(arg, reqid);

	(void)mode;
	if (!found || larval)
		return;
	if (addr_equal(dst, &found->pair.remote))
		found->spi_out_be = spi_be;
	else if (addr_equal(src, &found->pair.remote))
		found->spi_in_be = spi_be;
}

static bool is_whole(const struct found *found)
{
	return found->out_policy && found->spi_in_be && found->spi_out_be;
}

static void remove_pieces(struct agent *agent, const struct found *found)
{
	xfrm_policy_del(agent->nl, POLICY_OUT, &found->pair, NULL);
	xfrm_policy_del(agent->nl, POLICY_IN, &found->pair, NULL);
	if (found->spi_out_be)
		xfrm_state_del(agent->nl, &found->pair.remote, found->spi_out_be, NULL);
	if (found->spi_in_be)
		xfrm_state_del(agent->nl, &found->pair.local, found->spi_in_be, NULL);
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
	struct search search = { .max = agent->config.limits.peers };
	OWN_FREE struct found *memory = calloc(search.max, sizeof(*memory));
	unsigned int adopted = 0, removed = 0;
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
		const struct found *found = &search.found[i];
		struct core_event event = { .type = EVENT_ADOPT, .pair = found->pair };

		if (!is_whole(found))
			continue;
		event.adopt.spi_in_be = found->spi_in_be;
		event.adopt.spi_out_be = found->spi_out_be;
		event.adopt.tunnel = found->tunnel;
		event.adopt.in_policy = found->in_policy;
		event.adopt.reqid = found->reqid;
		agent_event(agent, &event);
		adopted++;
	}
	/* The gate closes before the pieces go. */
	dataplane_gate_each(agent->dp, drop_gate, agent);
	for (size_t i = 0; i < search.count; i++) {
		if (!is_whole(&search.found[i])) {
			remove_pieces(agent, &search.found[i]);
			removed++;
		}
	}
	if (search.full)
		log_error(
			"more pairs stand in the kernel than [limits] peers allows: raise it, or run `holdfast unload`");
	if (adopted || removed)
		log_info("adopted %u secured pairs of an earlier agent, removed the pieces of %u", adopted, removed);
	return 0;
}
