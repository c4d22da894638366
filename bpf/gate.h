/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet's pair may do now: the gate entry when there is one that holds, else the group of the remote
 * address. What the programs do with the answer is in egress.bpf.c and ingress.bpf.c.
 */
#ifndef HF_GATE_H
#define HF_GATE_H

#include "maps.h"

/* The agent always writes 0.0.0.0/0 and ::/0; a trie without them belongs to an agent that never came up: closed. */
static __always_inline enum hf_group policy_group(const struct hf_addr *remote)
{
	struct hf_prefix key = { .prefix_len = 128, .addr = *remote };
	const struct hf_rule *rule = bpf_map_lookup_elem(&hf_policy, &key);

	return rule ? rule->group : HF_GROUP_BLOCK;
}

/*
 * CLEAR and BLOCK end by themselves, with or without an agent; HOLD and SECURE never do, or a pair that must be sealed
 * could fall back to what its prefix allows. The coarse clock (5.11) is a tick behind at most.
 */
static __always_inline bool gate_holds(const struct hf_gate *gate)
{
	return !gate->until_ns || gate->verdict == HF_VERDICT_SECURE ||
	       gate->verdict == HF_VERDICT_HOLD || bpf_ktime_get_coarse_ns() < gate->until_ns;
}

static __always_inline const struct hf_gate *gate_find(const struct hf_pair *pair)
{
	const struct hf_gate *gate = bpf_map_lookup_elem(&hf_gate, pair);

	return gate && gate_holds(gate) ? gate : 0;
}

/* Something is protected, so that what cannot be read must not pass. True as well before an agent ever said. */
static __always_inline bool is_strict(void)
{
	struct hf_config *config;
	__u32 zero = 0;

	config = bpf_map_lookup_elem(&hf_config, &zero);
	return !config || !config->abi_version || config->flags & HF_CONFIG_STRICT;
}

#endif
