// SPDX-License-Identifier: Apache-2.0
/*
 * One peer's life, inside the core. A peer is a pair: SAs, source selection and the gate are all per (local, remote).
 *
 *   IDLE -> LOOKUP -> NEGOTIATE -> INSTALL -> HANDOFF -> SECURE
 *              \          \          \           \-> (lost SA) LOOKUP
 *               `----------`----------`-> CLEAR | DENIED -> IDLE
 *
 * Timers, one per peer, by state: LOOKUP and NEGOTIATE the attempt's end; INSTALL (responder) the next look whether the peer
 * seals; SECURE the first of vigil.c's; CLEAR and DENIED the end of the memory; IDLE the end of the peer.
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

struct peer_child {
	uint32_t spi_in_be, spi_out_be;
	bool in, out; /* in the kernel */
	bool adopted; /* of an earlier agent: nobody will say that it is down */
};

/* When a secured peer is looked at, and what was seen (vigil.c). NSTIME_NEVER or 0 = not. */
struct vigil {
	uint64_t seals_ns;   /* does it seal? */
	uint64_t drop_ns;    /* adopted SAs go */
	uint64_t refresh_ns; /* adopted SAs are to get a successor */
	uint64_t life_ns;    /* did anything pass? */
	uint64_t used_ns;    /* when something had passed last */
	uint64_t in, out;    /* packets at the last look */
	unsigned int silent; /* looks in a row at which we had sent and heard nothing */
	bool counted;	     /* `in` and `out` are of the SAs that stand now */
	bool asked;	     /* the successor was brought forward because the peer asked */
};

struct peer {
	struct hf_pair pair;
	struct timer timer;
	enum peer_state state;
	enum hf_group group;
	bool sticky;	 /* once reached with a verified key: as private, whatever the group says */
	bool proved;	 /* so it is now, and will be sticky as soon as it is known to seal, or its SAs are gone */
	bool responder;	 /* the peer started the negotiation */
	bool peer_seals; /* ESP was seen from it */
	bool tunnel;
	bool encap;		/* ESP in UDP: the gate must let it pass */
	struct hf_addr gateway; /* that the SAs end at, with the peer behind it; all zero = at the peer itself */
	bool has_policies;	/* ordered, not taken away since */
	bool leaving;		/* its local address is gone, or it is to be forgotten: it goes by its timer */
	bool regroup;		/* a reloaded policy has another group for it: likewise */
	enum handoff_step step;
	unsigned int drains; /* in this handoff */
	bool has_sent;	     /* in this handoff: the peer hears from ESP that we read */
	unsigned int looks;  /* whether the peer seals, since the SAs stand */
	enum failure failure;
	unsigned int failures;			   /* in a row */
	enum gate_show shown;			   /* the gate entry as last ordered */
	uint64_t since_ns;			   /* in this state */
	uint64_t until_ns;			   /* of CLEAR and DENIED */
	uint64_t handoff_until_ns;		   /* of the gate entry as last ordered; 0 = none */
	struct peer_child children[CORE_CHILDREN]; /* in the order they came */
	unsigned int child_count;
	struct vigil vigil; /* SECURE */
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
