/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What may arrive from a pair's peer, and in what form: the ingress side of the verdict table. */
#ifndef HF_ADMIT_H
#define HF_ADMIT_H

#include "gate.h"
#include "report.h"

enum admit {
	ADMIT,
	ADMIT_SEALED_ONLY,
	ADMIT_NOTHING,
};

static __always_inline enum admit admit_by_group(enum hf_group group)
{
	switch (group) {
	case HF_GROUP_CLEAR:
	case HF_GROUP_CLEAR_OR_PRIVATE:
	case HF_GROUP_PRIVATE_OR_CLEAR:
		return ADMIT;
	case HF_GROUP_PRIVATE:
		return ADMIT_SEALED_ONLY;
	default:
		return ADMIT_NOTHING;
	}
}

static __always_inline enum admit admit_by_verdict(const struct hf_gate *gate)
{
	switch (gate->verdict) {
	case HF_VERDICT_CLEAR:
		return ADMIT;
	case HF_VERDICT_HOLD:
		return admit_by_group(gate->group);
	case HF_VERDICT_SECURE:
		return gate->flags & HF_GATE_IN_CLEAR ? ADMIT : ADMIT_SEALED_ONLY;
	case HF_VERDICT_BLOCK:
		break;
	}
	return ADMIT_NOTHING;
}

/* `gate`: what gate_find said. */
static __always_inline enum admit admit_pair(const struct hf_pair *pair, const struct hf_gate *gate)
{
	return gate ? admit_by_verdict(gate) : admit_by_group(policy_group(&pair->remote));
}

/* admit_refused: a packet in clear of the pair is dropped. It is counted, and told where something was decided of the pair. */
static __always_inline void admit_refused(enum admit admit, __u32 ifindex, const struct hf_pair *pair,
					  const struct hf_gate *gate)
{
	if (admit == ADMIT_NOTHING) {
		COUNT(in_drop_block);
		return;
	}
	COUNT(in_drop_clear);
	if (gate)
		report_clear(ifindex, pair, gate->group);
}

#endif
