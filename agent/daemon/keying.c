// SPDX-License-Identifier: Apache-2.0
/*
 * No key exchange, see keying.h.
 */
#include "daemon/keying.h"

#include "daemon/agent.h"

static void lookup(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct core_event event = { .type = EVENT_LOOKUP_FAILED, .peer = peer, .pair = *pair };

	(void)arg;
	agent_event(agent, &event);
}

static void negotiate(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	struct core_event event = { .type = EVENT_NEGOTIATION_FAILED, .peer = peer, .pair = *pair };

	(void)arg;
	agent_event(agent, &event);
}

static void abandon(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair)
{
	(void)arg;
	(void)agent;
	(void)peer;
	(void)pair;
}

const struct keying keying_none = { .lookup = lookup, .negotiate = negotiate, .abandon = abandon };
