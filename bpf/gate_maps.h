/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that judge a packet, that count it, and that tell the agent of it: every program has them. The agent sets sizes and pin paths
 * before it loads; what is here are the defaults.
 */
#ifndef HF_GATE_MAPS_H
#define HF_GATE_MAPS_H

#include "common.h"

/* Remote prefix -> group. Longest match wins; the agent always writes 0.0.0.0/0 and ::/0. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct hf_prefix);
	__type(value, struct hf_rule);
	__uint(max_entries, HF_POLICY_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} hf_policy SEC(".maps");

/* Pair -> verdict. Preallocated, so that a verdict can be written whatever the memory pressure. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hf_pair);
	__type(value, struct hf_gate);
	__uint(max_entries, HF_GATE_DEFAULT);
} hf_gate SEC(".maps");

/* Address -> why it is never held. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hf_addr);
	__type(value, struct hf_exempt);
	__uint(max_entries, HF_EXEMPT_MAX);
} hf_exempt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_config);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_budget);
	__uint(max_entries, 1);
} hf_budget SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_count);
	__uint(max_entries, 1);
} hf_count SEC(".maps");

/* The programs' own: the time at the last tick that this CPU looked. */
struct hf_clock {
	__u64 jiffies;
	__u64 ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_clock);
	__uint(max_entries, 1);
} hf_clock SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, HF_RING_BYTES);
} hf_ring SEC(".maps");

#endif
