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
#include "core/limits.h"
#include "holdfast/abi.h"
#include "holdfast/shield.h"
#include "ike/ike.h"

/* How much of a bounded thing is in use. */
struct status_use {
	uint32_t used, max;
};

/* How old Child SAs became, of those that ended. A Child SA counts in the first span it did not outlive. */
#define STATUS_SPANS 8
extern const uint32_t status_spans_s[STATUS_SPANS];

struct status_lifetimes {
	uint64_t within[STATUS_SPANS + 1]; /* the last: outlived them all */
	uint64_t sum_s;
};

/* What speaks IKE and knows keys; absent with a keying of a test. */
struct status_keying {
	bool present;
	const char *key; /* this host's public key as pins write it, "" = it has none */
	struct ike_counts ike;
	struct status_lifetimes lifetimes;
	uint64_t renewals_full;		      /* SAs that ended before those of the peer's next key were there */
	uint64_t asked, keys, no_key, failed; /* questions to discovery, and what came of them */
	uint64_t pinned, listed, known;	      /* hosts; known: reached securely before */
	uint64_t directory_serial, directory_expires_s, directories_rejected;
	uint64_t hints, hints_refused;			  /* names that addresses may have */
	uint64_t dns_remembered, dns_asking, dns_refused; /* addresses that DNSSEC was asked for */
};

#define STATUS_COMPANY_MAX 48

/* An Ethernet interface, and the shield on it. */
struct status_place {
	const char *interface, *how; /* "native", "generic" or "none" */
	char company[STATUS_COMPANY_MAX]; /* "alone", "alone in the dispatcher" or "beside N in the dispatcher"; "" = "none" */
};

/* The shield in front of IKE; absent when it is not loaded. */
struct status_shield {
	bool present;
	bool up;	      /* everybody is asked for a cookie */
	uint32_t spread_over; /* processors, 0 = ESP is not spread */
	struct hf_shield_count count;
	const char *alone; /* why XDP programs of others cannot be put beside it; NULL = they can */
	struct status_place where[LIMIT_ATTACHED];
	size_t where_count;
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
	uint32_t verdicts[HF_VERDICT_BLOCK + 1]; /* entries of the gate */
	struct hf_count packets;		 /* summed over the CPUs */
	struct hf_agent released;
	struct status_keying keying;
	struct status_shield shield;
	uint64_t gate_full;	     /* a verdict could not be written */
	const char *const *problems; /* what is wrong now, a line each, for example an interface that refused */
	size_t problem_count;
};

/* status_lifetime counts a Child SA that ended at this age. */
void status_lifetime(struct status_lifetimes *lifetimes, uint64_t age_s);

/*
 * status_json makes the answer: pid, version, uptime, kernel, attach, config, interfaces, policies, peers, failures, held, gate,
 * packets (hf_count by name), released (hf_agent by name), agent (counters of its own), ike and discovery (where something speaks
 * IKE), shield (where it is loaded: up, spread_over, interfaces, company, alone_because, messages: hf_shield_count by name), limits (only those that bit: limit, times,
 * effect, advice), problems. Every number in it but pid is a metric (metrics.c). NULL when memory ran out.
 */
json_t *status_json(const struct status *status);

#endif
