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

/* Times in answers: `now` is monotonic as all times given here, wall_ns the same instant since 1970. */
struct answer_clock {
	uint64_t now, wall_ns;
};

/* One step of what happened to a pair. */
struct answer_step {
	uint64_t first_ns, last_ns;
	uint32_t times;
	const char *what, *text;
};

/* Use of an SA. */
struct answer_use {
	bool known;
	uint64_t packets, bytes;
};

/* What agent and gate know about one pair of an address that is asked for. */
struct answer_pair {
	struct hf_pair pair;
	bool known; /* the agent has a peer: `peer` is filled in */
	struct peer_view peer;
	bool gated; /* the gate has an entry: `gate` is filled in */
	struct hf_gate gate;
	const char *source, *name, *key, *ike, *suite; /* of the peer's key, and of the SAs; NULL or "" = not known */
	struct answer_use sent, received;
	const struct answer_step *steps; /* NULL = not asked for */
	size_t step_count;
};

/*
 * answer_policy_test says which group `address` belongs to, why, and what is known about its pairs now. Pairs may be NULL
 * when count is 0.
 */
json_t *answer_policy_test(const struct policy *policy, const struct hf_addr *address, const struct answer_pair *pairs,
			   size_t count, const struct answer_clock *clock);

/* answer_policy_list has at most `max` prefixes of the table, from place `after` on. */
json_t *answer_policy_list(const struct policy *policy, size_t after, size_t max);

/* answer_pair_json is one pair: only what is known is said. */
json_t *answer_pair_json(const struct answer_pair *pair, const struct answer_clock *clock);

/* answer_time is a monotonic time as seconds since 1970, to the millisecond. */
json_t *answer_time(uint64_t time_ns, const struct answer_clock *clock);

#endif
