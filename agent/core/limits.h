// SPDX-License-Identifier: Apache-2.0
/*
 * Every number that bounds the agent, with its reason (DESIGN 9). Nothing grows with what strangers send: each of these
 * has a counter or a line in `holdfast status` for when it bites. Sizes that the BPF programs share are
 * in holdfast/abi.h and only named here. MIN and MAX are what the configuration accepts.
 */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

#include "base/nstime.h"
#include "holdfast/abi.h"

/* ---- held packets ---- */

/*
 * [limits] hold_slots: packets held at the same time, 2 KB each (32 MB by default). 16,384 is a burst of 128 packets to
 * 128 peers, or one packet each to as many hosts as a port scan of a /18 meets. Fewer than 64 cannot keep
 * the 20 first datagrams of three conversations.
 */
#define LIMIT_HOLD_SLOTS HF_SLOTS_DEFAULT
#define LIMIT_HOLD_SLOTS_MIN 64
#define LIMIT_HOLD_SLOTS_MAX (1024 * 1024) /* 2 GB */

/*
 * [limits] hold_big_slots: packets larger than 2 KB (GSO, jumbo frames), 64 KB each. They come from flows that already run, so
 * a few are enough: what finds none is dropped and retransmitted smaller.
 */
#define LIMIT_HOLD_BIG_SLOTS HF_SLOTS_BIG_DEFAULT
#define LIMIT_HOLD_BIG_SLOTS_MIN 1
#define LIMIT_HOLD_BIG_SLOTS_MAX 4096 /* 256 MB */

/* [limits] hold_queues: pairs that wait at the same time. As many as slots: each may have one packet. */
#define LIMIT_HOLD_QUEUES HF_QUEUES_DEFAULT
#define LIMIT_HOLD_QUEUES_MIN 16
#define LIMIT_HOLD_QUEUES_MAX (1024 * 1024)

/*
 * [limits] hold_age_seconds: a packet older than this helps nobody: TCP has retransmitted it three times, DNS and ping gave
 * up. Above a minute a packet could outlive its meaning (RFC 793's MSL is two).
 */
#define LIMIT_HOLD_AGE_SECONDS 10
#define LIMIT_HOLD_AGE_SECONDS_MIN 1
#define LIMIT_HOLD_AGE_SECONDS_MAX 60

/* ---- the shield in front of IKE ---- */

/*
 * IKE_SA_INIT requests that pass without a cookie: so many at once, and so many a second. A host needs one, several behind a NAT some
 * (5 as half-open SAs: IKE_SOURCE_MAX), a site as many as it may have half-open SAs (IKE_SITE_MAX). In all, what an engine
 * answers with one core's hundredth; a fleet that starts at the same moment is asked for cookies, which costs it a round trip.
 */
#define LIMIT_SHIELD_SOURCE_BURST 6
#define LIMIT_SHIELD_SOURCE_RATE 1
#define LIMIT_SHIELD_SITE_BURST 50
#define LIMIT_SHIELD_SITE_RATE 10
#define LIMIT_SHIELD_ALL_BURST 128
#define LIMIT_SHIELD_ALL_RATE 64
/* With a good cookie, so that the address is true: some tries more, of a NAT's hosts one after the other. The engine has its bounds behind. */
#define LIMIT_SHIELD_PROVEN_SOURCE_BURST 20
#define LIMIT_SHIELD_PROVEN_SOURCE_RATE 4
#define LIMIT_SHIELD_PROVEN_SITE_BURST 200
#define LIMIT_SHIELD_PROVEN_SITE_RATE 50
/* Other requests without a responder's SPI: the engine answers 10 a second (IKE_ERRORS_RATE). */
#define LIMIT_SHIELD_ODD_BURST 20
#define LIMIT_SHIELD_ODD_RATE 20
/* Once the engine has wanted cookies from everybody they are demanded so long: its half-open SAs come and go. */
#define LIMIT_SHIELD_DEMAND_NS (10 * NSTIME_S)

/* ---- pairs ---- */

/*
 * [limits] gate_entries: pairs that the BPF programs know a verdict for. When it is full the oldest remembered CLEAR goes first;
 * the group decides for a pair without entry. A million was measured to cost no more per packet than ten.
 */
#define LIMIT_GATE_ENTRIES HF_GATE_DEFAULT
#define LIMIT_GATE_ENTRIES_MIN 256
#define LIMIT_GATE_ENTRIES_MAX (16 * 1024 * 1024)

/*
 * [limits] peers: pairs the agent remembers anything about. Never more than gate entries, since each needs one, nor than
 * the 2^20 reqids that are ours.
 */
#define LIMIT_PEERS HF_GATE_DEFAULT
#define LIMIT_PEERS_MIN 64
#define LIMIT_PEERS_MAX (1024 * 1024)

/* IKE SAs, half-open ones included, at most as many as peers: some 2 KB each when used. */
#define LIMIT_IKE_SAS 16384

/*
 * Pairs whose peer has another key in the DNS and that get new SAs before the old ones go. 16 attempts are begun in a second, so these are begun within
 * the minute that a record lives at least. Where there are more, SAs end first, and the next packet waits for new ones.
 */
#define LIMIT_RENEWALS 1024

/* Prefixes in all policy files together. Two places of hf_policy are for what is unlisted, IPv4 and IPv6. */
#define LIMIT_POLICY_ENTRIES (HF_POLICY_MAX - 2)

/* DNS resolvers that are never held. resolv.conf(5) itself uses three; others are typed by hand. */
#define LIMIT_RESOLVERS 16

/* Names or globs in `interfaces`. */
#define LIMIT_INTERFACES 64

/* Interfaces that the programs are attached to at the same time; a host with more has a bridge to attach to. */
#define LIMIT_ATTACHED 1024

/* ---- time a loop turn may take ---- */

/* Events of one source per loop turn, so that a flood on one never starves the others. */
#define LIMIT_EVENTS_PER_TURN 256

/* Packets released per loop turn. At 20 us each, 256 keep a turn near 5 ms. */
#define LIMIT_RELEASES_PER_TURN 256

/* ---- the operator's socket ---- */

/* Clients at the same time: some terminals and a collector of metrics, not a service for the public. */
#define LIMIT_CONTROL_CLIENTS 16

/* Octets of a request line. Requests are some words and an address; the rest is room for later. */
#define LIMIT_CONTROL_LINE 65536

/* Octets of answers a client has not read yet; then its connection ends. */
#define LIMIT_CONTROL_UNREAD (4 * 1024 * 1024)

/* Pairs in one answer: their counters are read from the kernel, two questions each, while packets wait. The client asks on. */
#define LIMIT_CONTROL_PAIRS 128

/* Prefixes in one answer: some 100 octets each, so that a slow reader stays far from LIMIT_CONTROL_UNREAD. The client asks on. */
#define LIMIT_CONTROL_PREFIXES 1024

/* Pairs whose latest steps are kept for `holdfast explain`, 2.5 KB each when used; the one quiet for longest goes first. */
#define LIMIT_JOURNAL_PAIRS 4096

/* Collectors of metrics at the same time: one or two, and somebody who looks. */
#define LIMIT_METRICS_CLIENTS 8

/* Octets of a collector's request, head and body each, and how long it may say nothing. */
#define LIMIT_METRICS_REQUEST 4096
#define LIMIT_METRICS_IDLE_SECONDS 5

/* A client that says nothing for this long is gone or hung. */
#define LIMIT_CONTROL_IDLE_SECONDS 30

#endif
