// SPDX-License-Identifier: Apache-2.0
/*
 * The answer to `status`, from a plain struct that the daemon fills in. Only what is known is said: absent numbers
 * are 0, absent texts NULL.
 */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "holdfast/abi.h"

/* How much of a bounded thing is in use. */
struct status_use {
	uint32_t used, max;
};

/* What speaks IKE and knows keys; absent with a keying of a test. */
struct status_keying {
	bool present;
	const char *key; /* this host's public key as pins write it, "" = it has none */
	uint32_t half_open, established, sas_max, children;
	uint64_t initiated, responded, auth_failed;
	uint64_t pinned, listed; /* hosts */
	uint64_t directory_serial, directory_expires_s, directories_rejected;
};

struct status {
	int pid;
	uint64_t uptime_s;
	const char *kernel;	       /* release */
	const char *attach;	       /* "tcx" or "clsact"; NULL = not attached */
	const char *config;	       /* path; NULL = defaults */
	const char *const *interfaces; /* names of those attached to now */
	size_t interface_count;
	size_t prefixes[HF_GROUP_COUNT]; /* in the policy files */
	enum hf_group fallback;		 /* group of what is unlisted */
	struct core_counts core;
	struct status_use slots, big_slots, queues, gate;
	struct hf_count packets; /* summed over the CPUs */
	struct hf_agent released;
	struct status_keying keying;
	uint64_t gate_full;	     /* a verdict could not be written */
	const char *const *problems; /* what is wrong now, a line each, for example an interface that refused */
	size_t problem_count;
};

/*
 * status_json makes the answer: pid, version, uptime, kernel, attach, config, interfaces, policies, peers, failures, held, gate,
 * packets (hf_count by name), released (hf_agent by name), ike and discovery (where something speaks IKE), limits (only those that bit: limit, times, effect,
 * advice), problems. NULL when memory ran out.
 */
json_t *status_json(const struct status *status);

#endif
