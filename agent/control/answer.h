// SPDX-License-Identifier: Apache-2.0
/*
 * Answers to the operator as JSON, made from plain values; holdfast/control.h names the fields. Each returns an
 * object that the caller owns, or NULL when memory ran out.
 */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/core.h"
#include "core/policy.h"

/* answer_error is {"error": text}. */
__attribute__((format(printf, 1, 2))) json_t *answer_error(const char *format, ...);

/* answer_ping says who answers. */
json_t *answer_ping(int pid);

/* What agent and gate know about one pair of an address that is asked for. */
struct answer_pair {
	struct hf_pair pair;
	bool known; /* the agent has a peer: `peer` is filled in */
	struct peer_view peer;
	bool gated; /* the gate has an entry: `gate` is filled in */
	struct hf_gate gate;
};

/*
 * answer_policy_test says which group `address` belongs to, why, and what is known about its pairs now. `now` is the time
 * the pairs' times are counted from; pairs may be NULL when count is 0.
 */
json_t *answer_policy_test(const struct policy *policy, const struct hf_addr *address, const struct answer_pair *pairs,
			   size_t count, uint64_t now);

#endif
