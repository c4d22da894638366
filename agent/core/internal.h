// SPDX-License-Identifier: Apache-2.0
/*
 * What core.c keeps and peer.c uses of it.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include "base/table.h"
#include "core/core.h"
#include "core/peer.h"

/* One event leads to 6 actions at most, one expiry too; core_expire does 64 peers. */
#define CORE_EXPIRE_MAX 64
#define CORE_ACTIONS_MAX 512

struct core {
	struct pool peers;
	struct table by_pair;
	struct timers timers;
	const struct policy *policy;
	uint32_t reqid_base;
	uint32_t hand; /* where the next search for a peer that may go begins */
	struct action actions[CORE_ACTIONS_MAX];
	uint32_t action_first, action_count;
	struct core_counts counts;
};

/* core_emit queues an order for the peer; type-specific fields are filled by the caller before or after. */
struct action *core_emit(struct core *core, const struct peer *peer, enum action_type type);

/* core_timer sets the peer's timer; NSTIME_NEVER = none. */
void core_timer(struct core *core, struct peer *peer, uint64_t when);

/* core_forget returns the peer to the pool. */
void core_forget(struct core *core, struct peer *peer);

#endif
