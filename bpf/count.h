/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters. Bookkeeping never fails a packet: without the map entry the program goes on uncounted, which
 * only the verifier believes possible.
 */
#ifndef HF_COUNT_H
#define HF_COUNT_H

#include "gate_maps.h"

static __always_inline struct hf_count *counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&hf_count, &zero);
}

#define COUNT(field)                                  \
	do {                                          \
		struct hf_count *count_ = counters(); \
		if (count_)                           \
			count_->field++;              \
	} while (0)

#endif
