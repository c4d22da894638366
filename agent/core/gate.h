// SPDX-License-Identifier: Apache-2.0
/*
 * What the gate shows for a peer, as a pure function of (state, group, sticky), and what a failure means for a
 * group. Two tables; every cell has a test (DESIGN 4, 5).
 */
#ifndef CORE_GATE_H
#define CORE_GATE_H

#include <stdbool.h>

#include "holdfast/abi.h"

/* Peer life (DESIGN 2). */
enum peer_state {
	PEER_IDLE,	/* known, nothing under way */
	PEER_LOOKUP,	/* discovery is asked */
	PEER_NEGOTIATE, /* IKE is under way */
	PEER_INSTALL,	/* SAs are being installed, the gate is still as before */
	PEER_HANDOFF,	/* SAs stand; held packets go out sealed, newer ones queue behind */
	PEER_SECURE,
	PEER_CLEAR,  /* decided: in clear for a while */
	PEER_DENIED, /* decided: not at all for a while */
	PEER_STATES
};

enum gate_show {
	GATE_NONE, /* no entry: the group decides */
	GATE_HOLD,
	GATE_CLEAR,
	GATE_SECURE,
	GATE_BLOCK,
};

/* gate_show is the entry for a peer. A sticky peer was reached securely before: it is as private. */
enum gate_show gate_show(enum peer_state state, enum hf_group group, bool sticky);

/*
 * failure_state is where a peer goes that cannot be reached securely: PEER_CLEAR or PEER_DENIED. For how long depends
 * on the cause (backoff.h).
 */
enum peer_state failure_state(enum hf_group group, bool sticky);

/* group_wants_sas is true when this host starts a negotiation for the group by itself. */
bool group_wants_sas(enum hf_group group);

/* group_is_raised is true for the groups that a sticky peer is too private for. */
bool group_is_raised(enum hf_group group);

/* group_answers is true when a peer may start one. */
bool group_answers(enum hf_group group);

const char *peer_state_name(enum peer_state state);

#endif
