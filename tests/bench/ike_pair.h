// SPDX-License-Identifier: Apache-2.0
/*
 * Two engines in one process that set up SAs with each other as fast as they can: what one sends the other gets at once, keys are
 * answered and Child SAs installed without delay. No kernel, no clock but the one that the caller moves.
 */
#ifndef BENCH_IKE_PAIR_H
#define BENCH_IKE_PAIR_H

#include "ike/ike.h"

#define PAIR_DATAGRAM 2048
#define PAIR_WIRE 8

struct pair_datagram {
	struct ike_path path; /* as its receiver sees it */
	unsigned int to;
	size_t len;
	uint8_t octets[PAIR_DATAGRAM];
};

struct pair_end {
	struct ike *ike;
	void *memory;
	struct sign_key *key;
	struct ike_answer answer;
	uint64_t random; /* state of its random source */
	uint32_t next_spi;
	struct handle sa; /* of the last ASK_KEY or UP */
	unsigned int child_ups, downs;
};

struct pair {
	struct pair_end end[2]; /* 0 starts */
	struct ike_options options;
	uint64_t now;
	unsigned int wire_first, wire_count;
	struct pair_datagram wire[PAIR_WIRE];
	struct pair_datagram seen[4]; /* the last set-up's, in order */
	unsigned int seen_count;
};

/* pair_start makes two engines with Ed25519 keys that know each other. Exits when it cannot. */
void pair_start(struct pair *pair, uint32_t sas_max, uint32_t cookie_half_open);
void pair_end(struct pair *pair);
/* pair_by_psk makes further SAs by a pre-shared key (true) or by signatures. */
void pair_by_psk(struct pair *pair, bool psk);
/* pair_setup makes an IKE SA with its Child SA between the n-th address and the other host. Exits when that fails. */
void pair_setup(struct pair *pair, uint32_t n);
/* pair_forget drops what the last pair_setup made. */
void pair_forget(struct pair *pair);
/* pair_request is the n-th initiator's IKE_SA_INIT request; the attempt is given up. */
void pair_request(struct pair *pair, uint32_t n, struct pair_datagram *out);
/* pair_draw fills `out` from a counter. */
void pair_draw(void *arg, void *out, size_t len);

#endif
