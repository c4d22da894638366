// SPDX-License-Identifier: Apache-2.0
/*
 * Two engines in one process with a clock of their own: what one sends, the other gets, unless the test takes a hand. The caller's
 * part is played as an agent would: keys answered from a list, Child SAs noted, installed at once unless told to wait.
 */
#ifndef UNIT_IKE_DUO_H
#define UNIT_IKE_DUO_H

#include "base/nstime.h"
#include "ike/ike.h"

#define DUO_WIRE 64
#define DUO_KIDS 160
#define DUO_DATAGRAM 4096

/* A datagram under way. */
struct duo_datagram {
	struct ike_path path; /* as its sender sees it */
	unsigned int from;
	size_t len;
	uint8_t octets[DUO_DATAGRAM];
};

struct duo_kid {
	struct handle handle, sa;
	struct child keys;
	bool in, out; /* installed */
};

struct duo_host {
	struct ike *ike;
	void *memory;
	struct hf_addr addr;
	struct sign_key *key;
	struct ike_options options;
	/* what the caller answers */
	struct ike_answer answer;
	bool hold_answer, hold_install;
	int install_error;
	struct handle asked, sa;	 /* last of ASK_KEY; last UP or REPLACED */
	struct handle waiting[DUO_KIDS]; /* CHILD_UPs not answered */
	size_t waiting_count;
	struct ike_output last_ask, last_up;
	/* what came out */
	struct duo_kid kids[DUO_KIDS];
	size_t kid_count;
	unsigned int ups, downs, asks, child_ups, child_downs, replaced, moved, quiet;
	enum ike_reason reason; /* of the last DOWN */
	uint16_t notify;
	uint64_t random; /* state of its random source */
	uint32_t next_spi;
};

struct duo {
	struct duo_host host[2];
	uint64_t now;
	struct duo_datagram wire[DUO_WIRE];
	size_t wire_count;
	unsigned int sent[2];
};

/* What engines' memory holds before they have it. */
extern uint8_t duo_poison;

/* duo_start makes two hosts with Ed25519 keys, each knowing the other's. `change` may alter host i's options first. */
void duo_start(struct duo *duo, void (*change)(struct ike_options *options, unsigned int i));
void duo_end(struct duo *duo);
/* duo_restart takes host i's engine away and gives it a new one. */
void duo_restart(struct duo *duo, unsigned int i);
struct ike_path duo_path(const struct duo *duo, unsigned int i);
struct handle duo_connect(struct duo *duo, unsigned int i);
/* duo_drain fetches host i's outputs: datagrams go on the wire. */
void duo_drain(struct duo *duo, unsigned int i);
/* duo_deliver gives the wire's n-th datagram to its receiver and takes it off. duo_drop only takes it off. */
void duo_deliver(struct duo *duo, size_t n);
void duo_drop(struct duo *duo, size_t n);
/* duo_inject gives octets to host i as if its peer had sent them. */
void duo_inject(struct duo *duo, unsigned int i, struct view octets);
/* duo_run delivers all until nothing is under way. */
void duo_run(struct duo *duo);
/* duo_pass lets `span` go by, with timers and deliveries at their time. */
void duo_pass(struct duo *duo, uint64_t span);
/* duo_release answers what was held. */
void duo_release_answer(struct duo *duo, unsigned int i);
void duo_release_install(struct duo *duo, unsigned int i);
/* duo_sending is how many outbound SAs the host has; duo_agree: each outbound SA has its inbound one with the same key at the other. */
unsigned int duo_sending(const struct duo *duo, unsigned int i);
bool duo_agree(const struct duo *duo);
struct ike_counts duo_counts(const struct duo *duo, unsigned int i);

#endif
