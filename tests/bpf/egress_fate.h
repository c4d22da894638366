// SPDX-License-Identifier: Apache-2.0
/* What the egress program made of one packet, told by action, counter and event together, which must agree. */
#ifndef BPF_EGRESS_FATE_H
#define BPF_EGRESS_FATE_H

#include "run_prog.h"

/* What became of one packet. */
enum fate {
	FATE_POLICY,  /* passed, out_by_policy */
	FATE_CLEAR,   /* passed, out_clear */
	FATE_ESP,     /* passed, out_esp */
	FATE_EXEMPT,  /* passed, out_exempt */
	FATE_HELD,    /* stolen, FLOW_MISS */
	FATE_STRAY,   /* stolen, STRAY */
	FATE_BLOCKED, /* dropped, DENIED */
	FATE_OTHER,
};

/* fate_expect fails the test with `what` when the packet meets another fate. Exactly one counter must move. */
void fate_expect(struct run *run, const struct packet_bytes *packet, enum fate fate, const char *what);

/* fate_drain takes off what is held, so that the next packet finds the pair as new. */
void fate_drain(struct run *run, const struct hf_pair *pair);

#endif
