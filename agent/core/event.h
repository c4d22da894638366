// SPDX-License-Identifier: Apache-2.0
/*
 * What goes into the core (events: facts) and what comes out (actions: orders). Both name a peer by
 * handle or a pair by its addresses, never by pointer. Every action is answered by at most one event; a late answer
 * to a peer that is gone is ignored because its handle is stale.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "holdfast/abi.h"
#include "ike/ike.h"

/*
 * Child SAs of one pair: one, its successor while it is being replaced, and as many again where both ends started at once
 * or an earlier agent left some.
 */
#define CORE_CHILDREN 8

/* Of these an earlier agent's; the other places are their successors'. */
#define CORE_ADOPTED 4

enum core_event_type {
	EVENT_FLOW_MISS,  /* packets of an undecided pair wait */
	EVENT_STRAY,	  /* clear packets of a secured pair wait */
	EVENT_UNREADABLE, /* ESP came from the pair's peer, and there is no SA for it */
	EVENT_KEY,    /* answer to LOOKUP, or during NEGOTIATE: a key that policy accepts was found, or it needs none */
	EVENT_NO_KEY, /* answer to LOOKUP: proved that the peer has none */
	EVENT_LOOKUP_FAILED,
	EVENT_CHILD_UP, /* a Child SA is there: answer to NEGOTIATE, the peer's own doing (responder), or a successor */
	EVENT_CHILD_USE, /* the peer reads with a Child SA: its outbound SA is to be installed, its inbound one stands */
	EVENT_CHILD_QUIET, /* its outbound SA is to go, the inbound one stays */
	EVENT_CHILD_DOWN,  /* both are to go */
	EVENT_CHILD_MOVED, /* its encapsulation ports are others now: the peer's NAT has a new mapping */
	EVENT_NEGOTIATION_FAILED,
	EVENT_SA_ADDED,	   /* answer to SA_ADD; error != 0: the kernel refused, and has neither SA */
	EVENT_POLICY_SET,  /* answer to POLICY_SET; error likewise */
	EVENT_DRAINED,	   /* answer to DRAIN */
	EVENT_SEALS,	   /* answer to CHECK_SEALS: whether ESP came from the peer */
	EVENT_SA_EXPIRED,  /* an SA reached its soft or hard limit, or vanished */
	EVENT_POLICY_GONE, /* somebody else removed a policy of ours */
	EVENT_LIFE,	   /* answer to CHECK_LIFE; error != 0: not all counters could be read */
	EVENT_LOCAL_GONE,  /* pair.local is no address of this host any more */
	EVENT_FORGET,	   /* the operator wants nothing of pair.remote remembered */
	EVENT_KEY_GONE,	   /* the key that this pair's SAs were made with is not the peer's any more */
	EVENT_KEY_FOUND,   /* a key was found of pair.remote, after it was said that there is none or nobody knows */
	EVENT_ASKED, /* the peer asks after an IKE SA of which an earlier agent has left nothing but its Child SAs */
	EVENT_ADOPT, /* at start: the kernel already holds SAs and policies of this pair; again: another SA of it */
};

struct core_event {
	enum core_event_type type;
	struct handle peer; /* answers: from the action; others: HANDLE_NONE, the pair says who */
	struct hf_pair
		pair; /* FLOW_MISS, STRAY, UNREADABLE, CHILD_UP of a responder, LOCAL_GONE (local only), FORGET (remote only), ADOPT */
	bool sticky; /* FLOW_MISS, STRAY, UNREADABLE, CHILD_UP, ADOPT, NO_KEY: the peer was reached with a verified key before;
		      * LOOKUP_FAILED: the answer was forged, so that this failure is never in clear */
	int error; /* negative errno or 0; FLOW_MISS, STRAY: -EADDRNOTAVAIL when pair.local is not this host's */
	struct hf_addr
		gateway; /* KEY, CHILD_UP, ADOPT: that the pair's SAs end at, with pair.remote behind it; all zero = at pair.remote itself */
	union {
		struct {
			struct child child; /* QUIET, DOWN: SPIs only; MOVED: SPIs and ports */
			bool responder;	    /* the peer started */
			bool proved;	    /* UP: by a verified key, so that it is sticky from now on */
			bool in, out;	    /* UP: what is to be installed */
		} up;
		struct {
			uint32_t spi_in_be;
			bool in, out; /* as ordered */
		} added;
		struct {
			bool empty; /* nothing waits any more; false = the budget ran out */
			bool none; /* none was taken off. If not empty, what waits is not there yet: the sweep comes back to it */
		} drained;
		bool seals;
		struct {
			uint64_t in, out; /* packets, of all the SAs asked for */
		} life;
		struct {
			uint32_t spi_be; /* inbound or outbound */
			bool hard;
		} expired;
		struct {
			uint32_t spi_in_be, spi_out_be; /* another SA: out 0 = there is none */
			bool tunnel, encap;
			bool in_policy;
			uint32_t reqid;
		} adopt;
	};
};

