/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the shield (bpf/shield.bpf.c, XDP) and the agent agree on: the values of its pinned maps. As in abi.h: times are
 * CLOCK_MONOTONIC nanoseconds, everything is in host byte order but addresses.
 */
#ifndef HOLDFAST_SHIELD_H
#define HOLDFAST_SHIELD_H

#include <linux/types.h>

#include "holdfast/abi.h"
#include "holdfast/cookie.h"

/* Changes when a layout below changes; an agent replaces maps of another version by its own. */
#define HF_SHIELD_VERSION 2

#define HF_SHIELD_SOURCES 16384 /* addresses (IPv4 /32, IPv6 /64) remembered; the longest unheard of gives way */
#define HF_SHIELD_SITES 8192	/* likewise IPv4 /24 and IPv6 /48 */

/*
 * An IKE_SA_INIT request that is shorter has no room for an offer, a key exchange and a nonce, and the answer is always shorter than
 * what is left. The engine has the same bound (IKE_INIT_MIN).
 */
#define HF_SHIELD_INIT_MIN 150

/* Payloads that are looked at until the nonce comes; senders have it third. */
#define HF_SHIELD_PAYLOADS 16

/* Processors that ESP is spread over at most; a power of two. */
#define HF_SHIELD_SPREAD_MAX 64

/* How long everybody is asked for a cookie after the rate of all was last exceeded: long enough not to flicker. */
#define HF_SHIELD_UP_NS 10000000000ull

/* A token bucket kept as the time when it would be full: a token takes span_ns, and at most burst_ns are saved up. */
struct hf_shield_rate {
	__u64 span_ns;
	__u64 burst_ns; /* a multiple of span_ns; 0 lets nothing through */
};

/* Single value of hf_shield_set, written by the agent. */
struct hf_shield_set {
	__u32 version; /* HF_SHIELD_VERSION, written last; any other: everything passes */
	__u32 demand;  /* 1: the engine has so many half-open SAs that everybody brings a cookie */
	__u32 secret_version;
	__u32 spread;				/* ESP is spread over so many processors; 0 = it is not */
	struct hf_cookie_secret secret[2];	/* by secret_version & 1 */
	struct hf_shield_rate source, site;	/* requests without a cookie that pass: of an address, of a site */
	struct hf_shield_rate all;		/* of all; above it the shield is up for everybody */
	struct hf_shield_rate proven_source;	/* requests with a good cookie that pass: of an address */
	struct hf_shield_rate proven_site;	/* of a site */
	__u32 spread_cpu[HF_SHIELD_SPREAD_MAX]; /* their numbers */
	struct hf_shield_rate odd; /* of all: requests without a responder's SPI that are no IKE_SA_INIT of version 2 */
};

/* Single value of hf_shield_state, written by the program. */
struct hf_shield_state {
	__u64 all_full_ns, odd_full_ns; /* the buckets of all senders */
	__u64 up_until_ns;		/* until then everybody is asked for a cookie */
	struct hf_addr raised_by;	/* whose request exceeded the rate of all, the last time that it went up */
};

/* Value of hf_shield_source and hf_shield_site, keyed by the prefix's first address. */
struct hf_shield_bucket {
	__u64 full_ns, proven_full_ns;
};

/* Single value of hf_shield_count, per CPU: IKE messages to this host by what became of them. */
struct hf_shield_count {
	__u64 known;	 /* passed: they name a responder's SPI */
	__u64 responses; /* passed: answers to what this host began */
	__u64 malformed; /* dropped: the engine would do nothing else with them */
	__u64 odd_passed, odd_dropped;
	__u64 init;	      /* IKE_SA_INIT requests; each is one of those below */
	__u64 init_passed;    /* below the rates */
	__u64 init_malformed; /* dropped: a cookie was due, and there is no nonce to bind it to */
	__u64 cookies_sent;   /* answered with a cookie; */
	__u64 cookies_bad;    /* of these: with one that is not good */
	__u64 cookies_good;   /* passed with a good one */
	__u64 proven_dropped; /* with a good one, too many of its address or site */
	__u64 unanswerable;   /* dropped: nobody can have sent it from there */
	__u64 answer_failed;  /* dropped: the kernel did not let the frame be changed */
	__u64 clear_dropped; /* what is no IKE, dropped: clear from a pair that must be sealed, or is blocked (hf_count has it too) */
	__u64 esp_spread; /* ESP handed to the processor of its SA */
};

#endif
