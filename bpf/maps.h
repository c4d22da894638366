/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map of the datapath: those of gate_maps.h and what holds packets. Arrays are mmapable: the agent reads and frees held packets
 * without a system call, and a restarted agent finds everything as it was.
 */
#ifndef HF_MAPS_H
#define HF_MAPS_H

#include "gate_maps.h"

/* Pair -> the queue its packets wait in. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hf_pair);
	__type(value, struct hf_hold);
	__uint(max_entries, HF_QUEUES_DEFAULT);
} hf_hold SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_queue);
	__uint(max_entries, HF_QUEUES_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_slot);
	__uint(max_entries, HF_SLOTS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_slot SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_slot_big);
	__uint(max_entries, HF_SLOTS_BIG_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_slot_big SEC(".maps");

/* No program touches it; it is here so that it is made, pinned and typed like the others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_agent);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_agent SEC(".maps");

/*
 * Constants of one load, which the verifier knows: the sizes the arrays were made with, and how the program
 * is attached.
 */
const volatile __u32 hf_slots = HF_SLOTS_DEFAULT;
const volatile __u32 hf_slots_big = HF_SLOTS_BIG_DEFAULT;
const volatile __u32 hf_queues = HF_QUEUES_DEFAULT;
const volatile bool hf_tcx = false;

#endif
