// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the egress or ingress program on one packet without a device (BPF_PROG_TEST_RUN), on maps of its own that
 * are neither pinned nor shared with a running agent. Plays the agent's part for the maps: verdicts, rules,
 * taking held packets off. What a packet looks like is build_packet.h.
 */
#ifndef BPF_RUN_PROG_H
#define BPF_RUN_PROG_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>

#include "base/addr.h"
#include "build_packet.h"
#include "holdfast/abi.h"

#define LOCAL4 "192.0.2.1"
#define REMOTE4 "198.51.100.2"
#define LOCAL6 "2001:db8:1::1"
#define REMOTE6 "2001:db8:2::2"

/* Sizes of the maps, 0 = a small default. */
struct run_sizes {
	uint32_t slots, slots_big, queues, holds, gates, ring_bytes;
	bool tcx;
};

/* One loaded program and its maps. The arrays are mapped: what the program does is seen at once. Ingress holds nothing: no hold, queue, slots. */
struct run {
	void *skel;
	void (*destroy)(struct run *run);
	struct bpf_object *object;
	int prog;
	int policy, gate, hold, exempt, count;
	struct hf_queue *queue;
	struct hf_slot *slot;
	struct hf_slot_big *slot_big;
	struct hf_config *config;
	struct run_sizes size;
	struct ring_buffer *ring;
	struct hf_event event; /* the last one on the ring */
	struct hf_event_denied denied;
	struct hf_event_answer answer;
	unsigned int events; /* read from the ring so far */
};

/* What a packet carries besides its bytes. All 0 is what a plain packet has. */
struct run_mark {
	uint32_t mark, priority, gso_size;
};

/* Both fail the running test when the kernel refuses the program. */
void run_open_egress(struct run *run, const struct run_sizes *size);
void run_open_ingress(struct run *run, const struct run_sizes *size);
void run_close(struct run *run);

/* run_packet returns the program's action, or -errno - 1000 when the kernel would not run it. */
int run_packet(struct run *run, const struct packet_bytes *packet, const struct run_mark *mark);
int run_bytes(struct run *run, const void *data, size_t len, const struct run_mark *mark);

/* An action as text, and the actions the programs may return. */
bool run_is_pass(int action);
bool run_is_drop(int action);
bool run_is_stolen(const struct run *run, int action);

/* run_counts sums the counters over all CPUs. run_fates is the number of packets with a fate, each counted once. */
struct hf_count run_counts(const struct run *run);
uint64_t run_fates(const struct hf_count *count);

/* The agent's part. Addresses as text; a prefix's group, a pair's verdict. */
struct hf_pair run_pair(const char *local, const char *remote);
void run_rule(struct run *run, const char *prefix, enum hf_group group);
void run_verdict(struct run *run, const struct hf_pair *pair, const struct hf_gate *gate);
void run_verdict_remove(struct run *run, const struct hf_pair *pair);
void run_exempt(struct run *run, const char *addr, uint32_t flags);
uint64_t run_now_ns(void);

/* run_events reads the ring and returns how many events were new. */
unsigned int run_events(struct run *run);

/* run_queue is the index of the pair's queue, -1 when it has none. */
int run_queue(const struct run *run, const struct hf_pair *pair);

/*
 * run_take takes the oldest packet off the queue as the agent does, copies it and frees its slot. false when
 * there is none, or when its program is still about to publish it.
 */
bool run_take(struct run *run, uint32_t queue, struct hf_slot_head *head, uint8_t *data);

/*
 * run_queue_close ends an empty queue: out of hf_hold first, so that new packets open another one, then closed by
 * compare and exchange, then free. false when a packet came in meanwhile: take it, then call again.
 */
bool run_queue_close(struct run *run, uint32_t queue);

/* run_slots_used counts slots with an owner. */
uint32_t run_slots_used(const struct run *run);

#endif
