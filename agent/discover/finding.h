// SPDX-License-Identifier: Apache-2.0
/*
 * What was found out about addresses, and the table of it. A finding is there from its first question on; while a hunt for it is
 * under way, or somebody waits, it stays. Who asks and when is seek.c's.
 */
#ifndef DISCOVER_FINDING_H
#define DISCOVER_FINDING_H

#include "base/table.h"
#include "discover/judge.h"
#include "discover/seek.h"

struct event;
struct waiter;

struct finding {
	struct seek *seek;
	struct hf_addr addr;
	uint32_t place;
	bool hunted, told; /* a hunt is under way; and nobody waits for it any more */
	bool busy;	   /* those who wait are being told */
	struct waiter *waiters;
	struct event *limit; /* of waiting */
	bool known;	     /* what follows was found out once */
	bool unsure, bogus;
	enum discover_outcome outcome;
	enum discover_trust trust;
	unsigned int failures;	/* in a row */
	uint64_t end_s, used_s; /* CLOCK_MONOTONIC */
	struct keyset *keys;	/* NULL = none */
	char *name;		/* NULL = none */
	char reason[JUDGE_REASON_MAX];
};

struct findings {
	struct table table;
	void *memory;
	struct seek *seek; /* of each finding */
	struct finding *finding[SEEK_FINDINGS_MAX];
	size_t count; /* they are the first ones */
	uint64_t chance;
};

int findings_init(struct findings *findings, struct seek *seek, struct err *err);
/* findings_clear drops all, also those that are not free. */
void findings_clear(struct findings *findings);

/* findings_add is the address's finding, made now if there is none; a random one goes for it when there are too many. NULL: no room. */
struct finding *findings_add(struct findings *findings, const struct hf_addr *addr);
/* findings_drop frees one; the last takes its place. */
void findings_drop(struct findings *findings, struct finding *finding);

/* finding_is_free: nobody needs it now. */
bool finding_is_free(const struct finding *finding);

#endif
