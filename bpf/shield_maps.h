/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The shield's maps. The agent pins all but the scratch one; a new agent's programs go on with what they hold. */
#ifndef HF_SHIELD_MAPS_H
#define HF_SHIELD_MAPS_H

#include "common.h"
#include "gate_maps.h"
#include "holdfast/shield.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_shield_set);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_shield_set SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_shield_state);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} hf_shield_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct hf_addr);
	__type(value, struct hf_shield_bucket);
	__uint(max_entries, HF_SHIELD_SOURCES);
} hf_shield_source SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct hf_addr);
	__type(value, struct hf_shield_bucket);
	__uint(max_entries, HF_SHIELD_SITES);
} hf_shield_site SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_shield_count);
	__uint(max_entries, 1);
} hf_shield_count SEC(".maps");

/* Processors that ESP is spread over. One per program that is loaded: it goes with it. The agent sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__type(key, __u32);
	__type(value, __u32); /* packets that may wait for that processor */
	__uint(max_entries, 1);
} hf_shield_cpu SEC(".maps");

/* Where a cookie's hash reads from: with a long nonce it is more than half a stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct hf_cookie_input);
	__uint(max_entries, 1);
} hf_shield_work SEC(".maps");

#define SHIELD_COUNT(field)                                                                     \
	do {                                                                                    \
		__u32 zero_ = 0;                                                                \
		struct hf_shield_count *count_ = bpf_map_lookup_elem(&hf_shield_count, &zero_); \
		if (count_)                                                                     \
			count_->field++;                                                        \
	} while (0)

#endif
