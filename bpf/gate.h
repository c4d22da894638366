/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet's pair may do now: the gate entry when there is one that holds, else the group of the remote
 * address. What the programs do with the answer is in egress.bpf.c and ingress.bpf.c.
 */
#ifndef HF_GATE_H
#define HF_GATE_H

#include "gate_maps.h"

/* The agent always writes 0.0.0.0/0 and ::/0; a trie without them belongs to an agent that never came up: closed. */
static __always_inline enum hf_group policy_group(const struct hf_addr *remote)
{
	struct hf_prefix key = { .prefix_len = 128, .addr = *remote };
	const struct hf_rule *rule = bpf_map_lookup_elem(&hf_policy, &key);

	return rule ? rule->group : HF_GROUP_BLOCK;
}

/*
 * The time, a tick behind at most. Reading even the coarse clock costs as much as the gate lookup; the tick count is a
 * load (inlined since 5.6), so the clock is read once a tick and CPU.
 */
static __always_inline __u64 clock_now(void)
{
	__u64 jiffies = bpf_jiffies64();
	struct hf_clock *clock;
	__u32 zero = 0;

	clock = bpf_map_lookup_elem(&hf_clock, &zero);
	if (!clock)
		return bpf_ktime_get_ns();
	if (clock->jiffies != jiffies) {
		clock->ns = bpf_ktime_get_ns();
		clock->jiffies = jiffies;
	}
	return clock->ns;
}

/*
 * CLEAR and BLOCK end by themselves, with or without an agent; HOLD and SECURE never do, or a pair that must be sealed
 * could fall back to what its prefix allows.
 */
static __always_inline bool gate_holds(const struct hf_gate *gate)
{
	return !gate->until_ns || gate->verdict == HF_VERDICT_SECURE || gate->verdict == HF_VERDICT_HOLD ||
	       clock_now() < gate->until_ns;
}

/* False when what `entry` points at is another pair's by now. */
static __always_inline bool gate_read(const struct hf_gate *entry, __u32 mark, struct hf_gate *out)
{
	const __u64 *head = (const __u64 *)entry;
	__u64 before = read_once(*head);

	_Static_assert(offsetof(struct hf_gate, until_ns) == sizeof(before), "what decides is one word");
	__builtin_memcpy(out, &before, sizeof(before));
	out->until_ns = read_once(entry->until_ns);
	out->handoff_until_ns = read_once(entry->handoff_until_ns);
	return out->mark == mark && read_once(*head) == before;
}

/*
 * The pair's entry, copied, while it holds; else 0. Twice given away between lookup and load is more than chance: then it is
 * undecided, which lets nothing pass in clear and has the agent say it again.
 */
static __always_inline const struct hf_gate *gate_find(const struct hf_pair *pair, struct hf_gate *copy)
{
	__u32 mark = hf_pair_mark(pair);

#pragma unroll
	for (int try = 0; try < 2; try++) {
		const struct hf_gate *entry = bpf_map_lookup_elem(&hf_gate, pair);

		if (!entry)
			return 0;
		if (gate_read(entry, mark, copy))
			return gate_holds(copy) ? copy : 0;
	}
	*copy = (struct hf_gate){ .verdict = HF_VERDICT_HOLD, .group = HF_GROUP_PRIVATE, .mark = mark };
	return copy;
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
