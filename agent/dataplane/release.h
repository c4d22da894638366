// SPDX-License-Identifier: Apache-2.0
/*
 * Re-injection: held packets leave through raw sockets so that they meet XFRM like any other packet.
 *
 * What must be sealed is sent through a socket that carries its own XFRM policy (IP_XFRM_POLICY) with the pair's
 * template: such a packet is sealed by the pair's SA or not sent at all, whatever route or source
 * address the kernel would have picked. What may leave in clear, and ESP that only waited for its turn,
 * goes through sockets with a bypass policy. All of it is known to the egress program by the sockets' cookies,
 * so that nothing is ever held twice.
 */
#ifndef DATAPLANE_RELEASE_H
#define DATAPLANE_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "holdfast/abi.h"

struct release;

/* How a pair's packets are to leave. */
struct release_how {
	bool sealed;		/* through the pair's SA; false = in clear */
	bool tunnel;		/* mode of the SA */
	struct hf_addr gateway; /* where the tunnel ends; all zero = at the pair's remote host */
	uint32_t reqid;		/* of the SA */
	bool policy_later;	/* the pair's out-policy does not stand yet */
};

/*
 * release_open opens the sockets in the calling thread's network namespace. `count` receives what becomes of
 * packets (it may live in a shared map); it must outlive the room.
 */
int release_open(struct release **out, struct hf_agent *count, struct err *err);
void release_close(struct release *release);

/*
 * release_cookies writes the SO_COOKIE of every socket that re-injects, 0 for unused places: `sealed` those whose
 * packets the egress program must never see in clear, `bypass` those that send in clear as well.
 */
void release_cookies(const struct release *release, __u64 sealed[HF_RELEASE_SOCKETS], __u64 bypass[HF_RELEASE_SOCKETS]);

/* release_begin sets the sockets up for the pair. -errno when the kernel refuses the policy. */
int release_begin(struct release *release, const struct hf_pair *pair, const struct release_how *how, struct err *err);

/*
 * release_packet sends one held packet of the pair given to release_begin: checksums completed, GSO cut, fragments
 * joined, mark, priority and source address kept. HF_HELD_SEALED goes out as it is. Whatever becomes of the
 * packet is counted; a packet that does not fit the path is answered to its sender or fragmented where
 * the sender allows. The bytes may be changed in place. Fragments are kept back until their datagram is whole, also
 * beyond release_end, since its sender may be in the middle of it.
 */
void release_packet(struct release *release, const struct hf_slot_head *head, uint8_t *data);

/*
 * release_tell_late tells the senders whose packets did not fit while policy_later was set. A sender that is told before
 * looks at a route without policy, sends as much again, and then waits for its retransmission timer.
 */
void release_tell_late(struct release *release);

/* release_end forgets the pair. */
void release_end(struct release *release);

/*
 * release_denied tells the local sender of a packet that will never be sent (ICMP administratively prohibited). Who was
 * about to connect is told a second time by release_expire, when release_deadline (NSTIME_NEVER: nobody) has come.
 */
void release_denied(struct release *release, const uint8_t *data, size_t len, uint32_t mark);
uint64_t release_deadline(const struct release *release);
void release_expire(struct release *release, uint64_t now);

#endif
