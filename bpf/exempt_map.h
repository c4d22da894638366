/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The map of exempt addresses, by itself: the shield asks it too which addresses are this host's. */
#ifndef HF_EXEMPT_MAP_H
#define HF_EXEMPT_MAP_H

#include "common.h"

/* Address -> why it is never held. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct hf_addr);
	__type(value, struct hf_exempt);
	__uint(max_entries, HF_EXEMPT_MAX);
} hf_exempt SEC(".maps");

#endif