enum action_type {
	ACTION_LOOKUP,	    /* find the peer's key -> KEY, NO_KEY, LOOKUP_FAILED */
	ACTION_NEGOTIATE,   /* make a Child SA -> CHILD_UP, NEGOTIATION_FAILED */
	ACTION_ABANDON,	    /* whatever was asked or made for this peer is not wanted any more; no answer */
	ACTION_REKEY,	    /* make a successor of this Child SA -> CHILD_UP, or nothing */
	ACTION_CHILD_GONE,  /* this Child SA is not wanted, or lost: whoever made it gives it up; no answer */
	ACTION_SA_ADD,	    /* install what `in` and `out` say -> SA_ADDED */
	ACTION_SA_DEL,	    /* remove it; no answer */
	ACTION_SA_MOVE,	    /* give what `in` and `out` say the child's ports -> SA_EXPIRED (hard) when that failed */
	ACTION_POLICY_SET,  /* -> POLICY_SET */
	ACTION_POLICY_DEL,  /* no answer */
	ACTION_GATE,	    /* write the gate entry, or remove it; no answer */
	ACTION_DRAIN,	    /* deal with what is held for the pair -> DRAINED */
	ACTION_CHECK_SEALS, /* did ESP arrive on the inbound SA? -> SEALS */
	ACTION_CHECK_LIFE,  /* how many packets did these SAs carry? -> LIFE */
	ACTION_PROBE, /* ask the peer for a sign of life, which is one of ours to it; no answer, but its Child SAs go down without one */
	ACTION_STICK, /* from now on the remote address is private, whatever its prefix's group; no answer */
};

enum drain_how {
	DRAIN_SEALED, /* re-inject through the pair's SA */
	DRAIN_CLEAR,  /* re-inject as it is */
	DRAIN_DENY,   /* drop, and tell the local senders */
};

struct action {
	enum action_type type;
	struct handle peer;
	struct hf_pair pair;
	uint32_t reqid; /* SA_ADD, POLICY_*, DRAIN */
	struct hf_addr
		gateway; /* that SAs and tunnels end at, NEGOTIATE: that is to be asked; all zero = pair.remote itself */
	union {
		struct {
			struct child child; /* SA_DEL: SPIs only; SA_MOVE: SPIs, mode and ports */
			bool in, out;
		} sa;
		struct {
			bool in; /* else out */
			bool tunnel;
			bool optional; /* in: clear packets are accepted as well */
		} policy;
		struct {
			bool present; /* false = remove the entry */
			struct hf_gate value;
			bool handoff; /* value.handoff_until_ns lies ahead: ESP queues behind what is held */
		} gate;
		struct {
			enum drain_how how;
			bool tunnel;
			bool close;	   /* when empty, give the queue back */
			bool policy_later; /* the out-policy does not stand yet */
		} drain;
		bool probe_soon;    /* PROBE: it may be gone, and is not waited for as long as others are */
		uint32_t spi_in_be; /* CHECK_SEALS, REKEY, CHILD_GONE */
		struct {
			uint32_t in_be[CORE_CHILDREN], out_be[CORE_CHILDREN]; /* 0 = none */
		} life;
	};
};

#endif
