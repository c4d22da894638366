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
	bool busy;	   /* what was found is being told */
	struct waiter *waiters;
	struct event *limit; /* of waiting */
	bool hinted;	     /* a hint came that it does not know of */
	bool known;	     /* what follows was found out once */
	bool unsure, bogus;
	bool lapsed; /* the keys ended too long ago */
	enum discover_outcome outcome;
	enum discover_trust trust;
	unsigned int failures;	/* in a row */
	uint64_t end_s, used_s; /* CLOCK_MONOTONIC, as all of these */
	uint64_t again_s;	/* when keys in use are asked for again */
	uint64_t keys_end_s;	/* of the keys, when they were seen last */
	uint64_t hinted_s;	/* since then hints made so many hunts: */
	unsigned int hinted_hunts;
	struct keyset *keys; /* NULL = none; with another outcome than KEYS: those that were there before */
	char *name;	     /* NULL = none */
	char *hint;	     /* a name that it may have; NULL = none */
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
/* findings_find: NULL when there is none. */
struct finding *findings_find(const struct findings *findings, const struct hf_addr *addr);
/* findings_drop frees one; the last takes its place. */
void findings_drop(struct findings *findings, struct finding *finding);

/* finding_is_free: nobody needs it now. */
bool finding_is_free(const struct finding *finding);

#endif
