// SPDX-License-Identifier: Apache-2.0
/*
 * The room that chooses: peers, their life, and what the gate shows for them. It can do nothing else: events go
 * in with the time they happened, actions come out, and everything it needs was given to it at start.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <stddef.h>

#include "base/siphash.h"
#include "core/backoff.h"
#include "core/event.h"
#include "core/gate.h"
#include "core/policy.h"

struct core;

struct core_options {
	uint32_t peers_max;
	uint32_t reqid_base;		 /* a peer's reqid is this plus its index */
	uint8_t table_seed[SIPHASH_KEY]; /* unpredictable */
};

/* core_memory is how many octets core_init needs. */
size_t core_memory(const struct core_options *options);

/* core_init makes a core in `memory`, aligned as malloc aligns. `policy` must outlive it, see core_set_policy. */
struct core *core_init(void *memory, const struct core_options *options, const struct policy *policy);

/*
 * core_set_policy takes a reloaded table. Peers whose group changed start over; orders for that come out as
 * actions.
 */
void core_set_policy(struct core *core, const struct policy *policy, uint64_t now);

/* core_take takes one fact. Draw the actions after each: there is room for those of one event, not of many. */
void core_take(struct core *core, const struct core_event *event, uint64_t now);

/* core_expire does what is due. At most 64 peers per call; core_deadline then still lies in the past. */
void core_expire(struct core *core, uint64_t now);

/* core_deadline is when core_expire has something to do; NSTIME_NEVER when never. */
uint64_t core_deadline(const struct core *core);

/* core_next takes the oldest action off. False when there is none. The child in it, if any, is the caller's to wipe. */
bool core_next(struct core *core, struct action *out);

/* What the operator may see of a peer. */
struct peer_view {
	struct hf_pair pair;
	enum peer_state state;
	enum hf_group group;
	enum failure failure; /* last one; only with failures > 0 */
	unsigned int failures;
	uint64_t since_ns; /* in this state */
	uint64_t until_ns; /* of CLEAR and DENIED; 0 otherwise */
	uint32_t reqid;
	uint32_t spi_in_be, spi_out_be; /* 0 = none */
	struct hf_addr gateway;		/* that its SAs end at; all zero = at the peer itself */
	bool peer_seals;
	bool sticky;   /* never in clear any more */
	bool orphaned; /* packets leave with an SA that an earlier agent made */
};

struct core_counts {
	uint32_t peers, peers_max;
	uint32_t by_state[PEER_STATES];
	uint64_t peers_full; /* a new pair found no room */
	uint64_t evicted;    /* a remembered failure made room for a new pair */
	uint64_t failures[FAILURES];
	uint64_t secured;      /* times a pair became secure */
	uint64_t handoffs_cut; /* re-injection was slower than the sender, or than HANDOFF_NS: order given up */
	uint64_t probes;       /* peers asked for a sign of life: sent to, not heard */
	uint64_t closed_idle;  /* pairs that nobody used any more */
	uint64_t closed_key;   /* pairs whose key was withdrawn */
};

void core_count(const struct core *core, struct core_counts *out);

/* core_find looks a pair up; false when the core knows no such peer. */
bool core_find(const struct core *core, struct peer_view *out, const struct hf_pair *pair);

/* core_has_gateway: SAs of some pair end at this address, with the pair's remote host behind it. */
bool core_has_gateway(const struct core *core, const struct hf_addr *addr);

/* core_pair_of finds the pair that owns a reqid; false when none does. */
bool core_pair_of(const struct core *core, struct hf_pair *out, uint32_t reqid);

/* core_each calls `see` for every peer until it returns false. */
void core_each(const struct core *core, bool (*see)(void *arg, const struct peer_view *view), void *arg);

#endif
