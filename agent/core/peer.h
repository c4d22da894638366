// SPDX-License-Identifier: Apache-2.0
/*
 * One peer's life, inside the core. A peer is a pair: SAs, source selection and the gate are all per (local, remote).
 *
 *   IDLE -> LOOKUP -> NEGOTIATE -> INSTALL -> HANDOFF -> SECURE
 *              \          \          \           \-> (lost SA) LOOKUP
 *               `----------`----------`-> CLEAR | DENIED -> IDLE
 *
 * Timers, one per peer, by state: LOOKUP and NEGOTIATE the attempt's end; INSTALL (responder) and SECURE the next look
 * whether the peer seals; CLEAR and DENIED the end of the memory; IDLE the end of the peer.
 */
#ifndef CORE_PEER_H
#define CORE_PEER_H

#include "base/timers.h"
#include "core/backoff.h"
#include "core/event.h"

struct core;

/* Where a handoff is. */
enum handoff_step {
	HANDOFF_HELD,	/* sending what was held, before the out-policy */
	HANDOFF_POLICY, /* the out-policy is being set */
	HANDOFF_REST,	/* sending what queued up meanwhile */
};

/*
 * Child SAs of one pair: one, its successor while it is being replaced, and as many again where both ends started at once
 * or an earlier agent left some.
 */
#define PEER_CHILDREN 8

struct peer_child {
	uint32_t spi_in_be, spi_out_be;
	bool in, out; /* in the kernel */
	bool adopted; /* of an earlier agent: nobody will say that it is down */
};

struct peer {
	struct hf_pair pair;
	struct timer timer;
	enum peer_state state;
	enum hf_group group;
	bool sticky;
	bool responder;	 /* the peer started the negotiation */
	bool peer_seals; /* ESP was seen from it */
	bool tunnel;
	bool has_policies; /* ordered, not taken away since */
	bool local_gone;   /* its local address is gone: it goes by its timer */
	bool regroup;	   /* a reloaded policy has another group for it: likewise */
	enum handoff_step step;
	unsigned int drains; /* in this handoff */
	unsigned int looks;  /* whether the peer seals, since the SAs stand */
	enum failure failure;
	unsigned int failures;			   /* in a row */
	enum gate_show shown;			   /* the gate entry as last ordered */
	uint64_t since_ns;			   /* in this state */
	uint64_t until_ns;			   /* of CLEAR and DENIED */
	uint64_t handoff_until_ns;		   /* of the gate entry as last ordered; 0 = none */
	struct peer_child children[PEER_CHILDREN]; /* in the order they came */
	unsigned int child_count;
};

/* peer_sending is the Child SA that packets leave with, NULL when there is none. */
const struct peer_child *peer_sending(const struct peer *peer);

/* peer_start begins an attempt for a new peer, or one whose memory ended. */
void peer_start(struct core *core, struct peer *peer, uint64_t now);

/* peer_event takes a fact that concerns this peer. The peer may be gone afterwards. */
void peer_event(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now);

/* peer_expire does what the peer's timer was set for. The peer may be gone afterwards. */
void peer_expire(struct core *core, struct peer *peer, uint64_t now);

/* peer_adopt makes a new peer secure with what the kernel already holds. */
void peer_adopt(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now);

/* peer_regroup applies the group of a reloaded policy. The peer may be gone afterwards. */
void peer_regroup(struct core *core, struct peer *peer, enum hf_group group, uint64_t now);

/* peer_remove takes SAs, policies and gate entry away and forgets the peer. */
void peer_remove(struct core *core, struct peer *peer);

#endif
