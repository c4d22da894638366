// SPDX-License-Identifier: Apache-2.0
/*
 * Telling local senders, by ICMP errors, what became of their packets: a bounded number a second, and those whose
 * connect() was refused a second time. Used by release.c only, which knows what to tell whom.
 */
#ifndef DATAPLANE_TELLER_H
#define DATAPLANE_TELLER_H

#include <stdint.h>
#include <time.h>

#include "dataplane/release_socket.h"
#include "holdfast/abi.h"

#define TELLER_ICMP_MAX 1280 /* longest ICMP error, RFC 4443 2.4 (c) */

/* Refused connections that are told again, at a time; more of them are told once. */
#define TELLER_AGAIN_MAX 32

/*
 * The kernel drops an ICMP error for a TCP socket whose owner is in the middle of a system call (LockDroppedIcmps): the
 * agent may be so fast that connect() has not gone to sleep yet. Long enough for it to do so on a busy
 * machine, short against TCP's own second.
 */
#define TELLER_AGAIN_NS 20000000ull

/* An ICMP error that is not sent yet. */
struct teller_note {
	int len; /* 0 = nothing to say */
	uint32_t mark, ifindex;
	uint64_t due_ns;
	uint8_t icmp[TELLER_ICMP_MAX];
};

struct teller {
	struct release_socket *v4, *v6; /* the caller's: in clear, payload of ICMP and ICMPv6 */
	struct hf_agent *count;
	time_t second; /* the one that `left` belongs to */
	unsigned int left;
	struct teller_note again[TELLER_AGAIN_MAX]; /* a ring, by due_ns */
	unsigned int again_first, again_count;
};

/* teller_say sends the error now, unless too much was said in this second. */
void teller_say(struct teller *teller, const struct teller_note *note);

/* teller_refuse tells the sender of a packet of which these are the first octets that it is prohibited. */
void teller_refuse(struct teller *teller, const uint8_t *data, size_t len, uint32_t mark);

/* teller_deadline is when teller_expire has something to say again, NSTIME_NEVER when it has not. */
uint64_t teller_deadline(const struct teller *teller);
void teller_expire(struct teller *teller, uint64_t now);

#endif
