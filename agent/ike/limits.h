// SPDX-License-Identifier: Apache-2.0
/*
 * Every number of the engine, with its reason (docs/PROTOCOL.md, timers and bounds). What strangers can make it hold or do is bounded here and
 * counted in struct ike_counts.
 */
#ifndef IKE_LIMITS_H
#define IKE_LIMITS_H

#include "base/nstime.h"

/* ---- strangers ---- */

/* From so many half-open SAs on every stranger brings a cookie first (strongSwan: 30). */
#define IKE_COOKIE_HALF_OPEN 32
/* From so many of one address (IPv4 /32, IPv6 /64) on. */
#define IKE_COOKIE_SOURCE 3
/* Half-open SAs of one address, with cookie or without: a host needs one, several behind a NAT some. */
#define IKE_SOURCE_MAX 5
/* Of a site (IPv4 /24, IPv6 /48): RFC 8019 4.2 counts IPv6 by prefix, since an attacker has 2^64 addresses. */
#define IKE_SITE_MAX 50
/* Half-open SAs in all, at most half of the SAs. */
#define IKE_HALF_OPEN_MAX 4096
/* A half-open SA lives so long; less when three quarters of the room are taken (RFC 8019 4.1). */
#define IKE_HALF_OPEN_LIFE (30 * NSTIME_S)
#define IKE_HALF_OPEN_LIFE_BUSY (5 * NSTIME_S)
/* Bad ICVs on a half-open SA before it is dropped: one may be a wrong guess of a KEM, three are no accident. */
#define IKE_HALF_OPEN_BAD_ICV 3
/* An IKE_SA_INIT request shorter than this has no room for an offer, a key exchange and a nonce. */
#define IKE_INIT_MIN 150
/* Public-key work for strangers, in X25519 operations of ~30 us each: a fifth of a core. What leads to an SA is given back. */
#define IKE_WORK_RATE 6400
#define IKE_WORK_BURST 1600
/*
 * Unprotected answers (INVALID_IKE_SPI, INVALID_MAJOR_VERSION, NO_PROPOSAL_CHOSEN, INVALID_KE_PAYLOAD; COOKIE has no bound) per second, and one a
 * second for a site, which may be a lie: few enough to be of no use against whom it names. Three at once: a host that restarted hears of
 * several SAs.
 */
#define IKE_ERRORS_RATE 10
#define IKE_ERRORS_BURST 10
#define IKE_SITE_ERRORS_BURST 3
#define IKE_ERROR_SITES 256
/* SAs with NULL authentication: a share of all, and per source (RFC 7619 3). */
#define IKE_NULL_SHARE 4       /* a quarter */
#define IKE_NULL_SOURCE_MAX 1  /* IPv4 /32 */
#define IKE_NULL_SOURCE6_MAX 4 /* IPv6 /64 */
#define IKE_NULL_SITE_MAX 16
/* Messages being put together at the same time: 16 KB each, 1 MB in all. DEVIATION: after authentication, too (RFC 7383 5: 64 KB). */
#define IKE_REASSEMBLIES 64
#define IKE_REASSEMBLY_LEN (16 * 1024)
/* An incomplete one is given up after this: its sender's last try is over by then. */
#define IKE_REASSEMBLY_LIFE (60 * NSTIME_S)

/* ---- the initiator ---- */

/* Responses to one IKE_SA_INIT that are followed up at the same time: the first answer may be a forger's (RFC 7296 2.4). */
#define IKE_CANDIDATES_MAX 4
/* One that was asked so often in vain, which takes 3.5 s, gives its place to the next answer. */
#define IKE_CANDIDATE_TRIES 4
/* Answers followed up in all: as many as there are places, and one a second. Each costs a key exchange and a signature. */
#define IKE_ANSWER_SPAN NSTIME_S
/* Responder's SPIs that are remembered, so that none of them is followed up twice: twice the places, for those that came before. */
#define IKE_TRIED_MAX 8
/* COOKIE and INVALID_KE_PAYLOAD rounds of one attempt, each: they are not authenticated either. */
#define IKE_COOKIE_ROUNDS 3
#define IKE_KE_ROUNDS 3
/* First retransmission, doubling up to the longest wait. Half a second loses little when a packet was lost, and is longer than any path. */
#define IKE_RETRANSMIT_FIRST (500 * NSTIME_MS)
#define IKE_RETRANSMIT_LONGEST (16 * NSTIME_S)
/* Sendings of one request: 0.5+1+2+4 s = 7.5 s where the caller goes on in clear, else 63.5 s. */
#define IKE_TRIES_SHORT 4
#define IKE_TRIES 8
/* An attempt that another SA of the peers has overtaken is forgotten after this (docs/COLLISIONS.md U8). */
#define IKE_SUPERSEDED_LIFE (30 * NSTIME_S)

/* ---- established ---- */

#define IKE_CHILD_LIFE (3600 * NSTIME_S)
#define IKE_SA_LIFE (4 * 3600 * NSTIME_S)
/* The responder rekeys a twentieth later, so that both rarely start together. */
#define IKE_RESPONDER_LATER 20
/* After TEMPORARY_FAILURE: 10 s +- 5 s (RFC 7296 2.25 leaves it open). So many times and the SA is closed: 3 minutes. */
#define IKE_TEMPORARY_WAIT (10 * NSTIME_S)
#define IKE_TEMPORARY_MAX 18
/* An IKE_FOLLOWUP_KE that does not come is forgotten after this, and its request made again (RFC 9370 2.2.4: 5 to 20 s). */
#define IKE_FOLLOWUP_LIFE (20 * NSTIME_S)
/*
 * How long a replaced or losing SA is kept for a Delete that does not come: longer than the peer, which has the other one perhaps only when it
 * has asked for the last time, goes on with this one.
 */
#define IKE_REPLACED_LIFE (70 * NSTIME_S)
/* The creator of an SA that lost a crossing deletes it after 1 to 2 s: packets under way still find it. */
#define IKE_LOSER_WAIT NSTIME_S
/* A NAT forgets a mapping sooner than anything else (RFC 3948 4). */
#define IKE_KEEPALIVE (20 * NSTIME_S)
/* INITIAL_CONTACT removes what was established that long before (docs/COLLISIONS.md U4). */
#define IKE_INITIAL_CONTACT_AGE (5 * NSTIME_S)
/* Requests of an authenticated peer (RFC 8019 5): more are not answered until time has passed; the peer retransmits. */
#define IKE_CREATE_SPAN (30 * NSTIME_S)
#define IKE_CREATE_BURST 3
#define IKE_INFO_SPAN (NSTIME_S / 2)
#define IKE_INFO_BURST 10
/* Child SAs of an IKE SA: one, its successor, the one that the peer made at the same time, and those before that still linger. */
#define IKE_CHILDREN_PER_SA 6

/* ---- memory ---- */

#define IKE_BLOCK 252	 /* octets of message memory per block */
#define IKE_OUTPUTS 1024 /* ike_expire: 64 SAs, a dozen outputs each */
#define IKE_EXPIRE_MAX 64
/* Octets of an IKE message that we send or take: what a fragmented one may have. */
#define IKE_MESSAGE_MAX (16 * 1024)

#endif
